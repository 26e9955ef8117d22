package flagstage_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/storetest"
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

// The variations of the flag.
const (
	newVariation = "7d9b2c34-1e6f-4f0d-9c53-2b7a6f0e4d21"
	oldVariation = "0c5e3a52-94f1-4b0c-8a86-5d1f8a1f6a10"
)

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

// releaseOf asks for a workflow of stages.
func releaseOf(id string, stages ...flagstage.Stage) flagstage.WorkflowInput {
	return flagstage.WorkflowInput{ID: id, Name: "release", Target: theTarget, Stages: stages}
}

func TestBadRequestsStartNothing(t *testing.T) {
	long := strings.Repeat("w", 128)
	for _, c := range []struct {
		name  string
		input flagstage.WorkflowInput
		want  string // "" is no error
	}{
		{"an id of 128 bytes", releaseOf(long, turnsOn()), ""},
		{"an id of 129 bytes", releaseOf(long+"w", turnsOn()), "/_id: the identifier has 129 bytes; at most 128 are allowed"},
		{"an id that is no key", releaseOf("a/b", turnsOn()), "/_id: the key"},
		{"no name", flagstage.WorkflowInput{Target: theTarget, Stages: []flagstage.Stage{turnsOn()}}, "/name: the workflow has no name"},
		{"no stages", releaseOf("w"), "/stages: give the stages"},
		{"a condition that is nil", releaseOf("w", turnsOn(nil)), "/stages/0/conditions/0/kind: "},
		{"an instruction that is none", releaseOf("w", doing(nil, flags.Instruction{})), "/stages/0/action/instructions/0"},
		{"a schedule without a time", releaseOf("w", turnsOn(flagstage.Schedule{})), "/stages/0/conditions/0/scheduleKind: "},
		{"a zone that is none", flagstage.WorkflowInput{Name: "n", Target: theTarget, Stages: []flagstage.Stage{turnsOn()}, Zone: "Nowhere/Land"}, "Nowhere/Land"},
		{"settings of approvals", flagstage.WorkflowInput{Name: "n", Target: theTarget, Stages: []flagstage.Stage{turnsOn()}, Approvals: flagstage.ApprovalSettings{MinNumApprovals: 6}}, "MinNumApprovals is 6"},
		{"a lateness", flagstage.WorkflowInput{Name: "n", Target: theTarget, Stages: []flagstage.Stage{turnsOn()}, Lateness: -2}, "Lateness is -2ns"},
		{"a stage that cannot be applied", releaseOf("w", doing(nil, flags.TurnFlagOn(), flags.UpdateRuleDescription("nowhere", "d"))), "/stages/0/action/instructions/1/ruleId: "},
		{"an unknown host's instruction", releaseOf("w", doing(nil, flags.HostInstruction("acme", flags.Value{}))), "acme"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.StartWorkflow(t.Context(), alice, c.input)
			list, listErr := w.Workflows(t.Context(), alice, flagstage.WorkflowQuery{})
			require.NoError(t, listErr)
			if c.want == "" {
				require.NoError(t, err)
				require.Len(t, list.Items, 1)
				return
			}
			require.Contains(t, []string{"invalid_request", "not_found"}, flagstage.Code(err))
			require.ErrorContains(t, err, c.want)
			require.Empty(t, list.Items)
			_, err = w.DryRunWorkflow(t.Context(), alice, c.input, flagstage.Future{})
			require.ErrorContains(t, err, c.want, "trying it out says the same")
		})
	}
}

func TestAPlanCanRunAgain(t *testing.T) {
	w := newWorld(t)
	first := w.begin(turnsOff(hours(1)))
	again, err := w.StartPlan(t.Context(), alice, first.Plan(), flagstage.WorkflowInput{})
	require.NoError(t, err)
	require.Equal(t, "release", again.Name)
	require.Equal(t, theTarget, again.Target)
	require.Equal(t, first.Plan().Hash(), again.Plan().Hash())
	for says, input := range map[string]flagstage.WorkflowInput{
		"leave Stages and Parameters out": {Stages: []flagstage.Stage{}},
		"is for the flag":                 {Target: flagstage.Origin{ProjectKey: "p", EnvironmentKey: "e", FlagKey: "f"}},
		"at most 128":                     {ID: strings.Repeat("w", 129)},
	} {
		_, err := w.StartPlan(t.Context(), alice, first.Plan(), input)
		require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
		require.ErrorContains(t, err, says)
	}
	_, err = w.StartPlan(t.Context(), alice, flagstage.Plan{}, flagstage.WorkflowInput{Name: "n", Target: theTarget})
	require.ErrorContains(t, err, "the plan is empty")
}

