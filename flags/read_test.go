package flags_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

func TestReadingRules(t *testing.T) {
	const (
		fallthroughKind = `{"kind":"updateFallthroughVariationOrRollout",`
		clause          = `{"kind":"updateClause","ruleId":"r","clauseId":"c","clause":`
	)
	for _, test := range []struct {
		name, document string
		want           []string
	}{
		{"no object", `7`, []string{"wrong_type "}},
		{"null", `null`, []string{"wrong_type "}},
		{"empty object", `{}`, []string{"required /kind"}},
		{"kind missing", `{"values":{"a":1},"nonsense":true}`, []string{"required /kind"}},
		{"kind in title case", `{"Kind":"turnFlagOn"}`, []string{"unknown_member /Kind", "required /kind"}},
		{"kind in capitals", `{"ruleId":7,"KIND":{"a":1,"a":2},"x":1}`, []string{"unknown_member /KIND", "duplicate /KIND/a", "required /kind"}},
		{"kind with a Kelvin sign", `{"\u212aind":"turnFlagOn"}`, []string{"unknown_member /\u212aind", "required /kind"}},
		{"kind with a letter left out", `{"_id":"x","knd":"turnFlagOn","id":"x"}`, []string{"unknown_member /knd", "unknown_member /id", "required /kind"}},
		{"kind twice in other spellings, and null", `{"Kind":1,"kind":null,"knd":1}`, []string{"wrong_type /kind"}},
		{"kind null", `{"kind":null,"nonsense":true}`, []string{"wrong_type /kind"}},
		{"kind number", `{"values":1,"kind":7}`, []string{"wrong_type /kind"}},
		{"kind empty", `{"kind":""}`, []string{"unknown_kind /kind"}},
		{"kind unknown, all else passed over", `{"_id":7,"values":1,"kind":"turnFlagsideways","x":{}}`, []string{"unknown_kind /kind"}},
		{"kind twice", `{"kind":"turnFlagOn","kind":"turnFlagOff"}`, []string{"duplicate /kind"}},
		{"kind of another resource", `{"kind":"startAutomatedRelease"}`, []string{"unknown_kind /kind"}},
		{"member twice", `{"kind":"updateName","value":"a","value":"b"}`, []string{"duplicate /value"}},
		{"trailing data", `{"kind":"turnFlagOn"} x`, []string{"syntax "}},
		{"broken", `{"kind":"turnFlagOn"`, []string{"syntax "}},
		{"broken before kind", `{"values":[,"kind":"turnFlagOn"}`, []string{"syntax /values/0"}},
		{"empty", ``, []string{"syntax "}},
		{"not UTF-8", "{\"kind\":\"updateName\",\"value\":\"\xff\"}", []string{"syntax /value"}},
		{"NUL", `{"kind":"updateName","value":"\u0000"}`, []string{"syntax /value"}},

		{"everything at once", `{"kind":"addTargets","valuez":[],"variationId":"","contextKind":3}`,
			[]string{"unknown_member /valuez", "malformed /variationId", "wrong_type /contextKind", "required /values"}},

		{"empty id", `{"kind":"removeRule","ruleId":""}`, []string{"malformed /ruleId"}},
		{"empty ids", `{"kind":"removeClauses","ruleId":"r","clauseIds":["a","","ref:"]}`, []string{"malformed /clauseIds/1", "malformed /clauseIds/2"}},
		{"reference without form", `{"kind":"removeRule","ruleId":"ref:a b"}`, []string{"malformed /ruleId"}},
		{"reference of 256", `{"kind":"removeRule","ruleId":"ref:` + strings.Repeat("a", 256) + `"}`, nil},
		{"reference of 257", `{"kind":"removeRule","ruleId":"ref:` + strings.Repeat("a", 257) + `"}`, []string{"malformed /ruleId"}},
		{"empty beforeRuleId", `{"kind":"addRule","clauses":[],"variationId":"v","beforeRuleId":""}`, []string{"malformed /beforeRuleId"}},
		{"empty context key", `{"kind":"addTargets","values":[""],"variationId":"v"}`, []string{"malformed /values/0"}},
		{"context key that looks like a reference", `{"kind":"addTargets","values":["ref:a b"],"variationId":"v"}`, nil},
		{"null among texts", `{"kind":"addTags","values":["a",null]}`, []string{"wrong_type /values/1"}},
		{"empty tag", `{"kind":"addTags","values":[""]}`, []string{"malformed /values/0"}},
		{"empty name", `{"kind":"updateName","value":""}`, []string{"malformed /value"}},
		{"empty key of property", `{"kind":"removeCustomProperties","key":"","values":[]}`, []string{"malformed /key"}},

		{"variation and rollout", fallthroughKind + `"rolloutWeights":{"v":100000},"variationId":"v"}`, []string{"exclusive /rolloutWeights"}},
		{"neither", fallthroughKind + `"rolloutBucketBy":"x"}`, []string{"required /variationId"}},
		{"neither but null", fallthroughKind + `"variationId":null,"rolloutWeights":null}`, []string{"required /variationId"}},
		{"one of them null", fallthroughKind + `"variationId":"v","rolloutWeights":null,"rolloutBucketBy":null,"rolloutContextKind":null}`, nil},
		{"bucket beside variation", fallthroughKind + `"rolloutBucketBy":"x","variationId":"v","rolloutContextKind":"y"}`,
			[]string{"warning exclusive /rolloutBucketBy", "warning exclusive /rolloutContextKind"}},
		{"empty bucket beside variation", fallthroughKind + `"rolloutBucketBy":"","variationId":"v"}`, nil},
		{"bucket of another type beside variation", fallthroughKind + `"rolloutBucketBy":7,"variationId":"v"}`, []string{"wrong_type /rolloutBucketBy"}},
		{"in a list of rules", `{"kind":"replaceRules","rules":[{"clauses":[]},{"clauses":[],"variationId":"v","rolloutWeights":{"v":100000}},{"clauses":[],"variationId":"v","rolloutBucketBy":"b"}]}`,
			[]string{"required /rules/0/variationId", "exclusive /rules/1/rolloutWeights", "warning exclusive /rules/2/rolloutBucketBy"}},

		{"weights of 99999", fallthroughKind + `"rolloutWeights":{"a":50000,"b":49999}}`, []string{"out_of_range /rolloutWeights"}},
		{"weights of 100001", fallthroughKind + `"rolloutWeights":{"a":50000,"b":50001}}`, []string{"out_of_range /rolloutWeights"}},
		{"no weights", fallthroughKind + `"rolloutWeights":{}}`, []string{"out_of_range /rolloutWeights"}},
		{"negative weight", fallthroughKind + `"rolloutWeights":{"a":100001,"b":-1}}`, []string{"out_of_range /rolloutWeights/a", "out_of_range /rolloutWeights/b"}},
		{"minus zero", fallthroughKind + `"rolloutWeights":{"a":100000,"b":-0}}`, nil},
		{"fraction", fallthroughKind + `"rolloutWeights":{"a":100000.0}}`, []string{"wrong_type /rolloutWeights/a"}},
		{"exponent", fallthroughKind + `"rolloutWeights":{"a":1e5}}`, []string{"wrong_type /rolloutWeights/a"}},
		{"weight in a string", fallthroughKind + `"rolloutWeights":{"a":"100000"}}`, []string{"wrong_type /rolloutWeights/a"}},
		{"null weight", fallthroughKind + `"rolloutWeights":{"a":100000,"b":null}}`, []string{"wrong_type /rolloutWeights/b"}},
		{"huge weight", fallthroughKind + `"rolloutWeights":{"a":99999999999999999999}}`, []string{"out_of_range /rolloutWeights/a"}},
		{"sum that would overflow", fallthroughKind + `"rolloutWeights":{"a":9223372036854775807,"b":9223372036854775807,"c":100002}}`,
			[]string{"out_of_range /rolloutWeights/a", "out_of_range /rolloutWeights/b", "out_of_range /rolloutWeights/c"}},
		{"variation twice", fallthroughKind + `"rolloutWeights":{"a":100000,"a":100000}}`, []string{"duplicate /rolloutWeights/a"}},
		{"empty variation", fallthroughKind + `"rolloutWeights":{"":100000}}`, []string{"malformed /rolloutWeights/"}},
		{"escaped variation", fallthroughKind + `"rolloutWeights":{"a/b~c":100001}}`, []string{"out_of_range /rolloutWeights/a~1b~0c"}},
		{"reference in weights", fallthroughKind + `"rolloutWeights":{"ref:x":60000,"ref:?":40000}}`, []string{"malformed /rolloutWeights/ref:?"}},

		{"operator in capitals", clause + `{"attribute":"a","op":"IN","values":[]}}`, []string{"unknown_kind /clause/op"}},
		{"operator in lower case", clause + `{"attribute":"a","op":"segmentmatch","values":[]}}`, []string{"unknown_kind /clause/op"}},
		{"bad operator without attribute", clause + `{"op":"like","values":[]}}`, []string{"unknown_kind /clause/op"}},
		{"null operator", clause + `{"op":null,"values":[]}}`, []string{"wrong_type /clause/op"}},
		{"empty clause", clause + `{}}`, []string{"required /clause/attribute", "required /clause/op", "required /clause/values"}},
		{"null clause", clause + `null}`, []string{"wrong_type /clause"}},
		{"empty attribute", clause + `{"attribute":"","op":"in","values":[]}}`, []string{"malformed /clause/attribute"}},
		{"null attribute", clause + `{"attribute":null,"op":"in","values":[]}}`, []string{"wrong_type /clause/attribute"}},
		{"attribute of another type", clause + `{"attribute":7,"op":"in","values":[]}}`, []string{"wrong_type /clause/attribute"}},
		{"segment needs no attribute", clause + `{"attribute":null,"values":["s"],"op":"segmentMatch","contextKind":""}}`, nil},
		{"segments", clause + `{"op":"segmentMatch","values":["s",1,"",null,["s"]]}}`,
			[]string{"wrong_type /clause/values/1", "malformed /clause/values/2", "wrong_type /clause/values/3", "wrong_type /clause/values/4"}},
		{"segments before the operator", `{"kind":"addClauses","ruleId":"r","clauses":[{"values":[true],"op":"segmentMatch"},{"values":[true,""],"attribute":"a","op":"in"}]}`,
			[]string{"wrong_type /clauses/0/values/0"}},
		{"segments of a rule", `{"kind":"addRule","variationId":"v","clauses":[{"op":"segmentMatch","values":[""]}]}`, []string{"malformed /clauses/0/values/0"}},
		{"segments of rules", `{"kind":"replaceRules","rules":[{"variationId":"v","clauses":[{"op":"segmentMatch","values":[{}]}]}]}`,
			[]string{"wrong_type /rules/0/clauses/0/values/0"}},
		{"attribute before its values", clause + `{"attribute":"","values":[null],"op":"in"}}`, []string{"malformed /clause/attribute", "wrong_type /clause/values/0"}},
		{"null among values", clause + `{"attribute":"a","op":"in","values":[1,null,[null]]}}`, []string{"wrong_type /clause/values/1"}},
		{"nulls of a clause", clause + `{"contextKind":null,"negate":null,"ref":null,"attribute":"a","op":"in","values":[]}}`, nil},
		{"id of a clause", clause + `{"_id":"x","attribute":"a","op":"in","values":[]}}`, []string{"unknown_member /clause/_id"}},

		{"reference twice", `{"kind":"addRule","ref":"a","variationId":"v","clauses":[{"ref":"b","attribute":"x","op":"in","values":[]},{"ref":"a","attribute":"x","op":"in","values":[]},{"ref":"b","attribute":"x","op":"in","values":[]}]}`,
			[]string{"duplicate /clauses/1/ref", "duplicate /clauses/2/ref"}},
		{"reference twice in two rules", `{"kind":"replaceRules","rules":[{"ref":"a","variationId":"v","clauses":[]},{"ref":"a","variationId":"v","clauses":[]}]}`,
			[]string{"duplicate /rules/1/ref"}},
		{"empty reference", `{"kind":"addVariation","value":1,"ref":""}`, []string{"malformed /ref"}},
		{"reference with a space", `{"kind":"addVariation","value":1,"ref":"a b"}`, []string{"malformed /ref"}},
		{"reference name of 257", `{"kind":"addVariation","value":1,"ref":"` + strings.Repeat("x", 257) + `"}`, []string{"malformed /ref"}},
		{"null reference", `{"kind":"addVariation","value":1,"ref":null,"name":null,"description":null}`, nil},

		{"null value", `{"kind":"addVariation","value":null}`, []string{"wrong_type /value"}},
		{"value with a defect inside", `{"kind":"addVariation","value":{"a":1,"a":2}}`, []string{"duplicate /value/a"}},
		{"nothing to update", `{"kind":"updateVariation","variationId":"v"}`, []string{"required /name"}},
		{"only nulls to update", `{"kind":"updateVariation","variationId":"v","value":null,"description":null}`, []string{"required /name"}},
		{"bad value to update", `{"kind":"updateVariation","variationId":"v","name":7}`, []string{"wrong_type /name"}},
		{"no defaults", `{"kind":"updateDefaultVariation"}`, []string{"required /onVariationValue"}},
		{"null defaults", `{"kind":"updateDefaultVariation","OnVariationValue":null}`, []string{"required /onVariationValue"}},
		{"defaults in the other spelling", `{"kind":"updateDefaultVariation","OffVariationValue":1,"OnVariationValue":2}`, nil},
		{"defaults in both spellings", `{"kind":"updateDefaultVariation","onVariationValue":1,"OnVariationValue":1}`, []string{"duplicate /OnVariationValue"}},
		{"defaults in both spellings, one null", `{"kind":"updateDefaultVariation","OffVariationValue":null,"offVariationValue":1,"onVariationValue":2}`, []string{"duplicate /offVariationValue"}},

		{"availability", `{"kind":"turnOnClientSideAvailability","value":"usingmobilekey"}`, []string{"unknown_kind /value"}},
		{"empty availability", `{"kind":"turnOffClientSideAvailability","value":""}`, []string{"unknown_kind /value"}},

		{"key of a flag", `{"kind":"removePrerequisite","key":"-x"}`, []string{"malformed /key"}},
		{"key that begins with a dot", `{"kind":"removePrerequisite","key":".x"}`, []string{"malformed /key"}},
		{"key that begins with an underscore", `{"kind":"removePrerequisite","key":"_x"}`, []string{"malformed /key"}},
		{"empty key", `{"kind":"removePrerequisite","key":""}`, []string{"malformed /key"}},
		{"key of 256", `{"kind":"removePrerequisite","key":"` + strings.Repeat("k", 256) + `"}`, nil},
		{"key of 257", `{"kind":"removePrerequisite","key":"` + strings.Repeat("k", 257) + `"}`, []string{"malformed /key"}},
		{"reference into another flag", `{"kind":"addPrerequisite","key":"k","variationId":"ref:v"}`, []string{"malformed /variationId"}},
		{"reference into another flag, updated", `{"kind":"updatePrerequisite","key":"k","variationId":"ref:v"}`, []string{"malformed /variationId"}},
		{"references into other flags", `{"kind":"replacePrerequisites","prerequisites":[{"key":"k","variationId":"ref:v"},{"key":"l","variationId":"v"}]}`,
			[]string{"malformed /prerequisites/0/variationId"}},
		{"keys in a list", `{"kind":"replacePrerequisites","prerequisites":[{"key":"a/b","variationId":"v"},{"variationId":""}]}`,
			[]string{"malformed /prerequisites/0/key", "malformed /prerequisites/1/variationId", "required /prerequisites/1/key"}},
		{"example that is published under another kind", `{"kind":"replaceCustomProperties","key":"k","values":["a"]}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			in, problems := flags.DecodeInstruction([]byte(test.document))
			got := summary(problems)
			require.Equal(t, append([]string{}, test.want...), got, "%v", problems)
			if problems.Err() == nil {
				require.Empty(t, in.Validate())
				again, problems := flags.DecodeInstruction(in.AppendJSON(nil))
				require.Empty(t, problems)
				require.True(t, in.Equal(again))
			} else {
				require.True(t, in.IsZero())
			}
			for _, p := range problems {
				require.NotEmpty(t, p.Message)
				require.LessOrEqual(t, len(p.Message), 512)
			}
		})
	}
}

func TestManyReferencesAreCompared(t *testing.T) {
	list := make([]flags.Clause, 50)
	for i := range list {
		list[i] = flags.Clause{Op: flags.OpSegmentMatch, Ref: fmt.Sprint("clause-", i)}
	}
	in := flags.AddClauses("r", list...)
	require.Empty(t, in.Validate())
	list[20].Ref, list[45].Ref = "clause-2", "clause-40"
	in = flags.AddClauses("r", list...)
	want := []string{"duplicate /clauses/20/ref", "duplicate /clauses/45/ref"}
	require.Equal(t, want, summary(in.Validate()))
	_, problems := flags.DecodeInstruction(in.AppendJSON(nil))
	require.Equal(t, want, summary(problems))
}

func TestWhatWasMeant(t *testing.T) {
	for document, want := range map[string]string{
		`{"kind":"turnFlagsOn"}`:                                      `the nearest is "turnFlagOn"`,
		`{"kind":"TURNFLAGON"}`:                                       `the nearest is "turnFlagOn"`,
		`{"kind":"updateFallthroughVariation"}`:                       `the nearest is "updateFallthroughVariationOrRollout"`,
		`{"kind":"pageSomebody"}`:                                     `the nearest is "pageSomeone"`,
		`{"kind":"turnOnClientSideAvailability","value":"MobileKey"}`: `must be one of usingMobileKey, usingEnvironmentId`,
		`{"kind":"addClauses","ruleId":"r","clauses":[{"attribute":"a","op":"startWith","values":[]}]}`: `did you mean "startsWith"?`,
		`{"knd":"turnFlagOn"}`:                                                        `the member "knd" is unknown here; did you mean "kind"?`,
		`{"kind":"updateOffVariation","variationID":"v"}`:                             `did you mean "variationId"?`,
		`{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"a":99999}}`: `add up to 99999`,
	} {
		_, problems := flags.DecodeInstruction([]byte(document), flags.HostKinds("pageSomeone"))
		require.NotEmpty(t, problems)
		require.Contains(t, problems[0].Message, want)
	}
	_, problems := flags.DecodeInstruction([]byte(`{"kind":"makeCoffee"}`))
	require.Contains(t, problems[0].Message, `the nearest is "`)
}

func TestWhatSaysNothingIsLeftOut(t *testing.T) {
	for document, want := range map[string]string{
		`{"kind":"addTargets","contextKind":"","values":[],"variationId":"v"}`:                                         `{"kind":"addTargets","values":[],"variationId":"v"}`,
		`{"kind":"addVariation","name":"","description":"","value":1.0}`:                                               `{"kind":"addVariation","value":1.0}`,
		`{"kind":"replaceCustomProperties","key":"k","name":"","values":[]}`:                                           `{"kind":"replaceCustomProperties","key":"k","values":[]}`,
		`{"kind":"updateFallthroughVariationOrRollout","rolloutBucketBy":"x","variationId":"v"}`:                       `{"kind":"updateFallthroughVariationOrRollout","variationId":"v"}`,
		`{"kind":"updateFallthroughVariationOrRollout","rolloutBucketBy":"","rolloutWeights":{"b":1,"B":0,"a":99999}}`: `{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"B":0,"a":99999,"b":1}}`,
		`{"kind":"updateDefaultVariation","OffVariationValue":1,"OnVariationValue":2}`:                                 `{"kind":"updateDefaultVariation","onVariationValue":2,"offVariationValue":1}`,
		`{"kind":"replaceRules","rules":[{"clauses":[],"variationId":"v","trackEvents":false,"description":""}]}`:      `{"kind":"replaceRules","rules":[{"variationId":"v","clauses":[]}]}`,
	} {
		in, problems := flags.DecodeInstruction([]byte(document))
		require.NoError(t, problems.Err())
		require.Equal(t, want, string(in.AppendJSON(nil)))
	}
}

func TestOperatorsAreTheDocumentedOnes(t *testing.T) {
	want := strings.Fields("in endsWith startsWith matches contains lessThan lessThanOrEqual greaterThan greaterThanOrEqual before after segmentMatch semVerEqual semVerLessThan semVerGreaterThan")
	require.Len(t, want, 15)
	require.Equal(t, fmt.Sprint(want), fmt.Sprint(flags.Operators()))
	says := map[string]bool{}
	for _, op := range flags.Operators() {
		in, problems := flags.DecodeInstruction([]byte(`{"kind":"addClauses","ruleId":"r","clauses":[{"attribute":"a","op":"` + string(op) + `","values":["x"]}]}`))
		require.Empty(t, problems)
		require.Empty(t, in.Validate())
		for _, negate := range []bool{true, false} {
			says[flags.Clause{Attribute: "a", Op: op, Negate: negate, Values: flags.StringValues("x")}.String()] = true
		}
	}
	require.Len(t, says, 30)
	flags.Operators()[0] = "changed"
	require.Equal(t, flags.OpIn, flags.Operators()[0])
}

func TestListsHoldAtMostTenThousand(t *testing.T) {
	for _, test := range []struct{ name, before, entry, after, pointer string }{
		{"texts", `{"kind":"addTags","values":[`, `"t"`, `]}`, "/values"},
		{"values", `{"kind":"addValuesToClause","ruleId":"r","clauseId":"c","values":[`, `1`, `]}`, "/values"},
		{"ids", `{"kind":"reorderRules","ruleIds":[`, `"r"`, `]}`, "/ruleIds"},
		{"values of a clause", `{"kind":"addClauses","ruleId":"r","clauses":[{"attribute":"a","op":"in","values":[`, `1`, `]}]}`, "/clauses/0/values"},
		{"clauses", `{"kind":"addClauses","ruleId":"r","clauses":[`, `{"attribute":"a","op":"in","values":[]}`, `]}`, "/clauses"},
		{"targets", `{"kind":"replaceTargets","targets":[`, `{"variationId":"v","values":[]}`, `]}`, "/targets"},
		{"values of targets", `{"kind":"replaceTargets","targets":[{"variationId":"v","values":[`, `"k"`, `]}]}`, "/targets/0/values"},
		{"rules", `{"kind":"replaceRules","rules":[`, `{"variationId":"v","clauses":[]}`, `]}`, "/rules"},
		{"prerequisites", `{"kind":"replacePrerequisites","prerequisites":[`, `{"key":"k","variationId":"v"}`, `]}`, "/prerequisites"},
	} {
		document := func(n int, last string) []byte {
			return []byte(test.before + strings.Repeat(test.entry+",", n-1) + last + test.after)
		}
		in, problems := flags.DecodeInstruction(document(10_000, test.entry))
		require.Empty(t, problems, test.name)
		require.Empty(t, in.Validate(), test.name)
		_, problems = flags.DecodeInstruction(document(10_001, test.entry))
		require.Equal(t, []string{"too_large " + test.pointer}, summary(problems), test.name)
		_, problems = flags.DecodeInstruction(document(10_001, "null")) // what is over is not judged
		require.Equal(t, []string{"too_large " + test.pointer}, summary(problems), test.name)
	}
	weights := func(n int) []byte {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"%d":0,`, i)
		}
		return []byte(`{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{` + b.String() + `"x":100000}}`)
	}
	_, problems := flags.DecodeInstruction(weights(9_999))
	require.Empty(t, problems)
	_, problems = flags.DecodeInstruction(weights(10_000))
	require.Equal(t, []string{"too_large /rolloutWeights"}, summary(problems))
}

func TestSizes(t *testing.T) {
	text := strings.Repeat("x", strictjson.MaxString)
	for _, document := range []string{
		`{"kind":"updateName","value":"%s"}`,
		`{"kind":"removeRule","ruleId":"%s"}`,
		`{"kind":"addVariation","value":"%s"}`,
		`{"kind":"addTags","values":["%s"]}`,
		`{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"%s":100000}}`,
		`{"kind":"addClauses","ruleId":"r","clauses":[{"attribute":"%s","op":"in","values":[]}]}`,
	} {
		in, problems := flags.DecodeInstruction([]byte(fmt.Sprintf(document, text)))
		require.Empty(t, problems)
		require.Empty(t, in.Validate())
		require.Less(t, len(in.String()), 200)
		_, problems = flags.DecodeInstruction([]byte(fmt.Sprintf(document, text+"x")))
		require.NotEmpty(t, problems)
		require.Equal(t, flags.CodeTooLarge, problems[0].Code)
	}

	// A text that is written longer than it is read.
	entry := strings.Repeat("<", 2000)
	tags := func(n int) []byte {
		return []byte(`{"kind":"addTags","values":["` + strings.Repeat(entry+`","`, n-1) + entry + `"]}`)
	}
	in, problems := flags.DecodeInstruction(tags(87))
	require.Empty(t, problems)
	require.Empty(t, in.Validate())
	require.LessOrEqual(t, len(in.AppendJSON(nil)), strictjson.MaxDocument)
	_, problems = flags.DecodeInstruction(tags(88))
	require.Equal(t, []string{"too_large "}, summary(problems))
	_, problems = flags.DecodeInstructions([]byte("[" + string(tags(88)) + "]"))
	require.Equal(t, []string{"too_large /0"}, summary(problems))
}

func TestValuesFitIntoATemplate(t *testing.T) {
	for _, test := range []struct {
		document, pointer string
		deepest           int
	}{
		{`{"kind":"addVariation","value":%s}`, "/value", 58},
		{`{"kind":"addValuesToClause","ruleId":"r","clauseId":"c","values":[%s]}`, "/values/0", 57},
		{`{"kind":"updateClause","ruleId":"r","clauseId":"c","clause":{"attribute":"a","op":"in","values":[%s]}}`, "/clause/values/0", 56},
		{`{"kind":"addClauses","ruleId":"r","clauses":[{"attribute":"a","op":"in","values":[%s]}]}`, "/clauses/0/values/0", 55},
		{`{"kind":"replaceRules","rules":[{"variationId":"v","clauses":[{"attribute":"a","op":"in","values":[%s]}]}]}`, "/rules/0/clauses/0/values/0", 53},
		{`{"kind":"pageSomeone","who":%s}`, "/who", 58},
	} {
		nested := func(n int) []byte {
			return []byte(fmt.Sprintf(test.document, strings.Repeat("[", n)+strings.Repeat("]", n)))
		}
		in, problems := flags.DecodeInstruction(nested(test.deepest), flags.HostKinds("pageSomeone"))
		require.Empty(t, problems, test.document)
		require.Empty(t, in.Validate(), test.document)
		template := `{"stages":[{"action":{"instructions":[` + string(in.AppendJSON(nil)) + `]}}]}`
		_, err := flags.ParseValue(template)
		require.NoError(t, err, "a template holds it")
		_, err = flags.ParseValue("[" + template + "]")
		require.Error(t, err, "nothing deeper is possible")
		_, problems = flags.DecodeInstruction(nested(test.deepest+1), flags.HostKinds("pageSomeone"))
		require.Equal(t, []string{"too_large " + test.pointer}, summary(problems))
	}
}

func TestProblemsAreCountedBeyondTheLimit(t *testing.T) {
	list, problems := flags.DecodeInstructions([]byte("[" + strings.Repeat(`{"kind":"removeRule"},`, 150) + `{"kind":"turnFlagOn"}]`))
	require.Nil(t, list)
	require.Len(t, problems, flags.MaxProblems+1)
	require.Equal(t, 50, problems[flags.MaxProblems].Omitted)
}

func TestWhatIsOnlyCountedNamesNoNearestKind(t *testing.T) {
	var problems flags.Problems
	var messages []string
	d := strictjson.NewDecoder([]byte("["+strings.Repeat(`{"kind":"turnFlagsOn"},`, 150)+"1]"), func(pointer, code, message string) {
		messages = append(messages, message)
		problems.Report(pointer, code, message)
	})
	require.True(t, d.BeginArray())
	for d.NextElement() {
		flags.ReadInstruction(d, &problems, flags.Reading{})
	}
	require.Len(t, messages, 151)
	require.Contains(t, messages[99], "the nearest is")
	require.NotContains(t, messages[100], "the nearest is", "to find it takes time")
}

func TestErrorsGiveWayToNoWarning(t *testing.T) {
	const warned = `{"kind":"updateFallthroughVariationOrRollout","variationId":"v","rolloutBucketBy":"b"},`
	document := "[" + strings.Repeat(warned, 60) + strings.Repeat(`{"kind":"removeRule"},`, 150) + strings.Repeat(warned, 60) + `{}]`
	_, problems := flags.DecodeInstructions([]byte(document))
	require.Len(t, problems, flags.MaxProblems+1)
	require.Equal(t, "/60/ruleId", problems[0].Pointer)
	require.Equal(t, "/159/ruleId", problems[99].Pointer)
	require.Equal(t, flags.SeverityError, problems[100].Severity)
	require.Equal(t, 60+50+60+1, problems[100].Omitted)
	require.Equal(t, "171 more problems are not listed; mend these and look again", problems[100].Message)
}

func TestReadInstructionTellsWhetherItIsOfUse(t *testing.T) {
	document := `[{"kind":"removeRule"},{"kind":"updateOffVariation","variationId":"v","_id":7},
		{"kind":"updateFallthroughVariationOrRollout","variationId":"v","rolloutBucketBy":"b","_id":"x"},
		{"kind":"addVariation","value":{"a":1,"a":2}},{"kind":"turnFlagOn"},{"kind":"turnFlagOn"} }`
	for _, keep := range []bool{false, true} {
		var problems flags.Problems
		d := strictjson.NewDecoder([]byte(document), problems.Report)
		require.True(t, d.BeginArray())
		var oks []bool
		var last flags.Instruction
		for d.NextElement() {
			in, ok := flags.ReadInstruction(d, &problems, flags.Reading{KeepIDs: keep})
			oks = append(oks, ok)
			require.Equal(t, !ok, in.IsZero())
			if ok {
				last = in
			}
		}
		require.Equal(t, []bool{false, !keep, true, false, true, true}, oks)
		require.Equal(t, flags.Kind("turnFlagOn"), last.Kind())
		require.NotNil(t, d.Err())
		if !keep {
			require.Equal(t, []string{"required /0/ruleId", "warning exclusive /2/rolloutBucketBy", "duplicate /3/value/a"}, summary(problems))
		}
	}

	var problems flags.Problems
	d := strictjson.NewDecoder([]byte(`{"kind":"turnFlagOn"`), problems.Report)
	in, ok := flags.ReadInstruction(d, &problems, flags.Reading{})
	require.False(t, ok, "the text is broken, which nobody reported yet")
	require.True(t, in.IsZero())
	require.Empty(t, problems)

	d = strictjson.NewDecoder([]byte("["+strings.Repeat(`{"kind":"removeRule"},`, 150)+`{"kind":"turnFlagOn"}]`), problems.Report)
	require.True(t, d.BeginArray())
	for i := 0; d.NextElement(); i++ {
		_, ok := flags.ReadInstruction(d, &problems, flags.Reading{})
		require.Equal(t, i == 150, ok, "also beyond the problems that are told")
	}

	in, ok = flags.ReadInstruction(nil, nil, flags.Reading{})
	require.False(t, ok)
	require.True(t, in.IsZero())
}

func TestIdentifiersAreIgnoredUnlessKept(t *testing.T) {
	for _, id := range []string{`""`, `7`, `null`, `{"a":[]}`, `"` + strings.Repeat("x", 300) + `"`} {
		var problems flags.Problems
		d := strictjson.NewDecoder([]byte(`{"_id":`+id+`,"kind":"turnFlagOn"}`), problems.Report)
		in, ok := flags.ReadInstruction(d, &problems, flags.Reading{})
		require.True(t, ok)
		require.Empty(t, problems)
		require.Empty(t, in.ID())
	}
}

func TestHostKinds(t *testing.T) {
	const document = `{ "who" : ["ada", 1.50, null], "_id":"h1", "kind":"page.Someone_2-x", "when":{"z":1E5,"a":"\u00e9<"} }`
	in, problems := flags.DecodeInstruction([]byte(document), flags.HostKinds("other"), nil, flags.HostKinds("page.Someone_2-x"))
	require.Empty(t, problems)
	require.Equal(t, `{"_id":"h1","kind":"page.Someone_2-x","who":["ada",1.50,null],"when":{"z":1E5,"a":"é\u003c"}}`, string(in.AppendJSON(nil)))
	require.Equal(t, flags.Kind("page.Someone_2-x"), in.Kind())
	require.Empty(t, in.Scope())
	require.Nil(t, in.Reads())
	require.Nil(t, in.Writes())
	require.Nil(t, in.Slots())
	require.Zero(t, in.SlotCount())
	require.Empty(t, in.Validate())
	require.Equal(t, "do what the host calls page.Someone_2-x", in.String())

	members, err := flags.ParseValue(`{"who":["ada",1.50,null],"when":{"z":1E5,"a":"é<"}}`)
	require.NoError(t, err)
	built := flags.HostInstruction("page.Someone_2-x", members).WithID("h1")
	require.Empty(t, built.Validate())
	require.True(t, built.Equal(in))
	require.Equal(t, string(in.AppendJSON(nil)), string(built.AppendJSON(nil)))
	require.False(t, built.Equal(flags.HostInstruction("page.Someone_3", members).WithID("h1")))

	empty := flags.HostInstruction("x", flags.Value{})
	require.Equal(t, `{"kind":"x"}`, string(empty.AppendJSON(nil)))
	require.Empty(t, empty.Validate())
	again, problems := flags.DecodeInstruction([]byte(`{"kind":"x"}`), flags.HostKinds("x"))
	require.Empty(t, problems)
	require.True(t, again.Equal(empty))

	_, problems = flags.DecodeInstruction([]byte(document))
	require.Equal(t, []string{"unknown_kind /kind"}, summary(problems))
	_, problems = flags.DecodeInstruction([]byte(`{"kind":"x","a":1,"a":2,"b":{"c":1,"c":2}}`), flags.HostKinds("x"))
	require.Equal(t, []string{"duplicate /a", "duplicate /b/c"}, summary(problems))
}

func TestHostKindsHaveNamesOfTheirOwn(t *testing.T) {
	require.NoError(t, flags.Reading{HostKinds: []string{"a", "A.b_c-9", strings.Repeat("k", 256)}}.Validate().Err())
	for name, code := range map[string]flags.Code{
		"":                       flags.CodeMalformed,
		"a b":                    flags.CodeMalformed,
		"é":                      flags.CodeMalformed,
		"a\x00":                  flags.CodeMalformed,
		strings.Repeat("k", 257): flags.CodeMalformed,
		"turnFlagOn":             flags.CodeDuplicate,
	} {
		for _, document := range []string{`{"kind":"turnFlagOn"}`, `{}`, `x`} {
			in, problems := flags.DecodeInstruction([]byte(document), flags.HostKinds("fine", name))
			require.Len(t, problems, 1)
			require.Equal(t, code, problems[0].Code)
			require.True(t, in.IsZero())
		}
		list, problems := flags.DecodeInstructions([]byte(`[]`), flags.HostKinds(name))
		require.Nil(t, list)
		require.Error(t, problems.Err())

		problems = flags.HostInstruction(name, flags.Value{}).Validate()
		require.Equal(t, []string{string(code) + " /kind"}, summary(problems))

		// A reader that was never validated takes no bad name either.
		problems = nil
		d := strictjson.NewDecoder([]byte(`{"kind":`+flags.StringValue(name).String()+`}`), problems.Report)
		in, _ := flags.ReadInstruction(d, &problems, flags.Reading{HostKinds: []string{name}})
		require.True(t, in.IsZero() || in.Scope() == flags.ScopeEnvironment)
	}
}
