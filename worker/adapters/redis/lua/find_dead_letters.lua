#!lua flags=no-writes
-- Read the cards of dead letters by their ids.
--
-- KEYS  1 dead, 2 cards
-- ARGV  the ids
-- RETURNS  an array: the card, '' where there is none
local result = {}
for i, id in ipairs(ARGV) do
  local died = redis.call('ZSCORE', KEYS[1], id)
  local place = died and string.format('%013.0f#%s', died, id)
  result[i] = died and redis.call('ZRANGE', KEYS[2], '[' .. place .. ' ', '(' .. place .. '!', 'BYLEX')[1] or ''
end
return result
