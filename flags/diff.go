package flags

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// ErrInexpressible is wrapped by the error of [Diff] when no instructions turn
// one flag into the other.
var ErrInexpressible = errors.New("no instructions can express the difference")

// InexpressibleError says where two flags differ in what no instructions can
// change. It wraps [ErrInexpressible].
type InexpressibleError struct {
	// Pointers are JSON Pointers into the canonical form of the flag that was
	// to come out, in document order; at least one.
	Pointers []string
	// Err is why the instructions that come nearest cannot be applied; nil if
	// they can, and leave a difference.
	Err error
}

// Error names the first places, and how many others there are.
func (e *InexpressibleError) Error() string {
	s := ErrInexpressible.Error() + " at " + quoteAll(len(e.Pointers), func(i int) string { return e.Pointers[i] })
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns [ErrInexpressible], and Err if there is one.
func (e *InexpressibleError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrInexpressible}
	}
	return []error{ErrInexpressible, e.Err}
}

// Diff returns the instructions that turn one flag into another: what concerns
// all environments, and what concerns the given one. "" stands for none; what
// the flags say of other environments makes no difference. The patch is empty
// if the flags are the same by [Flag.Same], and short if they differ little.
//
// others knows the other flags of the project, whose variations prerequisites
// are; it may be nil if none is added or changed.
//
// Law: where there is no error, applying patch.Instructions to from, in this
// environment and with patch.IDs(), gives a flag that is the same as to. An
// error is an [*InexpressibleError], or the error of others.
func Diff(from, to Flag, environment string, others OtherFlags) (Patch, error) {
	if from.Same(to, environment) {
		return Patch{Environment: environment}, nil
	}
	if from.IsZero() || to.IsZero() {
		return Patch{}, &InexpressibleError{Pointers: []string{""}}
	}
	ids := &listedIDs{}
	d := &differ{
		ids: ids, to: to.body, patch: Patch{Environment: environment},
		w: &work{
			how:    &Application{Environment: environment, Now: time.UnixMilli(0), IDs: ids, Others: others},
			before: from.body, flag: from.body, place: from.body.environment(environment),
		},
	}
	d.flag()
	if d.lookup != nil {
		return Patch{}, d.lookup
	}
	pointers := differences(d.w.flag, to.body, environment)
	if len(pointers) == 0 && d.err != nil {
		pointers = append(pointers, "") // an instruction was applied in part only
	}
	if len(pointers) > 0 {
		return Patch{}, &InexpressibleError{Pointers: pointers, Err: d.err}
	}
	return d.patch, nil
}

// differ makes instructions. Each is applied as soon as it is made, so that the
// next one is made for what there is then.
type differ struct {
	w     *work
	ids   *listedIDs
	to    *flagBody
	patch Patch

	err    error // of the first instruction that could not be applied
	lookup error // of OtherFlags
}

// emit adds an instruction to the patch, unless it cannot be applied. ids are
// those of what it adds.
func (d *differ) emit(in Instruction, ids ...string) {
	d.ids.left = ids
	w := d.w
	w.index, w.kind, w.at.depth = len(d.patch.Instructions), in.Kind(), 0
	refs := w.refs
	if err := w.apply(in); err != nil {
		w.refs, w.ids = refs, nil // what it was to add is not there
		if d.err == nil {
			d.err = err
		}
		return
	}
	d.patch.Instructions = append(d.patch.Instructions, in)
	d.patch.NewIDs = append(d.patch.NewIDs, ids[:len(ids)-len(d.ids.left)]...)
}

// try makes the differ do something, and takes it back unless all of it applies
// and leads to what is wanted.
func (d *differ) try(do func(), done func() bool) bool {
	saved, savedWork := *d, *d.w
	d.w.share()
	do()
	if done() && d.err == saved.err {
		return true
	}
	w := d.w
	*d, *w = saved, savedWork
	w.share()
	d.patch.Instructions, d.patch.NewIDs = slices.Clip(d.patch.Instructions), slices.Clip(d.patch.NewIDs)
	return false
}

