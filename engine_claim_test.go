package flagstage_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/storetest"
)

// TestADeliveryOfAClockThatRanAheadCanBeEnded is about one that was begun when the
// clock was ten years ahead. Nothing came of it, and the clock was set right.
func TestADeliveryOfAClockThatRanAheadCanBeEnded(t *testing.T) {
	ahead := start.AddDate(10, 0, 0)
	begin := func(t *testing.T) (*underWay, *deliveries) {
		u := beginDeliveryAt(t, ahead)
		applier := &deliveries{}
		u.world = worldOn(t, u.store, u.clock, flagstage.WithApplier(applier))
		require.Zero(t, u.tick(0.5).Workflows, "nobody else delivers it")
		due, ok, err := u.NextDue(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, ahead.Add(30*time.Second), due)
		return u, applier
	}
	// delivered checks that the next tick delivers the first action again, and that
	// what came of the first delivery is of no matter then.
	delivered := func(t *testing.T, u *underWay, applier *deliveries) {
		due, ok, err := u.NextDue(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, start, due)
		require.Equal(t, 2, u.tick(0.5).Applied)
		first := applier.all()[0]
		require.Equal(t, "w/0/1", first.Key(), "the key stays")
		require.Equal(t, int64(2), first.Number)
		require.Zero(t, u.tick(0.9).Applied, "no wait is skipped")
		require.Equal(t, 1, u.tick(1).Applied)
		s := u.end(errUnavailable)
		require.Equal(t, flagstage.StatusCompleted, s.Status())
		require.Equal(t, 1, count(s, flagstage.EventActionApplied, 0))
		require.Zero(t, count(s, flagstage.EventActionFailed, 0))
	}
	t.Run("pause and resume", func(t *testing.T) {
		u, applier := begin(t)
		_, err := u.Pause(t.Context(), bob, "w", "")
		require.NoError(t, err)
		_, ok, err := u.NextDue(t.Context())
		require.NoError(t, err)
		require.False(t, ok)
		_, err = u.Resume(t.Context(), bob, "w", "")
		require.NoError(t, err)
		delivered(t, u, applier)
	})
	t.Run("resume, paused before the clock was right", func(t *testing.T) {
		u := beginDeliveryAt(t, ahead)
		_, err := u.Pause(t.Context(), bob, "w", "")
		require.NoError(t, err)
		u.clock.Set(after(0.5))
		_, err = u.Resume(t.Context(), bob, "w", "")
		require.NoError(t, err)
		require.Equal(t, 1, u.tick(0.5).Applied)
		require.Equal(t, flagstage.StatusActive, u.get("w").StageStatus(1), "that began when the clock was ahead")
		require.Equal(t, 1, count(u.end(nil), flagstage.EventActionApplied, 0))
	})
	t.Run("skip", func(t *testing.T) {
		u, applier := begin(t)
		_, err := u.Engine.Skip(t.Context(), bob, "w", flagstage.Skip{Stage: 0, Reason: "because"})
		require.NoError(t, err)
		require.Equal(t, 1, u.tick(0.5).Applied)
		require.Equal(t, "w/1/1", applier.all()[0].Key())
		require.Equal(t, 1, u.tick(1.5).Applied)
		s := u.end(nil)
		require.Equal(t, flagstage.StatusCompleted, s.Status())
		require.Equal(t, flagstage.StatusSkipped, s.StageStatus(0))
		require.Zero(t, count(s, flagstage.EventActionApplied, 0))
	})
	t.Run("cancel", func(t *testing.T) {
		u, applier := begin(t)
		_, err := u.Cancel(t.Context(), bob, "w", "because")
		require.NoError(t, err)
		_, ok, err := u.NextDue(t.Context())
		require.NoError(t, err)
		require.False(t, ok)
		require.Equal(t, flagstage.StatusCancelled, u.end(nil).Status())
		require.Empty(t, applier.all())
	})
	t.Run("delete", func(t *testing.T) {
		u, _ := begin(t)
		require.NoError(t, u.DeleteWorkflow(t.Context(), bob, "w"))
		u.answer <- nil
		require.NoError(t, <-u.ticked)
		nothingLeft(t, u.store)
	})
}

