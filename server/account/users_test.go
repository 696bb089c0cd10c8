package account

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		name, shown, key string
		why              string
	}{
		{"john", "john", "john", "a plain name"},
		{"John", "John", "john", "letter case is kept but does not count"},
		{"john@example.org", "john@example.org", "john@example.org", "an address is a name"},
		{"Ｊｏｈｎ", "John", "john", "full-width letters are ordinary ones (RFC 8265)"},
		{"Jose\u0301", "José", "josé", "the name is put into NFC"},
		{"Иван", "Иван", "иван", "letters of any script"},
		{strings.Repeat("ä", 64), strings.Repeat("ä", 64), strings.Repeat("ä", 64), "64 characters, not bytes"},
		{strings.Repeat("a", 65), "", "", "65 are too many"},
		{"", "", "", "a name has at least 1 character"},
		{"john doe", "", "", "no spaces"},
		{"john\n", "", "", "no control characters: names stand in logs"},
		{"john\u200b", "", "", "no invisible characters"},
		{"jo\u202ehn", "", "", "no change of direction"},
		{"john\x00", "", "", "no NUL"},
		{"john\xff", "", "", "no broken UTF-8"},
	} {
		shown, key, err := canonicalName(c.name)
		if shown != c.shown || key != c.key || (err != nil) != (c.key == "") {
			t.Errorf("canonicalName(%q) = %q, %q, %v: %s", c.name, shown, key, err, c.why)
		}
		if err != nil && !errors.Is(err, ErrNameInvalid) {
			t.Errorf("canonicalName(%q): %v, want %v", c.name, err, ErrNameInvalid)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("John")
	f.Add("Jose\u0301\x00")
	f.Fuzz(func(t *testing.T, s string) {
		shown, key, err := canonicalName(s)
		if err != nil {
			if utf8.RuneCountInString(lookupKey(s)) <= MaxName {
				t.Errorf("an impossible name %q has a possible key", s)
			}
			return
		}
		again, sameKey, err := canonicalName(shown)
		if err != nil || again != shown || sameKey != key {
			t.Errorf("%q becomes %q and then %q (%v): the canonical form is not stable", s, shown, again, err)
		}
		if n := utf8.RuneCountInString(shown); n < 1 || n > MaxName {
			t.Errorf("%q has %d characters", shown, n)
		}
	})
}

func TestAdd(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		a := open(t, where)
		u := add(t, a, "John")
		if !strings.HasPrefix(u.ID, "u_") || len(u.ID) != 28 || u.Name != "John" || u.Created.IsZero() || u.PasswordChanged.IsZero() || u.Disabled {
			t.Errorf("Add returns %+v", u)
		}
		if found, err := a.Find(t.Context(), "JOHN"); err != nil || found != u {
			t.Errorf("Find = %+v, %v, want %+v", found, err, u)
		}
		for _, c := range []struct {
			name, password string
			want           error
			why            string
		}{
			{"JOHN", good, ErrNameTaken, "letter case does not make another user"},
			{"ｊohn", good, ErrNameTaken, "nor does the width of a letter"},
			{"jo hn", good, ErrNameInvalid, "a name has no spaces"},
		} {
			if _, err := a.Add(t.Context(), c.name, c.password); !errors.Is(err, c.want) {
				t.Errorf("Add(%q): %v, want %v: %s", c.name, err, c.want, c.why)
			}
		}
		var refused *PasswordError
		if _, err := a.Add(t.Context(), "jane", "short"); !errors.As(err, &refused) {
			t.Errorf("Add with a short password: %v", err)
		}
		if _, err := a.Find(t.Context(), "jane"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a user whose password was refused is there: %v", err)
		}
	})
}

