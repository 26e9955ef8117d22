package flagstage_test

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

var deliver = flagstage.Start{Deliver: true}

// due returns the hours at which the pending action was due and is to be
// applied.
func (r *run) due() (due, at float64) {
	effect, ok := r.Pending()
	require.True(r.t, ok, "nothing is pending")
	return effect.Due.Sub(start).Hours(), effect.At.Sub(start).Hours()
}

func TestActionsWaitForTheirResults(t *testing.T) {
	r := begin(t, planOf(t, stage(hours(2)), flagstage.Stage{}, stage(hours(3))), deliver)
	_, ok := r.Pending()
	require.False(t, ok)
	r.advance(2.5)
	require.Equal(t, flagstage.StatusActive, r.StageStatus(0))
	require.Equal(t, flagstage.StatusCompleted, r.ConditionStatus(0, 0))
	require.Equal(t, 2.0, r.wake(), "it is due")
	effect, ok := r.Pending()
	require.True(t, ok)
	require.Equal(t, flagstage.Effect{Round: 1, Try: 1, Due: after(2), At: after(2), Action: r.Plan().Stages()[0].Action}, effect)
	before := len(r.events)
	r.advance(2.6)
	require.Len(t, r.events, before, "it waits")
	r.applied(2.75)
	require.Equal(t, []float64{2}, r.dues(flagstage.EventActionApplied))
	require.Equal(t, flagstage.StatusCompleted, r.StageStatus(1), "what changes nothing waits for nothing")
	require.Equal(t, 5.0, r.wake(), "applied within the lateness counts as on time")
	r.advance(5).applied(7)
	require.Equal(t, flagstage.StatusCompleted, r.Status())
	require.Equal(t, after(7), r.StoppedAt())
}

func TestAStageWithoutConditionsWaitsForItsActionToo(t *testing.T) {
	r := begin(t, planOf(t, stage(), stage()), deliver)
	due, at := r.due()
	require.Equal(t, []float64{0, 0}, []float64{due, at})
	r.applied(0.5).applied(0.5)
	require.Equal(t, flagstage.StatusCompleted, r.Status())
}

func TestThePendingActionIsACopy(t *testing.T) {
	r := begin(t, planOf(t, stage()), deliver)
	effect, _ := r.Pending()
	effect.Action.Instructions[0] = flags.TurnFlagOff()
	again, _ := r.Pending()
	require.Equal(t, flags.TurnFlagOn().Kind(), again.Action.Instructions[0].Kind())
	require.Equal(t, flags.TurnFlagOn().Kind(), r.Plan().Stages()[0].Action.Instructions[0].Kind())
}

func TestActionsAreTriedAgain(t *testing.T) {
	r := begin(t, planOf(t, stage(hours(1)), stage(hours(5))), deliver).advance(1).failed(1, 1.25)
	effect, ok := r.Pending()
	require.True(t, ok)
	require.Equal(t, []int{1, 2}, []int{effect.Round, effect.Try})
	due, at := r.due()
	require.Equal(t, []float64{1, 1.25}, []float64{due, at})
	require.Equal(t, 1.25, r.wake())
	require.Equal(t, flagstage.EventActionFailed, r.last().Kind)
	require.Equal(t, "not now", r.last().Comment)
	require.Equal(t, after(1.25), r.last().Until)
	r.failed(1.25, 1.5)
	effect, _ = r.Pending()
	require.Equal(t, []int{1, 3}, []int{effect.Round, effect.Try})
	r.applied(1.75)
	require.Equal(t, []float64{1}, r.dues(flagstage.EventActionApplied), "due when its stage was")
	require.Equal(t, 6.0, r.wake(), "within the lateness")
}

func TestAnActionThatFailsForGoodFailsTheRelease(t *testing.T) {
	r := begin(t, planOf(t, stage(hours(1)), stage(hours(5))), deliver).advance(1).failed(1, 2).failed(2, 0)
	require.Equal(t, flagstage.StatusFailed, r.Status())
	require.Equal(t, flagstage.StatusFailed, r.StageStatus(0))
	require.Equal(t, flagstage.StatusCompleted, r.ConditionStatus(0, 0), "its conditions were met")
	require.Equal(t, flagstage.StatusPending, r.StageStatus(1))
	require.Equal(t, after(2), r.StoppedAt())
	require.Equal(t, flagstage.ReasonRejected, r.last().Reason)
	_, ok := r.Pending()
	require.False(t, ok)
	require.Error(t, r.take(r.Applied(after(3))), "the result of nothing")

	r.retry(4)
	effect, ok := r.Pending()
	require.True(t, ok)
	require.Equal(t, flagstage.Effect{Round: 2, Try: 1, Due: after(4), At: after(4), Action: effect.Action}, effect, "a new round")
	r.applied(4.5)
	require.Equal(t, 9.0, r.wake(), "the next wait is counted from when the retried stage was due")
	r.advance(9)
	effect, _ = r.Pending()
	require.Equal(t, []int{1, 1}, []int{effect.Round, effect.Try}, "each stage has its own rounds")
}

