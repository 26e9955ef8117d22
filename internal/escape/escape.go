// Package escape makes text of unknown origin safe to print.
package escape

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Terminal returns s with everything that a terminal would act upon, or that
// would hide or reorder what stands around it, made visible as a Go escape
// sequence: control characters (line breaks too), characters that choose the
// direction of writing or have no width, and bytes that are not UTF-8. The
// rest is unchanged. The result is one line.
func Terminal(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			writeByte(&b, s[i])
		} else if visible(r) {
			b.WriteString(s[i : i+size])
		} else {
			writeRune(&b, r)
		}
		i += size
	}
	return b.String()
}

func clean(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		}
		if !visible(r) {
			return false
		}
	}
	return true
}

// visible reports whether a character can be printed as it is: what has a
// shape, and spaces.
func visible(r rune) bool {
	return unicode.IsPrint(r) || unicode.Is(unicode.Zs, r)
}

const hexDigits = "0123456789abcdef"

func writeByte(b *strings.Builder, c byte) {
	b.WriteString(`\x`)
	b.WriteByte(hexDigits[c>>4])
	b.WriteByte(hexDigits[c&0xf])
}

func writeRune(b *strings.Builder, r rune) {
	switch r {
	case '\n':
		b.WriteString(`\n`)
		return
	case '\r':
		b.WriteString(`\r`)
		return
	case '\t':
		b.WriteString(`\t`)
		return
	}
	if r < utf8.RuneSelf {
		writeByte(b, byte(r))
		return
	}
	digits := 4
	if r > 0xffff {
		b.WriteString(`\U`)
		digits = 8
	} else {
		b.WriteString(`\u`)
	}
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b.WriteByte(hexDigits[r>>shift&0xf])
	}
}
