package strictjson

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s in double quotes, escaped as encoding/json escapes
// it: <, > and & too, so that the text can stand inside HTML. Bytes that are
// not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	return append(appendText(append(dst, '"'), s), '"')
}

// appendText appends the inside of a quoted string.
func appendText(dst []byte, s string) []byte {
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if ordinary[c] {
			i += ordinaries(s[i:])
			continue
		}
		if c < utf8.RuneSelf {
			dst = appendEscape(append(dst, s[done:i]...), c)
			i++
			done = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(append(dst, s[done:i]...), `\ufffd`...)
			done = i + size
		case r == '\u2028' || r == '\u2029':
			dst = append(append(dst, s[done:i]...), `\u202`...)
			dst = append(dst, hexDigits[r&0xf])
			done = i + size
		}
		i += size
	}
	return append(dst, s[done:]...)
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// AppendStrings appends an array of strings; nil is written as [].
func AppendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, s)
	}
	return append(dst, ']')
}

// AppendInt appends an integer.
func AppendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// AppendBool appends true or false.
func AppendBool(dst []byte, b bool) []byte { return strconv.AppendBool(dst, b) }

// AppendValue appends the canonical form of text, which must be valid JSON:
// without space, strings escaped as by AppendString, numbers and the order of
// members as they are.
func AppendValue(dst []byte, text string) []byte {
	done := 0 // up to here the text is appended
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case ' ', '\t', '\n', '\r':
			dst = append(dst, text[done:i]...)
			i = afterSpace(text, i)
			done = i
		case '"':
			i++
			i += ordinaries(text[i:])
			if i < len(text) && text[i] == '"' {
				i++
				continue
			}
			dst = append(dst, text[done:i]...)
			i = appendRest(&dst, text, i)
			done = i
		default:
			i++
		}
	}
	return append(dst, text[done:]...)
}

// appendRest appends the rest of a quoted string, from i on, and returns where
// it ends.
func appendRest(dst *[]byte, text string, i int) int {
	for i < len(text) && text[i] != '"' {
		end := i
		for end < len(text) && text[end] != '"' && text[end] != '\\' {
			end++
		}
		*dst = appendText(*dst, text[i:end])
		if i = end; i == len(text) || text[i] == '"' {
			break
		}
		r, size, defect := unescape(text[i:])
		if defect != "" { // not valid JSON
			*dst = append(*dst, text[i:]...)
			return len(text)
		}
		*dst = appendText(*dst, string(r))
		i += size
	}
	if i == len(text) {
		return i
	}
	*dst = append(*dst, '"')
	return i + 1
}

// TextDefect says what makes s impossible as a string of a document: a Decoder
// never returns such a text. It returns a code and a sentence, both "" if s is
// possible.
func TextDefect(s string) (code, message string) {
	switch {
	case len(s) > MaxString:
		return CodeTooLarge, tooLong(len(s))
	case !utf8.ValidString(s):
		return CodeMalformed, "must be valid UTF-8"
	case strings.IndexByte(s, 0) >= 0:
		return CodeMalformed, "must not hold the character NUL"
	}
	return "", ""
}
