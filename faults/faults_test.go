package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is found in the others shows that it would be found in flagstage.
var flagstageTarget, buntdbTarget, bboltTarget, sqliteTarget = targets[0], targets[1], targets[2], targets[3]

// testScale is how much the tests try: all cuts, and a sample of changes.
var testScale = scale{all: 20_000, changes: 10_000}

// scratch returns a directory, in memory if possible.
func scratch(t *testing.T) string {
	dir, remove, err := options{}.scratch()
	require.NoError(t, err)
	t.Cleanup(remove)
	return dir
}

func damageAll(t *testing.T, target target, d damage, size scale) map[string]tally {
	samples, err := newSamples(target, 1, scratch(t))
	require.NoError(t, err)
	counts := map[string]tally{}
	for _, s := range samples {
		e, err := newExperiment(s, d, size, 1, scratch(t))
		require.NoError(t, err)
		count, err := e.run()
		require.NoError(t, err)
		total := 0
		for _, n := range count {
			total += n
		}
		require.Equal(t, e.Cases, total)
		counts[s.State] = count
	}
	return counts
}

func TestDamagedFileIsNeverTakenForWhole(t *testing.T) {
	for _, d := range []damage{cutShort, zeroTail, oneByte} {
		t.Run(string(d), func(t *testing.T) {
			for state, count := range damageAll(t, flagstageTarget, d, testScale) {
				require.Zero(t, count[wrong]+count[altered]+count[crashed]+count[hung], "%s: %v", state, count)
				switch {
				case d == oneByte:
					require.Zero(t, count[intact]+count[older], "%s: %v", state, count)
				case state == compacted:
					require.NotZero(t, count[refused], "%v", count)
				case d == zeroTail:
					require.LessOrEqual(t, count[refused], 1, "%s: %v", state, count) // all bytes are zero
				default:
					require.Zero(t, count[refused], "%s: %v", state, count)
				}
			}
		})
	}
}

func TestDamageOfOthersIsSeen(t *testing.T) {
	size := scale{cuts: 100, changes: 500}
	require.NotZero(t, damageAll(t, buntdbTarget, cutShort, size)[closed][wrong])
	require.NotZero(t, damageAll(t, bboltTarget, cutShort, size)[closed][crashed])
	require.NotZero(t, damageAll(t, sqliteTarget, oneByte, size)[closed][refused])
}

func TestFailedSyncIsReported(t *testing.T) {
	count, err := failSyncs(flagstageTarget, scratch(t))
	require.NoError(t, err)
	require.Greater(t, count.failed, syncCommits)
	require.Zero(t, count.silent, "%+v", count)
	require.NotZero(t, count.laterTold)
	require.Zero(t, count.laterAcknowledged, "%+v", count)
	require.Zero(t, count.lost+count.torn+count.doesNotOpen, "%+v", count)

	count, err = failSyncs(buntdbTarget, scratch(t))
	require.NoError(t, err)
	require.NotZero(t, count.silent, "a failed sync that is not reported would not be seen")
}

func TestSecondOpenerIsRefused(t *testing.T) {
	for _, process := range []bool{false, true} {
		t.Run(fmt.Sprint("other process ", process), func(t *testing.T) {
			var count, others openers
			require.NoError(t, count.openTwice(flagstageTarget, scratch(t), process))
			require.Equal(t, 1, count.refused, "%+v", count)
			require.Equal(t, 1+openerCommits, count.acknowledged)
			require.Zero(t, count.lost+count.torn+count.doesNotOpen, "%+v", count)

			require.NoError(t, others.openTwice(buntdbTarget, scratch(t), process))
			require.Equal(t, 1, others.both)
			require.NotZero(t, others.lost, "a lost transaction would not be seen")
		})
	}
}

func TestSecondOpenerThatWaitsIsSeen(t *testing.T) {
	var count openers
	require.NoError(t, count.openTwice(bboltTarget, scratch(t), true))
	require.Equal(t, openers{tried: 1, waited: 1, reopened: reopened{acknowledged: 1 + 2*openerCommits}}, count)
}

func TestKilledProcessLosesNothing(t *testing.T) {
	count, err := killRounds(1, 20, scratch(t))
	require.NoError(t, err)
	require.Equal(t, 20, count.tried)
	require.NotZero(t, count.acknowledged)
	require.NotZero(t, count.compacted)
	require.Equal(t, counts{acknowledged: count.acknowledged}, count.counts)
}

// reading are the calls that may fail without an error of the store, if
// another one then gets what was wanted.
var reading = []string{"openat", "read", "pread64"}

func TestFailingCallLosesNothing(t *testing.T) {
	fired := map[string]int{}
	for _, call := range sweptCalls {
		for _, errno := range []string{"EIO", "ENOSPC"} {
			t.Run(call+" "+errno, func(t *testing.T) {
				count, err := sweep(call, errno, false, scratch(t))
				require.NoError(t, err)
				require.Zero(t, count.died+count.lost+count.torn+count.doesNotOpen, "%+v", count)
				if !slices.Contains(reading, call) {
					require.Zero(t, count.silent, "%+v", count)
				}
				fired[call] += count.fired
			})
		}
	}
	for _, call := range []string{"pwrite64", "fsync", "openat", "renameat", "ftruncate"} {
		require.NotZero(t, fired[call], "no %s of the store was made to fail", call)
	}
}
