-- Returns some entries of the log after a position, expired ones too.
local after, limit = math.max(tonumber(ARGV[2]), base), tonumber(ARGV[3])
return {'ok', now, pos, id, entries(after, limit)}
