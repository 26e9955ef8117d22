package flags

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Application says how instructions are applied to a flag.
type Application struct {
	// Environment is the key of the environment that instructions of
	// [ScopeEnvironment] change. "" is enough if there are none.
	Environment string
	// Now is the instant of the change, in the years 1970 to 9999.
	Now time.Time
	// IDs makes the identifiers of what instructions add. It may be nil if they
	// add nothing, or nothing that RefID does not name. Each identifier has 1 to
	// 256 bytes, does not begin with "ref:", and is new to the flag.
	IDs IDSource
	// RefID names what has a reference, in place of IDs. With it a reference can
	// be to what another application has added. Without it, references are to
	// what earlier instructions of the same application add. It must give the
	// same identifier for the same reference.
	RefID func(ref string) string
	// Others knows the other flags of the project. Nil says that there are none.
	Others OtherFlags
}

// OtherFlags knows the flags of a project.
type OtherFlags interface {
	// Flag returns the flag with the given key, or an error that wraps
	// [ErrNotFound].
	Flag(key string) (Flag, error)
	// Dependents returns the keys of the flags that have the one with the given
	// key as a prerequisite, in any environment.
	Dependents(key string) ([]string, error)
}

// FlagSet is a set of flags in memory. It is immutable and safe for concurrent
// use; the zero FlagSet is empty.
type FlagSet struct{ flags []Flag }

// NewFlagSet returns a set of flags. Of several with the same key the last one
// counts.
func NewFlagSet(list ...Flag) FlagSet {
	var s FlagSet
	places := make(map[string]int, len(list))
	for _, f := range list {
		if i, there := places[f.Key()]; there {
			s.flags[i] = f
			continue
		}
		places[f.Key()] = len(s.flags)
		s.flags = append(s.flags, f)
	}
	return s
}

// Flag returns the flag with a key, or an error that wraps [ErrNotFound].
func (s FlagSet) Flag(key string) (Flag, error) {
	for _, f := range s.flags {
		if f.Key() == key && !f.IsZero() {
			return f, nil
		}
	}
	return Flag{}, fmt.Errorf("flag %s: %w", strictjson.Quote(key), ErrNotFound)
}

// Dependents returns the keys of the flags that have another as a prerequisite,
// in the order in which they were given. The error is always nil.
func (s FlagSet) Dependents(key string) ([]string, error) {
	var keys []string
	for _, f := range s.flags {
		if slices.ContainsFunc(f.get().environments, func(e *environmentBody) bool { return e.prerequisite(key) >= 0 }) {
			keys = append(keys, f.Key())
		}
	}
	return keys, nil
}

// ApplyError is the error of instructions that cannot be applied. It wraps
// [ErrNotFound] when something is missing, the error of [OtherFlags] when that
// failed, and else [ErrInvalidRequest].
type ApplyError struct {
	// Index is that of the instruction, -1 if it is no matter of a single one.
	Index int
	Kind  Kind // of the instruction
	// Problem says what is wrong. Its pointer is relative to the instruction.
	Problem Problem
	// Err is the error of [OtherFlags], nil if that did not fail.
	Err error
}

// Error names the instruction, counted from 0, and what is wrong with it.
func (e *ApplyError) Error() string {
	what := strings.TrimPrefix(e.Problem.String(), ": ") // no pointer: the whole instruction
	if e.Err != nil {
		what = e.Err.Error()
	}
	if e.Index < 0 {
		return "apply instructions: " + what
	}
	return "apply instruction " + strconv.Itoa(e.Index) + " (" + shorten(string(e.Kind)) + "): " + what
}

// Unwrap returns the error of [OtherFlags], or [ErrNotFound] or
// [ErrInvalidRequest].
func (e *ApplyError) Unwrap() error {
	switch {
	case e.Err != nil:
		return e.Err
	case e.Problem.Code == CodeNotFound:
		return ErrNotFound
	}
	return ErrInvalidRequest
}

