package flagstage

import (
	"cmp"
	"slices"
	"strings"
)

// dueOrder keeps keys in the order of (wake, key), in memory. The zero
// dueOrder is empty. It is a list of short sorted lists, so that an insertion
// moves little.
type dueOrder struct {
	parts [][]dueEntry // none of them empty
}

type dueEntry struct {
	wake int64 // Unix milliseconds
	key  string
}

// maxPart is how many entries a part holds before it is split.
const maxPart = 512

func compareDue(a, b dueEntry) int {
	if a.wake != b.wake {
		return cmp.Compare(a.wake, b.wake)
	}
	return strings.Compare(a.key, b.key)
}

// fill puts entries into an empty order, which keeps the slice.
func (o *dueOrder) fill(entries []dueEntry) {
	slices.SortFunc(entries, compareDue)
	for part := range slices.Chunk(entries, maxPart/2) {
		o.parts = append(o.parts, part)
	}
}

// part returns the index of the part in which an entry is or belongs.
func (o *dueOrder) part(e dueEntry) int {
	i, _ := slices.BinarySearchFunc(o.parts, e, func(p []dueEntry, e dueEntry) int { return compareDue(p[len(p)-1], e) })
	return min(i, len(o.parts)-1)
}

func (o *dueOrder) insert(e dueEntry) {
	if len(o.parts) == 0 {
		o.parts = append(o.parts, []dueEntry{e})
		return
	}
	i := o.part(e)
	at, there := slices.BinarySearchFunc(o.parts[i], e, compareDue)
	if there {
		return
	}
	p := slices.Insert(o.parts[i], at, e)
	o.parts[i] = p
	if len(p) > maxPart {
		o.parts[i] = p[: maxPart/2 : maxPart/2]
		o.parts = slices.Insert(o.parts, i+1, slices.Clone(p[maxPart/2:]))
	}
}

func (o *dueOrder) remove(e dueEntry) {
	if len(o.parts) == 0 {
		return
	}
	i := o.part(e)
	at, there := slices.BinarySearchFunc(o.parts[i], e, compareDue)
	if !there {
		return
	}
	o.parts[i] = slices.Delete(o.parts[i], at, at+1)
	if len(o.parts[i]) == 0 {
		o.parts = slices.Delete(o.parts, i, i+1)
	}
}

// page returns up to most entries behind after, none of which wakes after
// until.
func (o *dueOrder) page(after dueEntry, until int64, most int) (page []dueEntry) {
	if len(o.parts) == 0 {
		return nil
	}
	for i := o.part(after); i < len(o.parts); i++ {
		at, there := slices.BinarySearchFunc(o.parts[i], after, compareDue)
		if there {
			at++
		}
		for _, e := range o.parts[i][at:] {
			if e.wake > until || len(page) == most {
				return page
			}
			page = append(page, e)
		}
	}
	return page
}
