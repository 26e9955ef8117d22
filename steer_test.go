package flagstage_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
)

func TestPausesMoveWhatRuns(t *testing.T) {
	expires := flagstage.Start{Approvals: flagstage.ApprovalSettings{ExpiresAfter: 6 * time.Hour}}
	for _, c := range []struct {
		name      string
		start     flagstage.Start
		condition flagstage.Condition
		of        func(r *run) *run
		want      float64 // when something happens by itself
	}{
		{"a wait", flagstage.Start{}, hours(6), func(r *run) *run { return r.pause(2).resume(5) }, 9},
		{"a wait, twice", flagstage.Start{}, hours(6), func(r *run) *run { return r.pause(2).resume(5).pause(6).resume(16) }, 19},
		{"a wait, for no time", flagstage.Start{}, hours(6), func(r *run) *run { return r.pause(2).resume(2) }, 6},
		{"a wait, past its end", flagstage.Start{}, hours(6), func(r *run) *run { return r.pause(2).advance(50).resume(100) }, 104},
		{"calendar days by the time of the pause", flagstage.Start{}, flagstage.ScheduleAfter(1, calendar.Day), func(r *run) *run { return r.pause(2).resume(2.5) }, 24.5},
		{"an expiry", expires, flagstage.Approval{}, func(r *run) *run { return r.pause(2).resume(5) }, 9},
		{"no expiry", flagstage.Start{}, flagstage.Approval{}, func(r *run) *run { return r.pause(2).resume(5) }, math.Inf(1)},
		{"not a date", flagstage.Start{}, flagstage.ScheduleAt(after(6)), func(r *run) *run { return r.pause(2).resume(5) }, 6},
		{"what is still paused never wakes", flagstage.Start{}, hours(6), func(r *run) *run { return r.pause(2) }, math.Inf(1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.of(begin(t, planOf(t, stage(c.condition)), c.start))
			require.Equal(t, c.want, r.wake())
			require.Empty(t, r.dues(flagstage.EventActionApplied))
		})
	}
}

// TestWhatFollowsAPause says when the action of the first stage is applied and
// due, and when the second stage begins.
func TestWhatFollowsAPause(t *testing.T) {
	next := stage(hours(3))
	for _, c := range []struct {
		name            string
		first           flagstage.Stage
		of              func(r *run) *run
		at, due, begins float64
	}{
		{"a wait of two hours, overdue when paused", stage(hours(2)), func(r *run) *run { return r.pause(2.5).resume(4) }, 4, 3.5, 3.5},
		{"due at the very instant of the pause", stage(hours(2)), func(r *run) *run { return r.pause(2).resume(4) }, 4, 4, 4},
		{"a date in the pause", stage(flagstage.ScheduleAt(after(2))), func(r *run) *run { return r.pause(1.5).resume(2.25) }, 2.25, 2.25, 2.25},
		{"a date at the begin of the pause", stage(flagstage.ScheduleAt(after(2))), func(r *run) *run { return r.pause(2).resume(2.25) }, 2.25, 2.25, 2.25},
		{"a date at the end of the pause", stage(flagstage.ScheduleAt(after(2))), func(r *run) *run { return r.pause(1).resume(2) }, 2, 2, 2},
		{"a date before the pause", stage(flagstage.ScheduleAt(after(2))), func(r *run) *run { return r.pause(2.25).resume(2.5) }, 2.5, 2, 2},
		{"a date before the pause, and too late", stage(flagstage.ScheduleAt(after(2))), func(r *run) *run { return r.pause(2.25).resume(9) }, 9, 2, 9},
		{"an approval in the pause", stage(flagstage.Approval{}), func(r *run) *run { return r.pause(1).approve(1.5, 0, 0).resume(2) }, 2, 2, 2},
		{"an approval at the begin of the pause", stage(flagstage.Approval{}), func(r *run) *run { return r.pause(1).approve(1, 0, 0).resume(2) }, 2, 2, 2},
		{"an approval in the pause, then a wait", inSequence(stage(flagstage.Approval{}, hours(1))), func(r *run) *run {
			return r.pause(1).approve(1.5, 0, 0).resume(2).advance(3)
		}, 3, 3, 3},
		{"two pauses", inSequence(stage(hours(2), hours(2))), func(r *run) *run {
			return r.pause(1).resume(3).advance(4).pause(5).resume(6).advance(7.5)
		}, 7.5, 7, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.of(begin(t, planOf(t, c.first, next), flagstage.Start{}))
			require.Equal(t, []float64{c.due}, r.dues(flagstage.EventActionApplied))
			for _, e := range r.events {
				if e.Kind == flagstage.EventActionApplied {
					require.Equal(t, after(c.at), e.At)
				}
			}
			require.Equal(t, c.begins, r.dues(flagstage.EventStageArmed)[1])
			require.Equal(t, c.begins+3, r.wake())
		})
	}
}

