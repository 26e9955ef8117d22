package flagstage_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
)

var (
	bob   = flagstage.Actor{MemberID: "bob"}
	carol = flagstage.Actor{ServiceTokenID: "carol"}
	start = at("2026-03-02T09:00:00Z")
)

func stage(conditions ...flagstage.Condition) flagstage.Stage {
	return flagstage.Stage{Conditions: conditions, Action: flagstage.Patch(flags.TurnFlagOn())}
}

func inSequence(s flagstage.Stage) flagstage.Stage {
	s.ExecuteConditionsInSequence = true
	return s
}

func hours(n int64) flagstage.Schedule { return flagstage.ScheduleAfter(n, calendar.Hour) }

func planOf(t require.TestingT, stages ...flagstage.Stage) flagstage.Plan {
	template, problems := flagstage.NewTemplate(flagstage.TemplateInput{Key: "k", Origin: origin, Stages: stages}, creation())
	require.Empty(t, problems)
	return template.Plan()
}

func TestStagesGoOneAfterTheOther(t *testing.T) {
	r := begin(t, planOf(t, stage(), stage(hours(2)), stage(hours(3))), flagstage.Start{})
	require.Equal(t, flagstage.StatusCompleted, r.StageStatus(0))
	require.Equal(t, flagstage.StatusActive, r.StageStatus(1))
	require.Equal(t, flagstage.StatusPending, r.StageStatus(2))
	r.advance(1.9)
	require.Equal(t, []float64{0}, r.dues(flagstage.EventActionApplied))
	r.advance(2)
	require.Equal(t, []float64{0, 2}, r.dues(flagstage.EventActionApplied))
	r.advance(5)
	require.Equal(t, []float64{0, 2, 5}, r.dues(flagstage.EventActionApplied))
	require.Equal(t, flagstage.StatusCompleted, r.Status())
	require.Equal(t, after(5), r.StoppedAt())
	require.Nil(t, r.Gates())
	_, wakes := r.Wake()
	require.False(t, wakes)
}

func TestEventsAreNumberedAndSayWhatTheyConcern(t *testing.T) {
	r := begin(t, planOf(t, stage(hours(2), flagstage.Approval{Description: "?"})), flagstage.Start{}).advance(2)
	require.NoError(t, r.review(3, flagstage.ReviewApprove, bob, 0, 1))
	type row struct {
		kind    flagstage.EventKind
		pointer string
		hour    float64
		reason  flagstage.Reason
		actor   string
	}
	var rows []row
	for i, e := range r.events {
		require.EqualValues(t, i+1, e.Number)
		require.False(t, e.Due.After(e.At))
		rows = append(rows, row{e.Kind, e.Pointer(), e.At.Sub(start).Hours(), e.Reason, e.Actor.Identity()})
	}
	require.Equal(t, []row{
		{flagstage.EventWorkflowStarted, "", 0, "", "alice"},
		{flagstage.EventStageArmed, "/stages/0", 0, "", ""},
		{flagstage.EventConditionArmed, "/stages/0/conditions/0", 0, "", ""},
		{flagstage.EventApprovalRequested, "/stages/0/conditions/1", 0, "", ""},
		{flagstage.EventConditionCompleted, "/stages/0/conditions/0", 2, flagstage.ReasonDue, ""},
		{flagstage.EventReviewed, "/stages/0/conditions/1", 3, "", "bob"},
		{flagstage.EventConditionCompleted, "/stages/0/conditions/1", 3, flagstage.ReasonApproved, "bob"},
		{flagstage.EventActionApplied, "/stages/0", 3, "", ""},
		{flagstage.EventStageCompleted, "/stages/0", 3, "", ""},
		{flagstage.EventWorkflowCompleted, "", 3, "", ""},
	}, rows)
}

func TestConditionsAreArmedTogetherOrInSequence(t *testing.T) {
	together := begin(t, planOf(t, stage(hours(2), hours(3), hours(1))), flagstage.Start{})
	require.Len(t, together.Gates(), 3)
	together.advance(10)
	require.Equal(t, []float64{1, 2, 3}, together.dues(flagstage.EventConditionCompleted), "the earliest is first")
	require.Equal(t, []float64{3}, together.dues(flagstage.EventStageCompleted))

	sequence := begin(t, planOf(t, inSequence(stage(hours(2), hours(3), hours(1)))), flagstage.Start{Lateness: math.MaxInt64})
	require.Len(t, sequence.Gates(), 1)
	require.Equal(t, flagstage.StatusPending, sequence.ConditionStatus(0, 1))
	sequence.advance(10)
	require.Equal(t, []float64{2, 5, 6}, sequence.dues(flagstage.EventConditionCompleted))
}

