/*
 * A failover that loses the log's tail: positions are used again, and followers
 * put back what the store has forgotten. Two sessions end. Claims:
 *  - whom a node has known to have ended, it never accepts again;
 *  - an end that the store has kept is refused everywhere after the bound, also
 *    where it stands at a position that a node has seen before;
 *  - once a node that knows of an end has found its way into the new history,
 *    the end is kept again.
 *
 * mutant POSITION_ONLY: a cursor is known by its position, without its id
 * mutant SNAPSHOT_REPLACES: a snapshot takes the place of what the node knew
 * mutant NO_MERGE: the node does not put back what the store has lost
 * mutant SNAPSHOT_SKIPPED: the node takes the new head for its place in the log
 * mutant DEPOSED_BEAT: a beat is answered by the primary that was deposed
 * mutant DEPOSED_FIND: without a lease, the deposed primary is asked
 */
#include "clock.pml"

#define N 2
#define at(n, s) [2 * (n) + (s)]

/* The store that takes writes. An entry's id is its session's number and 1, or,
   where it was merged, and 3: no id is used twice. */
byte log[3];	/* by position, from 1 */
byte head;
bool failed;	/* the failover has happened; there is one */
#define holds(s) (log[1] == s + 1 || log[1] == s + 3 || log[2] == s + 1 || log[2] == s + 3)

/* The nodes. */
byte pos[N], id[N];	/* the cursor */
bool out[4];	/* by node and session: it is in the set */
byte lease[N], young[N];

/* What is promised: of sessions, and of a node and a session. */
bool kept[2];
byte grace[2];
bool knew[4];
#define mustRefuse(n, s) (knew at(n, s) || (kept[s] && grace[s] == 0))

proctype time()
{
	do
	:: d_step {
		true ->
		count(lease[0]); count(lease[1]); count(young[0]); count(young[1]);
		count(grace[0]); count(grace[1])
	   }
	od
}

inline append(entry)
{
	head++;
	log[head] = entry
}

inline learn(n, s)
{
	out at(n, s) = true;
	knew at(n, s) = true
}

/* A logout, served by node 0 or by a process that follows nothing. */
proctype logout(byte s)
{
	d_step { append(s + 1); kept[s] = true; grace[s] = D };
	if
	:: d_step { true -> learn(0, s) }
	:: true
	fi
}

/* The replica that takes over has some of the log. A lost end is no promise. */
inline forget()
{
	kept[0] = kept[0] && holds(0);
	kept[1] = kept[1] && holds(1)
}

inline lose()
{
	if
	:: head > 0 -> log[head] = 0; head--
	:: else
	fi
}

proctype failover()
{
	if
	:: d_step { true -> failed = true; lose(); forget() }
	:: d_step { true -> failed = true; lose(); lose(); forget() }
	fi
}

#ifdef POSITION_ONLY
#define known(n) (pos[n] <= head)
#else
#define known(n) (pos[n] <= head && (pos[n] == 0 || log[pos[n]] == id[n]))
#endif

/* What of the log stands after the node's cursor. */
#define after(n, s, from) ( \
	(from < 1 && (log[1] == s + 1 || log[1] == s + 3)) || \
	(from < 2 && (log[2] == s + 1 || log[2] == s + 3)))

inline answer(n, from)
{
	news[0] = after(n, 0, from);
	news[1] = after(n, 1, from);
	newPos = head;
	newId = log[head]
}

inline take(n)
{
	if
	:: news[0] -> learn(n, 0)
	:: else
	fi;
	if
	:: news[1] -> learn(n, 1)
	:: else
	fi;
	pos[n] = newPos;
	id[n] = newId
}

/* Store.Merge of one node's set, and what it promises. */
inline merge(n, s)
{
	if
	:: out at(n, s) && !holds(s) ->
#ifndef NO_MERGE
		append(s + 3);
#endif
		kept[s] = true; grace[s] = D
	:: else
	fi
}

proctype follower(byte n)
{
	bool news[2];
	byte newPos, newId;

	do
	:: young[n] = D;
	   if
	   :: d_step { known(n) -> answer(n, pos[n]) };
	      /* It comes, however late, whatever has failed meanwhile. */
	      d_step { true -> take(n) };
	      lease[n] = max(lease[n], young[n])
	   :: d_step { !known(n) -> answer(n, 0) };
	      /* Store.Snapshot: it proves nothing. */
	      d_step {
#ifdef SNAPSHOT_REPLACES
		out at(n, 0) = false;
		out at(n, 1) = false;
#endif
#ifdef SNAPSHOT_SKIPPED
		news[0] = false;
		news[1] = false;
#endif
		take(n)
	      };
	      d_step { merge(n, 0); merge(n, 1) }
#ifdef DEPOSED_BEAT
	   :: failed -> lease[n] = max(lease[n], young[n])
#endif
	   :: true	/* nobody answers */
	   fi;
	   d_step { young[n] = 0; news[0] = false; news[1] = false; newPos = 0; newId = 0 }
	od
}

/* A check in one step: lease.pml takes it apart. */
#ifdef DEPOSED_FIND
#define asked(s) (!holds(s) || failed)
#else
#define asked(s) (!holds(s))
#endif
#define wrong(n, s) (mustRefuse(n, s) && !out at(n, s) && (lease[n] > 0 || asked(s)))

proctype check()
{
	wrong(0, 0) || wrong(0, 1) || wrong(1, 0) || wrong(1, 1);
	assert(false)
}

init
{
	atomic {
		run time(); run follower(0); run follower(1);
		run logout(0); run logout(1); run failover(); run check()
	}
}
