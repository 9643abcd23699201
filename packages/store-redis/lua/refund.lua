-- Gives back what an admitted call used, where it still counts. Translates refund of
-- packages/core/src/store/memory-limits.ts.
--
-- keys    one per policy; then that of the operation, if the call had an opId
-- args    1 given, 2 slack of TTLs in ms, 3 cost, 4 atMs of the verdict, 5 number of policies,
--         6 opId (1 or 0), 7 channel of changes, 8 on four per policy (see lib/policies.lua)
-- answer  1 given back, 0 nothing of it counts
-- Tells other processes, which may remember a denial that ends with it. O(policies * hits since)
-- False where nothing of the call is left.
local function policy_refund(policy, key, cost, at, now, slack)
  local limit, window, third = policy.limit, policy.window, policy.third
  if policy.exact then return log_refund(key, policy.data, window, third, cost, at, now) end
  if not tat_refund(policy.data, limit, window, third, cost, at, now) then return false end
  tat_write(key, policy.data, slack)
  return true
end

local function decide(keys, args)
  local slack, cost, at = tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  local count = tonumber(args[5])
  local op_key = args[6] == '1' and keys[#keys] or nil
  local policies = policies_of(args, 8, count)
  local now = policies_read(policies, keys, 0, now(args[1]))
  if op_key then
    local kept = redis.call('GET', op_key)
    if not kept then return 0 end
    local until_ms, op_cost, op_at = string.match(kept, '^(%d+) (%d+) %d+ %d+ %d+ (%d+) ')
    if tonumber(until_ms) <= now or tonumber(op_at) ~= at or tonumber(op_cost) < cost then
      return 0
    end
  end
  local given = 0
  for i = 1, count do
    if policy_refund(policies[i], keys[i], cost, at, now, slack) then given = 1 end
  end
  if given == 1 then
    if op_key then redis.call('DEL', op_key) end
    redis.call('PUBLISH', args[7], 'k:' .. string.match(keys[1], '{(.-)}'))
  end
  return given
end
