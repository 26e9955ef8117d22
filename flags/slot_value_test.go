package flags_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/flagstagetest"
)

func instruction(t testing.TB, document string) flags.Instruction {
	in, problems := flags.DecodeInstruction([]byte(document))
	require.Empty(t, problems, document)
	return in
}

func TestSlotsGetOtherValues(t *testing.T) {
	for _, test := range []struct {
		document string
		values   []flags.SlotValue
		want     string
	}{
		{
			`{"_id":"i","kind":"updateOffVariation","variationId":"v"}`,
			[]flags.SlotValue{{"/variationId", value(t, `"<w>"`)}},
			`{"_id":"i","kind":"updateOffVariation","variationId":"\u003cw\u003e"}`,
		},
		{
			`{"kind":"addRule","clauses":[{"attribute":"a","op":"in","values":[1.50,{"b":1,"a":2}]},{"op":"segmentMatch","values":["s"]}],
				"beforeRuleId":"r","rolloutWeights":{"a":1,"b":99999},"rolloutBucketBy":"x","description":"d","ref":"n"}`,
			[]flags.SlotValue{
				{"/rolloutWeights", value(t, `{"z":1,"ref:y":99999}`)}, {"/clauses/1/values", value(t, `["s2","s3"]`)}, {"/beforeRuleId", value(t, `"ref:q"`)},
			},
			`{"kind":"addRule","clauses":[{"attribute":"a","op":"in","negate":false,"values":[1.50,{"b":1,"a":2}]},{"op":"segmentMatch","negate":false,"values":["s2","s3"]}],` +
				`"beforeRuleId":"ref:q","rolloutWeights":{"ref:y":99999,"z":1},"rolloutBucketBy":"x","description":"d","ref":"n"}`,
		},
		{
			`{"kind":"replaceTargets","targets":[{"variationId":"v","values":[]},{"variationId":"w","values":["x"]}]}`,
			[]flags.SlotValue{{"/targets/1/variationId", value(t, `"a"`)}, {"/targets/0/values", value(t, `["y"]`)}},
			`{"kind":"replaceTargets","targets":[{"variationId":"v","values":["y"]},{"variationId":"a","values":["x"]}]}`,
		},
		{
			`{"kind":"replacePrerequisites","prerequisites":[{"key":"k","variationId":"v"}]}`,
			[]flags.SlotValue{{"/prerequisites/0/variationId", value(t, `"w"`)}, {"/prerequisites/0/key", value(t, `"l"`)}},
			`{"kind":"replacePrerequisites","prerequisites":[{"key":"l","variationId":"w"}]}`,
		},
		{`{"kind":"turnFlagOn"}`, nil, `{"kind":"turnFlagOn"}`},
	} {
		in, problems := instruction(t, test.document).WithSlots(test.values...)
		require.Empty(t, problems, test.document)
		require.Equal(t, test.want, string(in.AppendJSON(nil)))
		require.Empty(t, in.Validate())
	}
	var zero flags.Instruction
	in, problems := zero.WithSlots()
	require.Nil(t, problems)
	require.True(t, in.IsZero())
}

