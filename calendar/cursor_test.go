package calendar_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/calendar"
)

func TestCursorAnswersAsWaitDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawOracle(t)
		cursor := calendar.NewCursor(o.zone)
		begin := drawInstant(t, o)
		for range rapid.IntRange(1, 30).Draw(t, "calls") {
			switch rapid.IntRange(0, 3).Draw(t, "go") {
			case 0:
				begin = drawInstant(t, o)
			case 1:
				begin = time.Unix(rapid.Int64().Draw(t, "any second"), 0)
			default:
				begin = begin.Add(time.Duration(rapid.Int64Range(-3*day, 9*day).Draw(t, "seconds")) * time.Second)
			}
			wait := calendar.Wait{
				Count: rapid.OneOf(rapid.Int64Range(-1, 9), rapid.Int64Range(0, 400), rapid.Int64()).Draw(t, "count"),
				Unit:  rapid.SampledFrom(append(calendar.Units(), calendar.Day, calendar.Day, "")).Draw(t, "unit"),
			}
			want, wantErr := wait.After(begin, o.zone)
			got, err := cursor.After(begin, wait)
			require.Equal(t, want, got)
			require.Equal(t, wantErr, err)
		}
	})
}

func TestZeroCursorHasNoZone(t *testing.T) {
	var cursor calendar.Cursor
	for range 2 {
		_, err := cursor.After(time.Unix(0, 0), calendar.Wait{Count: 1, Unit: calendar.Day})
		require.ErrorIs(t, err, calendar.ErrZone)
		got, err := cursor.After(time.Unix(0, 0), calendar.Wait{Count: 1, Unit: calendar.Hour})
		require.NoError(t, err)
		require.Equal(t, time.Unix(3600, 0).UTC(), got)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	newYork := mustZone(t, "America/New_York")
	wait := calendar.Wait{Count: 1, Unit: calendar.Day}
	begin := instant(t, "2026-03-01T02:30:00-05:00")
	require.Zero(t, testing.AllocsPerRun(10, func() {
		cursor := calendar.NewCursor(newYork)
		for at, days := begin, 0; days < 20; days++ {
			stateless, _ := wait.After(at, newYork)
			at, _ = cursor.After(at, wait)
			if at != stateless {
				panic("cursor and wait differ")
			}
		}
	}))
}
