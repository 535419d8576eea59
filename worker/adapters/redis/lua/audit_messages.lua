#!lua flags=no-writes
-- Read what an audit compares of messages: record and due index at one instant.
--
-- KEYS  1 due, then the records
-- ARGV  the ids, in the order of KEYS
-- RETURNS  an array of arrays, one for each message: {appId, requestId, PUSH, INBOX, 1 due or 0 not}; the first four
--          are nil where there is no record
local result = {}
for i, id in ipairs(ARGV) do
  local found = redis.call('HMGET', KEYS[1 + i], 'app', 'req', 'PUSH', 'INBOX')
  found[5] = redis.call('ZSCORE', KEYS[1], id) and 1 or 0
  result[i] = found
end
return result
