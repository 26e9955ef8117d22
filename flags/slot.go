package flags

import (
	"strconv"
	"strings"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// SlotKind says what a slot holds. Further kinds may be added.
type SlotKind string

// The kinds of slots.
const (
	SlotVariationID             SlotKind = "variationId"             // the id of a variation
	SlotRuleID                  SlotKind = "ruleId"                  // the id of a rule
	SlotRuleIDs                 SlotKind = "ruleIds"                 // a list of ids of rules
	SlotClauseID                SlotKind = "clauseId"                // the id of a clause
	SlotClauseIDs               SlotKind = "clauseIds"               // a list of ids of clauses
	SlotRolloutWeights          SlotKind = "rolloutWeights"          // an object of variation ids and their weights
	SlotSegmentKeys             SlotKind = "segmentKeys"             // a list of keys of segments
	SlotTargetValues            SlotKind = "targetValues"            // a list of keys of contexts
	SlotPrerequisiteKey         SlotKind = "prerequisiteKey"         // the key of another flag
	SlotPrerequisiteVariationID SlotKind = "prerequisiteVariationId" // the id of a variation of another flag
)

// Slot is a part of an instruction that makes sense for one flag in one
// environment only. In a template it is a parameter.
type Slot struct {
	// Pointer is the RFC 6901 JSON Pointer of the part, relative to the
	// instruction in its canonical form.
	Pointer string
	Kind    SlotKind
	Value   Value // what stands there now
	// Clause is the clause in which keys of segments stand, without them and
	// without its reference; the zero Clause for other slots.
	Clause Clause
}

// SlotValue is another value for a slot.
type SlotValue struct {
	Pointer string // of the slot, as in [Slot]
	Value   Value
}

// Names returns the identifiers or keys that the slot's value holds, in the
// order in which they are written. References, of which the flag knows nothing,
// are left out. The slice is the caller's.
func (s Slot) Names() (names []string) {
	add := func(name string) {
		if !s.refers(name) {
			names = append(names, name)
		}
	}
	text := s.Value.text
	if last := len(text) - 1; last > 0 && text[0] == '"' && text[last] == '"' && strings.IndexByte(text, '\\') < 0 {
		add(text[1:last]) // as most slots do, it holds one name
		return names
	}
	d := strictjson.NewDecoder([]byte(text), nil)
	switch d.Kind() {
	case strictjson.String:
		name, _ := d.ReadString()
		add(name)
	case strictjson.Array:
		for d.BeginArray(); d.NextElement(); {
			name, _ := d.ReadString()
			add(name)
		}
	case strictjson.Object:
		d.BeginObject()
		for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
			d.Skip()
			add(name)
		}
	case strictjson.Invalid, strictjson.Null, strictjson.Bool, strictjson.Number:
	}
	return names
}

// refers reports whether a name in the slot is a reference. Those of what is
// outside of the flag are none, whatever they begin with.
func (s *Slot) refers(name string) bool { return s.Kind.isOwn() && IsRef(name) }

// isOwn reports whether slots of the kind name variations, rules or clauses of
// the flag itself.
func (k SlotKind) isOwn() bool {
	switch k {
	case SlotVariationID, SlotRuleID, SlotRuleIDs, SlotClauseID, SlotClauseIDs, SlotRolloutWeights:
		return true
	}
	return false
}

// Renamed returns the slot's value with other names in place of those that
// [Slot.Names] gives, which must stay as many: weights of two names that become
// one are no weights.
func (s Slot) Renamed(name func(string) string) Value {
	rename := func(old string) string {
		if s.refers(old) {
			return old
		}
		return name(old)
	}
	d := strictjson.NewDecoder([]byte(s.Value.text), nil)
	switch d.Kind() {
	case strictjson.String:
		old, _ := d.ReadString()
		return StringValue(rename(old))
	case strictjson.Array:
		list := []string{}
		for d.BeginArray(); d.NextElement(); {
			old, _ := d.ReadString()
			list = append(list, rename(old))
		}
		return Value{text: string(strictjson.AppendStrings(nil, list)), depth: 1}
	case strictjson.Object:
		var weights []Weight
		d.BeginObject()
		for old, ok := d.NextMember(); ok; old, ok = d.NextMember() {
			weight, _ := d.ReadInt()
			weights = append(weights, Weight{VariationID: rename(old), Weight: int(weight)})
		}
		sortWeights(weights)
		return Value{text: string(appendWeights(nil, weights)), depth: 1}
	case strictjson.Invalid, strictjson.Null, strictjson.Bool, strictjson.Number:
	}
	return s.Value
}

