package csrf

import (
	"context"
	"net/http"
	"testing"

	"github.com/counterfoil/counterfoil/bench/internal/env"
	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/bench/internal/web"
)

const (
	ours        = "Counterfoil"
	oursHeaders = "Counterfoil, with all the headers of the POST"
	oursOthers  = "Counterfoil, with as many other headers"
	theirs      = "nosurf"
	bare        = "bare handler"
)

const (
	perRequest = "CPU per request"
	added      = "CPU added to a POST"
	lessGet    = "CPU of a POST less its GET"
)

// Run compares the libraries.
func Run(ctx context.Context, p measure.Plan) (report.Section, error) {
	s := report.Section{
		ID:    "csrf",
		Title: "Protection against forged requests",
		Text: []string{
			"Every library gets the same POST, with its cookie, its token in X-CSRF-Token and the headers Origin, Referer and Sec-Fetch-Site, and the same GETs. gorilla/csrf and nosurf keep their token in a cookie of their own, and nosurf's is the same for everybody who can set that cookie; ours belongs to the session, so the whole requests include finding the session; nosurf within scs is an application that has both from others. http.CrossOriginProtection looks at headers only and has no token.",
		},
	}
	err := env.Use(ctx, func(tb testing.TB) error {
		all := apps(tb)
		m, err := measureAll(tb, p, all)
		if err != nil {
			return err
		}
		s.Tables = []report.Table{m.checks(all), m.posts(all), m.gets(all), m.forms(all)}
		return nil
	})
	return s, err
}

// measured are the results by application and by kind of request.
type measured struct{ get, headers, others, form, post map[string]measure.Result }

// measureAll measures all requests to all applications in the same rounds.
func measureAll(tb testing.TB, p measure.Plan, all []app) (measured, error) {
	m := measured{map[string]measure.Result{}, map[string]measure.Result{}, map[string]measure.Result{}, map[string]measure.Result{}, map[string]measure.Result{}}
	var cases []measure.Case
	var into []map[string]measure.Result
	add := func(to map[string]measure.Result, name string, h http.Handler, r *http.Request) {
		send := web.Sender(h, r)
		cases = append(cases, measure.Case{Name: name, Run: func(n int) error { return web.Repeat(send, n) }})
		into = append(into, to)
	}
	for _, a := range all {
		b := newBrowser(tb, a)
		if a.kind == report.Ours {
			add(m.headers, a.name, a.quiet, b.withHeaders(http.MethodGet))
			add(m.others, a.name, a.quiet, b.withOtherHeaders())
		}
		add(m.get, a.name, a.quiet, b.get())
		add(m.post, a.name, a.quiet, b.post())
		if a.form != nil {
			add(m.form, a.name, a.form, b.get())
		}
	}
	p.Logf("csrf: %d requests", len(cases))
	results, err := measure.Run(tb.Context(), p, cases)
	for i, r := range results {
		into[i][r.Name] = r
	}
	return m, err
}

func row(r measure.Result, kind report.Kind) report.Row {
	row := r.Row(kind)
	row.Samples[perRequest] = r.CPU
	return row
}

// checks is what the protection adds to a POST.
func (m *measured) checks(all []app) report.Table {
	t := report.Table{
		ID:    "check",
		Title: "What the check adds to a POST",
		Text: []string{
			"For the others: a POST with their protection less the same POST to the bare handler, since all that they do is protection. For ours: a POST less a GET of the same session, since the session is found for every request anyway. The second column is the POST less the same library's GET for all of them: it leaves out what gorilla/csrf and nosurf do for GETs as well.",
		},
		Metrics:  []report.Metric{{Name: added, Unit: report.Nanoseconds}, {Name: lessGet, Unit: report.Nanoseconds}},
		Baseline: theirs,
		Targets:  []report.Target{{Row: ours, Metric: added, Against: theirs, Limit: 1. / 5, Words: "at most 1/5 of nosurf"}},
	}
	for _, a := range all {
		if a.kind == report.Limit || a.session {
			continue
		}
		over := m.post[bare].CPU
		if a.kind == report.Ours {
			over = m.get[a.name].CPU
		}
		t.Rows = append(t.Rows, report.Row{Name: a.name, Kind: a.kind, Samples: map[string][]float64{
			added:   report.Minus(m.post[a.name].CPU, over),
			lessGet: report.Minus(m.post[a.name].CPU, m.get[a.name].CPU),
		}})
	}
	return t
}

func whole(id, title string, text ...string) report.Table {
	return report.Table{
		ID: id, Title: title, Text: text,
		Metrics:  []report.Metric{{Name: perRequest, Unit: report.Nanoseconds}, measure.AllocsMetric},
		Baseline: theirs,
	}
}

func (m *measured) posts(all []app) report.Table {
	t := whole("post", "The whole POST")
	for _, a := range all {
		t.Rows = append(t.Rows, row(m.post[a.name], a.kind))
	}
	return t
}

func (m *measured) gets(all []app) report.Table {
	t := whole("get", "A GET that asks for no token", "Our second row is a GET that has all the headers of the POST, and our third one that has as many which mean nothing, of the same length: a map with more headers takes longer to search. What the guard costs a GET is the difference of these two.")
	for _, a := range all {
		t.Rows = append(t.Rows, row(m.get[a.name], a.kind))
		if a.kind == report.Ours {
			with, others := row(m.headers[a.name], a.kind), row(m.others[a.name], a.kind)
			with.Name, others.Name = oursHeaders, oursOthers
			t.Rows = append(t.Rows, with, others)
		}
	}
	t.NoPlot = true
	t.Targets = []report.Target{{Row: oursHeaders, Metric: perRequest, Against: oursOthers, Limit: 1.05, Words: "the guard costs a GET nothing (at most 1.05)"}}
	return t
}

func (m *measured) forms(all []app) report.Table {
	t := whole("form", "A GET that asks for a token", "A masked token is made for the page, with fresh random bytes.")
	t.NoPlot = true
	for _, a := range all {
		if a.form != nil {
			t.Rows = append(t.Rows, row(m.form[a.name], a.kind))
		}
	}
	return t
}
