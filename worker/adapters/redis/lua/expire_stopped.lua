#!lua flags=allow-oom
-- Move what is past its deadline from the backlogs of paused origins to the due index, where a claim ends it without
-- sending it, and note when to look there again. What is staged is left for its withdrawal.
-- Safe to repeat: it moves more only where more deadlines have passed.
--
-- KEYS  1 due, 2 window, 3 stopped of the lane, 4 staged, then the backlog of each origin
-- ARGV  1 now in ms ('' = the server's clock), 2 lane, 3 grace in ms, 4 most messages in all, then the origins, in the
--       order of KEYS
-- RETURNS  an array of the ids moved
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local lane, due_at, left = ARGV[2], string.format('%.0f', now + ARGV[3]), tonumber(ARGV[4])
local moved, due, window = {}, {}, {}
for i = 1, #ARGV - 4 do
  local origin, backlog = ARGV[4 + i], KEYS[4 + i]
  if redis.call('ZSCORE', KEYS[3], origin) then
    local staged = redis.call('ZSCORE', KEYS[4], origin)
    local expired = staged and 0 or math.min(redis.call('ZCOUNT', backlog, '-inf', now), left)
    local popped = expired > 0 and redis.call('ZPOPMIN', backlog, expired) or {}
    for p = 1, #popped, 2 do
      local id = popped[p]
      moved[#moved + 1] = id
      due[#due + 1] = due_at
      due[#due + 1] = id
      window[#window + 1] = 0
      window[#window + 1] = lane .. '#' .. string.match(origin, '^[^#]*') .. '#' .. id
    end
    left = left - expired
    local earliest = redis.call('ZRANGE', backlog, 0, 0, 'WITHSCORES')[2]
    if not earliest then
      redis.call('ZREM', KEYS[3], origin)
    else
      redis.call('ZADD', KEYS[3], staged or earliest, origin)
    end
  end
end
if #due > 0 then
  redis.call('ZADD', KEYS[1], unpack(due))
  redis.call('ZADD', KEYS[2], unpack(window))
end
return moved
