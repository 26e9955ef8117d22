package escape_test

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/internal/escape"
)

func TestTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"plain, 5 % – “quoted”": "plain, 5 % – “quoted”",
		"日本語 e\u0301 🙂":         "日本語 e\u0301 🙂",
		"no-break\u00a0space":   "no-break\u00a0space",
		"\x1b[31m":              `\x1b[31m`,
		"a\nb\rc\td":            `a\nb\rc\td`,
		"\x00\x7f":              `\x00\x7f`,
		"\u0085\u009b":          `\u0085\u009b`,
		"\u202e\u2066\u200b":    `\u202e\u2066\u200b`,
		"\u2028\u2029\ufeff":    `\u2028\u2029\ufeff`,
		"\U000e0041":            `\U000e0041`,
		"\xff\xc3(":             `\xff\xc3(`,
		"real \ufffd stays":     "real \ufffd stays",
	} {
		require.Equal(t, want, escape.Terminal(in))
	}
}

func FuzzTerminal(f *testing.F) {
	f.Add("a\x1b\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		out := escape.Terminal(s)
		require.True(t, utf8.ValidString(out))
		for _, r := range out {
			require.True(t, unicode.IsPrint(r) || unicode.Is(unicode.Zs, r), "%q", out)
		}
		require.Equal(t, out, escape.Terminal(out), "once is enough")
	})
}
