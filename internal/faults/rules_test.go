package faults

import (
	"slices"
	"testing"
	"time"
)

const second = time.Second

// terms have a bound of a second, so that Δ(1+ρ) is 1.001 s.
var terms = Terms{Bound: second}

// op is an operation of session 1, in milliseconds.
func op(k Kind, at, call, back int, o Outcome) Op {
	return Op{Session: 1, Kind: k, At: at, Call: time.Duration(call) * time.Millisecond, Return: time.Duration(back) * time.Millisecond, Outcome: o}
}

// why: a checker that never finds anything shows nothing. Each history is one
// that the rules forbid, or one next to it that they allow.
func TestRules(t *testing.T) {
	in := op(Login, 0, 0, 10, Yes)
	out := op(Logout, 0, 100, 200, Yes)
	for _, c := range []struct {
		why  string
		ops  []Op
		want []string // the rules, sorted
	}{
		{"live before, refused after", []Op{in, op(Check, 1, 50, 60, Yes), out, op(Check, 1, 1300, 1310, No)}, nil},
		{"another node may accept what began within the bound", []Op{in, out, op(Check, 1, 1201, 1900, Yes)}, nil},
		{"and nothing that began later", []Op{in, out, op(Check, 1, 1202, 1203, Yes)}, []string{"bounded", "order"}},
		{"by cookie neither", []Op{in, out, op(CheckCookie, 1, 1202, 1203, Yes)}, []string{"bounded", "order"}},
		{"the node that served it accepts nothing", []Op{in, out, op(Check, 0, 201, 202, Yes)}, []string{"bounded", "order"}},
		{"but what began before the logout returned", []Op{in, out, op(Check, 0, 199, 300, Yes)}, nil},
		{"nobody accepts anything after a wait", []Op{in, op(LogoutEverywhere, 0, 100, 200, Yes), op(Check, 1, 201, 202, Yes)}, []string{"everywhere", "order"}},
		{"all sessions of the user", []Op{in, op(EndUser, 0, 100, 200, Yes), op(Check, 3, 1300, 1301, Yes)}, []string{"bounded", "order"}},
		{"a refresh fails at every node at once", []Op{in, out, op(Refresh, 1, 201, 202, Yes)}, []string{"durable", "order"}},
		{"a refresh that was under way may succeed", []Op{in, out, op(Refresh, 1, 150, 250, Yes)}, nil},
		{"an unclear logout may land at any time", []Op{in, op(Logout, 0, 100, 200, Unclear), op(Check, 0, 5000, 5001, Yes), op(Check, 0, 9000, 9001, No)}, nil},
		{"or never", []Op{in, op(Logout, 0, 100, 200, Unclear), op(Check, 0, 9000, 9001, Yes)}, nil},
		{"but it does not come back", []Op{in, op(Logout, 0, 100, 200, Unclear), op(Check, 0, 5000, 5001, No), op(Check, 0, 6003, 6004, Yes)}, []string{"bounded", "order"}},
		{"at another process neither", []Op{in, op(Logout, 0, 100, 200, Unclear), op(Check, 0, 5000, 5001, No), op(Check, 1, 6003, 6004, Yes)}, []string{"bounded", "order"}},
		{"within the bound a process may say either", []Op{in, out, op(Check, 1, 300, 301, No), op(Check, 1, 400, 401, Yes)}, nil},
		{"what one process knows another need not", []Op{in, out, op(Check, 1, 300, 301, No), op(Check, 2, 400, 401, Yes)}, nil},
		{"nobody is refused without a logout", []Op{in, op(Check, 1, 50, 60, No)}, []string{"live", "order"}},
		{"nor before it", []Op{in, op(Check, 1, 50, 60, No), out}, []string{"live", "order"}},
		{"nor is a refresh", []Op{in, op(Refresh, 1, 50, 60, No), out}, []string{"live", "order"}},
		{"who can't tell breaks no rule", []Op{in, op(Check, 1, 50, 60, Unclear), out, op(Check, 1, 3000, 3010, Unclear)}, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			h := newHistory()
			h.add(c.ops...)
			if got := rules(h.Violations(terms)); !slices.Equal(got, c.want) {
				t.Errorf("broken: %v, want %v", got, c.want)
			}
		})
	}
}

// rules names those that are broken.
func rules(found []Violation) (names []string) {
	for _, v := range found {
		names = append(names, v.Rule)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// why: "a process that is cut off from the store accepts nothing that began
// Δ(1+ρ) after the cut", and where the nemesis takes sessions away "a refusal is
// a loss and no violation".
func TestRulesUnderFaults(t *testing.T) {
	in := op(Login, 0, 0, 10, Yes)
	late := op(Check, 1, 3000, 3010, Yes)
	lost := op(Check, 1, 3000, 3010, No)
	for _, c := range []struct {
		why   string
		fault Fault
		op    Op
		loses bool
		want  []string
	}{
		{"cut off", Fault{1, second, 5 * second, true}, late, false, []string{"closed"}},
		{"everybody is", Fault{everybody, second, 5 * second, true}, late, false, []string{"closed"}},
		{"another one is", Fault{2, second, 5 * second, true}, late, false, nil},
		{"not for long enough", Fault{1, 2 * second, 5 * second, true}, op(Check, 1, 3001, 3010, Yes), false, nil},
		{"it was over by then", Fault{1, second, 3005 * time.Millisecond, true}, late, false, nil},
		{"not cut off, but stopped", Fault{1, second, 5 * second, false}, late, false, nil},
		{"lost with the store", Fault{everybody, second, 5 * second, false}, lost, true, nil},
		{"lost before the store was", Fault{everybody, 4 * second, 5 * second, false}, lost, true, []string{"live", "order"}},
		{"lost without a reason", Fault{everybody, second, 5 * second, false}, lost, false, []string{"live", "order"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			h := newHistory()
			h.add(in, c.op)
			h.addFault(c.fault)
			terms := terms
			terms.LosesSessions = c.loses
			if got := rules(h.Violations(terms)); !slices.Equal(got, c.want) {
				t.Errorf("broken: %v, want %v", got, c.want)
			}
		})
	}
}

// why: seconds of false refusals count from the call of the first check that was
// not accepted to the return of the next one that was.
func TestFalseRefusals(t *testing.T) {
	total, longest := falseRefusals([]Op{
		op(Check, 0, 0, 1, Yes),
		op(Check, 0, 300, 301, Yes),
		op(Check, 0, 100, 101, Unclear),
		op(Check, 0, 200, 290, Unclear),
		op(Check, 0, 400, 500, No),
		op(Check, 0, 510, 520, Yes),
	})
	if total != 321*time.Millisecond || longest != 201*time.Millisecond {
		t.Errorf("%v in total, the longest %v; want 321ms and 201ms", total, longest)
	}
}
