-- Keeps what is counted of a domain. Needs incident, meta, domain.

-- Brings the set of the failing exits in step with their number, which only grows by one or goes
-- to 0.
local function follow_failing(domain, before, after, exit)
  local had = before and before.failing or 0
  local has = after and after.failing or 0
  if has == had then return end
  if has <= 1 then redis.call('DEL', domain.failing) end
  if has > 0 then redis.call('SADD', domain.failing, exit) end
end

-- set_watch(meta, domain, watch, exit): an incident that opens or ends is a change of the domain.
-- exit: the one whose outcome it was. O(1)
local function set_watch(meta, domain, watch, exit)
  local before = domain.watch
  if watch == before then return end
  local open, opens = incident_at(before, meta.at), incident_at(watch, meta.at)
  domain.watch = watch
  local turned = (open and open.opened_at_ms) ~= (opens and opens.opened_at_ms)
  if turned then change_domain(meta, domain) else add_domain(meta, domain) end
  if watch then
    redis.call('HSET', domain.meta, 'w', encode_watch(watch))
  else
    redis.call('HDEL', domain.meta, 'w')
  end
  local quiet = before and meta.at - before.last_event_ms >= QUIET_MS
  follow_failing(domain, not quiet and before, watch, exit)
  if not watch then return end
  keep_domain(meta, domain, watch.last_event_ms + QUIET_MS)
  if watch.failing == 1 then expire(meta, domain.failing, domain.kept_until_ms) end
end
