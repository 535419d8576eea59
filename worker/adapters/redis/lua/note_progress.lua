#!lua flags=allow-oom
-- Note how far a batch job is: the percentage that it passed, when that is 100, and what its merchant is told of that, in the
-- outbox; unless the job changed since it was read, as a state or a part more, or as somebody else noted it.
-- Safe to repeat: a percentage that is noted is not noted again.
--
-- KEYS  1 index of progress, 2 job, 3 outbox, 4 what is told of the percentage
-- ARGV  1 now in ms ('' = the server's clock), 2 origin, 3 version, 4 rows, 5 percentage that was passed before,
--       6 percentage that is passed, 7 after how many ms somebody looks again, 8 what is told ('' = nobody is)
-- RETURNS  1 noted, 0 the job changed, or it is gone
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local now_text, origin, passed = string.format('%.0f', now), ARGV[2], ARGV[6]
local r = redis.call('HMGET', KEYS[2], 'version', 'rows', 'passed')
if r[1] ~= ARGV[3] or r[2] ~= ARGV[4] or (r[3] or '0') ~= ARGV[5] then return 0 end
if passed ~= ARGV[5] then
  if passed == '100' then
    redis.call('HSET', KEYS[2], 'passed', passed, 'settled', now_text)
  else
    redis.call('HSET', KEYS[2], 'passed', passed)
  end
  if ARGV[8] ~= '' then
    redis.call('HSET', KEYS[4], 'cb', '|' .. passed, 'told', now_text .. '|' .. ARGV[8])
    redis.call('ZADD', KEYS[3], now_text, origin .. '#' .. passed)
  end
end
if passed == '100' then
  redis.call('ZREM', KEYS[1], origin)
else
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[7]), origin)
end
return 1
