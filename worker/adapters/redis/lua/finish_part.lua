#!lua flags=allow-oom
-- Note that all rows of a part are taken or rejected, for the upload that takes it.
-- Safe to repeat: a part that is done is left alone.
--
-- KEYS  1 job
-- ARGV  1 now in ms ('' = the server's clock), 2 part, 3 upload, 4 what became of its rows
-- RETURNS  1 done, now or before by this upload; 0 another upload takes the part
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local part = ARGV[2]
local r = redis.call('HMGET', KEYS[1], 'u' .. part, 'd' .. part)
if r[1] ~= ARGV[3] then return 0 end
if not r[2] then
  redis.call('HSET', KEYS[1], 'd' .. part, string.format('%.0f', now) .. '|' .. ARGV[4])
  redis.call('HINCRBY', KEYS[1], 'lacking', -1)
end
return 1
