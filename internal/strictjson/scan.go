package strictjson

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ordinary are the bytes that stand for themselves in a string, in canonical
// text too.
var ordinary = func() (set [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		set[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return set
}()

// scanString reads the string that begins at the current position, and says
// in words if it is too long.
func (d *Decoder) scanString() (s, defect string) {
	start := d.pos + 1
	rest := d.text[start:]
	i := ordinaries(rest)
	if i < len(rest) && rest[i] == '"' && i <= MaxString {
		d.pos += i + 2
		return rest[:i], ""
	}
	size, escaped := d.passSpecial(start, start+i)
	if d.err != nil {
		return "", ""
	}
	s = d.text[start : d.pos-1]
	if escaped {
		s, _ = resolve(s, size)
	}
	if size > MaxString {
		defect = tooLong(size)
	}
	return s, defect
}

func tooLong(size int) string {
	return fmt.Sprintf("has %d bytes; at most %d are allowed", size, MaxString)
}

// passString passes over the string that begins at the current position. It
// returns how many bytes it has when its escapes are resolved, and whether
// there are any.
func (d *Decoder) passString() (size int, escaped bool) {
	rest := d.text[d.pos+1:]
	i := ordinaries(rest)
	if i < len(rest) && rest[i] == '"' {
		d.pos += i + 2
		return i, false
	}
	return d.passSpecial(d.pos+1, d.pos+1+i)
}

// Eight times the same byte.
const (
	eachOne   = 0x0101010101010101
	eachHigh  = 0x80 * eachOne
	eachSpace = ' ' * eachOne
)

// ordinaries returns how many ordinary bytes s begins with. It looks at eight
// bytes at once: the high bit of each is set in stop if the byte is not
// ordinary, and, by borrowing, perhaps in bytes behind such a one.
func ordinaries(s string) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := load(s[i : i+8])
		stop := x | (x - eachSpace) // beyond ASCII, control characters
		stop |= (x ^ '\\'*eachOne) - eachOne
		stop |= (x&^(4*eachOne) ^ '"'*eachOne) - eachOne // " and &
		stop |= (x&^(2*eachOne) ^ '<'*eachOne) - eachOne // < and >
		if stop &= eachHigh; stop != 0 {
			return i + bits.TrailingZeros64(stop)/8
		}
	}
	for i < len(s) && ordinary[s[i]] {
		i++
	}
	return i
}

// load returns the eight bytes of s as a number, the first one lowest.
func load(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// passSpecial goes on with a string that begins at start and has something
// special at i.
func (d *Decoder) passSpecial(start, i int) (size int, escaped bool) {
	text := d.text
	saved := 0 // bytes that resolving the escapes saves
	for i < len(text) {
		switch c := text[i]; {
		case ordinary[c]:
			i += ordinaries(text[i:])
		case c == '"':
			d.pos = i + 1
			return i - start - saved, saved > 0
		case c == '\\':
			r, width, defect := unescape(text[i:])
			if defect != "" {
				d.pos = i
				d.syntax("%s", defect)
				return 0, false
			}
			d.rewrite = true
			saved += width - utf8.RuneLen(r)
			i += width
		case c < ' ':
			d.pos = i
			d.syntax("control character 0x%02x stands in a string; write it as an escape", c)
			return 0, false
		case c < utf8.RuneSelf: // <, > or &
			d.rewrite = true
			i++
		default:
			r, width := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && width == 1 {
				d.pos = i
				d.syntax("byte 0x%02x is not UTF-8", c)
				return 0, false
			}
			if r == '\u2028' || r == '\u2029' {
				d.rewrite = true
			}
			i += width
		}
	}
	d.pos = i
	d.unexpected("the rest of a string")
	return 0, false
}

// unescape reads the escape at the beginning of s. A defect is a sentence.
func unescape(s string) (r rune, size int, defect string) {
	if len(s) < 2 {
		return 0, 0, "the text ends inside an escape"
	}
	switch c := s[1]; c {
	case '"', '\\', '/':
		return rune(c), 2, ""
	case 'b':
		return '\b', 2, ""
	case 'f':
		return '\f', 2, ""
	case 'n':
		return '\n', 2, ""
	case 'r':
		return '\r', 2, ""
	case 't':
		return '\t', 2, ""
	case 'u':
	default:
		r, size := utf8.DecodeRuneInString(s[1:])
		if r == utf8.RuneError && size == 1 {
			return 0, 0, fmt.Sprintf("byte 0x%02x is not UTF-8", c)
		}
		return 0, 0, fmt.Sprintf("a backslash and %q are no escape", r)
	}
	r, ok := hex4(s)
	switch {
	case !ok:
		return 0, 0, `\u must be followed by four hexadecimal digits`
	case r == 0:
		return 0, 0, "the character NUL is not allowed"
	case !utf16.IsSurrogate(r):
		return r, 6, ""
	}
	if low, ok := hex4(s[6:]); ok {
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			return r, 12, ""
		}
	}
	return 0, 0, fmt.Sprintf("%s is half of a surrogate pair", s[:6])
}

