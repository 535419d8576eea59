#!lua flags=allow-oom
-- Set counters of one shard, unless one of them changed since it was read: then what was counted is old.
-- Safe to repeat: counters that are as they were to become are left so.
--
-- KEYS  1 counters
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
for a = 1, #ARGV, 3 do redis.call('HSET', KEYS[1], ARGV[a], ARGV[a + 2]) end
return 1
