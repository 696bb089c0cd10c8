-- Moves the last use of live sessions forward. From ARGV[3]: ids and times.
for i = 3, #ARGV, 2 do
	local sid, at = ARGV[i], math.min(tonumber(ARGV[i + 1]), now)
	local s = redis.call('HMGET', session_key(sid), 'epoch', 'seen', 'idle', 'deadline')
	if s[1] and is_live(s[1], s[2], s[3], s[4]) and at > tonumber(s[2]) then touch(sid, at, s[3], s[4]) end
end
return answer('ok')
