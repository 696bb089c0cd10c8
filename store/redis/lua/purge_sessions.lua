-- Removes at most so many sessions that have expired or that EndAll has ended.
local limit, count = tonumber(ARGV[3]), 0
local function sweep(index, ids)
	for _, sid in ipairs(ids) do
		remove(sid, redis.call('HGET', session_key(sid), 'user'), index)
		count = count + 1
	end
end
sweep(expiry_key, redis.call('ZRANGE', expiry_key, '-inf', int(now), 'BYSCORE', 'LIMIT', 0, limit))
while count < limit do
	local trash = redis.call('LINDEX', prefix .. 'trash', 0)
	if not trash then break end
	sweep(trash, redis.call('ZRANGE', trash, 0, limit - count - 1))
	if redis.call('EXISTS', trash) == 0 then redis.call('LPOP', prefix .. 'trash') end
end
return answer('ok', count)
