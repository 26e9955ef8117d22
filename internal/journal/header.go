package journal

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
)

// A file begins with a group of its own that sets headerKey to the version of
// the format, how the file begins, and the salt. It is written in one fixed
// order, so that a file is known by its first bytes.
const (
	headerKey = "\x00flagstage"
	version   = "2" // of the format
	empty     = ' ' // follows: the file began empty
	copied    = '+' // follows: the file begins with a copy of all records
)

// headerBegin is how every file begins, up to what follows the version.
var headerBegin = func() []byte {
	whole := appendSet(nil, headerKey, version+string(empty)+string(make([]byte, 2*len(salt{}))))
	return whole[:len(whole)-1-2*len(salt{})-2]
}()

// headerSize is the length of the first group.
var headerSize = len(headerBegin) + 1 + 2*len(salt{}) + 2 + 2*frameCommand

// EmptySize returns the size of a file without records.
func EmptySize() int64 { return int64(headerSize + 2*frameCommand) }

// frameless is how files began that had no frames yet.
var frameless = appendSet(nil, headerKey, "1")

func newSalt() (s salt) {
	rand.Read(s[:])
	return s
}

// appendHeader appends the first group of a file.
func appendHeader(b []byte, k kind, sequence int64, s salt) []byte {
	how := string(empty)
	if k == kindCopy {
		how = string(copied)
	}
	var t tally
	command := appendSet(nil, headerKey, version+how+hex.EncodeToString(s[:]))
	t.add(command)
	return appendFrame(append(b, command...), t.frame(k, sequence, sequence), s.seed())
}

// readHeader returns the seed of a file. torn reports that the file is empty,
// or the beginning of one whose making was cut short.
func readHeader(file io.ReaderAt, size int64, path string) (s seed, torn bool, err error) {
	text := make([]byte, min(size, int64(headerSize)))
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, size), text); err != nil {
		return s, false, err
	}
	if torn, err := isTornHeader(file, text, size); torn || err != nil {
		return s, torn, err
	}
	begin := text[:min(len(text), len(headerBegin))]
	wrong := 0
	for i := range begin {
		if begin[i] != headerBegin[i] {
			wrong++
		}
	}
	switch {
	case bytes.HasPrefix(text, frameless):
		return s, false, fmt.Errorf("%w: %s was written by an early version, without what proves it whole; salvage it into a new file", ErrFormat, path)
	case len(text) == headerSize && wrong == 0:
		var written salt
		if _, err := hex.Decode(written[:], text[len(begin)+1:][:2*len(written)]); err == nil {
			return written.seed(), false, nil
		}
		return s, false, &CorruptError{Path: path, Reason: "the header is damaged"}
	case len(begin) == len(headerBegin) && wrong == 1 && begin[len(begin)-1] != version[0]:
		return s, false, fmt.Errorf("%w: %s was written by another version; use that", ErrFormat, path)
	case len(begin) == len(headerBegin) && wrong == 0:
		return s, false, &CorruptError{Path: path, Reason: "the header is cut short"}
	case len(text) == headerSize && wrong <= 2:
		return s, false, &CorruptError{Path: path, Reason: "the header is damaged, or of another version"}
	}
	return s, false, fmt.Errorf("%w: %s was not written by flagstage, or its beginning is lost; name another file, or salvage it", ErrFormat, path)
}

// isTornHeader reports whether a file that begins with text is the beginning of
// the header of an empty file, followed by nothing or by zeros only: what a
// power cut may leave of a new file. A copy of all records has its name only when
// it is whole.
func isTornHeader(file io.ReaderAt, text []byte, size int64) (bool, error) {
	const small = 64 << 10 // a larger file is somebody's
	content := bytes.TrimRight(text, "\x00")
	begin := content[:min(len(content), len(headerBegin)+1)]
	if len(content) == headerSize || size > small || !bytes.HasPrefix(append(bytes.Clone(headerBegin), empty), begin) {
		return false, nil
	}
	rest := make([]byte, size-int64(len(text)))
	if _, err := io.ReadFull(io.NewSectionReader(file, int64(len(text)), size), rest); err != nil {
		return false, err
	}
	return zeros(rest) == len(rest), nil
}