func TestSchedulesAreDue(t *testing.T) {
	berlin, err := calendar.Zone("Europe/Berlin")
	require.NoError(t, err)
	for _, c := range []struct {
		name     string
		schedule flagstage.Schedule
		zone     *time.Location
		start    string
		want     string
	}{
		{"at once", flagstage.ScheduleNow(), nil, "2026-03-02T09:00:00Z", "2026-03-02T09:00:00Z"},
		{"after zero units", flagstage.ScheduleAfter(0, calendar.Week), nil, "2026-03-02T09:00:00Z", "2026-03-02T09:00:00Z"},
		{"at a date", flagstage.ScheduleAt(at("2026-03-05T00:00:00Z")), nil, "2026-03-02T09:00:00Z", "2026-03-05T00:00:00Z"},
		{"at a date that is past", flagstage.ScheduleAt(at("2026-03-01T00:00:00Z")), nil, "2026-03-02T09:00:00Z", "2026-03-02T09:00:00Z"},
		{"a calendar day in UTC", flagstage.ScheduleAfter(1, calendar.Day), nil, "2026-03-28T09:00:00Z", "2026-03-29T09:00:00Z"},
		{"a calendar day of 23 hours", flagstage.ScheduleAfter(1, calendar.Day), berlin, "2026-03-28T09:00:00+01:00", "2026-03-29T09:00:00+02:00"},
		{"a calendar week with 25 hours", flagstage.ScheduleAfter(1, calendar.Week), berlin, "2026-10-22T09:00:00+02:00", "2026-10-29T09:00:00+01:00"},
		{"a gap", flagstage.ScheduleAfter(1, calendar.Day), berlin, "2026-03-28T02:30:00+01:00", "2026-03-29T03:30:00+02:00"},
		{"hours across a change", flagstage.ScheduleAfter(24, calendar.Hour), berlin, "2026-03-28T09:00:00+01:00", "2026-03-29T10:00:00+02:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, planOf(t, stage(c.schedule, flagstage.Approval{})), flagstage.Start{At: at(c.start), Zone: c.zone})
			require.Equal(t, at(c.want).UTC(), r.events[2].Until)
		})
	}
}

func TestApprovalTakesItsQuorum(t *testing.T) {
	r := begin(t, planOf(t, stage(flagstage.Approval{})), flagstage.Start{Approvals: flagstage.ApprovalSettings{MinNumApprovals: 2}})
	require.NoError(t, r.review(1, flagstage.ReviewApprove, bob, 0, 0))
	require.NoError(t, r.review(2, flagstage.ReviewApprove, bob, 0, 0), "nobody counts twice")
	require.NoError(t, r.review(3, flagstage.ReviewComment, bob, 0, 0), "comments take nothing back")
	require.Equal(t, flagstage.StatusActive, r.Status())
	require.NoError(t, r.review(4, flagstage.ReviewApprove, carol, 0, 0))
	require.Equal(t, flagstage.StatusCompleted, r.Status())
	require.Equal(t, after(4), r.StoppedAt())
}

// TestTwoFuturesOfOneWorkflow go on from the same state, one after the other.
func TestTwoFuturesOfOneWorkflow(t *testing.T) {
	plan := planOf(t, stage(flagstage.Approval{}))
	settings := flagstage.ApprovalSettings{MinNumApprovals: 3, CanApplyDeclinedChanges: true}
	r := begin(t, plan, flagstage.Start{Approvals: settings}).approve(1, 0, 0)
	require.NoError(t, r.review(1, flagstage.ReviewApprove, carol, 0, 0))
	other := &run{t: t, Workflow: r.Workflow}
	require.NoError(t, other.review(2, flagstage.ReviewDecline, bob, 0, 0))
	require.NoError(t, r.review(3, flagstage.ReviewApprove, flagstage.Actor{MemberID: "dave"}, 0, 0))
	require.Equal(t, flagstage.StatusCompleted, r.Status(), "bob declined in another future")

	stages := make([]flagstage.Stage, 6)
	for i := range stages {
		stages[i] = stage(hours(1), hours(2))
	}
	r = begin(t, planOf(t, stages...), flagstage.Start{}).skip(0, 0).skip(0, 1).skip(0, 2)
	other = &run{t: t, Workflow: r.Workflow}
	r.advance(1).skip(1, 3)
	other.skip(0, 3)
	require.Equal(t, flagstage.StatusCompleted, r.ConditionStatus(3, 0), "it was skipped before that in another future")
}

