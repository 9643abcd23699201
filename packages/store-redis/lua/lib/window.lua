-- hot path: every call of an exact limiter reads one of these logs, and most write one back.
--
-- The exact limiter's log: packages/core/src/limit/window.ts, packed into one string; false where
-- the key has none. Functions take the string, for to read a field of it is cheaper than to make a
-- table of all.
--
-- Entry, 12 bytes each, oldest first, one for each hit but the newest: its effective time, the cost
-- of all up to it (modulo 2^32). Running sums tell both what counts and what must expire by
-- bisection.
-- Tail, 40 bytes, after them: window of the last admitted call, index of the first entry that may
-- still count, cost from that entry on (0 where the log is empty), cost of all (modulo 2^32), newest
-- instant decided at, effective time of the newest hit, until when the log is kept.
--
-- The tail is last so that an admission is one write: the newest hit's entry takes the old tail's
-- place, and a new tail follows it.
local TAIL = '<I4I4I4I4ddd'
local TAIL_BYTES = 40
local ENTRY = '<dI4'
local ENTRY_BYTES = 12
local ENTRY_AND_TAIL = '<dI4I4I4I4I4ddd'
local SUMS = 4294967296
-- So many entries that have expired wait to be cut off, and a quarter of those that count.
local MOST_DEAD = 16
-- MAX_LOG_ENTRIES of packages/core/src/limit/policy.ts.
local MOST_ENTRIES = 4096

