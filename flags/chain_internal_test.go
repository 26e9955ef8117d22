package flags

import (
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestChain holds that a chain has what was pushed and not popped since, and
// that it looks up all but the first few.
func TestChain(t *testing.T) {
	var c chain
	var keys []string
	check := func() {
		t.Helper()
		for i := range mostDeep {
			key := strconv.Itoa(i)
			require.Equal(t, slices.Contains(keys, key), c.has(key), key)
		}
		require.Len(t, c.more, max(0, len(keys)-len(c.first)))
		require.Equal(t, len(keys) == mostDeep, c.isFull())
	}
	for _, depth := range []int{0, 1, 4, 5, 3, 12, mostDeep, 6, 4, 0, 2} {
		for len(keys) < depth {
			key := strconv.Itoa(len(keys))
			c.push(key)
			keys = append(keys, key)
		}
		for len(keys) > depth {
			c.pop(keys[len(keys)-1])
			keys = keys[:len(keys)-1]
		}
		check()
	}
}
