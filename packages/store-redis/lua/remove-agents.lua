-- Removes agents, and what stands against them: removeAgents of core's store/memory-fleet.ts.
--
-- KEYS    meta; the fleet's g, b, c, t
-- ARGV    given, draw, slack, channel, who; the ids
-- Answer  the fleet's version then
-- O(ids * log fleet)
local CHUNK = 500

local function decide(keys, args)
  local meta = open_meta(keys[1], args)
  for from = 6, #args, CHUNK do
    local gone = {}
    for i = from, math.min(from + CHUNK - 1, #args) do
      local id = args[i]
      if redis.call('HDEL', keys[2], id) == 1 then
        local had = meta.breakers > 0 and redis.call('HDEL', keys[3], id) == 1
        if had then gone[#gone + 1] = 'b:' .. id end
        gone[#gone + 1] = 'p:' .. id
      end
    end
    if #gone > 0 then note_dead(meta, keys[4], keys[5], gone) end
  end
  if meta.breakers > 0 then redis.call('HSET', meta.key, 'bn', redis.call('HLEN', keys[3])) end
  announce(meta, nil, args)
  return fleet_version(meta.base, meta.fleet)
end
