#!lua flags=allow-oom
-- Put callbacks of one merchant where their records say they belong, whatever an audit saw before: what is to be told is in
-- one of the merchant's queue, the outbox and those given up, what was told or given up is not to be told, and what was
-- given up has an outcome. A queue that holds something is named by its index.
-- Safe to repeat: what is sound is left alone.
--
-- KEYS  1 outbox, 2 callbacks, 3 callbacks of the merchant, 4 uncalled, then the records
-- ARGV  1 now in ms ('' = the server's clock), 2 appId, then the callbacks: `<messageId>#<finality>` or
--       `<batchId>#<percentage>`
-- RETURNS  an array: 1 the queue was named by its index, or 0, then for each callback 0 NOTHING, 1 PUT_BACK, 2 TAKEN_OUT,
--          3 MOVED_IN
local now = ARGV[1]
if now == '' then
  local t = redis.call('TIME')
  now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
end
local app, result = ARGV[2], { 0 }

-- Return whether a record has an outcome of that number which its merchant wants to hear of, and what became of telling it.
local function told(record, number)
  local r = redis.call('HMGET', record, 'cb', 'PUSH', 'INBOX', 'cbs', 'told')
  local wanted, newest = string.match(r[1] or '', '^(%a*)|(%d+)$')
  if newest ~= number then return false end
  local states = string.sub(r[2] or '', 1, 1) .. string.sub(r[3] or '', 1, 1)
  local outcome = string.match(states, 'U') or string.match(states, 'F') or 'S'
  if string.find(states, 'O') or not (r[5] or string.find(wanted, outcome, 1, true)) then return false end
  local ended, state = string.match(r[4] or '', '^(%d+)|(%a)')
  return true, ended == number and state or nil
end

for i = 3, #ARGV do
  local member, entry = ARGV[i], app .. '#' .. ARGV[i]
  local is_told, state = told(KEYS[2 + i], string.match(member, '%d+$'))
  local outboxed, queued = redis.call('ZSCORE', KEYS[1], entry), redis.call('ZSCORE', KEYS[3], member)
  local given_up, code = redis.call('ZSCORE', KEYS[4], entry), 0
  if not is_told then
    code = redis.call('ZREM', KEYS[4], entry) * 2
  elseif state == 'D' or state == 'X' then
    local gone = redis.call('ZREM', KEYS[1], entry) + redis.call('ZREM', KEYS[3], member)
    if state == 'D' then gone = gone + redis.call('ZREM', KEYS[4], entry) end
    if gone > 0 then code = 2 end
  elseif not (outboxed or queued or given_up) then
    redis.call('ZADD', KEYS[1], now, entry)
    code = 1
  else
    local gone = queued and redis.call('ZREM', KEYS[1], entry) or 0
    if queued or outboxed then gone = gone + redis.call('ZREM', KEYS[4], entry) end
    if gone > 0 then code = 3 end
  end
  result[i - 1] = code
end
local head = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
if head[2] and not redis.call('ZSCORE', KEYS[2], app) then result[1] = redis.call('ZADD', KEYS[2], head[2], app) end
return result