// TestAPlanIsJudgedByWhereAndWhenItRuns is about plans in which nothing was wrong
// when they were made.
func TestAPlanIsJudgedByWhereAndWhenItRuns(t *testing.T) {
	planOf := func(stages ...flagstage.Stage) flagstage.Plan {
		return create(t, flagstage.TemplateInput{Key: "k", Origin: theTarget, Stages: stages}).Plan()
	}
	far := flagstage.NewVirtualClock(time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC))
	host := planOf(doing(nil, flags.HostInstruction("acme", flags.Value{})))
	for _, c := range []struct {
		name    string
		plan    flagstage.Plan
		options []flagstage.Option
		want    string // "": it starts
	}{
		{"a host's instruction", host, nil, "WithHostKinds"},
		{"one that is known", host, []flagstage.Option{flagstage.WithHostKinds("acme")}, ""},
		{"many stages", planOf(turnsOn(), turnsOff()), []flagstage.Option{flagstage.WithLimits(flagstage.Limits{Stages: 1})}, "at most 1"},
		{"a wait", planOf(turnsOn(hours(2))), []flagstage.Option{flagstage.WithClock(far)}, "beyond the year 9999"},
		{"a shorter one", planOf(turnsOn(flagstage.ScheduleAfter(1, calendar.Minute))), []flagstage.Option{flagstage.WithClock(far)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := flagstage.New(storetest.NewModel(), append(c.options, flagstage.WithApplier(&deliveries{}))...)
			require.NoError(t, err)
			s, err := e.StartPlan(t.Context(), alice, c.plan, flagstage.WorkflowInput{Name: "release"})
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, flagstage.StatusActive, s.Status())
				return
			}
			require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestKeysOfTheStoreAreShortEnough starts a workflow with the longest keys there
// can be.
func TestKeysOfTheStoreAreShortEnough(t *testing.T) {
	w := newWorld(t)
	key := strings.Repeat("k", 256)
	document := strings.ReplaceAll(strings.ReplaceAll(string(w.flag.AppendJSON(nil)), `"new-checkout"`, `"`+key+`"`), `"production"`, `"`+key+`"`)
	_, err := w.PutFlag(t.Context(), alice, key, decodedFlag(t, document), flagstage.FlagWrite{})
	require.NoError(t, err)
	input := releaseOf(strings.Repeat("w", 128), turnsOff())
	input.Target = flagstage.Origin{ProjectKey: key, EnvironmentKey: key, FlagKey: key}
	s, err := w.StartWorkflow(t.Context(), alice, input)
	require.NoError(t, err)
	require.Equal(t, flagstage.StatusCompleted, s.Status())
	require.NoError(t, w.DeleteWorkflow(t.Context(), alice, s.ID))
}

func TestADryRunTellsHowItEndsAndStoresNothing(t *testing.T) {
	w := newWorld(t)
	input := flagstage.WorkflowInput{Name: "release", Target: theTarget, Stages: []flagstage.Stage{
		turnsOff(), turnsOn(hours(2), flagstage.Approval{Description: "?"}),
	}}
	answers := func(kind flagstage.ReviewKind) flagstage.DryRun {
		dry, err := w.DryRunWorkflow(t.Context(), alice, input, flagstage.Future{
			Answer: func(_, _ int, asked time.Time) (flagstage.ReviewKind, time.Time) {
				return kind, asked.Add(3 * time.Hour)
			},
		})
		require.NoError(t, err)
		return dry
	}
	approved := answers(flagstage.ReviewApprove)
	require.Equal(t, flagstage.StatusCompleted, approved.Workflow.Status())
	require.Equal(t, after(3), approved.Workflow.StoppedAt())
	require.Equal(t, approved.Workflow.Version(), approved.Events[len(approved.Events)-1].Number)

	require.Equal(t, flagstage.StatusFailed, answers(flagstage.ReviewDecline).Workflow.Status())

	waiting := answers(flagstage.ReviewComment).Workflow
	require.Equal(t, flagstage.StatusActive, waiting.Status())
	require.Equal(t, []flagstage.Gate{{Stage: 1, Condition: 1, Kind: flagstage.KindApproval, Since: start}}, waiting.Gates())

	list, err := w.Workflows(t.Context(), alice, flagstage.WorkflowQuery{})
	require.NoError(t, err)
	require.Empty(t, list.Items)
	require.True(t, w.environment().On())
}

func TestAFlagThatIsDeletedIsNotReleased(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.patches("new-checkout", "", flagstage.FlagWrite{}, flags.DeleteFlag()))
	_, err := w.StartWorkflow(t.Context(), alice, releaseOf("w", turnsOff()))
	require.ErrorIs(t, err, flagstage.ErrNotFound)
	_, err = w.DryRunWorkflow(t.Context(), alice, releaseOf("w", turnsOff()), flagstage.Future{})
	require.ErrorIs(t, err, flagstage.ErrNotFound)
	_, err = w.StartWorkflow(t.Context(), alice, releaseOf("w", doing(nil)))
	require.ErrorIs(t, err, flagstage.ErrNotFound, "also by a stage that changes nothing")
	_, err = w.Workflow(t.Context(), alice, "w")
	require.ErrorIs(t, err, flagstage.ErrNotFound)
}

