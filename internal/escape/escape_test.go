package escape_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/internal/escape"
)

func TestTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"":                                       "",
		"plain, 5 % – “quoted”":                  "plain, 5 % – “quoted”",
		"日本語 e\u0301 🙂":                          "日本語 e\u0301 🙂",
		"no-break\u00a0space":                    "no-break\u00a0space",
		"\x1b[31m":                               `\x1b[31m`,
		"a\nb\rc\td":                             `a\nb\rc\td`,
		"\x00\x7f":                               `\x00\x7f`,
		"\u0085\u009b":                           `\u0085\u009b`,
		"\u202e\u2066\u200b":                     `\u202e\u2066\u200b`,
		"\u2028\u2029\ufeff":                     `\u2028\u2029\ufeff`,
		"\U000e0041":                             `\U000e0041`,
		"\xff\xc3(":                              `\xff\xc3(`,
		"real \ufffd stays":                      "real \ufffd stays",
		"\u3164\u115f\u2800":                     `\u3164\u115f\u2800`,
		"\u034f\ufe01":                           `\u034f\ufe01`,
		"\U000e0101":                             `\U000e0101`,
		"⚠\ufe0f":                                "⚠\ufe0f",
		"x\u0335\u0335\u0335\u0335\u0335\u0335y": "x\u0335\u0335\u0335\u0335" + `\u0335\u0335` + "y",
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
			require.False(t, unicode.IsControl(r))
		}
		require.Equal(t, out, escape.Terminal(out), "once is enough")
	})
}

func TestJSON(t *testing.T) {
	plain := "{\n  \"a\": \"é 日\"\n}\n"
	require.Equal(t, plain, escape.JSON(plain))
	require.Equal(t, "{\n\"a\u0065\":\""+`\u202e\u009b31m\udb40\udc41\u3164`+"\"}\n", escape.JSON("{\n\"a\u0065\":\"\u202e\u009b31m\U000e0041\u3164\"}\n"))
}

func FuzzJSON(f *testing.F) {
	f.Add("a\u202e\U000e0041")
	f.Fuzz(func(t *testing.T, s string) {
		document, err := json.MarshalIndent(map[string]string{s: s}, "", "  ")
		require.NoError(t, err)
		out := escape.JSON(string(document))
		var want, got map[string]string
		require.NoError(t, json.Unmarshal(document, &want))
		require.NoError(t, json.Unmarshal([]byte(out), &got))
		require.Equal(t, want, got)
		require.Equal(t, strings.Count(string(document), "\n"), strings.Count(out, "\n"))
		require.Equal(t, strings.ReplaceAll(out, "\n", ""), escape.Terminal(strings.ReplaceAll(out, "\n", "")))
	})
}
