package flags

import (
	"fmt"
	"strconv"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// ReadInstruction reads the next value of d as one instruction. It reports all
// problems of it, and returns false if there is an error among them. d must
// report to problems, too.
//
// It is for the other packages of this module, whose documents hold
// instructions: nobody else can make a decoder. Use [DecodeInstruction].
func ReadInstruction(d *strictjson.Decoder, problems *Problems, how Reading) (in Instruction, ok bool) {
	if d == nil || problems == nil {
		return Instruction{}, false
	}
	r := reader{d: d, problems: problems}
	before := problems.count()
	in = r.instruction(&how)
	if d.Err() != nil || problems.count()-before > r.warnings {
		return Instruction{}, false
	}
	return in, true
}

// reader reads one instruction.
type reader struct {
	d        *strictjson.Decoder
	problems *Problems
	warnings int     // among the problems of this instruction
	refs     nameSet // that the instruction gives
}

func (r *reader) report(code Code, message string) {
	if code != "" {
		r.d.Report(string(code), message)
	}
}

// missing reports that the object which was just left lacks a member.
func (r *reader) missing(name string) {
	if r.d.Err() == nil {
		r.problems.Errorf(r.d.PointerTo(name), CodeRequired, messageMissing)
	}
}

// What is said in several places.
const (
	messageMissing  = "is missing"
	messageEmpty    = "must not be empty"
	messageNull     = "must not be null"
	messageRefTwice = "the same reference is given twice in this instruction"
)

// instruction reads an instruction. What it returns is of use only if nothing
// but warnings was reported.
func (r *reader) instruction(how *Reading) Instruction {
	d := r.d
	if !d.BeginObject() {
		return Instruction{}
	}
	var row *kind
	if name, sort := d.Peek("kind"); sort == strictjson.String {
		row = how.row(name)
	}
	switch {
	case row == nil:
		r.unknown(how)
		return Instruction{}
	case row.host:
		return r.host(row, how)
	}
	return r.known(row, how)
}

// unknown passes over the members of an instruction whose kind is missing or
// unknown.
func (r *reader) unknown(how *Reading) {
	d, found := r.d, false
	for member, ok := d.NextMember(); ok; member, ok = d.NextMember() {
		if member != "kind" {
			d.Skip()
			continue
		}
		found = true
		if name, ok := d.ReadString(); ok {
			message := strictjson.Quote(name) + " is no kind of instruction"
			if len(*r.problems) < MaxProblems { // further ones are only counted
				message += "; the nearest is " + strictjson.Quote(how.nearest(name))
			}
			r.report(CodeUnknownKind, message)
		}
	}
	if !found {
		r.missing("kind")
	}
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

func (r *reader) host(row *kind, how *Reading) Instruction {
	d := r.d
	in := Instruction{row: row}
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
			members = strictjson.AppendString(append(members, ','), name)
			members = v.AppendJSON(append(members, ':'))
			depth = max(depth, v.depth)
		}
	}
	in.args = []arg{host(Value{text: string(closeObject(members, 0)), depth: depth + 1})}
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
			d.UnknownMember(name, row.members()...)
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
			r.missing(row.params[i].name)
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
		return free(r.value(1))
	case valuesShape:
		return frees(r.values(2))
	case clauseShape:
		return oneClause(r.clause(2))
	case clausesShape:
		return clauses(r.clauses(2))
	case rulesShape:
		return rules(readList(r, []Rule(nil), r.rule))
	case targetsShape, userTargetsShape:
		return targets(readList(r, []Targets(nil), func() Targets { return r.targets(p.shape) }))
	case prerequisitesShape:
		return prerequisites(readList(r, []Prerequisite(nil), r.prerequisite))
	}
	panic("flags: parameter " + p.name + " has no shape") // serveShape is read by its members
}

// text reads a text.
func (r *reader) text(f form) string {
	s, ok := r.d.ReadString()
	if !ok {
		return ""
	}
	code, message := f.defect(s)
	if code == "" && f == refText && r.refs.add(s) {
		code, message = CodeDuplicate, messageRefTwice
	}
	r.report(code, message)
	return s
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
	return readList(r, make([]string, 0, 4), func() string { return r.text(f) })
}

// value reads a value around which the given number of arrays and objects
// stand inside the instruction.
func (r *reader) value(above int) Value {
	v, ok := readValue(r.d)
	if ok {
		r.report(valueDefect(v, above))
	}
	return v
}

// values reads a list of values; above counts the list.
func (r *reader) values(above int) []Value {
	return readList(r, make([]Value, 0, 4), func() Value { return r.value(above) })
}

// readList reads an array and appends its elements to list.
func readList[T any](r *reader, list []T, element func() T) []T {
	d := r.d
	if !d.BeginArray() {
		return list
	}
	n := 0
	for ; d.NextElement(); n++ {
		if n < maxList {
			list = append(list, element())
		} else {
			d.Skip()
		}
	}
	r.report(listDefect(n))
	return list
}

// listDefect returns what is wrong with a list of n entries.
func listDefect(n int) (Code, string) {
	if n > maxList {
		return CodeTooLarge, fmt.Sprintf("has %d entries; at most %d are allowed", n, maxList)
	}
	return "", ""
}
