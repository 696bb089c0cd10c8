package counterfoil_test

import (
	"bytes"
	"compress/zlib"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/storetest"
	"github.com/counterfoil/counterfoil/token"
)

// A statusClaim is what a token says of its place.
type statusClaim struct {
	URI   string `json:"uri"`
	Index int    `json:"idx"`
}

func (c statusClaim) path() string { return strings.TrimPrefix(c.URI, publicURL) }

// placeOf reads the status claim of a token (section 6.2); zero: it has none.
func placeOf(t testing.TB, signed string) statusClaim {
	t.Helper()
	var claims struct {
		Status struct {
			List statusClaim `json:"status_list"`
		}
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(signed, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Status.List
}

func (s *site) askStatus(path string) *http.Response {
	w := httptest.NewRecorder()
	s.StatusList().ServeHTTP(w, httptest.NewRequest("GET", path, nil).WithContext(s.t.Context()))
	return w.Result()
}

// A statusList is what a relying party gets who goes by section 8.3, "Validation
// Rules".
type statusList struct {
	claims jwt.MapClaims
	bits   []byte
}

func (s *site) statusList(uri string) statusList {
	s.t.Helper()
	res := s.askStatus(strings.TrimPrefix(uri, publicURL))
	text := body(res)
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/statuslist+jwt" {
		s.t.Fatalf("%s: %s %s: %s", uri, res.Status, res.Header.Get("Content-Type"), text)
	}
	keys := httptest.NewRecorder()
	s.JWKS().ServeHTTP(keys, httptest.NewRequest("GET", "/", nil))
	list := statusList{claims: jwt.MapClaims{}}
	parsed, err := jwt.NewParser(jwt.WithoutClaimsValidation()).ParseWithClaims(text, list.claims, func(*jwt.Token) (any, error) {
		return publicKey(s.t, keys.Body.Bytes())
	})
	if err != nil || parsed.Header["typ"] != "statuslist+jwt" || list.claims["sub"] != uri {
		s.t.Fatalf("%v, %v, %v", err, parsed.Header, list.claims["sub"])
	}
	status := list.claims["status_list"].(map[string]any)
	if status["bits"] != 1. || len(status) != 2 {
		s.t.Fatalf("status_list %v", status)
	}
	compressed, err := base64.RawURLEncoding.DecodeString(status["lst"].(string))
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(compressed))
	if err != nil {
		s.t.Fatal(err)
	}
	if list.bits, err = io.ReadAll(r); err != nil {
		s.t.Fatal(err)
	}
	return list
}

// publicKey reads the one Ed25519 key of a set.
func publicKey(t testing.TB, jwks []byte) (any, error) {
	t.Helper()
	var set struct{ Keys []struct{ X string } }
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, err
	}
	raw, err := base64.RawURLEncoding.DecodeString(set.Keys[0].X)
	return ed25519.PublicKey(raw), err
}

// listsAsEnded looks a place up.
func (s *site) listsAsEnded(place statusClaim) bool {
	s.t.Helper()
	list := s.statusList(place.URI)
	if place.Index < 0 || place.Index >= 8*len(list.bits) {
		s.t.Fatalf("index %d is out of bounds of %d bytes", place.Index, len(list.bits))
	}
	return list.bits[place.Index/8]>>(place.Index%8)&1 == 1
}

// draft-ietf-oauth-status-list-20 section 5.1, 8.2 and 13.7.
func TestStatusListToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{Store: newMemory(), StatusLists: true})
		place := placeOf(t, s.user("john").me().Token)
		if !strings.HasPrefix(place.URI, publicURL+counterfoil.StatusPath) {
			t.Fatalf("uri %q", place.URI)
		}
		list := s.statusList(place.URI)
		now := float64(time.Now().Unix())
		for name, want := range map[string]any{
			"sub": place.URI, // "MUST be equal to that of the uri claim"
			"iss": publicURL,
			"iat": now,
			"exp": now + 60,
			"ttl": 5., // "MUST be a positive number encoded in JSON as a number"
		} {
			if list.claims[name] != want {
				t.Errorf("%s is %v, want %v", name, list.claims[name], want)
			}
		}
		if len(list.claims) != 6 || len(list.bits) != store.ListSize/8 {
			t.Errorf("%d claims, %d bytes", len(list.claims), len(list.bits))
		}
		if bytes.ContainsFunc(list.bits, func(r rune) bool { return r != 0 }) {
			t.Error("somebody's session has ended who has not begun one")
		}
		res := s.askStatus(place.path())
		for name, want := range map[string]string{"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"} {
			if res.Header.Get(name) != want {
				t.Errorf("%s %q", name, res.Header.Get(name))
			}
		}
		// It is no access token, whatever it says.
		if _, err := s.CheckToken(t.Context(), body(res)); !errors.Is(err, counterfoil.ErrInvalidToken) {
			t.Errorf("taken for an access token: %v", err)
		}
	})
}

