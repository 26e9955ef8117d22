package strictjson_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// problem is what a decoder reports.
type problem struct{ pointer, code, message string }

// reading is all that comes of reading a document.
type reading struct {
	text     string // canonical
	depth    int
	problems []problem
	err      *strictjson.Error
}

func (r reading) accepted() bool { return r.err == nil && len(r.problems) == 0 }

// read reads a whole document as one free value.
func read(document string) (r reading) {
	d := strictjson.NewDecoder([]byte(document), func(pointer, code, message string) {
		r.problems = append(r.problems, problem{pointer, code, message})
	})
	var ok bool
	r.text, r.depth, ok = d.ReadValue()
	d.End()
	r.err = d.Err()
	if !r.accepted() {
		r.text = "" // what stood before something that follows is no result
	} else if !ok {
		panic("ReadValue returned false for no reason that was told")
	}
	return r
}

// place is where a value can stand. A value at offset 0 of what is put in has
// the given pointer; what is wrong behind the value is wrong with container.
type place struct {
	name, before, after, pointer, container string
}

func (p place) put(text string) string { return p.before + text + p.after }

var valuePlaces = []place{
	{"alone", "", "", "", ""},
	{"in an object", `{"a":`, "}", "/a", ""},
	{"in an array", "[0, ", "]", "/1", ""},
	{"deep inside", `{"a":[{"b": [[`, "\t]]}]}", "/a/0/b/0/0", "/a/0/b/0"},
}

var namePlaces = []place{
	{"first name", "{", ":0}", "", ""},
	{"second name", `{"one":1,`, ":0}", "", ""},
	{"name deep inside", `[[{"b":{},`, ":0}]]", "/0/0", "/0/0"},
}

// sample is a text that keeps to a rule or breaks it.
type sample struct {
	rule, text string
	offset     int // of what is wrong
	canonical  string
}

