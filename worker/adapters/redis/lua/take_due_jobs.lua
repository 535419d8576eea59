#!lua flags=allow-oom
-- Give out the batch jobs at which somebody has to look, each to one who asks: nobody else gets it for a while.
-- Safe to repeat: what was given out is not due any more; should it not be looked at, it is due again after that while.
--
-- KEYS  1 index of jobs
-- ARGV  1 now in ms ('' = the server's clock), 2 how many at most, 3 for how many ms nobody else gets them
-- RETURNS  an array of origins
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local due = redis.call('ZRANGE', KEYS[1], '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, ARGV[2])
for _, origin in ipairs(due) do redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[3]), origin) end
return due
