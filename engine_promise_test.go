package flagstage_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/storetest"
)

// TestAStageChangesAFlagOfTheStoreExactlyOnce has two engines do what is due, and
// lets each operation of the store fail under the first. Each stage adds a rule, so
// that whatever is applied twice is seen.
func TestAStageChangesAFlagOfTheStoreExactlyOnce(t *testing.T) {
	adds := func(after int64) flagstage.Stage {
		return doing([]flagstage.Condition{flagstage.ScheduleAfter(after, calendar.Hour)}, flags.AddRule(flags.Rule{
			Clauses: []flags.Clause{{ContextKind: "user", Attribute: "country", Op: "in", Values: []flags.Value{flags.StringValue("no")}}},
			Serve:   flags.ServeVariation(newVariation),
		}, ""))
	}
	storetest.Sweep(t, func(t *testing.T, plan storetest.Plan) bool {
		first, store := withFlag(t)
		there := first.environment().RuleCount()
		first.starts("a", adds(1), adds(1))
		first.starts("b", adds(1), adds(2))
		faulty := storetest.Faulty(store, plan)
		failing, other := worldOn(t, faulty, first.clock), worldOn(t, store, first.clock)
		for i, want := range []int{2, 3, 4, 4} {
			first.clock.Set(after(float64(i + 1)))
			_, _ = failing.Tick(t.Context()) // whatever comes of it
			other.tick(float64(i + 1))
			applied := 0
			for _, id := range []string{"a", "b"} {
				for stage := range 2 {
					applied += count(other.get(id), flagstage.EventActionApplied, stage)
				}
			}
			require.Equal(t, want, applied)
			require.Equal(t, there+applied, other.environment().RuleCount())
		}
		return faulty.Fired()
	})
}

// TestResultsAreDatedWhenTheyCome is about an applier that takes its time, in one
// tick: what follows waits from then on.
func TestResultsAreDatedWhenTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := &deliveries{answer: func(context.Context, flagstage.Delivery) error {
			time.Sleep(20 * time.Second)
			return nil
		}}
		e, err := flagstage.New(storetest.NewModel(), flagstage.WithApplier(got))
		require.NoError(t, err)
		defer func() { require.NoError(t, e.Close()) }()
		w := &world{TB: t, Engine: e}
		input := releaseOf("w", turnsOn(), turnsOff(), turnsOn(flagstage.ScheduleAfter(1, calendar.Minute)))
		input.Lateness = flagstage.NoLateness
		begin := time.Now()
		_, err = w.StartWorkflow(t.Context(), alice, input)
		require.NoError(t, err)
		report, err := w.Tick(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, report.Applied, "what is due when the first is over is done too")
		require.Equal(t, flagstage.Instant(begin), report.Now)
		var applied []time.Duration
		for _, e := range w.get("w").Events() {
			if e.Kind == flagstage.EventActionApplied {
				applied = append(applied, e.At.Sub(flagstage.Instant(begin)))
			}
		}
		require.Equal(t, []time.Duration{20 * time.Second, 40 * time.Second}, applied)
		due, ok, err := w.NextDue(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, 100*time.Second, due.Sub(flagstage.Instant(begin)))
	})
}

// TestAcknowledgedIsDurableAlsoIfNothingIsWritten is about calls that find what they
// would write: who wrote it may still wait for the disk, and fail.
func TestAcknowledgedIsDurableAlsoIfNothingIsWritten(t *testing.T) {
	segment, problems := flags.DecodeSegment([]byte(`{"key":"staff"}`))
	require.NoError(t, problems.Err())
	for _, c := range []struct {
		name string
		call func(w *world) (revision int64, err error)
	}{
		{"start", func(w *world) (int64, error) {
			s, err := w.StartWorkflow(w.Context(), alice, releaseOf("w", turnsOff(hours(1))))
			return s.Revision, err
		}},
		{"put flag", func(w *world) (int64, error) {
			f, err := w.PutFlag(w.Context(), alice, theTarget.ProjectKey, w.flag, flagstage.FlagWrite{})
			return f.Revision, err
		}},
		{"put segment", func(w *world) (int64, error) {
			s, err := w.PutSegment(w.Context(), alice, "p", "e", segment, 0)
			return s.Revision, err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, store := withFlag(t)
			first, err := c.call(w)
			require.NoError(t, err)
			again, err := c.call(w)
			require.NoError(t, err)
			require.Equal(t, first, again, "nothing is written")
			faulty := storetest.Faulty(store, storetest.Plan{Fault: storetest.FaultLost, On: []storetest.Op{storetest.OpCommit}})
			_, err = c.call(worldOn(t, faulty, w.clock))
			require.ErrorIs(t, err, flagstage.ErrUnknownOutcome)
		})
	}
}