func (d *differ) flag() {
	if d.w.flag.deleted.is {
		return
	}
	d.texts()
	d.addVariations()
	if d.w.place >= 0 {
		if i := d.to.environment(d.w.how.Environment); i >= 0 {
			d.environment(d.to.environments[i])
		}
	}
	d.defaults()
	for _, v := range slices.Clone(d.w.flag.variations) {
		if d.to.variation(v.ID) < 0 && v.ID != "" {
			d.emit(RemoveVariation(v.ID))
		}
	}
	d.life()
}

// texts makes the instructions for what is said of the flag.
func (d *differ) texts() {
	from, to := d.w.flag, d.to
	if from.name != to.name {
		d.emit(UpdateName(to.name))
	}
	if from.description != to.description {
		d.emit(UpdateDescription(to.description))
	}
	if !from.maintainer.same(&to.maintainer) {
		switch {
		case to.maintainer.member != "":
			d.emit(UpdateMaintainerMember(to.maintainer.member))
		case to.maintainer.team != "":
			d.emit(UpdateMaintainerTeam(to.maintainer.team))
		default:
			d.emit(RemoveMaintainer())
		}
	}
	switch {
	case from.temporary && !to.temporary:
		d.emit(MakeFlagPermanent())
	case !from.temporary && to.temporary:
		d.emit(MakeFlagTemporary())
	}
	for _, sort := range availabilities {
		switch is := (Flag{to}).AvailableTo(sort); {
		case is == (Flag{from}).AvailableTo(sort):
		case is:
			d.emit(TurnOnClientSideAvailability(sort))
		default:
			d.emit(TurnOffClientSideAvailability(sort))
		}
	}
	d.tags()
	d.properties()
}

func (d *differ) tags() {
	done := func() bool { return slices.Equal(d.w.flag.tags, d.to.tags) }
	if done() {
		return
	}
	if d.try(func() {
		if gone := without(d.w.flag.tags, d.to.tags); len(gone) > 0 {
			d.emit(RemoveTags(gone...))
		}
		if more := without(d.to.tags, d.w.flag.tags); len(more) > 0 {
			d.emit(AddTags(more...))
		}
	}, done) {
		return
	}
	d.emit(RemoveTags(d.w.flag.tags...))
	d.emit(AddTags(d.to.tags...))
}

func (d *differ) properties() {
	wanted := make(map[string]*propertyBody, len(d.to.properties))
	for i := range d.to.properties {
		wanted[d.to.properties[i].key] = &d.to.properties[i]
	}
	there := make(map[string]bool, len(d.w.flag.properties))
	for _, p := range d.w.flag.properties {
		there[p.key] = true
		switch want := wanted[p.key]; {
		case want == nil, !sameMore(p.more, want.more):
			there[p.key] = false
			d.emit(RemoveCustomProperties(p.key, p.values...))
		case p.name != want.name || !slices.Equal(p.values, want.values):
			name := want.name
			if name == p.name {
				name = ""
			}
			d.emit(ReplaceCustomProperties(CustomProperty{Key: p.key, Name: name, Values: want.values}))
		}
	}
	for _, p := range d.to.properties {
		if !there[p.key] {
			d.emit(AddCustomProperties(CustomProperty{Key: p.key, Name: p.name, Values: p.values}))
		}
	}
}

