package flagstage

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// Target is a flag in an environment to which a template is bound, and what is
// known of its surroundings. What is looked up through it is asked for once in
// each call that takes it.
//
// Of what nothing is known, a template's own values count as right where they
// were written for the same: ids of variations for the same flag, ids of rules
// and clauses for the same flag in the same environment, segments and targets for
// the same environment, prerequisites for the same project.
type Target struct {
	Origin
	// Flag is the flag; zero: nothing is known of it.
	Flag flags.Flag
	// Others knows the other flags of the project, which can be prerequisites;
	// nil: nothing is known of them.
	Others flags.OtherFlags
	// Segment reports whether the environment has a segment; nil: nothing is
	// known of segments.
	Segment func(key string) (bool, error)
}

// problems returns what is wrong with the target itself.
func (t *Target) problems() (problems Problems) {
	j := newJudge(&problems)
	for _, k := range []struct{ what, key string }{
		{"project", t.ProjectKey}, {"environment", t.EnvironmentKey}, {"flag", t.FlagKey},
	} {
		pointer := "/" + k.what + "Key"
		if k.key == "" {
			j.errorf(pointer, flags.CodeRequired, "give the key of the %s that is to be released", k.what)
		} else {
			j.key(pointer, k.key)
		}
	}
	if key := t.Flag.Key(); !t.Flag.IsZero() && key != t.FlagKey {
		j.errorf("/flagKey", flags.CodeMalformed, "is %s, but Target.Flag is the flag %s", strictjson.Quote(t.FlagKey), strictjson.Quote(key))
	}
	return problems
}

// variations are those of a flag that can be named, by id and by value.
type variations struct {
	flag     flags.Flag
	ids      map[string]int
	meanings map[string]int // indexes; -1: of several
}

func newVariations(f flags.Flag) *variations {
	v := &variations{flag: f, ids: make(map[string]int, f.VariationCount()), meanings: make(map[string]int, f.VariationCount())}
	for i, variation := range f.Variations() {
		if variation.ID != "" && !flags.IsRef(variation.ID) {
			v.ids[variation.ID] = i
		}
		meaning := variation.Value.Meaning()
		if _, twice := v.meanings[meaning]; twice {
			i = -1
		}
		v.meanings[meaning] = i
	}
	return v
}

// has reports whether the flag has a variation of this id.
func (v *variations) has(id string) bool {
	_, there := v.ids[id]
	return there
}

// valued returns the id of the only variation of a value, or why there is none.
func (v *variations) valued(value Value) (id, why string) {
	i, there := v.meanings[value.Meaning()]
	if there && i < 0 {
		return "", "several variations of flag " + strictjson.Quote(v.flag.Key()) + " have its value"
	}
	if variation, _ := v.flag.Variation(i); there && v.has(variation.ID) {
		return variation.ID, ""
	}
	return "", "no variation of flag " + strictjson.Quote(v.flag.Key()) + " that can be named has its value"
}

// boolean returns what the variation of an id serves, if that is true or false.
func (v *variations) boolean(id string) *bool {
	if i, there := v.ids[id]; there {
		variation, _ := v.flag.Variation(i)
		return booleanOf(variation.Value)
	}
	return nil
}

// booleanOf returns what a value says, nil if it is not true or false.
func booleanOf(v Value) *bool {
	is := v == flags.BoolValue(true)
	if is || v == flags.BoolValue(false) {
		return &is
	}
	return nil
}

// otherFlags are the other flags of a project. Each is asked for once.
type otherFlags struct {
	source flags.OtherFlags
	found  map[string]otherFlag
}

type otherFlag struct {
	variations *variations // nil if there is no such flag
	err        error
}

func newOtherFlags(source flags.OtherFlags) *otherFlags {
	if source == nil {
		return nil
	}
	return &otherFlags{source, map[string]otherFlag{}}
}

// variations returns the variations of a flag, nil if there is no such flag.
func (o *otherFlags) variations(key string) (*variations, error) {
	found, known := o.found[key]
	if !known {
		f, err := o.source.Flag(key)
		switch {
		case err != nil && !errors.Is(err, ErrNotFound):
			found.err = fmt.Errorf("look up flag %s: %w", strictjson.Quote(key), err)
		case err == nil && !f.IsZero() && !f.Deleted():
			found.variations = newVariations(f)
		}
		o.found[key] = found
	}
	return found.variations, found.err
}

