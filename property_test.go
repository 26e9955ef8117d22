package flagstage_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
)

// dump spells out everything that a workflow says of itself.
func dump(w flagstage.Workflow) string {
	var s string
	for i, st := range w.Plan().Stages() {
		s += string(w.StageStatus(i)) + ":"
		for k := range st.Conditions {
			s += " " + string(w.ConditionStatus(i, k))
		}
		s += "\n"
	}
	for _, g := range w.Gates() {
		s += g.Since.String() + g.Until.String() + string(g.Kind)
	}
	return s + string(w.Status()) + w.StoppedAt().String()
}

func TestAWorkflowIsAValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := begin(t, anyPlan(t), anyStart(t))
		var kept []flagstage.Workflow
		var copies []string
		note := func() {
			kept = append(kept, r.Workflow)
			copies = append(copies, dump(r.Workflow))
			if len(kept) > 1 { // both go on from the same state
				again := kept[rapid.IntRange(0, len(kept)-1).Draw(t, "earlier")]
				other := &run{t: t, Workflow: again}
				_ = other.do(anyOperation(t, other, 0, verbs))
			}
		}
		note()
		play(t, r, 8, verbs, note)
		for i := range kept {
			require.Equal(t, copies[i], dump(kept[i]), "an earlier state changed")
		}
	})
}

func TestOneBigTickEqualsManySmallOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, s := anyPlan(t), anyStart(t)
		s.Lateness = math.MaxInt64
		one := begin(t, plan, s)
		play(t, one, 6, verbs, nil) // from anywhere on
		many := *one
		many.events = slices.Clone(one.events)
		end := start.Add(20000 * time.Hour)
		one.deliver(end)
		for {
			wake, ok := many.Wake()
			if !ok || wake.After(end) {
				break
			}
			before := len(many.events)
			many.deliver(wake)
			require.Greater(t, len(many.events), before, "a wake without anything to do")
		}
		require.Len(t, many.events, len(one.events))
		for i := range one.events {
			one.events[i].At, many.events[i].At = time.Time{}, time.Time{}
		}
		require.Equal(t, one.events, many.events)
		require.Equal(t, dump(one.Workflow), dump(many.Workflow))
	})
}

func TestNoStageRunsSoonerThanItsWaitLessLateness(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stages []flagstage.Stage
		waits := rapid.SliceOfN(rapid.Int64Range(0, 48), 1, 6).Draw(t, "waits")
		for _, n := range waits {
			stages = append(stages, stage(hours(n)))
		}
		lateness := time.Duration(rapid.Int64Range(1, 20).Draw(t, "lateness")) * time.Hour
		r := begin(t, planOf(t, stages...), flagstage.Start{Lateness: lateness, Deliver: rapid.Bool().Draw(t, "deliver")})
		play(t, r, 20, verbs, nil)
		before, at := -1, time.Time{}
		for _, e := range r.events {
			if e.Kind != flagstage.EventActionApplied {
				continue
			}
			if e.Stage == before+1 && e.Stage > 0 {
				require.GreaterOrEqual(t, e.At.Sub(at), time.Duration(waits[e.Stage])*time.Hour-lateness)
			}
			before, at = e.Stage, e.At
		}
	})
}

// TestActionsAppliedAtOnceGiveTheEventsOfThePlainMode makes the same calls in
// both modes.
func TestActionsAppliedAtOnceGiveTheEventsOfThePlainMode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, s := anyPlan(t), anyStart(t)
		s.Deliver = false
		plain := begin(t, plan, s)
		s.Deliver = true
		delivered := begin(t, plan, s)
		delivered.deliver(start)
		var now int64
		for range 14 {
			o := anyOperation(t, plain, now, []string{"advance", "review", "review", "pause", "resume", "skip", "retry", "cancel"})
			now = o.hours
			for _, r := range []*run{plain, delivered} {
				if o.verb != "pause" && o.verb != "cancel" { // they come before all that is due
					r.deliver(after(float64(now)))
				}
			}
			errPlain, errDelivered := plain.do(o), delivered.do(o)
			require.Equal(t, errPlain, errDelivered)
			delivered.deliver(after(float64(now)))
			plain.deliver(after(float64(now)))
		}
		require.Equal(t, plain.events, delivered.events)
		require.Equal(t, dump(plain.Workflow), dump(delivered.Workflow))
	})
}

