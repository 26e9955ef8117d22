package flagstage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/flagstagetest"
	"github.com/flagstage/flagstage/storetest"
)

// alone is a store that refuses to change two workflows in one commit.
type alone struct{ flagstage.Store }

func (s alone) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	n := 0
	for _, r := range txn.Put {
		if strings.HasPrefix(r.Key, "workflow/") {
			n++
		}
	}
	if n > 1 {
		return 0, errors.New("too much at once")
	}
	return s.Store.Commit(ctx, txn)
}

// anyRelease draws stages that change what others change too.
func anyRelease(t *rapid.T, id string) flagstage.WorkflowInput {
	input := releaseOf(id)
	input.Lateness, input.IgnoreConflicts = 10_000*hour, rapid.Bool().Draw(t, "ignore conflicts")
	for i := range rapid.IntRange(1, 4).Draw(t, "stages") {
		var s flagstage.Stage
		for range rapid.IntRange(0, 2).Draw(t, "conditions") {
			s.Conditions = append(s.Conditions, hours(rapid.Int64Range(0, 5).Draw(t, "hours")))
		}
		s.ExecuteConditionsInSequence = rapid.Bool().Draw(t, "sequence")
		s.Action = flagstage.Patch(rapid.SampledFrom([]flags.Instruction{
			flags.TurnFlagOn(), flags.TurnFlagOff(), flags.AddTags(fmt.Sprint(id, i)), flags.UpdateName(fmt.Sprint(id, i)), flags.UpdateName("name"),
		}).Draw(t, "instruction"))
		input.Stages = append(input.Stages, s)
	}
	return input
}

// outcome is what has come of some workflows: their events, without when they
// happened, and the flag, without when it was changed.
type outcome struct {
	events    map[string][]flagstage.Event
	flag      flags.Flag
	delivered []string // keys
}

// outcomeOf starts workflows, ticks, and returns what comes of them.
func outcomeOf(t require.TestingT, tb testing.TB, store flagstage.Store, inputs []flagstage.WorkflowInput, builtIn bool, ticks []float64) (o outcome) {
	var got deliveries
	w := withFlagOn(tb, store, appliedBy(builtIn, &got)...)
	for _, input := range inputs {
		_, err := w.StartWorkflow(context.Background(), alice, input)
		require.NoError(t, err)
	}
	for _, hour := range ticks {
		w.clock.Set(after(hour))
		_, err := w.Tick(context.Background())
		require.NoError(t, err)
	}
	o.events = map[string][]flagstage.Event{}
	for _, input := range inputs {
		s, err := w.Workflow(context.Background(), alice, input.ID)
		require.NoError(t, err)
		replays(t, s)
		for _, e := range s.Events() {
			e.At = time.Time{}
			if e.Kind == flagstage.EventActionFailed || e.Kind == flagstage.EventStageFailed || e.Kind == flagstage.EventWorkflowFailed {
				e.Due = time.Time{} // an action fails when it is tried
			}
			o.events[s.ID] = append(o.events[s.ID], e)
		}
	}
	f, err := w.Engine.Flag(context.Background(), alice, theTarget.ProjectKey, theTarget.FlagKey)
	require.NoError(t, err)
	o.flag = f.Flag
	for _, d := range got.all() {
		o.delivered = append(o.delivered, d.Key())
	}
	return o
}

func (o outcome) equals(t require.TestingT, other outcome) {
	require.Equal(t, o.events, other.events)
	require.Empty(t, flags.ChangedFields(o.flag, other.flag))
	require.Equal(t, o.delivered, other.delivered)
}

// TestOneBigTickOfAnEngineEqualsManySmallOnes is about workflows that change the same flag,
// and whose lateness is as good as unlimited: what is done late is done in the
// order of (due, workflow), also when each commit can hold one workflow only.
func TestOneBigTickOfAnEngineEqualsManySmallOnes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var inputs []flagstage.WorkflowInput
		for _, id := range []string{"b", "a", "c"}[:rapid.IntRange(1, 3).Draw(r, "workflows")] {
			inputs = append(inputs, anyRelease(r, id))
		}
		var small []float64
		for hour := range 45 {
			small = append(small, float64(hour))
		}
		builtIn := rapid.Bool().Draw(r, "built in")
		want := outcomeOf(r, t, storetest.NewModel(), inputs, builtIn, small)
		big := []float64{44}
		if !builtIn { // what comes of a delivery is known late
			want.delivered = nil
		}
		for _, store := range []flagstage.Store{storetest.NewModel(), alone{storetest.NewModel()}} {
			got := outcomeOf(r, t, store, inputs, builtIn, big)
			if !builtIn {
				got.delivered = nil
			}
			want.equals(r, got)
		}
	})
}

