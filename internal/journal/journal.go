// Package journal keeps keys and values in buntdb, in memory or in a file that
// loses nothing.
//
// It is the seam between a store and the database: all that is known of
// buntdb, and of its files, is known here. buntdb itself appends the commands
// of a transaction to its file in no order, without checksums, ignores what
// fsync says, and lets two programs open a file at once. So a journal
//
//   - holds a lock file, and locks the file itself;
//   - gives each transaction a frame that tells whether it is whole;
//   - reads the file strictly, and bounded, before buntdb does;
//   - syncs the file itself, once for all that wait, and believes no sync
//     after one that failed;
//   - rewrites the file itself when it holds more past than present;
//   - makes transactions by hand, of operations that were given beforehand, so
//     that no foreign code runs inside of them.
//
// Time to live, patterns, and indexes of buntdb are not used.
package journal

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/buntdb"
)

// The errors of a journal.
var (
	// ErrFormat is wrapped when a file was not written by a journal.
	ErrFormat = errors.New("not a flagstage store")
	// ErrLocked is wrapped when a file is open already, in this process or
	// another.
	ErrLocked = errors.New("locked")
	// ErrFailed is wrapped by the call during which the disk or the database
	// failed, and by all later calls: the journal can only be closed then.
	ErrFailed = errors.New("store failed")
	// ErrClosed is wrapped when a journal was closed.
	ErrClosed = errors.New("closed")
	// ErrUnknown is wrapped, together with ErrFailed, when it is not known
	// whether a transaction will be there after opening again.
	ErrUnknown = errors.New("unknown outcome")
	// ErrTooLarge is wrapped when a transaction cannot be written.
	ErrTooLarge = errors.New("transaction too large")

	errUnsupported = fmt.Errorf("files are kept safe on Linux and macOS only: %w", errors.ErrUnsupported)
)

// CorruptError says where a file is damaged. It was left alone.
type CorruptError struct {
	Path   string
	Offset int64  // of the first transaction that is not whole
	Reason string // what is wrong with it
}

// Error says where the damage is, and what to do.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is damaged from byte %d on: %s; restore a backup, or salvage what is whole into a new file", e.Path, e.Offset, e.Reason)
}

// Limits of what is written.
const (
	maxKey      = 4 << 10  // bytes of a key
	maxValue    = 8 << 20  // bytes of a value
	maxCommands = 1 << 10  // of a transaction
	maxGroup    = 32 << 20 // bytes of a transaction's commands
)

// After a file was not closed, perhaps numbers were given to transactions that
// are lost. So many are left out then, and no more than maxUnsynced are ever
// given before a sync. Files hold groups by leftOut: it may never change.
const (
	leftOut     = 1_000_000
	maxUnsynced = leftOut / 2
)

// Journal is an open database. One goroutine at a time may write, and may
// compact or close; readers may run beside each other, but not beside a
// writer: the caller sees to that. Only Flush may be called at any time.
type Journal struct {
	db     *buntdb.DB
	lost   bool // the database must not be called any more: its lock may be held for ever
	closed bool
	failed atomic.Pointer[error]
	buffer []byte

	sequence atomic.Int64 // the last group that was written
	live     int64        // bytes that all records would take in a new file

	*storage // nil in memory
}

// storage is what a journal in a file has besides.
type storage struct {
	sys      system
	path     string
	lock     file
	seed     seed
	sync     Sync
	end      int64 // of the file
	last     int64 // where the last group begins, if clean
	clean    bool  // the last group says that all is on the disk
	recovery Recovery
	progress Progress

	file   file
	synced atomic.Int64 // the last group that is on the disk

	syncing      sync.Mutex  // guards what follows, and the replacement of file
	synchronized sync.Cond   // is told when a sync has ended
	busy         bool        // file is being synced
	timer        *time.Timer // of SyncInterval; nil: nothing waits
}

