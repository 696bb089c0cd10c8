package e2e

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Programs from npm are fetched by the first run and kept in the user's cache.

// npmDirectory is where one of them is kept.
func npmDirectory(t testing.TB, name string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	check(t, err)
	return filepath.Join(cache, "counterfoil-e2e", name)
}

func npmInstall(t testing.TB, dir, pkg string) {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o755))
	npm := exec.Command(find(t, "npm"), "install", "--prefix", dir, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", pkg)
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("install %s, which takes a network: %v\n%s", pkg, err, out)
	}
}

// npmPackage returns the directory in which a version of a package is installed.
func npmPackage(t testing.TB, name, version string) string {
	t.Helper()
	dir := npmDirectory(t, filepath.Base(name)+"-"+version)
	_, err := os.Stat(filepath.Join(dir, "node_modules", filepath.FromSlash(name), "package.json"))
	if errors.Is(err, fs.ErrNotExist) {
		npmInstall(t, dir, name+"@"+version)
	} else {
		check(t, err)
	}
	return dir
}
