package strictjson_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// TestReadInt holds that integers are plain digits of at most 64 bits.
func TestReadInt(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		code string
	}{
		{"0", 0, ""}, {"-0", 0, ""}, {"1", 1, ""}, {"-1", -1, ""},
		{"9223372036854775807", math.MaxInt64, ""}, {"-9223372036854775808", math.MinInt64, ""},
		{"9223372036854775808", 0, strictjson.CodeOutOfRange}, {"-9223372036854775809", 0, strictjson.CodeOutOfRange},
		{strings.Repeat("9", 32), 0, strictjson.CodeOutOfRange}, {strings.Repeat("9", 33), 0, strictjson.CodeTooLarge},
		{"1.0", 0, strictjson.CodeWrongType}, {"2e0", 0, strictjson.CodeWrongType}, {"1E5", 0, strictjson.CodeWrongType},
		{"0.5", 0, strictjson.CodeWrongType}, {"-0.0", 0, strictjson.CodeWrongType}, {"1e999", 0, strictjson.CodeOutOfRange},
		{`"1"`, 0, strictjson.CodeWrongType}, {"null", 0, strictjson.CodeWrongType}, {"[1]", 0, strictjson.CodeWrongType},
		{"01", 0, strictjson.CodeSyntax}, {"1x", 0, strictjson.CodeSyntax}, {"-", 0, strictjson.CodeSyntax},
	} {
		t.Run(c.text, func(t *testing.T) {
			code := ""
			d := strictjson.NewDecoder([]byte("["+c.text+"]"), func(pointer, got, _ string) {
				require.Equal(t, "/0", pointer)
				require.Empty(t, code, "one problem is enough")
				code = got
			})
			d.BeginArray()
			d.NextElement()
			n, ok := d.ReadInt()
			require.False(t, d.NextElement())
			d.End()
			if err := d.Err(); err != nil {
				require.Equal(t, strictjson.CodeSyntax, c.code)
				return
			}
			require.Equal(t, c.code, code)
			require.Equal(t, c.want, n)
			require.Equal(t, code == "", ok)
		})
	}
}

// TestWrongType holds that a value of another kind is reported, passed over,
// and looked into for what else is wrong.
func TestWrongType(t *testing.T) {
	values := map[strictjson.Kind]string{
		strictjson.Null: "null", strictjson.Bool: "true", strictjson.Number: "1", strictjson.String: `"x"`,
		strictjson.Array: "[1]", strictjson.Object: `{"x":1}`,
	}
	reads := map[strictjson.Kind]func(*strictjson.Decoder) bool{
		strictjson.Bool:   func(d *strictjson.Decoder) bool { _, ok := d.ReadBool(); return ok },
		strictjson.Number: func(d *strictjson.Decoder) bool { _, ok := d.ReadInt(); return ok },
		strictjson.String: func(d *strictjson.Decoder) bool { _, ok := d.ReadString(); return ok },
		strictjson.Array:  (*strictjson.Decoder).BeginArray,
		strictjson.Object: (*strictjson.Decoder).BeginObject,
	}
	for want, read := range reads {
		for kind, text := range values {
			t.Run(want.String()+" for "+kind.String(), func(t *testing.T) {
				var got []problem
				d := strictjson.NewDecoder([]byte(`{"a":`+text+`,"b":2}`), func(pointer, code, message string) {
					got = append(got, problem{pointer, code, message})
				})
				d.BeginObject()
				d.NextMember()
				require.Equal(t, kind, d.Kind())
				if ok := read(d); want == kind {
					require.True(t, ok)
					require.Empty(t, got)
					return
				} else {
					require.False(t, ok)
				}
				require.Equal(t, []problem{{"/a", strictjson.CodeWrongType, "is " + kind.String() + ", must be " + want.String()}}, got)
				name, ok := d.NextMember()
				require.True(t, ok)
				require.Equal(t, "b", name)
			})
		}
	}
	var got []string
	d := strictjson.NewDecoder([]byte(`{"a":[1e999,{"b":1,"b":2}]}`), func(pointer, code, _ string) { got = append(got, pointer+" "+code) })
	d.BeginObject()
	d.NextMember()
	d.ReadInt()
	require.Equal(t, []string{"/a wrong_type", "/a/0 out_of_range", "/a/1/b duplicate"}, got)
}

