package flagstage_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/flagstagetest"
)

// flagBeside returns a flag like that of testdata with another key, which requires
// others in production.
func flagBeside(t require.TestingT, flag flags.Flag, key string, requires ...string) flags.Flag {
	document := strings.ReplaceAll(string(flag.AppendJSON(nil)), theTarget.FlagKey, key)
	var list []flags.Prerequisite
	var others []flags.Flag
	for _, other := range requires {
		list = append(list, flags.Prerequisite{Key: other, VariationID: newVariation})
		others = append(others, decodedFlag(t, strings.ReplaceAll(string(flag.AppendJSON(nil)), theTarget.FlagKey, other)))
	}
	next, err := flags.Apply(decodedFlag(t, document), []flags.Instruction{flags.ReplacePrerequisites(list...)}, flags.Application{
		Environment: theTarget.EnvironmentKey, Now: start, Others: flags.NewFlagSet(others...),
	})
	require.NoError(t, err)
	return next
}

// puts puts a flag like that of testdata with another key, which requires others.
func (w *world) puts(key string, requires ...string) {
	_, err := w.PutFlag(w.Context(), alice, theTarget.ProjectKey, flagBeside(w, w.flag, key, requires...), whatever)
	require.NoError(w, err)
}

// TestPrerequisitesHaveNoLimit is about stages and patches that look at more flags
// than a transaction has operations.
func TestPrerequisitesHaveNoLimit(t *testing.T) {
	const n = flagstage.MaxTxnOps + 2
	key := func(i int) string { return fmt.Sprintf("base-%d", i) }
	var each []flags.Instruction
	var list []flags.Prerequisite
	for i := range n {
		each = append(each, flags.AddPrerequisite(key(i), newVariation))
		list = append(list, flags.Prerequisite{Key: key(i), VariationID: newVariation})
	}
	for _, c := range []struct {
		name         string
		chain        bool // each of the others requires the next, and the last one this flag's
		instructions []flags.Instruction
		want         int // prerequisites; 0: it cannot be
	}{
		{"a star, one by one", false, each, n},
		{"a star at once", false, []flags.Instruction{flags.ReplacePrerequisites(list...)}, n},
		{"a chain", true, []flags.Instruction{flags.AddPrerequisite(key(0), newVariation)}, 1},
		{"a chain that ends in a circle", true, []flags.Instruction{flags.AddTags("tag"), flags.AddPrerequisite("circle", newVariation)}, 0},
		{"archiving what many require", false, []flags.Instruction{flags.AddTags("tag"), flags.ArchiveFlag()}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin := func(t *testing.T) (*world, flagstage.Store) {
				w, store := withFlag(t)
				for i := range n {
					switch {
					case c.chain && i < n-1:
						w.puts(key(i), key(i+1))
					case c.want == 0:
						w.puts(key(i), theTarget.FlagKey)
					default:
						w.puts(key(i))
					}
				}
				w.puts("circle", key(0))
				return w, store
			}
			check := func(t *testing.T, w *world) {
				count := 0
				for range w.environment().Prerequisites() {
					count++
				}
				require.Equal(t, c.want, count)
				f, err := w.Engine.Flag(t.Context(), alice, theTarget.ProjectKey, theTarget.FlagKey)
				require.NoError(t, err)
				require.NotContains(t, f.Tags(), "tag", "nothing is half done")
			}
			t.Run("start", func(t *testing.T) {
				w, store := begin(t)
				before := content(t, store)
				_, err := w.StartWorkflow(t.Context(), alice, releaseOf("w", doing(nil, c.instructions...)))
				check(t, w)
				switch {
				case c.want > 0:
					require.NoError(t, err)
					require.Equal(t, flagstage.StatusCompleted, w.get("w").Status())
				case c.chain:
					require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
					require.Equal(t, before, content(t, store))
				default: // a source of flags does not tell what requires a flag
					require.NoError(t, err)
					require.Equal(t, flagstage.StatusFailed, w.get("w").Status())
				}
			})
			t.Run("tick", func(t *testing.T) {
				w, _ := begin(t)
				if c.want == 0 {
					require.NoError(t, w.patches(key(n-1), theTarget.EnvironmentKey, whatever, flags.RemovePrerequisite(theTarget.FlagKey)))
				}
				input := releaseOf("w", doing([]flagstage.Condition{hours(1)}, c.instructions...))
				_, err := w.StartWorkflow(t.Context(), alice, input)
				require.NoError(t, err)
				if c.want == 0 {
					require.NoError(t, w.patches(key(n-1), theTarget.EnvironmentKey, whatever, flags.AddPrerequisite(theTarget.FlagKey, newVariation)))
				}
				w.tick(1)
				check(t, w)
				s := w.get("w")
				replays(t, s)
				if c.want > 0 {
					require.Equal(t, flagstage.StatusCompleted, s.Status())
				} else {
					require.Equal(t, flagstage.StatusFailed, s.Status())
				}
				_, due, err := w.NextDue(t.Context())
				require.NoError(t, err)
				require.False(t, due)
			})
			t.Run("patch", func(t *testing.T) {
				w, store := begin(t)
				before := content(t, store)
				err := w.patches(theTarget.FlagKey, theTarget.EnvironmentKey, flagstage.FlagWrite{}, c.instructions...)
				check(t, w)
				if c.want > 0 {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
				require.Equal(t, before, content(t, store))
			})
			t.Run("patch of a flag that a stage is still to change", func(t *testing.T) {
				w, _ := begin(t)
				if c.want == 0 {
					require.NoError(t, w.patches(key(n-1), theTarget.EnvironmentKey, whatever, flags.RemovePrerequisite(theTarget.FlagKey)))
				}
				w.starts("w", doing([]flagstage.Condition{hours(1)}, c.instructions...))
				require.NoError(t, w.patches(theTarget.FlagKey, "", flagstage.FlagWrite{}, flags.UpdateName("theirs")))
				require.Equal(t, c.want == 0 && !c.chain, len(w.get("w").Conflicts) > 0)
			})
		})
	}
}

