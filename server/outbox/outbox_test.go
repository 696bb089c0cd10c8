package outbox

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/server/database"
)

func ed25519Key(x string) (any, error) {
	raw, err := base64.RawURLEncoding.DecodeString(x)
	return ed25519.PublicKey(raw), err
}

func TestWhatIsSent(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		in := newInbox(t)
		w.tell(Receiver{"c_app", Logout, in.URL}, Receiver{"c_siem", Push, in.URL})
		ended := w.end(1)
		w.run(w.outbox())
		eventually(t, "both receivers are told", func() bool { return len(in.tokens()) == 2 })

		for i, signed := range in.tokens() {
			header, claims := w.parse(signed)
			var cases []struct {
				why string
				ok  bool
			}
			rule := func(ok bool, why string) {
				cases = append(cases, struct {
					why string
					ok  bool
				}{why, ok})
			}
			rule(claims["iss"] == issuer, "iss: the issuer identifier")
			rule(claims["jti"] != "", "jti: unique for the token")
			rule(claims["iat"] != nil, "iat: when it was issued")
			_, sub := claims["sub"]
			switch header["typ"] {
			case "logout+jwt":
				_, nonce := claims["nonce"]
				exp, err := claims.GetExpirationTime()
				rule(claims["aud"] == "c_app", "aud: the client")
				rule(claims["sid"] == ended[0], "sid: the session that has ended")
				rule(!nonce, "a nonce claim must not be present (Back-Channel Logout section 2.4)")
				rule(err == nil && exp != nil && time.Until(exp.Time) <= 2*time.Minute, "exp: two minutes at most, preferably (section 4)")
				rule(reflect.DeepEqual(claims["events"], map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}), "events: the one member, an empty object (section 2.4)")
				rule(in.types[i] == "application/x-www-form-urlencoded", "posted as logout_token in a form (section 2.5)")
			case "secevent+jwt":
				_, exp := claims["exp"]
				rule(claims["aud"] == "c_siem", "aud: the receiver")
				rule(!sub && !exp, "no sub, no exp: so it is no access token (RFC 8417 section 4.5, SSF 1.0)")
				rule(reflect.DeepEqual(claims["sub_id"], map[string]any{"format": "complex", "session": map[string]any{"format": "opaque", "id": ended[0]}}), "sub_id: the session (RFC 9493)")
				event, _ := claims["events"].(map[string]any)["https://schemas.openid.net/secevent/caep/event-type/session-revoked"].(map[string]any)
				at, _ := event["event_timestamp"].(float64)
				rule(len(claims["events"].(map[string]any)) == 1 && time.Since(time.Unix(int64(at), 0)) < time.Minute, "events: session-revoked, with its time (CAEP 1.0 section 3.1)")
				rule(in.types[i] == "application/secevent+jwt", "the content type of RFC 8935 section 2.1")
			default:
				t.Errorf("typ is %v", header["typ"])
			}
			for _, c := range cases {
				if !c.ok {
					t.Errorf("%s: %v", c.why, claims)
				}
			}
		}
	})
}

// why: "A message stays until its receiver has taken it."
func TestToldUntilTaken(t *testing.T) {
	for name, trouble := range map[string]http.HandlerFunc{
		"answers 500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"answers 429": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) },
		"answers 400": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) },
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"hangs up":          func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"talks without end": talkWithoutEnd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func() (*database.DB, error) { return database.OpenSQLite(t.TempDir() + "/x.db") })
			in := newInbox(t)
			in.does(trouble)
			w.tell(Receiver{"c_app", Logout, in.URL})
			ended := w.end(5)
			w.run(w.outbox())
			eventually(t, "it is tried", func() bool { return in.called() > 0 })
			in.does(nil)
			eventually(t, "all is told", func() bool { return slices.Equal(w.sessionsOf(in.tokens()), sorted(ended)) })
		})
	}
}

func talkWithoutEnd(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(500)
	for r.Context().Err() == nil {
		if _, err := fmt.Fprint(w, strings.Repeat("x", 1<<16)); err != nil {
			return
		}
	}
}

