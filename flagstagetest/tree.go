package flagstagetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf16"
)

// shape says what a node is.
type shape byte

const (
	scalar shape = iota
	array
	object
	quoted // JSON in a string
)

// node is a JSON value whose members keep their order and whose scalars keep
// their spelling.
type node struct {
	shape   shape
	text    string   // of a scalar; need not be JSON
	members []member // of an object; the elements of an array or the value that is quoted, without names
	fixed   bool     // the order of members inside means something
	tail    string   // stands before the closing bracket
}

type member struct {
	name  string
	value *node
}

func raw(text string) *node          { return &node{text: text} }
func str(s string) *node             { return raw(quote(s)) }
func list(elements ...*node) *node   { return (&node{shape: array}).append(elements...) }
func record(members ...member) *node { return &node{shape: object, members: members} }

// parse returns the tree of a JSON text.
func parse(text string) (*node, error) {
	p := parser{text: text, tokens: json.NewDecoder(strings.NewReader(text))}
	p.tokens.UseNumber()
	n, err := p.value()
	if err != nil {
		return nil, err
	}
	if _, err := p.tokens.Token(); err != io.EOF {
		return nil, fmt.Errorf("the text goes on after the value")
	}
	return n, nil
}

// mustParse returns the tree of a text that is known to be JSON.
func mustParse(text string) *node {
	n, err := parse(text)
	if err != nil {
		panic("flagstagetest: parse " + text + ": " + err.Error())
	}
	return n
}

type parser struct {
	text   string
	tokens *json.Decoder
}

func (p *parser) value() (*node, error) {
	before := p.tokens.InputOffset()
	token, err := p.tokens.Token()
	if err != nil {
		return nil, err
	}
	n := &node{}
	switch token {
	case json.Delim('['):
		n.shape = array
	case json.Delim('{'):
		n.shape = object
	default:
		n.text = strings.TrimLeft(p.text[before:p.tokens.InputOffset()], " \t\r\n,:")
		return n, nil
	}
	for p.tokens.More() {
		var m member
		if n.shape == object {
			name, err := p.tokens.Token()
			if err != nil {
				return nil, err
			}
			m.name, _ = name.(string)
		}
		if m.value, err = p.value(); err != nil {
			return nil, err
		}
		n.members = append(n.members, m)
	}
	_, err = p.tokens.Token()
	return n, err
}

// append appends elements to an array.
func (n *node) append(elements ...*node) *node {
	for _, e := range elements {
		n.members = append(n.members, member{value: e})
	}
	return n
}

func (n *node) index(name string) int {
	return slices.IndexFunc(n.members, func(m member) bool { return m.name == name })
}

// get returns a member of an object, nil if there is none.
func (n *node) get(name string) *node {
	if i := n.index(name); i >= 0 {
		return n.members[i].value
	}
	return nil
}

func (n *node) has(name string) bool { return n.index(name) >= 0 }

// set puts a member in place of the one of that name, or behind all.
func (n *node) set(name string, value *node) {
	if i := n.index(name); i >= 0 {
		n.members[i].value = value
		return
	}
	n.members = append(n.members, member{name, value})
}

func (n *node) drop(names ...string) {
	n.members = slices.DeleteFunc(n.members, func(m member) bool { return slices.Contains(names, m.name) })
}

// isNull reports whether a node is absent or null.
func (n *node) isNull() bool { return n == nil || n.shape == scalar && n.text == "null" }

// isString reports whether a node is a string.
func (n *node) isString() bool { return n.shape == scalar && strings.HasPrefix(n.text, `"`) }

// string returns what a string says, "" for all else.
func (n *node) string() (s string) {
	if n == nil || !n.isString() || json.Unmarshal([]byte(n.text), &s) != nil {
		return ""
	}
	return s
}

// spelling is how a tree is written. The zero spelling is the shortest.
type spelling struct {
	spaces  []string // between tokens, over and over
	escaped bool     // strings are all escapes
	written int      // spaces so far
}

func (s *spelling) space(dst []byte) []byte {
	if len(s.spaces) == 0 {
		return dst
	}
	s.written++
	return append(dst, s.spaces[s.written%len(s.spaces)]...)
}

func (s *spelling) write(n *node) []byte { return s.space(s.append(s.space(nil), n)) }

func (s *spelling) append(dst []byte, n *node) []byte {
	switch n.shape {
	case quoted:
		return append(dst, quote(string(s.write(n.members[0].value)))...) // escaped inside only
	case array:
		return s.list(append(dst, '['), n, ']')
	case object:
		return s.list(append(dst, '{'), n, '}')
	}
	return s.string(dst, n.text)
}

func (s *spelling) list(dst []byte, n *node, end byte) []byte {
	for i, m := range n.members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = s.space(dst)
		if n.shape == object {
			dst = s.space(s.string(dst, quote(m.name)))
			dst = s.space(append(dst, ':'))
		}
		dst = s.space(s.append(dst, m.value))
	}
	return append(append(dst, n.tail...), end)
}

// string appends a scalar, escaped if it is a string.
func (s *spelling) string(dst []byte, text string) []byte {
	var plain string
	if !s.escaped || json.Unmarshal([]byte(text), &plain) != nil || text[0] != '"' {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for _, unit := range utf16.Encode([]rune(plain)) {
		dst = fmt.Appendf(dst, `\u%04x`, unit)
	}
	return append(dst, '"')
}

// clipped returns a document for people, a long one cut.
func clipped(document []byte) string {
	const most = 4 << 10
	if len(document) <= most {
		return string(bytes.ToValidUTF8(document, []byte("\ufffd")))
	}
	return fmt.Sprintf("%s… (%d bytes)", bytes.ToValidUTF8(document[:most], []byte("\ufffd")), len(document))
}
