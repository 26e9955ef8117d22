package flagstage_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/flagstagetest"
)

const conflictFlag = `{"key":"k","kind":"multivariate","variations":[{"_id":"v0","value":0},{"_id":"v1","value":1},{"_id":"v2","value":2}],
	"defaults":{"onVariation":0,"offVariation":0},"environments":{"e":{"on":false,"offVariation":0,"fallthrough":{"variation":0},
	"targets":[{"variation":0,"values":["ann"]}],
	"rules":[{"_id":"r1","variation":0,"clauses":[]},{"_id":"r2","variation":0,"clauses":[]}]},"f":{"on":false}}}`

func decodedFlag(t require.TestingT, document string) flags.Flag {
	f, problems := flags.DecodeFlag([]byte(document))
	require.NoError(t, problems.Err())
	return f
}

// changedBy applies instructions in environment e.
func changedBy(t require.TestingT, f flags.Flag, list ...flags.Instruction) flags.Flag {
	changed, err := flags.Apply(f, list, flags.Application{Environment: "e", Now: now, IDs: flagstagetest.CountedIDs()})
	require.NoError(t, err)
	return changed
}

// bys are instructions of somebody.
type bys struct {
	by   string
	list []flags.Instruction
}

func does(who string, list ...flags.Instruction) bys { return bys{who, list} }