func TestPausesOfDeliveries(t *testing.T) {
	for _, c := range []struct {
		name    string
		of      func(r *run) *run
		due, at float64 // of the pending action
	}{
		{"pending before the pause", func(r *run) *run { return r.advance(1).pause(1.5).resume(3) }, 2.5, 2.5},
		{"pending since the instant of the pause", func(r *run) *run { return r.advance(1).pause(1).resume(3) }, 3, 3},
		{"backing off", func(r *run) *run { return r.advance(1).failed(1, 2).pause(1.5).resume(3) }, 2.5, 3.5},
		{"backing off, overdue", func(r *run) *run { return r.advance(1).failed(1, 2).pause(2.5).resume(3) }, 1.5, 2.5},
		{"failed in the pause", func(r *run) *run { return r.advance(1).pause(1.5).failed(2, 2.25).resume(3) }, 2.5, 3.25},
		{"failed at the end of the pause", func(r *run) *run { return r.advance(1).pause(1.5).failed(3, 3.25).resume(3) }, 2.5, 3.25},
		{"failed again in the pause", func(r *run) *run { return r.advance(1).failed(1, 2).pause(1.5).failed(1.75, 2).resume(3) }, 2.5, 3.25},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.of(begin(t, planOf(t, stage(hours(1)), stage(hours(5))), flagstage.Start{Deliver: true, Lateness: math.MaxInt64}))
			due, at := r.due()
			require.Equal(t, c.due, due)
			require.Equal(t, c.at, at)
			require.Equal(t, c.at, r.wake())
			r.applied(3.25)
			require.Equal(t, c.due+5, r.wake())
		})
	}
}

func TestResultsThatComeInAPause(t *testing.T) {
	plan := planOf(t, stage(hours(1)), stage(hours(5)))
	r := begin(t, plan, deliver).advance(1).pause(1.5).applied(2)
	require.Equal(t, flagstage.StatusPaused, r.Status())
	require.Equal(t, flagstage.StatusCompleted, r.StageStatus(0))
	require.Equal(t, flagstage.StatusPending, r.StageStatus(1), "nothing is armed")
	require.Error(t, r.take(r.Applied(after(2))), "one action has one result")
	r.resume(10)
	require.Equal(t, 15.0, r.wake())

	r = begin(t, plan, deliver).advance(1).pause(1.5).failed(2, 0)
	require.Equal(t, flagstage.StatusFailed, r.Status(), "it can fail for good, too")

	r = begin(t, planOf(t, stage()), deliver).pause(1).applied(2)
	require.Equal(t, flagstage.StatusCompleted, r.Status(), "the last stage ends the release, even in a pause")
}

// TestResultsOfWhatWasNeverPending are errors.
func TestResultsOfWhatWasNeverPending(t *testing.T) {
	for _, c := range []struct {
		name string
		run  *run
	}{
		{"without Start.Deliver", begin(t, planOf(t, stage(), stage(hours(1))), flagstage.Start{})},
		{"before its stage is due", begin(t, planOf(t, stage(hours(1))), deliver)},
		{"a stage without action", begin(t, planOf(t, flagstage.Stage{Conditions: []flagstage.Condition{hours(1)}}), deliver)},
		{"approved in a pause", begin(t, planOf(t, stage(flagstage.Approval{})), deliver).pause(1).approve(1, 0, 0)},
		{"failed in a pause already", begin(t, planOf(t, stage()), deliver).pause(1).failed(1, 2)},
		{"failed", begin(t, planOf(t, stage()), deliver).failed(1, 0)},
		{"completed", begin(t, planOf(t, stage()), deliver).applied(1)},
		{"cancelled before it was due", begin(t, planOf(t, stage(hours(1))), deliver).cancel(1)},
		{"cancelled after an approval in a pause", begin(t, planOf(t, stage(flagstage.Approval{})), deliver).pause(1).approve(1, 0, 0).cancel(1)},
		{"cancelled, and told before", begin(t, planOf(t, stage()), deliver).cancel(1).applied(1)},
		{"cancelled without Start.Deliver", begin(t, planOf(t, stage(), stage(hours(1))), flagstage.Start{}).cancel(1)},
		{"cancelled between two stages", begin(t, planOf(t, stage(), stage()), deliver).pause(1).applied(1).cancel(1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var state *flagstage.StateError
			r := c.run
			require.ErrorAs(t, r.take(r.Applied(after(1))), &state)
			require.Equal(t, r.Status(), state.Status)
			require.ErrorAs(t, r.take(r.ActionFailed(flagstage.Failure{}, after(1))), &state)
		})
	}
}

