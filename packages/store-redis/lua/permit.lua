-- Counts, renews or releases the permits of a key. Translates count, renew and release of
-- packages/core/src/store/memory-permits.ts.
--
-- keys    that of the permits
-- args    1 given, 2 'count', 'renew' or 'release', 3 slack of TTLs in ms, 4 hashed permit id,
--         5 new deadline
-- answer  count: permits held; else 1, or 0 where the permit is not held
-- O(log permits)
local function decide(keys, args)
  local key, act, slack, id = keys[1], args[2], tonumber(args[3]), args[4]
  local last = permits_last(key)
  if not last then return 0 end
  local now = now(args[1])
  if last > now then now = last end
  if act == 'count' then return permits_held(key, now) end
  if permits_until(key, id) <= now then return 0 end
  if act == 'renew' then
    redis.call('ZADD', key, args[5], id)
  else
    redis.call('ZREM', key, id)
  end
  permits_settle(key, now, slack)
  return 1
end
