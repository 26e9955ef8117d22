package flagstage_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/storetest"
)

const (
	hour   = time.Hour
	minute = time.Minute
)

// deliveries is an applier that notes what it gets, and answers by what a function
// says.
type deliveries struct {
	mu     sync.Mutex
	list   []flagstage.Delivery
	answer func(context.Context, flagstage.Delivery) error // nil: all is applied
}

func (d *deliveries) Apply(ctx context.Context, delivery flagstage.Delivery) error {
	d.mu.Lock()
	d.list = append(d.list, delivery)
	d.mu.Unlock()
	if d.answer == nil {
		return nil
	}
	return d.answer(ctx, delivery)
}

// all returns what has come so far.
func (d *deliveries) all() []flagstage.Delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]flagstage.Delivery(nil), d.list...)
}

// forget forgets what has come of a workflow.
func (d *deliveries) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = slices.DeleteFunc(d.list, func(delivery flagstage.Delivery) bool { return delivery.WorkflowID == id })
}

// withoutLate returns the deliveries that an applier does not drop.
func (d *deliveries) withoutLate() *deliveries {
	kept, last := &deliveries{}, map[string]int64{}
	for _, delivery := range d.all() {
		if delivery.Number > last[delivery.WorkflowID] {
			last[delivery.WorkflowID] = delivery.Number
			kept.list = append(kept.list, delivery)
		}
	}
	return kept
}

// firsts returns the keys of each workflow's deliveries in the order in which each
// came first.
func (d *deliveries) firsts() map[string][]string {
	keys, seen := map[string][]string{}, map[string]bool{}
	for _, delivery := range d.all() {
		if key := delivery.Key(); !seen[key] {
			seen[key] = true
			keys[delivery.WorkflowID] = append(keys[delivery.WorkflowID], key)
		}
	}
	return keys
}

// check checks what must hold of all deliveries, and which there were.
func (d *deliveries) check(t require.TestingT, want map[string][]string) {
	require.Equal(t, want, d.firsts())
	last := map[string]flagstage.Delivery{}
	for _, delivery := range d.all() {
		before := last[delivery.WorkflowID]
		require.Greater(t, delivery.Number, before.Number, "numbers grow")
		require.GreaterOrEqual(t, delivery.Stage, before.Stage, "no action comes after a later one")
		last[delivery.WorkflowID] = delivery
	}
}

func TestAnEngineRefusesBadTimesToApply(t *testing.T) {
	for _, d := range []time.Duration{-1, 1, time.Millisecond - 1} {
		_, err := flagstage.NewMemory(flagstage.WithApplyTimeout(d))
		require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
	}
	for _, d := range []time.Duration{0, time.Millisecond} {
		e, err := flagstage.NewMemory(flagstage.WithApplyTimeout(d))
		require.NoError(t, err)
		require.NoError(t, e.Close())
	}
}

// underWay is a workflow "w" of three stages whose first action is being applied,
// on a store on which others can work.
type underWay struct {
	*world
	store  flagstage.Store
	answer chan error // to the delivery
	ticked chan error // when the tick is over
}

// looked is a store that tells when somebody has seen that nothing is due.
type looked struct {
	flagstage.Store
	once sync.Once
	idle chan struct{}
}

func (l *looked) Due(ctx context.Context, until time.Time) iter.Seq2[flagstage.Record, error] {
	return func(yield func(flagstage.Record, error) bool) {
		some := false
		for record, err := range l.Store.Due(ctx, until) {
			some = true
			if !yield(record, err) {
				return
			}
		}
		if !some {
			l.once.Do(func() { close(l.idle) })
		}
	}
}

func beginDelivery(t *testing.T) *underWay { return beginDeliveryAt(t, start) }

// beginDeliveryAt begins the delivery when the clock says so, whatever it said when
// the workflow started.
func beginDeliveryAt(t *testing.T, at time.Time) *underWay {
	clock, store := flagstage.NewVirtualClock(start), storetest.NewModel()
	u := &underWay{store: store, answer: make(chan error), ticked: make(chan error)}
	begun, looked := make(chan struct{}), &looked{Store: store, idle: make(chan struct{})}
	w := worldOn(t, looked, clock, flagstage.WithApplier(flagstage.ApplierFunc(func(context.Context, flagstage.Delivery) error {
		close(begun)
		return <-u.answer
	})))
	_, err := w.StartWorkflow(t.Context(), alice, releaseOf("w", turnsOff(), turnsOn(), turnsOff(hours(1))))
	require.NoError(t, err)
	clock.Set(at)
	go func() {
		_, err := w.Tick(context.Background())
		u.ticked <- err
	}()
	<-begun
	<-looked.idle // from now on it does not look at what others do
	u.world = worldOn(t, store, clock, flagstage.WithApplier(&deliveries{}))
	return u
}

