package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// A configFile holds the values of a file with lines such as
//
//	listen = localhost:8080
//	public-url = https://app.example.com
//
// under the names of the flags. Empty lines, and those that begin with #, don't
// count. Flags and the environment win over it.
type configFile map[string]string

func parseConfig(r io.Reader) (kong.Resolver, error) {
	values := configFile{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, fmt.Errorf("config file, line %d: write name = value", n)
		}
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("config file, line %d: %s is set twice", n, name)
		}
		values[name] = strings.TrimSpace(value)
	}
	return values, lines.Err()
}

// Validate implements [kong.Resolver]: a name that no flag has is a mistake.
func (c configFile) Validate(app *kong.Application) error {
	var known []string
	kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok && isSetting(flag) {
			known = append(known, flag.Name)
		}
		return next(nil)
	})
	for name := range c {
		if !slices.Contains(known, name) {
			return fmt.Errorf("config file: there is no setting %q%s", name, didYouMean(name, known))
		}
	}
	return nil
}

// Resolve implements [kong.Resolver].
func (c configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := c[flag.Name]
	if !ok || !isSetting(flag) || slices.ContainsFunc(flag.Envs, isSet) {
		return nil, nil
	}
	return value, nil
}

// isSetting reports whether a flag belongs into a file: those of the moment,
// such as "session end --all", don't, and have no environment variable either.
func isSetting(flag *kong.Flag) bool { return len(flag.Envs) > 0 && flag.Name != "config" }

func isSet(env string) bool {
	_, ok := os.LookupEnv(env)
	return ok
}
