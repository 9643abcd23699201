-- The smooth limiter: packages/core/src/limit/gcra.ts, its Tat packed into 48 bytes: wholeMs, rest,
-- limit, windowMs, sinceMs, and the newest instant decided at. All numbers are integers below 2^53.
local TAT = '<dddddd'

-- tat_of(data): the Tat that a key holds; a new one for false.
local function tat_of(data)
  if not data then return { whole = 0, rest = 0, limit = 1, window = 1, since = 0, last = 0 } end
  local whole, rest, limit, window, since, last = struct.unpack(TAT, data)
  return { whole = whole, rest = rest, limit = limit, window = window, since = since, last = last }
end

-- restoredAtMs of gcra.ts: when nothing is outstanding any more.
local function tat_restored(tat)
  return tat.rest > 0 and tat.whole + 1 or tat.whole
end

-- gcraRetryMs of gcra.ts.
local function tat_retry(tat, limit, window, burst, cost, now)
  if cost > burst then return -1 end
  local room = (burst - cost) * window
  local exact = tat.limit == limit
  local whole = exact and tat.whole or tat_restored(tat)
  local rest = exact and tat.rest or 0
  local wait = whole - now - math.floor((room - rest) / limit)
  return wait > 0 and wait or 0
end

-- gcraRemaining of gcra.ts.
local function tat_remaining(tat, limit, window, burst, now)
  local exact = tat.limit == limit
  local ahead = (exact and tat.whole or tat_restored(tat)) - now
  local rest = exact and tat.rest or 0
  if ahead < 0 then return burst end
  local whole = burst * window
  if ahead > math.floor(whole / limit) then return 0 end
  local remaining = math.floor((whole - ahead * limit - rest) / window)
  return remaining > 0 and remaining or 0
end

-- gcraAdmit of gcra.ts: the Tat after the call.
local function tat_admit(tat, limit, window, cost, now)
  local drained = tat_restored(tat) <= now
  local exact = tat.limit == limit
  local whole = drained and now or exact and tat.whole or tat_restored(tat)
  local rest = (drained or not exact) and 0 or tat.rest
  local same_rate = exact and tat.window == window
  local since = drained and now or same_rate and tat.since or now + 1
  local units = cost * window
  local steps = math.floor(units / limit)
  whole = whole + steps
  rest = rest + units - steps * limit
  if rest >= limit then
    rest = rest - limit
    whole = whole + 1
  end
  return { whole = whole, rest = rest, limit = limit, window = window, since = since, last = now }
end

-- Wait, remaining and reset of a call, and the Tat to write where it is admitted.
local function tat_decide(tat, limit, window, burst, cost, now)
  local wait = tat_retry(tat, limit, window, burst, cost, now)
  local after = wait == 0 and tat_admit(tat, limit, window, cost, now) or tat
  local restored = tat_restored(after)
  local remaining = tat_remaining(after, limit, window, burst, now)
  return wait, remaining, restored > now and restored or now, after
end

-- Keeps it until nothing is outstanding.
local function tat_write(key, tat, slack)
  local ttl = tat_restored(tat) - tat.last
  local data = struct.pack(TAT, tat.whole, tat.rest, tat.limit, tat.window, tat.since, tat.last)
  redis.call('SET', key, data, 'PX', (ttl > 0 and ttl or 0) + slack)
end
