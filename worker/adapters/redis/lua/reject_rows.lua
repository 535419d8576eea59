#!lua
-- Note rows of a part that were rejected, for the upload that takes it.
-- Safe to repeat: a chunk that is noted is left alone.
--
-- KEYS  1 job, 2 rejected rows of the part
-- ARGV  1 part, 2 upload, 3 number of the chunk, from 0, 4 the chunk
-- RETURNS  1 noted, now or before; 0 another upload takes the part
if redis.call('HGET', KEYS[1], 'u' .. ARGV[1]) ~= ARGV[2] then return 0 end
if redis.call('LLEN', KEYS[2]) == tonumber(ARGV[3]) then redis.call('RPUSH', KEYS[2], ARGV[4]) end
return 1
