package flagstage_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
)

// shopBanner is the flag of the examples.
var shopBanner = flagstage.Origin{ProjectKey: "shop", EnvironmentKey: "production", FlagKey: "banner"}

// exampleEngine returns an engine that keeps the flag shopBanner, and the clock
// by which it goes.
func exampleEngine(list ...flagstage.Option) (*flagstage.Engine, *flagstage.VirtualClock) {
	clock := flagstage.NewVirtualClock(time.Date(2026, 3, 27, 9, 0, 0, 0, time.UTC))
	engine, err := flagstage.NewMemory(append(list, flagstage.WithClock(clock), flagstage.WithIDs(flagstage.SeededIDs(1)))...)
	if err != nil {
		panic(err)
	}
	_, err = engine.PutFlag(context.Background(), flagstage.Actor{MemberID: "alice"}, "shop", exampleFlag("banner", "on", "off"), flagstage.FlagWrite{})
	if err != nil {
		panic(err)
	}
	return engine, clock
}

// twoSteps are the stages of the examples: two days after the first, somebody
// must approve of the second.
func twoSteps() []flagstage.Stage {
	return []flagstage.Stage{
		{Name: "On", Action: flagstage.Patch(flags.TurnFlagOn())},
		{
			Name:                        "Everyone",
			ExecuteConditionsInSequence: true,
			Conditions: []flagstage.Condition{
				flagstage.ScheduleAfter(2, calendar.Day),
				flagstage.Approval{Description: "no more errors than before?"},
			},
			Action: flagstage.Patch(flags.UpdateFallthroughVariationOrRollout(flags.ServeVariation("on"))),
		},
	}
}

// A template is started for a flag. With an identifier of one's own the call can
// be repeated, for instance when its answer was lost.
func ExampleEngine_StartWorkflow() {
	ctx := context.Background()
	engine, _ := exampleEngine()
	defer engine.Close()
	alice := flagstage.Actor{MemberID: "alice"}
	_, err := engine.CreateTemplate(ctx, alice, flagstage.TemplateInput{Key: "two-steps", Origin: shopBanner, Stages: twoSteps()})
	if err != nil {
		fmt.Println(err)
		return
	}

	input := flagstage.WorkflowInput{
		ID: "banner-in-spring", Name: "The banner", TemplateKey: "two-steps", Target: shopBanner,
		Zone: "Europe/Berlin", Approvals: flagstage.ApprovalSettings{ExpiresAfter: 72 * time.Hour},
	}
	for range 2 {
		w, err := engine.StartWorkflow(ctx, alice, input)
		fmt.Println(w.ID, w.Status(), w.StageStatus(0), w.StageStatus(1), err)
	}
	input.Name = "Another one"
	_, err = engine.StartWorkflow(ctx, alice, input)
	fmt.Println(errors.Is(err, flagstage.ErrExists))

	flag, err := engine.Flag(ctx, alice, "shop", "banner")
	production, _ := flag.Environment("production")
	fmt.Println("targeting is on:", production.On(), err)
	// Output:
	// banner-in-spring active completed active <nil>
	// banner-in-spring active completed active <nil>
	// true
	// targeting is on: true <nil>
}

