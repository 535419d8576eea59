#!lua flags=allow-oom
-- Move messages of one origin in one lane whose time has come from the schedule to its backlog, from where they are
-- released as there is room: a million of one time pass no window by.
-- Safe to repeat: what is in the backlog is not scheduled.
--
-- KEYS  1 scheduled, 2 plans, 3 backlog of (lane, origin), 4 backlogs of the lane, 5 stopped of the lane, 6 paused
-- ARGV  1 now in ms ('' = the server's clock), 2 origin, then the members of scheduled
-- RETURNS  how many were moved
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local origin, woken, plans = ARGV[2], {}, {}
for i = 3, #ARGV do
  local at = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if at and tonumber(at) <= now then
    local id, deadline = string.match(ARGV[i], '([^#]*)#(%d+)$')
    plans[#plans + 1] = ARGV[i]
    woken[#woken + 1] = deadline
    woken[#woken + 1] = id
  end
end
if #plans == 0 then return 0 end
redis.call('ZREM', KEYS[1], unpack(plans))
redis.call('ZREM', KEYS[2], unpack(plans))
redis.call('ZADD', KEYS[3], unpack(woken))
if redis.call('ZSCORE', KEYS[6], origin) or redis.call('ZSCORE', KEYS[6], string.match(origin, '^[^#]*')) then
  redis.call('ZADD', KEYS[5], 'LT', redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2], origin)
else
  local least = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
  redis.call('ZADD', KEYS[4], 'NX', least[2] or 0, origin)
end
return #plans
