package flags

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Evaluation is what a flag serves to a context, and why. Evaluations can be
// compared by ==.
type Evaluation struct {
	// Variation is the index of the variation in the flag, and -1 if none is
	// served: then a program uses the value that it has for such a case.
	Variation int
	Value     Value // of the variation; absent if none is served
	Reason    Reason
}

// AppendJSON appends the evaluation in the form of the SDKs: value, variation
// and reason.
func (e Evaluation) AppendJSON(dst []byte) []byte {
	start := len(dst)
	dst = e.Value.AppendJSON(appendName(dst, "value"))
	if e.Variation >= 0 {
		dst = strictjson.AppendInt(appendName(dst, "variationIndex"), int64(e.Variation))
	}
	dst = e.Reason.AppendJSON(appendName(dst, "reason"))
	return closeObject(dst, start)
}

// MarshalJSON returns the same bytes as [Evaluation.AppendJSON].
func (e Evaluation) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// Evaluate returns what a flag serves to a context in an environment, and why:
// what LaunchDarkly's SDKs for servers answer when they get the flag from that
// environment. known has the flags that are prerequisites and the segments that
// clauses name; nil knows none. Evaluate never panics, and draws no random
// numbers: the same arguments give the same result.
//
// What is wrong has these effects, which are those of the SDKs. Nothing is
// served, with an error for a reason, when the flag is zero, deleted or not in
// the environment (FLAG_NOT_FOUND), when the context is zero
// (USER_NOT_SPECIFIED), and when a reference of an attribute that must be looked
// at is none, when prerequisites or segments go in a circle, or when what is
// served is not said (MALFORMED_FLAG). The same of a prerequisite makes the flag
// malformed, but for the last, which makes the prerequisite fail, as do flags
// that are not known. Segments that are not known contain nobody. A clause never
// matches a context that lacks the attribute, or whose kind is another, even
// when it is negated; a value that is no regular expression, date or version
// never matches where one is needed.
//
// The regular expressions of a flag or a segment are compiled when it is made, up
// to 8 MiB of them, and those beyond whenever they are needed. An evaluation that
// would have to compile more than about a second's worth of these, which takes
// thousands, makes the flag malformed.
//
// Prerequisites and segments that name each other in a row of more than 1,000
// make the flag malformed too, so that no documents exhaust the stack. In both
// the SDKs, which have no limits, answer otherwise.
//
// Rules that are disabled are passed over. A flag that is archived is evaluated
// as if it were not.
func Evaluate(f Flag, environment string, c Context, known Lookup) Evaluation {
	if c.body == nil {
		return failure(ErrorUserNotSpecified, "")
	}
	b := f.get()
	place := b.environment(environment)
	if place < 0 || b.deleted.is {
		return failure(ErrorFlagNotFound, "")
	}
	e := evaluator{context: c.body, environment: environment, known: known}
	result, _ := e.flag(b, b.environments[place])
	if e.unbounded {
		result.Reason.BigSegments = BigSegmentsNotConfigured
	}
	return result
}

// evaluator is one call of Evaluate.
type evaluator struct {
	context     *contextBody
	environment string
	known       Lookup

	flags     chain // those that wait for prerequisites
	segments  chain // those that are being looked at
	unbounded bool  // an unbounded segment was asked for

	patternWork int // that large patterns took

	// What was found out about other flags and segments, by the keys that they
	// were asked for with, once many were looked at: they may name each other so
	// that each is met very often. It does not depend on who names them unless
	// they go in a circle or too deep, which ends all.
	looks    int
	serves   map[string]int // indexes of variations, -1 if the flag is off or serves none
	isInside map[string]bool
}

// maxDetail is how many bytes of a detail say where the defect is.
const maxDetail = 256

// manyLooks is how many flags and segments are looked at before what is found
// out is kept.
const manyLooks = 32

// mostDeep is how many flags may require one another in a row, and how many
// segments name one another. It keeps the stack small, of which a flag takes two
// kilobytes and a segment one.
const mostDeep = 1000

// chain holds the different keys of what is being looked at, outermost first.
// The first ones need no memory of their own, and the others are looked up, so
// that a long chain costs no more than its length.
type chain struct {
	n     int
	first [4]string
	more  map[string]struct{}
}

func (c *chain) isFull() bool { return c.n == mostDeep }

