-- Replaces the values of a live session if they have the expected version.
local sid, version, values = ARGV[3], ARGV[4], ARGV[5]
if not live(sid) then return {'notfound', now} end
local key = session_key(sid)
if redis.call('HGET', key, 'version') ~= version then return {'conflict', now} end
redis.call('HINCRBY', key, 'version', 1)
redis.call('HSET', key, 'values', values)
return {'ok', now}
