-- Admits calls: each if every policy and the permit have room, and then counts it in all; else
-- changes nothing. Translates MemoryLimits #decide and #commit of
-- packages/core/src/store/memory-limits.ts. All calls of one EVALSHA go by the same policies.
--
-- KEYS    of each call: one per policy; then that of the permits, if one is asked for; then that of
--         the operation, if the call has an opId; one at least
-- ARGV    1 slack of TTLs in ms, 2 channel of changes, 3 number of policies, four per policy (see
--         lib/policies.lua); then for each call, unless all are plain (counted, of cost 1, by the
--         server's time): given, write (1 consume, 0 peek), cost, hashed permit id or '', cap, deadline,
--         opId (1 or 0)
-- Answer  as all_verdicts says
-- O(policies) a call where little has expired since the last admission, else + log(log entries).
local CALL_ARGS = 7

local slack, channel = tonumber(ARGV[1]), ARGV[2]
local policies = policies_of(ARGV, 4, tonumber(ARGV[3]))
local count = #policies

-- Whether an answer binds more than the ones before: a denial
-- by how long it lasts (-1: for ever), else the least left.
local function binds(wait, remaining, worst, least)
  if wait == 0 then return worst == 0 and remaining < least end
  return worst ~= -1 and (wait == -1 or wait > worst)
end

-- The verdict of an admitted operation, where it is still remembered. It is kept as
-- 'until cost limit remaining reset at policy'.
local function op_verdict(key, at)
  local kept = redis.call('GET', key)
  if not kept then return nil end
  local until_ms, limit, remaining, reset, then_ms, name =
    string.match(kept, '^(%d+) %d+ (%d+) (%d+) (%d+) (%d+) (.+)$')
  if tonumber(until_ms) <= at then return nil end
  return struct.pack(VERDICT, REPEATED, tonumber(limit), tonumber(remaining), tonumber(reset),
    tonumber(then_ms)), name
end

local function op_remember(key, until_ms, cost, limit, remaining, reset, at, name)
  local kept = { digits(until_ms), digits(cost), digits(limit), digits(remaining), digits(reset),
    digits(at), name }
  redis.call('SET', key, table.concat(kept, ' '), 'PX', until_ms - at + slack)
end

-- What binds, by the name that an operation is remembered with, and its limit.
local function named(binding, before, cap)
  if binding == PERMITS then return 'permits', cap end
  if binding == NONE then return 'none', NO_LIMIT end
  local policy = policies[binding + 1]
  local limit = policy.exact and policy.limit or policy.third
  return string.match(KEYS[before + binding + 1], '}:[wt]:(.*)$'), limit
end

-- The verdict under the policies alone, which have been read: wait, what binds, remaining, reset.
local function policies_decide(cost, at)
  local wait, binding, remaining, reset = 0, NONE, NO_LIMIT, at
  for i = 1, count do
    local own, left, restored = policy_decide(policies[i], cost, at)
    if binds(own, left, wait, remaining) then
      wait, binding, remaining, reset = own, i - 1, left, restored
    end
  end
  return wait, binding, remaining, reset
end

local function policies_commit(before, cost, at)
  local shorter = false
  for i = 1, count do
    if policy_commit(policies[i], KEYS[before + i], cost, at, slack) then shorter = true end
  end
  if shorter then tell_shorter(channel, KEYS[before + 1]) end
end

-- A call's verdict, packed, and of a repeated operation its text. Its arguments are those from
-- ARGV[first] on; a plain call has none.
local function decide(before, first)
  local given, write, cost, permit_id, permit_key, op_key = '', true, 1, '', nil, nil
  if first then
    given, write, cost, permit_id =
      ARGV[first], ARGV[first + 1] == '1', tonumber(ARGV[first + 2]), ARGV[first + 3]
    if permit_id ~= '' then permit_key = KEYS[before + count + 1] end
    if ARGV[first + 6] == '1' then op_key = KEYS[before + count + (permit_key and 2 or 1)] end
  end
  local at = policies_read(policies, KEYS, before, now(given))
  local permit_last = permit_key and permits_last(permit_key)
  if permit_last and permit_last > at then at = permit_last end
  if op_key then
    local known, name = op_verdict(op_key, at)
    if known then return known, name end
  end
  local wait, binding, remaining, reset = policies_decide(cost, at)
  local cap, deadline, latest, own = 0, 0, at, 0
  if permit_key then
    cap, deadline = tonumber(ARGV[first + 4]), tonumber(ARGV[first + 5])
    local due, held
    due, held, latest, own =
      permits_check(permit_key, permit_last, permit_id, cap, deadline, at, wait)
    local free = cap > held and cap - held or 0
    if binds(due, free, wait, remaining) then
      wait, binding, remaining, reset = due, PERMITS, free, latest
    end
  end
  local verdict = struct.pack(VERDICT, binding, wait, remaining, reset, at)
  if not write or wait ~= 0 then return verdict end
  policies_commit(before, cost, at)
  if permit_key then permits_commit(permit_key, permit_id, deadline, at, latest, own, slack) end
  local until_ms = math.max(at, deadline)
  for i = 1, count do until_ms = math.max(until_ms, at + policies[i].window) end
  if op_key and until_ms > at then
    local name, limit = named(binding, before, cap)
    op_remember(op_key, until_ms, cost, limit, remaining, reset, at, name)
  end
  return verdict
end

local before, arguments = 0, 4 + 4 * count
if #ARGV < arguments then
  for plain = 0, #KEYS - 1, math.max(1, count) do add_verdict(pcall(decide, plain)) end
end
for first = arguments, #ARGV, CALL_ARGS do
  add_verdict(pcall(decide, before, first))
  local permits, ops = ARGV[first + 3] ~= '' and 1 or 0, ARGV[first + 6] == '1' and 1 or 0
  before = before + math.max(1, count + permits + ops)
end
return all_verdicts()
