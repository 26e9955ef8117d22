package flagstage

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// dueOrder keeps keys in the order of (wake, key), in memory. The zero
// dueOrder is empty. It is a sorted list that is cut into groups of parts of
// entries, so that an insertion moves little, and a search looks at little
// memory: it goes by the wakes that stand beside each other.
type dueOrder struct {
	groups []dueGroup
}

// dueGroup is parts in order. It is not empty.
type dueGroup struct {
	last  int64 // wake of its last entry
	parts []duePart
}

// duePart is entries in order. It is not empty.
type duePart struct {
	last    int64 // wake of its last entry
	entries []dueEntry
}

type dueEntry struct {
	wake int64 // Unix milliseconds
	key  string
}

// How many entries a part holds, and how many parts a group, before it is
// split in two.
const (
	maxPart  = 64
	maxGroup = 512
)

func compareDue(a, b dueEntry) int {
	if a.wake != b.wake {
		return cmp.Compare(a.wake, b.wake)
	}
	return strings.Compare(a.key, b.key)
}

func newPart(entries []dueEntry) duePart { return duePart{entries[len(entries)-1].wake, entries} }

func newGroup(parts []duePart) dueGroup { return dueGroup{parts[len(parts)-1].last, parts} }

func (p *duePart) lastKey() string { return p.entries[len(p.entries)-1].key }

func (g *dueGroup) lastKey() string { return g.parts[len(g.parts)-1].lastKey() }

// fill puts entries into an empty order, which keeps the slice.
func (o *dueOrder) fill(entries []dueEntry) {
	slices.SortFunc(entries, compareDue)
	var parts []duePart
	for chunk := range slices.Chunk(entries, maxPart/2) {
		parts = append(parts, newPart(chunk))
	}
	for chunk := range slices.Chunk(parts, maxGroup/2) {
		o.groups = append(o.groups, newGroup(chunk))
	}
}

// duePlace is where an entry is or belongs.
type duePlace struct{ group, part, entry int }

// find returns the place of an entry, and whether it is there. The order is not
// empty.
func (o *dueOrder) find(e dueEntry) (at duePlace, there bool) {
	at.group = sort.Search(len(o.groups)-1, func(i int) bool {
		g := &o.groups[i]
		return g.last > e.wake || g.last == e.wake && g.lastKey() >= e.key
	})
	parts := o.groups[at.group].parts
	at.part = sort.Search(len(parts)-1, func(i int) bool {
		p := &parts[i]
		return p.last > e.wake || p.last == e.wake && p.lastKey() >= e.key
	})
	at.entry, there = slices.BinarySearchFunc(parts[at.part].entries, e, compareDue)
	return at, there
}

func (o *dueOrder) insert(e dueEntry) {
	if len(o.groups) == 0 {
		o.fill([]dueEntry{e})
		return
	}
	at, there := o.find(e)
	if there {
		return
	}
	g := &o.groups[at.group]
	p := &g.parts[at.part]
	*p = newPart(slices.Insert(p.entries, at.entry, e))
	if len(p.entries) > maxPart {
		before, behind := halves(p.entries)
		*p = newPart(before)
		g.parts = slices.Insert(g.parts, at.part+1, newPart(behind))
	}
	*g = newGroup(g.parts)
	if len(g.parts) > maxGroup {
		before, behind := halves(g.parts)
		*g = newGroup(before)
		o.groups = slices.Insert(o.groups, at.group+1, newGroup(behind))
	}
}

// halves cuts a list in two that share no memory.
func halves[T any](list []T) (before, behind []T) {
	half := len(list) / 2
	behind = slices.Clone(list[half:])
	clear(list[half:])
	return list[:half], behind
}

func (o *dueOrder) remove(e dueEntry) {
	if len(o.groups) == 0 {
		return
	}
	at, there := o.find(e)
	if !there {
		return
	}
	g := &o.groups[at.group]
	p := &g.parts[at.part]
	switch {
	case len(p.entries) > 1:
		*p = newPart(slices.Delete(p.entries, at.entry, at.entry+1))
		*g = newGroup(g.parts)
	case len(g.parts) > 1:
		*g = newGroup(slices.Delete(g.parts, at.part, at.part+1))
	default:
		o.groups = slices.Delete(o.groups, at.group, at.group+1)
	}
}

// page returns up to most entries behind after, none of which wakes after
// until.
func (o *dueOrder) page(after dueEntry, until int64, most int) (page []dueEntry) {
	if len(o.groups) == 0 {
		return nil
	}
	at, there := o.find(after)
	if there {
		at.entry++
	}
	for _, g := range o.groups[at.group:] {
		for _, p := range g.parts[at.part:] {
			for _, e := range p.entries[at.entry:] {
				if e.wake > until || len(page) == most {
					return page
				}
				page = append(page, e)
			}
			at.entry = 0
		}
		at.part = 0
	}
	return page
}
