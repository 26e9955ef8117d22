package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Options say how a file is opened.
type Options struct {
	Sync     Sync
	Existing bool     // a file that does not exist is not created
	Progress Progress // of reading and rewriting the file; nil: nobody is told

	sys system // nil: the disk
}

// Open opens the journal in a file, which is created with mode 0600 if it does
// not exist; its folder must. A file that something else wrote is refused with
// [ErrFormat], one that is open with [ErrLocked], a damaged one with a
// [*CorruptError]; all are left alone. A write that was cut short is cut off:
// see [Journal.Recovery].
func Open(path string, o Options) (opened *Journal, err error) {
	if !supported {
		return nil, errUnsupported
	}
	if o.sys == nil {
		o.sys = disk{}
	}
	if path, err = resolve(path); err != nil {
		return nil, placed(err)
	}
	// what is no store gets no lock file beside it
	if err := peek(path); errors.Is(err, ErrFormat) || o.Existing && errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	held, err := lock(o.sys, path)
	if err != nil {
		return nil, placed(err)
	}
	j := &Journal{storage: &storage{sys: o.sys, path: path, lock: held, sync: o.Sync, progress: o.Progress}}
	j.synchronized.L = &j.syncing
	defer func() {
		if opened == nil { // also if progress panics
			err = errors.Join(err, j.abandon())
		}
	}()
	if err := j.open(); err != nil {
		return nil, placed(err)
	}
	return j, nil
}

// peek looks at how a file begins.
func peek(path string) error {
	f, path, size, err := openToRead(path)
	if err != nil {
		return err
	}
	_, _, err = readHeader(f, size, path)
	return errors.Join(err, f.Close())
}

// abandon gives up what a failed open holds.
func (j *Journal) abandon() error {
	var err error
	if j.db != nil && !j.lost {
		err = j.closeDB()
	}
	if j.file != nil {
		err = errors.Join(err, j.file.Close())
	}
	return errors.Join(err, unlock(j.lock))
}

// open opens the file, of which the lock is held.
func (j *Journal) open() error {
	if err := j.openFile(); err != nil {
		return err
	}
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	found, err := scan(j.file, info.Size(), j.path, j.progress, nil)
	if err != nil {
		return err
	}
	if err := j.removeRest(found); err != nil {
		return err
	}
	j.recovery.Tail = found.Tail
	if found.torn {
		err = j.begin(info.Size())
	} else {
		err = j.goOn(found)
	}
	if err != nil {
		return err
	}
	if err := j.openDB(j.path); err != nil {
		return err
	}
	if err := j.samePlace(); err != nil {
		return err
	}
	if err := j.measure(); err != nil {
		return err
	}
	j.recovery.Compacted, j.recovery.CompactionError = j.compactIfBloated()
	return j.usable()
}

// openFile opens the file, or creates it, and locks it too: it may have other
// names.
func (j *Journal) openFile() error {
	_, err := checkRegular(j.path)
	create := errors.Is(err, fs.ErrNotExist)
	if err != nil && !create {
		return err
	}
	flag := os.O_RDWR
	if create {
		flag |= os.O_CREATE | os.O_EXCL
	}
	if j.file, err = j.sys.OpenFile(j.path, flag, 0o600); err != nil {
		return err
	}
	if err := lockFile(j.file); errors.Is(err, errBusy) {
		return fmt.Errorf("%w: %s is in use under another name", ErrLocked, j.path)
	} else if err != nil {
		return fmt.Errorf("lock %s: %w", j.path, err)
	}
	return nil
}

// beginNumber is that of the group that begins a file. The next marks the file
// as open, so the first transaction has number 1.
const beginNumber = -1

// begin makes the file an empty journal.
func (j *Journal) begin(size int64) error {
	if size > 0 {
		if err := j.cut(0); err != nil {
			return err
		}
	}
	s := newSalt()
	header := appendHeader(nil, kindBegin, beginNumber, s)
	if _, err := j.file.WriteAt(header, 0); err != nil {
		return err
	}
	j.seed, j.end, j.clean = s.seed(), int64(len(header)), true
	j.sequence.Store(beginNumber)
	j.synced.Store(beginNumber)
	return j.file.Sync()
}

// cut cuts the file off.
func (j *Journal) cut(end int64) error {
	if err := j.file.Truncate(end); err != nil {
		return err
	}
	// what is written next must not meet what was cut
	return j.file.Sync()
}

// goOn makes the file ready to be written behind its last whole group.
func (j *Journal) goOn(found Summary) error {
	j.seed, j.end, j.last, j.clean = found.seed, found.End, found.End-found.lastSize, found.Closed
	j.sequence.Store(found.Sequence)
	j.synced.Store(found.Sequence)
	if found.Tail != nil {
		if err := j.cut(found.End); err != nil {
			return err
		}
		j.clean = false
	}
	if j.clean {
		return nil
	}
	if err := j.ensure(found.unsynced); err != nil {
		return err
	}
	number := found.Sequence + leftOut
	opened := appendFrame(nil, new(tally).frame(kindOpened, number, found.Sequence), j.seed)
	if _, err := j.file.WriteAt(opened, j.end); err != nil {
		return err
	}
	j.end += int64(len(opened))
	j.sequence.Store(number)
	j.synced.Store(number)
	return j.file.Sync()
}

// ensure sees to it that what can be read of the file is on the disk, and its
// name too. Of the file that is certain up to an offset. A sync that failed
// before may have left behind it what was not written, and would not be by
// another sync: so it is written again, in its place.
func (j *Journal) ensure(from int64) error {
	s := scanner{file: j.file, path: j.path}
	var failed error
	err := s.chunks(from, j.end, 0, func(at int64, text []byte, _ int) {
		if failed == nil {
			_, failed = j.file.WriteAt(text, at)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	return j.sys.SyncDir(filepath.Dir(j.path))
}

// samePlace returns an error if the file at the path is not the one that the
// journal has open: somebody moved it, or wrote to it without the lock.
func (j *Journal) samePlace() error {
	is, err := os.Lstat(j.path)
	if err != nil {
		return err
	}
	has, err := j.file.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(is, has) || has.Size() != j.end {
		return fmt.Errorf("%s was moved or written by another program", j.path)
	}
	return nil
}

// measure adds up how many bytes all records would take in a new file.
func (j *Journal) measure() error {
	j.live = 0
	return j.Ascend("", func(key, value string) bool {
		j.live += int64(setSize(key, value))
		return true
	})
}

// Recovery says what opening the file has done to it.
func (j *Journal) Recovery() Recovery {
	if j.storage == nil {
		return Recovery{}
	}
	return j.recovery
}
