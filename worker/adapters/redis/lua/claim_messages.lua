#!lua flags=allow-oom
-- Take the messages of a hint that are open, due and not leased: raise the attempt number (the fencing token), note
-- the claim and move the due time to the end of its lease.
-- Safe to repeat: a message held by the same claim id gives the same answer and keeps its attempt number.
--
-- KEYS  1 due, then 2 for each message: record, payload
-- ARGV  1 now in ms ('' = the server's clock), 2 claim id, 3 lease in ms, then the ids
-- RETURNS  an array of arrays, one for each message taken:
--          {id, attempt, tries, crashes, taken, claimed, exp, PUSH, INBOX, payload}
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
-- Numbers are written as text once: Redis would format each anew.
local claim, until_ms, now_text = ARGV[2], string.format('%.0f', now + ARGV[3]), string.format('%.0f', now)
local taken, due = {}, {}
for i = 1, #ARGV - 3 do
  local id, record = ARGV[3 + i], KEYS[i * 2]
  if redis.call('ZSCORE', KEYS[1], id) then
    local r = redis.call('HMGET', record, 'attempt', 'tries', 'crashes', 'taken', 'exp', 'PUSH', 'INBOX', 'claim', 'lease', 'nb', 'claimed', 'hints')
    local lease, attempt, crashes = tonumber(r[9] or 0), tonumber(r[1] or 0), tonumber(r[3] or 0)
    local mine = lease > now and r[8] == claim
    if r[4] and (mine or lease <= now and tonumber(r[10] or 0) <= now) then
      local claimed = now
      if mine then
        claimed = tonumber(r[11])
      else
        if lease > 0 then
          crashes = crashes + 1
          redis.call('HSET', record, 'crashes', crashes)
        end
        attempt = attempt + 1
        redis.call('HSET', record, 'attempt', attempt, 'claim', claim, 'lease', until_ms, 'claimed', now_text)
        if r[10] or r[12] then redis.call('HDEL', record, 'hints', 'nb') end
        due[#due + 1] = until_ms
        due[#due + 1] = id
      end
      taken[#taken + 1] = { id, attempt, tonumber(r[2] or 0), crashes, tonumber(r[4]), claimed, tonumber(r[5]), r[6], r[7],
        redis.call('GET', KEYS[i * 2 + 1]) }
    end
  end
end
if #due > 0 then redis.call('ZADD', KEYS[1], unpack(due)) end
return taken
