-- What is known of a domain, and its pairs' records with versions: does what the memory store's
-- pairs.ts and domains.ts do. Needs record, incident, meta.
--
-- Six keys, in this order wherever a script is given them:
--   m  hash: v version of its newest change (0 before the first), f floor, n leases ever given,
--      e until when m, i and s are kept, r until when records say anything, w its watch
--   d  hash: exit -> record     v  zset: exit -> version     o  zset: exit -> forget at
--   i  zset: lease -> deadline  s  set: the exits that fail, while its watch counts some
-- Who has seen a version up to the floor has to start anew: changes since are forgotten.
local LINGER_MS = 600000
local SWEPT_A_WRITE = 4
local SWEPT_FOR_ROOM = 1000

-- open_domain(meta, keys, first): reads what is known; `keys[first]` is its m. O(1)
local function open_domain(meta, keys, first)
  local read = redis.call('HMGET', keys[first], 'v', 'f', 'n', 'e', 'r', 'w')
  local domain = {
    meta = keys[first], records = keys[first + 1], versions = keys[first + 2],
    forgets = keys[first + 3], in_flight = keys[first + 4], failing = keys[first + 5],
    known = read[2] ~= false,
    version = tonumber(read[1] or 0),
    floor = tonumber(read[2] or 0),
    given = tonumber(read[3] or 0),
    kept_until_ms = tonumber(read[4] or 0),
    records_until_ms = tonumber(read[5] or 0),
    watch = decode_watch(read[6]),
  }
  domain.version_before = domain.version
  domain.has_records = domain.records_until_ms > meta.at
  -- All its records are forgotten at once: what is left of them is dropped with the next write.
  if domain.records_until_ms > 0 and not domain.has_records then
    domain.floor = math.max(domain.floor, domain.version - 1)
  end
  return domain
end

-- add_domain(meta, domain): begins to know it, if nothing is. What an earlier life has left goes.
-- O(1)
local function add_domain(meta, domain)
  if domain.known then return end
  domain.known, domain.floor = true, meta.version
  redis.call(
    'DEL', domain.records, domain.versions, domain.forgets, domain.in_flight, domain.failing
  )
  redis.call('HSET', domain.meta, 'v', 0, 'f', digits(domain.floor), 'n', 0)
end

-- keep_domain(meta, domain, until_ms): sees to it that it is known until then. O(1), mostly free
local function keep_domain(meta, domain, until_ms)
  if until_ms <= domain.kept_until_ms then return end
  domain.kept_until_ms = until_ms + LINGER_MS
  redis.call('HSET', domain.meta, 'e', digits(domain.kept_until_ms))
  for _, key in ipairs({ domain.meta, domain.in_flight, domain.failing }) do
    expire(meta, key, domain.kept_until_ms)
  end
end

-- read_record(meta, domain, exit): the record, or nil where it is forgotten or none. O(1)
local function read_record(meta, domain, exit)
  if not domain.has_records then return nil end
  local record = decode_record(redis.call('HGET', domain.records, exit))
  if not record or meta.at >= record.forget_at_ms then return nil end
  return record
end

-- sweep(meta, domain, most): drops up to so many forgotten records; answers how many. O(most)
local function sweep(meta, domain, most)
  local at = digits(meta.at)
  local exits = redis.call('ZRANGEBYSCORE', domain.forgets, '-inf', at, 'LIMIT', 0, most)
  if #exits == 0 then return 0 end
  -- Who has not seen such a record's last change would never hear of it now, and must start anew.
  for _, version in ipairs(redis.call('ZMSCORE', domain.versions, unpack(exits))) do
    domain.floor = math.max(domain.floor, tonumber(version or 0) - 1)
  end
  redis.call('HDEL', domain.records, unpack(exits))
  redis.call('ZREM', domain.versions, unpack(exits))
  redis.call('ZREM', domain.forgets, unpack(exits))
  redis.call('HSET', domain.meta, 'f', digits(domain.floor))
  return #exits
end

-- make_room(meta, domain, exit, most): refuses a record that has no room among those that still
-- count, before anything is written. O(1), or O(1,000) when full
local function make_room(meta, domain, exit, most)
  if not domain.has_records or redis.call('HLEN', domain.records) < most then return end
  if redis.call('HEXISTS', domain.records, exit) == 1 then return end
  if sweep(meta, domain, SWEPT_FOR_ROOM) > 0 then return end
  local text = 'STORE_FULL a domain holds maxRecords = %.0f pairs that still count'
  error({ err = string.format(text, most) })
end

-- change_domain(meta, domain): gives it a newer version. O(1)
local function change_domain(meta, domain)
  add_domain(meta, domain)
  if domain.records_until_ms > 0 and not domain.has_records then
    redis.call('DEL', domain.records, domain.versions, domain.forgets)
    domain.records_until_ms = 0
    redis.call('HSET', domain.meta, 'f', digits(domain.floor), 'r', 0)
  end
  domain.version = next_version(meta)
  redis.call('HSET', domain.meta, 'v', digits(domain.version))
end

-- write_record(meta, domain, exit, record): writes it as the domain's newest change. O(log
-- records)
local function write_record(meta, domain, exit, record)
  change_domain(meta, domain)
  redis.call('HSET', domain.records, exit, encode_record(record))
  redis.call('ZADD', domain.versions, digits(domain.version), exit)
  redis.call('ZADD', domain.forgets, digits(record.forget_at_ms), exit)
  domain.has_records = true
  if record.forget_at_ms > domain.records_until_ms then
    domain.records_until_ms = record.forget_at_ms
    redis.call('HSET', domain.meta, 'r', digits(domain.records_until_ms))
  end
  sweep(meta, domain, SWEPT_A_WRITE)
  for _, key in ipairs({ domain.records, domain.versions, domain.forgets }) do
    expire(meta, key, domain.records_until_ms)
  end
  keep_domain(meta, domain, domain.records_until_ms)
end
