-- What a key has used of each policy. Translates usage of packages/core/src/store/memory-limits.ts.
--
-- keys    one per policy
-- args    1 given, 2 number of policies, 3 on four per policy (see lib/policies.lua)
-- answer  used and resetAtMs of each, one after the other
-- Changes nothing. O(policies)
-- Cost used, and when all is restored.
local function policy_usage(policy, now)
  local data, window = policy.data, policy.window
  if policy.exact then
    if not data then return 0, now end
    local used, _, counts, newest = log_look(data, window, now)
    return used, used == 0 and now or newest + counts
  end
  local restored = tat_restored(data)
  local remaining = tat_remaining(data, policy.limit, window, policy.third, now)
  return policy.third - remaining, restored > now and restored or now
end

local function decide(keys, args)
  local policies = policies_of(args, 3, tonumber(args[2]))
  local now = policies_read(policies, keys, 0, now(args[1]))
  local answer = {}
  for i = 1, #policies do
    answer[2 * i - 1], answer[2 * i] = policy_usage(policies[i], now)
  end
  return answer
end
