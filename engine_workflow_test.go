package flagstage_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
)

// world is an engine with a clock, a flag and people.
type world struct {
	testing.TB
	*flagstage.Engine
	clock *flagstage.VirtualClock
	flag  flags.Flag
}

// theTarget is the flag of testdata in its environment.
var theTarget = flagstage.Origin{ProjectKey: "web-shop", EnvironmentKey: "production", FlagKey: "new-checkout"}

func testFlag(t testing.TB) flags.Flag {
	document, err := os.ReadFile("testdata/new-checkout.flag.json")
	require.NoError(t, err)
	f, problems := flags.DecodeFlag(document)
	require.NoError(t, problems.Err())
	return f
}

func newWorld(t testing.TB, more ...flagstage.Option) *world {
	clock := flagstage.NewVirtualClock(start)
	e, err := flagstage.NewMemory(append([]flagstage.Option{flagstage.WithClock(clock), flagstage.WithIDs(flagstage.SeededIDs(1))}, more...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	w := &world{TB: t, Engine: e, clock: clock, flag: testFlag(t)}
	_, err = e.PutFlag(t.Context(), alice, theTarget.ProjectKey, w.flag, flagstage.FlagWrite{})
	require.NoError(t, err)
	return w
}

// start starts a workflow of stages.
func (w *world) begin(stages ...flagstage.Stage) flagstage.StoredWorkflow {
	s, err := w.StartWorkflow(w.Context(), alice, flagstage.WorkflowInput{Name: "release", Target: theTarget, Stages: stages})
	require.NoError(w, err)
	return s
}

// tick ticks at a number of hours after the start.
func (w *world) tick(hours float64) flagstage.TickReport {
	w.clock.Set(after(hours))
	report, err := w.Tick(w.Context())
	require.NoError(w, err)
	return report
}

// get returns a workflow.
func (w *world) get(id string) flagstage.StoredWorkflow {
	s, err := w.Workflow(w.Context(), alice, id)
	require.NoError(w, err)
	return s
}

// environment returns the flag as it is in the environment.
func (w *world) environment() flags.Environment {
	f, err := w.Engine.Flag(w.Context(), alice, theTarget.ProjectKey, theTarget.FlagKey)
	require.NoError(w, err)
	e, ok := f.Flag.Environment(theTarget.EnvironmentKey)
	require.True(w, ok)
	return e
}

func doing(conditions []flagstage.Condition, instructions ...flags.Instruction) flagstage.Stage {
	return flagstage.Stage{Conditions: conditions, Action: flagstage.Patch(instructions...)}
}

func turnsOn(conditions ...flagstage.Condition) flagstage.Stage {
	return doing(conditions, flags.TurnFlagOn())
}
func turnsOff(conditions ...flagstage.Condition) flagstage.Stage {
	return doing(conditions, flags.TurnFlagOff())
}

func TestAWorkflowChangesItsFlagStageByStage(t *testing.T) {
	w := newWorld(t)
	before := w.environment().On()
	s := w.begin(turnsOff(), turnsOn(hours(2), flagstage.Approval{Description: "?"}), turnsOff(flagstage.ScheduleAfter(1, calendar.Day)))
	require.True(t, before)
	require.False(t, w.environment().On(), "what is due at once happens at once")
	require.Equal(t, flagstage.StatusActive, s.Status())

	at, ok, err := w.NextDue(t.Context())
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, after(2), at)
	require.Equal(t, 1, w.tick(2).Workflows)
	require.False(t, w.environment().On())

	w.clock.Set(after(3))
	_, err = w.Review(t.Context(), alice, s.ID, flagstage.Review{Stage: 1, Condition: 1, Kind: flagstage.ReviewApprove})
	require.ErrorIs(t, err, flagstage.ErrForbidden)
	reviewed, err := w.Review(t.Context(), bob, s.ID, flagstage.Review{Stage: 1, Condition: 1, Kind: flagstage.ReviewApprove})
	require.NoError(t, err)
	require.Equal(t, flagstage.StatusActive, reviewed.StageStatus(2))
	require.True(t, w.environment().On())

	require.Equal(t, 1, w.tick(27).Applied)
	require.False(t, w.environment().On())
	got := w.get(s.ID)
	require.Equal(t, flagstage.StatusCompleted, got.Status())
	_, ok, err = w.NextDue(t.Context())
	require.NoError(t, err)
	require.False(t, ok)

	replayed, err := flagstage.Replay(got.Plan(), flagstage.Start{At: start, Actor: alice, Deliver: true}, got.Events())
	require.NoError(t, err)
	require.Equal(t, got.Workflow, replayed, "the stored state is that of the events")
	_, previewed, err := got.Plan().Preview(flagstage.Start{At: start, Actor: alice}, flagstage.Future{
		Answer: func(int, int, time.Time) (flagstage.ReviewKind, time.Time) { return flagstage.ReviewApprove, after(3) },
	})
	require.NoError(t, err)
	events := got.Events()
	for i := range events {
		if events[i].Actor == bob {
			events[i].Actor = flagstage.Actor{MemberID: "reviewer-1"}
		}
	}
	require.Equal(t, previewed, events, "the preview tells what happens")
}

func TestAnApplierGetsEachActionInOrder(t *testing.T) {
	var got []flagstage.Delivery
	fail := error(errUnavailable)
	w := newWorld(t, flagstage.WithApplier(flagstage.ApplierFunc(func(_ context.Context, d flagstage.Delivery) error {
		got = append(got, d)
		err := fail
		fail = nil
		return err
	})))
	s := w.begin(turnsOn(), turnsOff(hours(2)))
	require.Empty(t, got, "only a tick calls the applier")
	require.Equal(t, 1, w.tick(0).Failed)
	require.Equal(t, 1, w.tick(0.5).Applied)
	require.Equal(t, 1, w.tick(2).Applied)
	require.Equal(t, flagstage.StatusCompleted, w.get(s.ID).Status())
	require.Len(t, got, 3)
	require.Equal(t, got[0].Key(), got[1].Key())
	require.NotEqual(t, got[1].Key(), got[2].Key())
	for i := range got {
		require.EqualValues(t, i+1, got[i].Number)
	}
}

var errUnavailable = errorString("the flag system is away")

type errorString string

func (e errorString) Error() string { return string(e) }

func TestATemplateIsMadeOfAWorkflow(t *testing.T) {
	w := newWorld(t)
	s := w.begin(turnsOff(), turnsOn(hours(2)))
	made, err := w.CreateTemplate(t.Context(), bob, flagstage.TemplateInput{Key: "copied", WorkflowID: s.ID})
	require.NoError(t, err)
	require.Equal(t, theTarget, made.Origin())
	require.Equal(t, s.Plan().Len(), made.Plan().Len())
	require.NotEqual(t, s.Plan().Stages()[0].ID, made.Stages()[0].ID)
	fromJSON, err := w.CreateTemplateJSON(t.Context(), bob, []byte(`{"key":"copied-2","workflowId":"`+s.ID+`"}`))
	require.NoError(t, err)
	require.Equal(t, 2, fromJSON.Plan().Len())

	_, err = w.CreateTemplateJSON(t.Context(), bob, []byte(`{"key":"k","workflowId":"`+s.ID+`","flagKey":"other"}`))
	require.ErrorContains(t, err, "/flagKey")
	_, err = w.CreateTemplate(t.Context(), bob, flagstage.TemplateInput{Key: "k", WorkflowID: "none"})
	require.ErrorIs(t, err, flagstage.ErrNotFound)
	_, err = w.Template(t.Context(), bob, "k")
	require.ErrorIs(t, err, flagstage.ErrNotFound)
}
