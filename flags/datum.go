package flags

import (
	"strconv"
	"strings"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// datum is a JSON value in the form in which it is compared. The zero datum is
// absent.
type datum struct {
	scalar
	inner *inner // of an array or object
}

// scalar is a datum that is neither array nor object. Scalars of equal sense
// are equal by ==.
type scalar struct {
	sort   strictjson.Kind
	truth  bool
	number float64
	text   string
}

// inner is what is inside of an array, or of an object, which has names.
type inner struct {
	elements []datum
	names    []string
}

// datumOf returns the datum of a value.
func datumOf(v Value) datum {
	text := v.text
	if v.depth == 0 && text != "" {
		switch text[0] {
		case 'n':
			return datum{scalar: scalar{sort: strictjson.Null}}
		case 't', 'f':
			return truthDatum(text == "true")
		case '"':
			if strings.IndexByte(text, '\\') < 0 {
				return textDatum(text[1 : len(text)-1])
			}
		default:
			return numberDatum(text)
		}
	}
	return readDatum(strictjson.NewDecoder([]byte(text), nil))
}

func textDatum(s string) datum { return datum{scalar: scalar{sort: strictjson.String, text: s}} }

func truthDatum(b bool) datum { return datum{scalar: scalar{sort: strictjson.Bool, truth: b}} }

func numberDatum(text string) datum {
	n, _ := strconv.ParseFloat(text, 64) // no number of a Value is beyond a double
	return datum{scalar: scalar{sort: strictjson.Number, number: n}}
}

func readDatum(d *strictjson.Decoder) datum {
	switch sort := d.Kind(); sort {
	case strictjson.String:
		s, _ := d.ReadString()
		return textDatum(s)
	case strictjson.Array:
		in := new(inner)
		for ok := d.BeginArray() && d.NextElement(); ok; ok = d.NextElement() {
			in.elements = append(in.elements, readDatum(d))
		}
		return datum{scalar: scalar{sort: sort}, inner: in}
	case strictjson.Object:
		in := new(inner)
		d.BeginObject()
		for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
			in.names = append(in.names, name)
			in.elements = append(in.elements, readDatum(d))
		}
		return datum{scalar: scalar{sort: sort}, inner: in}
	case strictjson.Invalid:
		return datum{}
	default: // a scalar inside of an array or object
		text, _, _ := d.ReadValue()
		return datumOf(Value{text: text})
	}
}

// isThere reports whether there is a value: null is as good as none.
func (v *datum) isThere() bool { return v.sort > strictjson.Null }

// isPlain reports whether the value can be compared for equality.
func (s *scalar) isPlain() bool {
	return s.sort == strictjson.String || s.sort == strictjson.Number || s.sort == strictjson.Bool
}

// member returns what an object has by a name.
func (v *datum) member(name string) datum {
	if v.sort == strictjson.Object {
		for i, n := range v.inner.names {
			if n == name {
				return v.inner.elements[i]
			}
		}
	}
	return datum{}
}