// WithSlots returns the instruction with other values in some of its slots, and
// all else as it was, byte for byte. It judges the values as strictly as reading
// does; besides, each keeps the type that stands in its slot. With a problem the
// instruction is zero.
//
// Pointers of problems are relative to the list of values: /1/pointer is that of
// the second, and names no slot (not_found), one that is named already
// (duplicate), or is no JSON Pointer of at most 64 tokens (malformed,
// too_large); /1/value/0 stands in its value. "" is the instruction, which must
// be valid before as well as afterwards.
func (in Instruction) WithSlots(values ...SlotValue) (Instruction, Problems) {
	if len(values) == 0 {
		return in, nil
	}
	if problems := in.Validate(); problems != nil {
		var whole Problems
		whole.Errorf("", CodeMalformed, "the instruction is not valid: %s", problems[0])
		return Instruction{}, whole
	}
	slots := in.Slots()
	places := make(map[string]int, len(slots))
	for i := range slots {
		places[slots[i].Pointer] = i
	}
	given := make([]*Value, len(slots))
	from := make(map[string]int, len(values)) // indexes of values, by the pointers of slots
	found := make([]Problems, len(values))
	for i := range values {
		v := &values[i]
		place, there := places[v.Pointer]
		switch code, message := pointerDefect(v.Pointer); {
		case code != "":
			found[i].Errorf("/pointer", code, "%s", message)
		case !there:
			found[i].Errorf("/pointer", CodeNotFound, "%s is no place of a value that depends on the flag; there %s", strictjson.Quote(v.Pointer),
				thereAre(len(slots), func(i int) string { return slots[i].Pointer }))
		case given[place] != nil:
			found[i].Errorf("/pointer", CodeDuplicate, "%s is given another value already", strictjson.Quote(v.Pointer))
		default:
			given[place], from[v.Pointer] = &v.Value, i
			if is, want := kindOf(v.Value), kindOf(slots[place].Value); is != want {
				found[i].Errorf("/value", CodeWrongType, "must be %s, as what stands there now; it is %s", want, is)
				given[place] = &slots[place].Value
			}
		}
	}
	var read Instruction
	var problems, defects Problems
	if len(from) > 0 {
		read, defects = DecodeInstruction(in.withTexts(slots, given))
	}
	for _, p := range defects {
		if i, rest, there := inside(from, p.Pointer); there {
			p.Pointer = "/value" + rest
			found[i].Add(p)
		} else {
			p.Pointer = ""
			problems.Add(p)
		}
	}
	for i := range found {
		problems.AddAll("/"+strconv.Itoa(i), found[i])
	}
	if problems != nil {
		return Instruction{}, problems
	}
	return read, nil
}

// withTexts returns the instruction as it is written with other values in
// slots; nil leaves a slot as it is.
func (in Instruction) withTexts(slots []Slot, values []*Value) []byte {
	document := in.AppendJSON(nil)
	pointers := make([]string, len(slots))
	for i := range slots {
		pointers[i] = slots[i].Pointer
	}
	var result []byte
	done := 0
	for i, offset := range strictjson.Offsets(document, pointers) { // slots stand in document order
		if values[i] == nil {
			continue
		}
		result = values[i].AppendJSON(append(result, document[done:offset]...))
		done = offset + len(slots[i].Value.text)
	}
	return append(result, document[done:]...)
}

func kindOf(v Value) strictjson.Kind { return strictjson.NewDecoder([]byte(v.text), nil).Kind() }

// inside returns the index that is given for a pointer, or for the one that
// leads to where it begins, and what is left of it.
func inside(from map[string]int, pointer string) (index int, rest string, there bool) {
	for i := len(pointer); i > 0 && !there; i = strings.LastIndexByte(pointer[:i], '/') {
		index, there = from[pointer[:i]]
		rest = pointer[i:]
	}
	return index, rest, there
}

// maxTokens is how many tokens a JSON Pointer may have.
const maxTokens = 64

// pointerDefect returns what makes a text no JSON Pointer (RFC 6901).
func pointerDefect(pointer string) (Code, string) {
	if code, message := textDefect(pointer); code != "" {
		return code, message
	}
	switch tokens := strings.Count(pointer, "/"); {
	case pointer != "" && pointer[0] != '/':
		return CodeMalformed, "is no JSON Pointer: it must begin with a slash"
	case tokens > maxTokens:
		return CodeTooLarge, "has " + strconv.Itoa(tokens) + " tokens; at most " + strconv.Itoa(maxTokens) + " are allowed"
	}
	for i := range len(pointer) {
		if pointer[i] == '~' && (i+1 == len(pointer) || pointer[i+1] != '0' && pointer[i+1] != '1') {
			return CodeMalformed, `is no JSON Pointer: a tilde must be written "~0", a slash inside of a token "~1"`
		}
	}
	return "", ""
}

// Slots returns the instruction's slots in document order, nil if it has none.
// What refers to something that an earlier instruction adds ("ref:" and a name)
// is no slot; nor is a list, or an object of weights, of nothing but
// references. A list that is empty is one.
func (in Instruction) Slots() []Slot {
	c := slotCollector{collect: true}
	c.instruction(in)
	return c.slots
}

