package flagstage

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// Parameter is a value in a template that makes sense for one flag in one
// environment only, judged for the flag to which the template is bound. It prints
// as the published API shows it: _id, path, default, valid.
type Parameter struct {
	ID   string         // of the instruction in which it stands
	Path string         // JSON Pointer (RFC 6901), relative to the instruction
	Kind flags.SlotKind // says what stands there
	// Default is what the release would use, and what is known of that.
	Default ParameterDefault
	// Valid says that it can be used. If it cannot, nothing is released.
	Valid bool
	// Reason says why it cannot be used, and is "" if it can. It quotes little
	// of the input, and is not printed.
	Reason string
}

// ParameterDefault is the value of a parameter.
type ParameterDefault struct {
	// Value is the value: the template's own, its counterpart in the target, or
	// that of an override. When it is not valid, it is the template's or the
	// override's.
	Value Value
	// BooleanVariationValue is what the variation serves, if that is true or
	// false; nil if it is not, or not known, or if the parameter is no single
	// variation. What it points to must not be changed.
	BooleanVariationValue *bool
	// RuleClause tells of the clause in which keys of segments stand; nil for
	// all others. What it points to must not be changed.
	RuleClause *RuleClause
}

// RuleClause is what is published of the clause in which a parameter stands.
type RuleClause struct {
	Attribute string
	Op        flags.Operator
	Negate    bool
}

// AppendJSON appends the parameter as the published API shows it.
func (p Parameter) AppendJSON(dst []byte) []byte {
	dst = appendID(append(dst, '{'), p.ID)
	dst = strictjson.AppendString(append(dst, `,"path":`...), p.Path)
	dst = p.Default.Value.AppendJSON(append(dst, `,"default":{"value":`...))
	if b := p.Default.BooleanVariationValue; b != nil {
		dst = strictjson.AppendBool(append(dst, `,"booleanVariationValue":`...), *b)
	}
	if c := p.Default.RuleClause; c != nil {
		dst = strictjson.AppendString(append(dst, `,"ruleClause":{"attribute":`...), c.Attribute)
		dst = strictjson.AppendString(append(dst, `,"op":`...), string(c.Op))
		dst = append(strictjson.AppendBool(append(dst, `,"negate":`...), c.Negate), '}')
	}
	return append(strictjson.AppendBool(append(dst, `},"valid":`...), p.Valid), '}')
}

// MarshalJSON returns what [Parameter.AppendJSON] appends.
func (p Parameter) MarshalJSON() ([]byte, error) { return p.AppendJSON(nil), nil }

// Override gives a parameter another value. Exactly one of Value and
// BooleanVariationValue is given.
type Override struct {
	ID   string // of the instruction
	Path string // JSON Pointer (RFC 6901) of the parameter, relative to the instruction
	// Value is of the type that stands there in the template. What it names
	// must exist in the target; it is not looked for by its value.
	Value Value
	// BooleanVariationValue stands for the variation that serves true, or
	// false, where the id of a variation is wanted.
	BooleanVariationValue *bool
}

// AppendJSON appends the override as a request to start a workflow has it: _id,
// path, default.
func (o Override) AppendJSON(dst []byte) []byte {
	dst = appendID(append(dst, '{'), o.ID)
	dst = strictjson.AppendString(append(dst, `,"path":`...), o.Path)
	dst = append(dst, `,"default":{`...)
	if !o.Value.IsZero() {
		dst = o.Value.AppendJSON(append(dst, `"value":`...))
	}
	if o.BooleanVariationValue != nil {
		if !o.Value.IsZero() {
			dst = append(dst, ',')
		}
		dst = strictjson.AppendBool(append(dst, `"booleanVariationValue":`...), *o.BooleanVariationValue)
	}
	return append(dst, "}}"...)
}

// MarshalJSON returns what [Override.AppendJSON] appends.
func (o Override) MarshalJSON() ([]byte, error) { return o.AppendJSON(nil), nil }

