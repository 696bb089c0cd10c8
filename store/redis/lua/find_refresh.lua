-- Returns the live session of a refresh token that rotate would exchange: see
-- store.Rotation.
local sid, family, presented, grace = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local s = redis.call('HMGET', session_key(sid), 'family', 'current', 'previous', 'rotated')
local good = s[1] == family and (s[2] == presented or s[3] == presented and now < s[4] + grace)
local r = good and record(sid)
if not r then return {'notfound', now} end
return {'ok', now, r}
