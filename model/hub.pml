/*
 * A hub and a verifier: the hub follows the store, the verifier follows the hub
 * and has no lease of its own right. One session is logged out. G1 and G2 hold
 * on both, by intervals alone: nobody's clock is compared with another's.
 *
 * mutant AGE_IGNORED: the verifier does not subtract the age of the hub's proof
 * mutant AGE_FROM_RECEIVE: the hub's age counts from when its proof came
 * mutant VERIFIER_FROM_RECEIVE: the verifier's lease counts from when the answer came
 * mutant VIEW_BEFORE_PROOF: the hub reads its view, then the age of its proof
 * mutant HUB_ACKS_ALONE: the hub acknowledges before its verifier has
 * mutant HUB_ACKS_SENT: the hub takes for acknowledged what it has sent
 * mutant HUB_RECORDS_LAST: the hub reads its view, then puts the verifier on record
 * mutant HUB_COUNTS_FIRST: the hub asks its verifier's ack, then reads its own view
 */
#include "clock.pml"

/* The store: a log of one entry at most. */
bool ended;
bool acked;	/* by the hub */
byte until;	/* so long the hub is on record */

/* The hub. */
bool hubOut;	/* the entry is in its set */
byte hubLease;	/* what is left of it: D less the age of its proof */
byte hubYoung;	/* what it would be if the beat under way proved it now */
bool told;	/* what the verifier has acknowledged */
byte record;	/* so long the verifier is on record */
byte copy;	/* of hubLease, while it answers */

/* The verifier. */
bool out;
byte lease;
byte spent;	/* ticks since it sent its request */

/* The logout and the check: see lease.pml. */
byte pause, grace, valid;
bool returned, everywhere;
#define mustRefuse (returned && (everywhere || grace == 0))

active proctype time()
{
	do
	:: d_step {
		true ->
		count(until); count(hubLease); count(hubYoung); count(record); count(copy);
		count(lease); count(pause); count(grace); count(valid);
		spent = min(spent + 1, D)
	   }
	od
}

/* The hub's follower: its ack speaks for whoever follows it. */
active proctype hub()
{
	bool mine, got;

	do
	:: hubYoung = D;
#ifdef HUB_COUNTS_FIRST
	   mine = (record == 0 || told);
	   mine = mine && hubOut;
#else
	   mine = hubOut;	/* first, so that a verifier recorded from now on gets it */
#ifndef HUB_ACKS_ALONE
	   mine = mine && (record == 0 || told);
#endif
#endif
	   d_step { got = ended; acked = mine; until = D };
	   if
	   :: hubYoung = 0	/* the answer is lost */
	   :: hubOut = hubOut || got;
	      d_step {
#ifdef AGE_FROM_RECEIVE
		hubYoung = D;
#endif
		hubLease = max(hubLease, hubYoung); hubYoung = 0
	      }
	   fi;
	   d_step { got = false; mine = false }
	od
}

/* Entries are pushed to the hub and to the verifier, or not. */
active proctype push()
{
	do
	:: d_step { ended && !hubOut -> hubOut = true }
	:: d_step { hubOut && !out -> out = true }
	od
}

/*
 * One renewal after the other: the verifier's steps and, between, the hub's.
 * None of the hub's is under a lock. It is their order that counts: record,
 * proof, view, clock.
 */
active proctype renewal()
{
	bool got, ack;
	byte left;

	do
	:: d_step { spent = 0; ack = out };
#ifdef HUB_RECORDS_LAST
	   copy = hubLease;
	   got = hubOut;
	   d_step { record = D; told = ack };
#else
	   d_step { record = D; told = ack };
#ifdef VIEW_BEFORE_PROOF
	   got = hubOut;
	   copy = hubLease;
#else
	   copy = hubLease;
	   got = hubOut;
#endif
#endif
#ifdef HUB_ACKS_SENT
	   told = got;
#endif
	   d_step { left = copy; copy = 0 };	/* D - age */
	   if
	   :: true	/* the answer is lost */
	   :: out = out || got;
	      d_step {
#ifdef AGE_IGNORED
		left = D;
#endif
#ifdef VERIFIER_FROM_RECEIVE
		spent = 0;
#endif
		if
		:: left > spent -> lease = max(lease, left - spent)
		:: else
		fi
	      }
	   fi;
	   d_step { left = 0; got = false; ack = false; spent = 0 }
	od
}

active proctype logout()
{
	ended = true;
	if
	:: d_step { true -> returned = true; grace = D }
	:: pause = D;
	   d_step {
		(pause == 0 || acked || until == 0) ->
		returned = true; everywhere = true; pause = 0
	   }
	fi
}

/* Without a lease a verifier accepts nothing, and the hub asks the store. */
active proctype check()
{
	if
	:: d_step { mustRefuse -> valid = lease };
	   !out
	:: d_step { mustRefuse -> valid = hubLease };
	   !hubOut
	fi;
	valid > 0;
	assert(false)
}
