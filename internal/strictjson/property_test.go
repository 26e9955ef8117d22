package strictjson_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// draft is a value written twice: as somebody may write it, and canonically.
type draft struct {
	written, canonical strings.Builder
	t                  *rapid.T
}

func (d *draft) both(s string) {
	d.written.WriteString(s)
	d.canonical.WriteString(s)
}

func (d *draft) space() {
	d.written.WriteString(rapid.SampledFrom([]string{"", "", " ", "\n", "\r\n\t", "\n                 "}).Draw(d.t, "space"))
}

func (d *draft) value(depth int) {
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	switch rapid.IntRange(0, kinds-1).Draw(d.t, "kind") {
	case 0:
		d.both("null")
	case 1:
		d.both(fmt.Sprint(rapid.Bool().Draw(d.t, "boolean")))
	case 2:
		d.both(rapid.StringMatching(`-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,2})?`).Draw(d.t, "number"))
	case 3:
		d.string(drawString(d.t, "string"))
	case 4:
		d.both("[")
		for i := range rapid.IntRange(0, 4).Draw(d.t, "elements") {
			if i > 0 {
				d.space()
				d.both(",")
			}
			d.space()
			d.value(depth - 1)
		}
		d.space()
		d.both("]")
	case 5:
		d.both("{")
		names := map[string]bool{}
		for range rapid.SampledFrom([]int{0, 1, 2, 3, 30}).Draw(d.t, "members") {
			name := drawString(d.t, "name")
			if names[name] {
				continue
			}
			if len(names) > 0 {
				d.space()
				d.both(",")
			}
			names[name] = true
			d.space()
			d.string(name)
			d.space()
			d.both(":")
			d.space()
			d.value(depth - 1)
		}
		d.space()
		d.both("}")
	}
}

func drawString(t *rapid.T, label string) string {
	return rapid.StringOf(rapid.OneOf(
		rapid.RuneFrom([]rune("abz09 {}[]:,\"\\/<>&\b\f\n\r\t\x01\x1f\x7f~é€😀\u2028\u2029\ufeff\ufffd\U0010ffff")),
		rapid.RuneFrom([]rune("abcdefghijklmnopqrstuvwxyz")),
		rapid.Rune().Filter(func(r rune) bool { return r > 0 }),
	)).Draw(t, label)
}

// string writes s with escapes chosen at random, those that must be and some.
func (d *draft) string(s string) {
	text, err := json.Marshal(s)
	require.NoError(d.t, err)
	d.canonical.Write(text)
	d.written.WriteByte('"')
	style := rapid.IntRange(0, 3).Draw(d.t, "style")
	for i, r := range s {
		short := strings.IndexRune("\"\\/\b\f\n\r\t", r)
		switch {
		case short >= 0 && (style+i)%3 > 0:
			d.written.WriteString(`\` + `"\/bfnrt`[short:short+1])
		case r >= ' ' && r != '"' && r != '\\' && (style+i)%4 > 0:
			d.written.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&d.written, `\u%04x\u%04X`, 0xd800|r>>10, 0xdc00|r&0x3ff)
		case style == 0:
			fmt.Fprintf(&d.written, `\u%04X`, r)
		default:
			fmt.Fprintf(&d.written, `\u%04x`, r)
		}
	}
	d.written.WriteByte('"')
}

// TestCanonicalProperty holds that a document reads back to the same canonical
// text however it was written.
func TestCanonicalProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draft{t: t}
		d.space()
		d.value(4)
		d.space()
		written, canonical := d.written.String(), d.canonical.String()
		got := read(written)
		require.True(t, got.accepted(), "%v %v", got.err, got.problems)
		require.Equal(t, canonical, got.text)
		require.Equal(t, canonical, read(canonical).text)
		require.Equal(t, canonical, string(strictjson.AppendValue(nil, written)))
	})
}

// TestOffsetProperty holds that every value stands where Offset says that its
// pointer leads.
func TestOffsetProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draft{t: t}
		d.space()
		d.value(3)
		document := d.written.String()
		w := strictjson.NewDecoder([]byte(document), nil)
		var visit func()
		visit = func() {
			pointer, kind := w.Pointer(), w.Kind()
			rest := document[strictjson.Offsets([]byte(document), []string{pointer})[0]:]
			there := strictjson.NewDecoder([]byte(rest), nil)
			if strings.Contains(pointer, "…") {
				w.Skip()
				return
			}
			require.Equal(t, kind, there.Kind(), "%s in %s", pointer, document)
			switch kind {
			case strictjson.Object:
				w.BeginObject()
				for _, ok := w.NextMember(); ok; _, ok = w.NextMember() {
					visit()
				}
			case strictjson.Array:
				w.BeginArray()
				for w.NextElement() {
					visit()
				}
			default:
				want, _, ok := w.ReadValue()
				require.True(t, ok)
				got, _, _ := there.ReadValue()
				require.Equal(t, want, got, "%s in %s", pointer, document)
			}
		}
		visit()
		require.Nil(t, w.Err())
	})
}
