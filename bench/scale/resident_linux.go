package scale

import (
	"fmt"
	"os"
)

// residentMemory is the resident memory of this process, in bytes.
func residentMemory() float64 {
	var size, pages int
	statm, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(statm), &size, &pages)
	}
	if err != nil {
		panic(err) // the kernel always tells
	}
	return float64(pages * os.Getpagesize())
}
