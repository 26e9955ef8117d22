package flags_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

var (
	plainID   = rapid.OneOf(rapid.StringMatching(`[a-f0-9]{8}-[a-f0-9]{4}`), rapid.StringMatching(`[a-q/~"<é\n]{1,6}`))
	someID    = rapid.OneOf(plainID, rapid.StringMatching(`ref:[A-Za-z0-9._-]{1,12}`))
	someKey   = rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{0,12}`)
	someText  = rapid.StringMatching(`[a-z <>&"\\\n\t\x{7f}é\x{2028}\x{fffd}𝄞{}\[\]]{0,10}`)
	fullText  = rapid.StringMatching(`[a-z <>&"\\\n\t\x{7f}é\x{2028}\x{fffd}𝄞{}\[\]]{1,10}`)
	someTexts = rapid.SliceOfN(fullText, 0, 4)
	someIDs   = rapid.SliceOfN(someID, 0, 4)
	someValue = rapid.Custom(drawValue)
	someServe = rapid.Custom(drawServe)
)

func drawValue(t *rapid.T) flags.Value {
	switch rapid.IntRange(0, 4).Draw(t, "type") {
	case 0:
		return flags.StringValue(someText.Draw(t, "string"))
	case 1:
		return flags.BoolValue(rapid.Bool().Draw(t, "boolean"))
	case 2:
		return flags.IntValue(rapid.Int64().Draw(t, "integer"))
	}
	v, err := flags.ParseValue(rapid.SampledFrom([]string{
		`1.50`, `-0`, `1E5`, `[]`, `{}`, `[null,[1,{"b":1,"a":[]}]]`, `{"z":"\u003c","a":null}`, `"\u00e9"`,
	}).Draw(t, "text"))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func drawServe(t *rapid.T) flags.Serve {
	if rapid.Bool().Draw(t, "one") {
		return flags.ServeVariation(someID.Draw(t, "variation"))
	}
	ids := rapid.SliceOfNDistinct(someID, 1, 4, rapid.ID[string]).Draw(t, "variations")
	rollout := flags.Rollout{BucketBy: someText.Draw(t, "bucketBy"), ContextKind: someText.Draw(t, "contextKind")}
	left := flags.FullWeight
	for i, id := range ids {
		weight := left
		if i < len(ids)-1 {
			weight = rapid.IntRange(0, left).Draw(t, "weight")
		}
		left -= weight
		rollout.Weights = append(rollout.Weights, flags.Weight{VariationID: id, Weight: weight})
	}
	return flags.ServeRollout(rollout)
}

// refs draws references that stand once in an instruction.
type refs struct{ n int }

func (r *refs) draw(t *rapid.T) string {
	if rapid.Bool().Draw(t, "no reference") {
		return ""
	}
	r.n++
	return fmt.Sprintf("r.%d_-", r.n)
}

func (r *refs) clause(t *rapid.T) flags.Clause {
	clause := flags.Clause{
		ContextKind: someText.Draw(t, "contextKind"),
		Attribute:   fullText.Draw(t, "attribute"),
		Op:          rapid.SampledFrom(flags.Operators()).Draw(t, "op"),
		Negate:      rapid.Bool().Draw(t, "negate"),
		Values:      rapid.SliceOfN(someValue, 0, 3).Draw(t, "values"),
		Ref:         r.draw(t),
	}
	if clause.Op == flags.OpSegmentMatch {
		clause.Values = flags.StringValues(texts(t)...)
		if rapid.Bool().Draw(t, "no attribute") {
			clause.Attribute = ""
		}
	}
	return clause
}

func (r *refs) clauses(t *rapid.T) []flags.Clause {
	return rapid.SliceOfN(rapid.Custom(r.clause), 0, 3).Draw(t, "clauses")
}

func (r *refs) rule(t *rapid.T) flags.Rule {
	return flags.Rule{Clauses: r.clauses(t), Serve: someServe.Draw(t, "serve"), Description: someText.Draw(t, "description"), Ref: r.draw(t)}
}

func drawTargets(t *rapid.T, users bool) []flags.Targets {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) flags.Targets {
		targets := flags.Targets{VariationID: someID.Draw(t, "variation"), Values: someTexts.Draw(t, "values")}
		if !users {
			targets.ContextKind = someText.Draw(t, "contextKind")
		}
		return targets
	}), 0, 3).Draw(t, "targets")
}

