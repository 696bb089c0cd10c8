package pages

import (
	"strings"
	"testing"
)

func TestDeviceName(t *testing.T) {
	tests := []struct{ why, userAgent, want string }{
		{"no header", "", "Unknown device"},
		{"Firefox", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"},
		{"Chrome says that it is Safari too", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", "Chrome on Linux"},
		{"Edge says that it is Chrome too", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows"},
		{"Safari", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15", "Safari on macOS"},
		{"an iPhone says that it is like a Mac", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"},
		{"Chrome for iOS", "Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1", "Chrome on iPad"},
		{"Android says that it is Linux too", "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36", "Samsung Internet on Android"},
		{"a program", "curl/8.5.0", "curl"},
		{"Go's own client", "Go-http-client/1.1", "Go program"},
		{"a system alone", "Mozilla/5.0 (X11; FreeBSD amd64) Whatever/1", "Unknown program on FreeBSD"},
		{"what it does not know is not repeated", "<script>alert(1)</script>", "Unknown device"},
		{"only the first 512 bytes are read", strings.Repeat("x", 512) + "Firefox/140.0", "Unknown device"},
	}
	for _, tt := range tests {
		if got := DeviceName(tt.userAgent); got != tt.want {
			t.Errorf("%s: DeviceName(%q) = %q, want %q", tt.why, tt.userAgent, got, tt.want)
		}
	}
}

// why: the name is made of the table's words alone, so no header can speak through it.
func FuzzDeviceName(f *testing.F) {
	names := map[string]bool{"Unknown device": true, "Unknown program": true}
	for _, m := range append(programs, systems...) {
		names[m.name] = true
	}
	f.Add("Mozilla/5.0 (Windows NT 10.0) Firefox/140.0")
	f.Add("\xff\x00<b>curl/</b> on Linux")
	f.Fuzz(func(t *testing.T, userAgent string) {
		got := DeviceName(userAgent)
		program, system, both := strings.Cut(got, " on ")
		if !names[program] || both && !names[system] {
			t.Errorf("DeviceName(%q) = %q", userAgent, got)
		}
	})
}
