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

// in returns the kind of a secret that stands in the text, plainly or escaped
// for a URL, or nothing.
func (s *secrets) in(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v, kind := range s.kinds {
		if strings.Contains(text, v) || strings.Contains(text, url.QueryEscape(v)) || strings.Contains(text, url.PathEscape(v)) {
			return kind
		}
	}
	return ""
}

func (s *secrets) mustNotBeIn(t testing.TB, what, text string) {
	t.Helper()
	if kind := s.in(text); kind != "" {
		t.Errorf("%s holds %s (req 5, 49):\n%s", what, kind, text)
	}
}
