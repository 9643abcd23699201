-- Frees a lease's slot and probe, and applies its outcome to the domain's incident, the pair and
-- the agent's breaker. Translates settle of core's store/memory-health.ts.
--
-- KEYS    meta; the domain's m, d, v, o, i, s; l<lease>; a<agent>; the fleet's b, c, t
-- ARGV    given, draw, slack, channel, who, domain, since, lease, agent, exit, epoch, picked at,
--         outcome, retryAfterMs or empty, exits, health policy, incident policy, breaker policy,
--         maxRecords, maxAgents
-- Answer  { 1 applied or 0 stale, 1 changed or 0, record, breaker, fleet version, changes };
--         record and breaker as text, empty for none, a breaker that was cleared as `0,0`
-- Refuses STORE_FULL, and has changed nothing then
-- O(log records + changes)
local INLINE_CHANGES = 256
local LATE_REPORT_MS = 3600000

local function excludes(outcome)
  return outcome == 'blocked' or outcome == 'challenged' or outcome == 'rate_limited'
end

local function settled(meta, domain, args, told)
  announce(meta, domain, args)
  local changes = changes_since(meta, domain, tonumber(args[7]), INLINE_CHANGES)
  local record = told.record and encode_record(told.record) or ''
  local fleet = fleet_version(meta.base, meta.fleet)
  return { told.applied, told.changed, record, told.breaker or '', fleet, changes }
end

-- Free of any command for a quiet agent; answers the breaker's text where it has changed.
local function trip_breaker(meta, keys, args)
  local id, outcome = args[9], args[13]
  if meta.breakers == 0 and outcome ~= 'agent_error' then return nil end
  local before = redis.call('HGET', keys[10], id) or nil
  local after = trip(before, outcome, meta.at, args[18])
  if after == before and outcome ~= 'agent_error' then return nil end
  local fleet = { breakers = keys[10], log = keys[11], dead = keys[12] }
  set_breaker(meta, fleet, id, after, tonumber(args[20]))
  return after or '0,0'
end

local function watch_after(meta, domain, args, live, newly_excluded)
  local exit = args[10]
  local event = {
    outcome = args[13],
    newly_excluded = newly_excluded,
    dispatched = domain.given,
    in_flight = function() return in_flight(meta, domain) - (live and 1 or 0) end,
    is_failing = function() return redis.call('SISMEMBER', domain.failing, exit) == 1 end,
  }
  return observe(domain.watch, event, meta.at, incident_policy(args[17], args[15]))
end

local function apply(meta, domain, keys, args, before, live, stale)
  local exit, outcome = args[10], args[13]
  local newly_excluded = excludes(outcome) and not stale and state_at(before, meta.at) == 0
  local watch = watch_after(meta, domain, args, live, newly_excluded)
  local event = {
    outcome = outcome, retry_after_ms = tonumber(args[14]), epoch = tonumber(args[11]),
    lease = args[8], capped = incident_at(watch, meta.at) ~= nil, exit = exit, domain = args[6],
  }
  local after = after_outcome(before, event, meta.at, health_policy(args[16]))
  local changed = after ~= before
  -- All that may refuse is behind: from here on the decision is carried out.
  if changed then make_room(meta, domain, exit, tonumber(args[19])) end
  set_watch(meta, domain, watch, exit)
  if changed then write_record(meta, domain, exit, after) end
  if live then free_lease(domain, keys[8], keys[9], args[8]) end
  local breaker = trip_breaker(meta, keys, args)
  local applied = stale and 0 or 1
  return { applied = applied, changed = changed and 1 or 0, record = after, breaker = breaker }
end

local function decide(keys, args)
  local meta = open_meta(keys[1], args)
  local domain = open_domain(meta, keys, 2)
  local live = read_lease(meta, keys[8]) ~= nil
  local before = read_record(meta, domain, args[10])
  local stale = before ~= nil and tonumber(args[11]) < before.epoch
  local outcome = args[13]
  local late = meta.at - tonumber(args[12]) >= LATE_REPORT_MS
  if not live and (stale or late or not excludes(outcome)) then
    return settled(meta, domain, args, { applied = 0, changed = 0, record = before })
  end
  if outcome == 'ok' and not before and not domain.watch then
    free_lease(domain, keys[8], keys[9], args[8])
    local breaker = trip_breaker(meta, keys, args)
    return settled(meta, domain, args, { applied = 1, changed = 0, breaker = breaker })
  end
  return settled(meta, domain, args, apply(meta, domain, keys, args, before, live, stale))
end