// TestPausingShiftsTheRest makes the same calls to two runs of a release
// without dates, one of which is paused in between.
func TestPausingShiftsTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		input := anyTemplate(t)
		for i := range input.Stages {
			for k, c := range input.Stages[i].Conditions {
				if s, ok := c.(flagstage.Schedule); ok {
					if _, date := s.When.(flagstage.Absolute); date {
						input.Stages[i].Conditions[k] = flagstage.ScheduleAfter(3, calendar.Day)
					}
				}
			}
		}
		template, problems := flagstage.NewTemplate(input, creation())
		require.Empty(t, problems)
		s := anyStart(t)
		s.Zone = nil // days of 24 hours
		straight := begin(t, template.Plan(), s)
		now := play(t, straight, rapid.IntRange(0, 8).Draw(t, "calls before"), calm, nil)
		if straight.Status() != flagstage.StatusActive {
			return
		}
		paused := *straight
		paused.events = slices.Clone(straight.events)
		before := len(straight.events)

		pause := rapid.Int64Range(0, 200).Draw(t, "hours of the pause")
		at := now + rapid.Int64Range(0, 50).Draw(t, "hours until the pause")
		straight.advance(float64(at)) // as the end of a pause does
		paused.pause(float64(at))
		_, ok := paused.Wake()
		require.False(t, ok)
		paused.advance(float64(at + pause/2))
		require.Len(t, paused.events, before+1, "nothing happens in a pause")
		paused.resume(float64(at + pause))
		for range rapid.IntRange(0, 10).Draw(t, "calls after") {
			o := anyOperation(t, straight, at, calm)
			at = o.hours
			errStraight := straight.do(o)
			o.hours += pause
			errPaused := paused.do(o)
			require.Equal(t, errStraight == nil, errPaused == nil)
		}

		shift := time.Duration(pause) * time.Hour
		rest := paused.events[before:]
		rest = slices.DeleteFunc(rest, func(e flagstage.Event) bool {
			switch e.Kind {
			case flagstage.EventWorkflowPaused, flagstage.EventWorkflowResumed, flagstage.EventConditionRescheduled, flagstage.EventActionRescheduled:
				return true
			}
			return false
		})
		want := straight.events[before:]
		require.Len(t, rest, len(want))
		for i := range want {
			want[i].Number, want[i].At, want[i].Due = rest[i].Number, want[i].At.Add(shift), want[i].Due.Add(shift)
			if !want[i].Until.IsZero() {
				want[i].Until = want[i].Until.Add(shift)
			}
		}
		require.Equal(t, want, rest)
		wake, wakes := straight.Wake()
		later, laterToo := paused.Wake()
		require.Equal(t, wakes, laterToo)
		if wakes {
			require.Equal(t, wake.Add(shift), later)
		}
	})
}

// TestNothingAfterAnApprovalRunsWithoutIt judges by the events alone.
func TestNothingAfterAnApprovalRunsWithoutIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, s := anyPlan(t), anyStart(t)
		r := begin(t, plan, s)
		play(t, r, 24, verbs, nil)
		type place struct{ stage, condition int }
		approved := map[place]map[string]flagstage.ReviewKind{} // latest verdicts since it was asked for
		given, bypassed := map[place]bool{}, map[int]bool{}
		for _, e := range r.events {
			at := place{e.Stage, e.Condition}
			switch e.Kind {
			case flagstage.EventApprovalRequested:
				approved[at] = map[string]flagstage.ReviewKind{}
			case flagstage.EventReviewed:
				if e.Review != flagstage.ReviewComment {
					require.NotEqual(t, alice, e.Actor, "her own request")
					approved[at][e.Actor.Identity()] = e.Review
				}
			case flagstage.EventConditionCompleted:
				if e.Reason != flagstage.ReasonApproved {
					break
				}
				n := 0
				for _, kind := range approved[at] {
					if kind == flagstage.ReviewApprove {
						n++
					} else {
						require.True(t, s.Approvals.CanApplyDeclinedChanges)
					}
				}
				require.Equal(t, max(s.Approvals.MinNumApprovals, 1), n)
				given[at] = true
			case flagstage.EventStageSkipped:
				bypassed[e.Stage] = e.Reason == flagstage.ReasonBypassed
			case flagstage.EventActionApplied:
				for i, st := range plan.Stages()[:e.Stage+1] {
					for k, c := range st.Conditions {
						if c.Kind() == flagstage.KindApproval {
							require.True(t, given[place{i, k}] || bypassed[i], "stage %d without the approval at %d of stage %d", e.Stage, k, i)
						}
					}
				}
			}
		}
	})
}

