package main

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/counterfoil/counterfoil/internal/servers"
)

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){
		"counterfoil": main,
		"visit":       visitMain,
		"await":       awaitMain,
		"ended":       endedMain,
		"mistake":     mistakeMain,
		"follow":      followMain,
	})
}

// tests are the tests, with an end to the servers that they share.
type tests struct{ *testing.M }

func (t tests) Run() int { return servers.Run(t.M) }

// TestScripts runs the commands as the scripts in testdata tell them. Those that
// are named after a server get an empty one: see setServer.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal(scripts, err)
	}
	for _, script := range scripts {
		name := strings.TrimSuffix(filepath.Base(script), ".txtar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, testscript.Params{
				Files: []string{script},
				Setup: func(env *testscript.Env) error {
					switch name {
					case "postgres":
						return setServer(env, "POSTGRES", servers.Postgres(t))
					case "redis":
						return setServer(env, "REDIS", servers.StartRedis(t, nil).URL())
					}
					return nil
				},
			})
		})
	}
}

// setServer tells a script of a server: its URL in $NAME, the password of that
// in $NAME_PASSWORD, and in $NAME_HUNTER2 a URL with another one.
func setServer(env *testscript.Env, name, raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return err
	}
	password, _ := u.User.Password()
	env.Setenv(name, raw)
	env.Setenv(name+"_PASSWORD", password)
	u.User = url.UserPassword(u.User.Username(), "hunter2")
	env.Setenv(name+"_HUNTER2", u.String())
	return nil
}
