package flags

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Instruction is one step of a semantic patch: one change of a flag, named by
// its kind and told by the kind's parameters. There is a constructor for each
// kind, called as the kind is; [DecodeInstruction] reads one from JSON.
//
// Constructors take what they are given, and [Instruction.Validate] judges it.
// An instruction that was read without an error has nothing to find there.
//
// Instructions are immutable and safe for concurrent use. The zero Instruction
// has no kind and is not valid.
type Instruction struct {
	row  *kind
	id   string
	args []arg // one for each of row.params; for a host's kind a host
}

// build returns an instruction. The arguments follow row.params.
func build(row *kind, args ...arg) Instruction { return Instruction{row: row, args: args} }

// unlessEmpty returns the argument for an optional text.
func unlessEmpty(s string) arg {
	if s == "" {
		return nil
	}
	return text(s)
}

// unlessAbsent returns the argument for a value; null says as little as an
// absent one.
func unlessAbsent(v Value) arg {
	if v.IsZero() || v.text == "null" {
		return nil
	}
	return free(v)
}

// IsZero reports whether the instruction is the zero Instruction.
func (in Instruction) IsZero() bool { return in.row == nil && in.id == "" && in.args == nil }

// Kind returns the kind, "" for the zero Instruction.
func (in Instruction) Kind() Kind {
	switch {
	case in.row == nil:
		return ""
	case in.isHost():
		return in.args[0].(host).kind
	}
	return in.row.name
}

// ID returns the instruction's identifier, "" if it has none.
func (in Instruction) ID() string { return in.id }

// WithID returns the instruction with another identifier, "" for none. An
// identifier has at most 256 bytes.
func (in Instruction) WithID(id string) Instruction {
	in.id = id
	return in
}

// Scope returns how much of a flag the instruction concerns. It is "" for the
// zero Instruction and for kinds that a host defines: only the host knows.
func (in Instruction) Scope() Scope {
	if in.row == nil {
		return ""
	}
	return in.row.scope
}

// Reads returns what must exist or is looked at when the instruction is
// applied, besides what it writes blindly. Segments are named only if a clause
// of the instruction names some. The slice is the caller's; it is nil for kinds
// that a host defines.
func (in Instruction) Reads() []Field {
	if in.row == nil {
		return nil
	}
	fields := slices.Clone(in.row.reads)
	for _, a := range in.args {
		if namesSegments(a) {
			return append(fields, FieldSegments)
		}
	}
	return fields
}

// Writes returns the parts of the flag that the instruction may change. The
// slice is the caller's; it is nil for kinds that a host defines.
func (in Instruction) Writes() []Field {
	if in.row == nil {
		return nil
	}
	return slices.Clone(in.row.writes)
}

// Equal reports whether two instructions have the same kind, identifier and
// arguments.
func (in Instruction) Equal(other Instruction) bool {
	if in.row != other.row || in.id != other.id {
		return false
	}
	return slices.EqualFunc(in.args, other.args, func(a, b arg) bool {
		return a == nil && b == nil || a != nil && b != nil && a.equal(b)
	})
}

func (in Instruction) isHost() bool { return in.row == &hostRow }

// AppendJSON appends the instruction in its canonical form: _id if it has one,
// kind, then the parameters in a fixed order. It needs no memory besides dst.
func (in Instruction) AppendJSON(dst []byte) []byte {
	start := len(dst)
	if in.id != "" {
		dst = strictjson.AppendString(append(dst, `,"_id":`...), in.id)
	}
	if in.row != nil {
		dst = strictjson.AppendString(append(dst, `,"kind":`...), string(in.Kind()))
	}
	for i, a := range in.args {
		switch {
		case a == nil:
		case in.isHost() || in.row.params[i].shape == serveShape:
			dst = a.appendJSON(dst)
		default:
			dst = a.appendJSON(appendName(dst, in.row.params[i].name))
		}
	}
	return closeObject(dst, start)
}

// appendName appends the name of a member, which needs no escaping, with a
// comma before it.
func appendName(dst []byte, name string) []byte {
	return append(append(append(dst, `,"`...), name...), `":`...)
}

// appendText appends a member unless its text is empty.
func appendText(dst []byte, name, s string) []byte {
	if s == "" {
		return dst
	}
	return strictjson.AppendString(appendName(dst, name), s)
}