// Recovery says what opening a file has done to it.
type Recovery struct {
	// Tail is what was cut off; nil: nothing.
	Tail *Tail
	// Compacted reports that the file was rewritten because most of it was
	// past. If that was tried and failed, CompactionError says why; nothing is
	// lost then.
	Compacted       bool
	CompactionError error
}

// Memory opens a journal that is gone when it is closed.
func Memory() (j *Journal, err error) {
	j = &Journal{}
	return j, j.openDB(":memory:")
}

// openDB opens the database.
func (j *Journal) openDB(path string) (err error) {
	defer guard(&err)
	db, err := buntdb.Open(path)
	if err != nil {
		return err
	}
	var config buntdb.Config
	if err := db.ReadConfig(&config); err != nil {
		return errors.Join(err, db.Close())
	}
	config.AutoShrinkDisabled, config.SyncPolicy = true, buntdb.Never
	if err := db.SetConfig(config); err != nil {
		return errors.Join(err, db.Close())
	}
	j.db = db
	return nil
}

// errPanicked is wrapped when the database panicked: nobody knows what it did.
var errPanicked = errors.New("the database panicked")

// guard turns a panic of the database into an error.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", errPanicked, r)
	}
}

// fail notes that nothing can be done any more, and returns the error of all
// calls from now on.
func (j *Journal) fail(err error) error {
	err = fmt.Errorf("%w: %w; close it and open it again", ErrFailed, err)
	j.failed.CompareAndSwap(nil, &err)
	return *j.failed.Load()
}

// usable returns why nothing can be done any more, or nil.
func (j *Journal) usable() error {
	if err := j.failed.Load(); err != nil {
		return *err
	}
	if j.closed {
		return ErrClosed
	}
	return nil
}

// Next returns the number that the next transaction gets: the first has 1.
// Numbers grow, and are never used again, not even those of transactions that a
// crash took away: so before the first, Next marks the file as open.
func (j *Journal) Next() (int64, error) {
	if err := j.usable(); err != nil {
		return 0, err
	}
	if j.storage != nil && j.clean {
		if err := j.markOpened(); err != nil {
			return 0, err
		}
	}
	return j.sequence.Load() + 1, nil
}

// markOpened marks a file as open that was closed, or is new.
func (j *Journal) markOpened() error {
	if err := j.ensure(j.last); err != nil {
		return j.fail(err)
	}
	if err := j.write(kindOpened, nil); err != nil {
		return err
	}
	return j.syncTo(j.sequence.Load())
}

// Apply does all operations or none, as the transaction of the number that
// Next tells. A key stands at most once in them. What was done is as safe as
// promised when [Journal.Flush] says so. Apply notes in the operations what was
// there before.
func (j *Journal) Apply(ops []Op) error {
	if _, err := j.Next(); err != nil {
		return err
	}
	return j.write(kindData, ops)
}

// write writes a group.
func (j *Journal) write(k kind, ops []Op) error {
	if err := checkSize(ops); err != nil {
		return err
	}
	size, live, err := j.transact(k, ops)
	switch {
	case errors.Is(err, errPanicked):
		return fmt.Errorf("%w: %w", ErrUnknown, j.fail(err))
	case err != nil:
		return j.fail(err)
	}
	j.live += live
	if j.storage != nil {
		j.clean, j.last = k == kindClosed, j.end
		j.end += int64(size)
	}
	j.sequence.Add(1)
	return nil
}

func checkSize(ops []Op) error {
	if len(ops) > maxCommands-len(frameKeys) {
		return fmt.Errorf("%w: it has %d operations", ErrTooLarge, len(ops))
	}
	size := 0
	for _, op := range ops {
		if len(op.Key) > maxKey || len(op.Value) > maxValue {
			return fmt.Errorf("%w: a key has %d bytes, its value %d", ErrTooLarge, len(op.Key), len(op.Value))
		}
		size += op.Size()
	}
	if size > maxGroup {
		return fmt.Errorf("%w: it has %d bytes", ErrTooLarge, size)
	}
	return nil
}

