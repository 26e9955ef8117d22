package flagstage_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// machineKeys are the keys of the flags of a machine; a flag of the last one is not
// there at first.
var machineKeys = []string{theTarget.FlagKey, "base", "other"}

// staffRule is the rule that the flags of a machine have from the beginning.
const staffRule = "5a1c7f60-3d82-4e9b-b0f4-6c2d8e9a1b37"

// flagModel is what the machine knows of a flag: what it was after each change.
type flagModel []flagStep

// flagStep is a change of a flag by an actor or a workflow.
type flagStep struct {
	by   string
	flag flags.Flag // as it was then
}

// now returns the flag as it is, zero if there never was one.
func (f flagModel) now() flags.Flag {
	if len(f) == 0 {
		return flags.Flag{}
	}
	return f[len(f)-1].flag
}

// conflict reports whether a change would touch what others than one have changed
// after the first steps, and that is not again what it was. What that one has
// written since is its own.
func (f flagModel) conflict(by string, after int, next flags.Flag) bool {
	was := map[string]flags.Value{} // what others have changed, before they did
	for i := after; i < len(f); i++ {
		for _, c := range flags.ChangedFields(f[:i].now(), f[i].flag) {
			_, known := was[c.Pointer]
			switch {
			case f[i].by == by:
				maps.DeleteFunc(was, func(pointer string, _ flags.Value) bool { return inside(pointer, c.Pointer) })
			case !known:
				was[c.Pointer] = c.Was
			}
		}
	}
	return slices.ContainsFunc(flags.ChangedFields(f.now(), next), func(want flags.FieldChange) bool {
		for pointer, before := range was {
			if pointer == want.Pointer && before == want.Was {
				continue
			}
			if inside(pointer, want.Pointer) || inside(want.Pointer, pointer) {
				return true
			}
		}
		return false
	})
}

// inside reports whether a pointer names what another does, or something in it.
func inside(pointer, outer string) bool {
	return pointer == outer || strings.HasPrefix(pointer, outer+"/")
}

// theirOwn are flags that do not tell which of them require one: nobody asks
// before a release begins.
type theirOwn struct{ flags.FlagSet }

func (theirOwn) Dependents(string) ([]string, error) { return nil, nil }

// others returns all flags as they are.
func (m *machine) others() flags.FlagSet {
	var list []flags.Flag
	for _, key := range machineKeys {
		if f := m.flags[key].now(); !f.IsZero() {
			list = append(list, f)
		}
	}
	return flags.NewFlagSet(list...)
}

// outcome returns what a stage of a workflow would make of its flag now, or why it
// would fail.
func (m *machine) outcome(id string, action flagstage.Action, now flags.Application) (flags.Flag, flagstage.Reason) {
	release := m.releases[id]
	f := m.flags[release.input.Target.FlagKey]
	now.Environment, now.RefID, now.Others = theTarget.EnvironmentKey, flagstage.RefID(id), m.others()
	next, err := flags.Apply(f.now(), action.Instructions, now)
	switch {
	case err != nil:
		return flags.Flag{}, flagstage.ReasonRejected
	case !release.input.IgnoreConflicts && f.conflict("workflow:"+id, release.base, next):
		return flags.Flag{}, flagstage.ReasonConflict
	}
	return next, ""
}

// project returns what instructions make of a flag in a plan, and whether they can
// be applied.
func (m *machine) project(f flags.Flag, list []flags.Instruction) (flags.Flag, bool) {
	next, err := flags.Apply(f, list, flags.Application{
		Environment: theTarget.EnvironmentKey, Now: start, RefID: flagstage.RefID(""), Others: theirOwn{m.others()},
	})
	return next, err == nil
}

// startable reports whether stages can be applied to a flag one after the other.
func (m *machine) startable(key string, stages []flagstage.Stage) bool {
	f := m.flags[key].now()
	ok := !f.IsZero() && !f.Deleted()
	for i := 0; ok && i < len(stages); i++ {
		f, ok = m.project(f, stages[i].Action.Instructions)
	}
	return ok
}

// changed notes that a flag was changed, if it was.
func (m *machine) changed(key, by string, next flags.Flag) {
	if f := m.flags[key]; len(f) == 0 || !f.now().Equal(next) {
		m.flags[key] = append(f, flagStep{by, next})
	}
}

// stored returns a flag as it is kept; zero if there is none.
func (m *machine) stored(r *rapid.T, key string) flagstage.StoredFlag {
	f, err := m.engines[0].Flag(m.ctx, alice, theTarget.ProjectKey, key)
	if err != nil {
		require.ErrorIs(r, err, flagstage.ErrNotFound)
	}
	return f
}

// asText returns a flag as text.
func asText(f flags.Flag) string {
	if f.IsZero() {
		return ""
	}
	return string(f.AppendJSON(nil))
}

