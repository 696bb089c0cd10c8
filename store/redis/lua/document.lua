-- Returns a document and its version.
local d = redis.call('HMGET', prefix .. 'document:' .. ARGV[2], 'version', 'data')
if not d[1] then return {'notfound', now} end
return {'ok', now, d[1], d[2]}
