package flags

import (
	"maps"
	"slices"
	"strconv"

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
	apply:  (*work).addTargets,
}

// AddTargets serves a variation to contexts, in one environment, besides those
// it has as targets. A context that would then be a target of two variations is
// an error: remove it from the other one first. So is a variation that does not
// exist.
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
	apply:  (*work).removeTargets,
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
	apply:  (*work).replaceTargets,
}

// ReplaceTargets replaces all targets, of every kind of context, in one
// environment, by none if none are given. A variation that does not exist is an
// error, as is a context that stands in lists of two variations. At most 10,000
// lists are allowed.
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
	apply:  (*work).clearTargets,
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
	apply:  (*work).addUserTargets,
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
	apply:  (*work).removeUserTargets,
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
	apply:  (*work).replaceUserTargets,
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
	apply:  (*work).clearUserTargets,
}

// ClearUserTargets removes all users from the targets of a variation in one
// environment. A variation that does not exist is an error.
func ClearUserTargets(variationID string) Instruction {
	return build(&clearUserTargets, text(variationID))
}

// ownLists returns the environment to be changed; its lists of targets may be
// replaced by others.
func (w *work) ownLists() *environmentBody {
	e := w.ownEnv()
	if !w.ownsLists {
		w.ownsLists = true
		e.users, e.contexts = slices.Clone(e.users), slices.Clone(e.contexts)
	}
	return e
}

// listsOf returns the lists among which those of a kind of contexts stand.
func (e *environmentBody) listsOf(contextKind string) *[]*targetsBody {
	if contextKind == userKind {
		return &e.users
	}
	return &e.contexts
}

// ownList returns a list of targets to be changed, which is made if there is
// none.
func (w *work) ownList(contextKind string, variation int) *targetsBody {
	e := w.ownLists()
	lists := e.listsOf(contextKind)
	t := e.list(contextKind, variation)
	switch {
	case t == nil:
		t = &targetsBody{variation: variation, contextKind: contextKind}
		*lists = append(*lists, t)
		w.lists = append(w.lists, t)
		w.growth += 64 + 6*len(contextKind)
	case !slices.Contains(w.lists, t):
		own := *t
		own.values = append(make([]string, 0, len(t.values)+4), t.values...) // most often to add some
		own.set = maps.Clone(t.set)
		(*lists)[slices.Index(*lists, t)] = &own
		w.lists = append(w.lists, &own)
		t = &own
	}
	return t
}

// settle puts the lists in order after a change: empty ones go, and each list
// of users has its place among the contexts.
func (w *work) settle() {
	e := w.ownLists()
	e.users = slices.DeleteFunc(e.users, func(t *targetsBody) bool { return len(t.values) == 0 })
	e.contexts = slices.DeleteFunc(e.contexts, func(t *targetsBody) bool {
		if t.isPlaceholder() {
			return e.list(userKind, t.variation) == nil
		}
		return len(t.values) == 0
	})
	for _, t := range e.users {
		if e.placeholder(t.variation) < 0 {
			e.contexts = append(e.contexts, &targetsBody{variation: t.variation, contextKind: userKind})
			w.growth += 128
		}
	}
}

func (w *work) addTargets(args []arg) error {
	return w.target(args, orUser(textOf(args[2])))
}

func (w *work) addUserTargets(args []arg) error { return w.target(args, userKind) }

// target adds targets of a kind of contexts.
func (w *work) target(args []arg, contextKind string) error {
	variation, err := w.variation(memberVariationID, textOf(args[1]))
	if err != nil {
		return err
	}
	own := w.env().list(contextKind, variation)
	changed := false
	for i, key := range args[0].(texts) {
		if own != nil && own.has(key) {
			continue
		}
		for _, t := range *w.env().listsOf(contextKind) {
			if t.variation != variation && t.kind() == contextKind && t.has(key) {
				w.at.push("values")
				return w.failAt(strconv.Itoa(i), CodeDuplicate,
					"%s is a target of variation %s already, and can be one of a single variation; remove it there first",
					strictjson.Quote(key), strictjson.Quote(w.flag.variations[t.variation].ID))
			}
		}
		if !changed {
			changed = true
			own = w.ownList(contextKind, variation)
		}
		own.add(key)
	}
	if !changed {
		return nil
	}
	if code, message := listDefect(len(own.values)); code != "" {
		return w.failAt("values", code, "the list of targets then %s", message)
	}
	w.settle()
	return nil
}

