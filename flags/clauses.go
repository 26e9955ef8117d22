package flags

import (
	"slices"
	"strconv"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Clause is one test of a rule: it compares an attribute of a context with
// values. A rule matches when all of its clauses do; a clause does when any of
// its values does.
type Clause struct {
	// ContextKind is the kind of context that is tested; "" is user.
	ContextKind string
	// Attribute is what is compared, case-sensitive. A clause with
	// [OpSegmentMatch] may have none: it looks at the context as a whole.
	Attribute string
	Op        Operator
	Negate    bool // the clause matches when no value does
	// Values are what the attribute is compared with, at most 10,000 and none
	// of them null; for OpSegmentMatch the keys of segments, strings that are
	// not empty.
	Values []Value
	// Ref is a name by which later instructions can refer to the clause, 1 to
	// 256 letters, digits, dots, underscores and hyphens; "" is none.
	Ref string
}

// Operator says how a clause compares.
type Operator string

// The operators.
const (
	OpIn                 Operator = "in"
	OpEndsWith           Operator = "endsWith"
	OpStartsWith         Operator = "startsWith"
	OpMatches            Operator = "matches" // a regular expression
	OpContains           Operator = "contains"
	OpLessThan           Operator = "lessThan"
	OpLessThanOrEqual    Operator = "lessThanOrEqual"
	OpGreaterThan        Operator = "greaterThan"
	OpGreaterThanOrEqual Operator = "greaterThanOrEqual"
	OpBefore             Operator = "before" // of dates
	OpAfter              Operator = "after"
	OpSegmentMatch       Operator = "segmentMatch"
	OpSemVerEqual        Operator = "semVerEqual"
	OpSemVerLessThan     Operator = "semVerLessThan"
	OpSemVerGreaterThan  Operator = "semVerGreaterThan"
)

var operators = []Operator{
	OpIn, OpEndsWith, OpStartsWith, OpMatches, OpContains,
	OpLessThan, OpLessThanOrEqual, OpGreaterThan, OpGreaterThanOrEqual,
	OpBefore, OpAfter, OpSegmentMatch, OpSemVerEqual, OpSemVerLessThan, OpSemVerGreaterThan,
}

// Operators returns all operators. The slice is the caller's.
func Operators() []Operator { return slices.Clone(operators) }

// words says an operator, or its contrary.
func (op Operator) words(negate bool) string {
	is, isNot := "", ""
	switch op {
	case OpIn:
		is, isNot = "is", "is not"
	case OpEndsWith:
		is, isNot = "ends with", "does not end with"
	case OpStartsWith:
		is, isNot = "starts with", "does not start with"
	case OpMatches:
		is, isNot = "matches", "does not match"
	case OpContains:
		is, isNot = "contains", "does not contain"
	case OpLessThan:
		is, isNot = "is less than", "is not less than"
	case OpLessThanOrEqual:
		is, isNot = "is at most", "is not at most"
	case OpGreaterThan:
		is, isNot = "is greater than", "is not greater than"
	case OpGreaterThanOrEqual:
		is, isNot = "is at least", "is not at least"
	case OpBefore:
		is, isNot = "is before", "is not before"
	case OpAfter:
		is, isNot = "is after", "is not after"
	case OpSegmentMatch:
		is, isNot = "is in segment", "is not in segment"
	case OpSemVerEqual:
		is, isNot = "is version", "is not version"
	case OpSemVerLessThan:
		is, isNot = "is a version before", "is not a version before"
	case OpSemVerGreaterThan:
		is, isNot = "is a version after", "is not a version after"
	default:
		is, isNot = shorten(string(op)), "not "+shorten(string(op))
	}
	if negate {
		return isNot
	}
	return is
}

// String says in words what the clause tests.
func (cl Clause) String() string { return string(cl.say(nil)) }

func (cl *Clause) say(dst []byte) []byte {
	if cl.ContextKind != "" {
		dst = append(append(dst, shorten(cl.ContextKind)...), ' ')
	}
	switch {
	case cl.Op != OpSegmentMatch:
		dst = append(sayText(dst, cl.Attribute), ' ')
	case cl.ContextKind == "":
		dst = append(dst, "context "...)
	}
	dst = append(append(dst, cl.Op.words(cl.Negate)...), ' ')
	return sayValues(dst, cl.Values, " or ")
}

func (cl *Clause) equal(other *Clause) bool {
	return cl.ContextKind == other.ContextKind && cl.Attribute == other.Attribute && cl.Op == other.Op &&
		cl.Negate == other.Negate && cl.Ref == other.Ref && slices.Equal(cl.Values, other.Values)
}

// clone returns the clause with its own list of values.
func (cl Clause) clone() Clause {
	cl.Values = slices.Clone(cl.Values)
	return cl
}

func cloneClauses(list []Clause) []Clause {
	list = slices.Clone(list)
	for i := range list {
		list[i] = list[i].clone()
	}
	return list
}

func (cl *Clause) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = appendText(dst, "contextKind", cl.ContextKind)
	dst = appendText(dst, "attribute", cl.Attribute)
	dst = appendText(dst, "op", string(cl.Op))
	dst = strictjson.AppendBool(appendName(dst, "negate"), cl.Negate)
	dst = appendList(appendName(dst, "values"), cl.Values, (*Value).AppendJSON)
	dst = appendText(dst, "ref", cl.Ref)
	return closeObject(dst, start)
}

