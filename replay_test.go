package flagstage_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
)

func TestEventsReplayToTheState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, s := anyPlan(t), anyStart(t)
		r := begin(t, plan, s)
		states := map[int]flagstage.Workflow{len(r.events): r.Workflow} // after each call
		play(t, r, 16, verbs, func() { states[len(r.events)] = r.Workflow })
		for n := range len(r.events) + 1 {
			again, err := flagstage.Replay(plan, s, r.events[:n])
			if want, whole := states[n]; whole {
				require.NoError(t, err)
				require.Equal(t, want, again)
			} else if err == nil {
				walk(again) // a call might have ended here
			} else {
				require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
			}
		}
	})
}

// walk calls all that a workflow has.
func walk(w flagstage.Workflow) {
	dump(w)
	for range 20 {
		if wake, ok := w.Wake(); ok {
			w, _ = w.Advance(wake)
		}
		for _, g := range w.Gates() {
			w, _, _ = w.Review(flagstage.Review{Stage: g.Stage, Condition: g.Condition, Kind: flagstage.ReviewApprove, Actor: bob}, start)
		}
		if effect, ok := w.Pending(); ok {
			w, _, _ = w.ActionFailed(flagstage.Failure{RetryAt: effect.At.Add(time.Hour)}, effect.At)
			w, _, _ = w.Pause(because, effect.At)
		}
		w, _, _ = w.Resume(because, start)
		w, _, _ = w.Applied(start)
		w, _, _ = w.Retry(because, start)
	}
	skipped, _, _ := w.Skip(0, because, true, start)
	dump(skipped)
	cancelled, _, _ := w.Cancel(because, start)
	cancelled, _, _ = cancelled.Applied(start)
	dump(cancelled)
}

var kinds = []flagstage.EventKind{
	"", "x", flagstage.EventWorkflowStarted, flagstage.EventStageArmed, flagstage.EventConditionArmed, flagstage.EventApprovalRequested,
	flagstage.EventReviewed, flagstage.EventConditionCompleted, flagstage.EventConditionFailed, flagstage.EventActionApplied,
	flagstage.EventStageCompleted, flagstage.EventStageFailed, flagstage.EventWorkflowCompleted, flagstage.EventWorkflowFailed,
	flagstage.EventActionFailed, flagstage.EventActionRescheduled, flagstage.EventConditionRescheduled, flagstage.EventStageSkipped,
	flagstage.EventStageRetried, flagstage.EventWorkflowPaused, flagstage.EventWorkflowResumed, flagstage.EventWorkflowCancelled,
}

func TestReplayRefusesWhatCannotBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, s := anyPlan(t), anyStart(t)
		r := begin(t, plan, s)
		play(t, r, 8, verbs, nil)
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			e := &r.events[rapid.IntRange(0, len(r.events)-1).Draw(t, "event")]
			e.Kind = rapid.SampledFrom(kinds).Draw(t, "kind")
			e.Stage = rapid.IntRange(-2, 6).Draw(t, "stage")
			e.Condition = rapid.IntRange(-2, 6).Draw(t, "condition")
			if rapid.Bool().Draw(t, "signed") {
				e.Actor = bob
			}
		}
		if w, err := flagstage.Replay(plan, s, r.events); err == nil {
			walk(w)
		}
		r.events[0].Number = 7
		_, err := flagstage.Replay(plan, s, r.events)
		require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
	})
}

