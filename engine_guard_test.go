package flagstage_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// releaseCalls are calls of every kind that concern workflows and flags, in the
// world of prepared, and what a guard is asked in each.
func releaseCalls(t *testing.T) []struct {
	name string
	call func(w *world) error
	asks []flagstage.Request
} {
	segment, problems := flags.DecodeSegment([]byte(`{"key":"s"}`))
	require.NoError(t, problems.Err())
	f := flagstage.Origin{ProjectKey: theTarget.ProjectKey, FlagKey: theTarget.FlagKey}
	asked := func(actor flagstage.Actor, verb flagstage.Verb, id string, more ...flagstage.Verb) []flagstage.Request {
		list := []flagstage.Request{
			{Actor: actor, Verb: verb, WorkflowID: id},
			{Actor: actor, Verb: verb, WorkflowID: id, Target: theTarget, Again: true},
		}
		for _, verb := range more {
			list = append(list, flagstage.Request{Actor: actor, Verb: verb, WorkflowID: id, Target: theTarget, Again: true})
		}
		return list
	}
	one := func(r flagstage.Request) []flagstage.Request { return []flagstage.Request{r} }
	return []struct {
		name string
		call func(w *world) error
		asks []flagstage.Request
	}{
		{"start", func(w *world) error {
			_, err := w.StartWorkflow(w.Context(), alice, releaseOf("new", turnsOff()))
			return err
		}, one(flagstage.Request{Actor: alice, Verb: flagstage.VerbStartWorkflow, WorkflowID: "new", Target: theTarget})},
		{"start with an id that is taken", func(w *world) error {
			_, err := w.StartWorkflow(w.Context(), alice, releaseOf("w", turnsOff()))
			return err
		}, one(flagstage.Request{Actor: alice, Verb: flagstage.VerbStartWorkflow, WorkflowID: "w", Target: theTarget})},
		{"start of a bad request", func(w *world) error {
			_, err := w.StartWorkflow(w.Context(), alice, flagstage.WorkflowInput{TemplateKey: "k", Target: theTarget})
			return err
		}, one(flagstage.Request{Actor: alice, Verb: flagstage.VerbStartWorkflow, TemplateKey: "k", Target: theTarget})},
		{"start of a document", func(w *world) error {
			_, err := w.StartWorkflowJSON(w.Context(), alice, []byte(`{"name":"n","templateKey":"k"}`), flagstage.WorkflowInput{ID: "new", Target: theTarget})
			return err
		}, []flagstage.Request{
			{Actor: alice, Verb: flagstage.VerbStartWorkflow, WorkflowID: "new", Target: theTarget},
			{Actor: alice, Verb: flagstage.VerbStartWorkflow, WorkflowID: "new", TemplateKey: "k", Target: theTarget, Again: true},
		}},
		{"start of a plan", func(w *world) error {
			_, err := w.StartPlan(w.Context(), alice, planOf(w, turnsOff()), flagstage.WorkflowInput{})
			return err
		}, one(flagstage.Request{Actor: alice, Verb: flagstage.VerbStartWorkflow, TemplateKey: planOf(t, turnsOff()).TemplateKey(), Target: planOf(t, turnsOff()).Target()})},
		{"dry run", func(w *world) error {
			_, err := w.DryRunWorkflow(w.Context(), alice, releaseOf("", turnsOff()), flagstage.Future{})
			return err
		}, one(flagstage.Request{Actor: alice, Verb: flagstage.VerbDryRunWorkflow, Target: theTarget})},
		{"read", func(w *world) error { _, err := w.Workflow(w.Context(), bob, "w"); return err }, asked(bob, flagstage.VerbReadWorkflow, "w")},
		{"list", func(w *world) error {
			_, err := w.Workflows(w.Context(), bob, flagstage.WorkflowQuery{Target: theTarget})
			return err
		}, one(flagstage.Request{Actor: bob, Verb: flagstage.VerbListWorkflows, Target: theTarget})},
		{"delete", func(w *world) error { return w.DeleteWorkflow(w.Context(), bob, "w") }, asked(bob, flagstage.VerbDeleteWorkflow, "w")},
		{"review", func(w *world) error {
			_, err := w.Review(w.Context(), bob, "w", flagstage.Review{Stage: 1, Kind: flagstage.ReviewApprove, Actor: alice})
			return err
		}, asked(bob, flagstage.VerbReviewWorkflow, "w")},
		{"pause", func(w *world) error { _, err := w.Pause(w.Context(), bob, "w", ""); return err }, asked(bob, flagstage.VerbPauseWorkflow, "w")},
		{"resume", func(w *world) error { _, err := w.Resume(w.Context(), bob, "p", ""); return err }, asked(bob, flagstage.VerbResumeWorkflow, "p")},
		{"cancel", func(w *world) error { _, err := w.Cancel(w.Context(), bob, "w", "because"); return err }, asked(bob, flagstage.VerbCancelWorkflow, "w")},
		{"skip", func(w *world) error {
			_, err := w.Engine.Skip(w.Context(), bob, "w", flagstage.Skip{Stage: 1, Reason: "because", BypassApproval: true})
			return err
		}, asked(bob, flagstage.VerbSkipStage, "w", flagstage.VerbBypassApproval)},
		{"skip without a bypass", func(w *world) error {
			_, err := w.Engine.Skip(w.Context(), bob, "w", flagstage.Skip{Stage: 1, Reason: "because"})
			return err
		}, asked(bob, flagstage.VerbSkipStage, "w")},
		{"retry", func(w *world) error {
			_, err := w.Retry(w.Context(), bob, "f", flagstage.Retry{Reason: "because"})
			return err
		}, asked(bob, flagstage.VerbRetryStage, "f")},
		{"what does not exist", func(w *world) error { _, err := w.Workflow(w.Context(), bob, "a/../w"); return err },
			one(flagstage.Request{Actor: bob, Verb: flagstage.VerbReadWorkflow, WorkflowID: "a/../w"})},
		{"events", func(w *world) error {
			for _, err := range w.Engine.Events(w.Context(), bob, flagstage.Cursor{}) {
				return err
			}
			return nil
		}, one(flagstage.Request{Actor: bob, Verb: flagstage.VerbReadEvents})},
		{"purge", func(w *world) error { _, err := w.Purge(w.Context(), bob, after(3)); return err }, one(flagstage.Request{Actor: bob, Verb: flagstage.VerbPurge})},
		{"put flag", func(w *world) error {
			_, err := w.PutFlag(w.Context(), bob, "web-shop", w.flag, whatever)
			return err
		}, one(flagstage.Request{Actor: bob, Verb: flagstage.VerbPutFlag, Target: f})},
		{"patch flag", func(w *world) error {
			_, err := w.PatchFlag(w.Context(), bob, "web-shop", "new-checkout", flags.Patch{Environment: "production", Instructions: []flags.Instruction{flags.TurnFlagOn()}}, whatever)
			return err
		}, one(flagstage.Request{Actor: bob, Verb: flagstage.VerbPatchFlag, Target: theTarget})},
		{"read flag", func(w *world) error {
			_, err := w.Engine.Flag(w.Context(), bob, "web-shop", "new-checkout")
			return err
		}, one(flagstage.Request{Actor: bob, Verb: flagstage.VerbReadFlag, Target: f})},
		{"list flags", func(w *world) error { _, err := w.Flags(w.Context(), bob, "web-shop"); return err }, one(flagstage.Request{Actor: bob, Verb: flagstage.VerbListFlags, Target: flagstage.Origin{ProjectKey: "web-shop"}})},
		{"put segment", func(w *world) error { _, err := w.PutSegment(w.Context(), bob, "p", "e", segment, 0); return err },
			one(flagstage.Request{Actor: bob, Verb: flagstage.VerbPutSegment, Target: flagstage.Origin{ProjectKey: "p", EnvironmentKey: "e"}, SegmentKey: "s"})},
		{"read segment", func(w *world) error { _, err := w.Segment(w.Context(), bob, "p", "e", "s"); return err },
			one(flagstage.Request{Actor: bob, Verb: flagstage.VerbReadSegment, Target: flagstage.Origin{ProjectKey: "p", EnvironmentKey: "e"}, SegmentKey: "s"})},
		{"list segments", func(w *world) error { _, err := w.Segments(w.Context(), bob, "p", "e"); return err },
			one(flagstage.Request{Actor: bob, Verb: flagstage.VerbListSegments, Target: flagstage.Origin{ProjectKey: "p", EnvironmentKey: "e"}})},
	}
}