// Apply applies instructions to a flag, one after the other, and returns the
// flag that comes of it. They apply all together or not at all: an error is an
// [*ApplyError], and nothing has changed then.
//
// An instruction whose effect is there already does nothing. What an
// instruction names must exist, except for what is removed and what is passed
// over; each constructor tells. When something changed that concerns all
// environments, the flag's version grows by one; when something in an
// environment did, its version does, and its date of modification is
// how.Now. If nothing changed in the end, the flag that is returned is f.
func Apply(f Flag, instructions []Instruction, how Application) (Flag, error) {
	w := &work{how: &how, index: -1, before: f.body, flag: f.body, place: -1}
	if f.body == nil {
		return Flag{}, w.fail(CodeRequired, "there is no flag to apply them to")
	}
	if ms := how.Now.UnixMilli(); ms < 0 || ms > mostDate {
		return Flag{}, w.fail(CodeOutOfRange, "the instant of the change must be in the years 1970 to 9999")
	}
	if how.Environment != "" {
		w.place = f.body.environment(how.Environment)
	}
	for i, in := range instructions {
		w.index, w.kind, w.at.depth = i, in.Kind(), 0
		if err := w.apply(in); err != nil {
			return Flag{}, err
		}
	}
	w.index, w.kind, w.at.depth = -1, "", 0
	return w.finish(f)
}

// work is one call of Apply. It shares everything with the flag that it began
// with until it changes it.
type work struct {
	how   *Application
	index int // of the instruction, and its kind
	kind  Kind
	at    place // inside of the instruction

	before, flag *flagBody
	place        int // of the environment, -1 if there is none
	lists        []*targetsBody
	refs         []refID
	ids          map[string]struct{} // of rules and clauses, if there are many; nil if not known
	fresh        []string            // identifiers that the current instruction gave
	last         int                 // the place of the rule that was looked for before
	growth       int                 // at most so many bytes did the flag become longer
	patterns     patternBudget

	// what may be changed in place, besides lists
	ownsFlag, ownsVariations, ownsEnvironments, ownsEnvironment, ownsRules, ownsLists bool
}

// refID is what a reference stands for.
type refID struct{ ref, id string }

// fail returns the error of the current instruction, at the current place in
// it.
func (w *work) fail(code Code, format string, args ...any) error {
	return &ApplyError{Index: w.index, Kind: w.kind, Problem: Problem{
		Pointer: w.at.pointer(), Code: code, Severity: SeverityError, Message: fmt.Sprintf(format, args...),
	}}
}

// failAt is fail at a member of the current place.
func (w *work) failAt(member string, code Code, format string, args ...any) error {
	w.at.push(member)
	return w.fail(code, format, args...)
}

func (w *work) apply(in Instruction) error {
	var c checker
	if in.row == nil || in.isHost() {
		if problems := in.Validate(); len(problems) > 0 {
			return &ApplyError{Index: w.index, Kind: w.kind, Problem: problems[0]}
		}
		return w.failAt("kind", CodeUnsupported, "%s is defined by the host, which alone can apply it", strictjson.Quote(string(w.kind)))
	}
	if c.known(in); len(c.problems) > 0 {
		return &ApplyError{Index: w.index, Kind: w.kind, Problem: in.Validate()[0]}
	}
	if w.flag.deleted.is && in.row != &deleteFlag {
		return w.fail(CodeUnsupported, "the flag is deleted; nothing of it can be changed")
	}
	if in.row.scope == ScopeEnvironment && w.place < 0 {
		if w.how.Environment == "" {
			return w.fail(CodeRequired, "concerns one environment; say which, there %s", w.environmentsThereAre())
		}
		return w.fail(CodeNotFound, "the flag has no environment %s; there %s", strictjson.Quote(w.how.Environment), w.environmentsThereAre())
	}
	w.growth += c.size + 256
	w.fresh = w.fresh[:0]
	return in.row.apply(w, in.args)
}

func (w *work) environmentsThereAre() string {
	return thereAre(len(w.flag.environments), func(i int) string { return w.flag.environments[i].key })
}

