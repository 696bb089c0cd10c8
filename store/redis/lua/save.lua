-- Replaces the values of a live session if they have the expected version. It
-- needs nothing of the log, and writes the time down by itself: see answer.
redis.call('HSET', meta_key, 'clock', int(now))
local key, version, values = session_key(ARGV[3]), ARGV[4], ARGV[5]
local s = redis.call('HMGET', key, 'epoch', 'seen', 'idle', 'deadline', 'version')
if not s[1] or not is_live(s[1], s[2], s[3], s[4]) then return {'notfound', now} end
if s[5] ~= version then return {'conflict', now} end
redis.call('HSET', key, 'version', int(version + 1), 'values', values)
return {'ok', now}
