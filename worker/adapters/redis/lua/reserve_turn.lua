#!lua flags=allow-oom
-- Take the next turn to send some messages to a gateway that has a send rate. Turns follow each other as far apart as
-- the rate says; there is none of the past to be made up for, so nothing bursts beyond the messages of one turn.
-- Safe to repeat: takes the turn after it too, so that who lost an answer sends later, never more.
--
-- KEYS  1 turns
-- ARGV  1 now in ms ('' = the server's clock), 2 messages a second, 3 messages of the turn, 4 ms within which it must
--       begin
-- RETURNS  an array: messages of the turn (0 = none begins so soon), ms until it begins or one would
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + t[2] / 1000
end
local begins = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
local wait = math.ceil(begins - now)
if wait > tonumber(ARGV[4]) then return { 0, wait } end
local next_begins = begins + ARGV[3] * 1000 / ARGV[2]
redis.call('SET', KEYS[1], string.format('%.3f', next_begins), 'PX', 60000 + math.ceil(next_begins - now))
return { tonumber(ARGV[3]), wait }
