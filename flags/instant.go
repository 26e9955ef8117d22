package flags

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// instantOf returns the instant that a value stands for in comparisons of dates:
// a number is one of milliseconds since 1970, a string is in the form of RFC 3339.
func instantOf(v *scalar) (time.Time, bool) {
	switch v.sort {
	case strictjson.Number:
		return time.Unix(0, int64(v.number)*int64(time.Millisecond)).UTC(), true
	case strictjson.String:
		return parseInstant(v.text)
	}
	return time.Time{}, false
}

// parseInstant reads an instant as the SDK does, which is laxer than RFC 3339:
// an hour may have one digit, a minute may have a second 60, a month 31 days,
// the offset 99 hours, and after a Z may stand anything.
func parseInstant(s string) (at time.Time, ok bool) {
	p := instantParser{rest: s}
	year := p.number("-", 4, 4, 0, 9999)
	month := p.number("-", 2, 2, 1, 12)
	day := p.number("tT", 2, 2, 1, 31)
	hour := p.number(":", 1, 2, 0, 23)
	minute := p.number(":", 2, 2, 0, 59)
	second := p.number(".Zz+-", 2, 2, 0, 60)
	nanoseconds := 0
	if p.after == '.' {
		before := len(p.rest)
		nanoseconds = p.number("Zz+-", 1, 9, 0, 999_999_999)
		for digits := before - len(p.rest) - 1; digits < 9; digits++ {
			nanoseconds *= 10
		}
	}
	offset := 0
	if p.after == '+' || p.after == '-' {
		sign := 1
		if p.after == '+' {
			sign = -1
		}
		offset = sign * 3600 * p.number(":", 2, 2, 0, 99)
		offset += sign * 60 * p.number("", 2, 2, 0, 59)
	}
	if p.failed {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, nanoseconds, time.UTC).
		Add(time.Duration(offset) * time.Second), true
}

// instantParser reads the numbers of an instant, one after the other.
type instantParser struct {
	rest   string
	after  byte // the character that ended the last number, 0 at the end
	failed bool
}

// number reads a number of so many digits, and one of the characters that may
// end it. If none may, the end does, or what is not ASCII.
func (p *instantParser) number(ends string, fewest, most, least, greatest int) int {
	n, i := 0, 0
	for ; i < len(p.rest) && i <= most && p.rest[i] >= '0' && p.rest[i] <= '9'; i++ {
		n = n*10 + int(p.rest[i]-'0')
	}
	ended := ends == ""
	p.after = 0
	if i < len(p.rest) {
		p.after = p.rest[i]
		ended = strings.IndexByte(ends, p.after) >= 0 || ended && (p.after == 0 || p.after >= utf8.RuneSelf)
	}
	if !ended || i < fewest || i > most || n < least || n > greatest {
		p.failed, p.after, p.rest = true, 0, ""
		return 0
	}
	p.rest = p.rest[min(i+1, len(p.rest)):]
	return n
}
