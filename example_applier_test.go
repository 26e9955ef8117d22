package flagstage_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
)

// flagSystem is a flag system of the host. It remembers the number of the last
// delivery of each workflow and the key of what it has applied, in the same place
// and the same step as the flags themselves.
type flagSystem struct {
	mu      sync.Mutex
	flags   map[flagstage.Origin]flags.Flag
	numbers map[string]int64
	applied map[string]bool
	busy    int // how many calls fail before one succeeds
}

// Apply applies a delivery, once.
func (s *flagSystem) Apply(ctx context.Context, d flagstage.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.Number <= s.numbers[d.WorkflowID] {
		return nil // late: another has taken its place
	}
	s.numbers[d.WorkflowID] = d.Number
	if s.applied[d.Key()] {
		return nil // it had succeeded, and the answer was lost
	}
	if s.busy--; s.busy >= 0 {
		return errors.New("busy") // it is tried again
	}
	changed, err := flags.Apply(s.flags[d.Target], d.Instructions, flags.Application{
		Environment: d.Target.EnvironmentKey, Now: d.Due, RefID: d.RefID,
	})
	if err != nil {
		return flagstage.Permanent(err) // the stage fails
	}
	s.flags[d.Target], s.applied[d.Key()] = changed, true
	return nil
}

// Flag returns a flag, so that releases are judged before they begin.
func (s *flagSystem) Flag(_ context.Context, ref flagstage.Origin) (flags.Flag, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	flag, ok := s.flags[ref]
	if !ok {
		return flags.Flag{}, fmt.Errorf("%w: flag %s", flagstage.ErrNotFound, ref)
	}
	return flag, nil
}

// SegmentExists knows of no segment.
func (s *flagSystem) SegmentExists(_ context.Context, _, _, _ string) (bool, error) {
	return false, nil
}

// With an applier the flags are the host's. What fails is tried again, under the
// same key and with a greater number.
func ExampleApplier() {
	ctx := context.Background()
	system := &flagSystem{
		flags:   map[flagstage.Origin]flags.Flag{shopBanner: exampleFlag("banner", "on", "off")},
		numbers: map[string]int64{}, applied: map[string]bool{}, busy: 1,
	}
	clock := flagstage.NewVirtualClock(time.Date(2026, 3, 27, 9, 0, 0, 0, time.UTC))
	engine, err := flagstage.NewMemory(
		flagstage.WithApplier(system), flagstage.WithFlagSource(system), flagstage.WithClock(clock),
		flagstage.WithRetries(flagstage.Retries{Limit: 3, Backoff: 10 * time.Second}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	alice := flagstage.Actor{MemberID: "alice"}
	w, err := engine.StartWorkflow(ctx, alice, flagstage.WorkflowInput{
		Name: "The banner", Target: shopBanner,
		Stages: []flagstage.Stage{
			{Action: flagstage.Patch(flags.TurnFlagOn())},
			{Conditions: []flagstage.Condition{flagstage.ScheduleAfter(1, calendar.Hour)}, Action: flagstage.Patch(flags.TurnFlagOff())},
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
			break
		}
		clock.Set(due)
		report, err := engine.Tick(ctx)
		fmt.Println(due.Format(time.TimeOnly), "applied:", report.Applied, "failed:", report.Failed, err)
	}
	w, err = engine.Workflow(ctx, alice, w.ID)
	fmt.Println(w.Status(), err)
	production, _ := system.flags[shopBanner].Environment("production")
	fmt.Println("targeting is on:", production.On())
	// Output:
	// 09:00:00 applied: 0 failed: 1 <nil>
	// 09:00:10 applied: 1 failed: 0 <nil>
	// 10:00:00 applied: 1 failed: 0 <nil>
	// completed <nil>
	// targeting is on: false
}
