-- Shared by every script: the server's clock is the only clock, so hosts never disagree about a lease.
local function now_seconds()
  local t = redis.call('TIME')
  return tonumber(t[1]) + tonumber(t[2]) / 1e6
end

-- Book n documents of a source under a counter, in the total, on the day and in the minute.
local function book(total_key, day_key, rate_key, day_ttl, source, counter, n)
  if n == 0 then return end
  local field = source .. '|' .. counter
  redis.call('HINCRBY', total_key, field, n)
  redis.call('HINCRBY', day_key, field, n)
  redis.call('EXPIRE', day_key, day_ttl)
  if n > 0 then
    redis.call('HINCRBY', rate_key, counter, n)
    redis.call('EXPIRE', rate_key, 10800)
  end
end

-- A batch leaves the ledger: forget it and its bytes, and give back the spool references nobody else holds.
local function settle(batch_key, waiting_key, due_key, spool_key, in_flight_key, batch_id)
  local freed = {}
  local lane, bytes = unpack(redis.call('HMGET', batch_key, 'lane', 'bytes'))
  if lane and bytes then redis.call('HINCRBY', in_flight_key, 'bytes|' .. lane, -tonumber(bytes)) end
  local refs = redis.call('HGET', batch_key, 'refs')
  for ref in string.gmatch(refs or '', '%S+') do
    if redis.call('HINCRBY', spool_key, ref, -1) <= 0 then
      redis.call('HDEL', spool_key, ref)
      freed[#freed + 1] = ref
    end
  end
  redis.call('DEL', batch_key)
  redis.call('ZREM', waiting_key, batch_id)
  redis.call('ZREM', due_key, batch_id)
  return freed
end