func TestNothingHappensInAPause(t *testing.T) {
	r := begin(t, planOf(t, stage(flagstage.Approval{}, hours(1)), stage()), flagstage.Start{}).pause(0.5)
	require.Equal(t, flagstage.StatusPaused, r.Status())
	require.Equal(t, flagstage.StatusActive, r.StageStatus(0))
	require.Len(t, r.Gates(), 2, "what holds it back can be seen")
	require.Equal(t, after(1), r.Gates()[1].Until)
	r.advance(9)
	require.Equal(t, flagstage.EventWorkflowPaused, r.last().Kind)
	r.approve(10, 0, 0)
	require.Equal(t, flagstage.StatusCompleted, r.ConditionStatus(0, 0), "reviews are taken")
	r.resume(12).advance(12.5)
	require.Equal(t, []float64{12.5, 12.5}, r.dues(flagstage.EventActionApplied))
}

func TestAnApprovalThatHadExpiredCannotBeGivenInAPause(t *testing.T) {
	for _, pausedAt := range []float64{4, 4.5} { // an expiry at the instant of the pause wins
		s := flagstage.Start{Approvals: flagstage.ApprovalSettings{ExpiresAfter: 4 * time.Hour}}
		r := begin(t, planOf(t, stage(flagstage.Approval{})), s).pause(pausedAt)
		for _, kind := range []flagstage.ReviewKind{flagstage.ReviewApprove, flagstage.ReviewDecline, flagstage.ReviewComment} {
			err := r.review(5, kind, bob, 0, 0)
			var state *flagstage.StateError
			require.ErrorAs(t, err, &state)
			require.Equal(t, flagstage.StatusPaused, state.Status)
		}
		r.resume(6)
		require.Equal(t, flagstage.StatusFailed, r.Status())
		require.Equal(t, flagstage.ReasonExpired, r.last().Reason)
	}
	s := flagstage.Start{Approvals: flagstage.ApprovalSettings{ExpiresAfter: 4 * time.Hour}}
	r := begin(t, planOf(t, stage(flagstage.Approval{})), s).pause(3.5).approve(100, 0, 0).resume(101)
	require.Equal(t, flagstage.StatusCompleted, r.Status(), "time stands still in a pause")
}

func TestADeclineInAPauseFails(t *testing.T) {
	r := begin(t, planOf(t, stage(flagstage.Approval{}), stage()), flagstage.Start{}).pause(1).decline(2, 0, 0)
	require.Equal(t, flagstage.StatusFailed, r.Status())
	r.retry(3)
	require.Equal(t, flagstage.StatusActive, r.Status(), "a retry ends the pause")
	r.approve(4, 0, 0)
	require.Equal(t, flagstage.StatusCompleted, r.Status())
}

