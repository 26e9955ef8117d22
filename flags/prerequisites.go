package flags

import (
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
}

// AddPrerequisite makes another flag a prerequisite in one environment. A flag
// or variation that does not exist is an error.
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
}

// UpdatePrerequisite changes which variation a prerequisite must serve in one
// environment. A flag that is no prerequisite yet is an error, as is a
// variation that does not exist.
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
}

// ReplacePrerequisites replaces all prerequisites in one environment, by none
// if none is given. A flag or variation that does not exist is an error. At
// most 10,000 are allowed.
func ReplacePrerequisites(list ...Prerequisite) Instruction {
	return build(&replacePrerequisites, prerequisites(slices.Clone(list)))
}
