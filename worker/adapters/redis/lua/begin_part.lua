#!lua
-- Let an upload take a part of a batch job: only one upload of it may write, the newest. What an earlier one noted of its
-- rejected rows is let go, as they are judged anew.
-- Safe to repeat: the same upload begins again with nothing noted.
--
-- KEYS  1 job, 2 rejected rows of the part
-- ARGV  1 part, 2 sha256, 3 rows, 4 upload, 5 most rows of a batch, 6 number of the last row
-- RETURNS  1 BEGUN, 2 DONE, 3 INCONSISTENT, 4 TOO_MANY, 5 ABSENT, 6 CANCELLED
local part = ARGV[1]
local r = redis.call('HMGET', KEYS[1], 'state', 'p' .. part, 'd' .. part, 'rows')
if not r[1] then return 5 end
if r[2] then
  if r[2] ~= ARGV[2] .. '|' .. ARGV[3] .. '|' .. ARGV[6] then return 3 end
  if r[3] then return 2 end
end
if r[1] == 'CANCELLED' then return 6 end
if not r[2] then
  if r[4] + ARGV[3] > tonumber(ARGV[5]) then return 4 end
  redis.call('HSET', KEYS[1], 'p' .. part, ARGV[2] .. '|' .. ARGV[3] .. '|' .. ARGV[6])
  redis.call('HINCRBY', KEYS[1], 'rows', ARGV[3])
  redis.call('HINCRBY', KEYS[1], 'lacking', 1)
end
redis.call('HSET', KEYS[1], 'u' .. part, ARGV[4])
redis.call('DEL', KEYS[2])
return 1
