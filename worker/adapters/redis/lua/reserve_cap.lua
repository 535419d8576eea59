#!lua
-- Count messages of one appId to one customer under the wallet's cap in a sliding period (R35).
-- Safe to repeat: a message that is counted stays counted once.
--
-- KEYS  1 cap
-- ARGV  1 now in ms ('' = the server's clock), 2 most messages, 3 period in ms, then the ids
-- RETURNS  an array: 1 counted, 0 the cap is reached
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
local room = ARGV[2] - redis.call('ZCARD', KEYS[1])
local result = {}
for i = 1, #ARGV - 3 do
  local id = ARGV[3 + i]
  if redis.call('ZSCORE', KEYS[1], id) then
    result[i] = 1
  elseif room > 0 then
    redis.call('ZADD', KEYS[1], now, id)
    room = room - 1
    result[i] = 1
  else
    result[i] = 0
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return result
