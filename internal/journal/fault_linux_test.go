package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// descriptorOf returns the descriptor by which the database writes.
func descriptorOf(t *testing.T, j *Journal) int {
	own := int(j.file.Fd())
	fds, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, entry := range fds {
		var fd int
		if _, err := fmt.Sscan(entry.Name(), &fd); err != nil || fd == own {
			continue
		}
		if target, _ := os.Readlink("/proc/self/fd/" + entry.Name()); target == j.path {
			return fd
		}
	}
	t.Fatal("the database has not opened the file")
	return 0
}

// TestWriteOfTheDatabaseThatFails puts another file under the database's hands:
// one that is full, and a pipe that takes half and cannot be repaired.
func TestWriteOfTheDatabaseThatFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		replace func(t *testing.T, fd int)
		unknown bool
	}{
		{"a full disk", func(t *testing.T, fd int) {
			full, err := syscall.Open("/dev/full", syscall.O_WRONLY, 0)
			require.NoError(t, err)
			require.NoError(t, syscall.Dup3(full, fd, 0))
			require.NoError(t, syscall.Close(full))
		}, false},
		{"half a write, and no way back", func(t *testing.T, fd int) {
			var pipe [2]int
			require.NoError(t, syscall.Pipe2(pipe[:], syscall.O_NONBLOCK))
			t.Cleanup(func() { syscall.Close(pipe[0]) })
			require.NoError(t, syscall.Dup3(pipe[1], fd, 0))
			require.NoError(t, syscall.Close(pipe[1]))
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "db")
			j, err := Open(path, Options{})
			require.NoError(t, err)
			commit(t, j, Op{Key: "a", Value: "1"})
			c.replace(t, descriptorOf(t, j))
			err = j.Apply([]Op{{Key: "a", Value: strings.Repeat("2", 1<<20)}})
			require.ErrorIs(t, err, ErrFailed)
			require.Equal(t, c.unknown, strings.Contains(err.Error(), ErrUnknown.Error()))
			_, _, err = j.Get("a")
			require.ErrorIs(t, err, ErrFailed)
			require.ErrorIs(t, j.Apply(nil), ErrFailed)
			require.ErrorIs(t, j.Close(), ErrFailed)
			require.NoError(t, j.Close(), "that is told once")
			require.Equal(t, map[string]string{"a": "1"}, content(t, open(t, path, Options{})))
		})
	}
}
