package flags

import (
	"slices"
	"strconv"
)

// Change is one thing in which two flags differ, in words.
type Change struct {
	Environment string // the key of the environment; "" for all environments
	Text        string // such as "default rule: true 10 % → 25 %"
}

// String returns the text, after the environment if there is one. Texts of the
// flag's authors stand in it as they are, but cut; whoever prints it escapes it.
func (c Change) String() string {
	if c.Environment == "" {
		return c.Text
	}
	return shorten(c.Environment) + ": " + c.Text
}

// DescribeChange says to people in what two flags differ, one line for each
// thing: first what concerns all environments, then each environment in turn.
// It returns nil if the flags are the same by [Flag.Same], in each environment.
// Variations are called by their names, or by their values where they have none.
//
// It says what changed, [Diff] how to change it, and [Describe] tells about
// kinds of instructions.
func DescribeChange(from, to Flag) []Change {
	t := newTeller(from.get(), to.get())
	switch {
	case from.body == to.body:
		return nil
	case from.IsZero():
		t.tell("the flag is new")
		return t.list
	case to.IsZero():
		t.tell("the flag is gone")
		return t.list
	}
	t.flag()
	for _, e := range t.to.environments {
		t.environment = e.key
		if i := t.from.environment(e.key); i >= 0 {
			t.inEnvironment(t.from.environments[i], e)
		} else {
			t.tell("the environment is new")
		}
	}
	for _, e := range t.from.environments {
		if t.environment = e.key; t.to.environment(e.key) < 0 {
			t.tell("the environment is gone")
		}
	}
	return t.list
}

// teller gathers changes.
type teller struct {
	from, to    *flagBody
	before, now []int // places of variations: of those that there are before, of those that there were now; -1 for none
	environment string
	list        []Change
}

// newTeller finds out which variations are the same: those of the same id, or
// without any in the same place.
func newTeller(from, to *flagBody) *teller {
	t := &teller{from: from, to: to, before: make([]int, len(to.variations)), now: make([]int, len(from.variations))}
	places := make(map[string]int, len(from.variations))
	for i := range from.variations {
		places[from.variations[i].ID], t.now[i] = i, -1
	}
	for i := range to.variations {
		id := to.variations[i].ID
		place, there := places[id]
		if id == "" {
			place, there = i, i < len(from.variations) && from.variations[i].ID == ""
		}
		if t.before[i] = -1; there {
			t.before[i], t.now[place] = place, i
		}
	}
	return t
}

// moved returns the place that a variation of the old flag has in the new one,
// or -1.
func (t *teller) moved(index int) int {
	if index < len(t.now) {
		return t.now[index]
	}
	return -1
}

func (t *teller) tell(parts ...string) {
	text := ""
	for _, p := range parts {
		text += p
	}
	t.list = append(t.list, Change{Environment: t.environment, Text: text})
}

// turn tells that one thing became another. Words are short, and may leave out
// what differs.
func (t *teller) turn(what, from, to string) {
	if from == to {
		t.tell(what, ": ", to, ", which differs in what is not shown")
		return
	}
	t.tell(what, ": ", from, " → ", to)
}

// text tells of a text that may be empty.
func (t *teller) text(what, from, to string) {
	if from != to {
		t.turn(what, quotedOrNone(from), quotedOrNone(to))
	}
}

func quotedOrNone(s string) string {
	if s == "" {
		return "none"
	}
	return `"` + shorten(s) + `"`
}

