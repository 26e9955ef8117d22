package calendar_test

import (
	"testing"
	"time"

	"github.com/flagstage/flagstage/calendar"
)

// The benchmarks walk through ten years day by day, as AddDate does for base.

func BenchmarkAddDate(b *testing.B) {
	benchmarkWalk(b, func(zone *time.Location) func(time.Time) time.Time {
		return func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }
	})
}

func BenchmarkWaitAfter(b *testing.B) {
	benchmarkWalk(b, func(zone *time.Location) func(time.Time) time.Time {
		return func(t time.Time) time.Time {
			t, _ = calendar.Wait{Count: 1, Unit: calendar.Day}.After(t, zone)
			return t
		}
	})
}

func BenchmarkCursor(b *testing.B) {
	benchmarkWalk(b, func(zone *time.Location) func(time.Time) time.Time {
		cursor := calendar.NewCursor(zone)
		return func(t time.Time) time.Time {
			t, _ = cursor.After(t, calendar.Wait{Count: 1, Unit: calendar.Day})
			return t
		}
	})
}

func benchmarkWalk(b *testing.B, newStep func(zone *time.Location) func(time.Time) time.Time) {
	b.Helper()
	zone, err := calendar.Zone("America/New_York")
	if err != nil {
		b.Fatal(err)
	}
	const days = 3652
	start := time.Date(2026, time.January, 1, 9, 30, 0, 0, zone)
	step := newStep(zone)
	t, day := start, 0
	b.ReportAllocs()
	for b.Loop() {
		if day++; day == days {
			t, day = start, 0
		}
		t = step(t)
	}
}
