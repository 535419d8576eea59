#!lua flags=allow-oom
-- Erase final messages whose retention is over and move their counts to forgotten.
-- Safe to repeat: an erased message is no longer in the retention index.
--
-- KEYS  1 retention, 2 counters, 3 uncalled, then 2 for each message: record, payload
-- ARGV  1 now in ms ('' = the server's clock), then the ids
-- RETURNS  how many were erased
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local erased, moves = 0, {}
for i = 1, #ARGV - 1 do
  local id, record = ARGV[1 + i], KEYS[2 + i * 2]
  local score = redis.call('ZSCORE', KEYS[1], id)
  if score and tonumber(score) <= now then
    local r = redis.call('HMGET', record, 'app', 'PUSH', 'INBOX', 'cb')
    for c, channel in ipairs({ 'PUSH', 'INBOX' }) do
      local state = string.sub(r[1 + c] or '', 1, 1)
      if state == 'S' or state == 'F' or state == 'U' then
        local prefix = r[1] .. '#' .. channel .. '#'
        moves[prefix .. state] = (moves[prefix .. state] or 0) - 1
        moves[prefix .. 'forgotten'] = (moves[prefix .. 'forgotten'] or 0) + 1
      end
    end
    redis.call('DEL', record, KEYS[3 + i * 2])
    redis.call('ZREM', KEYS[1], id)
    if r[4] then redis.call('ZREM', KEYS[3], r[1] .. '#' .. id .. '#' .. string.match(r[4], '%d+$')) end
    erased = erased + 1
  end
end
for field, number in pairs(moves) do redis.call('HINCRBY', KEYS[2], field, number) end
return erased
