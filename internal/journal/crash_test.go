package journal

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// story is a file and what it held on the way.
type story struct {
	text   []byte
	ends   []int64             // of the file after each transaction; the first is that of the header
	states []map[string]string // then
}

// tell writes a file with transactions of several operations, which buntdb
// writes in any order.
func tell(t *testing.T, o Options, transactions int, closed bool) story {
	path := filepath.Join(t.TempDir(), "db")
	j, err := Open(path, o)
	require.NoError(t, err)
	s := story{ends: []int64{j.end}, states: []map[string]string{{}}}
	for i := range transactions {
		ops := []Op{
			{Key: "count", Value: fmt.Sprint(i)},
			{Key: fmt.Sprintf("key/%d", i), Value: strings.Repeat("\x00", i*7%5) + "value\r\n$1\r\n" + strings.Repeat("v", i*13%50)},
			{Key: fmt.Sprintf("key/%d", i-2), Delete: true},
		}
		commit(t, j, ops[:1+i%3]...)
		s.ends = append(s.ends, j.end)
		s.states = append(s.states, content(t, j))
	}
	if closed {
		require.NoError(t, j.Close())
		s.text = read(t, path)
		return s
	}
	s.text = read(t, path) // as kill -9 leaves it
	require.NoError(t, j.Close())
	return s
}

// state returns what must be found in the first bytes of the file.
func (s story) state(size int64) map[string]string {
	state := map[string]string{}
	for i, end := range s.ends {
		if end <= size {
			state = s.states[i]
		}
	}
	return state
}

// replay returns what the whole groups of a text hold.
func replay(text []byte) (Summary, map[string]string, error) {
	state := map[string]string{}
	found, err := scan(bytes.NewReader(text), int64(len(text)), "db", nil, func(g *group) error {
		g.replayOn(state)
		return nil
	})
	return found, state, err
}

// replayOn does to a state what the group does.
func (g *group) replayOn(state map[string]string) {
	if g.isHeader() {
		return
	}
	for _, op := range g.ops(nil) {
		if op.Delete {
			delete(state, op.Key)
		} else {
			state[op.Key] = op.Value
		}
	}
}

// TestTruncatedFileOpensToItsLastWholeTransaction cuts a file off at every
// byte, and puts zeros behind the cut, as a power cut does. All are read, and a
// part of them is opened too and written on.
func TestTruncatedFileOpensToItsLastWholeTransaction(t *testing.T) {
	for _, c := range []struct {
		closed bool
		sync   Sync
	}{{true, SyncAlways}, {false, SyncNever}} {
		s := tell(t, Options{Sync: c.sync}, 8, c.closed)
		path := filepath.Join(t.TempDir(), "db")
		scanned, opened := 0, 0
		for size := range len(s.text) + 1 {
			for i, zeros := range []int{0, 16, 512, 4096} {
				text := append(bytes.Clone(s.text[:size]), make([]byte, zeros)...)
				_, state, err := replay(text)
				require.NoError(t, err, "%d bytes and %d zeros", size, zeros)
				require.Equal(t, s.state(int64(size)), state, "%d bytes and %d zeros", size, zeros)
				scanned++
				if (size+i)%8 != 0 && size < len(s.text)-20 {
					continue
				}
				write(t, path, text)
				j, err := Open(path, Options{Sync: SyncNever, sys: &faultySystem{lazy: true}})
				require.NoError(t, err, "%d bytes and %d zeros", size, zeros)
				require.Equal(t, state, content(t, j), "%d bytes and %d zeros", size, zeros)
				require.Equal(t, j.end, int64(len(read(t, path))), "what follows goes behind the last transaction")
				if size < len(s.text) && size > headerSize {
					require.Greater(t, commit(t, j, Op{Key: "more"}), int64(8), "no number is used again")
				}
				require.NoError(t, j.Close())
				opened++
			}
		}
		t.Logf("%d of %d truncated files read right, %d of them opened", scanned, 4*(len(s.text)+1), opened)
	}
}

func TestChangedByteIsRefused(t *testing.T) {
	for _, c := range []struct {
		closed bool
		sync   Sync
	}{{true, SyncAlways}, {false, SyncAlways}, {false, SyncNever}} {
		s := tell(t, Options{Sync: c.sync}, 3, c.closed)
		refused := 0
		for at := range s.text {
			text := bytes.Clone(s.text)
			for change := 1; change < 256; change++ {
				text[at] = s.text[at] ^ byte(change)
				found, err := scan(bytes.NewReader(text), int64(len(text)), "db", nil, nil)
				var corrupt *CorruptError
				if !errors.As(err, &corrupt) && !errors.Is(err, ErrFormat) {
					t.Fatalf("byte %d changed to %q: %v, tail %v", at, text[at], err, found.Tail)
				}
				if corrupt != nil && corrupt.Offset > int64(at) {
					t.Fatalf("byte %d changed to %q: the damage is said to begin at %d", at, text[at], corrupt.Offset)
				}
				refused++
			}
		}
		t.Logf("%d of %d changed bytes refused", refused, 255*len(s.text))
	}
}
