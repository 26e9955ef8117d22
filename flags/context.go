package flags

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Context is whom a flag is evaluated for: a user, an organization, a device, or
// several of these at once, each with a key and attributes. [NewContext] and
// [MultiContext] make one, [DecodeContext] reads one.
//
// Contexts are immutable and safe for concurrent use. The zero Context is no
// context; no flag can be evaluated for it.
type Context struct{ body *contextBody }

// Attribute is something known of a context.
type Attribute struct {
	// Name is not empty, and none of kind, key and _meta. The attribute called
	// name is a string, the one called anonymous a boolean.
	Name string
	// Value is what is known. Null and the zero Value say that nothing is.
	Value Value
}

// multiKind is the kind of contexts of several kinds.
const multiKind = "multi"

// The attributes that every context has.
const (
	attributeKind      = "kind"
	attributeKey       = "key"
	attributeAnonymous = "anonymous"
	attributeName      = "name" // special in that it is a string
	memberMeta         = "_meta"
)

// contextBody is not changed once it is in a Context.
type contextBody struct {
	kind, key  string
	anonymous  bool
	attributes []attribute // all others that there are, by name
	private    []string    // attributes that are not to be told; evaluation uses them
	parts      []*contextBody
}

type attribute struct {
	Attribute
	datum datum
}

// NewContext returns a context of one kind. The kind consists of ASCII letters,
// digits, dots, underscores and hyphens, and is neither kind nor multi; "" is
// user. The key is not empty. Of attributes with the same name the last one
// counts. An error wraps [ErrInvalidRequest].
func NewContext(kind, key string, attributes ...Attribute) (Context, error) {
	b := &contextBody{kind: orUser(kind), key: key}
	if defect := kindDefect(b.kind); defect != "" {
		return Context{}, fmt.Errorf("make a context: its kind %s: %w", defect, ErrInvalidRequest)
	}
	if key == "" {
		return Context{}, fmt.Errorf("make a context of kind %s: its key must not be empty: %w", strictjson.Quote(b.kind), ErrInvalidRequest)
	}
	if _, message := textDefect(key); message != "" {
		return Context{}, fmt.Errorf("make a context of kind %s: its key %s: %w", strictjson.Quote(b.kind), message, ErrInvalidRequest)
	}
	for _, a := range attributes {
		if defect := b.add(a); defect != "" {
			return Context{}, fmt.Errorf("make a context of kind %s: attribute %s %s: %w", strictjson.Quote(b.kind), strictjson.Quote(a.Name), defect, ErrInvalidRequest)
		}
	}
	b.settle()
	return Context{b}, nil
}

// MultiContext returns a context of several kinds, at most one of each. Those
// given that are of several kinds themselves count as what they consist of. A
// single one is returned as it is. An error wraps [ErrInvalidRequest].
func MultiContext(contexts ...Context) (Context, error) {
	var parts []*contextBody
	for i, c := range contexts {
		switch {
		case c.body == nil:
			return Context{}, fmt.Errorf("join contexts: context %d is zero: %w", i, ErrInvalidRequest)
		case c.body.parts != nil:
			parts = append(parts, c.body.parts...)
		default:
			parts = append(parts, c.body)
		}
	}
	return join(parts)
}

// join makes a context of parts of one kind each.
func join(parts []*contextBody) (Context, error) {
	slices.SortFunc(parts, func(a, b *contextBody) int { return cmp.Compare(a.kind, b.kind) })
	for i := 1; i < len(parts); i++ {
		if parts[i].kind == parts[i-1].kind {
			return Context{}, fmt.Errorf("join contexts: two are of kind %s: %w", strictjson.Quote(parts[i].kind), ErrInvalidRequest)
		}
	}
	switch len(parts) {
	case 0:
		return Context{}, fmt.Errorf("join contexts: there are none: %w", ErrInvalidRequest)
	case 1:
		return Context{parts[0]}, nil
	}
	return Context{&contextBody{kind: multiKind, parts: parts}}, nil
}

