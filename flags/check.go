package flags

import (
	"slices"
	"strconv"
	"strings"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Validate judges the instruction by the rules that reading keeps to, with
// pointers relative to the instruction. It reports an error exactly when
// decoding its JSON does; what is wrong is told by the same codes and pointers,
// except where a text is too long or a value too deep for any document. Nil
// says that it is valid: its JSON can then be read, and gives an equal
// instruction. Beyond that it refuses what its JSON cannot say: text that is
// not UTF-8, and members of a host's instruction that are called _id or kind.
func (in Instruction) Validate() Problems {
	var c checker
	if in.id != "" {
		c.at.push("_id")
		c.id(in.id)
		c.at.pop()
	}
	switch {
	case in.row == nil:
		c.missing("kind", messageMissing)
	case in.isHost():
		c.host(in)
	default:
		c.known(in)
	}
	if c.size > strictjson.MaxDocument && len(c.problems) == 0 {
		c.report(in.sizeDefect())
	}
	if len(c.problems) < 2 {
		return c.problems
	}
	return c.problems.InOrder(in.AppendJSON(nil))
}

// checker judges one instruction that was built in Go.
type checker struct {
	problems Problems
	at       place
	refs     nameSet
	size     int // at least the bytes of what was judged so far, when written
}

func (c *checker) report(code Code, message string) {
	if code != "" {
		c.problems.Report(c.at.pointer(), string(code), message)
	}
}

// missing reports that the current object lacks a member.
func (c *checker) missing(name, message string) {
	c.at.push(name)
	c.report(CodeRequired, message)
	c.at.pop()
}

// unknownMember reports that the current object has a member that it must not
// have.
func (c *checker) unknownMember(name string) {
	c.at.push(name)
	c.report(CodeUnknownMember, "the member "+strconv.Quote(name)+" is unknown here")
	c.at.pop()
}

func (c *checker) id(id string) {
	c.size += 6*len(id) + 16
	code, message := idDefect(id)
	if code == "" {
		code, message = textDefect(id)
	}
	c.report(code, message)
}

func (c *checker) host(in Instruction) {
	h := in.args[0].(host)
	c.size += 6*len(h.kind) + len(h.members.text) + 16
	if code, message := hostKindDefect(string(h.kind)); code != "" {
		c.at.push("kind")
		c.report(code, message)
		c.at.pop()
	}
	c.problems.AddAll("", membersProblems(h.members))
}

// membersProblems returns what is wrong with the members of an instruction of a
// host's kind. Pointers are relative to the instruction.
func membersProblems(members Value) Problems {
	return readDocument([]byte(members.text), func(d *strictjson.Decoder, _ *Problems) {
		if !d.BeginObject() {
			return
		}
		for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
			if slices.Contains(commonMembers, name) {
				d.Report(strictjson.CodeDuplicate, "stands in the instruction already; leave it out of the members")
			}
			v, ok := readValue(d)
			if !ok {
				continue
			}
			if code, message := depthDefect(v, 1); code != "" {
				d.Report(string(code), message)
			}
		}
	})
}

func (c *checker) known(in Instruction) {
	row := in.row
	c.size += 64
	var given uint32
	for i, a := range in.args {
		if a == nil {
			continue
		}
		given |= 1 << i
		p := &row.params[i]
		switch {
		case p.refused:
			c.unknownMember(p.name)
		case p.shape == serveShape:
			c.serveMembers(a.(Serve))
		default:
			c.size += len(p.name) + 8
			c.at.push(p.name)
			c.arg(p, a)
			c.at.pop()
		}
	}
	for i := range row.params {
		switch p := &row.params[i]; {
		case p.shape == serveShape:
			c.serve(in.args[i].(Serve))
		case row.lacks(i, given):
			c.missing(p.name, row.missing(i))
		}
	}
}

func (c *checker) arg(p *param, a arg) {
	switch a := a.(type) {
	case text:
		c.text(string(a), p.form)
	case truth:
	case texts:
		c.texts(a, p.form)
	case free:
		c.value(Value(a), false)
	case frees:
		c.values(a, false)
	case oneClause:
		c.clause((*Clause)(&a))
	case clauses:
		c.clauses(a)
	case rules:
		for i := range c.list(len(a)) {
			c.at.pushIndex(i)
			c.rule(&a[i])
			c.at.pop()
		}
		c.endList(len(a))
	case targets:
		for i := range c.list(len(a)) {
			c.at.pushIndex(i)
			c.targets(&a[i], p.shape)
			c.at.pop()
		}
		c.endList(len(a))
	case prerequisites:
		for i := range c.list(len(a)) {
			c.at.pushIndex(i)
			c.prerequisite(&a[i])
			c.at.pop()
		}
		c.endList(len(a))
	case Serve, host: // judged by their members
	}
}

// list returns how many entries of a list are judged.
func (c *checker) list(n int) int { return min(n, maxList) }

// endList judges the length of a list.
func (c *checker) endList(n int) { c.report(listDefect(n)) }

// member judges a text that is a member of the current object, if it is there.
func (c *checker) member(name, s string, f form) {
	c.at.push(name)
	c.text(s, f)
	c.at.pop()
}

// optional judges a member that is left out when its text is empty.
func (c *checker) optional(name, s string, f form) {
	if s != "" {
		c.member(name, s, f)
	}
}

func (c *checker) text(s string, f form) {
	c.size += 6*len(s) + 24
	code, message := textDefect(s)
	if code == "" {
		if code = f.judge(s); code != "" {
			message = f.message(s)
		}
	}
	if code == "" && f == refText && c.refs.add(s) {
		code, message = CodeDuplicate, messageRefTwice
	}
	c.report(code, message)
}

func (c *checker) texts(list []string, f form) {
	for i := range c.list(len(list)) {
		c.at.pushIndex(i)
		c.text(list[i], f)
		c.at.pop()
	}
	c.endList(len(list))
}

// value judges a value, which may be to name a segment. The steps that lead to
// it are the arrays and objects around it.
func (c *checker) value(v Value, segment bool) {
	c.size += len(v.text) + 8
	c.report(valueDefect(v, c.at.depth, segment))
}

func (c *checker) values(list []Value, segments bool) {
	for i := range c.list(len(list)) {
		c.at.pushIndex(i)
		c.value(list[i], segments)
		c.at.pop()
	}
	c.endList(len(list))
}

// place is where something stands in an instruction.
type place struct {
	steps [6]step // enough for /rules/N/clauses/N/values/N
	depth int
}

// step is a member's name, or the index of an array's element.
type step struct {
	name  string
	index int // -1 for a member
}

func (at *place) push(name string) {
	at.steps[at.depth] = step{name: name, index: -1}
	at.depth++
}

func (at *place) pushIndex(i int) {
	at.steps[at.depth] = step{index: i}
	at.depth++
}

func (at *place) pop() { at.depth-- }

// pointer returns the place as a JSON Pointer, with long names cut as
// everywhere.
func (at *place) pointer() string {
	var b []byte
	for _, s := range at.steps[:at.depth] {
		if s.index < 0 {
			b = strictjson.AppendPointer(b, strings.ToValidUTF8(cut(s.name, 64), "\uFFFD"))
			continue
		}
		b = append(b, '/')
		b = strconv.AppendInt(b, int64(s.index), 10)
	}
	return string(b)
}
