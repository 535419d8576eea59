#!lua flags=allow-oom
-- Let dead letters go: outcomes stay and are forgotten after the retention, payloads are erased.
-- Safe to repeat: what this run discarded answers the same and is left alone.
--
-- KEYS  1 retention, 2 dead, 3 cards, 4 unknown, then 2 for each message: record, payload
-- ARGV  1 now in ms ('' = the server's clock), 2 retention in ms, 3 run, 4 reason, then the ids
-- RETURNS  an array: 1 DONE, 3 REFUSED
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local forget_at, now_text = string.format('%.0f', now + ARGV[2]), string.format('%.0f', now)
local run, result = ARGV[3], {}
for i = 1, #ARGV - 4 do
  local id, record = ARGV[4 + i], KEYS[3 + i * 2]
  local died = redis.call('ZSCORE', KEYS[2], id)
  local r = redis.call('HMGET', record, 'run', 'dead', 'attempt')
  if r[1] and string.sub(r[1], 3) == run then
    result[i] = tonumber(string.sub(r[1], 1, 1))
  elseif not died or not r[2] then
    result[i] = 3
  else
    result[i] = 1
    redis.call('HSET', record, 'run', '1|' .. run,
      'n' .. (r[3] or 0), now_text .. '|DISCARDED|' .. r[2] .. '|' .. run .. '|' .. ARGV[4])
    redis.call('HDEL', record, 'dead')
    redis.call('ZREM', KEYS[2], id)
    local place = string.format('%013.0f#%s', died, id)
    redis.call('ZREMRANGEBYLEX', KEYS[3], '[' .. place .. ' ', '(' .. place .. '!')
    redis.call('ZADD', KEYS[1], forget_at, id)
    redis.call('ZREM', KEYS[4], id)
    redis.call('DEL', KEYS[4 + i * 2])
  end
end
return result
