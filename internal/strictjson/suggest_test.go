package strictjson_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/internal/strictjson"
)

func TestNearest(t *testing.T) {
	known := []string{"key", "_id", "kind", "name", "waitDuration", "waitDurationUnit", "description", "stages", "notifyMemberIds"}
	for _, c := range []struct{ name, word, want string }{
		{"the word itself", "kind", "kind"},
		{"upper case", "WAITDURATION", "waitDuration"},
		{"title case", "Stages", "stages"},
		{"long s folds to s", "\u017ftages", "stages"},
		{"more than one folded rune", "\u017ftage\u017f", "stages"},
		{"Kelvin sign folds to k", "\u212aind", "kind"},
		{"only folded runes", "\u212aey", "key"},
		{"one letter more", "waitDurationUnits", "waitDurationUnit"},
		{"one letter less", "descripton", "description"},
		{"one letter other", "notifyMemberIdz", "notifyMemberIds"},
		{"neighbours swapped", "knid", "kind"},
		{"neighbours swapped in a short word", "kye", "key"},
		{"underscore forgotten", "id", "_id"},
		{"a third away", "waitDuraQQQQ", "waitDuration"},
		{"more than a third away", "waiQQQQQion", ""},
		{"the nearer of two", "waitDurationUni", "waitDurationUnit"},
		{"the beginning", "notify", "notifyMemberIds"},
		{"a beginning of three letters", "des", ""},
		{"something else", "colour", ""},
		{"one other letter", "x", ""},
		{"empty", "", ""},
		{"too long", "stages" + strings.Repeat("s", 60), ""},
		{"huge", strings.Repeat("s", 1<<16), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, strictjson.Nearest(c.word, known))
		})
	}
	require.Equal(t, "ab", strictjson.Nearest("aX", []string{"ab", "ac"}), "the first of equally near words")
	require.Equal(t, "key", strictjson.Nearest("KEY", []string{"ke", "key"}), "case before distance")
	require.Empty(t, strictjson.Nearest("a", nil))
	require.Empty(t, strictjson.Nearest("a", []string{""}))
	require.Empty(t, strictjson.Nearest("", []string{""}))
}

func TestClosest(t *testing.T) {
	known := []string{"turnFlagOn", "turnFlagOff", "archiveFlag"}
	require.Equal(t, "turnFlagOn", strictjson.Closest("turnFlagOnn", known))
	require.Equal(t, "archiveFlag", strictjson.Closest("arrivesFLAG", known))
	require.Equal(t, "turnFlagOn", strictjson.Closest("", known), "the shortest of all is least far")
	require.Equal(t, "turnFlagOn", strictjson.Closest("zzzzzzzzzz", known), "the first of equally far words")
	require.Contains(t, known, strictjson.Closest(strings.Repeat("\xff", 1<<16), known))
	require.Empty(t, strictjson.Closest("x", nil))

	a, b := strings.Repeat("a", 64), strings.Repeat("b", 100)
	require.Equal(t, a, strictjson.Closest(a+strings.Repeat("b", 200), []string{b, a}), "only the first 64 bytes are measured")
}

func TestUnknownMember(t *testing.T) {
	read := func(document string) (list []problem) {
		d := strictjson.NewDecoder([]byte(document), func(pointer, code, message string) {
			list = append(list, problem{pointer, code, message})
		})
		d.BeginObject()
		for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
			d.UnknownMember(name, "kind", "waitDurationUnit")
		}
		d.End()
		require.Nil(t, d.Err())
		return list
	}
	require.Equal(t, []problem{
		{"/waitDurationUnits", strictjson.CodeUnknownMember, `the member "waitDurationUnits" is unknown here; did you mean "waitDurationUnit"?`},
		{"/Kind", strictjson.CodeUnknownMember, `the member "Kind" is unknown here; did you mean "kind"?`},
		{"/\n", strictjson.CodeUnknownMember, `the member "\n" is unknown here`},
	}, read(`{"waitDurationUnits":{"deep":[1]},"Kind":1,"\n":2}`))

	long := read(`{"` + strings.Repeat("A", 1000) + `":1}`)[0]
	require.Equal(t, 128, strings.Count(long.pointer+long.message, "A"), "64 bytes at a time")

	var many strings.Builder
	for i := range 150 {
		many.WriteString(`"kinD` + strings.Repeat("x", i%2) + strings.Repeat(" ", i/2) + `":1,`)
	}
	list := read("{" + many.String() + `"kin":1}`)
	require.Len(t, list, 151)
	require.Contains(t, list[0].message, "did you mean")
	require.NotContains(t, list[150].message, "did you mean", "after a hundred nobody reads on")

	list = nil
	d := strictjson.NewDecoder([]byte("1"), func(pointer, code, message string) {
		list = append(list, problem{pointer, code, message})
	})
	for range 101 {
		in := d.Inside(`{"kin":1}`, false)
		in.BeginObject()
		name, _ := in.NextMember()
		in.UnknownMember(name, "kind")
	}
	require.Contains(t, list[99].message, "did you mean")
	require.NotContains(t, list[100].message, "did you mean", "documents in strings count too")
}

func TestLongWordsAreMeasured(t *testing.T) {
	long := strings.Repeat("long", 50)
	require.Equal(t, long, strictjson.Nearest(long[:160]+"X"+long[160:], []string{"short", long}))
}

func TestQuote(t *testing.T) {
	for s, want := range map[string]string{
		"":                      `""`,
		"a\"b\n\x1b[31m":        `"a\"b\n\x1b[31m"`,
		"\u202e\u200b":          `"\u202e\u200b"`,
		strings.Repeat("a", 64): `"` + strings.Repeat("a", 64) + `"`,
		strings.Repeat("a", 65): `"` + strings.Repeat("a", 64) + `…"`,
		strings.Repeat("€", 30): `"` + strings.Repeat("€", 21) + `…"`,
		"\xff":                  `"\xff"`,
	} {
		require.Equal(t, want, strictjson.Quote(s))
	}
	require.Equal(t, `"…"`, strictjson.Quote(strings.Repeat("\x80", 100)), "no rune begins there")
}
