//go:build !linux

package scale

// residentMemory is not known here.
func residentMemory() float64 { return 0 }
