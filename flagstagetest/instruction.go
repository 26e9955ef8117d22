package flagstagetest

import (
	"strconv"

	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/flags"
)

// Instructions generates instructions of every documented kind, without
// identifiers. None refers to what another instruction adds; in [Stages],
// [TemplateInputs] and [Templates] some do.
//
// Each equals, by reflect.DeepEqual too, what reading its JSON gives.
func Instructions() *rapid.Generator[flags.Instruction] {
	return rapid.Custom(func(t *rapid.T) flags.Instruction { return new(release).instruction(t) })
}

// release draws the instructions of one release, one after the other. It
// remembers the names of what they add, so that later ones can refer to it.
type release struct {
	before, now added // by earlier instructions, by the current one
	count       int
}

// added are names given to what instructions add.
type added struct{ rules, clauses, variations []string }

// usualKinds are what most releases are made of, and what other instructions
// can refer to.
var usualKinds = []flags.Kind{
	"turnFlagOn", "updateFallthroughVariationOrRollout", "addRule", "updateRuleVariationOrRollout", "addVariation", "updateClause",
}

// instruction draws the next instruction.
func (r *release) instruction(t *rapid.T) flags.Instruction {
	kind := rapid.OneOf(rapid.SampledFrom(usualKinds), rapid.SampledFrom(flags.Kinds())).Draw(t, "kind")
	draw := draws[kind]
	if draw == nil {
		t.Fatalf("flagstagetest: no instruction of kind %s can be drawn", kind)
	}
	drawn := draw(r, t)
	in, problems := flags.DecodeInstruction(drawn.AppendJSON(nil))
	if problems != nil {
		t.Fatalf("flagstagetest: drew an instruction that is not valid: %v", problems)
	}
	r.before.rules = append(r.before.rules, r.now.rules...)
	r.before.clauses = append(r.before.clauses, r.now.clauses...)
	r.before.variations = append(r.before.variations, r.now.variations...)
	r.now = added{}
	return in
}

// name draws a name that stands once in the release, or none.
func (r *release) name(t *rapid.T, list *[]string) string {
	if !rapid.Bool().Draw(t, "has ref") {
		return ""
	}
	r.count++
	name := "r" + strconv.Itoa(r.count)
	*list = append(*list, name)
	return name
}

var uuids = rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// id draws the identifier of something that the flag has, usually one of a
// few, or a reference to one of the given names.
func id(t *rapid.T, label string, names []string, usual ...string) string {
	if len(names) > 0 && rapid.Bool().Draw(t, "by reference") {
		return "ref:" + rapid.SampledFrom(names).Draw(t, label)
	}
	return rapid.OneOf(rapid.SampledFrom(usual), uuids).Draw(t, label)
}

func (r *release) variation(t *rapid.T) string {
	return id(t, "variation", r.before.variations, "on", "off", "blue")
}
func (r *release) rule(t *rapid.T) string { return id(t, "rule", r.before.rules, "rule-1", "rule-2") }
func (r *release) clause(t *rapid.T) string {
	return id(t, "clause", r.before.clauses, "clause-1", "clause-2")
}

// distinct draws some of what draw can draw.
func distinct(t *rapid.T, label string, least int, draw func(*rapid.T) string) []string {
	return rapid.SliceOfNDistinct(rapid.Custom(draw), least, 3, rapid.ID[string]).Draw(t, label)
}

func (r *release) serve(t *rapid.T) flags.Serve {
	if !rapid.Bool().Draw(t, "by weight") {
		return flags.ServeVariation(r.variation(t))
	}
	var rollout flags.Rollout
	left := flags.FullWeight
	ids := distinct(t, "variations", 1, r.variation)
	for i, id := range ids {
		weight := left
		if i < len(ids)-1 {
			weight = rapid.IntRange(0, left).Draw(t, "weight")
		}
		left -= weight
		rollout.Weights = append(rollout.Weights, flags.Weight{VariationID: id, Weight: weight})
	}
	rollout.BucketBy = anyText.Draw(t, "bucket by")
	rollout.ContextKind = contextKind(t)
	return flags.ServeRollout(rollout)
}

