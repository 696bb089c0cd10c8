package counterfoil_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/storetest"
)

const orders = "https://orders.example.com/api"

func (s *site) grantFor(resource string) counterfoil.Grant {
	s.t.Helper()
	grant, err := s.LoginClient(s.t.Context(), counterfoil.Login{User: "u1", Name: "john"}, counterfoil.Client{Resource: resource})
	if err != nil {
		s.t.Fatal(err)
	}
	return grant
}

// A token for another service (RFC 8707) is not accepted by us, says whom it is
// for, and dies with its session all the same.
func TestResourceTokens(t *testing.T) {
	s := newSite(t, counterfoil.Config{Resources: []string{orders, "urn:billing"}})
	ctx := t.Context()
	grant := s.grantFor(orders)
	next, err := s.RefreshFor(ctx, grant.RefreshToken, "urn:billing")
	if err != nil {
		t.Fatal(err)
	}
	for resource, token := range map[string]string{orders: grant.Token, "urn:billing": next.Token} {
		if _, err := s.CheckToken(ctx, token); !errors.Is(err, counterfoil.ErrInvalidToken) {
			t.Errorf("%s: accepted by us: %v", resource, err)
		}
		known, err := s.Introspect(ctx, token)
		if err != nil || !slices.Equal(known.Access.Audience, []string{resource}) || known.Session.ID() != grant.Session.ID() {
			t.Errorf("%s: %+v, %v", resource, known, err)
		}
	}
	ours, err := s.Refresh(ctx, next.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CheckToken(ctx, ours.Token); err != nil {
		t.Errorf("without a resource the token is for us: %v", err)
	}
	for _, resource := range []string{"https://orders.example.com", orders + "/", strings.ToUpper(orders), "*", " " + orders} {
		if _, err := s.RefreshFor(ctx, ours.RefreshToken, resource); !errors.Is(err, counterfoil.ErrResource) {
			t.Errorf("%q: %v", resource, err)
		}
		if _, err := s.LoginClient(ctx, counterfoil.Login{User: "u1"}, counterfoil.Client{Resource: resource}); !errors.Is(err, counterfoil.ErrResource) {
			t.Errorf("%q: %v", resource, err)
		}
	}
	if _, err := s.Refresh(ctx, ours.RefreshToken); err != nil {
		t.Errorf("a resource that there is not used the refresh token up: %v", err)
	}
	if err := s.End(ctx, grant.Session.ID()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Introspect(ctx, grant.Token); !errors.Is(err, counterfoil.ErrInvalidToken) {
		t.Errorf("after the end: %v", err)
	}
}

func TestResourcesAreChecked(t *testing.T) {
	for _, c := range []struct {
		why       string
		resources []string
	}{
		{"absolute", []string{"/orders"}},
		{"not empty", []string{""}},
		{"no fragment", []string{orders + "#x"}},
		{"not even an empty one", []string{orders + "#"}},
		{"512 bytes at most", []string{"https://" + strings.Repeat("a", 505)}},
		{"at most 100", slices.Repeat([]string{orders}, 101)},
	} {
		if m, err := counterfoil.New(counterfoil.Config{Resources: c.resources}); err == nil {
			m.Close()
			t.Errorf("%s: accepted", c.why)
		}
	}
}

// Whoever asks about tokens learns the same as whoever tries them, and uses
// nothing up.
func TestIntrospect(t *testing.T) { onEachStore(t, testIntrospect) }

func testIntrospect(t *testing.T, st store.Store) {
	s := newSite(t, counterfoil.Config{Store: st})
	ctx := t.Context()
	grant := s.grantFor("")
	for range 3 {
		access, err := s.Introspect(ctx, grant.Token)
		if err != nil || access.Access == nil || access.Access.Subject != "u1" || !access.Expires.Equal(access.Access.Expires) {
			t.Fatalf("%+v, %v", access, err)
		}
		refresh, err := s.Introspect(ctx, grant.RefreshToken)
		if err != nil || refresh.Access != nil || refresh.Session.ID() != grant.Session.ID() || !refresh.Expires.Equal(grant.Session.Expires()) {
			t.Fatalf("%+v, %v", refresh, err)
		}
	}
	next, err := s.Refresh(ctx, grant.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{
		"", "x", "a.b.c", grant.Token + "x", grant.Token[:len(grant.Token)-1],
		grant.RefreshToken[1:], strings.Repeat("A", len(grant.RefreshToken)), strings.Repeat("x", 1<<20),
	} {
		if _, err := s.Introspect(ctx, token); !errors.Is(err, counterfoil.ErrInvalidToken) {
			t.Errorf("%.20q: %v", token, err)
		}
		if err := s.Revoke(ctx, token); err != nil {
			t.Errorf("RFC 7009 section 2.2: revoke %.20q: %v", token, err)
		}
	}
	if _, err := s.Introspect(ctx, next.RefreshToken); err != nil {
		t.Errorf("texts that are no tokens ended the session: %v", err)
	}
	if err := s.End(ctx, grant.Session.ID()); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{grant.Token, grant.RefreshToken, next.Token, next.RefreshToken} {
		if _, err := s.Introspect(ctx, token); !errors.Is(err, counterfoil.ErrInvalidToken) {
			t.Errorf("after the end: %v", err)
		}
	}
}

// RFC 7009: whichever token is revoked, every token of the session dies.
func TestRevoke(t *testing.T) { onEachStore(t, testRevoke) }

func testRevoke(t *testing.T, st store.Store) {
	s := newSite(t, counterfoil.Config{Store: st, Resources: []string{orders}})
	ctx := t.Context()
	other := s.grantFor("")
	for _, c := range []struct {
		why  string
		pick func(first, second counterfoil.Grant) string
	}{
		{"the access token", func(_, second counterfoil.Grant) string { return second.Token }},
		{"the access token for a resource", func(first, _ counterfoil.Grant) string { return first.Token }},
		{"the refresh token", func(_, second counterfoil.Grant) string { return second.RefreshToken }},
		{"the refresh token before, within its grace", func(first, _ counterfoil.Grant) string { return first.RefreshToken }},
	} {
		first := s.grantFor(orders)
		second, err := s.Refresh(ctx, first.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // again is no error
			if err := s.Revoke(ctx, c.pick(first, second)); err != nil {
				t.Fatalf("%s: %v", c.why, err)
			}
		}
		for _, token := range []string{first.Token, second.Token, first.RefreshToken, second.RefreshToken} {
			if _, err := s.Introspect(ctx, token); !errors.Is(err, counterfoil.ErrInvalidToken) {
				t.Errorf("%s: another token of the session works: %v", c.why, err)
			}
		}
		if _, err := s.CheckToken(ctx, second.Token); !errors.Is(err, counterfoil.ErrInvalidToken) {
			t.Errorf("%s: %v", c.why, err)
		}
		if _, err := s.Refresh(ctx, second.RefreshToken); !errors.Is(err, counterfoil.ErrInvalidGrant) {
			t.Errorf("%s: %v", c.why, err)
		}
	}
	if _, err := s.CheckToken(ctx, other.Token); err != nil {
		t.Errorf("another session of the user has ended: %v", err)
	}
}

// "A refresh token that was used before ends its session, too": after its grace.
func TestRevokeByAnOldRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{})
		first := s.grantFor("")
		second, err := s.Refresh(t.Context(), first.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Second)
		if _, err := s.Introspect(t.Context(), first.RefreshToken); !errors.Is(err, counterfoil.ErrInvalidToken) {
			t.Errorf("a token past its grace works: %v", err)
		}
		if _, err := s.Introspect(t.Context(), second.RefreshToken); err != nil {
			t.Errorf("to ask about an old token ended the session: %v", err)
		}
		if err := s.Revoke(t.Context(), first.RefreshToken); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CheckToken(t.Context(), second.Token); !errors.Is(err, counterfoil.ErrInvalidToken) {
			t.Errorf("after the revocation: %v", err)
		}
	})
}

