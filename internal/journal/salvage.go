package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
)

// Lost is a part of a file that holds no whole transaction.
type Lost struct {
	Offset, Bytes int64
	// From is the number of the first transaction that is missing, and To that
	// of the last, 0 if that is not known.
	From, To int64
	Reason   string
}

// Salvaged is what was found in a damaged file.
type Salvaged struct {
	Transactions int64 // that were whole
	Records      int64 // that were written to the new file
	Lost         []Lost
	// Unproven reports that the file was of an early version, without what
	// proves transactions whole.
	Unproven bool
}

// Salvage writes what is whole in a file into a new one. Transactions behind
// damage are taken too: the records of the new file are as the transactions
// that are left make them.
func Salvage(ctx context.Context, path, target string, progress Progress) (found Salvaged, err error) {
	from, path, size, err := openToRead(path)
	if err != nil {
		return Salvaged{}, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	records, err := Memory()
	if err != nil {
		return Salvaged{}, err
	}
	defer func() { err = errors.Join(err, records.Close()) }()
	s := salvager{ctx: ctx, path: path, text: make([]byte, size), records: records, last: beginNumber, frameAt: -1}
	if _, err := io.ReadFull(io.NewSectionReader(from, 0, size), s.text); err != nil {
		return Salvaged{}, err
	}
	if err := s.read(progress); err != nil {
		return s.Salvaged, err
	}
	err = create(target, func(to file) error {
		// numbers that were perhaps given to what is lost are left out
		w := &copier{salt: newSalt(), sequence: s.last + leftOut}
		w.begin(to)
		err := records.Ascend("", func(key, value string) bool {
			s.Records++
			return w.add(key, value) == nil
		})
		return errors.Join(err, w.finish())
	})
	return s.Salvaged, err
}

// salvager gathers what is whole in a text.
type salvager struct {
	Salvaged
	ctx     context.Context
	path    string
	text    []byte
	records *Journal
	last    int64 // number of the last group that was whole
	ops     []Op
	frame   frame // the first at nextStart's last place or behind it
	frameAt int
}

// read reads groups wherever they begin.
func (s *salvager) read(progress Progress) error {
	if bytes.HasPrefix(s.text, frameless) {
		return s.readFrameless()
	}
	size := int64(len(s.text))
	sc := &scanner{file: bytes.NewReader(s.text), path: s.path, size: size, progress: progress, keeping: true, salvaging: true}
	sc.last.sequence = beginNumber - 1
	var err error
	sc.salt, sc.torn, err = readHeader(sc.file, size, s.path)
	if salt, ok := findSalt(s.text); ok {
		sc.salt = salt
	} else if err != nil {
		return err
	}
	if sc.torn {
		return nil
	}
	var lost *Lost // what was met last, and does not end yet
	for sc.End < size {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		g, bad, err := sc.next()
		if err != nil {
			return err
		}
		if bad != nil {
			if lost == nil {
				s.Lost = append(s.Lost, Lost{Offset: sc.End, From: max(s.last, 0) + 1, Reason: bad.reason})
				lost = &s.Lost[len(s.Lost)-1]
			}
			sc.seek(s.nextStart(sc))
			lost.Bytes = sc.End - lost.Offset
			continue
		}
		if lost != nil && g.kind != kindOpened {
			lost.To = g.sequence - 1
		}
		lost, s.last = nil, g.sequence
		if err := s.take(g); err != nil {
			return err
		}
		sc.tell(sc.End)
	}
	return nil
}

// take applies a group, but for a header.
func (s *salvager) take(g *group) error {
	if g.kind == kindBegin || g.kind == kindCopy {
		return nil
	}
	if g.kind == kindData {
		s.Transactions++
	}
	s.ops = g.ops(s.ops[:0])
	return s.records.Apply(s.ops)
}

// nextStart returns the next place where a group can begin. There the first
// frame that follows is of that group, and the group ends where another
// begins.
func (s *salvager) nextStart(sc *scanner) int64 {
	for at := int(sc.End) + 1; ; at++ {
		if at = nextCommand(s.text, at); at < 0 {
			break
		}
		if s.frameAt < at {
			var ok bool
			if s.frame, s.frameAt, ok = findFrame(s.text, at, sc.salt); !ok {
				break
			}
		}
		end := at + s.frame.size
		if s.frameAt < end && (end == len(s.text) || end < len(s.text) && s.text[end] == setBegin[0]) {
			return int64(at)
		}
	}
	s.frameAt = len(s.text)
	return int64(len(s.text))
}

// nextCommand returns where the next command begins, at from or later; -1:
// nowhere.
func nextCommand(text []byte, from int) int {
	for at := from; at < len(text); at++ {
		next := bytes.IndexByte(text[at:], setBegin[0])
		if next < 0 {
			return -1
		}
		at += next
		if bytes.HasPrefix(text[at:], []byte(setBegin)) || bytes.HasPrefix(text[at:], []byte(delBegin)) {
			return at
		}
	}
	return -1
}

// findSalt finds the salt of a file whose header has one damaged byte.
func findSalt(text []byte) (s salt, ok bool) {
	const digits = "0123456789abcdef"
	near := text[:min(len(text), 64<<10)]
	if len(near) < headerSize {
		return s, false
	}
	written := bytes.Clone(near[len(headerBegin)+1:][:2*len(s)])
	try := func() bool {
		if _, err := hex.Decode(s[:], written); err != nil {
			return false
		}
		_, _, ok := findFrame(near, 0, s)
		return ok
	}
	if try() {
		return s, true
	}
	for i, was := range written {
		for _, written[i] = range []byte(digits) {
			if try() {
				return s, true
			}
		}
		written[i] = was
	}
	return s, false
}

// readFrameless takes all commands of a file of an early version.
func (s *salvager) readFrameless() error {
	s.Unproven = true
	const numberKey = "\x00revision" // of the last transaction
	for at := 0; at < len(s.text); {
		c, bad := parseCommand(s.text, at)
		if bad != nil {
			next := nextCommand(s.text, at+1)
			if next < 0 {
				next = len(s.text)
			}
			s.Lost = append(s.Lost, Lost{Offset: int64(at), Bytes: int64(next - at), Reason: bad.text})
			at = next
			continue
		}
		at = c.end
		key, value := string(s.text[c.key:c.keyEnd]), s.text[c.value:c.valueEnd]
		if key == numberKey && len(value) == 8 {
			s.last = int64(binary.BigEndian.Uint64(value))
			s.Transactions++
		}
		if key < firstKey {
			continue
		}
		if err := s.records.Apply([]Op{{Key: key, Value: string(value), Delete: c.delete}}); err != nil {
			return err
		}
	}
	return nil
}