// TestAFlagCannotBeArchivedWhileItBecomesRequired is about two that each look at
// what the other changes.
func TestAFlagCannotBeArchivedWhileItBecomesRequired(t *testing.T) {
	requires := func(w *world) error {
		return w.patches(theTarget.FlagKey, theTarget.EnvironmentKey, flagstage.FlagWrite{}, flags.AddPrerequisite("base", newVariation))
	}
	archives := func(w *world) error { return w.patches("base", "", flagstage.FlagWrite{}, flags.ArchiveFlag()) }
	deletes := func(w *world) error { return w.patches("base", "", flagstage.FlagWrite{}, flags.DeleteFlag()) }
	puts := func(w *world) error {
		_, err := w.PutFlag(w.Context(), carol, theTarget.ProjectKey, flagBeside(w, w.flag, "new", "base"), flagstage.FlagWrite{})
		return err
	}
	ticks := func(w *world) error { _, err := w.Tick(w.Context()); return err }
	stage := func(key string, instruction flags.Instruction) func(*world) {
		return func(w *world) {
			input := releaseOf("w", doing([]flagstage.Condition{hours(1)}, instruction))
			input.Target.FlagKey = key
			_, err := w.StartWorkflow(w.Context(), alice, input)
			require.NoError(w, err)
			w.clock.Set(after(1))
		}
	}
	// third gives the flag that is required a variation which can be removed.
	third := func(w *world) {
		document := strings.Replace(string(flagBeside(w, w.flag, "base").AppendJSON(nil)), `"kind":"boolean"`, `"kind":"multivariate"`, 1)
		document = strings.Replace(document, `"name":"Old"}]`, `"name":"Old"},{"_id":"third","value":3}]`, 1)
		_, err := w.PutFlag(w.Context(), alice, theTarget.ProjectKey, decodedFlag(w, document), flagstage.FlagWrite{})
		require.NoError(w, err)
	}
	removes := func(w *world) error {
		return w.patches("base", "", flagstage.FlagWrite{}, flags.RemoveVariation("third"))
	}
	requiresThird := func(w *world) error {
		return w.patches(theTarget.FlagKey, theTarget.EnvironmentKey, flagstage.FlagWrite{}, flags.AddPrerequisite("base", "third"))
	}
	for _, c := range []struct {
		name          string
		before        func(*world)
		first, second func(*world) error // the first one looks, the second one is quicker
		want          string             // the error of the first one, "" if its stage fails
	}{
		{"archived, required", nil, archives, requires, "this is a prerequisite of flag"},
		{"deleted, required", nil, deletes, requires, "this is a prerequisite of flag"},
		{"archived, required by a flag that is new", nil, archives, puts, "this is a prerequisite of flag"},
		{"deleted, required by a flag that is new", nil, deletes, puts, "this is a prerequisite of flag"},
		{"required, archived", nil, requires, archives, "is archived"},
		{"required, deleted", nil, requires, deletes, "there is no flag"},
		{"a variation removed, required", third, removes, requiresThird, "requires this variation"},
		{"a variation required, removed", third, requiresThird, removes, `has no variation "third"`},
		{"archived by a stage, required", stage("base", flags.ArchiveFlag()), ticks, requires, ""},
		{"archived by a stage, required by a flag that is new", stage("base", flags.ArchiveFlag()), ticks, puts, ""},
		{"required by a stage, archived", stage(theTarget.FlagKey, flags.AddPrerequisite("base", newVariation)), ticks, archives, ""},
		{"archived, required by a stage", stage(theTarget.FlagKey, flags.AddPrerequisite("base", newVariation)), archives, ticks, "this is a prerequisite of flag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, store := withFlag(t)
			w.puts("base")
			if c.before != nil {
				c.before(w)
			}
			quick := &interloper{Store: store, before: func() { require.NoError(t, c.second(w)) }}
			err := c.first(worldOn(t, quick, w.clock))
			require.Nil(t, quick.before, "the second one has come between")
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, flagstage.StatusFailed, w.get("w").Status())
			} else {
				require.ErrorContains(t, err, c.want)
			}
			noneRequiresWhatIsGone(t, w)
		})
	}
}

