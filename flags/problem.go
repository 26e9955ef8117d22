package flags

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flagstage/flagstage/internal/escape"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// The sentinel errors that floors above share. Their texts are the codes that
// the published API answers with.
var (
	// ErrInvalidRequest is wrapped by errors about input that is wrong.
	ErrInvalidRequest = errors.New("invalid_request")
	// ErrNotFound is wrapped by errors about things that do not exist.
	ErrNotFound = errors.New("not_found")
)

// Code names the sort of a problem. Codes are stable: programs may compare
// them, and new ones may be added.
type Code string

// The codes of problems.
const (
	CodeSyntax        Code = "syntax"         // the text is no JSON, or not UTF-8
	CodeWrongType     Code = "wrong_type"     // another type of value is needed
	CodeRequired      Code = "required"       // a member is missing
	CodeMalformed     Code = "malformed"      // the value's text has not the form it needs
	CodeOutOfRange    Code = "out_of_range"   // a number or date is too small or too large
	CodeUnknownKind   Code = "unknown_kind"   // a word that is none of those defined, such as a kind, unit or operator
	CodeUnknownMember Code = "unknown_member" // a member that is not defined here
	CodeExclusive     Code = "exclusive"      // two members of which only one may stand
	CodeAmbiguous     Code = "ambiguous"      // members that leave open what is meant
	CodeDuplicate     Code = "duplicate"      // a name or id that stands twice
	CodeUnsupported   Code = "unsupported"    // known, but deliberately not possible here
	CodeTooLarge      Code = "too_large"      // too long, too deep or too many
	CodeNotFound      Code = "not_found"      // refers to something that does not exist
	CodeInUse         Code = "in_use"         // cannot go, because something else needs it
)

// Severity says whether a problem prevents what was asked for.
type Severity string

// The severities of problems.
const (
	SeverityError   Severity = "error"   // nothing is created
	SeverityWarning Severity = "warning" // something is ignored; all else goes on
)

// Problem is one thing wrong with an input.
type Problem struct {
	// Pointer is the RFC 6901 JSON Pointer of the value at fault; for a
	// missing member, of where it should be. "" is the whole document.
	Pointer  string
	Code     Code
	Severity Severity
	// Message is a sentence for people that says what to do. It quotes at
	// most 256 bytes of the input, control characters escaped.
	Message string
	// Omitted is 0, except in an entry that stands for further problems
	// which are not listed: then it is their number.
	Omitted int
}

// String returns the problem in one line: "/key: must not be empty [malformed]".
// Control characters, and others that would not show, are escaped.
func (p Problem) String() string {
	return escape.Terminal(p.Pointer + ": " + p.Message + " [" + string(p.Code) + "]")
}

// MaxProblems is how many problems of one input are told in full.
const MaxProblems = 100

// Problems is all that is wrong with one input, in document order. When there
// are more than [MaxProblems], one more entry says how many are left; it is an
// error if any of those is. Warnings are left out before errors are. Nil means
// that nothing is wrong.
type Problems []Problem

// Add appends a problem, or counts it in the last entry if there are too many.
// An error then takes the place of a warning.
func (ps *Problems) Add(p Problem) {
	told, rest := *ps, Problem{Code: CodeTooLarge, Severity: SeverityWarning}
	if n := len(told); n > 0 && told[n-1].Omitted > 0 {
		told, rest = told[:n-1], told[n-1]
	}
	if len(told) == MaxProblems && p.Omitted == 0 && p.Severity == SeverityError {
		for i := len(told) - 1; i >= 0; i-- {
			if warning := told[i]; warning.Severity == SeverityWarning {
				told, p = append(append(told[:i], told[i+1:]...), p), warning
				break
			}
		}
	}
	if len(told) < MaxProblems && p.Omitted == 0 {
		told = append(told, p)
	} else {
		rest.Omitted += max(1, p.Omitted)
		rest.Message = strconv.Itoa(rest.Omitted) + " more problems are not listed; mend these and look again"
		if p.Severity == SeverityError {
			rest.Severity = SeverityError
		}
	}
	if rest.Omitted > 0 {
		told = append(told, rest)
	}
	*ps = told
}

