package strictjson_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// seeds are the documents that every fuzz target begins with.
func seeds() []string {
	list := []string{release(), "", " ", "\ufeff", "[1,2", `{"a":1,"\u0061":2}`, `{"kind":"x","a":{"kind":"y"}}`, manyMembers(30, `"m1":0`)}
	for i, s := range brokenStrings {
		list = append(list, valuePlaces[i%len(valuePlaces)].put(s.text))
	}
	for _, s := range append(brokenValues, brokenBehind...) {
		list = append(list, s.text)
	}
	return append(list,
		`[ "\u0041\ud83d\ude00<>&`+"\u2028"+`\/" ]`, "[1e5,-0,1E+400,0.10]", `{"a":[{"b":[{"c":null}]}],"~/":{"":1}}`, `"[\"a\",{\"b\":1}]"`,
		strings.Repeat("[", 64)+strings.Repeat("]", 64), strings.Repeat("[", 65), strings.Repeat(`{"a":`, 65), strings.Repeat("9", 33),
	)
}

// requireModest holds that nothing that is told quotes much of the input.
func requireModest(t *testing.T, r reading) {
	t.Helper()
	if r.err != nil {
		requireModestProblem(t, r.err.Pointer, r.err.Message)
		require.Contains(t, []string{strictjson.CodeSyntax, strictjson.CodeTooLarge}, r.err.Code)
	}
	for _, p := range r.problems {
		requireModestProblem(t, p.pointer, p.message)
	}
}

func requireModestProblem(t *testing.T, pointer, message string) {
	t.Helper()
	require.LessOrEqual(t, len(pointer), 192+len("/…"))
	require.LessOrEqual(t, len(message), 400) // 64 bytes quoted, each with up to four
	require.True(t, utf8.ValidString(pointer), "%q", pointer)
	require.True(t, utf8.ValidString(message), "%q", message)
	require.NotContains(t, message, "\n")
}

// standardForm writes a document anew with nothing but encoding/json.
func standardForm(t *testing.T, document string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	var b bytes.Buffer
	var value func(json.Token)
	value = func(token json.Token) {
		open, nested := token.(json.Delim)
		if !nested {
			text, err := json.Marshal(token)
			require.NoError(t, err)
			b.Write(text)
			return
		}
		b.WriteString(open.String())
		for i := 0; d.More(); i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			token, err := d.Token()
			require.NoError(t, err)
			value(token)
			if open == '{' {
				b.WriteByte(':')
				token, err = d.Token()
				require.NoError(t, err)
				value(token)
			}
		}
		token, err := d.Token()
		require.NoError(t, err)
		b.WriteString(fmt.Sprint(token))
	}
	token, err := d.Token()
	require.NoError(t, err)
	value(token)
	return b.String()
}

// tree reads a document with encoding/json, numbers by spelling.
func tree(t *testing.T, document string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	require.NoError(t, d.Decode(&v), "%q", document)
	return v
}

// FuzzDecode holds that what is accepted means the same to encoding/json, and
// that its canonical form is what encoding/json would write.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, document string) {
		got := read(document)
		requireModest(t, got)
		if got.err != nil {
			require.GreaterOrEqual(t, got.err.Offset, 0)
			require.LessOrEqual(t, got.err.Offset, len(document))
			return
		}
		require.True(t, json.Valid([]byte(document)), "text is accepted that is none")
		if !got.accepted() {
			return
		}
		require.True(t, utf8.ValidString(document))
		var v any
		require.NoError(t, json.Unmarshal([]byte(document), &v))
		require.Equal(t, tree(t, document), tree(t, got.text), "another meaning")
		require.Equal(t, standardForm(t, document), got.text)
		require.Equal(t, got.text, string(strictjson.AppendValue(nil, document)))
		require.Equal(t, got.text, string(strictjson.AppendValue([]byte("x"), got.text))[1:])
		if len(got.text) <= strictjson.MaxDocument {
			again := read(got.text)
			require.True(t, again.accepted(), "%v %v", again.err, again.problems)
			require.Equal(t, got.text, again.text)
			require.Equal(t, got.depth, again.depth)
		}
		require.Equal(t, depthOf(tree(t, document)), got.depth)
	})
}

func depthOf(v any) (depth int) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			depth = max(depth, depthOf(e))
		}
		return depth + 1
	case map[string]any:
		for _, e := range v {
			depth = max(depth, depthOf(e))
		}
		return depth + 1
	}
	return 0
}

// walker reads a document with calls that a script chooses.
type walker struct {
	t        *testing.T
	d        *strictjson.Decoder
	document string
	script   []byte
	calls    int
	reports  int
	pointers []string
}

func (w *walker) choose(n int) int {
	if len(w.script) == 0 {
		return w.calls % n
	}
	c := int(w.script[0])
	w.script = w.script[1:]
	return c % n
}

