-- What a key has used of each policy. Translates usage of packages/core/src/store/memory-limits.ts.
--
-- keys    one per policy
-- args    1 given, 2 number of policies, 3 on four per policy (see lib/policies.lua)
-- answer  used and resetAtMs of each, one after the other
-- Changes nothing. O(policies)
-- Cost used, and when all is restored.
local function policy_usage(policy, now)
  local log, tat, window = policy.log, policy.tat, policy.window
  if log then
    log_look(log, window, now)
    return log.used, log.used == 0 and now or log.newest + log.counts
  end
  local restored = tat_restored(tat)
  local remaining = tat_remaining(tat, policy.limit, window, policy.third, now)
  return policy.third - remaining, restored > now and restored or now
end

local function decide(keys, args)
  local policies, now = policies_open(keys, args, 3, tonumber(args[2]), now(args[1]))
  local answer = {}
  for i = 1, #policies do
    answer[2 * i - 1], answer[2 * i] = policy_usage(policies[i], now)
  end
  return answer
end