// TestConflictsWithWhatOthersChanged is about a workflow that goes on after
// others, and it, have changed its flag.
func TestConflictsWithWhatOthersChanged(t *testing.T) {
	const w = "workflow:w"
	on, off, serve := flags.TurnFlagOn(), flags.TurnFlagOff(), func(v string) flags.Instruction {
		return flags.UpdateFallthroughVariationOrRollout(flags.ServeVariation(v))
	}
	rule := func(id, v string) flags.Instruction {
		return flags.UpdateRuleVariationOrRollout(id, flags.ServeVariation(v))
	}
	for _, c := range []struct {
		name   string
		before []bys
		stage  []flags.Instruction
		want   string // "" is no conflict
	}{
		{"nobody did anything", nil, []flags.Instruction{on}, ""},
		{"the stage does nothing", []bys{does("bob", on)}, nil, ""},
		{"another field", []bys{does("bob", flags.UpdateOffVariation("v1"))}, []flags.Instruction{on}, ""},
		{"the wanted value", []bys{does("bob", on)}, []flags.Instruction{on}, ""},
		{"the same field", []bys{does("bob", serve("v1"))}, []flags.Instruction{on, serve("v2")},
			`optimistic_locking_error: instruction 1 would change /environments/e/fallthrough from {"variationId":"v1"} to {"variationId":"v2"}, but bob has changed it from {"variationId":"v0"} since; see which of them is wanted`},
		{"the same field, by two", []bys{does("bob", serve("v1")), does("eve", serve("v2"))}, []flags.Instruction{serve("v1")},
			`instruction 0 would change /environments/e/fallthrough from {"variationId":"v2"} to {"variationId":"v1"}, but eve has changed it from {"variationId":"v0"} since`},
		{"changed and changed back", []bys{does("bob", on), does("eve", off)}, []flags.Instruction{on}, ""},
		{"its own change", []bys{does(w, on)}, []flags.Instruction{off}, ""},
		{"its own change after that of another", []bys{does("bob", serve("v1")), does(w, serve("v2"))}, []flags.Instruction{serve("v1")}, ""},
		{"that of another after its own", []bys{does(w, serve("v1")), does("bob", serve("v2"))}, []flags.Instruction{serve("v0")},
			`but bob has changed it from {"variationId":"v1"} since`},
		{"undone by another after its own", []bys{does(w, serve("v1")), does("bob", serve("v0"))}, []flags.Instruction{serve("v2")},
			`from {"variationId":"v0"} to {"variationId":"v2"}, but bob has changed it from {"variationId":"v1"}`},
		{"another workflow", []bys{does("workflow:x", serve("v1"))}, []flags.Instruction{serve("v2")}, `but workflow:x has changed`},
		{"another rule", []bys{does("bob", rule("r1", "v1"))}, []flags.Instruction{rule("r2", "v2")}, ""},
		{"another field of the rule", []bys{does("bob", flags.UpdateRuleDescription("r1", "d"))}, []flags.Instruction{rule("r1", "v2")}, ""},
		{"a rule of another before that of the stage", []bys{does("bob", flags.AddRule(flags.Rule{Serve: flags.ServeVariation("v1")}, "r1"))}, []flags.Instruction{rule("r1", "v2")}, ""},
		{"the rule is gone and came back", []bys{does("bob", flags.RemoveRule("r1")), does("bob", flags.AddRule(flags.Rule{Serve: flags.ServeVariation("v0")}, "r2"))},
			[]flags.Instruction{rule("new-1", "v2")}, `would change /environments/e/rules/new-1/serve from {"variationId":"v0"} to {"variationId":"v2"}, but bob has changed /environments/e/rules/new-1 since`},
		{"a rule is removed that another has changed", []bys{does("bob", rule("r1", "v1"))}, []flags.Instruction{on, flags.RemoveRule("r1")},
			`instruction 1 would change /environments/e/rules/r1 from {"_id":"r1","variationId":"v1","clauses":[],"trackEvents":false} to nothing, but bob has changed /environments/e/rules/r1/serve since`},
		{"another order of rules", []bys{does("bob", flags.ReorderRules("r2", "r1"))}, []flags.Instruction{rule("r1", "v1")}, `but bob has changed /environments/e/rules since`},
		{"another target", []bys{does("bob", flags.AddUserTargets("v0", "bob"))}, []flags.Instruction{flags.RemoveUserTargets("v0", "ann")}, ""},
		{"the same target", []bys{does("bob", flags.RemoveUserTargets("v0", "ann"))}, []flags.Instruction{flags.AddUserTargets("v1", "ann")},
			`/environments/e/targets/user/ann from nothing to "v1", but bob has changed it from "v0" since`},
		{"a new target", []bys{does("bob", flags.AddUserTargets("v0", "new"))}, []flags.Instruction{flags.RemoveUserTargets("v0", "new")},
			`/environments/e/targets/user/new from "v0" to nothing, but bob has changed it since`},
		{"a variation goes and moves the others", []bys{does("bob", flags.RemoveVariation("v1"))}, []flags.Instruction{serve("v2")}, ""},
		{"a variation is renamed and then removed", []bys{does("bob", flags.UpdateVariation("v1", flags.VariationName("n")))}, []flags.Instruction{flags.RemoveVariation("v1")},
			`to nothing, but bob has changed /variations/v1/name since`},
		{"its own removal of what others changed", []bys{does("bob", flags.UpdateRuleDescription("r1", "d")), does(w, flags.RemoveRule("r1"))}, []flags.Instruction{on}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := decodedFlag(t, conflictFlag)
			var steps []flagstage.FlagStep
			for _, b := range c.before {
				to := changedBy(t, f, b.list...)
				steps = append(steps, flagstage.FlagStep{By: b.by, From: f, To: to})
				f = to
			}
			conflict := flagstage.FlagConflict(steps, w, math.MaxInt, f, changedBy(t, f, c.stage...), len(c.stage), func(n int) (flags.Flag, error) {
				return changedBy(t, f, c.stage[:n]...), nil
			})
			if c.want == "" {
				require.Nil(t, conflict)
				return
			}
			require.NotNil(t, conflict)
			require.ErrorIs(t, conflict, flagstage.ErrConflict)
			require.ErrorContains(t, conflict, c.want)
		})
	}
}

