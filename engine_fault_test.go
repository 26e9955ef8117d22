package flagstage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/storetest"
)

// worldOn is a world on a store, in which its flag may be already.
func worldOn(t testing.TB, store flagstage.Store, clock *flagstage.VirtualClock, more ...flagstage.Option) *world {
	e, err := flagstage.New(store, append([]flagstage.Option{flagstage.WithClock(clock), flagstage.WithIDs(flagstage.SeededIDs(1))}, more...)...)
	require.NoError(t, err)
	return &world{TB: t, Engine: e, clock: clock, flag: testFlag(t)}
}

// withFlagOn is a world on an empty store, with its flag.
func withFlagOn(t testing.TB, store flagstage.Store, more ...flagstage.Option) *world {
	w := worldOn(t, store, flagstage.NewVirtualClock(start), more...)
	_, err := w.PutFlag(t.Context(), alice, theTarget.ProjectKey, w.flag, flagstage.FlagWrite{})
	require.NoError(t, err)
	return w
}

// appliedBy returns the options of an engine that applies actions to its own flags,
// or has a host apply them.
func appliedBy(builtIn bool, host flagstage.Applier) []flagstage.Option {
	if builtIn {
		return nil
	}
	return []flagstage.Option{flagstage.WithApplier(host)}
}

// content returns all records of a store but for their revisions, as text.
func content(t require.TestingT, store flagstage.Store) (list []string) {
	for r, err := range store.Scan(context.Background(), "") {
		require.NoError(t, err)
		list = append(list, fmt.Sprintf("%s %x %v", r.Key, r.Value, r.Wake))
	}
	return list
}

// changes are calls that each change something in one commit, in a world with a
// workflow "w" that holds at an approval, "p" that is paused, and "f" that has failed.
var changes = []struct {
	name string
	call func(w *world) error
}{
	{"start", func(w *world) error {
		_, err := w.StartWorkflow(w.Context(), alice, releaseOf("new", turnsOff(), turnsOn(hours(1))))
		return err
	}},
	{"review", func(w *world) error {
		_, err := w.Review(w.Context(), bob, "w", flagstage.Review{Stage: 1, Kind: flagstage.ReviewApprove})
		return err
	}},
	{"pause", func(w *world) error { _, err := w.Pause(w.Context(), bob, "w", ""); return err }},
	{"resume", func(w *world) error { _, err := w.Resume(w.Context(), bob, "p", ""); return err }},
	{"cancel", func(w *world) error { _, err := w.Cancel(w.Context(), bob, "w", "because"); return err }},
	{"skip", func(w *world) error {
		_, err := w.Engine.Skip(w.Context(), bob, "w", flagstage.Skip{Stage: 1, Reason: "because", BypassApproval: true})
		return err
	}},
	{"retry", func(w *world) error {
		_, err := w.Retry(w.Context(), bob, "f", flagstage.Retry{Reason: "because", IgnoreConflicts: true})
		return err
	}},
	{"put flag", func(w *world) error {
		_, err := w.PutFlag(w.Context(), bob, "other", w.flag, flagstage.FlagWrite{})
		return err
	}},
	{"patch flag", func(w *world) error {
		_, err := w.PatchFlag(w.Context(), bob, theTarget.ProjectKey, theTarget.FlagKey, flags.Patch{Instructions: []flags.Instruction{flags.AddTags("tag")}}, flagstage.FlagWrite{})
		return err
	}},
	{"put segment", func(w *world) error {
		s, problems := flags.DecodeSegment([]byte(`{"key":"staff"}`))
		require.NoError(w, problems.Err())
		_, err := w.PutSegment(w.Context(), bob, "p", "e", s, 0)
		return err
	}},
}

// prepared returns a store as the changes need it, and its clock.
func prepared(t testing.TB) (flagstage.Store, *flagstage.VirtualClock) {
	store := storetest.NewModel()
	w := withFlagOn(t, store)
	begin := func(id string, stages ...flagstage.Stage) {
		_, err := w.StartWorkflow(t.Context(), alice, releaseOf(id, stages...))
		require.NoError(t, err)
	}
	begin("w", turnsOff(), turnsOn(flagstage.Approval{}), turnsOff(hours(5)))
	begin("p", turnsOff(hours(1)), turnsOn(hours(1)))
	_, err := w.Pause(t.Context(), alice, "p", "")
	require.NoError(t, err)
	begin("f", turnsOn(flagstage.Approval{}))
	_, err = w.Review(t.Context(), bob, "f", flagstage.Review{Kind: flagstage.ReviewDecline})
	require.NoError(t, err)
	begin("late", turnsOff(hours(2)))
	w.clock.Set(after(3))
	return store, w.clock
}

// TestCallsThatFailHaveChangedNothing lets each operation of the store fail in
// turn, in each way: a call then fails and has changed nothing, or has done all of
// it, or cannot tell which of the two.
func TestCallsThatFailHaveChangedNothing(t *testing.T) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			storetest.Sweep(t, func(t *testing.T, plan storetest.Plan) bool {
				store, clock := prepared(t)
				before := content(t, store)
				faulty := storetest.Faulty(store, plan)
				err := c.call(worldOn(t, faulty, clock))
				faulty.Restart()
				changed := !slices.Equal(before, content(t, store))
				crashed := errors.Is(err, storetest.ErrCrashed)
				switch {
				case err == nil:
					require.True(t, changed, "a call without error has done it")
				case !errors.Is(err, flagstage.ErrUnknownOutcome) && !crashed:
					require.False(t, changed, "a call with an error has done nothing: %v", err)
				}
				if !changed { // and it can be made again
					require.NoError(t, c.call(worldOn(t, store, clock)))
				}
				readable(t, store, clock)
				return faulty.Fired()
			})
		})
	}
}

