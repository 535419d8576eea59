#!lua flags=allow-oom
-- Extend the leases of messages that a claim still holds, while its calls are in flight.
-- Safe to repeat: the lease then ends a little later.
--
-- KEYS  1 due, then the records
-- ARGV  1 now in ms ('' = the server's clock), 2 lease in ms, then 3 for each message: id, claim id, attempt
-- RETURNS  an array: 1 extended, 0 another claim has it or it is settled
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local until_ms = string.format('%.0f', now + ARGV[2])
local result = {}
for i = 1, #KEYS - 1 do
  local a, record = i * 3, KEYS[1 + i]
  local r = redis.call('HMGET', record, 'attempt', 'held')
  local lease, claimed, claim = string.match(r[2] or '', '^(%d+)|(%d+)|(.*)$')
  result[i] = 0
  if r[1] == ARGV[a + 2] and claim == ARGV[a + 1] and lease ~= '0' then
    redis.call('HSET', record, 'held', until_ms .. '|' .. claimed .. '|' .. claim)
    redis.call('ZADD', KEYS[1], until_ms, ARGV[a])
    result[i] = 1
  end
end
return result
