package flagstage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
)

// patches changes a flag of the project of testdata.
func (w *world) patches(key, environment string, how flagstage.FlagWrite, list ...flags.Instruction) error {
	_, err := w.PatchFlag(w.Context(), carol, theTarget.ProjectKey, key, flags.Patch{Environment: environment, Instructions: list}, how)
	return err
}

var whatever = flagstage.FlagWrite{IgnoreConflicts: true}

// twoEnvironments is a world whose flag has the environment "test" too.
func twoEnvironments(t *testing.T) (*world, flagstage.Store) {
	w, store := withFlag(t)
	document := strings.Replace(string(w.flag.AppendJSON(nil)), `"environments":{`, `"environments":{"test":{"on":false,"salt":"s"},`, 1)
	_, err := w.PutFlag(t.Context(), alice, theTarget.ProjectKey, decodedFlag(t, document), flagstage.FlagWrite{})
	require.NoError(t, err)
	return w, store
}

// TestAnothersChangeIsNeverSilentlyOverwritten is about stages that write a field
// which somebody else has changed since the release began.
func TestAnothersChangeIsNeverSilentlyOverwritten(t *testing.T) {
	rename, describe := flags.UpdateName("released"), flags.UpdateDescription("released")
	for _, c := range []struct {
		name   string
		stages []flagstage.Stage
		change func(w *world) error
		ignore bool
		want   flagstage.Status
	}{
		{"the same field", []flagstage.Stage{doing([]flagstage.Condition{hours(2)}, rename)}, func(w *world) error {
			return w.patches("new-checkout", "", whatever, flags.UpdateName("theirs"))
		}, false, flagstage.StatusFailed},
		{"the same field, ignored", []flagstage.Stage{doing([]flagstage.Condition{hours(2)}, rename)}, func(w *world) error {
			return w.patches("new-checkout", "", whatever, flags.UpdateName("theirs"))
		}, true, flagstage.StatusCompleted},
		{"another field", []flagstage.Stage{doing([]flagstage.Condition{hours(2)}, rename)}, func(w *world) error {
			return w.patches("new-checkout", "", whatever, flags.UpdateDescription("theirs"))
		}, false, flagstage.StatusCompleted},
		{"to the wanted value", []flagstage.Stage{doing([]flagstage.Condition{hours(2)}, rename)}, func(w *world) error {
			return w.patches("new-checkout", "", whatever, rename)
		}, false, flagstage.StatusCompleted},
		{"and back again", []flagstage.Stage{doing([]flagstage.Condition{hours(2)}, rename)}, func(w *world) error {
			if err := w.patches("new-checkout", "", whatever, flags.UpdateName("theirs")); err != nil {
				return err
			}
			return w.patches("new-checkout", "", whatever, flags.UpdateName(w.flag.Name()))
		}, false, flagstage.StatusCompleted},
		{"what the release has written itself", []flagstage.Stage{doing(nil, rename), doing([]flagstage.Condition{hours(2)}, flags.UpdateName("again"))}, func(*world) error { return nil }, false, flagstage.StatusCompleted},
		{"after the release has written it", []flagstage.Stage{doing(nil, rename), doing([]flagstage.Condition{hours(2)}, flags.UpdateName("again"))}, func(w *world) error {
			return w.patches("new-checkout", "", whatever, flags.UpdateName("theirs"))
		}, false, flagstage.StatusFailed},
		{"in another environment", []flagstage.Stage{turnsOff(hours(2))}, func(w *world) error {
			return w.patches("new-checkout", "test", whatever, flags.TurnFlagOn())
		}, false, flagstage.StatusCompleted},
		{"by another workflow", []flagstage.Stage{doing([]flagstage.Condition{hours(2)}, describe)}, func(w *world) error {
			w.starts("other", doing(nil, flags.UpdateDescription("theirs")))
			return nil
		}, false, flagstage.StatusFailed},
		{"by another workflow in another environment", []flagstage.Stage{doing([]flagstage.Condition{hours(2)}, describe)}, func(w *world) error {
			input := releaseOf("other", doing(nil, flags.UpdateDescription("theirs")))
			input.Target.EnvironmentKey = "test"
			_, err := w.StartWorkflow(w.Context(), alice, input)
			return err
		}, false, flagstage.StatusFailed},
		{"archived", []flagstage.Stage{turnsOff(hours(2))}, func(w *world) error {
			return w.patches("new-checkout", "", whatever, flags.ArchiveFlag())
		}, false, ""},
		{"deleted", []flagstage.Stage{turnsOff(hours(2))}, func(w *world) error {
			return w.patches("new-checkout", "", whatever, flags.DeleteFlag())
		}, true, flagstage.StatusFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, store := twoEnvironments(t)
			input := releaseOf("w", c.stages...)
			input.IgnoreConflicts = c.ignore
			_, err := w.StartWorkflow(t.Context(), alice, input)
			require.NoError(t, err)
			w.clock.Set(after(1))
			require.NoError(t, c.change(w))
			foretold := w.get("w").Conflicts
			before := content(t, store)
			w.tick(2)
			s := w.get("w")
			replays(t, s)
			if c.want == "" { // the rules of instructions decide
				require.Equal(t, len(foretold) > 0, s.Status() == flagstage.StatusFailed)
				return
			}
			require.Equal(t, c.want, s.Status())
			require.Equal(t, c.want == flagstage.StatusFailed, len(foretold) > 0, "it was foretold")
			if c.want != flagstage.StatusFailed {
				return
			}
			for _, e := range s.Events() {
				if e.Kind == flagstage.EventActionFailed {
					require.Contains(t, []flagstage.Reason{flagstage.ReasonConflict, flagstage.ReasonRejected}, e.Reason)
					require.Equal(t, foretold[0].Message, e.Comment)
				}
			}
			require.Equal(t, flagsOf(before), flagsOf(content(t, store)))
		})
	}
}

