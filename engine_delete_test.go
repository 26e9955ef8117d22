package flagstage_test

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/storetest"
)

// withFlag is a world on a model of a store, with its flag.
func withFlag(t *testing.T) (*world, flagstage.Store) {
	store := storetest.NewModel()
	return withFlagOn(t, store), store
}

// starts starts a workflow with an id.
func (w *world) starts(id string, stages ...flagstage.Stage) flagstage.StoredWorkflow {
	s, err := w.StartWorkflow(w.Context(), alice, releaseOf(id, stages...))
	require.NoError(w, err)
	return s
}

// nothingLeft checks that there is no workflow in a store, and nothing of one but
// plans.
func nothingLeft(t require.TestingT, store flagstage.Store) {
	for r, err := range store.Scan(context.Background(), "") {
		require.NoError(t, err)
		require.Regexp(t, "^(flag|flagchange|flaglinks|plan|segment|template)/", r.Key)
	}
}

func TestADeletedWorkflowDoesNotGoOn(t *testing.T) {
	w, store := withFlag(t)
	w.starts("w", turnsOff(hours(1)))
	require.NoError(t, w.DeleteWorkflow(t.Context(), alice, "w"))
	require.ErrorIs(t, w.DeleteWorkflow(t.Context(), alice, "w"), flagstage.ErrNotFound)
	w.tick(2)
	require.True(t, w.environment().On())
	_, err := w.Workflow(t.Context(), alice, "w")
	require.ErrorIs(t, err, flagstage.ErrNotFound)
	nothingLeft(t, store)
	w.starts("w", turnsOff())
	require.False(t, w.environment().On(), "its id can be used again")
}

// TestATickTakesAwayWhatADeletionHasLeft whatever the clock says.
func TestATickTakesAwayWhatADeletionHasLeft(t *testing.T) {
	storetest.Sweep(t, func(t *testing.T, plan storetest.Plan) bool {
		w, store := withFlag(t)
		w.starts("w", turnsOff(hours(1)))
		w.clock.Set(start.AddDate(5, 0, 0))
		faulty := storetest.Faulty(store, plan)
		err := worldOn(t, faulty, w.clock).DeleteWorkflow(t.Context(), alice, "w")
		faulty.Restart()
		w.clock.Set(start.AddDate(-5, 0, 0))
		w = worldOn(t, store, w.clock)
		_, readErr := w.Workflow(t.Context(), alice, "w")
		if err == nil {
			require.ErrorIs(t, readErr, flagstage.ErrNotFound)
		}
		if readErr == nil {
			require.NoError(t, w.DeleteWorkflow(t.Context(), alice, "w"))
		} else {
			require.ErrorIs(t, readErr, flagstage.ErrNotFound)
			_, err = w.Tick(t.Context())
			require.NoError(t, err)
		}
		nothingLeft(t, store)
		w.clock.Set(start)
		w.starts("w", turnsOff())
		return faulty.Fired()
	})
}

// TestABurialThatIsRefusedForEverIsAnError of the tick, as a store that contradicts
// itself is not asked for ever.
func TestABurialThatIsRefusedForEverIsAnError(t *testing.T) {
	w, store := withFlag(t)
	w.starts("w", turnsOff(hours(1)))
	faulty := storetest.Faulty(store, storetest.Plan{Fault: storetest.FaultError, On: []storetest.Op{storetest.OpCommit}, N: 1})
	require.NoError(t, worldOn(t, faulty, w.clock).DeleteWorkflow(t.Context(), alice, "w"))
	require.True(t, faulty.Fired())
	_, err := worldOn(t, stubborn{store}, w.clock).Tick(t.Context())
	require.ErrorIs(t, err, flagstage.ErrConflict)
	w.tick(1)
	nothingLeft(t, store)
}

