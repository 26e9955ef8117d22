package flags

import "github.com/flagstage/flagstage/internal/strictjson"

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

// slotCollector counts the slots of an instruction, and notes them if asked.
type slotCollector struct {
	collect bool
	count   int
	slots   []Slot
	at      place
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

func (c *slotCollector) member(name, s string, kind SlotKind) {
	c.at.push(name)
	c.text(s, kind)
	c.at.pop()
}

func (c *slotCollector) text(s string, kind SlotKind) {
	if kind == "" || isRef(s) {
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
		if allRefs(list) {
			return
		}
	}
	if slot := c.add(kind); slot != nil {
		slot.Value = Value{text: string(strictjson.AppendStrings(nil, list)), depth: 1}
	}
}

// allRefs reports whether a list is of nothing but references.
func allRefs(ids []string) bool {
	for _, id := range ids {
		if !isRef(id) {
			return false
		}
	}
	return len(ids) > 0
}

// names reports whether the slot names one of some identifiers of the flag's
// own variations, rules and clauses.
func (s *Slot) names(ids map[string]bool) bool {
	d := strictjson.NewDecoder([]byte(s.Value.text), nil)
	named := false
	one := func() {
		id, _ := d.ReadString()
		named = named || ids[id]
	}
	switch s.Kind {
	case SlotVariationID, SlotRuleID, SlotClauseID:
		one()
	case SlotRuleIDs, SlotClauseIDs:
		d.BeginArray()
		for d.NextElement() {
			one()
		}
	case SlotRolloutWeights:
		d.BeginObject()
		for id, ok := d.NextMember(); ok; id, ok = d.NextMember() {
			named = named || ids[id]
			d.Skip()
		}
	}
	return named
}
