package strictjson

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// suggestions is the number of reports after which no more names are
// suggested: that takes time, and nobody reads on.
const suggestions = 100

// UnknownMember reports that the current member is none of the known names,
// naming the nearest, and passes over its value.
func (d *Decoder) UnknownMember(name string, known ...string) {
	d.ReportFunc(CodeUnknownMember, func() string {
		message := "the member " + Quote(name) + " is unknown here"
		if d.root.reports <= suggestions {
			if near := Nearest(name, known); near != "" {
				message += "; did you mean " + strconv.Quote(near) + "?"
			}
		}
		return message
	})
	d.Skip()
}

// Nearest returns the one of the known words that somebody who wrote word
// most likely meant: equal but for case, or at most a third of its bytes, and
// for short words one, away (insertions, deletions, replacements, neighbours
// swapped), or begun with a word of at least four bytes. The first of equally
// near words wins; "" says that none is near.
func Nearest(word string, known []string) string {
	best, bestDistance := "", 0
	for _, k := range known {
		if word != "" && strings.EqualFold(k, word) {
			return k
		}
		limit := min(max(1, len(k)/3), len(word)-1)
		if best != "" {
			limit = min(limit, bestDistance-1)
		}
		if len(word)-len(k) > limit || len(k)-len(word) > limit {
			continue // no need to measure: it is at least that far
		}
		if distance := editDistance(word, k); distance <= limit {
			best, bestDistance = k, distance
		}
	}
	if best == "" && len(word) >= 4 {
		if i := slices.IndexFunc(known, func(k string) bool { return strings.HasPrefix(k, word) }); i >= 0 {
			return known[i]
		}
	}
	return best
}

// Closest returns the one of the known words that is least far from word, even
// if that is far: what [Nearest] returns or else the first of those with the
// smallest distance. It returns "" only if there are no known words.
func Closest(word string, known []string) string {
	best := Nearest(word, known)
	if best != "" || len(known) == 0 {
		return best
	}
	word = word[:min(len(word), 64)] // to measure more takes long
	return slices.MinFunc(known, func(a, b string) int {
		return cmp.Compare(editDistance(word, a), editDistance(word, b))
	})
}

// editDistance is the optimal string alignment distance of two words, in
// bytes.
func editDistance(a, b string) int {
	n := len(b) + 1
	var few [3 * 40]int // enough for usual words, and nothing is allocated
	rows := few[:]
	if 3*n > len(rows) {
		rows = make([]int, 3*n)
	}
	before, row, next := rows[:n], rows[n:2*n], rows[2*n:3*n]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}

// clip cuts s to at most 64 bytes of whole runes and marks the cut.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// Quote quotes a text of unknown origin for a message: control characters
// escaped, and cut to 64 bytes.
func Quote(s string) string { return strconv.Quote(clip(s)) }