// TestABurialTouchesNoNewWorkflow is about an engine that takes away a workflow
// with many events, while another one has done so, and the id is used again.
func TestABurialTouchesNoNewWorkflow(t *testing.T) {
	w, store := withFlag(t)
	w.starts("w", turnsOff(hours(1)))
	for range 80 {
		_, err := w.Pause(t.Context(), alice, "w", "")
		require.NoError(t, err)
		_, err = w.Resume(t.Context(), alice, "w", "")
		require.NoError(t, err)
	}
	quick := &interloper{Store: store}
	quick.before = func() { // before the workflow is marked
		quick.before = func() { // before its events go
			_, err := w.Tick(context.Background())
			require.NoError(t, err)
			w.starts("w", turnsOff(hours(1)))
			for range 80 {
				_, err := w.Pause(context.Background(), alice, "w", "")
				require.NoError(t, err)
				_, err = w.Resume(context.Background(), alice, "w", "")
				require.NoError(t, err)
			}
		}
	}
	require.NoError(t, worldOn(t, quick, w.clock).DeleteWorkflow(t.Context(), alice, "w"))
	require.Nil(t, quick.before)
	replays(t, w.get("w"))
}

func TestPurgeTakesAwayWhatHasEnded(t *testing.T) {
	w, store := withFlag(t)
	w.starts("completed", turnsOff())
	w.starts("cancelled", turnsOff(hours(1)))
	w.starts("failed", turnsOn(flagstage.Approval{}))
	w.starts("active", turnsOn(flagstage.Approval{}))
	w.starts("paused", turnsOn(hours(100)))
	w.clock.Set(after(1))
	_, err := w.Cancel(t.Context(), alice, "cancelled", "because")
	require.NoError(t, err)
	_, err = w.Review(t.Context(), bob, "failed", flagstage.Review{Kind: flagstage.ReviewDecline})
	require.NoError(t, err)
	_, err = w.Pause(t.Context(), alice, "paused", "")
	require.NoError(t, err)
	w.clock.Set(after(2))
	w.starts("later", turnsOn())

	purge := func(hours float64) flagstage.Purged {
		p, err := w.Purge(t.Context(), alice, after(hours))
		require.NoError(t, err)
		return p
	}
	require.Equal(t, flagstage.Purged{}, purge(0))
	require.Equal(t, flagstage.Purged{Workflows: 1, Plans: 1, Changes: 2}, purge(0.5), "the others began after these changes")
	require.Equal(t, flagstage.Purged{}, purge(1))
	require.Equal(t, flagstage.Purged{Workflows: 2, Plans: 2}, purge(1.5))
	require.Equal(t, flagstage.Purged{}, purge(1000), "what has ended now is kept, as is what comes")
	w.clock.Set(after(3))
	require.Equal(t, flagstage.Purged{Workflows: 1, Plans: 1}, purge(1000))
	for _, id := range []string{"active", "paused"} {
		replays(t, w.get(id))
		require.NoError(t, w.DeleteWorkflow(t.Context(), alice, id))
	}
	require.Equal(t, flagstage.Purged{Plans: 2, Changes: 1}, purge(3))
	require.Len(t, content(t, store), 2, "only the flag is left, and the links of its project")
	_, err = w.Purge(t.Context(), alice, time.Time{})
	require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
}

// TestAPurgeAndAStartDoNoHarmToEachOther has a workflow of a plan start before each
// commit of a purge that may take the plan away.
func TestAPurgeAndAStartDoNoHarmToEachOther(t *testing.T) {
	for n := range 6 {
		w, store := withFlag(t)
		plan := w.starts("w", turnsOff()).Plan()
		w.clock.Set(after(1))
		quick := &interloper{Store: store}
		quick.before = nth(quick, n, func() {
			_, err := w.StartPlan(context.Background(), alice, plan, flagstage.WorkflowInput{ID: "again"})
			require.NoError(t, err)
		})
		_, err := worldOn(t, quick, w.clock).Purge(t.Context(), alice, after(1))
		require.NoError(t, err)
		if quick.before != nil {
			require.Greater(t, n, 2, "a purge has some commits")
			return
		}
		replays(t, worldOn(t, store, w.clock).get("again"))
		_, err = w.StartPlan(t.Context(), alice, plan, flagstage.WorkflowInput{ID: "once more"})
		require.Error(t, err)
		_, err = w.StartPlan(t.Context(), alice, plan, flagstage.WorkflowInput{ID: "once-more"})
		require.NoError(t, err, "an engine that knew the plan writes it again")
		replays(t, worldOn(t, store, w.clock).get("once-more"))
	}
}