// UnmarshalJSON reads the override from an element of the published request's
// parameters. A [Parameter] as it is printed can be read too: its value overrules
// its booleanVariationValue, and what else it tells is ignored. An error is a
// [*ProblemsError], and leaves the override as it was.
func (o *Override) UnmarshalJSON(document []byte) error {
	r := newReader(document, true, flags.Reading{})
	read := r.readOverride()
	r.End()
	if err := r.Err(); err != nil {
		r.problem(err.Pointer, err.Code, err.Message)
	}
	if err := r.judged(nil).Err(); err != nil {
		return err
	}
	*o = read
	return nil
}

// readOverride reads one override.
func (r *reader) readOverride() (o Override) {
	if !r.BeginObject() {
		return o
	}
	var id, path member[string]
	given := false
	for name, ok := r.NextMember(); ok; name, ok = r.NextMember() {
		switch name {
		case "_id":
			id = r.requiredString()
		case "path":
			path = r.requiredString()
		case "default":
			given = true
			r.readOverrideDefault(&o)
		case "valid":
			r.Skip()
		default:
			r.UnknownMember(name, "_id", "path", "default")
		}
	}
	o.ID, o.Path = id.value, path.value
	if r.Err() != nil {
		return o
	}
	if !id.given {
		r.errorAt("_id", flags.CodeRequired, "say in which instruction the parameter stands")
	}
	if !path.given {
		r.errorAt("path", flags.CodeRequired, "say where in the instruction the parameter stands")
	}
	if !given {
		r.errorAt("default", flags.CodeRequired, "give the value that is to be used")
	}
	return o
}

func (r *reader) readOverrideDefault(o *Override) {
	if !r.BeginObject() {
		return
	}
	boolean := member[bool]{}
	for name, ok := r.NextMember(); ok; name, ok = r.NextMember() {
		switch name {
		case "value":
			if !r.Null() {
				r.readOverrideValue(o)
			}
		case "booleanVariationValue":
			boolean = r.optionalBool()
		case "ruleClause":
			r.Skip()
		default:
			r.UnknownMember(name, "value", "booleanVariationValue")
		}
	}
	if boolean.given && o.Value.IsZero() {
		o.BooleanVariationValue = &boolean.value
	}
}

func (r *reader) readOverrideValue(o *Override) {
	text, _, ok := r.ReadValue()
	if !ok {
		r.broken = append(r.broken, r.Pointer()) // what was reported may stand deeper
		return
	}
	o.Value, _ = flags.ParseValue(text)
}

// maxOverrides is how many overrides there may be.
const maxOverrides = maxSlots

// InapplicableError is the error of a template that cannot be bound to a flag,
// since parameters are not valid and were not overridden. It wraps
// [ErrInvalidRequest].
type InapplicableError struct {
	TemplateKey string
	Target      Origin
	Parameters  []Parameter // all of the template's, the valid ones too
}

// Error names the first three parameters that are not valid, and how many there
// are.
func (e *InapplicableError) Error() string {
	var b strings.Builder
	invalid := 0
	for i := range e.Parameters {
		p := &e.Parameters[i]
		if p.Valid {
			continue
		}
		if invalid++; invalid <= 3 {
			fmt.Fprintf(&b, "; %s of %s: %s", strictjson.Quote(p.Path), strictjson.Quote(p.ID), p.Reason)
		}
	}
	return fmt.Sprintf("bind template %s to flag %s: %d of %d parameters do not fit; override them%s",
		strictjson.Quote(e.TemplateKey), strictjson.Quote(e.Target.FlagKey), invalid, len(e.Parameters), b.String())
}

// Unwrap returns [ErrInvalidRequest].
func (e *InapplicableError) Unwrap() error { return ErrInvalidRequest }

// Parameters returns the parameters of the template in document order, judged for
// a target: what [Template.Bind] would use, without the checks that it makes
// besides. There is no slice if the template has none. Errors are those of Bind,
// but for parameters that are not valid.
func (t Template) Parameters(target Target, overrides []Override) ([]Parameter, error) {
	b, err := t.binder(&target, overrides)
	if err != nil {
		return nil, err
	}
	return b.parameters, nil
}

