-- An agent's own breaker: translates trip of core's health/breaker.ts.
--
-- As text: `failures,down until`.
local MOST_FAILURES = 1000000

-- trip(text, outcome, at, policy): the text after an outcome, or nil where nothing stands against
-- the agent. text: nil where nothing stood. policy: `threshold;restMs;maxRestMs`. O(1)
local function trip(text, outcome, at, policy)
  if outcome == 'neutral' then return text end
  if outcome ~= 'agent_error' then return nil end
  local failures, down_until = 0, 0
  if text then
    failures, down_until = string.match(text, '^(.*),(.*)$')
    failures, down_until = tonumber(failures), tonumber(down_until)
  end
  local threshold, rest_ms, most_ms = string.match(policy, '^(.*);(.*);(.*)$')
  failures = math.min(failures + 1, MOST_FAILURES)
  local beyond = failures - tonumber(threshold)
  if beyond >= 0 then
    -- 2^40 times any rest is beyond every longest one: the exponent stays small.
    local ms = math.min(tonumber(rest_ms) * 2 ^ math.min(beyond, 40), tonumber(most_ms))
    down_until = math.max(down_until, at + ms)
  end
  return string.format('%d,%.0f', failures, down_until)
end