// TestStagesOfOneCommitSeeEachOther is about two that are due at the same instant,
// in either order.
func TestStagesOfOneCommitSeeEachOther(t *testing.T) {
	for first, second := range map[string]string{"archives": "requires", "requires": "archives"} {
		t.Run(first+" first", func(t *testing.T) {
			w, store := withFlag(t)
			w.puts("base")
			for i, id := range []string{first, second} {
				input := releaseOf(fmt.Sprint(i, "-", id), doing([]flagstage.Condition{hours(1)}, flags.AddPrerequisite("base", newVariation)))
				if id == "archives" {
					input.Target.FlagKey = "base"
					input.Stages = []flagstage.Stage{doing([]flagstage.Condition{hours(1)}, flags.ArchiveFlag())}
				}
				_, err := w.StartWorkflow(t.Context(), alice, input)
				require.NoError(t, err)
			}
			commits := &linkChecks{Store: store}
			w = worldOn(t, commits, w.clock)
			require.Equal(t, 2, w.tick(1).Workflows)
			require.Equal(t, 1, commits.checks, "in one commit")
			require.Equal(t, flagstage.StatusCompleted, w.get("0-"+first).Status())
			require.Equal(t, flagstage.StatusFailed, w.get("1-"+second).Status())
			noneRequiresWhatIsGone(t, w)
		})
	}
}

// noneRequiresWhatIsGone checks that no flag that is archived or deleted is
// required, and none by way of others by itself.
func noneRequiresWhatIsGone(t require.TestingT, w *world) {
	list, err := w.Flags(w.Context(), alice, theTarget.ProjectKey)
	require.NoError(t, err)
	required := map[string][]string{}
	gone := map[string]bool{}
	for _, f := range list.Items {
		gone[f.Key()] = f.Archived() || f.Deleted()
		e, _ := f.Environment(theTarget.EnvironmentKey)
		for p := range e.Prerequisites() {
			required[f.Key()] = append(required[f.Key()], p.Key)
		}
	}
	for key, list := range required {
		for _, other := range list {
			require.False(t, gone[other] && !gone[key], "%s requires %s", key, other)
		}
		seen := map[string]bool{}
		for next := slices.Clone(list); len(next) > 0; next = next[1:] {
			require.NotEqual(t, key, next[0], "a circle")
			if !seen[next[0]] {
				seen[next[0]] = true
				next = append(next, required[next[0]]...)
			}
		}
	}
}

