package flags_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
)

// canonical returns the instructions of testdata, one for each line, in their
// canonical form.
func canonical(t testing.TB) []string {
	text, err := os.ReadFile("testdata/canonical.jsonl")
	require.NoError(t, err)
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// documented is what the published API says of each kind: the scope, then the
// members; "?" marks those that may be missing.
var documented = map[flags.Kind]string{
	"turnFlagOn":                          "environment",
	"turnFlagOff":                         "environment",
	"addTargets":                          "environment values variationId contextKind?",
	"removeTargets":                       "environment values variationId contextKind?",
	"replaceTargets":                      "environment targets",
	"clearTargets":                        "environment variationId",
	"addUserTargets":                      "environment values variationId",
	"removeUserTargets":                   "environment values variationId",
	"replaceUserTargets":                  "environment targets",
	"clearUserTargets":                    "environment variationId",
	"addRule":                             "environment clauses beforeRuleId? variationId? rolloutWeights? rolloutBucketBy? rolloutContextKind? description? ref?",
	"removeRule":                          "environment ruleId",
	"replaceRules":                        "environment rules",
	"reorderRules":                        "environment ruleIds",
	"updateRuleVariationOrRollout":        "environment ruleId variationId? rolloutWeights? rolloutBucketBy? rolloutContextKind?",
	"updateRuleDescription":               "environment ruleId description",
	"updateRuleTrackEvents":               "environment ruleId trackEvents",
	"addClauses":                          "environment ruleId clauses",
	"removeClauses":                       "environment ruleId clauseIds",
	"updateClause":                        "environment ruleId clauseId clause",
	"addValuesToClause":                   "environment ruleId clauseId values",
	"removeValuesFromClause":              "environment ruleId clauseId values",
	"updateFallthroughVariationOrRollout": "environment variationId? rolloutWeights? rolloutBucketBy? rolloutContextKind?",
	"updateOffVariation":                  "environment variationId",
	"addPrerequisite":                     "environment key variationId",
	"removePrerequisite":                  "environment key",
	"updatePrerequisite":                  "environment key variationId",
	"replacePrerequisites":                "environment prerequisites",
	"updateTrackEvents":                   "environment trackEvents",
	"updateTrackEventsFallthrough":        "environment trackEvents",
	"addVariation":                        "flag value name? description? ref?",
	"removeVariation":                     "flag variationId",
	"updateVariation":                     "flag variationId name? value? description?",
	"updateDefaultVariation":              "flag onVariationValue? offVariationValue?",
	"addCustomProperties":                 "flag key name values",
	"replaceCustomProperties":             "flag key name? values",
	"removeCustomProperties":              "flag key values",
	"addTags":                             "flag values",
	"removeTags":                          "flag values",
	"makeFlagPermanent":                   "flag",
	"makeFlagTemporary":                   "flag",
	"removeMaintainer":                    "flag",
	"updateMaintainerMember":              "flag value",
	"updateMaintainerTeam":                "flag value",
	"turnOnClientSideAvailability":        "flag value",
	"turnOffClientSideAvailability":       "flag value",
	"updateName":                          "flag value",
	"updateDescription":                   "flag value",
	"archiveFlag":                         "flag",
	"restoreFlag":                         "flag",
	"deleteFlag":                          "flag",
	"deprecateFlag":                       "flag",
	"restoreDeprecatedFlag":               "flag",
}

// required lists the members that an object needs: an instruction's by its
// kind, those of the parts by the name of the list they stand in.
func required(kind flags.Kind, pointer string, object *node) []string {
	switch {
	case pointer == "":
		var names []string
		for _, name := range strings.Fields(documented[kind])[1:] {
			if !strings.HasSuffix(name, "?") {
				names = append(names, name)
			}
		}
		return append(names, "kind")
	case strings.Contains(pointer, "clause"):
		if op := object.at("/op"); op != nil && op.text == `"segmentMatch"` {
			return []string{"op", "values"}
		}
		return []string{"attribute", "op", "values"}
	case strings.HasPrefix(pointer, "/rules/"):
		return []string{"clauses"}
	case strings.HasPrefix(pointer, "/targets/"):
		return []string{"variationId", "values"}
	case strings.HasPrefix(pointer, "/prerequisites/"):
		return []string{"key", "variationId"}
	}
	panic(pointer)
}

// summary says problems in short: "required /ruleId".
func summary(problems flags.Problems) []string {
	list := []string{}
	for _, p := range problems {
		s := string(p.Code) + " " + p.Pointer
		if p.Severity == flags.SeverityWarning {
			s = "warning " + s
		}
		list = append(list, s)
	}
	return list
}

func TestKindsAreTheDocumentedOnes(t *testing.T) {
	kinds := flags.Kinds()
	require.Len(t, documented, 53)
	require.Len(t, kinds, len(documented))
	for _, kind := range kinds {
		info, ok := flags.Describe(kind)
		require.True(t, ok)
		require.Equal(t, kind, info.Kind)
		row := string(info.Scope)
		for _, m := range info.Members {
			row += " " + m.Name
			if !m.Required {
				row += "?"
			}
			require.NotEmpty(t, m.Type)
		}
		require.Equal(t, documented[kind], row, "%s", kind)
		require.NotEmpty(t, info.Writes, "%s", kind)
		require.NotContains(t, info.Writes, flags.FieldSegments)
		require.NotContains(t, info.Writes, flags.FieldOtherFlags)
	}
	_, ok := flags.Describe("turnflagon")
	require.False(t, ok)
	kinds[0] = "changed"
	require.NotEqual(t, kinds[0], flags.Kinds()[0])
}

func TestDescribeIsReadOnly(t *testing.T) {
	info, _ := flags.Describe("addRule")
	require.Contains(t, info.Reads, flags.FieldSegments)
	want := fmt.Sprint(info)
	info.Reads[0], info.Writes[0], info.Members[0].Name, info.Members[0].Slots[0] = "x", "x", "x", "x"
	again, _ := flags.Describe("addRule")
	require.Equal(t, want, fmt.Sprint(again))
}

func TestEveryPlaceInASentenceIsAParameter(t *testing.T) {
	for _, kind := range flags.Kinds() {
		info, _ := flags.Describe(kind)
		names := []string{"serve"}
		for _, m := range info.Members {
			names = append(names, m.Name)
		}
		for _, part := range strings.Split(info.Sentence, "{")[1:] {
			name, _, ok := strings.Cut(part, "}")
			require.True(t, ok)
			require.Contains(t, names, name, "%s", kind)
		}
		require.Equal(t, strings.Count(info.Sentence, "["), strings.Count(info.Sentence, "]"))
	}
}

func TestCanonicalFormIsAFixedPoint(t *testing.T) {
	seen := map[flags.Kind]bool{}
	for _, line := range canonical(t) {
		in, problems := flags.DecodeInstruction([]byte(line))
		require.Empty(t, problems, line)
		seen[in.Kind()] = true
		require.Equal(t, line, string(in.AppendJSON(nil)))
		require.Empty(t, in.Validate(), line)
		marshalled, err := json.Marshal(in)
		require.NoError(t, err)
		require.Equal(t, line, string(marshalled))
		require.Equal(t, "prefix"+line, string(in.AppendJSON([]byte("prefix"))))
		again, problems := flags.DecodeInstruction(in.AppendJSON(nil))
		require.Empty(t, problems)
		require.True(t, in.Equal(again), line)
	}
	require.Len(t, seen, 53, "testdata shows every kind")
}

func TestInstructionIsReadByEncodingJSON(t *testing.T) {
	lines := canonical(t)
	var list []flags.Instruction
	require.NoError(t, json.Unmarshal([]byte("["+strings.Join(lines, ",\n")+"]"), &list))
	require.Len(t, list, len(lines))
	for i, in := range list {
		require.Equal(t, lines[i], string(in.AppendJSON(nil)))
	}

	for document, want := range map[string]string{
		`null`:                                  "wrong_type ",
		`{}`:                                    "required /kind",
		`{"kind":"mine"}`:                       "unknown_kind /kind",
		`{"kind":"turnFlagOn","Kind":"x"}`:      "unknown_member /Kind",
		`{"kind":"removeRule","ruleId":"ref:"}`: "malformed /ruleId",
	} {
		in := flags.TurnFlagOff()
		err := json.Unmarshal([]byte(document), &in)
		var problems *flags.ProblemsError
		require.ErrorAs(t, err, &problems, document)
		require.Equal(t, []string{want}, summary(problems.Problems))
		require.True(t, in.Equal(flags.TurnFlagOff()), "it stays as it was")
	}
}

func TestDecodeInstructionsReadsAnArray(t *testing.T) {
	lines := canonical(t)
	list, problems := flags.DecodeInstructions([]byte("[" + strings.Join(lines, " ,\n") + "]"))
	require.Empty(t, problems)
	require.Len(t, list, len(lines))
	for i, in := range list {
		require.Equal(t, lines[i], string(in.AppendJSON(nil)))
		for j, other := range list {
			require.Equal(t, i == j, in.Equal(other), "%d %d", i, j)
		}
	}

	list, problems = flags.DecodeInstructions([]byte(" [ ] "))
	require.Nil(t, problems)
	require.NotNil(t, list)
	require.Empty(t, list)

	list, problems = flags.DecodeInstructions([]byte(`[{"kind":"turnFlagOn"},null,{"kind":"removeRule"},7]`))
	require.Nil(t, list)
	require.Equal(t, []string{"wrong_type /1", "required /2/ruleId", "wrong_type /3"}, summary(problems))
}

func TestOrderAndSpaceMakeNoDifference(t *testing.T) {
	for _, line := range canonical(t) {
		tree := parse(t, line)
		for range tree.members { // kind stands everywhere in turn
			tree.members = append(tree.members[1:], tree.members[0])
			document := strings.ReplaceAll(tree.String(), `{`, "\n{ ")
			document = strings.ReplaceAll(document, `"kind"`, `"\u006bind"`)
			in, problems := flags.DecodeInstruction([]byte(document))
			require.Empty(t, problems, document)
			require.Equal(t, line, string(in.AppendJSON(nil)))
		}
	}
}

func TestMissingMemberIsRequired(t *testing.T) {
	for _, line := range canonical(t) {
		kind := kindOf(t, line)
		parse(t, line).each(string(kind), "", func(pointer string, _ *node) {
			tree := parse(t, line)
			object := tree.at(pointer)
			for _, name := range required(kind, pointer, object) {
				all := slices.Clone(object.members)
				object.members = slices.DeleteFunc(object.members, func(m member) bool { return m.name == name })
				require.Len(t, object.members, len(all)-1, "%s %s", line, name)
				in, problems := flags.DecodeInstruction([]byte(tree.String()))
				want := []string{"required " + pointer + "/" + name}
				if name == "op" && object.at("/attribute") == nil { // only segmentMatch does without
					want = append([]string{"required " + pointer + "/attribute"}, want...)
				}
				require.Equal(t, want, summary(problems), tree.String())
				require.True(t, in.IsZero())
				object.members = all
			}
		})
	}
}

func TestMemberOfAnotherTypeIsRefused(t *testing.T) {
	samples := map[string]string{
		"null": "null", "boolean": "true", "number": "7", "string": `"seven"`, "array": "[]", "object": "{}",
	}
	for _, line := range canonical(t) {
		kind := kindOf(t, line)
		parse(t, line).each(string(kind), "", func(pointer string, object *node) {
			for i, m := range object.members {
				if isFree(string(kind), m.name) && m.name != "rolloutWeights" {
					continue
				}
				for sample, text := range samples {
					tree := parse(t, line)
					object := tree.at(pointer)
					if sample == object.members[i].value.kind() {
						continue
					}
					object.members[i].value = &node{text: text}
					at := pointer + "/" + m.name
					_, problems := flags.DecodeInstruction([]byte(tree.String()))
					switch optional := m.name != "kind" && !slices.Contains(required(kind, pointer, object), m.name); {
					case sample != "null", !optional:
						require.Equal(t, []string{"wrong_type " + at}, summary(problems), tree.String())
					case m.name == "variationId", m.name == "rolloutWeights": // one of the two must stand
						require.Contains(t, summary(problems), "required "+pointer+"/variationId", tree.String())
					default:
						require.NoError(t, problems.Err(), tree.String())
					}
				}
			}
		})
	}
}

func TestNamesMatchByteForByte(t *testing.T) {
	spellings := map[string]func(string) string{
		"upper":  strings.ToUpper,
		"title":  func(s string) string { return strings.ToUpper(s[:1]) + s[1:] },
		"U+017F": func(s string) string { return strings.Replace(s, "s", "\u017f", 1) },
		"U+212A": func(s string) string { return strings.Replace(s, "k", "\u212a", 1) },
	}
	tried := 0
	for _, line := range canonical(t) {
		kind := kindOf(t, line)
		parse(t, line).each(string(kind), "", func(pointer string, object *node) {
			for i, m := range object.members {
				for spelling, spell := range spellings {
					name := spell(m.name)
					if name == m.name || kind == "updateDefaultVariation" && spelling == "title" && m.name != "kind" {
						continue // these are published so
					}
					tried++
					tree := parse(t, line)
					tree.at(pointer).members[i].name = name
					_, problems := flags.DecodeInstruction([]byte(tree.String()))
					if pointer == "" && m.name == "kind" {
						require.Equal(t, []string{"required /kind", "unknown_member /" + name}, sorted(summary(problems)), tree.String())
					}
					at := slices.Index(summary(problems), "unknown_member "+pointer+"/"+name)
					require.GreaterOrEqual(t, at, 0, "%s %v", tree, problems)
					require.Contains(t, problems[at].Message, `did you mean "`+m.name+`"?`)
				}
			}
		})
	}
	require.Greater(t, tried, 400)
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func TestUnknownMemberIsNamedWithTheOneThatWasMeant(t *testing.T) {
	for _, line := range canonical(t) {
		kind := kindOf(t, line)
		parse(t, line).each(string(kind), "", func(pointer string, _ *node) {
			tree := parse(t, line)
			object := tree.at(pointer)
			object.members = append(object.members, member{name: "progressiveRolloutConfiguration", value: &node{text: `{"a":[1]}`}})
			_, problems := flags.DecodeInstruction([]byte(tree.String()))
			require.Equal(t, []string{"unknown_member " + pointer + "/progressiveRolloutConfiguration"}, summary(problems))
			require.NotContains(t, problems[0].Message, "did you mean")
		})
	}
	_, problems := flags.DecodeInstruction([]byte(`{"kind":"removeRule","ruleld":"x"}`))
	require.Equal(t, []string{"unknown_member /ruleld", "required /ruleId"}, summary(problems))
	require.Contains(t, problems[0].Message, `did you mean "ruleId"?`)
	_, problems = flags.DecodeInstruction([]byte(`{"kind":"replaceUserTargets","targets":[{"contextKind":"user","variationId":"v","values":[]}]}`))
	require.Equal(t, []string{"unknown_member /targets/0/contextKind"}, summary(problems))
	_, problems = flags.DecodeInstruction([]byte(`{"kind":"addRule","variationId":"v","clauses":[],"trackEvents":true}`))
	require.Equal(t, []string{"unknown_member /trackEvents"}, summary(problems))
}

func kindOf(t testing.TB, document string) flags.Kind {
	var has struct{ Kind flags.Kind }
	require.NoError(t, json.Unmarshal([]byte(document), &has))
	return has.Kind
}

func TestReadsAndWrites(t *testing.T) {
	reads := map[flags.Kind]string{}
	for _, line := range canonical(t) {
		in, _ := flags.DecodeInstruction([]byte(line))
		info, _ := flags.Describe(in.Kind())
		require.Equal(t, info.Writes, in.Writes())
		require.Equal(t, info.Scope, in.Scope())
		require.Subset(t, info.Reads, in.Reads())
		require.Equal(t, strings.Contains(line, `"op":"segmentMatch"`), slices.Contains(in.Reads(), flags.FieldSegments), line)
		reads[in.Kind()] = fmt.Sprint(in.Reads(), in.Writes())
		if writes := in.Writes(); len(writes) > 0 {
			writes[0] = "changed"
			require.Equal(t, info.Writes, in.Writes())
		}
	}
	require.Equal(t, "[] [on]", reads["turnFlagOn"])
	require.Equal(t, "[variations targets] [targets]", reads["addTargets"])
	require.Equal(t, "[variations] [fallthrough]", reads["updateFallthroughVariationOrRollout"])
	require.Equal(t, "[prerequisites otherFlags] [prerequisites]", reads["addPrerequisite"])
	require.Equal(t, "[variations] [defaults]", reads["updateDefaultVariation"])
	require.Equal(t, "[] [maintainer]", reads["updateMaintainerTeam"])
}

func TestStringSaysItInPlainWords(t *testing.T) {
	const long = "452f5fb5-7320-4ba3-81a1-8f4324f79d49"
	for _, test := range []struct{ document, want string }{
		{`{"kind":"turnFlagOn"}`, "turn targeting on"},
		{`{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"` + long + `":10000,"fc15f6a4-05d3-4aa4-a997-446be461345d":90000}}`,
			"serve 10 % 452f5fb5… and 90 % fc15f6a4… by default"},
		{`{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"a":12500,"b":33333,"c":54167},"rolloutBucketBy":"city","rolloutContextKind":"lab"}`,
			"serve 12.5 % a, 33.333 % b and 54.167 % c of contexts of kind lab by city by default"},
		{`{"kind":"updateFallthroughVariationOrRollout","variationId":"ref:purple"}`, "serve variation ref:purple by default"},
		{`{"kind":"addTargets","values":["a","b","c","d","e"],"variationId":"` + long + `"}`, "always serve variation 452f5fb5… to a, b, c and 2 more"},
		{`{"kind":"addTargets","values":["a"],"variationId":"v","contextKind":"lab"}`, "always serve variation v to lab a"},
		{`{"kind":"addRule","variationId":"v","clauses":[{"attribute":"city","op":"in","values":["Turku",1]},{"op":"segmentMatch","negate":true,"values":["s"]}]}`,
			`add a rule: if city is "Turku" or 1 and context is not in segment "s" then variation v`},
		{`{"kind":"addRule","variationId":"v","clauses":[],"beforeRuleId":"r","description":"all"}`, `add a rule before rule r: if anything then variation v ("all")`},
		{`{"kind":"replaceRules","rules":[]}`, "replace all rules by: nothing"},
		{`{"kind":"updateRuleTrackEvents","ruleId":"r","trackEvents":false}`, "turn off event tracking for rule r"},
		{`{"kind":"updateVariation","variationId":"v","name":"n","value":1}`, `change variation v: name "n" and value 1`},
		{`{"kind":"updateVariation","variationId":"v","description":"d"}`, `change variation v: description "d"`},
		{`{"kind":"updateDefaultVariation","onVariationValue":1,"offVariationValue":2}`, "let new environments serve 1 while targeting is on and 2 while it is off"},
		{`{"kind":"updateName","value":"{value}[x]"}`, `rename the flag to "{value}[x]"`},
		{`{"kind":"updateName","value":"` + "x" + strings.Repeat("é", 60) + `"}`, `rename the flag to "x` + strings.Repeat("é", 39) + `…"`},
		{`{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"variation-for-everybody-1":50000,"variation-for-everybody-2":50000}}`,
			"serve 50 % variation-for-everybody-1 and 50 % variation-for-everybody-2 by default"},
		{`{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"0192f0c1-55aa-7bcd-8e01-0a0b0c0d0e0f":50000,"0192F0C1-55AA-6BCD-8E01-0A0B0C0D0E1F":50000}}`,
			"serve 50 % 0192F0C1…0C0D0E1F and 50 % 0192f0c1…0c0d0e0f by default"},
		{`{"kind":"removeRule","ruleId":"` + long + `x"}`, "remove rule " + long + "x"},
		{`{"kind":"removeRule","ruleId":"` + strings.Replace(long, "-", "_", 1) + `"}`, "remove rule " + strings.Replace(long, "-", "_", 1)},
		{`{"kind":"removeRule","ruleId":"` + strings.Replace(long, "f", "g", 1) + `"}`, "remove rule " + strings.Replace(long, "f", "g", 1)},
		{`{"kind":"removeCustomProperties","key":"k","values":["","a"]}`, `remove "" and a from the custom property k`},
		{`{"kind":"updateDescription","value":""}`, `describe the flag as ""`},
		{`{"kind":"turnOnClientSideAvailability","value":"usingEnvironmentId"}`, "make the flag available to SDKs that use a client-side id"},
	} {
		in, problems := flags.DecodeInstruction([]byte(test.document))
		require.NoError(t, problems.Err())
		require.Equal(t, test.want, in.String())
	}
	require.Equal(t, "do nothing", flags.Instruction{}.String())
	require.Equal(t, `serve variation "" while targeting is off`, flags.UpdateOffVariation("").String())
	require.Equal(t, `require that flag "" serves variation ""`, flags.AddPrerequisite("", "").String())
	require.Equal(t, `replace all prerequisites by: flag "" serving variation ""`, flags.ReplacePrerequisites(flags.Prerequisite{}).String())
	require.Equal(t, `"" is 1`, flags.Clause{Op: flags.OpIn, Values: []flags.Value{flags.IntValue(1)}}.String())
	require.Equal(t, `do what the host calls ""`, flags.HostInstruction("", flags.Value{}).String())
	require.Equal(t, `do what the host calls {a}[b]`, flags.HostInstruction("{a}[b]", flags.Value{}).String())
}

func TestEveryChangeMakesAnotherInstruction(t *testing.T) {
	changed := 0
	for _, line := range canonical(t) {
		in, _ := flags.DecodeInstruction([]byte(line))
		tree := parse(t, line)
		tree.scalars(func(n *node) {
			before := n.text
			switch n.kind() {
			case "null":
				return
			case "boolean":
				n.text = map[string]string{"true": "false", "false": "true"}[before]
			case "string":
				n.text = before[:len(before)-1] + `x"`
			case "number":
				n.text = before + "1"
			}
			if other, problems := flags.DecodeInstruction([]byte(tree.String())); problems == nil {
				changed++
				require.False(t, in.Equal(other), "%s\n%s", line, tree)
				require.NotEqual(t, line, string(other.AppendJSON(nil)))
			}
			n.text = before
		})
	}
	require.Greater(t, changed, 100)
}

func TestIdentifiers(t *testing.T) {
	in := flags.TurnFlagOn().WithID("step-1")
	require.Equal(t, "step-1", in.ID())
	require.Equal(t, `{"_id":"step-1","kind":"turnFlagOn"}`, string(in.AppendJSON(nil)))
	require.False(t, in.Equal(flags.TurnFlagOn()))
	require.True(t, in.WithID("").Equal(flags.TurnFlagOn()))
	require.Empty(t, in.Validate())
	require.Empty(t, in.WithID(strings.Repeat("x", 256)).Validate())
	require.Equal(t, []string{"too_large /_id"}, summary(in.WithID(strings.Repeat("x", 257)).Validate()))
	require.Equal(t, []string{"malformed /_id"}, summary(in.WithID("\xff").Validate()))
	require.Equal(t, []string{"malformed /_id"}, summary(in.WithID("\x00").Validate()))

	for document, want := range map[string][]string{
		`{"kind":"turnFlagOn","_id":""}`:                                      {"malformed /_id"},
		`{"kind":"turnFlagOn","_id":7}`:                                       {"wrong_type /_id"},
		`{"kind":"turnFlagOn","_id":null}`:                                    {},
		`{"kind":"turnFlagOn","_id":"` + strings.Repeat("x", 257) + `"}`:      {"too_large /_id"},
		`{"kind":"turnFlagOn","_id":"` + strings.Repeat("\u00e9", 128) + `"}`: {},
	} {
		_, problems := flags.DecodeInstruction([]byte(document))
		require.Equal(t, want, summary(problems), document)
	}
}

func TestZeroInstruction(t *testing.T) {
	var in flags.Instruction
	require.True(t, in.IsZero())
	require.Equal(t, []string{"required /kind"}, summary(in.Validate()))
	require.Equal(t, "{}", string(in.AppendJSON(nil)))
	require.Empty(t, in.Kind())
	require.Empty(t, in.Scope())
	require.Nil(t, in.Reads())
	require.Nil(t, in.Writes())
	require.Nil(t, in.Slots())
	require.Zero(t, in.SlotCount())
	require.True(t, in.Equal(flags.Instruction{}))
	require.False(t, in.Equal(flags.TurnFlagOn()))
	require.False(t, flags.TurnFlagOn().IsZero())
	require.False(t, in.WithID("x").IsZero())
	require.Equal(t, `{"_id":"x"}`, string(in.WithID("x").AppendJSON(nil)))
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	buffer := make([]byte, 0, 4096)
	for _, line := range canonical(t) {
		in, _ := flags.DecodeInstruction([]byte(line))
		require.Zero(t, testing.AllocsPerRun(10, func() { buffer = in.AppendJSON(buffer[:0]) }), "AppendJSON %s", line)
		require.Zero(t, testing.AllocsPerRun(10, func() { in.SlotCount() }), "SlotCount %s", line)
		if !strings.Contains(line, `"ref"`) { // references are remembered
			require.Zero(t, testing.AllocsPerRun(10, func() { in.Validate() }), "Validate %s", line)
		}
	}
}
