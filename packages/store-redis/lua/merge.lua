-- Joins records with those that are known, by maximum: merge of core's store/memory-health.ts.
--
-- KEYS    meta; the domain's m, d, v, o, i, s
-- ARGV    given, draw, slack, channel, who, domain, maxRecords; per record: exit, record
-- Answer  how many of them said something new
-- Refuses STORE_FULL; those before stay joined
-- O(records * log records of the domain)
local function decide(keys, args)
  local meta = open_meta(keys[1], args)
  local domain = open_domain(meta, keys, 2)
  local joined = 0
  for i = 8, #args, 2 do
    local exit, told = args[i], decode_record(args[i + 1])
    local before = read_record(meta, domain, exit)
    if meta.at < told.forget_at_ms then
      local after = join(before, told)
      if not before or encode_record(before) ~= encode_record(after) then
        make_room(meta, domain, exit, tonumber(args[7]))
        write_record(meta, domain, exit, after)
        joined = joined + 1
      end
    end
  end
  announce(meta, domain, args)
  return joined
end