// end answers the delivery, and returns the workflow as it then is.
func (u *underWay) end(err error) flagstage.StoredWorkflow {
	u.answer <- err
	require.NoError(u, <-u.ticked)
	s := u.get("w")
	replays(u, s)
	return s
}

// count returns how many events of a kind there are of a stage.
func count(s flagstage.StoredWorkflow, kind flagstage.EventKind, stage int) (n int) {
	for _, e := range s.Events() {
		if e.Kind == kind && e.Stage == stage {
			n++
		}
	}
	return n
}

// TestResultsAreNoted is about what becomes of a delivery while somebody steers its
// workflow.
func TestResultsAreNoted(t *testing.T) {
	t.Run("in a pause", func(t *testing.T) {
		u := beginDelivery(t)
		_, err := u.Pause(t.Context(), bob, "w", "")
		require.NoError(t, err)
		s := u.end(nil)
		require.Equal(t, flagstage.StatusPaused, s.Status())
		require.Equal(t, flagstage.StatusCompleted, s.StageStatus(0))
		require.Equal(t, flagstage.StatusPending, s.StageStatus(1), "nothing is armed")
		s, err = u.Resume(t.Context(), bob, "w", "")
		require.NoError(t, err)
		require.Equal(t, flagstage.StatusActive, s.StageStatus(1))
	})
	t.Run("a failure in a pause", func(t *testing.T) {
		u := beginDelivery(t)
		_, err := u.Pause(t.Context(), bob, "w", "")
		require.NoError(t, err)
		s := u.end(errUnavailable)
		require.Equal(t, flagstage.StatusPaused, s.Status())
		require.Equal(t, 1, count(s, flagstage.EventActionFailed, 0))
	})
	t.Run("after a pause", func(t *testing.T) {
		u := beginDelivery(t)
		_, err := u.Pause(t.Context(), bob, "w", "")
		require.NoError(t, err)
		_, err = u.Resume(t.Context(), bob, "w", "")
		require.NoError(t, err)
		require.Zero(t, u.tick(0).Workflows, "nobody else delivers it")
		require.Equal(t, flagstage.StatusCompleted, u.end(nil).StageStatus(0))
	})
	t.Run("of what is cancelled", func(t *testing.T) {
		u := beginDelivery(t)
		_, err := u.Cancel(t.Context(), bob, "w", "because")
		require.NoError(t, err)
		s := u.end(nil)
		require.Equal(t, flagstage.StatusCancelled, s.Status())
		require.Equal(t, flagstage.StatusCompleted, s.StageStatus(0), "that it took effect is noted")
		require.Equal(t, flagstage.StatusCancelled, s.StageStatus(1))
		_, ok, err := u.NextDue(t.Context())
		require.NoError(t, err)
		require.False(t, ok)
	})
	t.Run("a failure of what is cancelled", func(t *testing.T) {
		u := beginDelivery(t)
		_, err := u.Cancel(t.Context(), bob, "w", "because")
		require.NoError(t, err)
		s := u.end(errUnavailable)
		require.Equal(t, flagstage.StatusCancelled, s.StageStatus(0))
		require.Zero(t, count(s, flagstage.EventActionFailed, 0))
	})
}

