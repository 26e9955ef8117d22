package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompactingKeepsWhatThereIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	j, err := Open(path, Options{Sync: SyncNever})
	require.NoError(t, err)
	for i := range 300 {
		commit(t, j, Op{Key: fmt.Sprint("key", i%200), Value: strings.Repeat("v", i*50)}, Op{Key: fmt.Sprint("key", i-3), Delete: true})
	}
	require.NoError(t, os.Chmod(path, 0o640))
	want, last := content(t, j), j.sequence.Load()
	before := j.Stats()
	require.NoError(t, j.Compact(nil))
	after := j.Stats()
	require.Less(t, after.FileBytes, before.FileBytes)
	require.Equal(t, before.LiveBytes, after.LiveBytes)
	require.InEpsilon(t, after.LiveBytes, after.FileBytes, 0.01)
	require.Equal(t, want, content(t, j))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, after.FileBytes, info.Size())
	require.Equal(t, fs.FileMode(0o640), info.Mode())
	require.Greater(t, commit(t, j, Op{Key: "more"}), last, "numbers go on")
	want["more"] = ""
	require.NoError(t, j.Compact(nil), "it can be done again")
	_, err = Open(path, Options{})
	require.ErrorIs(t, err, ErrLocked, "the new file is locked too")
	require.NoError(t, j.Close())
	closed := read(t, path)
	j, err = Open(path, Options{})
	require.NoError(t, err)
	require.Equal(t, want, content(t, j))
	require.NoError(t, j.Close())
	require.Equal(t, closed, read(t, path))
}

func TestBloatedFileIsCompactedWhenOpenedAndWhenClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	fill := func(j *Journal) {
		for i := range 8 {
			commit(t, j, Op{Key: "key", Value: strings.Repeat(fmt.Sprint(i), 200<<10)})
		}
	}
	j, err := Open(path, Options{})
	require.NoError(t, err)
	fill(j)
	bloated := read(t, path) // as kill -9 leaves it
	require.Greater(t, len(bloated), 8*200<<10, "never while it is open")
	require.NoError(t, j.Close())
	require.Less(t, len(read(t, path)), 300<<10)

	write(t, path, bloated)
	var told []int64
	j, err = Open(path, Options{Progress: func(done, total int64) { told = append(told, done, total) }})
	require.NoError(t, err)
	require.Empty(t, told, "this is no long work")
	require.True(t, j.Recovery().Compacted)
	require.NoError(t, j.Recovery().CompactionError)
	require.Less(t, j.Stats().FileBytes, int64(300<<10))
	require.Equal(t, strings.Repeat("7", 200<<10), content(t, j)["key"])
	require.NoError(t, j.Close())

	write(t, path, bloated)
	j, err = Open(path, Options{sys: &faultySystem{on: "rename", at: 1, err: fs.ErrPermission}})
	require.NoError(t, err, "a file that cannot be compacted can be used")
	require.ErrorIs(t, j.Recovery().CompactionError, fs.ErrPermission)
	require.ErrorContains(t, j.Recovery().CompactionError, "the store is as it was")
	commit(t, j, Op{Key: "key", Value: "small"})
	require.NoError(t, j.Close())
	require.Equal(t, map[string]string{"key": "small"}, content(t, open(t, path, Options{})))
}

// TestRestOfACompactionIsCleanedUp leaves the file of a compaction behind as a
// killed process does, at every length.
func TestRestOfACompactionIsCleanedUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	j, err := Open(path, Options{Sync: SyncNever})
	require.NoError(t, err)
	number := commit(t, j, Op{Key: "a", Value: "1"})
	text := read(t, path) // as kill -9 leaves it
	w := &copier{salt: newSalt(), sequence: number}
	var rest bytes.Buffer
	require.NoError(t, w.copy(&rest, j))
	require.NoError(t, j.Close())
	for size := range rest.Len() + 1 {
		write(t, path, text)
		write(t, path+compactSuffix, rest.Bytes()[:size])
		j, err := Open(path, Options{sys: &faultySystem{lazy: true}})
		require.NoError(t, err)
		require.NoFileExists(t, path+compactSuffix, "%d bytes", size)
		require.NoError(t, j.Close())
	}
}

// TestFileInTheWayOfACompactionIsLeftAlone puts files of other origin where a
// compaction would write.
func TestFileInTheWayOfACompactionIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	j, err := Open(path, Options{})
	require.NoError(t, err)
	commit(t, j, Op{Key: "a"})
	require.NoError(t, j.Compact(nil))
	require.NoError(t, Backup(t.Context(), path, path+compactSuffix, nil))
	backup := read(t, path+compactSuffix)
	require.NoError(t, j.Close())
	for _, foreign := range [][]byte{backup, []byte("a text"), bytes.Repeat([]byte("x"), 1000)} {
		write(t, path+compactSuffix, foreign)
		j, err := Open(path, Options{})
		require.NoError(t, err)
		require.ErrorContains(t, j.Compact(nil), "is in the way; move it")
		commit(t, j, Op{Key: "b"})
		require.NoError(t, j.Close())
		require.Equal(t, foreign, read(t, path+compactSuffix))
	}
	require.NoError(t, os.Remove(path+compactSuffix))
	require.NoError(t, os.Mkdir(path+compactSuffix, 0o700))
	open(t, path, Options{})
}

