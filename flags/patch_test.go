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

	const added = `{"instructions":[{"kind":"addRule","clauses":[{"attribute":"a","op":"in","negate":false,"values":[1]}],"variationId":"v"},` +
		`{"kind":"removeRule","ruleId":"r"}],"newIds":["r","c"]}`
	p, problems = flags.DecodePatch([]byte(added))
	require.Empty(t, problems)
	require.Equal(t, []string{"r", "c"}, p.NewIDs)
	require.Equal(t, added, string(p.AppendJSON(nil)))

	for document, want := range map[string]string{
		`{"newIds":["a"],"instructions":[]}`:                               "/newIds: has 1 identifiers, but the instructions add 0 rules, clauses and variations; leave it out to have them made [malformed]",
		`{"newIds":[],"instructions":[{"kind":"addVariation","value":1}]}`: "/newIds: has 0 identifiers, but the instructions add 1 rules",
		`{"newIds":["ref:a"],"instructions":[]}`:                           "/newIds/0: is a reference; an identifier is wanted [malformed]",
		`{"newIds":[""],"instructions":[]}`:                                "/newIds/0: must not be empty [malformed]",
		`{"newids":["a"],"instructions":[]}`:                               `/newids: the member "newids" is unknown here; did you mean "newIds"? [unknown_member]`,
		`{}`:                                                               "/instructions: is missing [required]",
		`{"environmentKey":"a b","instructions":[]}`:                       `/environmentKey: "a b" is no environment key: at most 256 letters, digits, dots, underscores or hyphens, the first a letter or digit [malformed]`,
		`{"instruction":[],"instructions":[]}`:                             `/instruction: the member "instruction" is unknown here; did you mean "instructions"? [unknown_member]`,
		`{"instructions":[{"kind":"turnFlagOn"},{"kind":"update"}]}`:       `/instructions/1/kind: "update" is no kind of instruction; the nearest is "updateRuleVariationOrRollout" [unknown_kind]`,
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

func TestPatchesThatNeedTheirIdentifiers(t *testing.T) {
	rule := flags.Rule{Serve: flags.ServeVariation("v"), Clauses: []flags.Clause{{Attribute: "a", Op: flags.OpIn}}}
	weights := flags.ServeRollout(flags.Rollout{Weights: []flags.Weight{{VariationID: "v", Weight: 1}, {VariationID: "new", Weight: flags.FullWeight - 1}}})
	for _, test := range []struct {
		then flags.Instruction
		want bool
	}{
		{flags.TurnFlagOn(), false},
		{flags.UpdateRuleTrackEvents("new", true), true},
		{flags.UpdateRuleTrackEvents("old", true), false},
		{flags.ReorderRules("old", "new"), true},
		{flags.AddRule(rule, "new"), true},
		{flags.RemoveClauses("old", "old", "new"), true},
		{flags.RemoveValuesFromClause("old", "new"), true},
		{flags.UpdateOffVariation("new"), true},
		{flags.UpdateFallthroughVariationOrRollout(weights), true},
		{flags.UpdateFallthroughVariationOrRollout(flags.ServeVariation("v")), false},
		{flags.ReplaceTargets(flags.Targets{VariationID: "v", Values: []string{"new"}}), false},
		{flags.ReplaceTargets(flags.Targets{VariationID: "new"}), true},
		{flags.AddPrerequisite("new", "new"), false},
	} {
		p := flags.Patch{Instructions: []flags.Instruction{flags.AddRule(rule, ""), test.then}, NewIDs: []string{"new", "clause"}}
		require.Equal(t, test.want, p.NeedsIDs(), "%v", test.then)
		p.NewIDs = nil
		require.False(t, p.NeedsIDs())
	}
}
