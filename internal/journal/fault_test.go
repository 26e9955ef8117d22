package journal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// life is what happens to a journal until something fails: what was
// acknowledged, and what may be there besides.
type life struct {
	held                  map[string]string // by the file at first
	acknowledged, perhaps map[string]string
}

// live opens a journal, writes, compacts, writes and closes. It goes on after
// errors, as hosts do, and returns the first.
func (l *life) live(t *testing.T, path string, sys system) (first error) {
	note := func(err error) bool {
		if first == nil {
			first = err
		}
		return err == nil
	}
	l.acknowledged, l.perhaps = maps.Clone(l.held), maps.Clone(l.held)
	if l.held == nil {
		l.acknowledged, l.perhaps = map[string]string{}, map[string]string{}
	}
	j, err := Open(path, Options{sys: sys})
	if !note(err) {
		return first
	}
	for i := range 6 {
		op := Op{Key: fmt.Sprint("new", i%4), Value: strings.Repeat("v", i*100)}
		number, err := j.Next()
		if err == nil {
			l.perhaps[op.Key] = op.Value
			if err = j.Apply([]Op{op}); err == nil {
				err = j.Flush(number)
			}
		}
		if note(err) {
			l.acknowledged[op.Key] = op.Value
		} else if j.failed.Load() == nil {
			t.Errorf("%v does not end the use of the journal", err)
		}
		if i == 3 {
			note(j.Compact(nil))
		}
	}
	note(j.Close())
	return first
}

// check opens the journal again and looks that nothing acknowledged is lost.
func (l *life) check(t *testing.T, path string) {
	j, err := Open(path, Options{sys: &faultySystem{lazy: true}})
	require.NoError(t, err, "opening again works")
	is := content(t, j)
	for key, value := range l.acknowledged {
		require.Contains(t, []string{value, l.perhaps[key]}, is[key], key)
	}
	for key := range is {
		require.Contains(t, l.perhaps, key)
	}
	commit(t, j, Op{Key: "later", Value: "x"})
	require.NoError(t, j.Close())
	require.NoFileExists(t, path+compactSuffix, "nothing is left behind")
}

// TestWhateverCallFailsNothingAcknowledgedIsLost fails every call of the
// system in turn, once, and from then on.
func TestWhateverCallFailsNothingAcknowledgedIsLost(t *testing.T) {
	lazy := Options{sys: &faultySystem{lazy: true}}
	closed, killed := tell(t, lazy, 3, true), tell(t, lazy, 3, false)
	faults := map[string]int{}
	for _, before := range []struct {
		name string
		text []byte
		held map[string]string
	}{
		{"nothing", nil, nil},
		{"a store", closed.text, closed.states[3]},
		{"a torn store", append(killed.text, setBegin...), killed.states[3]},
	} {
		path := filepath.Join(t.TempDir(), "db")
		lay := func() {
			require.NoError(t, os.RemoveAll(path))
			write(t, path+compactSuffix, nil) // the rest of a compaction
			if before.text != nil {
				write(t, path, before.text)
			}
		}
		lay()
		none := &faultySystem{lazy: true}
		l := life{held: before.held}
		require.NoError(t, l.live(t, path, none))
		for _, kind := range none.kinds() {
			for _, last := range []int{0, 1 << 30} {
				for at := 1; ; at++ {
					lay()
					sys := &faultySystem{lazy: true, on: kind, at: at, last: last, err: [...]error{syscall.EIO, syscall.ENOSPC}[at%2]}
					err := l.live(t, path, sys)
					if !sys.fired {
						break
					}
					faults[kind]++
					require.ErrorIs(t, err, sys.err, "%s, %s %d to %d", before.name, kind, at, last)
					l.check(t, path)
				}
			}
		}
	}
	t.Logf("faults: %v", faults)
	for _, kind := range []string{"open", "read", "write", "sync", "sync directory", "truncate", "rename", "remove", "close"} {
		require.Positive(t, faults[kind], kind)
	}
}

