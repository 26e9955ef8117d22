package journal

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// As a child, the test program does what a test asks of it.
const childVariable = "JOURNAL_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVariable) {
	case "hold":
		holdForParent(os.Args[1])
	case "write":
		writeForParent(os.Args[1])
	default:
		os.Exit(m.Run())
	}
}

// child starts the test program as a child that does something with a path.
func child(t *testing.T, what, path string) (*exec.Cmd, *bufio.Scanner) {
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program, path)
	cmd.Env = append(os.Environ(), childVariable+"="+what)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill() // it has ended in most tests
		_ = cmd.Wait()
	})
	return cmd, bufio.NewScanner(out)
}

// holdForParent holds a journal until the parent says enough.
func holdForParent(path string) {
	j, err := Open(path, Options{})
	fmt.Println("opened:", err)
	bufio.NewScanner(os.Stdin).Scan()
	if err == nil {
		j.Close()
	}
}

func TestSecondOpenerIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	j, err := Open(path, Options{})
	require.NoError(t, err)
	commit(t, j, Op{Key: "a", Value: "1"})
	symlink, hardlink := filepath.Join(dir, "soft"), filepath.Join(dir, "hard")
	require.NoError(t, os.Symlink("db", symlink))
	require.NoError(t, os.Link(path, hardlink))
	before := read(t, path)
	host, err := os.Hostname()
	require.NoError(t, err)
	for _, name := range []string{path, filepath.Join(dir, ".", "x", "..", "db"), symlink, hardlink} {
		_, err := Open(name, Options{})
		require.ErrorIs(t, err, ErrLocked, name)
		if name != hardlink {
			require.ErrorContains(t, err, fmt.Sprintf("in use by process %d on host %q", os.Getpid(), host))
		}
	}
	_, out := child(t, "hold", path)
	require.True(t, out.Scan())
	require.Contains(t, out.Text(), fmt.Sprintf("locked: %s is in use by process %d", path, os.Getpid()))
	require.Equal(t, before, read(t, path), "the file is left alone")
	commit(t, j, Op{Key: "a", Value: "2"})
	require.NoError(t, j.Close())
	require.Equal(t, map[string]string{"a": "2"}, content(t, open(t, hardlink, Options{})), "a link can be opened afterwards")
}

func TestLockOfAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	cmd, out := child(t, "hold", path)
	require.True(t, out.Scan())
	require.Equal(t, "opened: <nil>", out.Text())
	_, err := Open(path, Options{})
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorContains(t, err, fmt.Sprintf("process %d on host", cmd.Process.Pid))
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	open(t, path, Options{})
}

func TestLockFileThatIsNone(t *testing.T) {
	dir := t.TempDir()
	elsewhere := filepath.Join(dir, "elsewhere")
	write(t, elsewhere, []byte("mine"))
	for name, make := range map[string]func(path string) error{
		"a link":      func(path string) error { return os.Symlink(elsewhere, path) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", ""))
		require.NoError(t, make(path+lockSuffix))
		_, err := Open(path, Options{})
		require.Error(t, err, name)
		_, err = os.Stat(path)
		require.ErrorIs(t, err, os.ErrNotExist, "no file is made without a lock")
	}
	require.Equal(t, "mine", string(read(t, elsewhere)))

	path := filepath.Join(dir, "db")
	for _, foreign := range []string{"a text\n", string(appendHeader(nil, kindBegin, beginNumber, newSalt())), strings.Repeat("1", 1000)} {
		write(t, path+lockSuffix, []byte(foreign))
		_, err := Open(path, Options{})
		require.ErrorIs(t, err, ErrFormat)
		require.ErrorContains(t, err, "move it away")
		require.Equal(t, foreign, string(read(t, path+lockSuffix)))
	}
	for _, left := range []string{"", "12", "123 host\n", "123 ho", "\x00\x00\x00"} {
		write(t, path+lockSuffix, []byte(left))
		j, err := Open(path, Options{})
		require.NoError(t, err, "%q", left)
		require.Equal(t, fmt.Sprint(os.Getpid()), strings.Fields(string(read(t, path+lockSuffix)))[0])
		require.NoError(t, j.Close())
	}
}