// TestPauseAndCancelComeBeforeWhatIsDue and the others after it.
func TestPauseAndCancelComeBeforeWhatIsDue(t *testing.T) {
	due := func(t *testing.T) *run {
		return begin(t, planOf(t, stage(hours(1)), stage(flagstage.Approval{}), stage()), flagstage.Start{})
	}
	for _, hour := range []float64{1, 5} { // at the very instant, and late
		require.Empty(t, due(t).pause(hour).dues(flagstage.EventActionApplied))
		require.Empty(t, due(t).cancel(hour).dues(flagstage.EventActionApplied))
		require.Equal(t, []float64{1}, due(t).advance(hour).dues(flagstage.EventActionApplied))
		require.Equal(t, []float64{1, hour}, due(t).approve(hour, 1, 0).dues(flagstage.EventActionApplied)[:2], "a review advances first")
		skipped := due(t)
		require.NoError(t, skipped.take(skipped.Skip(1, because, true, after(hour))), "so does a skip")
		require.Equal(t, []float64{1, hour}, skipped.dues(flagstage.EventActionApplied))
	}
}

func TestWaitsBeyondAllYearsEndAtTheEndOfAPause(t *testing.T) {
	lateStart := flagstage.Start{At: at("9990-01-01T00:00:00Z"), Approvals: flagstage.ApprovalSettings{ExpiresAfter: 24 * time.Hour}, Deliver: true}
	begun := func(conditions ...flagstage.Condition) *run {
		return begin(t, planOf(t, stage(conditions...)), lateStart)
	}
	long := func(r *run) {
		require.NoError(t, r.take(r.Pause(because, at("9990-01-01T01:00:00Z"))))
		require.NoError(t, r.take(r.Resume(because, at("9999-12-31T23:00:00Z"))))
	}
	r := begun(hours(12))
	long(r)
	require.Equal(t, flagstage.StatusFailed, r.Status())
	require.Equal(t, flagstage.ReasonOutOfRange, r.last().Reason)

	r = begun(flagstage.Approval{})
	long(r)
	require.True(t, r.Gates()[0].Until.IsZero(), "an approval that expires beyond all years does not")

	r = begun()
	require.NoError(t, r.take(r.ActionFailed(flagstage.Failure{RetryAt: at("9990-01-01T12:00:00Z")}, lateStart.At)))
	long(r)
	effect, ok := r.Pending()
	require.True(t, ok)
	require.Equal(t, "9999-12-31T23:59:59.999Z", effect.At.Format(time.RFC3339Nano), "an action is tried again in the last instant")
}

func TestPausesOfCenturiesCountInFull(t *testing.T) {
	r := begin(t, planOf(t, stage(hours(6))), flagstage.Start{}).pause(2)
	require.NoError(t, r.take(r.Resume(because, at("2726-03-02T09:00:00Z"))))
	wake, _ := r.Wake()
	require.Equal(t, at("2726-03-02T13:00:00Z"), wake)
}

func TestSkippedStagesAreLeftOut(t *testing.T) {
	plan := planOf(t, stage(hours(1)), stage(hours(50), hours(0)), stage(hours(3)))
	r := begin(t, plan, flagstage.Start{}).advance(1).skip(2, 1)
	require.Equal(t, flagstage.StatusSkipped, r.StageStatus(1))
	require.Equal(t, flagstage.StatusSkipped, r.ConditionStatus(1, 0))
	require.Equal(t, flagstage.StatusCompleted, r.ConditionStatus(1, 1), "what was met stays so")
	require.Equal(t, flagstage.StatusActive, r.StageStatus(2))
	require.Equal(t, 5.0, r.wake(), "the next wait is counted from now")
	r.advance(5)
	require.Equal(t, flagstage.StatusCompleted, r.Status())
	require.Equal(t, []float64{1, 5}, r.dues(flagstage.EventActionApplied))
	require.Equal(t, flagstage.StatusSkipped, r.StageStatus(1), "it stays so")

	r = begin(t, plan, flagstage.Start{}).advance(1).pause(2).skip(3, 1)
	require.Equal(t, flagstage.StatusPending, r.StageStatus(2), "in a pause nothing is armed")
	require.Nil(t, r.Gates())
	r.resume(7)
	require.Equal(t, 10.0, r.wake())

	r = begin(t, plan, flagstage.Start{}).advance(1).advance(2).skip(2, 1).pause(3).skip(4, 2)
	require.Equal(t, flagstage.StatusCompleted, r.Status(), "the end of the last stage is the end, even in a pause")
}