// TestTheGuardOfReleasesIsAskedBeforeAnythingIsRevealed or changed, and who it
// refuses gets its answer and nothing else.
func TestTheGuardOfReleasesIsAskedBeforeAnythingIsRevealed(t *testing.T) {
	for _, c := range releaseCalls(t) {
		t.Run(c.name, func(t *testing.T) {
			store, clock := prepared(t)
			var asked []flagstage.Request
			_ = c.call(worldOn(t, store, clock, flagstage.WithGuard(flagstage.GuardFunc(func(_ context.Context, r flagstage.Request) error {
				asked = append(asked, r)
				return nil
			})))) // whatever comes of it
			require.Equal(t, c.asks, asked)
			for n := range c.asks { // refused when asked for the first time, the second, the third
				for _, panics := range []bool{false, true} {
					store, clock := prepared(t)
					before, asked, refusal := content(t, store), 0, errors.New("no")
					w := worldOn(t, store, clock, flagstage.WithGuard(flagstage.GuardFunc(func(context.Context, flagstage.Request) error {
						if asked++; asked <= n {
							return nil
						}
						if panics {
							panic(refusal)
						}
						return refusal
					})))
					if panics {
						require.PanicsWithValue(t, refusal, func() { _ = c.call(w) })
					} else {
						require.Equal(t, refusal, c.call(w))
					}
					require.Equal(t, n+1, asked)
					require.Equal(t, before, content(t, store))
				}
			}
		})
	}
}