// TestLateResultsAreDropped is about results of deliveries in whose place others
// have come.
func TestLateResultsAreDropped(t *testing.T) {
	t.Run("of a stage that was skipped", func(t *testing.T) {
		u := beginDelivery(t)
		_, err := u.Engine.Skip(t.Context(), bob, "w", flagstage.Skip{Stage: 0, Reason: "because"})
		var state *flagstage.StateError
		require.ErrorAs(t, err, &state, "the action is under way")
		u.clock.Set(start.Add(31 * time.Second))
		_, err = u.Engine.Skip(t.Context(), bob, "w", flagstage.Skip{Stage: 0, Reason: "because"})
		require.NoError(t, err)
		s := u.end(nil)
		require.Equal(t, flagstage.StatusSkipped, s.StageStatus(0))
		require.Equal(t, flagstage.StatusActive, s.StageStatus(1), "it is not the result of the next stage")
	})
	t.Run("of a stage that was skipped, when the next is under way", func(t *testing.T) {
		u := beginDelivery(t)
		u.clock.Set(start.Add(31 * time.Second))
		_, err := u.Engine.Skip(t.Context(), bob, "w", flagstage.Skip{Stage: 0, Reason: "because"})
		require.NoError(t, err)
		next := &underWay{answer: make(chan error), ticked: make(chan error)}
		begun := make(chan struct{})
		other := worldOn(t, u.store, u.clock, flagstage.WithApplier(flagstage.ApplierFunc(func(context.Context, flagstage.Delivery) error {
			close(begun)
			return <-next.answer
		})))
		go func() {
			_, err := other.Tick(context.Background())
			next.ticked <- err
		}()
		<-begun
		require.Equal(t, flagstage.StatusActive, u.end(nil).StageStatus(1))
		next.world = u.world
		require.Equal(t, flagstage.StatusCompleted, next.end(nil).StageStatus(1))
	})
	t.Run("of one that was delivered again", func(t *testing.T) {
		u := beginDelivery(t)
		require.Zero(t, u.tick(0).Workflows)
		u.clock.Set(start.Add(30 * time.Second))
		report, err := u.Tick(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, report.Applied)
		s := u.end(nil)
		require.Equal(t, 1, count(s, flagstage.EventActionApplied, 0))
	})
	t.Run("of a round before", func(t *testing.T) {
		u := beginDelivery(t)
		u.clock.Set(start.Add(30 * time.Second))
		failing := worldOn(t, u.store, u.clock, flagstage.WithApplier(&deliveries{answer: func(context.Context, flagstage.Delivery) error {
			return flagstage.Permanent(errUnavailable)
		}}))
		_, err := failing.Tick(t.Context())
		require.NoError(t, err)
		require.Equal(t, flagstage.StatusFailed, u.get("w").Status())
		_, err = u.Retry(t.Context(), bob, "w", flagstage.Retry{Reason: "because"})
		require.NoError(t, err)
		s := u.end(nil)
		require.Equal(t, flagstage.StatusActive, s.StageStatus(0), "the new round has no result yet")
	})
	t.Run("in a pause, when it has run out", func(t *testing.T) {
		u := beginDelivery(t)
		_, err := u.Pause(t.Context(), bob, "w", "")
		require.NoError(t, err)
		u.tick(1)
		_, ok, err := u.NextDue(t.Context())
		require.NoError(t, err)
		require.False(t, ok, "what is paused waits for nothing")
		require.Equal(t, flagstage.StatusActive, u.end(nil).StageStatus(0))
	})
	t.Run("of what is deleted", func(t *testing.T) {
		u := beginDelivery(t)
		require.NoError(t, u.DeleteWorkflow(t.Context(), bob, "w"))
		u.answer <- nil
		require.NoError(t, <-u.ticked)
		nothingLeft(t, u.store)
	})
	t.Run("of what is deleted, when its id is used again", func(t *testing.T) {
		u := beginDelivery(t)
		require.NoError(t, u.DeleteWorkflow(t.Context(), bob, "w"))
		_, err := u.StartWorkflow(t.Context(), alice, releaseOf("w", turnsOn()))
		require.NoError(t, err)
		begun, answer := make(chan struct{}), make(chan error)
		other := worldOn(t, u.store, u.clock, flagstage.WithApplier(flagstage.ApplierFunc(func(context.Context, flagstage.Delivery) error {
			close(begun)
			return <-answer
		})))
		ticked := make(chan error)
		go func() {
			_, err := other.Tick(context.Background())
			ticked <- err
		}()
		<-begun // with the same number, at the same instant
		require.Equal(t, flagstage.StatusActive, u.end(nil).StageStatus(0))
		answer <- nil
		require.NoError(t, <-ticked)
		require.Equal(t, flagstage.StatusCompleted, u.get("w").Status())
	})
	t.Run("of what is deleted, when its template is started again under its id", func(t *testing.T) {
		begun := make(chan struct{})
		answers := map[string]chan error{"production": make(chan error), "staging": make(chan error)}
		w := newWorld(t, flagstage.WithApplier(flagstage.ApplierFunc(func(_ context.Context, d flagstage.Delivery) error {
			begun <- struct{}{}
			return <-answers[d.Target.EnvironmentKey]
		})))
		_, err := w.CreateTemplate(t.Context(), alice, flagstage.TemplateInput{Key: "t", Origin: theTarget, Stages: []flagstage.Stage{turnsOn()}})
		require.NoError(t, err)
		begin := func(environment string) (ticked chan error) {
			input := releaseOf("w")
			input.TemplateKey, input.Target.EnvironmentKey = "t", environment
			_, err := w.StartWorkflow(t.Context(), alice, input)
			require.NoError(t, err)
			w.clock.Set(after(1))
			ticked = make(chan error)
			go func() {
				_, err := w.Tick(context.Background())
				ticked <- err
			}()
			<-begun
			return ticked
		}
		first := begin("production")
		require.NoError(t, w.DeleteWorkflow(t.Context(), bob, "w"))
		second := begin("staging") // with the same plan and number, at the same instant
		answers["production"] <- errUnavailable
		require.NoError(t, <-first)
		require.Zero(t, count(w.get("w"), flagstage.EventActionFailed, 0))
		answers["staging"] <- nil
		require.NoError(t, <-second)
		require.Equal(t, flagstage.StatusCompleted, w.get("w").Status())
	})
}

