-- Returns the entries of the log after a cursor, and puts the node on record.
-- expected is the history that the node found when it asked before.
local node, longest, acked, limit = ARGV[3], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local after, after_id, expected, most = tonumber(ARGV[7]), ARGV[8], ARGV[9], tonumber(ARGV[10])
-- Another history begins when the store is emptied, and, since something may have
-- been lost that is not in the log, with another primary and at its restart.
local history = origin .. ':' .. (string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or '')
if (expected ~= '' and expected ~= history) or not knows(after, after_id) then return answer('unknown') end
if node ~= '' then
	local key, expires = prefix .. 'holders', now + longest
	local function held_until(holder) return tonumber(string.match(holder, '%d+$')) end
	local known = redis.call('HGET', key, node)
	if known then
		expires = math.max(expires, held_until(known)) -- an earlier beat's bound may have been longer
	else
		local all = redis.call('HGETALL', key)
		for i = 1, #all, 2 do
			if held_until(all[i + 1]) <= now then redis.call('HDEL', key, all[i]) end
		end
		if redis.call('HLEN', key) >= most then return answer('full') end
	end
	redis.call('HSET', key, node, acked .. ' ' .. int(expires))
end
return answer('ok', pos, id, entries(after, limit), history)