func id(t *rapid.T) string            { return someID.Draw(t, "id") }
func plain(t *rapid.T) string         { return plainID.Draw(t, "id, no reference") }
func texts(t *rapid.T) []string       { return someTexts.Draw(t, "texts") }
func values(t *rapid.T) []flags.Value { return rapid.SliceOfN(someValue, 0, 4).Draw(t, "values") }
func full(t *rapid.T) string          { return fullText.Draw(t, "text") }
func maybe(t *rapid.T) string         { return someText.Draw(t, "text, may be empty") }
func key(t *rapid.T) string           { return someKey.Draw(t, "key") }
func yes(t *rapid.T) bool             { return rapid.Bool().Draw(t, "boolean") }
func serve(t *rapid.T) flags.Serve    { return someServe.Draw(t, "serve") }
func prereq(t *rapid.T) flags.Prerequisite {
	return flags.Prerequisite{Key: key(t), VariationID: plain(t)}
}
func targets(t *rapid.T) flags.Targets {
	return flags.Targets{ContextKind: maybe(t), VariationID: id(t), Values: texts(t)}
}
func property(t *rapid.T, name string) flags.CustomProperty {
	return flags.CustomProperty{Key: full(t), Name: name, Values: texts(t)}
}

// draws has a generator of valid instructions for each kind.
var draws = map[flags.Kind]func(*rapid.T) flags.Instruction{
	"turnFlagOn":     func(*rapid.T) flags.Instruction { return flags.TurnFlagOn() },
	"turnFlagOff":    func(*rapid.T) flags.Instruction { return flags.TurnFlagOff() },
	"addTargets":     func(t *rapid.T) flags.Instruction { return flags.AddTargets(targets(t)) },
	"removeTargets":  func(t *rapid.T) flags.Instruction { return flags.RemoveTargets(targets(t)) },
	"replaceTargets": func(t *rapid.T) flags.Instruction { return flags.ReplaceTargets(drawTargets(t, false)...) },
	"clearTargets":   func(t *rapid.T) flags.Instruction { return flags.ClearTargets(id(t)) },
	"addUserTargets": func(t *rapid.T) flags.Instruction { return flags.AddUserTargets(id(t), texts(t)...) },
	"removeUserTargets": func(t *rapid.T) flags.Instruction {
		return flags.RemoveUserTargets(id(t), texts(t)...)
	},
	"replaceUserTargets": func(t *rapid.T) flags.Instruction { return flags.ReplaceUserTargets(drawTargets(t, true)...) },
	"clearUserTargets":   func(t *rapid.T) flags.Instruction { return flags.ClearUserTargets(id(t)) },
	"addRule": func(t *rapid.T) flags.Instruction {
		before := ""
		if yes(t) {
			before = id(t)
		}
		return flags.AddRule(new(refs).rule(t), before)
	},
	"removeRule": func(t *rapid.T) flags.Instruction { return flags.RemoveRule(id(t)) },
	"replaceRules": func(t *rapid.T) flags.Instruction {
		var r refs
		return flags.ReplaceRules(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) flags.Rule {
			rule := r.rule(t)
			rule.TrackEvents = yes(t)
			return rule
		}), 0, 3).Draw(t, "rules")...)
	},
	"reorderRules":                 func(t *rapid.T) flags.Instruction { return flags.ReorderRules(someIDs.Draw(t, "ids")...) },
	"updateRuleVariationOrRollout": func(t *rapid.T) flags.Instruction { return flags.UpdateRuleVariationOrRollout(id(t), serve(t)) },
	"updateRuleDescription":        func(t *rapid.T) flags.Instruction { return flags.UpdateRuleDescription(id(t), maybe(t)) },
	"updateRuleTrackEvents":        func(t *rapid.T) flags.Instruction { return flags.UpdateRuleTrackEvents(id(t), yes(t)) },
	"addClauses":                   func(t *rapid.T) flags.Instruction { return flags.AddClauses(id(t), new(refs).clauses(t)...) },
	"removeClauses": func(t *rapid.T) flags.Instruction {
		return flags.RemoveClauses(id(t), someIDs.Draw(t, "ids")...)
	},
	"updateClause":           func(t *rapid.T) flags.Instruction { return flags.UpdateClause(id(t), id(t), new(refs).clause(t)) },
	"addValuesToClause":      func(t *rapid.T) flags.Instruction { return flags.AddValuesToClause(id(t), id(t), values(t)...) },
	"removeValuesFromClause": func(t *rapid.T) flags.Instruction { return flags.RemoveValuesFromClause(id(t), id(t), values(t)...) },
	"updateFallthroughVariationOrRollout": func(t *rapid.T) flags.Instruction {
		return flags.UpdateFallthroughVariationOrRollout(serve(t))
	},
	"updateOffVariation": func(t *rapid.T) flags.Instruction { return flags.UpdateOffVariation(id(t)) },
	"addPrerequisite":    func(t *rapid.T) flags.Instruction { return flags.AddPrerequisite(key(t), plain(t)) },
	"removePrerequisite": func(t *rapid.T) flags.Instruction { return flags.RemovePrerequisite(key(t)) },
	"updatePrerequisite": func(t *rapid.T) flags.Instruction { return flags.UpdatePrerequisite(key(t), plain(t)) },
	"replacePrerequisites": func(t *rapid.T) flags.Instruction {
		return flags.ReplacePrerequisites(rapid.SliceOfN(rapid.Custom(prereq), 0, 3).Draw(t, "list")...)
	},
	"updateTrackEvents":            func(t *rapid.T) flags.Instruction { return flags.UpdateTrackEvents(yes(t)) },
	"updateTrackEventsFallthrough": func(t *rapid.T) flags.Instruction { return flags.UpdateTrackEventsFallthrough(yes(t)) },
	"addVariation": func(t *rapid.T) flags.Instruction {
		return flags.AddVariation(flags.Variation{Value: someValue.Draw(t, "value"), Name: maybe(t), Description: maybe(t), Ref: new(refs).draw(t)})
	},
	"removeVariation": func(t *rapid.T) flags.Instruction { return flags.RemoveVariation(id(t)) },
	"updateVariation": func(t *rapid.T) flags.Instruction {
		return flags.UpdateVariation(id(t), rapid.SliceOfN(rapid.Custom(func(t *rapid.T) flags.VariationChange {
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				return flags.VariationName(maybe(t))
			case 1:
				return flags.VariationDescription(maybe(t))
			}
			return flags.VariationValue(someValue.Draw(t, "value"))
		}), 1, 4).Draw(t, "changes")...)
	},
	"updateDefaultVariation": func(t *rapid.T) flags.Instruction {
		on, off := someValue.Draw(t, "on"), someValue.Draw(t, "off")
		switch rapid.IntRange(0, 2).Draw(t, "which") {
		case 0:
			on = flags.Value{}
		case 1:
			off = flags.Value{}
		}
		return flags.UpdateDefaultVariation(on, off)
	},
	"addCustomProperties": func(t *rapid.T) flags.Instruction { return flags.AddCustomProperties(property(t, full(t))) },
	"replaceCustomProperties": func(t *rapid.T) flags.Instruction {
		return flags.ReplaceCustomProperties(property(t, maybe(t)))
	},
	"removeCustomProperties": func(t *rapid.T) flags.Instruction { return flags.RemoveCustomProperties(full(t), texts(t)...) },
	"addTags":                func(t *rapid.T) flags.Instruction { return flags.AddTags(texts(t)...) },
	"removeTags":             func(t *rapid.T) flags.Instruction { return flags.RemoveTags(texts(t)...) },
	"updateName":             func(t *rapid.T) flags.Instruction { return flags.UpdateName(full(t)) },
	"updateDescription":      func(t *rapid.T) flags.Instruction { return flags.UpdateDescription(maybe(t)) },
	"updateMaintainerMember": func(t *rapid.T) flags.Instruction { return flags.UpdateMaintainerMember(full(t)) },
	"updateMaintainerTeam":   func(t *rapid.T) flags.Instruction { return flags.UpdateMaintainerTeam(full(t)) },
	"removeMaintainer":       func(*rapid.T) flags.Instruction { return flags.RemoveMaintainer() },
	"makeFlagPermanent":      func(*rapid.T) flags.Instruction { return flags.MakeFlagPermanent() },
	"makeFlagTemporary":      func(*rapid.T) flags.Instruction { return flags.MakeFlagTemporary() },
	"turnOnClientSideAvailability": func(t *rapid.T) flags.Instruction {
		return flags.TurnOnClientSideAvailability(availability.Draw(t, "to"))
	},
	"turnOffClientSideAvailability": func(t *rapid.T) flags.Instruction {
		return flags.TurnOffClientSideAvailability(availability.Draw(t, "from"))
	},
	"archiveFlag":           func(*rapid.T) flags.Instruction { return flags.ArchiveFlag() },
	"restoreFlag":           func(*rapid.T) flags.Instruction { return flags.RestoreFlag() },
	"deleteFlag":            func(*rapid.T) flags.Instruction { return flags.DeleteFlag() },
	"deprecateFlag":         func(*rapid.T) flags.Instruction { return flags.DeprecateFlag() },
	"restoreDeprecatedFlag": func(*rapid.T) flags.Instruction { return flags.RestoreDeprecatedFlag() },
}

