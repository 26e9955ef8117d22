package calendar

import "time"

// Cursor answers as [Wait.After] does in one zone, and remembers for how long
// the zone keeps its offset. While waits begin and end within that time, an
// answer takes no look at the zone; otherwise it costs up to twice what it
// costs without a cursor. It is fastest when instants mostly grow.
//
// Make one with [NewCursor]; the zero Cursor has no zone. A Cursor is not safe
// for concurrent use. A copy is a cursor of its own.
type Cursor struct {
	zone *time.Location
	// The zone keeps its offset in the Unix seconds from begin up to, and
	// without, end. All of them are in the range of answers.
	begin, end int64
}

// NewCursor returns a cursor for the zone. With a nil zone it answers for
// minutes and hours only.
func NewCursor(zone *time.Location) *Cursor {
	return &Cursor{zone: zone}
}

// After returns exactly what w.After(t, zone) returns in the cursor's zone,
// errors included.
func (c *Cursor) After(t time.Time, w Wait) (time.Time, error) {
	// A larger count of any unit ends out of range; unsigned, so does a
	// negative one. An unknown unit ends where it begins.
	const longest = lastSecond / 60
	begin := t.Unix()
	end := begin + w.Count*w.Unit.seconds()
	if uint64(w.Count) <= longest && c.begin <= begin && begin < end && end < c.end {
		return time.Unix(end, int64(t.Nanosecond())).UTC(), nil
	}
	return c.miss(t, w)
}

// miss answers from the zone, and remembers the offset at t if it is new.
func (c *Cursor) miss(t time.Time, w Wait) (time.Time, error) {
	begin := t.Unix()
	known := c.begin <= begin && begin < c.end
	if c.zone != nil && !known && begin >= 0 {
		c.begin, c.end = begin, min(settled(t, c.zone), lastSecond+1)
	}
	return w.After(t, c.zone)
}