type oneClause Clause

func (a oneClause) appendJSON(dst []byte) []byte { return (*Clause)(&a).appendJSON(dst) }

func (a oneClause) equal(other arg) bool {
	o, ok := other.(oneClause)
	return ok && (*Clause)(&a).equal((*Clause)(&o))
}

func (a oneClause) say(dst []byte, _ *param) []byte { return (*Clause)(&a).say(dst) }

type clauses []Clause

func (a clauses) appendJSON(dst []byte) []byte {
	return appendList(dst, a, (*Clause).appendJSON)
}

func (a clauses) equal(other arg) bool {
	o, ok := other.(clauses)
	return ok && equalClauses(a, o)
}

func equalClauses(a, b []Clause) bool {
	return slices.EqualFunc(a, b, func(a, b Clause) bool { return a.equal(&b) })
}

func (a clauses) say(dst []byte, _ *param) []byte { return sayClauses(dst, a) }

func sayClauses(dst []byte, list []Clause) []byte {
	if len(list) == 0 {
		return append(dst, "anything"...)
	}
	return sayList(dst, len(list), " and ", func(dst []byte, i int) []byte { return list[i].say(dst) })
}

// namesSegments reports whether a clause of an argument names segments.
func namesSegments(a arg) bool {
	switch a := a.(type) {
	case oneClause:
		return a.Op == OpSegmentMatch
	case clauses:
		return anySegmentMatch(a)
	case rules:
		return slices.ContainsFunc(a, func(r Rule) bool { return anySegmentMatch(r.Clauses) })
	case text, truth, texts, free, frees, Serve, targets, prerequisites, host:
	}
	return false
}

func anySegmentMatch(list []Clause) bool {
	return slices.ContainsFunc(list, func(cl Clause) bool { return cl.Op == OpSegmentMatch })
}

var clauseMembers = []string{"contextKind", "attribute", "op", "negate", "values", "ref"}

// clause reads a clause; above is the number of arrays and objects around it
// inside the instruction, itself included.
func (r *reader) clause(above int) Clause {
	var cl Clause
	d := r.d
	if !d.BeginObject() {
		return cl
	}
	op, _ := d.Peek("op")
	var attributeNull, attributeGiven, attributeRead bool
	var opGiven, opBad, valuesGiven bool
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch name {
		case "contextKind":
			cl.ContextKind = r.optional(blankText)
		case "attribute":
			if d.Null() {
				attributeNull = true
				continue
			}
			attributeGiven = true
			cl.Attribute, attributeRead = d.ReadString()
		case "op":
			opGiven = true
			cl.Op, opBad = r.operator()
		case "negate":
			cl.Negate = r.flag()
		case "values":
			valuesGiven = true
			cl.Values = r.values(above+1, Operator(op) == OpSegmentMatch)
		case "ref":
			if !d.Null() {
				cl.Ref = r.text(refText)
			}
		default:
			d.UnknownMember(name, clauseMembers...)
		}
	}
	if cl.Attribute == "" && !opBad && cl.Op != OpSegmentMatch {
		switch {
		case attributeNull:
			d.ReportMember("attribute", string(CodeWrongType), messageNull)
		case !attributeGiven:
			r.missing("attribute", messageMissing)
		case attributeRead:
			d.ReportMember("attribute", string(CodeMalformed), messageEmpty)
		}
	}
	if !opGiven {
		r.missing("op", messageMissing)
	}
	if !valuesGiven {
		r.missing("values", messageMissing)
	}
	return cl
}

