package pages

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestStatic(t *testing.T) {
	ours := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	tests := []struct {
		why      string
		notFound http.Handler
		path     string
		status   int
		ctype    string
		cache    string
	}{
		{"the URL holds the contents' hash, so it is good for ever", nil, stylesheet.Path, 200, "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
		{"the icon too", nil, icon.Path, 200, "image/svg+xml", "public, max-age=31536000, immutable"},
		{"another hash is another file", nil, "/static/style.0123456789abcdef.css", 404, "text/plain; charset=utf-8", ""},
		{"no listing", nil, "/static/", 404, "text/plain; charset=utf-8", ""},
		{"no way out of the directory", nil, "/static/../pages.go", 404, "text/plain; charset=utf-8", ""},
		{"the server's own page answers for the rest", ours, "/static/x", 418, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			w := httptest.NewRecorder()
			Static(tt.notFound).ServeHTTP(w, httptest.NewRequest("GET", tt.path, nil))
			if w.Code != tt.status || w.Header().Get("Content-Type") != tt.ctype || w.Header().Get("Cache-Control") != tt.cache {
				t.Errorf("%d %v", w.Code, w.Header())
			}
		})
	}
}

func TestPagesLinkToWhatStaticServes(t *testing.T) {
	for _, link := range document(t, Login{}).all("link") {
		w := httptest.NewRecorder()
		Static(nil).ServeHTTP(w, httptest.NewRequest("GET", link.attr["href"], nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", link.attr["href"], w.Code)
		}
	}
}

func TestStylesheetLoadsNothing(t *testing.T) {
	for _, part := range []string{"url(", "@import", "image-set(", "//"} {
		if strings.Contains(string(stylesheet.body), part) {
			t.Errorf("the stylesheet has %q; the policy lets it load nothing", part)
		}
	}
	if !strings.Contains(string(stylesheet.body), "(prefers-reduced-motion: no-preference)") {
		t.Error("WCAG 2.3.3: what moves, moves only for those who have not asked for stillness")
	}
}

func TestContrast(t *testing.T) {
	tests := []struct {
		why                    string
		foreground, background string
		least                  float64
	}{
		{"WCAG 1.4.3: text", "ink", "page", 4.5},
		{"WCAG 1.4.3: text", "ink", "paper", 4.5},
		{"WCAG 1.4.3: text in a notice", "ink", "stub", 4.5},
		{"WCAG 1.4.3: hints", "soft", "page", 4.5},
		{"WCAG 1.4.3: hints", "soft", "paper", 4.5},
		{"WCAG 1.4.3: the stub", "stub-ink", "stub", 4.5},
		{"WCAG 1.4.3: buttons", "on-accent", "accent", 4.5},
		{"WCAG 1.4.3: links", "accent", "paper", 4.5},
		{"WCAG 1.4.3: problems", "danger", "danger-paper", 4.5},
		{"WCAG 1.4.3: problems beside a field", "danger", "paper", 4.5},
		{"WCAG 1.4.11: the edge of a field", "line", "paper", 3},
		{"WCAG 1.4.11: the edge of a button", "line", "page", 3},
		{"WCAG 1.4.11: the focus ring", "accent", "page", 3},
		{"WCAG 1.4.11: the focus ring", "accent", "stub", 3},
	}
	light, dark, ok := strings.Cut(string(stylesheet.body), "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("there is no dark scheme")
	}
	for scheme, css := range map[string]string{"light": light, "dark": dark} {
		for _, tt := range tests {
			got := contrast(luminance(t, css, tt.foreground), luminance(t, css, tt.background))
			if got < tt.least {
				t.Errorf("%s: %s on %s is %.2f, want %.1f; %s", scheme, tt.foreground, tt.background, got, tt.least, tt.why)
			}
		}
	}
}

// contrast is WCAG's contrast ratio of two luminances.
func contrast(a, b float64) float64 {
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// luminance is WCAG's relative luminance of a colour variable.
func luminance(t *testing.T, css, variable string) float64 {
	t.Helper()
	m := regexp.MustCompile(fmt.Sprintf(`--%s: #([0-9a-f]{3,6});`, variable)).FindStringSubmatch(css)
	if m == nil {
		t.Fatalf("no colour --%s", variable)
	}
	hex := m[1]
	if len(hex) == 3 {
		hex = strings.Join([]string{hex[:1], hex[:1], hex[1:2], hex[1:2], hex[2:], hex[2:]}, "")
	}
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
