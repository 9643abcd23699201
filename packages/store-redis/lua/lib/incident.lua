-- What is counted of a domain (its watch), and its incident: the data of core's
-- health/incident.ts.
--
-- As text: `w,bucket,tried from,last event,failing,b1..b12` while watching, and while an incident
-- is open `o,opened at,cause,last event` (cause: 1 exclusions, 0 failures). The failing exits
-- themselves are a set beside it: here is their number.
local QUIET_MS = 3600000

-- decode_watch(text): the watch, or nil for none. O(1)
local function decode_watch(text)
  if not text or text == '' then return nil end
  local kind, first, second, last, rest = string.match(text, '^(.),([^,]*),([^,]*),([^,]*),?(.*)$')
  if kind == 'o' then
    return {
      open = true, opened_at_ms = tonumber(first), cause = second, last_event_ms = tonumber(last),
    }
  end
  local watch = { bucket = tonumber(first), tried_from = tonumber(second), buckets = {} }
  watch.last_event_ms = tonumber(last)
  for count in string.gmatch(rest, '[^,]+') do
    if watch.failing then watch.buckets[#watch.buckets + 1] = tonumber(count)
    else watch.failing = tonumber(count) end
  end
  return watch
end

-- encode_watch(watch): its text; empty for nil. O(1)
local function encode_watch(watch)
  if not watch then return '' end
  if watch.open then
    return string.format('o,%.0f,%s,%.0f', watch.opened_at_ms, watch.cause, watch.last_event_ms)
  end
  local head = string.format(
    'w,%.0f,%.0f,%.0f,%d,', watch.bucket, watch.tried_from, watch.last_event_ms, watch.failing
  )
  return head .. table.concat(watch.buckets, ',')
end

-- incident_at(watch, at): the open incident's watch, or nil. O(1)
local function incident_at(watch, at)
  if not watch or not watch.open or at - watch.last_event_ms >= QUIET_MS then return nil end
  return watch
end
