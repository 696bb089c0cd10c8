-- Returns a live session.
local r = record(ARGV[2])
if not r then return {'notfound', now} end
return {'ok', now, r}
