package flagstage_test

import (
	"cmp"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// feedModel is what the machine has seen of the feed of events.
type feedModel struct {
	cursor flagstage.Cursor
	seen   map[string]int // how many events of a workflow
}

// heldBack is how many events wait in the record of a workflow for the result of a
// delivery, at most.
const heldBack = 6

// act is that an action was applied, or failed.
type act struct {
	revision int64
	due      time.Time
	id       string
	event    flagstage.Event
}

// follow reads on in the feed, and makes of it what it says. It stops behind each
// batch and begins again there.
func (m *machine) follow(r *rapid.T) {
	var acts []act
	for more := true; more; {
		more = false
		for batch, err := range m.engines[0].Events(m.ctx, alice, m.feed.cursor) {
			require.NoError(r, err)
			acts = append(acts, m.hear(r, batch)...)
			more = true
			break
		}
	}
	slices.SortStableFunc(acts, func(a, b act) int {
		return cmp.Or(cmp.Compare(a.revision, b.revision), a.due.Compare(b.due), cmp.Compare(a.id, b.id))
	})
	for _, a := range acts {
		m.take(r, a.id, a.event)
	}
}

// hear takes a batch of the feed, and returns what was applied or failed. Each event
// comes once, and in order.
func (m *machine) hear(r *rapid.T, batch flagstage.EventBatch) (acts []act) {
	require.True(r, batch.Cursor.Revision > m.feed.cursor.Revision ||
		batch.Cursor.Revision == m.feed.cursor.Revision && batch.Cursor.WorkflowID > m.feed.cursor.WorkflowID, "in the order of the commits")
	require.Equal(r, batch.WorkflowID, batch.Cursor.WorkflowID)
	require.Contains(r, m.releases, batch.WorkflowID)
	require.NotEmpty(r, batch.Events)
	m.feed.cursor = batch.Cursor
	for i, e := range batch.Events {
		m.feed.seen[batch.WorkflowID]++
		require.EqualValues(r, m.feed.seen[batch.WorkflowID], e.Number, "each event comes once, and none is left out")
		due := e.Due
		if e.Kind == flagstage.EventActionFailed && i > 0 { // a failure is due when it comes, but its turn was that of what led to it
			due = batch.Events[i-1].Due
		}
		if isResult(e) {
			acts = append(acts, act{batch.Cursor.Revision, due, batch.WorkflowID, e})
		}
	}
	if m.ticked {
		m.comesWithResult(r, batch)
	}
	return acts
}

// comesWithResult checks that what a tick has done, and leads to a delivery, is not
// told before its result.
func (m *machine) comesWithResult(r *rapid.T, batch flagstage.EventBatch) {
	if slices.ContainsFunc(batch.Events, isResult) || len(batch.Events) > heldBack {
		return
	}
	s, err := m.engines[0].Workflow(m.ctx, alice, batch.WorkflowID)
	require.NoError(r, err)
	last := batch.Events[len(batch.Events)-1]
	then, err := flagstage.Replay(s.Plan(), flagstage.StartOf(s), s.Events()[:last.Number])
	require.NoError(r, err)
	effect, pending := then.Pending()
	require.False(r, pending && !effect.At.After(last.Due), "of %s: %v", batch.WorkflowID, batch.Events)
}

func isResult(e flagstage.Event) bool {
	return e.Kind == flagstage.EventActionApplied || e.Kind == flagstage.EventActionFailed
}

// told checks that the feed has told all of a workflow, but for what waits for the
// result of a delivery.
func (m *machine) told(r *rapid.T, s flagstage.StoredWorkflow) {
	rest := len(s.Events()) - m.feed.seen[s.ID]
	if _, pending := s.Pending(); m.host == nil || !pending {
		require.Zero(r, rest, "of %s", s.ID)
	}
	require.GreaterOrEqual(r, rest, 0)
	require.LessOrEqual(r, rest, heldBack)
}

// take takes in that an action was applied, or failed: as the machine knows that it
// had to.
func (m *machine) take(r *rapid.T, id string, e flagstage.Event) {
	if m.host != nil {
		return
	}
	action := m.plans[id].Stages()[e.Stage].Action
	next, reason := m.outcome(id, action, flags.Application{Now: e.At})
	if e.Kind == flagstage.EventActionFailed {
		require.Equal(r, reason, e.Reason, "%s, stage %d: %s", id, e.Stage, e.Comment)
		return
	}
	require.Empty(r, reason, "%s, stage %d was applied", id, e.Stage)
	m.changed(m.releases[id].input.Target.FlagKey, "workflow:"+id, next)
}
