#!lua flags=allow-oom
-- End messages of one origin in one lane that no gateway was asked for: F CANCELLED, counted so, out of every index,
-- kept for the retention, payload erased, and put into the outbox of callbacks where the merchant wants to hear of F.
-- What a worker holds, what was tried, what is final and what is staged is left alone.
-- Safe to repeat: what is cancelled answers CANCELLED again and is left alone.
--
-- KEYS  1 due, 2 window, 3 waiting, 4 backlog of (lane, origin), 5 backlogs of the lane, 6 stopped of the lane,
--       7 counters, 8 retention, 9 outbox, 10 batches, 11 scheduled, 12 plans, 13 staged, then 2 for each message:
--       record, payload
-- ARGV  1 now in ms ('' = the server's clock), 2 retention in ms, 3 lane, 4 appId, 5 batchId ('' = none), 6 ms after
--       which nothing taken is cancelled ('' = whatever is there), 7 reason, then the ids
-- RETURNS  an array: 1 CANCELLED, 2 FINAL, 3 TRIED, 4 HELD, 5 LATER, 6 UNKNOWN
local FIXED = 7
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local forget_at, now_text = string.format('%.0f', now + ARGV[2]), string.format('%.0f', now)
local lane, app, batch, latest = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]) or math.huge
local origin = batch == '' and app or app .. '#' .. batch
local ended = 'F|' .. now_text .. '|CANCELLED|cancelled before it was sent'
local result, gone, places, plans, kept, calls, payloads = {}, {}, {}, {}, {}, {}, {}
local opened = { PUSH = 0, INBOX = 0 }
-- Cancelled, it would outlive the withdrawal of its batch, and a repeat would be told that it is taken.
local staged = batch ~= '' and redis.call('ZSCORE', KEYS[13], origin)

-- Return why a message is not cancelled, or 0.
local function obstacle(r)
  if not r[1] or r[1] ~= app or r[2] ~= lane or (r[3] or '') ~= batch then return 6 end
  local open = string.sub(r[4], 1, 1) == 'O' or string.sub(r[5], 1, 1) == 'O'
  if not open then return string.find(r[4] .. '#' .. r[5], 'F|%d+|CANCELLED|') and 1 or 2 end
  if staged or r[6] and string.sub(r[6], 1, 2) ~= '0|' then return 4 end
  -- A dead letter that was replayed was tried in its first life.
  if tonumber(r[7] or 0) > 0 or tonumber(r[8] or 0) > 0 or r[9] then return 3 end
  if string.find(r[4] .. '#' .. r[5], 'O|%d+|UNANSWERED|') then return 3 end
  return tonumber(r[10]) > latest and 5 or 0
end

for i = 1, #ARGV - FIXED do
  local id, record = ARGV[FIXED + i], KEYS[12 + i * 2]
  local r = redis.call('HMGET', record, 'app', 'lane', 'batch', 'PUSH', 'INBOX', 'held', 'tries', 'crashes', 'run', 'taken',
    'attempt', 'cb', 'exp')
  result[i] = obstacle(r)
  if result[i] == 0 then
    result[i] = 1
    local changes = { 'n' .. (r[11] or 0), now_text .. '|CANCELLED|||' .. ARGV[7] }
    for c, channel in ipairs({ 'PUSH', 'INBOX' }) do
      if string.sub(r[3 + c], 1, 1) == 'O' then
        opened[channel] = opened[channel] + 1
        changes[#changes + 1] = channel
        changes[#changes + 1] = ended
      end
    end
    if r[12] then
      local wanted, finality = string.match(r[12], '^(%a*)|(%d+)$')
      finality = string.format('%d', finality + 1)
      changes[#changes + 1] = 'cb'
      changes[#changes + 1] = wanted .. '|' .. finality
      if string.find(wanted, 'F', 1, true) then
        calls[#calls + 1] = now_text
        calls[#calls + 1] = app .. '#' .. id .. '#' .. finality
      end
    end
    redis.call('HSET', record, unpack(changes))
    gone[#gone + 1] = id
    places[#places + 1] = lane .. '#' .. app .. '#' .. id
    plans[#plans + 1] = lane .. '#' .. app .. '#' .. batch .. '#' .. id .. '#' .. r[13]
    redis.call('HDEL', record, 'nb', 'why')
    kept[#kept + 1] = forget_at
    kept[#kept + 1] = id
    payloads[#payloads + 1] = KEYS[13 + i * 2]
  end
end
if #gone == 0 then return result end
redis.call('ZREM', KEYS[1], unpack(gone))
redis.call('ZREM', KEYS[2], unpack(places))
redis.call('ZREM', KEYS[3], unpack(places))
redis.call('ZREM', KEYS[11], unpack(plans))
redis.call('ZREM', KEYS[12], unpack(plans))
if redis.call('ZREM', KEYS[4], unpack(gone)) > 0 and redis.call('EXISTS', KEYS[4]) == 0 then
  redis.call('ZREM', KEYS[5], origin)
  redis.call('ZREM', KEYS[6], origin)
end
redis.call('ZADD', KEYS[8], unpack(kept))
if #calls > 0 then redis.call('ZADD', KEYS[9], unpack(calls)) end
redis.call('DEL', unpack(payloads))
for channel, number in pairs(opened) do
  if number > 0 then
    redis.call('HINCRBY', KEYS[7], app .. '#' .. channel .. '#open', -number)
    redis.call('HINCRBY', KEYS[7], app .. '#' .. channel .. '#F', number)
  end
end
if batch ~= '' then
  redis.call('HINCRBY', KEYS[10], origin .. '#open', -#gone)
  redis.call('HINCRBY', KEYS[10], origin .. '#F', #gone)
end
return result
