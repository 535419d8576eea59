#!lua flags=allow-oom
-- Give messages of one merchant in one lane the home that their records ask for, whatever an audit saw before: an open
-- one is due or in its backlog, a final or unknown one in neither, and only who is due is in the window.
-- Safe to repeat: what is sound is left alone.
--
-- KEYS  1 due, 2 window, 3 backlog of (lane, app), then the records
-- ARGV  1 now in ms ('' = the server's clock), 2 lane, 3 appId, then 2 for each message: id, a member of the window
--       that names it ('' = none was seen)
-- RETURNS  an array: 0 NOTHING, 1 PUT_BACK, 2 TAKEN_OUT, 3 MOVED_IN, 4 MADE_ROOM
local FIXED, WIDTH = 3, 2
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local result = {}
for i = 1, (#ARGV - FIXED) / WIDTH do
  local a = FIXED + (i - 1) * WIDTH
  local id, member = ARGV[a + 1], ARGV[a + 2]
  local own = ARGV[2] .. '#' .. ARGV[3] .. '#' .. id
  local r = redis.call('HMGET', KEYS[3 + i], 'PUSH', 'INBOX', 'nb')
  local open = string.sub(r[1] or '', 1, 1) == 'O' or string.sub(r[2] or '', 1, 1) == 'O'
  local due = redis.call('ZSCORE', KEYS[1], id)
  local backlogged = redis.call('ZSCORE', KEYS[3], id)
  result[i] = 0
  if not open then
    local gone = redis.call('ZREM', KEYS[1], id) + redis.call('ZREM', KEYS[2], own) + redis.call('ZREM', KEYS[3], id)
    if gone > 0 then result[i] = 2 end
  elseif due and backlogged then
    redis.call('ZREM', KEYS[3], id)
    result[i] = 3
  elseif not due and not backlogged then
    redis.call('ZADD', KEYS[1], now, id)
    if not r[3] then redis.call('ZADD', KEYS[2], 0, own) end
    due = now
    result[i] = 1
  end
  if member ~= '' and (member ~= own or not due) and redis.call('ZREM', KEYS[2], member) == 1 and result[i] == 0 then
    result[i] = 4
  end
end
return result