// flagCall is a call that changes a flag.
type flagCall struct {
	name    string
	prepare func(*world) // nil: nothing
	do      func(*world) error
}

// anyFlagCall draws a call that changes a flag, which may be about two.
func anyFlagCall(r *rapid.T, label string, flag flags.Flag, keys []string) flagCall {
	key := rapid.SampledFrom(keys).Draw(r, label+" key")
	other := rapid.SampledFrom(slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k == key })).Draw(r, label+" other")
	variation := rapid.SampledFrom([]string{newVariation, oldVariation}).Draw(r, label+" variation")
	instruction := rapid.SampledFrom([]flags.Instruction{
		flags.AddPrerequisite(other, variation), flags.UpdatePrerequisite(other, variation), flags.RemovePrerequisite(other),
		flags.ReplacePrerequisites(flags.Prerequisite{Key: other, VariationID: variation}),
		flags.ArchiveFlag(), flags.DeleteFlag(), flags.RestoreFlag(), flags.UpdateName("name of " + label), flags.TurnFlagOff(),
	}).Draw(r, label+" instruction")
	name := fmt.Sprint(label, ": ", instruction.Kind(), " of ", key, " (", other, ")")
	switch rapid.IntRange(0, 4).Draw(r, label+" way") {
	case 0:
		made := flagBeside(r, flag, "new", other)
		return flagCall{label + ": put a new one that requires " + other, nil, func(w *world) error {
			_, err := w.PutFlag(w.Context(), carol, theTarget.ProjectKey, made, flagstage.FlagWrite{})
			return err
		}}
	case 1:
		input := releaseOf(label, doing([]flagstage.Condition{hours(1)}, instruction))
		input.Target.FlagKey = key
		return flagCall{name + ", by a stage", func(w *world) {
			_, _ = w.StartWorkflow(w.Context(), alice, input) // what cannot be is not started
		}, func(w *world) error {
			_, err := w.Tick(w.Context())
			return err
		}}
	}
	return flagCall{name, nil, func(w *world) error { return w.patches(key, theTarget.EnvironmentKey, whatever, instruction) }}
}

// TestWhatComesBetweenComesBefore draws two calls that may be about each other. The
// second one is made between the look and the commit of the first: all must then be
// as if it had been made before.
func TestWhatComesBetweenComesBefore(t *testing.T) {
	flag, keys := testFlag(t), []string{"a", "b", "c"}
	rapid.Check(t, func(r *rapid.T) {
		var before []flagCall
		for i := range rapid.IntRange(0, 3).Draw(r, "before") {
			before = append(before, anyFlagCall(r, fmt.Sprint("before-", i), flag, keys))
		}
		first, second := anyFlagCall(r, "first", flag, keys), anyFlagCall(r, "second", flag, keys)
		r.Log(first.name, "|", second.name)
		begin := func() (*world, flagstage.Store) {
			w, store := withFlag(t)
			for _, key := range keys {
				w.puts(key)
			}
			for _, c := range append(slices.Clone(before), first, second) {
				if c.prepare != nil {
					c.prepare(w)
				}
			}
			w.clock.Set(after(1))
			for _, c := range before {
				_ = c.do(w) // what cannot be is not
			}
			return w, store
		}
		outcome := func(w *world, errs ...error) (list []string) {
			all, err := w.Flags(t.Context(), alice, theTarget.ProjectKey)
			require.NoError(r, err)
			for _, f := range all.Items {
				list = append(list, string(f.AppendJSON(nil)))
			}
			workflows, err := w.Workflows(t.Context(), alice, flagstage.WorkflowQuery{})
			require.NoError(r, err)
			for _, s := range workflows.Items {
				list = append(list, s.ID+" "+string(s.Status()))
			}
			return append(list, fmt.Sprint(errs))
		}

		w, store := begin()
		var secondErr error
		quick := &interloper{Store: store, before: func() { secondErr = second.do(w) }}
		firstErr := first.do(worldOn(t, quick, w.clock))
		if quick.before != nil {
			return // it has not come to a commit
		}
		between := outcome(w, firstErr, secondErr)

		w, _ = begin()
		secondErr = second.do(w)
		firstErr = first.do(w)
		require.Equal(r, outcome(w, firstErr, secondErr), between)
	})
}

