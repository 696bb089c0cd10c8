// Command bench compares Counterfoil with the libraries that people would take
// instead of it, on the same work in one run, and says where it loses.
//
//	go run . -report ../docs/performance.md
//
// It is a module of its own, so that nobody else pays for the libraries that it
// compares with.
package main
