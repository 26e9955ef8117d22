package simulate_test

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/simulate"
	"github.com/flagstage/flagstage/timeline"
)

func at(rfc3339 string) time.Time {
	t, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		panic(err)
	}
	return t
}

var start = at("2026-03-02T09:00:00Z")

func create(t require.TestingT, stages ...flagstage.Stage) flagstage.Template {
	template, problems := flagstage.NewTemplate(flagstage.TemplateInput{
		Key: "k", Stages: stages,
		Origin: flagstage.Origin{ProjectKey: "p", EnvironmentKey: "e", FlagKey: "f"},
	}, flagstage.Creation{Now: start, IDs: flagstage.SeededIDs(1), Actor: flagstage.Actor{MemberID: "alice"}})
	require.Empty(t, problems)
	return template
}

func stage(conditions ...flagstage.Condition) flagstage.Stage {
	return flagstage.Stage{
		ExecuteConditionsInSequence: true, Conditions: conditions, Action: flagstage.Patch(flags.TurnFlagOn()),
	}
}

func day() flagstage.Schedule { return flagstage.ScheduleAfter(1, calendar.Day) }

func simulated(t require.TestingT, source simulate.Source, s simulate.Scenario) timeline.Timeline {
	if s.Start.IsZero() {
		s.Start = start
	}
	result, err := simulate.Run(source, s)
	require.NoError(t, err)
	return result
}

func TestRunStandsWhereItEnds(t *testing.T) {
	template := create(t, stage(day()), stage(day(), flagstage.Approval{}), stage(day()))
	approval := "/stages/1/conditions/1"
	answer := func(a simulate.Answer) map[string]simulate.Answer { return map[string]simulate.Answer{approval: a} }
	for _, c := range []struct {
		name     string
		scenario simulate.Scenario
		status   flagstage.Status
		standing string
	}{
		{
			"the default never answers", simulate.Scenario{},
			flagstage.StatusActive, "waits for approval of stage 2 since Wed 2026-03-04 09:00 +00:00",
		},
		{
			"granted after a delay", simulate.Scenario{Answers: answer(simulate.ApprovedAfter(4 * time.Hour))},
			flagstage.StatusCompleted, "complete on Thu 2026-03-05 13:00 +00:00, 3 days 4 hours after its start",
		},
		{
			"granted when asked for", simulate.Scenario{Otherwise: simulate.ApprovedAfter(0)},
			flagstage.StatusCompleted, "complete on Thu 2026-03-05 09:00 +00:00, 3 days after its start",
		},
		{
			"granted at an instant", simulate.Scenario{Answers: answer(simulate.ApprovedAt(at("2026-03-09T08:30:00Z")))},
			flagstage.StatusCompleted, "complete on Tue 2026-03-10 08:30 +00:00, 7 days 23 hours 30 minutes after its start",
		},
		{
			"granted at an instant before it is asked for", simulate.Scenario{Answers: answer(simulate.ApprovedAt(at("2026-03-03T08:30:00Z")))},
			flagstage.StatusCompleted, "complete on Thu 2026-03-05 09:00 +00:00, 3 days after its start",
		},
		{
			"declined", simulate.Scenario{Answers: answer(simulate.DeclinedAfter(time.Minute))},
			flagstage.StatusFailed, "failed in stage 2 on Wed 2026-03-04 09:01 +00:00: the approval is declined",
		},
		{
			"declined at an instant", simulate.Scenario{Otherwise: simulate.DeclinedAt(at("2026-03-05T00:00:00Z"))},
			flagstage.StatusFailed, "failed in stage 2 on Thu 2026-03-05 00:00 +00:00: the approval is declined",
		},
		{
			"one answer overrides all others", simulate.Scenario{Otherwise: simulate.ApprovedAfter(0), Answers: answer(simulate.Never())},
			flagstage.StatusActive, "waits for approval of stage 2 since Wed 2026-03-04 09:00 +00:00",
		},
		{
			"expired", simulate.Scenario{Approvals: flagstage.ApprovalSettings{ExpiresAfter: time.Hour}},
			flagstage.StatusFailed, "failed in stage 2 on Wed 2026-03-04 10:00 +00:00: the approval expires without enough answers",
		},
		{
			"an expiry at the instant of the answer", simulate.Scenario{
				Otherwise: simulate.ApprovedAfter(time.Hour), Approvals: flagstage.ApprovalSettings{ExpiresAfter: time.Hour},
			},
			flagstage.StatusFailed, "failed in stage 2 on Wed 2026-03-04 10:00 +00:00: the approval expires without enough answers",
		},
		{
			"an answer stands for the whole quorum", simulate.Scenario{
				Otherwise: simulate.ApprovedAfter(0), Approvals: flagstage.ApprovalSettings{MinNumApprovals: 5},
			},
			flagstage.StatusCompleted, "complete on Thu 2026-03-05 09:00 +00:00, 3 days after its start",
		},
		{
			"a decline that does not count", simulate.Scenario{
				Otherwise: simulate.DeclinedAfter(0), Approvals: flagstage.ApprovalSettings{CanApplyDeclinedChanges: true},
			},
			flagstage.StatusActive, "waits for approval of stage 2 since Wed 2026-03-04 09:00 +00:00",
		},
		{
			"an answer beyond all years", simulate.Scenario{Otherwise: simulate.ApprovedAfter(math.MaxInt64), Start: at("9900-03-01T09:00:00Z")},
			flagstage.StatusActive, "waits for approval of stage 2 since Sat 9900-03-03 09:00 +00:00",
		},
		{
			"a horizon", simulate.Scenario{Otherwise: simulate.ApprovedAfter(time.Hour), Horizon: at("2026-03-04T09:59:59.999Z")},
			flagstage.StatusActive, "waits for approval of stage 2 since Wed 2026-03-04 09:00 +00:00",
		},
		{
			"a horizon at the last instant", simulate.Scenario{Otherwise: simulate.ApprovedAfter(0), Horizon: at("2026-03-05T09:00:00Z")},
			flagstage.StatusCompleted, "complete on Thu 2026-03-05 09:00 +00:00, 3 days after its start",
		},
		{
			"a horizon before the second stage", simulate.Scenario{Horizon: at("2026-03-03T10:00:00Z")},
			flagstage.StatusActive, "waits for the schedule of stage 2 since Tue 2026-03-03 09:00 +00:00, until Wed 2026-03-04 09:00 +00:00",
		},
		{
			"a zone", simulate.Scenario{Zone: "America/New_York", Start: at("2026-03-06T09:00:00-05:00"), Otherwise: simulate.ApprovedAfter(0)},
			flagstage.StatusCompleted, "complete on Mon 2026-03-09 09:00 -04:00, 2 days 23 hours after its start",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, source := range []simulate.Source{template, template.Plan()} {
				result := simulated(t, source, c.scenario)
				require.Equal(t, c.status, result.End.Status)
				require.Equal(t, c.standing, result.Standing())
			}
		})
	}
}

