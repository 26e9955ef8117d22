package flagstage_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/storetest"
)

// withTemplate is a world with a template of the flag's: it serves the new variation
// to a context, and to everybody an hour later. Beside the flag there is another one,
// "banner", whose variations are "yes" and "no".
func withTemplate(t *testing.T) (w *world, store flagstage.Store, banner flagstage.Origin, template flagstage.StoredTemplate) {
	w, store = withFlag(t)
	banner = theTarget
	banner.FlagKey = "banner"
	_, err := w.PutFlag(t.Context(), alice, banner.ProjectKey, exampleFlag("banner", "yes", "no"), flagstage.FlagWrite{})
	require.NoError(t, err)
	template, err = w.CreateTemplate(t.Context(), alice, flagstage.TemplateInput{Key: "template", Origin: theTarget, Stages: []flagstage.Stage{
		doing(nil, flags.UpdateRuleVariationOrRollout("5a1c7f60-3d82-4e9b-b0f4-6c2d8e9a1b37", flags.ServeVariation(newVariation)), flags.TurnFlagOn()),
		doing([]flagstage.Condition{hours(1)}, flags.UpdateFallthroughVariationOrRollout(flags.ServeVariation(newVariation))),
	}})
	require.NoError(t, err)
	return w, store, banner, template
}

// variationOf returns the id of the single variation that is served.
func variationOf(f flags.Flag, served flags.Served) string {
	index, _ := served.Variation()
	v, _ := f.Variation(index)
	return v.ID
}

// TestATemplateIsReleasedToAnotherFlag with the counterparts of its variations, and
// what is given in the place of its rule.
func TestATemplateIsReleasedToAnotherFlag(t *testing.T) {
	w, store, banner, template := withTemplate(t)
	before := content(t, store)
	input := flagstage.WorkflowInput{ID: "w", Name: "release", TemplateKey: "template", Target: banner}
	dry, err := w.DryRunWorkflow(t.Context(), alice, input, flagstage.Future{})
	require.NoError(t, err, "parameters that do not fit are what a dry run is for")
	require.True(t, dry.Plan.IsZero())
	require.Nil(t, dry.Events)
	_, err = w.StartWorkflow(t.Context(), alice, input)
	require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
	var inapplicable *flagstage.InapplicableError
	require.ErrorAs(t, err, &inapplicable)
	require.Equal(t, dry.Parameters, inapplicable.Parameters)
	valid := map[string]bool{}
	for _, p := range inapplicable.Parameters {
		valid[p.ID+p.Path] = p.Valid
	}
	first, second := template.Stages()[0].Action.Instructions[0].ID(), template.Stages()[1].Action.Instructions[0].ID()
	require.Equal(t, map[string]bool{first + "/ruleId": false, first + "/variationId": true, second + "/variationId": true}, valid)
	require.Equal(t, before, content(t, store), "nothing is stored")

	_, err = w.PatchFlag(t.Context(), alice, banner.ProjectKey, "banner", flags.Patch{
		Environment: "production", Instructions: []flags.Instruction{flags.AddRule(flags.Rule{Serve: flags.ServeVariation("no")}, "")}, NewIDs: []string{"rule"},
	}, flagstage.FlagWrite{})
	require.NoError(t, err)
	input.Parameters = []flagstage.Override{{ID: first, Path: "/ruleId", Value: flags.StringValue("rule")}}
	dry, err = w.DryRunWorkflow(t.Context(), alice, input, flagstage.Future{})
	require.NoError(t, err)
	s, err := w.StartWorkflow(t.Context(), alice, input)
	require.NoError(t, err)
	require.Equal(t, dry.Parameters, s.Parameters)
	require.Equal(t, dry.Plan.Hash(), s.Plan().Hash())
	require.Equal(t, "template", s.TemplateKey)
	w.tick(1)
	replays(t, w.get("w"))
	f, err := w.Engine.Flag(t.Context(), alice, banner.ProjectKey, "banner")
	require.NoError(t, err)
	e, _ := f.Environment("production")
	require.True(t, e.On())
	require.Equal(t, "yes", variationOf(f.Flag, e.Fallthrough()))
	rule, ok := e.Rule("rule")
	require.True(t, ok)
	require.Equal(t, "yes", variationOf(f.Flag, rule.Served()))
	require.Equal(t, flagstage.StatusCompleted, w.get("w").Status())
}

func TestStagesRunWhereATemplateIsNamedToo(t *testing.T) {
	w, _, _, _ := withTemplate(t)
	input := releaseOf("w", turnsOff())
	input.TemplateKey = "template"
	s, err := w.StartWorkflow(t.Context(), alice, input)
	require.NoError(t, err)
	require.Equal(t, 1, s.Plan().Len())
	require.False(t, w.environment().On())
	require.Equal(t, "template", w.get("w").TemplateKey)
}

