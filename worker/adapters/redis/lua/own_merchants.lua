#!lua flags=allow-oom
-- Give a process the right to call merchants back, alone, for a while; a lease of 0 ends it.
-- Safe to repeat: who has the right gets it again.
--
-- KEYS  1 owners
-- ARGV  1 now in ms ('' = the server's clock), 2 process, 3 lease in ms, then the appIds
-- RETURNS  an array: 0 another process has it, 1 the process has it
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local process, result = ARGV[2], {}
for i = 4, #ARGV do
  local owner, until_ms = string.match(redis.call('HGET', KEYS[1], ARGV[i]) or '', '^(.*)|(%d+)$')
  result[i - 3] = (not owner or owner == process or tonumber(until_ms) <= now) and 1 or 0
  if result[i - 3] == 1 then
    if ARGV[3] == '0' then
      redis.call('HDEL', KEYS[1], ARGV[i])
    else
      redis.call('HSET', KEYS[1], ARGV[i], process .. '|' .. string.format('%.0f', now + ARGV[3]))
    end
  end
end
return result