// kindDefect returns what is wrong with a kind of contexts, "" if nothing is.
func kindDefect(kind string) string {
	switch kind {
	case "":
		return messageEmpty
	case attributeKind:
		return `must not be the word "kind"`
	case multiKind:
		return `must not be "multi", which stands for several kinds`
	}
	for i := range len(kind) {
		if !isName(kind[i : i+1]) {
			return "must consist of letters, digits, dots, underscores and hyphens, is " + strictjson.Quote(kind)
		}
	}
	return ""
}

// add adds an attribute to a context that is not settled. It returns what is
// wrong with it, "" if nothing is.
func (b *contextBody) add(a Attribute) string {
	d := datumOf(a.Value)
	switch a.Name {
	case "":
		return "has no name"
	case attributeKind, attributeKey:
		return "must be given as the kind or key of the context"
	case memberMeta:
		return "stands for what is no attribute"
	case attributeAnonymous:
		if d.isThere() && d.sort != strictjson.Bool {
			return "must be true or false"
		}
		b.anonymous = d.truth
		return ""
	case attributeName:
		if d.isThere() && d.sort != strictjson.String {
			return "must be a string"
		}
	}
	if _, message := textDefect(a.Name); message != "" {
		return "has a name that " + message
	}
	if d.sort == strictjson.String {
		if _, message := quotedDefect(a.Value.text); message != "" {
			return message
		}
	}
	const above = 2 // objects around a value in the document of a context
	if depth := above + a.Value.depth; depth > strictjson.MaxDepth {
		return fmt.Sprintf("is nested %d deep; at most %d are allowed", depth, strictjson.MaxDepth)
	}
	b.attributes = append(b.attributes, attribute{a, d})
	return ""
}

// settle puts the attributes into the order of their names. Of several with the
// same name the last one stays, and none that says nothing.
func (b *contextBody) settle() {
	slices.SortStableFunc(b.attributes, func(a, b attribute) int { return strings.Compare(a.Name, b.Name) })
	list := b.attributes[:0]
	for i, a := range b.attributes {
		last := i+1 == len(b.attributes) || b.attributes[i+1].Name != a.Name
		if last && a.datum.isThere() {
			list = append(list, a)
		}
	}
	clear(b.attributes[len(list):])
	b.attributes = list
}

// attribute returns the datum of an attribute of a context of one kind, an
// absent one if there is none.
func (b *contextBody) attribute(name string) datum {
	switch name {
	case attributeKind:
		return textDatum(b.kind)
	case attributeKey:
		return textDatum(b.key)
	case attributeAnonymous:
		return truthDatum(b.anonymous)
	}
	const few = 12
	if len(b.attributes) <= few {
		for i := range b.attributes {
			if b.attributes[i].Name == name {
				return b.attributes[i].datum
			}
		}
		return datum{}
	}
	i, there := slices.BinarySearchFunc(b.attributes, name, func(a attribute, name string) int { return strings.Compare(a.Name, name) })
	if !there {
		return datum{}
	}
	return b.attributes[i].datum
}

// part returns the part of a kind, nil if there is none. A context of several
// kinds is itself of none.
func (b *contextBody) part(kind string) *contextBody {
	if b.parts == nil && b.kind == kind {
		return b
	}
	for _, p := range b.parts {
		if p.kind == kind {
			return p
		}
	}
	return nil
}

var emptyContext contextBody

func (c Context) get() *contextBody {
	if c.body == nil {
		return &emptyContext
	}
	return c.body
}

// IsZero reports whether c is the zero Context.
func (c Context) IsZero() bool { return c.body == nil }

// Kind returns the context's kind, "multi" if it has several, "" if it is zero.
func (c Context) Kind() string { return c.get().kind }

// Key returns the context's key, "" if it has several kinds: then each of its
// parts has one.
func (c Context) Key() string { return c.get().key }

// Anonymous reports whether the context asks not to be listed. It is false for
// one of several kinds.
func (c Context) Anonymous() bool { return c.get().anonymous }

