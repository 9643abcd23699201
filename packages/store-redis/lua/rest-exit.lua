-- Lets an exit rest for every domain, or ends it: exclude and restore of `*`. Translates
-- excludeExit and restoreExit of core's store/memory-fleet.ts; what has run out is dropped a
-- little a call.
--
-- KEYS    meta; the fleet's x, c, t
-- ARGV    given, draw, slack, channel, who, exit, until (0 to restore), the most agents
-- Answer  1
-- Refuses STORE_FULL, and has changed nothing then but dropped what had run out
-- O(log exits)
local DROPPED_A_CALL = 2

local function drop(meta, keys, exit)
  redis.call('ZREM', keys[2], exit)
  note_dead(meta, keys[3], keys[4], { 'x:' .. exit })
end

local function decide(keys, args)
  local meta = open_meta(keys[1], args)
  local exit, until_ms, most = args[6], tonumber(args[7]), tonumber(args[8]) + MOST_STRANGERS
  local known = redis.call('ZSCORE', keys[2], exit)
  if until_ms > meta.at then
    if not known then
      local over = redis.call(
        'ZRANGEBYSCORE', keys[2], '-inf', digits(meta.at), 'LIMIT', 0, DROPPED_A_CALL
      )
      for _, one in ipairs(over) do drop(meta, keys, one) end
      local count = redis.call('ZCARD', keys[2])
      if count >= most then
        local text = 'STORE_FULL the store holds %.0f exits that rest for every domain'
        error({ err = string.format(text, count) })
      end
    end
    redis.call('ZADD', keys[2], digits(until_ms), exit)
    note_live(meta, keys[3], keys[4], 'x:' .. exit)
  elseif known then
    drop(meta, keys, exit)
  end
  redis.call('HSET', meta.key, 'xn', redis.call('ZCARD', keys[2]))
  announce(meta, nil, args)
  return 1
end
