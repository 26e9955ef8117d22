package flags

import (
	"slices"
	"strconv"
	"strings"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// FieldChange is a field in which two flags differ. [ChangedFields] tells what
// fields there are.
type FieldChange struct {
	// Pointer names the field: a JSON Pointer by RFC 6901.
	Pointer string
	// Was and Is are the field in the one flag and in the other; the zero Value
	// says that it is not there. They are never equal.
	Was, Is Value
}

// ChangedFields returns the fields in which two flags differ, in all
// environments, each once and in a fixed order. It returns nil exactly when the
// flags are the same by [Flag.Same] in every environment: versions, dates of
// changes and all else that makes no difference there are no fields.
//
// A field is named by what it belongs to, not by its place, so that it is the
// same field whatever else changes:
//
//	/name, /description, /maintainerId, /archived, …   as in the document
//	/tags/<tag>
//	/customProperties/<key>                             its name and values
//	/variations/<id>/value, /name, /description
//	/defaults/onVariation, /offVariation                the variation's id
//	/clientSideAvailability/usingMobileKey, /usingEnvironmentId
//	/environments/<key>/on, /trackEvents, …             as in the document
//	/environments/<key>/offVariation                    the variation's id
//	/environments/<key>/fallthrough                     what the default rule serves
//	/environments/<key>/targets/<kind>/<context key>    the id of the variation that is served
//	/environments/<key>/rules/<id>/serve                what the rule serves
//	/environments/<key>/rules/<id>/description, /disabled, /trackEvents, /ref
//	/environments/<key>/rules/<id>/clauses/<id>         the clause
//	/environments/<key>/prerequisites/<flag key>
//
// Variations, rules, clauses and environments that only one flag has are fields
// as a whole, as in /variations/<id>; so is the flag, with the empty pointer, if
// the other one is zero. A list is a field, with the identities of its entries,
// when entries that both have stand in another order. /environments/<key>/targets
// is one, with its lists, when those contexts that are served the same in both
// stand in another order, or unknown members of their lists differ. Members that
// are not known are fields of the object in which they stand.
//
// Variations are told by their ids, also inside values. What has no id is told
// by # and its place among those without, as in #0; an id that begins with #
// gets another one before it, and so does an unknown member of a rule that is
// called serve.
//
// The cost is linear in what the flags do not share: it does not depend on how
// many rules or targets there are that an [Apply] has left alone.
func ChangedFields(from, to Flag) []FieldChange {
	switch {
	case from.body == to.body:
		return nil
	case from.IsZero():
		return []FieldChange{{Is: valueOf(to.AppendJSON(nil))}}
	case to.IsZero():
		return []FieldChange{{Was: valueOf(from.AppendJSON(nil))}}
	}
	f := fieldFinder{from: identified{flagBody: from.body}, to: identified{flagBody: to.body}}
	f.pairVariations()
	f.flag()
	f.in("environments", f.environments)
	return f.list
}

// fieldFinder finds the fields in which two flags differ.
type fieldFinder struct {
	from, to identified
	moved    []int  // the places of from's variations in to, -1 for none; nil if all stay
	at       []byte // the pointer of what is looked at
	list     []FieldChange
}

// identified is a flag whose variations have identities.
type identified struct {
	*flagBody
	names []string // of the variations, once they are asked for
}

// variationName returns the identity of a variation.
func (b *identified) variationName(index int) string {
	if index < 0 || index >= len(b.variations) {
		return ""
	}
	if b.names == nil {
		b.names = identities(b.variations, 0, func(v *variationBody) string { return v.ID })
	}
	return b.names[index]
}

// identities returns what tells the entries of a list apart: their ids, or
// their places among those without one, of which there are some before.
func identities[T any](list []T, before int, id func(*T) string) []string {
	names := make([]string, len(list))
	for i := range list {
		name := id(&list[i])
		if name == "" {
			name = "#" + strconv.Itoa(before)
			before++
		} else if name[0] == '#' {
			name = "#" + name
		}
		names[i] = name
	}
	return names
}

// pairVariations finds out where the variations went.
func (f *fieldFinder) pairVariations() {
	if sharesAll(f.from.variations, f.to.variations) {
		return
	}
	places := make(map[string]int, len(f.to.variations))
	for j := range f.to.variations {
		places[f.to.variationName(j)] = j
	}
	moved, stay := make([]int, len(f.from.variations)), true
	for i := range moved {
		j, there := places[f.from.variationName(i)]
		if !there {
			j = -1
		}
		moved[i], stay = j, stay && i == j
	}
	if !stay {
		f.moved = moved
	}
}

// place returns the place that a variation has in the new flag, or -1.
func (f *fieldFinder) place(index int) int {
	if f.moved == nil {
		return index
	}
	return f.moved[index]
}

// sharesAll reports whether two lists are one.
func sharesAll[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// in looks at what stands at a step further.
func (f *fieldFinder) in(step string, look func()) {
	outer := len(f.at)
	f.at = strictjson.AppendPointer(f.at, step)
	look()
	f.at = f.at[:outer]
}

// change notes that what stands here differs.
func (f *fieldFinder) change(was, is Value) {
	f.list = append(f.list, FieldChange{string(f.at), was, is})
}

func (f *fieldFinder) changeIn(step string, was, is Value) {
	f.in(step, func() { f.change(was, is) })
}

func (f *fieldFinder) text(step, was, is string) {
	if was != is {
		f.changeIn(step, textValue(was), textValue(is))
	}
}

func (f *fieldFinder) truth(step string, was, is bool) {
	if was != is {
		f.changeIn(step, BoolValue(was), BoolValue(is))
	}
}

// unknown notes the unknown members of an object that differ.
func (f *fieldFinder) unknown(from, to string) { f.unknownAs(from, to, asItIs) }

func asItIs(name string) string { return name }

// unknownAs notes them by other names.
func (f *fieldFinder) unknownAs(from, to string, rename func(string) string) {
	if sameMore(from, to) {
		return
	}
	x, y := moreMembers(from), moreMembers(to)
	for len(x) > 0 || len(y) > 0 {
		switch {
		case len(y) == 0 || len(x) > 0 && x[0].name < y[0].name:
			f.changeIn(rename(x[0].name), valueOf([]byte(x[0].value)), Value{})
			x = x[1:]
		case len(x) == 0 || y[0].name < x[0].name:
			f.changeIn(rename(y[0].name), Value{}, valueOf([]byte(y[0].value)))
			y = y[1:]
		default:
			if x[0] != y[0] {
				f.changeIn(rename(x[0].name), valueOf([]byte(x[0].value)), valueOf([]byte(y[0].value)))
			}
			x, y = x[1:], y[1:]
		}
	}
}

// entries compares the entries of two lists, which have names. Those that both
// have are compared, those that one has are given by was and is. It returns
// whether those that both have stand in the same order.
func (f *fieldFinder) entries(from, to []string, compare func(i, j int), was, is func(int) Value) (inOrder bool) {
	places := make(map[string]int, len(from))
	for i, name := range from {
		places[name] = i
	}
	stay := make([]bool, len(from))
	last := -1
	inOrder = true
	for j, name := range to {
		i, there := places[name]
		if !there {
			f.changeIn(name, Value{}, is(j))
			continue
		}
		inOrder = inOrder && i > last
		last, stay[i] = i, true
		f.in(name, func() { compare(i, j) })
	}
	for i, name := range from {
		if !stay[i] {
			f.changeIn(name, was(i), Value{})
		}
	}
	return inOrder
}

// entriesInOrder compares lists as entries does, and notes another order.
func (f *fieldFinder) entriesInOrder(from, to []string, compare func(i, j int), was, is func(int) Value) {
	if !f.entries(from, to, compare, was, is) {
		f.order(from, to)
	}
}

// order notes that a list has another order.
func (f *fieldFinder) order(from, to []string) {
	f.change(valueOf(strictjson.AppendStrings(nil, from)), valueOf(strictjson.AppendStrings(nil, to)))
}

// flag looks at what concerns all environments.
func (f *fieldFinder) flag() {
	from, to := &f.from, &f.to
	f.text("name", from.name, to.name)
	f.text("kind", string(from.kind), string(to.kind))
	f.text("description", from.description, to.description)
	f.text("key", from.key, to.key)
	if from.created != to.created {
		f.changeIn("creationDate", from.created.value(), to.created.value())
	}
	if from.inSnippet != to.inSnippet {
		f.changeIn("includeInSnippet", from.inSnippet.value(), to.inSnippet.value())
	}
	f.in("clientSideAvailability", func() {
		f.truth(string(UsingMobileKey), from.availability.mobile, to.availability.mobile)
		f.truth(string(UsingEnvironmentID), from.availability.envID, to.availability.envID)
		f.unknown(from.availability.more, to.availability.more)
	})
	f.in("variations", f.variations)
	f.truth("temporary", from.temporary, to.temporary)
	f.in("tags", f.tags)
	f.text("maintainerId", from.maintainer.member, to.maintainer.member)
	f.text("maintainerTeamKey", from.maintainer.team, to.maintainer.team)
	f.in("customProperties", f.properties)
	f.truth("archived", from.archived.is, to.archived.is)
	f.truth("deprecated", from.deprecated.is, to.deprecated.is)
	f.truth("deleted", from.deleted.is, to.deleted.is)
	f.in("defaults", func() {
		on, off := Flag{from.flagBody}.Defaults()
		isOn, isOff := Flag{to.flagBody}.Defaults()
		f.index("onVariation", on, isOn)
		f.index("offVariation", off, isOff)
		f.unknown(from.defaults.more, to.defaults.more)
	})
	f.unknown(from.more, to.more)
}

// index looks at the index of a variation.
func (f *fieldFinder) index(step string, from, to int) {
	if f.place(from) != to {
		f.changeIn(step, StringValue(f.from.variationName(from)), StringValue(f.to.variationName(to)))
	}
}

func (f *fieldFinder) variations() {
	from, to := f.from.variations, f.to.variations
	if sharesAll(from, to) {
		return
	}
	name := func(b *identified) []string { b.variationName(0); return b.names }
	f.entriesInOrder(name(&f.from), name(&f.to), func(i, j int) {
		was, is := &from[i], &to[j]
		if was.Value != is.Value {
			f.changeIn("value", was.Value, is.Value)
		}
		f.text("name", was.Name, is.Name)
		f.text("description", was.Description, is.Description)
		f.unknown(was.more, is.more)
	}, func(i int) Value { return from[i].value() }, func(j int) Value { return to[j].value() })
}

func (f *fieldFinder) tags() {
	from, to := f.from.tags, f.to.tags
	if sharesAll(from, to) {
		return
	}
	f.entriesInOrder(from, to, func(int, int) {},
		func(i int) Value { return StringValue(from[i]) }, func(j int) Value { return StringValue(to[j]) })
}

// properties looks at the custom properties, whose order means nothing.
func (f *fieldFinder) properties() {
	from, to := f.from.properties, f.to.properties
	if sharesAll(from, to) {
		return
	}
	places := make(map[string]int, len(from))
	for i := range from {
		places[from[i].key] = i
	}
	stay := make([]bool, len(from))
	for j := range to {
		i, there := places[to[j].key]
		if !there {
			f.changeIn(to[j].key, Value{}, to[j].value())
			continue
		}
		if stay[i] = true; !from[i].same(&to[j]) {
			f.changeIn(to[j].key, from[i].value(), to[j].value())
		}
	}
	for i := range from {
		if !stay[i] {
			f.changeIn(from[i].key, from[i].value(), Value{})
		}
	}
}

func (f *fieldFinder) environments() {
	from, to := f.from.environments, f.to.environments
	stay := make([]bool, len(from))
	var places map[string]int // once they are not the same
	for j, e := range to {
		i, there := j, j < len(from) && from[j].key == e.key
		if !there {
			if places == nil {
				places = make(map[string]int, len(from))
				for i, e := range from {
					places[e.key] = i
				}
			}
			i, there = places[e.key]
		}
		if !there {
			f.changeIn(e.key, Value{}, valueOf(e.appendJSON(nil)))
			continue
		}
		stay[i] = true
		f.in(e.key, func() { f.environment(from[i], e) })
	}
	for i, e := range from {
		if !stay[i] {
			f.changeIn(e.key, valueOf(e.appendJSON(nil)), Value{})
		}
	}
}

func (f *fieldFinder) environment(from, to *environmentBody) {
	if from == to && f.moved == nil {
		return
	}
	f.truth("on", from.on, to.on)
	f.truth("archived", from.archived, to.archived)
	f.text("salt", from.salt, to.salt)
	f.in("targets", func() { f.targets(from, to) })
	f.in("rules", func() { f.rules(from.rules, to.rules) })
	if !f.serves(&from.byDefault, &to.byDefault) || !sameMore(from.defaultMore, to.defaultMore) {
		f.changeIn("fallthrough", f.from.served(&from.byDefault, from.defaultMore), f.to.served(&to.byDefault, to.defaultMore))
	}
	if from.off.given != to.off.given || from.off.given && f.place(int(from.off.n)) != int(to.off.n) {
		f.changeIn("offVariation", f.from.off(from), f.to.off(to))
	}
	f.in("prerequisites", func() { f.prerequisites(from.prerequisites, to.prerequisites) })
	f.truth("trackEvents", from.track, to.track)
	f.truth("trackEventsFallthrough", from.trackDefault, to.trackDefault)
	f.unknown(from.more, to.more)
}

// serves reports whether both serve the same variations.
func (f *fieldFinder) serves(from, to *servedBody) bool {
	if f.moved == nil {
		return from.same(to)
	}
	if from.rollout != nil && slices.ContainsFunc(from.rollout.weights, func(w weightBody) bool {
		return w.Weight > 0 && f.place(w.Variation) < 0
	}) {
		return false
	}
	was := from.move(f.place)
	return was.same(to)
}

func (f *fieldFinder) prerequisites(from, to []prerequisiteBody) {
	if sharesAll(from, to) {
		return
	}
	name := func(p *prerequisiteBody) string { return p.Key }
	f.entriesInOrder(identities(from, 0, name), identities(to, 0, name), func(i, j int) {
		if !from[i].same(&to[j]) {
			f.change(from[i].value(), to[j].value())
		}
	}, func(i int) Value { return from[i].value() }, func(j int) Value { return to[j].value() })
}

func (f *fieldFinder) rules(from, to []*ruleBody) {
	allFrom, allTo, before := from, to, 0 // before: rules without an id at the beginning, which are left out
	if f.moved == nil {
		if sharesAll(from, to) {
			return
		}
		for len(from) > 0 && len(to) > 0 && from[0] == to[0] {
			if from[0].id == "" {
				before++
			}
			from, to = from[1:], to[1:]
		}
		for len(from) > 0 && len(to) > 0 && from[len(from)-1] == to[len(to)-1] && to[len(to)-1].id != "" {
			from, to = from[:len(from)-1], to[:len(to)-1]
		}
	}
	name := func(rule **ruleBody) string { return (*rule).id }
	if !f.entries(identities(from, before, name), identities(to, before, name), func(i, j int) { f.rule(from[i], to[j]) },
		func(i int) Value { return f.from.rule(from[i]) }, func(j int) Value { return f.to.rule(to[j]) }) {
		f.order(identities(allFrom, 0, name), identities(allTo, 0, name))
	}
}

// fieldServe is the field of a rule that says what it serves.
const fieldServe = "serve"

func (f *fieldFinder) rule(from, to *ruleBody) {
	if from == to && f.moved == nil {
		return
	}
	if !f.serves(&from.served, &to.served) {
		f.changeIn(fieldServe, f.from.served(&from.served, ""), f.to.served(&to.served, ""))
	}
	f.text("description", from.description, to.description)
	f.truth("disabled", from.disabled, to.disabled)
	f.truth("trackEvents", from.track, to.track)
	f.text("ref", from.ref, to.ref)
	f.in("clauses", func() { f.clauses(from.clauses, to.clauses) })
	f.unknownAs(from.more, to.more, func(name string) string {
		if name == fieldServe || strings.HasPrefix(name, "#") {
			return "#" + name
		}
		return name
	})
}

func (f *fieldFinder) clauses(from, to []clauseBody) {
	if sharesAll(from, to) {
		return
	}
	name := func(cl *clauseBody) string { return cl.id }
	f.entriesInOrder(identities(from, 0, name), identities(to, 0, name), func(i, j int) {
		if !from[i].same(&to[j]) {
			f.change(from[i].value(), to[j].value())
		}
	}, func(i int) Value { return from[i].value() }, func(j int) Value { return to[j].value() })
}

// targets compares the lists of targets. Those that are shared are not looked
// into.
func (f *fieldFinder) targets(from, to *environmentBody) {
	if f.moved == nil && sharesAll(from.users, to.users) && sharesAll(from.contexts, to.contexts) {
		return
	}
	x, y := from.lists(), to.lists()
	shared := make(map[*targetsBody]bool)
	if f.moved == nil {
		for _, t := range x {
			shared[t] = false
		}
		for _, t := range y {
			if _, there := shared[t]; there {
				shared[t] = true
			}
		}
	}
	was := make(map[target]int) // the variations, by their old indexes
	for _, t := range x {
		for _, key := range t.unless(shared) {
			was[target{t.kind(), key}] = t.variation
		}
	}
	is := make(map[target]int)
	for _, t := range y {
		for _, key := range t.unless(shared) {
			at := target{t.kind(), key}
			if _, twice := is[at]; twice {
				continue
			}
			is[at] = t.variation
			old, there := was[at]
			if there && f.place(old) == t.variation {
				continue
			}
			var before Value
			if there {
				before = StringValue(f.from.variationName(old))
			}
			f.target(at, before, StringValue(f.to.variationName(t.variation)))
		}
	}
	gone := make(map[target]bool)
	for _, t := range x {
		for _, key := range t.unless(shared) {
			at := target{t.kind(), key}
			if _, there := is[at]; !there && !gone[at] {
				gone[at] = true
				f.target(at, StringValue(f.from.variationName(t.variation)), Value{})
			}
		}
	}
	stays := func(at target) bool {
		old, there := was[at]
		now, still := is[at]
		return there && still && f.place(old) == now
	}
	if !slices.EqualFunc(staying(x, shared, stays), staying(y, shared, stays), f.sameTargets) {
		f.change(f.from.targets(x), f.to.targets(y))
	}
}

// target notes that a context is served another variation.
func (f *fieldFinder) target(at target, was, is Value) {
	f.in(at.contextKind, func() { f.changeIn(at.key, was, is) })
}

// unless returns the values of a list that is not shared.
func (t *targetsBody) unless(shared map[*targetsBody]bool) []string {
	if shared[t] {
		return nil
	}
	return t.values
}

// staying returns the lists without the contexts that do not stay, and without
// those that are empty then.
func staying(lists []*targetsBody, shared map[*targetsBody]bool, stays func(target) bool) []*targetsBody {
	var result []*targetsBody
	for _, t := range lists {
		if !shared[t] {
			rest := *t
			rest.values = slices.DeleteFunc(slices.Clone(t.values), func(key string) bool { return !stays(target{t.kind(), key}) })
			t = &rest
		}
		if len(t.values) > 0 {
			result = append(result, t)
		}
	}
	return result
}

func (f *fieldFinder) sameTargets(from, to *targetsBody) bool {
	return from == to || f.place(from.variation) == to.variation && from.kind() == to.kind() &&
		slices.Equal(from.values, to.values) && sameMore(from.more, to.more)
}

// valueOf returns the value that is printed as text.
func valueOf(text []byte) Value {
	v := Value{text: string(text)}
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			v.depth = max(v.depth, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return v
}

// textValue returns a text as a value, an absent one if it is empty.
func textValue(s string) Value {
	if s == "" {
		return Value{}
	}
	return StringValue(s)
}

func (n number) value() Value {
	if !n.given {
		return Value{}
	}
	return IntValue(n.n)
}

func (t truthOrNone) value() Value {
	if !t.given {
		return Value{}
	}
	return BoolValue(t.is)
}

// appendMore appends the unknown members that make a difference.
func appendMore(dst []byte, more string) []byte {
	for _, m := range moreMembers(more) {
		dst = append(append(strictjson.AppendString(append(dst, ','), m.name), ':'), m.value...)
	}
	return dst
}

// objectValue returns an object of members, each with a comma before it.
func objectValue(members []byte) Value { return valueOf(closeObject(members, 0)) }

func (v *variationBody) value() Value {
	said := variationBody{FlagVariation: v.FlagVariation}
	said.more = string(appendMore(nil, v.more))
	return valueOf(said.appendJSON(nil))
}

func (p *propertyBody) value() Value {
	dst := strictjson.AppendString(appendName(nil, "name"), p.name)
	dst = strictjson.AppendStrings(appendName(dst, "value"), p.values)
	return objectValue(appendMore(dst, p.more))
}

func (p *prerequisiteBody) value() Value {
	said := prerequisiteBody{FlagPrerequisite: p.FlagPrerequisite, more: string(appendMore(nil, p.more))}
	return valueOf(said.appendJSON(nil))
}

func (cl *clauseBody) value() Value { return valueOf(cl.said().appendJSON(nil)) }

// said returns the clause with what makes a difference only.
func (cl *clauseBody) said() *clauseBody {
	said := clauseBody{id: cl.id, Clause: cl.Clause, more: string(appendMore(nil, cl.more))}
	said.ContextKind = orUser(cl.ContextKind)
	return &said
}

func (b *identified) off(e *environmentBody) Value {
	if !e.off.given {
		return Value{}
	}
	return StringValue(b.variationName(int(e.off.n)))
}

// served returns what is served, and unknown members beside it.
func (b *identified) served(s *servedBody, more string) Value {
	members := appendMore(b.appendServed(nil, s), more)
	if len(members) == 0 {
		return Value{}
	}
	return objectValue(members)
}

// appendServed appends the member that says what is served, with a comma before
// it.
func (b *identified) appendServed(dst []byte, s *servedBody) []byte {
	if s.single {
		return b.appendVariation(dst, s.variation)
	}
	r := s.rollout
	if r == nil {
		return dst
	}
	dst = appendName(dst, "rollout")
	start := len(dst)
	dst = appendList(appendName(dst, "variations"), r.weights, func(w *weightBody, dst []byte) []byte {
		start := len(dst)
		dst = b.appendVariation(dst, w.Variation)
		dst = strictjson.AppendInt(appendName(dst, "weight"), int64(w.Weight))
		if w.Untracked {
			dst = strictjson.AppendBool(appendName(dst, "_untracked"), true)
		}
		return closeObject(appendMore(dst, w.more), start)
	})
	dst = appendText(dst, "contextKind", orUser(r.contextKind))
	dst = appendText(dst, "bucketBy", r.bucketBy)
	dst = r.seed.appendJSON(dst, "seed")
	if r.allocation != nil {
		dst = appendName(dst, "experimentAllocation")
		inner := len(dst)
		dst = closeObject(appendMore(b.appendVariation(dst, r.allocation.variation), r.allocation.more), inner)
	}
	return closeObject(appendMore(dst, r.more), start)
}

func (b *identified) appendVariation(dst []byte, index int) []byte {
	return strictjson.AppendString(appendName(dst, memberVariationID), b.variationName(index))
}

func (b *identified) rule(rule *ruleBody) Value {
	dst := appendText(nil, "_id", rule.id)
	if rule.disabled {
		dst = strictjson.AppendBool(appendName(dst, "disabled"), true)
	}
	dst = b.appendServed(dst, &rule.served)
	dst = appendList(appendName(dst, "clauses"), rule.clauses, func(cl *clauseBody, dst []byte) []byte { return cl.said().appendJSON(dst) })
	dst = strictjson.AppendBool(appendName(dst, "trackEvents"), rule.track)
	dst = appendText(dst, "description", rule.description)
	dst = appendText(dst, "ref", rule.ref)
	return objectValue(appendMore(dst, rule.more))
}

func (b *identified) targets(lists []*targetsBody) Value {
	return valueOf(appendPointers(nil, lists, func(t *targetsBody, dst []byte) []byte {
		start := len(dst)
		dst = appendText(dst, "contextKind", t.kind())
		dst = b.appendVariation(dst, t.variation)
		dst = strictjson.AppendStrings(appendName(dst, "values"), t.values)
		return closeObject(appendMore(dst, t.more), start)
	}))
}