// addVariations changes the variations that stay and adds new ones, so that all
// that are wanted are there. A value is free before another variation gets it.
func (d *differ) addVariations() {
	if equalPointed(d.w.flag.variations, d.to.variations, (*variationBody).same) {
		return
	}
	wanted := make(map[string]string, len(d.to.variations)) // id of the variation that gets a value
	for _, v := range d.to.variations {
		wanted[v.Value.sense()] = v.ID
	}
	for _, v := range d.w.flag.variations { // those that go make room
		if id, is := wanted[v.Value.sense()]; is && id != v.ID && d.to.variation(v.ID) < 0 && v.ID != "" {
			d.emit(UpdateVariation(v.ID, VariationValue(d.freeValue())))
		}
	}
	left := slices.DeleteFunc(slices.Clone(d.to.variations), func(v variationBody) bool {
		i := d.w.flag.variation(v.ID)
		return i < 0 || d.w.flag.variations[i].FlagVariation == v.FlagVariation
	})
	for len(left) > 0 {
		before := len(left)
		left = slices.DeleteFunc(left, func(v variationBody) bool {
			i := d.w.flag.variation(v.ID)
			if j := d.w.flag.valueOf(v.Value); j >= 0 && j != i {
				return false
			}
			d.change(v.FlagVariation, d.w.flag.variations[i].FlagVariation)
			return true
		})
		if len(left) == before { // they want one another's values
			if d.w.flag.kind == FlagBoolean {
				return
			}
			d.emit(UpdateVariation(left[0].ID, VariationValue(d.freeValue())))
		}
	}
	for i := range d.to.variations {
		if v := &d.to.variations[i]; d.w.flag.counterpart(v) < 0 {
			d.emit(AddVariation(Variation{Value: v.Value, Name: v.Name, Description: v.Description}), v.ID)
		}
	}
}

// change makes the instruction that changes a variation.
func (d *differ) change(want, is FlagVariation) {
	var changes []VariationChange
	if want.Name != is.Name {
		changes = append(changes, VariationName(want.Name))
	}
	if want.Value != is.Value {
		changes = append(changes, VariationValue(want.Value))
	}
	if want.Description != is.Description {
		changes = append(changes, VariationDescription(want.Description))
	}
	d.emit(UpdateVariation(want.ID, changes...))
}

// freeValue returns a value that no variation has, now or in the end.
func (d *differ) freeValue() Value {
	for i := 1; ; i++ {
		v := StringValue("temporary value " + strconv.Itoa(i))
		if d.w.flag.valueOf(v) < 0 && d.to.valueOf(v) < 0 {
			return v
		}
	}
}

func (d *differ) defaults() {
	value := func(b *flagBody, index int) string {
		if index < len(b.variations) {
			return b.variations[index].Value.sense()
		}
		return ""
	}
	on, off := Flag{d.w.flag}.Defaults()
	if !d.w.flag.defaults.given { // what they will be once variations are gone
		var left []int
		for i := range d.w.flag.variations {
			if d.to.counterpart(&d.w.flag.variations[i]) >= 0 {
				left = append(left, i)
			}
		}
		if len(left) > 0 {
			on, off = left[0], left[len(left)-1]
		}
	}
	wantOn, wantOff := Flag{d.to}.Defaults()
	var onValue, offValue Value
	if value(d.w.flag, on) != value(d.to, wantOn) {
		onValue = d.to.variations[wantOn].Value
	}
	if value(d.w.flag, off) != value(d.to, wantOff) {
		offValue = d.to.variations[wantOff].Value
	}
	if !onValue.IsZero() || !offValue.IsZero() {
		d.emit(UpdateDefaultVariation(onValue, offValue))
	}
}

func (d *differ) life() {
	from, to := d.w.flag, d.to
	switch {
	case from.deprecated.is && !to.deprecated.is:
		d.emit(RestoreDeprecatedFlag())
	case !from.deprecated.is && to.deprecated.is:
		d.emit(DeprecateFlag())
	}
	switch {
	case from.archived.is && !to.archived.is:
		d.emit(RestoreFlag())
	case !from.archived.is && to.archived.is:
		d.emit(ArchiveFlag())
	}
	if to.deleted.is {
		d.emit(DeleteFlag())
	}
}

