// Package e2e tests the program from outside, as its users meet it: the real
// binary, a database in a real file, a real browser, and processes that are
// killed. It has no code of its own.
//
// The tests need Chromium and npm; "make tools" installs them.
package e2e
