package flags

import (
	"slices"
	"strings"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// The members of former users that contexts do not have.
const (
	memberCustom        = "custom"
	memberFormerPrivate = "privateAttributeNames"
)

// formerAttributes are strings that stand in a former user itself.
var formerAttributes = []string{"firstName", "lastName", "email", "country", "avatar", "ip"}

// DecodeContext reads a context from a JSON document of at most 1 MiB, in one of
// three forms: a context of one kind, whose member kind says which; one of
// several kinds, {"kind": "multi", "user": {…}, "device": {…}}; or a user in the
// form of former SDKs, which has no kind. It returns all problems that it finds;
// when there is an error among them, the context is zero.
//
// Only a former user may have an empty key. Members of a former user that stand
// for nothing are passed over with a warning.
func DecodeContext(document []byte) (Context, Problems) {
	var c Context
	problems := readDocument(document, func(d *strictjson.Decoder, problems *Problems) {
		r := contextReader{reader{d: d, problems: problems}}
		c = r.context()
	})
	if problems.Err() != nil {
		return Context{}, problems
	}
	if len(document) > strictjson.MaxDocument/6 { // no byte becomes more than six
		if size := len(c.AppendJSON(nil)); size > strictjson.MaxDocument {
			problems.Errorf("", CodeTooLarge, "has %d bytes when written; at most %d are allowed", size, strictjson.MaxDocument)
			return Context{}, problems
		}
	}
	return c, problems
}

// UnmarshalJSON reads the context as [DecodeContext] does; null is an error. An
// error is a [*ProblemsError], and leaves the context as it was; warnings alone
// are dropped.
func (c *Context) UnmarshalJSON(document []byte) error {
	read, problems := DecodeContext(document)
	if err := problems.Err(); err != nil {
		return err
	}
	*c = read
	return nil
}

// contextReader reads one context.
type contextReader struct{ reader }

func (r *contextReader) context() Context {
	d := r.d
	if !d.BeginObject() {
		return Context{}
	}
	switch kind, sort := d.Peek(attributeKind); {
	case sort == strictjson.Invalid:
		return Context{r.former()}
	case kind != multiKind:
		return Context{r.part("")}
	}
	var parts []*contextBody
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		if name == attributeKind {
			d.Skip()
			continue
		}
		r.kindFits(name)
		if d.BeginObject() {
			parts = append(parts, r.part(name))
		}
	}
	if len(parts) == 0 && !r.failed() {
		r.report(CodeRequired, "must have a member for each of its kinds, such as user")
	}
	if r.failed() || d.Err() != nil {
		return Context{}
	}
	c, _ := join(parts) // no name stands twice in an object
	return c
}

// kindFits reports a kind that is none.
func (r *contextReader) kindFits(kind string) {
	if defect := kindDefect(kind); defect != "" {
		r.report(CodeMalformed, "the kind "+defect)
	}
}

// part reads the members of a context of one kind: of the given one, or of the
// one that it tells itself.
func (r *contextReader) part(kind string) *contextBody {
	b := &contextBody{kind: kind}
	d := r.d
	keyGiven := false
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch name {
		case attributeKind:
			r.kind(b, kind)
		case attributeKey:
			keyGiven = true
			b.key = r.text(someText)
		case attributeAnonymous:
			b.anonymous, _ = d.ReadBool()
		case memberMeta:
			b.private = r.meta()
		default:
			r.attribute(b, name)
		}
	}
	if !keyGiven {
		r.missing(attributeKey, messageMissing)
	}
	b.settle()
	return b
}

// kind reads the kind of a context; outer is the one under which it stands.
func (r *contextReader) kind(b *contextBody, outer string) {
	s, ok := r.d.ReadString()
	switch {
	case !ok:
	case outer != "" && s != outer:
		r.report(CodeExclusive, "must be "+strictjson.Quote(outer)+" or left out: the context stands under that kind")
	default:
		r.kindFits(s)
		b.kind = s
	}
}

// attribute reads an attribute, or null, which takes it away.
func (r *contextReader) attribute(b *contextBody, name string) {
	v, ok := readValue(r.d)
	if !ok {
		return
	}
	if defect := b.add(Attribute{name, v}); defect != "" {
		code := CodeMalformed
		if name == attributeName || name == attributeAnonymous {
			code = CodeWrongType
		}
		r.report(code, defect)
	}
}

// meta reads what is no attribute.
func (r *contextReader) meta() (private []string) {
	d := r.d
	if d.Null() || !d.BeginObject() {
		return nil
	}
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		if name == "privateAttributes" {
			private = r.private()
		} else {
			d.Skip()
		}
	}
	return private
}

func (r *contextReader) private() []string {
	if r.d.Null() {
		return nil
	}
	return readList(&r.reader, 2, func() string { return r.text(anyText) })
}

var formerMembers = slices.Concat([]string{
	attributeKey, attributeName, attributeAnonymous, memberCustom, memberFormerPrivate, "secondary",
}, formerAttributes)

// former reads the members of a user in the form of former SDKs.
func (r *contextReader) former() *contextBody {
	b := &contextBody{kind: userKind}
	d := r.d
	keyGiven := false
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch name {
		case attributeKey:
			keyGiven = true
			b.key = r.text(anyText)
		case attributeAnonymous:
			b.anonymous = r.flag()
		case attributeName:
			r.attribute(b, name)
		case memberCustom:
			r.custom(b)
		case memberFormerPrivate:
			b.private = r.private()
		case "secondary":
			r.optional(anyText)
		default:
			r.formerMember(b, name)
		}
	}
	if !keyGiven {
		r.missing(attributeKey, messageMissing)
	}
	b.settle()
	return b
}

// formerMember reads a string that stands in a former user itself, or passes
// over what stands for nothing.
func (r *contextReader) formerMember(b *contextBody, name string) {
	if !slices.Contains(formerAttributes, name) {
		for _, known := range formerMembers {
			if strings.EqualFold(known, name) {
				r.d.UnknownMember(name, formerMembers...)
				return
			}
		}
		r.problems.Warnf(r.d.Pointer(), CodeUnknownMember, "stands for nothing in a context without kind; put it into %s, or say the kind", memberCustom)
		r.d.Skip()
		return
	}
	if r.d.Null() {
		return
	}
	if s, ok := r.d.ReadString(); ok {
		b.add(Attribute{name, StringValue(s)})
	}
}

// custom reads the other attributes of a former user. Those that would have the
// names of what stands beside them are passed over.
func (r *contextReader) custom(b *contextBody) {
	d := r.d
	if d.Null() || !d.BeginObject() {
		return
	}
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch name {
		case attributeKind, attributeKey, attributeName, attributeAnonymous, memberMeta:
			r.problems.Warnf(d.Pointer(), CodeExclusive, "cannot be told of a custom attribute; it is passed over")
			d.Skip()
		default:
			r.attribute(b, name)
		}
	}
}
