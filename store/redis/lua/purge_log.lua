-- Removes at most so many expired entries from the front of the log. One that
-- has not expired keeps those behind it: positions stay dense.
local count, last, last_id = 0, base, base_id
for _, entry in ipairs(entries(base, tonumber(ARGV[3]))) do
	local field = entry[2] -- id, its value, kind, its value, session, …
	if tonumber(field[8]) > now then break end
	local name = field[4] .. ':' .. field[6]
	if redis.call('HGET', logged_key, name) == field[8] then redis.call('HDEL', logged_key, name) end -- else a later one has it
	count, last, last_id = count + 1, last + 1, field[2]
end
if count > 0 then
	redis.call('XTRIM', log_key, 'MINID', '1-' .. int(last + 1))
	redis.call('HSET', meta_key, 'base', int(last), 'base_id', last_id)
end
return answer('ok', count)
