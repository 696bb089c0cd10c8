// Package sockets measures whole requests over loopback: each server is a process
// of its own, wrk asks it, and the processor time of the process is the
// kernel's account of it.
//
// It needs Linux and wrk. What [Run] reports is two sections: what a check costs
// a server, and how much slower checks are while two hundred clients try to log
// in.
package sockets
