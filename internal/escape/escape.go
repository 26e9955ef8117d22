// Package escape makes text of unknown origin safe to print.
package escape

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Terminal returns s with everything that a terminal would act upon, or that
// would hide or reorder what stands around it, made visible as a Go escape
// sequence: control characters (line breaks too), characters that choose the
// direction of writing or show nothing, more than a few marks on one
// character, and bytes that are not UTF-8. The rest is unchanged. The result is
// one line.
func Terminal(s string) string {
	if !utf8.ValidString(s) || hasInvisible(s) {
		return visible(s, appendTerminal)
	}
	return s
}

// JSON returns a JSON text with the same characters inside of its strings
// written as JSON escapes: it means the same, and is safe on a terminal. Line
// feeds and spaces between values stay.
func JSON(text string) string {
	if !hasInvisible(text) {
		return text
	}
	return visible(text, appendJSON)
}

// maxMarks is how many combining marks may follow on each other; no script
// needs more.
const maxMarks = 4

// walk tells visit of each character of s, in which bytes it stands, and
// whether it can be shown as it is.
func walk(s string, visit func(r rune, at, size int, shown bool) bool) {
	marks := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		shown := marks <= maxMarks && shows(r) && (r != utf8.RuneError || size > 1)
		if !visit(r, i, size, shown) {
			return
		}
		i += size
	}
}

func hasInvisible(s string) (found bool) {
	walk(s, func(r rune, _, _ int, shown bool) bool {
		found = !shown && r != '\n'
		return !found
	})
	return found || strings.ContainsRune(s, '\n')
}

// visible replaces what cannot be shown.
func visible(s string, replace func(dst []byte, s string, r rune) []byte) string {
	b := make([]byte, 0, len(s)+16)
	walk(s, func(r rune, at, size int, shown bool) bool {
		if shown {
			b = append(b, s[at:at+size]...)
		} else {
			b = replace(b, s[at:at+size], r)
		}
		return true
	})
	return string(b)
}

// shows reports whether a character has a shape of its own, or is a space.
func shows(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r < 0x7f
	}
	if !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r) {
		return false
	}
	switch r {
	case '\u2800', '\u034f', '\u17b4', '\u17b5': // they show nothing
		return false
	case '\ufe0e', '\ufe0f': // they choose the look of a picture
		return true
	}
	return !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// appendTerminal appends a Go escape sequence.
func appendTerminal(dst []byte, s string, r rune) []byte {
	switch {
	case r == '\n':
		return append(dst, `\n`...)
	case r == '\r':
		return append(dst, `\r`...)
	case r == '\t':
		return append(dst, `\t`...)
	case r == utf8.RuneError && len(s) == 1:
		return appendHex(append(dst, `\x`...), rune(s[0]), 2)
	case r < utf8.RuneSelf:
		return appendHex(append(dst, `\x`...), r, 2)
	case r > 0xffff:
		return appendHex(append(dst, `\U`...), r, 8)
	}
	return appendHex(append(dst, `\u`...), r, 4)
}

// appendJSON appends a JSON escape, but for line feeds, which stand between
// values only.
func appendJSON(dst []byte, s string, r rune) []byte {
	switch {
	case r == '\n':
		return append(dst, '\n')
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		return appendHex(append(appendHex(append(dst, `\u`...), high, 4), `\u`...), low, 4)
	}
	return appendHex(append(dst, `\u`...), r, 4)
}

// appendHex appends the digits of a number.
func appendHex(dst []byte, r rune, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[r>>shift&0xf])
	}
	return dst
}