// TestADryRunOfAFlagThatIsKeptElsewhere succeeds as the start does, and tells that
// nothing can be applied to it here.
func TestADryRunOfAFlagThatIsKeptElsewhere(t *testing.T) {
	ctx := t.Context()
	e := memory(t, flagstage.WithFlagSource(&knownFlags{list: []flags.Flag{testFlag(t)}}))
	input := releaseOf("w", turnsOff(hours(1)))
	input.Target.ProjectKey = "shop"
	run, err := e.DryRunWorkflow(ctx, alice, input, flagstage.Future{})
	require.NoError(t, err)
	s, err := e.StartWorkflow(ctx, alice, input)
	require.NoError(t, err)
	s, err = e.Workflow(ctx, alice, s.ID)
	require.NoError(t, err)
	require.Len(t, s.Conflicts, 1)
	require.Len(t, run.Conflicts, 1)
	require.Equal(t, s.Conflicts[0].Message, run.Conflicts[0].Message)
}

func TestAConflictIsToldInASentence(t *testing.T) {
	w := newWorld(t)
	s := w.begin(turnsOff(hours(2)))
	change := func(instructions ...flags.Instruction) error {
		patch := flags.Patch{Environment: theTarget.EnvironmentKey, Instructions: instructions}
		_, err := w.PatchFlag(t.Context(), bob, theTarget.ProjectKey, theTarget.FlagKey, patch, flagstage.FlagWrite{IgnoreConflicts: true})
		return err
	}
	require.NoError(t, change(flags.TurnFlagOff()))
	require.NoError(t, change(flags.TurnFlagOn()))
	require.Empty(t, w.get(s.ID).Conflicts, "it is again what it was")

	s = w.begin(doing([]flagstage.Condition{hours(2)}, flags.UpdateFallthroughVariationOrRollout(flags.ServeVariation(newVariation))))
	require.NoError(t, change(flags.UpdateFallthroughVariationOrRollout(flags.ServeVariation(oldVariation))))
	conflicts := w.get(s.ID).Conflicts
	require.Len(t, conflicts, 1)
	require.Regexp(t, `^instruction 0 would change /environments/production/fallthrough from .+, but bob has changed it`, conflicts[0].Message)
	w.tick(2)
	told := w.get(s.ID).Events()
	require.Contains(t, told, flagstage.Event{
		Number: 5, Kind: flagstage.EventActionFailed, Stage: 0, Condition: flagstage.NoIndex, At: after(2), Due: after(2),
		Reason: flagstage.ReasonConflict, Comment: conflicts[0].Message,
	})
}

func TestDocumentsOfReleasesAreNoLargerThanTheEngineAllows(t *testing.T) {
	document := []byte(`{"name":"n","stages":[{"action":{"instructions":[{"kind":"turnFlagOff"}]}}]}`)
	for limit, fits := range map[int]bool{0: true, len(document): true, len(document) - 1: false} {
		w := newWorld(t, flagstage.WithLimits(flagstage.Limits{DocumentBytes: limit}))
		_, err := w.StartWorkflowJSON(t.Context(), alice, document, flagstage.WorkflowInput{Target: theTarget})
		if fits {
			require.NoError(t, err)
			require.False(t, w.environment().On())
		} else {
			require.ErrorContains(t, err, "at most")
			require.True(t, w.environment().On())
		}
	}
}
