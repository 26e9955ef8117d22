package flags

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// shape is the type of a parameter. Each has one type of argument.
type shape byte

const (
	textShape          shape = iota // text
	truthShape                      // truth
	textsShape                      // texts
	valueShape                      // free
	valuesShape                     // frees
	clauseShape                     // oneClause
	clausesShape                    // clauses
	serveShape                      // Serve
	rulesShape                      // rules
	targetsShape                    // targets
	userTargetsShape                // targets without context kind
	prerequisitesShape              // prerequisites
)

var shapeWords = [...]string{
	truthShape:         "boolean",
	valueShape:         "value",
	valuesShape:        "list of values",
	clauseShape:        "clause",
	clausesShape:       "list of clauses",
	rulesShape:         "list of rules",
	targetsShape:       "list of targets",
	userTargetsShape:   "list of targets",
	prerequisitesShape: "list of prerequisites",
}

func (s shape) holdsClauses() bool { return s == clauseShape || s == clausesShape || s == rulesShape }

// arg is the argument for one parameter: text, truth, texts, free, frees,
// oneClause, clauses, Serve, rules, targets, prerequisites or host. A nil arg
// is an absent one.
//
//sumtype:decl
type arg interface {
	// appendJSON appends the value of the member; for Serve the members
	// themselves, each with a comma before it.
	appendJSON(dst []byte) []byte
	equal(other arg) bool
	// say appends what Instruction.String says in place of the parameter.
	say(dst []byte, p *param) []byte
}

// maxList is how many entries a list may have.
const maxList = 10_000

type text string

func (t text) appendJSON(dst []byte) []byte { return strictjson.AppendString(dst, string(t)) }

func (t text) equal(other arg) bool { o, ok := other.(text); return ok && o == t }

func (t text) say(dst []byte, p *param) []byte { return p.form.say(dst, string(t)) }

type truth bool

func (t truth) appendJSON(dst []byte) []byte { return strictjson.AppendBool(dst, bool(t)) }

func (t truth) equal(other arg) bool { o, ok := other.(truth); return ok && o == t }

func (t truth) say(dst []byte, _ *param) []byte {
	if t {
		return append(dst, "turn on"...)
	}
	return append(dst, "turn off"...)
}

type texts []string

func (t texts) appendJSON(dst []byte) []byte { return strictjson.AppendStrings(dst, t) }

func (t texts) equal(other arg) bool { o, ok := other.(texts); return ok && slices.Equal(o, t) }

func (t texts) say(dst []byte, p *param) []byte {
	return sayList(dst, len(t), " and ", func(dst []byte, i int) []byte {
		if t[i] == "" {
			return sayText(dst, "")
		}
		return p.form.say(dst, t[i])
	})
}

type free Value

func (v free) appendJSON(dst []byte) []byte { return Value(v).AppendJSON(dst) }

func (v free) equal(other arg) bool { o, ok := other.(free); return ok && o == v }

func (v free) say(dst []byte, _ *param) []byte { return append(dst, shorten(Value(v).String())...) }

type frees []Value

func (v frees) appendJSON(dst []byte) []byte { return appendList(dst, v, (*Value).AppendJSON) }

func (v frees) equal(other arg) bool { o, ok := other.(frees); return ok && slices.Equal(o, v) }

func (v frees) say(dst []byte, _ *param) []byte { return sayValues(dst, v, " and ") }

func sayValues(dst []byte, values []Value, last string) []byte {
	return sayList(dst, len(values), last, func(dst []byte, i int) []byte {
		return append(dst, shorten(values[i].String())...)
	})
}

// appendList appends an array.
func appendList[T any](dst []byte, list []T, element func(*T, []byte) []byte) []byte {
	dst = append(dst, '[')
	for i := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = element(&list[i], dst)
	}
	return append(dst, ']')
}