// thereAre says what exists.
func thereAre(n int, name func(int) string) string {
	switch n {
	case 0:
		return "are none"
	case 1:
		return "is " + quoteAll(n, name)
	}
	return "are " + quoteAll(n, name)
}

// quoteAll names the first of a list, and how many more there are.
func quoteAll(n int, name func(int) string) string {
	const most = 3
	s := ""
	for i := range min(n, most) {
		switch {
		case i == 0:
		case i == n-1:
			s += " and "
		default:
			s += ", "
		}
		s += strictjson.Quote(name(i))
	}
	if n > most {
		s += " and " + strconv.Itoa(n-most) + " more"
	}
	return s
}

// finish compares the flag with that which there was, and counts versions.
func (w *work) finish(f Flag) (Flag, error) {
	old := w.before
	if w.flag == old {
		return f, nil
	}
	b := w.flag
	b.keepDetails(old)
	for i, e := range b.environments {
		was := old.environments[i] // no instruction adds or removes one
		switch {
		case e == was:
		case e.same(was):
			w.ownEnvironments()[i] = was
		default: // the environment is not shared, or would be equal
			e.version = min(was.version+1, mostVersion)
			e.modified = number{w.how.Now.UnixMilli(), true}
		}
	}
	if b.sameOfAll(old) {
		if slices.Equal(b.environments, old.environments) {
			return f, nil
		}
		environments := b.environments
		*b = *old
		b.environments = environments
	} else {
		b.version = min(old.version+1, mostVersion)
	}
	b.most = old.most + w.growth + 64*(1+len(b.environments))
	if b.most > strictjson.MaxDocument {
		b.most = len(Flag{b}.AppendJSON(nil))
		if b.most > strictjson.MaxDocument {
			return Flag{}, w.fail(CodeTooLarge, "the flag would have %d bytes when written; at most %d are allowed", b.most, strictjson.MaxDocument)
		}
	}
	return Flag{b}, nil
}

// keepDetails takes back what changed along with something that is in the end
// as it was.
func (b *flagBody) keepDetails(old *flagBody) {
	if b.archived.is == old.archived.is {
		b.archived = old.archived
	}
	if b.deprecated.is == old.deprecated.is {
		b.deprecated = old.deprecated
	}
	if b.maintainer.same(&old.maintainer) {
		b.maintainer = old.maintainer
	}
}

// share makes everything shared that could be changed in place.
func (w *work) share() {
	w.ownsFlag, w.ownsVariations, w.ownsEnvironments, w.ownsEnvironment, w.ownsRules, w.ownsLists = false, false, false, false, false, false
	w.lists, w.ids = nil, nil
}

// own returns the flag to be changed. Its lists are still shared.
func (w *work) own() *flagBody {
	if !w.ownsFlag {
		w.ownsFlag = true
		b := *w.flag
		w.flag = &b
	}
	return w.flag
}

func (w *work) ownVariations() []variationBody {
	b := w.own()
	if !w.ownsVariations {
		w.ownsVariations = true
		b.variations = slices.Clone(b.variations)
	}
	return b.variations
}

func (w *work) ownEnvironments() []*environmentBody {
	b := w.own()
	if !w.ownsEnvironments {
		w.ownsEnvironments = true
		b.environments = slices.Clone(b.environments)
	}
	return b.environments
}

// env returns the environment to be looked at. Only instructions of its scope
// may ask.
func (w *work) env() *environmentBody { return w.flag.environments[w.place] }

// ownEnv returns the environment to be changed. Its lists are still shared.
func (w *work) ownEnv() *environmentBody {
	list := w.ownEnvironments()
	if !w.ownsEnvironment {
		w.ownsEnvironment = true
		e := *list[w.place]
		list[w.place] = &e
	}
	return list[w.place]
}

// ownAll calls change with a copy of each environment.
func (w *work) ownAll(change func(*environmentBody)) {
	list := w.ownEnvironments()
	for i, e := range list {
		e := *e
		change(&e)
		list[i] = &e
	}
	w.ownsEnvironment = true
}

