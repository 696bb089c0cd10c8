package main

import (
	"fmt"
	"slices"
	"strings"
)

// didYouMean is a hint to the name that was most likely meant, if there is one.
func didYouMean(typed string, known []string) string {
	if meant := closest(typed, known); meant != "" {
		return fmt.Sprintf(" (did you mean %s?)", meant)
	}
	return ""
}

// closest returns the known name that takes at most three slips of the typed
// one, or nothing.
func closest(typed string, known []string) string {
	const slips = 3
	if len(typed) > 64 || len(known) == 0 {
		return ""
	}
	best := slices.MinFunc(known, func(a, b string) int { return distance(typed, a) - distance(typed, b) })
	if distance(typed, best) > slips {
		return ""
	}
	return best
}

// distance counts the letters to insert, delete or replace to make one word of
// the other (Levenshtein).
func distance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
