package flagstage

import (
	"fmt"
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
	document  []byte
	problems  Problems
	importing bool
	reading   flags.Reading
	rules     rules
	broken    []string // pointers at which an error was reported

	doc   templateDocument
	whole bool // all of the document was read, and its values can be judged
}

func newReader(document []byte, importing bool, reading flags.Reading) *reader {
	r := &reader{document: document, importing: importing, reading: reading}
	r.reading.KeepIDs = importing
	r.Decoder = strictjson.NewDecoder(document, r.problem)
	r.TellUntil(r.problems.Full)
	r.problems.AddAll("", r.reading.Validate())
	return r
}

// problem is the decoder's reporter.
func (r *reader) problem(pointer, code, message string) {
	r.problems.Report(pointer, code, message)
	r.broken = append(r.broken, pointer)
}

// errorAt reports an error at a member of the object that was just read.
func (r *reader) errorAt(member string, code flags.Code, format string, args ...any) {
	r.ReportMember(member, string(code), fmt.Sprintf(format, args...))
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
		s, _ := r.ReadString() // a bad one keeps its place
		list = append(list, s)
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
	if code, defect := idDefect(m.value); m.given && !m.bad && defect != "" {
		r.Report(string(code), defect)
		m.bad = true
	}
	return m
}

// config reads the form variables of an approval, which have two names.
func (r *reader) config(m *conditionMembers, name string) {
	switch {
	case r.Null():
	case r.Kind() != strictjson.Object:
		r.BeginObject() // reports
	default:
		text, _, ok := r.ReadValue()
		if !ok {
			return
		}
		if m.configName != "" {
			r.Report(string(flags.CodeExclusive), "integrationConfig and creationConfig mean the same; give one of them")
			return
		}
		m.config, _ = flags.ParseValue(text)
		m.configName = name
	}
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

// readDocument reads the whole document of a template.
func (r *reader) readDocument() {
	r.readObject(func(name string) { r.readMember(&r.doc, name) })
}

// readObject reads the whole document, whose members one function reads.
func (r *reader) readObject(member func(name string)) {
	object := r.BeginObject()
	if object {
		for name, more := r.NextMember(); more; name, more = r.NextMember() {
			member(name)
		}
	}
	r.End()
	if err := r.Err(); err != nil {
		if !object {
			r.problems = nil // the text is worse than of the wrong type
		}
		r.problem(err.Pointer, err.Code, err.Message)
		object = false
	}
	r.whole = object
}

// judge returns a judge of what was read.
func (r *reader) judge(problems *Problems) judge {
	j := newJudge(problems)
	j.read, j.rules, j.broken = true, r.rules, r.broken
	return j
}

func (r *reader) readMember(doc *templateDocument, name string) {
	in := &doc.input
	switch name {
	case "name":
		in.Name = r.optionalString().value
		return
	case "description":
		in.Description = r.optionalString().value
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
		in.Key = r.requiredString().value
	case "workflowId":
		in.WorkflowID = r.optionalString().value
	case "projectKey":
		in.Origin.ProjectKey = r.optionalString().value
	case "environmentKey":
		in.Origin.EnvironmentKey = r.optionalString().value
	case "flagKey":
		in.Origin.FlagKey = r.optionalString().value
	case "_id", "_key", "_creationDate", "_ownerId", "_maintainerId", "_links":
		r.Skip()
	default:
		r.UnknownMember(name, inputNames...)
	}
}

func (r *reader) readExported(doc *templateDocument, name string) {
	switch name {
	case "_key":
		doc.input.Key = r.requiredString().value
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
	if list := readList(r, 8, maxStages, "stages", r.readStage); list != nil {
		return list
	}
	return []Stage{} // they were given
}

// readList reads an array of at most limit elements, and reports what is no
// array, or too long. It returns nil for what is no array. room is how many
// elements there usually are.
func readList[T any](r *reader, room, limit int, what string, element func() T) []T {
	if !r.BeginArray() {
		return nil
	}
	list, over := make([]T, 0, room), false
	for r.NextElement() {
		if over = len(list) == limit; over {
			r.Skip()
			continue
		}
		list = append(list, element())
	}
	if over {
		r.Report(string(flags.CodeTooLarge), tooMany(what, limit))
	}
	return list
}

// judged returns what the reader and the judge found, in the order in which one
// who reads the document meets it.
func (r *reader) judged(more Problems) Problems {
	if n := r.Untold(); n > 0 {
		r.problems.Add(Problem{Severity: SeverityError, Omitted: n})
	}
	return append(slices.Clip(r.problems), more...).InOrder(r.document)
}

func unknownWord(what, word string, known []string) string {
	message := "the " + what + " " + strictjson.Quote(word) + " is unknown; "
	if near := strictjson.Nearest(word, known); near != "" {
		return message + "did you mean " + strictjson.Quote(near) + "?"
	}
	return message + "it must be one of: " + strings.Join(known, ", ")
}