// Bind makes the plan to release a flag by the template. It also returns the
// parameters of the template with what the plan uses, as [Template.Parameters]
// does; with an error too, unless that comes before they are judged.
//
// The ids of variations in the template are looked for in the target by
// themselves and, if it is another flag than the template's origin, by the values
// that they had there, if the template knows these: exactly one variation must
// have the value, numbers being compared by what they say, so that a template of
// a boolean flag fits every other one. Weights of a rollout are one parameter, and
// no two of its variations may become one. Ids of rules and clauses must exist in
// the target's environment, and so must segments; other flags that are required
// must exist in its project, with a variation that is found in the same way.
// Contexts that are targets fit the same environment only. Whatever does not fit
// needs an override.
//
// A plan is judged as a whole. Each reference must be to what an earlier
// instruction adds, and be given once. If the target's flag is known, the
// instructions are applied to it in memory, stage by stage, and what cannot be
// applied is a problem at, for example, /stages/1/action/instructions/0/ruleId.
// An instruction of a kind that a host defines, or one that concerns prerequisites
// while nothing is known of other flags, cannot be applied here: its stage and all
// later ones are then not judged in this way.
//
// The error is a [*ProblemsError] for a target or overrides that are wrong, with
// pointers such as /flagKey and /parameters/0/default/value, and for a plan that
// is; an [*InapplicableError] if parameters do not fit; and wraps an error of the
// target if it could not answer, or [ErrInvalidRequest] for the zero Template. The
// plan is then zero.
func (t Template) Bind(target Target, overrides []Override) (Plan, []Parameter, error) {
	b, err := t.binder(&target, overrides)
	if err != nil {
		return Plan{}, nil, err
	}
	for i := range b.parameters {
		if !b.parameters[i].Valid {
			return Plan{}, b.parameters, &InapplicableError{TemplateKey: t.key, Target: target.Origin, Parameters: b.parameters}
		}
	}
	plan, err := b.plan()
	return plan, b.parameters, err
}

// bindStages makes the plan to release a flag by the template's stages as they
// are. What they name that the flag does not have is a problem at its place.
func (t Template) bindStages(target Target) (Plan, error) {
	b, err := t.binder(&target, nil)
	if err != nil {
		return Plan{}, err
	}
	var problems Problems
	for i := range b.parameters {
		if p := &b.parameters[i]; !p.Valid {
			problems.Errorf(placeOf(b.places[i].stage, b.places[i].instruction)+p.Path, flags.CodeNotFound, "%s", p.Reason)
		}
	}
	if err := problems.Err(); err != nil {
		return Plan{}, err
	}
	return b.plan()
}

// binder binds a template to a target.
type binder struct {
	template *Template
	target   *Target
	own      *variations // nil: nothing is known of the flag
	others   *otherFlags // nil: nothing is known of other flags
	segments map[string]bool
	// rules and clauses are the ids in the environment; nil: not looked for yet
	rules, clauses map[string]bool

	places     []slotPlace
	parameters []Parameter // one for each place
}

// slotPlace is a slot of a template, and where it stands.
type slotPlace struct {
	flags.Slot
	stage, instruction int
	override           *Override // nil: there is none
}

// binder judges target, overrides and parameters.
func (t *Template) binder(target *Target, overrides []Override) (*binder, error) {
	if t.IsZero() {
		return nil, fmt.Errorf("%w: bind template: there is no template", ErrInvalidRequest)
	}
	b := &binder{template: t, target: target, others: newOtherFlags(target.Others), segments: map[string]bool{}}
	problems := target.problems()
	b.collect()
	b.take(overrides, &problems)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if !target.Flag.IsZero() {
		b.own = newVariations(target.Flag)
	}
	if err := b.judge(); err != nil {
		return nil, fmt.Errorf("bind template %s: %w", strictjson.Quote(t.key), err)
	}
	return b, nil
}

// collect gathers the slots of the template.
func (b *binder) collect() {
	for i := range b.template.stages {
		for k, in := range b.template.stages[i].Action.Instructions {
			for _, slot := range in.Slots() {
				b.places = append(b.places, slotPlace{Slot: slot, stage: i, instruction: k})
				p := Parameter{ID: in.ID(), Path: slot.Pointer, Kind: slot.Kind, Default: ParameterDefault{Value: slot.Value}}
				if slot.Kind == flags.SlotSegmentKeys {
					p.Default.RuleClause = &RuleClause{Attribute: slot.Clause.Attribute, Op: slot.Clause.Op, Negate: slot.Clause.Negate}
				}
				b.parameters = append(b.parameters, p)
			}
		}
	}
}

