//go:build unix

package measure

import (
	"syscall"
	"time"
)

// CPU is the time that all threads of this process have spent, in user and in
// system mode.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it can't fail for oneself
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
