#!lua flags=no-writes
-- Say how many messages are counted under a wallet's cap in its sliding period, and whether one message is among them.
--
-- KEYS  1 cap
-- ARGV  1 now in ms ('' = the server's clock), 2 period in ms, 3 messageId
-- RETURNS  {messages counted, 1 if the message is one of them, else 0}
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local since = string.format('(%d', now - ARGV[2])
local at = redis.call('ZSCORE', KEYS[1], ARGV[3])
return { redis.call('ZCOUNT', KEYS[1], since, '+inf'), at and tonumber(at) > now - ARGV[2] and 1 or 0 }