// closeObject makes an object of the members that dst has from start on, each
// with a comma before it.
func closeObject(dst []byte, start int) []byte {
	if len(dst) == start {
		return append(dst, "{}"...)
	}
	dst[start] = '{'
	return append(dst, '}')
}

// MarshalJSON returns the same bytes as [Instruction.AppendJSON].
func (in Instruction) MarshalJSON() ([]byte, error) { return in.AppendJSON(nil), nil }

// UnmarshalJSON reads the instruction as [DecodeInstruction] does without
// options. Null is an error, as it is everywhere in place of an instruction. An
// error is a [*ProblemsError], and leaves the instruction as it was; warnings
// alone are dropped.
func (in *Instruction) UnmarshalJSON(document []byte) error {
	read, problems := DecodeInstruction(document)
	if err := problems.Err(); err != nil {
		return err
	}
	*in = read
	return nil
}

// String says in plain words what the instruction does, for people who never
// saw its JSON: "turn targeting on". Texts of the instruction's author stand
// in it as they are, except that long ones are cut and that UUIDs are cut to
// their first digits, those that begin with a time to their first and last;
// whoever prints the sentence escapes it.
func (in Instruction) String() string {
	switch {
	case in.row == nil:
		return "do nothing"
	case in.isHost():
		return string(in.args[0].say([]byte("do what the host calls "), nil))
	}
	return string(in.sentence(nil, in.row.says))
}

// sentence appends a text in which parameters have their places.
func (in Instruction) sentence(dst []byte, says string) []byte {
	and := false // a part in brackets went immediately before
	for says != "" {
		i := strings.IndexAny(says, "{[")
		if i < 0 {
			return append(dst, says...)
		}
		dst = append(dst, says[:i]...)
		and = and && i == 0
		end := i + strings.IndexByte(says[i:], says[i]+2) // the bracket's counterpart
		part := says[i+1 : end]
		if says[i] == '{' {
			dst = in.say(dst, part)
		} else if in.hasAll(part) {
			if and {
				dst = append(dst, " and"...)
			}
			dst = in.sentence(dst, part)
			and = true
		}
		says = says[end+1:]
	}
	return dst
}

func (in Instruction) say(dst []byte, name string) []byte {
	for i := range in.row.params {
		if p := &in.row.params[i]; p.name == name && in.args[i] != nil {
			return in.args[i].say(dst, p)
		}
	}
	return append(dst, "nothing"...)
}

// hasAll reports whether all parameters that a text gives a place are there.
func (in Instruction) hasAll(part string) bool {
	for i := range in.row.params {
		if in.args[i] == nil && strings.Contains(part, "{"+in.row.params[i].name+"}") {
			return false
		}
	}
	return true
}

// Reading says how instructions are read. The zero Reading knows no kinds but
// those of [Kinds], and ignores identifiers.
type Reading struct {
	// HostKinds are kinds that the host defines; see [HostKinds].
	HostKinds []string
	// AnyHostKind lets every kind pass by whose name a host may call one of
	// its own, as if it stood in HostKinds.
	AnyHostKind bool
	// KeepIDs keeps each instruction's _id. Without it, _id is ignored,
	// whatever it is.
	KeepIDs bool
}

// Validate reports host kinds that have no proper name (malformed), or the
// name of a documented kind (duplicate). Such names are never matched in
// reading. It returns nil if there are none.
func (how Reading) Validate() Problems {
	var problems Problems
	for _, name := range how.HostKinds {
		if code, message := hostKindDefect(name); code != "" {
			problems.Errorf("", code, "host kind %s: %s", strictjson.Quote(name), message)
		}
	}
	return problems
}

// A DecodeOption changes how [DecodeInstruction] and [DecodeInstructions] read.
type DecodeOption func(*Reading)

// HostKinds lets instructions of kinds that the host program defines pass. All
// of their members but _id and kind are kept as they are, with the spelling of
// numbers and the order of members. A name has 1 to 256 letters, digits, dots,
// underscores and hyphens, and is not that of a documented kind: decoding then
// fails, whatever the document.
func HostKinds(kinds ...string) DecodeOption {
	return func(how *Reading) { how.HostKinds = append(how.HostKinds, kinds...) }
}

func newReading(options []DecodeOption) Reading {
	how := Reading{KeepIDs: true}
	for _, option := range options {
		if option != nil {
			option(&how)
		}
	}
	return how
}