// flagsOf returns those records of a content that are flags.
func flagsOf(content []string) []string {
	return slices.DeleteFunc(slices.Clone(content), func(record string) bool { return !strings.HasPrefix(record, "flag/") })
}

// TestAnothersChangeIsRememberedOverOtherStages that write something else meanwhile,
// in the same commit or before.
func TestAnothersChangeIsRememberedOverOtherStages(t *testing.T) {
	for _, ticks := range [][]float64{{2}, {1.5, 2}} {
		w, _ := twoEnvironments(t)
		input := releaseOf("w",
			doing([]flagstage.Condition{hours(1)}, flags.UpdateDescription("released")),
			doing([]flagstage.Condition{flagstage.ScheduleAfter(30, calendar.Minute)}, flags.UpdateName("released")))
		_, err := w.StartWorkflow(t.Context(), alice, input)
		require.NoError(t, err)
		require.NoError(t, w.patches("new-checkout", "", whatever, flags.UpdateName("theirs")))
		for _, at := range ticks {
			w.tick(at)
		}
		s := w.get("w")
		require.Equal(t, flagstage.StatusCompleted, s.StageStatus(0))
		require.Equal(t, flagstage.StatusFailed, s.StageStatus(1))
		f, err := w.Engine.Flag(t.Context(), alice, theTarget.ProjectKey, theTarget.FlagKey)
		require.NoError(t, err)
		require.Equal(t, "released", f.Description())
		require.Equal(t, "theirs", f.Name())
	}
}

