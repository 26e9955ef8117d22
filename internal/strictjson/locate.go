package strictjson

import (
	"strconv"
	"strings"
)

// Offset returns where in a document the value stands that pointer names, in
// bytes. For a member that is missing it is the end of the object in which it
// is missing; for something inside a string it is the string; for a pointer
// that was cut off it is the last value that is named in full. Of members of
// the same name it is the first. A document may be broken: what cannot be
// found lies at its end.
//
// It serves to put problems into the order in which a reader meets them.
func Offset(document []byte, pointer string) int {
	l := locator{text: string(document)}
	rest, more := strings.CutPrefix(pointer, "/")
	for more {
		var token string
		token, rest, more = strings.Cut(rest, "/")
		if token == "…" || !l.enter(unescaper.Replace(token)) {
			break
		}
	}
	return afterSpace(l.text, l.pos)
}

var unescaper = strings.NewReplacer("~1", "/", "~0", "~")

// locator stands before a value of the text.
type locator struct {
	text string
	pos  int
}

// enter moves to the named member or numbered element of the value, or, if
// there is none, to the end of the value, and returns false.
func (l *locator) enter(token string) bool {
	l.pos = afterSpace(l.text, l.pos)
	if l.pos == len(l.text) || kindOf(l.text[l.pos]) == String {
		return false
	}
	object := l.text[l.pos] == '{'
	if !object && l.text[l.pos] != '[' {
		return false
	}
	l.pos++
	index, err := strconv.Atoi(token)
	if err != nil || strconv.Itoa(index) != token {
		index = -1
	}
	for i := 0; ; i++ {
		l.pos = afterSpace(l.text, l.pos)
		if l.pos == len(l.text) || l.text[l.pos] == '}' || l.text[l.pos] == ']' {
			return false
		}
		found := !object && i == index
		if object {
			end := stringEnd(l.text, l.pos)
			if l.text[l.pos] != '"' || end < 0 {
				l.pos = len(l.text)
				return false
			}
			name, ok := unquote(l.text[l.pos:end])
			found = ok && clip(name) == clip(token)
			l.pos = min(afterSpace(l.text, end)+1, len(l.text))
		}
		if found {
			return true
		}
		l.pass()
	}
}

// pass moves behind the value and the comma after it.
func (l *locator) pass() {
	for depth := 0; l.pos < len(l.text); l.pos++ {
		switch l.text[l.pos] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return
			}
		case ',':
			if depth == 0 {
				l.pos++
				return
			}
		case '"':
			end := stringEnd(l.text, l.pos)
			if end < 0 {
				end = len(l.text)
			}
			l.pos = end - 1
		}
	}
}