// environment makes the instructions for one environment.
func (d *differ) environment(to *environmentBody) {
	places := make([]int, len(d.to.variations)) // of the wanted variations now
	moved := false
	for i := range d.to.variations {
		places[i] = d.w.flag.counterpart(&d.to.variations[i])
		moved = moved || places[i] != i
	}
	if moved {
		copied := *to
		copied.move(func(index int) int { return places[index] })
		to = &copied
	}
	switch on := d.w.env().on; {
	case on && !to.on:
		d.emit(TurnFlagOff())
	case !on && to.on:
		d.emit(TurnFlagOn())
	}
	if to.off.given && d.w.env().off != to.off {
		d.emit(UpdateOffVariation(d.id(int(to.off.n))))
	}
	d.prerequisites(to)
	d.targets(to)
	d.rules(to)
	d.serve(&d.w.env().byDefault, &to.byDefault, UpdateFallthroughVariationOrRollout)
	if d.w.env().track != to.track {
		d.emit(UpdateTrackEvents(to.track))
	}
	if d.w.env().trackDefault != to.trackDefault {
		d.emit(UpdateTrackEventsFallthrough(to.trackDefault))
	}
}

// id returns the id of a variation that there is now.
func (d *differ) id(index int) string {
	if index < 0 || index >= len(d.w.flag.variations) {
		return ""
	}
	return d.w.flag.variations[index].ID
}

// inWords returns what is served as instructions say it.
func (d *differ) inWords(s *servedBody) Serve {
	if s.rollout == nil {
		return ServeVariation(d.id(s.variation))
	}
	r := Rollout{BucketBy: s.rollout.bucketBy, ContextKind: s.rollout.contextKind}
	for _, w := range s.rollout.weights {
		r.Weights = append(r.Weights, Weight{VariationID: d.id(w.Variation), Weight: w.Weight})
	}
	return ServeRollout(r)
}

// serve makes the instructions that change what is served. A rollout keeps what
// weights do not say; where that must go, something else is served in between.
func (d *differ) serve(is, want *servedBody, instruction func(Serve) Instruction) {
	if is.same(want) || !want.given() {
		return
	}
	given := d.inWords(want)
	if is.rollout != nil && want.rollout != nil {
		depth := d.w.at.depth
		comes, err := d.w.served(given, is)
		d.w.at.depth = depth
		if err == nil && !comes.same(want) {
			d.emit(instruction(d.between(is.rollout, want.rollout)))
		}
	}
	d.emit(instruction(given))
}

// between returns what is served in between two rollouts, so that what the
// second does not have of the first gets lost, and nothing else.
func (d *differ) between(is, want *rolloutBody) Serve {
	if is.seed != want.seed || is.isExperiment() != want.isExperiment() || !is.allocation.same(want.allocation) || !sameMore(is.more, want.more) {
		return ServeVariation(d.id(0))
	}
	var kept Rollout
	for _, w := range want.weights {
		i := is.weight(w.Variation)
		if i >= 0 && is.weights[i].Untracked == w.Untracked && sameMore(is.weights[i].more, w.more) {
			kept.Weights = append(kept.Weights, Weight{VariationID: d.id(w.Variation)})
		}
	}
	if len(kept.Weights) == 0 { // something else then
		for i := range d.w.flag.variations {
			if want.weight(i) < 0 {
				kept.Weights = []Weight{{VariationID: d.id(i)}}
				break
			}
		}
	}
	if n := len(kept.Weights); n > 0 {
		first := 0
		if i := is.weight(d.w.flag.variation(kept.Weights[0].VariationID)); n > 1 && i >= 0 && is.weights[i].Weight == FullWeight {
			first = 1 // the same weights would keep their order
		}
		kept.Weights[first].Weight = FullWeight
	}
	return ServeRollout(kept)
}