// nth returns what does something before the commit with a number, counted from 0.
func nth(i *interloper, n int, do func()) func() {
	if n == 0 {
		return do
	}
	return func() { i.before = nth(i, n-1, do) }
}

// spoiler is a store on which somebody else is quicker, before the first read or scan
// of keys that begin with a prefix.
type spoiler struct {
	flagstage.Store
	prefix string
	before func()
}

func (s *spoiler) spoil(key string) {
	if before := s.before; before != nil && strings.HasPrefix(key, s.prefix) {
		s.before = nil
		before()
	}
}

func (s *spoiler) Get(ctx context.Context, key string) (flagstage.Record, error) {
	s.spoil(key)
	return s.Store.Get(ctx, key)
}

func (s *spoiler) Scan(ctx context.Context, prefix string) iter.Seq2[flagstage.Record, error] {
	s.spoil(prefix)
	return s.Store.Scan(ctx, prefix)
}

// TestAWorkflowThatGoesWhileItIsReadIsNotDamaged has it deleted, and its plan
// purged, when a call has read its record.
func TestAWorkflowThatGoesWhileItIsReadIsNotDamaged(t *testing.T) {
	for _, c := range []struct {
		name string
		call func(w *world) error
		want error
	}{
		{"read", func(w *world) error { _, err := w.Workflow(w.Context(), alice, "w"); return err }, flagstage.ErrNotFound},
		{"pause", func(w *world) error { _, err := w.Pause(w.Context(), alice, "w", ""); return err }, flagstage.ErrNotFound},
		{"delete", func(w *world) error { return w.DeleteWorkflow(w.Context(), alice, "w") }, flagstage.ErrNotFound},
		{"make a template", func(w *world) error {
			_, err := w.CreateTemplate(w.Context(), alice, flagstage.TemplateInput{Key: "t", WorkflowID: "w"})
			return err
		}, flagstage.ErrNotFound},
		{"start once more", func(w *world) error {
			s, err := w.StartWorkflow(w.Context(), alice, releaseOf("w", turnsOff(hours(1))))
			require.Equal(w, after(2), s.CreatedAt)
			return err
		}, nil},
		{"list", func(w *world) error {
			list, err := w.Workflows(w.Context(), alice, flagstage.WorkflowQuery{})
			require.Empty(w, list.Unreadable)
			require.Zero(w, list.TotalCount)
			return err
		}, nil},
		{"tick", func(w *world) error { _, err := w.Tick(w.Context()); return err }, nil},
		{"put flag", func(w *world) error {
			f, err := flags.Apply(w.flag, []flags.Instruction{flags.TurnFlagOff()}, flags.Application{Environment: "production", Now: start})
			require.NoError(w, err)
			_, err = w.PutFlag(w.Context(), alice, theTarget.ProjectKey, f, flagstage.FlagWrite{})
			return err
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, store := withFlag(t)
			w.starts("w", turnsOff(hours(1)))
			w.clock.Set(after(2))
			quick := &spoiler{store, "plan/", func() {
				require.NoError(t, w.DeleteWorkflow(t.Context(), alice, "w"))
				_, err := w.Purge(t.Context(), alice, after(2))
				require.NoError(t, err)
			}}
			require.ErrorIs(t, c.call(worldOn(t, quick, w.clock)), c.want)
			require.Nil(t, quick.before)
		})
	}
}