// why: "a receiver that hangs keeps nobody else waiting"
func TestReceiverThatHangs(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		stuck, well := newInbox(t), newInbox(t)
		release := make(chan struct{})
		defer close(release)
		stuck.does(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})
		w.tell(Receiver{"c_stuck", Logout, stuck.URL}, Receiver{"c_well", Logout, well.URL})
		o := w.outbox()
		o.poster.client.Timeout = time.Hour // so that whoever waits for it waits for ever
		w.run(o)
		ended := w.end(1)
		o.Wake()
		eventually(t, "the one that hangs is called", func() bool { return stuck.called() > 0 })
		ended = append(ended, w.end(200)...)
		o.Wake()
		eventually(t, "the other has it all", func() bool { return len(w.sessionsOf(well.tokens())) == len(ended) })
		if n := stuck.called(); n > postsEach {
			t.Errorf("%d posts to the one that hangs", n)
		}
	})
}

// why: "it calls no address that only this machine or its network can reach,
// unless that is allowed", and "it follows no redirect"
func TestNeverCallsInwards(t *testing.T) {
	w := newWorld(t, func() (*database.DB, error) { return database.OpenSQLite(t.TempDir() + "/x.db") })
	secret, front := newInbox(t), newInbox(t)
	front.does(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, secret.URL, http.StatusTemporaryRedirect)
	})
	_, port, _ := strings.Cut(strings.TrimPrefix(secret.URL, "http://"), ":")
	w.tell(Receiver{"c_front", Logout, front.URL},
		Receiver{"c_name", Logout, "http://localhost:" + port},
		Receiver{"c_mapped", Push, "http://[::ffff:127.0.0.1]:" + port})

	w.end(1)
	closed := w.outbox(func(c *Config) { c.Allowed = nil })
	stop := w.run(closed)
	waiting := func(o *Outbox) (errors []string) {
		messages, err := o.List(t.Context(), 0, false, 100)
		check(t, err)
		for _, m := range messages {
			if m.Error != "" {
				errors = append(errors, m.Error)
			}
		}
		return errors
	}
	eventually(t, "all were tried", func() bool { return len(waiting(closed)) == 3 })
	stop()
	if front.called()+secret.called() > 0 {
		t.Error("loopback was called")
	}
	for _, e := range waiting(closed) {
		if !has(e, "not on the internet") || !has(e, "--receiver-network") {
			t.Errorf("the operator reads %q", e)
		}
	}

	w.tell(Receiver{"c_front", Logout, front.URL})
	w.end(1)
	w.run(w.outbox())
	eventually(t, "the redirect was answered", func() bool { return front.called() > 0 })
	if secret.called() > 0 {
		t.Error("a redirect was followed")
	}
}

func TestMayCall(t *testing.T) {
	p := newPoster([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")})
	for _, c := range []struct {
		address string
		may     bool
		why     string
	}{
		{"93.184.216.34", true, "the internet"},
		{"2606:2800:220:1::1", true, "the internet"},
		{"10.1.2.3", true, "an allowed network"},
		{"::ffff:10.1.2.3", true, "an allowed network, mapped"},
		{"10.2.0.1", false, "private"},
		{"172.16.0.1", false, "private"},
		{"192.168.1.1", false, "private"},
		{"fd00::1", false, "private"},
		{"127.0.0.1", false, "loopback"},
		{"127.8.8.8", false, "loopback"},
		{"::1", false, "loopback"},
		{"::ffff:127.0.0.1", false, "loopback, mapped"},
		{"::127.0.0.1", false, "loopback, in the compatible form"},
		{"0.0.0.0", false, "this machine"},
		{"0.1.2.3", false, "this network"},
		{"::", false, "this machine"},
		{"169.254.169.254", false, "link-local: a cloud's metadata"},
		{"fe80::1", false, "link-local"},
		{"fe80::1%eth0", false, "link-local with a zone"},
		{"100.64.0.1", false, "shared by a carrier"},
		{"198.18.0.1", false, "benchmarks"},
		{"192.0.2.1", false, "documentation"},
		{"224.0.0.1", false, "multicast"},
		{"ff02::1", false, "multicast"},
		{"255.255.255.255", false, "broadcast"},
		{"64:ff9b::7f00:1", false, "loopback behind NAT64"},
		{"2002:7f00:1::", false, "loopback behind 6to4"},
		{"2001:0:1::1", false, "Teredo"},
		{"::ffff:0:127.0.0.1", false, "loopback behind a stateless translator"},
		{"::7f00:1", false, "loopback, as IPv6 was first to carry it"},
		{"3fff::1", false, "documentation"},
		{"5f00::1", false, "segments of a route"},
		{"fec0::1", false, "site-local"},
	} {
		if err := p.mayCall(netip.MustParseAddr(c.address)); (err == nil) != c.may {
			t.Errorf("%s: %v, want %v: %s", c.address, err, c.may, c.why)
		}
	}
}

// why: "Any number of servers work on one outbox."
func TestServersShareTheWork(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		in := newInbox(t)
		w.tell(Receiver{"c_app", Logout, in.URL})
		for range 3 {
			w.run(w.outbox())
		}
		ended := w.end(300)
		eventually(t, "all is told", func() bool { return len(w.sessionsOf(in.tokens())) == len(ended) })
		if n := len(in.tokens()); n != len(ended) {
			t.Errorf("%d posts for %d sessions while nobody failed", n, len(ended))
		}
	})
}

