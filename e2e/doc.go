// Package e2e tests the program from outside, as its users meet it: the real
// binary, a database in a real file, a real browser, and processes that are
// killed. It has no code of its own.
//
// The tests need Chromium and npm; "make tools" installs them. The first run
// fetches axe-core from npm and keeps it in the user's cache. To see the pages,
// name a directory for pictures of them:
//
//	COUNTERFOIL_SCREENSHOTS=/tmp go test -run TestPages ./e2e
package e2e