func TestApprovalsAreNotSkipped(t *testing.T) {
	for _, c := range []struct {
		name  string
		stage flagstage.Stage
		given bool
	}{
		{"open", stage(flagstage.Approval{}, hours(9)), false},
		{"not yet asked for", inSequence(stage(hours(9), flagstage.Approval{})), false},
		{"given", stage(flagstage.Approval{}, hours(9)), true},
		{"one of two given", stage(flagstage.Approval{}, flagstage.Approval{}, hours(9)), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, planOf(t, c.stage, stage()), flagstage.Start{})
			if c.given {
				r.approve(1, 0, 0)
			}
			err := r.take(r.Skip(0, because, false, after(2)))
			if c.name == "given" {
				require.NoError(t, err)
				require.Equal(t, flagstage.Reason(""), r.events[len(r.events)-5].Reason)
				return
			}
			require.ErrorIs(t, err, flagstage.ErrForbidden)
			require.ErrorContains(t, err, "/stages/0/conditions/")
			require.NoError(t, r.take(r.Skip(0, because, true, after(2))))
			require.Equal(t, flagstage.StatusSkipped, r.StageStatus(0))
			skipped := r.events[len(r.events)-5]
			require.Equal(t, flagstage.EventStageSkipped, skipped.Kind)
			require.Equal(t, flagstage.ReasonBypassed, skipped.Reason, "the event says so")
		})
	}
}

func TestRetriedStagesBeginAgain(t *testing.T) {
	settings := flagstage.ApprovalSettings{MinNumApprovals: 2, ExpiresAfter: 10 * time.Hour}
	plan := planOf(t, stage(flagstage.Approval{}, hours(1), flagstage.Approval{}, flagstage.ScheduleAt(after(30))), stage(hours(3)))
	r := begin(t, plan, flagstage.Start{Approvals: settings}).advance(1).approve(2, 0, 0).decline(3, 0, 2)
	require.Equal(t, flagstage.StatusFailed, r.Status())
	require.Equal(t, flagstage.StatusCancelled, r.ConditionStatus(0, 0))
	require.Error(t, r.review(3, flagstage.ReviewApprove, carol, 0, 0), "it is over")

	r.retry(20)
	require.Equal(t, flagstage.StatusActive, r.Status())
	require.Zero(t, r.StoppedAt())
	require.Equal(t, flagstage.StatusActive, r.ConditionStatus(0, 2))
	require.Equal(t, flagstage.StatusCompleted, r.ConditionStatus(0, 1), "what was met stays so")
	require.Equal(t, 30.0, r.wake(), "expiries are counted from now, and dates stay")
	require.NoError(t, r.review(21, flagstage.ReviewApprove, carol, 0, 0))
	require.Equal(t, flagstage.StatusActive, r.ConditionStatus(0, 0), "a new quorum: the approval of before does not count")
	r.approve(21, 0, 0).approve(22, 0, 2)
	require.NoError(t, r.review(22, flagstage.ReviewApprove, carol, 0, 2))
	require.Equal(t, flagstage.StatusActive, r.Status())
	r.advance(30)
	require.Equal(t, []float64{30}, r.dues(flagstage.EventActionApplied))
	require.Equal(t, 33.0, r.wake())
}

