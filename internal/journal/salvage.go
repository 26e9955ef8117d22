package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
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
// that are left make them. All of the file is read into memory.
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
	s := salvager{ctx: ctx, path: path, records: records, last: beginNumber, highest: beginNumber}
	if err := s.read(from, size, progress); err != nil {
		return s.Salvaged, err
	}
	err = create(target, func(to file) error {
		w := &copier{salt: newSalt(), sequence: s.highest + leftOutBySalvage}
		err := w.copy(to, records)
		s.Records = w.records
		return err
	})
	return s.Salvaged, err
}

// leftOutBySalvage is how many numbers are left out, for some were given to
// what is lost, perhaps in several openings that each left out some.
const leftOutBySalvage = 1000 * leftOut

// salvager gathers what is whole in a text.
type salvager struct {
	Salvaged
	ctx     context.Context
	path    string
	text    []byte
	records *Journal
	last    int64 // number of the last group that was whole
	highest int64 // number that any frame tells
	ops     []Op

	ahead    []frameAt // what lookAhead has found
	searched int       // how far
}

// read reads groups wherever they begin.
func (s *salvager) read(from file, size int64, progress Progress) error {
	sc := &scanner{path: s.path, size: size, progress: progress, keeping: true, salvaging: true, all: true}
	sc.last.sequence = beginNumber - 1
	begin := make([]byte, min(size, readSize))
	if _, err := io.ReadFull(io.NewSectionReader(from, 0, size), begin); err != nil {
		return err
	}
	if s.text = begin; bytes.HasPrefix(begin, frameless) {
		return s.readAll(from, size, s.readFrameless)
	}
	var err error
	sc.seed, sc.torn, err = readHeader(from, size, s.path)
	if _, _, ok := findFrame(begin, 0, sc.seed); !ok && !sc.torn {
		var found bool
		if sc.seed, found = findSeed(begin); !found && err != nil {
			return err
		}
	}
	if sc.torn {
		return nil
	}
	return s.readAll(from, size, func() error { return s.readGroups(sc) })
}

// readAll reads all of the file before it goes on.
func (s *salvager) readAll(from file, size int64, then func() error) error {
	const most = 1 << 40
	if size > most || size != int64(int(size)) {
		return fmt.Errorf("%w: %s has %d bytes, more than fit into memory", ErrTooLarge, s.path, size)
	}
	s.text = make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(from, 0, size), s.text); err != nil {
		return err
	}
	return then()
}

// readGroups takes all groups that are whole.
func (s *salvager) readGroups(sc *scanner) error {
	size := int64(len(s.text))
	sc.buffer = s.text
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
			sc.End = s.nextStart(sc)
			lost.Bytes = sc.End - lost.Offset
			continue
		}
		if lost != nil && g.kind != kindOpened {
			lost.To = g.sequence - 1
		}
		lost, s.last, s.highest = nil, g.sequence, max(s.highest, g.sequence)
		if err := s.take(g); err != nil {
			return err
		}
		sc.tell(sc.End)
	}
	return nil
}

// take applies a group, but for a header.
func (s *salvager) take(g *group) error {
	if g.isHeader() {
		return nil
	}
	if g.kind == kindData {
		s.Transactions++
	}
	s.ops = g.ops(s.ops[:0])
	return s.records.Apply(s.ops)
}

// nextStart returns the next place where a group can begin. There one of the
// frames that follow is of that group, and tells that the group ends where
// another begins. It need not be the first: values may hold frames too.
func (s *salvager) nextStart(sc *scanner) int64 {
	for at := int(sc.End) + 1; ; at++ {
		if at = nextCommand(s.text, at); at < 0 || !s.lookAhead(sc, at) {
			return int64(len(s.text))
		}
		for _, f := range s.ahead {
			end := at + f.size
			if f.at < end && (end == len(s.text) || end < len(s.text) && s.text[end] == setBegin[0]) {
				return int64(at)
			}
		}
	}
}

// aheadFrames is at how many frames nextStart looks.
const aheadFrames = 16

// frameAt is a frame, and where its copy begins.
type frameAt struct {
	frame
	at int
}

// lookAhead finds the first frames at a place or behind it, but for those of
// groups that came before: they stand in values. It returns false if there are
// none.
func (s *salvager) lookAhead(sc *scanner, at int) bool {
	s.ahead = slices.DeleteFunc(s.ahead, func(f frameAt) bool { return f.at < at || f.sequence < sc.last.sequence })
	for len(s.ahead) < aheadFrames {
		f, found, ok := findFrame(s.text, max(at, s.searched), sc.seed)
		if !ok {
			s.searched = len(s.text)
			break
		}
		s.searched, s.highest = found+1, max(s.highest, f.sequence)
		if f.sequence >= sc.last.sequence {
			s.ahead = append(s.ahead, frameAt{f, found})
		}
	}
	return len(s.ahead) > 0
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

// findSeed finds the seed of a file whose header is damaged or lost: that which
// most frames have been written with.
func findSeed(text []byte) (best seed, ok bool) {
	seeds := map[seed]map[string]bool{} // the different frames of each
	for at := 0; ; at++ {
		next := bytes.Index(text[at:], sharedBegin)
		if next < 0 || len(text)-at-next < frameCommand {
			break
		}
		at += next
		frame := text[at+len(frameBegin[0]):][:frameSize]
		s := seedOf(frame)
		if seeds[s] == nil {
			seeds[s] = map[string]bool{}
		}
		seeds[s][string(frame)] = true
	}
	for s, frames := range seeds {
		if len(frames) > len(seeds[best]) || len(frames) == len(seeds[best]) && s < best {
			best, ok = s, true
		}
	}
	return best, ok
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
			s.highest = int64(binary.BigEndian.Uint64(value))
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