// truth tells of something that is or is not.
func (t *teller) truth(from, to bool, is, isNot string) {
	switch {
	case !from && to:
		t.tell(is)
	case from && !to:
		t.tell(isNot)
	}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func (t *teller) switched(what string, from, to bool) {
	if from != to {
		t.turn(what, onOff(from), onOff(to))
	}
}

// lists tells what came to a list and what went.
func (t *teller) lists(what string, from, to []string) {
	more, gone := without(to, from), without(from, to)
	if len(more) > 0 {
		t.tell(what, " added: ", enumerate(more))
	}
	if len(gone) > 0 {
		t.tell(what, " removed: ", enumerate(gone))
	}
	if len(more) == 0 && len(gone) == 0 && !slices.Equal(from, to) {
		t.tell(what, ": another order")
	}
}

func enumerate(list []string) string {
	return string(texts(list).say(nil, &paramTargetValues))
}

func (t *teller) flag() {
	from, to := t.from, t.to
	t.text("key", from.key, to.key)
	t.text("kind", string(from.kind), string(to.kind))
	t.text("name", from.name, to.name)
	t.text("description", from.description, to.description)
	if !from.maintainer.same(&to.maintainer) {
		t.turn("maintainer", from.maintainer.words(), to.maintainer.words())
	}
	t.truth(from.temporary, to.temporary, "the flag is temporary", "the flag is permanent")
	for _, sort := range availabilities {
		who := string(availText.say(nil, string(sort)))
		t.truth((Flag{from}).AvailableTo(sort), (Flag{to}).AvailableTo(sort), "available to "+who, "hidden from "+who)
	}
	t.lists("tags", from.tags, to.tags)
	t.properties()
	t.variations()
	on, off := Flag{from}.Defaults()
	toOn, toOff := Flag{to}.Defaults()
	t.served("new environments while targeting is on", on, toOn)
	t.served("new environments while targeting is off", off, toOff)
	t.truth(from.deprecated.is, to.deprecated.is, "the flag is deprecated", "the flag is no longer deprecated")
	t.truth(from.archived.is, to.archived.is, "the flag is archived", "the flag is back from the archive")
	t.truth(from.deleted.is, to.deleted.is, "the flag is deleted", "the flag is no longer deleted")
	if from.created != to.created {
		t.tell("the date of creation changed")
	}
	if from.inSnippet != to.inSnippet && (Flag{from}).AvailableTo(UsingEnvironmentID) == (Flag{to}).AvailableTo(UsingEnvironmentID) {
		t.tell("includeInSnippet changed")
	}
	t.unknown("", from.more, to.more)
	t.unknown("clientSideAvailability", from.availability.more, to.availability.more)
	t.unknown("defaults", from.defaults.more, to.defaults.more)
}

func (m *maintainerBody) words() string {
	switch {
	case m.member != "" && m.team != "":
		return "member " + shorten(m.member) + " and team " + shorten(m.team)
	case m.member != "":
		return "member " + shorten(m.member)
	case m.team != "":
		return "team " + shorten(m.team)
	}
	return "none"
}

// unknown tells of unknown members of an object that changed.
func (t *teller) unknown(of, from, to string) {
	var p pointers
	if of == "" {
		p.members(from, to)
	} else {
		p.members(from, to, of)
	}
	for _, pointer := range p {
		t.tell(shorten(pointer[1:]), " changed")
	}
}

func (t *teller) properties() {
	for i := range t.to.properties {
		p := &t.to.properties[i]
		what := "custom property " + shorten(p.key)
		j := t.from.property(p.key)
		if j < 0 {
			t.tell(what, " added: ", enumerate(p.values))
			continue
		}
		old := &t.from.properties[j]
		t.text(what+": name", old.name, p.name)
		t.lists(what+": values", old.values, p.values)
		t.unknown(what, old.more, p.more)
	}
	for i := range t.from.properties {
		if key := t.from.properties[i].key; t.to.property(key) < 0 {
			t.tell("custom property ", shorten(key), " removed")
		}
	}
}

func (t *teller) variations() {
	stay := make(map[int]bool, len(t.from.variations))
	last, inOrder := -1, true
	for i := range t.to.variations {
		v := &t.to.variations[i]
		what := "variation " + t.to.called(i)
		j := t.before[i]
		if j < 0 {
			t.tell(what, " added: ", shorten(v.Value.text))
			continue
		}
		inOrder = inOrder && j > last
		last, stay[j] = j, true
		old := &t.from.variations[j]
		t.text(what+": name", old.Name, v.Name)
		if old.Value != v.Value {
			t.turn(what+": value", shorten(old.Value.text), shorten(v.Value.text))
		}
		t.text(what+": description", old.Description, v.Description)
		t.unknown(what, old.more, v.more)
	}
	for i := range t.from.variations {
		if !stay[i] {
			t.tell("variation ", t.from.called(i), " removed")
		}
	}
	if !inOrder {
		t.tell("variations: another order")
	}
}

// called says what people call a variation: its name, or else its value.
func (b *flagBody) called(index int) string {
	if index < 0 || index >= len(b.variations) {
		return strconv.Itoa(index)
	}
	v := &b.variations[index]
	if v.Name != "" {
		return shorten(v.Name)
	}
	return shorten(v.Value.text)
}

// Called returns what people call a variation, whose index is given: its name,
// or its value if it has none, either cut if it is long; for an index of none
// the number.
func (f Flag) Called(index int) string { return f.get().called(index) }

// InWords says what is served, by what people call the variations.
func (f Flag) InWords(s Served) string {
	if s.body == nil {
		return emptyRule.served.words(f.get())
	}
	return s.body.words(f.get())
}

// RuleInWords says what a rule of the flag does.
func (f Flag) RuleInWords(rule FlagRule) string { return rule.get().words(f.get()) }

// served tells of a single variation that is served.
func (t *teller) served(what string, from, to int) {
	if to < len(t.to.variations) && t.before[to] != from {
		t.turn(what, t.from.called(from), t.to.called(to))
	}
}

func (t *teller) inEnvironment(from, to *environmentBody) {
	if from == to && slices.EqualFunc(t.from.variations, t.to.variations, func(a, b variationBody) bool { return a.ID == b.ID }) {
		return
	}
	t.switched("targeting", from.on, to.on)
	t.serve("default rule", &from.byDefault, &to.byDefault)
	t.off(from, to)
	t.prerequisites(from, to)
	t.targets(from, to)
	t.rules(from, to)
	t.switched("tracking of events", from.track, to.track)
	t.switched("tracking of events of the default rule", from.trackDefault, to.trackDefault)
	if from.archived != to.archived && t.from.archived.is == t.to.archived.is {
		t.truth(from.archived, to.archived, "archived", "no longer archived")
	}
	if from.salt != to.salt {
		t.tell("the salt changed: contexts get other shares of rollouts")
	}
	t.unknown("fallthrough", from.defaultMore, to.defaultMore)
	t.unknown("", from.more, to.more)
}

func (t *teller) off(from, to *environmentBody) {
	const what = "off variation"
	switch {
	case from.off.given && to.off.given:
		t.served(what, int(from.off.n), int(to.off.n))
	case from.off.given:
		t.turn(what, t.from.called(int(from.off.n)), "none")
	case to.off.given:
		t.turn(what, "none", t.to.called(int(to.off.n)))
	}
}

func (t *teller) prerequisites(from, to *environmentBody) {
	var before, now []string
	for _, p := range from.prerequisites {
		before = append(before, p.Key)
	}
	for _, p := range to.prerequisites {
		now = append(now, p.Key)
		if i := from.prerequisite(p.Key); i >= 0 {
			what := "prerequisite " + shorten(p.Key)
			if old := from.prerequisites[i].Variation; old != p.Variation {
				t.turn(what, "its variation "+strconv.Itoa(old), "its variation "+strconv.Itoa(p.Variation))
			}
			t.unknown(what, from.prerequisites[i].more, p.more)
		}
	}
	t.lists("prerequisites", before, now)
}

func (t *teller) targets(from, to *environmentBody) {
	was := *from
	was.move(t.moved)
	if was.sameTargets(to) {
		return
	}
	told := len(t.list)
	for _, side := range []struct {
		verb       string
		has, lacks *environmentBody
	}{{" no longer always get ", &was, to}, {" always get ", to, &was}} {
		for _, list := range missing(side.has, side.lacks) {
			kind := list.kind() + " "
			if list.kind() == userKind && len(list.values) > 1 {
				kind = "users "
			}
			verb := side.verb
			if len(list.values) == 1 {
				verb = map[string]string{" always get ": " always gets ", " no longer always get ": " no longer always gets "}[verb]
			}
			t.tell(shorten(kind), enumerate(list.values), verb, t.to.called(list.variation))
		}
	}
	for _, list := range from.lists() { // of variations that are gone
		if t.moved(list.variation) < 0 {
			t.tell(list.kind(), " ", enumerate(list.values), " no longer always served ", t.from.called(list.variation))
		}
	}
	for _, list := range to.users {
		if other := was.list(userKind, list.variation); len(list.values) > 0 {
			what := "users " + enumerate(list.values)
			t.truth(other != nil && was.passesOver(other), to.passesOver(list),
				what+": evaluations pass over their list, which has no place among those of all kinds", what+": evaluations no longer pass over their list")
		}
	}
	if len(t.list) == told {
		t.tell("individual targets: another order")
	}
}

func (t *teller) rules(from, to *environmentBody) {
	places := pairs(len(from.rules), len(to.rules),
		func(i int) string { return from.rules[i].id }, func(i int) string { return to.rules[i].id })
	stay := make(map[int]bool, len(from.rules))
	last, inOrder := -1, true
	for i, rule := range to.rules {
		what := "rule " + strconv.Itoa(i+1)
		if rule.description != "" {
			what += ` ("` + shorten(rule.description) + `")`
		}
		j := places[i]
		if j < 0 {
			t.tell(what, " added: ", rule.words(t.to))
			continue
		}
		inOrder = inOrder && j > last
		last, stay[j] = j, true
		t.rule(what, from.rules[j], rule)
	}
	for i, rule := range from.rules {
		if !stay[i] {
			t.tell("rule ", strconv.Itoa(i+1), " removed: ", rule.words(t.from))
		}
	}
	if !inOrder {
		t.tell("rules: another order")
	}
}

// words says what a rule does.
func (rule *ruleBody) words(of *flagBody) string {
	return string(sayIf(rule.clauses)) + " then " + rule.served.words(of)
}

// sayIf says whom clauses take.
func sayIf(clauses []clauseBody) []byte {
	plain := make([]Clause, len(clauses))
	for i := range clauses {
		plain[i] = clauses[i].Clause
	}
	return sayClauses([]byte("if "), plain)
}

func (t *teller) rule(what string, from, to *ruleBody) {
	t.serve(what, &from.served, &to.served)
	t.text(what+": description", from.description, to.description)
	t.switched(what+": tracking of events", from.track, to.track)
	t.truth(from.disabled, to.disabled, what+" is disabled", what+" is no longer disabled")
	t.text(what+": reference", from.ref, to.ref)
	told := len(t.list)
	stay := make([]bool, len(from.clauses))
	for i, place := range pairClauses(from.clauses, to.clauses) {
		cl := &to.clauses[i]
		if place < 0 {
			t.tell(what, ": also requires that ", cl.String())
			continue
		}
		stay[place] = true
		if was := &from.clauses[place]; !was.sameTest(cl) {
			t.turn(what, was.String(), cl.String())
		} else {
			t.unknown(what, was.more, cl.more)
		}
	}
	for i := range from.clauses {
		if !stay[i] {
			t.tell(what, ": no longer requires that ", from.clauses[i].String())
		}
	}
	if len(t.list) == told && !equalPointed(from.clauses, to.clauses, (*clauseBody).same) {
		t.tell(what, ": another order of clauses")
	}
	t.unknown(what, from.more, to.more)
}

// serve tells of a change of what is served.
func (t *teller) serve(what string, from, to *servedBody) {
	was := from.move(t.moved)
	if was.same(to) {
		return
	}
	if from.rollout == nil || to.rollout == nil {
		t.turn(what, from.words(t.from), to.words(t.to))
		return
	}
	weights := func(b *rolloutBody) map[int]int {
		m := make(map[int]int, len(b.weights))
		for _, w := range b.weights {
			m[w.Variation] += w.Weight
		}
		return m
	}
	before, now := weights(was.rollout), weights(to.rollout)
	var changed []int // indexes in the new flag
	for i := range t.to.variations {
		if before[i] != now[i] {
			changed = append(changed, i)
		}
	}
	if len(changed) == 2 { // one grows as the other shrinks
		i := 0
		if now[changed[1]] > before[changed[1]] {
			i = 1
		}
		changed = changed[i : i+1]
	}
	told := len(t.list)
	for _, i := range changed {
		t.turn(what, t.to.called(i)+" "+string(sayPercent(nil, before[i])), string(sayPercent(nil, now[i])))
	}
	a, b := was.rollout, to.rollout
	if orUser(a.contextKind) != orUser(b.contextKind) {
		t.turn(what+": shares of contexts of kind", shorten(orUser(a.contextKind)), shorten(orUser(b.contextKind)))
	}
	by := func(s string) string {
		if s == "" {
			return "key"
		}
		return shorten(s)
	}
	switch {
	case a.bucketBy != b.bucketBy:
		t.turn(what+": shares by", by(a.bucketBy), by(b.bucketBy))
	case a.reference() != b.reference():
		is := "a path now, not a name"
		if b.reference().literal {
			is = "a name now, not a path"
		}
		t.tell(what, ": shares by ", by(b.bucketBy), ": the attribute is ", is)
	}
	if a.seed != b.seed {
		t.tell(what, ": another seed: contexts get other shares")
	}
	t.truth(a.isExperiment(), b.isExperiment(), what+": the rollout is an experiment", what+": the rollout is no longer an experiment")
	t.unknown(what, a.more, b.more)
	if len(t.list) == told {
		t.tell(what, ": the rollout changed in what is no weight")
	}
}

// words says what is served.
func (s *servedBody) words(of *flagBody) string {
	switch {
	case s.single:
		return of.called(s.variation)
	case s.rollout == nil:
		return "nothing"
	}
	weights := s.rollout.weights
	return string(sayList(nil, len(weights), " and ", func(dst []byte, i int) []byte {
		return append(append(sayPercent(dst, weights[i].Weight), ' '), of.called(weights[i].Variation)...)
	}))
}
