package calendar

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// The sentinel errors that the errors of this package wrap.
var (
	// ErrUnit is wrapped when a wait has a unit that is none of [Units].
	ErrUnit = errors.New("unknown unit")
	// ErrNegative is wrapped when a wait has a count below zero.
	ErrNegative = errors.New("negative count")
	// ErrOutOfRange is wrapped when a wait ends before the year 1970 or after
	// the year 9999, in UTC.
	ErrOutOfRange = errors.New("instant out of range")
	// ErrZone is wrapped when a zone is missing or its name is refused; see
	// [ZoneError].
	ErrZone = errors.New("no usable zone")
)

// Unit is a unit of a wait. Its values are those of the wire. The zero value
// is no unit.
type Unit string

// The units. The package documentation says what each of them means.
const (
	Minute Unit = "minute"
	Hour   Unit = "hour"
	Day    Unit = "calendarDay"
	Week   Unit = "calendarWeek"
)

// Units returns all units, from the shortest to the longest, in a slice that
// the caller owns.
func Units() []Unit { return []Unit{Minute, Hour, Day, Week} }

// Valid reports whether u is one of [Units].
func (u Unit) Valid() bool { return u.seconds() != 0 }

const (
	daySeconds  = 24 * 60 * 60
	weekSeconds = 7 * daySeconds
)

// seconds returns the length of u on a clock that nobody sets, and 0 for an
// unknown unit.
func (u Unit) seconds() int64 {
	switch u {
	case Minute:
		return 60
	case Hour:
		return 60 * 60
	case Day:
		return daySeconds
	case Week:
		return weekSeconds
	default:
		return 0
	}
}

// Wait is a length of time in one unit: what lies between an instant and the
// instant [Wait.After] gives. It is a comparable value; two waits of the same
// length in different units are different. The zero Wait is invalid, because
// it has no unit.
type Wait struct {
	Count int64 // 0 or more
	Unit  Unit
}

// String returns w for people: "1 hour", "2 calendar days".
func (w Wait) String() string {
	var unit string
	switch w.Unit {
	case Minute:
		unit = "minute"
	case Hour:
		unit = "hour"
	case Day:
		unit = "calendar day"
	case Week:
		unit = "calendar week"
	default:
		return fmt.Sprintf("%d %s", w.Count, quote(string(w.Unit)))
	}
	if w.Count != 1 {
		unit += "s"
	}
	return strconv.FormatInt(w.Count, 10) + " " + unit
}

// Validate returns nil if w has a known unit and a count of 0 or more, and
// otherwise an error that wraps [ErrUnit] or [ErrNegative].
func (w Wait) Validate() error {
	if !w.Unit.Valid() {
		return fmt.Errorf("%w %s: use one of %q", ErrUnit, quote(string(w.Unit)), Units())
	}
	if w.Count < 0 {
		return fmt.Errorf("%w %d: use 0 or more", ErrNegative, w.Count)
	}
	return nil
}

const (
	// lastSecond is the end of the year 9999 in Unix seconds.
	lastSecond = 253402300799
	// maxCount bounds what is computed: more minutes than 16 million years
	// have. Should adding so many weeks to a late instant overflow, the sum
	// is negative and still out of range.
	maxCount = 1 << 43
	// reach is more than any offset from UTC: RFC 9636 keeps them above
	// -25 hours and below 26 hours.
	reach = 26 * 60 * 60
)

// After returns the instant at which w, begun at t, is over in the zone. The
// package documentation has the rules. The result is in UTC whatever the
// location of t, which is ignored. Minutes and hours need no zone; it may be
// nil for them.
//
// The error wraps [ErrUnit], [ErrNegative], [ErrZone] if a calendar unit has
// no zone, or [ErrOutOfRange]; the time is then zero.
func (w Wait) After(t time.Time, zone *time.Location) (time.Time, error) {
	length := w.Unit.seconds()
	if length == 0 || w.Count < 0 {
		return time.Time{}, w.Validate()
	}
	if length >= daySeconds && zone == nil {
		return time.Time{}, fmt.Errorf("%w: %v cannot be counted without one: use time.UTC or Zone", ErrZone, w)
	}
	end := t.Unix() + w.Count*length
	if w.Count > maxCount || end < -weekSeconds || end > lastSecond+weekSeconds {
		return time.Time{}, outOfRange(t, w) // no zone is off by a week
	}
	// Until clocks are set, a day is 24 hours. The reading at the end has not
	// been there before: no zone has set its clocks back by more than a day.
	if length >= daySeconds && w.Count > 0 && end >= settled(t, zone) {
		_, offset := t.In(zone).Zone()
		end = first(end+int64(offset), zone)
	}
	if end < 0 || end > lastSecond {
		return time.Time{}, outOfRange(t, w)
	}
	return time.Unix(end, int64(t.Nanosecond())).UTC(), nil
}

// settled returns a Unix second, mostly the next transition of the zone, up to
// which the zone keeps the offset it has at t.
//
// ZoneBounds has more to say, but cannot be trusted with it. Where the zone
// database gives a rule for all future years and no list, the start it
// returns may lie before the last listed transition, and the end is the 365th
// day of the year at the latest: on the last day of a leap year it has passed.
func settled(t time.Time, zone *time.Location) int64 {
	_, end := t.In(zone).ZoneBounds()
	if end.IsZero() {
		return math.MaxInt64
	}
	return end.Unix()
}

// first returns the Unix second at which clocks of the zone first show the
// reading, which is given as the Unix second at which clocks show it in UTC.
// A reading in a gap is taken with the offset in force before the gap.
func first(reading int64, zone *time.Location) int64 {
	var before int64 // offset of the interval left last
	for begin := reading - reach; ; {
		t := time.Unix(begin, 0)
		_, seconds := t.In(zone).Zone()
		offset := int64(seconds)
		second := reading - offset
		if second < begin {
			return reading - before
		}
		end := settled(t, zone)
		if end <= begin { // the last day of a leap year: see settled
			end = begin - begin%daySeconds + daySeconds
		}
		if second < end {
			return second
		}
		begin, before = end, offset
	}
}

func outOfRange(t time.Time, w Wait) error {
	return fmt.Errorf("%w: %v after %s is not in the years 1970 to 9999: use a shorter wait",
		ErrOutOfRange, w, t.UTC().Format(time.RFC3339))
}
