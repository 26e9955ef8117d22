package journal

import (
	"fmt"
	"io"
	"math"
)

// Progress is told how much of a work is done, in bytes, every few megabytes.
type Progress func(done, total int64)

// progressStep is how often, in bytes, progress is told.
const progressStep = 8 << 20

// Tail is what stands behind the last whole transaction of a file: one that
// was being written when the writer died, or is being written now.
type Tail struct {
	Offset int64 // where it begins
	Bytes  int64
	Reason string // why it is no transaction
}

// Summary is what a scan of a file tells of it.
type Summary struct {
	Size         int64 // of the file
	End          int64 // of the last whole transaction
	Transactions int64
	Sequence     int64 // of the last whole group
	Closed       bool  // nothing was written since the file was closed
	Tail         *Tail // nil: there is none

	seed     seed
	torn     bool  // the file is not even a whole header
	unsynced int64 // where groups begin that no later one says were on the disk
	lastSize int64 // of the last whole group
}

// group is a whole group of a file. It is valid until the next is read.
type group struct {
	frame
	start    int64
	text     []byte
	commands []command // without the frames
}

// scanner reads the groups of a file, and nothing that is not whole. Its
// memory is bounded by the largest group, and by the file.
type scanner struct {
	file     io.ReaderAt
	path     string
	size     int64
	progress Progress

	Summary
	last    frame
	copying bool  // the copy that begins the file is not complete
	parts   int64 // of the copy
	told    int64 // how far progress was told
	keeping bool  // commands of groups are wanted
	// salvaging is set where groups may be missing.
	salvaging bool

	buffer  []byte // what was read from base on
	base    int64
	all     bool // buffer is all of the file
	group   group
	pending []groupEnd // groups that no later one says were on the disk
}

type groupEnd struct{ sequence, end int64 }

// isHeader reports whether the group begins a file.
func (g *group) isHeader() bool { return g.kind == kindBegin || g.kind == kindCopy }

// scan reads a file from its beginning to the end of its last whole group, and
// calls visit for each, which may be nil. Its error wraps [ErrFormat] or is
// a [*CorruptError], or one of reading or of visit.
func scan(file io.ReaderAt, size int64, path string, progress Progress, visit func(*group) error) (Summary, error) {
	s := &scanner{file: file, path: path, size: size, progress: progress, keeping: visit != nil}
	s.Size = size
	var err error
	if s.seed, s.torn, err = readHeader(file, size, path); err != nil {
		return s.Summary, err
	}
	if s.torn {
		if size > 0 {
			s.Tail = &Tail{Bytes: size, Reason: "the file was being made"}
		}
		return s.Summary, nil
	}
	for s.End < size {
		g, bad, err := s.next()
		if err != nil {
			return s.Summary, err
		}
		if bad != nil {
			err := s.judge(bad)
			return s.Summary, err
		}
		if visit != nil {
			if err := visit(g); err != nil {
				return s.Summary, err
			}
		}
		s.tell(s.End)
	}
	if s.copying {
		return s.Summary, s.corrupt(s.End, "the file ends before all of its records")
	}
	return s.Summary, nil
}

func (s *scanner) tell(done int64) {
	if s.progress != nil && (done-s.told >= progressStep || done == s.size && s.size >= progressStep) {
		s.told = done
		s.progress(done, s.size)
	}
}

func (s *scanner) corrupt(offset int64, format string, args ...any) *CorruptError {
	return &CorruptError{Path: s.path, Offset: offset, Reason: fmt.Sprintf(format, args...)}
}

// readSize is how much is read at once.
const readSize = 1 << 20

// more reads on behind what is in the buffer, of which nothing before the
// current group is kept. It returns false at the end of the file.
func (s *scanner) more() (bool, error) {
	if s.all {
		return false, nil
	}
	if done := int(s.End - s.base); done > 0 {
		s.buffer = s.buffer[:copy(s.buffer, s.buffer[done:])]
		s.base = s.End
	}
	left := s.size - s.base - int64(len(s.buffer))
	if left == 0 {
		return false, nil
	}
	if len(s.buffer) == cap(s.buffer) {
		grown := make([]byte, len(s.buffer), int64(len(s.buffer))+min(left, max(readSize, int64(len(s.buffer)))))
		copy(grown, s.buffer)
		s.buffer = grown
	}
	have := len(s.buffer)
	want := min(left, int64(cap(s.buffer)-have))
	n, err := s.file.ReadAt(s.buffer[have:have+int(want)], s.base+int64(have))
	s.buffer = s.buffer[:have+n]
	if int64(n) == want {
		err = nil // ReadAt may say io.EOF along with all that was wanted
	} else if err == io.EOF {
		err = fmt.Errorf("%s has become shorter while it was read: %w", s.path, io.ErrUnexpectedEOF)
	}
	return true, err
}

