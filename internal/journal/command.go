package journal

import (
	"bytes"
	"strconv"
)

// The file holds commands, as buntdb writes them when it is not asked for
// times to live: "set KEY VALUE" and "del KEY" in the Redis protocol. Each has
// one spelling here, so that a changed byte never stays unseen.

// Op is one write: it sets a key, or deletes it.
type Op struct {
	Key, Value string
	Delete     bool

	// Apply sets Existed if there was a value at the key, and Before to it.
	Before  string
	Existed bool
}

// Size returns how many bytes the operation takes in a file.
func (op Op) Size() int {
	if op.Delete {
		return len(delBegin) + bulkSize(len(op.Key))
	}
	return setSize(op.Key, op.Value)
}

// What begins commands, up to their first argument.
const (
	setBegin = "*3\r\n$3\r\nset\r\n"
	delBegin = "*2\r\n$3\r\ndel\r\n"
)

func appendSet(b []byte, key, value string) []byte {
	return appendBulk(appendBulk(append(b, setBegin...), key), value)
}

func appendDel(b []byte, key string) []byte { return appendBulk(append(b, delBegin...), key) }

func appendBulk(b []byte, text string) []byte {
	b = strconv.AppendInt(append(b, '$'), int64(len(text)), 10)
	b = append(append(b, "\r\n"...), text...)
	return append(b, "\r\n"...)
}

// appendCommand appends an operation as a command.
func appendCommand(b []byte, op *Op) []byte {
	if op.Delete {
		return appendDel(b, op.Key)
	}
	return appendSet(b, op.Key, op.Value)
}

// setSize is the length of the command that sets a key to a value.
func setSize(key, value string) int {
	return len(setBegin) + bulkSize(len(key)) + bulkSize(len(value))
}

func bulkSize(n int) int {
	digits := 1
	for rest := n / 10; rest > 0; rest /= 10 {
		digits++
	}
	return 1 + digits + 2 + n + 2
}

// command is a command in a text: where it and its parts begin and end.
type command struct {
	start, end      int
	key, keyEnd     int
	value, valueEnd int // only of a set
	delete          bool
}

// flaw says why a text goes on as no command does.
type flaw struct {
	at   int // of the byte that is wrong; the length of the text, if it ended
	text string
}

const cutShort = "the file ends in the middle of a command"

// parseCommand reads the command that begins at text[at].
func parseCommand(text []byte, at int) (c command, bad *flaw) {
	c.start = at
	begin := setBegin
	if len(text) > at+1 && text[at+1] == delBegin[1] {
		begin, c.delete = delBegin, true
	}
	if at, bad = parseWord(text, at, begin, "no command begins here"); bad != nil {
		return c, bad
	}
	if c.key, c.keyEnd, bad = parseBulk(text, at, maxKey); bad != nil {
		return c, bad
	}
	c.end = c.keyEnd + 2
	if !c.delete {
		if c.value, c.valueEnd, bad = parseBulk(text, c.end, maxValue); bad != nil {
			return c, bad
		}
		c.end = c.valueEnd + 2
	}
	return c, nil
}

// parseWord reads what can only be one word; otherwise says what is wrong.
func parseWord(text []byte, at int, word, otherwise string) (end int, bad *flaw) {
	rest := text[at:]
	if len(rest) >= len(word) && string(rest[:len(word)]) == word {
		return at + len(word), nil
	}
	for i := range min(len(rest), len(word)) {
		if rest[i] != word[i] {
			return 0, &flaw{at + i, otherwise}
		}
	}
	return 0, &flaw{len(text), cutShort}
}

// parseBulk reads an argument of at most so many bytes, and returns where it
// begins and ends.
func parseBulk(text []byte, at, limit int) (start, end int, bad *flaw) {
	if at == len(text) {
		return 0, 0, &flaw{at, cutShort}
	}
	if text[at] != '$' {
		return 0, 0, &flaw{at, "an argument must begin here"}
	}
	at++
	size, digits := 0, at
	for ; at < len(text) && text[at] >= '0' && text[at] <= '9'; at++ {
		if size = size*10 + int(text[at]-'0'); size > limit {
			return 0, 0, &flaw{at, "an argument is too long"}
		}
	}
	if at < len(text) && (at == digits || text[digits] == '0' && at > digits+1) {
		return 0, 0, &flaw{digits, "the length of an argument is no number"}
	}
	if at, bad = parseWord(text, at, "\r\n", "the length of an argument is no number"); bad != nil {
		return 0, 0, bad
	}
	if len(text)-at < size {
		return 0, 0, &flaw{len(text), cutShort}
	}
	if _, bad = parseWord(text, at+size, "\r\n", "an argument does not end where it says"); bad != nil {
		return 0, 0, bad
	}
	return at, at + size, nil
}

var zero = []byte{0}

// zeros counts the bytes of a text that are zero.
func zeros(text []byte) int { return bytes.Count(text, zero) }
