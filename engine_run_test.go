package flagstage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/storetest"
)

// running is an engine that runs in a bubble, by the bubble's clock.
type running struct {
	*world
	began time.Time
	done  chan error
	stop  context.CancelFunc
}

func runs(t *testing.T, store flagstage.Store, more ...flagstage.Option) *running {
	e, err := flagstage.New(store, more...)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{world: &world{TB: t, Engine: e, flag: testFlag(t)}, began: time.Now(), done: make(chan error, 1), stop: cancel}
	_, err = e.PutFlag(t.Context(), alice, theTarget.ProjectKey, r.flag, flagstage.FlagWrite{})
	require.NoError(t, err)
	go func() { r.done <- e.Run(ctx) }()
	return r
}

// end ends it. What is left over the bubble would not let pass.
func (r *running) end() {
	r.stop()
	require.ErrorIs(r, <-r.done, context.Canceled)
}

// at sleeps until some time after the begin, and lets all that happens then happen.
func (r *running) at(d time.Duration) {
	time.Sleep(time.Until(r.began.Add(d)))
	synctest.Wait()
}

// applied returns how long after the begin a stage was applied.
func (r *running) applied(id string, stage int) time.Duration {
	for _, e := range r.get(id).Events() {
		if e.Kind == flagstage.EventActionApplied && e.Stage == stage {
			return e.At.Sub(r.began)
		}
	}
	return -1
}

func TestRunDoesWhatIsDueOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runs(t, storetest.NewModel())
		defer r.end()
		r.at(1500 * time.Millisecond) // it sleeps, and is woken up by the start
		s := r.begin(turnsOff(hours(1)), turnsOn(hours(2)), turnsOff())
		r.at(48 * time.Hour)
		require.Equal(t, flagstage.StatusCompleted, r.get(s.ID).Status())
		require.Equal(t, time.Hour+1500*time.Millisecond, r.applied(s.ID, 0))
		require.Equal(t, 3*time.Hour+1500*time.Millisecond, r.applied(s.ID, 1))
		require.Equal(t, r.applied(s.ID, 1), r.applied(s.ID, 2))
	})
}

// TestRunCountsFromWhenAnAnswerCame if no delay is made up for, however long the
// applier took.
func TestRunCountsFromWhenAnAnswerCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runs(t, storetest.NewModel(), flagstage.WithApplier(flagstage.ApplierFunc(func(context.Context, flagstage.Delivery) error {
			time.Sleep(20 * time.Second)
			return nil
		})))
		defer r.end()
		input := releaseOf("w", turnsOff(), turnsOn(hours(1)))
		input.Lateness = flagstage.NoLateness
		_, err := r.StartWorkflow(t.Context(), alice, input)
		require.NoError(t, err)
		r.at(2 * time.Hour)
		require.Equal(t, 20*time.Second, r.applied("w", 0))
		require.Equal(t, time.Hour+40*time.Second, r.applied("w", 1))
	})
}

// TestRunLooksAgainOnceAMinute is about what another engine starts on the store.
func TestRunLooksAgainOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.NewModel()
		r := runs(t, store)
		defer r.end()
		other := worldOn(t, store, flagstage.NewVirtualClock(time.Now().Add(time.Second)))
		r.at(time.Second)
		_, err := other.StartWorkflow(t.Context(), alice, releaseOf("w", turnsOff(flagstage.ScheduleAt(time.Now().Add(time.Second)))))
		require.NoError(t, err)
		r.at(2 * time.Minute)
		require.Equal(t, time.Minute, r.applied("w", 0))
	})
}

// TestRunEnds returns the error of the context, or says that the engine is closed.
func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := flagstage.NewMemory()
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, e.Run(ctx), context.DeadlineExceeded)
		require.ErrorIs(t, e.Run(ctx), context.DeadlineExceeded)
		done := make(chan error)
		go func() { done <- e.Run(t.Context()) }()
		synctest.Wait()
		before := time.Now()
		require.NoError(t, e.Close())
		require.ErrorIs(t, <-done, flagstage.ErrClosed)
		require.Equal(t, before, time.Now(), "at once")
		require.ErrorIs(t, e.Run(t.Context()), flagstage.ErrClosed)
		time.Sleep(time.Second) // what is left of the store ends
	})
}