// A tick does what is due. A program that has a clock of its own moves it to what
// is due next, and ticks.
func ExampleEngine_Tick() {
	ctx := context.Background()
	engine, clock := exampleEngine()
	defer engine.Close()
	_, err := engine.StartWorkflow(ctx, flagstage.Actor{MemberID: "alice"}, flagstage.WorkflowInput{
		Name: "The banner", Target: shopBanner, Zone: "Europe/Berlin",
		Stages: []flagstage.Stage{
			{Conditions: []flagstage.Condition{flagstage.ScheduleAfter(2, calendar.Day)}, Action: flagstage.Patch(flags.TurnFlagOn())},
			{Conditions: []flagstage.Condition{flagstage.ScheduleAfter(6, calendar.Hour)}, Action: flagstage.Patch(flags.TurnFlagOff())},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		due, ok, err := engine.NextDue(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		if !ok {
			break // all workflows have ended, or wait for people
		}
		clock.Set(due)
		report, err := engine.Tick(ctx)
		fmt.Println(report.Now.Format(time.RFC3339), "applied:", report.Applied, err)
	}
	// Output:
	// 2026-03-29T08:00:00Z applied: 1 <nil>
	// 2026-03-29T14:00:00Z applied: 1 <nil>
}

// Nobody approves of a release of his own, and nobody of anything but what he has
// seen, if he says what that was.
func ExampleEngine_Review() {
	ctx := context.Background()
	engine, clock := exampleEngine()
	defer engine.Close()
	alice, bob := flagstage.Actor{MemberID: "alice"}, flagstage.Actor{MemberID: "bob"}
	w, err := engine.StartWorkflow(ctx, alice, flagstage.WorkflowInput{Name: "The banner", Target: shopBanner, Stages: twoSteps()})
	if err != nil {
		fmt.Println(err)
		return
	}
	// The stage and the condition are indexes, counted from 0.
	review := flagstage.Review{Stage: 1, Condition: 1, Kind: flagstage.ReviewApprove, Content: w.Plan().StageHash(1)}

	_, err = engine.Review(ctx, bob, w.ID, review)
	var state *flagstage.StateError
	fmt.Println("too early:", errors.As(err, &state))
	clock.Advance(48 * time.Hour)
	_, err = engine.Review(ctx, alice, w.ID, review)
	fmt.Println("one's own:", errors.Is(err, flagstage.ErrForbidden))
	another := review
	another.Content = w.Plan().StageHash(0)
	_, err = engine.Review(ctx, bob, w.ID, another)
	fmt.Println("of something else:", errors.Is(err, flagstage.ErrConflict))

	w, err = engine.Review(ctx, bob, w.ID, review)
	fmt.Println(w.Status(), err)
	// Output:
	// too early: true
	// one's own: true
	// of something else: true
	// completed <nil>
}

// Run does what is due until its context ends: here when the notifier is told that
// the release is complete.
func ExampleEngine_Run() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	engine, err := flagstage.NewMemory(
		flagstage.WithApplier(flagstage.ApplierFunc(func(_ context.Context, d flagstage.Delivery) error {
			fmt.Println("apply to", d.Target, d.Instructions)
			return nil
		})),
		flagstage.WithNotifier(flagstage.NotifierFunc(func(_ context.Context, n flagstage.Notice) {
			if n.Workflow.Status() == flagstage.StatusCompleted {
				fmt.Println("complete:", n.Name)
				stop()
			}
		})),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	_, err = engine.StartWorkflow(ctx, flagstage.Actor{MemberID: "alice"}, flagstage.WorkflowInput{
		Name: "The banner", Target: shopBanner,
		Stages: []flagstage.Stage{{Action: flagstage.Patch(flags.TurnFlagOn())}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(engine.Run(ctx))
	// Output:
	// apply to shop/production/banner [turn targeting on]
	// complete: The banner
	// context canceled
}

// Which workflows will ask for an approval within a day? A stored workflow is a
// value that can be walked ahead; nothing of that is stored.
func ExampleEngine_Workflows() {
	ctx := context.Background()
	engine, clock := exampleEngine()
	defer engine.Close()
	alice := flagstage.Actor{MemberID: "alice"}
	for _, id := range []string{"first", "second", "third"} {
		clock.Advance(24 * time.Hour)
		_, err := engine.StartWorkflow(ctx, alice, flagstage.WorkflowInput{ID: id, Name: "The banner", Target: shopBanner, Stages: twoSteps()})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	now := clock.Now()
	until := now.Add(24 * time.Hour)

	query := flagstage.WorkflowQuery{Status: flagstage.StatusActive, Limit: 100}
	for more := true; more; query.Offset += query.Limit {
		list, err := engine.Workflows(ctx, alice, query)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, w := range list.Items {
			ahead, _ := w.Advance(now)
			for at, ok := ahead.Wake(); ok && !at.After(until); at, ok = ahead.Wake() {
				if _, pending := ahead.Pending(); pending {
					ahead, _, _ = ahead.Applied(at) // suppose that it will succeed
				} else {
					ahead, _ = ahead.Advance(at)
				}
			}
			for _, gate := range ahead.Gates() {
				if gate.Kind == flagstage.KindApproval {
					fmt.Println(w.ID, "stage", gate.Stage, "asks on", gate.Since.Format(time.RFC3339))
				}
			}
		}
		more = query.Offset+query.Limit < list.TotalCount
	}
	// Output:
	// first stage 1 asks on 2026-03-30T09:00:00Z
	// second stage 1 asks on 2026-03-31T09:00:00Z
}

// A program that follows the feed keeps its place in a file.
func ExampleEngine_Events() {
	ctx := context.Background()
	engine, clock := exampleEngine()
	defer engine.Close()
	alice := flagstage.Actor{MemberID: "alice"}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "cursor.json")

	follow := func() error {
		var cursor flagstage.Cursor // the beginning
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &cursor)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for batch, err := range engine.Events(ctx, alice, cursor) {
			if err != nil {
				return err
			}
			for _, e := range batch.Events {
				fmt.Println(batch.WorkflowID, e.Number, e.Kind)
			}
			// What was made of the events is kept before the place behind them.
			if text, err = json.Marshal(batch.Cursor); err != nil {
				return err
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				return err
			}
		}
		return nil
	}
	_, err = engine.StartWorkflow(ctx, alice, flagstage.WorkflowInput{
		ID: "banner", Name: "The banner", Target: shopBanner,
		Stages: []flagstage.Stage{{
			Conditions: []flagstage.Condition{flagstage.ScheduleAfter(2, calendar.Hour)},
			Action:     flagstage.Patch(flags.TurnFlagOn()),
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(follow())
	fmt.Println(follow()) // nothing new
	clock.Advance(2 * time.Hour)
	if _, err := engine.Tick(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(follow())
	// Output:
	// banner 1 workflowStarted
	// banner 2 stageArmed
	// banner 3 conditionArmed
	// <nil>
	// <nil>
	// banner 4 conditionCompleted
	// banner 5 actionApplied
	// banner 6 stageCompleted
	// banner 7 workflowCompleted
	// <nil>
}

// Workflows that ended long ago are taken away, with their events.
func ExampleEngine_Purge() {
	ctx := context.Background()
	engine, clock := exampleEngine()
	defer engine.Close()
	alice := flagstage.Actor{MemberID: "alice"}
	for _, stages := range [][]flagstage.Stage{twoSteps(), twoSteps()[:1]} {
		if _, err := engine.StartWorkflow(ctx, alice, flagstage.WorkflowInput{Name: "The banner", Target: shopBanner, Stages: stages}); err != nil {
			fmt.Println(err)
			return
		}
	}
	clock.Advance(90 * 24 * time.Hour)
	purged, err := engine.Purge(ctx, alice, clock.Now().AddDate(0, 0, -30))
	fmt.Println("purged:", purged.Workflows, err)
	for _, unreadable := range purged.Unreadable {
		fmt.Println(unreadable)
	}
	list, err := engine.Workflows(ctx, alice, flagstage.WorkflowQuery{})
	fmt.Println("left:", list.TotalCount, err)
	// Output:
	// purged: 1 <nil>
	// left: 1 <nil>
}

// People are told that somebody is asked for an approval. The indexes that a
// review takes are those of the event.
func ExampleNotifier() {
	ctx := context.Background()
	engine, clock := exampleEngine(flagstage.WithNotifier(flagstage.NotifierFunc(func(_ context.Context, n flagstage.Notice) {
		for pointer, approval := range n.Requests() {
			fmt.Printf("%s asks at %s: %s\n", n.Name, pointer, approval.Description)
		}
		for _, e := range n.Events {
			if e.Kind == flagstage.EventApprovalRequested {
				fmt.Println("review stage", e.Stage, "condition", e.Condition)
			}
		}
	})))
	defer engine.Close()
	_, err := engine.StartWorkflow(ctx, flagstage.Actor{MemberID: "alice"}, flagstage.WorkflowInput{Name: "The banner", Target: shopBanner, Stages: twoSteps()})
	if err != nil {
		fmt.Println(err)
		return
	}
	clock.Advance(48 * time.Hour)
	_, err = engine.Tick(ctx)
	fmt.Println(err)
	// Output:
	// The banner asks at /stages/1/conditions/1: no more errors than before?
	// review stage 1 condition 1
	// <nil>
}

// A guard that knows who looks after which environment, and who reviews. A call
// that names a workflow is asked about twice: what it is about is known the second
// time.
func ExampleGuard_workflows() {
	ctx := context.Background()
	guard := flagstage.GuardFunc(func(_ context.Context, r flagstage.Request) error {
		switch {
		case r.Actor.MemberID == "alice":
			return nil // she may do everything
		case r.Actor.MemberID == "bob" && r.Verb == flagstage.VerbReviewWorkflow:
			if !r.Again || r.Target.EnvironmentKey == "production" {
				return nil
			}
		}
		return fmt.Errorf("%w: %s may not %s", flagstage.ErrForbidden, r.Actor.Identity(), r.Verb)
	})
	engine, clock := exampleEngine(flagstage.WithGuard(guard))
	defer engine.Close()
	alice, bob := flagstage.Actor{MemberID: "alice"}, flagstage.Actor{MemberID: "bob"}
	input := flagstage.WorkflowInput{Name: "The banner", Target: shopBanner, Stages: twoSteps()}

	_, err := engine.StartWorkflow(ctx, bob, input)
	fmt.Println(err)
	w, err := engine.StartWorkflow(ctx, alice, input)
	if err != nil {
		fmt.Println(err)
		return
	}
	clock.Advance(48 * time.Hour)
	_, err = engine.Skip(ctx, bob, w.ID, flagstage.Skip{Stage: 1, Reason: "enough waited"})
	fmt.Println(err)
	w, err = engine.Review(ctx, bob, w.ID, flagstage.Review{Stage: 1, Condition: 1, Kind: flagstage.ReviewApprove})
	fmt.Println(w.Status(), err)
	// Output:
	// forbidden: bob may not startWorkflow
	// forbidden: bob may not skipStage
	// completed <nil>
}
