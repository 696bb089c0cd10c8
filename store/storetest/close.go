package storetest

import (
	"errors"
	"fmt"

	"github.com/counterfoil/counterfoil/store"
)

var closeRules = []rule{
	{name: "refuses", why: "Close releases the store …; methods called later return an error.", check: func(k *kit) {
		c := login("john")
		rotation := withRefresh(&c)
		k.create(c)
		k.ok(k.store.SwapDocument(k.t.Context(), "doc", 0, []byte("doc")))
		k.ok(k.store.Close())
		for _, call := range calls(k.store, rotation) {
			err := call.do(k.t.Context())
			k.fails(call.method, err)
			if errors.Is(err, store.ErrNotFound) {
				k.t.Errorf("%s: a closed store can't know that there is no session: %v", call.method, err)
			}
		}
	}},
	{name: "among callers", why: "Its methods are safe for concurrent use by many goroutines: Close too.", check: func(k *kit) {
		parallel(9, func(i int) {
			if i == 8 {
				if err := k.store.Close(); err != nil {
					k.t.Errorf("Close: %v", err)
				}
				return
			}
			for j := range 20 {
				c := login(fmt.Sprint("user", i))
				if _, err := k.store.Create(k.t.Context(), c); err != nil {
					return
				}
				if e, err := k.store.End(k.t.Context(), c.Session.ID, retain); err == nil && e.Count != 1 {
					k.t.Errorf("round %d: End ended %d sessions, want 1", j, e.Count)
				}
			}
		})
	}},
	{name: "again", why: "Close releases the store: what is released stays released, and closing it again is no error.", check: func(k *kit) {
		k.ok(k.store.Close())
		k.ok(k.store.Close())
	}},
}
