/*
 * The lease: nodes that answer from memory, one store, one session that is
 * logged out. Claims G1 and G2 of the design.
 *
 * mutant LEASE_FROM_RECEIVE: the lease counts from when the answer came
 * mutant LEASE_BEFORE_APPLY: the lease is extended, then the entries are applied
 * mutant LOOK_UP_FIRST: a check looks up before it reads the lease
 * mutant HALF_PROOF: a beat extends the lease though it did not reach the head
 * mutant REPLICA_BEAT: a beat is answered by a replica that lags
 * mutant REPLICA_FIND: without a lease, a replica that lags is asked
 * mutant FAIL_OPEN: without a lease and a store, a check accepts
 * mutant PUSH_EXTENDS: a pushed entry extends the lease
 * mutant PUSH_OVER_GAP: a pushed entry is applied though others before it are missing
 * mutant ACK_BEFORE_APPLY: the store takes for acknowledged what it has sent
 * mutant RECORD_AFTER_READ: a beat reads the head, then puts the node on record
 * mutant NO_WAIT: a logout everywhere does not wait
 * mutant SHORT_WAIT: it waits for the bound, without the error of clocks
 * mutant SHORT_HOLD: the store forgets a holder after the bound, without the error of clocks
 * mutant REPEAT_SKIPS_WAIT: it does not wait where the session had ended already
 * mutant UNCLEAR_IS_DONE: a commit whose outcome is unknown counts as done
 * mutant NO_LOCAL_APPLY: the node that serves the logout waits for the feed, too
 */
#include "clock.pml"

#ifndef N
#define N 1	/* nodes */
#endif
#ifndef LOG
#define LOG 2	/* how long the log may grow: our session's end, and another's */
#endif
#define BATCH 1	/* entries of one answer */
#define ERROR 1	/* the error of clocks: each node's may lose one tick in a run */

/* The store. Each of its transactions is one step: it is linearizable. */
byte head;	/* the last position of the log */
byte ended;	/* the position that ends our session; 0: it is live */
byte acked[N];	/* of the nodes on record */
byte until[N];	/* so long they are */

/* The nodes. */
byte cursor[N];	/* the feed is applied up to here */
byte lease[N];	/* ticks until validUntil, by the node's clock */
byte young[N];	/* what the lease would be if the beat under way proved it now */
bool out[N];	/* our session is in the set of ended ones */
bool lost[N];	/* the clock has lost its tick */

/* The logout, and what it promises once it returned. */
byte home;	/* the node that serves it; N: a process that follows no feed */
byte pause;	/* ticks left to wait */
bool returned, everywhere;
byte grace;	/* ticks until every node must refuse */
#define mustRefuse(n) (returned && (everywhere || n == home || grace == 0))

/* The check. */
byte where, valid;	/* the node, and what is left of the lease that it read */
#ifdef LOOK_UP_FIRST
#define starts(n) d_step { mustRefuse(n) && !out[n] -> where = n }
#else
#define starts(n) d_step { mustRefuse(n) -> where = n; valid = lease[n] }
#endif

inline tick(stopped)
{
	for (i : 0 .. N - 1) {
		count(until[i]);
		if
		:: i != stopped -> count(lease[i]); count(young[i])
		:: else
		fi
	}
	if
	:: where != stopped -> count(valid)
	:: else
	fi;
	count(grace);
	count(pause);
	i = 0
}

proctype time()
{
	byte i;

	do
	:: d_step { true -> tick(N) }
	:: d_step { !lost[0] -> lost[0] = true; tick(0) }
#if N > 1
	:: d_step { !lost[1] -> lost[1] = true; tick(1) }
#endif
	od
}

/* One writer's lock guards the view, so to apply entries is one step. */
inline apply(n, upto)
{
	cursor[n] = max(cursor[n], upto);
	out[n] = out[n] || (ended > 0 && ended <= cursor[n])
}

inline prove(n)
{
	d_step {
#ifdef LEASE_FROM_RECEIVE
		young[n] = D;
#endif
		if
		:: proof -> lease[n] = max(lease[n], young[n])
		:: else
		fi;
		young[n] = 0
	}
}

/*
 * The follower beats again and again. What it tells and asks counts from the
 * moment at which the beat arrives: an older cursor and an older ack would only
 * make a logout wait for longer.
 */
