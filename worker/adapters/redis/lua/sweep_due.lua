#!lua flags=allow-oom
-- Re-score overdue messages to now + grace (doubling with each hint since the newest claim), so that they can be
-- hinted again. Removes nothing: a sweeper that dies before it publishes costs a grace, not a message. What is paused
-- gets the longest grace and no hint, unless it is past its deadline and ends by being claimed, or a gateway was asked
-- for it and its batch is closed.
-- Safe to repeat: what was just re-scored is no longer overdue.
--
-- KEYS  1 due, 2 window, 3 waiting, 4 paused, 5 closed, then the records
-- ARGV  1 now in ms ('' = the server's clock), 2 grace in ms, 3 the longest grace in ms, then the ids
-- RETURNS  an array of arrays, one for each message to hint: {id, lane, crashes}
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local swept, due, window, places = {}, {}, {}, {}
local any_paused = redis.call('EXISTS', KEYS[4]) == 1

local function is_paused(app, batch, expires, tried)
  if not any_paused or tonumber(expires) <= now then return false end
  if redis.call('ZSCORE', KEYS[4], app) then return true end
  local origin = batch and app .. '#' .. batch
  return origin and redis.call('ZSCORE', KEYS[4], origin) and not (tried and redis.call('ZSCORE', KEYS[5], origin))
end

for i = 1, #ARGV - 3 do
  local id, record = ARGV[3 + i], KEYS[5 + i]
  local score = redis.call('ZSCORE', KEYS[1], id)
  if score and tonumber(score) <= now then
    local r = redis.call('HMGET', record, 'app', 'lane', 'hints', 'crashes', 'held', 'batch', 'exp', 'tries')
    local hints = tonumber(r[3] or 0)
    local expired_lease = r[5] and string.sub(r[5], 1, 2) ~= '0|' or false
    local tried = expired_lease or tonumber(r[4] or 0) > 0 or tonumber(r[8] or 0) > 0
    local paused = r[1] and is_paused(r[1], r[6], r[7], tried)
    due[#due + 1] = paused and math.min(now + ARGV[3], tonumber(r[7])) or now + math.min(ARGV[2] * 2 ^ hints, tonumber(ARGV[3]))
    due[#due + 1] = id
    if r[1] and not paused then
      places[#places + 1] = r[2] .. '#' .. r[1] .. '#' .. id
      window[#window + 1] = 0
      window[#window + 1] = places[#places]
      redis.call('HSET', record, 'hints', hints + 1)
      swept[#swept + 1] = { id, r[2], tonumber(r[4] or 0) + (expired_lease and 1 or 0) }
    end
  end
end
if #due > 0 then
  redis.call('ZADD', KEYS[1], unpack(due))
  if #places > 0 then
    redis.call('ZADD', KEYS[2], unpack(window))
    redis.call('ZREM', KEYS[3], unpack(places))
  end
end
return swept
