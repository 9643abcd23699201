-- Whether the store can decide: Redis reads, runs scripts and may write.
--
-- keys    one that is never written
-- answer  1
-- Writing nothing at the start of a key that is not there changes nothing, and fails as any write
-- would: on a replica, without memory, without enough replicas. O(1)
local function decide(keys, args)
  redis.call('SETRANGE', keys[1], 0, '')
  return 1
end
