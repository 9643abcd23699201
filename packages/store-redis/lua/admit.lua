-- hot path: nearly every call of a limited key is one of these.
--
-- Admits plain calls: by the server's time, of cost 1, without permit and opId, under exact policies.
-- Each call either has room under every policy, and is then counted in all, or changes nothing.
-- Decides as consume.lua does; apart from it, for a script's every function is made anew with every
-- EVALSHA. All calls of one EVALSHA go by the same policies.
--
-- KEYS    of each call: one per policy, of which there is one at least
-- ARGV    1 slack of TTLs in ms, 2 channel of changes, 3 number of policies, four per policy (see
--         lib/policies.lua)
-- Answer  as all_verdicts says
-- O(policies) a call where little has expired since the last admission, else + log(log entries).
local slack, channel = tonumber(ARGV[1]), ARGV[2]
local policies = policies_of(ARGV, 4, tonumber(ARGV[3]))
local count = #policies
-- What all keys held before, for one MGET is cheaper than a GET each; and whether that is still so.
local held, written = redis.call('MGET', unpack(KEYS)), {}

-- Reads what a call's keys hold; answers the instant to decide at: time never goes back for a key.
local function read(before)
  local at = now('')
  for i = 1, count do
    local key, data = KEYS[before + i], held[before + i]
    -- Nothing may be a key that is no string, which GET refuses, and so does the write of a lone one.
    if written[key] or (count > 1 and not data) then data = redis.call('GET', key) end
    policies[i].data = data
    local last = data and log_last(data) or 0
    if last > at then at = last end
  end
  return at
end

local function count_hit(before, at)
  local shorter = false
  for i = 1, count do
    local policy, key = policies[i], KEYS[before + i]
    local data, window = policy.data, policy.window
    if policy.used > 0 and window < log_window(data) then shorter = true end
    log_add(key, data, policy.used, policy.dead, window, policy.third, 1, at, slack)
    written[key] = true
  end
  if shorter then tell_shorter(channel, KEYS[before + 1]) end
end

local function decide(before)
  local at = read(before)
  local wait, binding, remaining, reset = 0, NONE, NO_LIMIT, at
  for i = 1, count do
    local policy, own, left, restored = policies[i], 0, 0, 0
    own, left, restored, policy.used, policy.dead =
      log_decide(policy.data, policy.limit, policy.window, policy.third, 1, at)
    if binds(own, left, wait, remaining) then
      wait, binding, remaining, reset = own, i - 1, left, restored
    end
  end
  if wait == 0 then count_hit(before, at) end
  return struct.pack(VERDICT, binding, wait, remaining, reset, at)
end

for before = 0, #KEYS - 1, count do add_verdict(pcall(decide, before)) end
return all_verdicts()
