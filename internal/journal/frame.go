package journal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// A group is the commands of one transaction, in any order: buntdb writes them
// in that of a map. Two of them set the keys of frameKeys to the same frame,
// which tells what the group must be, so that a group is whole or is not. There
// are two copies so that one damaged byte never hides both.

// frame is what a group says about itself.
type frame struct {
	kind     kind
	sequence int64 // number of the group
	// synced is the last group that was on the disk when this was written. In
	// a part it is the number of the part, from 1.
	synced   int64
	commands int    // in the group, both frames included
	size     int    // bytes of the group, both frames included
	sum      uint64 // of the CRC-32C of each other command, in any order
	zeros    int    // bytes that are zero in other commands
}

// kind says what a group is for.
type kind byte

// The kinds of groups. They are written to files: none may change.
const (
	kindBegin  kind = 1 // begins a new file
	kindCopy   kind = 2 // begins a file that first copies all records of another
	kindPart   kind = 3 // part of such a copy
	kindData   kind = 4 // a transaction
	kindClosed kind = 5 // all before is on the disk; also ends a copy
	// kindOpened follows a file that was not closed. Its number leaves out
	// all those that were perhaps given to groups which are lost.
	kindOpened kind = 6
)

// The keys of a frame's copies.
var frameKeys = [2]string{"\x00a", "\x00b"}

// frameSize is the length of a frame: kind, sequence, synced, commands, size,
// sum, zeros and the CRC-32C of all that and the salt of the file.
const frameSize = 1 + 8 + 8 + 4 + 4 + 8 + 4 + 4

// salt makes the frames of a file different from those of all others, also
// from those in values: the checksum of a frame begins with that of the salt,
// its seed.
type salt [8]byte

// seed is the checksum of a salt.
type seed uint32

func (s salt) seed() seed { return seed(crc32.Checksum(s[:], castagnoli)) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(text []byte) uint64 { return uint64(crc32.Checksum(text, castagnoli)) }

// append appends the frame as it is written to a file with this seed.
func (f frame) append(b []byte, s seed) []byte {
	start := len(b)
	b = append(b, byte(f.kind))
	b = binary.BigEndian.AppendUint64(b, uint64(f.sequence))
	b = binary.BigEndian.AppendUint64(b, uint64(f.synced))
	b = binary.BigEndian.AppendUint32(b, uint32(f.commands))
	b = binary.BigEndian.AppendUint32(b, uint32(f.size))
	b = binary.BigEndian.AppendUint64(b, f.sum)
	b = binary.BigEndian.AppendUint32(b, uint32(f.zeros))
	return binary.BigEndian.AppendUint32(b, crc32.Update(uint32(s), castagnoli, b[start:]))
}

// decodeFrame reads a frame of a file with this seed. It returns false for
// what is none, or damaged.
func decodeFrame(b []byte, s seed) (f frame, ok bool) {
	if len(b) != frameSize {
		return f, false
	}
	body, sum := b[:frameSize-4], binary.BigEndian.Uint32(b[frameSize-4:])
	if crc32.Update(uint32(s), castagnoli, body) != sum {
		return f, false
	}
	be := binary.BigEndian
	commands, size, zeros := be.Uint32(b[17:]), be.Uint32(b[21:]), be.Uint32(b[33:])
	if commands > maxCommands || size > maxGroup || zeros > size {
		return f, false
	}
	return frame{
		kind: kind(b[0]), sequence: int64(be.Uint64(b[1:])), synced: int64(be.Uint64(b[9:])),
		commands: int(commands), size: int(size), sum: be.Uint64(b[25:]), zeros: int(zeros),
	}, true
}

// seedOf returns the seed with which a frame would be undamaged.
func seedOf(b []byte) seed {
	state := ^binary.BigEndian.Uint32(b[frameSize-4:])
	for i := frameSize - 5; i >= 0; i-- { // what Update does, backwards
		at := castagnoliTop[state>>24]
		state = (state^castagnoli[at])<<8 | uint32(at^b[i])
	}
	return seed(^state)
}

// castagnoliTop has the place in the table of each entry, by its highest byte.
var castagnoliTop = func() (top [256]byte) {
	for i, entry := range castagnoli {
		top[entry>>24] = byte(i)
	}
	return top
}()

// frameBegin is how the command of each copy begins, up to the frame.
var frameBegin = func() (begin [2][]byte) {
	for i, key := range frameKeys {
		whole := appendSet(nil, key, string(make([]byte, frameSize)))
		begin[i] = whole[:len(whole)-frameSize-2]
	}
	return begin
}()

// frameCommand is the length of the command of a copy.
var frameCommand = len(frameBegin[0]) + frameSize + 2

// copyOf tells which copy of a frame a key holds; -1: none.
func copyOf(key []byte) int {
	if len(key) == len(frameKeys[0]) && key[0] == 0 {
		switch string(key) {
		case frameKeys[0]:
			return 0
		case frameKeys[1]:
			return 1
		}
	}
	return -1
}

// tally adds up what a frame says about the other commands of its group.
type tally struct {
	commands, size, zeros int
	sum                   uint64
}

func (t *tally) add(command []byte) {
	t.commands++
	t.size += len(command)
	t.zeros += zeros(command)
	t.sum += checksum(command)
}

// frame returns the frame of a group with these other commands.
func (t *tally) frame(k kind, sequence, synced int64) frame {
	return frame{
		kind: k, sequence: sequence, synced: synced,
		commands: t.commands + 2, size: t.size + 2*frameCommand, sum: t.sum, zeros: t.zeros,
	}
}

// appendFrame appends both copies of a frame as commands.
func appendFrame(b []byte, f frame, s seed) []byte {
	text := string(f.append(nil, s))
	for _, key := range frameKeys {
		b = appendSet(b, key, text)
	}
	return b
}

// sharedBegin is how the commands of both copies begin, up to the letter of the
// key.
var sharedBegin = frameBegin[0][:bytes.IndexByte(frameBegin[0], frameKeys[0][1])]

// findFrame returns the first undamaged copy of a frame in a text that begins
// at from or later, and where.
func findFrame(text []byte, from int, s seed) (f frame, at int, ok bool) {
	for at = from; ; at++ {
		next := bytes.Index(text[at:], sharedBegin)
		if next < 0 || len(text)-at-next < frameCommand {
			return f, 0, false
		}
		at += next
		for _, begin := range frameBegin {
			if bytes.HasPrefix(text[at:], begin) {
				if f, ok = decodeFrame(text[at+len(begin):][:frameSize], s); ok {
					return f, at, true
				}
			}
		}
	}
}