// TestClocksMayDifferByADay since machines do, and engines in how long an action may
// take: a delivery that may be under way is not begun again.
func TestClocksMayDifferByADay(t *testing.T) {
	const day = 24 * hour
	for ahead, ended := range map[time.Duration]bool{minute: false, day: false, day + time.Millisecond: true} {
		u := beginDeliveryAt(t, start.Add(ahead))
		u.clock.Set(start)
		_, err := u.Pause(t.Context(), bob, "w", "")
		require.NoError(t, err)
		_, err = u.Resume(t.Context(), bob, "w", "")
		require.NoError(t, err)
		if ended {
			require.Equal(t, 2, u.tick(0).Applied, "%v", ahead)
			require.Equal(t, 1, count(u.end(nil), flagstage.EventActionApplied, 0))
			continue
		}
		require.Zero(t, u.tick(0).Workflows, "%v", ahead)
		require.Equal(t, flagstage.StatusCompleted, u.end(nil).StageStatus(0), "%v", ahead)
	}
}

// TestWaitsOfAClockThatRanAheadAreNotCutShort is about a stage that began when the
// clock was ten years ahead: what is left is to skip it, or to cancel the workflow.
func TestWaitsOfAClockThatRanAheadAreNotCutShort(t *testing.T) {
	for name, more := range map[string][]flagstage.Option{
		"flags of the store": nil,
		"with an applier":    {flagstage.WithApplier(&deliveries{})},
	} {
		t.Run(name, func(t *testing.T) {
			clock, store := flagstage.NewVirtualClock(start), storetest.NewModel()
			w := worldOn(t, store, clock, more...)
			_, err := w.PutFlag(t.Context(), alice, theTarget.ProjectKey, w.flag, flagstage.FlagWrite{})
			require.NoError(t, err)
			for _, id := range []string{"waits", "skips", "cancels"} {
				input := releaseOf(id, turnsOff(), turnsOn(hours(1)), turnsOff(hours(1)))
				input.IgnoreConflicts = true
				_, err := w.StartWorkflow(t.Context(), alice, input)
				require.NoError(t, err)
			}
			w.tick(0)
			ahead := start.AddDate(10, 0, 0)
			clock.Set(ahead)
			_, err = w.Tick(t.Context()) // the second stage was due long ago, the third one waits from now
			require.NoError(t, err)
			steer := func(at time.Time) {
				clock.Set(at)
				_, err = w.Tick(t.Context())
				require.NoError(t, err)
				_, err = w.Pause(t.Context(), bob, "waits", "")
				require.NoError(t, err)
				_, err = w.Resume(t.Context(), bob, "waits", "")
				require.NoError(t, err)
				_, err = w.Tick(t.Context())
				require.NoError(t, err)
				require.Equal(t, flagstage.StatusActive, w.get("waits").StageStatus(2))
			}
			steer(after(5))
			_, err = w.Engine.Skip(context.Background(), bob, "skips", flagstage.Skip{Stage: 2, Reason: "because"})
			require.NoError(t, err)
			require.Equal(t, flagstage.StatusCompleted, w.get("skips").Status())
			_, err = w.Cancel(t.Context(), bob, "cancels", "because")
			require.NoError(t, err)
			require.Equal(t, flagstage.StatusCancelled, w.get("cancels").Status())
			steer(ahead.Add(30 * minute))
			clock.Set(ahead.Add(2 * hour))
			_, err = w.Tick(t.Context())
			require.NoError(t, err)
			s := w.get("waits")
			require.Equal(t, flagstage.StatusCompleted, s.Status())
			replays(t, s)
		})
	}
}
