// Package faults runs nodes and verifiers as real processes on a real store,
// breaks things under them, and checks what they accepted.
//
//	make faults                         # all of it; writes docs/faults.md
//	go test ./internal/faults           # a short part of it
//
// # Histories
//
// One process drives everything, and its monotonic clock is the only one that
// counts. Its clients log in, look, refresh and log out, at nodes chosen at
// random; each call is an [Op]: at which process, when it was made, when its
// answer was here, and what the answer was. All of them are a [History].
// Meanwhile a [Nemesis] stops, kills, cuts off or deceives a process, again and
// again. What happens follows from a seed, except for how the processes and the
// network interleave it.
//
// # Rules
//
// Δ is the bound, ρ the error of clocks (store.ClockError). A check accepts
// (200), refuses (401), or says nothing (503, or no answer). Each rule is judged
// on every session and process:
//
//   - bounded (G1): no check is accepted that began after a logout had returned
//     success, and Δ(1+ρ) had passed; at the node that served the logout, no
//     time need pass.
//   - everywhere (G2): after a logout with wait no time need pass anywhere.
//   - durable (G0): no refresh succeeds that began after a logout had returned
//     success.
//   - closed: a process that is cut off from the store accepts nothing that
//     began Δ(1+ρ) after the cut.
//   - live: no session is refused before somebody called its logout, unless the
//     nemesis takes sessions away, as a restore does.
//   - order: what one process says about one session can be put into an order
//     in which the session is live, then ends, then has ended. While it ends the
//     process may say either. That begins at the call of the logout at the
//     earliest, and is over at its return, or, at other processes, Δ(1+ρ) later.
//     A logout without a clear answer may end the session at any time after its
//     call, or never. Porcupine looks for that order.
//
// A refusal, too, shows that a session has ended: nobody accepts what begins
// Δ(1+ρ) after its return.
//
// Order contains the others but closed, and is checked by other code.
package faults
