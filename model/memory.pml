/*
 * What one node keeps and for how long: the set of ended sessions, which is
 * pruned; the cache of sessions that it has seen; the tokens that it makes. One
 * session ends. Claim: once the node's view has passed the end, the node never
 * again accepts the session, by cookie or by token. (lease.pml tells by when its
 * view passes the end.)
 *
 * mutant MINT_FROM_NOW: a token's life counts from when it is signed
 * mutant MEMORY_MINT_FROM_NOW: so does that of a token made from memory
 * mutant MINT_LOOKS_FIRST: from memory: the look-up, then the time of the proof
 * mutant SHORT_RETAIN: the log forgets an end before the last token has run out
 * mutant CLOCK_STEPS_BACK: expiry is judged by a clock that may be set back
 * mutant TWO_CLOCKS: the set is pruned by one clock, tokens are judged by another
 * mutant CLOCK_FIRST: a check reads the clock, then looks up
 * mutant INSERT_BLINDLY: what the store said is cached without a look at the set
 * mutant INSERT_IN_TWO: the look at the set and the insert are two steps
 * mutant INSERT_LATE: it is cached though the end may be forgotten by now
 * mutant SNAPSHOT_KEEPS_CACHE: the cache survives a gap in what the node knows
 */
#include "clock.pml"

#define LIFE 2	/* of a token */
#ifdef SHORT_RETAIN
#define RETAIN (LIFE - 1)
#else
#define RETAIN LIFE
#endif

/* The store. */
bool ended;
byte entry;	/* until the end's entry expires, by the store's clock */

/*
 * The node's clock is ahead of the store's by so much. It runs fast, slow, and
 * jumps ahead; it never goes back. A time that is t ticks off by the store's
 * clock has passed by the node's if t <= ahead.
 */
byte ahead;
#define MOST 2

/* The node. */
bool passed;	/* its view has passed the end */
bool out;	/* the session is in the set */
bool cached;	/* and in the cache */
byte proof;	/* the store's time at the last proof, and LIFE */
byte token;	/* until the longest-lived token expires */

/* Times in the hands of those who are at work. */
byte told, minted, lent, found;

inline pass()
{
	count(entry); count(proof); count(token);
	count(told); count(minted); count(lent); count(found)
}

active proctype time()
{
	do
	:: d_step { true -> pass() }
	:: d_step { ahead < MOST -> pass(); ahead++ }	/* it runs fast */
	:: d_step { ahead > 0 -> pass(); ahead-- }	/* it stands still */
	:: d_step { ahead < MOST -> ahead++ }	/* it jumps */
#ifdef CLOCK_STEPS_BACK
	:: d_step { ahead > 0 -> ahead-- }
#endif
	od
}

active proctype logout()
{
	d_step { ended = true; entry = RETAIN }
}

/*
 * The follower: beat, apply, publish the proof. To apply an end is one step,
 * under the view's lock. Where the store has forgotten the entry the node's
 * cursor is unknown: it takes a snapshot and drops its cache.
 */
active proctype follower()
{
	bool got, gone;

	do
	:: d_step { true -> told = LIFE; got = ended; gone = ended && entry == 0 };
	   if
	   :: d_step { got && !passed && !gone -> passed = true; out = true; cached = false }
	   :: d_step {
		got && !passed && gone -> passed = true;
#ifndef SNAPSHOT_KEEPS_CACHE
		cached = false
#endif
	      }
	   :: !got || passed
	   fi;
	   d_step { proof = max(proof, told); told = 0; got = false; gone = false }
	od
}

active proctype prune()
{
	do
	:: d_step { out && entry <= ahead -> out = false }
	od
}

/* Store.Find, then a token. */
active proctype mint()
{
	do
	:: d_step { !ended -> minted = LIFE };	/* Session.AsOf and LIFE */
#ifdef MINT_FROM_NOW
	   minted = LIFE;
#endif
	   d_step { token = max(token, minted); minted = 0 }
	od
}

/* A token for a cached session: nobody asks the store. */
active proctype mintFromMemory()
{
	do
	::
#ifdef MINT_LOOKS_FIRST
	   cached && !out;
	   lent = proof;
#else
	   lent = proof;
	   if
	   :: cached && !out
	   :: !cached || out -> lent = 0
	   fi;
#endif
#ifdef MEMORY_MINT_FROM_NOW
	   if
	   :: lent > 0 -> lent = LIFE
	   :: else
	   fi;
#endif
	   d_step { token = max(token, lent); lent = 0 }
	od
}

/*
 * Store.Find, then the cache. The insert looks at the set and the age of what
 * it inserts: an end that came after the answer is in the set until then.
 */
#ifdef INSERT_LATE
#define fresh true
#else
#define fresh (found > ahead)
#endif
active proctype remember()
{
	do
	:: d_step { !ended -> found = RETAIN };
	   if
#ifdef INSERT_BLINDLY
	   :: d_step { fresh -> cached = true }
#endif
#ifdef INSERT_IN_TWO
	   :: fresh && !out -> cached = true
#endif
	   :: d_step { fresh && !out -> cached = true }
	   :: true
	   fi;
	   found = 0
	od
}

/* A check that must refuse: see lease.pml. */
#ifdef TWO_CLOCKS
#define good (token > 0)
#else
#define good (token > ahead)
#endif
active proctype check()
{
	passed;
	if
	:: !out; cached	/* the cookie */
#ifdef CLOCK_FIRST
	:: good; !out
#else
	:: !out; good	/* the token */
#endif
	fi;
	assert(false)
}
