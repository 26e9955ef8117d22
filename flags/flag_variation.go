package flags

import (
	"strings"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// FlagVariation is one of the variations of a flag.
type FlagVariation struct {
	ID          string // "" if the document gives none; it cannot be changed then
	Value       Value  // what is served; never absent
	Name        string // for people; "" is none
	Description string // for people; "" is none
}

type variationBody struct {
	FlagVariation
	more string
}

func (v *variationBody) isBoolean() bool { return v.Value.text == "true" || v.Value.text == "false" }

func (v *variationBody) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = appendText(dst, "_id", v.ID)
	dst = v.Value.AppendJSON(appendName(dst, "value"))
	dst = appendText(dst, "name", v.Name)
	dst = appendText(dst, "description", v.Description)
	return closeObject(append(dst, v.more...), start)
}

var flagVariationMembers = []string{"_id", "value", "name", "description"}

func (r *flagReader) flagVariations() []variationBody {
	var ids, values nameSet
	n := 0
	list := readList(&r.reader, 2, func() variationBody { n++; return r.flagVariation(&ids, &values) })
	r.variations = n
	if n == 0 && !r.failed() {
		r.report(CodeMalformed, "must not be empty: a flag has something to serve")
	}
	return list
}

func (r *flagReader) flagVariation(ids, values *nameSet) (v variationBody) {
	d := r.d
	if !d.BeginObject() {
		return v
	}
	var more []byte
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch name {
		case "_id":
			v.ID = r.flagID()
			if v.ID != "" && ids.add(v.ID) {
				r.report(CodeDuplicate, "is the id of another variation too")
			}
		case "value":
			read, ok := readValue(d)
			if ok && read.text == "null" {
				r.report(CodeWrongType, messageNull)
			} else if ok && values.add(read.sense()) {
				r.report(CodeDuplicate, "is the value of another variation too")
			}
			v.Value = read
		case "name":
			v.Name = r.optional(blankText)
		case "description":
			v.Description = r.optional(blankText)
		default:
			more = r.unknown(more, name, flagVariationMembers)
		}
	}
	if v.Value.IsZero() && !r.failed() {
		r.missing("value", messageMissing)
	}
	v.more = string(more)
	return v
}

// sense returns a text that is equal for values that say the same: numbers may
// be spelled in several ways. Those inside of arrays and objects are compared as
// they are spelled; see Meaning.
func (v Value) sense() string {
	if v.depth > 0 || v.text == "" || v.text[0] != '-' && (v.text[0] < '0' || v.text[0] > '9') {
		return v.text
	}
	digits, negative := strings.CutPrefix(v.text, "-")
	exponent := int64(0)
	if i := strings.IndexAny(digits, "eE"); i >= 0 {
		exponent = exponentOf(digits[i+1:])
		digits = digits[:i]
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	exponent -= int64(len(fraction))
	digits = strings.TrimLeft(whole+fraction, "0")
	short := strings.TrimRight(digits, "0")
	if short == "" {
		return "0"
	}
	exponent += int64(len(digits) - len(short))
	b := make([]byte, 0, 48)
	if negative {
		b = append(b, '-')
	}
	return string(strictjson.AppendInt(append(append(b, short...), 'e'), exponent))
}

// exponentOf returns the exponent of a number, which has at most 32 characters
// and is no larger than a double.
func exponentOf(s string) int64 {
	n := int64(0)
	for _, c := range strings.TrimLeft(s, "+-") {
		n = min(n*10+int64(c-'0'), 1<<40)
	}
	if s[0] == '-' {
		return -n
	}
	return n
}
