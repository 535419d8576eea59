#!lua flags=allow-oom
-- Let nobody call a gateway for a while (R69); a longer pause in force stays.
-- Safe to repeat: the pause then ends a little later.
--
-- KEYS  1 pauses
-- ARGV  1 now in ms ('' = the server's clock), 2 gateway, 3 ms to wait
-- RETURNS  ms until which it is paused
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local until_ms = math.max(now + ARGV[3], tonumber(redis.call('HGET', KEYS[1], ARGV[2]) or 0))
redis.call('HSET', KEYS[1], ARGV[2], until_ms)
return until_ms