func TestAnswersAreGiven(t *testing.T) {
	asked, friday := at("2026-03-04T09:00:00Z"), at("2026-03-06T12:00:00Z")
	for _, c := range []struct {
		answer simulate.Answer
		kind   flagstage.ReviewKind
		at     time.Time
	}{
		{simulate.Never(), "", asked},
		{simulate.ApprovedAfter(time.Hour), flagstage.ReviewApprove, asked.Add(time.Hour)},
		{simulate.DeclinedAfter(0), flagstage.ReviewDecline, asked},
		{simulate.ApprovedAt(friday), flagstage.ReviewApprove, friday},
		{simulate.DeclinedAt(friday), flagstage.ReviewDecline, friday},
	} {
		kind, when := c.answer.Given(asked)
		require.Equal(t, c.kind, kind, c.answer)
		require.Equal(t, c.at, when, c.answer)
	}
}

func TestRunSaysWhatItAssumes(t *testing.T) {
	template := create(t, stage(flagstage.Approval{}), stage(flagstage.Approval{}))
	one := map[string]simulate.Answer{"/stages/1/conditions/0": simulate.ApprovedAt(start)}
	for _, c := range []struct {
		scenario simulate.Scenario
		want     []string
	}{
		{simulate.Scenario{}, []string{"Assumed: every approval stays unanswered."}},
		{simulate.Scenario{Otherwise: simulate.ApprovedAfter(0)}, []string{"Assumed: every approval is granted as soon as it is asked for."}},
		{simulate.Scenario{Otherwise: simulate.DeclinedAfter(time.Hour), Answers: one}, []string{
			"Assumed: the approval at /stages/1/conditions/0 is granted at 2026-03-02T09:00:00Z.",
			"Assumed: every other approval is declined 1h after it is asked for.",
		}},
	} {
		require.Equal(t, c.want, simulated(t, template, c.scenario).Assumptions)
	}
	require.Empty(t, simulated(t, create(t, stage(day())), simulate.Scenario{}).Assumptions)
}

