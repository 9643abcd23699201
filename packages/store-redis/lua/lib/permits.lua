-- The permits of one key: packages/core/src/store/memory-permits.ts over permit.ts, as a sorted set
-- of hashed ids by deadline. The member '' has the newest instant decided at, negated: it is never
-- among what is held.

-- The newest instant that the permits were decided at; nil where the key has none.
local function permits_last(key)
  local score = redis.call('ZSCORE', key, '')
  return score and -tonumber(score)
end

-- Permits held.
local function permits_held(key, now)
  return redis.call('ZCOUNT', key, '(' .. digits(now), '+inf')
end

-- The deadline of one permit; 0 where there is none.
local function permits_until(key, id)
  local score = redis.call('ZSCORE', key, id)
  return score and tonumber(score) or 0
end

-- The latest deadline; `now` where nothing is held.
local function permits_latest(key, now)
  local newest = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')
  local latest = newest[2] and tonumber(newest[2]) or 0
  return latest > now and latest or now
end

-- check of memory-permits.ts: wait, then what is held and the latest deadline after the call, and
-- the deadline that the permit has already. `last`: as permits_last tells; `policy_wait`: for how
-- long the policies deny the call; a permit that is held now but not until then needs a place of
-- its own by then. O(log permits)
local function permits_check(key, last, id, cap, deadline, now, policy_wait)
  local held, latest, own = 0, now, 0
  if last then
    held = permits_held(key, now)
    if held > 0 then latest = permits_latest(key, now) end
    own = permits_until(key, id)
  end
  if own <= now + policy_wait then
    if held >= cap then
      if cap == 0 then return -1, held, latest, own end
      local due = redis.call('ZRANGEBYSCORE', key, '(' .. digits(now), '+inf', 'WITHSCORES',
        'LIMIT', held - cap, 1)
      return tonumber(due[2]) - now, held, latest, own
    end
    if own <= now and deadline > now then held = held + 1 end
  end
  return 0, held, deadline > latest and deadline or latest, own
end

-- Forgets what has expired, notes the instant, and keeps the rest until the last deadline.
local function permits_settle(key, now, slack)
  redis.call('ZREMRANGEBYSCORE', key, 0, now)
  redis.call('ZADD', key, -now, '')
  redis.call('PEXPIRE', key, permits_latest(key, now) - now + slack)
end

-- commit of memory-permits.ts: takes or extends what permits_check has admitted; `latest` and `own`
-- as it told them.
local function permits_commit(key, id, deadline, now, latest, own, slack)
  redis.call('ZREMRANGEBYSCORE', key, 0, now)
  if deadline > now and deadline > own then
    redis.call('ZADD', key, -now, '', deadline, id)
  else
    redis.call('ZADD', key, -now, '')
  end
  redis.call('PEXPIRE', key, latest - now + slack)
end
