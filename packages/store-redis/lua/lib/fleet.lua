-- What changed in the fleet, in order of change: does what the memory store's memory-fleet.ts and
-- change-log.ts do. Needs meta.
--
-- g  hash: agent -> JSON     b  hash: agent -> breaker     x  zset: exit -> rests everywhere until
-- c  zset: what -> version, oldest first; what: `p:` agent, `b:` agent of a breaker, `x:` exit
-- t  zset: of those the dead ones (removed, cleared, restored) -> version of their death
-- The dead are kept for those who have yet to hear of them. The oldest go first, and raise the
-- floor: who has seen nothing since has to start anew.
local MOST_DEAD = 1024
-- Breakers and resting exits of agents that were never put: so many beside the fleet's own.
local MOST_STRANGERS = 1024

-- next_fleet_versions(meta, count): so many further, one for each change; answers the last. O(1)
local function next_fleet_versions(meta, count)
  meta.fleet = redis.call('HINCRBY', meta.key, 'w', count)
  return meta.fleet
end

-- note_live(meta, log, dead, what): this was set just now. O(log entries)
local function note_live(meta, log, dead, what)
  redis.call('ZADD', log, digits(next_fleet_versions(meta, 1)), what)
  redis.call('ZREM', dead, what)
end

-- note_dead(meta, log, dead, whats): these, at most 1,000, are gone since just now, in this order.
-- O(log entries) each, amortised
local function note_dead(meta, log, dead, whats)
  local before, noted = next_fleet_versions(meta, #whats) - #whats, {}
  for i, what in ipairs(whats) do
    noted[2 * i - 1], noted[2 * i] = digits(before + i), what
  end
  redis.call('ZADD', log, unpack(noted))
  redis.call('ZADD', dead, unpack(noted))
  local count = redis.call('ZCARD', dead)
  local most = redis.call('ZCARD', log) - count + MOST_DEAD
  if count <= most then return end
  local oldest = redis.call('ZPOPMIN', dead, count - most)
  for i = 1, #oldest, 2 do redis.call('ZREM', log, oldest[i]) end
  redis.call('HSET', meta.key, 'f', oldest[#oldest])
end

-- set_breaker(meta, keys, id, text, most): sets an agent's breaker, or with nil clears one that
-- is set. keys: breakers, log, dead. most: agents that the fleet may have. O(log entries)
local function set_breaker(meta, keys, id, text, most)
  if text then
    redis.call('HSET', keys.breakers, id, text)
    note_live(meta, keys.log, keys.dead, 'b:' .. id)
    if redis.call('HLEN', keys.breakers) > most + MOST_STRANGERS then
      -- Any other one: with so many, all but a few are of agents that are not in the fleet.
      local other = redis.call('HRANDFIELD', keys.breakers)
      if other ~= id then
        redis.call('HDEL', keys.breakers, other)
        note_dead(meta, keys.log, keys.dead, { 'b:' .. other })
      end
    end
  else
    redis.call('HDEL', keys.breakers, id)
    note_dead(meta, keys.log, keys.dead, { 'b:' .. id })
  end
  redis.call('HSET', meta.key, 'bn', redis.call('HLEN', keys.breakers))
end
