-- How a changed record is kept, and what a probe and a hand do to one: the parts of core's
-- health/transition.ts that know no outcome. Needs record.
local LATE_REPORT_MS = 3600000
local MINUTE_MS = 60000
-- Four bytes of minutes: the year 10136.
local MOST_MINUTES = 4294967295
local MOST_EPOCH = 4294967295

local function raised(epoch)
  return math.min(epoch + 1, MOST_EPOCH)
end

-- A record with some fields changed; the other one stays as it was.
local function with(record, changes)
  local copy = {}
  for field, value in pairs(record) do copy[field] = value end
  for field, value in pairs(changes) do copy[field] = value end
  return copy
end

local function without_probe(record)
  local copy = with(record, {})
  copy.probe_until_ms, copy.probe_lease = nil, nil
  return copy
end

-- What is known of a pair of which nothing is known.
local function blank()
  return {
    health = 0, rung = 0, until_ms = 0, epoch = 0, strikes = 0, strike_at_ms = 0, ok_streak = 0,
    limited_streak = 0, reason = 3, forget_at_ms = 0,
  }
end

-- kept(record, at, decay_ms): drops what has run out, and sets from when the record says nothing.
-- The record is one that nobody else has. decay_ms is nil where the event gives no strike. O(1)
local function kept(record, at, decay_ms)
  local probe, manual = record.probe_until_ms or 0, record.manual_until_ms or 0
  local forget = math.max(at, record.until_ms, probe, manual) + LATE_REPORT_MS
  if not decay_ms then
    forget = math.max(forget, record.forget_at_ms)
  elseif record.strikes > 0 then
    local since = math.max(record.until_ms, record.strike_at_ms)
    forget = math.max(forget, since + record.strikes * decay_ms)
  end
  record.forget_at_ms = math.min(math.ceil(forget / MINUTE_MS), MOST_MINUTES) * MINUTE_MS
  if at >= probe then record.probe_until_ms, record.probe_lease = nil, nil end
  if at >= manual then record.manual_until_ms = nil end
  return record
end

-- probed(record, lease, deadline, at, decay_ms): the event `probe`, for a pair on probation. O(1)
local function probed(record, lease, deadline, at, decay_ms)
  local probe = { probe_until_ms = deadline, probe_lease = lease }
  return kept(with(record, probe), at, decay_ms)
end

-- by_hand(record, until_ms, at): the events `exclude`, and without until_ms `restore`. O(1)
local function by_hand(record, until_ms, at)
  local before = record or blank()
  if not until_ms then before = with(blank(), { epoch = before.epoch }) end
  local after = { epoch = raised(before.epoch), manual_until_ms = until_ms }
  return kept(with(before, after), at, nil)
end
