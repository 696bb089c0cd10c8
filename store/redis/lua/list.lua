-- Looks at some sessions of a user (empty: of everybody) after an id, and
-- returns those that are live, and the id that it looked at last (empty: there
-- are no more).
local user, after, limit, look = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local index = prefix .. 'all'
if user ~= '' then index = user_key(user) end
local found, last = {}, ''
local ids = redis.call('ZRANGE', index, '(' .. after, '+', 'BYLEX', 'LIMIT', 0, look)
for i, sid in ipairs(ids) do
	local r = record(sid)
	if r then found[#found + 1] = r end
	if #found == limit or i == look then
		last = sid
		break
	end
end
return {'ok', now, last, found}
