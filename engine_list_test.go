package flagstage_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/storetest"
)

// listed is what a list is made of.
type listed struct {
	id               string
	target           flagstage.Origin
	status           flagstage.Status
	created, stopped time.Time
}

// asked returns the ids that a query asks for, by a look at all, and how many there
// are in all.
func asked(all []listed, q flagstage.WorkflowQuery) (ids []string, total int) {
	ids = []string{}
	matching := slices.DeleteFunc(slices.Clone(all), func(l listed) bool {
		return q.Target != (flagstage.Origin{}) && q.Target != l.target ||
			q.Status != "" && q.Status != l.status && !(q.Status == flagstage.StatusActive && l.status == flagstage.StatusPaused)
	})
	slices.SortStableFunc(matching, func(a, b listed) int {
		order := a.created.Compare(b.created)
		if q.Sort == flagstage.SortStopDate {
			order = a.stopped.Compare(b.stopped)
		}
		if q.Descending {
			order = -order
		}
		return cmp.Or(order, cmp.Compare(a.id, b.id))
	})
	for i, l := range matching {
		if i >= q.Offset && len(ids) < cmp.Or(q.Limit, 20) {
			ids = append(ids, l.id)
		}
	}
	return ids, len(matching)
}

// TestWorkflowsAreListedAsAskedFor compares lists with what a look at all says.
func TestWorkflowsAreListedAsAskedFor(t *testing.T) {
	w := worldOn(t, storetest.NewModel(), flagstage.NewVirtualClock(start))
	targets := []flagstage.Origin{theTarget, {ProjectKey: "other", EnvironmentKey: "production", FlagKey: "new-checkout"}}
	for _, target := range targets {
		_, err := w.PutFlag(t.Context(), alice, target.ProjectKey, w.flag, flagstage.FlagWrite{})
		require.NoError(t, err)
	}
	var all []listed
	for i := range 50 {
		if i%3 == 0 { // several begin at the same instant
			w.clock.Advance(time.Minute)
		}
		input := releaseOf(fmt.Sprintf("w%02d", i*7%50), turnsOff(flagstage.Approval{}))
		input.Target = targets[min(i%4, 1)]
		_, err := w.StartWorkflow(t.Context(), alice, input)
		require.NoError(t, err)
		switch i % 5 {
		case 1:
			_, err = w.Pause(t.Context(), alice, input.ID, "")
		case 2:
			_, err = w.Cancel(t.Context(), alice, input.ID, "because")
		case 3:
			_, err = w.Review(t.Context(), bob, input.ID, flagstage.Review{Kind: flagstage.ReviewDecline})
		case 4:
			_, err = w.Engine.Skip(t.Context(), alice, input.ID, flagstage.Skip{Reason: "because", BypassApproval: true})
		}
		require.NoError(t, err)
		s := w.get(input.ID)
		all = append(all, listed{s.ID, s.Target, s.Status(), s.CreatedAt, s.StoppedAt()})
	}
	rapid.Check(t, func(r *rapid.T) {
		q := flagstage.WorkflowQuery{
			Target: rapid.SampledFrom(append(targets, flagstage.Origin{})).Draw(r, "target"),
			Status: rapid.SampledFrom([]flagstage.Status{
				"", flagstage.StatusActive, flagstage.StatusPaused, flagstage.StatusCompleted, flagstage.StatusFailed, flagstage.StatusCancelled,
			}).Draw(r, "status"),
			Sort:       rapid.SampledFrom([]flagstage.WorkflowSort{"", flagstage.SortCreationDate, flagstage.SortStopDate}).Draw(r, "sort"),
			Descending: rapid.Bool().Draw(r, "descending"),
			Limit:      rapid.SampledFrom([]int{0, 1, 7, 1000}).Draw(r, "limit"),
			Offset:     rapid.SampledFrom([]int{0, 1, 7, 45, 50, 1000}).Draw(r, "offset"),
		}
		list, err := w.Workflows(t.Context(), alice, q)
		require.NoError(r, err)
		require.Empty(r, list.Unreadable)
		ids := []string{}
		for _, s := range list.Items {
			ids = append(ids, s.ID)
			require.Equal(r, w.get(s.ID).Events(), s.Events())
		}
		want, total := asked(all, q)
		require.Equal(r, want, ids)
		require.Equal(r, total, list.TotalCount)
		var printed struct {
			Items []struct {
				ID string `json:"_id"`
			}
			TotalCount int
		}
		document, err := json.Marshal(list)
		require.NoError(r, err)
		require.NoError(r, json.Unmarshal(document, &printed))
		require.NotNil(r, printed.Items)
		require.Len(r, printed.Items, len(want))
		require.Equal(r, total, printed.TotalCount)
	})
	for _, q := range []flagstage.WorkflowQuery{
		{Status: "running"}, {Status: flagstage.StatusSkipped}, {Sort: "name"}, {Limit: -1}, {Offset: -1},
		{Target: flagstage.Origin{ProjectKey: "p", EnvironmentKey: "e"}}, {Target: flagstage.Origin{ProjectKey: "a/b", EnvironmentKey: "e", FlagKey: "f"}},
	} {
		_, err := w.Workflows(t.Context(), alice, q)
		require.ErrorIs(t, err, flagstage.ErrInvalidRequest, "%+v", q)
	}
}
