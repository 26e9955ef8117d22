package strictjson_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// pointers returns the pointer of every value, in document order.
func pointers(d *strictjson.Decoder) []string {
	list := []string{d.Pointer()}
	switch d.Kind() {
	case strictjson.Object:
		d.BeginObject()
		for _, ok := d.NextMember(); ok; _, ok = d.NextMember() {
			list = append(list, pointers(d)...)
		}
	case strictjson.Array:
		d.BeginArray()
		for d.NextElement() {
			list = append(list, pointers(d)...)
		}
	default:
		d.Skip()
	}
	return list
}

// TestPointer uses the document of RFC 6901, section 5, among others.
func TestPointer(t *testing.T) {
	for _, c := range []struct {
		name, document string
		want           []string
	}{
		{
			"the example of the standard",
			`{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}`,
			[]string{"", "/foo", "/foo/0", "/foo/1", "/", "/a~1b", "/c%d", "/e^f", "/g|h", `/i\j`, `/k"l`, "/ ", "/m~0n"},
		},
		{"alone", "1", []string{""}},
		{"escapes of escapes", `{"~1":{"~":1,"/":2,"~0~1//":3}}`, []string{"", "/~01", "/~01/~0", "/~01/~1", "/~01/~00~01~1~1"}},
		{"escaped names", `{"\u007e\u002f\u00e9":1}`, []string{"", "/~0~1é"}},
		{"empty inner values", `{"a":{},"b":[],"c":1}`, []string{"", "/a", "/b", "/c"}},
		{"arrays of arrays", `[[],[[1,2],3],4]`, []string{"", "/0", "/1", "/1/0", "/1/0/0", "/1/0/1", "/1/1", "/2"}},
		{"names like numbers", `{"0":["a"],"-1":1}`, []string{"", "/0", "/0/0", "/-1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, pointers(strictjson.NewDecoder([]byte(c.document), nil)))
		})
	}
}

func TestPointerCut(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct{ name, member, inner, want string }{
		{"64 bytes", x(64), "1", "/" + x(64)},
		{"65 bytes", x(65), "1", "/" + x(64) + "…"},
		{"between runes", x(63) + "é", "1", "/" + x(63) + "…"},
		{"between long runes", x(61) + "😀", "1", "/" + x(61) + "…"},
		{"rune that just fits", x(60) + "😀y", "1", "/" + x(60) + "😀…"},
		{"escapes count as they are read", strings.Repeat("~", 65), "1", "/" + strings.Repeat("~0", 64) + "…"},
		{"many names", x(63), `{"` + x(63) + `":{"` + x(63) + `":1}}`, "/" + x(63) + "/" + x(63) + "/" + x(63)},
		{"many names, one byte more", x(63), `{"` + x(63) + `":{"` + x(64) + `":1}}`, "/" + x(63) + "/" + x(63) + "/…"},
		{"many names that end in an escape", x(64), `{"` + x(64) + `":{"` + x(60) + `~/":1}}`, "/" + x(64) + "/" + x(64) + "/…"},
		{"deep behind the cut", x(64), `{"` + x(64) + `":{"` + x(64) + `":[{"a":1}]}}`, "/" + x(64) + "/" + x(64) + "/…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := strictjson.NewDecoder([]byte(`{"`+c.member+`":`+c.inner+"}"), nil)
			list := pointers(d)
			last := list[len(list)-1]
			require.Nil(t, d.Err())
			require.Equal(t, c.want, last)
			require.True(t, utf8.ValidString(last))
		})
	}
}