func (c *chain) push(key string) {
	if c.n < len(c.first) {
		c.first[c.n] = key
	} else {
		if c.more == nil {
			c.more = map[string]struct{}{}
		}
		c.more[key] = struct{}{}
	}
	c.n++
}

// pop takes off the key that was pushed last.
func (c *chain) pop(key string) {
	c.n--
	if c.n >= len(c.first) {
		delete(c.more, key)
	}
}

func (c *chain) has(key string) bool {
	if slices.Contains(c.first[:min(c.n, len(c.first))], key) {
		return true
	}
	_, there := c.more[key]
	return there
}

// within says where a defect is, unless much is said of it already: flags and
// segments may name each other without end.
func within(defect string, where ...string) string {
	if len(defect) >= maxDetail {
		return defect
	}
	return strings.Join(append(where, defect), "")
}

func failure(kind ErrorKind, detail string) Evaluation {
	return Evaluation{Variation: -1, Reason: Reason{Kind: ReasonError, RuleIndex: -1, ErrorKind: kind, Detail: detail}}
}

func malformed(detail string) Evaluation { return failure(ErrorMalformedFlag, detail) }

// flag evaluates a flag. It returns false if flags that have it for a
// prerequisite cannot be evaluated either.
func (e *evaluator) flag(b *flagBody, env *environmentBody) (result Evaluation, ok bool) {
	if !env.on {
		return b.offered(env, Reason{Kind: ReasonOff, RuleIndex: -1}), true
	}
	if len(env.prerequisites) > 0 {
		failed, defect := e.prerequisites(b, env)
		switch {
		case defect != "":
			return malformed(defect), false
		case failed != "":
			return b.offered(env, Reason{Kind: ReasonPrerequisiteFailed, RuleIndex: -1, PrerequisiteKey: failed}), true
		}
	}
	if i := e.target(env); i >= 0 {
		return b.serves(i, Reason{Kind: ReasonTargetMatch, RuleIndex: -1}), true
	}
	for i, rule := range env.rules {
		if rule.disabled {
			continue
		}
		matches, defect := e.all(rule.clauses)
		if defect != "" {
			return malformed("rule " + strconv.Itoa(i+1) + ": " + defect), false
		}
		if matches {
			return e.served(b, env, &rule.served, Reason{Kind: ReasonRuleMatch, RuleIndex: i, RuleID: rule.id}), true
		}
	}
	return e.served(b, env, &env.byDefault, Reason{Kind: ReasonFallthrough, RuleIndex: -1}), true
}

// serves returns the evaluation that serves a variation.
func (b *flagBody) serves(index int, reason Reason) Evaluation {
	if index >= len(b.variations) {
		return malformed("there is no variation " + strconv.Itoa(index))
	}
	return Evaluation{Variation: index, Value: b.variations[index].Value, Reason: reason}
}

// offered returns the evaluation that serves the off variation.
func (b *flagBody) offered(env *environmentBody, reason Reason) Evaluation {
	if !env.off.given {
		return Evaluation{Variation: -1, Reason: reason}
	}
	return b.serves(int(env.off.n), reason)
}

// prerequisites returns the key of the first prerequisite that fails, "" if none
// does, or what makes all of it malformed.
func (e *evaluator) prerequisites(b *flagBody, env *environmentBody) (failed, defect string) {
	if e.flags.isFull() {
		return "", "there are more than " + strconv.Itoa(mostDeep) + " prerequisites in a row"
	}
	e.flags.push(b.key)
	defer e.flags.pop(b.key)
	for i := range env.prerequisites {
		p := &env.prerequisites[i]
		variation, defect := e.prerequisite(p.Key)
		switch {
		case defect != "":
			return "", defect
		case variation != p.Variation:
			return p.Key, ""
		}
	}
	return "", ""
}

// prerequisite returns the variation that a prerequisite serves while it is on,
// -1 if there is none, or what makes all of it malformed.
func (e *evaluator) prerequisite(key string) (variation int, defect string) {
	if variation, there := e.serves[key]; there {
		return variation, ""
	}
	b, there := e.lookUpFlag(key)
	if !there {
		return -1, ""
	}
	if e.flags.has(b.key) {
		return -1, "its prerequisites go in a circle, by " + strictjson.Quote(b.key)
	}
	env := b.environments[b.environment(e.environment)]
	result, ok := e.flag(b, env)
	if !ok {
		return -1, within(result.Reason.Detail, "prerequisite ", strictjson.Quote(key), ": ")
	}
	variation = result.Variation
	if !env.on {
		variation = -1
	}
	if e.looks++; e.looks > manyLooks {
		if e.serves == nil {
			e.serves = map[string]int{}
		}
		e.serves[key] = variation
	}
	return variation, ""
}

