#!lua flags=allow-oom
-- Erase what is kept of a batch job beside its messages, unless its state was changed since it was read.
-- Safe to repeat: what is gone is left alone.
--
-- KEYS  1 index of jobs, 2 job, then the rejected rows of its parts
-- ARGV  1 origin, 2 version
-- RETURNS  1 erased, 0 its state was changed, or it is gone
if redis.call('HGET', KEYS[2], 'version') ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
for k = 3, #KEYS do redis.call('DEL', KEYS[k]) end
return 1