// TestALongTickClaimsFromNow is about a tick in which an action is delivered long
// after it began: no other engine delivers it then.
func TestALongTickClaimsFromNow(t *testing.T) {
	store, clock := storetest.NewModel(), flagstage.NewVirtualClock(start)
	other := worldOn(t, store, clock, flagstage.WithApplier(flagstage.ApplierFunc(func(context.Context, flagstage.Delivery) error {
		return errors.New("it is being delivered")
	})))
	var meanwhile []flagstage.TickReport
	w := worldOn(t, store, clock, flagstage.WithApplier(flagstage.ApplierFunc(func(ctx context.Context, d flagstage.Delivery) error {
		if d.Stage == 0 {
			clock.Advance(time.Minute) // longer than a claim lasts
			return nil
		}
		report, err := other.Tick(ctx)
		meanwhile = append(meanwhile, report)
		return err
	})))
	w.begin(turnsOn(), turnsOff())
	require.Equal(t, 2, w.tick(0).Applied)
	require.Equal(t, []flagstage.TickReport{{Now: start.Add(time.Minute)}}, meanwhile)
}

// opaqueError has a text also where there is no error: what an applier returns that
// declares one and never sets it.
type opaqueError struct{ cause error }

func (*opaqueError) Error() string   { return "opaque" }
func (e *opaqueError) Unwrap() error { return e.cause }

func TestWhatAnApplierAnswers(t *testing.T) {
	conflict := fmt.Errorf("no: %w", &flagstage.FlagConflictError{Pointer: "/on"})
	for _, c := range []struct {
		name   string
		answer func() error
		reason flagstage.Reason
		again  time.Duration // 0: never
	}{
		{"an error", func() error { return errUnavailable }, flagstage.ReasonTransient, time.Second},
		{"a permanent one", func() error { return fmt.Errorf("wrapped: %w", flagstage.Permanent(errUnavailable)) }, flagstage.ReasonRejected, 0},
		{"a conflict", func() error { return conflict }, flagstage.ReasonConflict, 0},
		{"a panic", func() error { panic("applier") }, flagstage.ReasonTransient, time.Second},
		{"a permanent one that says nothing", func() error { return &flagstage.PermanentError{} }, flagstage.ReasonRejected, 0},
		{"an error without text", func() error { return (*flagstage.PermanentError)(nil) }, flagstage.ReasonTransient, time.Second},
		{"an error that cannot be unwrapped", func() error { return (*opaqueError)(nil) }, flagstage.ReasonTransient, time.Second},
		{"an unprintable error", func() error { return errors.New("a\xff\x00b") }, flagstage.ReasonTransient, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, flagstage.WithApplier(&deliveries{answer: func(context.Context, flagstage.Delivery) error { return c.answer() }}))
			s := w.begin(turnsOn(), turnsOff())
			require.Equal(t, 1, w.tick(0).Failed)
			got := w.get(s.ID)
			replays(t, got)
			require.Equal(t, flagstage.StatusPending, got.StageStatus(1))
			due, ok, err := w.NextDue(t.Context())
			require.NoError(t, err)
			if c.again == 0 {
				require.False(t, ok)
				require.Equal(t, flagstage.StatusFailed, got.Status())
			} else {
				require.Equal(t, start.Add(c.again), due)
			}
			events := got.Events()
			for _, e := range events {
				if e.Kind == flagstage.EventActionFailed {
					require.Equal(t, c.reason, e.Reason)
					return
				}
			}
			require.Fail(t, "the failure is no event")
		})
	}
	require.NoError(t, flagstage.Permanent(nil))
}

