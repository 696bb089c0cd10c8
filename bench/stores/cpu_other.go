//go:build !linux

package stores

import (
	"errors"
	"time"
)

func serversCPU() (time.Duration, error) {
	return 0, errors.New("the CPU time of the servers is known on Linux only")
}
