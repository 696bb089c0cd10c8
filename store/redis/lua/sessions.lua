-- What scripts that look at sessions have in common.

local function session_key(sid) return prefix .. 'session:' .. sid end
local function user_key(user) return prefix .. 'user:' .. user end

-- is_live judges a session by its epoch, last use, idle time-out and deadline.
-- The key may be there for longer than the session lives.
local function is_live(e, seen, idle, deadline)
	return e == epoch and now < seen + idle and now < tonumber(deadline)
end

-- live reports whether there is such a live session, and whose it is.
local function live(sid)
	local s = redis.call('HMGET', session_key(sid), 'epoch', 'seen', 'idle', 'deadline', 'user')
	return s[1] and is_live(s[1], s[2], s[3], s[4]), s[5]
end

-- record returns what package redis reads of a live session, or nil.
local function record(sid)
	local s = redis.call('HMGET', session_key(sid), 'epoch', 'seen', 'idle', 'deadline', 'created', 'auth',
		'user', 'name', 'methods', 'agent', 'address', 'secret', 'lineage', 'persistent')
	if not s[1] or not is_live(s[1], s[2], s[3], s[4]) then return nil end
	s[1] = sid
	return s
end
