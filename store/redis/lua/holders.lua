-- Returns the nodes that may answer from memory.
return {'ok', now, redis.call('HGETALL', prefix .. 'holders')}
