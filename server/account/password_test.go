package account

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go/frequency"
)

func TestPasswordRules(t *testing.T) {
	const ok, refused = true, false
	for _, c := range []struct {
		password string
		want     bool
		why      string
	}{
		{"correct horse battery staple", ok, "four unrelated words"},
		{"correcthorsebatterystaple", ok, "spaces are no rule of composition (6.2.5)"},
		{"vqtkzjmwpxhgbnrl", ok, "letters alone are enough (6.2.5)"},
		{"830174926503817", ok, "so are digits, at random (6.2.5)"},
		{"x7Kq9vLm2Rt5Wz", refused, "14 characters: 15 are the least as the only factor (NIST)"},
		{"x7Kq9vLm2Rt5Wz8", ok, "15 characters"},
		{"жёлтый слон пьёт квас", ok, "any script"},
		{"ß¥€×¤ßµ¿ø¬¡²³¼½", ok, "15 characters in more bytes"},
		{"\x00\x01\x02 verbatim \xff\xfe q7", ok, "NUL and what is no text at all"},
		{"🦊 eats 🍕 at the 🏛 of 🐢", ok, "emoji"},
		{strings.Repeat("correcthorse", 80), refused, "960 bytes are not long where they repeat"},
		{pangram(1024), ok, "1024 bytes: at least 64 must be allowed (6.2.9)"},
		{pangram(1025), refused, "1025 are too many, and it says so: no truncation (6.2.8)"},

		{"passwordpassword", refused, "a common password twice"},
		{"PasswordPassword", refused, "letter case does not help"},
		{"P@ssw0rdP@ssw0rd", refused, "nor do look-alikes"},
		{"password1234567", refused, "with digits"},
		{"password!!!!!!!", refused, "with symbols"},
		{"iloveyouiloveyou1", refused, "repeated and one more"},
		{"letmeinletmeinplease", refused, "common passwords and words in a row"},
		{"changemechangeme", refused, "what manuals propose"},
		{"aaaaaaaaaaaaaaa", refused, "one character repeated (NIST)"},
		{"ääääääääääääääää", refused, "one character of two bytes"},
		{strings.Repeat("\x00", 15), refused, "one NUL repeated"},
		{"abababababababab", refused, "two characters repeated"},
		{"xK9#vQ2$mjxK9#vQ2$mj", ok, "ten characters at random, twice"},
		{"пароль" + "пароль" + "пароль", refused, "a word in another script, repeated"},
		{"abcdefghijklmnop", refused, "a sequence (NIST)"},
		{"123456789012345", refused, "digits in order"},
		{"1234567890987654321", refused, "up and down"},
		{"qwertyuiopasdfgh", refused, "rows of keys"},
		{"1qaz2wsx3edc4rfv", refused, "columns of keys"},
		{"q1w2e3r4t5y6u7i8", refused, "two rows at a time"},
		{"1q2w3e4r5t6y7u8i9o0p", refused, "and the whole of them"},
		{"johnsmith19840512", refused, "a name and a date"},
		{"thequickbrownfox", refused, "a well-known phrase of common words"},
		{"counterfoil2026", refused, "the service's name (6.2.11)"},
		{"CounterfoilCounterfoil!", refused, "twice"},
		{"hinterwaldexample", refused, "its host's"},
		{"xaver.hinterhuber", refused, "the user's name"},
		{"hinterhuberxaver1", refused, "the other way round"},
	} {
		err := checkPassword(c.password, append(wordsOf("xaver.hinterhuber"), wordsOf("counterfoil.hinterwald.example")...))
		var reason *PasswordError
		if err != nil && !errors.As(err, &reason) {
			t.Errorf("%q: %v is no PasswordError", c.password, err)
		}
		if (err == nil) != c.want {
			t.Errorf("%.40q (%.0f bits): %v: %s", c.password, bits(c.password, nil), err, c.why)
		}
	}
}

// pangram returns n bytes that neither repeat nor count up.
func pangram(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%x", i*i*2654435761)
	}
	return b.String()[:n]
}

func TestReasonsRevealNothing(t *testing.T) {
	const why = "a reason stands on a page and in a log"
	for _, password := range []string{"hunter2hunter2", "qwertyqwertyqwerty", strings.Repeat("hunter2", 200)} {
		err := checkPassword(password, nil)
		if err == nil || strings.Contains(err.Error(), password[:6]) {
			t.Errorf("%v names the password: %s", err, why)
		}
	}
}

func TestCommonPasswords(t *testing.T) {
	const why = "6.2.4: the 3,000 most common passwords, brought to the length that is asked for, are refused"
	common := frequency.Lists["Passwords"].List
	if len(common) < 3000 {
		t.Fatalf("the list holds %d passwords: %s", len(common), why)
	}
	words := []string{"counterfoil"}
	tried, accepted := 0, 0
	for _, p := range common[:3000] {
		for _, password := range []string{
			strings.Repeat(p, 1+MinPassword/utf8.RuneCountInString(p)),
			p + "123456789012345"[:max(1, MinPassword-len(p))],
			p + "!!!!!!!!!!!!!!!",
			strings.ToUpper(p[:1]) + p[1:] + strings.Repeat("1", max(1, MinPassword-len(p))),
		} {
			tried++
			if checkPassword(password, words) == nil {
				accepted++
				t.Errorf("%q is accepted: %s", password, why)
			}
		}
	}
	t.Logf("%d of %d accepted", accepted, tried)
}

