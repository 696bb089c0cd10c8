//go:build !linux

package feed

import "time"

// sinceBoot is not read here: Go's own clock is what there is. On macOS it stops
// in suspend, so a lease may live on for what was left of it when the lid closed.
func sinceBoot() time.Duration { return 0 }

func inBubble() bool { return false } // no matter: sinceBoot is not read