// TestAnIDStandsForOneRequest has the workflow returned as it is by then, and every
// other request refused.
func TestAnIDStandsForOneRequest(t *testing.T) {
	w, _, banner, template := withTemplate(t)
	second := template.Stages()[1].Action.Instructions[0].ID()
	input := flagstage.WorkflowInput{
		ID: "w", Name: "release", TemplateKey: "template", Target: theTarget,
		Parameters: []flagstage.Override{{ID: second, Path: "/variationId", Value: flags.StringValue(oldVariation)}},
	}
	_, err := w.StartWorkflow(t.Context(), alice, input)
	require.NoError(t, err)
	w.tick(1)
	again, err := w.StartWorkflow(t.Context(), bob, input)
	require.NoError(t, err, "whoever asks again")
	require.Equal(t, w.get("w").Events(), again.Events())
	require.Equal(t, flagstage.StatusCompleted, again.Status())

	for name, change := range map[string]func(*flagstage.WorkflowInput){
		"name":             func(in *flagstage.WorkflowInput) { in.Name = "another" },
		"description":      func(in *flagstage.WorkflowInput) { in.Description = "another" },
		"maintainer":       func(in *flagstage.WorkflowInput) { in.MaintainerID = "another" },
		"stages":           func(in *flagstage.WorkflowInput) { in.Parameters, in.Stages = nil, []flagstage.Stage{turnsOff()} },
		"parameters":       func(in *flagstage.WorkflowInput) { in.Parameters = nil },
		"target":           func(in *flagstage.WorkflowInput) { in.Target = banner },
		"zone":             func(in *flagstage.WorkflowInput) { in.Zone = "Europe/Berlin" },
		"quorum":           func(in *flagstage.WorkflowInput) { in.Approvals.MinNumApprovals = 2 },
		"own reviews":      func(in *flagstage.WorkflowInput) { in.Approvals.CanReviewOwnRequest = true },
		"declined changes": func(in *flagstage.WorkflowInput) { in.Approvals.CanApplyDeclinedChanges = true },
		"expiry":           func(in *flagstage.WorkflowInput) { in.Approvals.ExpiresAfter = time.Hour },
		"lateness":         func(in *flagstage.WorkflowInput) { in.Lateness = time.Minute },
		"conflicts":        func(in *flagstage.WorkflowInput) { in.IgnoreConflicts = true },
	} {
		other := input
		change(&other)
		_, err := w.StartWorkflow(t.Context(), alice, other)
		require.ErrorIs(t, err, flagstage.ErrExists, name)
	}
	_, err = w.StartPlan(t.Context(), alice, again.Plan(), flagstage.WorkflowInput{ID: "w"})
	require.ErrorIs(t, err, flagstage.ErrExists)
}

// TestALaterStageChangesWhatAnEarlierOneHasAdded though another engine does the one
// than the other.
func TestALaterStageChangesWhatAnEarlierOneHasAdded(t *testing.T) {
	w, store := withFlag(t)
	stages := []flagstage.Stage{
		doing(nil, flags.AddRule(flags.Rule{Ref: "beta", Serve: flags.ServeVariation(oldVariation)}, "")),
		doing([]flagstage.Condition{hours(1)}, flags.UpdateRuleVariationOrRollout("ref:beta", flags.ServeVariation(newVariation))),
	}
	w.starts("w", stages...)
	w.starts("v", stages...)
	serves := func(id string) string {
		rule, ok := w.environment().Rule(flagstage.RefID(id)("beta"))
		require.True(t, ok)
		return variationOf(w.flag, rule.Served())
	}
	require.Equal(t, oldVariation, serves("w"))
	other := worldOn(t, store, w.clock)
	other.tick(1)
	for _, id := range []string{"w", "v"} {
		require.Equal(t, flagstage.StatusCompleted, w.get(id).Status())
		require.Equal(t, newVariation, serves(id))
	}
	require.Equal(t, 3, w.environment().RuleCount())

	_, err := w.StartWorkflow(t.Context(), alice, releaseOf("", stages[1], stages[0]))
	require.ErrorContains(t, err, `/stages/0/action/instructions/0/ruleId: refers to "beta", which no earlier instruction adds`)
}

// TestTheClockIsReadOnceInEachCall so that no call is at two instants.
func TestTheClockIsReadOnceInEachCall(t *testing.T) {
	tick := func(w *world) error { _, err := w.Tick(w.Context()); return err }
	for i := range len(changes) + 1 {
		store, clock := prepared(t)
		reads := 0
		w := worldOn(t, store, clock, flagstage.WithClock(flagstage.ClockFunc(func() time.Time {
			reads++
			return clock.Advance(time.Millisecond)
		})))
		name, call := "tick", tick
		if i < len(changes) {
			name, call = changes[i].name, changes[i].call
		}
		require.NoError(t, call(w), name)
		require.LessOrEqual(t, reads, 1, name)
	}
}

// TestADueInstantSurvivesAChangeOfTheZone as governments decree them.
func TestADueInstantSurvivesAChangeOfTheZone(t *testing.T) {
	w := worldOn(t, storetest.NewModel(), flagstage.NewVirtualClock(start))
	_, err := w.PutFlag(t.Context(), alice, theTarget.ProjectKey, w.flag, flagstage.FlagWrite{})
	require.NoError(t, err)
	input := releaseOf("w", turnsOff(flagstage.ScheduleAfter(60, calendar.Day)))
	input.Zone = "Europe/Berlin"
	s, err := w.StartWorkflow(t.Context(), alice, input)
	require.NoError(t, err)
	due, ok := s.Wake()
	require.True(t, ok)
	require.Equal(t, after(60*24-1), due, "the clocks go forward in between")
	begin := flagstage.StartOf(s)
	begin.Zone = time.FixedZone("Europe/Berlin", 3600) // in which they do not any more
	later, err := flagstage.Replay(s.Plan(), begin, s.Events())
	require.NoError(t, err)
	again, _ := later.Wake()
	require.Equal(t, due, again)
	later, events := later.Advance(due)
	require.NotEmpty(t, events)
	_, pending := later.Pending()
	require.True(t, pending)
}
