-- Ends everybody's sessions.
finish_all(int(now + tonumber(ARGV[3])))
hint()
return {'ok', now, -1, pos, id}
