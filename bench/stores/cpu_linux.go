package stores

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// clockTick is what /proc counts time in: USER_HZ is 100 on all that Go knows.
const clockTick = 10 * time.Millisecond

// serversCPU is the time that the processes have spent that this one has
// started, and theirs, also those that have ended since and been waited for.
func serversCPU() (time.Duration, error) {
	type process struct {
		parent int
		spent  time.Duration
	}
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	all := map[int]process{}
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// After the name, which is in parentheses and may hold anything: state,
		// parent …; utime, stime, cutime, cstime are the fields 14 to 17 of all.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		number := func(i int) (n int) {
			if err == nil {
				n, err = strconv.Atoi(string(fields[i-3]))
			}
			return n
		}
		p := process{parent: number(4)}
		p.spent = time.Duration(number(14)+number(15)+number(16)+number(17)) * clockTick
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		all[pid] = p
	}
	var total time.Duration
	for pid, p := range all {
		for at, depth := pid, 0; depth < 8; depth++ { // a list that is read while it changes may have circles
			if at = all[at].parent; at == os.Getpid() {
				total += p.spent
				break
			}
		}
	}
	return total, nil
}