// TestChangesThatWouldMakeStagesFailAreRefused unless conflicts are ignored.
func TestChangesThatWouldMakeStagesFailAreRefused(t *testing.T) {
	for _, c := range []struct {
		name        string
		environment string // of the workflow
		stages      []flagstage.Stage
		change      []flags.Instruction
		refused     []int // stages
	}{
		{"a field that will be written", "production", []flagstage.Stage{turnsOn(hours(1)), doing(nil, flags.UpdateName("released"))}, []flags.Instruction{flags.UpdateName("theirs")}, []int{1}},
		{"a field of all environments, written from another one", "test", []flagstage.Stage{doing([]flagstage.Condition{hours(1)}, flags.UpdateName("released"))}, []flags.Instruction{flags.UpdateName("theirs")}, []int{0}},
		{"two stages", "production", []flagstage.Stage{turnsOff(hours(1)), doing(nil, flags.UpdateName("a")), doing(nil, flags.UpdateDescription("b"))}, []flags.Instruction{flags.UpdateName("theirs"), flags.UpdateDescription("theirs")}, []int{1, 2}},
		{"a rule that will be changed", "production", []flagstage.Stage{doing([]flagstage.Condition{hours(1)}, flags.UpdateRuleDescription("5a1c7f60-3d82-4e9b-b0f4-6c2d8e9a1b37", "d"))}, []flags.Instruction{flags.RemoveRule("5a1c7f60-3d82-4e9b-b0f4-6c2d8e9a1b37")}, []int{0}},
		{"another field", "production", []flagstage.Stage{doing([]flagstage.Condition{hours(1)}, flags.UpdateName("released"))}, []flags.Instruction{flags.UpdateDescription("theirs")}, nil},
		{"to the wanted value", "production", []flagstage.Stage{doing([]flagstage.Condition{hours(1)}, flags.UpdateName("released"))}, []flags.Instruction{flags.UpdateName("released")}, nil},
		{"what is written no more", "production", []flagstage.Stage{doing(nil, flags.UpdateName("released")), turnsOff(hours(1))}, []flags.Instruction{flags.UpdateName("theirs")}, nil},
		{"in another environment", "test", []flagstage.Stage{turnsOn(hours(1))}, []flags.Instruction{flags.TurnFlagOff()}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, store := twoEnvironments(t)
			input := releaseOf("w", c.stages...)
			input.Target.EnvironmentKey = c.environment
			s, err := w.StartWorkflow(t.Context(), alice, input)
			require.NoError(t, err)
			ids := s.Plan().Stages()
			before := content(t, store)
			patch := flags.Patch{Environment: "production", Instructions: c.change}
			_, err = w.PatchFlag(t.Context(), carol, theTarget.ProjectKey, theTarget.FlagKey, patch, flagstage.FlagWrite{})
			stored, readErr := w.Engine.Flag(t.Context(), carol, theTarget.ProjectKey, theTarget.FlagKey)
			require.NoError(t, readErr)
			changed, applyErr := flags.Apply(stored.Flag, c.change, flags.Application{Environment: "production", Now: start})
			require.NoError(t, applyErr)
			if c.refused == nil {
				require.NoError(t, err)
				return
			}
			var pending *flagstage.PendingStagesError
			require.ErrorAs(t, err, &pending)
			require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
			require.Contains(t, err.Error(), "cancel the workflow")
			var refused []int
			for _, p := range pending.Stages {
				require.Equal(t, "w", p.WorkflowID)
				for i := range ids {
					if ids[i].ID == p.StageID {
						refused = append(refused, i)
					}
				}
			}
			require.Equal(t, c.refused, refused)
			require.Equal(t, before, content(t, store))
			_, err = w.PutFlag(t.Context(), carol, theTarget.ProjectKey, changed, flagstage.FlagWrite{})
			require.ErrorAs(t, err, &pending, "to put the flag is to change it")
			_, err = w.PatchFlag(t.Context(), carol, theTarget.ProjectKey, theTarget.FlagKey, patch, whatever)
			require.NoError(t, err)
			_, err = w.PatchFlag(t.Context(), carol, theTarget.ProjectKey, theTarget.FlagKey, flags.Patch{Instructions: []flags.Instruction{flags.AddTags("more")}}, flagstage.FlagWrite{})
			require.NoError(t, err, "what would fail anyway prevents nothing")
			_, err = w.Cancel(t.Context(), alice, "w", "because")
			require.NoError(t, err)
			require.Empty(t, w.get("w").Conflicts)
		})
	}
}