func TestAddFirst(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		a := open(t, where)
		nodes := []*Accounts{a, open(t, where)}
		if empty, err := a.Empty(t.Context()); err != nil || !empty {
			t.Fatalf("Empty = %v, %v on a new file: there is no default account (req 37)", empty, err)
		}
		errs := parallel(8, func(i int) error {
			return second(nodes[i%2].AddFirst(t.Context(), fmt.Sprint("user", i), good))
		})
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, ErrNotEmpty) {
				t.Errorf("a loser gets %v, want %v", err, ErrNotEmpty)
			}
		}
		if won != 1 {
			t.Errorf("%d of 8 set-ups at once won, want 1", won)
		}
		if empty, err := a.Empty(t.Context()); err != nil || empty {
			t.Errorf("Empty = %v, %v with a user", empty, err)
		}
	})
}

func TestAddSameNameAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		nodes := []*Accounts{open(t, where), open(t, where)}
		won := 0
		for _, err := range parallel(8, func(i int) error { return second(nodes[i%2].Add(t.Context(), "john", good)) }) {
			if err == nil {
				won++
			} else if !errors.Is(err, ErrNameTaken) {
				t.Errorf("a loser gets %v, want %v", err, ErrNameTaken)
			}
		}
		if won != 1 {
			t.Errorf("%d users have one name", won)
		}
	})
}

func TestList(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		a := open(t, where)
		for _, name := range []string{"carol", "Alice", "bob"} {
			add(t, a, name)
		}
		var names []string
		for after := ""; ; {
			page, err := a.List(t.Context(), after, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, u := range page {
				names = append(names, u.Name)
			}
			after = page[len(page)-1].Name
		}
		if got := strings.Join(names, " "); got != "Alice bob carol" {
			t.Errorf("List, page by page: %s", got)
		}
	})
}

func TestDisable(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		a := open(t, where)
		u := add(t, a, "john")
		if _, err := a.Disable(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		wantError(t, login(t, a, "john", good, here), ErrCredentials)
		if found, err := a.Find(t.Context(), "john"); err != nil || !found.Disabled {
			t.Errorf("Find = %+v, %v", found, err)
		}
		if err := a.Enable(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		if err := login(t, a, "john", good, here); err != nil {
			t.Errorf("an enabled user logs in: %v", err)
		}
	})
}

func TestDelete(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		a := open(t, where)
		u := add(t, a, "john")
		if err := login(t, a, "john", good, here); err != nil {
			t.Fatal(err)
		}
		if _, err := a.RememberDevice(t.Context(), u.ID, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Delete(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		wantError(t, login(t, a, "john", good, here), ErrCredentials)
		if n := count(t, a, `SELECT (SELECT count(*) FROM account_device) + (SELECT count(*) FROM account_place)`); n != 0 {
			t.Errorf("%d devices and places outlive their user", n)
		}
		if again := add(t, a, "john"); again.ID == u.ID {
			t.Error("an id is never used again: sessions and tokens carry it")
		}
	})
}

func TestMissingUser(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		a := open(t, where)
		for call, err := range map[string]error{
			"Find":           second(a.Find(t.Context(), "nobody")),
			"Disable":        second(a.Disable(t.Context(), "u_none")),
			"Enable":         a.Enable(t.Context(), "u_none"),
			"Delete":         second(a.Delete(t.Context(), "u_none")),
			"SetPassword":    second(a.SetPassword(t.Context(), "u_none", another)),
			"RememberDevice": second(a.RememberDevice(t.Context(), "u_none", "")),
		} {
			if err != ErrNotFound {
				t.Errorf("%s: %v, want %v", call, err, ErrNotFound)
			}
		}
		if _, err := a.ChangePassword(t.Context(), Change{UserID: "u_none", Old: good, New: another}); err != ErrCredentials {
			t.Errorf("ChangePassword: %v, want %v: a visitor does not learn that the user is gone", err, ErrCredentials)
		}
		if pending, err := a.PendingCutoffs(t.Context()); err != nil || len(pending) != 0 {
			t.Errorf("changes that failed left cut-offs: %v, %v", pending, err)
		}
	})
}