func TestValuesThatNoSlotTakes(t *testing.T) {
	const rule = `{"kind":"addRule","clauses":[{"op":"segmentMatch","values":["s"]}],"beforeRuleId":"r","rolloutWeights":{"a":1,"b":99999}}`
	long := strings.Repeat("x", 64<<10+1)
	for _, test := range []struct {
		document, pointer, value string
		want                     string // pointer and code of each problem
	}{
		{rule, "/beforeRuleId", `null`, "/0/value wrong_type"},
		{rule, "/beforeRuleId", `7`, "/0/value wrong_type"},
		{rule, "/beforeRuleId", `["r"]`, "/0/value wrong_type"},
		{rule, "/beforeRuleId", `""`, "/0/value malformed"},
		{rule, "/beforeRuleId", `"ref:"`, "/0/value malformed"},
		{rule, "/clauses/0/values", `"s"`, "/0/value wrong_type"},
		{rule, "/clauses/0/values", `{"0":"s"}`, "/0/value wrong_type"},
		{rule, "/clauses/0/values", `["s",1,"",null]`, "/0/value/1 wrong_type, /0/value/2 malformed, /0/value/3 wrong_type"},
		{rule, "/clauses/0/values", `[` + strings.Repeat(`"s",`, 10_000) + `"s"]`, "/0/value too_large"},
		{rule, "/rolloutWeights", `{}`, "/0/value out_of_range"},
		{rule, "/rolloutWeights", `{"a":1}`, "/0/value out_of_range"},
		{rule, "/rolloutWeights", `{"a":1.0,"b":99999}`, "/0/value/a wrong_type"},
		{rule, "/rolloutWeights", `{"a~/":-1,"b":99999}`, "/0/value/a~0~1 out_of_range"},
		{rule, "/rolloutWeights", `{"":1,"b":99999}`, "/0/value/ malformed"},
		{rule, "/rolloutWeights", `[1,99999]`, "/0/value wrong_type"},
		{`{"kind":"addTargets","variationId":"v","values":[]}`, "/values", `["",true]`, "/0/value/0 malformed, /0/value/1 wrong_type"},
		{`{"kind":"addPrerequisite","key":"k","variationId":"v"}`, "/key", `"no key"`, "/0/value malformed"},
		{`{"kind":"addPrerequisite","key":"k","variationId":"v"}`, "/variationId", `"ref:v"`, "/0/value malformed"},
		{`{"kind":"removeVariation","variationId":"v"}`, "/variationId", `false`, "/0/value wrong_type"},
	} {
		in, problems := instruction(t, test.document).WithSlots(flags.SlotValue{test.pointer, value(t, test.value)})
		require.Equal(t, test.want, codes(problems), "%s %s %.40s", test.document, test.pointer, test.value)
		require.True(t, in.IsZero())
	}
	for _, v := range []flags.Value{{}, flags.StringValue(long), flags.StringValue("a\x00b")} {
		_, problems := flags.RemoveRule("r").WithSlots(flags.SlotValue{"/ruleId", v})
		require.Len(t, problems, 1, "%.40s", v)
		require.Equal(t, "/0/value", problems[0].Pointer)
	}
	// all at once, in the order of the values
	_, problems := instruction(t, rule).WithSlots(
		flags.SlotValue{"/rolloutWeights", value(t, `{}`)}, flags.SlotValue{"/none", value(t, `1`)},
		flags.SlotValue{"/beforeRuleId", value(t, `"r"`)}, flags.SlotValue{"/beforeRuleId", value(t, `1`)},
		flags.SlotValue{"/clauses/0/values", value(t, `[""]`)}, flags.SlotValue{"x", value(t, `[""]`)})
	require.Equal(t, "/0/value out_of_range, /1/pointer not_found, /3/pointer duplicate, /4/value/0 malformed, /5/pointer malformed", codes(problems))
	require.Contains(t, problems[1].Message, `"/clauses/0/values", "/beforeRuleId" and "/rolloutWeights"`)

	_, problems = flags.RemoveRule("").WithSlots(flags.SlotValue{"/ruleId", value(t, `"r"`)})
	require.Equal(t, " malformed", codes(problems), "it was not valid before")
	_, problems = flags.HostInstruction("theirs", value(t, `{"variationId":"v"}`)).WithSlots(flags.SlotValue{"/variationId", value(t, `"w"`)})
	require.Equal(t, "/0/pointer not_found", codes(problems), "what a host defines is not looked into")

	half := flags.StringValues(strings.Repeat("x", 60_000))[0]
	big := value(t, "["+strings.TrimSuffix(strings.Repeat(half.String()+",", 17), ",")+"]")
	_, problems = flags.AddUserTargets("v", "u").WithSlots(flags.SlotValue{"/values", big})
	require.Empty(t, problems)
	_, problems = flags.ReplaceUserTargets(flags.Targets{VariationID: "v"}, flags.Targets{VariationID: "w"}).WithSlots(
		flags.SlotValue{"/targets/0/values", big}, flags.SlotValue{"/targets/1/values", big})
	require.Equal(t, " too_large", codes(problems), "the instruction would be too long")
}

func codes(problems flags.Problems) string {
	var list []string
	for _, p := range problems {
		list = append(list, p.Pointer+" "+string(p.Code))
	}
	return strings.Join(list, ", ")
}

