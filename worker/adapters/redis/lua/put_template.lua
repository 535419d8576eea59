#!lua
-- Make a content the live version of a template, under a new number, unless it is the live one already.
-- Safe to repeat: the content is the live one by then. A version, once written, is never written again.
--
-- KEYS  1 templates
-- ARGV  1 template code, 2 content (canonical JSON)
-- RETURNS  the number of the live version
local live = redis.call('HGET', KEYS[1], ARGV[1])
if live and redis.call('HGET', KEYS[1], ARGV[1] .. '#' .. live) == ARGV[2] then
  return tonumber(live)
end
local version = tonumber(live or 0) + 1
redis.call('HSET', KEYS[1], ARGV[1], version, ARGV[1] .. '#' .. version, ARGV[2])
return version
