-- KEYS: stream; ARGV: group, entry ids ... (none: only delete)
-- Acknowledge for one group, then delete up to the lowest entry that some group still needs.
local stream, group = KEYS[1], ARGV[1]
if redis.call('EXISTS', stream) == 0 then return 0 end
for first = 2, #ARGV, 1000 do
  redis.call('XACK', stream, group, unpack(ARGV, first, math.min(first + 999, #ARGV)))
end

local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local function lower(a, b)
  if a == nil then return b end
  local a_ms, a_seq = parts(a)
  local b_ms, b_seq = parts(b)
  if a_ms < b_ms or (a_ms == b_ms and a_seq < b_seq) then return a end
  return b
end

local needed = nil
for _, row in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local info = {}
  for i = 1, #row, 2 do info[row[i]] = row[i + 1] end
  -- Both bounds count: a group set back by XGROUP SETID needs entries below its lowest pending one.
  local ms, seq = string.match(info['last-delivered-id'], '^(%d+)-(%d+)$')
  needed = lower(needed, ms .. '-' .. string.format('%.0f', tonumber(seq) + 1))
  if info['pending'] > 0 then needed = lower(needed, redis.call('XPENDING', stream, info['name'])[2]) end
end
if needed then return redis.call('XTRIM', stream, 'MINID', '=', needed) end
return 0
