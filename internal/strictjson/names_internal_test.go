package strictjson

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFewNamesCompared holds that a name is compared with few others, however
// many members an object has, and that every object's names are let go.
func TestFewNamesCompared(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, `"m%d":{"a":[],"b":{"c":1}},`, i)
	}
	object := "{" + b.String() + `"z":1}`
	d := NewDecoder([]byte("["+object+","+object+"]"), nil)
	require.True(t, d.BeginArray())
	for range 2 {
		require.True(t, d.NextElement())
		require.True(t, d.BeginObject())
		for _, ok := d.NextMember(); ok; _, ok = d.NextMember() {
			require.LessOrEqual(t, len(d.names), hashFrom)
			d.Skip()
			require.LessOrEqual(t, len(d.names), hashFrom)
		}
		require.Empty(t, d.names)
		require.Len(t, d.frames, 1)
	}
	require.Len(t, d.large, 2*5001, "the names of both objects and no others")
}

// TestOrdinaries holds ordinaries against the table, at every position.
func TestOrdinaries(t *testing.T) {
	for c := range 256 {
		for position := range 24 {
			for _, fill := range []string{"a", "\x7f", " ", "!", "]", "=", "%"} {
				s := strings.Repeat(fill, position) + string([]byte{byte(c)}) + strings.Repeat("\x80\x00\"", 9)
				want := position
				if ordinary[c] {
					want++
				}
				require.Equal(t, want, ordinaries(s), "%q", s)
				require.Equal(t, want, ordinaries(s[:want]))
			}
		}
	}
	require.Equal(t, 0, ordinaries(""))
}
