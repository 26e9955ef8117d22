package journal

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// content reads all of a journal.
func content(t testing.TB, j *Journal) map[string]string {
	all := map[string]string{}
	last := ""
	require.NoError(t, j.Ascend("", func(key, value string) bool {
		require.Less(t, last, key, "keys ascend")
		last = key
		all[key] = value
		return true
	}))
	return all
}

// open opens a journal, and closes it when the test ends.
func open(t testing.TB, path string, o Options) *Journal {
	j, err := Open(path, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	return j
}

// commit applies operations and makes them safe.
func commit(t testing.TB, j *Journal, ops ...Op) int64 {
	number, err := j.Next()
	require.NoError(t, err)
	require.NoError(t, j.Apply(ops))
	require.NoError(t, j.Flush(number))
	return number
}

func read(t testing.TB, path string) []byte {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return text
}

func write(t testing.TB, path string, text []byte) {
	require.NoError(t, os.WriteFile(path, text, 0o600))
}

func TestJournalKeepsWhatWasApplied(t *testing.T) {
	for _, sync := range []Sync{SyncAlways, SyncInterval, SyncNever} {
		path := filepath.Join(t.TempDir(), "db")
		j, err := Open(path, Options{Sync: sync})
		require.NoError(t, err)
		require.EqualValues(t, 1, commit(t, j, Op{Key: "a", Value: "1"}, Op{Key: "b\x00\r\n\xff", Value: "\x00*$\r\n"}, Op{Key: "c"}))
		require.EqualValues(t, 2, commit(t, j, Op{Key: "a", Delete: true}, Op{Key: "none", Delete: true}, Op{Key: "c", Value: "3"}))
		require.EqualValues(t, 3, commit(t, j), "a transaction may be empty")
		want := map[string]string{"b\x00\r\n\xff": "\x00*$\r\n", "c": "3"}
		require.Equal(t, want, content(t, j))
		_, ok, err := j.Get("a")
		require.NoError(t, err)
		require.False(t, ok)
		require.NoError(t, j.Close())
		require.NoError(t, j.Close(), "closing twice is no error")
		require.ErrorIs(t, j.Apply([]Op{{Key: "a"}}), ErrClosed)
		_, _, err = j.Get("c")
		require.ErrorIs(t, err, ErrClosed)

		closed := read(t, path)
		require.True(t, strings.HasPrefix(string(closed), string(headerBegin)), "%q", closed)
		j, err = Open(path, Options{Sync: sync})
		require.NoError(t, err)
		require.Equal(t, Recovery{}, j.Recovery())
		require.Equal(t, want, content(t, j))
		require.NoError(t, j.Close())
		require.Equal(t, closed, read(t, path), "reading changes nothing")

		j, err = Open(path, Options{Sync: sync})
		require.NoError(t, err)
		require.Greater(t, commit(t, j, Op{Key: "d"}), int64(3), "numbers grow")
		require.NoError(t, j.Close())
	}
}

func TestJournalInMemory(t *testing.T) {
	j, err := Memory()
	require.NoError(t, err)
	require.EqualValues(t, 1, commit(t, j, Op{Key: "a", Value: "1"}))
	value, ok, err := j.Get("a")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "1", value)
	require.NoError(t, j.Compact(nil))
	require.Zero(t, j.Stats().FileBytes)
	require.Equal(t, Recovery{}, j.Recovery())
	require.NoError(t, j.Close())
}

func TestFileIsNobodyElses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	open(t, path, Options{})
	for _, name := range []string{path, path + lockSuffix} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode(), name)
	}
}

