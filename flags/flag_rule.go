package flags

import (
	"iter"
	"slices"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// FlagRule is a rule of a flag in one environment: contexts that match all of
// its clauses are served what it says. It is immutable; the zero FlagRule has
// no clauses and serves nothing.
type FlagRule struct{ body *ruleBody }

// ruleBody is not changed once it is in a flag.
type ruleBody struct {
	id          string
	disabled    bool
	served      servedBody
	clauses     []clauseBody
	track       bool
	description string
	ref         string
	more        string
}

type clauseBody struct {
	id string
	Clause
	more     string
	operands *operands // of the values
}

var emptyRule ruleBody

func (rule FlagRule) get() *ruleBody {
	if rule.body == nil {
		return &emptyRule
	}
	return rule.body
}

// ID returns the rule's id, "" if the document gives none.
func (rule FlagRule) ID() string { return rule.get().id }

// Disabled reports whether the rule is passed over.
func (rule FlagRule) Disabled() bool { return rule.get().disabled }

// Served returns what the rule serves.
func (rule FlagRule) Served() Served { return Served{&rule.get().served} }

// Description returns the rule's description, "" if it has none.
func (rule FlagRule) Description() string { return rule.get().description }

// Ref returns the name that the rule was added by, "" if it has none.
func (rule FlagRule) Ref() string { return rule.get().ref }

// TrackEvents reports whether events are tracked for what the rule decides.
func (rule FlagRule) TrackEvents() bool { return rule.get().track }

// ClauseCount returns how many clauses the rule has.
func (rule FlagRule) ClauseCount() int { return len(rule.get().clauses) }

// Clauses goes through the clauses and their indexes.
func (rule FlagRule) Clauses() iter.Seq2[int, FlagClause] {
	return func(yield func(int, FlagClause) bool) {
		clauses := rule.get().clauses
		for i := range clauses {
			if !yield(i, FlagClause{&clauses[i]}) {
				return
			}
		}
	}
}

// FlagClause is one test of a rule of a flag. It is immutable; the zero
// FlagClause has no operator.
type FlagClause struct{ body *clauseBody }

var emptyClause clauseBody

func (cl FlagClause) get() *clauseBody {
	if cl.body == nil {
		return &emptyClause
	}
	return cl.body
}

// ID returns the clause's id, "" if the document gives none.
func (cl FlagClause) ID() string { return cl.get().id }

// ContextKind returns the kind of context that is tested, "user" if the
// document says none.
func (cl FlagClause) ContextKind() string { return orUser(cl.get().ContextKind) }

// Attribute returns what is compared; it may be empty for [OpSegmentMatch].
func (cl FlagClause) Attribute() string { return cl.get().Attribute }

// Op returns how the clause compares.
func (cl FlagClause) Op() Operator { return cl.get().Op }

// Negate reports whether the clause matches when no value does.
func (cl FlagClause) Negate() bool { return cl.get().Negate }

// ValueCount returns how many values the clause has.
func (cl FlagClause) ValueCount() int { return len(cl.get().Values) }

// Values goes through what the attribute is compared with.
func (cl FlagClause) Values() iter.Seq[Value] { return slices.Values(cl.get().Values) }

// String says in words what the clause tests.
func (cl FlagClause) String() string { return cl.get().String() }

func (rule *ruleBody) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = appendText(dst, "_id", rule.id)
	if rule.disabled {
		dst = strictjson.AppendBool(appendName(dst, "disabled"), true)
	}
	dst = rule.served.appendMembers(dst)
	dst = appendList(appendName(dst, "clauses"), rule.clauses, (*clauseBody).appendJSON)
	dst = strictjson.AppendBool(appendName(dst, "trackEvents"), rule.track)
	dst = appendText(dst, "description", rule.description)
	dst = appendText(dst, "ref", rule.ref)
	return closeObject(append(dst, rule.more...), start)
}

func (cl *clauseBody) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = appendText(dst, "_id", cl.id)
	dst = strictjson.AppendString(appendName(dst, "attribute"), cl.Attribute)
	dst = strictjson.AppendString(appendName(dst, "op"), string(cl.Op))
	dst = appendList(appendName(dst, "values"), cl.Values, (*Value).AppendJSON)
	dst = appendText(dst, "contextKind", cl.ContextKind)
	dst = strictjson.AppendBool(appendName(dst, "negate"), cl.Negate)
	return closeObject(append(dst, cl.more...), start)
}

var flagRuleMembers = []string{"_id", "disabled", "variation", "rollout", "clauses", "trackEvents", "description", "ref"}

func (r *flagReader) flagRules() []*ruleBody {
	if r.d.Null() {
		return nil
	}
	var ids nameSet // of rules and clauses
	return readList(&r.reader, 4, func() *ruleBody { return r.flagRule(&ids) })
}

// ruleID reads the id of a rule or clause.
func (r *flagReader) ruleID(ids *nameSet) string {
	id := r.flagID()
	if id != "" && ids.add(id) {
		r.report(CodeDuplicate, "is the id of another rule or clause too")
	}
	return id
}

func (r *flagReader) flagRule(ids *nameSet) *ruleBody {
	rule := new(ruleBody)
	d := r.d
	if !d.BeginObject() {
		return rule
	}
	var more []byte
	clausesGiven := false
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch name {
		case "_id":
			rule.id = r.ruleID(ids)
		case "disabled":
			rule.disabled = r.flag()
		case "variation", "rollout":
			r.servedMember(&rule.served, name)
		case "clauses":
			clausesGiven = true
			rule.clauses = readList(&r.reader, 1, func() clauseBody { return r.flagClause(ids) })
		case "trackEvents":
			rule.track = r.flag()
		case "description":
			rule.description = r.optional(blankText)
		case "ref":
			rule.ref = r.optional(blankText)
		default:
			more = r.unknown(more, name, flagRuleMembers)
		}
	}
	if !clausesGiven {
		r.missing("clauses", messageMissing)
	}
	if !rule.served.given() && !r.failed() {
		r.missing("variation", "give variation or rollout")
	}
	rule.more = string(more)
	return rule
}

var flagClauseMembers = []string{"_id", "attribute", "op", "values", "contextKind", "negate"}

func (r *flagReader) flagClause(ids *nameSet) (cl clauseBody) {
	d := r.d
	if !d.BeginObject() {
		return cl
	}
	op, _ := d.Peek("op")
	var more []byte
	opGiven, valuesGiven := false, false
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch name {
		case "_id":
			cl.id = r.ruleID(ids)
		case "attribute":
			cl.Attribute = r.optional(blankText)
		case "op":
			opGiven = true
			cl.Op, _ = r.operator()
		case "values":
			valuesGiven = true
			cl.Values = readList(&r.reader, 1, func() Value {
				v, ok := readValue(d)
				if ok && Operator(op) == OpSegmentMatch {
					r.report(segmentDefect(v))
				}
				return v
			})
		case "contextKind":
			cl.ContextKind = r.optional(blankText)
		case "negate":
			cl.Negate = r.flag()
		default:
			more = r.unknown(more, name, flagClauseMembers)
		}
	}
	if cl.Attribute == "" && cl.Op != OpSegmentMatch && !r.failed() {
		r.missing("attribute", messageMissing)
	}
	if !opGiven {
		r.missing("op", messageMissing)
	}
	if !valuesGiven {
		r.missing("values", messageMissing)
	}
	cl.more = string(more)
	if !r.failed() {
		cl.operands = operandsOf(&cl.Clause, &r.patterns)
	}
	return cl
}