func TestPointerTo(t *testing.T) {
	d := strictjson.NewDecoder([]byte(`{"a/b":[{"c":1,"d":{}}],"e":1}`), nil)
	require.Equal(t, "/x", d.PointerTo("x"))
	require.True(t, d.BeginObject())
	require.Equal(t, "/x~1~0", d.PointerTo("x/~"), "right after BeginObject: of this object")
	d.NextMember()
	require.Equal(t, "/a~1b/x", d.PointerTo("x"))
	require.True(t, d.BeginArray())
	require.Equal(t, "/a~1b", d.Pointer(), "before the first element: the array")
	d.NextElement()
	require.True(t, d.BeginObject())
	require.Equal(t, "/a~1b/0/x", d.PointerTo("x"))
	d.NextMember()
	d.Skip()
	d.NextMember()
	require.True(t, d.BeginObject())
	_, ok := d.NextMember()
	require.False(t, ok)
	require.Equal(t, "/a~1b/0/d/x", d.PointerTo("x"), "after the end of an object: of that object")
	_, ok = d.NextMember()
	require.False(t, ok)
	require.Equal(t, "/a~1b/0/x", d.PointerTo("x"))
	require.False(t, d.NextElement())
	require.Equal(t, "/a~1b", d.Pointer(), "after the end of an array: the array")

	long := strings.Repeat("é", 40)
	require.Equal(t, "/a~1b/"+strings.Repeat("é", 32)+"…", d.PointerTo(long))
	name, ok := d.NextMember()
	require.True(t, ok)
	require.Equal(t, "e", name)
	require.Equal(t, "/e", d.Pointer())

	d = strictjson.NewDecoder([]byte(strings.Repeat(`{"`+strings.Repeat("x", 60)+`":`, 4)+"1"+strings.Repeat("}", 4)), nil)
	for range 3 {
		d.BeginObject()
		d.NextMember()
	}
	whole := strings.Repeat("/"+strings.Repeat("x", 60), 3)
	require.Equal(t, whole, d.Pointer())
	require.Equal(t, whole+"/yyyyyyyy", d.PointerTo("yyyyyyyy"))
	require.Equal(t, whole+"/…", d.PointerTo("yyyyyyyyy"))
	d.BeginObject()
	d.NextMember()
	require.Equal(t, whole+"/…", d.Pointer())
	require.Equal(t, whole+"/…", d.PointerTo("y"), "one ellipsis is enough")
}

func TestAppendPointer(t *testing.T) {
	require.Equal(t, "/a/b~1c~0d", string(strictjson.AppendPointer([]byte("/a"), "b/c~d")))
	require.Equal(t, "/", string(strictjson.AppendPointer(nil, "")))
}

