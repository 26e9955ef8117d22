package flagstagetest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/flagstagetest"
)

func TestFlagsAreValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := flagstagetest.Flags().Draw(t, "flag")
		again, problems := flags.DecodeFlag(f.AppendJSON(nil))
		require.Empty(t, problems)
		require.True(t, again.Equal(f))
		require.Contains(t, f.EnvironmentKeys(), "production")
		require.False(t, f.Archived() || f.Deleted())
	})
}

func TestPatchesApply(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := flagstagetest.Flags().Draw(t, "flag")
		patch := flagstagetest.PatchesFor(f, "production").Draw(t, "patch")
		how := flags.Application{
			Environment: "production", Now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
			IDs: flagstagetest.CountedIDs(), Others: flagstagetest.Neighbours(),
		}
		after, err := flags.Apply(f, patch, how)
		require.NoError(t, err)
		require.False(t, after.Deleted())
		decoded, problems := flags.DecodeFlag(after.AppendJSON(nil))
		require.Empty(t, problems)
		require.True(t, decoded.Equal(after))
	})
}

func TestInstructionsForAFlagAreOfEveryKind(t *testing.T) {
	f := flagstagetest.Flags().Example(1)
	seen := map[flags.Kind]bool{}
	generator := flagstagetest.InstructionsFor(f, "production")
	for seed := 0; len(seen) < len(flags.Kinds()); seed++ {
		require.Less(t, seed, 10_000)
		seen[generator.Example(seed).Kind()] = true
	}
}

func TestCountedIDsAreAnIDSource(t *testing.T) {
	var ids flagstage.IDSource = flagstagetest.CountedIDs()
	require.Equal(t, "new-1", ids.NewID(time.Time{}))
	require.Equal(t, "new-2", ids.NewID(time.Time{}))
}
