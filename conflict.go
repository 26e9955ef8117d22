package flagstage

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/escape"
)

// FlagConflictError is the error of a stage that would change a field of its
// flag that somebody else has changed meanwhile. It wraps [ErrConflict].
type FlagConflictError struct {
	// Instruction is the index of the first instruction of the stage that
	// concerns the field, -1 if no single one does.
	Instruction int
	// Pointer names the field that the stage would change, as
	// [flags.ChangedFields] does. Is is what it is now, and Wants what the stage
	// wants; the zero Value: it is not there.
	Pointer   string
	Is, Wants Value
	// Changed names the field that somebody else has changed: the same, one
	// inside of it, or one that it is inside of. Was is what that was before;
	// the zero Value: it was not there, or is not known since very much was
	// changed at once.
	Changed string
	Was     Value
	// By is who changed it last: the identity of an [Actor], or "workflow:" and
	// the identifier of a workflow.
	By string
}

// Error says what the stage wants, and who has changed what.
func (e *FlagConflictError) Error() string { return ErrConflict.Error() + ": " + e.sentence() }

// sentence is the error for people, without its code.
func (e *FlagConflictError) sentence() string {
	var b strings.Builder
	if e.Instruction >= 0 {
		fmt.Fprintf(&b, "instruction %d", e.Instruction)
	} else {
		b.WriteString("the stage")
	}
	fmt.Fprintf(&b, " would change %s from %s to %s, but %s has ", inError(e.Pointer), valueInError(e.Is), valueInError(e.Wants), inError(e.By))
	switch {
	case e.Changed != e.Pointer:
		b.WriteString("changed " + inError(e.Changed))
	case e.Was.IsZero():
		b.WriteString("changed it")
	default:
		b.WriteString("changed it from " + valueInError(e.Was))
	}
	b.WriteString(" since; see which of them is wanted")
	return b.String()
}

// Unwrap returns [ErrConflict].
func (e *FlagConflictError) Unwrap() error { return ErrConflict }

// inError returns a text as an error quotes it.
func inError(s string) string {
	const most = 128
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return escape.Terminal(s)
}

func valueInError(v Value) string {
	if v.IsZero() {
		return "nothing"
	}
	return inError(v.String())
}

// foreignChange is a field of a flag that somebody else has changed.
type foreignChange struct {
	changedField
	by string // who changed it last
}

// foreignChanges returns the fields of a flag that others than one have changed,
// with what they were when that one last wrote them, or before the first of the
// changes. Those that it wrote later are none.
func foreignChanges(changes []flagChange, besides string) []foreignChange {
	var list []foreignChange
	places := make(map[string]int)
	for _, change := range changes {
		if change.by == besides {
			list = without(list, change.fields)
			clear(places)
			for i := range list {
				places[list[i].pointer] = i
			}
			continue
		}
		for _, field := range change.fields {
			i, there := places[field.pointer]
			if !there {
				places[field.pointer] = len(list)
				list = append(list, foreignChange{field, change.by})
				continue
			}
			list[i].by = change.by
			list[i].wide = list[i].wide || field.wide
		}
	}
	return list
}

// without returns the changes of other fields than those that were written
// since, or are inside of one that was. A wide field does not say what was
// written.
func without(list []foreignChange, written []changedField) []foreignChange {
	pointers := make(map[string]bool, len(written))
	for _, field := range written {
		if !field.wide {
			pointers[field.pointer] = true
		}
	}
	return slices.DeleteFunc(list, func(c foreignChange) bool {
		if pointers[c.pointer] {
			return true
		}
		for outer := range outerPointers(c.pointer) {
			if pointers[outer] {
				return true
			}
		}
		return false
	})
}

// outerPointers goes through the pointers of what something is inside of, the
// nearest first.
func outerPointers(pointer string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := strings.LastIndexByte(pointer, '/'); i >= 0; i = strings.LastIndexByte(pointer, '/') {
			if pointer = pointer[:i]; !yield(pointer) {
				return
			}
		}
	}
}

// overlap reports whether two pointers name the same, or one something inside
// of what the other names.
func overlap(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// flagConflict returns the first conflict between what others have changed and
// what a stage would do to a flag, nil if there is none. A field that others have
// changed, and that is again what it was, is free for the stage to change, and what
// the stage leaves as it is conflicts with nothing. applied returns the flag after the first steps of
// the stage, of which there are so many; it is asked only to find out which one
// to name.
func flagConflict(foreign []foreignChange, before, after flags.Flag, steps int, applied func(n int) (flags.Flag, error)) *FlagConflictError {
	want, other, found := firstConflict(foreign, flags.ChangedFields(before, after))
	if !found {
		return nil
	}
	e := &FlagConflictError{
		Instruction: -1, Pointer: want.Pointer, Is: want.Was, Wants: want.Is, Changed: other.pointer, Was: other.was, By: other.by,
	}
	for n := 1; n <= steps; n++ {
		f, err := applied(n)
		if err != nil {
			break
		}
		if slices.ContainsFunc(flags.ChangedFields(before, f), func(c flags.FieldChange) bool { return overlap(c.Pointer, other.pointer) }) {
			e.Instruction = n - 1
			break
		}
	}
	return e
}

// firstConflict returns the first field that is to be changed and that others
// have changed too.
func firstConflict(foreign []foreignChange, wants []flags.FieldChange) (want flags.FieldChange, other foreignChange, found bool) {
	if len(foreign) == 0 || len(wants) == 0 {
		return want, other, false
	}
	places, inside := make(map[string]int, len(foreign)), make(map[string]int)
	for i := range foreign {
		places[foreign[i].pointer] = i
		for outer := range outerPointers(foreign[i].pointer) {
			if _, there := inside[outer]; !there {
				inside[outer] = i
			}
		}
	}
	for _, want := range wants {
		if i, there := places[want.Pointer]; there && !foreign[i].restored(want.Was) {
			return want, foreign[i], true
		}
		for outer := range outerPointers(want.Pointer) {
			if i, there := places[outer]; there {
				return want, foreign[i], true
			}
		}
		if i, there := inside[want.Pointer]; there {
			return want, foreign[i], true
		}
	}
	return want, other, false
}

// restored reports whether a field is again what it was.
func (c *foreignChange) restored(is Value) bool { return !c.forgotten && !c.wide && c.was == is }
