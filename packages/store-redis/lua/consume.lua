-- Admits a call if every policy and the permit have room, and then counts it in all; else changes
-- nothing. Translates MemoryLimits #decide and #commit of packages/core/src/store/memory-limits.ts.
--
-- keys    one per policy; then that of the permits, if one is asked for; then that of the
--         operation, if the call has an opId
-- args    1 given, 2 write (1 consume, 0 peek), 3 slack of TTLs in ms, 4 cost, 5 number of
--         policies, 6 hashed permit id or '', 7 cap, 8 deadline, 9 opId (1 or 0), 10 channel of
--         changes, 11 on four per policy (see lib/policies.lua)
-- answer  retryAfterMs, binding policy (its index from 0 on; 'permits', 'none', or of a repeated
--         operation its name), limit, remaining, resetAtMs, atMs
-- O(policies) where little has expired since the last admission, else + log(log entries).
local NO_LIMIT = 2147483647

-- Whether this answer binds more than the ones before: a denial by how long it lasts (-1: for
-- ever), else the least left.
local function binds(wait, remaining, worst, least)
  if wait == 0 then return worst == 0 and remaining < least end
  return worst ~= -1 and (wait == -1 or wait > worst)
end

-- The verdict of an admitted operation, where it is still remembered. It is kept as
-- 'until cost limit remaining reset at policy'.
local function op_verdict(key, now)
  local kept = redis.call('GET', key)
  if not kept then return nil end
  local untilMs, limit, remaining, reset, at, name =
    string.match(kept, '^(%d+) %d+ (%d+) (%d+) (%d+) (%d+) (.+)$')
  if tonumber(untilMs) <= now then return nil end
  return { 0, name, tonumber(limit), tonumber(remaining), tonumber(reset), tonumber(at) }
end

local function op_remember(key, verdict, name, cost, until_ms, slack)
  local numbers = { digits(until_ms), digits(cost), digits(verdict[3]), digits(verdict[4]),
    digits(verdict[5]), digits(verdict[6]), name }
  redis.call('SET', key, table.concat(numbers, ' '), 'PX', until_ms - verdict[6] + slack)
end

-- Wait, limit, remaining and reset of a call under a policy; leaves what policy_commit needs.
local function policy_decide(policy, cost, now)
  local log, limit, window, third = policy.log, policy.limit, policy.window, policy.third
  if log then
    local wait, remaining, reset = log_decide(log, limit, window, third, cost, now)
    return wait, limit, remaining, reset
  end
  local wait, remaining, reset, after = tat_decide(policy.tat, limit, window, third, cost, now)
  policy.after = after
  return wait, third, remaining, reset
end

-- Counts a call that every policy has admitted. True where the key's hits now count for a shorter
-- time than before: a denial may end earlier than it said.
local function policy_commit(policy, cost, now, slack)
  local log, window = policy.log, policy.window
  if not log then
    tat_write(policy.after, slack)
    return false
  end
  local shortened = log.used > 0 and window < log.window
  log_add(log, window, policy.third, cost, now, slack)
  return shortened
end

local function decide(keys, args)
  local write, slack, cost = args[2] == '1', tonumber(args[3]), tonumber(args[4])
  local count, permit_id = tonumber(args[5]), args[6]
  local permit_key = permit_id ~= '' and keys[count + 1] or nil
  local op_key = args[9] == '1' and keys[#keys] or nil
  local policies, now = policies_open(keys, args, 11, count, now(args[1]))
  local permit_last = permit_key and permits_last(permit_key)
  if permit_last and permit_last > now then now = permit_last end
  if op_key then
    local known = op_verdict(op_key, now)
    if known then return known end
  end

  local retry, binding, limit, remaining, reset = 0, 'none', NO_LIMIT, NO_LIMIT, now
  local until_ms = now
  for i = 1, count do
    local policy = policies[i]
    local wait, of, left, restored = policy_decide(policy, cost, now)
    if now + policy.window > until_ms then until_ms = now + policy.window end
    if binds(wait, left, retry, remaining) then
      retry, binding, limit, remaining, reset = wait, i - 1, of, left, restored
    end
  end
  local deadline, latest, own = 0, now, 0
  if permit_key then
    local cap = tonumber(args[7])
    deadline = tonumber(args[8])
    local wait, held
    wait, held, latest, own =
      permits_check(permit_key, permit_last, permit_id, cap, deadline, now, retry)
    local free = cap > held and cap - held or 0
    if binds(wait, free, retry, remaining) then
      retry, binding, limit, remaining, reset = wait, 'permits', cap, free, latest
    end
    if deadline > until_ms then until_ms = deadline end
  end

  local verdict = { retry, binding, limit, remaining, reset, now }
  if not write or retry ~= 0 then return verdict end
  local shortened = false
  for i = 1, count do
    if policy_commit(policies[i], cost, now, slack) then shortened = true end
  end
  if permit_key then permits_commit(permit_key, permit_id, deadline, now, latest, own, slack) end
  if op_key and until_ms > now then
    local name = binding
    if type(binding) == 'number' then name = string.match(keys[binding + 1], '}:[wt]:(.*)$') end
    op_remember(op_key, verdict, name, cost, until_ms, slack)
  end
  if shortened then
    redis.call('PUBLISH', args[10], 'k:' .. string.match(keys[1], '{(.-)}'))
  end
  return verdict
end
