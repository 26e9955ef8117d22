package flagstage_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// busy returns whether an error is one that a call may get while others work on the
// same workflows.
func busy(err error) bool { return err == nil || flagstage.Code(err) != "" }

// TestTwoEnginesNeverBothAdvanceAStage has engines tick, steer and write at the same
// time on one store, while somebody follows the feed of events.
func TestTwoEnginesNeverBothAdvanceAStage(t *testing.T) {
	for _, builtIn := range []bool{true, false} {
		t.Run(fmt.Sprintf("built in %v", builtIn), func(t *testing.T) {
			ctx, clock, store := t.Context(), flagstage.NewVirtualClock(start), memoryStore(t)
			defer store.Close()
			var got deliveries
			options := append(appliedBy(builtIn, &got), flagstage.WithClock(clock))
			engine := func() *flagstage.Engine {
				e, err := flagstage.New(store, options...)
				require.NoError(t, err)
				return e
			}
			first := engine()
			f, err := first.PutFlag(ctx, alice, theTarget.ProjectKey, testFlag(t), flagstage.FlagWrite{})
			require.NoError(t, err)
			const workflows, stages = 12, 4
			for i := range workflows {
				input := releaseOf(fmt.Sprintf("w%02d", i))
				input.IgnoreConflicts = true
				for k := range stages {
					s := doing([]flagstage.Condition{hours(int64(1 + i%3))}, flags.UpdateName(fmt.Sprint(i, " ", k)))
					if k == 1 {
						s.Conditions = append(s.Conditions, flagstage.Approval{})
					}
					input.Stages = append(input.Stages, s)
				}
				_, err := first.StartWorkflow(ctx, alice, input)
				require.NoError(t, err)
			}
			var working sync.WaitGroup
			do := func(n int, work func(e *flagstage.Engine, i int) error) {
				e := engine()
				working.Go(func() {
					for i := range n {
						if err := work(e, i); !busy(err) {
							t.Errorf("call %d: %v", i, err)
							return
						}
					}
				})
			}
			for range 2 {
				do(40, func(e *flagstage.Engine, _ int) error {
					clock.Advance(hour)
					_, err := e.Tick(ctx)
					return err
				})
			}
			do(10*workflows, func(e *flagstage.Engine, i int) error {
				_, err := e.Review(ctx, bob, fmt.Sprintf("w%02d", i%workflows), flagstage.Review{Stage: 1, Condition: 1, Kind: flagstage.ReviewApprove})
				return err
			})
			do(3*workflows, func(e *flagstage.Engine, i int) error {
				id := fmt.Sprintf("w%02d", i%workflows)
				if _, err := e.Pause(ctx, bob, id, ""); !busy(err) {
					return err
				}
				_, err := e.Resume(ctx, bob, id, "")
				return err
			})
			patches := 0
			do(30, func(e *flagstage.Engine, i int) error {
				_, err := e.PatchFlag(ctx, carol, theTarget.ProjectKey, theTarget.FlagKey, flags.Patch{Instructions: []flags.Instruction{flags.UpdateDescription(fmt.Sprint(i))}}, flagstage.FlagWrite{})
				if err == nil {
					patches++
				}
				return err
			})
			seen, stop, followed := map[string][]flagstage.Event{}, make(chan struct{}), make(chan struct{})
			go func() {
				defer close(followed)
				var cursor flagstage.Cursor
				for last := false; ; {
					for batch, err := range first.Events(ctx, alice, cursor) {
						if err != nil {
							t.Error(err)
							return
						}
						cursor = batch.Cursor
						seen[batch.WorkflowID] = append(seen[batch.WorkflowID], batch.Events...)
					}
					if last {
						return
					}
					select {
					case <-stop:
						last = true
					default:
					}
				}
			}()
			working.Wait()
			for range 20 { // let all end
				clock.Advance(10 * hour)
				_, err := first.Tick(ctx)
				require.NoError(t, err)
				for i := range workflows {
					_, err := first.Review(ctx, carol, fmt.Sprintf("w%02d", i), flagstage.Review{Stage: 1, Condition: 1, Kind: flagstage.ReviewApprove})
					require.True(t, busy(err), "%v", err)
				}
			}
			close(stop)
			<-followed
			applied := 0
			for i := range workflows {
				s, err := first.Workflow(ctx, alice, fmt.Sprintf("w%02d", i))
				require.NoError(t, err)
				require.Equal(t, flagstage.StatusCompleted, s.Status())
				require.Equal(t, s.Events(), seen[s.ID], "nothing is missed, and nothing comes twice")
				replays(t, s)
				approved(t, s)
				for k := range stages {
					require.Equal(t, 1, count(s, flagstage.EventActionApplied, k))
					applied++
				}
			}
			now, err := first.Flag(ctx, alice, theTarget.ProjectKey, theTarget.FlagKey)
			require.NoError(t, err)
			if builtIn {
				require.Equal(t, f.Version()+int64(applied+patches), now.Version(), "each change was made once")
			} else {
				want := map[string][]string{}
				for i := range workflows {
					for k := range stages {
						id := fmt.Sprintf("w%02d", i)
						want[id] = append(want[id], fmt.Sprintf("%s/%d/1", id, k))
					}
				}
				got.withoutLate().check(t, want)
			}
		})
	}
}