// TestChangesThatOthersCanSeeAreKnown is about what makes two commits collide.
func TestChangesThatOthersCanSeeAreKnown(t *testing.T) {
	visible := func(f flags.Flag) (list []string) {
		list = append(list, fmt.Sprint(f.IsZero(), f.Archived(), f.Deleted()))
		for _, v := range f.Variations() {
			list = append(list, v.ID)
		}
		for _, key := range f.EnvironmentKeys() {
			e, _ := f.Environment(key)
			for p := range e.Prerequisites() {
				list = append(list, fmt.Sprint(key, p.Key, p.Variation))
			}
		}
		return list
	}
	rapid.Check(t, func(r *rapid.T) {
		from := flagstagetest.Flags().Draw(r, "flag")
		to := flagstagetest.Flags().Draw(r, "another")
		switch rapid.IntRange(0, 3).Draw(r, "way") {
		case 0:
		case 1:
			from = flags.Flag{}
		default:
			patch := flagstagetest.PatchesFor(from, "production").Draw(r, "patch")
			if rapid.Bool().Draw(r, "ends") {
				patch = append(patch, rapid.SampledFrom([]flags.Instruction{flags.ArchiveFlag(), flags.DeleteFlag()}).Draw(r, "end"))
			}
			next, err := flags.Apply(from, patch, flags.Application{Environment: "production", Now: now, IDs: flagstagetest.CountedIDs(), Others: flagstagetest.Neighbours()})
			if err != nil {
				return
			}
			to = next
		}
		if !slices.Equal(visible(from), visible(to)) {
			require.True(r, flagstage.Relinks(from, to))
		}
	})
	f := flagBeside(t, testFlag(t), "f", "other")
	more := strings.Replace(string(f.AppendJSON(nil)), `"environments":{`, `"environments":{"test":{"on":false,"salt":"s","prerequisites":[{"key":"other","variation":0}]},`, 1)
	require.True(t, flagstage.Relinks(f, decodedFlag(t, more)), "a new environment")
	for _, in := range []flags.Instruction{
		flags.TurnFlagOff(), flags.UpdateName("n"), flags.AddTags("archived"), flags.UpdateOffVariation(newVariation), flags.AddTargets(flags.Targets{ContextKind: "user", VariationID: newVariation, Values: []string{"deleted"}}),
	} {
		to, err := flags.Apply(f, []flags.Instruction{in}, flags.Application{Environment: "production", Now: start, IDs: flagstagetest.CountedIDs()})
		require.NoError(t, err)
		require.NotEqual(t, f, to)
		require.False(t, flagstage.Relinks(f, to), in.Kind())
	}
}

// linkChecks is a store that counts the checks and writes of links.
type linkChecks struct {
	flagstage.Store
	checks, writes int
}

func (s *linkChecks) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	for _, c := range txn.If {
		if strings.HasPrefix(c.Key, "flaglinks/") {
			s.checks++
		}
	}
	for _, r := range txn.Put {
		if strings.HasPrefix(r.Key, "flaglinks/") {
			s.writes++
		}
	}
	return s.Store.Commit(ctx, txn)
}

// TestChangesThatNobodySeesCollideWithNone so that releases do not stand in each
// other's way.
func TestChangesThatNobodySeesCollideWithNone(t *testing.T) {
	w, store := withFlag(t)
	counted := &linkChecks{Store: store}
	w = worldOn(t, counted, w.clock)
	w.starts("w", turnsOff(), doing([]flagstage.Condition{hours(1)}, flags.UpdateName("name")))
	require.NoError(t, w.patches(theTarget.FlagKey, theTarget.EnvironmentKey, whatever, flags.TurnFlagOn()))
	w.tick(1)
	require.Equal(t, flagstage.StatusCompleted, w.get("w").Status())
	require.Zero(t, counted.checks+counted.writes)
	w.puts("base")
	require.Equal(t, [2]int{0, 1}, [2]int{counted.checks, counted.writes}, "a new flag looks at none")
	require.NoError(t, w.patches("base", theTarget.EnvironmentKey, whatever, flags.AddPrerequisite(theTarget.FlagKey, newVariation)))
	require.Equal(t, [2]int{1, 2}, [2]int{counted.checks, counted.writes})
}