// damage says why the bytes at the end of the last group are no group.
type damage struct {
	at     int64 // of the byte that is wrong
	reason string
	ended  bool // the file ends before the group does
	zero   bool // the byte that is wrong is zero
}

// next reads the group that begins where the last one ended.
func (s *scanner) next() (*group, *damage, error) {
	g := &s.group
	*g = group{start: s.End, commands: g.commands[:0]}
	var t tally
	var c copies
	at := 0 // in the group
	for c.n == 0 || t.commands+c.n < c.first.commands {
		text := s.buffer[s.End-s.base:]
		next, bad := parseCommand(text, at)
		if bad != nil && bad.at == len(text) {
			more, err := s.more()
			if err != nil {
				return nil, nil, err
			}
			if more {
				continue
			}
		}
		if bad != nil {
			d := s.damage(bad.at, bad.text)
			d.ended = bad.at == len(text)
			d.zero = !d.ended && text[bad.at] == 0
			return nil, d, nil
		}
		if d := s.addCommand(text, next, &t, &c); d != nil {
			return nil, d, nil
		}
		at = next.end
	}
	f := c.first
	switch {
	case c.n < 2:
		return nil, s.damage(0, "a transaction has only one copy of its frame"), nil
	case c.differ:
		return nil, s.damage(0, "the two copies of a frame differ"), nil
	case f != t.frame(f.kind, f.sequence, f.synced):
		return nil, s.damage(0, "a transaction is not what its frame says"), nil
	}
	if reason := s.follows(f); reason != "" {
		return nil, s.damage(0, reason), nil
	}
	g.frame, g.text = f, s.buffer[s.End-s.base:][:at]
	s.accept(f, s.End+int64(at))
	return g, nil, nil
}

// copies are those of a frame that were met in a group.
type copies struct {
	first  frame
	has    [len(frameKeys)]bool
	n      int
	differ bool
}

// damage describes a byte of the current group.
func (s *scanner) damage(at int, reason string) *damage {
	return &damage{at: s.End + int64(at), reason: reason}
}

// addCommand takes a command into the current group.
func (s *scanner) addCommand(text []byte, c command, t *tally, met *copies) *damage {
	i := copyOf(text[c.key:c.keyEnd])
	switch {
	case i < 0:
		t.add(text[c.start:c.end])
		if s.keeping {
			s.group.commands = append(s.group.commands, c)
		}
		if t.commands > maxCommands || t.size > maxGroup {
			return s.damage(c.start, "a transaction is too large")
		}
		return nil
	case c.delete || met.has[i]:
		return s.damage(c.start, "a frame stands where none can be")
	}
	f, ok := decodeFrame(text[c.value:c.valueEnd], s.seed)
	if !ok {
		return &damage{at: s.End + int64(c.start), reason: "a frame is damaged", zero: cutByZeros(text[c.value:c.valueEnd])}
	}
	if met.n == 0 {
		met.first = f
	}
	met.has[i], met.differ = true, f != met.first
	met.n++
	return nil
}

// cutByZeros reports whether a frame begins or ends with zeros as no frame
// does: a block of the file that was never written.
func cutByZeros(text []byte) bool {
	n := len(text)
	return n > 4 && (text[0] == 0 || zeros(text[n-4:]) == 4)
}

// follows says why a group cannot stand here, or returns "".
func (s *scanner) follows(f frame) string {
	switch {
	case s.salvaging:
		if f.sequence < s.last.sequence || f.sequence == s.last.sequence && (f.kind != kindPart || f.synced <= s.parts) {
			return "a group stands behind those that came later"
		}
	case s.End == 0:
		if f.kind != kindBegin && f.kind != kindCopy {
			return "a file cannot begin with such a group"
		}
	case s.copying && f.kind == kindPart:
		if f.sequence != s.last.sequence || f.synced != s.parts+1 {
			return "a part of the records is missing"
		}
	case s.copying:
		if f.kind != kindClosed || f.sequence != s.last.sequence+1 {
			return "the records are not complete"
		}
	case f.kind == kindData || f.kind == kindClosed:
		if f.sequence != s.last.sequence+1 || f.synced > s.last.sequence {
			return fmt.Sprintf("transaction %d follows transaction %d", f.sequence, s.last.sequence)
		}
	case f.kind == kindOpened:
		if !s.opens(f) {
			return fmt.Sprintf("number %d, which goes on after number %d, follows number %d", f.sequence, f.synced, s.last.sequence)
		}
	default:
		return "a group is of a kind that cannot stand here"
	}
	return ""
}

// opens reports whether a frame is that of the group with which the file was
// opened after its last whole one.
func (s *scanner) opens(f frame) bool {
	return f.kind == kindOpened && f.synced == s.last.sequence &&
		(f.sequence == f.synced+1 || f.sequence == f.synced+leftOut)
}