// instruction returns the instruction in which a slot stands.
func (b *binder) instruction(p *slotPlace) flags.Instruction {
	return b.template.stages[p.stage].Action.Instructions[p.instruction]
}

// take gives the overrides to the slots that they name, and reports what is wrong
// with them.
func (b *binder) take(overrides []Override, problems *Problems) {
	if len(overrides) > maxOverrides {
		problems.Errorf("/parameters", flags.CodeTooLarge, "%s", tooMany("parameters", maxOverrides))
		return
	}
	type name struct{ id, path string }
	places := make(map[name]*slotPlace, len(b.places))
	instructions := map[string]*overridden{}
	for i := range b.places {
		p := &b.parameters[i]
		places[name{p.ID, p.Path}] = &b.places[i]
		if instructions[p.ID] == nil {
			instructions[p.ID] = &overridden{instruction: b.instruction(&b.places[i])}
		}
	}
	found := make([]Problems, len(overrides)) // relative to each override
	var inOrder []*overridden
	for i := range overrides {
		o := &overrides[i]
		place := places[name{o.ID, o.Path}]
		o.judge(place, &found[i])
		in := instructions[o.ID]
		if in == nil {
			found[i].Errorf("/_id", flags.CodeNotFound, "%s is no instruction of the template in which a value depends on the flag", strictjson.Quote(o.ID))
			continue
		}
		if in.indexes == nil {
			inOrder = append(inOrder, in)
		}
		value := o.Value
		if place != nil {
			place.override = o
			if value.IsZero() { // only the place is to be judged
				value = place.Value
			}
		}
		in.indexes = append(in.indexes, i)
		in.values = append(in.values, flags.SlotValue{Pointer: o.Path, Value: value})
	}
	for _, in := range inOrder {
		in.judge(found)
	}
	for i := range found {
		problems.AddAll("/parameters/"+strconv.Itoa(i), found[i])
	}
}

// judge reports what is wrong with how an override says its value, for a place
// that may be nil.
func (o *Override) judge(place *slotPlace, problems *Problems) {
	switch boolean := o.BooleanVariationValue != nil; {
	case boolean && !o.Value.IsZero():
		problems.Errorf("/default/booleanVariationValue", flags.CodeExclusive, "value and booleanVariationValue exclude each other; give one of them")
	case !boolean && o.Value.IsZero():
		problems.Errorf("/default/value", flags.CodeRequired, "give the value, or a booleanVariationValue, that is to be used")
	case boolean && place != nil && !place.isVariation():
		problems.Errorf("/default/booleanVariationValue", flags.CodeWrongType, "no id of a variation stands at %s; give a value", strictjson.Quote(o.Path))
	}
}

// overridden is an instruction with overrides.
type overridden struct {
	instruction flags.Instruction
	indexes     []int // of the overrides
	values      []flags.SlotValue
}

// judge reports what is wrong with the overrides, to each what concerns it.
func (in *overridden) judge(found []Problems) {
	_, problems := in.instruction.WithSlots(in.values...)
	for _, p := range problems {
		index, rest, _ := strings.Cut(strings.TrimPrefix(p.Pointer, "/"), "/")
		k, err := strconv.Atoi(index)
		if err != nil || p.Omitted > 0 { // it concerns the instruction
			k, rest = 0, ""
		}
		if at, inside := strings.CutPrefix(rest, "value"); inside {
			rest = "/default/value" + at
		} else if rest != "" {
			rest = "/path"
		}
		p.Pointer = rest
		found[in.indexes[k]].Add(p)
	}
}

// isVariation reports whether the id of a single variation stands here.
func (p *slotPlace) isVariation() bool {
	return p.Kind == flags.SlotVariationID || p.Kind == flags.SlotPrerequisiteVariationID
}