func TestFileOfTwoNamesIsNotCompacted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	j := open(t, path, Options{})
	commit(t, j, Op{Key: "a"})
	require.NoError(t, os.Link(path, path+"2"))
	require.ErrorContains(t, j.Compact(nil), "has other names")
	_, err := Open(path+"2", Options{})
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, os.Remove(path+"2"))
	require.NoError(t, j.Compact(nil))
}

// TestProgressThatPanics ends calls in their middle: nothing is left behind,
// and nothing stays locked.
func TestProgressThatPanics(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	j, err := Open(path, Options{Sync: SyncNever})
	require.NoError(t, err)
	for i := range 3 {
		commit(t, j, Op{Key: fmt.Sprint(i), Value: strings.Repeat("v", 4<<20)})
	}
	no := func(int64, int64) { panic("no") }
	require.PanicsWithValue(t, "no", func() { _ = j.Compact(no) })
	require.NoFileExists(t, path+compactSuffix)
	commit(t, j, Op{Key: "later"})
	require.NoError(t, j.Compact(nil))
	require.PanicsWithValue(t, "no", func() { _ = Backup(t.Context(), path, path+".copy", no) })
	require.NoFileExists(t, path+".copy")
	require.NoError(t, j.Close())
	require.PanicsWithValue(t, "no", func() { _, _ = Open(path, Options{Progress: no}) })
	require.Len(t, content(t, open(t, path, Options{})), 4)
}

func TestFileOfAnotherIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	j, err := Open(path, Options{})
	require.NoError(t, err)
	commit(t, j, Op{Key: "a"})
	require.NoError(t, os.Rename(path, path+".moved"))
	write(t, path, []byte("mine"))
	require.ErrorContains(t, j.Compact(nil), "moved or written by another program")
	require.Equal(t, "mine", string(read(t, path)))
	commit(t, j, Op{Key: "b"})
	require.NoError(t, j.Close())
	require.Len(t, content(t, open(t, path+".moved", Options{})), 2)
}

// TestCopyOfAllRecordsIsWholeOrRefused truncates and changes a file that was
// just compacted: it got its name when all of it was on the disk, so nothing in
// it was cut short.
func TestCopyOfAllRecordsIsWholeOrRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	j, err := Open(path, Options{})
	require.NoError(t, err)
	for i := range 3 {
		commit(t, j, Op{Key: fmt.Sprint(i), Value: strings.Repeat("v", 10*i)})
	}
	require.NoError(t, j.Compact(nil))
	end := int(j.end)
	commit(t, j, Op{Key: "4"})
	require.NoError(t, j.Close())
	text := read(t, path)
	var corrupt *CorruptError
	for size := len(headerBegin) + 1; size < end; size++ {
		for _, zeros := range []int{0, 16, 512} {
			_, _, err := replay(append(bytes.Clone(text[:size]), make([]byte, zeros)...))
			require.ErrorAs(t, err, &corrupt, "%d bytes and %d zeros", size, zeros)
		}
	}
	for at := range text {
		changed := bytes.Clone(text)
		for change := 1; change < 256; change++ {
			changed[at] = text[at] ^ byte(change)
			if _, err := scan(bytes.NewReader(changed), int64(len(changed)), "db", nil, nil); !errors.As(err, &corrupt) && !errors.Is(err, ErrFormat) {
				t.Fatalf("byte %d changed to %q: %v", at, changed[at], err)
			}
		}
	}
}

func TestLargeWorkTellsItsProgress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	j, err := Open(path, Options{Sync: SyncNever})
	require.NoError(t, err)
	for i := range 5 {
		commit(t, j, Op{Key: fmt.Sprint(i), Value: strings.Repeat("v", 4<<20)})
	}
	calls := 0
	progress := func(done, total int64) {
		calls++
		require.LessOrEqual(t, done, total)
		require.InDelta(t, 20<<20, total, 1<<20)
	}
	for name, work := range map[string]func() error{
		"compact": func() error { return j.Compact(progress) },
		"scan":    func() error { _, err := Scan(t.Context(), path, progress, nil); return err },
		"backup":  func() error { return Backup(t.Context(), path, path+"2", progress) },
		"salvage": func() error { _, err := Salvage(t.Context(), path, path+"3", progress); return err },
	} {
		calls = 0
		require.NoError(t, work(), name)
		require.GreaterOrEqual(t, calls, 2, name)
	}
	require.NoError(t, j.Close())
	calls = 0
	open(t, path, Options{Progress: progress})
	require.GreaterOrEqual(t, calls, 2)
}
