-- Giving back a hit of the exact limiter: withoutHit of packages/core/src/limit/window.ts, on the log
-- of lib/window.lua.

-- Takes `cost` from the hit of an admission at `at`; false where it does not count there any more.
-- O(entries)
local function log_refund(key, data, window, quantum, cost, at, now)
  if not data then return false end
  local hit = effective(at, quantum)
  local before, head, total, _, _, newest, until_ms =
    struct.unpack(TAIL, data, #data - TAIL_BYTES + 1)
  local counts = before < window and before or window
  if total == 0 or hit <= now - counts or hit > newest then return false end
  local hits, packed = log_edits()
  local times, costs = hits(data, head, total)
  local place = #times
  while place > 0 and times[place] > hit do place = place - 1 end
  if times[place] ~= hit or costs[place] < cost then return false end
  costs[place] = costs[place] - cost
  -- The last one stays, at no cost: it is the log's newest instant.
  if costs[place] == 0 and #times > 1 then
    table.remove(times, place)
    table.remove(costs, place)
  end
  redis.call('SET', key, packed(times, costs, before, now, until_ms), 'KEEPTTL')
  return true
end
