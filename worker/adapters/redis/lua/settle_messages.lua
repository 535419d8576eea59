#!lua flags=allow-oom
-- End claims: record what was learnt of each channel, move the counters, and let the message go (final), wait
-- (retry, or a later time in the schedule) or rest as a dead letter. A compare-and-set on (claim, attempt). What is not open any more is put into the
-- outbox of callbacks, where its merchant wants to hear of the outcome.
-- Safe to repeat: the second time is a no-op.
--
-- KEYS  1 due, 2 window, 3 counters, 4 retention, 5 dead, 6 waiting, 7 unanswered, 8 unknown, 9 outbox, 10 batches,
--       11 scheduled, 12 plans, then 2 for each message: record, payload
-- ARGV  1 now in ms ('' = the server's clock), 2 retention in ms, then 10 for each message: id, claim id, attempt,
--       verdict (final, retry, defer, dead), delay in ms, tries to add, cause (of a defer, why), worker, PUSH update, INBOX update
--       (update: '', `state`, `state|gateway` or `state|gateway|code|message`)
-- RETURNS  an array: 0 STALE, 1 DONE, 2 ALREADY
local FIXED, WIDTH, KEPT_FIRST, KEPT_LAST = 2, 10, 10, 40
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
-- Numbers are written as text once: Redis would format each anew.
local forget_at, now_text = string.format('%.0f', now + ARGV[2]), string.format('%.0f', now)
local result, gone, idle, waiting, later, kept, payloads, dead, moves, calls, ended = {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}
local fields = { 'attempt', 'held', 'app', 'lane', 'PUSH', 'INBOX', 'tries', 'cb' }
-- Where there is no batch, nobody pays for the question.
if redis.call('EXISTS', KEYS[10]) == 1 then fields[#fields + 1] = 'batch' end
local CHANNELS = { 'PUSH', 'INBOX' }

local function count(app, channel, status, number)
  local field = app .. '#' .. channel .. '#' .. status
  moves[field] = (moves[field] or 0) + number
end

-- All is read before anything is written: a key that holds what no tidings wrote ends the script, and changes nothing.
local found, named = {}, {}
for i = 1, (#ARGV - FIXED) / WIDTH do found[i] = redis.call('HMGET', KEYS[11 + i * 2], unpack(fields)) end

for i = 1, (#ARGV - FIXED) / WIDTH do
  local a = FIXED + (i - 1) * WIDTH
  local id, attempt, verdict = ARGV[a + 1], ARGV[a + 3], ARGV[a + 4]
  local record, payload = KEYS[11 + i * 2], KEYS[12 + i * 2]
  local r = named[id] and redis.call('HMGET', record, unpack(fields)) or found[i]
  local lease, claimed, claim
  named[id] = true
  if r[1] == attempt then lease, claimed, claim = string.match(r[2] or '', '^(%d+)|(%d+)|(.*)$') end
  if claim ~= ARGV[a + 2] then
    result[i] = 0
  elseif lease == '0' then
    result[i] = 2
  else
    result[i] = 1
    local app, place = r[3], r[4] .. '#' .. r[3] .. '#' .. id
    local changes, notes, delivered, unknown, missed, misses = { 'held', '0|' .. claimed .. '|' .. claim }, '', true, false, false, false
    for c, channel in ipairs(CHANNELS) do
      local update, before = ARGV[a + 8 + c], r[4 + c]
      local unanswered = false
      if #before > 1 then
        unanswered = string.find(before, '^O|%d+|UNANSWERED|') ~= nil
        before = string.sub(before, 1, 1)
      end
      missed = missed or unanswered
      if update ~= '' and before == 'O' then
        local state, code = update, ''
        if #update == 1 then
          changes[#changes + 1] = channel
          changes[#changes + 1] = state .. '|' .. now_text
        else
          local gateway, rest
          state, gateway, rest = string.match(update, '^(.)|([^|]*)(.*)$')
          code = string.match(rest, '^|([^|]*)') or ''
          if gateway ~= '' then
            changes[#changes + 1] = 'g' .. channel
            changes[#changes + 1] = gateway
          end
          changes[#changes + 1] = channel
          changes[#changes + 1] = state .. '|' .. now_text .. rest
        end
        notes = notes .. '|' .. channel .. '=' .. state .. ':' .. code
        if state ~= 'O' then
          count(app, channel, 'open', -1)
          count(app, channel, state, 1)
        end
        before = state
        unanswered = state == 'O' and code == 'UNANSWERED'
      end
      unknown, misses = unknown or before == 'U', misses or unanswered
      delivered = delivered and before ~= 'O' and before ~= 'F' and before ~= 'U'
    end
    if ARGV[a + 6] ~= '0' then
      changes[#changes + 1] = 'tries'
      changes[#changes + 1] = (r[7] or 0) + ARGV[a + 6]
    end
    changes[#changes + 1] = 't' .. attempt
    changes[#changes + 1] = claimed .. '|' .. now_text .. '|' .. ARGV[a + 8] .. notes
    local stale = attempt - KEPT_LAST
    if stale > KEPT_FIRST then redis.call('HDEL', record, 't' .. string.format('%d', stale)) end
    idle[#idle + 1] = place
    if verdict == 'defer' then
      local d = redis.call('HMGET', record, 'exp', 'batch')
      local at = string.format('%.0f', math.min(now + ARGV[a + 5], tonumber(d[1])))
      local plan = r[4] .. '#' .. app .. '#' .. (d[2] or '') .. '#' .. id .. '#' .. d[1]
      for _, change in ipairs({ 'nb', at, 'why', ARGV[a + 7] }) do changes[#changes + 1] = change end
      gone[#gone + 1] = id
      redis.call('ZADD', KEYS[11], at, plan)
      redis.call('ZADD', KEYS[12], 0, plan)
    elseif verdict == 'retry' then
      local at = now + ARGV[a + 5]
      changes[#changes + 1] = 'nb'
      changes[#changes + 1] = at
      later[#later + 1] = at
      later[#later + 1] = id
      waiting[#waiting + 1] = 0
      waiting[#waiting + 1] = place
    else
      gone[#gone + 1] = id
      if r[8] then
        local wanted, finality = string.match(r[8], '^(%a*)|(%d+)$')
        finality = string.format('%d', finality + 1)
        changes[#changes + 1] = 'cb'
        changes[#changes + 1] = wanted .. '|' .. finality
        if string.find(wanted, unknown and 'U' or delivered and 'S' or 'F', 1, true) then
          calls[#calls + 1] = now_text
          calls[#calls + 1] = app .. '#' .. id .. '#' .. finality
        end
      end
      if r[9] then
        local batch = app .. '#' .. r[9] .. '#'
        local status = batch .. (unknown and 'U' or delivered and 'S' or 'F')
        ended[batch .. 'open'] = (ended[batch .. 'open'] or 0) - 1
        ended[status] = (ended[status] or 0) + 1
      end
      if verdict == 'dead' then
        changes[#changes + 1] = 'dead'
        changes[#changes + 1] = ARGV[a + 7]
        dead[#dead + 1] = now
        dead[#dead + 1] = id
        if unknown then redis.call('ZADD', KEYS[8], redis.call('ZSCORE', KEYS[7], id) or now_text, id) end
      else
        kept[#kept + 1] = forget_at
        kept[#kept + 1] = id
        if delivered then payloads[#payloads + 1] = payload end
      end
    end
    if misses and not missed then redis.call('ZADD', KEYS[7], 'NX', now_text, id) end
    if missed and not misses then redis.call('ZREM', KEYS[7], id) end
    redis.call('HSET', record, unpack(changes))
  end
end
if #gone > 0 then redis.call('ZREM', KEYS[1], unpack(gone)) end
if #later > 0 then redis.call('ZADD', KEYS[1], unpack(later)) end
if #idle > 0 then
  redis.call('ZREM', KEYS[2], unpack(idle))
  redis.call('ZREM', KEYS[6], unpack(idle))
end
if #waiting > 0 then redis.call('ZADD', KEYS[6], unpack(waiting)) end
if #payloads > 0 then redis.call('DEL', unpack(payloads)) end
if #kept > 0 then redis.call('ZADD', KEYS[4], unpack(kept)) end
if #dead > 0 then redis.call('ZADD', KEYS[5], unpack(dead)) end
if #calls > 0 then redis.call('ZADD', KEYS[9], unpack(calls)) end
for field, number in pairs(moves) do redis.call('HINCRBY', KEYS[3], field, number) end
for field, number in pairs(ended) do redis.call('HINCRBY', KEYS[10], field, number) end
return result