func TestWhatIsOverStaysSo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, s := anyPlan(t), anyStart(t)
		r := begin(t, plan, s)
		final := func(status flagstage.Status) bool {
			return status == flagstage.StatusCompleted || status == flagstage.StatusSkipped || status == flagstage.StatusCancelled
		}
		stages := map[int]flagstage.Status{}
		whole, stopped := flagstage.Status(""), time.Time{}
		look := func() {
			requireConsistent(t, r.Workflow)
			if final(whole) {
				require.Equal(t, whole, r.Status())
				require.Equal(t, stopped, r.StoppedAt())
			}
			whole, stopped = r.Status(), r.StoppedAt()
			for i := range plan.Len() {
				before, now := stages[i], r.StageStatus(i)
				if final(before) && before != now {
					// the result of an action that was under way
					require.Equal(t, flagstage.StatusCancelled, before)
					require.Equal(t, flagstage.EventActionApplied, r.last().Kind)
					require.Equal(t, i, r.last().Stage)
				}
				stages[i] = now
			}
		}
		look()
		play(t, r, 24, verbs, look)
		for i := range plan.Len() {
			applied := slices.IndexFunc(r.events, func(e flagstage.Event) bool { return e.Kind == flagstage.EventActionApplied && e.Stage == i })
			acts := len(plan.Stages()[i].Action.Instructions) > 0
			require.Equal(t, acts && r.StageStatus(i) == flagstage.StatusCompleted, applied >= 0, "stage %d is %s", i, r.StageStatus(i))
		}
	})
}

// requireConsistent holds what is so in every state between two calls.
func requireConsistent(t require.TestingT, w flagstage.Workflow) {
	status, active, over := w.Status(), 0, true // so far
	wake, wakes := w.Wake()
	effect, pending := w.Pending()
	require.Equal(t, status != flagstage.StatusActive && status != flagstage.StatusPaused, !w.StoppedAt().IsZero(), "it has stopped or runs")
	for i, st := range w.Plan().Stages() {
		stage, open, met := w.StageStatus(i), 0, true
		for k := range st.Conditions {
			condition := w.ConditionStatus(i, k)
			met = met && condition == flagstage.StatusCompleted
			require.NotEqual(t, flagstage.StatusPaused, condition)
			switch stage {
			case flagstage.StatusCompleted:
				require.Equal(t, flagstage.StatusCompleted, condition)
			case flagstage.StatusPending:
				require.Equal(t, flagstage.StatusPending, condition)
			case flagstage.StatusActive:
				require.Contains(t, []flagstage.Status{flagstage.StatusPending, flagstage.StatusActive, flagstage.StatusCompleted}, condition)
			case flagstage.StatusSkipped:
				require.Contains(t, []flagstage.Status{flagstage.StatusSkipped, flagstage.StatusCompleted}, condition)
			case flagstage.StatusCancelled:
				require.Contains(t, []flagstage.Status{flagstage.StatusCancelled, flagstage.StatusCompleted}, condition)
			case flagstage.StatusFailed:
				require.NotContains(t, []flagstage.Status{flagstage.StatusActive, flagstage.StatusSkipped}, condition)
			default:
				require.Fail(t, "a stage cannot be", string(stage))
			}
			if condition == flagstage.StatusActive {
				open++
			}
		}
		done := stage == flagstage.StatusCompleted || stage == flagstage.StatusSkipped
		require.True(t, over || !done, "a stage is over and one before is not")
		over = over && done
		switch stage {
		case flagstage.StatusActive:
			active++
			require.Len(t, w.Gates(), open)
			require.True(t, open > 0 || pending || status == flagstage.StatusPaused, "nothing holds the stage back")
			require.Equal(t, pending, pending && met && effect.Stage == i)
		case flagstage.StatusFailed:
			require.Equal(t, flagstage.StatusFailed, status)
		case flagstage.StatusCancelled:
			require.Equal(t, flagstage.StatusCancelled, status)
		}
	}
	require.LessOrEqual(t, active, 1)
	switch status {
	case flagstage.StatusActive:
		require.Equal(t, 1, active)
		if pending {
			require.True(t, wakes)
			require.Equal(t, effect.At, wake)
			require.False(t, effect.At.Before(effect.Due))
			require.Positive(t, effect.Round)
			require.Positive(t, effect.Try)
			require.NotEmpty(t, effect.Action.Instructions)
		}
	case flagstage.StatusPaused:
		require.False(t, wakes || pending)
	default:
		require.False(t, wakes || pending)
		require.Zero(t, active)
		require.Nil(t, w.Gates())
		// the last stage of a cancelled one may be over too, by its late result
		require.True(t, over && status == flagstage.StatusCancelled || over == (status == flagstage.StatusCompleted))
	}
}
