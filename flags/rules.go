package flags

import (
	"slices"
	"strconv"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Rule is a rule to be added: contexts that match all of its clauses are
// served what it says.
type Rule struct {
	Clauses     []Clause // at most 10,000; a rule without any matches every context
	Serve       Serve
	Description string // for people; "" is none
	// TrackEvents sends events for what the rule decides. Only [ReplaceRules]
	// can say so; with [AddRule] it is not valid. Use [UpdateRuleTrackEvents]
	// there.
	TrackEvents bool
	// Ref is a name by which later instructions can refer to the rule, 1 to 256
	// letters, digits, dots, underscores and hyphens; "" is none.
	Ref string
}

func (rule *Rule) equal(other *Rule) bool {
	return rule.Serve.Equal(other.Serve) && rule.Description == other.Description && rule.TrackEvents == other.TrackEvents &&
		rule.Ref == other.Ref && equalClauses(rule.Clauses, other.Clauses)
}

func (rule *Rule) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = rule.Serve.appendJSON(dst)
	dst = appendText(dst, "description", rule.Description)
	dst = appendList(appendName(dst, "clauses"), rule.Clauses, (*Clause).appendJSON)
	if rule.TrackEvents {
		dst = strictjson.AppendBool(appendName(dst, "trackEvents"), true)
	}
	dst = appendText(dst, "ref", rule.Ref)
	return closeObject(dst, start)
}

type rules []Rule

func (a rules) appendJSON(dst []byte) []byte { return appendList(dst, a, (*Rule).appendJSON) }

func (a rules) equal(other arg) bool {
	o, ok := other.(rules)
	return ok && slices.EqualFunc(a, o, func(a, b Rule) bool { return a.equal(&b) })
}

func (a rules) say(dst []byte, _ *param) []byte {
	return sayList(dst, len(a), "; and ", func(dst []byte, i int) []byte {
		dst = sayClauses(append(dst, "if "...), a[i].Clauses)
		return a[i].Serve.say(append(dst, " then "...), nil)
	})
}

var ruleMembers = append(slices.Clone(serveMembers), "description", "clauses", "trackEvents", "ref")

// rule reads a rule of replaceRules.
func (r *reader) rule() Rule {
	var rule Rule
	var serve serveDraft
	d := r.d
	if !d.BeginObject() {
		return rule
	}
	clausesGiven := false
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch name {
		case memberVariationID, memberWeights, memberBucketBy, memberContextKind:
			r.serveMember(&serve, name)
		case "description":
			rule.Description = r.optional(blankText)
		case "clauses":
			clausesGiven = true
			rule.Clauses = r.clauses(4)
		case "trackEvents":
			rule.TrackEvents = r.flag()
		case "ref":
			if !d.Null() {
				rule.Ref = r.text(refText)
			}
		default:
			d.UnknownMember(name, ruleMembers...)
		}
	}
	rule.Serve = r.serve(&serve)
	if !clausesGiven {
		r.missing("clauses", messageMissing)
	}
	return rule
}

func (c *checker) rule(rule *Rule) {
	c.size += 64
	c.serveMembers(rule.Serve)
	c.optional("description", rule.Description, blankText)
	c.at.push("clauses")
	c.clauses(rule.Clauses)
	c.at.pop()
	c.optional("ref", rule.Ref, refText)
	c.serve(rule.Serve)
}

func (c *slotCollector) rule(rule *Rule) {
	c.serve(rule.Serve)
	c.at.push("clauses")
	c.clauses(rule.Clauses)
	c.at.pop()
	c.givenBelow(rule.Ref)
}

const memberRuleID = "ruleId"

var (
	paramRuleID   = param{name: memberRuleID, shape: textShape, form: idText, slot: SlotRuleID}
	paramClauseID = param{name: "clauseId", shape: textShape, form: idText, slot: SlotClauseID}
)

var addRule = kind{
	name:  "addRule",
	scope: ScopeEnvironment,
	params: []param{
		{name: "clauses", shape: clausesShape},
		{name: "beforeRuleId", shape: textShape, form: idText, optional: true, slot: SlotRuleID},
		paramServe,
		{name: "description", shape: textShape, form: blankText, optional: true},
		{name: "ref", shape: textShape, form: refText, optional: true},
		{name: "trackEvents", shape: truthShape, optional: true, refused: true},
	},
	adds:   true,
	reads:  []Field{FieldVariations, FieldRules},
	writes: []Field{FieldRules},
	says:   `add a rule[ before rule {beforeRuleId}]: if {clauses} then {serve}[ ("{description}")]`,
	apply:  (*work).addRule,
}