// TestAWorkflowIsReadAsItWas though it goes on while its events are read, or is gone.
func TestAWorkflowIsReadAsItWas(t *testing.T) {
	w, store := withFlag(t)
	before := w.starts("w", turnsOff(hours(1)))
	goesOn := func() *spoiler {
		return &spoiler{store, "event/w/", func() {
			_, err := w.Pause(t.Context(), bob, "w", "")
			require.NoError(t, err)
			_, err = w.Resume(t.Context(), bob, "w", "")
			require.NoError(t, err)
		}}
	}
	quick := goesOn()
	s := worldOn(t, quick, w.clock).get("w")
	require.Nil(t, quick.before)
	require.Equal(t, before.Revision, s.Revision)
	require.Equal(t, before.Events(), s.Events())

	before, quick = w.get("w"), goesOn()
	list, err := worldOn(t, quick, w.clock).Workflows(t.Context(), alice, flagstage.WorkflowQuery{})
	require.NoError(t, err)
	require.Nil(t, quick.before)
	require.Len(t, list.Items, 1)
	require.Equal(t, before.Events(), list.Items[0].Events())

	goes := func() *spoiler {
		return &spoiler{store, "event/w/", func() { require.NoError(t, w.DeleteWorkflow(t.Context(), bob, "w")) }}
	}
	_, err = worldOn(t, goes(), w.clock).Workflow(t.Context(), alice, "w")
	require.ErrorIs(t, err, flagstage.ErrNotFound)
	w.starts("w", turnsOff(hours(1)))
	_, err = worldOn(t, goes(), w.clock).Pause(t.Context(), alice, "w", "")
	require.ErrorIs(t, err, flagstage.ErrNotFound)
	w.starts("w", turnsOff(hours(1)))
	list, err = worldOn(t, goes(), w.clock).Workflows(t.Context(), alice, flagstage.WorkflowQuery{})
	require.NoError(t, err)
	require.Empty(t, list.Items)
	require.Empty(t, list.Unreadable)
	require.Zero(t, list.TotalCount)
}

// TestAWorkflowOfAnotherFlagIsNotListed though it has taken the identifier of one
// that was in the list, since that was read.
func TestAWorkflowOfAnotherFlagIsNotListed(t *testing.T) {
	for _, c := range []struct {
		name string
		call func(w *world) error
	}{
		{"list", func(w *world) error {
			list, err := w.Workflows(w.Context(), alice, flagstage.WorkflowQuery{Target: theTarget})
			require.Empty(w, list.Items)
			require.Zero(w, list.TotalCount)
			return err
		}},
		{"change the flag", func(w *world) error {
			_, err := w.PatchFlag(w.Context(), alice, theTarget.ProjectKey, theTarget.FlagKey, flags.Patch{
				Instructions: []flags.Instruction{flags.UpdateName("another name")},
			}, flagstage.FlagWrite{})
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, store := withFlag(t)
			_, err := w.PutFlag(t.Context(), alice, "other", w.flag, flagstage.FlagWrite{})
			require.NoError(t, err)
			w.starts("w", turnsOff(hours(1)))
			quick := &spoiler{store, "workflow/", func() {
				require.NoError(t, w.DeleteWorkflow(t.Context(), alice, "w"))
				input := releaseOf("w", doing([]flagstage.Condition{hours(1)}, flags.UpdateName("name")))
				input.Target.ProjectKey = "other"
				_, err := w.StartWorkflow(t.Context(), alice, input)
				require.NoError(t, err)
			}}
			require.NoError(t, c.call(worldOn(t, quick, w.clock)))
			require.Nil(t, quick.before)
		})
	}
}

// TestPurgedChangesAreNeededByNobody is about workflows that started before, during
// and after a purge, and the change of another that each stands against.
func TestPurgedChangesAreNeededByNobody(t *testing.T) {
	rename := func(w *world, name string) {
		_, err := w.PatchFlag(w.Context(), carol, theTarget.ProjectKey, theTarget.FlagKey, flags.Patch{Instructions: []flags.Instruction{flags.UpdateName(name)}}, flagstage.FlagWrite{IgnoreConflicts: true})
		require.NoError(w, err)
	}
	release := doing([]flagstage.Condition{hours(10)}, flags.UpdateName("released"))
	w, _ := withFlag(t)
	rename(w, "before")
	w.starts("w", release)
	rename(w, "behind")
	w.clock.Set(after(2))
	p, err := w.Purge(t.Context(), alice, after(2))
	require.NoError(t, err)
	require.Equal(t, flagstage.Purged{Changes: 2}, p, "that the flag was put, and the change before")
	w.tick(10)
	require.Equal(t, flagstage.StatusFailed, w.get("w").Status())

	p, err = w.Purge(t.Context(), alice, after(1))
	require.NoError(t, err)
	require.Zero(t, p.Changes, "a failed one may be retried")
	_, err = w.Retry(t.Context(), bob, "w", flagstage.Retry{Reason: "because"})
	require.NoError(t, err)
	require.Equal(t, flagstage.StatusFailed, w.get("w").Status())
	s, err := w.Retry(t.Context(), bob, "w", flagstage.Retry{Reason: "because", IgnoreConflicts: true})
	require.NoError(t, err)
	require.Equal(t, flagstage.StatusCompleted, s.Status())
}