func TestAFlagIsReleasedInAnEnvironmentThatItHas(t *testing.T) {
	w, store := withFlag(t)
	before := content(t, store)
	input := releaseOf("w", doing(nil, flags.UpdateName("named")))
	input.Target.EnvironmentKey = "nowhere"
	_, err := w.StartWorkflow(t.Context(), alice, input)
	require.ErrorIs(t, err, flagstage.ErrNotFound)
	require.ErrorContains(t, err, `has no environment "nowhere"`)
	_, err = w.DryRunWorkflow(t.Context(), alice, input, flagstage.Future{})
	require.ErrorIs(t, err, flagstage.ErrNotFound)
	require.Equal(t, before, content(t, store))
}

// TestATickEndsThoughACallNeverDoes is about an applier that breaks its contract:
// another release of the flag waits, but not in this tick.
func TestATickEndsThoughACallNeverDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := make(chan struct{})
		got := &deliveries{answer: func(_ context.Context, d flagstage.Delivery) error {
			if d.WorkflowID == "hangs" {
				<-hangs
			}
			return nil
		}}
		e, err := flagstage.New(storetest.NewModel(), flagstage.WithApplier(got))
		require.NoError(t, err)
		w := &world{TB: t, Engine: e}
		w.starts("hangs", turnsOn())
		w.starts("waits", turnsOff())
		begin := time.Now()
		for range 3 {
			_, err := w.Tick(t.Context())
			require.NoError(t, err)
		}
		require.LessOrEqual(t, time.Since(begin), 5*time.Minute)
		require.Equal(t, flagstage.StatusActive, w.get("waits").Status())
		close(hangs)
		synctest.Wait()
		time.Sleep(time.Hour)
		_, err = w.Tick(t.Context())
		require.NoError(t, err)
		require.Equal(t, flagstage.StatusCompleted, w.get("waits").Status())
		require.Equal(t, flagstage.StatusCompleted, w.get("hangs").Status())
		require.NoError(t, e.Close())
	})
}

// TestATemplateThatAnotherEngineHasReplacedIsReadAnew is about what an engine
// remembers.
func TestATemplateThatAnotherEngineHasReplacedIsReadAnew(t *testing.T) {
	w, store := withFlag(t)
	other := worldOn(t, store, w.clock)
	input := flagstage.TemplateInput{Key: "kept", Origin: theTarget, Stages: []flagstage.Stage{turnsOff()}}
	kept, err := w.CreateTemplate(t.Context(), alice, input)
	require.NoError(t, err)
	starts := func() int {
		s, err := w.StartWorkflow(t.Context(), alice, flagstage.WorkflowInput{Name: "release", TemplateKey: "kept", Target: theTarget})
		require.NoError(t, err)
		return s.Plan().Len()
	}
	require.Equal(t, 1, starts())
	input.Stages = []flagstage.Stage{turnsOff(), turnsOn()}
	_, err = other.ReplaceTemplate(t.Context(), bob, input, kept.Revision)
	require.NoError(t, err)
	require.Equal(t, 2, starts())
}

// TestWhatLeadsToADeliveryIsToldAtOnceIfItIsMuch is about a stage with more conditions
// than a workflow's record takes the events of.
func TestWhatLeadsToADeliveryIsToldAtOnceIfItIsMuch(t *testing.T) {
	store := storetest.NewModel()
	told, most := 0, 0
	var w *world
	w = worldOn(t, store, flagstage.NewVirtualClock(start), flagstage.WithApplier(&deliveries{answer: func(context.Context, flagstage.Delivery) error {
		for _, batch := range w.feed(flagstage.Cursor{}, 10) {
			told += len(batch.Events)
		}
		record, err := store.Get(t.Context(), "workflow/w")
		most = len(record.Value)
		return err
	}}))
	conditions := make([]flagstage.Condition, 50)
	for i := range conditions {
		conditions[i] = hours(1)
	}
	w.starts("w", turnsOn(conditions...))
	begun := len(w.get("w").Events())
	w.tick(1)
	require.Equal(t, begun+len(conditions), told)
	require.Less(t, most, 4<<10)
	replays(t, w.get("w"))
}
