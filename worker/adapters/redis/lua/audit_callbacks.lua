#!lua flags=no-writes
-- Read what an audit compares of callbacks of one merchant: what their records say and where they wait, at one instant.
--
-- KEYS  1 outbox, 2 callbacks, 3 callbacks of the merchant, 4 uncalled, then the records
-- ARGV  1 appId, then the callbacks: `<messageId>#<finality>` or `<batchId>#<percentage>`
-- RETURNS  an array: 1 the merchant's queue holds something and no index names it, or 0, then for each callback an array
--          {cb, PUSH, INBOX, cbs, told, 1 in the outbox or 0, 1 in the queue or 0, 1 given up or 0}; texts are nil where the
--          record has none
local app = ARGV[1]
local unlisted = redis.call('EXISTS', KEYS[3]) == 1 and not redis.call('ZSCORE', KEYS[2], app)
local result = { unlisted and 1 or 0 }
for i = 2, #ARGV do
  local entry = app .. '#' .. ARGV[i]
  local r = redis.call('HMGET', KEYS[3 + i], 'cb', 'PUSH', 'INBOX', 'cbs', 'told')
  r[6] = redis.call('ZSCORE', KEYS[1], entry) and 1 or 0
  r[7] = redis.call('ZSCORE', KEYS[3], ARGV[i]) and 1 or 0
  r[8] = redis.call('ZSCORE', KEYS[4], entry) and 1 or 0
  result[i] = r
end
return result
