package flagstage

import (
	"encoding/binary"
	"slices"
	"time"
)

// recordHead is how many bytes stand at the beginning of records that are read
// back when the outcome of a commit is unknown: the format, and the operation
// that wrote the record.
const recordHead = 1 + len(operation{})

// wrote reports whether the operation wrote a stored value with such a head.
func (o operation) wrote(value []byte) bool {
	return len(value) >= recordHead && operation(value[1:recordHead]) == o
}

// packer writes the parts of a stored record, each so that it tells its own
// length. Instants are Unix milliseconds.
type packer []byte

func (p *packer) byte(b byte)    { *p = append(*p, b) }
func (p *packer) bytes(b []byte) { *p = append(*p, b...) }
func (p *packer) uint(n uint64)  { *p = binary.AppendUvarint(*p, n) }
func (p *packer) text(s string)  { p.uint(uint64(len(s))); *p = append(*p, s...) }
func (p *packer) time(t time.Time) {
	if t.IsZero() {
		p.uint(0)
		return
	}
	p.uint(uint64(t.UnixMilli()) + 1)
}

// flags writes up to eight truths in a byte.
func (p *packer) flags(list ...bool) {
	var b byte
	for i, is := range list {
		if is {
			b |= 1 << i
		}
	}
	p.byte(b)
}

// unpacker reads what a packer wrote. Once something is not there it is bad,
// and reads nothing but zeros.
type unpacker struct {
	rest []byte
	bad  bool
	// same is what rest is the end of: texts are parts of it. "": texts have
	// memory of their own.
	same string
}

// share lets the texts that follow share their memory.
func (u *unpacker) share() { u.same = string(u.rest) }

// unpack returns what reads a record of one of some formats behind its head, or
// why it cannot be read.
func unpack(value []byte, formats ...byte) (u *unpacker, why string) {
	switch {
	case len(value) == 0:
		return nil, "its record is empty"
	case !slices.Contains(formats, value[0]):
		return nil, "its record has a format that this version does not know; use a later one"
	case len(value) < recordHead:
		return nil, "its record is cut short"
	}
	return &unpacker{rest: value[recordHead:]}, ""
}

func (u *unpacker) fail() { u.rest, u.bad = nil, true }

func (u *unpacker) take(n uint64) []byte {
	if n > uint64(len(u.rest)) {
		u.fail()
		return nil
	}
	taken := u.rest[:n]
	u.rest = u.rest[n:]
	return taken
}

func (u *unpacker) byte() byte {
	if b := u.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (u *unpacker) uint() uint64 {
	n, size := binary.Uvarint(u.rest)
	if size <= 0 {
		u.fail()
		return 0
	}
	u.rest = u.rest[size:]
	return n
}

// int reads a number that is not negative.
func (u *unpacker) int(most int64) int64 {
	n := u.uint()
	if n > uint64(most) {
		u.fail()
		return 0
	}
	return int64(n)
}

func (u *unpacker) text() string {
	taken := u.take(u.uint())
	if u.same == "" {
		return string(taken)
	}
	end := len(u.same) - len(u.rest)
	return u.same[end-len(taken) : end]
}

func (u *unpacker) time() time.Time {
	n := u.uint()
	if n == 0 {
		return time.Time{}
	}
	at := time.UnixMilli(int64(n - 1)).UTC()
	if !isInstant(at) {
		u.fail()
		return time.Time{}
	}
	return at
}

// flags reads truths that a packer wrote.
func (u *unpacker) flags(list ...*bool) {
	b := u.byte()
	for i := range list {
		*list[i] = b&(1<<i) != 0
	}
	if b>>len(list) != 0 {
		u.fail()
	}
}

// count reads how many things follow, each of at least one byte.
func (u *unpacker) count() int {
	n := u.uint()
	if n > uint64(len(u.rest)) {
		u.fail()
		return 0
	}
	return int(n)
}

// done reports whether all was read and nothing is missing.
func (u *unpacker) done() bool { return !u.bad && len(u.rest) == 0 }
