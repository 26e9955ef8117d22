package flags_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

const (
	purple = "7d0c8f5a-19b2-4c7e-9d51-3b1f0a2e6c48"
	grey   = "b4a6e2d3-70c5-4f18-8a9d-52c1e7f60b39"
	rule   = "1f7e9c20-8d43-4b6a-a5f0-96c3d8e1b274"
	clause = "c35b8e17-4a90-4d62-b7f8-0e1d9a2c6b53"
	other  = "e90d4c7b-2f85-46a1-9c3e-71b8f5a0d624"
	third  = "3a58f1e6-c9d2-4b07-8e64-d05a7c1b9f82"
)

func value(t testing.TB, text string) flags.Value {
	v, err := flags.ParseValue(text)
	require.NoError(t, err)
	return v
}

// built returns the instructions of testdata, made by their constructors.
func built(t testing.TB) []flags.Instruction {
	return []flags.Instruction{
		flags.TurnFlagOn(),
		flags.TurnFlagOff(),
		flags.TurnFlagOn().WithID("0192f0c1-55aa-7bcd-8e01-0a0b0c0d0e0f"),
		flags.AddTargets(flags.Targets{VariationID: purple, Values: []string{"lab-7", "lab-9"}}),
		flags.AddTargets(flags.Targets{ContextKind: "device", VariationID: "ref:purple", Values: []string{"printer-3"}}),
		flags.RemoveTargets(flags.Targets{ContextKind: "laboratory", VariationID: purple, Values: []string{"lab-7"}}),
		flags.ReplaceTargets(
			flags.Targets{ContextKind: "laboratory", VariationID: purple, Values: []string{"lab-7"}},
			flags.Targets{VariationID: grey}),
		flags.ClearTargets(purple),
		flags.AddUserTargets(purple, "ada", "grace"),
		flags.RemoveUserTargets(purple, "ada"),
		flags.ReplaceUserTargets(
			flags.Targets{VariationID: purple, Values: []string{"ada", "grace"}},
			flags.Targets{VariationID: grey, Values: []string{"linus"}}),
		flags.ClearUserTargets(grey),
		flags.AddRule(flags.Rule{
			Clauses: []flags.Clause{{ContextKind: "laboratory", Attribute: "city", Op: flags.OpIn, Values: flags.StringValues("Bergen", "Turku")}},
			Serve:   flags.ServeVariation(purple),
		}, ""),
		flags.AddRule(flags.Rule{
			Clauses: []flags.Clause{
				{Attribute: "floor", Op: flags.OpGreaterThan, Negate: true, Values: []flags.Value{flags.IntValue(3), value(t, "4.50")}, Ref: "high"},
				{Op: flags.OpSegmentMatch, Values: flags.StringValues("early-birds"), Ref: "birds"},
			},
			Serve: flags.ServeRollout(flags.Rollout{
				Weights:     []flags.Weight{{VariationID: grey, Weight: 80_000}, {VariationID: purple, Weight: 20_000}},
				BucketBy:    "bench",
				ContextKind: "laboratory",
			}),
			Description: "Upper floors first",
			Ref:         "upper-floors",
		}, rule),
		flags.RemoveRule(rule),
		flags.ReplaceRules(
			flags.Rule{
				Clauses: []flags.Clause{{
					ContextKind: "user", Attribute: "segmentMatch", Op: flags.OpSegmentMatch, Values: flags.StringValues("volunteers"),
				}},
				Serve:       flags.ServeVariation(grey),
				Description: "Those who asked",
				TrackEvents: true,
				Ref:         "asked",
			},
			flags.Rule{Serve: flags.ServeRollout(flags.Rollout{
				Weights:     []flags.Weight{{VariationID: purple, Weight: flags.FullWeight}},
				ContextKind: "laboratory",
			})}),
		flags.ReorderRules(rule, "ref:upper-floors"),
		flags.UpdateRuleVariationOrRollout("ref:upper-floors", flags.ServeVariation(grey)),
		flags.UpdateRuleVariationOrRollout(rule, flags.ServeRollout(flags.Rollout{
			Weights:  []flags.Weight{{VariationID: purple}, {VariationID: grey, Weight: 100_000}},
			BucketBy: "bench",
		})),
		flags.UpdateRuleDescription(rule, ""),
		flags.UpdateRuleTrackEvents(rule, false),
		flags.AddClauses(rule, flags.Clause{Attribute: "city", Op: flags.OpStartsWith, Values: flags.StringValues("Tr")}),
		flags.AddClauses("ref:upper-floors", flags.Clause{ContextKind: "laboratory", Op: flags.OpSegmentMatch, Values: flags.StringValues("volunteers")}),
		flags.RemoveClauses(rule, clause, "ref:high"),
		flags.UpdateClause(rule, clause, flags.Clause{
			ContextKind: "laboratory", Attribute: "firmware", Op: flags.OpSemVerLessThan, Values: flags.StringValues("2.4.0"),
		}),
		flags.UpdateClause(rule, clause, flags.Clause{Op: flags.OpSegmentMatch, Negate: true, Values: flags.StringValues("volunteers")}),
		flags.AddValuesToClause(rule, clause, flags.StringValue("Oulu"), flags.IntValue(17), value(t, `[true,{"deep":[null]}]`)),
		flags.RemoveValuesFromClause(rule, "ref:high", flags.StringValue("Turku")),
		flags.RemoveValuesFromClause("ref:upper-floors", clause, flags.IntValue(17), flags.StringValue("Oulu")),
		flags.UpdateFallthroughVariationOrRollout(flags.ServeVariation(purple)),
		flags.UpdateFallthroughVariationOrRollout(flags.ServeRollout(flags.Rollout{
			Weights:     []flags.Weight{{VariationID: purple, Weight: 12_500}, {VariationID: grey, Weight: 87_500}},
			ContextKind: "user",
		})),
		flags.UpdateOffVariation(grey),
		flags.AddPrerequisite("new-scheduler", other),
		flags.RemovePrerequisite("new-scheduler"),
		flags.UpdatePrerequisite("new-scheduler", third),
		flags.ReplacePrerequisites(
			flags.Prerequisite{Key: "new-scheduler", VariationID: other},
			flags.Prerequisite{Key: "Audit_2.log", VariationID: third}),
		flags.UpdateTrackEvents(true),
		flags.UpdateTrackEventsFallthrough(true),
		flags.AddVariation(flags.Variation{
			Value: value(t, `{"colour":"purple","limit":1.50}`), Name: "Purple", Description: "For the <brave>", Ref: "purple",
		}),
		flags.AddVariation(flags.Variation{Value: flags.StringValue("purple")}),
		flags.RemoveVariation(purple),
		flags.UpdateVariation(purple, flags.VariationName("Lilac"), flags.VariationDescription(""),
			flags.VariationValue(value(t, "[1,2]")), flags.VariationName("Violet"), flags.VariationChange{}),
		flags.UpdateVariation("ref:purple", flags.VariationValue(flags.IntValue(0))),
		flags.UpdateDefaultVariation(flags.BoolValue(true), flags.BoolValue(false)),
		flags.UpdateDefaultVariation(value(t, "null"), flags.StringValue("grey")),
		flags.AddCustomProperties(flags.CustomProperty{Key: "tracker", Name: "Bug tracker", Values: []string{"LAB-12", ""}}),
		flags.ReplaceCustomProperties(flags.CustomProperty{Key: "tracker", Name: "Bug tracker", Values: []string{"LAB-13"}}),
		flags.ReplaceCustomProperties(flags.CustomProperty{Key: "tracker"}),
		flags.RemoveCustomProperties("tracker", "LAB-12"),
		flags.AddTags("autumn", "lab"),
		flags.RemoveTags("autumn"),
		flags.UpdateName("Sample sorting"),
		flags.UpdateDescription(""),
		flags.UpdateMaintainerMember("5f2c81d0a9e74b36"),
		flags.UpdateMaintainerTeam("lab-software"),
		flags.RemoveMaintainer(),
		flags.MakeFlagPermanent(),
		flags.MakeFlagTemporary(),
		flags.TurnOnClientSideAvailability(flags.UsingEnvironmentID),
		flags.TurnOffClientSideAvailability(flags.UsingMobileKey),
		flags.ArchiveFlag(),
		flags.RestoreFlag(),
		flags.DeleteFlag(),
		flags.DeprecateFlag(),
		flags.RestoreDeprecatedFlag(),
	}
}

