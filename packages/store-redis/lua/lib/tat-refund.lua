-- Giving back a call of the smooth limiter, on the Tat of lib/tat.lua.

-- gcraRefund of gcra.ts, in place; false where nothing of the call is left.
local function tat_refund(tat, limit, window, burst, cost, at, now)
  if tat.limit ~= limit or tat.window ~= window or cost > burst then return false end
  if at < tat.since or at > now or tat_restored(tat) <= now then return false end
  local units = cost * window
  local gone = now - at
  if gone > math.floor(units / limit) then return false end
  local back = units - gone * limit
  if back == 0 then return false end
  local steps = math.floor(back / limit)
  tat.whole = tat.whole - steps
  tat.rest = tat.rest - (back - steps * limit)
  if tat.rest < 0 then
    tat.rest = tat.rest + limit
    tat.whole = tat.whole - 1
  end
  if tat.whole < now then
    tat.whole = now
    tat.rest = 0
  end
  tat.last = now
  return true
end
