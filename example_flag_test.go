package flagstage_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// A patch that would stand in the way of a release is refused, and the error says
// of which stage. Who knows better ignores conflicts; the stage will then fail.
func ExampleEngine_PatchFlag() {
	ctx := context.Background()
	engine, clock := exampleEngine()
	defer engine.Close()
	alice, bob := flagstage.Actor{MemberID: "alice"}, flagstage.Actor{MemberID: "bob"}
	_, err := engine.StartWorkflow(ctx, alice, flagstage.WorkflowInput{ID: "spring", Name: "The banner", Target: shopBanner, Stages: twoSteps()})
	if err != nil {
		fmt.Println(err)
		return
	}
	patch := flags.Patch{Environment: "production", Instructions: []flags.Instruction{
		flags.UpdateFallthroughVariationOrRollout(flags.ServeVariation("off")),
	}}

	_, err = engine.PatchFlag(ctx, bob, "shop", "banner", patch, flagstage.FlagWrite{})
	var pending *flagstage.PendingStagesError
	if errors.As(err, &pending) {
		for _, stage := range pending.Stages {
			fmt.Println("stands in the way of", stage.WorkflowID)
		}
	}
	_, err = engine.PatchFlag(ctx, bob, "shop", "banner", patch, flagstage.FlagWrite{IgnoreConflicts: true})
	fmt.Println("ignoring conflicts:", err)

	clock.Advance(48 * time.Hour)
	w, err := engine.Review(ctx, bob, "spring", flagstage.Review{Stage: 1, Condition: 1, Kind: flagstage.ReviewApprove})
	fmt.Println(w.Status(), err)
	// Output:
	// stands in the way of spring
	// ignoring conflicts: <nil>
	// failed <nil>
}

// A flag is written at the revision at which it was read, so that nothing is
// overwritten that nobody has seen.
func ExampleEngine_PutFlag() {
	ctx := context.Background()
	engine, clock := exampleEngine()
	defer engine.Close()
	alice := flagstage.Actor{MemberID: "alice"}
	read, err := engine.Flag(ctx, alice, "shop", "banner")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"The banner", "A banner"} {
		changed, err := flags.Apply(read.Flag, []flags.Instruction{flags.UpdateName(name)}, flags.Application{Now: clock.Now()})
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = engine.PutFlag(ctx, alice, "shop", changed, flagstage.FlagWrite{Revision: read.Revision})
		fmt.Println(name, errors.Is(err, flagstage.ErrConflict))
	}
	// Output:
	// The banner false
	// A banner true
}
