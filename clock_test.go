package flagstage_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
)

func TestIDsAreUUIDsOfVersion7OfTheGivenInstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := flagstage.SeededIDs(rapid.Uint64().Draw(t, "seed"))
		at := time.UnixMilli(rapid.Int64Range(0, 253402300799999).Draw(t, "ms"))
		before := ""
		for range 5 {
			text := ids.NewID(at)
			id, err := uuid.Parse(text)
			require.NoError(t, err)
			require.Equal(t, text, id.String())
			require.EqualValues(t, 7, id.Version())
			require.Equal(t, uuid.RFC4122, id.Variant())
			ms := int64(id[0])<<40 | int64(id[1])<<32 | int64(id[2])<<24 | int64(id[3])<<16 | int64(id[4])<<8 | int64(id[5])
			require.Equal(t, at.UnixMilli(), ms)
			require.Greater(t, text, before, "identifiers of one instant ascend")
			before = text
		}
	})
}

func TestSeededIDsRepeat(t *testing.T) {
	list := func(ids flagstage.IDSource) (s string) {
		for i := range 10 {
			s += ids.NewID(start.Add(time.Duration(i/3) * time.Second))
		}
		return s
	}
	require.Equal(t, list(flagstage.SeededIDs(7)), list(flagstage.SeededIDs(7)))
	require.NotEqual(t, list(flagstage.SeededIDs(7)), list(flagstage.SeededIDs(8)))
	require.NotEqual(t, list(flagstage.RandomIDs()), list(flagstage.RandomIDs()))
	require.Equal(t, "019cadc6-9a80-7000-8000-014f3f78e66a", flagstage.SeededIDs(1).NewID(start), "on every machine and for ever")
}

func TestIDsNeverRepeat(t *testing.T) {
	ids := flagstage.SeededIDs(1)
	var mu sync.Mutex
	var wait sync.WaitGroup
	seen := map[string]bool{}
	for worker := range 4 {
		wait.Go(func() {
			for i := range 5000 {
				// back and forth in time
				id := ids.NewID(start.Add(time.Duration(i%3-worker) * time.Millisecond))
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	require.Len(t, seen, 20000)
}

func TestVirtualClockStandsStillUntilItIsMoved(t *testing.T) {
	clock := flagstage.NewVirtualClock(start)
	require.Equal(t, start, clock.Now())
	require.Equal(t, start, clock.Now())
	require.Equal(t, start.Add(time.Hour), clock.Advance(time.Hour))
	require.Equal(t, start.Add(time.Hour), clock.Now())
	clock.Set(start.Add(-time.Hour))
	require.Equal(t, start.Add(-time.Hour), clock.Now())
	require.Equal(t, start, flagstage.ClockFunc(func() time.Time { return start }).Now())
}

func TestSystemClockTellsTheTime(t *testing.T) {
	before := time.Now()
	now := flagstage.SystemClock().Now()
	require.False(t, now.Before(before))
	require.False(t, now.After(time.Now()))
}

func TestInstant(t *testing.T) {
	zone := time.FixedZone("x", 3600)
	in := time.Date(2026, 3, 2, 9, 0, 0, 123456789, zone)
	require.Equal(t, time.Date(2026, 3, 2, 8, 0, 0, 123000000, time.UTC), flagstage.Instant(in))
	require.NotContains(t, flagstage.Instant(time.Now()).String(), "m=", "no monotonic reading")
}

func TestCodes(t *testing.T) {
	for want, err := range map[string]error{
		"":                         errors.New("disk on fire"),
		"invalid_request":          flagstage.ErrInvalidRequest,
		"unauthorized":             flagstage.ErrUnauthorized,
		"forbidden":                flagstage.ErrForbidden,
		"not_found":                flagstage.ErrNotFound,
		"optimistic_locking_error": flagstage.ErrConflict,
		"rate_limited":             &flagstage.RateLimitedError{RetryAfter: time.Second},
	} {
		require.Equal(t, want, flagstage.Code(fmt.Errorf("call: %w", err)))
	}
	require.Empty(t, flagstage.Code(nil))
	require.Equal(t, "invalid_request", flagstage.Code(flagstage.ErrExists))
	require.ErrorIs(t, flagstage.ErrExists, flagstage.ErrInvalidRequest)
	require.NotErrorIs(t, flagstage.ErrInvalidRequest, flagstage.ErrExists)
	var limited *flagstage.RateLimitedError
	require.ErrorAs(t, fmt.Errorf("x: %w", &flagstage.RateLimitedError{RetryAfter: time.Minute}), &limited)
	require.Equal(t, time.Minute, limited.RetryAfter)
	require.Contains(t, limited.Error(), "1m0s")
}

func TestActorsHaveOneIdentity(t *testing.T) {
	require.Equal(t, "", flagstage.Actor{}.Identity())
	require.Equal(t, "m", flagstage.Actor{MemberID: "m", ServiceTokenID: "t"}.Identity())
	require.Equal(t, "token:t", flagstage.Actor{ServiceTokenID: "t"}.Identity())
	plan := planOf(t, stage())
	for _, bad := range []flagstage.Actor{
		{}, {MemberID: "token:t"}, {MemberID: "workflow:w"}, {MemberID: "\xff"}, {MemberID: "a\x00"}, {MemberID: strings.Repeat("a", 257)},
	} {
		_, _, err := flagstage.StartWorkflow(plan, flagstage.Start{At: start, Actor: bad})
		require.ErrorIs(t, err, flagstage.ErrUnauthorized)
	}
}