func TestAConflictNamesTheInstructionOnlyIfThereIsOne(t *testing.T) {
	f := decodedFlag(t, conflictFlag)
	changed := changedBy(t, f, flags.TurnFlagOn())
	steps := []flagstage.FlagStep{{By: "bob\x1b[2J" + strings.Repeat("é", 300), From: f, To: changed}}
	conflict := flagstage.FlagConflict(steps, "w", math.MaxInt, changed, f, 1, func(int) (flags.Flag, error) { return flags.Flag{}, errors.New("gone") })
	require.Equal(t, -1, conflict.Instruction)
	require.Equal(t, "/environments/e/on", conflict.Pointer)
	require.Equal(t, []string{"true", "false", "false"}, []string{conflict.Is.String(), conflict.Wants.String(), conflict.Was.String()})
	require.ErrorContains(t, conflict, "the stage would change")
	require.NotContains(t, conflict.Error(), "\x1b", "no terminal is steered")
	require.Less(t, len(conflict.Error()), 600)
}

// anySteps draws changes of a flag by several people.
func anySteps(t *rapid.T, most int) (steps []flagstage.FlagStep, last flags.Flag) {
	f := flagstagetest.Flags().Draw(t, "flag")
	for i := range rapid.IntRange(0, most).Draw(t, "steps") {
		patch := flagstagetest.PatchesFor(f, "production").Draw(t, "patch")
		to, err := flags.Apply(f, patch, flags.Application{
			Environment: "production", Now: now, IDs: prefixed{fmt.Sprint("s", i, "-"), flagstagetest.CountedIDs()}, Others: flagstagetest.Neighbours(),
		})
		if err != nil { // it names what it adds
			continue
		}
		steps = append(steps, flagstage.FlagStep{By: rapid.SampledFrom([]string{"w", "bob", "eve"}).Draw(t, "by"), From: f, To: to})
		f = to
	}
	return steps, f
}

// prefixed makes identifiers that begin with a text.
type prefixed struct {
	prefix string
	ids    flags.IDSource
}

func (p prefixed) NewID(at time.Time) string { return p.prefix + p.ids.NewID(at) }

// overlapping reports whether a pointer is another's, or begins it.
func overlapping(a, b string) bool {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	n := min(len(x), len(y))
	return slices.Equal(x[:n], y[:n])
}

// naiveForeign finds what others than one have changed, step by step.
func naiveForeign(steps []flagstage.FlagStep, besides string) map[string]flags.Value {
	was := map[string]flags.Value{}
	for _, s := range steps {
		for _, c := range flags.ChangedFields(s.From, s.To) {
			if s.By != besides {
				if _, there := was[c.Pointer]; !there {
					was[c.Pointer] = c.Was
				}
				continue
			}
			for pointer := range was {
				if len(pointer) >= len(c.Pointer) && overlapping(pointer, c.Pointer) {
					delete(was, pointer)
				}
			}
		}
	}
	return was
}

// TestNoChangeOfOthersIsOverwrittenUnseen holds that a stage without a conflict
// leaves alone all that others changed, unless it is again what it was, and that
// one with a conflict does not.
func TestNoChangeOfOthersIsOverwrittenUnseen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps, f := anySteps(t, 4)
		want := naiveForeign(steps, "w")
		got := map[string]flags.Value{}
		for _, c := range flagstage.ForeignChanges(steps, "w", math.MaxInt) {
			require.False(t, c.Wide || c.Forgotten)
			got[c.Pointer] = c.Was
		}
		require.Equal(t, want, got)

		patch := flagstagetest.PatchesFor(f, "production").Draw(t, "stage")
		applied := func(n int) (flags.Flag, error) {
			return flags.Apply(f, patch[:n], flags.Application{Environment: "production", Now: now, IDs: flagstagetest.CountedIDs(), Others: flagstagetest.Neighbours()})
		}
		after, err := applied(len(patch))
		if err != nil {
			return
		}
		conflicts := false
		for _, c := range flags.ChangedFields(f, after) {
			for pointer, was := range want {
				conflicts = conflicts || overlapping(c.Pointer, pointer) && (c.Pointer != pointer || c.Was != was)
			}
		}
		conflict := flagstage.FlagConflict(steps, "w", math.MaxInt, f, after, len(patch), applied)
		require.Equal(t, conflicts, conflict != nil)
		if conflict != nil {
			require.Contains(t, want, conflict.Changed)
			require.True(t, overlapping(conflict.Pointer, conflict.Changed))
			require.GreaterOrEqual(t, conflict.Instruction, 0)
			require.NotEmpty(t, conflict.Error())
		}
		// With little room in the log, no conflict is missed.
		room := rapid.IntRange(0, 500).Draw(t, "room")
		if narrow := flagstage.FlagConflict(steps, "w", room, f, after, len(patch), applied); conflict != nil {
			require.NotNil(t, narrow)
		}
	})
}

func TestEntriesOfTheLogAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps, _ := anySteps(t, 3)
		for _, s := range steps {
			by, at, fields, why := flagstage.DecodeStep(flagstage.EncodeStep(s, now))
			require.Empty(t, why)
			require.Equal(t, s.By, by)
			require.True(t, at.Equal(now))
			var want []flagstage.Foreign
			for _, c := range flags.ChangedFields(s.From, s.To) {
				want = append(want, flagstage.Foreign{Pointer: c.Pointer, Was: c.Was})
			}
			require.Equal(t, want, fields)
		}
	})
}

// TestAnEntryOfTheLogHasALimit changes more fields than an entry can tell of, and
// longer ones.
func TestAnEntryOfTheLogHasALimit(t *testing.T) {
	f := decodedFlag(t, conflictFlag)
	const limit = 1<<20 + 100
	decoded := func(from, to flags.Flag) []flagstage.Foreign {
		value := flagstage.EncodeStep(flagstage.FlagStep{By: "bob", From: from, To: to}, now)
		require.LessOrEqual(t, len(value), limit)
		_, _, fields, why := flagstage.DecodeStep(value)
		require.Empty(t, why)
		return fields
	}
	var targets strings.Builder
	for kind := range 10 {
		fmt.Fprintf(&targets, `,{"contextKind":"k%d","variation":0,"values":["a"`, kind)
		for i := range 9_000 {
			fmt.Fprintf(&targets, `,"%d"`, i)
		}
		targets.WriteString("]}")
	}
	many := decodedFlag(t, strings.Replace(conflictFlag, `"targets"`, `"contextTargets":[`+targets.String()[1:]+`],"targets"`, 1))
	want := []flagstage.Foreign{}
	for kind := range 10 {
		want = append(want, flagstage.Foreign{Pointer: fmt.Sprintf("/environments/e/targets/k%d", kind), Wide: true})
	}
	require.Equal(t, want, decoded(f, many))
	require.Equal(t, want, decoded(many, f))

	long := changedBy(t, f, flags.UpdateDescription(strings.Repeat("d", 60_000)))
	for i := range 15 {
		long = changedBy(t, long, flags.UpdateRuleDescription("r1", strings.Repeat("d", 60_000)),
			flags.AddCustomProperties(flags.CustomProperty{Key: fmt.Sprint("p", i), Name: strings.Repeat("\x7f", 60_000), Values: []string{"x"}}))
	}
	_, _, fields, _ := flagstage.DecodeStep(flagstage.EncodeStep(flagstage.FlagStep{By: "bob", From: long, To: f}, now))
	require.Len(t, fields, 17)
	require.False(t, fields[0].Forgotten || fields[0].Wide, "there is room for all of a flag's fields")

	require.Equal(t, []flagstage.Foreign{{Pointer: "", Was: valueOf(t, string(f.AppendJSON(nil)))}}, decoded(f, flags.Flag{}))
}

func valueOf(t require.TestingT, text string) flags.Value {
	v, err := flags.ParseValue(text)
	require.NoError(t, err)
	return v
}

// TestLessRoomTellsLess holds that whatever the limit is, an entry tells of each
// field that was changed, by its pointer or one that begins it.
func TestLessRoomTellsLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps, _ := anySteps(t, 1)
		room := rapid.IntRange(0, 1_000).Draw(t, "room")
		told := flagstage.ForeignChanges(steps, "w", room)
		for pointer := range naiveForeign(steps, "w") {
			require.True(t, slices.ContainsFunc(told, func(c flagstage.Foreign) bool {
				return c.Pointer == pointer || c.Wide && len(c.Pointer) < len(pointer) && overlapping(c.Pointer, pointer)
			}), pointer)
		}
	})
}

