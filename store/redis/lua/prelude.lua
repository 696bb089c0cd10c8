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

-- int writes a whole number. tostring would write a time as 1.7e+12.
local function int(n) return string.format('%.0f', n) end

-- not_before is the time. It never decreases: it follows the server's clock
-- forward, and where that is set back it stays, at the time of the last write,
-- and goes on by the clocks of those who ask.
local function not_before(clock)
	local time = redis.call('TIME')
	return math.max(time[1] * 1000 + math.floor(time[2] / 1000), tonumber(clock or 0), tonumber(ARGV[1]))
end
