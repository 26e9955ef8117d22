package flags

import (
	"slices"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Targets names contexts that are served a variation whatever the rules say.
type Targets struct {
	// ContextKind is the kind of the contexts; "" is user. [ReplaceUserTargets]
	// concerns users only and takes none.
	ContextKind string
	VariationID string
	Values      []string // the keys of the contexts, at most 10,000
}

func (t *Targets) equal(other *Targets) bool {
	return t.ContextKind == other.ContextKind && t.VariationID == other.VariationID && slices.Equal(t.Values, other.Values)
}

func (t *Targets) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = appendText(dst, "contextKind", t.ContextKind)
	dst = strictjson.AppendString(appendName(dst, memberVariationID), t.VariationID)
	dst = strictjson.AppendStrings(appendName(dst, "values"), t.Values)
	return closeObject(dst, start)
}

type targets []Targets

func cloneTargets(list []Targets) targets {
	list = slices.Clone(list)
	for i := range list {
		list[i].Values = slices.Clone(list[i].Values)
	}
	return list
}

func (a targets) appendJSON(dst []byte) []byte {
	return appendList(dst, a, (*Targets).appendJSON)
}

func (a targets) equal(other arg) bool {
	o, ok := other.(targets)
	return ok && slices.EqualFunc(a, o, func(a, b Targets) bool { return a.equal(&b) })
}

func (a targets) say(dst []byte, _ *param) []byte {
	return sayList(dst, len(a), "; and ", func(dst []byte, i int) []byte {
		t := &a[i]
		dst = append(sayID(append(dst, "variation "...), t.VariationID), " for "...)
		if t.ContextKind != "" {
			dst = append(append(dst, shorten(t.ContextKind)...), ' ')
		}
		return texts(t.Values).say(dst, &paramTargetValues)
	})
}

var targetMembers = []string{memberVariationID, "values", "contextKind"}

// targets reads an element of a list of targets of the given shape.
func (r *reader) targets(s shape) Targets {
	var t Targets
	d := r.d
	if !d.BeginObject() {
		return t
	}
	variationGiven, valuesGiven := false, false
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch {
		case name == "contextKind" && s != userTargetsShape:
			t.ContextKind = r.optional(blankText)
		case name == memberVariationID:
			variationGiven = true
			t.VariationID = r.text(idText)
		case name == "values":
			valuesGiven = true
			t.Values = r.texts(someText)
		case s == userTargetsShape:
			d.UnknownMember(name, targetMembers[:2]...)
		default:
			d.UnknownMember(name, targetMembers...)
		}
	}
	if !variationGiven {
		r.missing(memberVariationID, messageMissing)
	}
	if !valuesGiven {
		r.missing("values", messageMissing)
	}
	return t
}

func (c *checker) targets(t *Targets, s shape) {
	c.size += 64
	switch {
	case t.ContextKind == "":
	case s == userTargetsShape:
		c.unknownMember("contextKind")
	default:
		c.member("contextKind", t.ContextKind, blankText)
	}
	c.member(memberVariationID, t.VariationID, idText)
	c.at.push("values")
	c.texts(t.Values, someText)
	c.at.pop()
}

var (
	paramVariationID  = param{name: memberVariationID, shape: textShape, form: idText, slot: SlotVariationID}
	paramTargetValues = param{name: "values", shape: textsShape, form: someText, slot: SlotTargetValues}
	paramContextKind  = param{name: "contextKind", shape: textShape, form: blankText, optional: true}
)

var addTargets = kind{
	name:   "addTargets",
	scope:  ScopeEnvironment,
	params: []param{paramTargetValues, paramVariationID, paramContextKind},
	reads:  []Field{FieldVariations, FieldTargets},
	writes: []Field{FieldTargets},
	says:   "always serve variation {variationId} to[ {contextKind}] {values}",
}

// AddTargets serves a variation to contexts, in one environment, besides those
// it has as targets. A context that would then be a target of two variations is
// an error, as is a variation that does not exist.
func AddTargets(t Targets) Instruction { return build(&addTargets, t.args()...) }

// args returns the arguments of a kind that concerns one variation's targets.
func (t *Targets) args() []arg {
	return []arg{texts(slices.Clone(t.Values)), text(t.VariationID), unlessEmpty(t.ContextKind)}
}

