-- Adds a session: see store.Creation.
local sid, user, replaces, inherit = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local expected, limit, retain = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local idle, deadline, auth = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[13])
-- From ARGV[14]: fields and values to store as they are.

if expected ~= '0' and int(generation(user)) ~= expected then return answer('superseded') end
if redis.call('EXISTS', session_key(sid)) == 1 then return answer('conflict') end
local values
if replaces ~= '' then
	local is, whose = live(replaces)
	if not is then return answer('notfound') end
	if inherit == '1' then values = redis.call('HGET', session_key(replaces), 'values') end
	finish(replaces, whose, retain)
end

if deadline == 0 then deadline = now + tonumber(ARGV[12]) end
if auth == 0 and user ~= '' then auth = now end
local key = session_key(sid)
redis.call('HSET', key, 'epoch', epoch, 'created', now_text, 'seen', now_text, 'idle', ARGV[10],
	'deadline', int(deadline), 'auth', int(auth), 'user', user, 'version', '1', unpack(ARGV, 14))
if values then redis.call('HSET', key, 'values', values) end
redis.call('ZADD', all_key, 0, sid)
redis.call('ZADD', expiry_key, int(math.min(now + idle, deadline)), sid)

-- The keys go by themselves where nobody purges, a day after the session: by the
-- store's time, which is never behind the server's, it has expired long before.
local gone = deadline + 24 * 3600 * 1000
if user ~= '' then
	redis.call('ZADD', user_key(user), 0, sid)
	if redis.call('PEXPIRETIME', user_key(user)) < gone then redis.call('PEXPIREAT', user_key(user), int(gone)) end
end
redis.call('PEXPIREAT', key, int(gone))

-- End the user's oldest sessions beyond the limit, but not the new one.
if limit > 0 and user ~= '' and redis.call('ZCARD', user_key(user)) > limit then
	local others = {}
	for _, other in ipairs(redis.call('ZRANGE', user_key(user), 0, -1)) do
		if other ~= sid and live(other) then
			others[#others + 1] = {tonumber(redis.call('HGET', session_key(other), 'created')), other}
		end
	end
	table.sort(others, function(a, b)
		if a[1] ~= b[1] then return a[1] < b[1] end
		return a[2] < b[2]
	end)
	for i = 1, #others - limit + 1 do finish(others[i][2], user, retain) end
end
if not is_live(epoch, now, idle, deadline) then return answer('notfound') end -- it was to expire before it began
return answer('ok', deadline, auth)
