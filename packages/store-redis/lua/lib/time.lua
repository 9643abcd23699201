-- now(given): the instant that a decision is made at, in ms since the epoch.
--
-- given   '' in server mode: the server's own clock, read once for each EVALSHA.
--         Else the caller's instant, in decimal digits.
--
-- Answers an integer below 2^53. O(1)
local server_ms = 0

local function now(given)
  if given ~= '' then return tonumber(given) end
  if server_ms == 0 then
    local time = redis.call('TIME')
    server_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  end
  return server_ms
end
