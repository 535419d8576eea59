#!lua flags=allow-oom
-- Put what the outbox holds for one merchant into its own queue, so that a merchant who is slow keeps nobody waiting.
-- Safe to repeat: what is no longer in the outbox is left alone.
--
-- KEYS  1 outbox, 2 callbacks, 3 callbacks of the merchant
-- ARGV  1 now in ms ('' = the server's clock), 2 appId, then the callbacks: `<messageId>#<finality>` or
--       `<batchId>#<percentage>`
-- RETURNS  how many were moved
local now = ARGV[1]
if now == '' then
  local t = redis.call('TIME')
  now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
end
local app, moved = ARGV[2], {}
for i = 3, #ARGV do
  if redis.call('ZREM', KEYS[1], app .. '#' .. ARGV[i]) == 1 then
    moved[#moved + 1] = now
    moved[#moved + 1] = ARGV[i]
  end
end
if #moved > 0 then
  redis.call('ZADD', KEYS[3], unpack(moved))
  redis.call('ZADD', KEYS[2], 'LT', now, app)
end
return #moved / 2