func contextKind(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "user", "device", "organization"}).Draw(t, "context kind")
}

func (r *release) newClause(t *rapid.T) flags.Clause {
	clause := flags.Clause{
		ContextKind: contextKind(t),
		Op:          rapid.SampledFrom(flags.Operators()).Draw(t, "op"),
		Negate:      rapid.Bool().Draw(t, "negate"),
	}
	if clause.Op == flags.OpSegmentMatch {
		clause.Attribute = rapid.SampledFrom([]string{"", "segmentMatch"}).Draw(t, "attribute")
		clause.Values = flags.StringValues(rapid.SliceOfN(Keys(), 0, 3).Draw(t, "segments")...)
	} else {
		clause.Attribute = fullText.Draw(t, "attribute")
		clause.Values = someValues(t)
	}
	clause.Ref = r.name(t, &r.now.clauses)
	return clause
}

func (r *release) newClauses(t *rapid.T) (list []flags.Clause) {
	for range rapid.IntRange(0, 2).Draw(t, "clauses") {
		list = append(list, r.newClause(t))
	}
	return list
}

func (r *release) newRule(t *rapid.T) flags.Rule {
	return flags.Rule{
		Clauses: r.newClauses(t), Serve: r.serve(t),
		Description: anyText.Draw(t, "description"), Ref: r.name(t, &r.now.rules),
	}
}

func (r *release) newRules(t *rapid.T) (list []flags.Rule) {
	for range rapid.IntRange(0, 2).Draw(t, "rules") {
		rule := r.newRule(t)
		rule.TrackEvents = rapid.Bool().Draw(t, "track events")
		list = append(list, rule)
	}
	return list
}

func (r *release) targets(t *rapid.T, users bool) (list []flags.Targets) {
	for range rapid.IntRange(0, 2).Draw(t, "targets") {
		targets := flags.Targets{VariationID: r.variation(t), Values: contexts(t)}
		if !users {
			targets.ContextKind = contextKind(t)
		}
		list = append(list, targets)
	}
	return list
}

func contexts(t *rapid.T) []string { return fullTexts.Draw(t, "keys of contexts") }

func someValues(t *rapid.T) []flags.Value {
	return rapid.SliceOfN(Values(), 0, 3).Draw(t, "values")
}

func prerequisite(t *rapid.T) flags.Prerequisite {
	return flags.Prerequisite{Key: otherFlag(t), VariationID: otherVariation(t)}
}

func otherFlag(t *rapid.T) string      { return Keys().Draw(t, "other flag") }
func otherVariation(t *rapid.T) string { return id(t, "variation of it", nil, "on", "off") }
func boolean(t *rapid.T) bool          { return rapid.Bool().Draw(t, "boolean") }
func text(t *rapid.T) string           { return anyText.Draw(t, "text") }
func full(t *rapid.T) string           { return fullText.Draw(t, "text, not empty") }
func texts(t *rapid.T) []string        { return fullTexts.Draw(t, "texts") }

func availability(t *rapid.T) flags.ClientSideAvailability {
	return rapid.SampledFrom([]flags.ClientSideAvailability{flags.UsingMobileKey, flags.UsingEnvironmentID}).Draw(t, "availability")
}

func variationChanges(t *rapid.T) []flags.VariationChange {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) flags.VariationChange {
		switch rapid.SampledFrom([]string{"name", "description", "value"}).Draw(t, "of") {
		case "name":
			return flags.VariationName(text(t))
		case "description":
			return flags.VariationDescription(text(t))
		}
		return flags.VariationValue(Values().Draw(t, "value"))
	}), 1, 3).Draw(t, "changes")
}

func defaultVariation(t *rapid.T) flags.Instruction {
	var on, off flags.Value
	which := rapid.SampledFrom([]string{"on", "off", "both"}).Draw(t, "which")
	if which != "off" {
		on = Values().Draw(t, "while on")
	}
	if which != "on" {
		off = Values().Draw(t, "while off")
	}
	return flags.UpdateDefaultVariation(on, off)
}

// target draws the contexts of one kind that a variation is for.
func (r *release) target(t *rapid.T) flags.Targets {
	return flags.Targets{ContextKind: contextKind(t), VariationID: r.variation(t), Values: contexts(t)}
}

