-- What changed in a domain since a version: exclusions of core's store/memory-health.ts.
--
-- KEYS    meta; the domain's m, d, v, o, i, s
-- ARGV    given, draw, slack, since, the most changes
-- Answer  as changes_since says
-- O(log records + changes)
local function decide(keys, args)
  local meta = open_meta(keys[1], args)
  return changes_since(meta, open_domain(meta, keys, 2), tonumber(args[4]), tonumber(args[5]))
end
