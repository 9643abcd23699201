-- Giving back a hit of the exact limiter: withoutHit of packages/core/src/limit/window.ts, on the log
-- of lib/window.lua.

-- Takes `cost` from the hit of an admission at `at`; false where it does
-- not count there any more. O(entries since)
local function log_refund(log, window, quantum, cost, at, now)
  local hit = effective(at, quantum)
  local counts = log.window < window and log.window or window
  if log.total == 0 or hit <= now - counts or hit > log.newest then return false end
  if hit == log.newest then
    local newest_cost = (log.sum - log_sum_before(log, log.count)) % SUMS
    if newest_cost < cost then return false end
    if newest_cost == cost and log.count > log.head then
      log.newest = (log_entry(log, log.count - 1))
      log.count = log.count - 1
    end
  else
    local index = log_search(log, log.head, function(index)
      return (log_entry(log, index)) >= hit
    end)
    if index == log.count or (log_entry(log, index)) ~= hit then return false end
    local before = log_sum_before(log, index)
    local _, sum = log_entry(log, index)
    local hit_cost = (sum - before) % SUMS
    if hit_cost < cost then return false end
    local first = index
    if hit_cost == cost then first = index + 1 end
    local moved = {}
    for i = first, log.count - 1 do
      local time, later = log_entry(log, i)
      moved[#moved + 1] = struct.pack(ENTRY, time, (later - cost) % SUMS)
    end
    if #moved > 0 then
      local start = HEADER_BYTES + index * ENTRY_BYTES
      redis.call('SETRANGE', log.key, start, table.concat(moved))
    end
    log.count = log.count - (first - index)
  end
  log.total = log.total - cost
  log.sum = (log.sum - cost) % SUMS
  log.last = now
  redis.call('SETRANGE', log.key, 0, log_header(log))
  return true
end
