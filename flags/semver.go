package flags

import (
	"cmp"
	"strings"
)

// version is a semantic version (semver.org, version 2), of which the minor and
// the patch number may be left out. What it says of the build makes no
// difference.
type version struct {
	numbers    [3]int
	prerelease string
}

func parseVersion(s string) (v version, ok bool) {
	s, build, given := strings.Cut(s, "+")
	if given && !isVersionPart(build, false) {
		return v, false
	}
	s, v.prerelease, given = strings.Cut(s, "-")
	if given && !isVersionPart(v.prerelease, true) {
		return v, false
	}
	for i, more := 0, true; more; i++ {
		var part string
		part, s, more = strings.Cut(s, ".")
		if i == len(v.numbers) || !isNumeral(part) {
			return v, false
		}
		v.numbers[i] = numeral(part)
	}
	return v, true
}

// isVersionPart reports whether s consists of words with dots between them.
// Where words are compared, those of digits alone do not begin with 0.
func isVersionPart(s string, compared bool) bool {
	for word := range strings.SplitSeq(s, ".") {
		if word == "" || compared && isDigits(word) && !isNumeral(word) {
			return false
		}
		for i := range len(word) {
			if word[i] == '_' || !isName(word[i:i+1]) {
				return false
			}
		}
	}
	return true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// isNumeral reports whether s is a number without a superfluous 0.
func isNumeral(s string) bool { return isDigits(s) && (s == "0" || s[0] != '0') }

// numeral returns the number that digits stand for. What is beyond 64 bits
// turns over, as it does in the SDK.
func numeral(digits string) int {
	n := 0
	for i := range len(digits) {
		n = n*10 + int(digits[i]-'0')
	}
	return n
}

// compare returns whether v comes before other (-1), after it (1) or neither
// (0).
func (v version) compare(other version) int {
	for i, n := range v.numbers {
		if c := cmp.Compare(n, other.numbers[i]); c != 0 {
			return c
		}
	}
	switch a, b := v.prerelease, other.prerelease; {
	case a == b:
		return 0
	case a == "": // a release comes after what leads to it
		return 1
	case b == "":
		return -1
	default:
		return comparePrereleases(a, b)
	}
}

func comparePrereleases(a, b string) int {
	for {
		word, restA, moreA := strings.Cut(a, ".")
		other, restB, moreB := strings.Cut(b, ".")
		if c := compareWords(word, other); c != 0 {
			return c
		}
		switch {
		case !moreA && !moreB:
			return 0
		case !moreA:
			return -1
		case !moreB:
			return 1
		}
		a, b = restA, restB
	}
}

// compareWords compares two words of what leads to a release: numbers come
// before other words.
func compareWords(a, b string) int {
	switch isA, isB := isNumeral(a), isNumeral(b); {
	case isA && isB:
		return cmp.Compare(numeral(a), numeral(b))
	case isA:
		return -1
	case isB:
		return 1
	}
	return strings.Compare(a, b)
}