func TestNobodyIsNobody(t *testing.T) {
	store, clock := prepared(t)
	w := worldOn(t, store, clock)
	before, nobody := content(t, store), flagstage.Actor{}
	for _, err := range []error{
		func() error { _, err := w.StartWorkflow(t.Context(), nobody, releaseOf("n", turnsOff())); return err }(),
		func() error { _, err := w.Workflow(t.Context(), nobody, "w"); return err }(),
		func() error { _, err := w.Pause(t.Context(), nobody, "w", ""); return err }(),
		func() error { _, err := w.Purge(t.Context(), nobody, start); return err }(),
		w.DeleteWorkflow(t.Context(), nobody, "w"),
	} {
		require.ErrorIs(t, err, flagstage.ErrUnauthorized)
	}
	require.Equal(t, before, content(t, store))
}

// TestTicksAskNobody since they do what was allowed before.
func TestTicksAskNobody(t *testing.T) {
	store, clock := prepared(t)
	w := worldOn(t, store, clock, flagstage.WithGuard(flagstage.GuardFunc(func(context.Context, flagstage.Request) error {
		return flagstage.ErrForbidden
	})))
	_, ok, err := w.NextDue(t.Context())
	require.NoError(t, err)
	require.True(t, ok)
	report, err := w.Tick(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, report.Applied)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, w.Run(ctx), context.Canceled)
}

// TestTheGuardIsAskedAboutTheWorkflowThatIsThere is about an id that is used for
// another flag while somebody's call is made once more.
func TestTheGuardIsAskedAboutTheWorkflowThatIsThere(t *testing.T) {
	w, store := twoEnvironments(t)
	w.starts("w", turnsOff(hours(1)))
	quick := &interloper{Store: store, before: func() {
		require.NoError(t, w.DeleteWorkflow(context.Background(), alice, "w"))
		input := releaseOf("w", turnsOn(hours(1)))
		input.Target.EnvironmentKey = "test"
		_, err := w.StartWorkflow(context.Background(), alice, input)
		require.NoError(t, err)
	}}
	guard := flagstage.GuardFunc(func(_ context.Context, r flagstage.Request) error {
		if r.Target.EnvironmentKey == "test" {
			return flagstage.ErrForbidden
		}
		return nil
	})
	_, err := worldOn(t, quick, w.clock, flagstage.WithGuard(guard)).Cancel(t.Context(), bob, "w", "because")
	require.ErrorIs(t, err, flagstage.ErrForbidden)
	require.Equal(t, flagstage.StatusActive, w.get("w").Status())
}

// TestCancelledContextsLeaveNothingHalfDone cancels a call's context before each
// call of the store.
func TestCancelledContextsLeaveNothingHalfDone(t *testing.T) {
	for _, c := range changes {
		for point := range 8 {
			store, clock := prepared(t)
			before := content(t, store)
			ctx, cancel := context.WithCancel(t.Context())
			passed := 0
			w := worldOn(cancelled{t, ctx}, &passing{Store: store, pass: func() {
				if passed++; passed == point+1 {
					cancel()
				}
			}}, clock)
			err := c.call(w)
			if changed := err == nil; !changed {
				require.Equal(t, before, content(t, store), "%s, cancelled at %d", c.name, point)
			}
			if ctx.Err() == nil {
				require.NoError(t, err, c.name)
			}
			cancel()
		}
	}
}

// cancelled is a test whose context is another.
type cancelled struct {
	testing.TB
	ctx context.Context
}

func (c cancelled) Context() context.Context { return c.ctx }
