// Package e2e tests the program from outside, as its users meet it: the real
// binary, a database in a real file, a real browser, and processes that are
// killed. It has no code of its own.
//
// The tests need Chromium, Node with npm, curl and jq; "make tools" installs them.
// The first run fetches axe-core, Redocly and openid-client from npm and keeps
// them in the user's cache. To see the pages, name a directory for pictures of
// them:
//
//	COUNTERFOIL_SCREENSHOTS=/tmp go test -run TestPages ./e2e
package e2e