// judge judges the parameters, and finds what stands for them in the target. An
// error is that of the target.
func (b *binder) judge() error {
	var prerequisite *slotPlace // the key before
	for i := range b.places {
		place, p := &b.places[i], &b.parameters[i]
		if place.override != nil && !place.override.Value.IsZero() {
			p.Default.Value = place.override.Value
		}
		var err error
		switch place.Kind {
		case flags.SlotVariationID, flags.SlotRolloutWeights:
			same := b.target.ProjectKey == b.template.origin.ProjectKey && b.target.FlagKey == b.template.origin.FlagKey
			b.variation(place, p, pool{b.own, b.target.FlagKey, b.template.origin.FlagKey, same})
		case flags.SlotRuleID, flags.SlotRuleIDs:
			b.parts(place, p, "rule")
		case flags.SlotClauseID, flags.SlotClauseIDs:
			b.parts(place, p, "clause")
		case flags.SlotSegmentKeys:
			err = b.segmentKeys(place, p)
		case flags.SlotTargetValues:
			b.targetValues(place, p)
		case flags.SlotPrerequisiteKey:
			prerequisite = place
			err = b.prerequisiteKey(place, p)
		case flags.SlotPrerequisiteVariationID:
			err = b.prerequisiteVariation(place, p, prerequisite)
		default:
			p.Reason = "it is not known how to find its counterpart"
		}
		if err != nil {
			return err
		}
		p.Valid = p.Reason == ""
	}
	return nil
}

// pool is where the counterpart of a variation is looked for.
type pool struct {
	*variations        // nil: nothing is known of the flag
	key         string // of the flag
	home        string // key of the flag that the template has an id of
	same        bool   // both are the same flag
}

// variation finds the counterparts of variations in a flag.
func (b *binder) variation(place *slotPlace, p *Parameter, in pool) {
	given := place.override != nil
	if given && place.override.BooleanVariationValue != nil {
		b.booleanVariation(place, p, in)
		return
	}
	slot := place.Slot
	slot.Value = p.Default.Value
	to := map[string]string{}
	from := map[string]string{}
	for _, id := range slot.Names() {
		found := id
		switch {
		case in.variations == nil:
			if !in.same && !given {
				p.Reason = "nothing is known of flag " + strictjson.Quote(in.key) + "; give it the id of one of its variations"
			}
		case in.has(id):
		case given || in.same:
			p.Reason = "flag " + strictjson.Quote(in.key) + " has no variation " + strictjson.Quote(id)
		default:
			found, p.Reason = in.counterpart(id, b.template.valueBehind(in.home, id))
		}
		if other, twice := from[found]; twice && p.Reason == "" {
			p.Reason = "the variations " + strictjson.Quote(other) + " and " + strictjson.Quote(id) + " would be one, " + strictjson.Quote(found)
		}
		if p.Reason != "" {
			break
		}
		to[id], from[found] = found, id
	}
	if p.Reason == "" {
		p.Default.Value = slot.Renamed(func(id string) string { return to[id] })
	}
	if names := slot.Names(); place.isVariation() && len(names) == 1 {
		p.Default.BooleanVariationValue = booleanOf(b.template.valueBehind(in.home, names[0]))
		if id := to[names[0]]; in.variations != nil && p.Reason == "" {
			p.Default.BooleanVariationValue = in.boolean(id)
		}
	}
}

// counterpart returns the id of the variation that has the value of another
// flag's, or why there is none.
func (v *variations) counterpart(id string, value Value) (found, why string) {
	why = "flag " + strictjson.Quote(v.flag.Key()) + " has no variation " + strictjson.Quote(id)
	if value.IsZero() {
		return "", why + ", and the template does not know its value"
	}
	found, none := v.valued(value)
	if none != "" {
		return "", why + ", and " + none
	}
	return found, ""
}

// booleanVariation finds the variation that serves what an override says.
func (b *binder) booleanVariation(place *slotPlace, p *Parameter, in pool) {
	p.Default.BooleanVariationValue = booleanOf(flags.BoolValue(*place.override.BooleanVariationValue))
	if in.variations == nil {
		p.Reason = "nothing is known of flag " + strictjson.Quote(in.key) + "; give it the id of one of its variations"
		return
	}
	id, why := in.valued(flags.BoolValue(*place.override.BooleanVariationValue))
	if p.Reason = why; why == "" {
		p.Default.Value = flags.StringValue(id)
	}
}