// hostilePointers name no slot of the instruction in the test below.
func hostilePointers() []string {
	list := []string{
		"", " ", "/", "//", "///", "/ ", "#", "#/", "#/variationId", "#/clauses/0/values", ".", "..", "/.", "/..", "/../variationId", "./variationId",
		"$", "$.clauses[0].values", "clauses", "clauses.0.values", "clauses[0].values", "/clauses[0]/values", "/clauses.0.values", "variationId",
		"/kind", "/_id", "/ref", "/description", "/negate", "/clauses", "/clauses/", "/clauses/0", "/clauses/0/", "/clauses/0/op", "/clauses/0/attribute",
		"/clauses/0/negate", "/clauses/0/contextKind", "/clauses/0/ref", "/clauses/1", "/clauses/1/values", "/clauses/1/values/0", "/clauses/2/values",
		"/clauses/-/values", "/clauses/-1/values", "/clauses/+0/values", "/clauses/00/values", "/clauses/0x0/values", "/clauses/0.0/values", "/clauses/0e0/values",
		"/clauses/ 0/values", "/clauses/0 /values", "/clauses/٠/values", "/clauses/０/values", "/clauses/4294967296/values", "/clauses/18446744073709551616/values",
		"/clauses/9999999999999999999999999999/values", "/clauses/0/Values", "/clauses/0/VALUES", "/CLAUSES/0/values", "/Clauses/0/values", "/clauses/0/value",
		"/clauses/0/values\x00", "/clauses/0/values\n", "/clauses/0/values\u200b", "/clauses\u2044" + "0\u2044values", "\u2044clauses/0/values", "/clauses/*/values",
		"/clauses/0/*", "/**", "/*", "/clauses/0..1/values", "/clauses/0,1/values", "/clauses/0/values,variationId",
		"/variationId", "/variationid", "/rolloutWeights/variationId", "/rolloutBucketBy", "/rolloutContextKind", "/rollout", "/weights", "/serve", "/serve/variationId",
		"/ruleId", "/ruleIds", "/clauseId", "/clauseIds", "/values", "/values/0", "/targets", "/targets/0/values", "/prerequisites/0/key", "/key", "/rules/0/variationId",
		"/__proto__", "/constructor/prototype", "/toString", "/clauses/length", "/clauses/0/values/length", "/clauses/0/__proto__/values",
		"/~", "/~2", "/a~", "/~~", "/~0", "/~1", "/~01", "/~1variationId", "/clauses~10~1values", "/clauses/0~1values", "/clauses/0/values~", "/clauses/0/values~0",
		"/clauses/0/%76alues", "/clauses%2F0%2Fvalues", "/%63lauses/0/values", "/clauses/0/v\\u0061lues", `\/clauses\/0\/values`, `"/clauses/0/values"`, "'/clauses/0/values'",
		"/clauses/0/values;", "/clauses/0/values?", "/clauses/0/values#", "/clauses/0/values/-", "/clauses/0/values/0", "/clauses/0/values/1", "/clauses/0/values/00",
		"/clauses/0/values/0/", "/clauses/0/values/0/0", "/rolloutWeights/a", "/rolloutWeights/ref:b", "/rolloutWeights/a/0", "/rolloutWeights/~0", "/rolloutWeights/",
		"/beforeRuleId/0", "/beforeRuleId/", "/beforeRuleId/beforeRuleId", "/BeforeRuleId", "/beforeRuleID", "/before_rule_id", "/beforeRuleId ", " /beforeRuleId",
		"\xff", "/\xff", "/beforeRuleId\xff", "/before\xc3RuleId", "\x00/beforeRuleId", "/\u202ebeforeRuleId", "/before\u0301RuleId", "\ufeff/beforeRuleId",
		"//beforeRuleId", "/./beforeRuleId", "/beforeRuleId/..", "/0/beforeRuleId", "/parameters/0/path", "/stages/0/action/instructions/0/beforeRuleId", "<script>", "/<script>alert(1)</script>",
		strings.Repeat("/clauses", 64), strings.Repeat("/clauses", 65), strings.Repeat("/", 1<<16), strings.Repeat("a", 1<<20), "/" + strings.Repeat("a", 1<<20), "/clauses/" + strings.Repeat("0", 1<<10) + "/values",
		strings.Repeat("~", 1<<10), "/" + strings.Repeat("~0", 1<<10), strings.Repeat("/~1", 64), "/\t", "/\r\n", "/clauses/0/values\x1b[31m", "file:///clauses/0/values", "http://clauses/0/values",
	}
	return list
}

