#!lua flags=allow-oom
-- Set counters of one shard, unless one of them changed since it was read: then what was counted is old. One that becomes
-- 0 is erased: a batch of which nothing is counted is forgotten.
-- Safe to repeat: counters that are as they were to become are left so.
--
-- KEYS  1 counters, of deliveries or of batches
-- ARGV  3 for each counter: field, what was read, what it is to become
-- RETURNS  1 they are so now, 0 they changed meanwhile and were left alone
local function all_are(offset)
  for a = 1, #ARGV, 3 do
    if tonumber(redis.call('HGET', KEYS[1], ARGV[a]) or 0) ~= tonumber(ARGV[a + offset]) then return false end
  end
  return true
end

if all_are(2) then return 1 end
if not all_are(1) then return 0 end
for a = 1, #ARGV, 3 do
  if tonumber(ARGV[a + 2]) == 0 then
    redis.call('HDEL', KEYS[1], ARGV[a])
  else
    redis.call('HSET', KEYS[1], ARGV[a], ARGV[a + 2])
  end
end
return 1
