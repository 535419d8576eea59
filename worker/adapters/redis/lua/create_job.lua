#!lua
-- Note the definition of a batch job, unless it is there.
-- Safe to repeat: a known job is left alone.
--
-- KEYS  1 index of jobs, 2 job
-- ARGV  1 now in ms ('' = the server's clock), 2 origin, 3 definition, 4 after how many ms somebody
--       looks at it
-- RETURNS  1 NEW, 2 KNOWN, 3 INCONSISTENT
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local known = redis.call('HGET', KEYS[2], 'def')
if known then return known == ARGV[3] and 2 or 3 end
local now_text = string.format('%.0f', now)
redis.call('HSET', KEYS[2], 'def', ARGV[3], 'state', 'HELD', 'version', 0,
  'created', now_text, 'changed', now_text, 'rows', 0, 'lacking', 0)
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[4]), ARGV[2])
return 1
