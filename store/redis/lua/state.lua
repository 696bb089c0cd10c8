-- What scripts that look at the log, or write, know of the store.

local log_key = prefix .. 'log'
local no_id = string.rep('0', 32)

local meta = redis.call('HMGET', meta_key, 'clock', 'epoch', 'pos', 'id', 'base', 'base_id', 'origin', 'start')
local now = not_before(meta[1])
local epoch = meta[2] or '0' -- how often everybody's sessions were ended
local pos, id = tonumber(meta[3] or 0), meta[4] or no_id
local base, base_id = tonumber(meta[5] or 0), meta[6] or no_id
local origin = meta[7] or '' -- drawn when the store was empty: shows that it was emptied
local start = tonumber(meta[8] or 0) -- when that was

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
