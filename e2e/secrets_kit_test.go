package e2e

import (
	"net/url"
	"strings"
	"sync"
	"testing"
)

// secrets are what a test came to know that nobody else may.
type secrets struct {
	mu    sync.Mutex
	kinds map[string]string // what kind each secret is
}

// add takes note of secrets. Empty ones, which were never given, don't count.
func (s *secrets) add(kind string, values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kinds == nil {
		s.kinds = map[string]string{}
	}
	for _, v := range values {
		if v != "" {
			s.kinds[v] = kind
		}
	}
}

// of returns the secrets of a kind.
func (s *secrets) of(kind string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for v, k := range s.kinds {
		if k == kind {
			all = append(all, v)
		}
	}
	return all
}

// kindsIn returns the kinds of the secrets that stand in the text, plainly or
// escaped for a URL.
func (s *secrets) kindsIn(text string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kinds []string
	for v, kind := range s.kinds {
		if strings.Contains(text, v) || strings.Contains(text, url.QueryEscape(v)) || strings.Contains(text, url.PathEscape(v)) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func (s *secrets) mustNotBeIn(t testing.TB, what, text string) {
	t.Helper()
	for _, kind := range s.kindsIn(text) {
		t.Errorf("%s holds %s (req 5, 49):\n%s", what, kind, text)
	}
}