// lookUpFlag returns a flag that is known in the environment.
func (e *evaluator) lookUpFlag(key string) (*flagBody, bool) {
	if e.known == nil {
		return nil, false
	}
	f, ok := e.known.LookUpFlag(key)
	if !ok || f.body == nil || f.body.deleted.is || f.body.environment(e.environment) < 0 {
		return nil, false
	}
	return f.body, true
}

// target returns the variation of which the context is a target, -1 if there is
// none. Lists of users have their places among those of all kinds, if there are
// any of these.
func (e *evaluator) target(env *environmentBody) int {
	if len(env.contexts) == 0 {
		for _, t := range env.users {
			if e.isIn(t) {
				return t.variation
			}
		}
		return -1
	}
	for _, t := range env.contexts {
		if t.isPlaceholder() {
			t = env.list(userKind, t.variation)
		}
		if t != nil && e.isIn(t) {
			return t.variation
		}
	}
	return -1
}

// isIn reports whether a list names the context.
func (e *evaluator) isIn(t *targetsBody) bool {
	part := e.context.part(t.kind())
	return part != nil && t.has(part.key)
}

// served returns what a rule serves.
func (e *evaluator) served(b *flagBody, env *environmentBody, s *servedBody, reason Reason) Evaluation {
	switch {
	case s.single:
		return b.serves(s.variation, reason)
	case s.rollout == nil:
		return malformed("what " + reason.subject() + " serves is not said")
	}
	r := s.rollout
	attribute := r.bucketBy
	experiment := r.isExperiment()
	if experiment {
		attribute = "" // experiments tell contexts apart by their keys
	}
	at, outcome := e.bucket(b.key, env.salt, r.seed, r.contextKind, attribute)
	if outcome == bucketMalformed {
		return malformed("what " + reason.subject() + " serves depends on " + strictjson.Quote(attribute) + ", which refers to no attribute")
	}
	w, covered := r.share(at)
	reason.InExperiment = experiment && !w.Untracked && (!covered || outcome != bucketNoContext)
	return b.serves(w.Variation, reason)
}

// subject says what the reason is about.
func (r *Reason) subject() string {
	if r.Kind == ReasonRuleMatch {
		return "rule " + strconv.Itoa(r.RuleIndex+1)
	}
	return "the default rule"
}

// all reports whether the context matches all clauses, or what makes one of them
// malformed.
func (e *evaluator) all(clauses []clauseBody) (matches bool, defect string) {
	for i := range clauses {
		if matches, defect := e.clause(&clauses[i]); !matches || defect != "" {
			return false, defect
		}
	}
	return true, ""
}

func (e *evaluator) clause(cl *clauseBody) (matches bool, defect string) {
	if cl.Op == OpSegmentMatch {
		in, defect := e.anySegment(cl.operands.values)
		return in != cl.Negate, defect
	}
	ref := cl.reference()
	if !ref.isValid() {
		return false, strictjson.Quote(cl.Attribute) + " refers to no attribute"
	}
	if cl.Attribute == attributeKind {
		var room [8]datum
		return e.anyValue(cl, e.context.appendKinds(room[:0]))
	}
	part := e.context.part(orUser(cl.ContextKind))
	if part == nil {
		return false, ""
	}
	v := [1]datum{part.find(ref)}
	switch {
	case !v[0].isThere():
		return false, ""
	case v[0].sort == strictjson.Array:
		return e.anyValue(cl, v[0].inner.elements)
	}
	return e.anyValue(cl, v[:])
}

// appendKinds appends the kinds of a context.
func (b *contextBody) appendKinds(dst []datum) []datum {
	if b.parts == nil {
		return append(dst, textDatum(b.kind))
	}
	for _, p := range b.parts {
		dst = append(dst, textDatum(p.kind))
	}
	return dst
}