// TestWhatIsThereAlreadyIsThereWhenItCounts has somebody turn the flag off again
// between the look at it and the commit of a stage that turns it on.
func TestWhatIsThereAlreadyIsThereWhenItCounts(t *testing.T) {
	w, store := withFlag(t)
	input := releaseOf("w", turnsOn(hours(1)))
	input.IgnoreConflicts = true
	_, err := w.StartWorkflow(t.Context(), alice, input)
	require.NoError(t, err)
	quick := &interloper{Store: store, before: func() {
		require.NoError(t, w.patches("new-checkout", "production", whatever, flags.TurnFlagOff()))
	}}
	worldOn(t, quick, w.clock).tick(1)
	require.Equal(t, flagstage.StatusCompleted, w.get("w").Status())
	require.True(t, w.environment().On(), "the stage came last")
}

// TestAPrerequisiteIsThereWhenItCounts has somebody archive it between the look at
// it and the commit of a stage that depends on it.
func TestAPrerequisiteIsThereWhenItCounts(t *testing.T) {
	w, store := withFlag(t)
	document := string(w.flag.AppendJSON(nil))
	_, err := w.PutFlag(t.Context(), alice, theTarget.ProjectKey, decodedFlag(t, strings.ReplaceAll(document, "new-checkout", "base")), flagstage.FlagWrite{})
	require.NoError(t, err)
	w.starts("w", doing([]flagstage.Condition{hours(1)}, flags.AddPrerequisite("base", "7d9b2c34-1e6f-4f0d-9c53-2b7a6f0e4d21")))
	quick := &interloper{Store: store, before: func() {
		require.NoError(t, w.patches("base", "", whatever, flags.ArchiveFlag()))
	}}
	worldOn(t, quick, w.clock).tick(1)
	f, err := w.Engine.Flag(t.Context(), alice, theTarget.ProjectKey, "base")
	require.NoError(t, err)
	require.True(t, f.Archived())
	require.Equal(t, flagstage.StatusFailed, w.get("w").Status(), "the stage came last")
}

func TestAFlagIsWrittenAtTheRevisionThatWasRead(t *testing.T) {
	w, _ := withFlag(t)
	f, err := w.Engine.Flag(t.Context(), alice, theTarget.ProjectKey, theTarget.FlagKey)
	require.NoError(t, err)
	patch := func(name string, revision int64) (flagstage.StoredFlag, error) {
		return w.PatchFlag(t.Context(), alice, theTarget.ProjectKey, theTarget.FlagKey, flags.Patch{Instructions: []flags.Instruction{flags.UpdateName(name)}}, flagstage.FlagWrite{Revision: revision})
	}
	next, err := patch("next", f.Revision)
	require.NoError(t, err)
	require.Greater(t, next.Revision, f.Revision)
	_, err = patch("other", f.Revision)
	require.ErrorIs(t, err, flagstage.ErrConflict)
	same, err := patch("next", next.Revision)
	require.NoError(t, err)
	require.Equal(t, next.Revision, same.Revision, "nothing is written where nothing changes")
	_, err = w.PutFlag(t.Context(), alice, "other-project", w.flag, flagstage.FlagWrite{Revision: 7})
	require.ErrorIs(t, err, flagstage.ErrConflict, "there is none yet")
	require.ErrorContains(t, err, `there is no flag "new-checkout", and so none of revision 7`)
	_, err = w.PatchFlag(t.Context(), alice, "other-project", theTarget.FlagKey, flags.Patch{}, flagstage.FlagWrite{Revision: 7})
	require.ErrorIs(t, err, flagstage.ErrNotFound)
}

func segmentOf(t testing.TB, document string) flags.Segment {
	s, problems := flags.DecodeSegment([]byte(document))
	require.NoError(t, problems.Err())
	return s
}

