package strictjson

import (
	"strconv"
	"strings"
)

// Offsets returns where in a document the values stand that the pointers
// name, in bytes. For a member that is missing it is the end of the object in
// which it is missing; for something inside a string it is the string; for a
// pointer that was cut off it is the last value that is named in full. Of
// members of the same name it is the first. A document may be broken: what
// cannot be found lies at its end.
//
// It serves to put problems into the order in which a reader meets them, and
// reads the document once for all of them.
func Offsets(document []byte, pointers []string) []int {
	l := locator{text: string(document), offsets: make([]int, len(pointers))}
	var root wanted
	for i, pointer := range pointers {
		at := &root
		rest, more := strings.CutPrefix(pointer, "/")
		for more {
			var token string
			token, rest, more = strings.Cut(rest, "/")
			if token == "…" {
				break
			}
			at = at.below(clip(unescaper.Replace(token)))
		}
		at.pointers = append(at.pointers, i)
	}
	l.value(&root)
	return l.offsets
}

var unescaper = strings.NewReplacer("~1", "/", "~0", "~")

// wanted is a value whose offset is wanted, or in which some are.
type wanted struct {
	pointers []int // indexes of the pointers that name it
	members  map[string]*wanted
}

func (w *wanted) below(token string) *wanted {
	if w.members == nil {
		w.members = map[string]*wanted{}
	}
	if w.members[token] == nil {
		w.members[token] = &wanted{}
	}
	return w.members[token]
}

// locator stands before a value of the text.
type locator struct {
	text    string
	pos     int
	offsets []int
}

// here gives the current position to a value, and to all in it that was not
// found.
func (l *locator) here(w *wanted) {
	for _, i := range w.pointers {
		l.offsets[i] = l.pos
	}
	for _, below := range w.members {
		l.here(below)
	}
}

// value locates what is wanted in the next value, and moves behind it.
func (l *locator) value(w *wanted) {
	l.pos = afterSpace(l.text, l.pos)
	begin := *w
	if l.pos == len(l.text) || len(w.members) == 0 || kindOf(l.text[l.pos]) != Object && kindOf(l.text[l.pos]) != Array {
		l.here(&begin)
		l.pass()
		return
	}
	begin.members = nil
	l.here(&begin)
	object := l.text[l.pos] == '{'
	l.pos++
	for i := 0; ; i++ {
		l.pos = afterSpace(l.text, l.pos)
		if l.pos == len(l.text) || l.text[l.pos] == '}' || l.text[l.pos] == ']' {
			break
		}
		token := ""
		if !object {
			token = strconv.Itoa(i)
		} else {
			end := stringEnd(l.text, l.pos)
			if l.text[l.pos] != '"' || end < 0 {
				l.pos = len(l.text)
				break
			}
			name, ok := unquote(l.text[l.pos:end])
			if token = clip(name); !ok {
				token = "…" // no pointer has it
			}
			l.pos = min(afterSpace(l.text, end)+1, len(l.text))
		}
		if found := w.members[token]; found != nil {
			delete(w.members, token)
			l.value(found)
		} else {
			l.pass()
		}
		if l.pos = afterSpace(l.text, l.pos); l.pos < len(l.text) && l.text[l.pos] == ',' {
			l.pos++
		}
	}
	missing := wanted{members: w.members}
	l.here(&missing)
	l.pos = min(l.pos+1, len(l.text))
}

// pass moves behind the value.
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
