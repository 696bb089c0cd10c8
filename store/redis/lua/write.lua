-- What scripts that write begin with, after the prelude. ARGV[2] is 32 random
-- digits in hexadecimal.
--
-- An error in the middle of a script undoes nothing. So a script looks first and
-- writes then, and runs no command that can fail once it has begun.

local all_key, expiry_key, logged_key = prefix .. 'all', prefix .. 'expiry', prefix .. 'logged'
local now_text = int(now)

if origin == '' then
	origin, start = ARGV[2], now
	redis.call('HSET', meta_key, 'origin', origin, 'start', now_text)
end

-- new_id returns the random id of a log entry.
local drawn = 0
local function new_id()
	drawn = drawn + 1
	return string.sub(ARGV[2], 1, 24) .. string.format('%08x', drawn)
end

-- append adds an entry to the log.
local first = pos
local function append(kind, sid, expires)
	pos, id = pos + 1, new_id()
	redis.call('XADD', log_key, '1-' .. int(pos), 'id', id, 'kind', kind, 'session', sid, 'expires', expires)
	redis.call('HSET', logged_key, kind .. ':' .. sid, expires)
	redis.call('HSET', meta_key, 'clock', now_text, 'pos', int(pos), 'id', id)
end

-- answer is how every such script ends. It tells those who watch that the log
-- has grown. If it has not the script writes the time down, at least: WAIT and
-- WAITAOF on its connection then cover all that it has seen.
local function answer(outcome, ...)
	if pos == first then
		redis.call('HSET', meta_key, 'clock', now_text)
	else
		redis.call('PUBLISH', prefix .. 'hints', 'grew')
	end
	return {outcome, now, ...}
end

-- remove deletes a session and nothing else. index is the sorted set that it
-- expires in.
local function remove(sid, user, index)
	redis.call('DEL', session_key(sid))
	redis.call('ZREM', all_key, sid)
	redis.call('ZREM', index or expiry_key, sid)
	if user and user ~= '' then redis.call('ZREM', user_key(user), sid) end
end

-- finish ends a live session.
local function finish(sid, user, retain)
	remove(sid, user)
	append('1', sid, int(now + retain))
end

-- finish_all ends every session, in the same time however many there are: those
-- of an older epoch are not live. Purge removes them later.
local function finish_all(expires)
	if redis.call('EXISTS', expiry_key) == 1 then
		local trash = prefix .. 'trash:' .. epoch
		redis.call('RENAME', expiry_key, trash)
		redis.call('RPUSH', prefix .. 'trash', trash)
	end
	redis.call('UNLINK', all_key)
	epoch = int(epoch + 1)
	redis.call('HSET', meta_key, 'epoch', epoch)
	-- The entry names the cut: a UUID of version 7, of now.
	local t, r = string.format('%012x', now), new_id()
	append('2', string.sub(t, 1, 8) .. '-' .. string.sub(t, 9) .. '-7' .. string.sub(r, 1, 3) ..
		'-8' .. string.sub(r, 4, 6) .. '-' .. string.sub(r, 21), expires)
end

-- touch moves a session's last use forward.
local function touch(sid, at, idle, deadline)
	redis.call('HSET', session_key(sid), 'seen', int(at))
	redis.call('ZADD', expiry_key, int(math.min(at + idle, tonumber(deadline))), sid)
end

-- generation returns a user's generation. It counts from the time at which the
-- store was empty: it is greater than any that was told before that.
local function generation(user)
	return start + epoch + (redis.call('HGET', prefix .. 'generations', user) or 0)
end