func TestConstructorsMakeWhatIsRead(t *testing.T) {
	lines := canonical(t)
	list := built(t)
	require.Len(t, list, len(lines))
	for i, in := range list {
		require.Equal(t, lines[i], string(in.AppendJSON(nil)))
		require.Empty(t, in.Validate(), lines[i])
		read, problems := flags.DecodeInstruction([]byte(lines[i]))
		require.Empty(t, problems)
		require.True(t, in.Equal(read), lines[i])
		require.True(t, read.Equal(in), lines[i])
		require.Equal(t, read.String(), in.String())
		require.Equal(t, read.Slots(), in.Slots())
	}
}

func TestConstructorsKeepNothingThatTheCallerCanChange(t *testing.T) {
	texts := []string{"a", "b"}
	values := flags.StringValues("a", "b")
	clauses := []flags.Clause{{Attribute: "x", Op: flags.OpIn, Values: values}}
	weights := []flags.Weight{{VariationID: "b", Weight: 1}, {VariationID: "a", Weight: 99_999}}
	serve := flags.ServeRollout(flags.Rollout{Weights: weights})
	rules := []flags.Rule{{Clauses: clauses, Serve: serve}}
	targets := []flags.Targets{{VariationID: "v", Values: texts}}
	prerequisites := []flags.Prerequisite{{Key: "k", VariationID: "v"}}
	property := flags.CustomProperty{Key: "k", Name: "n", Values: texts}
	require.Equal(t, "b", weights[0].VariationID, "nothing of the caller's is sorted")

	list := []flags.Instruction{
		flags.AddTargets(targets[0]), flags.RemoveTargets(targets[0]),
		flags.AddUserTargets("v", texts...), flags.RemoveUserTargets("v", texts...),
		flags.ReplaceTargets(targets...), flags.ReplaceUserTargets(targets...),
		flags.AddRule(rules[0], ""), flags.ReplaceRules(rules...), flags.ReorderRules(texts...),
		flags.AddClauses("r", clauses...), flags.RemoveClauses("r", texts...), flags.UpdateClause("r", "c", clauses[0]),
		flags.AddValuesToClause("r", "c", values...), flags.RemoveValuesFromClause("r", "c", values...),
		flags.UpdateFallthroughVariationOrRollout(serve), flags.ReplacePrerequisites(prerequisites...),
		flags.AddCustomProperties(property), flags.ReplaceCustomProperties(property),
		flags.RemoveCustomProperties("k", texts...), flags.AddTags(texts...), flags.RemoveTags(texts...),
	}
	var before []string
	for _, in := range list {
		before = append(before, string(in.AppendJSON(nil)))
	}
	texts[0], values[0], weights[0].Weight = "changed", flags.BoolValue(true), 7
	clauses[0].Attribute, rules[0].Description, targets[0].VariationID, prerequisites[0].Key = "changed", "changed", "changed", "changed"
	rollout, ok := serve.Rollout()
	require.True(t, ok)
	rollout.Weights[0].Weight = 7
	for i, in := range list {
		require.Equal(t, before[i], string(in.AppendJSON(nil)))
	}
}

