package faults

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine describes the machine in a line.
func Machine() string {
	return fmt.Sprintf("%d cores of %s, Linux, %s", runtime.NumCPU(), processor(), runtime.Version())
}

func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}
