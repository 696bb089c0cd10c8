package pages

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// element is an HTML element as a browser would see it.
type element struct {
	name   string
	attr   map[string]string
	text   string // of the element and all that is in it
	parent *element
	within []*element // all that is in it
}

// all returns the elements below e that have this name.
func (e *element) all(name string) []*element {
	var found []*element
	for _, x := range e.within {
		if x.name == name {
			found = append(found, x)
		}
	}
	return found
}

// one returns the only element below e that has this name and attribute.
func (e *element) one(t *testing.T, name, attr, value string) *element {
	t.Helper()
	var found []*element
	for _, x := range e.all(name) {
		if x.attr[attr] == value {
			found = append(found, x)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d elements <%s %s=%q>, want 1", len(found), name, attr, value)
	}
	return found[0]
}

func (e *element) has(attr string) bool {
	_, ok := e.attr[attr]
	return ok
}

type page interface {
	Render(w io.Writer, nonce string) error
}

const testNonce = "bm9uY2U+/w=="

// document renders a page and reads it back.
func document(t *testing.T, p page) *element {
	t.Helper()
	var html strings.Builder
	if err := p.Render(&html, testNonce); err != nil {
		t.Fatal(err)
	}
	return parseHTML(t, html.String())
}

// parseHTML reads HTML whose elements are all closed, as ours are: a stray
// "<b>" out of somebody's name would make it fail.
func parseHTML(t *testing.T, html string) *element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity

	root := &element{name: "#document"}
	at := root
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return root
		}
		if err != nil {
			t.Fatalf("not well formed: %v\n%s", err, html)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attr: map[string]string{}, parent: at}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			for up := at; up != nil; up = up.parent {
				up.within = append(up.within, e)
			}
			at = e
		case xml.EndElement:
			at = at.parent
		case xml.CharData:
			for up := at; up != nil; up = up.parent {
				up.text += string(token)
			}
		}
	}
}
