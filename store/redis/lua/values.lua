-- Returns the values of a live session and their version.
local sid = ARGV[2]
if not live(sid) then return {'notfound', now} end
local v = redis.call('HMGET', session_key(sid), 'version', 'values')
return {'ok', now, v[1], v[2]}