proctype follower(byte n)
{
	byte upto;
	bool proof;

	do
	:: young[n] = D;	/* sent now */
#ifdef RECORD_AFTER_READ
	   d_step { upto = min(head, cursor[n] + BATCH); proof = (upto == head) };
#endif
	   d_step {	/* the beat arrives, in one transaction of the store */
#ifndef RECORD_AFTER_READ
		upto = min(head, cursor[n] + BATCH);
		proof = (upto == head);
#endif
#ifdef REPLICA_BEAT
		upto = cursor[n];
		proof = true;
#endif
#ifdef HALF_PROOF
		proof = true;
#endif
		acked[n] = cursor[n];
#ifdef ACK_BEFORE_APPLY
		acked[n] = upto;
#endif
#ifdef SHORT_HOLD
		until[n] = D
#else
		until[n] = D + ERROR
#endif
	   };
	   if
	   :: young[n] = 0	/* the answer is lost */
#ifdef LEASE_BEFORE_APPLY
	   :: prove(n);
	      d_step { apply(n, upto) }
#else
	   :: d_step { true -> apply(n, upto) };
	      prove(n)
#endif
	   fi
	od
}

/*
 * Pushed entries: any, at any time or never, in any order. Those that do not
 * follow on the cursor only say that it is time to beat, which a follower may
 * do at any time here.
 */
proctype push(byte n)
{
	do
	:: d_step { cursor[n] < head -> apply(n, cursor[n] + 1) }
#ifdef PUSH_EXTENDS
		; lease[n] = D
#endif
#ifdef PUSH_OVER_GAP
	:: d_step { cursor[n] < head -> cursor[n] = head; out[n] = out[n] || ended == head }
#endif
	od
}

/* Other sessions end. Room is left for ours. */
proctype others()
{
	do
	:: d_step { head + (ended == 0) < LOG -> head++ }
	od
}

/* Each holder has acknowledged, or can't hold a lease any more. */
#define heard(n, pos) (acked[n] >= pos || until[n] == 0)
#ifdef ONE_HOLDER	/* a mutant of two nodes: run.sh knows */
#define allHeard(pos) (heard(0, pos) || heard(1, pos))
#elif N > 1
#define allHeard(pos) (heard(0, pos) && heard(1, pos))
#else
#define allHeard(pos) heard(0, pos)
#endif

/* Store.End, in one transaction. It may be repeated. */
inline end(pos)
{
	if
	:: ended == 0 -> head++; ended = head
	:: else -> again = true
	fi;
	pos = head
}

/* To return later, or with less, only promises less. */
inline promise(all)
{
	returned = true; everywhere = all; grace = D + ERROR;
	pause = 0; pos = 0; tries = 0; again = false
}

/* Manager.Logout and Manager.LogoutEverywhere. */
proctype logout()
{
	bool again;
	byte pos, tries;

	do
	:: d_step { tries < 2 -> end(pos) };
	   break
	:: d_step { tries < 2 -> end(pos); tries++ }	/* it happened, and nobody says so */
#ifdef UNCLEAR_IS_DONE
	   ; break
#endif
	:: tries < 2 -> tries++	/* it did not happen, and nobody says so */
#ifdef UNCLEAR_IS_DONE
	   ; break
#endif
	:: tries == 2 -> goto indeterminate	/* an error, and no promise */
	od;

	if
#ifndef NO_LOCAL_APPLY
	:: home < N -> out[home] = true
#endif
	:: else
	fi;
	if
	:: d_step { true -> promise(false) }
#ifdef NO_WAIT
	:: d_step { true -> promise(true) }
#endif
#ifdef REPEAT_SKIPS_WAIT
	:: d_step { again -> promise(true) }
#endif
#ifdef SHORT_WAIT
	:: pause = D;
#else
	:: pause = D + ERROR;
#endif
	   /* Store.Holders is one transaction, so this is one step. */
	   d_step { (pause == 0 || allHeard(pos)) -> promise(true) }
	fi;
indeterminate: skip
}

/*
 * One check that must refuse, at any time, on any node. One is enough: a check
 * changes nothing. Its start is one step with its first read, since what must be
 * refused stays so. Where it refuses it goes no further.
 */
proctype check()
{
	if
	:: starts(0)
#if N > 1
	:: starts(1)
#endif
	fi;
#ifdef LOOK_UP_FIRST
	valid = lease[where];
#else
	!out[where];
#endif
	/* The clock last: it has counted valid down meanwhile. */
	if
	:: valid > 0
	:: valid == 0 -> /* ask the store, which may be out of reach: 503 */
		if
		:: ended == 0
#ifdef REPLICA_FIND
		:: true	/* it answers as of before the logout */
#endif
#ifdef FAIL_OPEN
		:: true
#endif
		fi
	fi;
	assert(false)	/* it accepts */
}

init
{
	atomic {
		if
		:: home = 0
		:: home = N
		fi;
		run time();
		run follower(0); run push(0);
#if N > 1
		run follower(1); run push(1);
#endif
		run others(); run logout(); run check()
	}
}
