package flags

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"time"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// operands are the values of a clause, made ready for comparing when the clause
// is made. They are not changed.
type operands struct {
	values   []datum
	set      map[scalar]struct{} // of OpIn, if there are many values
	instants []operandInstant    // of OpBefore and OpAfter
	versions []operandVersion    // of operators of semantic versions
	patterns []*regexp.Regexp    // of OpMatches; what is none is left out
	large    []largePattern      // of OpMatches; compiled when they are needed
}

type operandInstant struct {
	at time.Time
	ok bool
}

type operandVersion struct {
	version
	ok bool
}

// largePattern is a regular expression for which there was no room.
type largePattern struct {
	text string
	work int // that it is to compile it; a unit takes a microsecond at most
}

// hashOperandsFrom is the number of values from which on they are looked up in a
// map.
const hashOperandsFrom = 8

// patternBudget limits how large the regular expressions of a document, or of
// what is applied at once, may become that are compiled and kept: a short one can
// become very large. Those beyond are compiled when they are needed.
type patternBudget struct{ spent int }

const (
	mostPatterns    = 8 << 20 // bytes of regular expressions that are kept
	mostPatternWork = 1 << 20 // for those that one evaluation compiles
)

// operandsOf makes the values of a clause ready.
func operandsOf(cl *Clause, budget *patternBudget) *operands {
	o := &operands{values: make([]datum, len(cl.Values))}
	for i, v := range cl.Values {
		o.values[i] = datumOf(v)
	}
	switch cl.Op {
	case OpIn:
		if len(o.values) >= hashOperandsFrom {
			o.set = make(map[scalar]struct{}, len(o.values))
			for i := range o.values {
				if v := &o.values[i]; v.isPlain() {
					o.set[v.scalar] = struct{}{}
				}
			}
		}
	case OpMatches:
		for i := range o.values {
			budget.compile(o, &o.values[i])
		}
	case OpBefore, OpAfter:
		o.instants = make([]operandInstant, len(o.values))
		for i := range o.values {
			at, ok := instantOf(&o.values[i].scalar)
			o.instants[i] = operandInstant{at, ok && !at.IsZero()} // the SDK takes the first instant for none
		}
	case OpSemVerEqual, OpSemVerLessThan, OpSemVerGreaterThan:
		o.versions = make([]operandVersion, len(o.values))
		for i := range o.values {
			v, ok := versionOf(&o.values[i].scalar)
			o.versions[i] = operandVersion{v, ok}
		}
	default: // compares the values as they are
	}
	return o
}

// compile makes a pattern of a value, unless that is no regular expression.
func (b *patternBudget) compile(o *operands, v *datum) {
	if v.sort != strictjson.String {
		return
	}
	parsed, err := syntax.Parse(v.text, syntax.Perl)
	if err != nil {
		return
	}
	steps, ranges := patternSize(parsed)
	size := 1024 + 96*steps + 16*ranges // measured, for Go 1.25
	if size > mostPatterns-b.spent {
		o.large = append(o.large, largePattern{v.text, 4 + steps + ranges/64})
		return
	}
	b.spent += size
	if compiled, err := regexp.Compile(v.text); err == nil {
		o.patterns = append(o.patterns, compiled)
	}
}

// patternSize estimates how many steps a regular expression has when compiled,
// and how many ranges of characters. Parsing has limited both.
func patternSize(re *syntax.Regexp) (steps, ranges int) {
	steps = 1
	switch re.Op {
	case syntax.OpLiteral:
		steps = len(re.Rune)
	case syntax.OpCharClass:
		ranges = len(re.Rune) / 2
	case syntax.OpConcat:
		steps = 0
	case syntax.OpRepeat:
		if re.Min == re.Max {
			steps = 0
		}
	default: // one step beside what is inside
	}
	for _, sub := range re.Sub {
		s, r := patternSize(sub)
		steps, ranges = steps+s, ranges+r
	}
	if re.Op == syntax.OpRepeat {
		n := max(1, re.Min, re.Max)
		steps, ranges = steps*n, ranges*n
	}
	return steps, ranges
}

func versionOf(v *scalar) (version, bool) {
	if v.sort != strictjson.String {
		return version{}, false
	}
	return parseVersion(v.text)
}

// matches reports whether a value of a context compares with any of the values
// of the clause as its operator says, large patterns excepted.
func (cl *clauseBody) matches(v *datum) bool {
	o := cl.operands
	switch cl.Op {
	case OpIn:
		return o.has(&v.scalar)
	case OpEndsWith, OpStartsWith, OpContains:
		return v.sort == strictjson.String && o.hasText(cl.Op, v.text)
	case OpMatches:
		return v.sort == strictjson.String && o.hasPattern(v.text)
	case OpLessThan, OpLessThanOrEqual, OpGreaterThan, OpGreaterThanOrEqual:
		return v.sort == strictjson.Number && o.hasNumber(cl.Op, v.number)
	case OpBefore, OpAfter:
		return o.hasInstant(cl.Op, &v.scalar)
	case OpSemVerEqual, OpSemVerLessThan, OpSemVerGreaterThan:
		return o.hasVersion(cl.Op, &v.scalar)
	default: // OpSegmentMatch compares no values
		return false
	}
}

func (o *operands) has(v *scalar) bool {
	if !v.isPlain() {
		return false
	}
	if o.set != nil {
		_, there := o.set[*v]
		return there
	}
	for i := range o.values {
		if o.values[i].scalar == *v {
			return true
		}
	}
	return false
}

func (o *operands) hasText(op Operator, text string) bool {
	for i := range o.values {
		v := &o.values[i]
		if v.sort != strictjson.String {
			continue
		}
		found := false
		switch op {
		case OpEndsWith:
			found = strings.HasSuffix(text, v.text)
		case OpStartsWith:
			found = strings.HasPrefix(text, v.text)
		default:
			found = strings.Contains(text, v.text)
		}
		if found {
			return true
		}
	}
	return false
}

func (o *operands) hasPattern(text string) bool {
	for _, p := range o.patterns {
		if p.MatchString(text) {
			return true
		}
	}
	return false
}

func (o *operands) hasNumber(op Operator, n float64) bool {
	for i := range o.values {
		v := &o.values[i]
		if v.sort != strictjson.Number {
			continue
		}
		found := false
		switch op {
		case OpLessThan:
			found = n < v.number
		case OpLessThanOrEqual:
			found = n <= v.number
		case OpGreaterThan:
			found = n > v.number
		default:
			found = n >= v.number
		}
		if found {
			return true
		}
	}
	return false
}

func (o *operands) hasInstant(op Operator, v *scalar) bool {
	at, ok := instantOf(v)
	if !ok {
		return false
	}
	for i := range o.instants {
		other := &o.instants[i]
		if other.ok && (op == OpBefore && at.Before(other.at) || op == OpAfter && at.After(other.at)) {
			return true
		}
	}
	return false
}

func (o *operands) hasVersion(op Operator, v *scalar) bool {
	version, ok := versionOf(v)
	if !ok {
		return false
	}
	want := 0
	switch op {
	case OpSemVerLessThan:
		want = -1
	case OpSemVerGreaterThan:
		want = 1
	default: // OpSemVerEqual
	}
	for i := range o.versions {
		if o.versions[i].ok && version.compare(o.versions[i].version) == want {
			return true
		}
	}
	return false
}
