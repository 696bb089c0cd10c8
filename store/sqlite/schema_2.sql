-- The nodes that may answer from memory. The process that a node runs in knows
-- more of it; what stands here is for the others, and is seldom written.
CREATE TABLE node (
	id    BLOB    NOT NULL PRIMARY KEY,
	bound INTEGER NOT NULL, -- the longest for which it answers from memory after it has asked
	until INTEGER NOT NULL  -- it does so until then, unless this is written again
) STRICT, WITHOUT ROWID;

-- An entry that says that all sessions have ended names the cut: an id of that
-- time (UUID version 7). Of older entries the time is not known. It was before
-- all sessions that are live, and before the last write if there are none.
UPDATE ended
SET sid = unhex(printf('%012x', (SELECT coalesce(min(created), (SELECT clock FROM meta)) FROM session, meta WHERE session.epoch = meta.epoch))
	|| '7' || substr(hex(randomblob(2)), 2) || '8' || substr(hex(randomblob(8)), 2))
WHERE kind = 2;
