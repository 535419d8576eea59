#!lua flags=allow-oom
-- Decide whether a staged batch runs or is withdrawn, unless that is decided.
-- Safe to repeat: what was decided first stands.
--
-- KEYS  1 decision
-- ARGV  1 run or withdraw, 2 how long the decision is remembered, in ms
-- RETURNS  what is decided: run or withdraw
local before = redis.call('GET', KEYS[1])
if before then return before end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
