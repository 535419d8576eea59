#!lua flags=allow-oom
-- Move messages of a paused origin that are due, in nobody's hands and not tried yet back into its backlog: hints that
-- name them find nothing then.
-- Safe to repeat: what is in the backlog is not due.
--
-- KEYS  1 due, 2 window, 3 backlog of (lane, origin), 4 stopped of the lane, 5 paused, then the records
-- ARGV  1 lane, 2 appId, 3 batchId ('' = none), then the ids, in the order of KEYS
-- RETURNS  how many were moved
local lane, app, batch = ARGV[1], ARGV[2], ARGV[3]
local origin = batch == '' and app or app .. '#' .. batch
if not redis.call('ZSCORE', KEYS[5], origin) and not redis.call('ZSCORE', KEYS[5], app) then return 0 end
local gone, idle, stopped, earliest = {}, {}, {}, math.huge
for i = 1, #ARGV - 3 do
  local id = ARGV[3 + i]
  local r = redis.call('HMGET', KEYS[5 + i], 'batch', 'attempt', 'exp')
  -- Not claimed yet means that no gateway was asked.
  if (r[1] or '') == batch and not r[2] and r[3] and redis.call('ZSCORE', KEYS[1], id) then
    gone[#gone + 1] = id
    idle[#idle + 1] = lane .. '#' .. app .. '#' .. id
    stopped[#stopped + 1] = r[3]
    stopped[#stopped + 1] = id
    earliest = math.min(earliest, tonumber(r[3]))
  end
end
if #gone == 0 then return 0 end
redis.call('ZREM', KEYS[1], unpack(gone))
redis.call('ZREM', KEYS[2], unpack(idle))
redis.call('ZADD', KEYS[3], unpack(stopped))
redis.call('ZADD', KEYS[4], 'LT', string.format('%.0f', earliest), origin)
return #gone