func TestServe(t *testing.T) {
	var zero flags.Serve
	require.True(t, zero.IsZero())
	require.Equal(t, "nothing", zero.String())
	one := flags.ServeVariation("v")
	id, ok := one.Variation()
	require.True(t, ok)
	require.Equal(t, "v", id)
	_, ok = one.Rollout()
	require.False(t, ok)
	require.Equal(t, "variation v", one.String())
	many := flags.ServeRollout(flags.Rollout{Weights: []flags.Weight{{"b", 500}, {"a", 99_500}}, BucketBy: "x"})
	_, ok = many.Variation()
	require.False(t, ok)
	rollout, ok := many.Rollout()
	require.True(t, ok)
	require.Equal(t, flags.Rollout{Weights: []flags.Weight{{"a", 99_500}, {"b", 500}}, BucketBy: "x"}, rollout)
	require.Equal(t, "99.5 % a and 0.5 % b by x", many.String())
	same := flags.ServeRollout(flags.Rollout{Weights: []flags.Weight{{"a", 99_500}, {"b", 500}}, BucketBy: "x"})
	all := []flags.Serve{zero, one, flags.ServeVariation(""), flags.ServeVariation("w"), many,
		flags.ServeRollout(flags.Rollout{}), flags.ServeRollout(flags.Rollout{BucketBy: "x"}), flags.ServeRollout(flags.Rollout{ContextKind: "x"})}
	for i, a := range all {
		for j, b := range all {
			require.Equal(t, i == j, a.Equal(b), "%d %d", i, j)
		}
	}
	require.True(t, many.Equal(same))
	extreme := flags.ServeRollout(flags.Rollout{Weights: []flags.Weight{{"a", math.MinInt}, {"b", math.MaxInt}, {"c", -1500}}})
	require.Contains(t, extreme.String(), "-1.5 % c")
}

