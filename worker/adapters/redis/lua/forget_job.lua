#!lua flags=allow-oom
-- Erase what is kept of a batch job beside its messages, unless its state was changed since it was read. What waits to be
-- told of it is dropped when somebody wants to tell it.
-- Safe to repeat: what is gone is left alone.
--
-- KEYS  1 index of jobs, 2 job, 3 index of progress, 4 uncalled, then what is told of its progress, and the rejected rows
--       of its parts
-- ARGV  1 origin, 2 version, then its percentages
-- RETURNS  1 erased, 0 its state was changed, or it is gone
if redis.call('HGET', KEYS[2], 'version') ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[1])
for a = 3, #ARGV do redis.call('ZREM', KEYS[4], ARGV[1] .. '#' .. ARGV[a]) end
for k = 5, #KEYS do redis.call('DEL', KEYS[k]) end
return 1
