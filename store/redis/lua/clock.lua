-- What scripts that only look at sessions know of the store: state reads more.

local meta = redis.call('HMGET', meta_key, 'clock', 'epoch')
local now = not_before(meta[1])
local epoch = meta[2] or '0' -- how often everybody's sessions were ended