// word makes a text that nobody else writes.
func (m *machine) word() string {
	m.said++
	return fmt.Sprint("text ", m.said)
}

// instruction draws one that somebody gives. Most can be applied to the flag as it
// is.
func (m *machine) instruction(r *rapid.T, key string, f flags.Flag) flags.Instruction {
	variation := rapid.SampledFrom([]string{newVariation, oldVariation}).Draw(r, "variation")
	other := rapid.SampledFrom(slices.DeleteFunc(slices.Clone(machineKeys), func(k string) bool { return k == key })).Draw(r, "other flag")
	tag := rapid.SampledFrom([]string{"one", "two"}).Draw(r, "tag")
	list := []flags.Instruction{
		flags.UpdateName(m.word()), flags.UpdateDescription(m.word()),
		flags.TurnFlagOn(), flags.TurnFlagOff(),
		flags.UpdateFallthroughVariationOrRollout(flags.ServeVariation(variation)), flags.UpdateOffVariation(variation),
		flags.AddTags(tag), flags.RemoveTags(tag),
		flags.UpdateRuleVariationOrRollout(staffRule, flags.ServeVariation(variation)), flags.UpdateRuleDescription(staffRule, m.word()), flags.RemoveRule(staffRule),
		flags.AddPrerequisite(other, variation), flags.UpdatePrerequisite(other, variation), flags.RemovePrerequisite(other),
		flags.ArchiveFlag(), flags.RestoreFlag(),
	}
	switch {
	case rapid.IntRange(0, 20).Draw(r, "for good") == 20:
		return flags.DeleteFlag()
	case rapid.Bool().Draw(r, "of a text"): // that is most often in somebody's way
		list = list[:2]
	case rapid.IntRange(0, 5).Draw(r, "blindly") < 5:
		list = m.fitting(key, f, list)
	}
	return rapid.SampledFrom(list).Draw(r, "instruction")
}

// fitting returns the instructions that can be applied to a flag as it will be, all
// of them if none can.
func (m *machine) fitting(key string, f flags.Flag, list []flags.Instruction) []flags.Instruction {
	fits := slices.DeleteFunc(slices.Clone(list), func(in flags.Instruction) bool {
		_, ok := m.project(f, []flags.Instruction{in})
		return !ok || !m.applicable(key, []flagstage.Stage{{Action: flagstage.Patch(in)}})
	})
	if f.IsZero() || len(fits) == 0 {
		return list
	}
	return fits
}

// ruleOf draws an instruction that changes a rule with a clause.
func (m *machine) ruleOf(r *rapid.T, key string, f flags.Flag, rule, clause string) flags.Instruction {
	variation := rapid.SampledFrom([]string{newVariation, oldVariation}).Draw(r, "serves")
	return rapid.SampledFrom(m.fitting(key, f, []flags.Instruction{
		flags.UpdateRuleDescription(rule, m.word()), flags.UpdateRuleVariationOrRollout(rule, flags.ServeVariation(variation)),
		flags.RemoveClauses(rule, clause), flags.RemoveRule(rule),
	})).Draw(r, "of the rule")
}

// patch draws the instructions of somebody who changes a flag, also rules that
// workflows have added.
func (m *machine) patch(r *rapid.T, key string) []flags.Instruction {
	f := m.flags[key].now()
	if rapid.IntRange(0, 3).Draw(r, "rule of a workflow") == 0 {
		ref := flagstage.RefID(m.some(r))
		return []flags.Instruction{m.ruleOf(r, key, f, ref("rule"), ref("clause"))}
	}
	return []flags.Instruction{m.instruction(r, key, f)}
}

// steps draws the instructions of stages. An earlier one may add a rule that later
// ones change.
func (m *machine) steps(r *rapid.T, key string, stages int) [][]flags.Instruction {
	list := make([][]flags.Instruction, stages)
	f, added := m.flags[key].now(), false
	for i := range list {
		if rapid.IntRange(0, 6).Draw(r, "acts") == 6 {
			continue
		}
		for range rapid.IntRange(1, 2).Draw(r, "instructions") {
			var in flags.Instruction
			switch {
			case rapid.IntRange(0, 2).Draw(r, "of its rule") < 2:
				in = m.instruction(r, key, f)
			case added:
				in = m.ruleOf(r, key, f, "ref:rule", "ref:clause")
			default:
				added = true
				in = flags.AddRule(flags.Rule{
					Serve: flags.ServeVariation(newVariation), Ref: "rule",
					Clauses: []flags.Clause{{Op: flags.OpSegmentMatch, Values: flags.StringValues(rapid.SampledFrom(machineSegments).Draw(r, "segment")), Ref: "clause"}},
				}, "")
			}
			list[i] = append(list[i], in)
			if next, ok := m.project(f, []flags.Instruction{in}); ok {
				f = next
			}
		}
	}
	return list
}