func (d *differ) prerequisites(to *environmentBody) {
	done := func() bool {
		return equalPointed(d.w.env().prerequisites, to.prerequisites, (*prerequisiteBody).same)
	}
	if done() {
		return
	}
	if d.try(func() {
		for _, p := range d.w.env().prerequisites {
			if to.prerequisite(p.Key) < 0 {
				d.emit(RemovePrerequisite(p.Key))
			}
		}
		for _, p := range to.prerequisites {
			switch i := d.w.env().prerequisite(p.Key); {
			case i < 0:
				d.emit(AddPrerequisite(p.Key, d.other(p)))
			case d.w.env().prerequisites[i].Variation != p.Variation:
				d.emit(UpdatePrerequisite(p.Key, d.other(p)))
			}
		}
	}, done) || d.lookup != nil {
		return
	}
	list := make([]Prerequisite, len(to.prerequisites))
	for i, p := range to.prerequisites {
		list[i] = Prerequisite{Key: p.Key, VariationID: d.other(p)}
	}
	if !d.try(func() { d.emit(ReplacePrerequisites(list...)) }, done) {
		d.emit(ReplacePrerequisites()) // so that nothing stays but what is given
		d.emit(ReplacePrerequisites(list...))
	}
}

// other returns the id of a variation of another flag, "none" if there is no
// such.
func (d *differ) other(p prerequisiteBody) string {
	const none = "none"
	if d.w.how.Others == nil {
		return none
	}
	f, err := d.w.how.Others.Flag(p.Key)
	if err != nil {
		if !errors.Is(err, ErrNotFound) && d.lookup == nil {
			d.lookup = fmt.Errorf("look up other flags: %w", err)
		}
		return none
	}
	v, _ := f.Variation(p.Variation)
	if v.ID == "" {
		return none
	}
	return v.ID
}

func (d *differ) targets(to *environmentBody) {
	done := func() bool { return d.w.env().sameTargets(to) }
	if done() {
		return
	}
	gone, more := missing(d.w.env(), to), missing(to, d.w.env())
	steps := func() {
		for _, t := range gone {
			d.target(t, RemoveUserTargets, RemoveTargets)
		}
		for _, t := range more {
			d.target(t, AddUserTargets, AddTargets)
		}
	}
	replace := func(which func(*targetsBody) bool) {
		var list []Targets
		for _, t := range to.lists() {
			if which(t) {
				list = append(list, Targets{ContextKind: t.contextKind, VariationID: d.id(t.variation), Values: t.values})
			}
		}
		d.emit(ReplaceTargets(list...))
	}
	all := func() { replace(func(*targetsBody) bool { return true }) }
	users := func() { // the order of their lists, too
		list := make([]Targets, 0, len(d.w.flag.variations))
		for _, t := range to.users {
			list = append(list, Targets{VariationID: d.id(t.variation), Values: t.values})
		}
		for i, v := range d.w.flag.variations {
			if to.list(userKind, i) == nil {
				list = append(list, Targets{VariationID: v.ID})
			}
		}
		d.emit(ReplaceUserTargets(list...))
	}
	if len(gone)+len(more) > 2 && count(gone)+count(more) > count(to.lists()) {
		steps = all // it is shorter
	}
	written := func() bool { return d.w.env().writesTargets(to) }
	if d.try(steps, written) || d.try(users, written) || d.try(steps, done) || d.try(all, done) {
		return
	}
	// Lists that are to lose unknown members must go before they come back.
	replace(func(t *targetsBody) bool {
		is := d.w.env().list(t.kind(), t.variation)
		return is != nil && sameMore(is.more, t.more)
	})
	all()
}

// writesTargets reports whether both write the same targets.
func (e *environmentBody) writesTargets(o *environmentBody) bool {
	write := func(list []*targetsBody) string { return string(appendPointers(nil, list, (*targetsBody).appendJSON)) }
	return write(e.users) == write(o.users) && write(e.contexts) == write(o.contexts)
}

// missing returns lists of the targets that one environment has and another
// does not.
func missing(has, lacks *environmentBody) (list []*targetsBody) {
	for _, t := range has.lists() {
		other := lacks.list(t.kind(), t.variation)
		values := slices.DeleteFunc(slices.Clone(t.values), func(key string) bool { return other != nil && other.has(key) })
		if len(values) > 0 {
			list = append(list, &targetsBody{variation: t.variation, contextKind: t.contextKind, values: values})
		}
	}
	return list
}

