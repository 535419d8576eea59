#!lua flags=no-writes
-- Read the records of messages that were taken in a span of time.
--
-- KEYS  the records
-- ARGV  1 first ms, 2 the first ms that is not in the span, 3 appId ('' = all), then the names of fields
-- RETURNS  an array, one for each record: the values of the fields, or nil for one that is not in the span, or is gone
local first, last, app = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local fields = {unpack(ARGV, 4)}
local result = {}
for i, record in ipairs(KEYS) do
  local r = redis.call('HMGET', record, 'taken', 'app')
  local taken = tonumber(r[1])
  if taken and taken >= first and taken < last and (app == '' or app == r[2]) then
    result[i] = redis.call('HMGET', record, unpack(fields))
  else
    result[i] = false
  end
end
return result
