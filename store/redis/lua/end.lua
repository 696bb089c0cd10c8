-- Ends one session.
local sid, retain = ARGV[3], tonumber(ARGV[4])
local is, user = live(sid)
if not is then return answer('ok', 0, pos, id) end
finish(sid, user, retain)
return answer('ok', 1, pos, id)
