#!lua
-- Let sends through under a rate limit: GCRA, the generic cell rate algorithm (R36). The key holds the theoretical
-- arrival time of the next send; it may be ahead of now by a second, which is what may come at once after a pause.
-- Safe to repeat: takes anew, so that who lost an answer sends less, never more.
--
-- KEYS  1 rate, 2 refused
-- ARGV  1 now in ms ('' = the server's clock), 2 sends a second, 3 sends that ask, 4 field of `refused`
-- RETURNS  an array: how many of them are let through, how many more would be, ms until one more is (0 = now)
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + t[2] / 1000
end
local rate, asked = tonumber(ARGV[2]), tonumber(ARGV[3])
local interval = 1000 / rate
local arrival = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
-- A hair more than nothing: what was written was rounded to microseconds.
local room = math.max(0, math.floor((now + 1000 - arrival) / interval + 0.001))
local taken = math.min(asked, room)
if taken > 0 then
  arrival = arrival + taken * interval
  redis.call('SET', KEYS[1], string.format('%.3f', arrival), 'PX', 60000 + math.ceil(arrival - now))
end
if taken < asked then redis.call('HINCRBY', KEYS[2], ARGV[4], asked - taken) end
local left = room - taken
return { taken, left, left > 0 and 0 or math.max(1, math.ceil(arrival + interval - 1000 - now)) }
