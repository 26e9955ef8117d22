package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// system is what a journal does to the disk, but for what buntdb does. Tests
// put failures into it.
type system interface {
	// OpenFile opens a file, never through a link.
	OpenFile(path string, flag int, mode fs.FileMode) (file, error)
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir brings the names in a directory to the disk.
	SyncDir(dir string) error
}

// file is an open file.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Writer
	Sync() error
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
	Chmod(mode fs.FileMode) error
	Fd() uintptr
	Close() error
}

// disk is the real system.
type disk struct{}

func (disk) OpenFile(path string, flag int, mode fs.FileMode) (file, error) {
	f, err := os.OpenFile(path, flag|noFollow, mode)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (disk) Rename(from, to string) error { return os.Rename(from, to) }
func (disk) Remove(path string) error     { return os.Remove(path) }

func (disk) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// resolve returns the one absolute path of a file, which need not exist, but
// whose folder must.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if whole, err := filepath.EvalSymlinks(path); err == nil {
		return whole, nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// checkRegular refuses what is no regular file, before it is opened: to open a
// pipe may block.
func checkRegular(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%w: %s is a directory; name a file in it", ErrFormat, path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: %s is no regular file", ErrFormat, path)
	}
	return info, nil
}

// placed says what to do about a place where no file can be.
func placed(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w; name a file in a folder that exists and can be written", err)
	}
	return err
}
