#!lua flags=no-writes
-- Search the cards of dead letters, the newest first, from one place on.
--
-- KEYS  1 cards
-- ARGV  1 where to begin, 2 where to end (as ZRANGE BYLEX REV takes them), 3 most cards to look at, 4 most cards to
--       return, 5 Lua pattern that a card must match ('' = any), then texts that it must hold
-- RETURNS  {the cards found, the last card looked at or '' when there are no more}
local rows = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2], 'BYLEX', 'REV', 'LIMIT', 0, ARGV[3])
local most, pattern, found = tonumber(ARGV[4]), ARGV[5], {}
for _, card in ipairs(rows) do
  local fits = true
  -- Plain texts first: they cost a tenth of a pattern.
  for i = 6, #ARGV do
    if not string.find(card, ARGV[i], 1, true) then
      fits = false
      break
    end
  end
  if fits and (pattern == '' or string.find(card, pattern)) then
    found[#found + 1] = card
    if #found == most then return { found, card } end
  end
end
return { found, #rows == tonumber(ARGV[3]) and rows[#rows] or '' }