// AddRule adds a rule in one environment: before another one, or behind all if
// beforeRuleID is empty. A rule to stand before, or a variation, that does not
// exist is an error.
func AddRule(rule Rule, beforeRuleID string) Instruction {
	var track arg
	if rule.TrackEvents {
		track = truth(true)
	}
	return build(&addRule,
		clauses(cloneClauses(rule.Clauses)), unlessEmpty(beforeRuleID), rule.Serve,
		unlessEmpty(rule.Description), unlessEmpty(rule.Ref), track)
}

var removeRule = kind{
	name:   "removeRule",
	scope:  ScopeEnvironment,
	params: []param{paramRuleID},
	reads:  []Field{FieldRules},
	writes: []Field{FieldRules},
	says:   "remove rule {ruleId}",
	apply:  (*work).removeRule,
}

// RemoveRule removes a rule in one environment. It does nothing if the rule
// does not exist.
func RemoveRule(ruleID string) Instruction { return build(&removeRule, text(ruleID)) }

var replaceRules = kind{
	name:   "replaceRules",
	scope:  ScopeEnvironment,
	params: []param{{name: "rules", shape: rulesShape}},
	reads:  []Field{FieldVariations},
	writes: []Field{FieldRules},
	says:   "replace all rules by: {rules}",
	apply:  (*work).replaceRules,
}

// ReplaceRules replaces all rules in one environment, by none if none is given.
// At most 10,000 are allowed. A variation that does not exist is an error. Rules
// that say what those there say already, and have no references, change nothing;
// otherwise all get new ids.
func ReplaceRules(list ...Rule) Instruction {
	list = slices.Clone(list)
	for i := range list {
		list[i].Clauses = cloneClauses(list[i].Clauses)
	}
	return build(&replaceRules, rules(list))
}

var reorderRules = kind{
	name:   "reorderRules",
	scope:  ScopeEnvironment,
	params: []param{{name: "ruleIds", shape: textsShape, form: idText, slot: SlotRuleIDs}},
	reads:  []Field{FieldRules},
	writes: []Field{FieldRules},
	says:   "put the rules into the order {ruleIds}",
	apply:  (*work).reorderRules,
}

// ReorderRules puts the rules in one environment into another order. Ids that
// are not exactly those of the rules there are an error.
func ReorderRules(ruleIDs ...string) Instruction {
	return build(&reorderRules, texts(slices.Clone(ruleIDs)))
}

var updateRuleVariationOrRollout = kind{
	name:   "updateRuleVariationOrRollout",
	scope:  ScopeEnvironment,
	params: []param{paramRuleID, paramServe},
	reads:  []Field{FieldVariations, FieldRules},
	writes: []Field{FieldRules},
	says:   "let rule {ruleId} serve {serve}",
	apply:  (*work).updateRuleVariationOrRollout,
}

// UpdateRuleVariationOrRollout changes what a rule serves in one environment, as
// [UpdateFallthroughVariationOrRollout] does for the default rule. A rule or
// variation that does not exist is an error.
func UpdateRuleVariationOrRollout(ruleID string, serve Serve) Instruction {
	return build(&updateRuleVariationOrRollout, text(ruleID), serve)
}

var updateRuleDescription = kind{
	name:  "updateRuleDescription",
	scope: ScopeEnvironment,
	params: []param{
		paramRuleID,
		{name: "description", shape: textShape, form: anyText},
	},
	reads:  []Field{FieldRules},
	writes: []Field{FieldRules},
	says:   `describe rule {ruleId} as "{description}"`,
	apply:  (*work).updateRuleDescription,
}

// UpdateRuleDescription changes the description of a rule in one environment;
// "" takes it away. A rule that does not exist is an error.
func UpdateRuleDescription(ruleID, description string) Instruction {
	return build(&updateRuleDescription, text(ruleID), text(description))
}

var updateRuleTrackEvents = kind{
	name:   "updateRuleTrackEvents",
	scope:  ScopeEnvironment,
	params: []param{paramRuleID, paramTrackEvents},
	reads:  []Field{FieldRules},
	writes: []Field{FieldRules},
	says:   "{trackEvents} event tracking for rule {ruleId}",
	apply:  (*work).updateRuleTrackEvents,
}

// UpdateRuleTrackEvents turns the tracking of events for a rule on or off in
// one environment. A rule that does not exist is an error.
func UpdateRuleTrackEvents(ruleID string, trackEvents bool) Instruction {
	return build(&updateRuleTrackEvents, text(ruleID), truth(trackEvents))
}

// newRule returns what the document says of a rule that stands at the current
// place.
func (w *work) newRule(given *Rule) (*ruleBody, error) {
	served, err := w.served(given.Serve, &servedBody{})
	if err != nil {
		return nil, err
	}
	id, err := w.newID(given.Ref)
	if err != nil {
		return nil, err
	}
	clauses, err := w.newClauses(given.Clauses)
	return &ruleBody{
		id: id, served: served, clauses: clauses, track: given.TrackEvents, description: given.Description, ref: given.Ref,
	}, err
}

