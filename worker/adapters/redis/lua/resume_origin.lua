#!lua flags=allow-oom
-- End the pause of a merchant or of one batch in one shard: its backlogs have their turns again, but for those of a
-- batch that is paused by itself, or of a batch whose merchant is. A batch that was resumed is not paused again by
-- messages that come late; it is staged no more.
-- Safe to repeat: what goes on is left alone.
--
-- KEYS  1 paused, 2 started, 3 staged, then 2 for each lane: backlogs, stopped
-- ARGV  1 now in ms ('' = the server's clock), 2 origin, 3 how long it is known that a batch was resumed, in ms
-- RETURNS  1 it was paused, 0 it was not
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local origin = ARGV[2]
local batches = origin .. '#'
local was = redis.call('ZREM', KEYS[1], origin)
redis.call('ZREM', KEYS[3], origin)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('(%.0f', now - ARGV[3]))
if string.find(origin, '#', 1, true) then redis.call('ZADD', KEYS[2], string.format('%.0f', now), origin) end
for k = 4, #KEYS, 2 do
  for _, member in ipairs(redis.call('ZRANGE', KEYS[k + 1], 0, -1)) do
    local mine = member == origin or string.sub(member, 1, #batches) == batches
    if mine and not redis.call('ZSCORE', KEYS[1], member)
      and not redis.call('ZSCORE', KEYS[1], string.match(member, '^[^#]*')) then
      redis.call('ZREM', KEYS[k + 1], member)
      local least = redis.call('ZRANGE', KEYS[k], 0, 0, 'WITHSCORES')
      redis.call('ZADD', KEYS[k], least[2] or 0, member)
    end
  end
end
return was
