// Package counterfoil keeps sessions on the server: a cookie that nobody can
// guess, a CSRF token for every form, a signed JWT for API clients, and a logout
// after which none of them works.
//
// For most uses, call [New], wrap your mux with [Manager.Handler], and call
// [Manager.Login] and [Manager.Logout] from your handlers:
//
//	sessions, err := counterfoil.New(counterfoil.Config{PublicURL: "http://localhost:8080"})
//	…
//	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
//		if !passwordIsRight(r.PostFormValue("username"), r.PostFormValue("password")) { … }
//		if err := sessions.Login(r.Context(), counterfoil.Login{User: "john"}); err != nil { … }
//		http.Redirect(w, r, "/", http.StatusSeeOther)
//	})
//	http.ListenAndServe("localhost:8080", sessions.Handler(mux))
//
// Inside a handler, [FromContext] says who asks, a [Key] reads and writes typed
// values of the session, and [CSRFField] is the hidden field that every form
// needs.
//
// # What a request goes through
//
// Handler reads the cookie (or the bearer token), finds the session in memory or
// in the store, and refuses an unsafe request (anything but GET, HEAD, OPTIONS) that
// has no session, comes from another origin, or lacks the session's CSRF token.
// Then your handler runs. What it changed is saved before the first byte of its
// answer leaves; if saving fails, an error goes out in its place.
//
// Requests that need no session and no CSRF protection, such as webhooks, are
// mounted outside Handler.
//
// # Stores
//
// The zero Config keeps sessions in memory. Package store/sqlite keeps them in
// one file, over restarts and crashes; store/postgres and store/redis keep them
// for any number of processes. Each process then answers from memory, and a
// logout on one counts on all of them within Config.Bound. Package verify does
// the same in services that only check tokens.
package counterfoil
