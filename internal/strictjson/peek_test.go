package strictjson_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/internal/strictjson"
)

var peekCases = []struct {
	name, document, text string
	kind                 strictjson.Kind
}{
	{"first", `{"kind":"x","a":1}`, "x", strictjson.String},
	{"last", `{"a":1,"kind":"x"}`, "x", strictjson.String},
	{"among space", " { \"a\" : [ ] ,\n\t\"kind\" :\r \"x\" } ", "x", strictjson.String},
	{"escaped value", `{"kind":"\u0078\/\ud83d\ude00"}`, "x/😀", strictjson.String},
	{"escaped name", `{"\u006bind":"x"}`, "x", strictjson.String},
	{"the first of two", `{"kind":"x","kind":"y"}`, "x", strictjson.String},
	{"not in an inner object", `{"a":{"kind":"y"},"kind":"x"}`, "x", strictjson.String},
	{"not in an inner object only", `{"a":{"kind":"y"}}`, "", strictjson.Invalid},
	{"not in an array", `{"a":["kind","y",{"kind":"y"}],"kind":"x"}`, "x", strictjson.String},
	{"not a value", `{"a":"kind","kind":"x"}`, "x", strictjson.String},
	{"not a value only", `{"a":"kind","b":"kind"}`, "", strictjson.Invalid},
	{"not in a string", `{"a":"\"kind\":\"y\"","kind":"x"}`, "x", strictjson.String},
	{"not behind this object", `[{"a":1},{"kind":"y"}]`, "", strictjson.Invalid},
	{"not behind this object, second", `[{"a":1},{"b":1,"kind":"y"}]`, "", strictjson.Invalid},
	{"braces in strings", `{"a":"}","b":"{[","c":["]"],"kind":"x"}`, "x", strictjson.String},
	{"colons and commas in strings", `{"a:":",\"kind\":","kind":"x"}`, "x", strictjson.String},
	{"backslash before a quote", `{"a\\":"\\\\","b\\\"":"\\\"","kind":"x"}`, "x", strictjson.String},
	{"name with a backslash", `{"\\kind":"y","kind\\":"z"}`, "", strictjson.Invalid},
	{"case matters", `{"Kind":"x"}`, "", strictjson.Invalid},
	{"null", `{"kind":null}`, "", strictjson.Null},
	{"boolean", `{"kind": true}`, "", strictjson.Bool},
	{"number", `{"kind":-1}`, "", strictjson.Number},
	{"array", `{"kind":["x"]}`, "", strictjson.Array},
	{"object", `{"kind":{"kind":"x"}}`, "", strictjson.Object},
	{"empty object", `{}`, "", strictjson.Invalid},
	{"broken: no end", `{"kind`, "", strictjson.Invalid},
	{"broken: no colon", `{"kind"`, "", strictjson.Invalid},
	{"broken: no value", `{"kind":`, "", strictjson.Invalid},
	{"broken: value has no end", `{"kind":"x`, "", strictjson.Invalid},
	{"broken: escape", `{"kind":"\q"}`, "", strictjson.Invalid},
	{"broken: backslash at the end", `{"kind":"\`, "", strictjson.Invalid},
	{"broken: another kind of quote", `{'kind':"x"}`, "", strictjson.Invalid},
}

func TestPeek(t *testing.T) {
	for _, c := range peekCases {
		t.Run(c.name, func(t *testing.T) {
			d := strictjson.NewDecoder([]byte(c.document), nil)
			if d.Kind() == strictjson.Array {
				require.True(t, d.BeginArray())
				require.True(t, d.NextElement())
			}
			require.True(t, d.BeginObject())
			text, kind := d.Peek("kind")
			require.Equal(t, c.kind, kind)
			require.Equal(t, c.text, text)
			require.Nil(t, d.Err(), "looking ahead reports nothing")
		})
	}
}
