-- Outstanding leases: does what the memory store's leases.ts does. Needs meta, domain.
--
-- l<lease>  text: `deadline,index,epoch,probe`     a<agent>  zset: lease -> deadline, its slots
-- A lease past its deadline is as good as gone, and goes in passing.

-- read_lease(meta, key): an outstanding lease, or nil. O(1)
local function read_lease(meta, key)
  local text = redis.call('GET', key)
  if not text then return nil end
  local deadline, index, epoch, probe = string.match(text, '^(.*),(.*),(.*),(.*)$')
  if meta.at >= tonumber(deadline) then return nil end
  return { index = tonumber(index), epoch = tonumber(epoch), probe = tonumber(probe) }
end

-- busy_until(meta, agent, slots): 0 when the agent has a free slot; else the instant from which it
-- has, if nothing else happens. O(log leases)
local function busy_until(meta, agent, slots)
  local count = redis.call('ZCARD', agent)
  if count < slots and count % 16 ~= 15 then return 0, count end
  redis.call('ZREMRANGEBYSCORE', agent, '-inf', digits(meta.at))
  count = redis.call('ZCARD', agent)
  if count < slots then return 0, count end
  -- With k more leases than slots, the agent has a free one when k + 1 have ended.
  local last = redis.call('ZRANGE', agent, count - slots, count - slots, 'WITHSCORES')
  return tonumber(last[2]), count
end

-- in_flight(meta, domain): leases of the domain on their way. O(log leases)
local function in_flight(meta, domain)
  redis.call('ZREMRANGEBYSCORE', domain.in_flight, '-inf', digits(meta.at))
  return redis.call('ZCARD', domain.in_flight)
end

-- flush_leases(meta, domain): notes with the domain what take_lease has taken. All at once, for each
-- command costs as much as the rest of a lease. O(leases * log leases)
local function flush_leases(meta, domain)
  local taken = domain.taken
  if not taken then return end
  domain.taken = nil
  redis.call('ZADD', domain.in_flight, unpack(taken))
  redis.call('HINCRBY', domain.meta, 'n', #taken / 2)
  -- Where there was none, keep_domain could not let it go.
  if domain.leases * 2 == #taken then expire(meta, domain.in_flight, domain.kept_until_ms) end
end

-- room_for_lease(meta, domain, most): whether the domain may have one more lease on its way. O(1)
local function room_for_lease(meta, domain, most)
  domain.leases = domain.leases or domain.known and redis.call('ZCARD', domain.in_flight) or 0
  if domain.leases >= most or domain.leases % 16 == 15 then
    flush_leases(meta, domain)
    domain.leases = in_flight(meta, domain)
  end
  return domain.leases < most
end

-- claim_lease(meta, key, lease): notes a lease, unless one of that id is held: answers that one. lease:
-- deadline and its digits, index, epoch, probe. Mostly one command, for a lease is seldom asked for
-- twice. O(1)
local function claim_lease(meta, key, lease)
  local text = lease.digits .. ',' .. lease.index .. ',' .. lease.epoch .. ',' .. lease.probe
  local keep_ms = math.max(0, lease.deadline - meta.at) + meta.slack_ms
  if redis.call('SET', key, text, 'PX', keep_ms, 'NX') then return nil end
  local held = read_lease(meta, key)
  if not held then redis.call('SET', key, text, 'PX', keep_ms) end
  return held
end

-- take_lease(meta, domain, lease, agent): takes what a claimed lease takes; flush_leases has to follow.
-- lease: id, deadline and its digits, and how many leases the agent has before it. O(log leases)
local function take_lease(meta, domain, lease, agent)
  local deadline = lease.deadline
  local keep_ms = math.max(0, deadline - meta.at) + meta.slack_ms
  redis.call('ZADD', agent, lease.digits, lease.id)
  if lease.of_agent == 0 or redis.call('PTTL', agent) < keep_ms then
    -- Longer than this lease needs, so that the next ones need not set it again.
    expire(meta, agent, deadline + keep_ms)
  end
  add_domain(meta, domain)
  keep_domain(meta, domain, deadline)
  local taken = domain.taken or {}
  taken[#taken + 1] = lease.digits
  taken[#taken + 1] = lease.id
  domain.taken, domain.leases = taken, domain.leases + 1
end

-- free_lease(domain, key, agent, id): takes it back. O(log leases)
local function free_lease(domain, key, agent, id)
  redis.call('DEL', key)
  redis.call('ZREM', agent, id)
  redis.call('ZREM', domain.in_flight, id)
end
