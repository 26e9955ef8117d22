package flagstage_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/storetest"
)

// feed reads the feed behind a place, at most so many batches.
func (w *world) feed(after flagstage.Cursor, most int) (list []flagstage.EventBatch) {
	for batch, err := range w.Engine.Events(w.Context(), alice, after) {
		require.NoError(w, err)
		if list = append(list, batch); len(list) == most {
			break
		}
	}
	return list
}

func TestTheFeedGoesOnBehindACursor(t *testing.T) {
	w, store := withFlag(t)
	require.Empty(t, w.feed(flagstage.Cursor{}, 10))
	for _, id := range []string{"b", "a"} {
		w.starts(id, turnsOff(hours(1)), turnsOn(hours(1)))
	}
	w.tick(1) // both in one commit
	all := w.feed(flagstage.Cursor{}, 10)
	require.Len(t, all, 4)
	var names []string
	for i, batch := range all {
		names = append(names, fmt.Sprint(batch.WorkflowID, batch.Events[0].Number))
		require.Equal(t, all[i+1:], append([]flagstage.EventBatch{}, w.feed(batch.Cursor, 10)...), "from each place on")
		require.Equal(t, batch.WorkflowID, batch.Cursor.WorkflowID)
	}
	require.Equal(t, []string{"b1", "a1", "a4", "b4"}, names, "by commit, then by workflow")
	require.Equal(t, all[2].Cursor.Revision, all[3].Cursor.Revision)
	require.Equal(t, all[:2], w.feed(flagstage.Cursor{}, 2), "who stops may go on later")

	w.tick(2)
	require.Len(t, w.feed(all[3].Cursor, 10), 2)
	require.NoError(t, w.DeleteWorkflow(t.Context(), alice, "a"))
	left := w.feed(flagstage.Cursor{}, 10)
	require.Len(t, left, 3, "the events of deleted workflows are gone")
	for _, batch := range left {
		require.Equal(t, "b", batch.WorkflowID)
	}
	faulty := storetest.Faulty(store, storetest.Plan{Fault: storetest.FaultError, On: []storetest.Op{storetest.OpCommit}, N: 1})
	require.NoError(t, worldOn(t, faulty, w.clock).DeleteWorkflow(t.Context(), alice, "b"))
	require.True(t, faulty.Fired())
	require.Empty(t, w.feed(flagstage.Cursor{}, 10), "also while they are taken away")
}

// TestTheFeedEndsWithWhatThereWasWhenItBegan though somebody writes and deletes
// meanwhile.
func TestTheFeedEndsWithWhatThereWasWhenItBegan(t *testing.T) {
	w, _ := withFlag(t)
	w.starts("a", turnsOff(hours(1)))
	w.starts("b", turnsOff(hours(1)))
	w.starts("c", turnsOff(hours(1)))
	var seen []string
	var cursor flagstage.Cursor
	for batch, err := range w.Engine.Events(t.Context(), alice, flagstage.Cursor{}) {
		require.NoError(t, err)
		seen, cursor = append(seen, batch.WorkflowID), batch.Cursor
		if batch.WorkflowID == "a" {
			require.NoError(t, w.DeleteWorkflow(t.Context(), alice, "b"))
			w.starts("d", turnsOff(hours(1)))
			w.tick(1)
		}
	}
	require.Equal(t, []string{"a", "c"}, seen)
	seen = nil
	for _, batch := range w.feed(cursor, 100) {
		seen = append(seen, fmt.Sprint(batch.WorkflowID, batch.Events[0].Number))
	}
	require.ElementsMatch(t, []string{"d1", "a4", "c4", "d4"}, seen)
}

