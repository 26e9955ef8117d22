package flags

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Value is a free JSON value: a variation's value, a clause's value, a form
// variable. It keeps the spelling of numbers and the order of members, and
// prints without space and with strings escaped as encoding/json escapes them.
//
// Values are immutable; == compares the printed form. The zero Value is
// absent: it is no JSON value, not even null.
type Value struct {
	text  string // canonical
	depth int    // of nested arrays and objects
}

// ParseValue reads one JSON value, as strictly as all documents are read.
func ParseValue(text string) (Value, error) {
	return parseValue([]byte(text))
}

func parseValue(document []byte) (v Value, err error) {
	problems := readDocument(document, func(d *strictjson.Decoder, _ *Problems) { v, _ = readValue(d) })
	if err := problems.Err(); err != nil {
		return Value{}, err
	}
	return v, nil
}

// StringValue returns a JSON string. Bytes that are not UTF-8 become U+FFFD.
func StringValue(s string) Value {
	if !utf8.ValidString(s) {
		s = string([]rune(s)) // replaces them
	}
	return Value{text: string(strictjson.AppendString(make([]byte, 0, len(s)+2), s))}
}

// StringValues returns a list of JSON strings, made as by [StringValue].
func StringValues(list ...string) []Value {
	values := make([]Value, len(list))
	for i, s := range list {
		values[i] = StringValue(s)
	}
	return values
}

// BoolValue returns true or false.
func BoolValue(b bool) Value {
	return Value{text: string(strictjson.AppendBool(nil, b))}
}

// IntValue returns a JSON number.
func IntValue(n int64) Value {
	return Value{text: string(strictjson.AppendInt(nil, n))}
}

// readValue reads the next value of a document. It returns false when
// something in the value was reported.
func readValue(d *strictjson.Decoder) (Value, bool) {
	text, depth, ok := d.ReadValue()
	return Value{text: text, depth: depth}, ok
}

// IsZero reports whether the value is absent.
func (v Value) IsZero() bool { return v.text == "" }

// Depth returns how deep arrays and objects are nested in the value: 0 for a
// string, number, boolean or null.
func (v Value) Depth() int { return v.depth }

// String returns the value as JSON, "" if it is absent.
func (v Value) String() string { return v.text }

// Meaning returns a text that two values share exactly when they mean the same:
// numbers are compared by what they say, exactly, and the order of an object's
// members makes no difference. It is "" for an absent value, and no JSON.
func (v Value) Meaning() string {
	if v.depth == 0 {
		return v.sense()
	}
	return string(appendMeaning(nil, strictjson.NewDecoder([]byte(v.text), nil)))
}

// appendMeaning appends the meaning of the next value.
func appendMeaning(dst []byte, d *strictjson.Decoder) []byte {
	switch d.Kind() {
	case strictjson.Array:
		dst = append(dst, '[')
		for ok := d.BeginArray() && d.NextElement(); ok; ok = d.NextElement() {
			dst = append(appendMeaning(dst, d), ',')
		}
		return append(dst, ']')
	case strictjson.Object:
		type member struct{ name, meaning string }
		var members []member
		d.BeginObject()
		for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
			members = append(members, member{name, string(appendMeaning(nil, d))})
		}
		slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
		dst = append(dst, '{')
		for _, m := range members {
			dst = append(strictjson.AppendString(dst, m.name), ':')
			dst = append(append(dst, m.meaning...), ',')
		}
		return append(dst, '}')
	default:
		text, _, _ := d.ReadValue()
		return append(dst, Value{text: text}.sense()...)
	}
}

// AppendJSON appends the value as JSON; an absent one as null.
func (v Value) AppendJSON(dst []byte) []byte {
	if v.text == "" {
		return append(dst, "null"...)
	}
	return append(dst, v.text...)
}

// MarshalJSON returns the value as JSON; an absent one as null.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// UnmarshalJSON reads the value as [ParseValue] does. JSON null is the null
// value, not the absent one: it does not leave the value as it is.
func (v *Value) UnmarshalJSON(document []byte) error {
	read, err := parseValue(document)
	if err == nil {
		*v = read
	}
	return err
}

// IDSource makes identifiers. NewID returns one that this source has not
// returned before; at is the instant it is made for, of which the identifier
// may keep the milliseconds.
type IDSource interface {
	NewID(at time.Time) string
}
