#!lua flags=no-writes
-- Read what an audit compares of messages: record and indexes, at one instant.
--
-- KEYS  1 due, 2 window, 3 waiting, 4 unanswered, 5 unknown, 6 scheduled, 7 plans, 8 retention, 9 dead,
--       10 rows, then the records
-- ARGV  4 for each message, in the order of KEYS: id, the member of the window that names it, the member of waiting that
--       does, the member of scheduled or plans that does ('' = none was seen)
-- RETURNS  an array of arrays, one for each message: {appId, requestId, PUSH, INBOX, 1 due or 0 not, window, waiting, 1
--          unanswered or 0, 1 unknown or 0, 1 dead or 0, 1 scheduled or 0, 1 planned or 0, batchId, cb, cbs, 1 to be forgotten
--          or 0, 1 among the dead letters or 0, 1 has a row in its batch that no index names, or 0}; window and waiting are
--          1 in it, plus 2 for the member seen, where it is another merchant's or lane's; texts are nil where there is no
--          record, or none in it
local result = {}
for i = 1, #KEYS - 10 do
  local id = ARGV[i * 4 - 3]
  local r = redis.call('HMGET', KEYS[10 + i], 'app', 'req', 'PUSH', 'INBOX', 'lane', 'dead', 'batch', 'cb', 'cbs', 'row')
  local own = r[1] and r[5] .. '#' .. r[1] .. '#' .. id
  local listing = r[10] and string.format('%s#%s#%08d#%s', r[1], r[7], r[10], id)
  r[18] = listing and not redis.call('ZSCORE', KEYS[10], listing) and 1 or 0
  r[13], r[14], r[15] = r[7], r[8], r[9]
  r[10] = r[6] and 1 or 0
  r[5] = redis.call('ZSCORE', KEYS[1], id) and 1 or 0
  for place = 1, 2 do
    local key, seen = KEYS[1 + place], ARGV[i * 4 - 3 + place]
    r[5 + place] = own and redis.call('ZSCORE', key, own) and 1 or 0
    if seen ~= '' and seen ~= own and redis.call('ZSCORE', key, seen) then r[5 + place] = r[5 + place] + 2 end
  end
  for index = 4, 5 do r[4 + index] = redis.call('ZSCORE', KEYS[index], id) and 1 or 0 end
  for index = 6, 7 do r[5 + index] = redis.call('ZSCORE', KEYS[index], ARGV[i * 4]) and 1 or 0 end
  for index = 8, 9 do r[8 + index] = redis.call('ZSCORE', KEYS[index], id) and 1 or 0 end
  result[i] = r
end
return result
