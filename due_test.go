package flagstage

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDueOrderIsASortedSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var order dueOrder
		var want []dueEntry
		entry := rapid.Custom(func(t *rapid.T) dueEntry {
			return dueEntry{rapid.Int64Range(0, 40).Draw(t, "wake"), fmt.Sprintf("%03d", rapid.IntRange(0, 60).Draw(t, "key"))}
		})
		for range rapid.IntRange(0, 2000).Draw(t, "steps") {
			e := entry.Draw(t, "entry")
			at, there := slices.BinarySearchFunc(want, e, compareDue)
			if rapid.IntRange(0, 3).Draw(t, "what") > 0 {
				order.insert(e)
				if !there {
					want = slices.Insert(want, at, e)
				}
			} else {
				order.remove(e)
				if there {
					want = slices.Delete(want, at, at+1)
				}
			}
		}
		require.Equal(t, len(want), len(order.page(dueEntry{wake: math.MinInt64}, math.MaxInt64, math.MaxInt)))
		after, until := entry.Draw(t, "after"), rapid.Int64Range(0, 45).Draw(t, "until")
		most := rapid.IntRange(0, 50).Draw(t, "most")
		var page []dueEntry
		for _, e := range want {
			if compareDue(e, after) > 0 && e.wake <= until && len(page) < most {
				page = append(page, e)
			}
		}
		require.Equal(t, page, order.page(after, until, most))
	})
}

func TestDueOrderSplitsItsParts(t *testing.T) {
	var order dueOrder
	const n = 50_000
	for i := range n {
		order.insert(dueEntry{int64(i * 7919 % n), "k"})
	}
	require.Greater(t, len(order.groups), 1)
	page := order.page(dueEntry{wake: math.MinInt64}, math.MaxInt64, math.MaxInt)
	require.Len(t, page, n)
	require.True(t, slices.IsSortedFunc(page, compareDue))
	for i := range n {
		order.remove(dueEntry{int64(i), "k"})
		order.remove(dueEntry{int64(i), "none"})
	}
	require.Empty(t, order.groups)
}
