-- Adds entries that the log lost. From ARGV[3]: kinds, sessions, expiries.
local function holds(kind, sid)
	local expires = redis.call('HGET', logged_key, kind .. ':' .. sid)
	return expires and tonumber(expires) > now
end
for i = 3, #ARGV, 3 do
	local kind, sid, expires = ARGV[i], ARGV[i + 1], ARGV[i + 2]
	if tonumber(expires) > now and not holds(kind, sid) then
		if kind == '2' then
			finish_all(expires)
		else
			local is, user = live(sid)
			if is then remove(sid, user) end
		end
		append(kind, sid, expires)
	end
end
return answer('ok')
