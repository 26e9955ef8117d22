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
	patterns []operandPattern    // of OpMatches
}

type operandInstant struct {
	at time.Time
	ok bool
}

type operandVersion struct {
	version
	ok bool
}

type operandPattern struct {
	compiled *regexp.Regexp
	ok       bool
}

// hashOperandsFrom is the number of values from which on they are looked up in a
// map.
const hashOperandsFrom = 8

// patternBudget limits how large the regular expressions may become that are
// compiled once and kept: a short one can become very large. Those beyond are
// compiled when they are needed.
type patternBudget struct{ spent int }

const mostPatterns = 1 << 16 // instructions of compiled regular expressions

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
		o.patterns = make([]operandPattern, len(o.values))
		for i := range o.values {
			o.patterns[i] = budget.compile(&o.values[i])
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

// compile makes a pattern of a value. One that is no regular expression matches
// nothing.
func (b *patternBudget) compile(v *datum) operandPattern {
	if v.sort != strictjson.String {
		return operandPattern{}
	}
	parsed, err := syntax.Parse(v.text, syntax.Perl)
	if err != nil {
		return operandPattern{}
	}
	size := patternSize(parsed)
	if size > mostPatterns-b.spent {
		return operandPattern{ok: true}
	}
	b.spent += size
	compiled, err := regexp.Compile(v.text)
	return operandPattern{compiled, err == nil}
}

// patternSize estimates how large a regular expression becomes when compiled.
func patternSize(re *syntax.Regexp) int {
	size := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		size += patternSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(1, re.Min, re.Max)
	}
	return size
}

func versionOf(v *scalar) (version, bool) {
	if v.sort != strictjson.String {
		return version{}, false
	}
	return parseVersion(v.text)
}

// matches reports whether a value of a context compares with any of the values
// of the clause as its operator says.
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
	for i, p := range o.patterns {
		if p.ok && p.compiled == nil {
			p.compiled, _ = regexp.Compile(o.values[i].text)
		}
		if p.compiled != nil && p.compiled.MatchString(text) {
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