// TestDeliveriesForOneFlagComeByWhenTheyAreDue begins with the one that is due
// first, though the workflow of another woke up before.
func TestDeliveriesForOneFlagComeByWhenTheyAreDue(t *testing.T) {
	inputs := []flagstage.WorkflowInput{releaseOf("a", turnsOn(hours(1), hours(3))), releaseOf("b", turnsOff(hours(2))), releaseOf("c", turnsOff(hours(2)))}
	for _, store := range []flagstage.Store{storetest.NewModel(), alone{storetest.NewModel()}} {
		require.Equal(t, []string{"b/0/1", "c/0/1", "a/0/1"}, outcomeOf(t, t, store, inputs, false, []float64{5}).delivered)
	}
}

func TestManyWorkflowsAreDoneInTheOrderInWhichTheyAreDue(t *testing.T) {
	var inputs []flagstage.WorkflowInput
	last := 0           // the last one of those that are due last
	for i := range 95 { // more than a commit holds
		wait := int64(95-i) % 7
		if wait == 6 {
			last = i
		}
		input := releaseOf(fmt.Sprintf("w%02d", i),
			doing([]flagstage.Condition{hours(1 + wait)}, flags.UpdateName(fmt.Sprint(i))),
			doing([]flagstage.Condition{hours(2)}, flags.UpdateDescription(fmt.Sprint(i))))
		input.IgnoreConflicts, input.Lateness = true, 100*hour
		inputs = append(inputs, input)
	}
	for _, store := range []flagstage.Store{storetest.NewModel(), alone{storetest.NewModel()}} {
		o := outcomeOf(t, t, store, inputs, true, []float64{20})
		require.Equal(t, fmt.Sprint(last), o.flag.Name())
		require.Equal(t, fmt.Sprint(last), o.flag.Description())
		for _, events := range o.events {
			require.Equal(t, flagstage.EventWorkflowCompleted, events[len(events)-1].Kind)
		}
	}
}

// TestTheOrderHoldsWhereEachChangeNeedsItsCommit as what is due later waits for what
// the changes before lead to.
func TestTheOrderHoldsWhereEachChangeNeedsItsCommit(t *testing.T) {
	for _, store := range []flagstage.Store{storetest.NewModel(), alone{storetest.NewModel()}} {
		w := worldOn(t, store, flagstage.NewVirtualClock(start))
		_, err := w.PutFlag(t.Context(), alice, theTarget.ProjectKey, w.flag, flagstage.FlagWrite{})
		require.NoError(t, err)
		rename := func(after int64, name string) flagstage.Stage {
			return doing([]flagstage.Condition{hours(after)}, flags.UpdateName(name))
		}
		for id, stages := range map[string][]flagstage.Stage{
			"a": {rename(1, "first"), rename(1, "second")}, "b": {rename(3, "last")},
		} {
			input := releaseOf(id, stages...)
			input.Lateness, input.IgnoreConflicts = 1000*hour, true
			_, err := w.StartWorkflow(t.Context(), alice, input)
			require.NoError(t, err)
		}
		require.Equal(t, 3, w.tick(10).Applied)
		f, err := w.Engine.Flag(t.Context(), alice, theTarget.ProjectKey, theTarget.FlagKey)
		require.NoError(t, err)
		require.Equal(t, "last", f.Name())
	}
}

func TestLatenessIsMadeUpForUpToALimit(t *testing.T) {
	for _, c := range []struct {
		name     string
		lateness time.Duration
		ticks    []float64
		second   float64 // when the second stage is due
	}{
		{"on time", 0, []float64{1}, 3},
		{"late by less than an hour", 0, []float64{1.5}, 3},
		{"late by an hour", 0, []float64{2}, 3},
		{"late by more", 0, []float64{2.5}, 4.5},
		{"late by much", 0, []float64{1000}, 1002},
		{"never made up for", flagstage.NoLateness, []float64{1.25}, 3.25},
		{"a limit of its own", 5 * hour, []float64{6}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, builtIn := range []bool{true, false} {
				w := withFlagOn(t, storetest.NewModel(), appliedBy(builtIn, &deliveries{})...)
				input := releaseOf("w", turnsOff(hours(1)), turnsOn(hours(2)), turnsOff(hours(1000)))
				input.Lateness = c.lateness
				_, err := w.StartWorkflow(t.Context(), alice, input)
				require.NoError(t, err)
				for _, hours := range c.ticks {
					w.tick(hours)
				}
				for _, e := range w.get("w").Events() {
					if e.Kind == flagstage.EventConditionArmed && e.Stage == 1 {
						require.Equal(t, after(c.second), e.Until)
						return
					}
				}
				require.Fail(t, "the second stage was not armed")
			}
		})
	}
}

