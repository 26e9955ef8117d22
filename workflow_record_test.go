package flagstage_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// recordsOf returns the records of a store.
func recordsOf(t require.TestingT, store flagstage.Store) []flagstage.Record {
	var list []flagstage.Record
	for r, err := range store.Scan(context.Background(), "") {
		require.NoError(t, err)
		list = append(list, r)
	}
	return list
}

// useAll makes calls of all kinds on a store that may hold anything, and returns
// their errors.
func useAll(t testing.TB, store flagstage.Store, clock *flagstage.VirtualClock) (errs []error) {
	w := worldOn(t, store, clock)
	ctx := context.Background()
	note := func(err error) { errs = append(errs, err) }
	_, err := w.Workflows(ctx, alice, flagstage.WorkflowQuery{})
	note(err)
	_, err = w.Flags(ctx, alice, "")
	note(err)
	for _, id := range []string{"w", "p", "f", "late"} {
		s, err := w.Workflow(ctx, alice, id)
		note(err)
		s.AppendJSON(nil)
		_, err = w.Review(ctx, bob, id, flagstage.Review{Stage: 1, Kind: flagstage.ReviewApprove})
		note(err)
		_, err = w.Pause(ctx, bob, id, "")
		note(err)
		_, err = w.Resume(ctx, bob, id, "")
		note(err)
		_, err = w.Engine.Skip(ctx, bob, id, flagstage.Skip{Stage: 1, Reason: "because", BypassApproval: true})
		note(err)
		_, err = w.Retry(ctx, bob, id, flagstage.Retry{Reason: "because", IgnoreConflicts: true})
		note(err)
	}
	clock.Advance(1000 * time.Hour)
	_, err = w.Tick(ctx)
	note(err)
	for _, err := range w.Engine.Events(ctx, alice, flagstage.Cursor{}) {
		note(err)
	}
	_, err = w.PatchFlag(ctx, bob, theTarget.ProjectKey, theTarget.FlagKey, flags.Patch{Instructions: []flags.Instruction{flags.UpdateName("n")}}, flagstage.FlagWrite{})
	note(err)
	_, err = w.StartWorkflow(ctx, alice, releaseOf("w", turnsOff()))
	note(err)
	for _, id := range []string{"w", "p"} {
		_, err = w.Cancel(ctx, bob, id, "because")
		note(err)
		note(w.DeleteWorkflow(ctx, alice, id))
	}
	_, err = w.Purge(ctx, alice, clock.Now())
	note(err)
	return errs
}

// FuzzStoredRecords puts something else in the place of a record: no call panics or
// hangs, and what cannot be read is told as such.
func FuzzStoredRecords(f *testing.F) {
	store, _ := prepared(f)
	for i, r := range recordsOf(f, store) {
		f.Add(i, r.Value)
		f.Add(i, r.Value[:len(r.Value)/2])
		f.Add(i, append(slices.Clone(r.Value), 'x'))
		f.Add(i, []byte{})
		f.Add(i, append([]byte{77}, r.Value[1:]...))
		for at := 0; at < min(len(r.Value), 200); at += 6 {
			damaged := slices.Clone(r.Value)
			damaged[at] ^= 0x15
			f.Add(i, damaged)
		}
	}
	f.Fuzz(func(t *testing.T, i int, value []byte) {
		if len(value) > 1<<16 {
			return
		}
		store, clock := prepared(t)
		records := recordsOf(t, store)
		r := records[uint(i)%uint(len(records))]
		r.Value = value
		_, err := store.Commit(t.Context(), flagstage.Txn{Put: []flagstage.Record{r}})
		require.NoError(t, err)
		for _, err := range useAll(t, store, clock) {
			known := err == nil || flagstage.Code(err) != "" || errors.Is(err, flagstage.ErrFormat)
			require.True(t, known || strings.Contains(err.Error(), "nothing to do"), "%v", err)
		}
	})
}

// TestRecordsThatCannotBeReadHideNoOthers is about each record of one workflow.
func TestRecordsThatCannotBeReadHideNoOthers(t *testing.T) {
	store, _ := prepared(t)
	for _, r := range recordsOf(t, store) {
		if !strings.HasPrefix(r.Key, "workflow/w") && !strings.HasPrefix(r.Key, "event/w/") {
			continue
		}
		for name, value := range map[string][]byte{
			"empty": {}, "a later format": append([]byte{9}, r.Value[1:]...), "cut short": r.Value[:len(r.Value)-1], "too long": append(slices.Clone(r.Value), 0), "nothing but its head": r.Value[:1],
		} {
			store, clock := prepared(t)
			r.Value = value
			_, err := store.Commit(t.Context(), flagstage.Txn{Put: []flagstage.Record{r}})
			require.NoError(t, err)
			w := worldOn(t, store, clock)
			list, err := w.Workflows(t.Context(), alice, flagstage.WorkflowQuery{})
			require.NoError(t, err, "%s, %s", r.Key, name)
			require.Len(t, list.Items, 3)
			require.Len(t, list.Unreadable, 1)
			require.Equal(t, "w", list.Unreadable[0].WorkflowID)
			require.NotEmpty(t, list.Unreadable[0].Reason)
			_, err = w.Workflow(t.Context(), alice, "w")
			var unreadable *flagstage.UnreadableWorkflowError
			require.ErrorAs(t, err, &unreadable)
			require.ErrorIs(t, err, flagstage.ErrFormat)
			_, err = w.Cancel(t.Context(), bob, "w", "because")
			require.ErrorIs(t, err, flagstage.ErrFormat, "nothing is done to what cannot be read")
		}
	}
}

// TestStatesThatNoWorkflowHasAreUnreadable since methods would not know what to do
// with them.
func TestStatesThatNoWorkflowHasAreUnreadable(t *testing.T) {
	for _, status := range []string{"\x06closed", "\x09completed", "\x00"} {
		store, clock := prepared(t)
		r, err := store.Get(t.Context(), "workflow/w")
		require.NoError(t, err)
		r.Value = []byte(strings.Replace(string(r.Value), "\x06active", status, 1))
		_, err = store.Commit(t.Context(), flagstage.Txn{Put: []flagstage.Record{r}})
		require.NoError(t, err)
		_, err = worldOn(t, store, clock).Workflow(t.Context(), alice, "w")
		require.ErrorIs(t, err, flagstage.ErrFormat)
		require.ErrorContains(t, err, "does not fit its plan")
	}
}

// TestAChangeThatIsMissingIsNotTakenForNone deletes a change of somebody else from
// the store: the stage that stands against it is not applied.
func TestAChangeThatIsMissingIsNotTakenForNone(t *testing.T) {
	w, store := withFlag(t)
	w.starts("w", doing([]flagstage.Condition{hours(1)}, flags.UpdateName("ours")))
	require.NoError(t, w.patches("new-checkout", "", whatever, flags.UpdateName("theirs")))
	_, err := store.Commit(t.Context(), flagstage.Txn{Delete: []string{"flagchange/web-shop/new-checkout/0000000000000002"}})
	require.NoError(t, err)
	w.clock.Set(after(1))
	_, err = w.Tick(t.Context())
	require.ErrorContains(t, err, "the change 2 of flag \"new-checkout\" is missing")
	f, err := w.Engine.Flag(t.Context(), alice, theTarget.ProjectKey, theTarget.FlagKey)
	require.NoError(t, err)
	require.Equal(t, "theirs", f.Name())
}