// TestWhatLeadsToADeliveryIsToldWithItsResult also if the delivery had to wait for
// that of another workflow for so long that it was begun anew.
func TestWhatLeadsToADeliveryIsToldWithItsResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := worldOn(t, storetest.NewModel(), flagstage.NewVirtualClock(start), flagstage.WithApplier(&deliveries{answer: func(ctx context.Context, d flagstage.Delivery) error {
			if d.WorkflowID == "a" {
				<-ctx.Done()
			}
			return ctx.Err()
		}}))
		w.starts("a", turnsOff(hours(1)))
		w.starts("b", turnsOn(hours(1)))
		begun := w.feed(flagstage.Cursor{}, 2)
		w.tick(1)
		var told []flagstage.EventKind
		for _, batch := range w.feed(begun[1].Cursor, 10) {
			if batch.WorkflowID == "b" {
				require.Empty(t, told, "all at once")
				for _, e := range batch.Events {
					told = append(told, e.Kind)
				}
			}
		}
		require.Equal(t, []flagstage.EventKind{
			flagstage.EventConditionCompleted, flagstage.EventActionApplied, flagstage.EventStageCompleted, flagstage.EventWorkflowCompleted,
		}, told)
		replays(t, w.get("b"))
	})
}

func TestTheFeedTellsOfErrors(t *testing.T) {
	w, store := withFlag(t)
	w.starts("w", turnsOff(hours(1)))
	for i := range 8 {
		faulty := storetest.Faulty(store, storetest.Plan{Fault: storetest.FaultError, N: i})
		var last error
		batches := 0
		for _, err := range worldOn(t, faulty, w.clock).Engine.Events(t.Context(), alice, flagstage.Cursor{}) {
			require.NoError(t, last, "an error ends the sequence")
			if last = err; err == nil {
				batches++
			}
		}
		if !faulty.Fired() {
			require.Greater(t, i, 2)
			require.Equal(t, 1, batches)
			return
		}
		require.ErrorIs(t, last, storetest.ErrInjected)
		require.Zero(t, batches)
	}
	require.Fail(t, "the faults never end")
}

// TestANotifierIsToldAfterTheCommit of each change once, and can do no harm.
func TestANotifierIsToldAfterTheCommit(t *testing.T) {
	var w *world
	told := map[string][]flagstage.Event{}
	var asked []string
	notifier := flagstage.NotifierFunc(func(ctx context.Context, n flagstage.Notice) {
		require.NotEmpty(t, n.Events)
		require.Equal(t, "release", n.Name)
		require.Equal(t, theTarget, n.Target)
		stored := w.get(n.WorkflowID)
		require.Equal(t, n.Events[len(n.Events)-1], stored.Events()[stored.Version()-1], "it is stored")
		require.Equal(t, stored.Workflow, n.Workflow)
		told[n.WorkflowID] = append(told[n.WorkflowID], n.Events...)
		for pointer, a := range n.Requests() {
			asked = append(asked, n.WorkflowID+pointer+" "+a.Description)
		}
		n.Events[0].Kind = "" // it is the notifier's own
		panic("notifier")
	})
	w = newWorld(t, flagstage.WithNotifier(notifier))
	for _, id := range []string{"a", "b"} {
		w.starts(id, turnsOff(hours(1)), turnsOn(flagstage.Approval{Description: "ok?"}, flagstage.Approval{Description: "sure?"}))
	}
	w.tick(1)
	_, err := w.Review(t.Context(), bob, "a", flagstage.Review{Stage: 1, Kind: flagstage.ReviewApprove})
	require.NoError(t, err)
	_, err = w.Review(t.Context(), bob, "a", flagstage.Review{Stage: 1, Kind: flagstage.ReviewApprove})
	require.Error(t, err, "who fails tells nobody")
	_, err = w.Review(t.Context(), bob, "a", flagstage.Review{Stage: 1, Condition: 1, Kind: flagstage.ReviewApprove})
	require.NoError(t, err)
	require.NoError(t, w.DeleteWorkflow(t.Context(), alice, "b"))
	require.Equal(t, []string{"a/stages/1/conditions/0 ok?", "a/stages/1/conditions/1 sure?", "b/stages/1/conditions/0 ok?", "b/stages/1/conditions/1 sure?"}, asked)
	events := w.get("a").Events()
	require.Len(t, told["a"], len(events))
	for i := range events {
		require.Equal(t, events[i].Number, told["a"][i].Number)
	}
	require.Equal(t, flagstage.StatusCompleted, w.get("a").Status())
}

