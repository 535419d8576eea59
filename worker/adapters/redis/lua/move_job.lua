#!lua flags=allow-oom
-- Change the state of a batch job. Whoever changed it carries it out in the ledger; should that die, somebody else does, as
-- the index says when to look.
-- Safe to repeat: the state that it has is kept, with its version.
--
-- KEYS  1 index of jobs, 2 job, 3 index of progress
-- ARGV  1 now in ms ('' = the server's clock), 2 origin, 3 state, 4 after how many ms somebody else carries it out,
--       5 messages of the batch that have their outcome, then the states on which it may follow
-- RETURNS  1 MOVED, 2 REFUSED, 3 INCOMPLETE, 4 EMPTY, 5 ABSENT
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local r = redis.call('HMGET', KEYS[2], 'state', 'lacking', 'rows', 'passed')
if not r[1] then return 5 end
if r[1] == ARGV[3] then
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[4]), ARGV[2])
  return 1
end
local follows = false
for i = 6, #ARGV do follows = follows or ARGV[i] == r[1] end
if not follows then return 2 end
if ARGV[3] == 'RUNNING' and r[1] == 'HELD' then
  if tonumber(r[2]) > 0 then return 3 end
  if tonumber(r[3]) == 0 then return 4 end
end
redis.call('HSET', KEYS[2], 'state', ARGV[3], 'changed', string.format('%.0f', now), 'ended', ARGV[5])
redis.call('HINCRBY', KEYS[2], 'version', 1)
if r[4] ~= '100' then redis.call('ZADD', KEYS[3], string.format('%.0f', now), ARGV[2]) end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[4]), ARGV[2])
return 1