// sayList appends the first entries of a list and how many more there are.
// last stands before the last entry.
func sayList(dst []byte, n int, last string, say func([]byte, int) []byte) []byte {
	const most = 4
	if n == 0 {
		return append(dst, "nothing"...)
	}
	shown := n
	if n > most {
		shown = most - 1
	}
	for i := range shown {
		switch {
		case i == 0:
		case i == n-1:
			dst = append(dst, last...)
		default:
			dst = append(dst, ", "...)
		}
		dst = say(dst, i)
	}
	if shown < n {
		dst = append(dst, " and "...)
		dst = strconv.AppendInt(dst, int64(n-shown), 10)
		dst = append(dst, " more"...)
	}
	return dst
}

// shorten cuts a text for a sentence.
func shorten(s string) string { return cut(s, 80) }

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}

// sayText appends a text, quoted if it is empty: it would not be seen.
func sayText(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, `""`...)
	}
	return append(dst, shorten(s)...)
}

// form is what a text must look like.
type form byte

const (
	anyText         form = iota // anything; an empty text says something
	blankText                   // anything; an empty text is as good as none
	someText                    // not empty
	idText                      // not empty; or a reference
	otherIDText                 // an id in another flag: not empty, and no reference
	keyText                     // the key of a flag
	environmentText             // the key of an environment
	refText                     // a name to refer to
	availText                   // a ClientSideAvailability
)

var formWords = [...]string{
	anyText:         "text",
	blankText:       "text",
	someText:        "text",
	idText:          "id",
	otherIDText:     "id",
	keyText:         "key",
	environmentText: "key",
	refText:         "name",
	availText:       string(UsingMobileKey) + " or " + string(UsingEnvironmentID),
}

func (f form) words() string { return formWords[f] }

// judge returns what is wrong with a text, "" if nothing is.
func (f form) judge(s string) Code {
	fits := s != ""
	switch f {
	case anyText, blankText:
		fits = true
	case someText:
	case idText:
		name, isRef := strings.CutPrefix(s, refPrefix)
		fits = fits && (!isRef || isName(name))
	case otherIDText:
		fits = fits && !IsRef(s)
	case keyText, environmentText:
		fits = IsKey(s)
	case refText:
		fits = isName(s)
	case availText:
		if !slices.Contains(availabilities, ClientSideAvailability(s)) {
			return CodeUnknownKind
		}
	}
	if !fits {
		return CodeMalformed
	}
	return ""
}

// message says what is wrong with a text that judge found wrong.
func (f form) message(s string) string {
	switch {
	case f == refText:
		return "must be 1 to 256 letters, digits, dots, underscores or hyphens, is " + strictjson.Quote(s)
	case f == availText:
		return strictjson.Quote(s) + " is no way of client-side access" + meant(s, availabilities)
	case s == "":
		return messageEmpty
	case f == keyText || f == environmentText:
		what := "flag"
		if f == environmentText {
			what = "environment"
		}
		return strictjson.Quote(s) + " is no " + what + " key: at most 256 letters, digits, dots, underscores or hyphens, the first a letter or digit"
	case f == otherIDText:
		return strictjson.Quote(s) + " is a reference, which cannot name what is in another flag: give the variation's id"
	}
	return strictjson.Quote(s) + ` refers to nothing: after "ref:" must stand 1 to 256 letters, digits, dots, underscores or hyphens`
}

// meant names the nearest of the words.
func meant[T ~string](s string, words []T) string {
	plain := make([]string, len(words))
	for i, w := range words {
		plain[i] = string(w)
	}
	if near := strictjson.Nearest(s, plain); near != "" {
		return "; did you mean " + strconv.Quote(near) + "?"
	}
	return "; must be one of " + strings.Join(plain, ", ")
}

func (f form) say(dst []byte, s string) []byte {
	switch f {
	case anyText, blankText: // quoted by the sentence
		return append(dst, shorten(s)...)
	case idText, otherIDText:
		return sayID(dst, s)
	case availText:
		switch ClientSideAvailability(s) {
		case UsingMobileKey:
			return append(dst, "SDKs that use a mobile key"...)
		case UsingEnvironmentID:
			return append(dst, "SDKs that use a client-side id"...)
		}
	}
	return sayText(dst, s)
}