// TestFlagsOfTheStoreBesideAnApplier is about a flag that is changed by hand in the
// store of an engine whose workflows are applied by a host: what was purged before a
// workflow began is not missed later, by this engine or by one without a host.
func TestFlagsOfTheStoreBesideAnApplier(t *testing.T) {
	_, store := withFlag(t)
	clock := flagstage.NewVirtualClock(after(1))
	w := worldOn(t, store, clock, flagstage.WithApplier(&deliveries{}))
	p, err := w.Purge(t.Context(), alice, after(1))
	require.NoError(t, err)
	require.Equal(t, flagstage.Purged{Changes: 1}, p, "that the flag was put")
	w.starts("w", doing([]flagstage.Condition{hours(10)}, flags.UpdateName("released")))

	require.NoError(t, w.patches(theTarget.FlagKey, "", flagstage.FlagWrite{}, flags.UpdateName("by hand")), "the host has the name")
	other := worldOn(t, store, clock)
	require.Equal(t, flagstage.StatusActive, other.get("w").Status())
	require.Len(t, other.get("w").Conflicts, 1, "it would change the flag of the store")
	require.NoError(t, other.patches(theTarget.FlagKey, "", flagstage.FlagWrite{}, flags.UpdateDescription("by hand")))

	w.tick(12)
	require.Equal(t, flagstage.StatusCompleted, w.get("w").Status())
	p, err = w.Purge(t.Context(), alice, after(12))
	require.NoError(t, err)
	require.Equal(t, flagstage.Purged{Workflows: 1, Plans: 1, Changes: 2}, p)
}

// TestAStartDependsOnTheFlagAsItWasJudged is about a change that comes between: the
// start is made once more, after it. So a purge knows which changes are needed.
func TestAStartDependsOnTheFlagAsItWasJudged(t *testing.T) {
	w, store := withFlag(t)
	quick := &interloper{Store: store}
	tries := 0
	quick.before = func() {
		tries++
		_, err := w.PatchFlag(context.Background(), carol, theTarget.ProjectKey, theTarget.FlagKey, flags.Patch{Instructions: []flags.Instruction{flags.UpdateName("between")}}, flagstage.FlagWrite{})
		require.NoError(t, err)
	}
	worldOn(t, quick, w.clock).starts("w", doing([]flagstage.Condition{hours(10)}, flags.UpdateName("released")))
	require.Equal(t, 1, tries)
	w.tick(20)
	require.Equal(t, flagstage.StatusCompleted, w.get("w").Status(), "it began after the change")
}

