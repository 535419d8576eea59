#!lua
-- Take new messages of one merchant in one lane: record, payload, counters and one home, the due index while the
-- merchant's window has room and nothing waits in its backlog, else that backlog, by its deadline.
-- Safe to repeat: a known message answers REPEATED or INCONSISTENT and is left alone.
--
-- KEYS  1 due, 2 window, 3 backlog of (lane, app), 4 backlogs of the lane, 5 counters, 6 waiting, then 2 for each
--       message: record, payload
-- ARGV  1 now in ms ('' = the server's clock), 2 appId, 3 lane, 4 grace in ms, 5 window size, 6 most that may wait for
--       a retry, 7 outcomes that the merchant is told as in SFU, then 12 for each message: id, requestId, fingerprint,
--       user, client, template, version, language, deliver_within in ms, PUSH state, INBOX state ('' = not a channel of
--       it), payload
-- RETURNS  an array: 1 DUE, 2 BACKLOGGED, 3 REPEATED, 4 INCONSISTENT
local FIXED, WIDTH, SHARED = 7, 12, 6
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local app, lane = ARGV[2], ARGV[3]
local prefix = lane .. '#' .. app .. '#'
local first, last, room = '[' .. prefix, '(' .. lane .. '#' .. app .. '$', 0
if redis.call('EXISTS', KEYS[3]) == 0 and redis.call('ZLEXCOUNT', KEYS[6], first, last) < tonumber(ARGV[6]) then
  room = ARGV[5] - redis.call('ZLEXCOUNT', KEYS[2], first, last)
end
-- Numbers are written as text once: Redis would format each anew.
local taken, due_at = string.format('%.0f', now), string.format('%.0f', now + ARGV[4])
local within, expires
local result, due, window, waiting = {}, {}, {}, {}
local opened = { PUSH = 0, INBOX = 0 }
for i = 1, (#ARGV - FIXED) / WIDTH do
  local a = FIXED + (i - 1) * WIDTH
  local record = KEYS[SHARED + i * 2 - 1]
  local known = redis.call('HMGET', record, 'fp', 'user')
  if known[1] then
    result[i] = (known[1] == ARGV[a + 3] and known[2] == ARGV[a + 4]) and 3 or 4
  else
    local push, inbox = ARGV[a + 10], ARGV[a + 11]
    if within ~= ARGV[a + 9] then
      within = ARGV[a + 9]
      expires = string.format('%.0f', now + within)
    end
    redis.call('HSET', record, 'app', app, 'req', ARGV[a + 2], 'fp', ARGV[a + 3], 'user', ARGV[a + 4], 'client', ARGV[a + 5],
      'lane', lane, 'tpl', ARGV[a + 6], 'ver', ARGV[a + 7], 'lang', ARGV[a + 8],
      'taken', taken, 'exp', expires, 'PUSH', push, 'INBOX', inbox)
    redis.call('SET', KEYS[SHARED + i * 2], ARGV[a + 12])
    if ARGV[7] ~= '' then redis.call('HSET', record, 'cb', ARGV[7] .. '|0') end
    if push == 'O' then opened.PUSH = opened.PUSH + 1 end
    if inbox == 'O' then opened.INBOX = opened.INBOX + 1 end
    if room > 0 then
      room = room - 1
      result[i] = 1
      due[#due + 1] = due_at
      due[#due + 1] = ARGV[a + 1]
      window[#window + 1] = 0
      window[#window + 1] = prefix .. ARGV[a + 1]
    else
      result[i] = 2
      waiting[#waiting + 1] = expires
      waiting[#waiting + 1] = ARGV[a + 1]
    end
  end
end
if #due > 0 then
  redis.call('ZADD', KEYS[1], unpack(due))
  redis.call('ZADD', KEYS[2], unpack(window))
end
if #waiting > 0 then
  redis.call('ZADD', KEYS[3], unpack(waiting))
  local least = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
  redis.call('ZADD', KEYS[4], 'NX', least[2] or 0, app)
end
for channel, number in pairs(opened) do
  if number > 0 then
    redis.call('HINCRBY', KEYS[5], app .. '#' .. channel .. '#accepted', number)
    redis.call('HINCRBY', KEYS[5], app .. '#' .. channel .. '#open', number)
  end
end
return result
