#!lua flags=allow-oom
-- Pause a merchant with all its batches, or one batch, in one shard: what waits in their backlogs stays there, and
-- what comes goes there. Of a batch that is closed what a gateway was asked for goes on all the same.
-- Safe to repeat: what is paused stays paused, since the first time.
--
-- KEYS  1 paused, 2 closed, then 2 for each lane: backlogs, stopped
-- ARGV  1 now in ms ('' = the server's clock), 2 origin, 3 pause or close
-- RETURNS  1 it is paused now, 0 it was before
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local origin = ARGV[2]
local batches = origin .. '#'
local new = redis.call('ZADD', KEYS[1], 'NX', string.format('%.0f', now), origin)
if ARGV[3] == 'close' then redis.call('ZADD', KEYS[2], 'NX', string.format('%.0f', now), origin) end
for k = 3, #KEYS, 2 do
  for _, member in ipairs(redis.call('ZRANGE', KEYS[k], 0, -1)) do
    if member == origin or string.sub(member, 1, #batches) == batches then
      redis.call('ZREM', KEYS[k], member)
      -- When to look for what expires there is not known yet: at once.
      redis.call('ZADD', KEYS[k + 1], 0, member)
    end
  end
end
return new
