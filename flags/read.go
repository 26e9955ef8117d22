package flags

import (
	"fmt"
	"strconv"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// ReadInstruction reads the next value of d as one instruction. It reports all
// problems of it, and returns false if there is an error among them. Errors are
// reported through d, which must report to problems, and warnings to problems.
//
// It is for the other packages of this module, whose documents hold
// instructions: nobody else can make a decoder. Use [DecodeInstruction].
func ReadInstruction(d *strictjson.Decoder, problems *Problems, how Reading) (in Instruction, ok bool) {
	if d == nil || problems == nil {
		return Instruction{}, false
	}
	r := reader{d: d, problems: problems, before: d.Reports()}
	in = r.instruction(&how)
	if d.Err() != nil || r.failed() {
		return Instruction{}, false
	}
	return in, true
}

// reader reads one instruction.
type reader struct {
	d        *strictjson.Decoder
	problems *Problems
	before   int     // errors when the instruction began
	refs     nameSet // that the instruction gives
}

// failed reports whether an error of the instruction is known. What is read
// from then on is only judged, not kept.
func (r *reader) failed() bool { return r.d.Reports() > r.before }

func (r *reader) report(code Code, message string) {
	if code != "" {
		r.d.Report(string(code), message)
	}
}

// missing reports that the object which was just left lacks a member.
func (r *reader) missing(name, message string) {
	r.d.ReportMember(name, string(CodeRequired), message)
}

// What is said in several places.
const (
	messageMissing  = "is missing"
	messageEmpty    = "must not be empty"
	messageNull     = "must not be null"
	messageRefTwice = "the same reference is given twice in this instruction"
	messageNoServe  = "give " + memberVariationID + " or " + memberWeights

	messageTwoServed = `cannot stand beside "` + memberVariationID + `": serve one variation, or several by weight`
)

// instruction reads an instruction. What it returns is of use only if nothing
// but warnings was reported.
func (r *reader) instruction(how *Reading) Instruction {
	d := r.d
	if !d.BeginObject() {
		return Instruction{}
	}
	var row *kind
	name, sort := d.Peek("kind")
	if sort == strictjson.String {
		row = how.row(name)
	}
	switch row {
	case nil:
		r.unknown(how, sort == strictjson.Invalid)
		return Instruction{}
	case &hostRow:
		return r.host(Kind(name), how)
	}
	return r.known(row, how)
}

// commonMembers may stand in instructions of every kind.
var commonMembers = []string{"_id", "kind"}

// unknown passes over the members of an instruction whose kind is missing or
// unknown. Where it is missing, a member that may be meant to be one of those
// of every kind is named.
func (r *reader) unknown(how *Reading, missing bool) {
	d := r.d
	for member, ok := d.NextMember(); ok; member, ok = d.NextMember() {
		switch {
		case member == "kind":
			r.unknownKind(how)
		case missing && member != "_id" && strictjson.Nearest(member, commonMembers) != "":
			d.UnknownMember(member, commonMembers...)
		default:
			d.Skip()
		}
	}
	if missing {
		r.missing("kind", messageMissing)
	}
}

func (r *reader) unknownKind(how *Reading) {
	name, ok := r.d.ReadString()
	if !ok {
		return
	}
	r.d.ReportFunc(string(CodeUnknownKind), func() string {
		message := strictjson.Quote(name) + " is no kind of instruction"
		if len(*r.problems) < MaxProblems { // further ones are only counted
			message += "; the nearest is " + strictjson.Quote(how.nearest(name))
		}
		return message
	})
}

// id reads or ignores the identifier.
func (r *reader) id(how *Reading) string {
	if !how.KeepIDs {
		r.d.Skip()
		return ""
	}
	if r.d.Null() {
		return ""
	}
	id, ok := r.d.ReadString()
	if ok && id == "" {
		r.report(CodeMalformed, messageEmpty)
	}
	r.report(idDefect(id))
	return id
}

// idDefect returns what is wrong with an identifier, if there is one.
func idDefect(id string) (Code, string) {
	const most = 256
	if len(id) > most {
		return CodeTooLarge, fmt.Sprintf("has %d bytes; at most %d are allowed", len(id), most)
	}
	return "", ""
}

func (r *reader) host(kind Kind, how *Reading) Instruction {
	d := r.d
	in := Instruction{row: &hostRow}
	members, depth := []byte(nil), 0
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch name {
		case "_id":
			in.id = r.id(how)
		case "kind":
			d.Skip()
		default:
			v, _ := readValue(d)
			r.report(depthDefect(v, 1))
			if r.failed() {
				continue
			}
			members = strictjson.AppendString(append(members, ','), name)
			members = v.AppendJSON(append(members, ':'))
			depth = max(depth, v.depth)
		}
	}
	in.args = []arg{host{kind, Value{text: string(closeObject(members, 0)), depth: depth + 1}}}
	return in
}

