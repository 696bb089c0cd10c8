-- Ends a user's sessions except one, and counts his generation up. It takes time
-- in proportion to their number, and nothing else is served meanwhile: the log
-- has to name each of them in the transaction that ends them.
local user, except, retain = ARGV[3], ARGV[4], tonumber(ARGV[5])
redis.call('HINCRBY', prefix .. 'generations', user, 1)
local count = 0
if user ~= '' then
	for _, sid in ipairs(redis.call('ZRANGE', user_key(user), 0, -1)) do
		if sid ~= except and live(sid) then
			finish(sid, user, retain)
			count = count + 1
		end
	end
end
return answer('ok', count, pos, id)