// endsGoroutine is an error whose text ends the goroutine that asks for it.
type endsGoroutine struct{}

func (endsGoroutine) Error() string {
	runtime.Goexit()
	return ""
}

// TestAnApplierThatEndsItsGoroutine as a test does that fails: nobody waits for its
// answer.
func TestAnApplierThatEndsItsGoroutine(t *testing.T) {
	for _, answer := range []func() error{
		func() error { runtime.Goexit(); return nil },
		func() error { return endsGoroutine{} },
	} {
		w := newWorld(t, flagstage.WithApplier(flagstage.ApplierFunc(func(context.Context, flagstage.Delivery) error { return answer() })))
		s := w.begin(turnsOn())
		require.Equal(t, 1, w.tick(0).Failed)
		events := w.get(s.ID).Events()
		require.Equal(t, "the applier ended its goroutine", events[len(events)-1].Comment)
	}
}

// TestAnAnswerToACancelledTickIsNone if it is an error: perhaps the action took
// effect.
func TestAnAnswerToACancelledTickIsNone(t *testing.T) {
	for range 20 { // whatever is heard of first, the answer or the end
		ctx, cancel := context.WithCancel(t.Context())
		w := newWorld(t, flagstage.WithApplier(flagstage.ApplierFunc(func(ctx context.Context, _ flagstage.Delivery) error {
			cancel()
			return ctx.Err()
		})))
		s := w.begin(turnsOn())
		version := s.Version()
		_, err := w.Tick(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, version, w.get(s.ID).Version())
		due, ok, err := w.NextDue(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, start.Add(30*time.Second), due, "it is tried again when the claim has run out")
	}
}

// TestNobodyKnowsWhatBecomesOfAHangingCallOfACancelledTick since it may yet take
// effect: no failure is noted, and none is waited for.
func TestNobodyKnowsWhatBecomesOfAHangingCallOfACancelledTick(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hang, left := make(chan struct{}), make(chan struct{})
	w := newWorld(t, flagstage.WithApplier(flagstage.ApplierFunc(func(context.Context, flagstage.Delivery) error {
		defer close(left)
		cancel()
		<-hang
		return nil
	})))
	s := w.begin(turnsOn())
	_, err := w.Tick(ctx)
	require.ErrorIs(t, err, context.Canceled)
	close(hang)
	<-left
	require.Equal(t, s.Version(), w.get(s.ID).Version())
	due, _, err := w.NextDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, start.Add(30*time.Second), due)
}

// TestActionsAreTriedAgainByTheRules counts the tries, and measures the waits
// between them.
func TestActionsAreTriedAgainByTheRules(t *testing.T) {
	for _, c := range []struct {
		retries flagstage.Retries
		want    []time.Duration
	}{
		{flagstage.Retries{}, []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}},
		{flagstage.Retries{Limit: 1}, nil},
		{flagstage.Retries{Limit: 4, Backoff: 10 * time.Second, MaxBackoff: 15 * time.Second}, []time.Duration{10, 15, 15}},
		{flagstage.Retries{Limit: 3, Backoff: 400 * time.Second}, []time.Duration{400, 400}},
	} {
		got := &deliveries{answer: func(context.Context, flagstage.Delivery) error { return errUnavailable }}
		w := newWorld(t, flagstage.WithApplier(got), flagstage.WithRetries(c.retries))
		s := w.begin(turnsOn())
		var waits []time.Duration
		for {
			due, ok, err := w.NextDue(t.Context())
			require.NoError(t, err)
			if !ok {
				break
			}
			if before := w.clock.Now(); due.After(before) {
				waits = append(waits, due.Sub(before)/time.Second)
			}
			w.clock.Set(due)
			_, err = w.Tick(t.Context())
			require.NoError(t, err)
		}
		require.Equal(t, c.want, waits)
		require.Equal(t, flagstage.StatusFailed, w.get(s.ID).Status())
		got.check(t, map[string][]string{s.ID: {s.ID + "/0/1"}})
		require.Len(t, got.all(), len(c.want)+1)
		got.answer = nil
		_, err := w.Retry(t.Context(), bob, s.ID, flagstage.Retry{Reason: "because"})
		require.NoError(t, err)
		_, err = w.Tick(t.Context())
		require.NoError(t, err)
		require.Equal(t, flagstage.StatusCompleted, w.get(s.ID).Status())
		got.check(t, map[string][]string{s.ID: {s.ID + "/0/1", s.ID + "/0/2"}})
	}
	got := &deliveries{answer: func(context.Context, flagstage.Delivery) error { return errUnavailable }}
	w := newWorld(t, flagstage.WithApplier(got), flagstage.WithRetries(flagstage.Retries{Backoff: time.Microsecond, MaxBackoff: time.Microsecond}))
	w.begin(turnsOn())
	require.Equal(t, 1, w.tick(0).Failed)
	due, _, err := w.NextDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, start.Add(time.Millisecond), due, "the shortest wait there is")

	w = newWorld(t, flagstage.WithApplier(got), flagstage.WithRetries(flagstage.Retries{Backoff: time.Hour}))
	w.clock.Set(time.Date(9999, 12, 31, 23, 30, 0, 0, time.UTC))
	s := w.begin(turnsOn())
	report, err := w.Tick(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, report.Failed)
	require.Equal(t, flagstage.StatusFailed, w.get(s.ID).Status(), "there is no later")
	_, err = flagstage.NewMemory(flagstage.WithRetries(flagstage.Retries{Limit: -1}))
	require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
}