// TestAHangingApplierDoesNotStopOtherWorkflows is about a call that lasts until its
// context ends, again and again.
func TestAHangingApplierDoesNotStopOtherWorkflows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := &deliveries{answer: func(ctx context.Context, d flagstage.Delivery) error {
			if d.WorkflowID == "hangs" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		r := runs(t, storetest.NewModel(), flagstage.WithApplier(got))
		defer r.end()
		begin := func(id, flag string, stages ...flagstage.Stage) {
			input := releaseOf(id, stages...)
			input.Target.FlagKey = flag
			_, err := r.StartWorkflow(t.Context(), alice, input)
			require.NoError(t, err)
		}
		seconds := func(n int64) flagstage.Condition {
			return flagstage.ScheduleAt(time.Now().Add(time.Duration(n) * time.Second))
		}
		begin("other", "b", turnsOn(), turnsOff(seconds(5)), turnsOn(seconds(35)))
		begin("hangs", "a", turnsOn())
		begin("same", "a", turnsOff())
		r.at(4 * time.Second)
		begin("late", "c", turnsOn())
		r.at(10 * time.Minute)
		require.Equal(t, []time.Duration{0, 5 * time.Second, 35 * time.Second}, []time.Duration{r.applied("other", 0), r.applied("other", 1), r.applied("other", 2)})
		require.Equal(t, 4*time.Second, r.applied("late", 0))
		require.LessOrEqual(t, r.applied("same", 0), time.Minute, "one for the same flag waits, but not for ever")
		require.NotEqual(t, time.Duration(-1), r.applied("same", 0))
		require.Equal(t, flagstage.StatusActive, r.get("hangs").Status())
		r.at(time.Hour)
		require.Equal(t, flagstage.StatusFailed, r.get("hangs").Status(), "there is a limit of tries")
	})
}

// TestRunEndsWhileAnActionIsBeingApplied leaves no goroutine.
func TestRunEndsWhileAnActionIsBeingApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := &deliveries{answer: func(ctx context.Context, _ flagstage.Delivery) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		r := runs(t, storetest.NewModel(), flagstage.WithApplier(got))
		s := r.begin(turnsOn())
		r.at(time.Second)
		require.Len(t, got.all(), 1)
		r.end()
		require.Equal(t, time.Second, time.Since(r.began))
		require.Zero(t, count(r.get(s.ID), flagstage.EventActionFailed, 0))
	})
}

// slow is a store that takes its time to commit.
type slow struct {
	flagstage.Store
	by time.Duration
}

func (s slow) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	time.Sleep(s.by)
	return s.Store.Commit(ctx, txn)
}

func TestACallEndsBeforeItsClaimAlsoWhenTheStoreIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.NewModel()
		var ends, claims time.Time
		got := &deliveries{answer: func(ctx context.Context, _ flagstage.Delivery) error {
			ends, _ = ctx.Deadline()
			for record, err := range store.Due(t.Context(), time.Now().Add(time.Hour)) {
				require.NoError(t, err)
				claims = record.Wake
			}
			return nil
		}}
		r := runs(t, slow{store, 10 * time.Second}, flagstage.WithApplier(got))
		r.begin(turnsOn())
		r.at(time.Hour)
		r.end()
		require.False(t, ends.IsZero())
		require.False(t, ends.After(claims), "it ends at %v, the claim at %v", ends, claims)
	})
}

// TestRunNotesThatACallHangs when its time is over, though nothing else happens then.
func TestRunNotesThatACallHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		r := runs(t, storetest.NewModel(), flagstage.WithApplier(flagstage.ApplierFunc(func(context.Context, flagstage.Delivery) error {
			<-hang
			return nil
		})))
		s := r.begin(turnsOn())
		r.at(28 * time.Second)
		require.Zero(t, count(r.get(s.ID), flagstage.EventActionFailed, 0))
		r.at(29 * time.Second)
		require.Equal(t, 1, count(r.get(s.ID), flagstage.EventActionFailed, 0))
		close(hang)
		r.end()
	})
}

