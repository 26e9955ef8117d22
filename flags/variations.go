package flags

import (
	"slices"
	"strconv"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Variation is a variation to be added to a flag.
type Variation struct {
	Value       Value  // what is served; not null, and no other variation's value
	Name        string // "" is none
	Description string // "" is none
	// Ref is a name by which later instructions can refer to the variation, 1
	// to 256 letters, digits, dots, underscores and hyphens; "" is none.
	Ref string
}

var addVariation = kind{
	name:  "addVariation",
	scope: ScopeFlag,
	params: []param{
		{name: "value", shape: valueShape},
		{name: "name", shape: textShape, form: blankText, optional: true},
		{name: "description", shape: textShape, form: blankText, optional: true},
		{name: "ref", shape: textShape, form: refText, optional: true},
	},
	adds:   true,
	reads:  []Field{FieldVariations},
	writes: []Field{FieldVariations},
	says:   `add the variation {value}[ named "{name}"]`,
	apply:  (*work).addVariation,
}

// AddVariation adds a variation to the flag, in all environments, behind those
// it has. A value that another variation has is an error, whatever the spelling
// of a number, and so is a flag that is boolean.
func AddVariation(variation Variation) Instruction {
	return build(&addVariation, unlessAbsent(variation.Value),
		unlessEmpty(variation.Name), unlessEmpty(variation.Description), unlessEmpty(variation.Ref))
}

var removeVariation = kind{
	name:   "removeVariation",
	scope:  ScopeFlag,
	params: []param{paramVariationID},
	reads: []Field{
		FieldVariations, FieldTargets, FieldRules, FieldFallthrough, FieldOffVariation, FieldDefaults, FieldOtherFlags,
	},
	writes: []Field{FieldVariations},
	says:   "remove variation {variationId}",
	apply:  (*work).removeVariation,
}

// RemoveVariation removes a variation from the flag, in all environments; those
// after it move up. One that does not exist is an error, and so is one in use:
// served anywhere, with a weight above 0 in rollouts, a default of new
// environments, the last one, one of a boolean flag, and one that another flag
// requires, or one before it, because the other flag names it by its place.
func RemoveVariation(variationID string) Instruction {
	return build(&removeVariation, text(variationID))
}

// VariationChange is one thing that [UpdateVariation] changes. The zero
// VariationChange changes nothing.
type VariationChange struct {
	param int // index in the row
	arg   arg
}

// VariationName changes the name of a variation; "" takes it away.
func VariationName(name string) VariationChange {
	return VariationChange{param: 1, arg: text(name)}
}

// VariationValue changes the value of a variation. Null and the absent Value
// change nothing.
func VariationValue(value Value) VariationChange {
	return VariationChange{param: 2, arg: unlessAbsent(value)}
}

// VariationDescription changes the description of a variation; "" takes it
// away.
func VariationDescription(description string) VariationChange {
	return VariationChange{param: 3, arg: text(description)}
}

var updateVariation = kind{
	name:  "updateVariation",
	scope: ScopeFlag,
	params: []param{
		paramVariationID,
		{name: "name", shape: textShape, form: anyText, optional: true},
		{name: "value", shape: valueShape, optional: true},
		{name: "description", shape: textShape, form: anyText, optional: true},
	},
	some:   true,
	reads:  []Field{FieldVariations},
	writes: []Field{FieldVariations},
	says:   `change variation {variationId}:[ name "{name}"][ value {value}][ description "{description}"]`,
	apply:  (*work).updateVariation,
}

// UpdateVariation changes a variation of the flag, in all environments. At
// least one change must be given; of several changes of the same thing the last
// one counts. A variation that does not exist is an error, as is a value that
// another variation has, and one that is no boolean in a boolean flag.
func UpdateVariation(variationID string, changes ...VariationChange) Instruction {
	args := []arg{text(variationID), nil, nil, nil}
	for _, change := range changes {
		if change.arg != nil {
			args[change.param] = change.arg
		}
	}
	return build(&updateVariation, args...)
}

// defaultMembers name the variations that new environments begin with.
var defaultMembers = [...]string{"onVariationValue", "offVariationValue"}

var updateDefaultVariation = kind{
	name:  "updateDefaultVariation",
	scope: ScopeFlag,
	params: []param{
		{name: defaultMembers[0], alias: "OnVariationValue", shape: valueShape, optional: true},
		{name: defaultMembers[1], alias: "OffVariationValue", shape: valueShape, optional: true},
	},
	some:   true,
	reads:  []Field{FieldVariations},
	writes: []Field{FieldDefaults},
	says:   "let new environments serve[ {onVariationValue} while targeting is on][ {offVariationValue} while it is off]",
	apply:  (*work).updateDefaultVariation,
}

// UpdateDefaultVariation changes which variations new environments of the flag
// begin with, while targeting is on and while it is off. The variations are
// named by their values; the absent Value, and null, leave one as it is. At
// least one must be given. A value that no variation has is an error.
func UpdateDefaultVariation(on, off Value) Instruction {
	return build(&updateDefaultVariation, unlessAbsent(on), unlessAbsent(off))
}

// valueOf returns the index of the variation with a value, or -1.
func (b *flagBody) valueOf(v Value) int {
	sense := v.sense()
	return slices.IndexFunc(b.variations, func(o variationBody) bool { return o.Value == v || o.Value.sense() == sense })
}

// counterpart returns the index of the variation that is another flag's by its
// id, or by its value if both have none, or -1.
func (b *flagBody) counterpart(v *variationBody) int {
	if v.ID != "" {
		return b.variation(v.ID)
	}
	if i := b.valueOf(v.Value); i >= 0 && b.variations[i].ID == "" {
		return i
	}
	return -1
}

// newValue fails if a value cannot be that of a variation, which is the one of
// the given index or a new one.
func (w *work) newValue(v Value, index int) error {
	i := w.flag.valueOf(v)
	switch {
	case i >= 0 && i != index:
		return w.failAt("value", CodeDuplicate, "variation %s has this value already", strictjson.Quote(w.flag.variations[i].ID))
	case w.flag.kind == FlagBoolean && v.text != "true" && v.text != "false":
		return w.failAt("value", CodeWrongType, "must be true or false: the flag is boolean")
	}
	return nil
}

func (w *work) addVariation(args []arg) error {
	if w.flag.kind == FlagBoolean {
		return w.fail(CodeUnsupported, "a boolean flag has two variations, true and false, and no others")
	}
	v := variationBody{FlagVariation: FlagVariation{Value: Value(args[0].(free)), Name: textOf(args[1]), Description: textOf(args[2])}}
	if err := w.newValue(v.Value, -1); err != nil {
		return err
	}
	if code, message := listDefect(len(w.flag.variations) + 1); code != "" {
		return w.fail(code, "the list of variations then %s", message)
	}
	id, err := w.newID(textOf(args[3]))
	if err != nil {
		return err
	}
	v.ID = id
	w.ownVariations()
	w.flag.variations = append(w.flag.variations, v)
	return nil
}

func (w *work) updateVariation(args []arg) error {
	i, err := w.variation(memberVariationID, textOf(args[0]))
	if err != nil {
		return err
	}
	v := w.flag.variations[i].FlagVariation
	if name, given := args[1].(text); given {
		v.Name = string(name)
	}
	if value, given := args[2].(free); given {
		v.Value = Value(value)
		if err := w.newValue(v.Value, i); err != nil {
			return err
		}
	}
	if description, given := args[3].(text); given {
		v.Description = string(description)
	}
	if v != w.flag.variations[i].FlagVariation {
		w.ownVariations()[i].FlagVariation = v
	}
	return nil
}

func (w *work) updateDefaultVariation(args []arg) error {
	d := w.flag.defaults
	d.given = true
	d.on, d.off = Flag{w.flag}.Defaults()
	for i, index := range []*int{&d.on, &d.off} {
		value, given := args[i].(free)
		if !given {
			continue
		}
		if *index = w.flag.valueOf(Value(value)); *index < 0 {
			return w.failAt(defaultMembers[i], CodeNotFound, "no variation has the value %s; there %s", shorten(Value(value).text),
				thereAre(len(w.flag.variations), func(i int) string { return w.flag.variations[i].Value.text }))
		}
	}
	if on, off := (Flag{w.flag}).Defaults(); on != d.on || off != d.off {
		w.own().defaults = d
	}
	return nil
}

func (w *work) removeVariation(args []arg) error {
	gone, err := w.variation(memberVariationID, textOf(args[0]))
	if err != nil {
		return err
	}
	if w.flag.kind == FlagBoolean {
		return w.failAt(memberVariationID, CodeUnsupported, "a boolean flag keeps its two variations, true and false")
	}
	if uses := w.flag.uses(gone); len(uses) > 0 {
		return w.failAt(memberVariationID, CodeInUse, "is served at %s; change that first",
			quoteAll(len(uses), func(i int) string { return uses[i] }))
	}
	if len(w.flag.variations) == 1 {
		return w.failAt(memberVariationID, CodeInUse, "is the only variation of the flag")
	}
	dependents, err := w.dependents()
	if err != nil {
		return err
	}
	for _, f := range dependents {
		for _, e := range f.body.environments {
			if i := e.prerequisite(w.flag.key); i >= 0 && e.prerequisites[i].Variation >= gone {
				return w.failAt(memberVariationID, CodeInUse,
					"flag %s requires this variation or a later one, whose index would change, in environment %s; remove the prerequisite first",
					strictjson.Quote(f.Key()), strictjson.Quote(e.key))
			}
		}
	}
	on, off := Flag{w.flag}.Defaults()
	given := w.flag.defaults.given
	w.ownVariations()
	b := w.own()
	b.variations = slices.Delete(b.variations, gone, gone+1)
	move := func(index int) int {
		switch {
		case index == gone:
			return -1
		case index > gone:
			return index - 1
		}
		return index
	}
	if given {
		b.defaults.on, b.defaults.off = move(on), move(off)
	}
	w.ownAll(func(e *environmentBody) { e.move(move) })
	w.ownsRules, w.ownsLists, w.lists = false, false, nil
	return nil
}

// uses returns JSON Pointers of what serves a variation, in document order.
func (b *flagBody) uses(index int) (list []string) {
	use := func(steps ...string) {
		var p []byte
		for _, s := range steps {
			p = strictjson.AppendPointer(p, s)
		}
		list = append(list, string(p))
	}
	if b.defaults.given && b.defaults.on == index {
		use("defaults", "onVariation")
	}
	if b.defaults.given && b.defaults.off == index {
		use("defaults", "offVariation")
	}
	for _, e := range b.environments {
		if slices.ContainsFunc(e.users, func(t *targetsBody) bool { return t.uses(index) }) {
			use("environments", e.key, "targets")
		}
		if slices.ContainsFunc(e.contexts, func(t *targetsBody) bool { return t.uses(index) }) {
			use("environments", e.key, "contextTargets")
		}
		for i, rule := range e.rules {
			if rule.served.uses(index) {
				use("environments", e.key, "rules", strconv.Itoa(i))
			}
		}
		if e.byDefault.uses(index) {
			use("environments", e.key, "fallthrough")
		}
		if e.off.given && int(e.off.n) == index {
			use("environments", e.key, "offVariation")
		}
	}
	return list
}

func (t *targetsBody) uses(index int) bool { return t.variation == index && len(t.values) > 0 }

// uses reports whether a variation is served to anybody. One without weight is
// not, unless there is no other, or it is the last and so gets what the weights
// leave.
func (s *servedBody) uses(index int) bool {
	if s.rollout == nil {
		return s.single && s.variation == index
	}
	others, sum := false, 0
	for i := range s.rollout.weights {
		w := &s.rollout.weights[i]
		sum += w.Weight
		last := i == len(s.rollout.weights)-1
		if w.Variation == index && (w.Weight > 0 || last && sum < FullWeight) {
			return true
		}
		others = others || w.Variation != index
	}
	return !others || s.rollout.allocation != nil && s.rollout.allocation.variation == index
}