func (r *reader) known(row *kind, how *Reading) Instruction {
	d := r.d
	in := Instruction{row: row}
	if n := len(row.params); n > 0 {
		in.args = make([]arg, n)
	}
	var seen, given uint32 // bits by parameter; given: and not null
	var serve serveDraft
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch name {
		case "_id":
			in.id = r.id(how)
			continue
		case "kind":
			d.Skip()
			continue
		}
		i := row.find(name)
		if i < 0 {
			d.UnknownMember(name, members[row.name]...)
			continue
		}
		p := &row.params[i]
		if p.shape == serveShape {
			r.serveMember(&serve, name)
			continue
		}
		if seen&(1<<i) != 0 {
			r.report(CodeDuplicate, "is the same member as "+strconv.Quote(p.name)+" in another spelling")
			d.Skip()
			continue
		}
		seen |= 1 << i
		if p.optional && d.Null() {
			continue
		}
		given |= 1 << i
		in.args[i] = r.arg(p)
	}
	for i := range row.params {
		switch {
		case row.params[i].shape == serveShape:
			in.args[i] = r.serve(&serve)
		case row.lacks(i, given):
			r.missing(row.params[i].name, row.missing(i))
		}
	}
	return in
}

// arg reads the argument of a parameter. nil stands for a text that says
// nothing.
func (r *reader) arg(p *param) arg {
	switch p.shape {
	case textShape:
		s := r.text(p.form)
		if p.form == blankText {
			return unlessEmpty(s)
		}
		return text(s)
	case truthShape:
		b, _ := r.d.ReadBool()
		return truth(b)
	case textsShape:
		return r.texts(p.form)
	case valueShape:
		return free(r.value(1, false))
	case valuesShape:
		return frees(r.values(2, false))
	case clauseShape:
		return oneClause(r.clause(2))
	case clausesShape:
		return clauses(r.clauses(2))
	case rulesShape:
		return rules(readList(r, 0, r.rule))
	case targetsShape, userTargetsShape:
		return targets(readList(r, 0, func() Targets { return r.targets(p.shape) }))
	case prerequisitesShape:
		return prerequisites(readList(r, 0, r.prerequisite))
	}
	panic("flags: parameter " + p.name + " has no shape") // serveShape is read by its members
}

// text reads a text.
func (r *reader) text(f form) string {
	s, ok := r.d.ReadString()
	if !ok {
		return ""
	}
	if r.fits(f, s) && f == refText && r.refs.add(s) {
		r.report(CodeDuplicate, messageRefTwice)
	}
	return s
}

// fits reports a text that has not the form it needs, and returns false.
func (r *reader) fits(f form, s string) bool {
	code := f.judge(s)
	if code != "" {
		r.d.ReportFunc(string(code), func() string { return f.message(s) })
	}
	return code == ""
}

// optional reads a text, or null as an empty one.
func (r *reader) optional(f form) string {
	if r.d.Null() {
		return ""
	}
	return r.text(f)
}

// flag reads a boolean, or null as false.
func (r *reader) flag() bool {
	if r.d.Null() {
		return false
	}
	b, _ := r.d.ReadBool()
	return b
}

func (r *reader) texts(f form) texts {
	return readList(r, 4, func() string { return r.text(f) })
}

// value reads a value around which the given number of arrays and objects
// stand inside the instruction; segment says that it names a segment.
func (r *reader) value(above int, segment bool) Value {
	v, ok := readValue(r.d)
	if ok {
		r.report(valueDefect(v, above, segment))
	}
	return v
}

// values reads a list of values; above counts the list.
func (r *reader) values(above int, segments bool) []Value {
	return readList(r, 4, func() Value { return r.value(above, segments) })
}

// readList reads an array, which usually has so many elements, and at most as
// many as a list may have. After an error it has fewer than it should.
func readList[T any](r *reader, usual int, element func() T) []T {
	return readListUpTo(r, maxList, usual, element)
}

// readListUpTo is readList for arrays with another limit.
func readListUpTo[T any](r *reader, most, usual int, element func() T) []T {
	d := r.d
	if !d.BeginArray() {
		return nil
	}
	var list []T
	if !r.failed() {
		list = make([]T, 0, usual)
	}
	n := 0
	for ; d.NextElement(); n++ {
		if n >= most {
			d.Skip()
		} else if e := element(); !r.failed() {
			list = append(list, e)
		}
	}
	r.report(lengthDefect(n, most))
	return list
}

// listDefect returns what is wrong with a list of n entries.
func listDefect(n int) (Code, string) { return lengthDefect(n, maxList) }

func lengthDefect(n, most int) (Code, string) {
	if n > most {
		return CodeTooLarge, fmt.Sprintf("has %d entries; at most %d are allowed", n, most)
	}
	return "", ""
}