func TestAnExpiredApprovalIsAskedForAgain(t *testing.T) {
	s := flagstage.Start{Approvals: flagstage.ApprovalSettings{ExpiresAfter: 2 * time.Hour}}
	r := begin(t, planOf(t, inSequence(stage(hours(1), flagstage.Approval{}, hours(1)))), s).advance(1).advance(4)
	require.Equal(t, flagstage.StatusFailed, r.Status())
	require.Equal(t, after(3), r.StoppedAt())
	r.retry(5)
	require.Equal(t, 7.0, r.wake())
	require.Equal(t, flagstage.StatusPending, r.ConditionStatus(0, 2))
	r.approve(6, 0, 1)
	require.Equal(t, 7.0, r.wake(), "the wait after it")
}

func TestARetriedWaitMayFailAgain(t *testing.T) {
	plan := planOf(t, stage(flagstage.ScheduleAfter(7000, calendar.Week)), stage(flagstage.ScheduleAfter(400000, calendar.Week)))
	r := begin(t, plan, flagstage.Start{})
	w, events := r.Advance(at("9990-01-01T00:00:00Z"))
	require.NoError(t, r.take(w, events, nil))
	require.NoError(t, r.take(r.Retry(because, at("9990-01-02T00:00:00Z"))))
	require.Equal(t, flagstage.StatusFailed, r.Status())
	require.Equal(t, flagstage.ReasonOutOfRange, r.last().Reason)
	require.Equal(t, at("9990-01-02T00:00:00Z"), r.StoppedAt())
}

func TestCancelledIsTheEnd(t *testing.T) {
	plan := planOf(t, stage(), stage(hours(1), hours(9)), stage(flagstage.Approval{}))
	r := begin(t, plan, flagstage.Start{}).advance(1).cancel(2)
	require.Equal(t, flagstage.StatusCancelled, r.Status())
	require.Equal(t, after(2), r.StoppedAt())
	require.Equal(t, []flagstage.Status{"completed", "cancelled", "cancelled"}, []flagstage.Status{r.StageStatus(0), r.StageStatus(1), r.StageStatus(2)})
	require.Equal(t, []flagstage.Status{"completed", "cancelled", "cancelled"}, []flagstage.Status{r.ConditionStatus(1, 0), r.ConditionStatus(1, 1), r.ConditionStatus(2, 0)})
	r.advance(100)
	require.Equal(t, flagstage.EventWorkflowCancelled, r.last().Kind)

	r = begin(t, plan, flagstage.Start{}).pause(0.5).cancel(2)
	require.Equal(t, flagstage.StatusCancelled, r.Status(), "a paused one can be cancelled")
}

// TestOrdersThatDoNotFit tries every order in every status.
func TestOrdersThatDoNotFit(t *testing.T) {
	plan := planOf(t, stage(flagstage.Approval{}), stage(hours(1)))
	fresh := func() *run { return begin(t, plan, flagstage.Start{}) }
	for _, c := range []struct {
		run  *run
		fits string
	}{
		{fresh(), "pause skip cancel"},
		{fresh().pause(1), "resume skip cancel"},
		{fresh().decline(1, 0, 0), "retry"},
		{fresh().cancel(1), ""},
		{fresh().approve(1, 0, 0).advance(2), ""},
		{&run{t: t}, ""},
	} {
		for _, verb := range []string{"pause", "resume", "skip", "retry", "cancel", "applied", "failed"} {
			r := &run{t: t, Workflow: c.run.Workflow}
			err := r.do(operation{verb: verb, hours: 3, actor: bob, bypass: true})
			if strings.Contains(c.fits, verb) {
				require.NoError(t, err, "%s when %s", verb, c.run.Status())
				continue
			}
			var state *flagstage.StateError
			require.ErrorAs(t, err, &state, "%s when %s", verb, c.run.Status())
			require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
			require.Equal(t, c.run.Status(), state.Status)
			require.NotContains(t, err.Error(), "is ;", "no status is shown as nothing")
		}
	}
}