func TestASegmentIsWrittenAtTheRevisionThatWasRead(t *testing.T) {
	w, store := withFlag(t)
	put := func(name string, revision int64) (flagstage.StoredSegment, error) {
		return w.PutSegment(t.Context(), alice, "p", "e", segmentOf(t, fmt.Sprintf(`{"key":"s","name":%q}`, name)), revision)
	}
	_, err := put("first", 7)
	require.ErrorIs(t, err, flagstage.ErrConflict)
	require.ErrorContains(t, err, `there is no segment "s", and so none of revision 7`)
	first, err := put("first", 0)
	require.NoError(t, err)
	next, err := put("next", first.Revision)
	require.NoError(t, err)
	require.Greater(t, next.Revision, first.Revision)
	before := content(t, store)
	_, err = put("other", first.Revision)
	require.ErrorIs(t, err, flagstage.ErrConflict)
	require.ErrorContains(t, err, fmt.Sprintf(`the segment "s" has revision %d by now, not %d; read it again`, next.Revision, first.Revision))
	for _, revision := range []int64{0, next.Revision} {
		same, err := put("next", revision)
		require.NoError(t, err)
		require.Equal(t, next.Revision, same.Revision, "an equal one is not written again")
		require.True(t, same.Equal(next.Segment))
	}
	require.Equal(t, before, content(t, store))
	stored, err := w.Segment(t.Context(), alice, "p", "e", "s")
	require.NoError(t, err)
	require.Equal(t, next.Revision, stored.Revision)
	last, err := put("last", 0)
	require.NoError(t, err, "any revision")
	require.Greater(t, last.Revision, next.Revision)
}

// TestASegmentThatChangesWhileItIsPut is put all the same, unless a revision is
// asked for.
func TestASegmentThatChangesWhileItIsPut(t *testing.T) {
	for _, checked := range []bool{false, true} {
		w, store := withFlag(t)
		put := func(w *world, name string, revision int64) (flagstage.StoredSegment, error) {
			return w.PutSegment(t.Context(), alice, "p", "e", segmentOf(t, fmt.Sprintf(`{"key":"s","name":%q}`, name)), revision)
		}
		first, err := put(w, "first", 0)
		require.NoError(t, err)
		quick := &interloper{Store: store, before: func() {
			_, err := put(w, "theirs", 0)
			require.NoError(t, err)
		}}
		want := "ours"
		if checked {
			_, err = put(worldOn(t, quick, w.clock), "ours", first.Revision)
			require.ErrorIs(t, err, flagstage.ErrConflict)
			require.ErrorContains(t, err, "read it again")
			want = "theirs"
		} else {
			_, err = put(worldOn(t, quick, w.clock), "ours", 0)
			require.NoError(t, err)
		}
		s, err := w.Segment(t.Context(), alice, "p", "e", "s")
		require.NoError(t, err)
		require.Equal(t, want, s.Name())
	}
}

func TestBadFlagsAreRefused(t *testing.T) {
	w, store := withFlag(t)
	before := content(t, store)
	for name, call := range map[string]func() error{
		"no key":          func() error { _, err := w.PutFlag(t.Context(), alice, "p", flags.Flag{}, whatever); return err },
		"a bad project":   func() error { _, err := w.PutFlag(t.Context(), alice, "a/b", w.flag, whatever); return err },
		"no segment":      func() error { _, err := w.PutSegment(t.Context(), alice, "p", "e", flags.Segment{}, 0); return err },
		"no such flag":    func() error { return w.patches("nothing", "", whatever, flags.UpdateName("n")) },
		"a hostile key":   func() error { return w.patches("../flag", "", whatever, flags.UpdateName("n")) },
		"a bad patch":     func() error { return w.patches("new-checkout", "", whatever, flags.UpdateName("")) },
		"no environment":  func() error { return w.patches("new-checkout", "none", whatever, flags.TurnFlagOn()) },
		"a bad list":      func() error { _, err := w.Flags(t.Context(), alice, "a/b"); return err },
		"bad segments":    func() error { _, err := w.Segments(t.Context(), alice, "p", ""); return err },
		"no such segment": func() error { _, err := w.Segment(t.Context(), alice, "p", "e", "s"); return err },
		"a hostile one":   func() error { _, err := w.Segment(t.Context(), alice, "p", "e/s", "s"); return err },
		"nobody":          func() error { _, err := w.PutFlag(t.Context(), flagstage.Actor{}, "p", w.flag, whatever); return err },
	} {
		require.NotEmpty(t, flagstage.Code(call()), name)
		require.Equal(t, before, content(t, store), name)
	}
}