// Parts goes through the contexts of one kind of which a context of several
// kinds consists, by kind. One of a single kind is its only part; the zero
// Context has none.
func (c Context) Parts() iter.Seq[Context] {
	return func(yield func(Context) bool) {
		switch {
		case c.body == nil:
		case c.body.parts == nil:
			yield(c)
		default:
			for _, p := range c.body.parts {
				if !yield(Context{p}) {
					return
				}
			}
		}
	}
}

// Attributes goes through what is known of a context of one kind besides its
// kind and key, and whether it is anonymous, by name. It goes through nothing
// for one of several kinds.
func (c Context) Attributes() iter.Seq[Attribute] {
	return func(yield func(Attribute) bool) {
		for i := range c.get().attributes {
			if !yield(c.body.attributes[i].Attribute) {
				return
			}
		}
	}
}

// PrivateAttributes returns the references of the attributes that the context
// asks not to tell to others. They make no difference to evaluation. The slice
// is the caller's.
func (c Context) PrivateAttributes() []string { return slices.Clone(c.get().private) }

// Equal reports whether two contexts are written the same.
func (c Context) Equal(other Context) bool {
	return c.body == other.body || string(c.AppendJSON(nil)) == string(other.AppendJSON(nil))
}

// String returns the context as JSON.
func (c Context) String() string { return string(c.AppendJSON(nil)) }

// AppendJSON appends the context in the published form, its attributes in the
// order of their names. A user whose key is empty is written in the form of
// former users, in which alone that is possible. The zero Context is written as
// null.
func (c Context) AppendJSON(dst []byte) []byte {
	switch {
	case c.body == nil:
		return append(dst, "null"...)
	case c.body.parts == nil && c.body.key == "":
		return c.body.appendFormer(dst)
	case c.body.parts == nil:
		return c.body.appendJSON(dst, true)
	}
	start := len(dst)
	dst = appendText(dst, attributeKind, multiKind)
	for _, p := range c.body.parts {
		dst = p.appendJSON(append(strictjson.AppendString(append(dst, ','), p.kind), ':'), false)
	}
	return closeObject(dst, start)
}

// MarshalJSON returns the same bytes as [Context.AppendJSON].
func (c Context) MarshalJSON() ([]byte, error) { return c.AppendJSON(nil), nil }

func (b *contextBody) appendJSON(dst []byte, withKind bool) []byte {
	start := len(dst)
	if withKind {
		dst = appendText(dst, attributeKind, b.kind)
	}
	dst = strictjson.AppendString(appendName(dst, attributeKey), b.key)
	dst = b.appendAnonymous(dst)
	for i := range b.attributes {
		dst = b.attributes[i].appendJSON(dst)
	}
	if len(b.private) > 0 {
		dst = append(appendName(dst, memberMeta), `{"privateAttributes":`...)
		dst = append(strictjson.AppendStrings(dst, b.private), '}')
	}
	return closeObject(dst, start)
}

func (b *contextBody) appendAnonymous(dst []byte) []byte {
	if b.anonymous {
		dst = strictjson.AppendBool(appendName(dst, attributeAnonymous), true)
	}
	return dst
}

func (a *attribute) appendJSON(dst []byte) []byte {
	return a.Value.AppendJSON(append(strictjson.AppendString(append(dst, ','), a.Name), ':'))
}

// appendFormer appends the context as a former user.
func (b *contextBody) appendFormer(dst []byte) []byte {
	start := len(dst)
	dst = strictjson.AppendString(appendName(dst, attributeKey), b.key)
	dst = b.appendAnonymous(dst)
	custom := []byte(nil)
	for i := range b.attributes {
		if a := &b.attributes[i]; a.Name == attributeName {
			dst = a.appendJSON(dst)
		} else {
			custom = a.appendJSON(custom)
		}
	}
	if len(custom) > 0 {
		dst = append(appendName(dst, memberCustom), closeObject(custom, 0)...)
	}
	if len(b.private) > 0 {
		dst = strictjson.AppendStrings(appendName(dst, memberFormerPrivate), b.private)
	}
	return closeObject(dst, start)
}