// invalid are instructions that no JSON document could give.
func invalid(t testing.TB) map[string]flags.Instruction {
	fallthroughTo := func(weights ...flags.Weight) flags.Instruction {
		return flags.UpdateFallthroughVariationOrRollout(flags.ServeRollout(flags.Rollout{Weights: weights}))
	}
	in := flags.OpIn
	long := strings.Repeat("x", 70)
	many := make([]string, 10_001)
	for i := range many {
		many[i] = "t"
	}
	null := value(t, "null")
	return map[string]flags.Instruction{
		"zero":                     {},
		"zero with id":             flags.Instruction{}.WithID("x"),
		"empty variation":          flags.UpdateOffVariation(""),
		"bad reference":            flags.UpdateOffVariation("ref:"),
		"empty target":             flags.AddTargets(flags.Targets{VariationID: "v", Values: []string{"a", ""}}),
		"empty everything":         flags.AddTargets(flags.Targets{}),
		"too many":                 flags.AddTags(many...),
		"zero serve":               flags.UpdateFallthroughVariationOrRollout(flags.Serve{}),
		"empty serve":              flags.UpdateFallthroughVariationOrRollout(flags.ServeVariation("")),
		"no weights":               fallthroughTo(),
		"negative weights":         fallthroughTo(flags.Weight{"b", -1}, flags.Weight{"a", 100_001}),
		"extreme weights":          fallthroughTo(flags.Weight{"b", math.MinInt}, flags.Weight{"a", math.MaxInt}),
		"sum too small":            fallthroughTo(flags.Weight{"b", 1}, flags.Weight{"a", 99_998}),
		"variation twice":          fallthroughTo(flags.Weight{"b", 50_000}, flags.Weight{"a", 0}, flags.Weight{"b", 50_000}),
		"weight without variation": fallthroughTo(flags.Weight{"", 100_000}),
		"long bad reference":       fallthroughTo(flags.Weight{"ref:/~" + long, 100_000}, flags.Weight{"ref:é" + strings.Repeat("é", 60), 0}),
		"long id of too much weight": fallthroughTo(
			flags.Weight{strings.Repeat("y", strictjson.MaxString+1), 100_001}, flags.Weight{long, -1}),
		"zero rule":              flags.AddRule(flags.Rule{}, ""),
		"rule with tracking":     flags.AddRule(flags.Rule{Serve: flags.ServeVariation("v"), TrackEvents: true}, ""),
		"zero rules":             flags.ReplaceRules(flags.Rule{}, flags.Rule{}),
		"bad before":             flags.AddRule(flags.Rule{Serve: flags.ServeVariation("v"), Ref: "a b"}, "ref:a b"),
		"zero clause":            flags.AddClauses("r", flags.Clause{}),
		"zero one clause":        flags.UpdateClause("", "", flags.Clause{}),
		"bad operator":           flags.AddClauses("r", flags.Clause{Op: "IN"}),
		"no attribute":           flags.AddClauses("r", flags.Clause{Op: in}),
		"absent and null values": flags.AddClauses("r", flags.Clause{Attribute: "a", Op: in, Values: []flags.Value{{}, null, flags.IntValue(1)}}),
		"values of a list":       flags.AddValuesToClause("r", "c", flags.Value{}, null),
		"reference twice": flags.ReplaceRules(
			flags.Rule{Serve: flags.ServeVariation("v"), Ref: "a", Clauses: []flags.Clause{{Attribute: "a", Op: in, Ref: "a"}}},
			flags.Rule{Serve: flags.ServeVariation("v"), Ref: "b", Clauses: []flags.Clause{{Attribute: "a", Op: in, Ref: "b"}, {Attribute: "a", Op: in, Ref: ""}}}),
		"zero targets":                flags.ReplaceTargets(flags.Targets{}),
		"user targets":                flags.ReplaceUserTargets(flags.Targets{ContextKind: "user", VariationID: "v", Values: []string{""}}),
		"zero prerequisite":           flags.ReplacePrerequisites(flags.Prerequisite{}, flags.Prerequisite{Key: "a/b", VariationID: "v"}),
		"bad key":                     flags.AddPrerequisite("a b", "v"),
		"reference into another flag": flags.AddPrerequisite("k", "ref:v"),
		"references into other flags": flags.ReplacePrerequisites(flags.Prerequisite{Key: "k", VariationID: "ref:"}, flags.Prerequisite{Key: "l", VariationID: "ref:v"}),
		"segments without keys": flags.ReplaceRules(flags.Rule{Serve: flags.ServeVariation("v"), Clauses: []flags.Clause{{
			Op: flags.OpSegmentMatch, Values: []flags.Value{flags.IntValue(1), flags.StringValue(""), null, {}, value(t, "[]"), flags.StringValue("s")},
		}}}),
		"a segment without key": flags.UpdateClause("r", "c", flags.Clause{Op: flags.OpSegmentMatch, Ref: "/", Values: flags.StringValues("")}),
		"no choice in rules":    flags.ReplaceRules(flags.Rule{Clauses: []flags.Clause{{Op: flags.OpSegmentMatch, Values: []flags.Value{{}}}}}),
		"no value":              flags.AddVariation(flags.Variation{}),
		"null value":            flags.AddVariation(flags.Variation{Value: null, Ref: "/"}),
		"no change":             flags.UpdateVariation("v"),
		"null change":           flags.UpdateVariation("", flags.VariationValue(null)),
		"no defaults":           flags.UpdateDefaultVariation(flags.Value{}, null),
		"no name":               flags.UpdateName(""),
		"no member":             flags.UpdateMaintainerMember(""),
		"availability":          flags.TurnOnClientSideAvailability(""),
		"another":               flags.TurnOffClientSideAvailability("usingmobilekey"),
		"too long":              flags.UpdateName(strings.Repeat("x", strictjson.MaxString+1)),
		"too long value":        flags.AddVariation(flags.Variation{Value: flags.StringValue(strings.Repeat("x", strictjson.MaxString+1))}),
		"too long written":      flags.AddVariation(flags.Variation{Value: flags.StringValue(strings.Repeat("<\u2028\n", strictjson.MaxString/5+1))}),
		"too deep":              flags.AddVariation(flags.Variation{Value: value(t, strings.Repeat("[", 59)+strings.Repeat("]", 59))}),
		"too deep in clause":    flags.AddValuesToClause("r", "c", value(t, strings.Repeat("[", 58)+strings.Repeat("]", 58))),
		"too long and many":     flags.AddTags(strings.Repeat("<", 60_000), strings.Repeat("<", 60_000), strings.Repeat("<", 60_000)),
		"long id":               flags.TurnFlagOn().WithID(strings.Repeat("x", 257)),
		"more than a hundred":   flags.AddTags(make([]string, 150)...),
	}
}

