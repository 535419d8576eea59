#!lua flags=allow-oom
-- Give messages of one merchant in one lane the home that their records ask for, whatever an audit saw before: an open
-- one is due, in its backlog or scheduled, one that is final or without a record in none; who is due, and nobody else, is either
-- in the window or waits; unanswered and unknown name who misses an answer; what is final is a dead letter or to be
-- forgotten; and a batch names its rows.
-- Safe to repeat: what is sound is left alone.
--
-- KEYS  1 due, 2 window, 3 waiting, 4 backlog of (lane, origin), 5 unanswered, 6 unknown, 7 scheduled,
--       8 plans, 9 retention, 10 dead, 11 cards, 12 rows, then the records
-- ARGV  1 now in ms ('' = the server's clock), 2 lane, 3 appId, 4 retention in ms, then 4 for each message: id, a member
--       of the window that names it, one of waiting, one of scheduled or plans ('' = none was seen)
-- RETURNS  an array: 0 NOTHING, 1 PUT_BACK, 2 TAKEN_OUT, 3 MOVED_IN, 4 MADE_ROOM, 5 INDEXED
local FIXED, WIDTH, SHARED = 4, 4, 12
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local forget_at, now_text, result = string.format('%.0f', now + ARGV[4]), string.format('%.0f', now), {}

-- Put a due message into exactly one of window and waiting; return how many changes that took.
local function place(own, waits)
  local right, other = KEYS[waits and 3 or 2], KEYS[waits and 2 or 3]
  if not redis.call('ZSCORE', other, own) then return redis.call('ZADD', right, 0, own) end
  return redis.call('ZSCORE', right, own) and redis.call('ZREM', other, own) or 0
end

-- Take a member out of the schedule, if one was seen; return how many changes that took.
local function unplan(plan)
  if plan == '' then return 0 end
  return redis.call('ZREM', KEYS[7], plan) + redis.call('ZREM', KEYS[8], plan)
end

-- Let an index name a message since a time, or not at all; return how many changes that took.
local function index(key, id, since)
  if since then return redis.call('ZADD', key, 'NX', since, id) end
  return redis.call('ZREM', key, id)
end

-- Take a message out of the dead letters, with its card; return how many changes that took.
local function bury(id)
  local died = redis.call('ZSCORE', KEYS[10], id)
  if not died then return 0 end
  local place = string.format('%013.0f#%s', died, id)
  redis.call('ZREMRANGEBYLEX', KEYS[11], '[' .. place .. ' ', '(' .. place .. '!')
  return redis.call('ZREM', KEYS[10], id)
end

-- Return the time of the first channel that is in a state, and has the code if one is named.
local function since(r, state, code)
  for c = 1, 2 do
    local found, at, why = string.match(r[c] or '', '^(.)|(%d+)|?([^|]*)')
    if found == state and (not code or why == code) then return at end
  end
  return nil
end

for i = 1, (#ARGV - FIXED) / WIDTH do
  local a = FIXED + (i - 1) * WIDTH
  local id = ARGV[a + 1]
  local own = ARGV[2] .. '#' .. ARGV[3] .. '#' .. id
  local r = redis.call('HMGET', KEYS[SHARED + i], 'PUSH', 'INBOX', 'nb', 'dead', 'batch', 'exp', 'row')
  local open = string.sub(r[1] or '', 1, 1) == 'O' or string.sub(r[2] or '', 1, 1) == 'O'
  local due, backlogged = redis.call('ZSCORE', KEYS[1], id), redis.call('ZSCORE', KEYS[4], id)
  local plan = r[6] and ARGV[2] .. '#' .. ARGV[3] .. '#' .. (r[5] or '') .. '#' .. id .. '#' .. r[6] or ''
  local scheduled = plan ~= '' and redis.call('ZSCORE', KEYS[7], plan)
  local places, strays = 0, ARGV[a + 4] ~= plan and unplan(ARGV[a + 4]) or 0
  for p = 2, 3 do
    local seen = ARGV[a + p]
    if seen ~= '' and seen ~= own then strays = strays + redis.call('ZREM', KEYS[p], seen) end
    if not open or ((backlogged or scheduled) and not due) then places = places + redis.call('ZREM', KEYS[p], own) end
  end
  result[i] = 0
  if not open then
    local homes = redis.call('ZREM', KEYS[1], id) + redis.call('ZREM', KEYS[4], id) + unplan(plan)
    if places + homes > 0 then result[i] = 2 end
  elseif due and (backlogged or scheduled) or backlogged and scheduled then
    if due then redis.call('ZREM', KEYS[4], id) end
    unplan(plan)
    result[i] = 3
  elseif not due and not backlogged and not scheduled then
    redis.call('ZADD', KEYS[1], now, id)
    due = now
    result[i] = 1
  end
  local changes = index(KEYS[5], id, since(r, 'O', 'UNANSWERED')) + index(KEYS[6], id, r[4] and since(r, 'U'))
  local final = not open and (r[1] or r[2])
  changes = changes + index(KEYS[9], id, final and not r[4] and forget_at)
  changes = changes + (final and r[4] and index(KEYS[10], id, now_text) or bury(id))
  if r[7] then
    local listing = string.format('%s#%s#%08d#%s', ARGV[3], r[5], r[7], id)
    changes = changes + redis.call('ZADD', KEYS[12], 'NX', 0, listing)
  end
  if open and scheduled and result[i] == 0 then changes = changes + redis.call('ZADD', KEYS[8], 'NX', 0, plan) end
  if open and not scheduled then changes = changes + unplan(plan) end
  if open and due then changes = changes + place(own, r[3]) end
  if result[i] == 0 then result[i] = places + strays > 0 and 4 or changes > 0 and 5 or 0 end
end
return result
