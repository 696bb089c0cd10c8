package sqlite

import "testing"

// "It gives the one that was given back last": its cache is warm.
func TestPoolGivesTheWarmest(t *testing.T) {
	p := newPool(3)
	for range 3 {
		p.put(&conn{})
	}
	get := func() *conn {
		c, err := p.get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b := get(), get()
	p.put(b)
	p.put(a)
	if c := get(); c != a {
		t.Error("it gave another than the last")
	}
}