func count(list []*targetsBody) (n int) {
	for _, t := range list {
		n += len(t.values)
	}
	return n
}

// target makes an instruction about targets of one variation.
func (d *differ) target(t *targetsBody, users func(string, ...string) Instruction, contexts func(Targets) Instruction) {
	if t.kind() == userKind {
		d.emit(users(d.id(t.variation), t.values...))
		return
	}
	d.emit(contexts(Targets{ContextKind: t.contextKind, VariationID: d.id(t.variation), Values: t.values}))
}

func (d *differ) rules(to *environmentBody) {
	from := d.w.env().rules
	if slices.EqualFunc(from, to.rules, (*ruleBody).same) {
		return
	}
	wanted := make(map[string]*ruleBody, len(to.rules))
	for _, rule := range to.rules {
		wanted[rule.id] = rule
	}
	kept := make(map[string]bool, len(from))
	for _, rule := range from {
		want := wanted[rule.id]
		if want != nil && rule.id != "" && rule.ref == want.ref && rule.disabled == want.disabled && sameMore(rule.more, want.more) {
			kept[rule.id] = true
		}
	}
	if without := rulesWithoutID(from); len(without) > 0 && slices.EqualFunc(without, rulesWithoutID(to.rules), (*ruleBody).same) {
		kept[""] = true // no instruction can name them
	}
	if len(kept) == 0 {
		done := func() bool { return slices.EqualFunc(d.w.env().rules, to.rules, (*ruleBody).same) }
		if !d.try(func() { d.replaceRules(to.rules) }, done) { // they say the same, by other identifiers
			d.emit(ReplaceRules())
			d.replaceRules(to.rules)
		}
		return
	}
	var order []string // of those that are kept
	for _, rule := range to.rules {
		if kept[rule.id] {
			order = append(order, rule.id)
		}
	}
	for _, rule := range from {
		if !kept[rule.id] {
			d.emit(RemoveRule(rule.id))
		}
	}
	if !slices.EqualFunc(d.w.env().rules, order, func(rule *ruleBody, id string) bool { return rule.id == id }) {
		d.emit(ReorderRules(order...))
	}
	next := 0 // of order
	for _, rule := range to.rules {
		if kept[rule.id] {
			next++
			if d.rule(rule) {
				continue
			}
			d.emit(RemoveRule(rule.id)) // it cannot be changed: another takes its place
		}
		before := ""
		if next < len(order) {
			before = order[next]
		}
		given, ids := d.newRule(rule)
		given.TrackEvents = false
		d.emit(AddRule(given, before), ids...)
		if rule.track {
			d.emit(UpdateRuleTrackEvents(rule.id, true))
		}
	}
}

func rulesWithoutID(list []*ruleBody) (without []*ruleBody) {
	for _, rule := range list {
		if rule.id == "" {
			without = append(without, rule)
		}
	}
	return without
}

func (d *differ) replaceRules(list []*ruleBody) {
	given := make([]Rule, len(list))
	var all []string
	for i, rule := range list {
		var ids []string
		given[i], ids = d.newRule(rule)
		all = append(all, ids...)
	}
	d.emit(ReplaceRules(given...), all...)
}

// newRule returns a rule as instructions say it, and the identifiers of it and
// its clauses.
func (d *differ) newRule(rule *ruleBody) (Rule, []string) {
	given := Rule{
		Clauses: make([]Clause, len(rule.clauses)), Serve: d.inWords(&rule.served),
		Description: rule.description, TrackEvents: rule.track, Ref: rule.ref,
	}
	ids := make([]string, 1, 1+len(rule.clauses))
	ids[0] = rule.id
	for i := range rule.clauses {
		given.Clauses[i] = rule.clauses[i].Clause
		ids = append(ids, rule.clauses[i].id)
	}
	return given, ids
}

