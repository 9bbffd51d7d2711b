-- The oldest fresh entries were filed: cut them off. KEYS: fresh; ARGV: how many bytes
redis.call('SET', KEYS[1], redis.call('GETRANGE', KEYS[1], ARGV[1], -1), 'KEEPTTL')