// slowOnce is a store that takes long for its next commit.
type slowOnce struct{ slow }

func (s *slowOnce) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	defer func() { s.by = 0 }()
	return s.slow.Commit(ctx, txn)
}

// TestWhatIsOverBeforeItBeginsIsNotCalled but delivered again at once: it took longer
// to write the claims than they last. Some begin while it is noted that they are
// over, which the race detector must not mind.
func TestWhatIsOverBeforeItBeginsIsNotCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 10 {
			got, store := &deliveries{}, &slowOnce{slow{Store: storetest.NewModel()}}
			e, err := flagstage.New(store, flagstage.WithApplier(got))
			require.NoError(t, err)
			for i := range 30 { // in one commit
				input := releaseOf(fmt.Sprint(i), turnsOn())
				input.Target.FlagKey = input.ID // so that none waits for another
				_, err := e.StartWorkflow(t.Context(), alice, input)
				require.NoError(t, err)
			}
			store.by = time.Minute
			_, err = e.Tick(t.Context())
			require.NoError(t, err)
			require.Len(t, got.all(), 30)
			for _, d := range got.all() {
				require.Equal(t, int64(2), d.Number)
			}
		}
	})
}

// sick is a store of which records of one key cannot be read while it is sick, or
// nothing at all.
type sick struct {
	flagstage.Store
	mu      sync.Mutex
	err     error
	key     string // "": all
	refused int    // how often
}

func (s *sick) be(key string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key, s.err = key, err
}

func (s *sick) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	s.mu.Lock()
	err, key := s.err, s.key
	refuses := err != nil && (key == "" || slices.ContainsFunc(txn.Put, func(r flagstage.Record) bool { return r.Key == key }))
	if refuses {
		s.refused++
	}
	s.mu.Unlock()
	if refuses {
		return 0, err
	}
	return s.Store.Commit(ctx, txn)
}

// TestRunGoesOnAfterErrors tries again after one second, two, four and so on, while
// others are done on time.
func TestRunGoesOnAfterErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &sick{Store: storetest.NewModel()}
		r := runs(t, store)
		defer r.end()
		_, err := r.StartWorkflow(t.Context(), alice, releaseOf("bad", turnsOff(hours(1))))
		require.NoError(t, err)
		_, err = r.StartWorkflow(t.Context(), alice, releaseOf("good", doing([]flagstage.Condition{hours(1)}, flags.AddTags("1")),
			doing([]flagstage.Condition{flagstage.ScheduleAt(r.began.Add(time.Hour + 100*time.Second))}, flags.AddTags("2"))))
		require.NoError(t, err)
		store.be("workflow/bad", errors.New("sick"))
		r.at(time.Hour + 2*time.Minute)
		require.Equal(t, time.Hour, r.applied("good", 0))
		require.Equal(t, time.Hour+100*time.Second, r.applied("good", 1), "on time, whatever else fails")
		require.Equal(t, time.Duration(-1), r.applied("bad", 0))
		require.Less(t, store.refused, 15, "ever more seldom")
		store.be("", nil)
		r.at(time.Hour + 4*time.Minute)
		require.LessOrEqual(t, r.applied("bad", 0), time.Hour+3*time.Minute)
		require.Equal(t, flagstage.StatusCompleted, r.get("bad").Status())
	})
}

func TestRunEndsWithAStoreThatHasFailedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &sick{Store: storetest.NewModel()}
		r := runs(t, store)
		r.begin(turnsOff(hours(1)))
		store.be("", flagstage.ErrFailed)
		require.ErrorIs(t, <-r.done, flagstage.ErrFailed)
		require.Equal(t, time.Hour, time.Since(r.began))
		r.stop()
	})
}