// operator reads an operator and reports whether it is none.
func (r *reader) operator() (_ Operator, bad bool) {
	s, ok := r.d.ReadString()
	if !ok {
		return "", true
	}
	op := Operator(s)
	if bad = !op.isKnown(); bad {
		r.d.ReportFunc(string(CodeUnknownKind), op.unknown)
	}
	return op, bad
}

func (op Operator) isKnown() bool { return slices.Contains(operators, op) }

// unknown says that there is no such operator.
func (op Operator) unknown() string {
	return strictjson.Quote(string(op)) + " is no operator" + meant(string(op), operators)
}

// clauses reads a list of clauses; above counts the list.
func (r *reader) clauses(above int) []Clause {
	return readList(r, 0, func() Clause { return r.clause(above + 1) })
}

func (c *checker) clause(cl *Clause) {
	c.size += 96
	c.optional("contextKind", cl.ContextKind, blankText)
	c.optional("attribute", cl.Attribute, blankText)
	opBad := false
	if cl.Op != "" {
		c.at.push("op")
		c.size += len(cl.Op) * 6
		if opBad = !cl.Op.isKnown(); opBad {
			c.report(CodeUnknownKind, cl.Op.unknown())
		}
		c.at.pop()
	}
	c.at.push("values")
	c.values(cl.Values, cl.Op == OpSegmentMatch)
	c.at.pop()
	c.optional("ref", cl.Ref, refText)
	if cl.Attribute == "" && !opBad && cl.Op != OpSegmentMatch {
		c.missing("attribute", messageMissing)
	}
	if cl.Op == "" {
		c.missing("op", messageMissing)
	}
}

func (c *checker) clauses(list []Clause) {
	for i := range c.list(len(list)) {
		c.at.pushIndex(i)
		c.clause(&list[i])
		c.at.pop()
	}
	c.endList(len(list))
}

func (c *slotCollector) clause(cl *Clause) {
	c.givenBelow(cl.Ref)
	if cl.Op != OpSegmentMatch {
		return
	}
	c.at.push("values")
	if slot := c.add(SlotSegmentKeys); slot != nil {
		slot.Value = listValue(cl.Values)
		slot.Clause = Clause{ContextKind: cl.ContextKind, Attribute: cl.Attribute, Op: cl.Op, Negate: cl.Negate}
	}
	c.at.pop()
}

func (c *slotCollector) clauses(list []Clause) {
	for i := range list {
		c.at.pushIndex(i)
		c.clause(&list[i])
		c.at.pop()
	}
}

// listValue returns an array of values.
func listValue(list []Value) Value {
	depth := 0
	for _, v := range list {
		depth = max(depth, v.depth)
	}
	return Value{text: string(appendList(nil, list, (*Value).AppendJSON)), depth: depth + 1}
}

var addClauses = kind{
	name:   "addClauses",
	scope:  ScopeEnvironment,
	params: []param{paramRuleID, {name: "clauses", shape: clausesShape}},
	reads:  []Field{FieldRules},
	writes: []Field{FieldRules},
	says:   "let rule {ruleId} also require that {clauses}",
	apply:  (*work).addClauses,
}

// AddClauses adds clauses to a rule in one environment, behind those it has,
// so that it matches less. A rule that does not exist is an error.
func AddClauses(ruleID string, list ...Clause) Instruction {
	return build(&addClauses, text(ruleID), clauses(cloneClauses(list)))
}

var removeClauses = kind{
	name:  "removeClauses",
	scope: ScopeEnvironment,
	params: []param{
		paramRuleID,
		{name: "clauseIds", shape: textsShape, form: idText, slot: SlotClauseIDs},
	},
	reads:  []Field{FieldRules},
	writes: []Field{FieldRules},
	says:   "remove clauses {clauseIds} from rule {ruleId}",
	apply:  (*work).removeClauses,
}

// RemoveClauses removes clauses from a rule in one environment. A rule or
// clause that does not exist is an error. A rule without any clause matches
// every context.
func RemoveClauses(ruleID string, clauseIDs ...string) Instruction {
	return build(&removeClauses, text(ruleID), texts(slices.Clone(clauseIDs)))
}