// why: "what a server claimed that died is claimed again", and "the messages are
// written down together with the new place"
func TestServerThatDies(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		in := newInbox(t)
		r := Receiver{"c_app", Logout, in.URL}
		w.tell(r)
		dies := w.outbox()
		ended := w.end(3)
		check(t, dies.collectAll(t.Context()))
		now, err := dies.db.Now(t.Context())
		check(t, err)
		batch, err := dies.claim(t.Context(), r, now, 2)
		check(t, err)
		if len(batch) != 2 {
			t.Fatalf("%d claimed", len(batch))
		}
		// The next one gets what was not claimed, and the rest when the claim is
		// over; here by hand, a minute early.
		next := w.outbox()
		now, err = next.db.Now(t.Context())
		check(t, err)
		rest, err := next.claim(t.Context(), r, now, 10)
		check(t, err)
		if len(rest) != 1 || rest[0].ID == batch[0].ID || rest[0].ID == batch[1].ID {
			t.Fatalf("beside %v the next claims %v", batch, rest)
		}
		_, err = next.db.Exec(t.Context(), `UPDATE outbox_message SET due = due - $1`, claimTime.Milliseconds())
		check(t, err)
		w.run(next)
		eventually(t, "all is told", func() bool { return slices.Equal(w.sessionsOf(in.tokens()), sorted(ended)) })
	})
}

// A log that can't be followed from the place on record, after a failover or a
// long stop, is read from its beginning. What is told twice has the same jti.
func TestUnknownPlace(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		in := newInbox(t)
		w.tell(Receiver{"c_app", Push, in.URL})
		ended := w.end(2)
		o := w.outbox()
		stop := w.run(o)
		eventually(t, "all is told", func() bool { return len(in.tokens()) == 2 })
		stop()
		_, err := o.db.Exec(t.Context(), `UPDATE outbox_place SET id = $1`, make([]byte, 16))
		check(t, err)
		ended = append(ended, w.end(1)...)
		w.run(w.outbox())
		eventually(t, "the new one is told", func() bool { return slices.Equal(w.sessionsOf(in.tokens()), sorted(ended)) })
		ids := map[any]bool{}
		for _, signed := range in.tokens() {
			_, claims := w.parse(signed)
			ids[claims["jti"]] = true
		}
		if len(ids) != len(ended) {
			t.Errorf("%d jti for %d sessions", len(ids), len(ended))
		}
	})
}

func TestEverybodysSessions(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		in := newInbox(t)
		w.tell(Receiver{"c_app", Logout, in.URL}, Receiver{"c_siem", Push, in.URL})
		_, err := w.sessions.EndAll(t.Context(), time.Hour)
		check(t, err)
		w.run(w.outbox())
		eventually(t, "it is told", func() bool { return len(in.tokens()) == 1 })
		_, claims := w.parse(in.tokens()[0])
		if !reflect.DeepEqual(claims["sub_id"], map[string]any{"format": "complex", "tenant": map[string]any{"format": "opaque", "id": issuer}}) {
			t.Errorf("sub_id is %v, want us as the tenant", claims["sub_id"])
		}
		if claims["aud"] != "c_siem" {
			t.Error("a logout token has a session or a user, and here is neither")
		}
	})
}

