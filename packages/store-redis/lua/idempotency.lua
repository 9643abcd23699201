-- Starts or ends an idempotent operation. Translates begin and complete of
-- packages/core/src/store/memory-ops.ts.
--
-- keys    that of the record: kind (1 running, 2 done), until when it holds, when it expires, hashed
--         fingerprint (22 bytes), value
-- args    1 given, 2 'begin' or 'complete', 3 slack of TTLs in ms, 4 hashed fingerprint; of begin:
--         5 runUntilMs, 6 expiresAtMs; of complete: 5 whether there is a value (1 or 0), 6 value
-- answer  begin: { 'started' }, { 'running', untilMs }, { 'done', value } or { 'mismatch' };
--         complete: 1, or 0 where it is not running under this fingerprint
-- O(value)
local RECORD = '<Bdd'
local RECORD_BYTES = 17
local PRINT_BYTES = 22

local function record_write(key, kind, now, until_ms, expires, print, value, slack)
  local data = struct.pack(RECORD, kind, until_ms, expires) .. print .. value
  redis.call('SET', key, data, 'PX', until_ms - now + slack)
end

local function decide(keys, args)
  local key, act, slack, print = keys[1], args[2], tonumber(args[3]), args[4]
  local now = now(args[1])
  local data = redis.call('GET', key)
  local kind, until_ms, expires, known_print = 0, 0, 0, ''
  if data then
    kind, until_ms, expires = struct.unpack(RECORD, data)
    known_print = string.sub(data, RECORD_BYTES + 1, RECORD_BYTES + PRINT_BYTES)
    -- A record is written only while it holds, so a clock that is behind finds it alive too.
    if until_ms <= now then kind = 0 end
  end

  if act == 'complete' then
    if kind ~= 1 or known_print ~= print then return 0 end
    if args[5] == '0' then
      redis.call('DEL', key)
    else
      record_write(key, 2, now, expires, expires, print, args[6], slack)
    end
    return 1
  end

  if kind ~= 0 then
    if known_print ~= print then return { 'mismatch' } end
    if kind == 1 then return { 'running', until_ms } end
    return { 'done', string.sub(data, RECORD_BYTES + PRINT_BYTES + 1) }
  end
  local run_until, expires_at = tonumber(args[5]), tonumber(args[6])
  until_ms = math.min(run_until, expires_at)
  if until_ms > now then record_write(key, 1, now, until_ms, expires_at, print, '', slack) end
  return { 'started' }
end