// anyValue reports whether a clause matches of which any of the values is to
// compare, or what makes it malformed.
func (e *evaluator) anyValue(cl *clauseBody, values []datum) (matches bool, defect string) {
	for i := range values {
		if cl.matches(&values[i]) {
			return !cl.Negate, ""
		}
	}
	if len(cl.operands.large) > 0 {
		matches, defect = e.anyLarge(cl.operands.large, values)
	}
	return matches != cl.Negate && defect == "", defect
}

// anyLarge reports whether any of the values matches any of the patterns, each
// of which it compiles, or what makes the clause malformed.
func (e *evaluator) anyLarge(patterns []largePattern, values []datum) (matches bool, defect string) {
	texts := slices.DeleteFunc(slices.Clone(values), func(v datum) bool { return v.sort != strictjson.String })
	if len(texts) == 0 {
		return false, ""
	}
	for _, p := range patterns {
		if e.patternWork += p.work; e.patternWork > mostPatternWork {
			return false, "its regular expressions are too large"
		}
		compiled, err := regexp.Compile(p.text)
		if err == nil && slices.ContainsFunc(texts, func(v datum) bool { return compiled.MatchString(v.text) }) {
			return true, ""
		}
	}
	return false, ""
}

// anySegment reports whether the context is in one of the segments with the
// given keys.
func (e *evaluator) anySegment(keys []datum) (in bool, defect string) {
	if e.known == nil {
		return false, ""
	}
	for i := range keys {
		if in, defect = e.segment(keys[i].text); in || defect != "" {
			return in, defect
		}
	}
	return false, ""
}

// segment reports whether the context is in the segment with a key.
func (e *evaluator) segment(key string) (in bool, defect string) {
	if in, known := e.isInside[key]; known {
		return in, ""
	}
	s, ok := e.known.LookUpSegment(key)
	if !ok || s.body == nil || s.body.deleted {
		return false, ""
	}
	in, defect = e.lookInto(s.body)
	if e.looks++; defect == "" && e.looks > manyLooks {
		if e.isInside == nil {
			e.isInside = map[string]bool{}
		}
		e.isInside[key] = in
	}
	return in, defect
}

func (e *evaluator) lookInto(s *segmentBody) (in bool, defect string) {
	switch {
	case e.segments.has(s.key):
		return false, "segments go in a circle, by " + strictjson.Quote(s.key)
	case e.segments.isFull():
		return false, "there are more than " + strconv.Itoa(mostDeep) + " segments in a row"
	}
	if s.unbounded {
		switch {
		case !s.generation.given:
			e.unbounded = true
			return false, ""
		case e.context.part(orUser(s.unboundedKind)) == nil:
			return false, ""
		}
		e.unbounded = true
	} else if in, named := e.named(s); named {
		return in, ""
	}
	e.segments.push(s.key)
	defer e.segments.pop(s.key)
	for i, rule := range s.rules {
		in, defect := e.segmentRule(s, rule)
		if defect != "" {
			return false, within(defect, "segment ", strictjson.Quote(s.key), ": rule ", strconv.Itoa(i+1), ": ")
		}
		if in {
			return true, ""
		}
	}
	return false, ""
}

// named reports whether a list of the segment names the context, and whether it
// is one of those that are in. The lists of all kinds are not looked at for a
// context that is nothing but a user.
func (e *evaluator) named(s *segmentBody) (in, named bool) {
	user := e.context.part(userKind)
	others := e.context.kind != userKind
	switch {
	case user != nil && s.included.has(user.key), others && e.isInAny(s.includedContexts):
		return true, true
	case user != nil && s.excluded.has(user.key), others && e.isInAny(s.excludedContexts):
		return false, true
	}
	return false, false
}

func (e *evaluator) isInAny(lists []*segmentList) bool {
	for _, l := range lists {
		if e.isIn(&l.targetsBody) {
			return true
		}
	}
	return false
}

func (e *evaluator) segmentRule(s *segmentBody, rule *segmentRule) (in bool, defect string) {
	if matches, defect := e.all(rule.clauses); !matches || defect != "" {
		return false, defect
	}
	if !rule.weight.given {
		return true, ""
	}
	at, outcome := e.bucket(s.key, s.salt, number{}, rule.contextKind, rule.bucketBy)
	switch outcome {
	case bucketMalformed:
		return false, strictjson.Quote(rule.bucketBy) + " refers to no attribute"
	case bucketNoContext:
		return false, ""
	}
	return at < share(int(rule.weight.n)), ""
}
