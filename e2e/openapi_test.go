package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestOpenAPILint: a public tool has nothing to complain about the document that a
// server serves. (That its routes and answers are right is a test of package
// server.)
func TestOpenAPILint(t *testing.T) {
	p := newSite(t).serve()
	served := p.must(request{method: "GET", path: "/v1/openapi.json"})
	if served.status != 200 || served.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", served.status, served.header)
	}
	file := filepath.Join(t.TempDir(), "openapi.json")
	check(t, os.WriteFile(file, []byte(served.body), 0o600))
	dir := npmPackages(t, "@redocly/cli@2.77.0")
	lint := exec.Command(find(t, "node"), filepath.Join(dir, "node_modules", "@redocly", "cli", "bin", "cli.js"), "lint", file, "--format=json",
		// Of what can't be asked wrongly, such as whether the process runs.
		"--skip-rule=operation-4xx-response")
	lint.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
	lint.Dir = t.TempDir()
	out, err := lint.Output()
	var report struct {
		Totals   struct{ Errors, Warnings int }
		Problems []struct{ Message string }
	}
	if jsonErr := json.Unmarshal(out, &report); jsonErr != nil {
		t.Fatalf("%v, %v\n%s", err, jsonErr, out)
	}
	if err != nil || report.Totals.Errors+report.Totals.Warnings > 0 || len(report.Problems) > 0 {
		t.Errorf("%v: %+v", err, report)
	}
}
