package main

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// 16.4.2: whatever is done to a log is told.
func TestChain(t *testing.T) {
	key := &secret{1}
	var a, b strings.Builder
	first, second := slog.New(slog.NewTextHandler(newChain(&a, key), nil)), slog.New(slog.NewTextHandler(newChain(&b, key), nil))
	for i := range 5 {
		first.Info("audit", "event", "login", "name", "john\nmallory chain=x.1.y", "n", i)
		second.Info("audit", "event", "logout", "n", i)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(a.String(), "\n"), "\n")
	intact := strings.Join(lines, "")
	edit := func(do func([]string) []string) string { return strings.Join(do(slices.Clone(lines)), "") }
	for _, c := range []struct {
		why    string
		log    string
		key    *secret
		broken bool
	}{
		{"as it was written", intact, key, false},
		{"of two processes, one after the other", intact + "\n" + b.String(), key, false},
		{"with the line for the first user, which is not of the log", "There are no users yet.\n" + intact, key, false},
		{"a line without a chain is added", intact + "\ntime=2026-01-01T00:00:00Z level=INFO msg=audit event=login", key, true},
		{"something is put before a line", strings.Replace(intact, "\nchain=", "\ntime=2026-01-01T00:00:00Z msg=audit name=forged chain=", 1), key, true},
		{"a line is changed", strings.Replace(intact, "n=2", "n=3", 1), key, true},
		{"a line is removed", edit(func(l []string) []string { return slices.Delete(l, 2, 3) }), key, true},
		{"the first line is removed", edit(func(l []string) []string { return l[1:] }), key, true},
		{"a line is doubled", edit(func(l []string) []string { return slices.Insert(l, 2, l[1]) }), key, true},
		{"two lines are swapped", edit(func(l []string) []string { l[1], l[2] = l[2], l[1]; return l }), key, true},
		{"a line is invented", intact + "\nchain=AAAAAAAAAA.1.AAAAAAAAAAAAAAAAAAAAAA time=2026-01-01T00:00:00Z level=INFO msg=audit", key, true},
		{"the number is changed", strings.Replace(intact, ".2.", ".3.", 1), key, true},
		{"another secret", intact, &secret{2}, true},
	} {
		t.Run(c.why, func(t *testing.T) {
			_, _, err := verifyLog(strings.NewReader(c.log), c.key)
			if broken := err != nil; broken != c.broken {
				t.Errorf("error %v", err)
			}
		})
	}
	if n, runs, _ := verifyLog(strings.NewReader(intact+"\n"+b.String()), key); n != 10 || runs != 2 {
		t.Errorf("%d lines of %d processes", n, runs)
	}
}