// TestSyncThatFailsIsNeverForgotten fails one sync: the call that waited for it
// says so, and all that come later.
func TestSyncThatFailsIsNeverForgotten(t *testing.T) {
	for _, mode := range []Sync{SyncAlways, SyncInterval} {
		sys := &faultySystem{}
		path := filepath.Join(t.TempDir(), "db")
		j, err := Open(path, Options{Sync: mode, sys: sys})
		require.NoError(t, err)
		commit(t, j, Op{Key: "a", Value: "1"})
		sys.failNext("sync", syscall.EIO)
		number, err := j.Next()
		require.NoError(t, err)
		require.NoError(t, j.Apply([]Op{{Key: "a", Value: "2"}}))
		err = j.Flush(number)
		if mode == SyncInterval {
			require.NoError(t, err)
			err = j.syncTo(number) // as the timer does
		} else {
			require.ErrorIs(t, err, ErrUnknown)
		}
		require.ErrorIs(t, err, ErrFailed)
		require.ErrorIs(t, err, syscall.EIO)
		for range 2 {
			_, err = j.Next()
			require.ErrorIs(t, err, syscall.EIO)
			require.ErrorIs(t, j.Apply(nil), ErrFailed)
			require.ErrorIs(t, j.Flush(number), ErrUnknown)
			_, _, err = j.Get("a")
			require.ErrorIs(t, err, ErrFailed)
			require.ErrorIs(t, j.Ascend("", nil), ErrFailed)
			require.ErrorIs(t, j.Compact(nil), ErrFailed)
		}
		require.Equal(t, 1, sys.counted(), "no sync is tried again")
		require.ErrorIs(t, j.Close(), syscall.EIO)
		j = open(t, path, Options{})
		require.Contains(t, []string{"1", "2"}, content(t, j)["a"])
		require.Greater(t, commit(t, j), number+leftOut-1, "the number is not used again")
	}
}

func TestSyncInTheBackgroundThatFailsIsToldWhenClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := &faultySystem{}
		j, err := Open(filepath.Join(t.TempDir(), "db"), Options{Sync: SyncInterval, sys: sys})
		require.NoError(t, err)
		commit(t, j, Op{Key: "a"})
		sys.failNext("sync", syscall.EIO)
		time.Sleep(interval)
		synctest.Wait()
		require.ErrorIs(t, j.Close(), syscall.EIO)
		time.Sleep(time.Second) // until the database's own goroutine ends
	})
}

// TestNameOfTheFileIsSafeBeforeACommitIs fails the sync of the directory after
// a compaction: opened again, nothing is acknowledged before that was done.
func TestNameOfTheFileIsSafeBeforeACommitIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	sys := &faultySystem{}
	j, err := Open(path, Options{sys: sys})
	require.NoError(t, err)
	commit(t, j, Op{Key: "a", Value: "1"})
	sys.failNext("sync directory", syscall.EIO)
	require.ErrorIs(t, j.Compact(nil), ErrFailed)
	require.ErrorIs(t, j.Close(), syscall.EIO)

	sys = &faultySystem{}
	j = open(t, path, Options{sys: sys})
	require.Equal(t, map[string]string{"a": "1"}, content(t, j))
	require.Zero(t, sys.calls("sync directory"))
	commit(t, j, Op{Key: "a", Value: "2"})
	require.Equal(t, 1, sys.calls("sync directory"))
}

func TestIntervalSyncsWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, err := Open(filepath.Join(t.TempDir(), "db"), Options{Sync: SyncInterval})
		require.NoError(t, err)
		first := commit(t, j, Op{Key: "a"})
		time.Sleep(interval / 2)
		last := commit(t, j, Op{Key: "b"})
		require.Less(t, j.synced.Load(), first)
		time.Sleep(interval / 2)
		synctest.Wait()
		require.Equal(t, last, j.synced.Load())

		last = commit(t, j, Op{Key: "c"})
		j.synced.Store(last) // by a sync that was under way
		time.Sleep(interval)
		last = commit(t, j, Op{Key: "d"})
		time.Sleep(interval)
		synctest.Wait()
		require.Equal(t, last, j.synced.Load())
		require.NoError(t, j.Close())
		time.Sleep(time.Second) // until the database's own goroutine ends
	})
}