func TestHostilePointers(t *testing.T) {
	in := instruction(t, `{"_id":"i","kind":"addRule","clauses":[{"op":"segmentMatch","values":["s","t"]},{"attribute":"a","op":"in","values":["x"]}],
		"beforeRuleId":"r","rolloutWeights":{"a":1,"ref:b":99999},"description":"d","ref":"n"}`)
	before := string(in.AppendJSON(nil))
	pointers := hostilePointers()
	slices.Sort(pointers)
	pointers = slices.Compact(pointers)
	require.Greater(t, len(pointers), 150)
	for _, pointer := range pointers {
		for _, v := range []string{`"v"`, `["v"]`, `{"v":100000}`, `null`} {
			got, problems := in.WithSlots(flags.SlotValue{pointer, value(t, v)})
			require.Len(t, problems, 1, "%.80q", pointer)
			require.Equal(t, "/0/pointer", problems[0].Pointer)
			require.Contains(t, []flags.Code{flags.CodeNotFound, flags.CodeMalformed, flags.CodeTooLarge}, problems[0].Code, "%.80q", pointer)
			require.LessOrEqual(t, len(problems[0].Message), 600)
			require.True(t, got.IsZero())
			require.Equal(t, before, string(in.AppendJSON(nil)))
		}
	}
	for pointer, code := range map[string]flags.Code{
		"": flags.CodeNotFound, "/": flags.CodeNotFound, "x": flags.CodeMalformed, "/~": flags.CodeMalformed, "/~2": flags.CodeMalformed, "/~01": flags.CodeNotFound,
		strings.Repeat("/x", 64): flags.CodeNotFound, strings.Repeat("/x", 65): flags.CodeTooLarge, "/\xff": flags.CodeMalformed, "/\x00": flags.CodeMalformed,
	} {
		_, problems := in.WithSlots(flags.SlotValue{pointer, value(t, `"v"`)})
		require.Equal(t, code, problems[0].Code, "%q", pointer)
	}
}

// TestOutsideOfSlotsEveryByteStays holds that an instruction with other values
// has them where its slots are, and is otherwise written as before.
func TestOutsideOfSlotsEveryByteStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := flagstagetest.Instructions().Draw(t, "instruction").WithID("i")
		slots := in.Slots()
		same := make([]flags.SlotValue, len(slots))
		var changes []flags.SlotValue
		for i, s := range slots {
			same[i] = flags.SlotValue{Pointer: s.Pointer, Value: s.Value}
			if rapid.Bool().Draw(t, "changes") {
				n := 0
				v := s.Renamed(func(string) string {
					n++
					return fmt.Sprintf("%s-%d-%d", rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "name"), i, n)
				})
				changes = append(changes, flags.SlotValue{Pointer: s.Pointer, Value: v})
			}
		}
		changes = rapid.Permutation(changes).Draw(t, "order")
		unchanged, problems := in.WithSlots(same...)
		require.Empty(t, problems)
		require.True(t, in.Equal(unchanged))
		got, problems := in.WithSlots(changes...)
		require.Empty(t, problems)

		text, old := string(got.AppendJSON(nil)), string(in.AppendJSON(nil))
		want := len(old)
		after := map[string]flags.Slot{}
		for _, s := range got.Slots() {
			after[s.Pointer] = s
		}
		pointers := map[string]bool{}
		for _, c := range changes {
			pointers[c.Pointer] = true
			require.Equal(t, c.Value, after[c.Pointer].Value, "stands where it was put")
		}
		require.Len(t, after, len(slots))
		for _, s := range slots {
			require.Equal(t, s.Kind, after[s.Pointer].Kind)
			require.Equal(t, s.Clause, after[s.Pointer].Clause)
			if pointers[s.Pointer] {
				want += len(after[s.Pointer].Value.String()) - len(s.Value.String())
			} else {
				require.Equal(t, s.Value, after[s.Pointer].Value)
			}
		}
		require.Len(t, text, want)
		require.Equal(t, without(t, old, pointers), without(t, text, pointers))
	})
}