func TestOneDeclineFailsTheRelease(t *testing.T) {
	r := begin(t, planOf(t, stage(flagstage.Approval{}, hours(9)), stage()), flagstage.Start{})
	require.NoError(t, r.review(1, flagstage.ReviewDecline, bob, 0, 0))
	require.Equal(t, flagstage.StatusFailed, r.Status())
	require.Equal(t, flagstage.StatusFailed, r.StageStatus(0))
	require.Equal(t, flagstage.StatusFailed, r.ConditionStatus(0, 0))
	require.Equal(t, flagstage.StatusCancelled, r.ConditionStatus(0, 1))
	require.Equal(t, flagstage.StatusPending, r.StageStatus(1))
	last := r.events[len(r.events)-1]
	require.Equal(t, flagstage.EventWorkflowFailed, last.Kind)
	require.Equal(t, flagstage.ReasonDeclined, last.Reason)
	require.Equal(t, bob, last.Actor)
	n := len(r.events)
	r.advance(100)
	require.Len(t, r.events, n, "nothing happens after the end")
}

func TestDeclinedChangesMayBeApplied(t *testing.T) {
	settings := flagstage.ApprovalSettings{CanApplyDeclinedChanges: true, MinNumApprovals: 2}
	r := begin(t, planOf(t, stage(flagstage.Approval{})), flagstage.Start{Approvals: settings})
	require.NoError(t, r.review(1, flagstage.ReviewApprove, bob, 0, 0))
	require.NoError(t, r.review(1, flagstage.ReviewDecline, bob, 0, 0), "the latest verdict counts")
	require.NoError(t, r.review(1, flagstage.ReviewApprove, carol, 0, 0))
	require.Equal(t, flagstage.StatusActive, r.Status())
	require.NoError(t, r.review(2, flagstage.ReviewApprove, bob, 0, 0))
	require.Equal(t, flagstage.StatusCompleted, r.Status())
}

func TestApprovalsExpire(t *testing.T) {
	settings := flagstage.ApprovalSettings{ExpiresAfter: 4 * time.Hour}
	r := begin(t, planOf(t, stage(flagstage.Approval{})), flagstage.Start{Approvals: settings})
	wake, ok := r.Wake()
	require.True(t, ok)
	require.Equal(t, after(4), wake)
	err := r.review(4, flagstage.ReviewApprove, bob, 0, 0)
	require.ErrorIs(t, err, flagstage.ErrInvalidRequest, "an expiry at the instant of a review wins")
	require.Equal(t, flagstage.StatusActive, r.Status(), "a refused review changes nothing")
	r.advance(5)
	require.Equal(t, flagstage.StatusFailed, r.Status())
	require.Equal(t, []float64{4}, r.dues(flagstage.EventConditionFailed))
	require.Equal(t, flagstage.ReasonExpired, r.events[len(r.events)-1].Reason)
}

func TestOwnRequestsAreReviewedByOthers(t *testing.T) {
	plan := planOf(t, stage(flagstage.Approval{}))
	r := begin(t, plan, flagstage.Start{MaintainerID: "bob"})
	require.ErrorIs(t, r.review(1, flagstage.ReviewApprove, alice, 0, 0), flagstage.ErrForbidden)
	require.ErrorIs(t, r.review(1, flagstage.ReviewDecline, bob, 0, 0), flagstage.ErrForbidden)
	require.NoError(t, r.review(1, flagstage.ReviewComment, alice, 0, 0))
	require.NoError(t, r.review(1, flagstage.ReviewApprove, carol, 0, 0))
	require.Equal(t, flagstage.StatusCompleted, r.Status())

	r = begin(t, plan, flagstage.Start{Approvals: flagstage.ApprovalSettings{CanReviewOwnRequest: true}})
	require.NoError(t, r.review(1, flagstage.ReviewApprove, alice, 0, 0))
	require.Equal(t, flagstage.StatusCompleted, r.Status())
}

