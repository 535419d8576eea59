#!lua flags=allow-oom
-- Write the cards of dead letters, which searches read, from their records; what is no dead letter gets none.
-- Safe to repeat: a letter has one card, which does not change while it is dead.
--
-- KEYS  1 dead, 2 cards, then the records
-- ARGV  the ids, in the order of KEYS
-- RETURNS  how many cards are new
local cards = {}
for i, id in ipairs(ARGV) do
  local died = redis.call('ZSCORE', KEYS[1], id)
  local r = died and redis.call('HMGET', KEYS[2 + i], 'dead', 'lane', 'app', 'req', 'tpl', 'PUSH', 'INBOX', 'gPUSH', 'gINBOX')
  if r and r[1] then
    local version, code = string.match(r[5], '^(%d+)#[^#]*#([^#]*)')
    local place = string.format('%013.0f#%s', died, id)
    local card = string.format('%s cause=%s lane=%s app=%s req=%s tpl=%s ver=%s', place, r[1], r[2], r[3], r[4], code, version)
    for c, channel in ipairs({ 'PUSH', 'INBOX' }) do
      local state, gateway = string.sub(r[5 + c], 1, 1), string.gsub(r[7 + c] or '', '[%c%s|]', '_')
      if state == 'F' or state == 'U' then
        local code = string.gsub(string.match(r[5 + c], '^[^|]*|[^|]*|([^|]*)') or '', '[%c%s|]', '_')
        card = card .. ' ' .. channel .. '=' .. state .. '|' .. code .. '|' .. gateway
      elseif state ~= '' then
        card = card .. ' ' .. string.lower(channel) .. '=' .. state .. '~' .. gateway
      end
    end
    cards[#cards + 1] = 0
    cards[#cards + 1] = card .. ' '
  end
end
if #cards == 0 then return 0 end
return redis.call('ZADD', KEYS[2], unpack(cards))
