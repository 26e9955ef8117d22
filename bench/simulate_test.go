package bench

import (
	"fmt"
	"io"
	"log/slog"
	"sort"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/simulate"
)

// The release that both simulate: ten stages, each of which waits two days;
// two of them then ask for an approval, which comes four hours later.
const (
	stages = 10
	wait   = 48 * time.Hour
	delay  = 4 * time.Hour
)

func needsApproval(stage int) bool { return stage == 3 || stage == 7 }

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// step is one line of the report that both make.
type step struct {
	stage int
	what  string
	at    time.Time
}

// template returns the release as a template.
func template(tb testing.TB) flagstage.Template {
	input := flagstage.TemplateInput{
		Key:    "bench",
		Origin: flagstage.Origin{ProjectKey: "p", EnvironmentKey: "e", FlagKey: "f"},
	}
	for i := range stages {
		stage := flagstage.Stage{
			Name:                        fmt.Sprint("stage ", i),
			ExecuteConditionsInSequence: true,
			Conditions:                  []flagstage.Condition{flagstage.ScheduleAfter(2, calendar.Day)},
			Action:                      flagstage.Patch(flags.TurnFlagOn()),
		}
		if needsApproval(i) {
			stage.Conditions = append(stage.Conditions, flagstage.Approval{Description: "go on?"})
		}
		input.Stages = append(input.Stages, stage)
	}
	t, problems := flagstage.NewTemplate(input, flagstage.Creation{
		Now: start, IDs: flagstage.SeededIDs(1), Actor: flagstage.Actor{MemberID: "bench"},
	})
	require.NoError(tb, problems.Err())
	return t
}

// ours simulates with flagstage and reports.
func ours(tb testing.TB, t flagstage.Template, report []step) []step {
	timeline, err := simulate.Run(t, simulate.Scenario{Start: start, Otherwise: simulate.ApprovedAfter(delay)})
	require.NoError(tb, err)
	for _, e := range timeline.Events {
		switch e.Kind {
		case flagstage.EventApprovalRequested:
			report = append(report, step{e.Stage, "asked", e.Due})
		case flagstage.EventActionApplied:
			report = append(report, step{e.Stage, "applied", e.Due})
		}
	}
	return report
}

// theirs simulates with the test environment of Temporal, which skips time,
// and reports.
func theirs(tb testing.TB, suite *testsuite.WorkflowTestSuite, report []step) []step {
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(start)
	release := func(ctx workflow.Context) error {
		for i := range stages {
			if err := workflow.Sleep(ctx, wait); err != nil {
				return err
			}
			if needsApproval(i) {
				report = append(report, step{i, "asked", workflow.Now(ctx)})
				env.RegisterDelayedCallback(func() { env.SignalWorkflow("approve", nil) }, delay)
				workflow.GetSignalChannel(ctx, "approve").Receive(ctx, nil)
			}
			report = append(report, step{i, "applied", workflow.Now(ctx)})
		}
		return nil
	}
	env.RegisterWorkflow(release)
	env.ExecuteWorkflow(release)
	require.True(tb, env.IsWorkflowCompleted())
	require.NoError(tb, env.GetWorkflowError())
	return report
}

func newSuite() *testsuite.WorkflowTestSuite {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))))
	return &suite
}

// TestSameRelease shows that what is compared is the same: both report the
// same steps at the same instants.
func TestSameRelease(t *testing.T) {
	want := theirs(t, newSuite(), nil)
	got := ours(t, template(t), nil)
	require.Len(t, got, stages+2)
	require.Len(t, want, len(got))
	for i := range got {
		require.Equal(t, want[i].stage, got[i].stage)
		require.Equal(t, want[i].what, got[i].what)
		require.True(t, want[i].at.Equal(got[i].at), "%v: %v, %v", got[i], want[i].at, got[i].at)
	}
}

// atLeast is how many times faster than Temporal's test environment a
// simulation must be.
const atLeast = 50

// BenchmarkSimulate compares a whole simulation with its report, in blocks of
// both in turn, and fails if the median ratio falls below what is promised.
// The metrics are the median nanoseconds for a stage of each, and the ratio.
func BenchmarkSimulate(b *testing.B) {
	live := make([]byte, 64<<20) // as in a host program
	t, suite := template(b), newSuite()
	var report []step
	slice := func(f func()) float64 {
		n, begin := 0, time.Now()
		for time.Since(begin) < 15*time.Millisecond {
			f()
			n++
		}
		return float64(time.Since(begin)) / float64(n*stages)
	}
	var a, c, ratios []float64
	for b.Loop() {
		mine := slice(func() { report = ours(b, t, report[:0]) })
		other := slice(func() { report = theirs(b, suite, report[:0]) })
		a, c, ratios = append(a, mine), append(c, other), append(ratios, other/mine)
	}
	live[0]++
	b.ReportMetric(median(a), "ns/stage")
	b.ReportMetric(median(c), "temporal-ns/stage")
	b.ReportMetric(median(ratios), "x-faster")
	if len(ratios) >= 6 && median(ratios) < atLeast {
		b.Errorf("simulating is %.0f times as fast as Temporal's test environment, must be at least %d", median(ratios), atLeast)
	}
}

func median(list []float64) float64 {
	sort.Float64s(list)
	return list[len(list)/2]
}
