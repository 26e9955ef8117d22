package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

// faultySystem is the disk, one call of which fails, or more.
type faultySystem struct {
	disk
	on   string // the calls that are counted for the fault; "" is all
	at   int    // which of them fails, from 1; 0: none
	last int    // which is the last that fails; 0: only that one
	err  error
	lazy bool // nothing is really synced: for tests that open very often

	mu    sync.Mutex
	count int
	fired bool
	seen  []string
}

// failNext makes the next call of a kind fail.
func (s *faultySystem) failNext(on string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on, s.count, s.at, s.err = on, 0, 1, err
}

// counted is how many calls were counted for the fault.
func (s *faultySystem) counted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// fault counts a call and returns its error.
func (s *faultySystem) fault(call string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, call)
	if s.on != "" && s.on != call {
		return nil
	}
	s.count++
	if s.at > 0 && s.count >= s.at && s.count <= max(s.at, s.last) {
		s.fired = true
		return fmt.Errorf("%s: %w", call, s.err)
	}
	return nil
}

func (s *faultySystem) calls(name string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, call := range s.seen {
		if call == name {
			n++
		}
	}
	return n
}

func (s *faultySystem) kinds() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	kinds := slices.Clone(s.seen)
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

func (s *faultySystem) OpenFile(path string, flag int, mode fs.FileMode) (file, error) {
	if err := s.fault("open"); err != nil {
		return nil, err
	}
	f, err := s.disk.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, lockSuffix) {
		return f, nil // what is written there is a courtesy
	}
	return faultyFile{f, s}, nil
}

func (s *faultySystem) Rename(from, to string) error {
	if err := s.fault("rename"); err != nil {
		return err
	}
	return s.disk.Rename(from, to)
}

func (s *faultySystem) Remove(path string) error {
	if err := s.fault("remove"); err != nil {
		return err
	}
	return s.disk.Remove(path)
}

func (s *faultySystem) SyncDir(dir string) error {
	if err := s.fault("sync directory"); err != nil || s.lazy {
		return err
	}
	return s.disk.SyncDir(dir)
}

type faultyFile struct {
	file
	system *faultySystem
}

func (f faultyFile) Sync() error {
	if err := f.system.fault("sync"); err != nil || f.system.lazy {
		return err
	}
	return f.file.Sync()
}

func (f faultyFile) Truncate(size int64) error {
	if err := f.system.fault("truncate"); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

func (f faultyFile) WriteAt(b []byte, at int64) (int, error) {
	if err := f.system.fault("write"); err != nil {
		n, _ := f.file.WriteAt(b[:len(b)/2], at) // half of it arrives
		return n, err
	}
	return f.file.WriteAt(b, at)
}

func (f faultyFile) Write(b []byte) (int, error) {
	if err := f.system.fault("write"); err != nil {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, err
	}
	return f.file.Write(b)
}

func (f faultyFile) ReadAt(b []byte, at int64) (int, error) {
	if err := f.system.fault("read"); err != nil {
		return 0, err
	}
	return f.file.ReadAt(b, at)
}

func (f faultyFile) Stat() (fs.FileInfo, error) {
	if err := f.system.fault("stat"); err != nil {
		return nil, err
	}
	return f.file.Stat()
}

func (f faultyFile) Chmod(mode fs.FileMode) error {
	if err := f.system.fault("chmod"); err != nil {
		return err
	}
	return f.file.Chmod(mode)
}

func (f faultyFile) Close() error {
	err := f.system.fault("close")
	return errors.Join(err, f.file.Close())
}