func TestResultsAfterACancellation(t *testing.T) {
	plan := planOf(t, stage(), stage())
	r := begin(t, plan, deliver).cancel(1)
	require.Equal(t, flagstage.StatusCancelled, r.StageStatus(0))
	r.applied(2)
	require.Equal(t, flagstage.EventActionApplied, r.last().Kind)
	require.Equal(t, flagstage.StatusCompleted, r.StageStatus(0), "it took effect after all")
	require.Equal(t, flagstage.StatusCancelled, r.StageStatus(1))
	require.Equal(t, flagstage.StatusCancelled, r.Status())
	require.Equal(t, after(1), r.StoppedAt())

	r = begin(t, plan, deliver).pause(1).cancel(2)
	before := len(r.events)
	r.failed(3, 0)
	require.Len(t, r.events, before, "that it did not is no news")
	require.Equal(t, flagstage.StatusCancelled, r.StageStatus(0))
	r.applied(4)
	require.Equal(t, flagstage.StatusCompleted, r.StageStatus(0))
}

func TestFailuresThatAreRefused(t *testing.T) {
	r := begin(t, planOf(t, stage()), deliver).advance(1)
	for name, failure := range map[string]flagstage.Failure{
		"tried again now":             {RetryAt: after(1)},
		"tried again before":          {RetryAt: after(0.5)},
		"tried again beyond all time": {RetryAt: time.Unix(1<<50, 0)},
		"a reason that is no text":    {Reason: "\xff"},
	} {
		require.ErrorIs(t, r.take(r.ActionFailed(failure, after(1))), flagstage.ErrInvalidRequest, name)
	}
}

func TestMessagesOfFailuresCanBeKept(t *testing.T) {
	for _, c := range []struct{ message, want string }{
		{"", ""},
		{"no such rule", "no such rule"},
		{"a\x00b\xffc", "a\uFFFDb\uFFFDc"},
		{strings.Repeat("x", 1000), strings.Repeat("x", 1000)},
		{strings.Repeat("x", 1001), strings.Repeat("x", 997) + "…"},
		{strings.Repeat("ä", 600), strings.Repeat("ä", 498) + "…"},
		{strings.Repeat("\xff", 1<<20), strings.Repeat("\uFFFD", 1) + ""},
	} {
		r := begin(t, planOf(t, stage()), deliver)
		require.NoError(t, r.take(r.ActionFailed(flagstage.Failure{Message: c.message, RetryAt: after(1)}, start)))
		require.Equal(t, c.want, r.last().Comment)
		require.True(t, utf8.ValidString(r.last().Comment))
	}
}

// TestSkippedActionsAreOver: what is pending is then the next stage's.
func TestSkippedActionsAreOver(t *testing.T) {
	r := begin(t, planOf(t, stage(), stage(hours(1))), deliver).failed(0, 2).skip(1, 0)
	_, ok := r.Pending()
	require.False(t, ok)
	require.Equal(t, 2.0, r.wake(), "nothing is left of the backoff")
	r.advance(2)
	effect, _ := r.Pending()
	require.Equal(t, []int{1, 1, 1}, []int{effect.Stage, effect.Round, effect.Try})
	due, at := r.due()
	require.Equal(t, []float64{2, 2}, []float64{due, at})
}

func TestTheNextWaitAfterALateDelivery(t *testing.T) {
	plan := planOf(t, stage(hours(2)), stage(hours(3)))
	for _, c := range []struct {
		name     string
		lateness time.Duration
		applied  float64
		want     float64 // when the second stage is due
	}{
		{"on time", 0, 2, 5},
		{"an hour late counts as on time", 0, 3, 5},
		{"later does not", 0, 3.25, 6.25},
		{"no lateness at all", flagstage.NoLateness, 2.25, 5.25},
		{"unlimited", math.MaxInt64, 4, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, plan, flagstage.Start{Deliver: true, Lateness: c.lateness}).advance(2).applied(c.applied)
			require.Equal(t, c.want, r.wake())
		})
	}
}