// TestANotifierIsToldNothingOfADelivery that has begun: only of what came of it.
func TestANotifierIsToldNothingOfADelivery(t *testing.T) {
	var told []flagstage.EventKind
	w := newWorld(t, flagstage.WithApplier(&deliveries{}), flagstage.WithNotifier(flagstage.NotifierFunc(func(_ context.Context, n flagstage.Notice) {
		require.NotEmpty(t, n.Events)
		told = append(told, n.Events[0].Kind)
	})))
	w.begin(turnsOff())
	require.Equal(t, 1, w.tick(0).Applied)
	require.Equal(t, []flagstage.EventKind{flagstage.EventWorkflowStarted, flagstage.EventActionApplied}, told)
}

// TestNobodyIsToldOfWhatIsNotStored has each operation of the store fail in turn.
func TestNobodyIsToldOfWhatIsNotStored(t *testing.T) {
	storetest.Sweep(t, func(t *testing.T, plan storetest.Plan) bool {
		w, store := withFlag(t)
		w.starts("w", turnsOff(hours(1)))
		w.clock.Set(after(1))
		faulty := storetest.Faulty(store, plan)
		var told []flagstage.Event
		_, _ = worldOn(t, faulty, w.clock, flagstage.WithNotifier(flagstage.NotifierFunc(func(_ context.Context, n flagstage.Notice) {
			told = append(told, n.Events...)
		}))).Tick(t.Context()) // whatever comes of it
		faulty.Restart()
		events := w.get("w").Events()
		for i := range told {
			require.Equal(t, events[i+3], told[i])
		}
		return faulty.Fired()
	})
}

// TestThePreviewTellsWhatHappens in each commit, when nothing interferes: the
// engine's events are those of the preview.
func TestThePreviewTellsWhatHappens(t *testing.T) {
	for _, builtIn := range []bool{true, false} {
		w := withFlagOn(t, storetest.NewModel(), appliedBy(builtIn, &deliveries{})...)
		input := releaseOf("w", turnsOff(), turnsOn(hours(2), flagstage.ScheduleAt(after(3))), inSequence(turnsOff(hours(1), flagstage.Approval{}, hours(1))), flagstage.Stage{Conditions: []flagstage.Condition{hours(5)}}, turnsOn())
		input.Approvals = flagstage.ApprovalSettings{ExpiresAfter: 10 * hour}
		answered := after(9)
		run, err := w.DryRunWorkflow(t.Context(), alice, input, flagstage.Future{Answer: func(int, int, time.Time) (flagstage.ReviewKind, time.Time) { return flagstage.ReviewApprove, answered }})
		require.NoError(t, err)
		require.Equal(t, flagstage.StatusCompleted, run.Workflow.Status())
		_, err = w.StartWorkflow(t.Context(), alice, input)
		require.NoError(t, err)
		reviewer := flagstage.Actor{MemberID: "reviewer-1"}
		for reviewed := false; ; {
			due, ok, err := w.NextDue(t.Context())
			require.NoError(t, err)
			if !reviewed && (!ok || due.After(answered)) {
				w.clock.Set(answered)
				_, err := w.Review(t.Context(), reviewer, "w", flagstage.Review{Stage: 2, Condition: 1, Kind: flagstage.ReviewApprove})
				require.NoError(t, err)
				reviewed = true
				continue
			}
			if !ok {
				break
			}
			w.clock.Set(due)
			_, err = w.Tick(t.Context())
			require.NoError(t, err)
		}
		require.Equal(t, run.Events, w.get("w").Events())
	}
}
