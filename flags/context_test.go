package flags_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/flags"
)

func decodeContext(t testing.TB, document string) flags.Context {
	c, problems := flags.DecodeContext([]byte(document))
	require.Empty(t, problems, document)
	return c
}

func TestContextsAreReadInEveryForm(t *testing.T) {
	for name, c := range map[string]struct{ document, canonical string }{
		"one kind": {
			`{"name":"Ada","kind":"user","groups":["a",{"b":null}],"key":"ada","anonymous":true,"age":1.50,"_meta":{"privateAttributes":["age"],"x":1}}`,
			`{"kind":"user","key":"ada","anonymous":true,"age":1.50,"groups":["a",{"b":null}],"name":"Ada","_meta":{"privateAttributes":["age"]}}`,
		},
		"what is null is not there": {
			`{"kind":"device","key":"d","name":null,"age":null,"_meta":null,"anonymous":false}`,
			`{"kind":"device","key":"d"}`,
		},
		"several kinds": {
			`{"user":{"key":"ada","kind":"user"},"device":{"key":"d","os":"x"},"kind":"multi"}`,
			`{"kind":"multi","device":{"key":"d","os":"x"},"user":{"key":"ada"}}`,
		},
		"several kinds of which there is one": {
			`{"kind":"multi","device":{"key":"d"}}`,
			`{"kind":"device","key":"d"}`,
		},
		"former user": {
			`{"key":"ada","email":"a@b.c","ip":null,"anonymous":null,"name":"Ada","secondary":"s","custom":{"age":3,"country":"no"},"country":"se","privateAttributeNames":["ip"]}`,
			`{"kind":"user","key":"ada","country":"se","email":"a@b.c","age":3,"name":"Ada","_meta":{"privateAttributes":["ip"]}}`,
		},
		"former user without key": {
			`{"key":"","custom":{"age":3},"anonymous":true,"name":"Nobody","privateAttributeNames":["x"]}`,
			`{"key":"","anonymous":true,"name":"Nobody","custom":{"age":3},"privateAttributeNames":["x"]}`,
		},
		"an attribute of a former user that is taken back": {
			`{"key":"ada","email":"a@b.c","custom":{"email":null}}`,
			`{"kind":"user","key":"ada"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := decodeContext(t, c.document)
			require.Equal(t, asAny(t, []byte(c.canonical)), asAny(t, got.AppendJSON(nil)))
			again := decodeContext(t, got.String())
			require.Equal(t, got.String(), again.String(), "the canonical form is a fixed point")
			require.True(t, again.Equal(got))
			marshalled, err := json.Marshal(got)
			require.NoError(t, err)
			require.Equal(t, got.String(), string(marshalled))
		})
	}
}

func TestWhatIsWrongWithContexts(t *testing.T) {
	for document, want := range map[string]string{
		`null`:                               "|wrong_type",
		`[]`:                                 "|wrong_type",
		`{`:                                  "|syntax",
		`{}`:                                 "/key|required",
		`{"kind":"user"}`:                    "/key|required",
		`{"kind":"user","key":""}`:           "/key|malformed",
		`{"kind":"user","key":null}`:         "/key|wrong_type",
		`{"kind":"user","key":1}`:            "/key|wrong_type",
		`{"kind":null,"key":"k"}`:            "/kind|wrong_type",
		`{"kind":"","key":"k"}`:              "/kind|malformed",
		`{"kind":"kind","key":"k"}`:          "/kind|malformed",
		`{"kind":"ünit","key":"k"}`:          "/kind|malformed",
		`{"kind":"a/b","key":"k"}`:           "/kind|malformed",
		`{"kind":"user","key":"k","name":1}`: "/name|wrong_type",
		`{"kind":"user","key":"k","anonymous":"yes"}`:                 "/anonymous|wrong_type",
		`{"kind":"user","key":"k","anonymous":null}`:                  "/anonymous|wrong_type",
		`{"kind":"user","key":"k","":1}`:                              "/|malformed",
		`{"kind":"user","key":"k","a":1,"a":2}`:                       "/a|duplicate",
		`{"kind":"user","key":"k","_meta":1}`:                         "/_meta|wrong_type",
		`{"kind":"user","key":"k","_meta":{"privateAttributes":[1]}}`: "/_meta/privateAttributes/0|wrong_type",
		`{"kind":"multi"}`:                                            "|required",
		`{"kind":"multi","user":{}}`:                                  "/user/key|required",
		`{"kind":"multi","user":"ada"}`:                               "/user|wrong_type",
		`{"kind":"multi","multi":{"key":"k"}}`:                        "/multi|malformed",
		`{"kind":"multi","user":{"key":"k","kind":"device"}}`:         "/user/kind|exclusive",
		`{"key":null}`:                  "/key|wrong_type",
		`{"key":"k","Email":"a@b.c"}`:   "/Email|unknown_member",
		`{"key":"k","email":1}`:         "/email|wrong_type",
		`{"key":"k","custom":[]}`:       "/custom|wrong_type",
		`{"key":"k","secondary":1}`:     "/secondary|wrong_type",
		`{"key":"k","anonymous":"yes"}`: "/anonymous|wrong_type",
		`{"kind":"user","key":"k","deep":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`: "/deep|malformed",
	} {
		c, problems := flags.DecodeContext([]byte(document))
		require.Len(t, problems, 1, document)
		require.Equal(t, want, problems[0].Pointer+"|"+string(problems[0].Code), document)
		require.Equal(t, flags.SeverityError, problems[0].Severity, document)
		require.True(t, c.IsZero())

		kept := decodeContext(t, `{"kind":"user","key":"kept"}`)
		require.Error(t, kept.UnmarshalJSON([]byte(document)))
		require.Equal(t, "kept", kept.Key())
	}
}

func TestMembersOfFormerUsersThatStandForNothing(t *testing.T) {
	c, problems := flags.DecodeContext([]byte(`{"key":"k","nonsense":{"a":1},"custom":{"kind":"device","_meta":1,"age":3}}`))
	require.NoError(t, problems.Err())
	require.Len(t, problems, 3)
	for i, pointer := range []string{"/nonsense", "/custom/kind", "/custom/_meta"} {
		require.Equal(t, pointer, problems[i].Pointer)
		require.Equal(t, flags.SeverityWarning, problems[i].Severity)
	}
	require.Equal(t, `{"kind":"user","key":"k","age":3}`, c.String())
}

func TestContextsAreMadeOfGoValues(t *testing.T) {
	attributes := []flags.Attribute{
		{Name: "plan", Value: flags.StringValue("free")}, {Name: "age", Value: flags.IntValue(36)},
		{Name: "plan", Value: flags.StringValue("pro")}, {Name: "name", Value: flags.StringValue("Ada")},
		{Name: "anonymous", Value: flags.BoolValue(true)}, {Name: "nothing"},
	}
	ada, err := flags.NewContext("", "ada", attributes...)
	require.NoError(t, err)
	attributes[0].Name = "changed"
	require.Equal(t, `{"kind":"user","key":"ada","anonymous":true,"age":36,"name":"Ada","plan":"pro"}`, ada.String())
	require.Equal(t, "user", ada.Kind())
	require.Equal(t, "ada", ada.Key())
	require.True(t, ada.Anonymous())
	require.Len(t, slices.Collect(ada.Attributes()), 3)
	require.Equal(t, []flags.Context{ada}, slices.Collect(ada.Parts()))

	device, err := flags.NewContext("device", "d")
	require.NoError(t, err)
	both, err := flags.MultiContext(ada, device)
	require.NoError(t, err)
	require.Equal(t, "multi", both.Kind())
	require.Empty(t, both.Key())
	require.Equal(t, []flags.Context{device, ada}, slices.Collect(both.Parts()))
	require.Empty(t, slices.Collect(both.Attributes()))
	org, err := flags.NewContext("org", "o")
	require.NoError(t, err)
	three, err := flags.MultiContext(org, both)
	require.NoError(t, err)
	require.Equal(t, `{"kind":"multi","device":{"key":"d"},"org":{"key":"o"},"user":`+
		`{"key":"ada","anonymous":true,"age":36,"name":"Ada","plan":"pro"}}`, three.String())
	require.Len(t, slices.Collect(both.Parts()), 2, "what was joined is as it was")
	alone, err := flags.MultiContext(ada)
	require.NoError(t, err)
	require.True(t, alone.Equal(ada))

	private := decodeContext(t, `{"kind":"user","key":"k","_meta":{"privateAttributes":["/a/b"]}}`)
	private.PrivateAttributes()[0] = "changed"
	require.Equal(t, []string{"/a/b"}, private.PrivateAttributes())

	var zero flags.Context
	require.True(t, zero.IsZero())
	require.Equal(t, "null", zero.String())
	require.Empty(t, zero.Kind()+zero.Key())
	require.Empty(t, slices.Collect(zero.Parts()))
	require.Empty(t, slices.Collect(zero.Attributes()))
}

func TestContextsThatCannotBeMade(t *testing.T) {
	deep, err := flags.ParseValue(strings.Repeat("[", 63) + strings.Repeat("]", 63))
	require.NoError(t, err)
	for _, c := range []struct {
		kind, key string
		attribute flags.Attribute
		says      string
	}{
		{"user", "", flags.Attribute{Name: "a"}, "its key must not be empty"},
		{"kind", "k", flags.Attribute{Name: "a"}, "its kind must not be the word"},
		{"multi", "k", flags.Attribute{Name: "a"}, "several kinds"},
		{"a b", "k", flags.Attribute{Name: "a"}, `is "a b"`},
		{"user", "\xff", flags.Attribute{Name: "a"}, "UTF-8"},
		{"user", "k", flags.Attribute{}, "has no name"},
		{"user", "k", flags.Attribute{Name: "key", Value: flags.StringValue("x")}, "must be given as"},
		{"user", "k", flags.Attribute{Name: "kind"}, "must be given as"},
		{"user", "k", flags.Attribute{Name: "_meta"}, "no attribute"},
		{"user", "k", flags.Attribute{Name: "name", Value: flags.IntValue(1)}, "must be a string"},
		{"user", "k", flags.Attribute{Name: "anonymous", Value: flags.IntValue(1)}, "must be true or false"},
		{"user", "k", flags.Attribute{Name: "a\x00", Value: flags.IntValue(1)}, "NUL"},
		{"user", "k", flags.Attribute{Name: "a", Value: deep}, "nested 65 deep"},
		{"user", "k", flags.Attribute{Name: "a", Value: flags.StringValue("\x00")}, "NUL"},
	} {
		made, err := flags.NewContext(c.kind, c.key, c.attribute)
		require.ErrorIs(t, err, flags.ErrInvalidRequest)
		require.ErrorContains(t, err, c.says)
		require.True(t, made.IsZero())
	}
	ada, err := flags.NewContext("user", "ada")
	require.NoError(t, err)
	for says, list := range map[string][]flags.Context{"there are none": nil, "context 1 is zero": {ada, {}}, `two are of kind "user"`: {ada, ada}} {
		made, err := flags.MultiContext(list...)
		require.ErrorIs(t, err, flags.ErrInvalidRequest)
		require.ErrorContains(t, err, says)
		require.True(t, made.IsZero())
	}
}

// TestContextOfManyAttributesStaysLinear holds that reading allocates no more
// for each attribute when there are many.
func TestContextOfManyAttributesStaysLinear(t *testing.T) {
	document := func(n int) []byte {
		var b strings.Builder
		b.WriteString(`{"kind":"user","key":"k"`)
		for i := n; i > 0; i-- {
			fmt.Fprintf(&b, `,"%d":%d`, i, i)
		}
		return []byte(b.String() + "}")
	}
	few, many := document(1_000), document(50_000)
	count := func(document []byte) float64 {
		return float64(allocated(func() {
			_, problems := flags.DecodeContext(document)
			require.Empty(t, problems)
		}))
	}
	require.Less(t, count(many)/float64(len(many)), 3*count(few)/float64(len(few)))
}

func TestContextsBuiltAndReadAreEqual(t *testing.T) {
	text := rapid.String().Filter(func(s string) bool { return !strings.Contains(s, "\x00") })
	rapid.Check(t, func(t *rapid.T) {
		var parts []flags.Context
		for _, kind := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"user", "org", "device"}), 1, 3, rapid.ID).Draw(t, "kinds") {
			var attributes []flags.Attribute
			for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "<", "name"}), 0, 6).Draw(t, "names") {
				attributes = append(attributes, flags.Attribute{Name: name, Value: flags.StringValue(text.Draw(t, "value"))})
			}
			c, err := flags.NewContext(kind, "k"+text.Draw(t, "key"), attributes...)
			require.NoError(t, err)
			parts = append(parts, c)
		}
		c, err := flags.MultiContext(parts...)
		require.NoError(t, err)
		again, problems := flags.DecodeContext([]byte(c.String()))
		require.Empty(t, problems)
		require.Equal(t, c.String(), again.String())
	})
}

func FuzzDecodeContext(f *testing.F) {
	f.Add(`{"kind":"user","key":"ada","a":[1,{"b":null}],"_meta":{"privateAttributes":["a"]}}`)
	f.Add(`{"kind":"multi","user":{"key":"ada"},"device":{"key":"d","anonymous":true}}`)
	f.Add(`{"key":"","email":"a@b.c","custom":{"a":1},"nonsense":1}`)
	f.Fuzz(func(t *testing.T, document string) {
		c, problems := flags.DecodeContext([]byte(document))
		if problems.Err() != nil {
			require.True(t, c.IsZero())
			return
		}
		require.True(t, json.Valid([]byte(document)))
		again, problems := flags.DecodeContext(c.AppendJSON(nil))
		require.NoError(t, problems.Err())
		require.Equal(t, c.String(), again.String())
	})
}

func TestContextThatGrowsTooLargeIsRefused(t *testing.T) {
	long := strings.Repeat("<", 60_000)
	document := `{"kind":"user","key":"k","_meta":{"privateAttributes":["` + long + `","` + long + `","` + long + `","` + long + `"]}}`
	c, problems := flags.DecodeContext([]byte(document))
	require.Len(t, problems, 1)
	require.Equal(t, flags.CodeTooLarge, problems[0].Code)
	require.True(t, c.IsZero())
}
