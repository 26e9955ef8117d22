package flags

import (
	"slices"
	"strings"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Same reports whether two flags say the same of themselves and in one
// environment; "" stands for none. It is the equality that [Diff] keeps to.
// These make no difference: versions, dates of changes, members that are
// unknown and begin with an underscore, the summary of the kinds of contexts
// that is called evaluation, lists of targets that are empty, unless evaluations
// pass over users for want of one, and what is meant without being written:
// "user" as a kind of context, unless it makes a path of an attribute that begins
// with a slash, and the kind of a rollout where the rest tells it. Nor does it
// matter how it is spelled that a variation is not tracked.
func (f Flag) Same(other Flag, environment string) bool {
	if f.body == other.body {
		return true
	}
	a, b := f.get(), other.get()
	if f.IsZero() != other.IsZero() || !a.sameOfAll(b) {
		return false
	}
	i, j := a.environment(environment), b.environment(environment)
	if i < 0 || j < 0 {
		return i == j
	}
	return a.environments[i].same(b.environments[j])
}

// sameOfAll compares what concerns all environments.
func (b *flagBody) sameOfAll(o *flagBody) bool {
	return b.name == o.name && b.description == o.description && b.key == o.key && b.kind == o.kind &&
		b.created == o.created && b.inSnippet == o.inSnippet && b.availability.same(&o.availability) &&
		equalPointed(b.variations, o.variations, (*variationBody).same) &&
		b.temporary == o.temporary && slices.Equal(b.tags, o.tags) && b.maintainer.same(&o.maintainer) &&
		b.sameProperties(o) &&
		b.archived.is == o.archived.is && b.deprecated.is == o.deprecated.is && b.deleted.is == o.deleted.is &&
		b.sameDefaults(o) && sameMore(b.more, o.more)
}

// equalPointed is slices.EqualFunc for elements that are better not copied.
func equalPointed[T any](a, b []T, equal func(*T, *T) bool) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if &a[i] != &b[i] && !equal(&a[i], &b[i]) {
			return false
		}
	}
	return true
}

func (v *variationBody) same(o *variationBody) bool {
	return v.FlagVariation == o.FlagVariation && sameMore(v.more, o.more)
}

func (a *availabilityBody) same(o *availabilityBody) bool {
	return a.mobile == o.mobile && a.envID == o.envID && sameMore(a.more, o.more)
}

func (m *maintainerBody) same(o *maintainerBody) bool {
	return m.member == o.member && m.team == o.team
}

// sameProperties compares the properties in any order.
func (b *flagBody) sameProperties(o *flagBody) bool {
	if len(b.properties) != len(o.properties) {
		return false
	}
	if equalPointed(b.properties, o.properties, (*propertyBody).same) {
		return true
	}
	order := func(list []propertyBody) []propertyBody {
		list = slices.Clone(list)
		slices.SortFunc(list, func(a, b propertyBody) int { return strings.Compare(a.key, b.key) })
		return list
	}
	return equalPointed(order(b.properties), order(o.properties), (*propertyBody).same)
}

func (p *propertyBody) same(o *propertyBody) bool {
	return p.key == o.key && p.name == o.name && slices.Equal(p.values, o.values) && sameMore(p.more, o.more)
}

func (b *flagBody) sameDefaults(o *flagBody) bool {
	on, off := Flag{b}.Defaults()
	otherOn, otherOff := Flag{o}.Defaults()
	return on == otherOn && off == otherOff && sameMore(b.defaults.more, o.defaults.more)
}

func (e *environmentBody) same(o *environmentBody) bool {
	return e == o || e.key == o.key && e.on == o.on && e.archived == o.archived && e.salt == o.salt &&
		e.track == o.track && e.trackDefault == o.trackDefault && e.off == o.off && e.byDefault.same(&o.byDefault) &&
		equalPointed(e.prerequisites, o.prerequisites, (*prerequisiteBody).same) &&
		e.sameTargets(o) && slices.EqualFunc(e.rules, o.rules, (*ruleBody).same) &&
		sameMore(e.defaultMore, o.defaultMore) && sameMore(e.more, o.more)
}

func (p *prerequisiteBody) same(o *prerequisiteBody) bool {
	return p.FlagPrerequisite == o.FlagPrerequisite && sameMore(p.more, o.more)
}

func (e *environmentBody) sameTargets(o *environmentBody) bool {
	if slices.Equal(e.users, o.users) && slices.Equal(e.contexts, o.contexts) {
		return true
	}
	return slices.EqualFunc(e.lists(), o.lists(), func(a, b *targetsBody) bool { return a.same(b) && e.passesOver(a) == o.passesOver(b) })
}

