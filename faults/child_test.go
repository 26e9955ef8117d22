package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestChildIsKilledWhenItComputesForEver(t *testing.T) {
	c, err := start(strings.NewReader(""), 50*time.Millisecond, []string{"sh", "-c", "echo on; while :; do :; done"})
	require.NoError(t, err)
	var lines []string
	for line := range c.lines() {
		lines = append(lines, line)
	}
	require.ErrorContains(t, c.wait(), "silent")
	require.Equal(t, []string{"on"}, lines)
	require.True(t, c.killed())
}

func TestChildTellsHowItEnded(t *testing.T) {
	for _, c := range []struct {
		name, script string
		complained   bool
		message      string
	}{
		{"done", "exit 0", false, ""},
		{"complaint", "echo why >&2; echo more >&2; exit 1", true, "exit status 1: why"},
		{"panic", "echo 'panic: x' >&2; exit 2", false, "exit status 2: panic: x"},
		{"signal", "kill -9 $$", false, "killed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			child, err := start(nil, silentBusy, []string{"sh", "-c", c.script})
			require.NoError(t, err)
			for line := range child.lines() {
				t.Error("unexpected line", line)
			}
			err = child.wait()
			require.False(t, child.killed())
			require.Equal(t, c.complained, complained(err))
			if c.message == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.message)
			}
		})
	}
}