// A token that has expired does not work already; what it belonged to goes on.
func TestAnExpiredTokenRevokesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{TokenLife: time.Minute})
		grant := s.grantFor("")
		time.Sleep(time.Minute)
		if _, err := s.Introspect(t.Context(), grant.Token); !errors.Is(err, counterfoil.ErrInvalidToken) {
			t.Errorf("expired: %v", err)
		}
		if err := s.Revoke(t.Context(), grant.Token); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Introspect(t.Context(), grant.RefreshToken); err != nil {
			t.Errorf("the session has ended: %v", err)
		}
	})
}

// "Never inactive, where that can't be told": the store that does not answer is
// an error of its own.
func TestIntrospectWithoutTheStore(t *testing.T) {
	broken := &faultSwitch{methods: []string{"Find", "FindRefresh", "RotateRefresh", "End"}}
	broken.fault = storetest.Fault{Err: errors.New("the disk is gone")}
	s := newSite(t, counterfoil.Config{Store: broken.store(newMemory()), Bound: -1})
	grant := s.grantFor("")
	broken.on.Store(true)
	for _, token := range []string{grant.Token, grant.RefreshToken} {
		if _, err := s.Introspect(t.Context(), token); !errors.Is(err, counterfoil.ErrUnavailable) || errors.Is(err, counterfoil.ErrInvalidToken) {
			t.Errorf("introspect: %v", err)
		}
		if err := s.Revoke(t.Context(), token); !errors.Is(err, counterfoil.ErrUnavailable) {
			t.Errorf("revoke: %v", err)
		}
	}
	broken.on.Store(false)
	for _, token := range []string{grant.Token, grant.RefreshToken} {
		if _, err := s.Introspect(t.Context(), token); err != nil {
			t.Errorf("when the store is back: %v", err)
		}
	}
}

