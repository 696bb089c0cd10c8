// Package site is what the examples have in common: a page, a user, and a visit
// that tests that all goes as it should.
package site

import (
	"crypto/subtle"
	"html/template"
)

// PasswordIsRight stands for a look into your users' table, which keeps slow
// hashes of passwords, such as Argon2id.
func PasswordIsRight(name, password string) bool {
	return name == "john" && subtle.ConstantTimeCompare([]byte(password), []byte("correct horse battery staple")) == 1
}

// Page shows {CSRF, Name} as a login form, or a greeting and a logout form.
var Page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<title>Counterfoil</title>
{{if .Name -}}
<p>Hello, {{.Name}}.</p>
<form method="post" action="/logout">{{.CSRF}}<button>Log out</button></form>
{{- else -}}
<form method="post" action="/login">{{.CSRF}}
<label>Name <input name="name" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button>Log in</button>
</form>
{{- end}}
`))

// Data is what Page shows.
type Data struct {
	CSRF template.HTML
	Name string
}
