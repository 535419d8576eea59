#!lua flags=allow-oom
-- Move messages of one lane from the backlogs of origins to the due index, the earliest deadline first: as many as the
-- merchant's window has room for, once a quarter of it is free and while not too many of its messages wait for a retry;
-- and whatever is past its deadline, which a claim ends without sending it. The least served origin comes first, with
-- at most a quantum of messages, so that turns are equal in messages. What is not listed, as it was paused since, stays.
-- Safe to repeat: it releases more only where a window still has room or more deadlines have passed.
--
-- KEYS  1 due, 2 window, 3 backlogs of the lane, 4 waiting, then the backlog of each origin
-- ARGV  1 now in ms ('' = the server's clock), 2 lane, 3 grace in ms, 4 window size, 5 quantum, 6 most messages in
--       all, 7 most that may wait for a retry, then the origins, in the order of KEYS
-- RETURNS  an array of the ids released
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local lane, due_at, left = ARGV[2], now + ARGV[3], tonumber(ARGV[6])
local released, due, window, given = {}, {}, {}, {}
for i = 1, #ARGV - 7 do
  local origin, backlog = ARGV[7 + i], KEYS[4 + i]
  local app = string.match(origin, '^[^#]*')
  local first, last, room = '[' .. lane .. '#' .. app .. '#', '(' .. lane .. '#' .. app .. '$', 0
  if redis.call('ZLEXCOUNT', KEYS[4], first, last) < tonumber(ARGV[7]) then
    room = ARGV[4] - redis.call('ZLEXCOUNT', KEYS[2], first, last) - (given[app] or 0)
  end
  if room < math.min(ARGV[4] / 4, redis.call('ZCARD', backlog)) then room = 0 end
  local expired = redis.call('ZCOUNT', backlog, '-inf', now)
  local turn = math.min(math.max(room, expired), tonumber(ARGV[5]), left)
  if turn > 0 and redis.call('ZSCORE', KEYS[3], origin) then
    local popped = redis.call('ZPOPMIN', backlog, turn)
    for p = 1, #popped, 2 do
      local id = popped[p]
      released[#released + 1] = id
      due[#due + 1] = due_at
      due[#due + 1] = id
      window[#window + 1] = 0
      window[#window + 1] = lane .. '#' .. app .. '#' .. id
    end
    left = left - #popped / 2
    given[app] = (given[app] or 0) + #popped / 2
    if redis.call('EXISTS', backlog) == 0 then
      redis.call('ZREM', KEYS[3], origin)
    else
      redis.call('ZADD', KEYS[3], 'INCR', #popped / 2, origin)
    end
  end
end
if #due > 0 then
  redis.call('ZADD', KEYS[1], unpack(due))
  redis.call('ZADD', KEYS[2], unpack(window))
end
return released