func TestScenariosThatAreRefused(t *testing.T) {
	template := create(t, stage(flagstage.Approval{}))
	for _, c := range []struct {
		name     string
		source   simulate.Source
		scenario simulate.Scenario
		want     error
		says     string
	}{
		{"no source", nil, simulate.Scenario{Start: start}, flagstage.ErrInvalidRequest, "no source"},
		{"nil template", (*flagstage.Template)(nil), simulate.Scenario{Start: start}, flagstage.ErrInvalidRequest, "no source"},
		{"nil plan", (*flagstage.Plan)(nil), simulate.Scenario{Start: start}, flagstage.ErrInvalidRequest, "no source"},
		{"instant in the year 10000", template, simulate.Scenario{Start: start, Otherwise: simulate.ApprovedAt(at("9999-12-31T23:59:59-12:00"))}, flagstage.ErrInvalidRequest, "9999"},
		{"zero template", flagstage.Template{}, simulate.Scenario{Start: start}, flagstage.ErrInvalidRequest, "the plan is empty"},
		{"no start", template, simulate.Scenario{}, flagstage.ErrInvalidRequest, "the start must be"},
		{"unknown zone", template, simulate.Scenario{Start: start, Zone: "Europe/Atlantis"}, calendar.ErrZone, "Europe/Atlantis"},
		{"local zone", template, simulate.Scenario{Start: start, Zone: "Local"}, calendar.ErrZone, "Local"},
		{"horizon before start", template, simulate.Scenario{Start: start, Horizon: start.Add(-1)}, flagstage.ErrInvalidRequest, "Horizon"},
		{"negative delay", template, simulate.Scenario{Start: start, Otherwise: simulate.ApprovedAfter(-1)}, flagstage.ErrInvalidRequest, "negative"},
		{"no instant", template, simulate.Scenario{Start: start, Otherwise: simulate.DeclinedAt(time.Time{})}, flagstage.ErrInvalidRequest, "1970"},
		{"answer to nothing", template, simulate.Scenario{Start: start, Answers: map[string]simulate.Answer{"/stages/0": {}}}, flagstage.ErrInvalidRequest, "/stages/0"},
		{"bad answer", template, simulate.Scenario{Start: start, Answers: map[string]simulate.Answer{"/stages/0/conditions/0": simulate.DeclinedAfter(-1)}}, flagstage.ErrInvalidRequest, "negative"},
		{"bad settings", template, simulate.Scenario{Start: start, Approvals: flagstage.ApprovalSettings{MinNumApprovals: 6}}, flagstage.ErrInvalidRequest, "MinNumApprovals"},
	} {
		t.Run(c.name, func(t *testing.T) {
			result, err := simulate.Run(c.source, c.scenario)
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, "invalid_request", flagstage.Code(err))
			require.True(t, strings.HasPrefix(err.Error(), "simulate: invalid_request: "), err)
			require.Empty(t, result.Events)
		})
	}
}

// anyTemplate draws a release of waits in hours and approvals.
func anyTemplate(t *rapid.T) flagstage.Template {
	var stages []flagstage.Stage
	for range rapid.IntRange(1, 6).Draw(t, "stages") {
		s := stage()
		s.ExecuteConditionsInSequence = rapid.Bool().Draw(t, "sequence")
		for range rapid.IntRange(0, 4).Draw(t, "conditions") {
			if rapid.Bool().Draw(t, "approval") {
				s.Conditions = append(s.Conditions, flagstage.Approval{})
			} else {
				s.Conditions = append(s.Conditions, flagstage.ScheduleAfter(rapid.Int64Range(0, 100).Draw(t, "wait"), calendar.Hour))
			}
		}
		stages = append(stages, s)
	}
	return create(t, stages...)
}

func anyAnswer(t *rapid.T) simulate.Answer {
	delay := time.Duration(rapid.Int64Range(0, 80).Draw(t, "delay")) * time.Hour
	return rapid.SampledFrom([]simulate.Answer{
		simulate.Never(), simulate.ApprovedAfter(delay), simulate.ApprovedAfter(delay), simulate.DeclinedAfter(delay),
	}).Draw(t, "answer")
}

