//go:build unix && !linux

package servers

import "syscall"

// Only Linux tells a server that the tests were killed.
func dieWithParent(*syscall.SysProcAttr) {}