var updateClause = kind{
	name:   "updateClause",
	scope:  ScopeEnvironment,
	params: []param{paramRuleID, paramClauseID, {name: "clause", shape: clauseShape}},
	reads:  []Field{FieldRules},
	writes: []Field{FieldRules},
	says:   "change clause {clauseId} of rule {ruleId} to {clause}",
	apply:  (*work).updateClause,
}

// UpdateClause replaces a clause of a rule in one environment, which keeps its
// id. A rule or clause that does not exist is an error.
func UpdateClause(ruleID, clauseID string, clause Clause) Instruction {
	return build(&updateClause, text(ruleID), text(clauseID), oneClause(clause.clone()))
}

var addValuesToClause = kind{
	name:   "addValuesToClause",
	scope:  ScopeEnvironment,
	params: []param{paramRuleID, paramClauseID, {name: "values", shape: valuesShape}},
	reads:  []Field{FieldRules},
	writes: []Field{FieldRules},
	says:   "add {values} to clause {clauseId} of rule {ruleId}",
	apply:  (*work).addValuesToClause,
}

// AddValuesToClause adds values to a clause of a rule in one environment, which
// otherwise stays as it is. Values that it has are passed over, whatever the
// spelling of a number. A rule or clause that does not exist is an error. The
// published API says that values are strings; here they may be of any type, as
// in the clause itself. At most 10,000 are allowed.
func AddValuesToClause(ruleID, clauseID string, values ...Value) Instruction {
	return build(&addValuesToClause, text(ruleID), text(clauseID), frees(slices.Clone(values)))
}

var removeValuesFromClause = kind{
	name:   "removeValuesFromClause",
	scope:  ScopeEnvironment,
	params: []param{paramRuleID, paramClauseID, {name: "values", shape: valuesShape}},
	reads:  []Field{FieldRules},
	writes: []Field{FieldRules},
	says:   "remove {values} from clause {clauseId} of rule {ruleId}",
	apply:  (*work).removeValuesFromClause,
}

// RemoveValuesFromClause removes values from a clause of a rule in one
// environment, which otherwise stays as it is; a number goes in every spelling.
// Values that it does not have are passed over. A rule or clause that does not
// exist is an error. At most 10,000 values are allowed.
func RemoveValuesFromClause(ruleID, clauseID string, values ...Value) Instruction {
	return build(&removeValuesFromClause, text(ruleID), text(clauseID), frees(slices.Clone(values)))
}

// newClauses returns what the document says of clauses that stand in a list at
// the current place.
func (w *work) newClauses(list []Clause) ([]clauseBody, error) {
	bodies := make([]clauseBody, len(list))
	w.at.push("clauses")
	for i := range list {
		w.at.pushIndex(i)
		id, err := w.newID(list[i].Ref)
		if err != nil {
			return nil, err
		}
		bodies[i] = clauseBody{id: id, Clause: list[i].inDocument()}
		bodies[i].operands = operandsOf(&bodies[i].Clause, &w.patterns)
		w.at.pop()
	}
	w.at.pop()
	return bodies, nil
}

// inDocument returns the clause as it stands in a flag's document. A clause
// that names segments looks at all kinds of contexts if it says none.
func (cl Clause) inDocument() Clause {
	cl.Ref = ""
	if cl.Op != OpSegmentMatch {
		cl.ContextKind = orUser(cl.ContextKind)
	}
	return cl
}

func (w *work) addClauses(args []arg) error {
	i, err := w.someRule(memberRuleID, textOf(args[0]))
	if err != nil {
		return err
	}
	list := args[1].(clauses)
	if len(list) == 0 {
		return nil
	}
	bodies, err := w.newClauses(list)
	if err != nil {
		return err
	}
	old := w.env().rules[i].clauses
	if code, message := listDefect(len(old) + len(list)); code != "" {
		return w.failAt("clauses", code, "the list of clauses then %s", message)
	}
	w.ownRule(i).clauses = append(slices.Clip(old), bodies...)
	return nil
}

