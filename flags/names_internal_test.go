package flags

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNameSetFindsNamesInItsListAndInItsMap(t *testing.T) {
	var set nameSet
	for i := range 40 {
		require.False(t, set.add(fmt.Sprint(i)))
		for j := range i + 1 {
			require.True(t, set.add(fmt.Sprint(j)), "%d of %d", j, i)
		}
		require.Equal(t, i >= 15, set.many != nil, "many names are looked up, not compared")
		require.LessOrEqual(t, len(set.few), 16)
	}
}