// RFC 7009 on many nodes: a token that one node has revoked is inactive on every
// other within the bound, by whichever token it was, and though no hint arrives.
// A node that can't tell says so.
func TestRevocationCountsOnEveryNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2, silentStore{newMemory()}, counterfoil.Config{Resources: []string{orders}})
		for _, c := range []struct {
			why  string
			pick func(counterfoil.Grant) string
		}{
			{"the access token", func(g counterfoil.Grant) string { return g.Token }},
			{"the refresh token", func(g counterfoil.Grant) string { return g.RefreshToken }},
		} {
			grant := nodes[0].grantFor(orders)
			for i, n := range nodes {
				for _, token := range []string{grant.Token, grant.RefreshToken} {
					if _, err := n.Introspect(t.Context(), token); err != nil {
						t.Fatalf("%s: node %d before: %v", c.why, i, err)
					}
				}
			}
			if err := nodes[1].Revoke(t.Context(), c.pick(grant)); err != nil {
				t.Fatal(err)
			}
			refused := func(i int, tokens ...string) {
				t.Helper()
				for _, token := range tokens {
					if _, err := nodes[i].Introspect(t.Context(), token); !errors.Is(err, counterfoil.ErrInvalidToken) {
						t.Errorf("%s: node %d: %v", c.why, i, err)
					}
				}
			}
			refused(1, grant.Token, grant.RefreshToken)
			refused(0, grant.RefreshToken) // the store is asked about it each time
			time.Sleep(bound * 1001 / 1000)
			refused(0, grant.Token)
		}
		grant := nodes[1].grantFor(orders)
		nodes[0].link.on.Store(true)
		time.Sleep(bound * 1001 / 1000)
		for _, token := range []string{grant.Token, grant.RefreshToken} {
			if _, err := nodes[0].Introspect(t.Context(), token); !errors.Is(err, counterfoil.ErrUnavailable) {
				t.Errorf("a node that is cut off: %v", err)
			}
		}
		nodes[0].link.on.Store(false)
	})
}
