-- Writes a document if it has the expected version; 0: if there is none.
local key, version, data = prefix .. 'document:' .. ARGV[3], ARGV[4], ARGV[5]
if (redis.call('HGET', key, 'version') or '0') ~= version then return answer('conflict') end
redis.call('HINCRBY', key, 'version', 1)
redis.call('HSET', key, 'data', data)
return answer('ok')
