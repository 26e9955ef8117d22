package flagstage_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// TestStoresOfEveryReleaseOpen opens stores that this version and earlier ones
// wrote: closed, left open by a process that was killed, cut short in the middle
// of a write, and compacted. Files are only ever added; -update makes those of
// the present version that are missing.
func TestStoresOfEveryReleaseOpen(t *testing.T) {
	if *update {
		makeCompat(t, "testdata/compat/format-2")
		makeCompatValues(t, "testdata/compat/format-2-values.db")
	}
	files, err := filepath.Glob("testdata/compat/*.db")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 4)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			path := filepath.Join(t.TempDir(), "db")
			require.NoError(t, os.WriteFile(path, text, 0o600))
			for _, options := range [][]flagstage.Option{{flagstage.WithReadOnly()}, nil} {
				e, err := flagstage.Open(path, options...)
				require.NoError(t, err)
				list, err := e.Templates(t.Context(), alice, flagstage.TemplateQuery{})
				require.NoError(t, err)
				require.NotEmpty(t, list.Items)
				document, err := json.MarshalIndent(list, "", "  ")
				require.NoError(t, err)
				golden(t, strings.TrimSuffix(file, ".db")+".json", string(document)+"\n")
				require.NoError(t, e.Close())
			}
		})
	}
}

// makeCompatValues makes a store with a template that is kept with the values of
// its variations, and one without.
func makeCompatValues(t *testing.T, name string) {
	path := filepath.Join(t.TempDir(), "db")
	source := &knownFlags{list: []flags.Flag{banner(t), lamp(t)}}
	input := inputOf(written(t, rollout, prerequisite))
	for key, options := range map[string][]flagstage.Option{"progressive": {flagstage.WithFlagSource(source)}, "plain": nil} {
		e, err := flagstage.Open(path, fixed(options...)...)
		require.NoError(t, err)
		input.Key = key
		_, err = e.CreateTemplate(t.Context(), alice, input)
		require.NoError(t, err)
		require.NoError(t, e.Close())
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	keepCompat(t, name, text)
}

// keepCompat writes a file unless there is one.
func keepCompat(t *testing.T, file string, text []byte) {
	if _, err := os.Stat(file); err != nil {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, text, 0o644))
	}
}

func makeCompat(t *testing.T, name string) {
	keep := func(file string, text []byte) { keepCompat(t, file, text) }
	path := filepath.Join(t.TempDir(), "db")
	store, err := flagstage.OpenStore(path, flagstage.DurabilityAlways)
	require.NoError(t, err)
	e, err := flagstage.New(store, fixed()...)
	require.NoError(t, err)
	content := func() []byte {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return text
	}
	_, err = e.CreateTemplate(t.Context(), alice, readRollout(t))
	require.NoError(t, err)
	kept, err := e.CreateTemplate(t.Context(), bob, named("kept", "A name"))
	require.NoError(t, err)
	_, err = e.ReplaceTemplate(t.Context(), bob, named("kept", "Another name"), kept.Revision)
	require.NoError(t, err)
	_, err = e.CreateTemplate(t.Context(), bob, named("gone", ""))
	require.NoError(t, err)
	require.NoError(t, e.DeleteTemplate(t.Context(), bob, "gone", 0))
	open := content()
	keep(name+"-killed.db", open)
	keep(name+"-torn.db", open[:len(open)-20])
	require.NoError(t, store.Compact(t.Context(), nil))
	_, err = e.CreateTemplate(t.Context(), bob, named("later", ""))
	require.NoError(t, err)
	keep(name+"-compacted.db", content())
	require.NoError(t, e.Close())
	keep(name+"-closed.db", content())
}