// accept goes behind a whole group.
func (s *scanner) accept(f frame, end int64) {
	switch f.kind {
	case kindCopy:
		s.copying = true
	case kindPart:
		s.parts = f.synced
	case kindClosed:
		s.copying = false
	case kindData:
		s.Transactions++
	}
	s.last, s.lastSize, s.End = f, end-s.End, end
	s.Sequence, s.Closed = f.sequence, f.kind == kindClosed || f.kind == kindBegin
	if s.copying || f.kind == kindBegin {
		s.unsynced = end
		return
	}
	s.pending = append(s.pending, groupEnd{f.sequence, end})
	for len(s.pending) > 0 && s.pending[0].sequence <= f.synced {
		s.unsynced = s.pending[0].end
		s.pending = s.pending[1:]
	}
}

// judge decides whether what follows the last whole group is the rest of a
// write that was cut short, and notes it as the tail, or damage, which it
// returns as a [*CorruptError].
//
// Cut short is what no later group says was on the disk, and what looks like
// it: it ends too soon, or blocks of the disk were never written and read as
// zeros.
// One changed byte looks like neither: at least one copy of the frame is
// whole, and tells how long the group is and how many of its bytes are zero.
func (s *scanner) judge(d *damage) error {
	reason := fmt.Sprintf("%s (at byte %d)", d.reason, d.at)
	facts, err := s.readTail()
	if err != nil {
		return err
	}
	torn := d.ended || d.zero
	own := facts.first != nil && (facts.first.sequence == s.last.sequence+1 || s.opens(*facts.first))
	end := s.End
	if own {
		end += int64(facts.first.size)
	}
	switch {
	case s.copying || s.End == 0:
		torn = false // such a file got its name when all of it was on the disk
	case facts.synced > s.last.sequence:
		torn = false
		reason += "; a later transaction says that this was on the disk"
	case own && end > s.size:
		torn = true
	case own && facts.content < end && (s.size > end || facts.content < end-1):
		torn = true // more than one byte at the end of the file is zero
	case own:
		if torn, err = s.lostBlocks(facts.first, end); err != nil {
			return err
		}
	}
	if !torn {
		return s.corrupt(s.End, "%s", reason)
	}
	s.Tail = &Tail{Offset: s.End, Bytes: s.size - s.End, Reason: reason}
	return nil
}

// tailFacts is what the bytes behind the last whole group tell.
type tailFacts struct {
	first   *frame // the undamaged one of the lowest number
	synced  int64  // the last group that one of them says was on the disk
	content int64  // where the zeros begin that end the file
}

func (s *scanner) readTail() (facts tailFacts, err error) {
	facts.content, facts.synced = s.End, math.MinInt64
	err = s.chunks(s.End, s.size, frameCommand-1, func(at int64, text []byte, fresh int) {
		for f, at, ok := findFrame(text, 0, s.seed); ok; f, at, ok = findFrame(text, at+1, s.seed) {
			if f.sequence <= s.last.sequence {
				continue // in a value
			}
			if facts.first == nil || f.sequence < facts.first.sequence {
				facts.first = &f
			}
			if f.kind != kindPart {
				facts.synced = max(facts.synced, f.synced)
			}
		}
		for i := len(text) - 1; i >= fresh; i-- {
			if text[i] != 0 {
				facts.content = at + int64(i) + 1
				break
			}
		}
	})
	return facts, err
}

// blockSize is that of the smallest blocks of disks.
const blockSize = 512

// lostBlocks reports whether a group up to an end has blocks, or its part of
// them, that are all zero, and more bytes that are zero than its frame says.
func (s *scanner) lostBlocks(f *frame, end int64) (bool, error) {
	lost := -f.zeros - zeros(appendFrame(nil, *f, s.seed))
	empty := false
	err := s.chunks(s.End, end, 0, func(at int64, text []byte, _ int) {
		for len(text) > 0 {
			part := text[:min(len(text), blockSize-int(at%blockSize))]
			n := zeros(part)
			lost, empty = lost+n, empty || n == len(part)
			at, text = at+int64(len(part)), text[len(part):]
		}
	})
	return empty && lost > 1, err
}

// chunks reads a part of the file, piece by piece. Each begins with as many
// bytes of the one before as overlap says, which end at fresh.
func (s *scanner) chunks(from, to int64, overlap int, each func(at int64, text []byte, fresh int)) error {
	buffer := make([]byte, min(to-from, int64(readSize+overlap)))
	kept := 0
	for at := from; at < to; {
		n := int(min(to-at, int64(len(buffer)-kept)))
		if m, err := s.file.ReadAt(buffer[kept:kept+n], at); m < n {
			return fmt.Errorf("read %s: %w", s.path, err)
		}
		text := buffer[:kept+n]
		each(at-int64(kept), text, kept)
		at += int64(n)
		kept = min(overlap, len(text))
		copy(buffer, text[len(text)-kept:])
	}
	return nil
}
