package journal

import (
	"bufio"
	"errors"
	"fmt"
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
func (j *Journal) replace(progress Progress) error {
	temporary := j.path + compactSuffix
	next, err := j.sys.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	w := &copier{salt: newSalt(), sequence: j.sequence.Load(), total: j.live, progress: progress}
	if err := j.prepare(next, w); err != nil {
		return errors.Join(fmt.Errorf("compact: %w; the store is as it was", err), next.Close(), j.sys.Remove(temporary))
	}

	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.awaitSync()
	err = j.samePlace()
	if err == nil {
		err = j.sys.Rename(temporary, j.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("compact: %w; the store is as it was", err), next.Close(), j.sys.Remove(temporary))
	}
	// From here on the old file is gone: what fails now ends the use of the
	// journal, and opening it again finds the new file or, after a power cut,
	// perhaps the old one, which holds the same.
	old := j.file
	j.file = next
	err = errors.Join(j.sys.SyncDir(filepath.Dir(j.path)), j.closeDB(), old.Close())
	if err != nil {
		j.lost = true
		return j.fail(fmt.Errorf("compact: %w", err))
	}
	j.stopTimer()
	j.salt, j.end, j.clean = w.salt, w.end, true
	j.sequence.Add(1)
	j.synced.Store(j.sequence.Load())
	if err := j.openDB(j.path); err != nil {
		j.lost = true
		return j.fail(fmt.Errorf("compact: %w", err))
	}
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
	if err := keepOwner(next, info); err != nil {
		return err
	}
	if err := next.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	w.begin(next)
	err = j.Ascend("", func(key, value string) bool { return w.add(key, value) == nil })
	if err := errors.Join(err, w.finish()); err != nil {
		return err
	}
	return next.Sync()
}

// copier writes records as the copy that begins a file.
type copier struct {
	salt     salt
	sequence int64 // of the copy
	progress Progress
	total    int64 // bytes to be expected

	out  *bufio.Writer
	end  int64 // of what was written
	told int64
	part int64
	text []byte // of the part that is being made
	tally
	err error
}

// Parts of a copy are so large, at least.
const (
	partCommands = 128
	partBytes    = 256 << 10
)

func (w *copier) begin(f interface{ Write([]byte) (int, error) }) {
	w.out = bufio.NewWriterSize(f, 1<<20)
	w.write(appendHeader(nil, kindCopy, w.sequence, w.salt))
}

func (w *copier) write(text []byte) {
	if w.err == nil {
		_, w.err = w.out.Write(text)
		w.end += int64(len(text))
	}
	if w.progress != nil && w.end-w.told >= progressStep {
		w.told = w.end
		w.progress(w.end, max(w.total, w.end))
	}
}

// add adds a record.
func (w *copier) add(key, value string) error {
	start := len(w.text)
	w.text = appendSet(w.text, key, value)
	w.tally.add(w.text[start:])
	if w.commands >= partCommands || w.size >= partBytes {
		w.endPart()
	}
	return w.err
}

func (w *copier) endPart() {
	if w.commands > 0 {
		w.part++
		w.write(appendFrame(w.text, w.frame(kindPart, w.sequence, w.part), w.salt))
	}
	w.text, w.tally = w.text[:0], tally{}
}

// finish ends the copy.
func (w *copier) finish() error {
	w.endPart()
	w.write(appendFrame(nil, w.frame(kindClosed, w.sequence+1, w.sequence), w.salt))
	if w.err != nil {
		return w.err
	}
	return w.out.Flush()
}
