-- One policy of either kind, on what its key holds. Needs window, tat, policies.

-- policies_read(policies, keys, before, at): reads what the keys after keys[before] hold; answers the newest
-- of `at` and the instants that they were decided at: time never goes back for a key. O(policies)
local function policies_read(policies, keys, before, at)
  for i = 1, #policies do
    local policy, data = policies[i], redis.call('GET', keys[before + i])
    local last = 0
    if policy.exact then
      policy.data = data
      if data then last = log_last(data) end
    else
      policy.data = tat_of(data)
      last = policy.data.last
    end
    if last > at then at = last end
  end
  return at
end

-- policy_decide(policy, cost, at): wait, remaining and reset of a call; leaves what policy_commit
-- needs.
local function policy_decide(policy, cost, at)
  local wait, remaining, reset
  if policy.exact then
    wait, remaining, reset, policy.used, policy.dead =
      log_decide(policy.data, policy.limit, policy.window, policy.third, cost, at)
  else
    wait, remaining, reset, policy.after =
      tat_decide(policy.data, policy.limit, policy.window, policy.third, cost, at)
  end
  return wait, remaining, reset
end

-- policy_commit(policy, key, cost, at, slack): counts a call that every policy has admitted. True where
-- the key's hits now count for a shorter time than before.
local function policy_commit(policy, key, cost, at, slack)
  if not policy.exact then
    tat_write(key, policy.after, slack)
    return false
  end
  local data, used, window = policy.data, policy.used, policy.window
  local shorter = used > 0 and window < log_window(data)
  log_add(key, data, used, policy.dead, window, policy.third, cost, at, slack)
  return shorter
end