// why: "A message that is refused again and again, or that nobody takes for
// days, is dead: it waits for an operator"
func TestDeadMessages(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		in := newInbox(t)
		in.does(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			fmt.Fprint(w, `{"err":"invalid_key","description":"not ours\u001b[31m"}`)
		})
		w.tell(Receiver{"c_app", Push, in.URL})
		o := w.outbox()
		ended := w.end(1)
		check(t, o.collectAll(t.Context()))
		_, err := o.db.Exec(t.Context(), `UPDATE outbox_message SET attempts = $1, refusals = $1`, maxRefusals-1)
		check(t, err)
		stop := w.run(o)
		dead := func() []Message {
			messages, err := o.List(t.Context(), 0, true, 10)
			check(t, err)
			return messages
		}
		eventually(t, "it is dead", func() bool { return len(dead()) == 1 })
		stop()
		if m := dead()[0]; m.Error != "the receiver answered 400: invalid_key not ours?[31m" || m.Attempts != maxRefusals || m.Session != ended[0] {
			t.Errorf("the operator sees %+v", m)
		}
		calls := in.called()
		in.does(nil)
		w.run(w.outbox())
		other := w.end(1)
		eventually(t, "what is not dead is told", func() bool { return slices.Equal(w.sessionsOf(in.tokens()), other) })
		if in.called() != calls+1 {
			t.Error("the dead message was tried")
		}
		n, err := o.Replay(t.Context())
		if n != 1 || err != nil {
			t.Errorf("replayed %d, %v", n, err)
		}
		eventually(t, "it is told after all", func() bool { return len(w.sessionsOf(in.tokens())) == 2 })
	})
}

func TestMessageNobodyTakesForDays(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.tell(Receiver{"c_app", Push, "http://127.0.0.1:1"})
		o := w.outbox()
		w.end(2)
		check(t, o.collectAll(t.Context()))
		_, err := o.db.Exec(t.Context(), `UPDATE outbox_message SET since = since - $1`, (maxAge + time.Minute).Milliseconds())
		check(t, err)
		w.run(o)
		eventually(t, "one is dead; the other was not tried, since nobody answers", func() bool {
			dead, err := o.List(t.Context(), 0, true, 10)
			check(t, err)
			return len(dead) >= 1
		})
		eventually(t, "given up", func() bool {
			_, err := o.Drop(t.Context())
			check(t, err)
			all, err := o.List(t.Context(), 0, false, 10)
			check(t, err)
			return len(all) < 2
		})
	})
}

// What removed clients were to be told is removed.
func TestForgetsWhoIsGone(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.tell(Receiver{"c_gone", Poll, ""}, Receiver{"c_here", Poll, ""})
		o := w.outbox()
		w.end(2)
		check(t, o.collectAll(t.Context()))
		w.tell(Receiver{"c_here", Poll, ""})
		check(t, o.forgetGone(t.Context()))
		messages, err := o.List(t.Context(), 0, false, 10)
		check(t, err)
		if len(messages) != 2 || messages[0].Client != "c_here" || messages[1].Client != "c_here" {
			t.Errorf("left: %+v", messages)
		}
	})
}

// A transaction has time for so many messages, and others wait for it.
func TestNotesAFewThousandAtATime(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		var all []Receiver
		for n := range maxNoted / 50 {
			all = append(all, Receiver{fmt.Sprint("c_", n), Poll, ""})
		}
		w.tell(all...)
		o := w.outbox()
		w.end(60)
		for _, want := range []int{maxNoted, 60 * len(all)} {
			more, err := o.collect(t.Context())
			check(t, err)
			var noted int
			check(t, o.db.One(t.Context(), database.Into(&noted), `SELECT count(*) FROM outbox_message`))
			if noted != want || more != (want == maxNoted) {
				t.Errorf("%d messages are noted, more to come: %v; want %d", noted, more, want)
			}
		}
	})
}

// A client that is registered, and told of something, while the list is read.
func TestForgetsNobodyWhoIsNew(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		o := w.outbox()
		o.config.Receivers = func(context.Context) ([]Receiver, error) {
			list := w.list()
			w.tell(Receiver{"c_new", Poll, ""})
			w.end(1)
			check(t, w.outbox().collectAll(t.Context()))
			return list, nil
		}
		check(t, o.forgetGone(t.Context()))
		messages, err := o.List(t.Context(), 0, false, 10)
		check(t, err)
		if len(messages) != 1 || messages[0].Client != "c_new" {
			t.Errorf("left: %+v", messages)
		}
	})
}

// why: "A message that is refused again and again is dead": that its receiver
// was away for long is no refusal.
func TestAnOutageIsNoRefusal(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		in := newInbox(t)
		in.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
		r := Receiver{"c_app", Push, in.URL}
		w.tell(r)
		o := w.outbox()
		w.end(1)
		check(t, o.collectAll(t.Context()))
		message := func() Message {
			messages, err := o.List(t.Context(), 0, false, 10)
			check(t, err)
			return messages[0]
		}
		for range maxRefusals {
			o.reached(r) // its pause is over
			check(t, o.postOne(t.Context(), r, message()))
		}
		in.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }) // it is about to start
		o.reached(r)
		check(t, o.postOne(t.Context(), r, message()))
		if m := message(); m.Dead {
			t.Errorf("it is dead after one refusal: %+v", m)
		}
	})
}

