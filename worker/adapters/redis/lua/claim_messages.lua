#!lua flags=allow-oom
-- Take the messages of a hint that are open, due, not leased and of its kind: raise the attempt number (the fencing
-- token), note the claim and move the due time to the end of its lease. A lease that ran out is a crash: nobody can say
-- what was sent under it, so the open channels become UNANSWERED.
-- Safe to repeat: a message held by the same claim id gives the same answer and keeps its attempt number.
--
-- KEYS  1 due, 2 unanswered, then 2 for each message: record, payload
-- ARGV  1 now in ms ('' = the server's clock), 2 claim id, 3 lease in ms, 4 kind (normal takes what never crashed,
--       suspects at most one crash, alone any), 5 lone crashes that make poison, then the ids
-- RETURNS  an array of arrays, one for each message taken: {id, attempt, taken, claimed, exp, PUSH, INBOX, appId,
--          payload ('' of poison)}, and of one that was claimed before also {tries, crashes, lone, gateway asked last for
--          PUSH, and for INBOX ('' = none is written down)}
local FIXED = 5
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
-- Numbers are written as text once: Redis would format each anew.
local claim, until_ms, now_text = ARGV[2], string.format('%.0f', now + ARGV[3]), string.format('%.0f', now)
local alone, most_crashes = ARGV[4] == 'alone', ({ normal = 0, suspects = 1 })[ARGV[4]] or math.huge
local poison, held = tonumber(ARGV[5]), until_ms .. '|' .. now_text .. '|' .. claim
local taken, due, unanswered = {}, {}, {}

-- Note a crash in the record and in what was read of it.
local function crash(record, r, past)
  past.crashes, past.lone = past.crashes + 1, past.lone + (past[3] and 1 or 0)
  redis.call('HSET', record, 'crashes', past.crashes, 'lone', past.lone)
  for c, channel in ipairs({ 'PUSH', 'INBOX' }) do
    local field = r[c] or ''
    if string.sub(field, 1, 1) == 'O' and not string.match(field, '^O|%d+|UNANSWERED|') then
      r[c] = 'O|' .. now_text .. '|UNANSWERED|a worker died or froze while it held the message'
      redis.call('HSET', record, channel, r[c])
    end
  end
end

-- Read what earlier claims left in a record; most messages have none, and then nobody looks for it.
local function past_of(record)
  local past = redis.call('HMGET', record, 'held', 'crashes', 'alone', 'lone', 'tries', 'gPUSH', 'gINBOX')
  local lease, claimed, holder = string.match(past[1] or '0|0|', '^(%d+)|(%d+)|(.*)$')
  past.lease, past.claimed, past.mine = tonumber(lease), tonumber(claimed), holder == claim
  past.crashes, past.lone = tonumber(past[2] or 0), tonumber(past[4] or 0)
  return past
end

local ids, payloads = {}, {}
for i = 1, #ARGV - FIXED do
  ids[i], payloads[i] = ARGV[FIXED + i], KEYS[2 + i * 2]
end
local scores = redis.call('ZMSCORE', KEYS[1], unpack(ids))
payloads = redis.call('MGET', unpack(payloads))
-- All is read before anything is written: a key that holds what no tidings wrote ends the script, and changes nothing.
local found, pasts = {}, {}
for i in ipairs(ids) do
  if scores[i] then
    local record = KEYS[1 + i * 2]
    found[i] = redis.call('HMGET', record, 'PUSH', 'INBOX', 'app', 'taken', 'exp', 'attempt', 'nb', 'hints')
    pasts[i] = found[i][6] and past_of(record)
  end
end
for i, id in ipairs(ids) do
  if scores[i] then
    local record, r, past, mine, crashed = KEYS[1 + i * 2], found[i], pasts[i], false, false
    if past then mine, crashed = past.lease > now and past.mine, past.lease > 0 and past.lease <= now end
    local free = tonumber(r[7] or 0) <= now
      and (not past or past.lease <= now and past.crashes + (crashed and 1 or 0) <= most_crashes)
    if r[4] and (mine or free) then
      local attempt, claimed = tonumber(r[6] or 0), now
      if mine then
        claimed = past.claimed
      else
        if crashed then
          crash(record, r, past)
          unanswered[#unanswered + 1] = now_text
          unanswered[#unanswered + 1] = id
        end
        attempt = attempt + 1
        redis.call('HSET', record, 'attempt', attempt, 'held', held)
        if r[7] or r[8] or past and past[3] then redis.call('HDEL', record, 'hints', 'nb', 'alone', 'why') end
        if alone then redis.call('HSET', record, 'alone', 1) end
        due[#due + 1] = until_ms
        due[#due + 1] = id
      end
      local row = { id, attempt, tonumber(r[4]), claimed, tonumber(r[5]), r[1], r[2], r[3], payloads[i] }
      if attempt > 1 or past and (past[6] or past[7]) then
        if past.lone >= poison then row[9] = '' end
        for _, part in ipairs({ tonumber(past[5] or 0), past.crashes, past.lone, past[6] or '', past[7] or '' }) do
          row[#row + 1] = part
        end
      end
      taken[#taken + 1] = row
    end
  end
end
if #due > 0 then redis.call('ZADD', KEYS[1], unpack(due)) end
if #unanswered > 0 then redis.call('ZADD', KEYS[2], 'NX', unpack(unanswered)) end
return taken