// transact makes a transaction of the database, which is rolled back unless it
// ends well. It returns how many bytes were written, and how many more a new
// file would have.
func (j *Journal) transact(k kind, ops []Op) (size int, live int64, err error) {
	done := false
	defer guard(&err)
	tx, err := j.db.Begin(true)
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		if !done {
			j.lost = true // unless rolling back gives the lock back
			if tx.Rollback() == nil {
				j.lost = false
			}
		}
	}()
	var t tally
	for i := range ops {
		op := &ops[i]
		if op.Delete {
			op.Before, err = tx.Delete(op.Key)
			if op.Existed = err == nil; errors.Is(err, buntdb.ErrNotFound) {
				continue
			}
		} else {
			op.Before, op.Existed, err = tx.Set(op.Key, op.Value, nil)
			live += int64(setSize(op.Key, op.Value))
		}
		if err != nil {
			return 0, 0, err
		}
		if op.Existed {
			live -= int64(setSize(op.Key, op.Before))
		}
		if j.storage != nil {
			j.buffer = appendCommand(j.buffer[:0], op)
			t.add(j.buffer)
		}
	}
	if j.storage != nil {
		f := t.frame(k, j.sequence.Load()+1, j.synced.Load())
		size = f.size
		text := string(f.append(nil, j.seed))
		for _, key := range frameKeys {
			if _, _, err := tx.Set(key, text, nil); err != nil {
				return 0, 0, err
			}
		}
	}
	if err := tx.Commit(); err != nil {
		done = true // Commit has rolled back, and given the lock back
		return 0, 0, err
	}
	done = true
	return size, live, nil
}

// Get returns the value at a key, and whether there is one.
func (j *Journal) Get(key string) (value string, ok bool, err error) {
	err = j.read(func(tx *buntdb.Tx) error {
		v, err := tx.Get(key)
		if errors.Is(err, buntdb.ErrNotFound) {
			return nil
		}
		value, ok = v, err == nil
		return err
	})
	return value, ok, err
}

// Ascend calls next for the keys from the given one on, in the order of their
// bytes, until next returns false. next must not use the journal. Keys that
// begin with NUL are the journal's own, and left out.
func (j *Journal) Ascend(from string, next func(key, value string) bool) error {
	if from < firstKey {
		from = firstKey
	}
	return j.read(func(tx *buntdb.Tx) error { return tx.AscendGreaterOrEqual("", from, next) })
}

// firstKey is the first key that is not the journal's own.
const firstKey = "\x01"

func (j *Journal) read(f func(*buntdb.Tx) error) (err error) {
	if err := j.usable(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = j.fail(err)
		}
	}()
	defer guard(&err)
	tx, err := j.db.Begin(false)
	if err != nil {
		return err
	}
	return errors.Join(f(tx), tx.Rollback())
}

// Close brings what was written to the disk, and closes the journal. After a
// failure it gives up what it holds, and returns that failure. Closing twice is
// no error.
func (j *Journal) Close() error {
	if j.closed {
		return nil
	}
	err := j.finish()
	if failed := j.failed.Load(); failed != nil {
		err = *failed
	}
	j.closed = true
	if !j.lost && j.db != nil {
		err = errors.Join(err, j.closeDB())
	}
	if j.storage != nil {
		j.syncing.Lock()
		defer j.syncing.Unlock()
		j.awaitSync()
		j.stopTimer()
		err = errors.Join(err, j.file.Close(), unlock(j.lock))
	}
	return err
}

// finish marks the file as closed.
func (j *Journal) finish() error {
	if j.storage == nil || j.failed.Load() != nil {
		return nil
	}
	// one that fails leaves the file as it was, which is well, or ends all use
	if _, err := j.compactIfBloated(); err != nil && j.failed.Load() != nil {
		return err
	}
	if j.clean {
		return nil
	}
	if err := j.syncTo(j.sequence.Load()); err != nil {
		return err
	}
	if err := j.write(kindClosed, nil); err != nil {
		return err
	}
	return j.syncTo(j.sequence.Load())
}

func (j *Journal) closeDB() (err error) {
	defer guard(&err)
	return j.db.Close()
}
