-- All that is known of an (exit, domain) pair: translates core's health/record.ts.
--
-- As text, fields by comma, integers in decimal digits, what a record lacks empty:
--   health, rung, until, epoch, strikes, strike at, ok streak, limited streak, reason, forget at,
--   manual until, probe's deadline, probe's lease id (the last, for it may hold commas)
-- health: 0 available, 1 limited, 2 unavailable. reason: 0 rate_limited, 1 challenged, 2 blocked,
-- 3 manual. Both in the order that join calls graver.
local RECORD = '^([^,]*),([^,]*),([^,]*),([^,]*),([^,]*),([^,]*),([^,]*),([^,]*),([^,]*),([^,]*),([^,]*),([^,]*),(.*)$'

-- decode_record(text): the record, or nil for what is no text (a field that a hash lacks). O(1)
local function decode_record(text)
  if not text then return nil end
  local health, rung, until_ms, epoch, strikes, strike_at, oks, limits, reason, forget, manual,
    probe, lease = string.match(text, RECORD)
  return {
    health = tonumber(health),
    rung = tonumber(rung),
    until_ms = tonumber(until_ms),
    epoch = tonumber(epoch),
    strikes = tonumber(strikes),
    strike_at_ms = tonumber(strike_at),
    ok_streak = tonumber(oks),
    limited_streak = tonumber(limits),
    reason = tonumber(reason),
    forget_at_ms = tonumber(forget),
    manual_until_ms = tonumber(manual),
    probe_until_ms = tonumber(probe),
    probe_lease = probe ~= '' and lease or nil,
  }
end

-- encode_record(record): its text. Equal records have equal texts. O(1)
local function encode_record(record)
  local text = string.format(
    '%d,%d,%.0f,%.0f,%d,%.0f,%d,%d,%d,%.0f,',
    record.health, record.rung, record.until_ms, record.epoch, record.strikes,
    record.strike_at_ms, record.ok_streak, record.limited_streak, record.reason,
    record.forget_at_ms
  )
  local manual, probe = record.manual_until_ms, record.probe_until_ms
  -- Not by format: its %s ends at a zero byte.
  return text .. (manual and digits(manual) or '') .. ',' .. (probe and digits(probe) or '') .. ','
    .. (record.probe_lease or '')
end

-- The state that reports alone make, without the manual exclusion.
local function reported_state(record, at)
  if record.health == 0 then return 0 end
  if record.health == 1 then
    if at < record.until_ms then return 1, nil, record.until_ms end
    return 0
  end
  local probe_until = record.probe_until_ms or 0
  if at < record.until_ms then
    return 2, 'excluded', math.max(record.until_ms, probe_until)
  end
  if at < probe_until then return 2, 'probing', probe_until end
  return 2, 'probation', record.until_ms
end

-- state_at(record, at): translates stateAt. Answers health, phase (of an unavailable pair), and
-- the instant from which the pair is pickable; 0 alone for one that is available. O(1)
local function state_at(record, at)
  if not record or at >= record.forget_at_ms then return 0 end
  local manual = record.manual_until_ms
  if not manual or at >= manual then return reported_state(record, at) end
  local beneath, _, until_ms = reported_state(record, manual)
  return 2, 'excluded', beneath == 0 and manual or math.max(manual, until_ms)
end
