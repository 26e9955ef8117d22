package flags_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
)

func TestSlots(t *testing.T) {
	type slot struct {
		pointer string
		kind    flags.SlotKind
		value   string
	}
	for _, test := range []struct {
		document string
		want     []slot
	}{
		{`{"kind":"turnFlagOn"}`, nil},
		{`{"kind":"updateName","value":"n"}`, nil},
		{`{"kind":"addTargets","variationId":"v","values":["a","b"]}`, []slot{
			{"/values", flags.SlotTargetValues, `["a","b"]`}, {"/variationId", flags.SlotVariationID, `"v"`}}},
		{`{"kind":"clearUserTargets","variationId":"ref:v"}`, nil},
		{`{"kind":"replaceTargets","targets":[{"variationId":"ref:v","values":[]},{"variationId":"w","values":["ref:x"]}]}`, []slot{
			{"/targets/0/values", flags.SlotTargetValues, `[]`},
			{"/targets/1/variationId", flags.SlotVariationID, `"w"`}, {"/targets/1/values", flags.SlotTargetValues, `["ref:x"]`}}},
		{`{"kind":"addRule","rolloutWeights":{"b":1,"a":99999},"beforeRuleId":"r","clauses":[
			{"attribute":"a","op":"in","values":["x"]},{"op":"segmentMatch","values":["s","t"]}]}`, []slot{
			{"/clauses/1/values", flags.SlotSegmentKeys, `["s","t"]`},
			{"/beforeRuleId", flags.SlotRuleID, `"r"`},
			{"/rolloutWeights", flags.SlotRolloutWeights, `{"a":99999,"b":1}`}}},
		{`{"kind":"addRule","rolloutWeights":{"ref:b":1,"ref:a":99999},"beforeRuleId":"ref:r","clauses":[]}`, nil},
		{`{"kind":"addRule","rolloutWeights":{"ref:b":1,"a":99999},"clauses":[]}`, []slot{
			{"/rolloutWeights", flags.SlotRolloutWeights, `{"a":99999,"ref:b":1}`}}},
		{`{"kind":"replaceRules","rules":[{"clauses":[{"op":"segmentMatch","values":["s","t"]}],"variationId":"v"},{"clauses":[],"rolloutWeights":{"w":100000}}]}`, []slot{
			{"/rules/0/variationId", flags.SlotVariationID, `"v"`}, {"/rules/0/clauses/0/values", flags.SlotSegmentKeys, `["s","t"]`},
			{"/rules/1/rolloutWeights", flags.SlotRolloutWeights, `{"w":100000}`}}},
		{`{"kind":"reorderRules","ruleIds":["ref:a","b"]}`, []slot{{"/ruleIds", flags.SlotRuleIDs, `["ref:a","b"]`}}},
		{`{"kind":"reorderRules","ruleIds":["ref:a"]}`, nil},
		{`{"kind":"reorderRules","ruleIds":[]}`, []slot{{"/ruleIds", flags.SlotRuleIDs, `[]`}}},
		{`{"kind":"removeClauses","ruleId":"ref:r","clauseIds":[]}`, []slot{{"/clauseIds", flags.SlotClauseIDs, `[]`}}},
		{`{"kind":"addUserTargets","variationId":"ref:v","values":[]}`, []slot{{"/values", flags.SlotTargetValues, `[]`}}},
		{`{"kind":"addClauses","ruleId":"ref:r","clauses":[{"op":"segmentMatch","values":[]}]}`, []slot{{"/clauses/0/values", flags.SlotSegmentKeys, `[]`}}},
		{`{"kind":"replaceRules","rules":[]}`, nil},
		{`{"kind":"replaceTargets","targets":[]}`, nil},
		{`{"kind":"removeClauses","ruleId":"r","clauseIds":["c"]}`, []slot{
			{"/ruleId", flags.SlotRuleID, `"r"`}, {"/clauseIds", flags.SlotClauseIDs, `["c"]`}}},
		{`{"kind":"updateClause","ruleId":"r","clauseId":"c","clause":{"op":"segmentMatch","values":["s"]}}`, []slot{
			{"/ruleId", flags.SlotRuleID, `"r"`}, {"/clauseId", flags.SlotClauseID, `"c"`}, {"/clause/values", flags.SlotSegmentKeys, `["s"]`}}},
		{`{"kind":"addValuesToClause","ruleId":"r","clauseId":"ref:c","values":["s"]}`, []slot{{"/ruleId", flags.SlotRuleID, `"r"`}}},
		{`{"kind":"replacePrerequisites","prerequisites":[{"key":"k","variationId":"<v>"}]}`, []slot{
			{"/prerequisites/0/key", flags.SlotPrerequisiteKey, `"k"`},
			{"/prerequisites/0/variationId", flags.SlotPrerequisiteVariationID, `"\u003cv\u003e"`}}},
		{`{"kind":"removeVariation","variationId":"v"}`, []slot{{"/variationId", flags.SlotVariationID, `"v"`}}},
		{`{"kind":"updateVariation","variationId":"v","value":"v"}`, []slot{{"/variationId", flags.SlotVariationID, `"v"`}}},
	} {
		in, problems := flags.DecodeInstruction([]byte(test.document))
		require.Empty(t, problems, test.document)
		var got []slot
		for _, s := range in.Slots() {
			got = append(got, slot{s.Pointer, s.Kind, s.Value.String()})
			read := value(t, s.Value.String())
			require.Equal(t, read, s.Value, "the value is as if it were read, its depth too")
		}
		require.Equal(t, test.want, got, test.document)
		require.Equal(t, len(test.want), in.SlotCount())
		if len(test.want) == 0 {
			require.Nil(t, in.Slots())
		}
		info, _ := flags.Describe(in.Kind())
		var kinds []flags.SlotKind
		for _, m := range info.Members {
			kinds = append(kinds, m.Slots...)
		}
		for _, s := range in.Slots() {
			require.Contains(t, kinds, s.Kind)
		}
	}
}

func TestWeightsOfNothingAreASlot(t *testing.T) {
	in := flags.UpdateFallthroughVariationOrRollout(flags.ServeRollout(flags.Rollout{}))
	require.Equal(t, []flags.Slot{{Pointer: "/rolloutWeights", Kind: flags.SlotRolloutWeights, Value: value(t, "{}")}}, in.Slots())
}
