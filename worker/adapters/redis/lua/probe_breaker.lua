#!lua flags=allow-oom
-- Take the right to make the one call that asks whether a gateway is back. Whoever has it and says nothing more loses
-- it after a while: a call that hangs must not keep others from asking.
-- Safe to repeat: the second time answers how long the right is taken for.
--
-- KEYS  1 breakers
-- ARGV  1 now in ms ('' = the server's clock), 2 gateway, 3 ms for which the right is taken
-- RETURNS  0 taken, or not needed as the breaker is closed; else ms to wait before asking again
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local known = redis.call('HGET', KEYS[1], ARGV[2])
if not known then return 0 end
local opened, probed, reason = string.match(known, '^(%d+|%d+|%d+)|(%d+)|(.*)$')
local wait = math.max(tonumber(string.match(opened, '^%d+')), tonumber(probed)) - now
if wait > 0 then return wait end
redis.call('HSET', KEYS[1], ARGV[2], string.format('%s|%.0f|%s', opened, now + ARGV[3], reason))
return 0
