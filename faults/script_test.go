package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScriptDoesItsSteps(t *testing.T) {
	type result struct{ name, answer, err string }
	for _, target := range targets {
		t.Run(target.name, func(t *testing.T) {
			steps := []result{
				{"commit 1", "", "not open"},
				{"open", "", ""},
				{"list", "", ""},
				{"commit 12", "", ""},
				{"commit 3", "", ""},
				{"commit three", "", "expected integer"},
				{"dance", "", `there is no step "dance"`},
				{"list", "12 3", ""},
				{"close", "", ""},
				{"open", "", ""},
				{"list", "12 3", ""},
				{"close", "", ""},
			}
			var names []string
			for _, s := range steps {
				names = append(names, s.name)
			}
			path := filepath.Join(scratch(t), "a.db")
			c, err := startChild(strings.NewReader(strings.Join(names, "\n")), scriptArguments(target, path)...)
			require.NoError(t, err)
			done, err := readSteps(c)
			require.NoError(t, err)
			require.NoError(t, c.wait())
			var got []result
			for _, s := range done {
				r := result{s.name, s.answer, ""}
				if s.err != nil {
					r.err = s.err.Error()
				}
				got = append(got, r)
			}
			require.Equal(t, steps, got)
			require.Equal(t, []int{12, 3}, acknowledged(done))

			found, err := contentOf(target, path)
			require.NoError(t, err)
			require.Equal(t, content{whole: map[int]bool{3: true, 12: true}}, found)
			require.Equal(t, 1, found.missing([]int{3, 4, 12}))
		})
	}
}

func TestPartOfTransactionIsSeen(t *testing.T) {
	path := filepath.Join(scratch(t), "a.db")
	s, err := openBuntdb(path)
	require.NoError(t, err)
	require.NoError(t, s.commit(scriptWrites(1)))
	require.NoError(t, s.commit(scriptWrites(2)))
	require.NoError(t, s.commit(append(scriptWrites(3)[:2], write{key: "txn/2/0", value: "another"})))
	require.NoError(t, s.close())
	found, err := contentOf(buntdbTarget, path)
	require.NoError(t, err)
	require.Equal(t, content{whole: map[int]bool{1: true}, torn: 2}, found)
}

func TestDeathInStepIsSeen(t *testing.T) {
	c, err := start(nil, silentBusy, []string{"sh", "-c", "echo begin open; echo ok; echo begin commit 1; exit 2"})
	require.NoError(t, err)
	steps, err := readSteps(c)
	require.NoError(t, err)
	require.Equal(t, []step{{name: "open"}, {name: "commit 1", err: errDied}}, steps)
	require.Error(t, c.wait())
}

func TestScriptThatPrintsSomethingElseIsRefused(t *testing.T) {
	for _, line := range []string{"ok", "panic: x"} {
		c, err := start(nil, silentBusy, []string{"sh", "-c", "echo '" + line + "'"})
		require.NoError(t, err)
		_, err = readSteps(c)
		require.ErrorContains(t, err, line)
		require.NoError(t, c.wait())
	}
}
