-- KEYS: stream; ARGV: group, entry ids ...
-- Acknowledge for one group, then delete up to the lowest entry that some group still needs.
local stream, group = KEYS[1], ARGV[1]
for first = 2, #ARGV, 1000 do
  redis.call('XACK', stream, group, unpack(ARGV, first, math.min(first + 999, #ARGV)))
end

local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local function before(a, b)
  local a_ms, a_seq = parts(a)
  local b_ms, b_seq = parts(b)
  return a_ms < b_ms or (a_ms == b_ms and a_seq < b_seq)
end

local needed = nil
for _, row in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local info = {}
  for i = 1, #row, 2 do info[row[i]] = row[i + 1] end
  local lowest
  if info['pending'] > 0 then
    lowest = redis.call('XPENDING', stream, info['name'])[2]
  else
    local ms, seq = string.match(info['last-delivered-id'], '^(%d+)-(%d+)$')
    lowest = ms .. '-' .. string.format('%.0f', tonumber(seq) + 1)
  end
  if needed == nil or before(lowest, needed) then needed = lowest end
end
if needed then return redis.call('XTRIM', stream, 'MINID', '=', needed) end
return 0
