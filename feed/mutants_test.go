package feed

import (
	"testing"

	"github.com/counterfoil/counterfoil/internal/mutants"
)

// why: each step of the algorithm is there for a reason, which a test knows.
// Those that the model in the repository breaks are broken here in the code.
func TestMutants(t *testing.T) {
	mutants.Run(t, "^Test(Simulation|Check|Clock|StoreClock|SetForgets|Everywhere|Follower|View)",
		mutants.New("the lease counts from the answer",
			"follow.go", "lease{sent: sent,", "lease{sent: f.view.clock.now(),"),
		mutants.New("the lease is read after the look-up",
			"view.go", "t < c.lease.until", "t < c.view.lease.Load().until"),
		mutants.New("the clock is read before the look-up",
			"view.go", "	cuts  uint64\n}", "	cuts  uint64\n	read  instant\n}").
			And("view.go", "v.cuts.Load()}", "v.cuts.Load(), v.clock.now()}").
			And("view.go", "	t := c.view.clock.late()\n	return c.view.store.at(t)", "	t := c.read\n	return c.view.store.at(t)"),
		mutants.New("the lease is extended short of the head",
			"view.go", "history != v.history || !v.recent.has(head)", "history != v.history"),
		mutants.New("what is acknowledged is applied later",
			"follow.go", "	f.view.store.set(news.Now, sent)\n", "	f.view.store.set(news.Now, sent)\n"+
				"	f.source.Beat(ctx, store.Beat{Node: f.node, Bound: f.view.config.Bound, After: news.Head, Acked: news.Head.Pos, Limit: 1})\n"),
		mutants.New("the acknowledgement does not wait for those who follow",
			"follow.go", "acked = min(acked, f.Acked(acked))", "f.Acked(acked)"),
		mutants.New("nobody is waited for",
			"everywhere.go", "	wait := time.Millisecond / 4\n", "	wait := time.Millisecond / 4\n	if pos > 0 {\n		return\n	}\n"),
		mutants.New("those who do not answer are waited for too briefly",
			"everywhere.go", "max(w.bound, answered+h.Until.Sub(now))", "answered + h.Until.Sub(now)/2"),
		mutants.New("a replica may answer the beat",
			"follow.go", "	f.view.store.set(news.Now, sent)\n", "	f.view.store.set(news.Now, sent)\n"+
				"	if news, err = f.source.Follow(ctx, cursor, store.MaxBatch); err != nil {\n		return false, err\n	}\n"),
		mutants.New("a hint extends the lease",
			"follow.go", "		after, entries = cursor, news.Entries\n", "		after, entries = cursor, news.Entries\n"+
				"		f.view.apply(history, after, entries)\n"+
				"		f.view.extend(history, news.Head, f.view.lease.Load(), lease{sent: f.view.clock.now()})\n"),
		mutants.New("the age of a proof does not count",
			"view.go", "- l.age\n", "\n"),
		mutants.New("time decreases",
			"clock.go", "return time.Unix(0, shown).UTC()", "return time.Unix(0, ns).UTC()"),
		mutants.New("an ended session is forgotten before it has expired",
			"set.go", "if b.until > ms {", "if b.until > ms+bucketWidth.Milliseconds() {"),
		mutants.New("suspend does not count",
			"clock.go", "max(known.slept, boot-after)", "known.slept+0*boot"),
		mutants.New("the boot clock may lag",
			"clock.go", "max(known.slept, boot-after)", "boot-after"),
		mutants.New("a sleep since the boot clock was read is not seen",
			"clock.go", "return (lead - s.lead).Abs() <= tolerance", "return lead > 0"),
		mutants.New("a wall clock that was set back hides a sleep for good",
			"clock.go", "mono-time.Duration(known.found.Load()) < validFor", "known.found.Load() >= 0"),
		mutants.New("readings that were interrupted count as one",
			"clock.go", "case after-mono > tolerance:", "case after < mono:"),
		mutants.New("the boot clock is read before the wall clock",
			"clock.go", "	wall, mono := c.read()\n	if c.boot == nil {\n		return mono\n	}\n	boot := c.boot()\n",
			"	if c.boot == nil {\n		_, mono := c.read()\n		return mono\n	}\n	boot := c.boot()\n	wall, mono := c.read()\n"),
		mutants.New("what the tolerance hides is not made up for",
			"clock.go", "mono + known.slept + ahead", "mono + known.slept"),
		mutants.New("where the place in the log is lost, it goes on at the head",
			"view.go", "	lost := v.missing(news)\n	for _, e := range news.Entries {", "	lost := v.missing(news)\n	for _, e := range news.Entries[:0] {"),
		mutants.New("positions are compared without the ids",
			"view.go", "	if c == r.base {", "	if c.Pos == r.base.Pos {").
			And("view.go", "r.entries[n-1].Cursor == c", "true"),
		mutants.New("what pushed entries follow on is not looked at",
			"view.go", "history != v.history || !v.recent.has(after)", "history != v.history"),
		mutants.New("what the store has lost is not given back",
			"view.go", "	for _, e := range lost {\n", "	for _, e := range lost[:0] {\n"),
		mutants.New("what was ended here is not awaited from the log",
			"view.go", "	if !v.set.contains(id) {\n", "	if false {\n"),
		mutants.New("a proof counts that was asked for before Drop",
			"view.go", "v.lease.CompareAndSwap(held, &l)", "v.lease.Store(&l)"),
		mutants.New("a proof may come from the future",
			"view.go", "	l.age = max(l.age, 0)", "	"),
		mutants.New("an entry of a kind that is not known is passed over",
			"view.go", "	default:\n		return errKind\n", ""),
		mutants.New("a source that contradicts itself is believed again at once",
			"follow.go", "case !rebuilt && (", "case (!rebuilt || true) && ("),
		mutants.New("a beat may last past the end of the lease",
			"follow.go", "left > 0 {\n		return context", "left > 1<<62 {\n		return context"),
		mutants.New("a snapshot may hang",
			"follow.go", "context.WithTimeout(ctx, snapshotPatience)", "context.WithCancel(ctx)"),
	)
}