// What ends a session shows in its list, on every node within the bound, and in
// no other's place.
func TestStatusListTellsOfEveryEnd(t *testing.T) {
	for _, c := range []struct {
		why   string
		end   func(*testing.T, *node, *browser, counterfoil.Grant)
		jane  bool // hers have ended, too
		hints bool
	}{
		{"a logout", func(t *testing.T, n *node, b *browser, _ counterfoil.Grant) { b.on(n).post("/logout") }, false, true},
		{"a logout, and no hint arrives", func(t *testing.T, n *node, b *browser, _ counterfoil.Grant) { b.on(n).post("/logout") }, false, false},
		{"all of the user's", func(t *testing.T, n *node, _ *browser, _ counterfoil.Grant) { n.EndUser(t.Context(), "john") }, false, true},
		{"revoked", func(t *testing.T, n *node, b *browser, g counterfoil.Grant) {
			b.on(n).post("/logout")
			n.Revoke(t.Context(), g.RefreshToken)
		}, false, true},
		{"a rotation", func(t *testing.T, n *node, b *browser, g counterfoil.Grant) {
			b.rotate()
			n.Revoke(t.Context(), g.RefreshToken)
		}, false, true},
		{"everybody's", func(t *testing.T, n *node, _ *browser, _ counterfoil.Grant) { n.EndAll(t.Context()) }, true, true},
		{"everybody's, and no hint arrives", func(t *testing.T, n *node, _ *browser, _ counterfoil.Grant) { n.EndAll(t.Context()) }, true, false},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var st store.Store = newMemory()
				if !c.hints {
					st = silentStore{st}
				}
				nodes := newNodes(t, 3, st, counterfoil.Config{StatusLists: true})
				john, jane := nodes[0].user("john"), nodes[1].user("jane")
				client := nodes[0].client("john")
				all := map[string]statusClaim{
					"john's cookie": placeOf(t, john.me().Token), "john's client": placeOf(t, client.AccessToken.Token), "jane's": placeOf(t, jane.me().Token),
				}
				if all["john's cookie"].URI == all["jane's"].URI {
					t.Fatal("two nodes have one list")
				}
				time.Sleep(bound)
				for i, n := range nodes {
					for name, place := range all {
						if n.listsAsEnded(place) {
							t.Errorf("node %d: %s has ended before it did", i, name)
						}
					}
				}
				c.end(t, nodes[1], john, client)
				time.Sleep(longest)
				ended := map[string]bool{"john's cookie": true, "john's client": c.why != "a logout" && c.why != "a logout, and no hint arrives", "jane's": c.jane}
				for i, n := range nodes {
					for name, place := range all {
						if got := n.listsAsEnded(place); got != ended[name] {
							t.Errorf("node %d: %s: ended is %v", i, name, got)
						}
					}
				}
				// Whoever comes after it is not concerned.
				for i, n := range nodes {
					if place := placeOf(t, n.user("joan").me().Token); nodes[0].listsAsEnded(place) || nodes[2].listsAsEnded(place) {
						t.Errorf("node %d: a session begun afterwards has ended", i)
					}
				}
			})
		})
	}
}

