#!lua flags=allow-oom
-- Write down which gateway a claim is about to ask for a channel, where the record names another one: if the process
-- dies then, the next claim must know where the message may have been shown.
-- Safe to repeat: it writes the same again.
--
-- KEYS  the records
-- ARGV  4 for each message: claim id, attempt, gateway of PUSH, gateway of INBOX ('' = as it is)
-- RETURNS  an array: 1 noted, 0 another claim has it or it is settled
local result = {}
for i, record in ipairs(KEYS) do
  local a = i * 4 - 3
  local r = redis.call('HMGET', record, 'attempt', 'held')
  local lease, claim = string.match(r[2] or '', '^(%d+)|%d+|(.*)$')
  result[i] = 0
  if r[1] == ARGV[a + 1] and claim == ARGV[a] and lease ~= '0' then
    if ARGV[a + 2] ~= '' then redis.call('HSET', record, 'gPUSH', ARGV[a + 2]) end
    if ARGV[a + 3] ~= '' then redis.call('HSET', record, 'gINBOX', ARGV[a + 3]) end
    result[i] = 1
  end
end
return result