// sayID appends an id. A UUID is cut to its first digits, by which people tell
// it; to them and its last ones if the first say only when it was made.
func sayID(dst []byte, id string) []byte {
	const version = 14 // where its digit stands
	switch {
	case !isUUID(id):
		return sayText(dst, id)
	case id[version] == '6' || id[version] == '7':
		return append(append(append(dst, id[:8]...), "…"...), id[28:]...)
	}
	return append(append(dst, id[:8]...), "…"...)
}

// isUUID reports whether s has the form of a UUID (RFC 9562, section 4).
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// refPrefix begins what stands in place of an id to name something that an
// earlier instruction adds.
const refPrefix = "ref:"

// IsRef reports whether what stands in place of an id is a reference: "ref:" and
// the name that an instruction gives to what it adds.
func IsRef(id string) bool { return strings.HasPrefix(id, refPrefix) }

// isName reports whether s is 1 to 256 bytes of [A-Za-z0-9._-].
func isName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != "" && len(s) <= 256
}

// IsKey reports whether s has the form of a key that people choose, of a flag,
// project, environment or template: a letter or digit, and at most 255 more of
// these, dots, underscores or hyphens.
func IsKey(s string) bool {
	return isName(s) && s[0] != '.' && s[0] != '_' && s[0] != '-'
}

// textDefect returns what makes s impossible in a document.
func textDefect(s string) (Code, string) {
	code, message := strictjson.TextDefect(s)
	return Code(code), message
}

// outerDepth is how many arrays and objects stand around an instruction in the
// document of a template.
const outerDepth = 5

// valueDefect returns what is wrong with a value around which, inside its
// instruction, the given number of arrays and objects stand; segment says that
// it names a segment.
func valueDefect(v Value, above int, segment bool) (Code, string) {
	switch code, message := depthDefect(v, above); {
	case v.IsZero(), v.text == "null":
		return CodeWrongType, messageNull
	case code != "":
		return code, message
	case segment && (v.text[0] != '"' || v.text == `""`):
		return segmentDefect(v)
	case v.text[0] == '"':
		return quotedDefect(v.text)
	}
	return "", ""
}

// segmentDefect returns what makes a value no key of a segment.
func segmentDefect(v Value) (Code, string) {
	switch {
	case v.IsZero() || v.text[0] != '"':
		return CodeWrongType, "must be a string, the key of a segment"
	case v.text == `""`:
		return CodeMalformed, messageEmpty
	}
	return "", ""
}

func depthDefect(v Value, above int) (Code, string) {
	if depth := outerDepth + above + v.depth; depth > strictjson.MaxDepth {
		return CodeTooLarge, "would be nested " + strconv.Itoa(depth) + " deep in a template; at most " + strconv.Itoa(strictjson.MaxDepth) + " are allowed"
	}
	return "", ""
}

// quotedDefect returns what makes a canonical JSON string impossible in a
// document.
func quotedDefect(quoted string) (Code, string) {
	if len(quoted) <= strictjson.MaxString && strings.IndexByte(quoted, '\\') < 0 {
		return "", ""
	}
	n := 0
	for i := 1; i < len(quoted)-1; n++ {
		switch {
		case quoted[i] != '\\':
			i++
		case quoted[i+1] != 'u':
			i += 2
		default:
			if quoted[i+2:i+6] == "0000" {
				return CodeMalformed, "must not hold the character NUL"
			}
			if quoted[i+2] == '2' { // U+2028 and U+2029 have three bytes
				n += 2
			}
			i += 6
		}
	}
	if n > strictjson.MaxString {
		return CodeTooLarge, "has " + strconv.Itoa(n) + " bytes; at most " + strconv.Itoa(strictjson.MaxString) + " are allowed"
	}
	return "", ""
}

// nameSet finds names that stand twice. The zero nameSet is empty.
type nameSet struct {
	few  []string
	many map[string]struct{}
}

// add adds a name and reports whether it was there before.
func (s *nameSet) add(name string) bool {
	if s.many == nil {
		if slices.Contains(s.few, name) {
			return true
		}
		s.few = append(s.few, name)
		if len(s.few) == 16 {
			s.many = make(map[string]struct{}, 64)
			for _, n := range s.few {
				s.many[n] = struct{}{}
			}
		}
		return false
	}
	_, there := s.many[name]
	s.many[name] = struct{}{}
	return there
}
