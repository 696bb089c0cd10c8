-- Adds entries that the log lost. From ARGV[3]: kinds, sessions, expiries.
for i = 3, #ARGV, 3 do
	local kind, sid, expires = ARGV[i], ARGV[i + 1], ARGV[i + 2]
	if tonumber(expires) > now and redis.call('SISMEMBER', logged_key, kind .. ':' .. sid) == 0 then
		if kind == '2' then
			finish_all(expires)
		else
			local is, user = live(sid)
			if is then remove(sid, user) end
		end
		append(kind, sid, expires)
	end
end
hint()
return {'ok', now}