func TestInsidePointersAndDepth(t *testing.T) {
	for _, c := range []struct {
		name, inner string
		parent      bool
		code, want  string
	}{
		{"of the member", `[1,{"x":01}]`, false, strictjson.CodeSyntax, "/a/0/s/1/x"},
		{"of the object", `{"x":[01]}`, true, strictjson.CodeSyntax, "/a/0/x/0"},
		{"empty", "", false, strictjson.CodeSyntax, "/a/0/s"},
		{"trailing data", "1 2", false, strictjson.CodeSyntax, "/a/0/s"},
		{"trailing data in the object", "{} 2", true, strictjson.CodeSyntax, "/a/0"},
		{"depth 61 more", strings.Repeat("[", 61) + strings.Repeat("]", 61), false, "", ""},
		{"depth 62 more", strings.Repeat("[", 62), false, strictjson.CodeTooLarge, "/a/0/s" + strings.Repeat("/0", 61)},
		{"depth 62 more for the object", strings.Repeat("[", 62) + strings.Repeat("]", 62), true, "", ""},
		{"depth 63 more for the object", strings.Repeat("[", 63), true, strictjson.CodeTooLarge, "/a/0" + strings.Repeat("/0", 62)},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := strictjson.NewDecoder(strictjson.AppendString([]byte(`{"a":[{"s":`), c.inner), nil)
			d.BeginObject()
			d.NextMember()
			d.BeginArray()
			d.NextElement()
			d.BeginObject()
			d.NextMember()
			text, ok := d.ReadString()
			require.True(t, ok)
			in := d.Inside(text, c.parent)
			in.Skip()
			in.End()
			require.Nil(t, d.Err(), "the outer document is not to blame")
			if c.code == "" {
				require.Nil(t, in.Err())
				return
			}
			require.NotNil(t, in.Err())
			require.Equal(t, c.code, in.Err().Code)
			require.Equal(t, c.want, in.Err().Pointer)
		})
	}
	t.Run("at the depth limit", func(t *testing.T) {
		d := strictjson.NewDecoder([]byte(strings.Repeat("[", 64)+`"[]"`), nil)
		for range 64 {
			require.True(t, d.BeginArray())
			require.True(t, d.NextElement())
		}
		text, _ := d.ReadString()
		in := d.Inside(text, false)
		require.False(t, in.BeginArray())
		require.Equal(t, strictjson.CodeTooLarge, in.Err().Code)
		in = d.Inside(text, true)
		require.True(t, in.BeginArray())
		require.False(t, in.NextElement())
		in.End()
		require.Nil(t, in.Err())
		in = d.Inside("1", false)
		n, ok := in.ReadInt()
		require.True(t, ok)
		require.EqualValues(t, 1, n)
	})
	t.Run("at the root", func(t *testing.T) {
		for _, parent := range []bool{false, true} {
			d := strictjson.NewDecoder([]byte(`"[01]"`), nil)
			text, _ := d.ReadString()
			in := d.Inside(text, parent)
			in.Skip()
			require.Equal(t, "/0", in.Err().Pointer)
		}
	})
	t.Run("too large", func(t *testing.T) {
		d := strictjson.NewDecoder([]byte(`["x"]`), nil)
		d.BeginArray()
		d.NextElement()
		in := d.Inside(strings.Repeat(" ", strictjson.MaxDocument+1), false)
		require.Equal(t, strictjson.CodeTooLarge, in.Err().Code)
		require.Equal(t, "/0", in.Err().Pointer)
		require.Equal(t, strictjson.Invalid, in.Kind())
	})
	t.Run("reports count for the outer document", func(t *testing.T) {
		var got []string
		d := strictjson.NewDecoder([]byte(`["{\"a\":1,\"a\":2}"]`), func(pointer, _, _ string) { got = append(got, pointer) })
		d.BeginArray()
		d.NextElement()
		text, _ := d.ReadString()
		_, _, ok := d.Inside(text, false).ReadValue()
		require.False(t, ok)
		require.Equal(t, []string{"/0/a"}, got)
	})
}

func TestOffsets(t *testing.T) {
	document := ` {"a": [10, {"b/~": "x"} ], "\u0063": {}, "long` + strings.Repeat("g", 70) + `": 7, "a\\u0062":8, "a\u0062":9 } `
	at := func(s string) int { return strings.Index(document, s) }
	for pointer, want := range map[string]int{
		"":             1,
		"/a":           at("[10"),
		"/a/0":         at("10"),
		"/a/1":         at(`{"b`),
		"/a/1/b~1~0":   at(`"x"`),
		"/a/1/b~1~0/3": at(`"x"`),
		"/a/1/no":      at(`} ]`),
		"/a/2":         at(`], "`),
		"/a/01":        at(`], "`),
		"/a/-1":        at(`], "`),
		"/c":           at("{},"),
		"/c/no/no":     at("},"),
		"/a/0/x":       at("10"),
		"/no":          at(" } ") + 1,
		"/ab":          at("9 }"),
		`/a\u0062`:     at("8,"),
		"/a/1/…":       at(`{"b`),
		"/long" + strings.Repeat("g", 60) + "…": at("7,"),
	} {
		require.Equal(t, want, strictjson.Offsets([]byte(document), []string{pointer})[0], pointer)
	}
	for _, broken := range []string{"", "{", `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":"`, "[", "[1,", "{1", `[["`, "\x00"} {
		for _, pointer := range []string{"", "/", "/a", "/0", "/1", "/a/b", "no slash", "//"} {
			offset := strictjson.Offsets([]byte(broken), []string{pointer})[0]
			require.GreaterOrEqual(t, offset, 0)
			require.LessOrEqual(t, offset, len(broken))
		}
	}
}