var availability = rapid.SampledFrom([]flags.ClientSideAvailability{flags.UsingMobileKey, flags.UsingEnvironmentID})

func drawInstruction(t *rapid.T) flags.Instruction {
	in := draws[rapid.SampledFrom(flags.Kinds()).Draw(t, "kind")](t)
	if yes(t) {
		in = in.WithID(full(t))
	}
	return in
}

func TestEveryKindCanBeDrawn(t *testing.T) {
	require.Len(t, draws, 53)
	for _, kind := range flags.Kinds() {
		require.Contains(t, draws, kind)
	}
}

func TestValidInstructionsSurviveTheirJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInstruction(t)
		require.Empty(t, in.Validate())
		document := in.AppendJSON(nil)
		var plain map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(document, &plain))
		marshalled, err := json.Marshal(in)
		require.NoError(t, err)
		require.Equal(t, string(document), string(marshalled))

		read, problems := flags.DecodeInstruction(document)
		require.Empty(t, problems)
		require.True(t, read.Equal(in))
		require.Equal(t, string(document), string(read.AppendJSON(nil)))
		require.Equal(t, in.String(), read.String())
		require.Equal(t, in.Reads(), read.Reads())
		require.Equal(t, in.Slots(), read.Slots())
	})
}

func TestEqualMeansSameJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := draws[rapid.SampledFrom(flags.Kinds()).Draw(t, "kind")]
		a, b := kind(t), kind(t)
		require.Equal(t, string(a.AppendJSON(nil)) == string(b.AppendJSON(nil)), a.Equal(b))
		require.Equal(t, a.Equal(b), b.Equal(a))
		require.True(t, a.Equal(a.WithID("x").WithID("")))
	})
}

