package main

import "log/slog"

// log is where the commands report what they did.
func log() *slog.Logger { return slog.Default() }