// lists returns the lists of targets that are not empty, in the order in which
// they are looked at.
func (e *environmentBody) lists() []*targetsBody {
	list := make([]*targetsBody, 0, len(e.users)+len(e.contexts))
	for t := range (Environment{e}).Targets() {
		list = append(list, t.body)
	}
	return list
}

func (t *targetsBody) same(o *targetsBody) bool {
	return t == o || t.variation == o.variation && t.kind() == o.kind() && slices.Equal(t.values, o.values) && sameMore(t.more, o.more)
}

func (rule *ruleBody) same(o *ruleBody) bool {
	return rule == o || rule.id == o.id && rule.disabled == o.disabled && rule.track == o.track &&
		rule.description == o.description && rule.ref == o.ref && rule.served.same(&o.served) &&
		equalPointed(rule.clauses, o.clauses, (*clauseBody).same) && sameMore(rule.more, o.more)
}

func (cl *clauseBody) same(o *clauseBody) bool {
	return cl.id == o.id && cl.sameTest(o) && sameMore(cl.more, o.more)
}

// sameTest compares what the clauses test.
func (cl *clauseBody) sameTest(o *clauseBody) bool {
	return orUser(cl.ContextKind) == orUser(o.ContextKind) && cl.Attribute == o.Attribute && cl.Op == o.Op &&
		(cl.Op == OpSegmentMatch || cl.reference() == o.reference()) &&
		cl.Negate == o.Negate && slices.Equal(cl.Values, o.Values)
}

// reference returns what the clause compares. A path is one only where a kind of
// context is written.
func (cl *clauseBody) reference() reference { return newReference(cl.Attribute, cl.ContextKind) }

func (s *servedBody) same(o *servedBody) bool {
	if s.single != o.single || s.variation != o.variation || (s.rollout == nil) != (o.rollout == nil) {
		return false
	}
	return s.rollout == o.rollout || s.rollout.same(o.rollout)
}

func (b *rolloutBody) same(o *rolloutBody) bool {
	return orUser(b.contextKind) == orUser(o.contextKind) && b.reference() == o.reference() && b.seed == o.seed &&
		b.isExperiment() == o.isExperiment() && b.allocation.same(o.allocation) && equalPointed(b.weights, o.weights, (*weightBody).same) && sameMore(b.more, o.more)
}

// reference returns by what contexts are told apart; see [clauseBody.reference].
func (b *rolloutBody) reference() reference { return newReference(b.bucketBy, b.contextKind) }

func (a *allocationBody) same(o *allocationBody) bool {
	if a == nil || o == nil {
		return a == o
	}
	return a.variation == o.variation && sameMore(a.more, o.more)
}

func (w *weightBody) same(o *weightBody) bool {
	return w.WeightedVariation == o.WeightedVariation && sameMore(w.more, o.more)
}

// sameMore compares unknown members, but for those that the server makes.
func sameMore(a, b string) bool {
	if a == b {
		return true
	}
	return slices.Equal(moreMembers(a), moreMembers(b))
}

// moreMember is an unknown member.
type moreMember struct{ name, value string }

// moreMembers returns the unknown members in the order of their names, but for
// those that the server makes: they begin with an underscore, or sum up others.
func moreMembers(more string) (list []moreMember) {
	if more == "" {
		return nil
	}
	d := strictjson.NewDecoder([]byte("{"+more[1:]+"}"), nil)
	d.BeginObject()
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		value, _, _ := d.ReadValue()
		if !strings.HasPrefix(name, "_") && name != "evaluation" {
			list = append(list, moreMember{name, value})
		}
	}
	slices.SortFunc(list, func(a, b moreMember) int { return strings.Compare(a.name, b.name) })
	return list
}

// pairs returns for each entry of a new list its place in an old one, or -1.
// What has an identifier is paired by it, and what has none in its order.
func pairs(old, now int, oldID, nowID func(int) string) []int {
	places := make(map[string]int, old)
	var without []int // identifiers
	for i := range old {
		if id := oldID(i); id != "" {
			places[id] = i
		} else {
			without = append(without, i)
		}
	}
	result := make([]int, now)
	for i := range result {
		result[i] = -1
		id := nowID(i)
		if place, there := places[id]; there {
			result[i] = place
		} else if id == "" && len(without) > 0 {
			result[i], without = without[0], without[1:]
		}
	}
	return result
}

func pairClauses(old, now []clauseBody) []int {
	return pairs(len(old), len(now), func(i int) string { return old[i].id }, func(i int) string { return now[i].id })
}
