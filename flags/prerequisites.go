package flags

import (
	"errors"
	"slices"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Prerequisite is another flag that must serve a certain variation before this
// one evaluates its own targets and rules.
type Prerequisite struct {
	// Key is the other flag's key: a letter or digit and then up to 255
	// letters, digits, dots, underscores and hyphens.
	Key         string
	VariationID string // of a variation of the other flag; not a reference
}

func (p *Prerequisite) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = strictjson.AppendString(appendName(dst, "key"), p.Key)
	dst = strictjson.AppendString(appendName(dst, memberVariationID), p.VariationID)
	return closeObject(dst, start)
}

type prerequisites []Prerequisite

func (a prerequisites) appendJSON(dst []byte) []byte {
	return appendList(dst, a, (*Prerequisite).appendJSON)
}

func (a prerequisites) equal(other arg) bool {
	o, ok := other.(prerequisites)
	return ok && slices.Equal(a, o)
}

func (a prerequisites) say(dst []byte, _ *param) []byte {
	return sayList(dst, len(a), " and ", func(dst []byte, i int) []byte {
		dst = append(sayText(append(dst, "flag "...), a[i].Key), " serving variation "...)
		return sayID(dst, a[i].VariationID)
	})
}

var prerequisiteMembers = []string{"key", memberVariationID}

func (r *reader) prerequisite() Prerequisite {
	var p Prerequisite
	d := r.d
	if !d.BeginObject() {
		return p
	}
	keyGiven, variationGiven := false, false
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch name {
		case "key":
			keyGiven = true
			p.Key = r.text(keyText)
		case memberVariationID:
			variationGiven = true
			p.VariationID = r.text(otherIDText)
		default:
			d.UnknownMember(name, prerequisiteMembers...)
		}
	}
	if !keyGiven {
		r.missing("key", messageMissing)
	}
	if !variationGiven {
		r.missing(memberVariationID, messageMissing)
	}
	return p
}

func (c *checker) prerequisite(p *Prerequisite) {
	c.size += 32
	c.member("key", p.Key, keyText)
	c.member(memberVariationID, p.VariationID, otherIDText)
}

var (
	paramPrerequisiteKey         = param{name: "key", shape: textShape, form: keyText, slot: SlotPrerequisiteKey}
	paramPrerequisiteVariationID = param{name: memberVariationID, shape: textShape, form: otherIDText, slot: SlotPrerequisiteVariationID}
)

var addPrerequisite = kind{
	name:   "addPrerequisite",
	scope:  ScopeEnvironment,
	params: []param{paramPrerequisiteKey, paramPrerequisiteVariationID},
	reads:  []Field{FieldPrerequisites, FieldOtherFlags},
	writes: []Field{FieldPrerequisites},
	says:   "require that flag {key} serves variation {variationId}",
	apply:  (*work).addPrerequisite,
}

// AddPrerequisite makes another flag a prerequisite in one environment. It does
// nothing if it is one with this variation, even of a flag that was archived
// since. It is an error if it is one with another variation. So is a flag or
// variation that does not exist, a flag that is archived, and one that needs
// this flag in the same environment, itself or by others.
func AddPrerequisite(key, variationID string) Instruction {
	return build(&addPrerequisite, text(key), text(variationID))
}

var removePrerequisite = kind{
	name:   "removePrerequisite",
	scope:  ScopeEnvironment,
	params: []param{paramPrerequisiteKey},
	reads:  []Field{FieldPrerequisites},
	writes: []Field{FieldPrerequisites},
	says:   "no longer require anything of flag {key}",
	apply:  (*work).removePrerequisite,
}

// RemovePrerequisite removes a prerequisite in one environment. It does nothing
// if the flag is none.
func RemovePrerequisite(key string) Instruction { return build(&removePrerequisite, text(key)) }

var updatePrerequisite = kind{
	name:   "updatePrerequisite",
	scope:  ScopeEnvironment,
	params: []param{paramPrerequisiteKey, paramPrerequisiteVariationID},
	reads:  []Field{FieldPrerequisites, FieldOtherFlags},
	writes: []Field{FieldPrerequisites},
	says:   "from now on require that flag {key} serves variation {variationId}",
	apply:  (*work).updatePrerequisite,
}

// UpdatePrerequisite changes which variation a prerequisite must serve in one
// environment. A flag that is no prerequisite yet is an error, as is what is one
// for [AddPrerequisite].
func UpdatePrerequisite(key, variationID string) Instruction {
	return build(&updatePrerequisite, text(key), text(variationID))
}

var replacePrerequisites = kind{
	name:   "replacePrerequisites",
	scope:  ScopeEnvironment,
	params: []param{{name: "prerequisites", shape: prerequisitesShape}},
	reads:  []Field{FieldOtherFlags},
	writes: []Field{FieldPrerequisites},
	says:   "replace all prerequisites by: {prerequisites}",
	apply:  (*work).replacePrerequisites,
}

// ReplacePrerequisites replaces all prerequisites in one environment, by none
// if none is given. A flag that stands twice is an error, as is what is one for
// [AddPrerequisite]. At most 10,000 are allowed.
func ReplacePrerequisites(list ...Prerequisite) Instruction {
	return build(&replacePrerequisites, prerequisites(slices.Clone(list)))
}