// TestAWorkflowThatCannotBeReadStopsNoPurge damages the record of one. All that it
// may need is kept, so that it goes on when its record is mended, and the rest goes.
func TestAWorkflowThatCannotBeReadStopsNoPurge(t *testing.T) {
	const head, hash = 17, 32 // bytes of the record
	changed := func(value []byte, at int) []byte {
		value = slices.Clone(value)
		value[at] ^= 1
		return value
	}
	for _, c := range []struct {
		name           string
		damage         func(value []byte) []byte
		unlisted       bool
		plans, changes int // that are purged: of the workflows that have ended, and of the other flag
	}{
		{"cut short at the end", func(v []byte) []byte { return v[:len(v)-1] }, false, 2, 3},
		{"too long", func(v []byte) []byte { return append(slices.Clone(v), 0) }, false, 2, 3},
		{"cut off behind the plan", func(v []byte) []byte { return v[:head+hash] }, false, 2, 3},
		{"cut off in the plan", func(v []byte) []byte { return v[:head+hash-1] }, false, 0, 3},
		{"cut off in the head", func(v []byte) []byte { return v[:head-1] }, false, 0, 3},
		{"nothing but its head", func(v []byte) []byte { return v[:head] }, false, 0, 3},
		{"empty", func([]byte) []byte { return nil }, false, 0, 3},
		{"of a later format", func(v []byte) []byte { return append([]byte{9}, v[1:]...) }, false, 0, 3},
		{"another plan, cut short", func(v []byte) []byte { return changed(v[:len(v)-1], head) }, false, 0, 3},
		{"cut short, and in no list", func(v []byte) []byte { return v[:len(v)-1] }, true, 2, 0},
		{"empty, and in no list", func([]byte) []byte { return nil }, true, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, store := withFlag(t)
			w.puts("other")
			require.NoError(t, w.patches("other", "", whatever, flags.UpdateName("changed")))
			w.starts("w", doing([]flagstage.Condition{hours(10)}, flags.UpdateName("released")))
			w.starts("readable", doing([]flagstage.Condition{hours(10)}, flags.UpdateDescription("released")))
			w.starts("ended", turnsOff())
			input := releaseOf("ended-too", doing(nil, flags.AddTags("tag")))
			input.Target.FlagKey = "other"
			_, err := w.StartWorkflow(t.Context(), alice, input)
			require.NoError(t, err)
			require.NoError(t, w.patches(theTarget.FlagKey, "", whatever, flags.UpdateName("theirs")))
			w.clock.Set(after(1))

			whole, err := store.Get(t.Context(), "workflow/w")
			require.NoError(t, err)
			listed, err := store.Get(t.Context(), "flagworkflow/web-shop/production/new-checkout/w")
			require.NoError(t, err)
			require.NotZero(t, listed.Revision)
			broken := whole
			broken.Value = c.damage(slices.Clone(whole.Value))
			txn := flagstage.Txn{Put: []flagstage.Record{broken}}
			if c.unlisted {
				txn.Delete = []string{listed.Key}
			}
			_, err = store.Commit(t.Context(), txn)
			require.NoError(t, err)
			w = worldOn(t, store, w.clock) // it remembers nothing
			p, err := w.Purge(t.Context(), alice, after(1))
			require.NoError(t, err)
			require.Len(t, p.Unreadable, 1)
			require.Equal(t, "w", p.Unreadable[0].WorkflowID)
			p.Unreadable = nil
			require.Equal(t, flagstage.Purged{Workflows: 2, Plans: c.plans, Changes: c.changes}, p)

			txn = flagstage.Txn{Put: []flagstage.Record{whole}}
			if c.unlisted {
				txn.Put = append(txn.Put, listed)
			}
			_, err = store.Commit(t.Context(), txn)
			require.NoError(t, err)
			w = worldOn(t, store, w.clock)
			w.tick(10)
			s := w.get("w")
			replays(t, s)
			require.Equal(t, flagstage.StatusFailed, s.Status(), "it knows what somebody else has changed")
			require.Equal(t, flagstage.StatusCompleted, w.get("readable").Status())
			require.NoError(t, w.DeleteWorkflow(t.Context(), alice, "w"))
			w.clock.Set(after(11))
			p, err = w.Purge(t.Context(), alice, after(11))
			require.NoError(t, err)
			require.Empty(t, p.Unreadable)
			for _, r := range recordsOf(t, store) {
				require.Regexp(t, "^(flag|flaglinks)/", r.Key)
			}
		})
	}
}

// TestAPurgeKeepsPlansOfLaterFormats since it cannot know what they are needed for.
func TestAPurgeKeepsPlansOfLaterFormats(t *testing.T) {
	w, store := withFlag(t)
	w.starts("w", turnsOff())
	later := flagstage.Record{Key: "plan/" + strings.Repeat("0", 64), Value: []byte("\x09later")}
	_, err := store.Commit(t.Context(), flagstage.Txn{Put: []flagstage.Record{later}})
	require.NoError(t, err)
	w.clock.Set(after(1))
	p, err := w.Purge(t.Context(), alice, after(1))
	require.NoError(t, err)
	require.Equal(t, 1, p.Plans)
	kept, err := store.Get(t.Context(), later.Key)
	require.NoError(t, err)
	require.Equal(t, later.Value, kept.Value)
}
