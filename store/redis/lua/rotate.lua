-- Exchanges a refresh token: see store.Rotation. What is compared are digests,
-- as Lua's strings, of which there is one each: it compares addresses.
local sid, family, presented, following, sealed = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local grace, retain = tonumber(ARGV[8]), tonumber(ARGV[9])
local key = session_key(sid)
local s = redis.call('HMGET', key, 'epoch', 'seen', 'idle', 'deadline', 'user', 'family', 'current', 'previous', 'sealed', 'rotated')
if not s[1] or not is_live(s[1], s[2], s[3], s[4]) or s[6] ~= family then return answer('notfound') end

local replayed = 0
if s[7] == presented then
	redis.call('HSET', key, 'previous', presented, 'current', following, 'sealed', sealed, 'rotated', int(now))
elseif s[8] == presented and now < s[10] + grace then
	replayed, sealed = 1, s[9]
else
	finish(sid, s[5], retain)
	return answer('reused')
end
touch(sid, now, s[3], s[4])
return answer('ok', record(sid), replayed, sealed)