// readable reads all that is in a store, and checks that each workflow is what its
// events say.
func readable(t testing.TB, store flagstage.Store, clock *flagstage.VirtualClock) {
	w := worldOn(t, store, clock)
	list, err := w.Workflows(t.Context(), alice, flagstage.WorkflowQuery{Limit: 1000})
	require.NoError(t, err)
	require.Empty(t, list.Unreadable)
	numbers := map[string]int64{}
	for _, s := range list.Items {
		got, err := w.Workflow(t.Context(), alice, s.ID)
		require.NoError(t, err)
		require.Equal(t, s.Events(), got.Events())
		replays(t, got)
	}
	for batch, err := range w.Engine.Events(t.Context(), alice, flagstage.Cursor{}) {
		require.NoError(t, err)
		require.Equal(t, numbers[batch.WorkflowID]+1, batch.Events[0].Number)
		numbers[batch.WorkflowID] = batch.Events[len(batch.Events)-1].Number
	}
	for _, s := range list.Items {
		require.Equal(t, s.Version(), numbers[s.ID], "the feed has all events of %s", s.ID)
	}
	known, err := w.Flags(t.Context(), alice, "")
	require.NoError(t, err)
	require.Empty(t, known.Unreadable)
}

// replays checks that a workflow is what its events say.
func replays(t require.TestingT, s flagstage.StoredWorkflow) {
	replayed, err := flagstage.Replay(s.Plan(), flagstage.StartOf(s), s.Events())
	require.NoError(t, err)
	require.Equal(t, s.Workflow, replayed)
}

// TestWhatIsDueIsAppliedWhenFaultsStop lets each operation of the store fail
// during two ticks: the third one, without faults, has done everything, once.
func TestWhatIsDueIsAppliedWhenFaultsStop(t *testing.T) {
	for _, builtIn := range []bool{true, false} {
		t.Run(fmt.Sprintf("built in %v", builtIn), func(t *testing.T) {
			storetest.Sweep(t, func(t *testing.T, plan storetest.Plan) bool {
				model := storetest.NewModel()
				var got deliveries
				options := appliedBy(builtIn, &got)
				w := withFlagOn(t, model, options...)
				clock := w.clock
				for _, id := range []string{"a", "b"} {
					input := releaseOf(id, doing([]flagstage.Condition{hours(1)}, flags.AddTags(id+"1")), doing([]flagstage.Condition{hours(1)}, flags.AddTags(id+"2")))
					input.Lateness = 100 * hour
					_, err := w.StartWorkflow(t.Context(), alice, input)
					require.NoError(t, err)
				}
				faulty := storetest.Faulty(model, plan)
				clock.Set(after(10))
				_, _ = worldOn(t, faulty, clock, options...).Tick(t.Context()) // whatever comes of it
				faulty.Restart()
				for range 2 { // within two ticks, at or after what pends
					clock.Advance(minute)
					_, err := worldOn(t, model, clock, options...).Tick(t.Context())
					require.NoError(t, err)
				}
				for _, id := range []string{"a", "b"} {
					s := worldOn(t, model, clock).get(id)
					require.Equal(t, flagstage.StatusCompleted, s.Status())
					replays(t, s)
				}
				if builtIn {
					require.Equal(t, []string{"a1", "a2", "b1", "b2", "checkout"}, tagsOf(worldOn(t, model, clock)))
				} else {
					got.check(t, map[string][]string{"a": {"a/0/1", "a/1/1"}, "b": {"b/0/1", "b/1/1"}})
				}
				readable(t, model, clock)
				return faulty.Fired()
			})
		})
	}
}

func tagsOf(w *world) []string {
	f, err := w.Engine.Flag(w.Context(), alice, theTarget.ProjectKey, theTarget.FlagKey)
	require.NoError(w, err)
	return slices.Sorted(slices.Values(f.Tags()))
}

// TestAnUnknownOutcomeIsAnErrorOfItsOwn is about commits of which nobody can say
// whether they were done.
func TestAnUnknownOutcomeIsAnErrorOfItsOwn(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.FaultLost, storetest.FaultUnanswered} {
		store, clock := prepared(t)
		before := content(t, store)
		faulty := storetest.Faulty(store, storetest.Plan{Fault: fault, On: []storetest.Op{storetest.OpCommit}})
		_, err := worldOn(t, faulty, clock).Cancel(t.Context(), alice, "w", "because")
		if fault == storetest.FaultLost {
			require.ErrorIs(t, err, flagstage.ErrUnknownOutcome)
			require.Equal(t, before, content(t, store))
			continue
		}
		require.NoError(t, err, "what was read back tells")
		require.True(t, strings.Contains(strings.Join(content(t, store), "\n"), "event/w/"))
	}
}