// DecodeInstruction reads an instruction, its identifier included, from a JSON
// document of at most 1 MiB. It returns all problems that it finds; unless
// there is an error among them, the instruction is valid. Its canonical form
// has at most 1 MiB too.
func DecodeInstruction(document []byte, options ...DecodeOption) (Instruction, Problems) {
	var in Instruction
	problems := decode(document, options, func(d *strictjson.Decoder, problems *Problems, how Reading) {
		in, _ = readSized(d, problems, how, len(document))
	})
	if problems.Err() != nil {
		return Instruction{}, problems
	}
	return in, problems
}

// DecodeInstructions reads a JSON array of instructions as [DecodeInstruction]
// reads one. It returns an empty slice for an empty array, and nil when there
// is an error in any of the instructions.
func DecodeInstructions(document []byte, options ...DecodeOption) ([]Instruction, Problems) {
	list := []Instruction{}
	problems := decode(document, options, func(d *strictjson.Decoder, problems *Problems, how Reading) {
		if !d.BeginArray() {
			return
		}
		for d.NextElement() {
			if in, _ := readSized(d, problems, how, len(document)); d.Reports() == 0 {
				list = append(list, in)
			}
		}
	})
	if problems.Err() != nil {
		return nil, problems
	}
	return list, problems
}

func decode(document []byte, options []DecodeOption, read func(*strictjson.Decoder, *Problems, Reading)) Problems {
	how := newReading(options)
	problems := how.Validate()
	if problems != nil {
		return problems
	}
	return readDocument(document, func(d *strictjson.Decoder, problems *Problems) { read(d, problems, how) })
}

// readDocument reads a whole document and returns what is wrong with it, in
// document order.
func readDocument(document []byte, read func(*strictjson.Decoder, *Problems)) Problems {
	var problems Problems
	d := strictjson.NewDecoder(document, problems.Report)
	d.TellUntil(problems.Full)
	read(d, &problems)
	d.End()
	if err := d.Err(); err != nil {
		problems.Report(err.Pointer, err.Code, err.Message)
	}
	if untold := d.Untold(); untold > 0 {
		problems.Add(Problem{Severity: SeverityError, Omitted: untold})
	}
	return problems.InOrder(document)
}

// readSized reads an instruction whose canonical form must be no document too
// large to be read. That is measured only if it can be: no byte of a document
// of the given length becomes more than six.
func readSized(d *strictjson.Decoder, problems *Problems, how Reading, length int) (Instruction, bool) {
	in, ok := ReadInstruction(d, problems, how)
	if ok && length > strictjson.MaxDocument/6-64 {
		if code, message := in.sizeDefect(); code != "" {
			d.Report(string(code), message)
			return Instruction{}, false
		}
	}
	return in, ok
}

func (in Instruction) sizeDefect() (Code, string) {
	if n := len(in.AppendJSON(nil)); n > strictjson.MaxDocument {
		return CodeTooLarge, fmt.Sprintf("has %d bytes when written; at most %d are allowed", n, strictjson.MaxDocument)
	}
	return "", ""
}

// host is the only argument of a host's instruction.
type host struct {
	kind    Kind
	members Value
}

// appendJSON appends the members, each with a comma before it.
func (h host) appendJSON(dst []byte) []byte {
	text := h.members.text
	if len(text) <= len("{}") || text[0] != '{' {
		return dst
	}
	return append(append(dst, ','), text[1:len(text)-1]...)
}

func (h host) equal(other arg) bool { o, ok := other.(host); return ok && o == h }

func (h host) say(dst []byte, _ *param) []byte { return sayText(dst, string(h.kind)) }

// HostInstruction returns an instruction of a kind that the host program
// defines. members is a JSON object of everything but _id and kind; the absent
// Value stands for an empty one.
func HostInstruction(kind string, members Value) Instruction {
	if members.IsZero() {
		members = Value{text: "{}", depth: 1}
	}
	return build(&hostRow, host{Kind(kind), members})
}

func hostKindDefect(name string) (Code, string) {
	switch {
	case rows[name] != nil:
		return CodeDuplicate, "is documented and cannot be defined again"
	case !isName(name):
		return CodeMalformed, "must be 1 to 256 letters, digits, dots, underscores or hyphens"
	}
	return "", ""
}
