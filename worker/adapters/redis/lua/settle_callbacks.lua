#!lua flags=allow-oom
-- End looks at callbacks of one merchant: delivered, tried again later, given up, or back untried. A compare-and-set on
-- the end of the lease, but for what was delivered: that is over, whoever has it. What is no more to be told, as its message
-- was opened again or forgotten meanwhile, is not kept among those given up.
-- Safe to repeat: what was settled has another time or is gone.
--
-- KEYS  1 callbacks, 2 callbacks of the merchant, 3 uncalled, 4 called, then the records
-- ARGV  1 now in ms ('' = the server's clock), 2 appId, then 7 for each callback: `<messageId>#<finality>` or
--       `<batchId>#<percentage>`, end of the lease in ms, verdict (delivered, retry, dead, back), delay in ms, since in ms,
--       tries, detail
-- RETURNS  an array: 0 another claim has it, 1 done
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local now_text, app, result = string.format('%.0f', now), ARGV[2], {}
local states, numbers = { delivered = 'D', retry = 'W', dead = 'X' }, { delivered = 0, dead = 0 }

-- Note the verdict in the record, if it still has that outcome; return whether it has.
local function note(record, a, verdict)
  local finality = string.match(ARGV[a + 1], '%d+$')
  local r = redis.call('HMGET', record, 'cb', 'PUSH', 'INBOX')
  local open = string.sub(r[2] or '', 1, 1) == 'O' or string.sub(r[3] or '', 1, 1) == 'O'
  if open or not r[1] or string.match(r[1], '%d+$') ~= finality then return false end
  redis.call('HSET', record, 'cbs', finality .. '|' .. states[verdict] .. '|' .. ARGV[a + 5] .. '|' .. now_text .. '|'
    .. ARGV[a + 6] .. '|' .. ARGV[a + 7])
  return true
end

for i = 1, (#ARGV - 2) / 7 do
  local a = 2 + (i - 1) * 7
  local member, verdict = ARGV[a + 1], ARGV[a + 3]
  local score = redis.call('ZSCORE', KEYS[2], member)
  result[i] = 0
  if score and (verdict == 'delivered' or tonumber(score) == tonumber(ARGV[a + 2])) then
    result[i] = 1
    if verdict == 'delivered' or verdict == 'dead' then
      redis.call('ZREM', KEYS[2], member)
      numbers[verdict] = numbers[verdict] + 1
    else
      redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[a + 4]), member)
    end
    if verdict ~= 'back' and note(KEYS[4 + i], a, verdict) and verdict == 'dead' then
      redis.call('ZADD', KEYS[3], now_text, app .. '#' .. member)
    end
  end
end
for verdict, number in pairs(numbers) do
  if number > 0 then redis.call('HINCRBY', KEYS[4], app .. '#' .. verdict, number) end
end
local head = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if head[2] then redis.call('ZADD', KEYS[1], head[2], app) else redis.call('ZREM', KEYS[1], app) end
return result
