-- Returns the entries of the log after a cursor, and puts the node on record.
-- expected is the origin that the store had when the node asked before.
local node, longest, acked, limit = ARGV[3], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local after, after_id, expected, most = tonumber(ARGV[7]), ARGV[8], ARGV[9], tonumber(ARGV[10])
if (expected ~= '' and expected ~= origin) or not knows(after, after_id) then return {'unknown', now} end
if node ~= '' then
	local key = prefix .. 'holders'
	if redis.call('HEXISTS', key, node) == 0 then
		local all = redis.call('HGETALL', key)
		for i = 1, #all, 2 do
			if tonumber(string.match(all[i + 1], '%d+$')) <= now then redis.call('HDEL', key, all[i]) end
		end
		if redis.call('HLEN', key) >= most then return {'full', now} end
	end
	redis.call('HSET', key, node, acked .. ' ' .. int(now + longest))
end
return {'ok', now, pos, id, entries(after, limit), origin}
