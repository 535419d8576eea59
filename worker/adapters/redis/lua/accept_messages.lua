#!lua
-- Take new messages of one merchant in one lane, of one batch or of none: record, payload, counters and one home, the
-- schedule until its time, the due index while the merchant's window has room, nothing waits in the origin's backlog and
-- nothing is paused, else that backlog, by its deadline. A batch is paused or staged, where that is asked for, by the call that brings its first
-- message.
-- Safe to repeat: a known message answers REPEATED or INCONSISTENT and is left alone.
--
-- KEYS  1 due, 2 window, 3 backlog of (lane, origin), 4 backlogs of the lane, 5 counters, 6 waiting, 7 stopped of the
--       lane, 8 paused, 9 staged, 10 started, 11 batches, 12 rows, 13 scheduled, 14 plans, then 2 for each message:
--       record (its key ends with the id, of 32 digits), payload
-- ARGV  1 now in ms ('' = the server's clock), 2 appId, 3 lane, 4 grace in ms, 5 window size, 6 most that may wait for
--       a retry, 7 outcomes that the merchant is told as in SFU, 8 batchId ('' = none), 9 start of a batch (at once,
--       paused, staged), 10 how long a batch may be staged in ms, 11 how many different 4 there are that messages have
--       in common, then these 4 for each: the record's `tpl`, deliver_within in ms, PUSH state, INBOX state ('' = not a
--       channel of it); then 5 for each message: requestId, fingerprint, user, which of the 4 it has (from 0),
--       payload; then, where any message has one of these, 3 for each: row in the batch, ms when to send it, ms when it
--       expires ('' = none)
-- RETURNS  an array: 1 DUE, 2 BACKLOGGED, 3 REPEATED, 4 INCONSISTENT, 6 STAGED, 7 SCHEDULED
local COMMONS, COMMON, WIDTH, SHARED, ID = 11, 4, 5, 14, 32
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local app, lane, batch = ARGV[2], ARGV[3], ARGV[8]
local number = (#KEYS - SHARED) / 2
local first_message = COMMONS + ARGV[COMMONS] * COMMON
local extras = first_message + number * WIDTH
local has_extras = #ARGV > extras
-- Numbers are written as text once: Redis would format each anew.
local taken, due_at = string.format('%.0f', now), string.format('%.0f', now + ARGV[4])
local prefix, origin, paused, begun = lane .. '#' .. app .. '#', app, nil, 0
if batch == '' then
  paused = redis.call('ZSCORE', KEYS[8], app)
else
  origin = app .. '#' .. batch
  local first = redis.call('HEXISTS', KEYS[11], origin .. '#taken') == 0
  if ARGV[9] == 'staged' and (first or redis.call('ZSCORE', KEYS[9], origin)) then
    redis.call('ZADD', KEYS[9], 'GT', string.format('%.0f', now + ARGV[10]), origin)
    begun = redis.call('ZADD', KEYS[8], 'NX', taken, origin)
  elseif ARGV[9] == 'paused' and first and not redis.call('ZSCORE', KEYS[10], origin) then
    begun = redis.call('ZADD', KEYS[8], 'NX', taken, origin)
  end
  paused = redis.call('ZSCORE', KEYS[8], origin) or redis.call('ZSCORE', KEYS[8], app)
end
local first, last, room = '[' .. prefix, '(' .. lane .. '#' .. app .. '$', 0
if not paused and redis.call('EXISTS', KEYS[3]) == 0 and redis.call('ZLEXCOUNT', KEYS[6], first, last) < tonumber(ARGV[6]) then
  room = ARGV[5] - redis.call('ZLEXCOUNT', KEYS[2], first, last)
end
local within, expires
local result, due, window, waiting, listed, scheduled, plans, new = {}, {}, {}, {}, {}, {}, {}, 0
local opened = { PUSH = 0, INBOX = 0 }

-- A known message of another batch that is staged may yet be withdrawn.
local function staged(record)
  local other = redis.call('HGET', record, 'batch')
  return other and other ~= batch and redis.call('ZSCORE', KEYS[9], app .. '#' .. other)
end

-- Mostly all are new: asked once for all of them.
local records, met = {}, {}
for i = 1, number do records[i] = KEYS[SHARED + i * 2 - 1] end
local all_new = redis.call('EXISTS', unpack(records)) == 0

for i = 1, number do
  local a = first_message + (i - 1) * WIDTH
  local record = records[i]
  local known = (not all_new or met[record]) and redis.call('HMGET', record, 'fp', 'user')
  met[record] = true
  if known and known[1] then
    result[i] = staged(record) and 6 or (known[1] == ARGV[a + 2] and known[2] == ARGV[a + 3]) and 3 or 4
  else
    local id, c = string.sub(record, -ID), COMMONS + ARGV[a + 4] * COMMON
    local push, inbox = ARGV[c + 3], ARGV[c + 4]
    if within ~= ARGV[c + 2] then
      within = ARGV[c + 2]
      expires = string.format('%.0f', now + within)
    end
    local row, send_at, deadline = '', 0, expires
    if has_extras then
      local e = extras + (i - 1) * 3
      row, send_at, deadline = ARGV[e + 1], tonumber(ARGV[e + 2]) or 0, ARGV[e + 3]
      if deadline == '' then deadline = string.format('%.0f', math.max(now, send_at) + within) end
    end
    -- What is read most often comes first, where Redis finds it soonest.
    redis.call('HSET', record, 'PUSH', push, 'INBOX', inbox, 'app', app, 'lane', lane, 'taken', taken, 'exp', deadline,
      'fp', ARGV[a + 2], 'user', ARGV[a + 3], 'req', ARGV[a + 1],
      'tpl', ARGV[c + 1])
    redis.call('SET', KEYS[SHARED + i * 2], ARGV[a + 5])
    if ARGV[7] ~= '' then redis.call('HSET', record, 'cb', ARGV[7] .. '|0') end
    if push == 'O' then opened.PUSH = opened.PUSH + 1 end
    if inbox == 'O' then opened.INBOX = opened.INBOX + 1 end
    if batch ~= '' then
      new = new + 1
      redis.call('HSET', record, 'batch', batch)
      if row ~= '' then
        redis.call('HSET', record, 'row', row)
        listed[#listed + 1] = 0
        listed[#listed + 1] = string.format('%s#%08d#%s', origin, row, id)
      end
    end
    if send_at > now then
      result[i] = 7
      redis.call('HSET', record, 'nb', ARGV[extras + (i - 1) * 3 + 2], 'why', 'SCHEDULE')
      scheduled[#scheduled + 1] = ARGV[extras + (i - 1) * 3 + 2]
      scheduled[#scheduled + 1] = prefix .. batch .. '#' .. id .. '#' .. deadline
      plans[#plans + 1] = 0
      plans[#plans + 1] = scheduled[#scheduled]
    elseif room > 0 then
      room = room - 1
      result[i] = 1
      due[#due + 1] = due_at
      due[#due + 1] = id
      window[#window + 1] = 0
      window[#window + 1] = prefix .. id
    else
      result[i] = 2
      waiting[#waiting + 1] = deadline
      waiting[#waiting + 1] = id
    end
  end
end
if #due > 0 then
  redis.call('ZADD', KEYS[1], unpack(due))
  redis.call('ZADD', KEYS[2], unpack(window))
end
if #waiting > 0 then
  redis.call('ZADD', KEYS[3], unpack(waiting))
  if paused then
    local earliest = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
    redis.call('ZADD', KEYS[7], 'LT', earliest[2], origin)
  else
    local least = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
    redis.call('ZADD', KEYS[4], 'NX', least[2] or 0, origin)
  end
end
if #scheduled > 0 then
  redis.call('ZADD', KEYS[13], unpack(scheduled))
  redis.call('ZADD', KEYS[14], unpack(plans))
end
if #listed > 0 then redis.call('ZADD', KEYS[12], unpack(listed)) end
if new == 0 and begun == 1 then
  redis.call('ZREM', KEYS[8], origin)
  redis.call('ZREM', KEYS[9], origin)
end
if new > 0 then
  redis.call('HINCRBY', KEYS[11], origin .. '#taken', new)
  redis.call('HINCRBY', KEYS[11], origin .. '#open', new)
end
for channel, opens in pairs(opened) do
  if opens > 0 then
    redis.call('HINCRBY', KEYS[5], app .. '#' .. channel .. '#accepted', opens)
    redis.call('HINCRBY', KEYS[5], app .. '#' .. channel .. '#open', opens)
  end
end
return result
