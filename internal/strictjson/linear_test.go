package strictjson_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// growing are documents of about n bytes that could make a careless reader do
// more than linear work.
var growing = map[string]func(n int) string{
	"flat object": func(n int) string { return manyMembers(n/20, `"x":1`) },
	"long array":  func(n int) string { return "[" + strings.Repeat("1,", n/2) + "1]" },
	"objects of 30 members": func(n int) string {
		o := manyMembers(30, `"x":1`)
		return "[" + strings.Repeat(o+",", n/len(o)) + "1]"
	},
	"deep nesting, again and again": func(n int) string {
		return "[" + strings.Repeat(strings.Repeat("[", 63)+strings.Repeat("]", 63)+",", n/127) + "1]"
	},
	"deep nesting of objects": func(n int) string {
		o := strings.Repeat(`{"a":`, 63) + "1" + strings.Repeat("}", 63)
		return "[" + strings.Repeat(o+",", n/len(o)) + "1]"
	},
	"members at every level": func(n int) string {
		o := strings.Repeat(`{"a":1,"b":2,"c":`, 60) + "1" + strings.Repeat("}", 60)
		return "[" + strings.Repeat(o+",", n/len(o)) + "1]"
	},
	"strings with escapes": func(n int) string {
		s := `"` + strings.Repeat(`\u0041\n<`, 6000) + `"`
		return "[" + strings.Repeat(s+",", n/len(s)) + s[:n%len(s)/9*9+1] + `"]`
	},
	"one string too long": func(n int) string { return `"` + strings.Repeat(`<\n`, n/3) + `"` },
	"names with escapes": func(n int) string {
		var b strings.Builder
		for i := range n / 15 {
			fmt.Fprintf(&b, `"\u0041%d":1,`, i)
		}
		return "{" + b.String() + `"x":1}`
	},
	"duplicate names":           func(n int) string { return "{" + strings.Repeat(`"a":1,`, n/6) + `"b":1}` },
	"duplicate names, long":     func(n int) string { return manyMembers(30, strings.Repeat(`"m29":1,`, n/8)+`"b":1`) },
	"numbers too large":         func(n int) string { return "[" + strings.Repeat("1e999,", n/6) + "1]" },
	"one long number":           func(n int) string { return strings.Repeat("1", n) },
	"white space":               func(n int) string { return strings.Repeat(" \n", n/2) + "1" },
	"text that ends too soon":   func(n int) string { return strings.Repeat(" \n", n/4) + `{"a":"` + strings.Repeat("é", n/4) },
	"letters for a literal":     func(n int) string { return "n" + strings.Repeat("a", n) },
	"unknown members":           func(n int) string { return manyMembers(n/20, `"x":1`) },
	"members of wrong types":    func(n int) string { return manyMembers(n/20, `"x":1`) },
	"documents inside a string": func(n int) string { return "[" + strings.Repeat(`"[1,{}]",`, n/9) + "1]" },
}

// consume reads a document as a caller may who knows some of its members.
func consume(name string, document []byte) {
	d := strictjson.NewDecoder(document, nil)
	switch name {
	case "unknown members":
		d.BeginObject()
		for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
			d.UnknownMember(name, "kind", "waitDuration", "waitDurationUnit")
		}
	case "members of wrong types":
		d.BeginObject()
		for _, ok := d.NextMember(); ok; _, ok = d.NextMember() {
			d.ReadInt()
		}
	case "documents inside a string":
		d.BeginArray()
		for d.NextElement() {
			if s, ok := d.ReadString(); ok {
				d.Inside(s, false).Skip()
			}
		}
	default:
		d.ReadValue()
	}
	d.End()
}

// cost returns how often and how much was allocated for reading a document.
func cost(name string, document []byte) (count, size uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	consume(name, document)
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc
}

// TestLinear holds that ten times the input costs at most fifteen times as
// much. The large documents come close to the limit of 1 MiB: quadratic work
// on any of them would not end in the time that a test has. How many names a
// new one is compared with is held by TestFewNamesCompared.
func TestLinear(t *testing.T) {
	for name, document := range growing {
		t.Run(name, func(t *testing.T) {
			small, large := []byte(document(90_000)), []byte(document(900_000))
			require.LessOrEqual(t, len(large), strictjson.MaxDocument)
			require.InEpsilon(t, 10, float64(len(large))/float64(len(small)), 0.2)
			consume(name, small) // what is made once is made now
			count, size := cost(name, small)
			largeCount, largeSize := cost(name, large)
			const slack = 50 // allocations and bytes that do not grow
			require.LessOrEqual(t, largeCount, 15*count+slack, "allocations")
			require.LessOrEqual(t, largeSize, 15*size+slack, "bytes")
		})
	}
}

// TestAllocations holds that reading allocates nothing but the decoder and its
// copy of the document, except where strings have escapes or much is nested.
func TestAllocations(t *testing.T) {
	document := []byte(release())
	require.InDelta(t, 4096, len(document), 200)
	require.EqualValues(t, 2, testing.AllocsPerRun(10, func() {
		d := strictjson.NewDecoder(document, nil)
		d.Skip()
		d.End()
	}))
	canonical := strictjson.AppendValue(nil, strings.ReplaceAll(string(document), "&", "and"))
	require.EqualValues(t, 2, testing.AllocsPerRun(10, func() {
		d := strictjson.NewDecoder(canonical, nil)
		d.ReadValue()
		d.End()
	}))
	require.EqualValues(t, 2, testing.AllocsPerRun(10, func() {
		d := strictjson.NewDecoder(canonical, nil)
		d.BeginObject()
		d.Peek("stages")
		for _, ok := d.NextMember(); ok; _, ok = d.NextMember() {
			if d.Kind() != strictjson.String {
				d.Skip()
			} else if _, ok := d.ReadString(); !ok {
				t.Error("no string")
			}
		}
	}))
	spaced := []byte(`[ "a" , [1,2] , {"b":"c"} ]`)
	require.EqualValues(t, 2, testing.AllocsPerRun(10, func() {
		d := strictjson.NewDecoder(spaced, nil)
		d.BeginArray()
		for d.NextElement() {
			d.ReadValue() // which is canonical, though there is space before
		}
	}))
	escaped := []byte(`"` + strings.Repeat(`\n€`, 100) + `"`)
	require.EqualValues(t, 3, testing.AllocsPerRun(10, func() { strictjson.NewDecoder(escaped, nil).ReadString() }))
	text, in := make([]byte, 0, len(document)), string(document)
	require.Zero(t, testing.AllocsPerRun(10, func() { text = strictjson.AppendValue(text[:0], in) }))
}
