package storetest

import (
	"errors"

	"github.com/counterfoil/counterfoil/store"
)

var documentRules = []rule{
	{name: "absent", why: "Document returns a small named document and its version, or ErrNotFound.", check: func(k *kit) {
		_, _, err := k.store.Document(k.t.Context(), "keys")
		k.refuses(err, store.ErrNotFound)
	}},
	{name: "swap", why: "SwapDocument writes the document if its version is still the given one (0: it does not exist yet), else ErrConflict. The version counts up.", check: func(k *kit) {
		ctx := k.t.Context()
		k.refuses(k.store.SwapDocument(ctx, "keys", 1, []byte("x")), store.ErrConflict)
		version := uint64(0)
		for _, data := range []string{"one", "two", ""} {
			k.ok(k.store.SwapDocument(ctx, "keys", version, []byte(data)))
			got, now, err := k.store.Document(ctx, "keys")
			k.ok(err)
			if string(got) != data || now <= version {
				k.t.Fatalf("got %q in version %d, want %q in a version after %d", got, now, data, version)
			}
			for _, bad := range []uint64{0, version, now + 1} {
				k.refuses(k.store.SwapDocument(ctx, "keys", bad, []byte("bad")), store.ErrConflict)
			}
			version = now
		}
		_, _, err := k.store.Document(ctx, "other")
		k.refuses(err, store.ErrNotFound)
	}},
	{name: "once", why: "SwapDocument writes the document if its version is still the given one: of many writers one wins.", check: func(k *kit) {
		for version := range uint64(5) {
			won := make(chan int, 8)
			parallel(cap(won), func(i int) {
				_, now, err := k.store.Document(k.t.Context(), "keys")
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					k.t.Errorf("Document: %v", err)
				}
				if now != version { // somebody was first
					return
				}
				switch err := k.store.SwapDocument(k.t.Context(), "keys", now, []byte{byte(i)}); {
				case err == nil:
					won <- i
				case !errors.Is(err, store.ErrConflict):
					k.t.Errorf("got error %v, want %v", err, store.ErrConflict)
				}
			})
			if len(won) != 1 {
				k.t.Fatalf("%d writers won, want 1", len(won))
			}
			if data, _, err := k.store.Document(k.t.Context(), "keys"); err != nil || data[0] != byte(<-won) {
				k.t.Fatalf("the document is %v (error %v), want the winner's", data, err)
			}
		}
	}},
	{name: "copies", why: "A document is what was written, whatever the caller does with his bytes afterwards.", check: func(k *kit) {
		data := []byte("keys")
		k.ok(k.store.SwapDocument(k.t.Context(), "keys", 0, data))
		copy(data, "XXXX")
		if got, _, err := k.store.Document(k.t.Context(), "keys"); err != nil || string(got) != "keys" {
			k.t.Errorf("got %q, error %v", got, err)
		}
	}},
}
