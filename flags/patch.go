package flags

import (
	"slices"
	"strconv"
	"time"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Patch is a semantic patch: instructions for a flag. The zero Patch changes
// nothing.
type Patch struct {
	// Environment is the key of the environment that instructions of
	// [ScopeEnvironment] concern; "" if the patch does not say.
	Environment  string
	Comment      string // for people; "" is none
	Instructions []Instruction
	// NewIDs are the identifiers of what the instructions add, in the order in
	// which [Apply] asks for them: one for each rule, clause and variation. [Diff]
	// gives them. None says that the one who applies the patch makes them.
	NewIDs []string
}

// memberNewIDs is the member of a patch's JSON that is our own.
const memberNewIDs = "newIds"

// IDs returns a source of NewIDs, for one call of [Apply]. It is not safe for
// concurrent use, and gives empty identifiers, which are none, when NewIDs are
// used up.
func (p Patch) IDs() IDSource { return &listedIDs{p.NewIDs} }

type listedIDs struct{ left []string }

func (l *listedIDs) NewID(time.Time) (id string) {
	if len(l.left) > 0 {
		id, l.left = l.left[0], l.left[1:]
	}
	return id
}

// NeedsIDs reports whether an instruction names one of NewIDs: it concerns what
// the same patch adds, so that the patch can be applied with these identifiers
// only.
func (p Patch) NeedsIDs() bool {
	if len(p.NewIDs) == 0 {
		return false
	}
	added := make(map[string]bool, len(p.NewIDs))
	for _, id := range p.NewIDs {
		added[id] = true
	}
	return slices.ContainsFunc(p.Instructions, func(in Instruction) bool {
		return slices.ContainsFunc(in.Slots(), func(s Slot) bool { return s.names(added) })
	})
}

// adds returns how many things the instructions add that get an identifier.
func (p Patch) adds() (n int) {
	for _, in := range p.Instructions {
		n += in.adds()
	}
	return n
}

// adds returns how many things the instruction adds that get an identifier.
func (in Instruction) adds() (n int) {
	if in.isHost() {
		return 0
	}
	if in.row.adds {
		n++
	}
	for _, a := range in.args {
		switch a := a.(type) {
		case clauses:
			n += len(a)
		case rules:
			for i := range a {
				n += 1 + len(a[i].Clauses)
			}
		case nil, text, truth, texts, free, frees, Serve, targets, prerequisites, oneClause, host:
		}
	}
	return n
}

// newIDs reads identifiers. How many there may be is limited by the document
// only, as with instructions.
func (r *reader) newIDs() (list []string) {
	if !r.d.BeginArray() {
		return nil
	}
	for r.d.NextElement() {
		id := r.text(idText)
		if IsRef(id) && !r.failed() {
			r.report(CodeMalformed, "is a reference; an identifier is wanted")
		}
		list = append(list, id)
	}
	return list
}

// AppendJSON appends the patch as the published API takes it: an object of
// comment, environmentKey and instructions. NewIDs, if there are any, follow as
// newIds, which that API does not know.
func (p Patch) AppendJSON(dst []byte) []byte {
	start := len(dst)
	dst = appendText(dst, "comment", p.Comment)
	dst = appendText(dst, "environmentKey", p.Environment)
	dst = appendList(appendName(dst, "instructions"), p.Instructions, func(in *Instruction, dst []byte) []byte { return in.AppendJSON(dst) })
	if len(p.NewIDs) > 0 {
		dst = strictjson.AppendStrings(appendName(dst, memberNewIDs), p.NewIDs)
	}
	return closeObject(dst, start)
}

// MarshalJSON returns the same bytes as [Patch.AppendJSON].
func (p Patch) MarshalJSON() ([]byte, error) { return p.AppendJSON(nil), nil }

// UnmarshalJSON reads the patch as [DecodePatch] does without options. An error
// is a [*ProblemsError], and leaves the patch as it was; warnings alone are
// dropped.
func (p *Patch) UnmarshalJSON(document []byte) error {
	read, problems := DecodePatch(document)
	if err := problems.Err(); err != nil {
		return err
	}
	*p = read
	return nil
}

// DecodePatch reads a semantic patch from a JSON document of at most 1 MiB: an
// object of comment, environmentKey, instructions and newIds, of which only
// instructions are required, or the array of instructions alone. If there are
// newIds, there is one for each thing that the instructions add. It returns all
// problems that it finds; when there is an error among them, the patch is zero.
func DecodePatch(document []byte, options ...DecodeOption) (Patch, Problems) {
	p := Patch{Instructions: []Instruction{}}
	problems := decode(document, options, func(d *strictjson.Decoder, problems *Problems, how Reading) {
		read := func() {
			if !d.BeginArray() {
				return
			}
			for d.NextElement() {
				if in, _ := readSized(d, problems, how, len(document)); d.Reports() == 0 {
					p.Instructions = append(p.Instructions, in)
				}
			}
		}
		if d.Kind() == strictjson.Array {
			read()
			return
		}
		if !d.BeginObject() {
			return
		}
		r := reader{d: d, problems: problems}
		given, fresh := false, false
		for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
			switch name {
			case "comment":
				p.Comment = r.optional(blankText)
			case "environmentKey":
				if !d.Null() {
					p.Environment = r.text(environmentText)
				}
			case "instructions":
				given = true
				read()
			case memberNewIDs:
				if fresh = !d.Null(); fresh {
					p.NewIDs = r.newIDs()
				}
			default:
				d.UnknownMember(name, "comment", "environmentKey", "instructions", memberNewIDs)
			}
		}
		if !given {
			r.missing("instructions", messageMissing)
		}
		if adds := p.adds(); fresh && !r.failed() && adds != len(p.NewIDs) {
			d.ReportMember(memberNewIDs, string(CodeMalformed), "has "+strconv.Itoa(len(p.NewIDs))+
				" identifiers, but the instructions add "+strconv.Itoa(adds)+" rules, clauses and variations; leave it out to have them made")
		}
	})
	if problems.Err() != nil {
		return Patch{}, problems
	}
	return p, problems
}