// prerequisite returns the index of a prerequisite, or -1.
func (e *environmentBody) prerequisite(key string) int {
	return slices.IndexFunc(e.prerequisites, func(p prerequisiteBody) bool { return p.Key == key })
}

// required returns what the document says of a prerequisite that stands at the
// current place. The other flag and the variation must exist. What is not there
// already must be allowed: the other flag is not archived, and does not need
// this one.
func (w *work) required(key, variationID string) (FlagPrerequisite, error) {
	if key == w.flag.key {
		return FlagPrerequisite{}, w.failAt("key", CodeUnsupported, "a flag cannot be a prerequisite of its own")
	}
	f, err := w.other(key)
	if err != nil {
		return FlagPrerequisite{}, err
	}
	variation, ok := f.VariationIndex(variationID)
	if !ok {
		return FlagPrerequisite{}, w.failAt(memberVariationID, CodeNotFound, "flag %s has no variation %s; there %s",
			strictjson.Quote(key), strictjson.Quote(variationID), f.body.variationsThereAre())
	}
	p := FlagPrerequisite{Key: key, Variation: variation}
	if i := w.env().prerequisite(key); i >= 0 && w.env().prerequisites[i].FlagPrerequisite == p {
		return p, nil
	}
	if f.Archived() {
		return FlagPrerequisite{}, w.failAt("key", CodeUnsupported, "flag %s is archived; bring it back first", strictjson.Quote(key))
	}
	return p, w.noCycle(f)
}

// noCycle fails if a flag, which stands at the current place, needs this one in
// the same environment, itself or by others.
func (w *work) noCycle(f Flag) error {
	seen := map[string]bool{f.Key(): true}
	for next := []Flag{f}; len(next) > 0; {
		f, next = next[len(next)-1], next[:len(next)-1]
		e, _ := f.Environment(w.env().key)
		for p := range e.Prerequisites() {
			if p.Key == w.flag.key {
				return w.failAt("key", CodeUnsupported, "the flag would in the end be a prerequisite of its own: flag %s requires it", strictjson.Quote(f.Key()))
			}
			if seen[p.Key] {
				continue
			}
			seen[p.Key] = true
			other, err := w.how.Others.Flag(p.Key)
			switch {
			case errors.Is(err, ErrNotFound): // it needs nothing
			case err != nil:
				return w.failed(err)
			default:
				next = append(next, other)
			}
		}
	}
	return nil
}

func (w *work) addPrerequisite(args []arg) error {
	key, variationID := textOf(args[0]), textOf(args[1])
	p, err := w.required(key, variationID)
	if err != nil {
		return err
	}
	list := w.env().prerequisites
	if i := w.env().prerequisite(key); i >= 0 {
		if list[i].Variation == p.Variation {
			return nil
		}
		return w.failAt("key", CodeDuplicate, "flag %s is a prerequisite already, with another variation; use updatePrerequisite", strictjson.Quote(key))
	}
	if code, message := listDefect(len(list) + 1); code != "" {
		return w.fail(code, "the list of prerequisites then %s", message)
	}
	w.ownEnv().prerequisites = append(slices.Clip(list), prerequisiteBody{FlagPrerequisite: p})
	return nil
}

func (w *work) removePrerequisite(args []arg) error {
	if i := w.env().prerequisite(textOf(args[0])); i >= 0 {
		e := w.ownEnv()
		e.prerequisites = slices.Delete(slices.Clone(e.prerequisites), i, i+1)
	}
	return nil
}

func (w *work) updatePrerequisite(args []arg) error {
	key, variationID := textOf(args[0]), textOf(args[1])
	list := w.env().prerequisites
	i := w.env().prerequisite(key)
	if i < 0 {
		return w.failAt("key", CodeNotFound, "flag %s is no prerequisite yet; there %s", strictjson.Quote(key),
			thereAre(len(list), func(i int) string { return list[i].Key }))
	}
	p, err := w.required(key, variationID)
	if err != nil || list[i].Variation == p.Variation {
		return err
	}
	e := w.ownEnv()
	e.prerequisites = slices.Clone(e.prerequisites)
	e.prerequisites[i].Variation = p.Variation
	return nil
}

func (w *work) replacePrerequisites(args []arg) error {
	given := args[0].(prerequisites)
	list := make([]prerequisiteBody, 0, len(given))
	seen := make(map[string]struct{}, len(given))
	w.at.push("prerequisites")
	for i := range given {
		w.at.pushIndex(i)
		p, err := w.required(given[i].Key, given[i].VariationID)
		if err != nil {
			return err
		}
		if _, twice := seen[p.Key]; twice {
			return w.failAt("key", CodeDuplicate, "flag %s stands twice in the list", strictjson.Quote(p.Key))
		}
		seen[p.Key] = struct{}{}
		body := prerequisiteBody{FlagPrerequisite: p}
		if j := w.env().prerequisite(p.Key); j >= 0 {
			body.more = w.env().prerequisites[j].more
		}
		list = append(list, body)
		w.at.pop()
	}
	w.at.pop()
	w.ownEnv().prerequisites = list
	return nil
}