// why: "10,000 queued deliveries neither slow a check nor grow memory": of the
// queue of one receiver a server holds a few messages at a time.
func TestHoldsFewMessages(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		in := newInbox(t)
		in.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
		r := Receiver{"c_app", Logout, in.URL}
		w.tell(r)
		o := w.outbox()
		w.end(2000)
		check(t, o.collectAll(t.Context()))
		now, err := o.db.Now(t.Context())
		check(t, err)
		batch, err := o.claim(t.Context(), r, now, claimBatch)
		check(t, err)
		if len(batch) != claimBatch {
			t.Errorf("%d claimed at once", len(batch))
		}
		check(t, o.postAll(t.Context(), r, batch))
		if n := in.called(); n > postsEach {
			t.Errorf("%d posts to a receiver that answers 500 to the first", n)
		}
	})
}

func TestPollRespectsItsLimits(t *testing.T) {
	minus := -1
	for why, r := range map[string]PollRequest{
		"a negative number of events":    {MaxEvents: &minus},
		"more than 1000 acknowledgments": {Ack: make([]string, maxAcks+1)},
		"a text that PostgreSQL refuses": {Ack: []string{"\x00"}},
		"the same in a refusal":          {SetErrs: map[string]PollError{"\x00": {}}},
	} {
		if r.Valid() {
			t.Error(why)
		}
	}
}

// RFC 8936 section 2.
func TestPoll(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.tell(Receiver{"c_siem", Poll, ""}, Receiver{"c_other", Poll, ""})
		o := w.outbox()
		w.run(o)
		poll := func(client string, r PollRequest) PollAnswer {
			t.Helper()
			answer, err := o.Poll(t.Context(), client, r)
			check(t, err)
			return answer
		}
		now, one, none := PollRequest{ReturnImmediately: true}, 1, 0
		if a := poll("c_siem", now); len(a.Sets) != 0 || a.Sets == nil || a.MoreAvailable {
			t.Errorf("at first: %+v", a)
		}

		const long = "a poll waits until there is something"
		polled := make(chan PollAnswer)
		go func() {
			a, err := o.Poll(t.Context(), "c_siem", PollRequest{})
			if err != nil {
				t.Error(err)
			}
			polled <- a
		}()
		begun := time.Now()
		ended := w.end(3)
		o.Wake()
		first := <-polled
		if len(first.Sets) == 0 || time.Since(begun) > longestPoll/2 {
			t.Errorf("%+v after %v: %s", first, time.Since(begun), long)
		}
		eventually(t, "all are there", func() bool { return len(poll("c_siem", now).Sets) == 3 })

		a := poll("c_siem", PollRequest{MaxEvents: &one, ReturnImmediately: true})
		if len(a.Sets) != 1 || !a.MoreAvailable {
			t.Errorf("maxEvents 1 of 3: %+v", a)
		}
		if a := poll("c_siem", PollRequest{MaxEvents: &none}); len(a.Sets) != 0 {
			t.Errorf("maxEvents 0 acknowledges and asks for nothing: %+v", a)
		}

		all := poll("c_siem", now)
		var tokens, ids []string
		for id, signed := range all.Sets {
			if _, claims := w.parse(signed); claims["jti"] != id || claims["aud"] != "c_siem" {
				t.Errorf("the set named %s has the claims %v", id, claims)
			}
			tokens, ids = append(tokens, signed), append(ids, id)
		}
		if got := w.sessionsOf(tokens); !slices.Equal(got, sorted(ended)) {
			t.Errorf("told of %v, want %v", got, ended)
		}

		poll("c_other", PollRequest{Ack: ids, ReturnImmediately: true})
		if n := len(poll("c_siem", now).Sets); n != 3 {
			t.Errorf("%d are left after another client has acknowledged them", n)
		}
		poll("c_siem", PollRequest{Ack: ids[:1], ReturnImmediately: true})
		a = poll("c_siem", PollRequest{ReturnImmediately: true, SetErrs: map[string]PollError{ids[1]: {"authentication_failed", "who are you?"}}})
		if _, left := a.Sets[ids[2]]; len(a.Sets) != 1 || !left {
			t.Errorf("of three, one taken and one refused, there is %+v", a)
		}
		dead, err := o.List(t.Context(), 0, true, 10)
		check(t, err)
		if len(dead) != 1 || dead[0].ID != ids[1] || dead[0].Error != "the receiver refused it: authentication_failed who are you?" {
			t.Errorf("what was refused waits for an operator: %+v", dead)
		}
		poll("c_siem", PollRequest{Ack: []string{"nonsense", ids[2]}, ReturnImmediately: true})
		if a := poll("c_siem", now); len(a.Sets) != 0 {
			t.Errorf("after all were acknowledged: %+v", a)
		}
		ctx, hangUp := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, hangUp)
		if _, err := o.Poll(ctx, "c_siem", PollRequest{}); err != nil {
			t.Errorf("a client that hangs up: %v", err)
		}
	})
}