// TestLittleRoomHidesNoConflict however little is remembered of what others have
// changed.
func TestLittleRoomHidesNoConflict(t *testing.T) {
	f := decodedFlag(t, conflictFlag)
	gone := changedBy(t, f, flags.RemoveUserTargets("v0", "ann"))
	turned := changedBy(t, f, flags.ReorderRules("r2", "r1"))
	served := changedBy(t, turned, flags.ReorderRules("r1", "r2"), flags.UpdateRuleVariationOrRollout("r1", flags.ServeVariation("v1")))
	for room := range 200 {
		for what, c := range map[string]struct {
			steps []flagstage.FlagStep
			stage flags.Instruction
		}{
			"what is not there, as it was never known to have been": {
				[]flagstage.FlagStep{{By: "bob", From: f, To: gone}}, flags.AddUserTargets("v1", "ann"),
			},
			"what is in order again, while something of it changed": {
				[]flagstage.FlagStep{{By: "bob", From: f, To: turned}, {By: "bob", From: turned, To: served}}, flags.ReorderRules("r2", "r1"),
			},
		} {
			now := c.steps[len(c.steps)-1].To
			applied := func(int) (flags.Flag, error) { return changedBy(t, now, c.stage), nil }
			require.NotNil(t, flagstage.FlagConflict(c.steps, "w", room, now, changedBy(t, now, c.stage), 1, applied), "%s, room %d", what, room)
		}
	}
}

// TestAWideOwnChangeHidesNothing holds that an own entry that does not say which
// fields it changed lets no change of others be forgotten.
func TestAWideOwnChangeHidesNothing(t *testing.T) {
	f := decodedFlag(t, conflictFlag)
	one := changedBy(t, f, flags.TurnFlagOn())
	two := changedBy(t, one, flags.UpdateOffVariation("v1"))
	steps := []flagstage.FlagStep{{By: "bob", From: f, To: one}, {By: "w", From: one, To: two}}
	require.Len(t, flagstage.ForeignChanges(steps, "w", 1), 1)
}

func FuzzDecodeChange(f *testing.F) {
	flag := decodedFlag(f, conflictFlag)
	changed := changedBy(f, flag, flags.TurnFlagOn(), flags.RemoveRule("r1"))
	f.Add(flagstage.EncodeStep(flagstage.FlagStep{By: "bob", From: flag, To: changed}, now))
	f.Add(flagstage.EncodeStep(flagstage.FlagStep{By: "bob", To: changed}, now))
	f.Add([]byte("\x01"))
	f.Fuzz(func(t *testing.T, value []byte) {
		if _, _, fields, why := flagstage.DecodeStep(value); why != "" {
			require.Empty(t, fields)
		}
	})
}

func TestEntriesThatCannotBeRead(t *testing.T) {
	f := decodedFlag(t, conflictFlag)
	good := flagstage.EncodeStep(flagstage.FlagStep{By: "bob", From: f, To: changedBy(t, f, flags.TurnFlagOn())}, now)
	for i := range good {
		_, _, _, why := flagstage.DecodeStep(good[:i])
		require.NotEmpty(t, why, i)
	}
	for says, value := range map[string][]byte{
		"later version": append([]byte{9}, good[1:]...),
		"an instant":    append(append(slices.Clone(good[:17]), "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"...), good[23:]...),
		"a field":       []byte(strings.Replace(string(good), "=\x12/environments/e/on", "!\x12/environments/e/on", 1)),
		"a value":       []byte(strings.Replace(string(good), "\x05false", "\x05fal,e", 1)),
		"what follows":  append(slices.Clone(good), 'x'),
	} {
		_, _, _, why := flagstage.DecodeStep(value)
		require.NotEmpty(t, why, says)
	}
}
