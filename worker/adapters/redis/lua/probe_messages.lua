#!lua flags=no-writes
-- Say of messages whether they are known, without taking anything (R50).
--
-- KEYS  1 staged, then the records
-- ARGV  2 for each: fingerprint, user ('' = compared without the user)
-- RETURNS  an array: 3 REPEATED, 4 INCONSISTENT, 5 ABSENT, 6 STAGED
local result = {}
for i = 1, #KEYS - 1 do
  local known = redis.call('HMGET', KEYS[1 + i], 'fp', 'user', 'app', 'batch')
  local fingerprint, user = ARGV[i * 2 - 1], ARGV[i * 2]
  if not known[1] then
    result[i] = 5
  elseif known[4] and redis.call('ZSCORE', KEYS[1], known[3] .. '#' .. known[4]) then
    result[i] = 6
  elseif known[1] == fingerprint and (user == '' or known[2] == user) then
    result[i] = 3
  else
    result[i] = 4
  end
end
return result
