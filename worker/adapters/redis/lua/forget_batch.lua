#!lua flags=allow-oom
-- Forget that a batch was paused, closed or resumed, once nothing of it is left in the shard: who uses its batchId again begins
-- anew, and is not sent before it is run.
-- Safe to repeat: what is forgotten is left alone.
--
-- KEYS  1 batches, 2 paused, 3 started, 4 closed
-- ARGV  1 origin
-- RETURNS  1 nothing is known of it now, 0 it has messages
if redis.call('HEXISTS', KEYS[1], ARGV[1] .. '#taken') == 1 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
return 1