// TestAFailureWhileTheClockIsBehindIsTriedAgainLater is about a clock that was
// ahead of its time when the workflow was paused and resumed.
func TestAFailureWhileTheClockIsBehindIsTriedAgainLater(t *testing.T) {
	got := &deliveries{answer: func(context.Context, flagstage.Delivery) error { return errUnavailable }}
	w := newWorld(t, flagstage.WithApplier(got))
	s := w.begin(turnsOn(hours(1)))
	w.tick(1)
	require.Len(t, got.all(), 1)
	w.clock.Set(after(100))
	_, err := w.Pause(t.Context(), bob, s.ID, "")
	require.NoError(t, err)
	_, err = w.Resume(t.Context(), bob, s.ID, "")
	require.NoError(t, err)
	require.Equal(t, 1, w.tick(2).Failed, "once, and not for ever")
	require.Len(t, got.all(), 2)
	require.Equal(t, 1, w.tick(101).Failed)
	replays(t, w.get(s.ID))
}

// TestACancelledTickIsGoneOnFrom is about a tick that ends while an action is being
// applied.
func TestACancelledTickIsGoneOnFrom(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	got := &deliveries{answer: func(ctx context.Context, d flagstage.Delivery) error {
		if d.Number == 1 {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}}
	w := newWorld(t, flagstage.WithApplier(got))
	s := w.begin(turnsOn())
	_, err := w.Tick(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, count(w.get(s.ID), flagstage.EventActionFailed, 0), "nobody knows what became of it")
	require.Zero(t, w.tick(0).Workflows)
	require.Equal(t, 1, w.tick(0.01).Applied)
	got.check(t, map[string][]string{s.ID: {s.ID + "/0/1"}})
}

// TestActionsForOneFlagAreAppliedOneAfterTheOther also by several ticks of an
// engine, of which one is cancelled meanwhile.
func TestActionsForOneFlagAreAppliedOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		busy, release := false, make(chan struct{})
		w := worldOn(t, storetest.NewModel(), flagstage.NewVirtualClock(start), flagstage.WithApplier(flagstage.ApplierFunc(func(_ context.Context, d flagstage.Delivery) error {
			mu.Lock()
			defer mu.Unlock()
			require.False(t, busy)
			busy, order = true, append(order, d.WorkflowID)
			mu.Unlock()
			if d.WorkflowID == "a" {
				<-release
			}
			mu.Lock()
			busy = false
			return nil
		})))
		tick := func(ctx context.Context, id string) chan error {
			_, err := w.StartWorkflow(t.Context(), alice, releaseOf(id, turnsOn()))
			require.NoError(t, err)
			ticked := make(chan error, 1)
			go func() {
				_, err := w.Tick(ctx)
				ticked <- err
			}()
			synctest.Wait()
			return ticked
		}
		first := tick(t.Context(), "a")
		ctx, cancel := context.WithCancel(t.Context())
		second := tick(ctx, "b")
		cancel()
		require.ErrorIs(t, <-second, context.Canceled)
		third := tick(t.Context(), "c")
		require.Equal(t, []string{"a"}, order, "those for the same flag wait")
		close(release)
		require.NoError(t, <-first)
		require.NoError(t, <-third)
		require.Equal(t, []string{"a", "b", "c"}, order)
		for _, id := range order {
			require.Equal(t, flagstage.StatusCompleted, w.get(id).Status())
		}
	})
}
