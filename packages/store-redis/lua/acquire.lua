-- Gives the first candidate that the domain does not exclude and that has a free slot, and takes
-- its slot and, on probation, its probe. Translates acquire of core's store/memory-health.ts.
--
-- KEYS    meta; the domain's m, d, v, o, i, s; x (resting exits); l<lease>; a<agent> per candidate
-- ARGV    given, draw, slack, channel, who, domain, since, lease, deadline, strikeDecayMs,
--         maxLeases; per candidate: exit, maxConcurrency
-- Answer  { 1, index, epoch, probe, fleet version, changes } of the candidate that is given, or
--         { 0, busy until per candidate, fleet version, changes }; changes as changes_since says
-- Refuses STORE_FULL
-- O(candidates + changes)
local INLINE_CHANGES = 256
local FIRST_AGENT = 9
local FIRST_CANDIDATE = 11

local function given_lease(meta, domain, lease, args)
  local changes = changes_since(meta, domain, tonumber(args[7]), INLINE_CHANGES)
  local fleet = fleet_version(meta.base, meta.fleet)
  return { 1, lease.index, lease.epoch, lease.probe, fleet, changes }
end

-- What is known of the candidates' pairs, and which of their exits rest everywhere: false for
-- none.
local function look(meta, domain, keys, exits)
  local records = domain.has_records and redis.call('HMGET', domain.records, unpack(exits))
  local rests = meta.exits > 0 and redis.call('ZMSCORE', keys[8], unpack(exits))
  return records, rests
end

-- Whether the pair may be dispatched to: refuses by nil, else answers the epoch and 1 for a probe.
local function epoch_to_go(meta, text, rests_until)
  if rests_until and meta.at < tonumber(rests_until) then return nil end
  local record = decode_record(text)
  local health, phase = state_at(record, meta.at)
  if health == 0 then
    local known = record and meta.at < record.forget_at_ms
    return known and record.epoch or 0, 0, record
  end
  if phase == 'probation' then return record.epoch, 1, record end
  return nil
end

local function give(meta, domain, keys, args, lease, record, exit)
  lease.of_domain = make_room_for_lease(meta, domain, tonumber(args[FIRST_CANDIDATE]))
  lease.id, lease.deadline = args[8], tonumber(args[9])
  if lease.probe == 1 then
    local after = probed(record, lease.id, lease.deadline, meta.at, tonumber(args[10]))
    write_record(meta, domain, exit, after)
  end
  take_lease(meta, domain, keys[FIRST_AGENT], lease, keys[FIRST_AGENT + 1 + lease.index])
  announce(meta, domain, args)
  return given_lease(meta, domain, lease, args)
end

local function decide(keys, args)
  local meta = open_meta(keys[1], args)
  local domain = open_domain(meta, keys, 2)
  local held = read_lease(meta, keys[FIRST_AGENT])
  if held then return given_lease(meta, domain, held, args) end
  local exits, busy = {}, {}
  for i = FIRST_CANDIDATE + 1, #args, 2 do exits[#exits + 1] = args[i] end
  local records, rests = look(meta, domain, keys, exits)
  for i, exit in ipairs(exits) do
    busy[i] = 0
    local epoch, probe, record = epoch_to_go(meta, records and records[i], rests and rests[i])
    if epoch then
      local slots = tonumber(args[FIRST_CANDIDATE + 2 * i])
      local busy_ms, count = busy_until(meta, keys[FIRST_AGENT + i], slots)
      if busy_ms == 0 then
        local lease = { index = i - 1, epoch = epoch, probe = probe, of_agent = count }
        return give(meta, domain, keys, args, lease, record, exit)
      end
      busy[i] = busy_ms
    end
  end
  local changes = changes_since(meta, domain, tonumber(args[7]), INLINE_CHANGES)
  return { 0, busy, fleet_version(meta.base, meta.fleet), changes }
end
