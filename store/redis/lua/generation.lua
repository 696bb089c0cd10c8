-- Returns a user's generation. It writes, since an empty store gets its start:
-- the login that asks will find the same generation.
return answer('ok', generation(ARGV[3]))
