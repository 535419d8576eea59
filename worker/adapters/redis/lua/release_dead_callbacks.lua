#!lua flags=allow-oom
-- Let callbacks go that were given up: to the outbox, to be made from the start, or for good.
-- Safe to repeat: what was let go is left alone.
--
-- KEYS  1 uncalled, 2 outbox, then the records
-- ARGV  1 now in ms ('' = the server's clock), 2 what happens (replay, discard), then the callbacks:
--       `<appId>#<messageId>#<finality>` or `<appId>#<batchId>#<percentage>`
-- RETURNS  an array: 0 it is not among them, 1 done
local now = ARGV[1]
if now == '' then
  local t = redis.call('TIME')
  now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
end
local result = {}
for i = 3, #ARGV do
  local record, finality = KEYS[i], string.match(ARGV[i], '%d+$')
  result[i - 2] = redis.call('ZREM', KEYS[1], ARGV[i])
  local told = redis.call('HGET', record, 'cb')
  if result[i - 2] == 1 and ARGV[2] == 'replay' and told and string.match(told, '%d+$') == finality then
    redis.call('ZADD', KEYS[2], now, ARGV[i])
    redis.call('HSET', record, 'cbs', finality .. '|W|' .. now .. '|' .. now .. '|0|')
  end
end
return result