// An error for the operator does not show the URL: it may hold a secret.
func TestErrorsHideTheURL(t *testing.T) {
	p := newPoster(nil)
	defer p.close()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	for _, url := range []string{server.URL + "/?key=hunter2", "http://hunter2.invalid:1/hunter2", "http://[::1]:1/hunter2"} {
		err := p.post(t.Context(), Receiver{Way: Logout, URL: url}, "x")
		if err == nil || has(err.Error(), "key=") || has(err.Error(), "/hunter2") {
			t.Errorf("%v", err)
		}
	}
}

// why: "More are not noted, and the log says so"
func TestReceiverWithTooManyMessages(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.tell(Receiver{"c_full", Poll, ""}, Receiver{"c_other", Push, "http://127.0.0.1:1"})
		o := w.outbox()
		o.maxWaiting = 3
		count := func() (full, other int) {
			messages, err := o.List(t.Context(), 0, false, 100)
			check(t, err)
			for _, m := range messages {
				if m.Client == "c_full" {
					full++
				} else {
					other++
				}
			}
			return full, other
		}
		w.end(3)
		check(t, o.collectAll(t.Context()))
		_, err := o.db.Exec(t.Context(), `DELETE FROM outbox_message WHERE client = 'c_other'`) // it has taken them
		check(t, err)
		w.end(2)
		check(t, o.collectAll(t.Context()))
		if full, other := count(); full != 3 || other != 2 {
			t.Errorf("%d wait for the one that takes none, %d for the other: want 3 and 2", full, other)
		}
		_, err = o.db.Exec(t.Context(), `DELETE FROM outbox_message WHERE client = 'c_full'`)
		check(t, err)
		w.end(1)
		check(t, o.collectAll(t.Context()))
		if full, _ := count(); full != 1 {
			t.Errorf("once it has taken some it is told again: %d wait, want 1", full)
		}
	})
}

// why: "or too many others wait"
func TestManyPolls(t *testing.T) {
	w := newWorld(t, func() (*database.DB, error) { return database.OpenSQLite(t.TempDir() + "/x.db") })
	o := w.outbox()
	for range maxPolls {
		o.polls <- struct{}{}
	}
	begun := time.Now()
	if _, err := o.Poll(t.Context(), "c_siem", PollRequest{}); err != nil || time.Since(begun) > longestPoll/2 {
		t.Errorf("beside %d others a poll took %v, %v", maxPolls, time.Since(begun), err)
	}
}

// TestErrorsAreFitForATerminal: of what a receiver answers that speaks no HTTP one
// short line is kept, whatever it holds (16.4.1).
func TestErrorsAreFitForATerminal(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		t.Cleanup(func() { check(t, l.Close()) })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return // the test is over
				}
				io.WriteString(c, "HTTP/1.1 200 OK\r\n\x1b[2J\x00\xff"+strings.Repeat("x", 8<<10)+"\r\n\r\n")
				c.Close()
			}
		}()
		w.tell(Receiver{Client: "shop", Way: Push, URL: "http://" + l.Addr().String()})
		w.end(1)
		o := w.outbox()
		w.run(o)
		eventually(t, "the attempt is counted", func() bool {
			messages, err := o.List(t.Context(), 0, false, 10)
			check(t, err)
			return len(messages) == 1 && messages[0].Attempts > 0
		})
		messages, err := o.List(t.Context(), 0, false, 10)
		check(t, err)
		if got := messages[0].Error; len(got) > maxError || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("the error is %d bytes: %.60q", len(got), got)
		}
	})
}
