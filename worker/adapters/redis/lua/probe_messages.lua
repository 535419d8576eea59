#!lua flags=no-writes
-- Say of messages whether they are known, without taking anything (R50).
--
-- KEYS  the records
-- ARGV  2 for each: fingerprint, user ('' = compared without the user)
-- RETURNS  an array: 3 REPEATED, 4 INCONSISTENT, 5 ABSENT
local result = {}
for i, record in ipairs(KEYS) do
  local known = redis.call('HMGET', record, 'fp', 'user')
  local fingerprint, user = ARGV[i * 2 - 1], ARGV[i * 2]
  if not known[1] then
    result[i] = 5
  elseif known[1] == fingerprint and (user == '' or known[2] == user) then
    result[i] = 3
  else
    result[i] = 4
  end
end
return result
