package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
)

// watched is a store with a witness, and a release in it that waits.
type watched struct {
	*witness
	engine *flagstage.Engine // whose store is the witness
	clock  *flagstage.VirtualClock
	name   string
	said   []string
}

func newWatched(t *testing.T) *watched {
	store, err := flagstage.NewMemoryStore()
	require.NoError(t, err)
	judge, err := flagstage.New(store)
	require.NoError(t, err)
	w := &watched{clock: flagstage.NewVirtualClock(releasesStart)}
	w.witness = &witness{Store: store, judge: judge, say: func(words ...any) error {
		w.said = append(w.said, strings.TrimSpace(fmt.Sprintln(words...)))
		return nil
	}}
	w.engine, err = flagstage.New(w.witness, flagstage.WithClock(w.clock))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.engine.Close()) })
	flag, err := newFlag("f")
	require.NoError(t, err)
	_, err = w.engine.PutFlag(t.Context(), operator, releaseProject, flag, flagstage.FlagWrite{})
	require.NoError(t, err)
	w.name = searched(t, func(in flagstage.WorkflowInput) bool {
		first, ok := waitOf(append(in.Stages[0].Conditions, flagstage.Approval{})[0])
		return ok && first > 0 && len(in.Stages) == 1 && len(in.Stages[0].Conditions) == 1 && len(in.Stages[0].Action.Instructions) > 0
	})
	_, err = w.engine.StartWorkflow(t.Context(), starter, requestOf(w.name))
	require.NoError(t, err)
	return w
}

// buries commits what a deletion of the release commits first.
func (w *watched) buries(ctx context.Context, t *testing.T, revision int64) error {
	target := releaseOf(w.name).Target
	_, err := w.Commit(ctx, flagstage.Txn{
		If:     []flagstage.Check{{Key: workflowRecords + w.name, Revision: revision}},
		Delete: []string{workflowRecords + w.name, listRecords + target.ProjectKey + "/" + target.EnvironmentKey + "/" + target.FlagKey + "/" + w.name},
	})
	return err
}

func TestWitnessTellsWhatIsDeleted(t *testing.T) {
	w := newWatched(t)
	w.clock.Advance(mostDays * 24 * time.Hour)
	_, err := w.engine.Tick(t.Context())
	require.NoError(t, err)
	require.Empty(t, w.said)
	require.NoError(t, w.engine.DeleteWorkflow(t.Context(), operator, w.name))
	require.Equal(t, []string{"burying " + w.name + " 1"}, w.said)
}

func TestWitnessComplainsOfAPurgeThatTakesTooMuch(t *testing.T) {
	for _, c := range []struct {
		name   string
		ended  bool
		before time.Time // the release ends at hour 1
		want   string
	}{
		{"it goes on", false, releasesStart.Add(100 * time.Hour), "broke"},
		{"it has ended later", true, releasesStart, "broke"},
		{"it has ended before", true, releasesStart.Add(100 * time.Hour), "burying"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWatched(t)
			if c.ended {
				w.clock.Advance(90 * time.Minute)
				_, err := w.engine.Tick(t.Context())
				require.NoError(t, err)
			}
			is, err := w.engine.Workflow(t.Context(), operator, w.name)
			require.NoError(t, err)
			require.Equal(t, c.ended, is.Status() == flagstage.StatusCompleted)
			ctx := context.WithValue(t.Context(), purging{}, c.before)
			require.ErrorIs(t, w.buries(ctx, t, is.Revision-1), flagstage.ErrConflict)
			require.Empty(t, w.said, "it is another revision")
			require.NoError(t, w.buries(ctx, t, is.Revision))
			require.Contains(t, w.said[0], c.want)
			require.Contains(t, w.said[len(w.said)-1], "burying")
		})
	}
}

func TestHostTellsWhatIsDeliveredTooEarly(t *testing.T) {
	w := newWatched(t)
	path := filepath.Join(t.TempDir(), "log")
	h, err := openHost(path, w.judge)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.log.Close()) })
	input := releaseOf(w.name)
	deliver := func(number int64) {
		require.NoError(t, h.Apply(t.Context(), flagstage.Delivery{
			WorkflowID: w.name, Target: input.Target, Round: 1, Number: number, Instructions: input.Stages[0].Action.Instructions,
		}))
	}
	deliver(1) // while it waits
	w.clock.Advance(90 * time.Minute)
	_, err = w.engine.Tick(t.Context())
	require.NoError(t, err)
	deliver(2) // it is over
	require.NoError(t, w.engine.DeleteWorkflow(t.Context(), operator, w.name))
	deliver(3) // it is gone
	list, err := readDeliveries(path)
	require.NoError(t, err)
	require.Len(t, list, 3)
	require.Equal(t, []bool{true, false, false}, []bool{list[0].early, list[1].early, list[2].early})
	require.Less(t, list[0].at, list[1].at)
}

func TestOverdueIsWhatAnEngineHasNotDone(t *testing.T) {
	w := newWatched(t)
	w.clock.Advance(90 * time.Minute)
	stuck, err := overdue(t.Context(), w.engine, w.clock)
	require.NoError(t, err)
	require.Contains(t, stuck, "something is due")
	require.NoError(t, runAll(t.Context(), w.Store, w.engine, w.clock))
	stuck, err = overdue(t.Context(), w.engine, w.clock)
	require.NoError(t, err)
	require.Empty(t, stuck)
}
