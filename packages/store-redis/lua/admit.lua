-- hot path: nearly every call of a limited key is one of these.
--
-- Admits plain calls: by the server's time, of cost 1, without permit and opId, under one exact policy.
-- Each call either has room, and is then counted, or changes nothing. Decides as consume.lua does. What
-- is usual of lib/window.lua stands here once more, in place: a script's call of a function, or another
-- reading of a tail, costs as much as a step of the decision.
--
-- KEYS    one of each call
-- ARGV    1 slack of TTLs in ms, 2 channel of changes, 3 number of policies: 1, then the policy's four
--         (see lib/policies.lua)
-- Answer  as all_verdicts says
-- O(1) a call where little has expired since the last admission, else O(log(log entries)).

-- The calls that have their verdict.
local done = 0

-- Decides the calls that have none, until one of them fails.
local function decide_rest()
  local call, pack, unpack_at = redis.call, struct.pack, struct.unpack
  local keys, verdicts = KEYS, verdicts
  local slack, channel = tonumber(ARGV[1]), ARGV[2]
  local limit, window, quantum = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
  -- What all keys held before, for one MGET is cheaper than a GET each; and whether that is still so.
  local held, written = call('MGET', unpack(keys)), {}
  local read_at, last_verdict = now(''), #verdicts
  for i = done + 1, #keys do
    done, last_verdict = i, last_verdict + 1
    local key, data, at = keys[i], held[i], read_at
    if written[key] then data = call('GET', key) end

    local used, dead, counts, size = 0, 0, window, 0
    local was, total, sum, last, newest, until_ms
    if data then
      size = #data - TAIL_BYTES
      was, dead, total, sum, last, newest, until_ms = unpack_at(TAIL, data, size + 1)
      -- Time never goes back for a key.
      if last > at then at = last end
      if total > 0 and was < window then counts = was end
      local after = at - counts
      if total > 0 and newest > after then
        local first, expired = dead * ENTRY_BYTES, false
        if first < size then expired = unpack_at('<d', data, first + 1) <= after end
        if expired then used, dead = log_look(data, window, at) else used = total end
      end
    end

    if used >= limit then
      local wait, reset = -1, at
      if limit > 0 then wait = log_expiry(data, used, dead, used + 1 - limit) + counts - at end
      if used > 0 then reset = newest + counts end
      verdicts[last_verdict] = pack(VERDICT, 0, wait, 0, reset, at)
    else
      local hit, live = at - at % quantum + quantum - 1, size / ENTRY_BYTES - dead
      if used == 0 then
        until_ms = kept_until(hit, window)
        local tail, keep_ms = pack(TAIL, window, 0, 1, 1, at, hit, until_ms), until_ms - at + slack
        -- To MGET there is nothing where the key is no string of ours: then it stays as it is.
        if not call('SET', key, tail, 'PX', keep_ms, data and 'XX' or 'NX') then
          error({ err = 'WRONGTYPE ' .. key .. ' holds something else' })
        end
      elseif hit < newest or dead > MOST_DEAD + live / 4 or live + 2 > MOST_ENTRIES then
        log_add(key, data, used, dead, window, quantum, 1, at, slack)
      else
        if until_ms < hit + window then
          until_ms = kept_until(hit, window)
          call('PEXPIRE', key, until_ms - at + slack)
        end
        local after = (sum + 1) % SUMS
        local added = hit > newest
          and pack(ENTRY_AND_TAIL, newest, sum, window, dead, used + 1, after, at, hit, until_ms)
          or pack(TAIL, window, dead, used + 1, after, at, hit, until_ms)
        call('SETRANGE', key, size, added)
      end
      written[key] = true
      if used > 0 then
        if window < was then tell_shorter(channel, key) end
        if newest > hit then hit = newest end
      end
      verdicts[last_verdict] = pack(VERDICT, 0, 0, limit - used - 1, hit + window, at)
    end
  end
end

while done < #KEYS do
  local decided, message = pcall(decide_rest)
  if not decided then add_verdict(false, message) end
end
return all_verdicts()
