-- The policies of a decision, of both kinds, as packages/core/src/store/memory-limits.ts has them in
-- slabs. Each is four arguments: kind ('w' a window, 't' a Tat), limit, windowMs, and quantumMs or
-- burst; its key ends in ':<kind>:<name>'. Needs window, and tat for policies of that kind.

-- policies_of(args, first, count): `count` policies from args[first] on. Each has room for what one
-- key holds at a time, in `data`. O(policies)
local function policies_of(args, first, count)
  local policies = {}
  for i = 1, count do
    local at = first + (i - 1) * 4
    policies[i] = { exact = args[at] == 'w', limit = tonumber(args[at + 1]),
      window = tonumber(args[at + 2]), third = tonumber(args[at + 3]), data = false, used = 0,
      dead = 0 }
  end
  return policies
end