// rule makes the instructions that change a rule that is kept. It makes none,
// and returns false, if they do not lead there.
func (d *differ) rule(want *ruleBody) bool {
	if want.id == "" {
		return true
	}
	i, err := d.w.rule("", want.id)
	if err != nil || i < 0 {
		return true // it could not be reached
	}
	saved, patch := d.err, d.patch
	d.changeRule(d.w.env().rules[i], want)
	if d.err == saved && d.w.env().rules[i].same(want) {
		return true
	}
	d.err, d.patch = saved, patch
	d.patch.Instructions, d.patch.NewIDs = slices.Clip(patch.Instructions), slices.Clip(patch.NewIDs)
	return false
}

func (d *differ) changeRule(is, want *ruleBody) {
	if is.same(want) {
		return
	}
	d.serve(&is.served, &want.served, func(s Serve) Instruction { return UpdateRuleVariationOrRollout(want.id, s) })
	if is.description != want.description {
		d.emit(UpdateRuleDescription(want.id, want.description))
	}
	if is.track != want.track {
		d.emit(UpdateRuleTrackEvents(want.id, want.track))
	}
	if !equalPointed(is.clauses, want.clauses, (*clauseBody).same) {
		d.clauses(is, want)
	}
}

// clauses makes the instructions that change the clauses of a rule. If those
// that stay do not come first and in order, all are removed and added.
func (d *differ) clauses(is, want *ruleBody) {
	places := pairClauses(is.clauses, want.clauses)
	last, inOrder := -1, true
	kept := make([]bool, len(is.clauses))
	var added []Clause
	var ids []string
	for i, place := range places {
		cl := &want.clauses[i]
		if place < 0 {
			added, ids = append(added, cl.Clause), append(ids, cl.id)
			continue
		}
		inOrder = inOrder && len(added) == 0 && place > last && sameMore(is.clauses[place].more, cl.more)
		last, kept[place] = place, true
	}
	if !inOrder {
		added, ids = nil, nil
		for i := range want.clauses {
			added, ids = append(added, want.clauses[i].Clause), append(ids, want.clauses[i].id)
		}
		clear(kept)
	}
	var gone []string
	for i := range is.clauses {
		if !kept[i] {
			gone = append(gone, is.clauses[i].id)
		}
	}
	if len(gone) > 0 {
		d.emit(RemoveClauses(want.id, gone...))
	}
	for i, place := range places {
		if place >= 0 && kept[place] && !is.clauses[place].sameTest(&want.clauses[i]) {
			d.clause(want.id, &is.clauses[place], &want.clauses[i])
		}
	}
	if len(added) > 0 {
		d.emit(AddClauses(want.id, added...), ids...)
	}
}

// clause makes the instructions that change what a clause tests.
func (d *differ) clause(ruleID string, is, want *clauseBody) {
	other := *is
	other.Values = want.Values
	gone, more := withoutBy(is.Values, want.Values, Value.sense), withoutBy(want.Values, is.Values, Value.sense)
	if !other.sameTest(want) || is.ContextKind != want.ContextKind || !slices.Equal(unionBy(withoutBy(is.Values, gone, Value.sense), more, Value.sense), want.Values) {
		d.emit(UpdateClause(ruleID, is.id, want.Clause))
		return
	}
	if len(gone) > 0 {
		d.emit(RemoveValuesFromClause(ruleID, is.id, gone...))
	}
	if len(more) > 0 {
		d.emit(AddValuesToClause(ruleID, is.id, more...))
	}
}

