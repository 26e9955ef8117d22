package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// lockSuffix makes the name of the lock file. It stays when the journal is
// closed, empty: to delete it would let two openers lock two files.
const lockSuffix = ".lock"

// errBusy is returned by lockFile when another handle holds the lock.
var errBusy = errors.New("locked")

// lock takes the lock file of a path, in which it writes who holds it.
func lock(sys system, path string) (file, error) {
	name := path + lockSuffix
	for {
		f, err := sys.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		err = hold(f, name, path)
		if err == nil {
			return f, nil
		}
		err = errors.Join(err, f.Close())
		if !errors.Is(err, errDeleted) {
			return nil, err
		}
	}
}

// errDeleted is returned by hold when the lock file that it took is not at its
// place any more.
var errDeleted = errors.New("the lock file was deleted")

// hold locks an open lock file.
func hold(f file, name, path string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: the lock file %s is no regular file; delete it", ErrFormat, name)
	}
	if err := lockFile(f); errors.Is(err, errBusy) {
		return fmt.Errorf("%w: %s is in use by %s", ErrLocked, path, holder(f))
	} else if err != nil {
		return fmt.Errorf("lock %s: %w", name, err)
	}
	if is, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(is, info) {
		return errDeleted
	} else if err != nil {
		return err
	}
	if err := checkHolder(f, name, info.Size()); err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	// that others can read who holds the lock is a courtesy
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d %s\n", os.Getpid(), host), 0)
	}
	return nil
}

// maxHolder is the longest content of a lock file: a number and the name of a
// host.
const maxHolder = 300

// checkHolder refuses a lock file that is something else: what a process wrote
// there that had the lock, or began to, is a number, or nothing.
func checkHolder(f file, name string, size int64) error {
	text := make([]byte, min(size, maxHolder))
	if _, err := f.ReadAt(text, 0); err != nil && err != io.EOF {
		return err
	}
	number, _, _ := strings.Cut(strings.Trim(string(text), "\x00\n"), " ")
	if _, err := strconv.Atoi(number); size > maxHolder || number != "" && err != nil {
		return fmt.Errorf("%w: %s has the name of the store's lock file, but is none; move it away", ErrFormat, name)
	}
	return nil
}

// holder says what the lock file tells of the one who holds it.
func holder(f file) string {
	text := make([]byte, maxHolder)
	n, err := f.ReadAt(text, 0)
	if err != nil && err != io.EOF {
		n = 0
	}
	number, host, _ := strings.Cut(strings.TrimSuffix(string(text[:n]), "\n"), " ")
	pid, err := strconv.Atoi(number)
	if err != nil {
		return "another opener"
	}
	return fmt.Sprintf("process %d on host %q", pid, host)
}

// unlock gives up the lock file, and with it the lock.
func unlock(f file) error {
	_ = f.Truncate(0) // a courtesy too
	return f.Close()
}
