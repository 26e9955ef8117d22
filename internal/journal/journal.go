// Package journal keeps keys and values in buntdb, in memory or in a file.
//
// It is the seam between a store and the database: all that is known of
// buntdb, and of its files, is known here. Transactions are made by hand, of
// operations that were given beforehand, so that no foreign code runs inside
// of them; time to live, patterns and indexes are not used.
package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tidwall/buntdb"
)

// The errors of a journal.
var (
	// ErrFormat is wrapped when a file was not written by a journal.
	ErrFormat = errors.New("no journal")
	// ErrFailed is wrapped when the database failed in the middle of
	// something. The journal can only be closed then.
	ErrFailed = errors.New("database failed")
)

// Sync says when what was written is brought to the disk.
type Sync byte

// The ways to sync.
const (
	SyncAlways   Sync = iota // at each transaction
	SyncInterval             // once a second
	SyncNever                // when the operating system sees fit
)

// headerKey holds the version of the file. It is the first thing in it.
const (
	headerKey   = "\x00flagstage"
	headerValue = "1"
)

// header is how a file begins.
var header = []byte("*3\r\n$3\r\nset\r\n$10\r\n" + headerKey + "\r\n$1\r\n" + headerValue + "\r\n")

// Journal is an open database. One goroutine at a time may write; readers may
// run beside each other, but not beside a writer. The caller sees to that.
type Journal struct {
	db     *buntdb.DB
	failed error
}

// Op is one write: it sets a key, or deletes it.
type Op struct {
	Key, Value string
	Delete     bool
}

// Memory opens a journal that is gone when it is closed.
func Memory() (*Journal, error) { return open(":memory:", SyncNever) }

// Open opens the journal in a file, which is created, with its folder's
// leave, if it does not exist. A file that something else wrote is refused
// with [ErrFormat] and left alone.
func Open(path string, sync Sync) (*Journal, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	fresh, err := inspect(path)
	if err != nil {
		return nil, placed(err)
	}
	j, err := open(path, sync)
	if err != nil || !fresh {
		return j, placed(err)
	}
	if err := j.Apply([]Op{{Key: headerKey, Value: headerValue}}); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// placed says what to do about a place where no file can be.
func placed(err error) error {
	var place *fs.PathError
	if errors.As(err, &place) {
		return fmt.Errorf("%w; name a file in a folder that exists and can be written", err)
	}
	return err
}

// inspect reports whether there is nothing yet at path, and refuses what no
// journal wrote.
func inspect(path string) (fresh bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, err
	case info.IsDir():
		return false, fmt.Errorf("%w: %s is a directory; name a file in it", ErrFormat, path)
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%w: %s is no regular file", ErrFormat, path)
	case info.Size() == 0:
		return true, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	begin := make([]byte, len(header))
	if _, err := io.ReadFull(f, begin); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	if !bytes.Equal(begin, header) {
		return false, fmt.Errorf("%w: %s was not written by flagstage; name another file", ErrFormat, path)
	}
	return false, nil
}

func open(path string, sync Sync) (j *Journal, err error) {
	defer guard(&err)
	db, err := buntdb.Open(path)
	if err != nil {
		return nil, err
	}
	var config buntdb.Config
	if err := db.ReadConfig(&config); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	config.AutoShrinkDisabled = true
	switch sync {
	case SyncAlways:
		config.SyncPolicy = buntdb.Always
	case SyncInterval:
		config.SyncPolicy = buntdb.EverySecond
	case SyncNever:
		config.SyncPolicy = buntdb.Never
	}
	if err := db.SetConfig(config); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Journal{db: db}, nil
}

// guard turns a panic of the database into an error.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v; open it again", ErrFailed, r)
	}
}

// Apply does all operations or none. After [ErrFailed] it is unknown which.
func (j *Journal) Apply(ops []Op) error {
	if j.failed != nil {
		return j.failed
	}
	err := j.apply(ops)
	if errors.Is(err, ErrFailed) {
		j.failed = err // the database still holds its lock
	}
	return err
}

func (j *Journal) apply(ops []Op) (err error) {
	defer guard(&err)
	tx, err := j.db.Begin(true)
	if err != nil {
		return err
	}
	for _, op := range ops {
		if op.Delete {
			_, err = tx.Delete(op.Key)
			if errors.Is(err, buntdb.ErrNotFound) {
				err = nil
			}
		} else {
			_, _, err = tx.Set(op.Key, op.Value, nil)
		}
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
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
// bytes, until next returns false. next must not use the journal.
func (j *Journal) Ascend(from string, next func(key, value string) bool) error {
	return j.read(func(tx *buntdb.Tx) error { return tx.AscendGreaterOrEqual("", from, next) })
}

func (j *Journal) read(f func(*buntdb.Tx) error) (err error) {
	if j.failed != nil {
		return j.failed
	}
	defer guard(&err)
	tx, err := j.db.Begin(false)
	if err != nil {
		return err
	}
	return errors.Join(f(tx), tx.Rollback())
}

// Close closes the database. After a failure it does not touch it any more.
func (j *Journal) Close() error {
	if j.failed != nil {
		return nil
	}
	return j.db.Close()
}
