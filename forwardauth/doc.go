// Package forwardauth lets a reverse proxy ask who makes a request, before an
// application gets it that knows nothing of Counterfoil: nginx with auth_request,
// Caddy, HAProxy, Traefik, Envoy.
//
// For most uses, call [New] and mount the handler where the proxy asks:
//
//	front, err := forwardauth.New(forwardauth.Config{
//		Sessions:       sessions,
//		LoginURL:       "https://app.example.com/login",
//		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
//	})
//	…
//	mux.Handle("/auth", front)
//
// Mount it outside of [counterfoil.Manager.Handler], which would ask for a CSRF
// token that the application behind the proxy does not know. docs/front-door.md
// tells how each proxy is set up, and docs/proxies holds files that work.
//
// # Questions
//
// The question is about a request that the proxy has received: the original.
// Its cookies, Authorization, Origin, Sec-Fetch-Site and Upgrade come as they
// were. Its method, scheme, host and path come in X-Forwarded-Method, -Proto,
// -Host and -Uri; or in X-Original-Method, and X-Original-URL or X-Original-URI;
// or, with Envoy, as the method and the Host of the question and its query
// "uri=" to the end. They are believed from [Config.TrustedProxies] only. A
// header that comes twice or holds a list, two that contradict each other, and a
// path that different programs read differently are refused.
//
// # Answers
//
//	200  X-Auth-User, X-Auth-Name, X-Auth-Session, and X-Auth-Token if wanted
//	401  nobody is logged in; X-Login-URL, ready to be redirected to
//	303  instead of that, with ?redirect in the proxy's URL, for a page in a browser
//	403  the request is forged, or can't be understood
//	503  it can't be told who asks
//
// No answer sets a cookie, and none may be kept.
package forwardauth
