-- The exact limiter's log: packages/core/src/limit/window.ts, packed into one string.
--
-- Header, 36 bytes: window of the last admitted call, index of the first entry that may still
-- count, number of entries, cost from that entry on, cost of all (modulo 2^32), newest instant
-- decided at, effective time of the newest hit. The cost from the first entry on is 0 where the log
-- is empty.
-- Entry, 12 bytes each, oldest first, one for each hit but the newest: its effective time, the cost
-- of all up to it (modulo 2^32). Running sums tell both what counts and what must expire by
-- bisection.
--
-- An admission appends an entry and replaces the header; a log that is short is written as a whole.
local HEADER = '<I4I4I4I4I4dd'
local HEADER_BYTES = 36
local ENTRY = '<dI4'
local ENTRY_BYTES = 12
local SUMS = 4294967296
-- What is read at once, and the most that is written as a whole: 20 entries.
local FIRST_BYTES = HEADER_BYTES + 20 * ENTRY_BYTES
-- More entries than this that have expired are cut off.
local MOST_DEAD = 128
-- MAX_LOG_ENTRIES of packages/core/src/limit/policy.ts.
local MOST_ENTRIES = 4096

-- Reads a log; one call. The fields in order: the header's; the bytes at hand, the entry that they
-- begin with and where; whether they are all; and what log_look finds. O(1)
local function log_open(key)
  local data = redis.call('GETRANGE', key, 0, FIRST_BYTES - 1)
  local window, head, count, total, sum, last, newest = 0, 0, 0, 0, 0, 0, 0
  if #data >= HEADER_BYTES then
    window, head, count, total, sum, last, newest = struct.unpack(HEADER, data)
  end
  -- In one constructor, for a table that grows field by field is made anew several times.
  return { key = key, window = window, head = head, count = count, total = total, sum = sum,
    last = last, newest = newest, data = data, from = 0, offset = HEADER_BYTES,
    whole = HEADER_BYTES + count * ENTRY_BYTES <= FIRST_BYTES, used = 0, dead = 0, counts = 0 }
end

-- Effective time and running sum of an entry. Fetches 64 entries where it is not at hand.
local function log_entry(log, index)
  local at = log.offset + (index - log.from) * ENTRY_BYTES
  if index < log.from or at + ENTRY_BYTES > #log.data then
    local start = HEADER_BYTES + index * ENTRY_BYTES
    log.data = redis.call('GETRANGE', log.key, start, start + 64 * ENTRY_BYTES - 1)
    log.from = index
    log.offset = 0
    at = 0
  end
  return struct.unpack(ENTRY, log.data, at + 1)
end

-- The running sum before an entry, which is the first or later.
local function log_sum_before(log, index)
  if index == log.head then return (log.sum - log.total) % SUMS end
  local _, sum = log_entry(log, index - 1)
  return sum
end

-- The first entry from `low` on for which `holds` is true; `count` where there is none. The first
-- few are the likeliest, so the steps double before they are halved. O(log entries)
local function log_search(log, low, holds)
  local step = 1
  local high = low
  while high < log.count and not holds(high) do
    low = high + 1
    high = low + step
    step = step * 2
  end
  if high > log.count then high = log.count end
  while low < high do
    local middle = math.floor((low + high) / 2)
    if holds(middle) then high = middle else low = middle + 1 end
  end
  return low
end

-- Finds what counts in the window of `window` that ends at `now`: log.used, log.dead (the first
-- entry that counts) and log.counts (for how long hits count). O(1) where little has expired.
local function log_look(log, window, now)
  log.counts = window
  if log.total > 0 and log.window < window then log.counts = log.window end
  local after = now - log.counts
  log.dead = log.count
  log.used = 0
  if log.total == 0 or log.newest <= after then return end
  if log.head == log.count or log_entry(log, log.head) > after then
    log.dead = log.head
    log.used = log.total
    return
  end
  log.dead = log_search(log, log.head + 1, function(index)
    return (log_entry(log, index)) > after
  end)
  log.used = (log.sum - log_sum_before(log, log.dead)) % SUMS
end

-- Effective time of the hit with which `excess` of what log_look found is gone.
local function log_expiry(log, excess)
  local before = log_sum_before(log, log.dead)
  local index = log_search(log, log.dead, function(index)
    local _, sum = log_entry(log, index)
    return (sum - before) % SUMS >= excess
  end)
  if index == log.count then return log.newest end
  return (log_entry(log, index))
end