// Full reports whether there are as many errors as are told in full: a further
// error, like a warning, is only counted. Who makes problems can then spare the
// pointer and the message, and at the end add all that it spared at once, as a
// [Problem] with their number in Omitted.
func (ps *Problems) Full() bool {
	told := *ps
	if len(told) < MaxProblems {
		return false
	}
	return !slices.ContainsFunc(told[:MaxProblems], func(p Problem) bool { return p.Severity != SeverityError })
}

// InOrder returns the problems in the order in which one who reads the document
// meets what they point to: a missing member at the end of its object, and of
// problems of one value first the one that was added first. What is left out
// stays last. A list longer than Add makes it is cut as Add does.
func (ps Problems) InOrder(document []byte) Problems {
	if len(ps) < 2 {
		return ps
	}
	pointers := make([]string, len(ps))
	for i, p := range ps {
		pointers[i] = p.Pointer
	}
	offsets := strictjson.Offsets(document, pointers)
	order := make([]int, len(ps))
	for i := range order {
		order[i] = i
		if ps[i].Omitted > 0 {
			offsets[i] = len(document) + 1
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(offsets[a], offsets[b]) })
	var list Problems
	for _, i := range order {
		list.Add(ps[i])
	}
	return list
}

// count returns how many problems there are, those left out included.
func (ps Problems) count() int {
	n := len(ps)
	if n > 0 && ps[n-1].Omitted > 0 {
		n += ps[n-1].Omitted - 1
	}
	return n
}

// AddAll appends the problems of a part of the input, which stands at pointer.
func (ps *Problems) AddAll(pointer string, part Problems) {
	for _, p := range part {
		if p.Omitted == 0 {
			p.Pointer = pointer + p.Pointer
		}
		ps.Add(p)
	}
}

// Errorf appends an error; the message is formatted as by fmt.Sprintf.
func (ps *Problems) Errorf(pointer string, code Code, format string, args ...any) {
	ps.Add(Problem{Pointer: pointer, Code: code, Severity: SeverityError, Message: fmt.Sprintf(format, args...)})
}

// Warnf appends a warning; the message is formatted as by fmt.Sprintf.
func (ps *Problems) Warnf(pointer string, code Code, format string, args ...any) {
	ps.Add(Problem{Pointer: pointer, Code: code, Severity: SeverityWarning, Message: fmt.Sprintf(format, args...)})
}

// Report appends an error as the JSON decoder reports it.
func (ps *Problems) Report(pointer, code, message string) {
	ps.Add(Problem{Pointer: pointer, Code: Code(code), Severity: SeverityError, Message: message})
}

// Err returns nil if there is no error among the problems, and a
// [*ProblemsError] with all of them, warnings too, if there is.
func (ps Problems) Err() error {
	for _, p := range ps {
		if p.Severity == SeverityError {
			return &ProblemsError{Problems: ps}
		}
	}
	return nil
}

// ProblemsError is the error of an input with problems. It wraps [ErrNotFound]
// if all of its errors have the code not_found, else [ErrInvalidRequest].
type ProblemsError struct {
	Problems Problems // never without an error; warnings may be among them
}

// Error names the first three errors and the number of the others.
func (e *ProblemsError) Error() string {
	var b strings.Builder
	shown, left := 0, 0
	for _, p := range e.Problems {
		switch {
		case p.Severity != SeverityError:
		case p.Omitted > 0 || shown == 3:
			left += max(1, p.Omitted)
		default:
			if shown > 0 {
				b.WriteString("; ")
			}
			b.WriteString(p.String())
			shown++
		}
	}
	switch {
	case left > 0 && shown > 0:
		fmt.Fprintf(&b, "; and %d more", left)
	case left > 0:
		fmt.Fprintf(&b, "%d problems", left)
	}
	return b.String()
}

// Unwrap returns [ErrNotFound] or [ErrInvalidRequest].
func (e *ProblemsError) Unwrap() error {
	for _, p := range e.Problems {
		if p.Severity == SeverityError && p.Code != CodeNotFound {
			return ErrInvalidRequest
		}
	}
	return ErrNotFound
}
