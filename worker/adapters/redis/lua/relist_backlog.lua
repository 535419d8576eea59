#!lua flags=allow-oom
-- Put a backlog that holds messages where it must be listed: among those that are paused, or beside the least served.
-- Safe to repeat: a backlog that is listed where it must be is left alone.
--
-- KEYS  1 backlogs of the lane, 2 backlog, 3 stopped of the lane, 4 paused
-- ARGV  1 origin
-- RETURNS  1 it was put there, 0 it is there or empty
local origin = ARGV[1]
local paused = redis.call('ZSCORE', KEYS[4], origin) or redis.call('ZSCORE', KEYS[4], string.match(origin, '^[^#]*'))
local right, wrong = KEYS[paused and 3 or 1], KEYS[paused and 1 or 3]
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
local moved = redis.call('ZREM', wrong, origin)
if redis.call('ZSCORE', right, origin) then return moved end
local least = not paused and redis.call('ZRANGE', right, 0, 0, 'WITHSCORES')[2]
return redis.call('ZADD', right, least or 0, origin)