func (w *walker) value() {
	w.calls++
	require.Less(w.t, w.calls, 4*len(w.document)+100, "no end")
	w.pointers = append(w.pointers, w.d.Pointer())
	switch w.choose(9) {
	case 0:
		if s, ok := w.d.ReadString(); !ok {
			require.Empty(w.t, s)
		} else if w.choose(2) == 0 {
			w.inside(s)
		}
	case 1:
		if n, ok := w.d.ReadInt(); !ok {
			require.Zero(w.t, n)
		}
	case 2:
		if b, ok := w.d.ReadBool(); !ok {
			require.False(w.t, b)
		}
	case 3:
		text, _, ok := w.d.ReadValue()
		require.Equal(w.t, ok, text != "")
		if ok {
			require.True(w.t, json.Valid([]byte(text)))
		}
	case 4:
		w.d.Skip()
	case 5:
		if !w.d.Null() {
			w.d.UnknownMember("nam", "name", "kind")
		}
	default:
		w.byKind()
	}
	if w.d.Err() != nil {
		w.requireDead()
	}
}

func (w *walker) byKind() {
	switch w.d.Kind() {
	case strictjson.Object:
		if !w.d.BeginObject() {
			return
		}
		w.d.Peek("kind")
		for name, ok := w.d.NextMember(); ok; name, ok = w.d.NextMember() {
			w.d.PointerTo(name)
			w.value()
		}
	case strictjson.Array:
		if !w.d.BeginArray() {
			return
		}
		for w.d.NextElement() {
			w.value()
		}
	default:
		w.d.Skip()
	}
}

func (w *walker) inside(text string) {
	outer := w.d
	pointer := outer.Pointer()
	w.d = outer.Inside(text, false)
	require.Equal(w.t, pointer, w.d.Pointer())
	document := w.document
	w.document += text
	w.value()
	w.document = document
	w.d.End()
	if err := w.d.Err(); err != nil {
		require.True(w.t, strings.HasPrefix(err.Pointer, pointer) || strings.HasSuffix(err.Pointer, "…"))
		require.LessOrEqual(w.t, err.Offset, len(text))
	}
	w.d = outer
	require.Equal(w.t, pointer, w.d.Pointer())
}

// requireDead holds that a decoder that failed does nothing any more.
func (w *walker) requireDead() {
	d, reports, err := w.d, w.reports, *w.d.Err()
	_, ok := d.NextMember()
	require.False(w.t, ok)
	require.False(w.t, d.NextElement())
	require.False(w.t, d.BeginObject())
	require.False(w.t, d.BeginArray())
	require.False(w.t, d.Null())
	require.Equal(w.t, strictjson.Invalid, d.Kind())
	_, ok = d.ReadString()
	require.False(w.t, ok)
	_, ok = d.ReadInt()
	require.False(w.t, ok)
	_, ok = d.ReadBool()
	require.False(w.t, ok)
	text, depth, ok := d.ReadValue()
	require.False(w.t, ok)
	require.Empty(w.t, text)
	require.Zero(w.t, depth)
	_, kind := d.Peek("a")
	require.Equal(w.t, strictjson.Invalid, kind)
	d.Skip()
	d.UnknownMember("a", "b")
	d.Report(strictjson.CodeMalformed, "x")
	d.ReportMember("a", strictjson.CodeMalformed, "x")
	d.End()
	in := d.Inside("[1,]", true)
	in.Skip()
	require.Equal(w.t, d.Err(), in.Err())
	require.Equal(w.t, err, *d.Err())
	require.Equal(w.t, reports, w.reports, "something was reported after an error")
}

// FuzzDecodeCalls holds that no order of calls and no document makes a decoder
// panic, run on for ever, or quote much.
func FuzzDecodeCalls(f *testing.F) {
	for i, s := range seeds() {
		f.Add(s, []byte{8, byte(i), 8, 8, byte(i >> 2), 7})
	}
	f.Add(`["{\"a\":[1,\"[]\"]}"]`, []byte{8, 0, 0, 8, 8})
	f.Fuzz(func(t *testing.T, document string, script []byte) {
		w := &walker{t: t, document: document, script: script}
		w.d = strictjson.NewDecoder([]byte(document), func(pointer, code, message string) {
			w.reports++
			requireModestProblem(t, pointer, message)
			require.NotEmpty(t, code)
		})
		w.value()
		w.d.End()
		if err := w.d.Err(); err != nil {
			requireModestProblem(t, err.Pointer, err.Message)
			w.requireDead()
		}
		for i, pointer := range append(w.pointers, document) {
			offset := strictjson.Offsets([]byte(document), []string{pointer})[0]
			require.GreaterOrEqual(t, offset, 0)
			require.LessOrEqual(t, offset, len(document))
			if i == 50 {
				break
			}
		}
	})
}