// SlotCount returns the number of slots.
func (in Instruction) SlotCount() int {
	var c slotCollector
	c.instruction(in)
	return c.count
}

// Ref is a place at which an instruction gives a name to what it adds, or names
// what an earlier one adds.
type Ref struct {
	// Pointer is the RFC 6901 JSON Pointer of the place, relative to the
	// instruction in its canonical form.
	Pointer string
	Name    string // without "ref:"
	Given   bool   // the instruction gives the name
}

// Refs returns the references in the instruction in document order, nil if there
// are none. Those that it uses are to earlier instructions, never to what it adds
// itself.
func (in Instruction) Refs() []Ref {
	c := slotCollector{refer: true}
	c.instruction(in)
	return c.refs
}

// slotCollector counts the slots of an instruction, and notes them, or its
// references, if asked.
type slotCollector struct {
	collect, refer bool
	count          int
	slots          []Slot
	refs           []Ref
	at             place
}

func (c *slotCollector) instruction(in Instruction) {
	for i, a := range in.args {
		if in.isHost() {
			return
		}
		p := &in.row.params[i]
		if serve, ok := a.(Serve); ok {
			c.serve(serve)
			continue
		}
		c.at.push(p.name)
		switch a := a.(type) {
		case text:
			if p.form == refText {
				c.given(string(a))
			}
			c.text(string(a), p.slot)
		case texts:
			c.texts(a, p.slot)
		case oneClause:
			c.clause((*Clause)(&a))
		case clauses:
			c.clauses(a)
		case rules:
			for i := range a {
				c.at.pushIndex(i)
				c.rule(&a[i])
				c.at.pop()
			}
		case targets:
			for i := range a {
				c.at.pushIndex(i)
				c.member(memberVariationID, a[i].VariationID, SlotVariationID)
				c.at.push("values")
				c.texts(a[i].Values, SlotTargetValues)
				c.at.pop()
				c.at.pop()
			}
		case prerequisites:
			for i := range a {
				c.at.pushIndex(i)
				c.member("key", a[i].Key, SlotPrerequisiteKey)
				c.member(memberVariationID, a[i].VariationID, SlotPrerequisiteVariationID)
				c.at.pop()
			}
		case nil, truth, free, frees, host, Serve:
		}
		c.at.pop()
	}
}

// add notes a slot at the current place. It returns nil when it only counts.
func (c *slotCollector) add(kind SlotKind) *Slot {
	c.count++
	if !c.collect {
		return nil
	}
	c.slots = append(c.slots, Slot{Pointer: c.at.pointer(), Kind: kind})
	return &c.slots[len(c.slots)-1]
}

// used notes a reference at the current place.
func (c *slotCollector) used(ref string) {
	if c.refer {
		c.refs = append(c.refs, Ref{Pointer: c.at.pointer(), Name: ref[len(refPrefix):]})
	}
}

// given notes a name that is given at the current place; "" is none.
func (c *slotCollector) given(name string) {
	if c.refer && name != "" {
		c.refs = append(c.refs, Ref{Pointer: c.at.pointer(), Name: name, Given: true})
	}
}

// givenBelow is given at the member ref of the current place.
func (c *slotCollector) givenBelow(name string) {
	c.at.push("ref")
	c.given(name)
	c.at.pop()
}

func (c *slotCollector) member(name, s string, kind SlotKind) {
	c.at.push(name)
	c.text(s, kind)
	c.at.pop()
}

func (c *slotCollector) text(s string, kind SlotKind) {
	if kind == "" {
		return
	}
	if IsRef(s) {
		c.used(s)
		return
	}
	if slot := c.add(kind); slot != nil {
		slot.Value = StringValue(s)
	}
}

func (c *slotCollector) texts(list []string, kind SlotKind) {
	if kind == "" {
		return
	}
	if kind == SlotRuleIDs || kind == SlotClauseIDs {
		if c.listRefs(list) {
			return
		}
	}
	if slot := c.add(kind); slot != nil {
		slot.Value = Value{text: string(strictjson.AppendStrings(nil, list)), depth: 1}
	}
}

// listRefs notes the references in a list at the current place, and reports
// whether there is nothing else in it.
func (c *slotCollector) listRefs(ids []string) bool {
	refs := 0
	for i, id := range ids {
		if IsRef(id) {
			refs++
			c.at.pushIndex(i)
			c.used(id)
			c.at.pop()
		}
	}
	return refs == len(ids) && refs > 0
}

// names reports whether the slot names one of some identifiers of the flag's
// own variations, rules and clauses.
func (s *Slot) names(ids map[string]bool) bool {
	if s.Kind.isOwn() {
		for _, id := range s.Names() {
			if ids[id] {
				return true
			}
		}
	}
	return false
}
