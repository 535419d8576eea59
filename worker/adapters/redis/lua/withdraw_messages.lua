#!lua flags=allow-oom
-- Erase messages of a paused batch that wait in its backlog or for their time and were never in anybody's hands, as if they had never been
-- taken. Once nothing is left there, the batch is neither paused nor staged any more. A batch of which nothing is left in the shard
-- but what was forgotten is forgotten there.
-- Safe to repeat: what is erased is in neither.
--
-- KEYS  1 paused, 2 staged, 3 counters, 4 batches, 5 rows, 6 backlog of (single, origin), 7 stopped of single,
--       8 backlog of (bulk, origin), 9 stopped of bulk, 10 scheduled, 11 plans, then 2 for each message: record, payload
-- ARGV  1 appId, 2 batchId, then the ids
-- RETURNS  how many were erased
local app, origin = ARGV[1], ARGV[1] .. '#' .. ARGV[2]
if not redis.call('ZSCORE', KEYS[1], origin) then return 0 end
local erased, moves, rows = 0, {}, {}

local function erase(id, record, payload)
  local r = redis.call('HMGET', record, 'PUSH', 'INBOX', 'attempt', 'row', 'lane', 'exp')
  if r[3] or not r[1] then return end
  local plan = r[5] .. '#' .. origin .. '#' .. id .. '#' .. r[6]
  local homes = redis.call('ZREM', KEYS[6], id) + redis.call('ZREM', KEYS[8], id) + redis.call('ZREM', KEYS[10], plan)
  redis.call('ZREM', KEYS[11], plan)
  if homes == 0 then return end
  for c, channel in ipairs({ 'PUSH', 'INBOX' }) do
    if r[c] == 'O' then moves[channel] = (moves[channel] or 0) - 1 end
  end
  if r[4] then rows[#rows + 1] = string.format('%s#%08d#%s', origin, r[4], id) end
  redis.call('DEL', record, payload)
  erased = erased + 1
end

for i = 1, #ARGV - 2 do erase(ARGV[2 + i], KEYS[10 + i * 2], KEYS[11 + i * 2]) end
if erased > 0 then
  for channel, number in pairs(moves) do
    redis.call('HINCRBY', KEYS[3], app .. '#' .. channel .. '#accepted', number)
    redis.call('HINCRBY', KEYS[3], app .. '#' .. channel .. '#open', number)
  end
  redis.call('HINCRBY', KEYS[4], origin .. '#open', -erased)
  local taken = redis.call('HINCRBY', KEYS[4], origin .. '#taken', -erased)
  if taken == tonumber(redis.call('HGET', KEYS[4], origin .. '#forgotten') or 0) then
    for _, status in ipairs({ 'taken', 'open', 'S', 'F', 'U', 'forgotten' }) do
      redis.call('HDEL', KEYS[4], origin .. '#' .. status)
    end
  end
  if #rows > 0 then redis.call('ZREM', KEYS[5], unpack(rows)) end
end
local left = 0
for k = 6, 8, 2 do
  local exists = redis.call('EXISTS', KEYS[k])
  if exists == 0 then redis.call('ZREM', KEYS[k + 1], origin) end
  left = left + exists
end
for _, lane in ipairs({ 'single', 'bulk' }) do
  local place = lane .. '#' .. origin
  left = left + redis.call('ZLEXCOUNT', KEYS[11], '[' .. place .. '#', '(' .. place .. '$')
end
if left == 0 then
  redis.call('ZREM', KEYS[1], origin)
  redis.call('ZREM', KEYS[2], origin)
end
return erased