// ownRules returns the rules, of which each may be replaced by another.
func (w *work) ownRules() []*ruleBody {
	e := w.ownEnv()
	if !w.ownsRules {
		w.ownsRules = true
		e.rules = slices.Clone(e.rules)
	}
	return e.rules
}

// ownRule returns a rule to be changed. Its clauses are still shared.
func (w *work) ownRule(i int) *ruleBody {
	list := w.ownRules()
	rule := *list[i]
	list[i] = &rule
	return list[i]
}

// setRules puts other rules in the place of all.
func (w *work) setRules(list []*ruleBody) {
	w.ownEnv().rules = list
	w.ownsRules, w.ids = true, nil
}

// resolve returns the identifier that stands at a member of the current place,
// by itself or by reference.
func (w *work) resolve(member, id string) (string, error) {
	if !IsRef(id) {
		return id, nil
	}
	name := id[len(refPrefix):]
	for i := range w.refs {
		if w.refs[i].ref == name {
			return w.refs[i].id, nil
		}
	}
	if w.how.RefID != nil {
		return w.how.RefID(name), nil
	}
	return "", w.failAt(member, CodeNotFound, "refers to what no earlier instruction adds; there %s",
		thereAre(len(w.refs), func(i int) string { return refPrefix + w.refs[i].ref }))
}

// variation returns the index of a variation whose id stands at a member of
// the current place.
func (w *work) variation(member, id string) (int, error) {
	resolved, err := w.resolve(member, id)
	if err != nil {
		return 0, err
	}
	i := w.flag.variation(resolved)
	if i < 0 {
		return 0, w.failAt(member, CodeNotFound, "the flag has no variation %s; there %s", strictjson.Quote(id), w.flag.variationsThereAre())
	}
	return i, nil
}

func (b *flagBody) variationsThereAre() string {
	return thereAre(len(b.variations), func(i int) string { return b.variations[i].ID })
}

// rule returns the index of a rule whose id stands at a member, or -1.
func (w *work) rule(member, id string) (int, error) {
	resolved, err := w.resolve(member, id)
	if err != nil {
		return 0, err
	}
	list := w.env().rules
	for i := range list { // those of one patch often stand in order
		if j := (w.last + i) % len(list); list[j].id == resolved && resolved != "" {
			w.last = j
			return j, nil
		}
	}
	return -1, nil
}

// someRule is rule, and fails if there is none.
func (w *work) someRule(member, id string) (int, error) {
	i, err := w.rule(member, id)
	if err == nil && i < 0 {
		list := w.env().rules
		err = w.failAt(member, CodeNotFound, "environment %s has no rule %s; there %s",
			w.env().key, strictjson.Quote(id), thereAre(len(list), func(i int) string { return list[i].id }))
	}
	return i, err
}

// clauseOf returns the index of a clause of a rule whose id stands at a member
// of the current place.
func (w *work) clauseOf(rule *ruleBody, member, id string) (int, error) {
	resolved, err := w.resolve(member, id)
	if err != nil {
		return 0, err
	}
	for i := range rule.clauses {
		if rule.clauses[i].id == resolved && resolved != "" {
			return i, nil
		}
	}
	return 0, w.failAt(member, CodeNotFound, "rule %s has no clause %s; there %s", strictjson.Quote(rule.id), strictjson.Quote(id),
		thereAre(len(rule.clauses), func(i int) string { return rule.clauses[i].id }))
}

// newID returns the identifier of something that the current place adds.
func (w *work) newID(ref string) (id string, err error) {
	switch {
	case ref != "" && w.how.RefID != nil:
		id = w.how.RefID(ref)
	case w.how.IDs != nil:
		id = w.how.IDs.NewID(w.how.Now)
	default:
		return "", w.fail(CodeRequired, "adds something that needs an identifier, but there is no source of identifiers")
	}
	code, message := idDefect(id)
	if code == "" {
		code, message = textDefect(id)
	}
	switch {
	case code != "":
		return "", w.fail(code, "the identifier made for it %s", message)
	case id == "" || IsRef(id):
		return "", w.fail(CodeMalformed, "the identifier made for it, %s, is none", strictjson.Quote(id))
	case w.taken(id):
		return "", w.fail(CodeDuplicate, "the identifier made for it, %s, is taken: it is there already, or the identifiers need another source", strictjson.Quote(id))
	}
	w.fresh = append(w.fresh, id)
	if w.ids != nil {
		w.ids[id] = struct{}{}
	}
	w.growth += 6*len(id) + 64
	return id, w.name(ref, id)
}

