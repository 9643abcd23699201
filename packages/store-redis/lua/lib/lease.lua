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

-- room_for_lease(meta, domain, most): how many leases the domain has on their way, some past their
-- deadline; nil where it may have no more. O(1)
local function room_for_lease(meta, domain, most)
  if not domain.known then return 0 end
  local count = redis.call('ZCARD', domain.in_flight)
  if count >= most or count % 16 == 15 then count = in_flight(meta, domain) end
  return count < most and count or nil
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

-- take_lease(meta, domain, lease, agent): takes what a claimed lease takes. lease: id, deadline and its
-- digits, and how many leases domain and agent have before it. O(log leases)
local function take_lease(meta, domain, lease, agent)
  local deadline = lease.deadline
  local keep_ms = math.max(0, deadline - meta.at) + meta.slack_ms
  redis.call('ZADD', agent, lease.digits, lease.id)
  if lease.of_agent == 0 or redis.call('PTTL', agent) < keep_ms then
    -- Longer than this lease needs, so that the next ones need not set it again.
    expire(meta, agent, deadline + keep_ms)
  end
  add_domain(meta, domain)
  redis.call('ZADD', domain.in_flight, lease.digits, lease.id)
  redis.call('HINCRBY', domain.meta, 'n', 1)
  keep_domain(meta, domain, deadline)
  if lease.of_domain == 0 then expire(meta, domain.in_flight, domain.kept_until_ms) end
end

-- free_lease(domain, key, agent, id): takes it back. O(log leases)
local function free_lease(domain, key, agent, id)
  redis.call('DEL', key)
  redis.call('ZREM', agent, id)
  redis.call('ZREM', domain.in_flight, id)
end
