package flagstage

import (
	"strings"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// actionPatch is the one kind of action there is.
const actionPatch = "patch"

// Action is what a stage does to the flag when its conditions are met: a
// semantic patch, all of which is applied or nothing. The zero Action does
// nothing; its stage only holds back those after it.
type Action struct {
	Instructions []flags.Instruction // in the order in which they apply
}

// Patch returns the action of the given instructions.
func Patch(instructions ...flags.Instruction) Action {
	return Action{Instructions: instructions}
}

// readAction reads the action of a stage.
func (r *reader) readAction() (a Action) {
	if r.Null() || !r.BeginObject() {
		return a
	}
	for name, ok := r.NextMember(); ok; name, ok = r.NextMember() {
		switch name {
		case "kind":
			if kind := r.optionalString(); kind.given && !kind.bad && kind.value != actionPatch {
				r.Report(string(flags.CodeUnknownKind), "the only kind of action is "+`"patch"`)
			}
		case "instructions":
			a.Instructions = r.readInstructions()
		default:
			r.UnknownMember(name, "kind", "instructions")
		}
	}
	return a
}

// readInstructions reads the instructions of an action. The published example
// shows them as JSON inside a string: an object with the array; its array
// alone is taken too.
func (r *reader) readInstructions() []flags.Instruction {
	if r.Null() {
		return nil
	}
	if r.Kind() != strictjson.String {
		return r.readInstructionArray()
	}
	text, ok := r.ReadString()
	if !ok {
		return nil
	}
	object := strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{")
	outer := r.Decoder
	r.Decoder = outer.Inside(text, object)
	list := r.readInstructionText(object)
	r.End()
	if err := r.Err(); err != nil {
		r.problem(err.Pointer, err.Code, "in the JSON inside this string: "+err.Message)
	}
	r.Decoder = outer
	return list
}

func (r *reader) readInstructionText(object bool) (list []flags.Instruction) {
	if !object {
		return r.readInstructionArray()
	}
	r.BeginObject()
	found := false
	for name, ok := r.NextMember(); ok; name, ok = r.NextMember() {
		if name != "instructions" {
			r.UnknownMember(name, "instructions")
			continue
		}
		found = true
		list = r.readInstructionArray()
	}
	if !found && r.Err() == nil {
		r.errorAt("instructions", flags.CodeRequired, "the JSON inside this string has no instructions")
	}
	return list
}

func (r *reader) readInstructionArray() []flags.Instruction {
	return readList(r, 4, maxInstructions, "instructions in a stage", func() flags.Instruction {
		in, _ := flags.ReadInstruction(r.Decoder, &r.problems, r.reading)
		return in
	})
}

// appendAction appends the action as the published response shows it. It stops
// somewhere when the result has become longer than limit.
func appendAction(dst []byte, a Action, limit int) []byte {
	dst = append(dst, `{"kind":"patch","instructions":[`...)
	for i, in := range a.Instructions {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst = in.AppendJSON(dst); len(dst) > limit {
			return dst
		}
	}
	return append(dst, "]}"...)
}