func TestValidateFindsWhatDecodingFinds(t *testing.T) {
	for name, in := range invalid(t) {
		t.Run(name, func(t *testing.T) {
			document := in.AppendJSON(nil)
			got := in.Validate()
			_, want := flags.DecodeInstruction(document)
			require.Error(t, got.Err(), "%s", document[:min(len(document), 200)])
			require.Equal(t, summary(want), summary(got), "%v\n%v", want, got)
			require.NotPanics(t, func() {
				_ = in.String()
				in.Slots()
				in.SlotCount()
				in.Reads()
				in.Writes()
				in.Equal(in)
			})
			require.Len(t, in.Slots(), in.SlotCount())
		})
	}
}

// TestValidateReportsAnErrorExactlyWhenDecodingDoes holds that where codes and
// pointers may differ, the judgement does not.
func TestValidateReportsAnErrorExactlyWhenDecodingDoes(t *testing.T) {
	long := strings.Repeat("x", strictjson.MaxString+1)
	id := flags.Weight{VariationID: long, Weight: flags.FullWeight}
	for name, in := range map[string]flags.Instruction{
		"value too deep for a document": flags.AddVariation(flags.Variation{Value: value(t, strings.Repeat("[", 64)+strings.Repeat("]", 64))}),
		"long operator":                 flags.UpdateClause("r", "c", flags.Clause{Attribute: "a", Op: flags.Operator(long)}),
		"long context kind of users":    flags.ReplaceUserTargets(flags.Targets{ContextKind: long, VariationID: "v"}),
		"long variation twice":          flags.UpdateFallthroughVariationOrRollout(flags.ServeRollout(flags.Rollout{Weights: []flags.Weight{id, id}})),
		"id in members, no string":      flags.HostInstruction("x", value(t, `{"_id":7}`)),
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, in.Validate().Err())
			_, problems := flags.DecodeInstruction(in.AppendJSON(nil), flags.HostKinds("x"))
			require.Error(t, problems.Err())
		})
	}
}

