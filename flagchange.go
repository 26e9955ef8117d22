package flagstage

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/flagstage/flagstage/flags"
)

// flagChange is an entry in the log of a stored flag: what one commit changed.
// Nobody changes an entry.
type flagChange struct {
	by     string // an actor's identity, or that of a workflow
	at     time.Time
	fields []changedField
}

// changedField is a field of a flag that was changed. A change of very many
// fields, or of very long ones, tells less of them: see [flagChange.within].
type changedField struct {
	pointer string
	// was is the field before; the zero Value: it was not there.
	was flags.Value
	// forgotten says that it is not known what the field was.
	forgotten bool
	// wide says that the pointer stands for all fields that begin with it, of
	// which some were changed. It is not known what they were either.
	wide bool
}

// changeOf returns the change that makes one flag of another.
func changeOf(from, to flags.Flag, by string, at time.Time) flagChange {
	change := flagChange{by: by, at: at}
	for _, c := range flags.ChangedFields(from, to) {
		change.fields = append(change.fields, changedField{pointer: c.Pointer, was: c.Was})
	}
	return change
}

// relinks reports whether instructions for other flags can tell the change: whether
// there is the flag, what variations it has, and what it has as prerequisites. The
// change has all its fields.
func (c *flagChange) relinks() bool {
	return slices.ContainsFunc(c.fields, func(f changedField) bool {
		rest, inside := strings.CutPrefix(f.pointer, "/")
		if !inside {
			return true // the whole flag
		}
		member, rest, _ := strings.Cut(rest, "/")
		switch member {
		case "archived", "deleted", "variations":
			return true
		case "environments":
			_, rest, inside = strings.Cut(rest, "/")
			member, _, _ = strings.Cut(rest, "/")
			return !inside || member == "prerequisites"
		}
		return false
	})
}

// maxChange is how many bytes the fields of an entry may have: no more than a
// flag, so that a commit has room for both and much else.
const maxChange = 1 << 20

// size returns how many bytes the fields have at most when written.
func (c *flagChange) size() (n int) {
	for i := range c.fields {
		n += len(c.fields[i].pointer) + len(c.fields[i].was.String()) + 1 + 2*binary.MaxVarintLen32
	}
	return n
}

// within returns the change with as much of its fields as a limit allows: with
// what they were, or without, or with wider ones in the place of many.
func (c flagChange) within(limit int) flagChange {
	if c.size() <= limit {
		return c
	}
	rest := flagChange{by: c.by, at: c.at, fields: make([]changedField, len(c.fields))}
	deepest := 0
	for i, field := range c.fields {
		rest.fields[i] = changedField{pointer: field.pointer, forgotten: true}
		deepest = max(deepest, strings.Count(field.pointer, "/"))
	}
	for tokens := deepest - 1; rest.size() > limit && tokens >= 0; tokens-- {
		rest.widen(tokens)
	}
	return rest
}

// widen cuts the pointers of the fields down to so many tokens.
func (c *flagChange) widen(tokens int) {
	places := make(map[string]int, len(c.fields))
	kept := c.fields[:0]
	for _, field := range c.fields {
		at := cutPointer(field.pointer, tokens)
		field.wide = field.wide || at != field.pointer
		field.pointer, field.forgotten = at, !field.wide
		if i, there := places[at]; there {
			kept[i].wide, kept[i].forgotten = true, false
			continue
		}
		places[at] = len(kept)
		kept = append(kept, field)
	}
	c.fields = kept
}

// cutPointer returns the first tokens of a pointer.
func cutPointer(pointer string, tokens int) string {
	for i := range len(pointer) {
		if pointer[i] != '/' {
			continue
		}
		if tokens == 0 {
			return pointer[:i]
		}
		tokens--
	}
	return pointer
}

// changeFormat is the first byte of an entry. Behind it stand the operation that
// wrote it, the instant, who changed the flag, the number
// of fields, and for each a byte that says what is known of it, its pointer,
// and what it was, if that is known. Texts stand behind their lengths.
const changeFormat = 1

// What is known of a field in an entry.
const (
	fieldWas       = '=' // what it was, which follows
	fieldAbsent    = '-' // that it was not there
	fieldForgotten = '?' // nothing but its pointer
	fieldWide      = '*' // that some fields which begin with its pointer were changed
)

// encodeChange returns the record's value of an entry.
func encodeChange(o operation, c flagChange) []byte {
	c = c.within(maxChange)
	p := make(packer, 0, recordHead+len(c.by)+32+c.size())
	p.byte(changeFormat)
	p.bytes(o[:])
	p.time(c.at)
	p.text(c.by)
	p.uint(uint64(len(c.fields)))
	for i := range c.fields {
		field := &c.fields[i]
		known := byte(fieldWas)
		switch {
		case field.wide:
			known = fieldWide
		case field.forgotten:
			known = fieldForgotten
		case field.was.IsZero():
			known = fieldAbsent
		}
		p.byte(known)
		p.text(field.pointer)
		if known == fieldWas {
			p.text(field.was.String())
		}
	}
	return p
}

// decodeChange returns the entry of a record, or why it cannot be read.
func decodeChange(value []byte) (c flagChange, why string) {
	u, why := unpack(value, changeFormat)
	if why != "" {
		return c, why
	}
	c.at, c.by = u.time(), u.text()
	for range u.count() {
		c.fields = append(c.fields, u.changedField())
	}
	switch {
	case u.bad || c.at.IsZero():
		return flagChange{}, "its record is cut short or damaged"
	case len(u.rest) > 0:
		return flagChange{}, "something follows its last field"
	}
	return c, ""
}

func (u *unpacker) changedField() (field changedField) {
	known := u.byte()
	field.pointer = u.text()
	switch known {
	case fieldWas:
		was, err := flags.ParseValue(u.text())
		if err != nil {
			u.fail()
		}
		field.was = was
	case fieldAbsent:
	case fieldForgotten:
		field.forgotten = true
	case fieldWide:
		field.wide = true
	default:
		u.fail()
	}
	return field
}
