package flags

import (
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
	// NewIDs are the identifiers that what the instructions add has in the flag
	// that they lead to, in the order in which [Apply] asks for them. [Diff]
	// gives them; the patch's JSON does not hold them.
	NewIDs []string
}

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

// AppendJSON appends the patch as the published API takes it: an object of
// comment, environmentKey and instructions.
func (p Patch) AppendJSON(dst []byte) []byte {
	start := len(dst)
	dst = appendText(dst, "comment", p.Comment)
	dst = appendText(dst, "environmentKey", p.Environment)
	dst = appendList(appendName(dst, "instructions"), p.Instructions, func(in *Instruction, dst []byte) []byte { return in.AppendJSON(dst) })
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
// object of comment, environmentKey and instructions, of which only the last is
// required, or the array of instructions alone. It returns all problems that it
// finds; when there is an error among them, the patch is zero.
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
		given := false
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
			default:
				d.UnknownMember(name, "comment", "environmentKey", "instructions")
			}
		}
		if !given {
			r.missing("instructions", messageMissing)
		}
	})
	if problems.Err() != nil {
		return Patch{}, problems
	}
	return p, problems
}
