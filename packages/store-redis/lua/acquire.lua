-- hot path: every pick ends here.
--
-- Gives the first candidate that the domain does not exclude and that has a free slot, and takes
-- its slot and, on probation, its probe. Translates acquire of core's store/memory-health.ts.
--
-- KEYS    meta; x (resting exits); then of each domain: m, d, v, o, i, s; then of each decision:
--         l<lease>; a<agent> per candidate
-- ARGV    given, draw, slack, channel, who, strikeDecayMs, maxLeases, how many domains, their names; then
--         of each decision: which of the domains, since, lease, deadline, how many candidates, and for
--         each: exit, maxConcurrency
-- Answer  { server's instant in ms (0 where nobody asked for it), fleet version, one entry per decision }:
--         the index of the candidate that is given, where its epoch is 0, it is no probe, and there is
--         nothing new to tell; { 1, index, epoch, probe, changes } of any other that is given;
--         { 0, busy until per candidate, changes } where none is, changes as changes_since says;
--         { 2, message } where it failed
-- Refuses STORE_FULL
-- O(candidates + changes) a decision
local INLINE_CHANGES = 256
local DOMAIN_KEYS = 6
local DECISION_ARGS = 5

-- What decisions share: read once, for this EVALSHA alone changes it meanwhile.
local meta, domains = nil, {}

local function given_lease(domain, lease, since)
  local changes = changes_since(meta, domain, since, INLINE_CHANGES)
  if #changes == 1 and lease.epoch == 0 and lease.probe == 0 then return lease.index end
  return { 1, lease.index, lease.epoch, lease.probe, changes }
end

-- Whether the pair may be dispatched to: refuses by nil, else answers the epoch and 1 for a probe.
local function epoch_to_go(text, rests_until)
  if rests_until and meta.at < tonumber(rests_until) then return nil end
  if not text then return 0, 0, nil end
  local record = decode_record(text)
  local health, phase = state_at(record, meta.at)
  if health == 0 then return meta.at < record.forget_at_ms and record.epoch or 0, 0, record end
  if phase == 'probation' then return record.epoch, 1, record end
  return nil
end

-- Takes what the lease takes, unless the call is a repeated one; answers the lease that is held then.
local function give(domain, key, agent, lease, record, exit, name)
  local held
  local has_room = room_for_lease(meta, domain, tonumber(ARGV[7]))
  if has_room then held = claim_lease(meta, key, lease) else held = read_lease(meta, key) end
  if held then return held end
  if not has_room then
    error({ err = 'STORE_FULL a domain holds maxLeases = ' .. ARGV[7] .. ' leases' })
  end
  if lease.probe == 1 then
    local after = probed(record, lease.id, lease.deadline, meta.at, tonumber(ARGV[6]))
    write_record(meta, domain, exit, after)
    announce(meta, domain, { '', '', '', ARGV[4], ARGV[5], name })
    domain.version_before = domain.version
  end
  take_lease(meta, domain, lease, agent)
  return lease
end

-- A decision on a domain: its keys come after KEYS[key], its arguments after ARGV[arg].
local function decide(number, key, arg, count)
  meta = meta or open_meta(KEYS[1], ARGV)
  local domain = domains[number] or open_domain(meta, KEYS, 3 + DOMAIN_KEYS * (number - 1))
  domains[number] = domain
  local lease_key, first = key + 1, arg + DECISION_ARGS
  local records, rests = nil, nil
  if domain.has_records or meta.exits > 0 then
    local exits = {}
    for i = 1, count do exits[i] = ARGV[first + 2 * i - 1] end
    records = domain.has_records and redis.call('HMGET', domain.records, unpack(exits))
    rests = meta.exits > 0 and redis.call('ZMSCORE', KEYS[2], unpack(exits))
  end
  local since, busy = tonumber(ARGV[arg + 2]), {}
  for i = 1, count do
    busy[i] = 0
    local epoch, probe, record = epoch_to_go(records and records[i], rests and rests[i])
    if epoch then
      local agent = KEYS[lease_key + i]
      local busy_ms, of_agent = busy_until(meta, agent, tonumber(ARGV[first + 2 * i]))
      if busy_ms == 0 then
        local digits = ARGV[arg + 4]
        local lease = { id = ARGV[arg + 3], deadline = tonumber(digits), digits = digits,
          index = i - 1, epoch = epoch, probe = probe, of_agent = of_agent }
        local exit, name = ARGV[first + 2 * i - 1], ARGV[8 + number]
        return given_lease(domain, give(domain, KEYS[lease_key], agent, lease, record, exit, name),
          since)
      end
      busy[i] = busy_ms
    end
  end
  local held = read_lease(meta, KEYS[lease_key])
  if held then return given_lease(domain, held, since) end
  return { 0, busy, changes_since(meta, domain, since, INLINE_CHANGES) }
end

local answers, domain_count = { 0, 0 }, tonumber(ARGV[8])
local key, arg = 2 + DOMAIN_KEYS * domain_count, 8 + domain_count
while arg < #ARGV do
  local number, count = tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 5])
  local decided, answer = pcall(decide, number, key, arg, count)
  if not decided then
    answer = { 2, type(answer) == 'table' and answer.err or tostring(answer) }
    -- What it has changed is not known: the next one reads the domain anew.
    if domains[number] then flush_leases(meta, domains[number]) end
    domains[number] = nil
  end
  answers[#answers + 1] = answer
  key, arg = key + 1 + count, arg + DECISION_ARGS + 2 * count
end
for _, domain in pairs(domains) do flush_leases(meta, domain) end
answers[1], answers[2] = server_ms, meta and fleet_version(meta.base, meta.fleet) or 0
return answers