func TestNeverSyncsBeforeNumbersRunOut(t *testing.T) {
	sys := &faultySystem{}
	j := open(t, filepath.Join(t.TempDir(), "db"), Options{Sync: SyncNever, sys: sys})
	commit(t, j)
	before := sys.calls("sync")
	commit(t, j)
	require.Equal(t, before, sys.calls("sync"))
	j.synced.Store(j.sequence.Load() + 1 - maxUnsynced)
	commit(t, j)
	require.Equal(t, before+1, sys.calls("sync"))
}

// TestZeroedBytesAreNoBlocks makes two bytes zero that stand beside each other,
// everywhere in the last transaction of a file that was not closed: that is
// damage, but at the end, where the file may have grown.
func TestZeroedBytesAreNoBlocks(t *testing.T) {
	s := tell(t, Options{}, 3, false)
	end := len(s.text)
	for at := int(s.ends[2]); at < end-2; at++ {
		text := bytes.Clone(s.text)
		clear(text[at : at+2])
		_, _, err := replay(text)
		var corrupt *CorruptError
		if !bytes.Equal(text, s.text) {
			require.ErrorAs(t, err, &corrupt, "bytes %d and %d of %d", at, at+1, end)
		}
	}
	clear(s.text[end-2:])
	_, state, err := replay(s.text)
	require.NoError(t, err)
	require.Equal(t, s.states[2], state)
}

// TestSessionThatIsCutOutIsMissed removes what was written between an opening
// and the closing.
func TestSessionThatIsCutOutIsMissed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	var ends []int
	for i := range 3 {
		j, err := Open(path, Options{})
		require.NoError(t, err)
		commit(t, j, Op{Key: fmt.Sprint(i)})
		require.NoError(t, j.Close())
		ends = append(ends, len(read(t, path)))
	}
	text := read(t, path)
	write(t, path, append(bytes.Clone(text[:ends[0]]), text[ends[1]:]...))
	_, err := Open(path, Options{})
	var corrupt *CorruptError
	require.ErrorAs(t, err, &corrupt)
	require.EqualValues(t, ends[0], corrupt.Offset)
}

// TestBlocksThatWereNeverWritten makes parts of the file zero, as a power cut
// does where the file grew before its blocks were written.
func TestBlocksThatWereNeverWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	write := func(sync Sync) (text []byte, ends []int64) {
		j, err := Open(path, Options{Sync: sync})
		require.NoError(t, err)
		for i := range 4 {
			commit(t, j, Op{Key: fmt.Sprint(i), Value: strings.Repeat("v", 3000)}, Op{Key: "n", Value: fmt.Sprint(i)})
			ends = append(ends, j.end)
		}
		text = read(t, path)
		require.NoError(t, j.Close())
		require.NoError(t, os.Remove(path))
		return text, ends
	}
	for _, sync := range []Sync{SyncAlways, SyncNever} {
		text, ends := write(sync)
		opened, refused := 0, 0
		for _, block := range []int{512, 4096} {
			for from := headerSize/block*block + block; from < len(text); from += block {
				for to := from + block; to <= len(text)+block; to += block {
					damaged := bytes.Clone(text)
					clear(damaged[from:min(to, len(text))])
					found, _, err := replay(damaged)
					hit := 0 // the first transaction that lost something
					for hit < len(ends) && ends[hit] <= int64(from) {
						hit++
					}
					var corrupt *CorruptError
					if sync == SyncAlways && errors.As(err, &corrupt) {
						require.Less(t, hit, len(ends)-1, "%d to %d: no later transaction says that this was on the disk", from, to)
						refused++
						continue
					}
					if sync == SyncAlways && hit < len(ends)-1 {
						require.Greater(t, int64(to), ends[len(ends)-2], "%d to %d: the last transaction says that this was on the disk", from, to)
					}
					require.NoError(t, err, "%d to %d", from, to)
					require.EqualValues(t, hit, found.Transactions)
					require.NotNil(t, found.Tail)
					opened++
				}
			}
		}
		t.Logf("sync %d: %d opened to what is whole, %d refused", sync, opened, refused)
		require.Positive(t, opened)
		require.Equal(t, sync == SyncAlways, refused > 0)
	}
}
