-- What changed in the fleet since a version: agents of core's store/memory-fleet.ts. Writes
-- nothing.
--
-- KEYS    meta; the fleet's g, b, x, c
-- ARGV    since, the most changes
-- Answer  { version, flags, what, value, what, value, ... }, oldest first
--         version: all up to it is known then. flags: 1 reset, 2 lost, 4 more to come after that
--         version. what: `p:` agent, `b:` agent of a breaker, `x:` exit. value: JSON,
--         `failures,down until`, until; empty for what is gone
-- O(log fleet + changes)

-- The values of what the log names, each kind in one command.
local function values(keys, log)
  local command = { p = 'HMGET', b = 'HMGET', x = 'ZMSCORE' }
  local key = { p = keys[2], b = keys[3], x = keys[4] }
  local names, found = { p = {}, b = {}, x = {} }, {}
  for _, what in ipairs(log) do
    local of = names[string.sub(what, 1, 1)]
    of[#of + 1] = string.sub(what, 3)
  end
  for kind, of in pairs(names) do
    if #of > 0 then
      local read = redis.call(command[kind], key[kind], unpack(of))
      for i, name in ipairs(of) do found[kind .. ':' .. name] = read[i] end
    end
  end
  return found
end

local function decide(keys, args)
  local since, most = tonumber(args[1]), tonumber(args[2])
  local read = redis.call('HMGET', keys[1], 'b', 'w', 'f', 'o', 'q')
  if not read[1] then return { 0, since == 0 and 0 or 3 } end
  local base, newest, floor = tonumber(read[1]), tonumber(read[2]), tonumber(read[3] or 0)
  local version = fleet_version(base, newest)
  if since == version then return { version, 0 } end
  local flags = is_lost(since, base, newest, tonumber(read[4]), tonumber(read[5])) and 3 or 0
  if since ~= 0 and since < floor then flags = math.max(1, flags) end
  if flags > 0 then since = 0 end
  local answer = { version, flags }
  local after = '(' .. digits(since)
  local log = redis.call('ZRANGEBYSCORE', keys[5], after, '+inf', 'LIMIT', 0, most + 1)
  if #log > most then
    log[#log] = nil
    answer[1] = tonumber(redis.call('ZSCORE', keys[5], log[most]))
    answer[2] = flags + 4
  end
  local found = values(keys, log)
  for _, what in ipairs(log) do
    local value = found[what]
    if value or since > 0 then
      if value and string.sub(what, 1, 1) == 'x' then value = digits(value) end
      answer[#answer + 1], answer[#answer + 2] = what, value or ''
    end
  end
  return answer
end