// TestReplayNamesWhatDoesNotFollow changes one event of a good history.
func TestReplayNamesWhatDoesNotFollow(t *testing.T) {
	plan := planOf(t, stage(hours(1), flagstage.Approval{}), stage(hours(1)), stage(hours(1)))
	// the history of a release with nearly all that there is
	history := func(t *testing.T) *run {
		r := begin(t, plan, flagstage.Start{Deliver: true})
		r.pause(0.5).resume(2).approve(2, 0, 1)
		r.advance(2.5).failed(2.5, 4).pause(3).resume(5).applied(7) // the second stage
		r.advance(8).failed(8, 0).retry(9).applied(9)
		return r.skip(9.5, 2)
	}
	good := history(t)
	require.Equal(t, flagstage.StatusCompleted, good.Status())
	again, err := flagstage.Replay(plan, good.start, good.events)
	require.NoError(t, err)
	require.Equal(t, good.Workflow, again)

	for _, c := range []struct {
		name   string
		kind   flagstage.EventKind // of the first event that is changed
		change func(e *flagstage.Event)
	}{
		{"it starts at another instant", flagstage.EventWorkflowStarted, func(e *flagstage.Event) { e.At = e.At.Add(time.Second) }},
		{"it was due after it happened", flagstage.EventStageArmed, func(e *flagstage.Event) { e.Due = e.At.Add(1) }},
		{"it is before the last", flagstage.EventWorkflowPaused, func(e *flagstage.Event) { e.At, e.Due = start.Add(-1), start.Add(-1) }},
		{"a number is left out", flagstage.EventReviewed, func(e *flagstage.Event) { e.Number++ }},
		{"another stage", flagstage.EventStageArmed, func(e *flagstage.Event) { e.Stage = 1 }},
		{"a schedule that is never due", flagstage.EventConditionArmed, func(e *flagstage.Event) { e.Until = time.Time{} }},
		{"a schedule asks", flagstage.EventConditionArmed, func(e *flagstage.Event) { e.Kind = flagstage.EventApprovalRequested }},
		{"an approval runs", flagstage.EventApprovalRequested, func(e *flagstage.Event) { e.Kind = flagstage.EventConditionArmed }},
		{"nobody reviews", flagstage.EventReviewed, func(e *flagstage.Event) { e.Actor = flagstage.Actor{} }},
		{"a review without kind", flagstage.EventReviewed, func(e *flagstage.Event) { e.Review = "" }},
		{"a schedule is reviewed", flagstage.EventReviewed, func(e *flagstage.Event) { e.Condition = 0 }},
		{"nobody pauses", flagstage.EventWorkflowPaused, func(e *flagstage.Event) { e.Actor = flagstage.Actor{} }},
		{"a stage is paused", flagstage.EventWorkflowPaused, func(e *flagstage.Event) { e.Stage = 0 }},
		{"nobody resumes", flagstage.EventWorkflowResumed, func(e *flagstage.Event) { e.Actor = flagstage.Actor{} }},
		{"moved on without a pause", flagstage.EventConditionRescheduled, func(e *flagstage.Event) { e.At = e.At.Add(time.Second) }},
		{"moved back", flagstage.EventConditionRescheduled, func(e *flagstage.Event) { e.Until = start }},
		{"a schedule moved beyond all", flagstage.EventConditionRescheduled, func(e *flagstage.Event) { e.Until = time.Time{} }},
		{"an approval without expiry moved", flagstage.EventConditionRescheduled, func(e *flagstage.Event) { e.Condition = 1 }},
		{"tried again before it failed", flagstage.EventActionFailed, func(e *flagstage.Event) { e.Until = e.At }},
		{"the repetition moved back", flagstage.EventActionRescheduled, func(e *flagstage.Event) { e.Until = start }},
		{"applied twice", flagstage.EventStageCompleted, func(e *flagstage.Event) { e.Kind = flagstage.EventActionApplied }},
		{"completed without its action", flagstage.EventActionApplied, func(e *flagstage.Event) { e.Kind = flagstage.EventStageCompleted }},
		{"failed for no reason", flagstage.EventStageCompleted, func(e *flagstage.Event) { e.Kind = flagstage.EventStageFailed }},
		{"the whole fails for no reason", flagstage.EventActionApplied, func(e *flagstage.Event) {
			*e = flagstage.Event{Number: e.Number, At: e.At, Kind: flagstage.EventWorkflowFailed, Stage: flagstage.NoIndex, Condition: flagstage.NoIndex}
		}},
		{"completed early", flagstage.EventActionApplied, func(e *flagstage.Event) {
			*e = flagstage.Event{Number: e.Number, At: e.At, Kind: flagstage.EventWorkflowCompleted, Stage: flagstage.NoIndex, Condition: flagstage.NoIndex}
		}},
		{"nobody skips", flagstage.EventStageSkipped, func(e *flagstage.Event) { e.Actor = flagstage.Actor{} }},
		{"an approval bypassed that is none", flagstage.EventStageSkipped, func(e *flagstage.Event) { e.Reason = flagstage.ReasonBypassed }},
		{"nobody retries", flagstage.EventStageRetried, func(e *flagstage.Event) { e.Actor = flagstage.Actor{} }},
		{"a condition is skipped", flagstage.EventStageSkipped, func(e *flagstage.Event) { e.Condition = 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := history(t)
			for i := range r.events {
				if r.events[i].Kind == c.kind {
					c.change(&r.events[i])
					_, err := flagstage.Replay(plan, r.start, r.events)
					require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
					require.ErrorContains(t, err, fmt.Sprintf("event %d ", i+1))
					return
				}
			}
			require.Fail(t, "the history has no such event")
		})
	}
}

