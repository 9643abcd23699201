-- Two copies of a pair's record, merged by maximum: translates join of core's health/record.ts.
-- Needs hash, record.

-- Whether a text is not less than another in JavaScript's order: by UTF-16 units. Lua's own order
-- depends on the server's locale. O(bytes)
local function at_least(a, b)
  local left, right = utf16(a), utf16(b)
  for i = 1, math.min(#left, #right) do
    if left[i] ~= right[i] then return left[i] > right[i] end
  end
  return #left >= #right
end

local function later_probe(a, b)
  if not a.probe_until_ms then return b end
  if not b.probe_until_ms then return a end
  if a.probe_until_ms ~= b.probe_until_ms then
    return a.probe_until_ms > b.probe_until_ms and a or b
  end
  return at_least(a.probe_lease, b.probe_lease) and a or b
end

-- join(a, b): the higher epoch wins whole; of equal epochs each field is the larger. O(1)
local function join(a, b)
  if not a or not b then return a or b end
  if a.epoch ~= b.epoch then return a.epoch > b.epoch and a or b end
  local probe = later_probe(a, b)
  local manual = math.max(a.manual_until_ms or -1, b.manual_until_ms or -1)
  return {
    health = math.max(a.health, b.health),
    rung = math.max(a.rung, b.rung),
    until_ms = math.max(a.until_ms, b.until_ms),
    epoch = a.epoch,
    strikes = math.max(a.strikes, b.strikes),
    strike_at_ms = math.max(a.strike_at_ms, b.strike_at_ms),
    ok_streak = math.max(a.ok_streak, b.ok_streak),
    limited_streak = math.max(a.limited_streak, b.limited_streak),
    reason = math.max(a.reason, b.reason),
    forget_at_ms = math.max(a.forget_at_ms, b.forget_at_ms),
    manual_until_ms = manual >= 0 and manual or nil,
    probe_until_ms = probe.probe_until_ms,
    probe_lease = probe.probe_lease,
  }
end