func TestShiftingTheStartShiftsTheTimeline(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		template, answer := anyTemplate(t), anyAnswer(t)
		shift := time.Duration(rapid.Int64Range(-1e6, 1e6).Draw(t, "shift")) * time.Second
		one := simulated(t, template, simulate.Scenario{Otherwise: answer})
		two := simulated(t, template, simulate.Scenario{Otherwise: answer, Start: start.Add(shift)})
		require.Len(t, two.Events, len(one.Events))
		for i, e := range one.Events {
			e.At, e.Due = e.At.Add(shift), e.Due.Add(shift)
			if !e.Until.IsZero() {
				e.Until = e.Until.Add(shift)
			}
			require.Equal(t, e, two.Events[i])
		}
		require.Equal(t, one.End.At.Add(shift), two.End.At)
	})
}

func TestRemovingAGateNeverMakesCompletionLater(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		template, delay := anyTemplate(t), time.Duration(rapid.Int64Range(0, 80).Draw(t, "delay"))*time.Hour
		scenario := simulate.Scenario{Otherwise: simulate.ApprovedAfter(delay)}
		before := simulated(t, template, scenario)
		require.Equal(t, flagstage.StatusCompleted, before.End.Status)
		stages := template.Stages()
		i := rapid.IntRange(0, len(stages)-1).Draw(t, "stage")
		if len(stages[i].Conditions) == 0 {
			return
		}
		k := rapid.IntRange(0, len(stages[i].Conditions)-1).Draw(t, "condition")
		stages[i].Conditions = append(stages[i].Conditions[:k:k], stages[i].Conditions[k+1:]...)
		require.False(t, simulated(t, create(t, stages...), scenario).End.At.After(before.End.At))
	})
}

func TestTheEventsAreThoseOfAWorkflow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		template := anyTemplate(t)
		scenario := simulate.Scenario{Otherwise: anyAnswer(t), Approvals: flagstage.ApprovalSettings{MinNumApprovals: rapid.IntRange(0, 3).Draw(t, "quorum")}}
		result := simulated(t, template, scenario)
		w, err := flagstage.Replay(template.Plan(), flagstage.Start{
			At: start, Actor: result.Events[0].Actor, Approvals: scenario.Approvals,
		}, result.Events)
		require.NoError(t, err)
		require.Equal(t, result.End.Status, w.Status())
		require.Equal(t, result.End.Gates, w.Gates())
	})
}

func TestAHorizonCutsTheTimeline(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		template, answer := anyTemplate(t), anyAnswer(t)
		horizon := start.Add(time.Duration(rapid.Int64Range(0, 400).Draw(t, "horizon")) * time.Hour)
		whole := simulated(t, template, simulate.Scenario{Otherwise: answer})
		cut := simulated(t, template, simulate.Scenario{Otherwise: answer, Horizon: horizon})
		n := 0
		for n < len(whole.Events) && !whole.Events[n].At.After(horizon) {
			n++
		}
		require.Equal(t, whole.Events[:n], cut.Events)
	})
}

func TestSimulatingIsLinear(t *testing.T) {
	allocations := func(stages int) float64 {
		list := make([]flagstage.Stage, stages)
		for i := range list {
			list[i] = stage(day())
		}
		template := create(t, list...)
		return testing.AllocsPerRun(3, func() { simulated(t, template, simulate.Scenario{}) })
	}
	require.LessOrEqual(t, allocations(400), 15*allocations(40))
}

func TestTimelineOfTheReadme(t *testing.T) {
	document, err := os.ReadFile("../testdata/progressive-rollout.json")
	require.NoError(t, err)
	input, problems := flagstage.ReadTemplate(document)
	require.Empty(t, problems)
	template, problems := flagstage.NewTemplate(input, flagstage.Creation{
		Now: start, IDs: flagstage.SeededIDs(1), Actor: flagstage.Actor{MemberID: "alice"},
	})
	require.Empty(t, problems)
	result := simulated(t, template, simulate.Scenario{
		Start: at("2026-10-20T09:00:00+02:00"), Zone: "Europe/Berlin", Otherwise: simulate.ApprovedAfter(0),
	})
	var applied []string
	for _, e := range result.Events {
		if e.Kind == flagstage.EventActionApplied {
			applied = append(applied, e.At.In(result.Zone).Format(time.RFC3339))
		}
	}
	require.Equal(t, []string{
		"2026-10-20T09:00:00+02:00", "2026-10-21T09:00:00+02:00", "2026-10-24T09:00:00+02:00",
		"2026-10-31T09:00:00+01:00", "2026-11-01T21:00:00+01:00",
	}, applied)
}
