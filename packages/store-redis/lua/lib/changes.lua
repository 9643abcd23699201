-- What a view that follows a domain is told.
-- Needs record, incident, meta, domain.

-- changes_since(meta, domain, since, most): at most so many changes after a version, oldest first:
--   { version, flags, incident, exit, record, exit, record, ... }
-- version: all up to it is known then. flags: 1 reset, 2 lost, 4 more to come after that version.
-- incident: `opened at,cause,last event`, or empty. record: empty where nothing is known any more.
-- Short where there is nothing to say: { version }. O(log records + changes)
local function changes_since(meta, domain, since, most)
  local lost = is_lost(since, meta.base, meta.version, meta.base_before, meta.newest_before)
  local flags = lost and 3 or 0
  if not domain.known then
    if since == 0 then return { 0 } end
    return { 0, math.max(1, flags), '' }
  end
  local incident = ''
  local open = incident_at(domain.watch, meta.at)
  if open then
    incident = string.format('%.0f,%s,%.0f', open.opened_at_ms, open.cause, open.last_event_ms)
  end
  if since == domain.version then
    if incident == '' then return { since } end
    return { since, 0, incident }
  end
  -- A version from before the domain was known, or from an earlier life of it, says nothing of
  -- this one.
  local stale = since > domain.version or since <= domain.floor
  if since ~= 0 and stale then flags = math.max(1, flags) end
  if flags > 0 then since = 0 end
  local answer = { domain.version, flags, incident }
  if not domain.has_records then return answer end
  local after = '(' .. digits(since)
  local exits = redis.call('ZRANGEBYSCORE', domain.versions, after, '+inf', 'LIMIT', 0, most + 1)
  if #exits == 0 then return answer end
  if #exits > most then
    exits[#exits] = nil
    answer[1] = tonumber(redis.call('ZSCORE', domain.versions, exits[most]))
    answer[2] = flags + 4
  end
  local texts = redis.call('HMGET', domain.records, unpack(exits))
  for i, exit in ipairs(exits) do
    local record = decode_record(texts[i])
    local forgotten = not record or meta.at >= record.forget_at_ms
    if not forgotten or since > 0 then
      answer[#answer + 1] = exit
      answer[#answer + 1] = forgotten and '' or texts[i]
    end
  end
  return answer
end