-- log_last(data): the newest instant that was decided at. O(1)
local function log_last(data)
  return (struct.unpack('<d', data, #data - 23))
end

-- log_window(data): the window of the last admitted call. O(1)
local function log_window(data)
  return (struct.unpack('<I4', data, #data - TAIL_BYTES + 1))
end

-- The first entry from `low` on that is newer than `after`; `count` where there is none. The first
-- few are the likeliest, so the steps double before they are halved. O(log entries)
local function log_newer(data, count, low, after)
  local step, high = 1, low
  while high < count and struct.unpack('<d', data, high * ENTRY_BYTES + 1) <= after do
    low = high + 1
    high = low + step
    step = step * 2
  end
  if high > count then high = count end
  while low < high do
    local middle = math.floor((low + high) / 2)
    if struct.unpack('<d', data, middle * ENTRY_BYTES + 1) > after then
      high = middle
    else
      low = middle + 1
    end
  end
  return low
end

-- log_look(data, window, now): what counts in the window of `window` that ends at `now`: the cost,
-- the first entry that counts, for how long hits count, and the newest hit. O(1) where little has
-- expired.
local function log_look(data, window, now)
  local size = #data - TAIL_BYTES
  local before, head, total, sum, _, newest = struct.unpack(TAIL, data, size + 1)
  if total > 0 and before < window then window = before end
  local after, count = now - window, size / ENTRY_BYTES
  if total == 0 or newest <= after then return 0, count, window, newest end
  if head == count or struct.unpack('<d', data, head * ENTRY_BYTES + 1) > after then
    return total, head, window, newest
  end
  local dead = log_newer(data, count, head + 1, after)
  local _, gone = struct.unpack(ENTRY, data, (dead - 1) * ENTRY_BYTES + 1)
  return (sum - gone) % SUMS, dead, window, newest
end

-- Effective time of the hit with which `excess` of what log_look found is gone. O(log entries)
local function log_expiry(data, used, dead, excess)
  local count = (#data - TAIL_BYTES) / ENTRY_BYTES
  local _, _, _, sum, _, newest = struct.unpack(TAIL, data, #data - TAIL_BYTES + 1)
  local before, low, high = sum - used, dead, count
  while low < high do
    local middle = math.floor((low + high) / 2)
    local _, sum_then = struct.unpack(ENTRY, data, middle * ENTRY_BYTES + 1)
    if (sum_then - before) % SUMS >= excess then high = middle else low = middle + 1 end
  end
  if low == count then return newest end
  return (struct.unpack('<d', data, low * ENTRY_BYTES + 1))
end

-- The effective time of a hit: effectiveMs of window.ts.
local function effective(at, quantum)
  if quantum == 1 then return at end
  return at - at % quantum + quantum - 1
end

-- log_decide(data, limit, window, quantum, cost, now): decideWindow of window.ts: wait, remaining and
-- reset after the call; then, for log_add, what counts and the first entry of it. O(log entries),
-- mostly O(1)
local function log_decide(data, limit, window, quantum, cost, now)
  local used, dead, counts, newest = 0, 0, window, 0
  if data then used, dead, counts, newest = log_look(data, window, now) end
  local left = limit - used
  if cost > left then
    local reset = used == 0 and now or newest + counts
    local remaining = left > 0 and left or 0
    if cost > limit then return -1, remaining, reset end
    return log_expiry(data, used, dead, cost - left) + counts - now, remaining, reset
  end
  local at = effective(now, quantum)
  if used > 0 and newest > at then at = newest end
  return 0, left - cost, at + window, used, dead
end

-- log_edits(): functions for the seldom edits of a log, made where they are wanted, for every
-- EVALSHA makes those that stand outside: its hits, a log of hits, and a log with a hit inserted.
local function log_edits()
  -- Effective times and costs of the hits from an entry on, which sum up to `used`; the newest too.
  -- O(entries)
  local function hits(data, from, used)
    local times, costs = {}, {}
    local _, _, _, sum, _, newest = struct.unpack(TAIL, data, #data - TAIL_BYTES + 1)
    local before = sum - used
    for at = from * ENTRY_BYTES + 1, #data - TAIL_BYTES, ENTRY_BYTES do
      local time, sum_then = struct.unpack(ENTRY, data, at)
      times[#times + 1], costs[#costs + 1] = time, (sum_then - before) % SUMS
      before = sum_then
    end
    times[#times + 1], costs[#costs + 1] = newest, (sum - before) % SUMS
    return times, costs
  end

  -- A log of these hits, of which there is one at least. O(hits)
  local function packed(times, costs, window, now, until_ms)
    local sum, parts, newest = 0, {}, #times
    for i = 1, newest - 1 do
      sum = sum + costs[i]
      parts[i] = struct.pack(ENTRY, times[i], sum % SUMS)
    end
    local total = sum + costs[newest]
    parts[newest] =
      struct.pack(TAIL, window, 0, total, total % SUMS, now, times[newest], until_ms)
    return table.concat(parts)
  end

  -- A log with a hit before the newest (a quantum has become shorter), or with one too many: merges
  -- the oldest two then. Answers it, and until when it counts. O(entries)
  local function inserted(data, used, dead, window, at, cost, now)
    local times, costs = hits(data, dead, used)
    local place = #times + 1
    while place > 1 and times[place - 1] >= at do place = place - 1 end
    if times[place] == at then
      costs[place] = costs[place] + cost
    else
      table.insert(times, place, at)
      table.insert(costs, place, cost)
    end
    if #times > MOST_ENTRIES then
      costs[2] = costs[2] + costs[1]
      table.remove(times, 1)
      table.remove(costs, 1)
    end
    local until_ms = times[#times] + window
    return packed(times, costs, window, now, until_ms), until_ms
  end

  return hits, packed, inserted
end

-- Until when a log is kept that nothing but a hit at `at` asks for: a quarter longer than that, so that
-- the next hits need not say it again.
local function kept_until(at, window)
  return at + window + math.floor(window / 4)
end

-- log_add(key, data, used, dead, window, quantum, cost, now, slack): withHit of window.ts, after
-- log_decide has admitted the call; keeps the log until nothing of it counts. One write, as a rule.
local function log_add(key, data, used, dead, window, quantum, cost, now, slack)
  local at = effective(now, quantum)
  if used == 0 then
    local until_ms = kept_until(at, window)
    local tail = struct.pack(TAIL, window, 0, cost, cost, now, at, until_ms)
    redis.call('SET', key, tail, 'PX', until_ms - now + slack)
    return
  end
  local size = #data - TAIL_BYTES
  local _, _, _, sum, _, newest, until_ms = struct.unpack(TAIL, data, size + 1)
  local live = size / ENTRY_BYTES - dead
  if at < newest or (at > newest and live + 2 > MOST_ENTRIES) then
    local _, _, inserted = log_edits()
    data, until_ms = inserted(data, used, dead, window, at, cost, now)
    redis.call('SET', key, data, 'PX', until_ms - now + slack)
    return
  end
  local entries = dead > MOST_DEAD + live / 4 and string.sub(data, dead * ENTRY_BYTES + 1, size)
  if entries then dead = 0 end
  local kept = until_ms >= at + window
  if not kept then until_ms = kept_until(at, window) end
  local total, sum_then, added = used + cost, (sum + cost) % SUMS, nil
  if at > newest then
    added = struct.pack(ENTRY_AND_TAIL, newest, sum, window, dead, total, sum_then, now, at, until_ms)
  else
    added = struct.pack(TAIL, window, dead, total, sum_then, now, at, until_ms)
  end
  if entries then
    redis.call('SET', key, entries .. added, 'PX', until_ms - now + slack)
  else
    redis.call('SETRANGE', key, size, added)
    if not kept then redis.call('PEXPIRE', key, until_ms - now + slack) end
  end
end
