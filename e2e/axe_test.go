package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// axe-core is under the MPL, so it is fetched and not kept here. The digest is
// that of the one file that is used.
const (
	axeVersion = "4.14.1"
	axeDigest  = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
)

// violations returns what axe-core has to complain about the page.
func (b *browser) violations(axe string) []violation {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](axe))
	return read(b, chromedp.Evaluate[[]violation](axeRun, chromedp.EvalAwaitPromise))
}

// axeRun checks the page with every rule that axe-core has, best practices, too.
const axeRun = `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v =>
	({id: v.id, help: v.help, where: v.nodes.map(n => n.html)})))`

type violation struct {
	ID, Help string
	Where    []string
}

// axeSource returns the script, from this user's cache or else from npm.
func axeSource(t testing.TB) string {
	t.Helper()
	dir := cacheDir(t)
	path := filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
	script, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && digestOf(script) != axeDigest {
		check(t, installAxe(t, dir))
		script, err = os.ReadFile(path)
	}
	check(t, err)
	if digest := digestOf(script); digest != axeDigest {
		t.Fatalf("axe-core %s is not the one that we know: its digest is %s", axeVersion, digest)
	}
	return string(script)
}

func digestOf(script []byte) string {
	sum := sha256.Sum256(script)
	return hex.EncodeToString(sum[:])
}

func installAxe(t testing.TB, dir string) error {
	t.Helper()
	return npmInstall(t, dir, "axe-core@"+axeVersion)
}

// npmInstall installs packages into a directory, where they are not yet.
func npmInstall(t testing.TB, dir string, packages ...string) error {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	args := append([]string{"install", "--prefix", dir, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"}, packages...)
	if out, err := exec.Command(find(t, "npm"), args...).CombinedOutput(); err != nil {
		return fmt.Errorf("install %v, which takes a network: %w\n%s", packages, err, out)
	}
	return nil
}

// cacheDir is where what comes from npm is kept.
func cacheDir(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	check(t, err)
	return filepath.Join(cache, "counterfoil-e2e")
}