// without returns a document without the values at some pointers.
func without(t require.TestingT, document string, pointers map[string]bool) any {
	var v any
	d := json.NewDecoder(bytes.NewReader([]byte(document)))
	d.UseNumber()
	require.NoError(t, d.Decode(&v))
	for pointer := range pointers {
		tokens := strings.Split(pointer[1:], "/")
		at := v
		for _, token := range tokens[:len(tokens)-1] {
			if list, is := at.([]any); is {
				i, err := strconv.Atoi(token)
				require.NoError(t, err)
				at = list[i]
			} else {
				at = at.(map[string]any)[token]
			}
		}
		delete(at.(map[string]any), tokens[len(tokens)-1])
	}
	return v
}

func TestNamesInSlots(t *testing.T) {
	for _, test := range []struct {
		kind    flags.SlotKind
		value   string
		names   []string
		renamed string
	}{
		{flags.SlotVariationID, `"\u003ca"`, []string{"<a"}, `"new \u003ca"`},
		{flags.SlotVariationID, `"ref:a"`, nil, `"ref:a"`},
		{flags.SlotRuleIDs, `["a","ref:b","c"]`, []string{"a", "c"}, `["new a","ref:b","new c"]`},
		{flags.SlotClauseIDs, `[]`, nil, `[]`},
		{flags.SlotTargetValues, `["a","ref:b"]`, []string{"a", "ref:b"}, `["new a","new ref:b"]`},
		{flags.SlotSegmentKeys, `["ref:b"]`, []string{"ref:b"}, `["new ref:b"]`},
		{flags.SlotRolloutWeights, `{"a":1,"ref:b":2,"z":99997}`, []string{"a", "z"}, `{"new a":1,"new z":99997,"ref:b":2}`},
		{flags.SlotPrerequisiteKey, `"k"`, []string{"k"}, `"new k"`},
	} {
		slot := flags.Slot{Kind: test.kind, Value: value(t, test.value)}
		require.Equal(t, test.names, slot.Names(), test.value)
		renamed := slot.Renamed(func(name string) string { return "new " + name })
		require.Equal(t, value(t, test.renamed), renamed)
	}
	require.Nil(t, flags.Slot{}.Names())
	require.Equal(t, flags.Value{}, flags.Slot{}.Renamed(strings.ToUpper))
	require.Equal(t, value(t, "7"), flags.Slot{Value: value(t, "7")}.Renamed(strings.ToUpper))
}

func TestSlotOfSegmentsTellsItsClause(t *testing.T) {
	in := instruction(t, `{"kind":"addRule","variationId":"v","clauses":[{"attribute":"a","op":"in","values":["x"],"ref":"one"},
		{"contextKind":"device","attribute":"b","op":"segmentMatch","negate":true,"values":["s"],"ref":"two"}]}`)
	slots := in.Slots()
	require.Equal(t, flags.Clause{ContextKind: "device", Attribute: "b", Op: flags.OpSegmentMatch, Negate: true}, slots[0].Clause)
	require.Zero(t, slots[1].Clause)
}

