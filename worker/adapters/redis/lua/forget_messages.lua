#!lua flags=allow-oom
-- Erase final messages whose retention is over and move their counts to forgotten; a batch of which nothing else is left
-- in the shard is forgotten there with them.
-- Safe to repeat: an erased message is no longer in the retention index.
--
-- KEYS  1 retention, 2 counters, 3 uncalled, 4 batches, 5 rows, then 2 for each message: record, payload
-- ARGV  1 now in ms ('' = the server's clock), then the ids
-- RETURNS  how many were erased
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local erased, moves, batches, rows = 0, {}, {}, {}
for i = 1, #ARGV - 1 do
  local id, record = ARGV[1 + i], KEYS[4 + i * 2]
  local score = redis.call('ZSCORE', KEYS[1], id)
  if score and tonumber(score) <= now then
    local r = redis.call('HMGET', record, 'app', 'PUSH', 'INBOX', 'cb', 'batch', 'row')
    local states = ''
    for c, channel in ipairs({ 'PUSH', 'INBOX' }) do
      local state = string.sub(r[1 + c] or '', 1, 1)
      states = states .. state
      if state == 'S' or state == 'F' or state == 'U' then
        local prefix = r[1] .. '#' .. channel .. '#'
        moves[prefix .. state] = (moves[prefix .. state] or 0) - 1
        moves[prefix .. 'forgotten'] = (moves[prefix .. 'forgotten'] or 0) + 1
      end
    end
    if r[5] then
      local origin = r[1] .. '#' .. r[5]
      local status = string.match(states, 'U') or string.match(states, 'F') or 'S'
      batches[origin] = batches[origin] or { S = 0, F = 0, U = 0 }
      batches[origin][status] = batches[origin][status] + 1
      if r[6] then rows[#rows + 1] = string.format('%s#%08d#%s', origin, r[6], id) end
    end
    redis.call('DEL', record, KEYS[5 + i * 2])
    redis.call('ZREM', KEYS[1], id)
    if r[4] then redis.call('ZREM', KEYS[3], r[1] .. '#' .. id .. '#' .. string.match(r[4], '%d+$')) end
    erased = erased + 1
  end
end
for field, number in pairs(moves) do redis.call('HINCRBY', KEYS[2], field, number) end
if #rows > 0 then redis.call('ZREM', KEYS[5], unpack(rows)) end
for origin, statuses in pairs(batches) do
  local gone = 0
  for status, number in pairs(statuses) do
    gone = gone + number
    if number > 0 then redis.call('HINCRBY', KEYS[4], origin .. '#' .. status, -number) end
  end
  if redis.call('HINCRBY', KEYS[4], origin .. '#forgotten', gone) == tonumber(redis.call('HGET', KEYS[4], origin .. '#taken')) then
    for _, status in ipairs({ 'taken', 'open', 'S', 'F', 'U', 'forgotten' }) do
      redis.call('HDEL', KEYS[4], origin .. '#' .. status)
    end
  end
end
return erased