// brokenStrings break one rule inside a string.
var brokenStrings = func() (list []sample) {
	add := func(rule string, offset int, inner ...string) {
		for _, s := range inner {
			list = append(list, sample{rule: rule, text: `"` + s + `"`, offset: offset})
		}
	}
	for c := range byte(' ') {
		add("control characters are escaped", 1, string(rune(c)))
	}
	add("control characters are escaped", 4, "abc\ndef", "abc\x1f", `\\a`+"\x00")
	add("the text is UTF-8", 1,
		"\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xc2", "\xc2a", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe2\x82", "\xed\xa0\x80",
		"\xed\xbf\xbf", "\xed\xa0\xbd\xed\xb8\x80", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98", "\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff", "\xff\xfe")
	add("the text is UTF-8", 4, "é\u007f\x80", "abc\xffdef", `\\a`+"\xff")
	add("a lone surrogate is refused", 1,
		`\ud800`, `\uD800`, `\udbff`, `\udc00`, `\uDFFF`, `\ud800x`, `\ud800\n`, `\ud800\u0041`, `\ud800\ud800`, `\ud83d\\ude00`,
		`\udc00\ud800`, `\ud83d \ude00`, `\ud83d\ude0`, `\ud83d\ude0g`, `\ud83d\U0000`)
	add("a lone surrogate is refused", 13, `\ud83d\ude00\ud800`, `\ud83d\ude00\ude00`)
	add("NUL is refused", 1, `\u0000`)
	add("NUL is refused", 3, `ab\u0000`, `\n\u0000cd`)
	add("only known escapes", 1, `\a`, `\v`, `\0`, `\'`, `\x41`, `\U00000041`, `\N`, `\é`, `\ `, "\\\n", "\\\x00", "\\\xff", `\e`, `\{`)
	add(`\u has four digits`, 1, `\u`, `\u1`, `\u12`, `\u123`, `\u12g4`, `\u+123`, `\u 123`, `\u-001`, `\uu004`, `\u{41}`, `\u００４１`)
	return list
}()

// brokenValues begin a value and break a rule in it.
var brokenValues = []sample{
	{rule: "numbers: a digit follows the sign", text: "-", offset: 1},
	{rule: "numbers: a digit follows the sign", text: "--1", offset: 1},
	{rule: "numbers: a digit follows the sign", text: "-a", offset: 1},
	{rule: "numbers: a digit follows the sign", text: "-.5", offset: 1},
	{rule: "numbers: a digit follows the sign", text: "-Infinity", offset: 1},
	{rule: "numbers: no leading zero", text: "00", offset: 1},
	{rule: "numbers: no leading zero", text: "01", offset: 1},
	{rule: "numbers: no leading zero", text: "-01", offset: 2},
	{rule: "numbers: no leading zero", text: "007.5", offset: 1},
	{rule: "numbers: digits follow the point", text: "1.", offset: 2},
	{rule: "numbers: digits follow the point", text: "1.e5", offset: 2},
	{rule: "numbers: digits follow the point", text: "1..2", offset: 2},
	{rule: "numbers: digits follow the point", text: "0.x", offset: 2},
	{rule: "numbers: digits follow the exponent", text: "1e", offset: 2},
	{rule: "numbers: digits follow the exponent", text: "1E", offset: 2},
	{rule: "numbers: digits follow the exponent", text: "1e+", offset: 3},
	{rule: "numbers: digits follow the exponent", text: "1E-", offset: 3},
	{rule: "numbers: digits follow the exponent", text: "1e.5", offset: 2},
	{rule: "numbers: digits follow the exponent", text: "1e+-5", offset: 3},
	{rule: "literals are spelled out", text: "nul"},
	{rule: "literals are spelled out", text: "n"},
	{rule: "literals are spelled out", text: "nULL"},
	{rule: "literals are spelled out", text: "tru"},
	{rule: "literals are spelled out", text: "tRUE"},
	{rule: "literals are spelled out", text: "fals"},
	{rule: "literals are spelled out", text: "falſe"},
	{rule: "literals are spelled out", text: "nil"},
	{rule: "literals are spelled out", text: "nan"},
	{rule: "a value begins as one", text: "+1"},
	{rule: "a value begins as one", text: ".5"},
	{rule: "a value begins as one", text: "NaN"},
	{rule: "a value begins as one", text: "Infinity"},
	{rule: "a value begins as one", text: "True"},
	{rule: "a value begins as one", text: "NULL"},
	{rule: "a value begins as one", text: "undefined"},
	{rule: "a value begins as one", text: "'a'"},
	{rule: "a value begins as one", text: "`a`"},
	{rule: "a value begins as one", text: "“a”"},
	{rule: "a value begins as one", text: "１"},
	{rule: "a value begins as one", text: ":"},
	{rule: "a value begins as one", text: ","},
	{rule: "a value begins as one", text: "*"},
	{rule: "a value begins as one", text: "// comment\n1"},
	{rule: "a value begins as one", text: "/* comment */ 1"},
	{rule: "a value begins as one", text: "# comment\n1"},
	{rule: "a value begins as one", text: "\x00"},
	{rule: "a value begins as one", text: "\x7f"},
	{rule: "no byte order mark", text: "\ufeff1"},
	{rule: "no byte order mark", text: "\xff\xfe1\x00"},
	{rule: "no byte order mark", text: "\xfe\xff\x001"},
	{rule: "white space is space, tab, line feed, carriage return", text: "\v1"},
	{rule: "white space is space, tab, line feed, carriage return", text: "\f1"},
	{rule: "white space is space, tab, line feed, carriage return", text: "\u00a01"},
	{rule: "white space is space, tab, line feed, carriage return", text: "\u20281"},
	{rule: "white space is space, tab, line feed, carriage return", text: "\u00851"},
}

// brokenBehind hold a whole value, and what follows is wrong.
var brokenBehind = []sample{
	{rule: "nothing follows a number", text: "0x10", offset: 1},
	{rule: "nothing follows a number", text: "1_000", offset: 1},
	{rule: "nothing follows a number", text: "12a", offset: 2},
	{rule: "nothing follows a number", text: "1.5.5", offset: 3},
	{rule: "nothing follows a number", text: "1e5e5", offset: 3},
	{rule: "nothing follows a number", text: "1-1", offset: 1},
	{rule: "nothing follows a number", text: "0 1", offset: 2},
	{rule: "nothing follows a literal", text: "nulll", offset: 4},
	{rule: "nothing follows a literal", text: "truefalse", offset: 4},
	{rule: "nothing follows a literal", text: "false0", offset: 5},
	{rule: "nothing follows a string", text: `"a""b"`, offset: 3},
	{rule: "nothing follows a string", text: `"a"b`, offset: 3},
	{rule: "nothing follows a string", text: `"a" "b"`, offset: 4},
	{rule: "nothing follows an object", text: "{}{}", offset: 2},
	{rule: "nothing follows an object", text: "{} []", offset: 3},
	{rule: "nothing follows an array", text: "[]1", offset: 2},
	{rule: "nothing follows an array", text: "[]\n\n{}", offset: 4},
	{rule: "nothing follows a value", text: "1;", offset: 1},
	{rule: "nothing follows a value", text: "1\x00", offset: 1},
	{rule: "nothing follows a value", text: "1\xff", offset: 1},
	{rule: "nothing follows a value", text: "1\ufeff", offset: 1},
	{rule: "nothing follows a value", text: "1 // comment", offset: 2},
}

// TestRejectText holds that every defect of the text ends the reading, with
// the pointer and the offset of what is wrong.
func TestRejectText(t *testing.T) {
	cases := 0
	reject := func(rule, document, pointer string, offset int) {
		cases++
		t.Run(fmt.Sprintf("%s/%.40q", rule, document), func(t *testing.T) {
			got := read(document)
			require.NotNil(t, got.err)
			require.Equal(t, strictjson.CodeSyntax, got.err.Code)
			require.Equal(t, pointer, got.err.Pointer)
			require.Equal(t, offset, got.err.Offset, got.err.Message)
			require.Empty(t, got.problems)
			require.Empty(t, got.text)
		})
	}
	for _, s := range brokenStrings {
		for _, p := range append(valuePlaces, namePlaces...) {
			reject(s.rule, p.put(s.text), p.pointer, len(p.before)+s.offset)
		}
	}
	for _, p := range valuePlaces {
		for _, s := range brokenValues {
			reject(s.rule, p.put(s.text), p.pointer, len(p.before)+s.offset)
		}
		for _, s := range brokenBehind {
			reject(s.rule, p.put(s.text), p.container, len(p.before)+s.offset)
		}
	}
	for _, c := range []struct {
		rule, document, pointer string
		offset                  int
	}{
		{"a document is not empty", "", "", 0},
		{"a document is not empty", " ", "", 1},
		{"a document is not empty", "\n\t\r \n", "", 5},
		{"a document is not empty", "\ufeff", "", 0},
		{"strings end", `"`, "", 1},
		{"strings end", `"abc`, "", 4},
		{"strings end", `"abcdefghijk`, "", 12},
		{"strings end", `"é`, "", 3},
		{"strings end", `"\n`, "", 3},
		{"strings end", `"\`, "", 1},
		{"strings end", `"a\"`, "", 4},
		{"strings end", `"\u`, "", 1},
		{"strings end", `"\ud83d`, "", 1},
		{"strings end", "\"\xe2", "", 1},
		{"strings end", `{"a`, "", 3},
		{"strings end", `{"a":"b`, "/a", 7},
		{"strings end", `["a","b`, "/1", 7},
		{"objects end", "{", "", 1},
		{"objects end", "{ ", "", 2},
		{"objects end", `{"a":1`, "", 6},
		{"objects end", `{"a":1 `, "", 7},
		{"objects end", `{"a":{}`, "", 7},
		{"objects end", `{"a":{"b":1}`, "", 12},
		{"objects end", `[{"b":1`, "/0", 7},
		{"arrays end", "[", "/0", 1},
		{"arrays end", "[1", "", 2},
		{"arrays end", "[1 ", "", 3},
		{"arrays end", "[[]", "", 3},
		{"arrays end", "[[[1]]", "", 6},
		{"arrays end", `{"a":[1`, "/a", 7},
		{"brackets match", "]", "", 0},
		{"brackets match", "}", "", 0},
		{"brackets match", "[}", "/0", 1},
		{"brackets match", "{]", "", 1},
		{"brackets match", "[1}", "", 2},
		{"brackets match", `{"a":1]`, "", 6},
		{"brackets match", `{"a":[}`, "/a/0", 6},
		{"brackets match", `[{"a":1]`, "/0", 7},
		{"brackets match", "[]]", "", 2},
		{"brackets match", "{}}", "", 2},
		{"commas stand between", "[,]", "/0", 1},
		{"commas stand between", "[,1]", "/0", 1},
		{"commas stand between", "[1,]", "/1", 3},
		{"commas stand between", "[1, ]", "/1", 4},
		{"commas stand between", "[1,,2]", "/1", 3},
		{"commas stand between", "[1 2]", "", 3},
		{"commas stand between", "[[][]]", "", 3},
		{"commas stand between", `["a" "b"]`, "", 5},
		{"commas stand between", "[1,", "/1", 3},
		{"commas stand between", "{,}", "", 1},
		{"commas stand between", `{,"a":1}`, "", 1},
		{"commas stand between", `{"a":1,}`, "", 7},
		{"commas stand between", `{"a":1,,"b":2}`, "", 7},
		{"commas stand between", `{"a":1 "b":2}`, "", 7},
		{"commas stand between", `{"a":1;"b":2}`, "", 6},
		{"commas stand between", `{"a":1,`, "", 7},
		{"commas stand between", `{"a":[1,],"b":2}`, "/a/1", 8},
		{"a colon follows a name", `{"a"}`, "/a", 4},
		{"a colon follows a name", `{"a",1}`, "/a", 4},
		{"a colon follows a name", `{"a" 1}`, "/a", 5},
		{"a colon follows a name", `{"a"=1}`, "/a", 4},
		{"a colon follows a name", `{"a"`, "/a", 4},
		{"a colon follows a name", `{"a":1,"b"}`, "/b", 10},
		{"a colon follows a name", `["a":1]`, "", 4},
		{"a value follows a colon", `{"a":}`, "/a", 5},
		{"a value follows a colon", `{"a":`, "/a", 5},
		{"a value follows a colon", `{"a": ,"b":1}`, "/a", 6},
		{"a value follows a colon", `{"a"::1}`, "/a", 5},
		{"a value follows a colon", `{"a":]}`, "/a", 5},
		{"names stand in double quotes", "{a:1}", "", 1},
		{"names stand in double quotes", "{'a':1}", "", 1},
		{"names stand in double quotes", "{1:1}", "", 1},
		{"names stand in double quotes", "{null:1}", "", 1},
		{"names stand in double quotes", "{:1}", "", 1},
		{"names stand in double quotes", "{{}:1}", "", 1},
		{"names stand in double quotes", `{"a":1,b:2}`, "", 7},
		{"names stand in double quotes", `{"a":{b:2}}`, "/a", 6},
	} {
		reject(c.rule, c.document, c.pointer, c.offset)
	}
	require.Greater(t, cases, 900)
}

// TestRejectValue holds that what is wrong with a value is reported with its
// pointer, and that reading goes on.
func TestRejectValue(t *testing.T) {
	type wrong struct{ rule, text, code string }
	var table []wrong
	for _, s := range []string{
		strings.Repeat("1", 33), "-" + strings.Repeat("1", 32), "0." + strings.Repeat("1", 31), "1e" + strings.Repeat("0", 31),
		strings.Repeat("1", 400), "1" + strings.Repeat("0", 9000), "1e" + strings.Repeat("9", 100),
	} {
		table = append(table, wrong{"numbers have at most 32 characters", s, strictjson.CodeTooLarge})
	}
	for _, s := range []string{"1e309", "-1e309", "1e400", "1.8e308", "1E+999", "1e99999999999999999999", "-9.9e9999", "123456789e301"} {
		table = append(table, wrong{"numbers fit a double", s, strictjson.CodeOutOfRange})
	}
	limit := strictjson.MaxString
	for _, s := range []string{
		strings.Repeat("a", limit+1), strings.Repeat("é", limit/2) + "x", strings.Repeat(`\n`, limit+1),
		strings.Repeat("a", limit) + `\u0041`, strings.Repeat("€", limit/3+1), `\ud83d\ude00` + strings.Repeat("<", limit-3),
	} {
		table = append(table, wrong{"strings have at most 64 KiB", `"` + s + `"`, strictjson.CodeTooLarge})
	}
	for _, c := range table {
		for _, p := range valuePlaces {
			t.Run(fmt.Sprintf("%s/%.20s/%s", c.rule, c.text, p.name), func(t *testing.T) {
				got := read(p.put(c.text))
				require.Nil(t, got.err)
				require.Empty(t, got.text)
				require.Len(t, got.problems, 1)
				require.Equal(t, c.code, got.problems[0].code)
				require.Equal(t, p.pointer, got.problems[0].pointer)
			})
		}
	}
}

// manyMembers returns an object of n members, m0 to m(n-1), and one more.
func manyMembers(n int, more string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"m%d":{"m0":[]},`, i)
	}
	return "{" + b.String() + more + "}"
}

// TestRejectDuplicates holds that no object at any level holds a name twice.
func TestRejectDuplicates(t *testing.T) {
	type duplicate struct {
		name, document string
		pointers       []string
	}
	table := []duplicate{
		{"side by side", `{"a":1,"a":1}`, []string{"/a"}},
		{"apart", `{"a":1,"b":2,"a":3}`, []string{"/a"}},
		{"three times", `{"a":1,"a":2,"a":3}`, []string{"/a", "/a"}},
		{"two names", `{"a":1,"b":2,"b":3,"a":4}`, []string{"/b", "/a"}},
		{"the empty name", `{"":1,"":2}`, []string{"/"}},
		{"through an escape", `{"a":1,"\u0061":2}`, []string{"/a"}},
		{"through an escape first", `{"\u0061":1,"a":2}`, []string{"/a"}},
		{"through two spellings", `{"\u00e9":1,"\u00E9":2}`, []string{"/é"}},
		{"through an escape and UTF-8", `{"é":1,"\u00e9":2}`, []string{"/é"}},
		{"through a surrogate pair", `{"😀":1,"\ud83d\ude00":2}`, []string{"/😀"}},
		{"through an escaped slash", `{"a/b":1,"a\/b":2}`, []string{"/a~1b"}},
		{"in an inner object", `{"a":{"b":1,"b":2}}`, []string{"/a/b"}},
		{"in an element", `[{},{"b":1,"b":2}]`, []string{"/1/b"}},
		{"after an inner object", `{"a":{"x":1,"y":2},"a":3}`, []string{"/a"}},
		{"inside a duplicate", `{"a":1,"a":{"b":1,"b":2}}`, []string{"/a", "/a/b"}},
		{"inside and outside", `{"a":{"b":1,"b":2},"c":3,"c":4}`, []string{"/a/b", "/c"}},
		{"in objects of one array", `[{"a":1,"a":1},{"a":1,"a":1}]`, []string{"/0/a", "/1/a"}},
	}
	for depth := range strictjson.MaxDepth {
		table = append(table, duplicate{
			fmt.Sprintf("at level %d", depth),
			strings.Repeat(`{"x":`, depth) + `{"a":1,"a":2}` + strings.Repeat("}", depth),
			[]string{strings.Repeat("/x", depth) + "/a"},
		})
	}
	for _, n := range []int{22, 23, 24, 25, 26, 100, 1000} {
		for _, i := range []int{0, 1, n / 2, n - 1} {
			table = append(table, duplicate{
				fmt.Sprintf("member %d after %d", i, n),
				manyMembers(n, fmt.Sprintf(`"m%d":1`, i)),
				[]string{fmt.Sprintf("/m%d", i)},
			})
		}
		table = append(table, duplicate{
			fmt.Sprintf("large in large, %d", n),
			manyMembers(n, `"in":`+manyMembers(n, `"m1":0,"in":0`)+`,"m\u0030":0,"z":0,"in":0`),
			[]string{"/in/m1", "/m0", "/in"},
		}, duplicate{
			fmt.Sprintf("large after large, %d", n),
			"[" + manyMembers(n, `"m1":0`) + "," + manyMembers(n, `"z":0`) + "," + manyMembers(n, `"m2":0`) + "]",
			[]string{"/0/m1", "/2/m2"},
		})
	}
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			got := read(c.document)
			require.Nil(t, got.err)
			require.Empty(t, got.text)
			var pointers []string
			for _, p := range got.problems {
				require.Equal(t, strictjson.CodeDuplicate, p.code)
				if len(p.pointer) < 190 {
					pointers = append(pointers, p.pointer)
				}
			}
			require.Equal(t, c.pointers, pointers)
		})
	}
}

// TestAcceptDistinct holds that names are compared byte for byte, and only
// within one object.
func TestAcceptDistinct(t *testing.T) {
	for _, document := range []string{
		`{"a":1,"A":2}`, "{\"k\":1,\"\u212a\":2}", "{\"s\":1,\"\u017f\":2}", "{\"\u00e9\":1,\"e\u0301\":2}", `{"a":1,"a ":2}`, `{"":1," ":2}`,
		`{"a":{"a":{"a":1}}}`, `[{"a":1},{"a":1}]`, `{"a":[{"b":1},{"b":1}],"b":1}`, `{"a":"a","b":"a"}`, `{"a~0b":1,"a~b":2}`,
		`{"\\u0061":1,"a":2}`, `{"a\\":1,"a":2}`, manyMembers(23, `"x":1`), manyMembers(24, `"x":1`), manyMembers(25, `"M0":1`),
		manyMembers(30, `"x":`+manyMembers(30, `"y":1`)), "[" + manyMembers(30, `"y":1`) + "," + manyMembers(30, `"y":1`) + "]",
	} {
		got := read(document)
		require.True(t, got.accepted(), "%.60s: %v %v", document, got.err, got.problems)
	}
}

// TestAccept holds what must pass, and its canonical form.
func TestAccept(t *testing.T) {
	same := func(rule string, texts ...string) (list []sample) {
		for _, s := range texts {
			list = append(list, sample{rule: rule, text: s, canonical: s})
		}
		return list
	}
	table := same("literals", "null", "true", "false")
	table = append(table, same("numbers keep their spelling",
		"0", "-0", "1", "-1", "10", "1234567890", "0.5", "-0.0", "1.0", "1.50", "1e5", "1E5", "1e+5", "1E-5", "0e0", "0E+999", "1e00005",
		"9007199254740993", "18446744073709551616", "1.7976931348623157e308", "5e-324", "1e-999", "2.2250738585072014E-308",
		strings.Repeat("1", 32), "-"+strings.Repeat("1", 31), "0."+strings.Repeat("0", 30), "1e"+strings.Repeat("0", 30))...)
	table = append(table, same("strings as they are",
		`""`, `"a"`, `" "`, `"\t\n\r\b\f\"\\"`, `"\u0001\u001f"`, "\"\x7f\"", `"é€😀"`, "\"\ufeff\"", "\"\ufffd\"", "\"\ufffe\U0010ffff\"",
		`"\u003c\u003e\u0026"`, `"\u2028\u2029"`, `"0123456789abcdef"`, `"{[]},:"`, `"// no comment"`, `"'"`)...)
	table = append(table, same("arrays and objects", "[]", "{}", "[[]]", "[{}]", `{"":""}`, `{"a":{}}`, `[1,"a",null,true,[],{}]`,
		`{"b":1,"a":2}`, `{"a":[{"b":[{"c":null}]}]}`)...)
	table = append(table, []sample{
		{rule: "white space is dropped", text: " \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n", canonical: "[1,2]"},
		{rule: "white space is dropped", text: "{ \"a\" : 1 , \"b\" : [ ] }", canonical: `{"a":1,"b":[]}`},
		{rule: "white space is dropped", text: "[\n                \"a b\"\n]", canonical: `["a b"]`},
		{rule: "white space is dropped", text: "{\r\n}", canonical: "{}"},
		{rule: "white space is dropped", text: "[ ]", canonical: "[]"},
		{rule: "white space in strings stays", text: `[ " a  b " ]`, canonical: `[" a  b "]`},
		{rule: "escapes are rewritten", text: `"\u0041\u00e9\u20ac"`, canonical: `"Aé€"`},
		{rule: "escapes are rewritten", text: `"\ud83d\ude00\uD83D\uDE00"`, canonical: `"😀😀"`},
		{rule: "escapes are rewritten", text: `"\ud800\udc00\udbff\udfff"`, canonical: "\"\U00010000\U0010ffff\""},
		{rule: "escapes are rewritten", text: `"a\/b"`, canonical: `"a/b"`},
		{rule: "escapes are rewritten", text: `"\u0022\u005c\u002f\u0009"`, canonical: `"\"\\/\t"`},
		{rule: "escapes are rewritten", text: `"\u0008\u000c\u000a\u000d\u001F"`, canonical: `"\b\f\n\r\u001f"`},
		{rule: "escapes are rewritten", text: `"\u003C\uFEFF\uFFFD"`, canonical: "\"\\u003c\ufeff\ufffd\""},
		{rule: "escapes are rewritten", text: `"\ud7ff\ue000\uffff"`, canonical: "\"\ud7ff\ue000\uffff\""},
		{rule: "escapes are rewritten", text: `{"\u0061<":{"\/":1}}`, canonical: `{"a\u003c":{"/":1}}`},
		{rule: "HTML is escaped", text: `"<a href='x'>&</a>"`, canonical: `"\u003ca href='x'\u003e\u0026\u003c/a\u003e"`},
		{rule: "HTML is escaped", text: `{"&":1}`, canonical: `{"\u0026":1}`},
		{rule: "line separators are escaped", text: "\"\u2028\"", canonical: `"\u2028"`},
		{rule: "line separators are escaped", text: "\"\u2029\"", canonical: `"\u2029"`},
		{rule: "line separators are escaped", text: "\"\u2028 \u2029\"", canonical: `"\u2028 \u2029"`},
	}...)
	cases := 0
	for _, s := range table {
		for _, p := range valuePlaces {
			cases++
			t.Run(fmt.Sprintf("%s/%.30q/%s", s.rule, s.text, p.name), func(t *testing.T) {
				got := read(p.put(s.text))
				require.True(t, got.accepted(), "%v %v", got.err, got.problems)
				require.Equal(t, strings.Join(strings.Fields(p.before), "")+s.canonical+strings.TrimSpace(p.after), got.text)
				require.Equal(t, got.text, read(got.text).text, "a fixed point")
			})
		}
	}
	require.Greater(t, cases, 250)
}

// TestLimits holds each limit: at the limit passes, one more fails.
func TestLimits(t *testing.T) {
	arrays := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	mixed := func(n int) string { return strings.Repeat(`[{"a":`, n/2) + "1" + strings.Repeat("}]", n/2) }
	filled := func(n int) string { return "[" + strings.Repeat(" ", n-2) + "]" }
	text := func(n int) string { return `"` + strings.Repeat("a", n) + `"` }
	escapes := func(n int) string { return `"` + strings.Repeat(`\u0041`, n) + `"` }

	accepted := map[string]string{
		"arrays of depth 64":         arrays(64),
		"objects of depth 64":        objects(64),
		"both of depth 64":           mixed(64),
		"depth 64 many times":        "[" + strings.Repeat(arrays(63)+",", 1000) + "0]",
		"document of 1 MiB":          filled(strictjson.MaxDocument),
		"string of 64 KiB":           text(strictjson.MaxString),
		"string of 64 KiB, escaped":  escapes(strictjson.MaxString),
		"string of 64 KiB, UTF-8":    `"` + strings.Repeat("😀", strictjson.MaxString/4) + `"`,
		"name of 64 KiB":             "{" + text(strictjson.MaxString) + ":1}",
		"name of 64 KiB, escaped":    "{" + escapes(strictjson.MaxString) + ":1}",
		"number of 32 characters":    strings.Repeat("9", strictjson.MaxNumber),
		"strings of 1 MiB, together": "[" + strings.Repeat(text(60000)+",", 17) + "1]",
	}
	for name, document := range accepted {
		t.Run(name, func(t *testing.T) {
			got := read(document)
			require.True(t, got.accepted(), "%v %v", got.err, got.problems)
		})
	}
	require.Equal(t, 64, read(arrays(64)).depth)
	require.Equal(t, 64, read(objects(64)).depth)
	require.Equal(t, 3, read(`[[],[[]],{},1]`).depth)
	require.Equal(t, 0, read("1").depth)

	for name, c := range map[string]struct {
		document, pointer string
		offset            int
	}{
		"arrays of depth 65":       {arrays(65), strings.Repeat("/0", 64), 64},
		"objects of depth 65":      {objects(65), strings.Repeat("/a", 64), 64 * 5},
		"both of depth 65":         {mixed(64)[:32*6] + "[]", strings.Repeat("/0/a", 32), 32 * 6},
		"one MiB of brackets":      {strings.Repeat("[", 1<<20), strings.Repeat("/0", 64), 64},
		"one MiB of braces":        {strings.Repeat(`{"":`, 1<<18), strings.Repeat("/", 64), 64 * 4},
		"ten megabytes of bracket": {strings.Repeat("[", 10_000_000), "", 0},
		"document of 1 MiB + 1":    {filled(strictjson.MaxDocument + 1), "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := read(c.document)
			require.NotNil(t, got.err)
			require.Equal(t, strictjson.CodeTooLarge, got.err.Code)
			require.Equal(t, c.pointer, got.err.Pointer)
			require.Equal(t, c.offset, got.err.Offset)
			require.Empty(t, got.problems)
		})
	}
	for name, long := range map[string]string{
		"name of 64 KiB + 1":          text(strictjson.MaxString + 1),
		"name of 64 KiB + 1, escaped": escapes(strictjson.MaxString + 1),
	} {
		t.Run(name, func(t *testing.T) {
			got := read("{" + long + `:{"a":1,"a":2},"b":01e}`)
			require.Len(t, got.problems, 2)
			require.Equal(t, strictjson.CodeTooLarge, got.problems[0].code)
			require.Contains(t, got.problems[0].pointer, "…")
			require.Equal(t, strictjson.CodeDuplicate, got.problems[1].code)
			require.Equal(t, "/b", got.err.Pointer, "reading went on")
		})
	}
}

// TestMessages holds what people read.
func TestMessages(t *testing.T) {
	for document, want := range map[string]string{
		"":                   "the text ends where a value should be (line 1, column 1)",
		"{\n  \"é\" 1}":      "/é: '1' stands where a colon should be (line 2, column 7)",
		"\ufeff{}":           "a byte order mark stands where a value should be; remove it (line 1, column 1)",
		"\xff\xfe{":          "byte 0xff is not UTF-8 (line 1, column 1)",
		`["\q"]`:             `/0: a backslash and 'q' are no escape (line 1, column 3)`,
		`["\é"]`:             `/0: a backslash and 'é' are no escape (line 1, column 3)`,
		"[\"\\\xff\"]":       `/0: byte 0xff is not UTF-8 (line 1, column 3)`,
		`["\ud800"]`:         `/0: \ud800 is half of a surrogate pair (line 1, column 3)`,
		`["\u12"]`:           `/0: \u must be followed by four hexadecimal digits (line 1, column 3)`,
		`["\u0000"]`:         "/0: the character NUL is not allowed (line 1, column 3)",
		"[\"\n\"]":           "/0: control character 0x0a stands in a string; write it as an escape (line 1, column 3)",
		"[nul]":              `/0: "nul" is no JSON value; null was expected (line 1, column 2)`,
		"[01]":               "/0: a number must not begin with 0 (line 1, column 3)",
		"[1,]":               "/1: ']' stands where a value should be (line 1, column 4)",
		"[1 2]":              "'2' stands where a comma or a closing bracket should be (line 1, column 4)",
		`{"a":1 "b":2}`:      "'\"' stands where a comma or a closing brace should be (line 1, column 8)",
		`{"a":1,}`:           "'}' stands where a member's name in double quotes should be (line 1, column 8)",
		"{} {}":              "'{' stands where the end of the document should be (line 1, column 4)",
		"[" + arraysOpen(64): strings.Repeat("/0", 64) + ": arrays and objects are nested deeper than 64",
	} {
		err := read(document).err
		require.NotNil(t, err, document)
		require.EqualError(t, err, want, document)
	}
	for document, want := range map[string]problem{
		`{"a":1,"a":2}`:                         {"/a", strictjson.CodeDuplicate, `the name "a" stands twice in this object`},
		"[1e999]":                               {"/0", strictjson.CodeOutOfRange, "is 1e999, beyond what a double holds"},
		strings.Repeat("1", 33):                 {"", strictjson.CodeTooLarge, "is a number of 33 characters; at most 32 are allowed"},
		`"` + strings.Repeat("é", 1<<15) + `x"`: {"", strictjson.CodeTooLarge, "has 65537 bytes; at most 65536 are allowed"},
	} {
		require.Equal(t, []problem{want}, read(document).problems)
	}
}

func arraysOpen(n int) string { return strings.Repeat("[", n) }