// TestStartsWithOneIDStartOneWorkflow by many at the same time, while it is also
// deleted and purged.
func TestStartsWithOneIDStartOneWorkflow(t *testing.T) {
	ctx, clock, store := t.Context(), flagstage.NewVirtualClock(start), memoryStore(t)
	defer store.Close()
	engine := func() *flagstage.Engine {
		e, err := flagstage.New(store, flagstage.WithClock(clock))
		require.NoError(t, err)
		return e
	}
	_, err := engine().PutFlag(ctx, alice, theTarget.ProjectKey, testFlag(t), flagstage.FlagWrite{})
	require.NoError(t, err)
	var working sync.WaitGroup
	started := make(chan time.Time, 1000)
	for range 4 {
		e := engine()
		working.Go(func() {
			for range 20 {
				s, err := e.StartWorkflow(ctx, alice, releaseOf("w", turnsOff(hours(1))))
				if !busy(err) {
					t.Error(err)
				}
				if err == nil {
					started <- s.CreatedAt
				}
			}
		})
	}
	working.Wait()
	require.Len(t, started, 80, "all of them get it")
	list, err := engine().Workflows(ctx, alice, flagstage.WorkflowQuery{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)

	for i := range 4 {
		e := engine()
		working.Go(func() {
			for k := range 25 {
				var err error
				switch (i + k) % 4 {
				case 0:
					err = e.DeleteWorkflow(ctx, alice, "w")
				case 1:
					_, err = e.Purge(ctx, alice, clock.Advance(2*hour))
				case 2:
					_, err = e.Tick(ctx)
				default:
					_, err = e.StartWorkflow(ctx, alice, releaseOf("w", turnsOff(hours(1))))
				}
				if !busy(err) {
					t.Error(err)
				}
				if s, err := e.Workflow(ctx, alice, "w"); err == nil {
					_, err := flagstage.Replay(s.Plan(), flagstage.StartOf(s), s.Events())
					if err != nil {
						t.Error(err)
					}
				} else if flagstage.Code(err) != "not_found" {
					t.Error(err)
				}
			}
		})
	}
	working.Wait()
	s, err := engine().StartWorkflow(ctx, alice, releaseOf("w", turnsOff(hours(1))))
	require.NoError(t, err)
	s, err = engine().Workflow(ctx, alice, s.ID)
	require.NoError(t, err)
	replays(t, s)
	readable(t, store, clock)
}

// interloper is a store on which somebody else is quicker, before a commit.
type interloper struct {
	flagstage.Store
	before func()
}

func (i *interloper) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	if before := i.before; before != nil {
		i.before = nil
		before()
	}
	return i.Store.Commit(ctx, txn)
}