func (w *work) addRule(args []arg) error {
	list := w.env().rules
	at := len(list)
	if before := textOf(args[1]); before != "" {
		i, err := w.someRule("beforeRuleId", before)
		if err != nil {
			return err
		}
		at = i
	}
	if code, message := listDefect(len(list) + 1); code != "" {
		return w.fail(code, "the list of rules then %s", message)
	}
	rule, err := w.newRule(&Rule{
		Clauses: args[0].(clauses), Serve: args[2].(Serve), Description: textOf(args[3]), Ref: textOf(args[4]),
	})
	if err != nil {
		return err
	}
	w.ownRules()
	e := w.ownEnv()
	e.rules = slices.Insert(e.rules, at, rule)
	return nil
}

func (w *work) removeRule(args []arg) error {
	i, err := w.rule(memberRuleID, textOf(args[0]))
	if err != nil || i < 0 {
		return err
	}
	w.ownRules()
	e := w.ownEnv()
	w.free(e.rules[i].id)
	for j := range e.rules[i].clauses {
		w.free(e.rules[i].clauses[j].id)
	}
	e.rules = slices.Delete(e.rules, i, i+1)
	return nil
}

func (w *work) replaceRules(args []arg) error {
	given := args[0].(rules)
	old := w.env().rules
	if w.hasRules(given) {
		return nil
	}
	w.setRules(nil)
	list := make([]*ruleBody, 0, len(given))
	w.at.push("rules")
	for i := range given {
		w.at.pushIndex(i)
		rule, err := w.newRule(&given[i])
		if err != nil {
			return err
		}
		list = append(list, rule)
		w.at.pop()
	}
	w.at.pop()
	w.setRules(list)
	if slices.EqualFunc(list, old, (*ruleBody).same) {
		w.setRules(old)
		w.ownsRules = false
	}
	return nil
}

// hasRules reports whether the rules that there are say what the given ones do.
// Rules with references are never there: they are to get identifiers.
func (w *work) hasRules(given []Rule) bool {
	return slices.EqualFunc(w.env().rules, given, func(rule *ruleBody, given Rule) bool {
		if given.Ref != "" || rule.ref != "" || rule.track != given.TrackEvents || rule.description != given.Description || rule.disabled {
			return false
		}
		if !slices.EqualFunc(rule.clauses, given.Clauses, func(cl clauseBody, given Clause) bool {
			body := clauseBody{Clause: given.inDocument()}
			return given.Ref == "" && cl.sameTest(&body)
		}) {
			return false
		}
		depth := w.at.depth
		served, err := w.served(given.Serve, &rule.served)
		w.at.depth = depth
		return err == nil && served.same(&rule.served)
	})
}

func (w *work) reorderRules(args []arg) error {
	given, list := args[0].(texts), w.env().rules
	places := make(map[string]int, len(list))
	for i, rule := range list {
		places[rule.id] = i
	}
	ordered := make([]*ruleBody, 0, len(list))
	w.at.push("ruleIds")
	for i, id := range given {
		resolved, err := w.resolve(strconv.Itoa(i), id)
		if err != nil {
			return err
		}
		place, there := places[resolved]
		switch {
		case !there || resolved == "":
			_, err := w.someRule(strconv.Itoa(i), id)
			return err
		case place < 0:
			return w.failAt(strconv.Itoa(i), CodeDuplicate, "rule %s stands twice in the order", strictjson.Quote(id))
		}
		places[resolved] = -1
		ordered = append(ordered, list[place])
	}
	if len(ordered) < len(list) {
		var missing []string
		for _, rule := range list {
			if places[rule.id] >= 0 || rule.id == "" {
				missing = append(missing, rule.id)
			}
		}
		return w.fail(CodeRequired, "must name all rules of the environment; it lacks %s",
			quoteAll(len(missing), func(i int) string { return missing[i] }))
	}
	w.at.pop()
	if !slices.Equal(ordered, list) {
		w.setRules(ordered)
	}
	return nil
}

func (w *work) updateRuleVariationOrRollout(args []arg) error {
	i, err := w.someRule(memberRuleID, textOf(args[0]))
	if err != nil {
		return err
	}
	old := &w.env().rules[i].served
	s, err := w.served(args[1].(Serve), old)
	if err == nil && !s.same(old) {
		w.ownRule(i).served = s
	}
	return err
}

func (w *work) updateRuleDescription(args []arg) error {
	i, err := w.someRule(memberRuleID, textOf(args[0]))
	if description := textOf(args[1]); err == nil && w.env().rules[i].description != description {
		w.ownRule(i).description = description
	}
	return err
}

func (w *work) updateRuleTrackEvents(args []arg) error {
	i, err := w.someRule(memberRuleID, textOf(args[0]))
	if track := isOf(args[1]); err == nil && w.env().rules[i].track != track {
		w.ownRule(i).track = track
	}
	return err
}
