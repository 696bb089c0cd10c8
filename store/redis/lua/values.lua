-- Returns the values of a live session and their version.
local s = redis.call('HMGET', session_key(ARGV[2]), 'epoch', 'seen', 'idle', 'deadline', 'version', 'values')
if not s[1] or not is_live(s[1], s[2], s[3], s[4]) then return {'notfound', now} end
return {'ok', now, s[5], s[6]}