// hex4 reads \uhhhh at the beginning of s.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[2:6]) {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// scanNumber reads the number that begins at the current position, and says
// whether it is written in plain digits. It reports one that is too long or
// too large for any program to hold, and returns false.
func (d *Decoder) scanNumber() (s string, plain, ok bool) {
	text := d.text
	start := d.pos
	i := start
	if text[i] == '-' {
		i++
	}
	switch {
	case i < len(text) && text[i] == '0':
		i++
		if i < len(text) && isDigit(text[i]) {
			d.pos = i
			d.syntax("a number must not begin with 0")
			return "", false, false
		}
	case !d.digits(&i):
		return "", false, false
	}
	integer := i
	if i < len(text) && text[i] == '.' {
		i++
		if !d.digits(&i) {
			return "", false, false
		}
	}
	exponent := i < len(text) && text[i]|0x20 == 'e'
	if exponent {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if !d.digits(&i) {
			return "", false, false
		}
	}
	d.pos = i
	s = text[start:i]
	if len(s) > MaxNumber {
		d.ReportFunc(CodeTooLarge, func() string {
			return fmt.Sprintf("is a number of %d characters; at most %d are allowed", len(s), MaxNumber)
		})
		return "", false, false
	}
	if exponent {
		if f, _ := strconv.ParseFloat(s, 64); math.IsInf(f, 0) {
			d.ReportFunc(CodeOutOfRange, func() string { return "is " + s + ", beyond what a double holds" })
			return "", false, false
		}
	}
	return s, i == integer, true
}

// digits moves i past one or more digits.
func (d *Decoder) digits(i *int) bool {
	begin := *i
	for *i < len(d.text) && isDigit(d.text[*i]) {
		*i++
	}
	if *i == begin {
		d.pos = begin
		d.unexpected("a digit")
		return false
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// find looks for a member of the object whose inside begins at pos, in text
// that may be broken: it then finds nothing.
func find(text string, pos int, name string) (string, Kind) {
	depth, atName := 0, true
	for i := pos; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return "", Invalid
			}
		case ',':
			atName = depth == 0
		case '"':
			end := stringEnd(text, i)
			if end < 0 {
				return "", Invalid
			}
			if atName && same(text[i:end], name) {
				return valueAfter(text, end)
			}
			atName = false
			i = end - 1
		}
	}
	return "", Invalid
}

// stringEnd returns where the string that begins at i ends, or -1.
func stringEnd(text string, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// same reports whether a quoted string means name.
func same(quoted, name string) bool {
	s, ok := unquote(quoted)
	return ok && s == name
}

// valueAfter returns the value behind the colon that follows pos.
func valueAfter(text string, pos int) (string, Kind) {
	pos = afterSpace(text, pos)
	if pos == len(text) || text[pos] != ':' {
		return "", Invalid
	}
	pos = afterSpace(text, pos+1)
	if pos == len(text) {
		return "", Invalid
	}
	if kind := kindOf(text[pos]); kind != String {
		return "", kind
	}
	end := stringEnd(text, pos)
	if end < 0 {
		return "", Invalid
	}
	s, ok := unquote(text[pos:end])
	if !ok {
		return "", Invalid
	}
	return s, String
}

// afterSpace returns where the space ends that begins at pos. Most of it is a
// single blank, or a line break and an indentation of many.
func afterSpace(text string, pos int) int {
	for pos < len(text) && isSpace(text[pos]) {
		if pos++; pos+8 <= len(text) && text[pos] == ' ' {
			pos += bits.TrailingZeros64(load(text[pos:pos+8])^eachSpace) / 8
		}
	}
	return pos
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// unquote returns what a quoted string means. It reports false for an escape
// that is none.
func unquote(quoted string) (string, bool) {
	inner := quoted[1 : len(quoted)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	return resolve(inner, len(inner))
}

// resolve returns what the inside of a quoted string means, which has about
// size bytes. It reports false for an escape that is none.
func resolve(inner string, size int) (string, bool) {
	var b strings.Builder
	b.Grow(size)
	for {
		i := strings.IndexByte(inner, '\\')
		if i < 0 {
			b.WriteString(inner)
			return b.String(), true
		}
		b.WriteString(inner[:i])
		r, width, defect := unescape(inner[i:])
		if defect != "" {
			return "", false
		}
		b.WriteRune(r)
		inner = inner[i+width:]
	}
}
