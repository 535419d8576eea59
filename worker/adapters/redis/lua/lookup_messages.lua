#!lua flags=no-writes
-- Read records: all fields, or only those named.
--
-- KEYS  the records
-- ARGV  names of fields; none: all of them
-- RETURNS  an array, one for each record: a flat array of field, value, ... (all fields), the values in the order of
--          ARGV, or an empty array for an unknown message
local result = {}
for i, record in ipairs(KEYS) do
  if #ARGV == 0 then
    result[i] = redis.call('HGETALL', record)
  elseif redis.call('EXISTS', record) == 1 then
    result[i] = redis.call('HMGET', record, unpack(ARGV))
  else
    result[i] = {}
  end
end
return result