func (w *work) removeTargets(args []arg) error {
	return w.untarget(args, orUser(textOf(args[2])))
}

func (w *work) removeUserTargets(args []arg) error { return w.untarget(args, userKind) }

// untarget removes targets of a kind of contexts.
func (w *work) untarget(args []arg, contextKind string) error {
	variation, err := w.variation(memberVariationID, textOf(args[1]))
	if err != nil {
		return err
	}
	t := w.env().list(contextKind, variation)
	if t == nil || !slices.ContainsFunc(args[0].(texts), t.has) {
		return nil
	}
	w.ownList(contextKind, variation).remove(args[0].(texts))
	w.settle()
	return nil
}

func (w *work) clearTargets(args []arg) error { return w.clear(args, false) }

func (w *work) clearUserTargets(args []arg) error { return w.clear(args, true) }

// clear removes the targets of a variation, of users only or of all kinds.
func (w *work) clear(args []arg, users bool) error {
	variation, err := w.variation(memberVariationID, textOf(args[0]))
	if err != nil {
		return err
	}
	of := func(t *targetsBody) bool { return t.variation == variation }
	if !slices.ContainsFunc(w.env().users, of) && (users || !slices.ContainsFunc(w.env().contexts, of)) {
		return nil
	}
	e := w.ownLists()
	e.users = slices.DeleteFunc(e.users, of)
	if !users {
		e.contexts = slices.DeleteFunc(e.contexts, of)
	}
	w.settle()
	return nil
}

func (w *work) replaceTargets(args []arg) error {
	lists, err := w.newLists(args[0].(targets))
	if err != nil {
		return err
	}
	e := w.ownLists()
	e.users, e.contexts = nil, nil
	for _, t := range lists {
		place := e.listsOf(t.kind())
		*place = append(*place, t)
		if t.kind() == userKind {
			e.contexts = append(e.contexts, &targetsBody{variation: t.variation, contextKind: userKind})
		}
	}
	w.growth += 128 * len(e.users)
	w.settle()
	return nil
}

func (w *work) replaceUserTargets(args []arg) error {
	given := args[0].(targets)
	lists, err := w.newLists(given)
	if err != nil {
		return err
	}
	there := make([]bool, len(w.flag.variations))
	for i := range given {
		index, err := w.variation(memberVariationID, given[i].VariationID)
		if err != nil {
			return err
		}
		there[index] = true
	}
	for i, is := range there {
		if !is {
			return w.failAt("targets", CodeRequired, "must have a list, which may be empty, for each variation; that of %s is missing",
				strictjson.Quote(w.flag.variations[i].ID))
		}
	}
	w.ownLists().users = lists
	w.settle()
	return nil
}

// newLists returns the lists of targets that the instruction gives, without the
// empty ones. A list that there was keeps its unknown members.
func (w *work) newLists(given targets) (lists []*targetsBody, err error) {
	type head struct {
		contextKind string
		variation   int
	}
	heads := make(map[head]*targetsBody, len(given))
	variations := map[target]int{}
	w.at.push("targets")
	for i := range given {
		w.at.pushIndex(i)
		variation, err := w.variation(memberVariationID, given[i].VariationID)
		if err != nil {
			return nil, err
		}
		if len(given[i].Values) == 0 {
			w.at.pop()
			continue
		}
		h := head{orUser(given[i].ContextKind), variation}
		t := heads[h]
		if t == nil {
			t = &targetsBody{variation: variation, contextKind: h.contextKind}
			if old := w.env().list(h.contextKind, variation); old != nil {
				t.contextKind, t.more = old.contextKind, old.more
			}
			heads[h] = t
			lists = append(lists, t)
			w.growth += 64
		}
		w.at.push("values")
		for j, key := range given[i].Values {
			was, there := variations[target{h.contextKind, key}]
			if there && was != variation {
				return nil, w.failAt(strconv.Itoa(j), CodeDuplicate, "%s is a target of variation %s too, and can be one of a single variation",
					strictjson.Quote(key), strictjson.Quote(w.flag.variations[was].ID))
			}
			if !there {
				variations[target{h.contextKind, key}] = variation
				t.values = append(t.values, key)
			}
		}
		w.at.pop()
		w.at.pop()
		if code, message := listDefect(len(t.values)); code != "" {
			return nil, w.fail(code, "the list of targets then %s", message)
		}
	}
	w.at.pop()
	for _, t := range lists {
		t.index()
	}
	return lists, nil
}
