-- What an outcome does to what is counted of a domain: translates observe of core's
-- health/incident.ts.
-- Needs incident.
local BUCKET_MS = 5000
local BUCKETS = 12
local MOST_FAILING = 1024

-- The counts as of a bucket, newest first; those that left the minute are gone.
local function shifted(watch, bucket)
  local gone = watch and math.min(BUCKETS, math.max(0, bucket - watch.bucket)) or BUCKETS
  local buckets = {}
  for i = 1, BUCKETS do buckets[i] = i > gone and watch.buckets[i - gone] or 0 end
  return buckets
end

local function total(buckets)
  local sum = 0
  for i = 1, BUCKETS do sum = sum + buckets[i] end
  return sum
end

local function watch_after_ok(watch, at)
  if not watch or watch.open or at - watch.last_event_ms >= BUCKET_MS * BUCKETS then return nil end
  if watch.failing == 0 then return watch end
  if total(watch.buckets) == 0 then return nil end
  return {
    buckets = watch.buckets, bucket = watch.bucket, failing = 0, tried_from = 0,
    last_event_ms = watch.last_event_ms,
  }
end

local function watch_after_trouble(watch, event, failed, at, policy)
  if watch and watch.open then
    if watch.last_event_ms == at then return watch end
    return {
      open = true, opened_at_ms = watch.opened_at_ms, cause = watch.cause, last_event_ms = at,
    }
  end
  if not failed and not event.newly_excluded then return watch end
  local bucket = math.floor(at / BUCKET_MS)
  local buckets = shifted(watch, bucket)
  if event.newly_excluded then buckets[1] = buckets[1] + 1 end
  local failing = watch and watch.failing or 0
  local tried_from = watch and watch.tried_from or 0
  if failed and (failing == 0 or not event.is_failing()) then
    if failing == 0 then tried_from = event.dispatched - event.in_flight() - 1 end
    failing = failing + 1
  end
  local tried = math.min(event.dispatched - tried_from, policy.exits)
  local share = math.max(policy.min_failures, policy.failure_share * tried)
  local enough = math.min(MOST_FAILING, share)
  local cause
  if total(buckets) > math.max(policy.min_exclusions, policy.exclusion_share * policy.exits) then
    cause = '1'
  elseif failed and failing >= enough then
    cause = '0'
  end
  if cause then return { open = true, opened_at_ms = at, cause = cause, last_event_ms = at } end
  return {
    buckets = buckets, bucket = bucket, failing = failing, tried_from = tried_from,
    last_event_ms = at,
  }
end

-- observe(watch, event, at, policy): the watch after an outcome; the same table where nothing
-- changed. event: outcome, newly_excluded, dispatched; and functions, for they are seldom asked:
-- in_flight(), is_failing() (whether the exit is one of the failing). O(12)
local function observe(watch, event, at, policy)
  local before = watch
  if watch and at - watch.last_event_ms >= QUIET_MS then before = nil end
  local outcome = event.outcome
  if outcome == 'ok' then return watch_after_ok(before, at) end
  if outcome == 'neutral' or outcome == 'agent_error' then return before end
  return watch_after_trouble(before, event, outcome ~= 'rate_limited', at, policy)
end

-- incident_policy(text, exits): reads `minExclusions;exclusionShare;minFailures;failureShare`.
-- exits: distinct exits in the fleet. O(1)
local function incident_policy(text, exits)
  local exclusions, exclusion_share, failures, failure_share =
    string.match(text, '^(.*);(.*);(.*);(.*)$')
  return {
    min_exclusions = tonumber(exclusions), exclusion_share = tonumber(exclusion_share),
    min_failures = tonumber(failures), failure_share = tonumber(failure_share),
    exits = tonumber(exits),
  }
end