func TestReviewsThatAreRefused(t *testing.T) {
	plan := planOf(t, inSequence(stage(hours(1), flagstage.Approval{})), stage(flagstage.Approval{}))
	for _, c := range []struct {
		name   string
		review flagstage.Review
		want   error
	}{
		{"nobody", flagstage.Review{Condition: 1, Kind: flagstage.ReviewApprove}, flagstage.ErrUnauthorized},
		{"no such stage", flagstage.Review{Stage: 7, Kind: flagstage.ReviewApprove, Actor: bob}, flagstage.ErrNotFound},
		{"negative", flagstage.Review{Stage: -1, Condition: -1, Kind: flagstage.ReviewApprove, Actor: bob}, flagstage.ErrNotFound},
		{"a schedule", flagstage.Review{Kind: flagstage.ReviewApprove, Actor: bob}, flagstage.ErrNotFound},
		{"no kind", flagstage.Review{Condition: 1, Actor: bob}, flagstage.ErrInvalidRequest},
		{"not yet open", flagstage.Review{Condition: 1, Kind: flagstage.ReviewApprove, Actor: bob}, flagstage.ErrInvalidRequest},
		{"later stage", flagstage.Review{Stage: 1, Kind: flagstage.ReviewApprove, Actor: bob}, flagstage.ErrInvalidRequest},
		{"comment not UTF-8", flagstage.Review{Condition: 1, Kind: flagstage.ReviewComment, Actor: bob, Comment: "\xff"}, flagstage.ErrInvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, plan, flagstage.Start{})
			w, events, err := r.Review(c.review, start)
			require.ErrorIs(t, err, c.want)
			require.Empty(t, events)
			require.Equal(t, r.Workflow, w)
		})
	}
}