var removeTargets = kind{
	name:   "removeTargets",
	scope:  ScopeEnvironment,
	params: []param{paramTargetValues, paramVariationID, paramContextKind},
	reads:  []Field{FieldVariations, FieldTargets},
	writes: []Field{FieldTargets},
	says:   "no longer always serve variation {variationId} to[ {contextKind}] {values}",
}

// RemoveTargets takes contexts away from the targets of a variation in one
// environment. Contexts that are no targets of it are passed over; a variation
// that does not exist is an error.
func RemoveTargets(t Targets) Instruction { return build(&removeTargets, t.args()...) }

var replaceTargets = kind{
	name:   "replaceTargets",
	scope:  ScopeEnvironment,
	params: []param{{name: "targets", shape: targetsShape}},
	reads:  []Field{FieldVariations},
	writes: []Field{FieldTargets},
	says:   "replace all individual targets by: {targets}",
}

// ReplaceTargets replaces all targets, of every kind of context, in one
// environment, by none if none are given. A variation that does not exist is an
// error. At most 10,000 lists are allowed.
func ReplaceTargets(list ...Targets) Instruction {
	return build(&replaceTargets, cloneTargets(list))
}

var clearTargets = kind{
	name:   "clearTargets",
	scope:  ScopeEnvironment,
	params: []param{paramVariationID},
	reads:  []Field{FieldVariations, FieldTargets},
	writes: []Field{FieldTargets},
	says:   "remove all individual targets of variation {variationId}",
}

// ClearTargets removes all targets of a variation, users and other contexts, in
// one environment. A variation that does not exist is an error.
func ClearTargets(variationID string) Instruction { return build(&clearTargets, text(variationID)) }

var addUserTargets = kind{
	name:   "addUserTargets",
	scope:  ScopeEnvironment,
	params: []param{paramTargetValues, paramVariationID},
	reads:  []Field{FieldVariations, FieldTargets},
	writes: []Field{FieldTargets},
	says:   "always serve variation {variationId} to user {values}",
}

// AddUserTargets serves a variation to users named by their keys, in one
// environment. A user who would then be a target of two variations is an error,
// as is a variation that does not exist. At most 10,000 keys are allowed.
func AddUserTargets(variationID string, values ...string) Instruction {
	return build(&addUserTargets, texts(slices.Clone(values)), text(variationID))
}

var removeUserTargets = kind{
	name:   "removeUserTargets",
	scope:  ScopeEnvironment,
	params: []param{paramTargetValues, paramVariationID},
	reads:  []Field{FieldVariations, FieldTargets},
	writes: []Field{FieldTargets},
	says:   "no longer always serve variation {variationId} to user {values}",
}

// RemoveUserTargets takes users away from the targets of a variation in one
// environment. Users who are no targets of it are passed over; a variation that
// does not exist is an error. At most 10,000 keys are allowed.
func RemoveUserTargets(variationID string, values ...string) Instruction {
	return build(&removeUserTargets, texts(slices.Clone(values)), text(variationID))
}

var replaceUserTargets = kind{
	name:   "replaceUserTargets",
	scope:  ScopeEnvironment,
	params: []param{{name: "targets", shape: userTargetsShape}},
	reads:  []Field{FieldVariations, FieldTargets},
	writes: []Field{FieldTargets},
	says:   "replace all individually targeted users by: {targets}",
}

// ReplaceUserTargets replaces all users among the targets in one environment.
// It is an error if one of the flag's variations is not in the list, or if a
// variation does not exist. The ContextKind of each must be empty.
func ReplaceUserTargets(list ...Targets) Instruction {
	return build(&replaceUserTargets, cloneTargets(list))
}

var clearUserTargets = kind{
	name:   "clearUserTargets",
	scope:  ScopeEnvironment,
	params: []param{paramVariationID},
	reads:  []Field{FieldVariations, FieldTargets},
	writes: []Field{FieldTargets},
	says:   "remove all users from the individual targets of variation {variationId}",
}

// ClearUserTargets removes all users from the targets of a variation in one
// environment. A variation that does not exist is an error.
func ClearUserTargets(variationID string) Instruction {
	return build(&clearUserTargets, text(variationID))
}