func TestVerifiedExactly(t *testing.T) {
	// 6.2.8: verified exactly as received, without truncation or case change.
	long := pangram(200)
	for _, c := range []struct{ set, try, why string }{
		{long, long[:199], "a prefix of 199 bytes of 200"},
		{long, long[:73], "a prefix of 73"},
		{long, long[:72], "a prefix of 72, where others stop reading"},
		{good, strings.ToUpper(good), "letter case"},
		{good, good + " ", "a space behind"},
		{good, " " + good, "a space before"},
		{good, good + "\x00", "a NUL behind"},
		{"correct\x00horse battery", "correct", "what stands before a NUL"},
		{"correct\x00horse battery", "correct\x00horse butter", "what stands behind a NUL"},
		{"caf\u00e9 in the blue boot", "cafe\u0301 in the blue boot", "no normalisation: what was not typed the same is not the same"},
		{pangram(1024), pangram(1025), "one byte more than the longest"},
	} {
		onEach(t, func(t *testing.T, where string) {
			a := open(t, where)
			if _, err := a.Add(t.Context(), "john", c.set); err != nil {
				t.Fatal(err)
			}
			if err := login(t, a, "john", c.try, here); err != ErrCredentials {
				t.Errorf("%s: %v, want %v", c.why, err, ErrCredentials)
			}
			if err := login(t, a, "john", c.set, here); err != nil {
				t.Errorf("%s: the right one: %v", c.why, err)
			}
		})
	}
}

func TestChangePassword(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		a := open(t, where)
		u := add(t, a, "john")
		change := func(old, new string) error {
			return second(a.ChangePassword(t.Context(), Change{UserID: u.ID, Old: old, New: new, Address: here}))
		}
		wantError(t, change("wrong", another), ErrCredentials)
		for _, c := range []struct{ new, why string }{
			{"short", "the rules hold for a change as well"},
			{"john john john john", "the user's name is no password"},
			{good, "the old one is no new one"},
		} {
			var refused *PasswordError
			if err := change(good, c.new); !errors.As(err, &refused) {
				t.Errorf("new password %q: %v: %s", c.new, err, c.why)
			}
		}
		if pending, err := a.PendingCutoffs(t.Context()); err != nil || len(pending) != 0 {
			t.Errorf("refused changes left cut-offs: %v, %v", pending, err)
		}
		if err := change(good, another); err != nil {
			t.Fatal(err)
		}
		wantError(t, login(t, a, "john", good, here), ErrCredentials)
		if err := login(t, a, "john", another, here); err != nil {
			t.Errorf("the new password: %v", err)
		}
		if found, err := a.Find(t.Context(), "john"); err != nil || !found.PasswordChanged.After(u.PasswordChanged) {
			t.Errorf("PasswordChanged = %v, before %v (%v)", found.PasswordChanged, u.PasswordChanged, err)
		}
		for range freePerson {
			wantError(t, change("wrong", good), ErrCredentials)
		}
		wantThrottled(t, change(another, good)) // 7.5.1: a stolen session does not let its thief guess freely
		wantThrottled(t, login(t, a, "john", another, here))
	})
}

func TestParallelChanges(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		a := open(t, where)
		u := add(t, a, "john")
		won := 0
		for _, err := range parallel(4, func(i int) error {
			return second(a.ChangePassword(t.Context(), Change{UserID: u.ID, Old: good, New: fmt.Sprint(another, i), Address: here}))
		}) {
			if err == nil {
				won++
			} else if !errors.Is(err, ErrCredentials) {
				t.Errorf("a loser gets %v, want %v", err, ErrCredentials)
			}
		}
		if won != 1 {
			t.Errorf("%d of 4 changes from one old password succeeded, want 1", won)
		}
	})
}

func TestChangeForgetsOtherDevices(t *testing.T) {
	for _, c := range []struct {
		change          string
		devices, places int
		why             string
	}{
		{"ChangePassword", 1, 1, "the device and the place of whoever knew the old password stay, the others may be the thief's"},
		{"SetPassword", 0, 0, "an operator can't tell which is the thief's"},
		{"Disable", 2, 2, "nothing is known to be stolen"},
	} {
		onEach(t, func(t *testing.T, where string) {
			a := open(t, where)
			u := add(t, a, "john")
			mine, err := a.RememberDevice(t.Context(), u.ID, "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.RememberDevice(t.Context(), u.ID, ""); err != nil {
				t.Fatal(err)
			}
			for _, from := range []netip.Addr{here, elsewhere} {
				if err := login(t, a, "john", good, from); err != nil {
					t.Fatal(err)
				}
			}
			switch c.change {
			case "ChangePassword":
				_, err = a.ChangePassword(t.Context(), Change{UserID: u.ID, Old: good, New: another, Address: here, Device: mine})
			default:
				_, err = changes[c.change](t.Context(), a, u.ID)
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := count(t, a, `SELECT count(*) FROM account_device`); n != c.devices {
				t.Errorf("%s leaves %d devices, want %d: %s", c.change, n, c.devices, c.why)
			}
			if n := count(t, a, `SELECT count(*) FROM account_place`); n != c.places {
				t.Errorf("%s leaves %d places, want %d: %s", c.change, n, c.places, c.why)
			}
		})
	}
}

func FuzzPasswords(f *testing.F) {
	f.Add(good, "counterfoil")
	f.Add("пароль\x00\xff123456789", "")
	f.Add(strings.Repeat("4@8({[<369&#!1|0$57+%2z", 40), "x")
	f.Fuzz(func(t *testing.T, password, word string) {
		err := checkPassword(password, []string{word})
		if n := utf8.RuneCountInString(password); err == nil && (n < MinPassword || len(password) > MaxPassword) {
			t.Errorf("%d characters, %d bytes are accepted", n, len(password))
		}
		if b := bits(password, []string{word}); !(b >= 0 && b <= 6*float64(utf8.RuneCountInString(password))) {
			t.Errorf("%q has %v bits", password, b)
		}
	})
}
