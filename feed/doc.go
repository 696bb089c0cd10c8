// Package feed is one process's view of who is logged out: the exact set of
// ended sessions, a lease that says for how long the view may be relied on, and
// the follower that keeps both fresh. Nodes and verifiers run the same code.
//
// For most uses there is nothing to call: counterfoil.Manager and package
// verify hold a view. Whoever builds on it makes a [View], runs a [Follower]
// beside it, and judges each request in this order:
//
//	check := view.Begin()            // 1. the lease, before the look-ups
//	ended := view.Ended(id)          // 2. the look-ups
//	now, proven := check.Finish()    // 3. the clock, last
//
// A session that Ended names is refused. Where the check is not proven the view
// may be too old: ask the store, and refuse if it does not answer. A pause
// between any two of these steps, however long, ends in a check that is not
// proven, since the clock is read after everything else.
//
// # The lease
//
// Five times per bound the follower asks the source for a proof that the view
// is complete, a beat. The lease then counts from the moment before it asked,
// never from the answer: an answer that was delayed proves nothing about the
// time since. Hints that the log has grown make the follower look sooner, and
// never extend the lease; entries that one hands over count only behind a place
// in the log that is known. So a lost hint, a cut network, a stopped process or a
// crashed store can only end the lease early.
//
// What was learned is applied before it is relied on, and acknowledged after
// that. See the model directory of the repository for the proof by model
// checking, with each of these orders broken once.
package feed