func TestAWorkflowThatCannotBeAdvancedDoesNotStopOthers(t *testing.T) {
	clock, store := flagstage.NewVirtualClock(start), storetest.NewModel()
	w := worldOn(t, store, clock)
	_, err := w.PutFlag(t.Context(), alice, theTarget.ProjectKey, w.flag, flagstage.FlagWrite{})
	require.NoError(t, err)
	for _, id := range []string{"a", "b", "c"} {
		_, err := w.StartWorkflow(t.Context(), alice, releaseOf(id, turnsOff(hours(1))))
		require.NoError(t, err)
	}
	r, err := store.Get(t.Context(), "workflow/b")
	require.NoError(t, err)
	good := slices.Clone(r.Value)
	r.Value = []byte{99}
	_, err = store.Commit(t.Context(), flagstage.Txn{Put: []flagstage.Record{r}})
	require.NoError(t, err)
	clock.Set(after(1))
	for range 2 {
		report, err := w.Tick(t.Context())
		var unreadable *flagstage.UnreadableWorkflowError
		require.ErrorAs(t, err, &unreadable, "each tick tells")
		require.Equal(t, "b", unreadable.WorkflowID)
		require.ErrorIs(t, err, flagstage.ErrFormat)
		require.LessOrEqual(t, report.Applied, 2)
	}
	for _, id := range []string{"a", "c"} {
		require.Equal(t, flagstage.StatusCompleted, w.get(id).Status())
	}
	r.Value = good
	_, err = store.Commit(t.Context(), flagstage.Txn{Put: []flagstage.Record{r}})
	require.NoError(t, err)
	_, err = w.Tick(t.Context())
	require.NoError(t, err)
	require.Equal(t, flagstage.StatusCompleted, w.get("b").Status())
}

// TestClocksThatJumpDoNoHarm sets the clock forth and back by years: nothing is
// done twice, or before its time, and orders of people are carried out at once.
func TestClocksThatJumpDoNoHarm(t *testing.T) {
	w := newWorld(t)
	s := w.begin(turnsOff(hours(1)), turnsOn(flagstage.Approval{}), turnsOff(hours(1)))
	w.tick(10 * 365 * 24)
	require.False(t, w.environment().On())
	w.clock.Set(start.AddDate(-20, 0, 0))
	_, err := w.Tick(t.Context())
	require.NoError(t, err)
	reviewed, err := w.Review(t.Context(), bob, s.ID, flagstage.Review{Stage: 1, Kind: flagstage.ReviewApprove})
	require.NoError(t, err)
	require.Equal(t, flagstage.StatusCompleted, reviewed.StageStatus(1), "what is approved is applied")
	require.True(t, w.environment().On())
	require.Equal(t, 0, w.tick(10*365*24+0.5).Applied, "no wait is cut short")
	require.Equal(t, 1, w.tick(10*365*24+1).Applied)
	got := w.get(s.ID)
	require.Equal(t, flagstage.StatusCompleted, got.Status())
	replays(t, got)
}

// TestClocksOutsideOfAllYearsDoNoHarm writes a flag at instants that no record can
// hold: what runs later can still be told from it.
func TestClocksOutsideOfAllYearsDoNoHarm(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(-1, 0), time.Unix(0, -int64(time.Millisecond)), time.Date(30_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<60, 0)} {
		w := newWorld(t)
		s := w.begin(turnsOff(hours(1)))
		gone := w.begin(turnsOff(hours(1)))
		w.clock.Set(at)
		renamed, err := w.PutFlag(t.Context(), alice, theTarget.ProjectKey, decodedFlag(t, strings.Replace(string(w.flag.AppendJSON(nil)), "New checkout", "Newer", 1)), flagstage.FlagWrite{})
		require.NoError(t, err)
		require.Equal(t, "Newer", renamed.Name())
		_, err = w.StartWorkflow(t.Context(), alice, releaseOf("w", turnsOn()))
		require.ErrorIs(t, err, flagstage.ErrInvalidRequest, "a release cannot begin then")
		require.NoError(t, w.DeleteWorkflow(t.Context(), alice, gone.ID))
		w.tick(1)
		require.Equal(t, flagstage.StatusCompleted, w.get(s.ID).Status())
	}
}

