-- Ends everybody's sessions.
finish_all(int(now + tonumber(ARGV[3])))
return answer('ok', -1, pos, id)
