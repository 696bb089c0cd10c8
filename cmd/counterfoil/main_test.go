package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"counterfoil": main,
		"visit":       visitMain,
		"await":       awaitMain,
		"ended":       endedMain,
		"mistake":     mistakeMain,
		"follow":      followMain,
	})
}

// TestScripts runs the commands as the scripts in testdata tell them.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
	})
}
