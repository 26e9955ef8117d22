package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// compactSuffix makes the name of the file that will replace a bloated one.
const compactSuffix = ".compact"

// A file is bloated when it is so many times as large as a new one would be,
// and not small.
const (
	bloatedTimes = 4
	bloatedSize  = 1 << 20
)

// Stats say how large a journal is.
type Stats struct {
	FileBytes int64 // 0 in memory
	LiveBytes int64 // that a file of only the present records would have
}

// Stats returns how large the journal is.
func (j *Journal) Stats() Stats {
	s := Stats{LiveBytes: EmptySize() + j.live}
	if j.storage != nil {
		s.FileBytes = j.end
	}
	return s
}

func (j *Journal) compactIfBloated() (done bool, err error) {
	if j.end < bloatedSize || j.end < bloatedTimes*(EmptySize()+j.live) {
		return false, nil
	}
	err = j.replace(j.progress)
	return err == nil, err
}

// Compact rewrites the file with only the records that there are. Nobody may
// use the journal meanwhile, but for Flush. An error leaves the file as it was,
// unless it wraps [ErrFailed].
func (j *Journal) Compact(progress Progress) error {
	if err := j.usable(); err != nil {
		return err
	}
	if j.storage == nil {
		return nil
	}
	return j.replace(progress)
}

// replace puts a new file in the place of the old one.
func (j *Journal) replace(progress Progress) (err error) {
	asItWas := func(err error) error { return fmt.Errorf("compact: %w; the store is as it was", err) }
	temporary := j.path + compactSuffix
	next, err := j.sys.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return asItWas(fmt.Errorf("%s is in the way; move it: %w", temporary, err))
	} else if err != nil {
		return asItWas(err)
	}
	placed := false
	defer func() {
		if !placed { // also if progress panics
			err = errors.Join(err, next.Close(), j.sys.Remove(temporary))
		}
	}()
	w := &copier{salt: newSalt(), sequence: j.sequence.Load(), total: j.live, progress: progress}
	if err := j.prepare(next, w); err != nil {
		return asItWas(err)
	}

	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.awaitSync()
	if err := j.samePlace(); err != nil {
		return asItWas(err)
	}
	if err := j.sys.Rename(temporary, j.path); err != nil {
		return asItWas(err)
	}
	placed = true
	// From here on the old file is gone: what fails now ends the use of the
	// journal, and opening it again finds the new file or, after a power cut,
	// perhaps the old one, which holds the same.
	old := j.file
	j.file = next
	j.stopTimer()
	err = errors.Join(j.sys.SyncDir(filepath.Dir(j.path)), j.closeDB(), old.Close())
	if err == nil {
		err = j.openDB(j.path)
	}
	if err != nil {
		j.lost = true
		return j.fail(fmt.Errorf("compact: %w", err))
	}
	j.seed, j.end, j.last, j.clean = w.salt.seed(), w.end, w.last, true
	j.sequence.Add(1)
	j.synced.Store(j.sequence.Load())
	return nil
}

// prepare fills a new file, and makes it like the one that it will replace.
func (j *Journal) prepare(next file, w *copier) error {
	if err := lockFile(next); err != nil {
		return err
	}
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	if hasOtherNames(info) {
		return fmt.Errorf("%s has other names (hard links), which would keep the old file", j.path)
	}
	if err := keepOwner(next, info); err != nil {
		return err
	}
	if err := next.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	if err := w.copy(next, j); err != nil {
		return err
	}
	return next.Sync()
}

// removeRest removes the file of a compaction that was cut short. A file of
// its name that is something else is left alone.
func (j *Journal) removeRest(found Summary) error {
	name := j.path + compactSuffix
	if info, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil
	}
	rest, err := j.sys.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if isRest, err := isRestOf(rest, found.Sequence); err != nil || !isRest {
		return errors.Join(err, rest.Close())
	}
	return errors.Join(rest.Close(), j.sys.Remove(name))
}

// isRestOf reports whether a file is what is left of a compaction of a file
// whose last group has a number: it begins with a copy as of that number, or is
// the beginning of such a file. While another has it locked it is not.
func isRestOf(rest file, sequence int64) (bool, error) {
	if err := lockFile(rest); err != nil {
		return false, nil
	}
	info, err := rest.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() < int64(headerSize) {
		text := make([]byte, info.Size())
		_, err := io.ReadFull(io.NewSectionReader(rest, 0, info.Size()), text)
		text = bytes.TrimRight(text, "\x00")
		begin := append(bytes.Clone(headerBegin), copied)
		return bytes.HasPrefix(begin, text[:min(len(text), len(begin))]), err
	}
	s := &scanner{file: rest, size: int64(headerSize)}
	if s.seed, _, err = readHeader(rest, info.Size(), ""); err != nil {
		return false, nil
	}
	g, bad, err := s.next()
	return bad == nil && err == nil && g.kind == kindCopy && g.sequence == sequence, err
}

// copier writes records as the copy that begins a file.
type copier struct {
	salt     salt
	sequence int64 // of the copy
	progress Progress
	total    int64 // bytes to be expected

	out     *bufio.Writer
	end     int64 // of what was written
	last    int64 // where the last group begins
	records int64
	told    int64
	part    int64
	text    []byte // of the part that is being made
	tally
}

// Parts of a copy are so large, at least.
const (
	partCommands = 128
	partBytes    = 256 << 10
)

// copy writes all records of a journal.
func (w *copier) copy(to io.Writer, from *Journal) error {
	w.out = bufio.NewWriterSize(to, 1<<20)
	if err := w.write(appendHeader(nil, kindCopy, w.sequence, w.salt)); err != nil {
		return err
	}
	for key, more := "", true; more; {
		more = false
		err := from.Ascend(key, func(k, value string) bool {
			if w.full() {
				key, more = k, true
				return false
			}
			w.add(k, value)
			return true
		})
		// no foreign code, such as progress, runs in a transaction
		if err = errors.Join(err, w.endPart()); err != nil {
			return err
		}
	}
	w.last = w.end
	if err := w.write(appendFrame(nil, w.frame(kindClosed, w.sequence+1, w.sequence), w.salt.seed())); err != nil {
		return err
	}
	return w.out.Flush()
}

func (w *copier) write(text []byte) error {
	n, err := w.out.Write(text)
	w.end += int64(n)
	if w.progress != nil && w.end-w.told >= progressStep {
		w.told = w.end
		w.progress(w.end, max(w.total, w.end))
	}
	return err
}

// full reports whether the part that is being made is large enough.
func (w *copier) full() bool { return w.commands >= partCommands || w.size >= partBytes }

// add adds a record to the part.
func (w *copier) add(key, value string) {
	start := len(w.text)
	w.text = appendSet(w.text, key, value)
	w.tally.add(w.text[start:])
	w.records++
}

func (w *copier) endPart() error {
	if w.commands == 0 {
		return nil
	}
	w.part++
	text := appendFrame(w.text, w.frame(kindPart, w.sequence, w.part), w.salt.seed())
	w.text, w.tally = w.text[:0], tally{}
	return w.write(text)
}
