#!lua flags=allow-oom
-- Note when somebody looks at a batch job next, and whether the ledger did what its state says, unless the state was
-- changed since it was read.
-- Safe to repeat: it only says so again.
--
-- KEYS  1 index of jobs, 2 job
-- ARGV  1 now in ms ('' = the server's clock), 2 origin, 3 version, 4 after how many ms,
--       5 `done`, or `` while the ledger does it
-- RETURNS  1 said, 0 its state was changed, or it is gone
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
if redis.call('HGET', KEYS[2], 'version') ~= ARGV[3] then return 0 end
if ARGV[5] == 'done' then redis.call('HSET', KEYS[2], 'carried', ARGV[3]) end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[4]), ARGV[2])
return 1
