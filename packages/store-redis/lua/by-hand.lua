-- Excludes a pair by hand, or clears it: exclude and restore of core's store/memory-health.ts.
--
-- KEYS    meta; the domain's m, d, v, o, i, s
-- ARGV    given, draw, slack, channel, who, domain, exit, until or empty to restore, maxRecords
-- Answer  1
-- Refuses STORE_FULL, and has changed nothing then
-- O(log records)
local function decide(keys, args)
  local meta = open_meta(keys[1], args)
  local domain = open_domain(meta, keys, 2)
  local exit = args[7]
  local after = by_hand(read_record(meta, domain, exit), tonumber(args[8]), meta.at)
  make_room(meta, domain, exit, tonumber(args[9]))
  write_record(meta, domain, exit, after)
  announce(meta, domain, args)
  return 1
end
