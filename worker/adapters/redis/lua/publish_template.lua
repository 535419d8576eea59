#!lua
-- Make a stored version of a template the live one, be it newer or older than the one that is.
-- Safe to repeat: the history knows what was done by its id, and the answer is the same.
--
-- KEYS  1 templates, 2 history of this template
-- ARGV  1 template code, 2 version, 3 the version that must be live now or '' for any, 4 PUBLISH or ROLLBACK, 5 id, 6 who
-- RETURNS  {0 UNCHANGED, 1 DONE, 2 ABSENT or 3 MOVED, the version that was live before or 0}
local code, version = ARGV[1], ARGV[2]
for _, event in ipairs(redis.call('LRANGE', KEYS[2], 0, 9)) do
  local done, former = event:match('^(%x+)|%d+|%u+|%d+|(%d+)|')
  if done == ARGV[5] then
    return { 1, tonumber(former) }
  end
end
local live = redis.call('HGET', KEYS[1], code) or '0'
if ARGV[3] ~= '' and live ~= ARGV[3] then
  return { 3, tonumber(live) }
end
if redis.call('HEXISTS', KEYS[1], code .. '#' .. version) == 0 then
  return { 2, tonumber(live) }
end
if live == version then
  return { 0, tonumber(live) }
end
local t = redis.call('TIME')
local now = string.format('%d', t[1] * 1000 + math.floor(t[2] / 1000))
-- A ledger of a release without drafts does not say which is the newest: the live one was.
redis.call('HSETNX', KEYS[1], code .. '#newest', live)
redis.call('HSET', KEYS[1], code, version)
redis.call('HSETNX', KEYS[1], code .. '#' .. version .. '#since', now)
redis.call('LPUSH', KEYS[2], table.concat({ ARGV[5], now, ARGV[4], version, live, ARGV[6] }, '|'))
return { 1, tonumber(live) }
