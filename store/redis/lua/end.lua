-- Ends one session.
local sid, retain = ARGV[3], tonumber(ARGV[4])
local is, user = live(sid)
if not is then return {'ok', now, 0, pos, id} end
finish(sid, user, retain)
hint()
return {'ok', now, 1, pos, id}