// draw draws the arguments of one kind of instruction.
type draw func(*release, *rapid.T) flags.Instruction

// plain draws an instruction without arguments.
func plain(in flags.Instruction) draw {
	return func(*release, *rapid.T) flags.Instruction { return in }
}

var draws = map[flags.Kind]draw{
	"turnFlagOn":  plain(flags.TurnFlagOn()),
	"turnFlagOff": plain(flags.TurnFlagOff()),
	"addTargets": func(r *release, t *rapid.T) flags.Instruction {
		return flags.AddTargets(r.target(t))
	},
	"removeTargets": func(r *release, t *rapid.T) flags.Instruction {
		return flags.RemoveTargets(r.target(t))
	},
	"replaceTargets": func(r *release, t *rapid.T) flags.Instruction {
		return flags.ReplaceTargets(r.targets(t, false)...)
	},
	"clearTargets": func(r *release, t *rapid.T) flags.Instruction { return flags.ClearTargets(r.variation(t)) },
	"addUserTargets": func(r *release, t *rapid.T) flags.Instruction {
		return flags.AddUserTargets(r.variation(t), contexts(t)...)
	},
	"removeUserTargets": func(r *release, t *rapid.T) flags.Instruction {
		return flags.RemoveUserTargets(r.variation(t), contexts(t)...)
	},
	"replaceUserTargets": func(r *release, t *rapid.T) flags.Instruction {
		return flags.ReplaceUserTargets(r.targets(t, true)...)
	},
	"clearUserTargets": func(r *release, t *rapid.T) flags.Instruction { return flags.ClearUserTargets(r.variation(t)) },
	"addRule": func(r *release, t *rapid.T) flags.Instruction {
		before := ""
		if rapid.Bool().Draw(t, "before another") {
			before = r.rule(t)
		}
		return flags.AddRule(r.newRule(t), before)
	},
	"removeRule":   func(r *release, t *rapid.T) flags.Instruction { return flags.RemoveRule(r.rule(t)) },
	"replaceRules": func(r *release, t *rapid.T) flags.Instruction { return flags.ReplaceRules(r.newRules(t)...) },
	"reorderRules": func(r *release, t *rapid.T) flags.Instruction {
		return flags.ReorderRules(distinct(t, "rules", 0, r.rule)...)
	},
	"updateRuleVariationOrRollout": func(r *release, t *rapid.T) flags.Instruction {
		return flags.UpdateRuleVariationOrRollout(r.rule(t), r.serve(t))
	},
	"updateRuleDescription": func(r *release, t *rapid.T) flags.Instruction {
		return flags.UpdateRuleDescription(r.rule(t), text(t))
	},
	"updateRuleTrackEvents": func(r *release, t *rapid.T) flags.Instruction {
		return flags.UpdateRuleTrackEvents(r.rule(t), boolean(t))
	},
	"addClauses": func(r *release, t *rapid.T) flags.Instruction {
		return flags.AddClauses(r.rule(t), r.newClauses(t)...)
	},
	"removeClauses": func(r *release, t *rapid.T) flags.Instruction {
		return flags.RemoveClauses(r.rule(t), distinct(t, "clauses", 0, r.clause)...)
	},
	"updateClause": func(r *release, t *rapid.T) flags.Instruction {
		return flags.UpdateClause(r.rule(t), r.clause(t), r.newClause(t))
	},
	"addValuesToClause": func(r *release, t *rapid.T) flags.Instruction {
		return flags.AddValuesToClause(r.rule(t), r.clause(t), someValues(t)...)
	},
	"removeValuesFromClause": func(r *release, t *rapid.T) flags.Instruction {
		return flags.RemoveValuesFromClause(r.rule(t), r.clause(t), someValues(t)...)
	},
	"updateFallthroughVariationOrRollout": func(r *release, t *rapid.T) flags.Instruction {
		return flags.UpdateFallthroughVariationOrRollout(r.serve(t))
	},
	"updateOffVariation": func(r *release, t *rapid.T) flags.Instruction { return flags.UpdateOffVariation(r.variation(t)) },
	"addPrerequisite": func(_ *release, t *rapid.T) flags.Instruction {
		return flags.AddPrerequisite(otherFlag(t), otherVariation(t))
	},
	"removePrerequisite": func(_ *release, t *rapid.T) flags.Instruction { return flags.RemovePrerequisite(otherFlag(t)) },
	"updatePrerequisite": func(_ *release, t *rapid.T) flags.Instruction {
		return flags.UpdatePrerequisite(otherFlag(t), otherVariation(t))
	},
	"replacePrerequisites": func(_ *release, t *rapid.T) flags.Instruction {
		return flags.ReplacePrerequisites(rapid.SliceOfN(rapid.Custom(prerequisite), 0, 2).Draw(t, "prerequisites")...)
	},
	"updateTrackEvents": func(_ *release, t *rapid.T) flags.Instruction { return flags.UpdateTrackEvents(boolean(t)) },
	"updateTrackEventsFallthrough": func(_ *release, t *rapid.T) flags.Instruction {
		return flags.UpdateTrackEventsFallthrough(boolean(t))
	},
	"addVariation": func(r *release, t *rapid.T) flags.Instruction {
		return flags.AddVariation(flags.Variation{
			Value: Values().Draw(t, "value"), Name: text(t), Description: text(t), Ref: r.name(t, &r.now.variations),
		})
	},
	"removeVariation": func(r *release, t *rapid.T) flags.Instruction { return flags.RemoveVariation(r.variation(t)) },
	"updateVariation": func(r *release, t *rapid.T) flags.Instruction {
		return flags.UpdateVariation(r.variation(t), variationChanges(t)...)
	},
	"updateDefaultVariation": func(_ *release, t *rapid.T) flags.Instruction { return defaultVariation(t) },
	"addCustomProperties": func(_ *release, t *rapid.T) flags.Instruction {
		return flags.AddCustomProperties(flags.CustomProperty{Key: full(t), Name: full(t), Values: texts(t)})
	},
	"replaceCustomProperties": func(_ *release, t *rapid.T) flags.Instruction {
		return flags.ReplaceCustomProperties(flags.CustomProperty{Key: full(t), Name: text(t), Values: texts(t)})
	},
	"removeCustomProperties": func(_ *release, t *rapid.T) flags.Instruction {
		return flags.RemoveCustomProperties(full(t), texts(t)...)
	},
	"addTags":                func(_ *release, t *rapid.T) flags.Instruction { return flags.AddTags(texts(t)...) },
	"removeTags":             func(_ *release, t *rapid.T) flags.Instruction { return flags.RemoveTags(texts(t)...) },
	"updateName":             func(_ *release, t *rapid.T) flags.Instruction { return flags.UpdateName(full(t)) },
	"updateDescription":      func(_ *release, t *rapid.T) flags.Instruction { return flags.UpdateDescription(text(t)) },
	"updateMaintainerMember": func(_ *release, t *rapid.T) flags.Instruction { return flags.UpdateMaintainerMember(full(t)) },
	"updateMaintainerTeam":   func(_ *release, t *rapid.T) flags.Instruction { return flags.UpdateMaintainerTeam(full(t)) },
	"removeMaintainer":       plain(flags.RemoveMaintainer()),
	"makeFlagPermanent":      plain(flags.MakeFlagPermanent()),
	"makeFlagTemporary":      plain(flags.MakeFlagTemporary()),
	"turnOnClientSideAvailability": func(_ *release, t *rapid.T) flags.Instruction {
		return flags.TurnOnClientSideAvailability(availability(t))
	},
	"turnOffClientSideAvailability": func(_ *release, t *rapid.T) flags.Instruction {
		return flags.TurnOffClientSideAvailability(availability(t))
	},
	"archiveFlag":           plain(flags.ArchiveFlag()),
	"restoreFlag":           plain(flags.RestoreFlag()),
	"deleteFlag":            plain(flags.DeleteFlag()),
	"deprecateFlag":         plain(flags.DeprecateFlag()),
	"restoreDeprecatedFlag": plain(flags.RestoreDeprecatedFlag()),
}
