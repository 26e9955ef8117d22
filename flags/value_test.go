package flags_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/flags"
)

func TestParseValueKeepsSpellingAndOrder(t *testing.T) {
	for text, want := range map[string]string{
		` 1.50 `: `1.50`,
		`1E5`:    `1E5`,
		`-0`:     `-0`,
		`null`:   `null`,
		`{ "z" : 1 , "a" : [ true , "\u00e9<" ] }`: `{"z":1,"a":[true,"é\u003c"]}`,
	} {
		v := value(t, text)
		require.Equal(t, want, v.String())
		require.Equal(t, want, string(v.AppendJSON(nil)))
		marshalled, err := json.Marshal(v)
		require.NoError(t, err)
		require.Equal(t, want, string(marshalled))
		require.Equal(t, v, value(t, v.String()))
		require.False(t, v.IsZero())
	}
}

func TestParseValueRefuses(t *testing.T) {
	for _, text := range []string{
		``, ` `, `1 2`, `{"a":1,"a":2}`, `[1,]`, `01`, `nul`, "\"\xff\"", `"\u0000"`, `"\ud800"`, `"` + strings.Repeat("x", 64<<10+1) + `"`,
		strings.Repeat("1", 33), `1e999`, strings.Repeat("[", 65) + strings.Repeat("]", 65),
	} {
		v, err := flags.ParseValue(text)
		require.ErrorIs(t, err, flags.ErrInvalidRequest, "%.40s", text)
		require.True(t, v.IsZero())
	}
}

func TestValueIsReadByEncodingJSON(t *testing.T) {
	var form struct{ A, B, C flags.Value }
	require.NoError(t, json.Unmarshal([]byte(`{"A": {"z":1.50, "a":["<"]}, "B": null}`), &form))
	require.Equal(t, value(t, `{"z":1.50,"a":["<"]}`), form.A)
	require.Equal(t, value(t, "null"), form.B, "null is a value")
	require.True(t, form.C.IsZero())

	v := flags.IntValue(1)
	err := json.Unmarshal([]byte(`{"a":1,"a":2}`), &v)
	require.ErrorIs(t, err, flags.ErrInvalidRequest)
	require.Equal(t, flags.IntValue(1), v)
	require.NoError(t, json.Unmarshal([]byte("null"), &v))
	require.Equal(t, "null", v.String())
}

func TestValuesMadeInGo(t *testing.T) {
	require.Equal(t, `"a\u003c\"\\"`, flags.StringValue(`a<"\`).String())
	require.Equal(t, `true`, flags.BoolValue(true).String())
	require.Equal(t, `-7`, flags.IntValue(-7).String())
	require.Equal(t, value(t, `"é"`), flags.StringValue("é"))
	require.Equal(t, value(t, `"\ufffd\ufffd"`), flags.StringValue("\xff\xfe"), "not UTF-8")
	require.Equal(t, []flags.Value{flags.StringValue("a"), flags.StringValue("b")}, flags.StringValues("a", "b"))
	require.Empty(t, flags.StringValues())
	for text, depth := range map[string]int{`1`: 0, `[]`: 1, `{"a":{"b":[]}}`: 3, `[[],[[]]]`: 3} {
		require.Equal(t, depth, value(t, text).Depth())
	}
	var absent flags.Value
	require.True(t, absent.IsZero())
	require.Empty(t, absent.String())
	require.Equal(t, `null`, string(absent.AppendJSON(nil)))
	marshalled, err := absent.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, `null`, string(marshalled))
}

func TestStringValueIsReadAsItWasMade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", "")
		v := flags.StringValue(s)
		read, err := flags.ParseValue(v.String())
		require.NoError(t, err)
		require.Equal(t, v, read)
	})
}