// name notes what a reference stands for from now on.
func (w *work) name(ref, id string) error {
	if ref == "" {
		return nil
	}
	if slices.ContainsFunc(w.refs, func(r refID) bool { return r.ref == ref }) {
		return w.failAt("ref", CodeDuplicate, "another instruction adds something by the reference %s already", strictjson.Quote(ref))
	}
	w.refs = append(w.refs, refID{ref, id})
	return nil
}

// free makes an identifier of a rule or clause that is gone new again.
func (w *work) free(id string) { delete(w.ids, id) }

// taken reports whether the flag has an identifier already.
func (w *work) taken(id string) bool {
	if w.flag.variation(id) >= 0 {
		return true
	}
	if w.place < 0 {
		return slices.Contains(w.fresh, id)
	}
	rules := w.env().rules
	if w.ids == nil && len(rules)+len(w.fresh) < 16 {
		return slices.Contains(w.fresh, id) || slices.ContainsFunc(rules, func(rule *ruleBody) bool {
			return rule.id == id || slices.ContainsFunc(rule.clauses, func(cl clauseBody) bool { return cl.id == id })
		})
	}
	if w.ids == nil {
		w.ids = make(map[string]struct{}, 4*len(rules))
		for _, rule := range rules {
			w.ids[rule.id] = struct{}{}
			for i := range rule.clauses {
				w.ids[rule.clauses[i].id] = struct{}{}
			}
		}
		for _, id := range w.fresh {
			w.ids[id] = struct{}{}
		}
	}
	_, there := w.ids[id]
	return there
}

// other returns another flag whose key stands at /key of the current place.
func (w *work) other(key string) (Flag, error) {
	if w.how.Others == nil {
		return Flag{}, w.failAt("key", CodeNotFound, "there is no flag %s: no other flags are known", strictjson.Quote(key))
	}
	f, err := w.how.Others.Flag(key)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && (f.IsZero() || f.Deleted()):
		return Flag{}, w.failAt("key", CodeNotFound, "there is no flag %s", strictjson.Quote(key))
	case err != nil:
		return Flag{}, w.failed(err)
	}
	return f, nil
}

// failed returns an error of OtherFlags.
func (w *work) failed(err error) error {
	return &ApplyError{Index: w.index, Kind: w.kind, Err: fmt.Errorf("look up other flags: %w", err)}
}

// dependents returns the flags that have this one as a prerequisite.
func (w *work) dependents() ([]Flag, error) {
	if w.how.Others == nil {
		return nil, nil
	}
	keys, err := w.how.Others.Dependents(w.flag.key)
	if err != nil {
		return nil, w.failed(err)
	}
	var list []Flag
	for _, key := range keys {
		f, err := w.how.Others.Flag(key)
		switch {
		case errors.Is(err, ErrNotFound) || key == w.flag.key:
		case err != nil:
			return nil, w.failed(err)
		case !f.IsZero() && !f.Deleted():
			list = append(list, f)
		}
	}
	return list, nil
}

// unneeded fails if other flags have this one as a prerequisite.
func (w *work) unneeded() error {
	list, err := w.dependents()
	if err == nil && len(list) > 0 {
		err = w.fail(CodeInUse, "this is a prerequisite of flag %s; remove it there first",
			quoteAll(len(list), func(i int) string { return list[i].Key() }))
	}
	return err
}

// textOf returns a text that may be absent.
func textOf(a arg) string {
	t, _ := a.(text)
	return string(t)
}

// isOf reports whether an argument is true.
func isOf(a arg) bool {
	t, _ := a.(truth)
	return bool(t)
}
