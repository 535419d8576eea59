#!lua flags=allow-oom
-- Put a backlog that holds messages back into the index of its lane's backlogs, beside the least served.
-- Safe to repeat: a listed backlog is left alone.
--
-- KEYS  1 backlogs of the lane, 2 backlog
-- ARGV  1 appId
-- RETURNS  1 it was put back, 0 it is listed or empty
if redis.call('EXISTS', KEYS[2]) == 0 or redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
local least = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return redis.call('ZADD', KEYS[1], least[2] or 0, ARGV[1])
