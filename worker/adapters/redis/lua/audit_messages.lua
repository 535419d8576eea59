#!lua flags=no-writes
-- Read what an audit compares of messages: record, due index and window at one instant.
--
-- KEYS  1 due, 2 window, then the records
-- ARGV  2 for each message, in the order of KEYS: id, the member of the window that names it ('' = none was seen)
-- RETURNS  an array of arrays, one for each message: {appId, requestId, PUSH, INBOX, 1 due or 0 not, 0 not in that window
--          or 1 in it or 2 in it though it is another merchant's or lane's}; the first four are nil where there is no
--          record
local result = {}
for i = 1, #KEYS - 2 do
  local id, member = ARGV[i * 2 - 1], ARGV[i * 2]
  local found = redis.call('HMGET', KEYS[2 + i], 'app', 'req', 'PUSH', 'INBOX', 'lane')
  local own = found[1] and found[5] .. '#' .. found[1] .. '#' .. id
  found[5] = redis.call('ZSCORE', KEYS[1], id) and 1 or 0
  found[6] = 0
  if member ~= '' and redis.call('ZSCORE', KEYS[2], member) then found[6] = member == own and 1 or 2 end
  result[i] = found
end
return result