func TestRefs(t *testing.T) {
	for document, want := range map[string][]flags.Ref{
		`{"kind":"turnFlagOn"}`:                                                            nil,
		`{"kind":"removeRule","ruleId":"r"}`:                                               nil,
		`{"kind":"addTargets","variationId":"v","values":["ref:x"]}`:                       nil,
		`{"kind":"removeRule","ruleId":"ref:r"}`:                                           {{"/ruleId", "r", false}},
		`{"kind":"addVariation","value":1,"ref":"v"}`:                                      {{"/ref", "v", true}},
		`{"kind":"reorderRules","ruleIds":["ref:a","b","ref:c"]}`:                          {{"/ruleIds/0", "a", false}, {"/ruleIds/2", "c", false}},
		`{"kind":"removeClauses","ruleId":"ref:r","clauseIds":["ref:a"]}`:                  {{"/ruleId", "r", false}, {"/clauseIds/0", "a", false}},
		`{"kind":"replaceTargets","targets":[{"variationId":"ref:v","values":["ref:x"]}]}`: {{"/targets/0/variationId", "v", false}},
		`{"kind":"updateClause","ruleId":"ref:r","clauseId":"ref:c","clause":{"attribute":"a","op":"in","values":["ref:x"],"ref":"n"}}`: {
			{"/ruleId", "r", false}, {"/clauseId", "c", false}, {"/clause/ref", "n", true}},
		`{"kind":"addRule","beforeRuleId":"ref:b","rolloutWeights":{"ref:v":1,"w":2,"ref:x":99997},"ref":"rule",
			"clauses":[{"op":"segmentMatch","values":["ref:s"],"ref":"one"},{"attribute":"a","op":"in","values":[],"ref":"two"}]}`: {
			{"/clauses/0/ref", "one", true}, {"/clauses/1/ref", "two", true}, {"/beforeRuleId", "b", false},
			{"/rolloutWeights/ref:v", "v", false}, {"/rolloutWeights/ref:x", "x", false}, {"/ref", "rule", true}},
		`{"kind":"addRule","rolloutWeights":{"ref:v":100000},"clauses":[]}`: {{"/rolloutWeights/ref:v", "v", false}},
		`{"kind":"replaceRules","rules":[{"variationId":"ref:v","clauses":[{"attribute":"a","op":"in","values":[],"ref":"one"}],"ref":"rule"}]}`: {
			{"/rules/0/variationId", "v", false}, {"/rules/0/clauses/0/ref", "one", true}, {"/rules/0/ref", "rule", true}},
	} {
		require.Equal(t, want, instruction(t, document).Refs(), document)
	}
	require.Nil(t, flags.HostInstruction("theirs", value(t, `{"ref":"r","ruleId":"ref:x"}`)).Refs(), "what a host defines is not looked into")
	require.True(t, flags.IsRef("ref:a"))
	require.False(t, flags.IsRef("Ref:a"))
	require.False(t, flags.IsRef("a"))
}

func TestRefsOfGeneratedStages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := map[string]bool{}
		for _, in := range flagstagetest.Stages().Draw(t, "stage").Action.Instructions {
			for _, ref := range in.Refs() {
				if !ref.Given {
					require.True(t, given[ref.Name], "%s of %s", ref.Pointer, in.AppendJSON(nil))
				}
			}
			for _, ref := range in.Refs() {
				if ref.Given {
					require.False(t, given[ref.Name])
					given[ref.Name] = true
				}
			}
			text := string(in.AppendJSON(nil))
			require.Equal(t, strings.Count(text, `"ref:`)+strings.Count(text, `"ref":`), len(in.Refs()))
		}
	})
}

func TestMeaningOfValues(t *testing.T) {
	sets := [][]string{
		{`1`, `1.0`, `1e0`, `10E-1`, `0.1e1`}, {`0`, `-0`, `0.000`, `0e9`}, {`-5`, `-5.0`}, {`9007199254740993`, `9007199254740993.0`}, {`9007199254740992`},
		{`"1"`}, {`"1e0"`}, {`true`}, {`"true"`}, {`null`}, {`"a"`, `"\u0061"`}, {``},
		{`[]`}, {`{}`}, {`[1,2]`, `[1.0, 2e0]`}, {`[2,1]`}, {`[[1],2]`}, {`[1,[2]]`}, {`[12]`}, {`["1,2"]`}, {`["1","2"]`},
		{`{"a":1,"b":[1.5]}`, `{"b":[15e-1],"a":1.0}`}, {`{"a":1,"b":[1.6]}`}, {`{"a":{"b":1}}`}, {`{"a":1}`}, {`{"a":"1"}`}, {`{"a,":1}`},
		{`{"é\u003c":[null,{"z":0,"a":true}]}`, `{"é<":[null,{"a":true,"z":-0}]}`},
	}
	for i, set := range sets {
		for k, other := range sets {
			for _, a := range set {
				for _, b := range other {
					require.Equal(t, i == k, valueOrAbsent(t, a).Meaning() == valueOrAbsent(t, b).Meaning(), "%s and %s", a, b)
				}
			}
		}
	}
}

func valueOrAbsent(t *testing.T, text string) flags.Value {
	if text == "" {
		return flags.Value{}
	}
	return value(t, text)
}