// Fail closed: who logs in at a node that does not know yet that everybody's
// sessions were ended is logged in, and void to readers until he logs in again.
func TestALoginThatOvertakesTheCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2, silentStore{newMemory()}, counterfoil.Config{StatusLists: true})
		nodes[0].user("jane") // so that the node has a list
		time.Sleep(bound + bound/20)
		if _, err := nodes[1].EndAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		b := nodes[0].user("john")
		early := placeOf(t, b.me().Token)
		time.Sleep(longest)
		for i, n := range nodes {
			if !n.listsAsEnded(early) {
				t.Errorf("node %d: a list from before the cut is not void", i)
			}
		}
		if who := b.me(); who.User != "john" {
			t.Errorf("he is not logged in: %+v", who)
		}
		again := placeOf(t, nodes[0].user("john").me().Token)
		if again.URI == early.URI || nodes[1].listsAsEnded(again) {
			t.Errorf("%v, after %v", again, early)
		}
	})
}

// Many ask at the same time as others log in and out. Nobody is listed as ended
// before he logs out, and everybody is, a bound after it.
func TestManyReadersOfStatusLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2, newMemory(), counterfoil.Config{StatusLists: true})
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for range 5 {
					grant := nodes[i%2].client(fmt.Sprint("user", i))
					place := placeOf(t, grant.AccessToken.Token)
					time.Sleep(time.Duration(i) * 150 * time.Millisecond)
					for _, n := range nodes {
						if n.listsAsEnded(place) {
							t.Error("ended before the logout")
						}
					}
					if err := nodes[i%2].Revoke(t.Context(), grant.RefreshToken); err != nil {
						t.Error(err)
					}
					time.Sleep(longest)
					for _, n := range nodes {
						if !n.listsAsEnded(place) {
							t.Error("not ended after the logout")
						}
					}
				}
			})
		}
		all.Wait()
	})
}

// Fail closed: "without a lease 503 with Retry-After, never an old list".
func TestStatusListOfACutNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2, newMemory(), counterfoil.Config{StatusLists: true})
		b := nodes[0].user("john")
		place := placeOf(t, b.me().Token)
		time.Sleep(bound)
		nodes[1].listsAsEnded(place) // built, and kept
		nodes[1].link.on.Store(true)
		wantStatus(t, "logout", b.post("/logout"), 303)
		var last time.Duration
		for begun := time.Now(); time.Since(begun) < 2*longest; time.Sleep(50 * time.Millisecond) {
			res := nodes[1].askStatus(place.path())
			if res.StatusCode == 200 {
				last = time.Since(begun)
				continue
			}
			if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
				t.Fatalf("%s %v", res.Status, res.Header)
			}
		}
		if last > longest {
			t.Errorf("a list from before the logout was given %v after it", last)
		}
		nodes[1].link.on.Store(false)
		time.Sleep(bound)
		if !nodes[1].listsAsEnded(place) {
			t.Error("the node is back and does not know of the logout")
		}
	})
}

// "If the store can't give one, the session can't be created, never a guessed
// number."
func TestNoPlaceNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := &faultSwitch{methods: []string{"SwapDocument"}, fault: storetest.Fault{Err: errDown}}
		s := newSite(t, counterfoil.Config{Store: down.store(newMemory()), StatusLists: true})
		down.on.Store(true)
		if _, err := s.LoginClient(t.Context(), counterfoil.Login{User: "john"}, counterfoil.Client{}); !errors.Is(err, counterfoil.ErrUnavailable) {
			t.Errorf("a login without a place: %v", err)
		}
		down.on.Store(false)
		first := placeOf(t, s.client("john").AccessToken.Token)
		down.on.Store(true)
		if second := placeOf(t, s.client("john").AccessToken.Token); second.URI != first.URI || second.Index == first.Index {
			t.Errorf("the list's next place needs no store: %v after %v", second, first)
		}
	})
}

// A number that nobody has, and spellings that no token has, lead nowhere.
func TestUnknownStatusLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{Store: newMemory(), StatusLists: true})
		place := placeOf(t, s.user("john").me().Token)
		number, err := strconv.Atoi(strings.TrimPrefix(place.path(), counterfoil.StatusPath))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{
			fmt.Sprint(number + 1), "4294967295", "4294967296", "-1", "+1", "0" + fmt.Sprint(number), "", "x", "1/2", "1e3", "99999999999999999999",
			fmt.Sprint(number) + "?time=1686925000", // section 8.4: "404 (Not Found)" where the time is not supported
		} {
			wantStatus(t, name, s.askStatus(counterfoil.StatusPath+name), 404)
		}
		wantStatus(t, "its own", s.askStatus(place.path()), 200)
	})
}

