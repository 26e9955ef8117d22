package main

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEachDamageIsAnotherOne(t *testing.T) {
	file := []byte("0123456789")
	made := sample{Target: "flagstage", File: file, Sizes: []int{2, 5, 10}}
	for _, c := range []struct {
		damage
		all, cases int
	}{
		{cutShort, 10, 10}, {zeroTail, 10, 10}, {oneByte, 2550, 2550},
		{cutShort, 9, 4}, {zeroTail, 9, 4}, {oneByte, 2549, 7},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			e, err := newExperiment(made, c.damage, scale{all: c.all, cuts: 4, changes: 7}, 1, "")
			require.NoError(t, err)
			require.Equal(t, c.cases, e.Cases)
			seen := map[string]bool{}
			for i := range e.Cases {
				damaged, least := e.damaged(i)
				require.NotEqual(t, string(file), string(damaged))
				require.False(t, seen[string(damaged)], "%q twice", damaged)
				seen[string(damaged)] = true
				same := 0
				for same < len(damaged) && damaged[same] == file[same] {
					same++
				}
				switch c.damage {
				case cutShort:
					require.Len(t, damaged, same)
				case zeroTail:
					require.Equal(t, append(bytes.Clone(file[:same]), make([]byte, len(file)-same)...), damaged)
				case oneByte:
					require.Equal(t, file[same+1:], damaged[same+1:])
					require.Zero(t, least)
					continue
				}
				require.Equal(t, map[bool]int{true: 0, false: 1}[same < 5], least)
			}
		})
	}
}

func TestPageFilesAreSampled(t *testing.T) {
	e, err := newExperiment(sample{Target: "SQLite", File: make([]byte, 100)}, cutShort, scale{all: 1000, cuts: 7}, 1, "")
	require.NoError(t, err)
	require.False(t, e.All)
	require.Equal(t, 7, e.Cases)
}

func TestSamplesAreOfWholeStates(t *testing.T) {
	for _, target := range targets {
		samples, err := newSamples(target, 1, scratch(t))
		require.NoError(t, err)
		for _, s := range samples {
			if s.State == compacted {
				require.Len(t, s.States, 2)
				continue
			}
			require.Len(t, s.States, transactions+1)
			seen := map[uint64]bool{}
			for _, state := range s.States {
				require.False(t, seen[state], "two states look the same")
				seen[state] = true
			}
			if target.appends {
				require.Equal(t, transactions, s.whole(len(s.File)))
				require.Less(t, s.whole(s.Sizes[transactions]-1), transactions)
			}
		}
	}
}
