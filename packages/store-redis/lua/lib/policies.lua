-- The policies of a decision, of both kinds, as packages/core/src/store/memory-limits.ts has them in
-- slabs. Each is four arguments: kind ('w' a window, 't' a Tat), limit, windowMs, and quantumMs or
-- burst; its key ends in ':<kind>:<name>'.

-- Reads `count` policies from keys[1] and args[first] on; and the newest of `now` and the instants
-- that they were decided at: time never goes back for a key.
local function policies_open(keys, args, first, count, now)
  local policies = {}
  for i = 1, count do
    local at = first + (i - 1) * 4
    local policy = { key = keys[i], limit = tonumber(args[at + 1]), window = tonumber(args[at + 2]),
      third = tonumber(args[at + 3]) }
    if args[at] == 'w' then
      policy.log = log_open(keys[i])
      if policy.log.last > now then now = policy.log.last end
    else
      policy.tat = tat_open(keys[i])
      if policy.tat.last > now then now = policy.tat.last end
    end
    policies[i] = policy
  end
  return policies, now
end
