package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
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
		if err := ctx.Err(); err != nil || visit == nil || g.isHeader() {
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
func create(path string, write func(file) error) (err error) {
	if !supported {
		return errUnsupported
	}
	if path, err = resolve(path); err != nil {
		return placed(err)
	}
	f, err := disk{}.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists; name a file that does not: %w", path, fs.ErrExist)
	}
	if err != nil {
		return placed(err)
	}
	whole := false
	defer func() {
		err = errors.Join(err, f.Close())
		if !whole || err != nil { // also if progress panics
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	whole = true
	return disk{}.SyncDir(filepath.Dir(path))
}

// Backup copies a file up to its last whole transaction into a new file, which
// is then as if it had been closed there. It has a salt of its own, and goes on
// with other numbers than the file that was copied.
func Backup(ctx context.Context, path, target string, progress Progress) (err error) {
	from, path, size, err := openToRead(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	return create(target, func(to file) error {
		b := backup{salt: newSalt(), out: bufio.NewWriterSize(to, 1<<20)}
		found, err := scan(from, size, path, progress, func(g *group) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return b.write(g)
		})
		if err != nil {
			return err
		}
		return b.finish(found)
	})
}

// backup writes the groups of a file to another one.
type backup struct {
	salt salt
	out  *bufio.Writer
	text []byte
}

// write writes a group with a frame of the new file.
func (b *backup) write(g *group) error {
	if g.isHeader() {
		b.text = appendHeader(b.text[:0], g.kind, g.sequence, b.salt)
	} else {
		b.text = b.text[:0]
		for _, c := range g.commands {
			b.text = append(b.text, g.text[c.start:c.end]...)
		}
		b.text = appendFrame(b.text, g.frame, b.salt.seed())
	}
	_, err := b.out.Write(b.text)
	return err
}

// finish ends the new file, unless there was no transaction yet.
func (b *backup) finish(found Summary) error {
	if found.torn {
		b.text = appendHeader(nil, kindBegin, beginNumber, b.salt)
	} else if number := found.Sequence + leftOut; found.Sequence != beginNumber {
		b.text = appendFrame(b.text[:0], new(tally).frame(kindOpened, number, found.Sequence), b.salt.seed())
		b.text = appendFrame(b.text, new(tally).frame(kindClosed, number+1, number), b.salt.seed())
	} else {
		b.text = nil
	}
	_, err := b.out.Write(b.text)
	return errors.Join(err, b.out.Flush())
}