func TestStartsThatAreRefused(t *testing.T) {
	plan := planOf(t, stage())
	good := flagstage.Start{At: start, Actor: alice}
	for _, c := range []struct {
		name   string
		plan   flagstage.Plan
		change func(*flagstage.Start)
		want   error
	}{
		{"no plan", flagstage.Plan{}, func(*flagstage.Start) {}, flagstage.ErrInvalidRequest},
		{"no instant", plan, func(s *flagstage.Start) { s.At = time.Time{} }, flagstage.ErrInvalidRequest},
		{"nobody", plan, func(s *flagstage.Start) { s.Actor = flagstage.Actor{} }, flagstage.ErrUnauthorized},
		{"six approvals", plan, func(s *flagstage.Start) { s.Approvals.MinNumApprovals = 6 }, flagstage.ErrInvalidRequest},
		{"negative approvals", plan, func(s *flagstage.Start) { s.Approvals.MinNumApprovals = -1 }, flagstage.ErrInvalidRequest},
		{"negative expiry", plan, func(s *flagstage.Start) { s.Approvals.ExpiresAfter = -1 }, flagstage.ErrInvalidRequest},
		{"maintainer not UTF-8", plan, func(s *flagstage.Start) { s.MaintainerID = "\xff" }, flagstage.ErrInvalidRequest},
		{"negative lateness", plan, func(s *flagstage.Start) { s.Lateness = -2 }, flagstage.ErrInvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := good
			c.change(&s)
			w, events, err := flagstage.StartWorkflow(c.plan, s)
			require.ErrorIs(t, err, c.want)
			require.Empty(t, events)
			require.Equal(t, flagstage.Workflow{}, w)
			_, err = flagstage.Replay(c.plan, s, nil)
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestAWaitBeyondAllYearsFailsTheRelease(t *testing.T) {
	plan := planOf(t, stage(flagstage.ScheduleAfter(7000, calendar.Week)), stage(flagstage.ScheduleAfter(400000, calendar.Week)))
	r := begin(t, plan, flagstage.Start{})
	w, events := r.Advance(at("9990-01-01T00:00:00Z"))
	require.Equal(t, flagstage.StatusFailed, w.Status())
	last := events[len(events)-1]
	require.Equal(t, flagstage.ReasonOutOfRange, last.Reason)
	require.Equal(t, flagstage.StatusFailed, w.ConditionStatus(1, 0))
}

func TestLateTicks(t *testing.T) {
	plan := planOf(t, stage(hours(2)), stage(hours(3)))
	for _, c := range []struct {
		name     string
		lateness time.Duration
		tick     float64
		want     float64 // when the second stage is due
	}{
		{"on time", 0, 2, 5},
		{"a little late counts as on time", 0, 2.9, 5},
		{"an hour late still does", 0, 3, 5},
		{"later does not", 0, 3.1, 6.1},
		{"no lateness at all", flagstage.NoLateness, 2.1, 5.1},
		{"unlimited", math.MaxInt64, 1000, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, plan, flagstage.Start{Lateness: c.lateness}).advance(c.tick)
			if c.want > c.tick {
				wake, ok := r.Wake()
				require.True(t, ok)
				require.InDelta(t, c.want, wake.Sub(start).Hours(), 1e-9)
			} else {
				require.Equal(t, []float64{2, c.want}, r.dues(flagstage.EventActionApplied))
			}
		})
	}
}

func TestAnEarlierInstantCountsAsTheLastOne(t *testing.T) {
	r := begin(t, planOf(t, stage(hours(2)), stage(flagstage.Approval{})), flagstage.Start{}).advance(2)
	require.NoError(t, r.review(-1000, flagstage.ReviewApprove, bob, 1, 0))
	require.Equal(t, after(2), r.StoppedAt())
}

func TestInstantsBeyondAllYearsAreTheLastOne(t *testing.T) {
	settings := flagstage.ApprovalSettings{ExpiresAfter: math.MaxInt64}
	r := begin(t, planOf(t, stage(hours(1)), stage(flagstage.Approval{})), flagstage.Start{At: at("9990-01-01T00:00:00Z"), Approvals: settings, Lateness: math.MaxInt64})
	w, events := r.Advance(time.Unix(1<<60, 0))
	require.NotEmpty(t, events)
	require.Equal(t, 9999, events[0].At.Year())
	require.True(t, w.Gates()[0].Until.IsZero(), "an approval that expires beyond all years does not")
}

func TestTheZeroWorkflowDoesNothing(t *testing.T) {
	var zero flagstage.Workflow
	w, events := zero.Advance(start)
	require.Equal(t, zero, w)
	require.Empty(t, events)
	_, _, err := zero.Review(flagstage.Review{Kind: flagstage.ReviewApprove, Actor: bob}, start)
	require.ErrorIs(t, err, flagstage.ErrNotFound)
	_, ok := zero.Wake()
	require.False(t, ok)
	require.Empty(t, zero.Status())
	require.Empty(t, zero.StageStatus(0))
	require.Empty(t, zero.Gates())
}

func TestPreviewIsWhatStartAdvanceAndReviewGive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, s := anyPlan(t), anyStart(t)
		s.Actor = rapid.SampledFrom([]flagstage.Actor{alice, {MemberID: "reviewer-1"}}).Draw(t, "starter")
		s.MaintainerID = rapid.SampledFrom([]string{"", "reviewer-2"}).Draw(t, "maintainer")
		kind := rapid.SampledFrom([]flagstage.ReviewKind{flagstage.ReviewApprove, flagstage.ReviewDecline}).Draw(t, "answer")
		delay := time.Duration(rapid.Int64Range(-10, 100).Draw(t, "delay")) * time.Hour
		horizon := start.Add(5000 * time.Hour)
		previewed, events, err := plan.Preview(s, flagstage.Future{Horizon: horizon, Answer: func(_, _ int, asked time.Time) (flagstage.ReviewKind, time.Time) {
			return kind, asked.Add(delay)
		}})
		require.NoError(t, err)

		r := begin(t, plan, s)
		r.deliver(start)
		for len(r.events) < len(events) {
			before, next := len(r.events), events[len(r.events)]
			if next.Kind == flagstage.EventReviewed {
				require.NoError(t, r.take(r.Review(flagstage.Review{
					Stage: next.Stage, Condition: next.Condition, Kind: next.Review, Actor: next.Actor,
				}, next.At)))
			}
			r.deliver(next.At)
			require.Greater(t, len(r.events), before)
		}
		require.Equal(t, events, r.events)
		require.Equal(t, dump(previewed), dump(r.Workflow))
		if !s.Deliver {
			require.Equal(t, previewed, r.Workflow)
		}
	})
}

func TestAnswersToSeveralApprovalsComeInOrder(t *testing.T) {
	plan := planOf(t, stage(flagstage.Approval{}, flagstage.Approval{}))
	_, events, err := plan.Preview(flagstage.Start{At: start, Actor: alice}, flagstage.Future{
		Answer: func(_, condition int, _ time.Time) (flagstage.ReviewKind, time.Time) {
			return flagstage.ReviewApprove, after(float64(-1 - condition)) // both are past
		},
	})
	require.NoError(t, err)
	require.Equal(t, "/stages/0/conditions/0", events[4].Pointer())
}