func TestSlotsPointIntoTheJSON(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := drawInstruction(rt)
		document := string(in.AppendJSON(nil))
		tree := parse(t, document)
		slots := in.Slots()
		require.Len(rt, slots, in.SlotCount())
		last := -1 // slots stand in document order
		for _, slot := range slots {
			found := tree.at(slot.Pointer)
			require.NotNil(rt, found, "%s %s", slot.Pointer, document)
			require.Equal(rt, parse(t, slot.Value.String()).String(), found.String())
			at := strictjson.Offsets([]byte(document), []string{slot.Pointer})[0]
			require.Greater(rt, at, last)
			last = at
		}
	})
}

func FuzzDecodeInstruction(f *testing.F) {
	for _, line := range canonical(f) {
		f.Add(line)
	}
	f.Add(`{"kind":"page","who":[1.50,{"a":null}],"_id":"x"}`)
	f.Add(`{"values":["a"],"variationId":"v","kind":"addTargets","contextKind":null}`)
	f.Add(`{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"b":-0,"a":100000},"rolloutBucketBy":""}`)
	f.Fuzz(func(t *testing.T, document string) {
		in, problems := flags.DecodeInstruction([]byte(document), flags.HostKinds("page"))
		for _, p := range problems {
			require.LessOrEqual(t, len(p.Message), 512)
		}
		if problems.Err() != nil {
			require.True(t, in.IsZero())
			return
		}
		require.True(t, json.Valid([]byte(document)))
		require.Empty(t, in.Validate())
		canonical := in.AppendJSON(nil)
		again, problems := flags.DecodeInstruction(canonical, flags.HostKinds("page"))
		require.Empty(t, problems)
		require.True(t, again.Equal(in))
		require.Equal(t, string(canonical), string(again.AppendJSON(nil)))
		require.Len(t, in.Slots(), in.SlotCount())
		_ = in.String()
	})
}
