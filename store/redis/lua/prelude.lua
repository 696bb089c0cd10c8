-- What every script begins with.
--
-- KEYS[1] is the hash {prefix}:meta, and all other keys have its prefix, so that
-- they lie in one hash slot. ARGV[1] is a time that the clock of this store has
-- surely reached. Times are milliseconds since 1970, durations milliseconds.
-- Session ids are UUIDs as text.
--
-- {prefix}:meta          hash: clock, epoch, origin, start, and of the log: pos
--                        and id of its head, base and base_id of what was pruned
-- {prefix}:session:<id>  hash: one session, with its values and refresh tokens
-- {prefix}:user:<user>   sorted set: the ids of the user's sessions, score 0
-- {prefix}:all           sorted set: the ids of all sessions, score 0
-- {prefix}:expiry        sorted set: the same, by the time at which they expire
-- {prefix}:trash         list of sorted sets {prefix}:trash:<epoch>: what EndAll
--                        has ended, to be purged
-- {prefix}:log           stream: the log of ended sessions; position n is 1-n
-- {prefix}:logged        hash: <kind>:<id> of every entry of the log, and when it
--                        expires
-- {prefix}:generations   hash: how often all of a user's sessions were ended
-- {prefix}:holders       hash: the nodes that may answer from memory
-- {prefix}:document:<n>  hash: a document
-- {prefix}:hints         the channel of hints

local meta_key = KEYS[1]
local prefix = string.sub(meta_key, 1, -5) -- without "meta"
local all_key, expiry_key, log_key, logged_key = prefix .. 'all', prefix .. 'expiry', prefix .. 'log', prefix .. 'logged'

local no_id = string.rep('0', 32)

-- int writes a whole number. tostring would write a time as 1.7e+12.
local function int(n) return string.format('%.0f', n) end

local meta = redis.call('HMGET', meta_key, 'clock', 'epoch', 'pos', 'id', 'base', 'base_id', 'origin', 'start')
local epoch = meta[2] or '0' -- how often everybody's sessions were ended
local pos, id = tonumber(meta[3] or 0), meta[4] or no_id
local base, base_id = tonumber(meta[5] or 0), meta[6] or no_id
local origin = meta[7] or '' -- drawn when the store was empty: shows that it was emptied
local start = tonumber(meta[8] or 0) -- when that was

-- now never decreases: it follows the server's clock forward. Where that is set
-- back it stays, and goes on by the clocks of those who ask.
local time = redis.call('TIME')
local now = math.max(time[1] * 1000 + math.floor(time[2] / 1000), tonumber(meta[1] or 0), tonumber(ARGV[1]))

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

-- generation returns a user's generation. It counts from the time at which the
-- store was empty: it is greater than any that was told before that.
local function generation(user)
	return start + epoch + (redis.call('HGET', prefix .. 'generations', user) or 0)
end

-- knows reports whether a position with that id is a place in this log.
local function knows(after, after_id)
	if after == pos then return after_id == id end
	if after == base then return after_id == base_id end
	if after < base or after > pos then return false end
	local entry = redis.call('XRANGE', log_key, '1-' .. int(after), '1-' .. int(after))[1]
	return entry ~= nil and entry[2][2] == after_id -- the first field is the id
end

-- entries returns at most so many entries of the log after a position.
local function entries(after, limit)
	if limit <= 0 or after >= pos then return {} end
	return redis.call('XRANGE', log_key, '1-' .. int(after + 1), '1-' .. int(pos), 'COUNT', limit)
end