// parts judges ids of rules or clauses.
func (b *binder) parts(place *slotPlace, p *Parameter, what string) {
	if b.own == nil {
		if b.target.Origin != b.template.origin && place.override == nil && len(place.Names()) > 0 {
			p.Reason = "nothing is known of flag " + strictjson.Quote(b.target.FlagKey) + " in environment " + strictjson.Quote(b.target.EnvironmentKey)
		}
		return
	}
	if b.rules == nil {
		b.rules, b.clauses = map[string]bool{}, map[string]bool{}
		e, _ := b.target.Flag.Environment(b.target.EnvironmentKey)
		for _, rule := range e.Rules() {
			b.rules[rule.ID()] = true
			for _, clause := range rule.Clauses() {
				b.clauses[clause.ID()] = true
			}
		}
	}
	ids := b.rules
	if what == "clause" {
		ids = b.clauses
	}
	slot := place.Slot
	slot.Value = p.Default.Value
	for _, id := range slot.Names() {
		if !ids[id] {
			p.Reason = "flag " + strictjson.Quote(b.target.FlagKey) + " has no " + what + " " + strictjson.Quote(id) +
				" in environment " + strictjson.Quote(b.target.EnvironmentKey)
			return
		}
	}
}

// sameEnvironment reports whether the template was written for the target's
// environment, of whatever flag.
func (b *binder) sameEnvironment() bool {
	origin := &b.template.origin
	return b.target.ProjectKey == origin.ProjectKey && b.target.EnvironmentKey == origin.EnvironmentKey
}

func (b *binder) segmentKeys(place *slotPlace, p *Parameter) error {
	slot := place.Slot
	slot.Value = p.Default.Value
	for _, key := range slot.Names() {
		if b.target.Segment == nil {
			if place.override == nil && !b.sameEnvironment() {
				p.Reason = "nothing is known of segments in environment " + strictjson.Quote(b.target.EnvironmentKey)
			}
			return nil
		}
		there, known := b.segments[key]
		if !known {
			var err error
			if there, err = b.target.Segment(key); err != nil {
				return fmt.Errorf("look up segment %s: %w", strictjson.Quote(key), err)
			}
			b.segments[key] = there
		}
		if !there {
			p.Reason = "environment " + strictjson.Quote(b.target.EnvironmentKey) + " has no segment " + strictjson.Quote(key)
			return nil
		}
	}
	return nil
}

func (b *binder) targetValues(place *slotPlace, p *Parameter) {
	if place.override == nil && !b.sameEnvironment() && len(place.Names()) > 0 {
		p.Reason = "contexts belong to an environment; say which ones of project " + strictjson.Quote(b.target.ProjectKey) +
			" in environment " + strictjson.Quote(b.target.EnvironmentKey) + " are meant"
	}
}

// key returns the key of a prerequisite as the release would use it.
func (p *slotPlace) key() string {
	if p.override != nil {
		return flags.Slot{Kind: p.Kind, Value: p.override.Value}.Names()[0]
	}
	return p.Names()[0]
}

func (b *binder) prerequisiteKey(place *slotPlace, p *Parameter) error {
	key := place.key()
	switch {
	case key == b.target.FlagKey:
		p.Reason = "a flag cannot be a prerequisite of its own"
	case b.others == nil:
		if place.override == nil && b.target.ProjectKey != b.template.origin.ProjectKey {
			p.Reason = "nothing is known of other flags in project " + strictjson.Quote(b.target.ProjectKey)
		}
	default:
		v, err := b.others.variations(key)
		if err != nil {
			return err
		}
		if v == nil {
			p.Reason = "project " + strictjson.Quote(b.target.ProjectKey) + " has no flag " + strictjson.Quote(key)
		}
	}
	return nil
}

// prerequisiteVariation finds the counterpart of a variation in a prerequisite,
// whose key stands at another place.
func (b *binder) prerequisiteVariation(place *slotPlace, p *Parameter, key *slotPlace) error {
	in := pool{key: key.key(), home: key.Names()[0]}
	in.same = in.key == in.home && b.target.ProjectKey == b.template.origin.ProjectKey
	if b.others != nil {
		v, err := b.others.variations(in.key)
		if err != nil {
			return err
		}
		if v == nil {
			p.Reason = "project " + strictjson.Quote(b.target.ProjectKey) + " has no flag " + strictjson.Quote(in.key)
			return nil
		}
		in.variations = v
	}
	b.variation(place, p, in)
	return nil
}
