#!lua flags=allow-oom
-- Take the messages of a hint that are open, due, not leased and of its kind: raise the attempt number (the fencing
-- token), note the claim and move the due time to the end of its lease. A lease that ran out is a crash: nobody can say
-- what was sent under it, so the open channels become UNANSWERED.
-- Safe to repeat: a message held by the same claim id gives the same answer and keeps its attempt number.
--
-- KEYS  1 due, 2 unanswered, then 2 for each message: record, payload
-- ARGV  1 now in ms ('' = the server's clock), 2 claim id, 3 lease in ms, 4 kind (normal takes what never crashed,
--       suspects at most one crash, alone any), 5 lone crashes that make poison, then the ids
-- RETURNS  an array of arrays, one for each message taken:
--          {id, attempt, tries, crashes, lone, taken, claimed, exp, PUSH, INBOX, payload ('' of poison), appId,
--          gateway asked last for PUSH, and for INBOX ('' = none is written down)}
local FIXED = 5
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
-- Numbers are written as text once: Redis would format each anew.
local claim, until_ms, now_text = ARGV[2], string.format('%.0f', now + ARGV[3]), string.format('%.0f', now)
local alone, most_crashes = ARGV[4] == 'alone', ({ normal = 0, suspects = 1 })[ARGV[4]] or math.huge
local poison = tonumber(ARGV[5])
local taken, due, unanswered = {}, {}, {}

-- Note a crash in the record and in what was read of it.
local function crash(record, r)
  r.crashes, r.lone = r.crashes + 1, r.lone + (r[13] and 1 or 0)
  redis.call('HSET', record, 'crashes', r.crashes, 'lone', r.lone)
  for c, channel in ipairs({ 'PUSH', 'INBOX' }) do
    local field = r[5 + c] or ''
    if string.sub(field, 1, 1) == 'O' and not string.match(field, '^O|%d+|UNANSWERED|') then
      r[5 + c] = 'O|' .. now_text .. '|UNANSWERED|a worker died or froze while it held the message'
      redis.call('HSET', record, channel, r[5 + c])
    end
  end
end

for i = 1, #ARGV - FIXED do
  local id, record = ARGV[FIXED + i], KEYS[1 + i * 2]
  if redis.call('ZSCORE', KEYS[1], id) then
    local r = redis.call('HMGET', record, 'attempt', 'tries', 'crashes', 'taken', 'exp', 'PUSH', 'INBOX', 'claim', 'lease', 'nb',
      'claimed', 'hints', 'alone', 'lone', 'gPUSH', 'gINBOX', 'app')
    local lease, attempt = tonumber(r[9] or 0), tonumber(r[1] or 0)
    r.crashes, r.lone = tonumber(r[3] or 0), tonumber(r[14] or 0)
    local mine = lease > now and r[8] == claim
    local crashed = lease > 0 and lease <= now
    local free = lease <= now and tonumber(r[10] or 0) <= now and r.crashes + (crashed and 1 or 0) <= most_crashes
    if r[4] and (mine or free) then
      local claimed = now
      if mine then
        claimed = tonumber(r[11])
      else
        if crashed then
          crash(record, r)
          unanswered[#unanswered + 1] = now_text
          unanswered[#unanswered + 1] = id
        end
        attempt = attempt + 1
        redis.call('HSET', record, 'attempt', attempt, 'claim', claim, 'lease', until_ms, 'claimed', now_text)
        if r[10] or r[12] or r[13] then redis.call('HDEL', record, 'hints', 'nb', 'alone', 'why') end
        if alone then redis.call('HSET', record, 'alone', 1) end
        due[#due + 1] = until_ms
        due[#due + 1] = id
      end
      taken[#taken + 1] = { id, attempt, tonumber(r[2] or 0), r.crashes, r.lone, tonumber(r[4]), claimed, tonumber(r[5]),
        r[6], r[7], r.lone >= poison and '' or redis.call('GET', KEYS[2 + i * 2]), r[17], r[15] or '', r[16] or '' }
    end
  end
end
if #due > 0 then redis.call('ZADD', KEYS[1], unpack(due)) end
if #unanswered > 0 then redis.call('ZADD', KEYS[2], 'NX', unpack(unanswered)) end
return taken