func TestJournalRefusesWhatItDidNotWrite(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		write(t, path, []byte(content))
		return path
	}
	device := filepath.Join(dir, "device")
	require.NoError(t, os.Symlink("/dev/null", device))
	header := string(appendHeader(nil, kindBegin, beginNumber, newSalt()))
	for name, c := range map[string]struct{ path, says string }{
		"a text":                     {file("text", "hello"), "name another file"},
		"a large text":               {file("long", strings.Repeat("hello ", 100)), "name another file"},
		"another version":            {file("later", strings.Replace(header, "\n2 ", "\n3 ", 1)), "another version"},
		"one without frames":         {file("early", string(frameless)+"*3\r\n$3\r\nset\r\n$1\r\na\r\n$1\r\nb\r\n"), "salvage it"},
		"another database":           {file("other", "*3\r\n$3\r\nset\r\n$1\r\na\r\n$1\r\nb\r\n"), "name another file"},
		"what hangs a reader":        {file("huge", "*3\r\n$3\r\nset\r\n$99999999999\r\n"), "name another file"},
		"what fills the memory":      {file("many", "*99999999999\r\n"), "name another file"},
		"many zeros":                 {file("zeros", strings.Repeat("\x00", 1<<20)), "name another file"},
		"a text and zeros":           {file("text0", "hello"+strings.Repeat("\x00", 100)), "name another file"},
		"a directory":                {dir, "directory"},
		"a device":                   {device, "no regular file"},
		"no database but its header": {file("half", strings.Replace(header, "flagstage", "flagstagy", 1)+"x"), "another"},
	} {
		before, _ := os.ReadFile(c.path)
		_, err := Open(c.path, Options{})
		if name == "no database but its header" {
			var corrupt *CorruptError
			require.ErrorAs(t, err, &corrupt, name)
			continue
		}
		require.ErrorIs(t, err, ErrFormat, name)
		require.ErrorContains(t, err, c.says, name)
		after, _ := os.ReadFile(c.path)
		require.Equal(t, before, after, name)
		_, err = os.Stat(c.path + lockSuffix)
		require.ErrorIs(t, err, fs.ErrNotExist, "nothing is left beside what can be no journal: %s", name)
	}
	_, err := Open(filepath.Join(dir, "none", "db"), Options{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "name a file in a folder that exists")
	var place *fs.PathError
	_, err = Open(filepath.Join(file("regular", "x"), "db"), Options{})
	require.ErrorAs(t, err, &place)
	require.ErrorContains(t, err, "name a file in a folder that exists")
}

func TestEmptyFileBecomesAJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	write(t, path, nil)
	j := open(t, path, Options{})
	commit(t, j, Op{Key: "a"})
	require.Nil(t, j.Recovery().Tail)
	require.Equal(t, map[string]string{"a": ""}, content(t, j))
}

func TestPanicsOfTheDatabasePoisonTheJournal(t *testing.T) {
	j := &Journal{} // without a database every call panics
	err := j.Apply([]Op{{Key: "a"}})
	require.ErrorIs(t, err, ErrFailed)
	require.ErrorIs(t, err, ErrUnknown)
	require.ErrorIs(t, j.Apply(nil), ErrFailed)
	_, _, err = j.Get("a")
	require.ErrorIs(t, err, ErrFailed)
	require.ErrorIs(t, j.Ascend("", nil), ErrFailed)
	require.ErrorIs(t, j.Close(), ErrFailed)

	_, _, err = (&Journal{}).Get("a")
	require.ErrorIs(t, err, ErrFailed)
}

func TestTooLargeTransactionsWriteNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	j := open(t, path, Options{Sync: SyncNever})
	many := make([]Op, maxCommands)
	for i := range many {
		many[i].Key = fmt.Sprint(i)
	}
	large := strings.Repeat("x", maxValue)
	for name, ops := range map[string][]Op{
		"a long key":      {{Key: strings.Repeat("k", maxKey+1)}},
		"a long value":    {{Key: "k", Value: large + "x"}},
		"many operations": many,
		"many bytes":      {{Key: "1", Value: large}, {Key: "2", Value: large}, {Key: "3", Value: large}, {Key: "4", Value: large}},
	} {
		require.ErrorIs(t, j.Apply(ops), ErrTooLarge, name)
		require.Empty(t, content(t, j), name)
	}
	commit(t, j, Op{Key: strings.Repeat("k", maxKey), Value: large})
	commit(t, j, many[:maxCommands-2]...)
}

func TestWhoWaitsSharesASync(t *testing.T) {
	counted := &faultySystem{}
	j := open(t, filepath.Join(t.TempDir(), "db"), Options{sys: counted})
	commit(t, j)
	before := counted.calls("sync")
	const writers = 16
	for i := range writers {
		require.NoError(t, j.Apply([]Op{{Key: fmt.Sprint(i)}}))
	}
	last := j.sequence.Load()
	var wait sync.WaitGroup
	for i := range writers {
		wait.Go(func() {
			if err := j.Flush(last - int64(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	require.Equal(t, 1, counted.calls("sync")-before)
	require.Equal(t, last, j.synced.Load(), "all are on the disk")
}

// goroutines counts those that are not of buntdb, one of which outlives each
// database by up to a second.
func goroutines() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if !strings.Contains(stack, "buntdb") {
			n++
		}
	}
	return n
}

func TestClosingLeavesNothingBehind(t *testing.T) {
	before := goroutines()
	path := filepath.Join(t.TempDir(), "db")
	j, err := Open(path, Options{Sync: SyncInterval})
	require.NoError(t, err)
	commit(t, j, Op{Key: "a"})
	require.NotNil(t, j.timer, "a sync is to come")
	require.NoError(t, j.Close())
	require.Nil(t, j.timer)
	require.LessOrEqual(t, goroutines(), before)
	require.Empty(t, read(t, path+lockSuffix), "nobody holds the lock")
}
