-- Tells the other stores that there is something new: a hint, for their views ask anyway. Needs
-- meta.

-- announce(meta, domain, args): says what this decision has changed: the domain (nil for none),
-- the fleet. After those that `open_meta` reads, the arguments of a script that changes something
-- are: the channel, the name of the store that asks (it need not be told), the domain's name.
-- O(subscribers)
local function announce(meta, domain, args)
  if domain and domain.version ~= domain.version_before then
    redis.call('PUBLISH', args[4], 'd:' .. args[5] .. ':' .. args[6])
  end
  if meta.fleet ~= meta.fleet_before then redis.call('PUBLISH', args[4], '*:' .. args[5]) end
end
