#!lua flags=allow-oom
-- Take callbacks of one merchant that are due: they are looked at again when the lease ends. What is not true any more,
-- as its message is open again, became final anew or is forgotten, is dropped; so is what told of a forgotten batch job.
-- Safe to repeat: what was just taken is not due.
--
-- KEYS  1 callbacks, 2 callbacks of the merchant, then the records
-- ARGV  1 now in ms ('' = the server's clock), 2 appId, 3 lease in ms, then the callbacks: `<messageId>#<finality>` or
--       `<batchId>#<percentage>`
-- RETURNS  an array: ms when the leases end, then for each callback taken an array {callback, cbs, requestId, taken, exp,
--          PUSH, INBOX, batch, told}, empty what its record does not have
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local until_ms = string.format('%.0f', now + ARGV[3])
local taken, later, dropped = { tonumber(until_ms) }, {}, {}
for i = 4, #ARGV do
  local member = ARGV[i]
  local score = redis.call('ZSCORE', KEYS[2], member)
  if score and tonumber(score) <= now then
    local r = redis.call('HMGET', KEYS[i - 1], 'cb', 'PUSH', 'INBOX', 'cbs', 'req', 'taken', 'exp', 'batch', 'told')
    local push, inbox = r[2] or '', r[3] or ''
    local open = string.sub(push, 1, 1) == 'O' or string.sub(inbox, 1, 1) == 'O'
    if r[1] and not open and string.match(r[1], '%d+$') == string.match(member, '%d+$') then
      later[#later + 1] = until_ms
      later[#later + 1] = member
      taken[#taken + 1] = { member, r[4] or '', r[5] or '', r[6] or '', r[7] or '', push, inbox, r[8] or '', r[9] or '' }
    else
      dropped[#dropped + 1] = member
    end
  end
end
if #later > 0 then redis.call('ZADD', KEYS[2], unpack(later)) end
if #dropped > 0 then redis.call('ZREM', KEYS[2], unpack(dropped)) end
local head = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if head[2] then redis.call('ZADD', KEYS[1], head[2], ARGV[2]) else redis.call('ZREM', KEYS[1], ARGV[2]) end
return taken