func TestReplayRefusesCallsThatAreNotComplete(t *testing.T) {
	plan := planOf(t, inSequence(stage(hours(1), hours(1), flagstage.Approval{})), stage())
	for _, c := range []struct {
		name  string
		until flagstage.EventKind // the last event that is there
		of    func(r *run) *run
	}{
		{"nothing", "", func(r *run) *run { return r }},
		{"only the start", flagstage.EventWorkflowStarted, func(r *run) *run { return r }},
		{"nothing armed", flagstage.EventStageArmed, func(r *run) *run { return r }},
		{"the next of the sequence not armed", flagstage.EventConditionCompleted, func(r *run) *run { return r.advance(1) }},
		{"approved and not met", flagstage.EventReviewed, func(r *run) *run { return r.advance(1).advance(2).approve(3, 0, 2) }},
		{"applied and not completed", flagstage.EventActionApplied, func(r *run) *run { return r.advance(1).advance(2).approve(3, 0, 2).applied(3) }},
		{"applied in a pause and not completed", flagstage.EventActionApplied, func(r *run) *run { return r.advance(1).advance(2).approve(3, 0, 2).pause(3).applied(3) }},
		{"completed, and the next not begun", flagstage.EventStageCompleted, func(r *run) *run { return r.advance(1).advance(2).approve(3, 0, 2).applied(3) }},
		{"a condition failed, the stage not", flagstage.EventConditionFailed, func(r *run) *run { return r.advance(1).advance(2).decline(3, 0, 2) }},
		{"the stage failed, the workflow not", flagstage.EventStageFailed, func(r *run) *run { return r.advance(1).advance(2).decline(3, 0, 2) }},
		{"the action failed for good", flagstage.EventActionFailed, func(r *run) *run { return r.advance(1).advance(2).approve(3, 0, 2).failed(3, 0) }},
		{"retried, and nothing armed", flagstage.EventStageRetried, func(r *run) *run { return r.advance(1).advance(2).decline(3, 0, 2).retry(4) }},
		{"skipped, and nothing armed", flagstage.EventStageSkipped, func(r *run) *run {
			require.NoError(r.t, r.take(r.Skip(0, because, true, after(1))))
			return r
		}},
		{"resumed, and the next not armed", flagstage.EventWorkflowResumed, func(r *run) *run {
			return r.advance(1).advance(2).pause(2).approve(3, 0, 2).resume(4)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			deliver := c.name != "resumed, and the next not armed" // then the action is due at once
			r := c.of(begin(t, plan, flagstage.Start{Deliver: deliver}))
			_, err := flagstage.Replay(plan, r.start, r.events)
			require.NoError(t, err)
			n := 0
			for i, e := range r.events {
				if e.Kind == c.until {
					n = i + 1
					break
				}
			}
			require.Equal(t, c.until == "", n == 0)
			_, err = flagstage.Replay(plan, r.start, r.events[:n])
			require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
			require.ErrorContains(t, err, "in the middle of a call")
			// nor may another call begin there
			next := flagstage.Event{Number: int64(n) + 1, Kind: flagstage.EventWorkflowCancelled, Stage: flagstage.NoIndex, Condition: flagstage.NoIndex, Actor: bob, At: after(9), Due: after(9)}
			_, err = flagstage.Replay(plan, r.start, append(r.events[:n:n], next))
			require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
		})
	}
}

// FuzzReplay makes events of any bytes, from the histories of releases on.
func FuzzReplay(f *testing.F) {
	f.Add(uint8(0), []byte{})
	f.Add(uint8(3), []byte{4, 2, 0, 0, 1, 9, 5, 0, 255, 8})
	f.Add(uint8(7), []byte(strings.Repeat("\x02\x07\x01\x00\x00\x01", 9)))
	f.Fuzz(func(t *testing.T, which uint8, changes []byte) {
		plan := planOf(t, inSequence(stage(hours(1), flagstage.Approval{})), stage(flagstage.Approval{}, hours(2)), flagstage.Stage{}, stage())
		s := flagstage.Start{Deliver: which&1 != 0, Approvals: flagstage.ApprovalSettings{ExpiresAfter: time.Duration(which&2) * time.Hour}}
		r := begin(t, plan, s)
		for hour, o := range strings.Split("advance pause resume advance review applied failed advance retry applied cancel", " ") {
			_ = r.do(operation{verb: o, hours: int64(hour), condition: 1, actor: bob, kind: flagstage.ReviewApprove, backoff: int64(which >> 4)})
		}
		events := r.events
		for len(changes) >= 5 {
			change := changes[:5]
			changes = changes[5:]
			i := int(change[0]) % len(events)
			e := &events[i]
			switch change[1] % 8 {
			case 0:
				e.Kind = kinds[int(change[2])%len(kinds)]
			case 1:
				e.Stage, e.Condition = int(int8(change[2])), int(int8(change[3]))
			case 2:
				e.Until = e.Due.Add(time.Duration(int8(change[2])) * time.Hour)
			case 3:
				e.At = time.Unix(int64(binary.LittleEndian.Uint16(change[2:]))<<change[4], 0)
				e.Due = e.At
			case 4:
				e.Actor, e.Review = carol, flagstage.ReviewApprove
			case 5:
				events = append(events[:i], events[i+1:]...)
			case 6:
				events = append(events, *e)
			case 7:
				e.Until = time.Time{}
			}
			if len(events) == 0 {
				return
			}
		}
		for i := range events {
			events[i].Number = int64(i) + 1
		}
		w, err := flagstage.Replay(plan, r.start, events)
		if err != nil {
			require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
			require.Equal(t, flagstage.Workflow{}, w)
			return
		}
		requireConsistent(t, w)
		walk(w)
	})
}
