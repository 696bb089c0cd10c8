package pages

import "strings"

// DeviceName tells a person what a User-Agent header says: "Firefox on
// Windows". It answers with words of its own alone and reads the first 512
// bytes, so a hostile header can neither speak nor cost much. What it does not
// know is "Unknown device". The header can lie: the name helps a user to
// recognise a session and decides nothing.
func DeviceName(userAgent string) string {
	ua := userAgent[:min(len(userAgent), 512)]
	program, system := find(programs, ua), find(systems, ua)
	switch {
	case program == "" && system == "":
		return "Unknown device"
	case program == "":
		return "Unknown program on " + system
	case system == "":
		return program
	default:
		return program + " on " + system
	}
}

// mark is a piece of a User-Agent header and what it stands for.
type mark struct{ piece, name string }

// The order matters in both tables: browsers carry the names of those they want
// to be taken for, so the most particular comes first.
var (
	programs = []mark{
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"},
		{"OPR/", "Opera"}, {"Opera", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Vivaldi/", "Vivaldi"},
		{"YaBrowser/", "Yandex Browser"},
		{"DuckDuckGo/", "DuckDuckGo"}, {"Ddg/", "DuckDuckGo"},
		{"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"},
		{"CriOS/", "Chrome"}, {"Chromium/", "Chromium"}, {"HeadlessChrome/", "Chrome"}, {"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
		{"curl/", "curl"}, {"Wget/", "Wget"}, {"HTTPie/", "HTTPie"},
		{"PostmanRuntime/", "Postman"}, {"insomnia/", "Insomnia"},
		{"Go-http-client/", "Go program"},
		{"python-requests/", "Python program"}, {"python-httpx/", "Python program"},
		{"aiohttp/", "Python program"}, {"Python-urllib/", "Python program"},
		{"okhttp/", "Java program"}, {"Apache-HttpClient/", "Java program"}, {"Java/", "Java program"},
		{"axios/", "JavaScript program"}, {"node-fetch", "JavaScript program"}, {"undici", "JavaScript program"},
		{"Dart/", "Dart program"}, {"reqwest/", "Rust program"}, {"Ruby", "Ruby program"},
	}
	systems = []mark{
		{"iPhone", "iPhone"}, {"iPad", "iPad"},
		{"Android", "Android"},
		{"Windows", "Windows"},
		{"CrOS", "ChromeOS"},
		{"Macintosh", "macOS"}, {"Mac OS X", "macOS"}, {"Darwin/", "macOS"},
		{"FreeBSD", "FreeBSD"}, {"OpenBSD", "OpenBSD"},
		{"Linux", "Linux"},
	}
)

func find(marks []mark, ua string) string {
	for _, m := range marks {
		if strings.Contains(ua, m.piece) {
			return m.name
		}
	}
	return ""
}