func TestNextDueIsNeverLaterThanWhatIsDue(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		clock := flagstage.NewVirtualClock(start)
		w := worldOn(t, storetest.NewModel(), clock)
		_, err := w.PutFlag(context.Background(), alice, theTarget.ProjectKey, w.flag, flagstage.FlagWrite{})
		require.NoError(r, err)
		for _, id := range []string{"a", "b"} {
			_, err := w.StartWorkflow(context.Background(), alice, anyRelease(r, id))
			require.NoError(r, err)
		}
		for {
			due, ok, err := w.NextDue(context.Background())
			require.NoError(r, err)
			if !ok {
				break
			}
			require.False(r, due.Before(clock.Now()))
			clock.Set(due.Add(-time.Millisecond))
			report, err := w.Tick(context.Background())
			require.NoError(r, err)
			require.Zero(r, report.Events, "nothing happens before")
			clock.Set(due)
			report, err = w.Tick(context.Background())
			require.NoError(r, err)
			require.NotZero(r, report.Events, "something is due")
		}
		for _, id := range []string{"a", "b"} {
			s, err := w.Workflow(context.Background(), alice, id)
			require.NoError(r, err)
			require.NotEqual(r, flagstage.StatusActive, s.Status())
		}
	})
}

// TestEveryInstructionThatChangesAFlagIsKept applies an instruction in a stage: the
// stored flag is what it makes of it, also where no field shows.
func TestEveryInstructionThatChangesAFlagIsKept(t *testing.T) {
	tried := 0
	rapid.Check(t, func(r *rapid.T) {
		f := flagstagetest.Flags().Draw(r, "flag")
		environment := rapid.SampledFrom(append(f.EnvironmentKeys(), "none")).Draw(r, "environment")
		in := flagstagetest.InstructionsFor(f, environment).Draw(r, "instruction")
		next, err := flags.Apply(f, []flags.Instruction{in}, flags.Application{Environment: environment, Now: start, IDs: flagstagetest.CountedIDs()})
		if err != nil {
			return
		}
		w := worldOn(t, storetest.NewModel(), flagstage.NewVirtualClock(start))
		_, err = w.PutFlag(context.Background(), alice, "p", f, flagstage.FlagWrite{})
		require.NoError(r, err)
		input := releaseOf("w", doing(nil, in))
		input.Target = flagstage.Origin{ProjectKey: "p", EnvironmentKey: environment, FlagKey: f.Key()}
		s, err := w.StartWorkflow(context.Background(), alice, input)
		if err != nil || s.Status() != flagstage.StatusCompleted {
			return // it names what is not there
		}
		tried++
		got, err := w.Engine.Flag(context.Background(), alice, "p", f.Key())
		require.NoError(r, err)
		require.Equal(r, next.Equal(f), got.Flag.Equal(f))
	})
	require.Greater(t, tried, 20)
}

// appending is a store that appends to the values that it is given, as one does that
// keeps something behind them.
type appending struct{ flagstage.Store }

func (a appending) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	for _, r := range txn.Put {
		_ = append(r.Value, "behind it"...)
	}
	return a.Store.Commit(ctx, txn)
}

// TestAStoreMayAppendToValues since they are its own while it commits.
func TestAStoreMayAppendToValues(t *testing.T) {
	for _, more := range [][]flagstage.Option{nil, {flagstage.WithApplier(&deliveries{})}} {
		w := worldOn(t, appending{storetest.NewModel()}, flagstage.NewVirtualClock(start), more...)
		_, err := w.PutFlag(t.Context(), alice, theTarget.ProjectKey, w.flag, flagstage.FlagWrite{})
		require.NoError(t, err)
		for range 10 {
			w.begin(turnsOn(hours(1)), turnsOn(hours(1)))
		}
		for h := range 3 {
			w.tick(float64(h))
		}
		list, err := w.Workflows(t.Context(), alice, flagstage.WorkflowQuery{Status: flagstage.StatusCompleted})
		require.NoError(t, err)
		require.Empty(t, list.Unreadable)
		require.Len(t, list.Items, 10)
		for _, s := range list.Items {
			replays(t, s)
		}
	}
}
