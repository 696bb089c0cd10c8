package main

import (
	"net/http"
	"time"
)

// stepWall moves this process's wall clock. Nil: it can't be. Go has no such
// function; package faults builds a node that has one, see faults.WallClock.
var stepWall func(time.Duration)

func step(w http.ResponseWriter, r *http.Request) {
	by, err := time.ParseDuration(r.URL.Query().Get("by"))
	if err != nil || stepWall == nil {
		http.Error(w, "the clock is not moved", http.StatusBadRequest)
		return
	}
	stepWall(by)
}
