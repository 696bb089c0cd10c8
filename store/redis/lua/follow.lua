-- Returns the entries of the log after a cursor.
local after, after_id, limit = tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
if not knows(after, after_id) then return {'unknown', now} end
return {'ok', now, pos, id, entries(after, limit)}
