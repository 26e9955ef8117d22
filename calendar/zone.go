package calendar

import (
	"fmt"
	"strings"
	"time"
)

// ZoneError says why [Zone] refused a name. It wraps [ErrZone].
type ZoneError struct {
	Name   string // as given, in full
	Reason string // what is wrong, and what to do
}

// Error returns the name, cut if it is long, and the reason.
func (e *ZoneError) Error() string {
	return fmt.Sprintf("look up zone %s: %s", quote(e.Name), e.Reason)
}

// Unwrap returns [ErrZone].
func (e *ZoneError) Unwrap() error { return ErrZone }

// Zone returns the zone that has the name in the IANA time zone database, such
// as "Europe/Berlin" or "UTC". It finds the database as [time.LoadLocation]
// does.
//
// Any other name is refused with a [*ZoneError] and never taken for UTC: the
// empty name, names that mean another zone on another machine ("Local",
// "localtime", "posixrules"), "Factory", by which the database says that no zone
// is configured, the variants "posix/…" and "right/…" that only
// some machines have, names of no zone, and names that could lead out of the
// database, which are not looked up at all.
//
// Case matters. A file system to which it does not matter may still accept
// "Europe/BERLIN" from a database kept in files; names with a part that
// begins with a small letter, such as "europe/berlin", are refused everywhere.
func Zone(name string) (*time.Location, error) {
	reason := refusal(name)
	if reason == "" {
		zone, err := time.LoadLocation(name)
		if err == nil {
			return zone, nil
		}
		reason = "not in the zone database: use an IANA name such as Europe/Berlin; " +
			"if that is not found either, import time/tzdata"
	}
	return nil, &ZoneError{Name: name, Reason: reason}
}

// maxText is how many bytes of somebody else's text go into an error. It is
// several times the length of the longest zone name.
const maxText = 256

// refusal returns why the name is not looked up, or "" if it may be.
func refusal(name string) string {
	if name == "" {
		return "the name is empty: use UTC or an IANA name such as Europe/Berlin"
	}
	if len(name) > maxText {
		return fmt.Sprintf("the name is longer than %d bytes: use an IANA name such as Europe/Berlin", maxText)
	}
	area, _, _ := strings.Cut(name, "/")
	switch strings.ToLower(area) {
	case "local", "localtime", "posixrules":
		return "it depends on the machine: use the IANA name of the zone"
	case "factory":
		return "it says that no zone is configured: use the IANA name of the zone"
	case "posix", "right":
		return "not every machine has it: use the name without the first part"
	}
	for part := range strings.SplitSeq(name, "/") {
		if !isPart(part) {
			return "not a zone name: use parts of letters, digits, '_', '+' and '-' " +
				"that begin with a capital letter, joined by '/', such as Europe/Berlin"
		}
	}
	return ""
}

// isPart reports whether s has the form of a part of a zone name.
func isPart(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z':
		case i == 0:
			return false
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_', c == '+', c == '-':
		default:
			return false
		}
	}
	return s != ""
}

// quote returns s, or its beginning if it is long, safe to print.
func quote(s string) string {
	if len(s) > maxText {
		return fmt.Sprintf("%q...", s[:maxText])
	}
	return fmt.Sprintf("%q", s)
}
