package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// What is here takes no lock: it reads a file up to its last whole
// transaction, also while a journal writes behind that. A write under way
// looks as one that was cut short.

// openToRead opens a file for reading, and returns its size.
func openToRead(path string) (file, string, int64, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, "", 0, err
	}
	if _, err := checkRegular(path); err != nil {
		return nil, "", 0, err
	}
	f, err := disk{}.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, "", 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, "", 0, errors.Join(err, f.Close())
	}
	return f, path, info.Size(), nil
}

// Scan reads a file and judges it as [Open] does, but changes nothing. visit,
// which may be nil, is called with the operations of each whole transaction,
// and of each part of a copy of all records; it must not keep them.
func Scan(ctx context.Context, path string, progress Progress, visit func(ops []Op) error) (found Summary, err error) {
	f, path, size, err := openToRead(path)
	if err != nil {
		return Summary{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var ops []Op
	return scan(f, size, path, progress, func(g *group) error {
		if err := ctx.Err(); err != nil || visit == nil {
			return err
		}
		ops = g.ops(ops[:0])
		return visit(ops)
	})
}

// ops appends the operations of a group.
func (g *group) ops(list []Op) []Op {
	for _, c := range g.commands {
		list = append(list, Op{
			Key:    string(g.text[c.key:c.keyEnd]),
			Value:  string(g.text[c.value:c.valueEnd]),
			Delete: c.delete,
		})
	}
	return list
}

// Load reads a file into a journal in memory, up to its last whole transaction.
func Load(ctx context.Context, path string, progress Progress) (*Journal, Summary, error) {
	j, err := Memory()
	if err != nil {
		return nil, Summary{}, err
	}
	found, err := Scan(ctx, path, progress, j.Apply)
	if err != nil {
		return nil, found, errors.Join(err, j.Close())
	}
	j.sequence.Store(max(found.Sequence, 0))
	return j, found, nil
}

// create makes a new file, which must not exist, and has write fill it. It
// leaves nothing behind if that fails.
func create(path string, write func(file) error) error {
	path, err := resolve(path)
	if err != nil {
		return placed(err)
	}
	f, err := disk{}.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists; name a file that does not: %w", path, fs.ErrExist)
	}
	if err != nil {
		return placed(err)
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return disk{}.SyncDir(filepath.Dir(path))
}

// Backup copies a file up to its last whole transaction into a new file, which
// is then as if it had been closed there.
func Backup(ctx context.Context, path, target string, progress Progress) (found Summary, err error) {
	from, path, size, err := openToRead(path)
	if err != nil {
		return Summary{}, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	err = create(target, func(to file) error {
		var failed error
		found, failed = scan(from, size, path, progress, func(*group) error { return ctx.Err() })
		if failed != nil {
			return failed
		}
		if found.torn {
			_, failed = to.WriteAt(appendHeader(nil, kindBegin, beginNumber, newSalt()), 0)
			return failed
		}
		if _, failed = io.Copy(to, io.NewSectionReader(from, 0, found.End)); failed != nil || found.Closed {
			return failed
		}
		if failed = to.Sync(); failed != nil {
			return failed
		}
		closed := new(tally).frame(kindClosed, found.Sequence+1, found.Sequence)
		_, failed = to.WriteAt(appendFrame(nil, closed, found.salt), found.End)
		return failed
	})
	return found, err
}
