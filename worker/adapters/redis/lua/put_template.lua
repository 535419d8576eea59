#!lua
-- Store a content as the next version of a template, and make it the live one unless it is to stay a draft. A content
-- that the live version or the newest one has makes no new version.
-- Safe to repeat: the history knows what was done by its id, and the answer is the same. No version is written twice.
--
-- KEYS  1 templates, 2 history of this template
-- ARGV  1 template code, 2 content (canonical JSON), 3 PUT for a draft or PUBLISH, 4 id, 5 who
-- RETURNS  {1 changed or 0 not, the version, the version that was live before or 0}
local code, content, id = ARGV[1], ARGV[2], ARGV[4]
for _, event in ipairs(redis.call('LRANGE', KEYS[2], 0, 9)) do
  local done, version, former = event:match('^(%x+)|%d+|%u+|(%d+)|(%d+)|')
  if done == id then
    return { 1, tonumber(version), tonumber(former) }
  end
end
local live = tonumber(redis.call('HGET', KEYS[1], code) or 0)
local newest = tonumber(redis.call('HGET', KEYS[1], code .. '#newest') or live)
local t = redis.call('TIME')
local now = string.format('%d', t[1] * 1000 + math.floor(t[2] / 1000))

local function holds(version)
  return redis.call('HGET', KEYS[1], code .. '#' .. version) == content
end
local function note(act, version)
  redis.call('LPUSH', KEYS[2], table.concat({ id, now, act, version, live, ARGV[5] }, '|'))
end

if holds(live) or (ARGV[3] == 'PUT' and holds(newest)) then
  return { 0, holds(live) and live or newest, live }
end
local version = newest
if not holds(newest) then
  version = newest + 1
  redis.call('HSET', KEYS[1], code .. '#' .. version, content, code .. '#newest', version)
  note('PUT', version)
end
if ARGV[3] == 'PUBLISH' then
  redis.call('HSET', KEYS[1], code, version)
  redis.call('HSETNX', KEYS[1], code .. '#' .. version .. '#since', now)
  note('PUBLISH', version)
end
return { 1, version, live }
