package journal

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// content reads all of a journal, but for its header.
func content(t *testing.T, j *Journal) map[string]string {
	all := map[string]string{}
	last := ""
	require.NoError(t, j.Ascend("", func(key, value string) bool {
		require.Less(t, last, key, "keys ascend")
		last = key
		if key != headerKey {
			all[key] = value
		}
		return true
	}))
	return all
}

func TestJournalKeepsWhatWasApplied(t *testing.T) {
	for _, sync := range []Sync{SyncAlways, SyncInterval, SyncNever} {
		path := filepath.Join(t.TempDir(), "db")
		j, err := Open(path, sync)
		require.NoError(t, err)
		require.NoError(t, j.Apply([]Op{{Key: "a", Value: "1"}, {Key: "b\x00\r\n\xff", Value: "\x00*$\r\n"}, {Key: "c"}}))
		require.NoError(t, j.Apply([]Op{{Key: "a", Delete: true}, {Key: "none", Delete: true}, {Key: "c", Value: "3"}}))
		want := map[string]string{"b\x00\r\n\xff": "\x00*$\r\n", "c": "3"}
		require.Equal(t, want, content(t, j))
		_, ok, err := j.Get("a")
		require.NoError(t, err)
		require.False(t, ok)
		require.NoError(t, j.Close())

		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(text), string(header)), "%q", text)

		j, err = Open(path, sync)
		require.NoError(t, err)
		require.Equal(t, want, content(t, j))
		require.NoError(t, j.Close())
		require.Error(t, j.Apply([]Op{{Key: "a"}}))
		_, _, err = j.Get("c")
		require.Error(t, err)
	}
}

func TestJournalInMemory(t *testing.T) {
	j, err := Memory()
	require.NoError(t, err)
	require.NoError(t, j.Apply([]Op{{Key: "a", Value: "1"}}))
	value, ok, err := j.Get("a")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "1", value)
	require.NoError(t, j.Close())
}

func TestJournalRefusesWhatItDidNotWrite(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink("/dev/null", link))
	for name, path := range map[string]string{
		"a text":              file("text", "hello"),
		"a cut header":        file("cut", string(header[:20])),
		"another version":     file("later", strings.Replace(string(header), "\n1\r", "\n2\r", 1)),
		"another database":    file("other", "*3\r\n$3\r\nset\r\n$1\r\na\r\n$1\r\nb\r\n"),
		"what hangs a reader": file("huge", "*3\r\n$3\r\nset\r\n$99999999999\r\n"),
		"a directory":         dir,
		"a device":            link,
	} {
		before, _ := os.ReadFile(path)
		_, err := Open(path, SyncAlways)
		require.ErrorIs(t, err, ErrFormat, name)
		after, _ := os.ReadFile(path)
		require.Equal(t, before, after, name)
	}
	_, err := Open(filepath.Join(dir, "none", "db"), SyncAlways)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "name a file in a folder that exists")
	var place *fs.PathError
	_, err = Open(filepath.Join(file("regular", "x"), "db"), SyncAlways)
	require.ErrorAs(t, err, &place)
	require.ErrorContains(t, err, "name a file in a folder that exists")
}

func TestEmptyFileBecomesAJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	j, err := Open(path, SyncNever)
	require.NoError(t, err)
	require.NoError(t, j.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(header), string(text))
}

func TestPanicsOfTheDatabasePoisonTheJournal(t *testing.T) {
	j := &Journal{} // without a database every call panics
	err := j.Apply([]Op{{Key: "a"}})
	require.ErrorIs(t, err, ErrFailed)
	require.Equal(t, err, j.Apply(nil), "the database is not called again")
	_, _, err = j.Get("a")
	require.ErrorIs(t, err, ErrFailed)
	require.ErrorIs(t, j.Ascend("", nil), ErrFailed)
	require.NoError(t, j.Close())

	_, _, err = (&Journal{}).Get("a")
	require.ErrorIs(t, err, ErrFailed)
}
