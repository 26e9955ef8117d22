package flags_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
)

func TestPatchesAndTheirJSON(t *testing.T) {
	const document = `{"comment":"Friday","environmentKey":"production","instructions":[{"kind":"turnFlagOn"}]}`
	p, problems := flags.DecodePatch([]byte(document))
	require.Empty(t, problems)
	require.Equal(t, flags.Patch{Environment: "production", Comment: "Friday", Instructions: []flags.Instruction{flags.TurnFlagOn()}}, p)
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.Equal(t, document, string(text))

	bare, problems := flags.DecodePatch([]byte(`[{"kind":"turnFlagOn"}]`))
	require.Empty(t, problems)
	require.Equal(t, p.Instructions, bare.Instructions)
	require.Equal(t, `{"instructions":[]}`, string(flags.Patch{}.AppendJSON(nil)))
	nulls, problems := flags.DecodePatch([]byte(`{"comment":null,"environmentKey":null,"instructions":[{"kind":"page"}]}`), flags.HostKinds("page"))
	require.Empty(t, problems)
	require.Len(t, nulls.Instructions, 1)

	for document, want := range map[string]string{
		`{}`: "/instructions: is missing [required]",
		`{"environmentKey":"a b","instructions":[]}`:                 `/environmentKey: "a b" is no environment key: at most 256 letters, digits, dots, underscores or hyphens, the first a letter or digit [malformed]`,
		`{"instruction":[],"instructions":[]}`:                       `/instruction: the member "instruction" is unknown here; did you mean "instructions"? [unknown_member]`,
		`{"instructions":[{"kind":"turnFlagOn"},{"kind":"update"}]}`: `/instructions/1/kind: "update" is no kind of instruction; the nearest is "updateRuleVariationOrRollout" [unknown_kind]`,
		`7`:                         "is a number, must be an object",
		`[{"kind":"turnFlagOn"}] x`: "'x' stands where the end of the document should be",
	} {
		p, problems := flags.DecodePatch([]byte(document))
		require.Zero(t, p)
		require.Len(t, problems, 1)
		require.Contains(t, problems[0].String(), want)
		require.Error(t, json.Unmarshal([]byte(`{"a":`+document+`}`), &struct{ A *flags.Patch }{A: &p}))
	}
}