-- The effective time of a hit: effectiveMs of window.ts.
local function effective(at, quantum)
  if quantum == 1 then return at end
  return math.floor(at / quantum) * quantum + quantum - 1
end

-- decideWindow of window.ts: wait, remaining and reset after the call; leaves what log_add needs.
local function log_decide(log, limit, window, quantum, cost, now)
  log_look(log, window, now)
  local left = limit - log.used
  if cost > left then
    local reset = log.used == 0 and now or log.newest + log.counts
    local remaining = left > 0 and left or 0
    if cost > limit then return -1, remaining, reset end
    return log_expiry(log, cost - left) + log.counts - now, remaining, reset
  end
  local at = effective(now, quantum)
  local newest = (log.used > 0 and log.newest > at) and log.newest or at
  return 0, left - cost, newest + window
end

local function log_header(log)
  return struct.pack(HEADER, log.window, log.head, log.count, log.total, log.sum, log.last,
    log.newest)
end

-- Writes header and entries as the whole log, until nothing of it counts any more.
local function log_write(log, entries, slack)
  local ttl = log.newest + log.window - log.last + slack
  redis.call('SET', log.key, log_header(log) .. entries, 'PX', ttl)
end

-- The bytes of all entries that count.
local function log_live_bytes(log)
  if log.dead >= log.count then return '' end
  local start = HEADER_BYTES + log.dead * ENTRY_BYTES
  local stop = HEADER_BYTES + log.count * ENTRY_BYTES
  if log.whole and log.from == 0 then return string.sub(log.data, start + 1, stop) end
  return redis.call('GETRANGE', log.key, start, stop - 1)
end

-- Adds a hit before the newest (a quantum has become shorter), or one too many: merges the oldest
-- two then. O(entries)
local function log_rewrite(log, at, cost, slack)
  local bytes = log_live_bytes(log)
  local times, costs = {}, {}
  local before = log_sum_before(log, log.dead)
  for offset = 1, #bytes, ENTRY_BYTES do
    local time, sum = struct.unpack(ENTRY, bytes, offset)
    times[#times + 1] = time
    costs[#costs + 1] = (sum - before) % SUMS
    before = sum
  end
  times[#times + 1] = log.newest
  costs[#costs + 1] = (log.sum - before) % SUMS
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
  local sum = 0
  local packed = {}
  for i = 1, #times - 1 do
    sum = sum + costs[i]
    packed[i] = struct.pack(ENTRY, times[i], sum % SUMS)
  end
  log.head, log.count, log.newest = 0, #times - 1, times[#times]
  log.total = sum + costs[#costs]
  log.sum = log.total % SUMS
  log_write(log, table.concat(packed), slack)
end

-- Appends to a long log in place, or cuts off what has expired once that is much.
local function log_append(log, entry, slack)
  if log.head >= MOST_DEAD then
    local entries = redis.call('GETRANGE', log.key, HEADER_BYTES + log.head * ENTRY_BYTES,
      HEADER_BYTES + (log.count - (entry and 1 or 0)) * ENTRY_BYTES - 1)
    log.head, log.count = 0, log.count - log.head
    return log_write(log, entries .. (entry or ''), slack)
  end
  if entry then
    redis.call('SETRANGE', log.key, HEADER_BYTES + (log.count - 1) * ENTRY_BYTES, entry)
  end
  redis.call('SETRANGE', log.key, 0, log_header(log))
  redis.call('PEXPIRE', log.key, log.newest + log.window - log.last + slack)
end

-- withHit of window.ts, after log_decide has admitted the call. O(1), as a rule.
local function log_add(log, window, quantum, cost, now, slack)
  local at = effective(now, quantum)
  log.window, log.last = window, now
  if log.used == 0 then
    log.head, log.count, log.total, log.sum, log.newest = 0, 0, cost, cost, at
    return log_write(log, '', slack)
  end
  if at < log.newest or (at > log.newest and log.count - log.dead + 2 > MOST_ENTRIES) then
    return log_rewrite(log, at, cost, slack)
  end
  local entries = log.whole and log_live_bytes(log)
  local entry = nil
  if at > log.newest then
    entry = struct.pack(ENTRY, log.newest, log.sum)
    log.count = log.count + 1
    log.newest = at
  end
  log.head = log.dead
  log.total = log.used + cost
  log.sum = (log.sum + cost) % SUMS
  if entries then
    log.head, log.count = 0, log.count - log.dead
    return log_write(log, entries .. (entry or ''), slack)
  end
  log_append(log, entry, slack)
end
