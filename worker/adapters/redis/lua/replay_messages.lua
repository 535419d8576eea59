#!lua
-- Open dead letters of one origin in one lane again: F and U channels are open, S stays, tries and crashes begin
-- anew, the attempt number goes on (a fencing token never goes back), and the home is chosen as at accept. A letter
-- without F and U is final.
-- Safe to repeat: what this run replayed answers the same and is left alone, even if it died again.
--
-- KEYS  1 due, 2 window, 3 backlog of (lane, origin), 4 backlogs of the lane, 5 counters, 6 retention, 7 dead, 8 cards,
--       9 waiting, 10 unanswered, 11 unknown, 12 uncalled, 13 stopped of the lane, 14 paused, 15 batches, then 2 for
--       each message: record, payload
-- ARGV  1 now in ms ('' = the server's clock), 2 appId, 3 lane, 4 window size, 5 deliver_within in ms, 6 retention in
--       ms, 7 run, 8 most that may wait for a retry, 9 batchId ('' = none), then the ids
-- RETURNS  an array: 1 SENT, 2 SUPPRESSED, 3 REFUSED, 4 EMPTY
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local app, lane, run = ARGV[2], ARGV[3], ARGV[7]
local origin = ARGV[9] == '' and app or app .. '#' .. ARGV[9]
local paused = redis.call('ZSCORE', KEYS[14], origin) or redis.call('ZSCORE', KEYS[14], app)
local prefix, now_text = lane .. '#' .. app .. '#', string.format('%.0f', now)
local expires = string.format('%.0f', now + ARGV[5])
local first, last, room = '[' .. prefix, '(' .. lane .. '#' .. app .. '$', 0
if not paused and redis.call('EXISTS', KEYS[3]) == 0 and redis.call('ZLEXCOUNT', KEYS[9], first, last) < tonumber(ARGV[8]) then
  room = ARGV[4] - redis.call('ZLEXCOUNT', KEYS[2], first, last)
end
local result, waiting, moves, batch, reopened = {}, {}, {}, ARGV[9], {}

local function reopen(changes, channel, field)
  local state, counter = string.sub(field, 1, 1), app .. '#' .. channel .. '#'
  if state ~= 'F' and state ~= 'U' then return 0 end
  changes[#changes + 1] = channel
  -- A U says that the gateway may have acted: the next claim must know.
  changes[#changes + 1] = state == 'U' and 'O' .. string.sub(field, 2) or 'O'
  moves[counter .. state] = (moves[counter .. state] or 0) - 1
  moves[counter .. 'open'] = (moves[counter .. 'open'] or 0) + 1
  return 1
end

local function misses_answer(changes)
  for _, field in ipairs(changes) do
    if string.find(field, '^O|%d+|UNANSWERED|') then return true end
  end
  return false
end

for i = 1, #ARGV - 9 do
  local id, record, payload = ARGV[9 + i], KEYS[14 + i * 2], KEYS[15 + i * 2]
  local died = redis.call('ZSCORE', KEYS[7], id)
  local r = redis.call('HMGET', record, 'run', 'dead', 'PUSH', 'INBOX', 'attempt', 'lane', 'cb', 'batch')
  if r[6] ~= lane or (r[8] or '') ~= batch then
    result[i] = 3 -- not what the caller saw: that was forgotten, and its requestId taken again
  elseif r[1] and string.sub(r[1], 3) == run then
    result[i] = tonumber(string.sub(r[1], 1, 1))
  elseif not died or not r[2] then
    result[i] = 3
  elseif redis.call('EXISTS', payload) == 0 then
    result[i] = 4
  else
    local changes = { 'exp', expires }
    result[i] = reopen(changes, 'PUSH', r[3]) + reopen(changes, 'INBOX', r[4]) > 0 and 1 or 2
    redis.call('HSET', record, 'run', result[i] .. '|' .. run,
      'n' .. (r[5] or 0), now_text .. '|REPLAYED|' .. r[2] .. '|' .. run .. '|', unpack(changes))
    if batch ~= '' and result[i] == 1 then
      local was = (string.match(r[3], '^U') or string.match(r[4], '^U')) and 'U' or 'F'
      reopened[was] = (reopened[was] or 0) + 1
    end
    redis.call('HDEL', record, 'dead', 'tries', 'crashes', 'lone', 'alone', 'hints', 'nb')
    redis.call('ZREM', KEYS[7], id)
    if misses_answer(changes) then
      redis.call('ZADD', KEYS[10], redis.call('ZSCORE', KEYS[11], id) or now_text, id)
    end
    redis.call('ZREM', KEYS[11], id)
    if r[7] and result[i] == 1 then
      redis.call('ZREM', KEYS[12], app .. '#' .. id .. '#' .. string.match(r[7], '%d+$'))
    end
    local place = string.format('%013.0f#%s', died, id)
    redis.call('ZREMRANGEBYLEX', KEYS[8], '[' .. place .. ' ', '(' .. place .. '!')
    if result[i] == 2 then
      redis.call('ZADD', KEYS[6], string.format('%.0f', now + ARGV[6]), id)
      redis.call('DEL', payload)
    elseif room > 0 then
      room = room - 1
      redis.call('ZADD', KEYS[1], now_text, id)
      redis.call('ZADD', KEYS[2], 0, prefix .. id)
    else
      waiting[#waiting + 1] = expires
      waiting[#waiting + 1] = id
    end
  end
end
if #waiting > 0 then
  redis.call('ZADD', KEYS[3], unpack(waiting))
  if paused then
    local earliest = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
    redis.call('ZADD', KEYS[13], 'LT', earliest[2], origin)
  else
    local least = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
    redis.call('ZADD', KEYS[4], 'NX', least[2] or 0, origin)
  end
end
for field, number in pairs(moves) do redis.call('HINCRBY', KEYS[5], field, number) end
for status, number in pairs(reopened) do
  redis.call('HINCRBY', KEYS[15], origin .. '#' .. status, -number)
  redis.call('HINCRBY', KEYS[15], origin .. '#open', number)
end
return result