// A new number is known on other nodes at once.
func TestANewListIsFoundOnOtherNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2, newMemory(), counterfoil.Config{StatusLists: true})
		wantStatus(t, "no list yet", nodes[1].askStatus(counterfoil.StatusPath+fmt.Sprint(time.Now().Unix())), 404)
		place := placeOf(t, nodes[0].user("john").me().Token)
		wantStatus(t, "the first", nodes[1].askStatus(place.path()), 200)
	})
}

// Off by default: ids and tokens are as they were, and there are no lists.
func TestWithoutStatusLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		plain := newSite(t, counterfoil.Config{Store: st, Secret: nodeSecret})
		listed := newSite(t, counterfoil.Config{Store: st, Secret: nodeSecret, StatusLists: true})
		b := plain.user("john")
		if who := b.me(); placeOf(t, who.Token) != (statusClaim{}) || who.ID[14] != '7' {
			t.Errorf("%s: %s", who.ID, who.Token)
		}
		wantStatus(t, "a list", plain.askStatus(counterfoil.StatusPath+"1"), 404)

		// A session from before has no place, and goes on.
		there := b.copy()
		there.site = listed
		if who := there.me(); who.User != "john" || placeOf(t, who.Token) != (statusClaim{}) {
			t.Errorf("a session from before: %+v", who)
		}
		// One with a place is like any other where there are no lists.
		c := listed.user("jane")
		back := c.copy()
		back.site = plain
		if who := back.me(); who.User != "jane" || who.ID[14] != '8' || placeOf(t, who.Token) != (statusClaim{}) {
			t.Errorf("a session with a place: %+v", who)
		}
	})
	if _, err := counterfoil.New(counterfoil.Config{StatusLists: true}); err == nil {
		t.Error("lists without a public URL: nobody could find them")
	}
}

// A list belongs to one manager, however many start at once, and no place is
// given twice.
func TestNoTwoManagersShareAPlace(t *testing.T) {
	for name, open := range map[string]func() func() store.Store{
		"memory": func() func() store.Store { st := newMemory(); return func() store.Store { return st } },
		"sqlite": func() func() store.Store { st := newSQLite(t); return func() store.Store { return st } },
		"postgres": func() func() store.Store {
			url := servers.Postgres(t)
			return func() store.Store { return newPostgres(t, url) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			next := open()
			var mu sync.Mutex
			places, lists := map[statusClaim]bool{}, map[string]bool{}
			var all sync.WaitGroup
			const managers, workers, logins = 6, 2, 10
			for range managers {
				s := newSite(t, counterfoil.Config{Store: next(), Secret: nodeSecret, StatusLists: true})
				for range workers {
					all.Go(func() {
						for i := range logins {
							grant, err := s.LoginClient(t.Context(), counterfoil.Login{User: fmt.Sprint("user", i)}, counterfoil.Client{})
							if err != nil {
								t.Error(err)
								return
							}
							place := placeOf(t, grant.AccessToken.Token)
							mu.Lock()
							places[place], lists[place.URI] = true, true
							mu.Unlock()
						}
					})
				}
			}
			all.Wait()
			if len(places) != managers*workers*logins || len(lists) != managers {
				t.Errorf("%d places in %d lists, of %d sessions on %d managers", len(places), len(lists), managers*workers*logins, managers)
			}
		})
	}
}

// The claim is the list's, not the algorithm's: an ES256 or RS256 site has one too.
func TestStatusListIsSignedAsTokensAre(t *testing.T) {
	s := newSite(t, counterfoil.Config{StatusLists: true, TokenAlgorithm: token.ES256})
	place := placeOf(t, s.client("john").AccessToken.Token)
	signed := body(s.askStatus(place.path()))
	header, err := base64.RawURLEncoding.DecodeString(strings.Split(signed, ".")[0])
	var got struct{ Alg, Kid string }
	if err != nil || json.Unmarshal(header, &got) != nil || got.Alg != "ES256" || got.Kid != s.Keys()[0].ID {
		t.Errorf("%v: header %s", err, header)
	}
}
