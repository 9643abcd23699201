-- A pair's record after a report: translates the event `outcome` of core's health/transition.ts.
-- Needs hash, record, keep.
--
-- event: outcome (as TypeScript names it), retry_after_ms, epoch, lease, capped, exit, domain.
-- policy: as health_policy reads it. The same table comes back where nothing changed.
local MOST_COUNTED = 255
-- So many rate limits in a row are a strike.
local PATIENCE = 3
local LEAST_RETRY_MS = 1000
local MOST_RETRY_MS = 3600000

-- health_policy(text): reads `limited 30000,unavailable 300000;rateLimitedMs;strikeDecayMs;
-- okStreakToForget;jitter`. Numbers are as JavaScript prints them, so they come back exactly.
-- O(rungs)
local function health_policy(text)
  local rungs, limited_ms, decay_ms, oks, jitter =
    string.match(text, '^(.*);(.*);(.*);(.*);(.*)$')
  local policy = {
    ladder = {}, last_limited = 0, rate_limited_ms = tonumber(limited_ms),
    strike_decay_ms = tonumber(decay_ms), ok_streak_to_forget = tonumber(oks),
    jitter = tonumber(jitter),
  }
  for health, ms in string.gmatch(rungs, '(%a+) ([^,]+)') do
    local rung = #policy.ladder + 1
    policy.ladder[rung] = { health = health == 'limited' and 1 or 2, ms = tonumber(ms) }
    if health == 'limited' and policy.last_limited == rung - 1 then policy.last_limited = rung end
  end
  return policy
end

local function excluded_until(at, ms, policy, event, epoch)
  local share = hash32(event.domain, hash32(event.exit, epoch)) / 4294967296
  return at + math.floor(ms * (1 + policy.jitter * share))
end

-- True where the lease holds the pair's probe, and in time.
local function holds_probe(record, lease, at)
  return record.probe_lease == lease and at < (record.probe_until_ms or 0)
end

local function released(record, lease, at)
  return holds_probe(record, lease, at) and without_probe(record) or record
end

-- One strike fewer per decay since the exclusion's end and the last strike; the rung falls too.
local function decayed(record, at, policy)
  if record.strikes == 0 then
    return record.rung == 0 and record or with(record, { rung = 0 })
  end
  local since = math.max(record.until_ms, record.strike_at_ms)
  local steps = math.floor((at - since) / policy.strike_decay_ms)
  if steps <= 0 then return record end
  local strikes = math.max(0, record.strikes - steps)
  return with(record, {
    strikes = strikes,
    rung = strikes == 0 and 0 or math.max(0, record.rung - steps),
    strike_at_ms = since + steps * policy.strike_decay_ms,
  })
end

local function after_ok(record, event, at, policy)
  local won = holds_probe(record, event.lease, at)
  -- An epoch that the pair has not reached is of a record that is forgotten.
  if event.epoch > record.epoch then return released(record, event.lease, at) end
  if not won and state_at(record, at) ~= 0 then return record end
  local before = decayed(record, at, policy)
  if not won and before.strikes == 0 and before.limited_streak == 0 then return record end
  local oks = math.min(before.ok_streak + 1, policy.ok_streak_to_forget)
  local after = with(before, { ok_streak = oks, limited_streak = 0 })
  if oks >= policy.ok_streak_to_forget then after.rung, after.strikes = 0, 0 end
  if not won then return kept(after, at, policy.strike_decay_ms) end
  -- Strikes go on decaying from where they were: an until of 0 must not move that back.
  after.strike_at_ms = math.max(before.until_ms, before.strike_at_ms)
  after.health, after.until_ms = 0, 0
  return kept(without_probe(after), at, policy.strike_decay_ms)
end

-- What one more strike sets.
local function struck(record, at)
  return with(record, {
    strikes = math.min(record.strikes + 1, MOST_COUNTED),
    strike_at_ms = math.max(record.strike_at_ms, at),
    ok_streak = 0,
  })
end

-- How long a limited rung excludes; a ladder without one rests a pair as after a rate limit.
local function limited_for(rung, policy)
  return rung < 1 and policy.rate_limited_ms or policy.ladder[rung].ms
end

-- Enters an exclusion: a new epoch, a later end, never a milder state than one under way.
local function excluded(record, event, health, ms, at, policy)
  local epoch = raised(math.max(record.epoch, event.epoch))
  local until_ms = math.max(record.until_ms, excluded_until(at, ms, policy, event, epoch))
  local after = with(record, { health = health, epoch = epoch, until_ms = until_ms })
  -- Another lease's probe stays on its way: its pair gets no second one before it has ended.
  local probe = record.probe_until_ms
  local own = probe and (record.probe_lease == event.lease or at >= probe)
  if own then after = without_probe(after) end
  return kept(after, at, policy.strike_decay_ms)
end

local function after_block(record, event, at, policy)
  local top, last_limited = #policy.ladder, policy.last_limited
  local first_unavailable = math.min(last_limited + 1, top)
  local blocked = event.outcome == 'blocked'
  -- A failed probe never makes a pair milder than it was.
  local least = (blocked or record.health == 2) and first_unavailable or 1
  local climbed = math.min(top, math.max(record.rung + 1, least))
  local before = with(record, { reason = blocked and 2 or 1, limited_streak = 0 })
  if not event.capped then
    local rung = policy.ladder[climbed]
    local after = with(struck(before, at), { rung = climbed })
    return excluded(after, event, rung.health, rung.ms, at, policy)
  end
  if record.health == 2 then
    -- A record may be of a longer ladder than this one.
    local rung = math.min(top, math.max(record.rung, first_unavailable))
    return excluded(before, event, 2, policy.ladder[rung].ms, at, policy)
  end
  local ms = limited_for(math.min(climbed, last_limited), policy)
  return excluded(before, event, 1, ms, at, policy)
end

local function after_rate_limited(record, event, at, policy)
  local streak = math.min(record.limited_streak + 1, MOST_COUNTED)
  local asked = math.ceil(event.retry_after_ms or 0)
  if asked ~= asked then asked = 0 end
  local retry_ms = math.min(MOST_RETRY_MS, math.max(LEAST_RETRY_MS, asked))
  local ms = math.max(policy.rate_limited_ms, retry_ms)
  local after = with(record, { limited_streak = streak, reason = 0 })
  if streak >= PATIENCE then
    local climbed = math.min(record.rung + 1, policy.last_limited)
    ms = math.max(ms, limited_for(climbed, policy))
    if not event.capped then
      after = struck(after, at)
      if record.health ~= 2 then after.rung = math.max(record.rung, climbed) end
    end
  end
  return excluded(after, event, record.health == 2 and 2 or 1, ms, at, policy)
end

-- after_outcome(record, event, at, policy): the record then; nil where nothing is known. O(1)
local function after_outcome(record, event, at, policy)
  -- Fencing: what an older lease saw, the exclusion since then already knows.
  if record and event.epoch < record.epoch then return released(record, event.lease, at) end
  local outcome = event.outcome
  if outcome == 'ok' then return record and after_ok(record, event, at, policy) end
  if outcome == 'rate_limited' then
    return after_rate_limited(decayed(record or blank(), at, policy), event, at, policy)
  end
  if outcome == 'challenged' or outcome == 'blocked' then
    return after_block(decayed(record or blank(), at, policy), event, at, policy)
  end
  return record and released(record, event.lease, at)
end