// differences returns JSON Pointers of where two flags differ.
func differences(a, b *flagBody, environment string) []string {
	variations := equalPointed(a.variations, b.variations, (*variationBody).same)
	if !variations {
		a = a.inPlaceOf(b)
	}
	var p pointers
	p.differ(a.name == b.name, "name")
	p.differ(a.kind == b.kind, "kind")
	p.differ(a.description == b.description, "description")
	p.differ(a.key == b.key, "key")
	p.differ(a.created == b.created, "creationDate")
	p.differ(a.inSnippet == b.inSnippet, "includeInSnippet")
	p.differ(a.availability.same(&b.availability), "clientSideAvailability")
	p.differ(variations, "variations")
	p.differ(a.temporary == b.temporary, "temporary")
	p.differ(slices.Equal(a.tags, b.tags), "tags")
	p.differ(a.maintainer.member == b.maintainer.member, "maintainerId")
	p.differ(a.maintainer.team == b.maintainer.team, "maintainerTeamKey")
	p.differ(a.sameProperties(b), "customProperties")
	p.differ(a.archived.is == b.archived.is, "archived")
	p.differ(a.deprecated.is == b.deprecated.is, "deprecated")
	p.differ(a.deleted.is == b.deleted.is, "deleted")
	p.differ(a.sameDefaults(b), "defaults")
	p.members(a.more, b.more)
	i, j := a.environment(environment), b.environment(environment)
	if i < 0 || j < 0 {
		p.differ(i == j, "environments", environment)
		return p
	}
	x, y := a.environments[i], b.environments[j]
	at := []string{"environments", environment}
	p.differ(x.on == y.on, append(at, "on")...)
	p.differ(x.archived == y.archived, append(at, "archived")...)
	p.differ(x.salt == y.salt, append(at, "salt")...)
	p.differ(x.sameTargets(y), append(at, "targets")...)
	if len(x.rules) != len(y.rules) {
		p.differ(false, append(at, "rules")...)
	} else {
		for i := range x.rules {
			p.differ(x.rules[i].same(y.rules[i]), append(at, "rules", strconv.Itoa(i))...)
		}
	}
	p.differ(x.byDefault.same(&y.byDefault) && sameMore(x.defaultMore, y.defaultMore), append(at, "fallthrough")...)
	p.differ(x.off == y.off, append(at, "offVariation")...)
	p.differ(equalPointed(x.prerequisites, y.prerequisites, (*prerequisiteBody).same), append(at, "prerequisites")...)
	p.differ(x.track == y.track, append(at, "trackEvents")...)
	p.differ(x.trackDefault == y.trackDefault, append(at, "trackEventsFallthrough")...)
	p.members(x.more, y.more, at...)
	return p
}

// inPlaceOf returns the flag with the places that its variations have in
// another flag.
func (b *flagBody) inPlaceOf(other *flagBody) *flagBody {
	t := newTeller(b, other)
	moved := *b
	on, off := Flag{b}.Defaults()
	moved.defaults.given, moved.defaults.on, moved.defaults.off = true, t.moved(on), t.moved(off)
	moved.environments = make([]*environmentBody, len(b.environments))
	for i, e := range b.environments {
		e := *e
		e.move(t.moved)
		moved.environments[i] = &e
	}
	return &moved
}

// pointers are JSON Pointers of what differs.
type pointers []string

// differ notes a place unless what stands there is the same.
func (p *pointers) differ(same bool, steps ...string) {
	if same {
		return
	}
	var pointer []byte
	for _, step := range steps {
		pointer = strictjson.AppendPointer(pointer, step)
	}
	*p = append(*p, string(pointer))
}

// members notes the unknown members of an object that differ.
func (p *pointers) members(a, b string, at ...string) {
	if a == b {
		return
	}
	x, y := moreMembers(a), moreMembers(b)
	for len(x) > 0 || len(y) > 0 {
		switch {
		case len(y) == 0 || len(x) > 0 && x[0].name < y[0].name:
			p.differ(false, append(slices.Clip(at), x[0].name)...)
			x = x[1:]
		case len(x) == 0 || y[0].name < x[0].name:
			p.differ(false, append(slices.Clip(at), y[0].name)...)
			y = y[1:]
		default:
			p.differ(x[0] == y[0], append(slices.Clip(at), x[0].name)...)
			x, y = x[1:], y[1:]
		}
	}
}