func TestFlagsAndSegmentsAreListed(t *testing.T) {
	w, store := withFlag(t)
	for _, project := range []string{"a", "ab"} {
		_, err := w.PutFlag(t.Context(), alice, project, w.flag, flagstage.FlagWrite{})
		require.NoError(t, err)
		for _, key := range []string{"s2", "s1"} {
			_, err = w.PutSegment(t.Context(), alice, project, "e", segmentOf(t, fmt.Sprintf(`{"key":%q}`, key)), 0)
			require.NoError(t, err)
		}
	}
	names := func(project string) (list []string) {
		found, err := w.Flags(t.Context(), alice, project)
		require.NoError(t, err)
		for _, f := range found.Items {
			list = append(list, f.ProjectKey+"/"+f.Key())
		}
		return list
	}
	require.Equal(t, []string{"a/new-checkout", "ab/new-checkout", "web-shop/new-checkout"}, names(""))
	require.Equal(t, []string{"a/new-checkout"}, names("a"))
	require.Empty(t, names("b"))
	segments, err := w.Segments(t.Context(), alice, "a", "e")
	require.NoError(t, err)
	require.Len(t, segments.Items, 2)
	require.Empty(t, segments.Unreadable)
	require.Equal(t, "s1", segments.Items[0].Key())
	printed, err := json.Marshal(segments)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf(`{"items":[%s,%s]}`, segments.Items[0].AppendJSON(nil), segments.Items[1].AppendJSON(nil)), string(printed))
	one, err := w.Segment(t.Context(), alice, "a", "e", "s2")
	require.NoError(t, err)
	require.Equal(t, segments.Items[1], one)

	_, err = store.Commit(t.Context(), flagstage.Txn{Put: []flagstage.Record{
		{Key: "flag/a/bad", Value: []byte{99}}, {Key: "flag/a/empty"}, {Key: "flag/a/short", Value: []byte{1, 2}}, {Key: "segment/a/e/bad", Value: []byte{99}},
	}})
	require.NoError(t, err)
	list, err := w.Flags(t.Context(), alice, "a")
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	require.Len(t, list.Unreadable, 3)
	var unreadable *flagstage.UnreadableFlagError
	_, err = w.Engine.Flag(t.Context(), alice, "a", "bad")
	require.ErrorAs(t, err, &unreadable)
	require.ErrorIs(t, err, flagstage.ErrFormat)
	segments, err = w.Segments(t.Context(), alice, "a", "e")
	require.NoError(t, err)
	require.Len(t, segments.Items, 2, "what cannot be read hides no other")
	require.Len(t, segments.Unreadable, 1)
	require.Equal(t, "segment/a/e/bad", segments.Unreadable[0].Key)
	_, err = w.Segment(t.Context(), alice, "a", "e", "bad")
	require.ErrorAs(t, err, &unreadable)
	_, err = w.PutSegment(t.Context(), alice, "a", "e", segmentOf(t, `{"key":"bad"}`), unreadable.Revision)
	require.NoError(t, err, "it is put in the place of what cannot be read")
	_, err = w.Segment(t.Context(), alice, "a", "e", "bad")
	require.NoError(t, err)
}

// TestADryRunTellsOfConflictsWithOtherReleases of the same flag.
func TestADryRunTellsOfConflictsWithOtherReleases(t *testing.T) {
	w, store := withFlag(t)
	w.starts("other", doing([]flagstage.Condition{hours(1)}, flags.UpdateName("theirs")))
	before := content(t, store)
	run, err := w.DryRunWorkflow(context.Background(), alice, releaseOf("", turnsOff(), doing(nil, flags.UpdateName("ours"))), flagstage.Future{})
	require.NoError(t, err)
	require.Len(t, run.Conflicts, 1)
	require.Equal(t, run.Plan.Stages()[1].ID, run.Conflicts[0].StageID)
	require.Contains(t, run.Conflicts[0].Message, "/name, which workflow:other is still to write too")
	require.Equal(t, before, content(t, store), "nothing is stored")
	w.tick(1)
	run, err = w.DryRunWorkflow(context.Background(), alice, releaseOf("", turnsOff(), doing(nil, flags.UpdateName("ours"))), flagstage.Future{})
	require.NoError(t, err)
	require.Empty(t, run.Conflicts)
}