// FuzzDecodePeek holds that Peek finds what a full read finds.
func FuzzDecodePeek(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s, "kind")
	}
	f.Add(`{"a\u0062":1,"a\\u0062":2}`, "x")
	for _, s := range peekCases {
		f.Add(s.document, "kind")
	}
	f.Fuzz(func(t *testing.T, document, name string) {
		if !read(document).accepted() {
			d := strictjson.NewDecoder([]byte(document), nil)
			if d.BeginObject() {
				d.Peek(name)
			}
			return
		}
		type found struct {
			text string
			kind strictjson.Kind
		}
		d := strictjson.NewDecoder([]byte(document), nil)
		if !d.BeginObject() {
			return
		}
		all := map[string]found{name: {}}
		for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
			member := found{kind: d.Kind()}
			if member.kind == strictjson.String {
				member.text, _ = d.ReadString()
			} else {
				d.Skip()
			}
			all[name] = member
		}
		tried := 0
		for name, want := range all {
			d = strictjson.NewDecoder([]byte(document), nil)
			require.True(t, d.BeginObject())
			text, kind := d.Peek(name)
			require.Equal(t, want, found{text, kind}, "%q", name)
			if tried++; tried == 20 {
				break
			}
		}
	})
}

// FuzzDecodeInside holds that a document inside a string is read as it would
// be read alone, with pointers and depth that go on.
func FuzzDecodeInside(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, parent bool) {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) || len(text) > strictjson.MaxString {
			return
		}
		outer := string(strictjson.AppendString([]byte(`{"a":[0,{"x":`), text)) + `}]}`
		var got reading
		d := strictjson.NewDecoder([]byte(outer), func(pointer, code, message string) {
			got.problems = append(got.problems, problem{pointer, code, message})
		})
		require.True(t, d.BeginObject())
		d.NextMember()
		require.True(t, d.BeginArray())
		d.NextElement()
		d.Skip()
		d.NextElement()
		require.True(t, d.BeginObject())
		d.NextMember()
		inner, ok := d.ReadString()
		require.True(t, ok)
		require.Equal(t, text, inner)
		in := d.Inside(inner, parent)
		got.text, got.depth, _ = in.ReadValue()
		in.End()
		got.err = in.Err()
		requireModest(t, got)

		prefix, levels := "/a/1/x", 3
		if parent {
			prefix, levels = "/a/1", 2
		}
		alone := read(text)
		if alone.depth+levels > strictjson.MaxDepth || alone.err != nil && alone.err.Code == strictjson.CodeTooLarge ||
			got.err != nil && got.err.Code == strictjson.CodeTooLarge {
			require.NotNil(t, got.err)
			return
		}
		if !got.accepted() {
			got.text = ""
		} else {
			require.Equal(t, alone.depth, got.depth)
		}
		require.Equal(t, alone.text, got.text)
		require.Equal(t, alone.err == nil, got.err == nil)
		if got.err != nil && !strings.HasSuffix(got.err.Pointer, "…") {
			require.Equal(t, prefix+alone.err.Pointer, got.err.Pointer)
			require.Equal(t, alone.err.Offset, got.err.Offset)
			require.Equal(t, alone.err.Message, got.err.Message)
		}
		require.Len(t, got.problems, len(alone.problems))
		for i, p := range alone.problems {
			if !strings.HasSuffix(got.problems[i].pointer, "…") {
				require.Equal(t, problem{prefix + p.pointer, p.code, p.message}, got.problems[i])
			}
		}
		_, ok = d.NextMember()
		require.False(t, ok)
		require.False(t, d.NextElement())
		_, ok = d.NextMember()
		require.False(t, ok)
		d.End()
		require.Nil(t, d.Err())
	})
}

// FuzzAppendString holds that strings are written as encoding/json writes
// them, and read back.
func FuzzAppendString(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Add("<>&\u2028\u2029\x7f\b\f\x00\xff\xed\xa0\x80é😀\ufffd\ufeff")
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		require.NoError(t, err)
		got := strictjson.AppendString(nil, s)
		require.Equal(t, string(want), string(got))
		list, err := json.Marshal([]string{s, "", s})
		require.NoError(t, err)
		require.Equal(t, string(list), string(strictjson.AppendStrings(nil, []string{s, "", s})))
		if strings.ContainsRune(s, 0) || len(s) > strictjson.MaxString {
			return
		}
		d := strictjson.NewDecoder(got, nil)
		back, ok := d.ReadString()
		d.End()
		require.Nil(t, d.Err())
		if ok { // U+FFFD for single bytes may have made it too long
			require.Equal(t, string([]rune(s)), back)
		}
	})
}
