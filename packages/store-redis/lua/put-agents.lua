-- Adds or replaces agents, in order, all or none: putAgents of core's store/memory-fleet.ts.
--
-- KEYS    meta; the fleet's g, c, t
-- ARGV    given, draw, slack, channel, who, the most agents; per agent: id, JSON
-- Answer  the fleet's version then: one further for each agent
-- Refuses FLEET_FULL, and has changed nothing then
-- O(agents * log fleet)
local CHUNK = 500

-- How many agents there would be, the named ones among them.
local function total(agents, args)
  local count, seen = redis.call('HLEN', agents), {}
  for i = 7, #args, 2 do
    local id = args[i]
    if not seen[id] and redis.call('HEXISTS', agents, id) == 0 then count = count + 1 end
    seen[id] = true
  end
  return count
end

local function decide(keys, args)
  local meta = open_meta(keys[1], args)
  local agents, log, dead = keys[2], keys[3], keys[4]
  local most, fresh = tonumber(args[6]), (#args - 6) / 2
  if redis.call('HLEN', agents) + fresh > most then
    local count = total(agents, args)
    if count > most then
      local text = 'FLEET_FULL the fleet must not exceed maxAgents = %.0f agents, got %.0f'
      error({ err = string.format(text, most, count) })
    end
  end
  for from = 7, #args, 2 * CHUNK do
    local put, noted, names = {}, {}, {}
    for i = from, math.min(from + 2 * CHUNK, #args) - 1, 2 do
      local what = 'p:' .. args[i]
      put[#put + 1], put[#put + 2] = args[i], args[i + 1]
      meta.fleet = meta.fleet + 1
      noted[#noted + 1], noted[#noted + 2] = digits(meta.fleet), what
      names[#names + 1] = what
    end
    redis.call('HSET', agents, unpack(put))
    redis.call('ZADD', log, unpack(noted))
    redis.call('ZREM', dead, unpack(names))
  end
  redis.call('HSET', meta.key, 'w', digits(meta.fleet))
  announce(meta, nil, args)
  return fleet_version(meta.base, meta.fleet)
end