// TestReadValueState holds that each value is judged for itself: what was
// read before or after it changes nothing.
func TestReadValueState(t *testing.T) {
	var problems int
	d := strictjson.NewDecoder([]byte(` [ "\u0041" , "b" ,[ ], {"a":1,"a":2} ,[[1]],1e999, "<" ,2 ] `), func(string, string, string) { problems++ })
	require.True(t, d.BeginArray())
	for _, want := range []struct {
		text  string
		depth int
		ok    bool
	}{{`"A"`, 0, true}, {`"b"`, 0, true}, {"[]", 1, true}, {"", 0, false}, {"[[1]]", 2, true}, {"", 0, false}, {`"\u003c"`, 0, true}, {"2", 0, true}} {
		require.True(t, d.NextElement())
		text, depth, ok := d.ReadValue()
		require.Equal(t, want.text, text)
		require.Equal(t, want.depth, depth)
		require.Equal(t, want.ok, ok)
	}
	require.False(t, d.NextElement())
	d.End()
	require.Nil(t, d.Err())
	require.Equal(t, 2, problems)
}

func TestNull(t *testing.T) {
	d := strictjson.NewDecoder([]byte("[null, 1, nul]"), nil)
	d.BeginArray()
	d.NextElement()
	require.True(t, d.Null())
	d.NextElement()
	require.False(t, d.Null())
	n, ok := d.ReadInt()
	require.True(t, ok)
	require.EqualValues(t, 1, n)
	d.NextElement()
	require.False(t, d.Null())
	require.Equal(t, 10, d.Err().Offset)
}

func TestReadBool(t *testing.T) {
	for _, c := range []struct {
		text      string
		value, ok bool
	}{{"true", true, true}, {"false", false, true}, {"tru", false, false}, {"t?", false, false}, {"fals", false, false}, {"null", false, false}} {
		value, ok := strictjson.NewDecoder([]byte(c.text), nil).ReadBool()
		require.Equal(t, c.value, value, c.text)
		require.Equal(t, c.ok, ok, c.text)
	}
}

func TestReport(t *testing.T) {
	var got []problem
	d := strictjson.NewDecoder([]byte(`{"a":"x"}`), func(pointer, code, message string) {
		got = append(got, problem{pointer, code, message})
	})
	d.BeginObject()
	d.NextMember()
	d.ReadString()
	d.Report(strictjson.CodeMalformed, "is no date")
	require.Equal(t, []problem{{"/a", strictjson.CodeMalformed, "is no date"}}, got)
	strictjson.NewDecoder([]byte(`[1e999]`), nil).Skip() // reports to nobody
}

func TestKindString(t *testing.T) {
	require.Equal(t, "an object", strictjson.Object.String())
	require.Equal(t, "no value", strictjson.Invalid.String())
	require.Equal(t, "no value", strictjson.Kind(200).String())
}

// TestDocumentIsCopied holds that the document may change while it is read.
func TestDocumentIsCopied(t *testing.T) {
	document := []byte(`["abc"]`)
	d := strictjson.NewDecoder(document, nil)
	copy(document, "xxxxxxx")
	text, _, ok := d.ReadValue()
	require.True(t, ok)
	require.Equal(t, `["abc"]`, text)
}

func TestAppend(t *testing.T) {
	require.Equal(t, "x-5", string(strictjson.AppendInt([]byte("x"), -5)))
	require.Equal(t, "-9223372036854775808", string(strictjson.AppendInt(nil, math.MinInt64)))
	require.Equal(t, "truefalse", string(strictjson.AppendBool(strictjson.AppendBool(nil, true), false)))
	require.Equal(t, "[]", string(strictjson.AppendStrings(nil, nil)))
	require.Equal(t, `["a","\u003c"]`, string(strictjson.AppendStrings(nil, []string{"a", "<"})))
	for _, broken := range []string{`"`, `"abc`, `"a\`, `"\q"`, `"\ud800"`, `"abcdefgh\u12`, `[1,"\n`} {
		require.NotPanics(t, func() { strictjson.AppendValue(nil, broken) }, broken)
	}
}
