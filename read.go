package flagstage

import (
	"cmp"
	"slices"
	"strings"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// reader reads one document and gathers what is wrong with it. Types and
// names are judged while reading, values afterwards, by the judge that also
// judges Go values.
type reader struct {
	*strictjson.Decoder
	problems  Problems
	errors    int // problems reported so far that are no warnings
	importing bool
	reading   flags.Reading
	broken    []string // pointers of members of the document that were reported
}

func newReader(document []byte, importing bool, list []Option) *reader {
	r := &reader{importing: importing, reading: newOptions(list).reading}
	r.reading.KeepIDs = importing
	r.Decoder = strictjson.NewDecoder(document, r.problem)
	r.problems.AddAll("", r.reading.Validate())
	return r
}

// problem is the decoder's reporter.
func (r *reader) problem(pointer, code, message string) {
	r.errors++
	r.problems.Report(pointer, code, message)
}

// errorAt reports an error at a member of the object that was just read.
func (r *reader) errorAt(member string, code flags.Code, format string, args ...any) {
	r.errors++
	r.problems.Errorf(r.PointerTo(member), code, format, args...)
}

// ignored warns of a member of the object that was just read which has no
// effect, unless it is empty.
func (r *reader) ignored(member string, empty bool, why string) {
	if !empty {
		r.problems.Warnf(r.PointerTo(member), flags.CodeExclusive, "is ignored: it %s", why)
	}
}

// unknownWord reports a member whose text is none of the known words.
func (r *reader) unknownWord(member, what, word string, known ...string) {
	r.errorAt(member, flags.CodeUnknownKind, "%s", unknownWord(what, word, known))
}

// tooMany reports the array that was just read.
func (r *reader) tooMany(what string, limit int) {
	r.Report(string(flags.CodeTooLarge), tooMany(what, limit))
}

// read reads a member with one of the decoder's methods.
func read[T comparable](r *reader, method func() (T, bool)) member[T] {
	value, ok := method()
	return member[T]{value: value, given: true, bad: !ok}
}

func (r *reader) requiredString() member[string] { return read(r, r.ReadString) }

func (r *reader) optionalString() (m member[string]) {
	if r.Null() {
		return m
	}
	return read(r, r.ReadString)
}

func (r *reader) optionalInt() (m member[int64]) {
	if r.Null() {
		return m
	}
	return read(r, r.ReadInt)
}

func (r *reader) optionalBool() (m member[bool]) {
	if r.Null() {
		return m
	}
	return read(r, r.ReadBool)
}

func (r *reader) optionalStrings() (list []string) {
	if r.Null() || !r.BeginArray() {
		return nil
	}
	for r.NextElement() {
		if s, ok := r.ReadString(); ok {
			list = append(list, s)
		}
	}
	return list
}

// idMember reads an identifier of an exported document; other documents
// cannot choose theirs.
func (r *reader) idMember() (m member[string]) {
	if !r.importing {
		r.Skip()
		return m
	}
	m = r.optionalString()
	if defect := idDefect(m.value); m.given && !m.bad && defect != "" {
		r.Report(string(flags.CodeMalformed), defect)
		m.bad = true
	}
	return m
}

// config reads the form variables of an approval.
func (r *reader) config(v *Value) {
	switch {
	case r.Null():
	case r.Kind() != strictjson.Object:
		r.BeginObject() // reports
	default:
		text, _, ok := r.ReadValue()
		if !ok {
			return
		}
		if !v.IsZero() {
			r.Report(string(flags.CodeExclusive), "integrationConfig and creationConfig mean the same; give one of them")
			return
		}
		*v, _ = flags.ParseValue(text)
	}
}

// top reads a member of the document itself and remembers if it is bad.
func top[T comparable](r *reader, name string, method func() member[T]) member[T] {
	m := method()
	if m.bad {
		r.broken = append(r.broken, "/"+name)
	}
	return m
}

// templateDocument is what a document says, either of its two forms.
type templateDocument struct {
	input                 TemplateInput
	id, owner, maintainer member[string]
	created               member[int64]
}

var (
	inputNames  = []string{"key", "name", "description", "workflowId", "stages", "projectKey", "environmentKey", "flagKey"}
	exportNames = []string{"_id", "_key", "_creationDate", "_ownerId", "_maintainerId", "_links", "name", "description", "stages"}
)

// readDocument reads the whole document. It returns false when the text ended
// the reading.
func (r *reader) readDocument() (doc templateDocument, ok bool) {
	if r.BeginObject() {
		for name, more := r.NextMember(); more; name, more = r.NextMember() {
			r.readMember(&doc, name)
		}
	}
	r.End()
	if err := r.Err(); err != nil {
		r.problem(err.Pointer, err.Code, err.Message)
		return doc, false
	}
	return doc, true
}

func (r *reader) readMember(doc *templateDocument, name string) {
	in := &doc.input
	switch name {
	case "name":
		in.Name = top(r, name, r.optionalString).value
		return
	case "description":
		in.Description = top(r, name, r.optionalString).value
		return
	case "stages":
		in.Stages = r.readStages()
		return
	}
	if r.importing {
		r.readExported(doc, name)
		return
	}
	switch name {
	case "key":
		in.Key = top(r, name, r.requiredString).value
	case "workflowId":
		in.WorkflowID = top(r, name, r.optionalString).value
	case "projectKey":
		in.Origin.ProjectKey = top(r, name, r.optionalString).value
	case "environmentKey":
		in.Origin.EnvironmentKey = top(r, name, r.optionalString).value
	case "flagKey":
		in.Origin.FlagKey = top(r, name, r.optionalString).value
	case "_id", "_key", "_creationDate", "_ownerId", "_maintainerId", "_links":
		r.Skip()
	default:
		r.UnknownMember(name, inputNames...)
	}
}

func (r *reader) readExported(doc *templateDocument, name string) {
	switch name {
	case "_key":
		doc.input.Key = top(r, name, r.requiredString).value
	case "_id":
		doc.id = r.idMember()
	case "_creationDate":
		doc.created = r.optionalInt()
	case "_ownerId":
		doc.owner = r.idMember()
	case "_maintainerId":
		doc.maintainer = r.idMember()
	case "_links":
		r.Skip()
	default:
		r.UnknownMember(name, exportNames...)
	}
}

func (r *reader) readStages() []Stage {
	if r.Null() {
		return nil
	}
	list := make([]Stage, 0, 8) // many templates have no more
	if !r.BeginArray() {
		r.broken = append(r.broken, "/stages")
		return list
	}
	over := false
	for r.NextElement() {
		if over = len(list) == maxStages; over {
			r.Skip()
			continue
		}
		list = append(list, r.readStage())
	}
	if over {
		r.tooMany("stages", maxStages)
	}
	return list
}

// inOrder returns the problems in the order in which a reader of the document
// meets them.
func (r *reader) inOrder(document []byte) Problems {
	type located struct {
		Problem
		offset int
	}
	if len(r.problems) < 2 {
		return r.problems
	}
	list := make([]located, len(r.problems))
	for i, p := range r.problems {
		list[i] = located{p, len(document) + 1} // what was omitted stays last
		if p.Omitted == 0 {
			list[i].offset = strictjson.Offset(document, p.Pointer)
		}
	}
	slices.SortStableFunc(list, func(a, b located) int { return cmp.Compare(a.offset, b.offset) })
	for i, l := range list {
		r.problems[i] = l.Problem
	}
	return r.problems
}

func unknownWord(what, word string, known []string) string {
	message := "the " + what + " " + strictjson.Quote(word) + " is unknown; "
	if near := strictjson.Nearest(word, known); near != "" {
		return message + "did you mean " + strictjson.Quote(near) + "?"
	}
	return message + "it must be one of: " + strings.Join(known, ", ")
}
