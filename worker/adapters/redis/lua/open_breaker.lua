#!lua flags=allow-oom
-- Open a gateway's breaker after a failure, or for as long as the gateway asked for (R69). An opening in force is made
-- longer by such a wish alone; each opening after it is twice as long as the one before. A probe under way has failed.
-- Safe to repeat: what was asked for ends a little later.
--
-- KEYS  1 breakers
-- ARGV  1 now in ms ('' = the server's clock), 2 gateway, 3 ms that the gateway asked to wait ('' = it did not),
--       4 ms of the first opening, 5 ms of the longest, 6 reason
-- RETURNS  ms for which it stays open
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local known = redis.call('HGET', KEYS[1], ARGV[2])
local until_ms, since, times = 0, now, 0
if known then
  local u, s, t = string.match(known, '^(%d+)|(%d+)|(%d+)|')
  until_ms, since, times = tonumber(u), tonumber(s), tonumber(t)
end
if ARGV[3] ~= '' then
  until_ms = math.max(until_ms, now + ARGV[3])
elseif until_ms <= now then
  times = times + 1
  until_ms = now + math.min(ARGV[5], ARGV[4] * 2 ^ math.min(times - 1, 30))
end
redis.call('HSET', KEYS[1], ARGV[2], string.format('%.0f|%.0f|%d|0|%s', until_ms, since, times, ARGV[6]))
return until_ms - now
