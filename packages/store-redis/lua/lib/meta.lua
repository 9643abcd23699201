-- What all decisions about health and the fleet share: the store's time, and the counters of
-- versions.
--
-- One hash without a TTL: b the base that versions count from, v the newest version of a domain, w
-- the newest version of the fleet, t the newest instant decided at, f the fleet's floor (see
-- fleet), bn how many breakers there are, xn how many exits rest everywhere; s the server that
-- decides, and of the server before: o its base, p and q its newest v and w as far as this one
-- knows.
--
-- The base is drawn at random, so that a server which was emptied or replaced is known by its
-- versions: none that it gave before is between its base and its newest. Another server that goes
-- on with the same data (a replica that took over, a restart from disk) may lack the newest of
-- it, and would soon give the same versions to other changes: it counts on from a base far above.
-- Versions that it knows of stay good; those between were given to what is lost.
local PAUSE_MS = 10
local BASES = 4294967296
local run_id = nil

-- The server's name, which is new with each start; empty where it may not be asked.
local function server_name()
  if not run_id then
    local info = redis.pcall('INFO', 'server')
    run_id = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
  end
  return run_id
end

-- Begins to count from a base, with so many versions given already.
local function set_base(key, base, given)
  local newest = digits(base + given)
  redis.call('HSET', key, 'b', digits(base), 'v', newest, 'w', newest, 's', server_name())
  return base, base + given, base + given
end

-- Moves the time on. A server without memory to spare can still tell, and free what it holds.
local function set_time(key, at)
  local set = redis.pcall('HSET', key, 't', digits(at))
  if type(set) == 'table' and not string.find(set.err, 'OOM', 1, true) then error(set) end
end

-- open_meta(key, args): reads it, creates it where it is missing, and moves its time on. O(1)
-- Every script's arguments begin with: given, as `now` takes it; draw, 0 to 2^20-1; slack, how
-- much longer than needed keys are kept, in ms.
local function open_meta(key, args)
  local read = redis.call('HMGET', key, 'b', 'v', 'w', 't', 's', 'o', 'p', 'bn', 'xn')
  local base, version, fleet = tonumber(read[1]), tonumber(read[2]), tonumber(read[3])
  local at, newest = now(args[1]), tonumber(read[4] or 0)
  local base_before, newest_before = tonumber(read[6]), tonumber(read[7])
  if not base then
    base, version, fleet = set_base(key, args[2] * BASES, 0)
  elseif args[1] ~= '' or at - newest >= PAUSE_MS then
    -- No server takes another's place without a pause; where time is the caller's, it shows none.
    local name = server_name()
    if name ~= '' and read[5] ~= name then
      redis.call('HSET', key, 'o', digits(base), 'p', digits(version), 'q', digits(fleet))
      base_before, newest_before = base, version
      -- One is given, for a fleet at its base is told as one that never changed.
      base, version, fleet = set_base(key, math.max(version, fleet) + BASES, 1)
    end
  end
  if at > newest then set_time(key, at) else at = newest end
  return {
    key = key,
    at = at,
    base = base,
    version = version,
    base_before = base_before,
    newest_before = newest_before,
    fleet = fleet,
    fleet_before = fleet,
    breakers = tonumber(read[8] or 0),
    exits = tonumber(read[9] or 0),
    slack_ms = tonumber(args[3]),
  }
end

-- next_version(meta): one further, for the newest change of a domain. O(1)
local function next_version(meta)
  meta.version = redis.call('HINCRBY', meta.key, 'v', 1)
  return meta.version
end

-- fleet_version(base, newest): as it is told: 0 while nothing has ever changed. O(1)
local function fleet_version(base, newest)
  return newest > base and newest or 0
end

-- expire(meta, key, until_ms): lets a key go once its contents say nothing any more, some time
-- after until_ms. Only cleans up: instants inside the values decide. O(1)
local function expire(meta, key, until_ms)
  redis.call('PEXPIRE', key, digits(math.max(0, until_ms - meta.at) + meta.slack_ms))
end

-- is_lost(since, base, newest, base_before, newest_before): whether a version is of no server that
-- this one knows, or of what it has lost. The last two are nil where there was no server before.
-- O(1)
local function is_lost(since, base, newest, base_before, newest_before)
  if since == 0 or (since >= base and since <= newest) then return false end
  return not base_before or since < base_before or since > newest_before
end
