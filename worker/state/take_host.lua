-- May a request go out to this host now? 0 and a lease, or the seconds to wait. KEYS: host asking
-- ARGV: token lease_seconds at_once everywhere
-- The host's hash: free (from when on), and one field for each lease: token -> when it lapses.
local host, asking = unpack(KEYS)
local token, lease, at_once, everywhere = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_seconds()
local fields = redis.call('HGETALL', host)
local held, free, first_lapse = 0, 0, nil
for i = 1, #fields, 2 do
  local value = tonumber(fields[i + 1])
  if fields[i] == 'free' then
    free = value
  elseif fields[i] ~= token then
    if value <= now then
      redis.call('HDEL', host, fields[i])
    else
      held = held + 1
      first_lapse = math.min(first_lapse or value, value)
    end
  end
end
local mine = redis.call('HEXISTS', host, token) == 1
if not mine then
  if free > now then return tostring(free - now) end
  if held >= at_once then return tostring(math.min(1, first_lapse - now)) end
  redis.call('ZREMRANGEBYSCORE', asking, '-inf', now)
  if redis.call('ZCARD', asking) >= everywhere then return '0.5' end
end
redis.call('HSET', host, token, now + lease)
redis.call('EXPIRE', host, math.max(math.ceil(lease), redis.call('TTL', host)))
redis.call('ZADD', asking, now + lease, token)
return '0'