func TestStagesThatCannotBeSkipped(t *testing.T) {
	r := begin(t, planOf(t, stage(), stage(hours(1)), stage(hours(1))), flagstage.Start{})
	const none = "there is no stage with the index "
	for stage, want := range map[int]string{-1: none + "-1", -7: none + "-7", 0: "completed", 2: "pending", 3: none + "3", 1000: none + "1000"} {
		err := r.take(r.Skip(stage, because, true, after(0.5)))
		require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
		require.ErrorContains(t, err, want)
	}
	r.skip(0.5, 1)
	err := r.take(r.Skip(1, because, true, after(0.5)))
	require.ErrorContains(t, err, "skipped")
}

func TestOrdersAreSignedAndSayWhy(t *testing.T) {
	r := begin(t, planOf(t, stage(hours(1))), flagstage.Start{})
	failed := begin(t, planOf(t, stage(flagstage.Approval{})), flagstage.Start{}).decline(1, 0, 0)
	paused := begin(t, planOf(t, stage(hours(1))), flagstage.Start{}).pause(0.5)
	for _, c := range []struct {
		name        string
		give        func(o flagstage.Order) error
		needsReason bool
	}{
		{"pause", func(o flagstage.Order) error { return r.take(r.Pause(o, start)) }, false},
		{"resume", func(o flagstage.Order) error { return paused.take(paused.Resume(o, after(0.5))) }, false},
		{"skip", func(o flagstage.Order) error { return r.take(r.Skip(0, o, false, start)) }, true},
		{"retry", func(o flagstage.Order) error { return failed.take(failed.Retry(o, start)) }, true},
		{"cancel", func(o flagstage.Order) error { return r.take(r.Cancel(o, start)) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.ErrorIs(t, c.give(flagstage.Order{Reason: "why"}), flagstage.ErrUnauthorized)
			require.ErrorIs(t, c.give(flagstage.Order{Actor: flagstage.Actor{MemberID: "\xff"}, Reason: "why"}), flagstage.ErrUnauthorized)
			for _, reason := range []string{"\xff", "a\x00b", strings.Repeat("x", 1<<16+1)} {
				require.ErrorIs(t, c.give(flagstage.Order{Actor: bob, Reason: reason}), flagstage.ErrInvalidRequest)
			}
			if c.needsReason {
				for _, reason := range []string{"", " \t\n"} {
					err := c.give(flagstage.Order{Actor: bob, Reason: reason})
					require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
					require.ErrorContains(t, err, "a reason is needed")
				}
			}
		})
	}
}

func TestEventsOfOrdersSayWhoAndWhy(t *testing.T) {
	order := flagstage.Order{Actor: carol, Reason: strings.Repeat("x", 1<<16)}
	r := begin(t, planOf(t, stage(hours(1)), stage(flagstage.Approval{})), flagstage.Start{})
	check := func(kind flagstage.EventKind, pointer string, hour float64) {
		t.Helper()
		for i := len(r.events) - 1; ; i-- {
			if e := r.events[i]; e.Kind == kind {
				require.Equal(t, carol, e.Actor)
				require.Equal(t, order.Reason, e.Comment)
				require.Equal(t, pointer, e.Pointer())
				require.Equal(t, after(hour), e.At)
				require.Equal(t, e.At, e.Due)
				return
			}
		}
	}
	require.NoError(t, r.take(r.Pause(order, after(0.1))))
	check(flagstage.EventWorkflowPaused, "", 0.1)
	require.NoError(t, r.take(r.Resume(order, after(0.2))))
	check(flagstage.EventWorkflowResumed, "", 0.2)
	require.NoError(t, r.take(r.Skip(0, order, false, after(0.3))))
	check(flagstage.EventStageSkipped, "/stages/0", 0.3)
	r.decline(0.4, 1, 0)
	require.NoError(t, r.take(r.Retry(order, after(0.5))))
	check(flagstage.EventStageRetried, "/stages/1", 0.5)
	require.NoError(t, r.take(r.Cancel(order, after(0.6))))
	check(flagstage.EventWorkflowCancelled, "", 0.6)
}