func TestValidateRefusesWhatNoDocumentCanSay(t *testing.T) {
	hostile := flags.StringValue("a\x00")
	for name, test := range map[string]struct {
		in   flags.Instruction
		want []string
	}{
		"not UTF-8":            {flags.UpdateName("\xff"), []string{"malformed /value"}},
		"NUL":                  {flags.UpdateDescription("a\x00b"), []string{"malformed /value"}},
		"ids":                  {flags.ReorderRules("a\xff", "b"), []string{"malformed /ruleIds/0"}},
		"clause":               {flags.AddClauses("\x00", flags.Clause{ContextKind: "\xff", Attribute: "\x00", Op: flags.OpIn, Ref: "\xff"}), []string{"malformed /ruleId", "malformed /clauses/0/contextKind", "malformed /clauses/0/attribute", "malformed /clauses/0/ref"}},
		"operator":             {flags.AddClauses("r", flags.Clause{Attribute: "a", Op: "\xff"}), []string{"unknown_kind /clauses/0/op"}},
		"NUL in a value":       {flags.AddValuesToClause("r", "c", hostile), []string{"malformed /values/0"}},
		"NUL in a variation":   {flags.AddVariation(flags.Variation{Value: hostile}), []string{"malformed /value"}},
		"a backslash, no NUL":  {flags.AddVariation(flags.Variation{Value: flags.StringValue(`\u0000\`)}), []string{}},
		"value not UTF-8":      {flags.AddVariation(flags.Variation{Value: flags.StringValue("\xff\xff")}), []string{}},
		"weights":              {flags.UpdateFallthroughVariationOrRollout(flags.ServeRollout(flags.Rollout{Weights: []flags.Weight{{"a\xff", 100_000}}, BucketBy: "\x00", ContextKind: "\xff"})), []string{"malformed /rolloutWeights/a\uFFFD", "malformed /rolloutBucketBy", "malformed /rolloutContextKind"}},
		"members no object":    {flags.HostInstruction("x", flags.IntValue(1)), []string{"wrong_type "}},
		"members null":         {flags.HostInstruction("x", value(t, "null")), []string{"wrong_type "}},
		"members with id":      {flags.HostInstruction("x", value(t, `{"a":1,"_id":"y","kind":"z"}`)), []string{"duplicate /kind", "duplicate /_id"}},
		"members too deep":     {flags.HostInstruction("x", value(t, `{"a":`+strings.Repeat("[", 59)+strings.Repeat("]", 59)+`}`)), []string{"too_large /a"}},
		"members string":       {flags.HostInstruction("x", hostile), []string{"wrong_type ", "syntax "}},
		"members of all sorts": {flags.HostInstruction("x", value(t, `{"a":[null,{"kind":1}],"":2}`)), []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, summary(test.in.Validate()))
			for _, p := range test.in.Validate() {
				require.NotContains(t, p.String(), "\x00")
			}
			_, err := flags.ParseValue(string(test.in.AppendJSON(nil)))
			if len(test.want) == 0 {
				require.NoError(t, err)
				again, problems := flags.DecodeInstruction(test.in.AppendJSON(nil), flags.HostKinds("x"))
				require.Empty(t, problems)
				require.True(t, again.Equal(test.in))
			}
			require.NotPanics(t, func() { _ = test.in.String(); test.in.Slots(); test.in.Equal(flags.Instruction{}) })
		})
	}
}