func (w *work) removeClauses(args []arg) error {
	i, err := w.someRule(memberRuleID, textOf(args[0]))
	if err != nil {
		return err
	}
	rule := w.env().rules[i]
	ids := make(map[string]struct{}, len(args[1].(texts)))
	for j := range rule.clauses {
		ids[rule.clauses[j].id] = struct{}{}
	}
	gone := make(map[string]struct{}, len(args[1].(texts)))
	w.at.push("clauseIds")
	for j, id := range args[1].(texts) {
		resolved, err := w.resolve(strconv.Itoa(j), id)
		if err != nil {
			return err
		}
		if _, there := ids[resolved]; !there {
			_, err := w.clauseOf(rule, strconv.Itoa(j), id)
			return err
		}
		gone[resolved] = struct{}{}
	}
	w.at.pop()
	if len(gone) == 0 {
		return nil
	}
	clauses := make([]clauseBody, 0, len(rule.clauses)-len(gone))
	for j := range rule.clauses {
		if _, is := gone[rule.clauses[j].id]; !is {
			clauses = append(clauses, rule.clauses[j])
		}
	}
	w.ownRule(i).clauses = clauses
	for id := range gone {
		w.free(id)
	}
	return nil
}

// oldClause returns the indexes of a rule and of a clause of it, which the first
// two arguments name.
func (w *work) oldClause(args []arg) (rule, clause int, err error) {
	if rule, err = w.someRule(memberRuleID, textOf(args[0])); err != nil {
		return 0, 0, err
	}
	clause, err = w.clauseOf(w.env().rules[rule], "clauseId", textOf(args[1]))
	return rule, clause, err
}

// ownClause returns a clause to be changed. Its values are still shared.
func (w *work) ownClause(rule, clause int) *clauseBody {
	r := w.ownRule(rule)
	r.clauses = slices.Clone(r.clauses)
	return &r.clauses[clause]
}

func (w *work) updateClause(args []arg) error {
	i, j, err := w.oldClause(args)
	if err != nil {
		return err
	}
	old := &w.env().rules[i].clauses[j]
	given := Clause(args[2].(oneClause))
	id := old.id
	w.at.push("clause")
	if given.Ref != "" {
		if id, err = w.again(given.Ref, id); err != nil {
			return err
		}
	}
	w.at.pop()
	body := clauseBody{id: id, Clause: given.inDocument(), more: old.more}
	if !body.same(old) {
		body.operands = operandsOf(&body.Clause, &w.patterns)
		*w.ownClause(i, j) = body
	}
	return nil
}

// again returns the identifier of something that is replaced and gets a
// reference: the one that it has, unless references name identifiers.
func (w *work) again(ref, id string) (string, error) {
	if w.how.RefID == nil || w.how.RefID(ref) == id {
		return id, w.name(ref, id)
	}
	return w.newID(ref)
}

func (w *work) addValuesToClause(args []arg) error {
	i, j, err := w.oldClause(args)
	if err != nil {
		return err
	}
	cl := &w.env().rules[i].clauses[j]
	const above = 8 // arrays and objects around a value in a flag's document
	w.at.push("values")
	for k, v := range args[2].(frees) {
		code, message := Code(""), ""
		if cl.Op == OpSegmentMatch {
			code, message = segmentDefect(v)
		}
		if depth := above + v.depth; depth > strictjson.MaxDepth {
			code, message = CodeTooLarge, "would be nested "+strconv.Itoa(depth)+" deep in the flag; at most "+strconv.Itoa(strictjson.MaxDepth)+" are allowed"
		}
		if code != "" {
			return w.failAt(strconv.Itoa(k), code, "%s", message)
		}
	}
	w.at.pop()
	return w.setClauseValues(i, j, unionBy(cl.Values, args[2].(frees), Value.sense))
}

func (w *work) removeValuesFromClause(args []arg) error {
	i, j, err := w.oldClause(args)
	if err != nil {
		return err
	}
	return w.setClauseValues(i, j, withoutBy(w.env().rules[i].clauses[j].Values, args[2].(frees), Value.sense))
}

func (w *work) setClauseValues(rule, clause int, values []Value) error {
	if slices.Equal(w.env().rules[rule].clauses[clause].Values, values) {
		return nil
	}
	if code, message := listDefect(len(values)); code != "" {
		return w.failAt("values", code, "the list of values then %s", message)
	}
	cl := w.ownClause(rule, clause)
	cl.Values = values
	cl.operands = operandsOf(&cl.Clause, &w.patterns)
	return nil
}