// Flag returns a flag, as [flags.OtherFlags] demands.
func (o *otherFlags) Flag(key string) (flags.Flag, error) {
	v, err := o.variations(key)
	switch {
	case err != nil:
		return flags.Flag{}, err
	case v == nil:
		return flags.Flag{}, fmt.Errorf("flag %s: %w", strictjson.Quote(key), ErrNotFound)
	}
	return v.flag, nil
}

// Dependents returns what the source does.
func (o *otherFlags) Dependents(key string) ([]string, error) { return o.source.Dependents(key) }

// variationValue is the value that stood behind a variation's id when a template
// was created. They are ordered by flag and id.
type variationValue struct {
	flagKey, id string
	value       Value
}

func (v *variationValue) compare(flagKey, id string) int {
	if c := strings.Compare(v.flagKey, flagKey); c != 0 {
		return c
	}
	return strings.Compare(v.id, id)
}

// valueBehind returns the value that a variation of a flag had when the template
// was created; absent if that was not known.
func (t *Template) valueBehind(flagKey, id string) Value {
	i, there := slices.BinarySearchFunc(t.values, variationValue{flagKey: flagKey, id: id}, func(v, w variationValue) int {
		return v.compare(w.flagKey, w.id)
	})
	if !there {
		return Value{}
	}
	return t.values[i].value
}

// maxValues is how many bytes the values behind variations take in a template,
// with their ids and flags.
const maxValues = 1 << 20

// WithValues returns the template with the values that stand behind the ids of
// variations in it, as origin knows them: those of its own flag, and of the flags
// that are prerequisites. A template with them can be bound to other flags that
// have variations of the same values. What origin does not know is left out, and
// so is what does not fit into 1 MiB; ids for which nothing is known hold for the
// same flag only. The values are no part of the printed template, and
// [Template.Equal] does not compare them.
//
// An error wraps that of origin.Others, or [ErrInvalidRequest] if origin is not
// the template's; the template is then zero.
func (t Template) WithValues(origin Target) (Template, error) {
	if origin.Origin != t.origin {
		return Template{}, fmt.Errorf("%w: take values for template %s: its origin is another flag", ErrInvalidRequest, strictjson.Quote(t.key))
	}
	if problems := origin.problems(); problems != nil {
		return Template{}, problems.Err()
	}
	var own *variations
	if !origin.Flag.IsZero() {
		own = newVariations(origin.Flag)
	}
	others := newOtherFlags(origin.Others)
	var values []variationValue
	for id := range t.variationIDs(own == nil) {
		v := own
		if id.flagKey != t.origin.FlagKey {
			if v = nil; others != nil {
				var err error
				if v, err = others.variations(id.flagKey); err != nil {
					return Template{}, fmt.Errorf("take values for template %s: %w", strictjson.Quote(t.key), err)
				}
			}
		}
		if v != nil && v.has(id.id) {
			variation, _ := v.flag.Variation(v.ids[id.id])
			id.value = variation.Value
			values = append(values, id)
		}
	}
	slices.SortFunc(values, func(a, b variationValue) int { return a.compare(b.flagKey, b.id) })
	values = slices.Compact(values)
	left := maxValues
	t.values = slices.DeleteFunc(values, func(v variationValue) bool {
		size := len(v.flagKey) + len(v.id) + len(v.value.String())
		if size > left {
			return true
		}
		left -= size
		return false
	})
	return t, nil
}

// namesVariations reports whether the id of a variation stands in the template.
func (t *Template) namesVariations() bool {
	for range t.variationIDs(false) {
		return true
	}
	return false
}

// variationIDs goes through the ids of variations in the template, each with the
// key of its flag, or only through those in instructions that name other flags too.
func (t *Template) variationIDs(others bool) iter.Seq[variationValue] {
	return func(yield func(variationValue) bool) {
		for i := range t.stages {
			for _, in := range t.stages[i].Action.Instructions {
				if others && !slices.Contains(in.Writes(), flags.FieldPrerequisites) {
					continue
				}
				prerequisite := ""
				for _, slot := range in.Slots() {
					flagKey := t.origin.FlagKey
					switch slot.Kind {
					case flags.SlotPrerequisiteKey:
						prerequisite = slot.Names()[0]
						continue
					case flags.SlotPrerequisiteVariationID:
						flagKey = prerequisite
					case flags.SlotVariationID, flags.SlotRolloutWeights:
					default:
						continue
					}
					for _, id := range slot.Names() {
						if !yield(variationValue{flagKey: flagKey, id: id}) {
							return
						}
					}
				}
			}
		}
	}
}
