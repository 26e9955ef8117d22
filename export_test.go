package flagstage

import (
	"container/heap"
	"fmt"
)

// byPointer is what container/heap is usually given.
type byPointer []*dueEntry

func (h byPointer) Len() int           { return len(h) }
func (h byPointer) Less(i, k int) bool { return compareDue(*h[i], *h[k]) < 0 }
func (h byPointer) Swap(i, k int)      { h[i], h[k] = h[k], h[i] }
func (h *byPointer) Push(x any)        { *h = append(*h, x.(*dueEntry)) }
func (h *byPointer) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// pendingEntries are a million entries in no order.
func pendingEntries() []dueEntry {
	entries := make([]dueEntry, 1_000_000)
	for i := range entries {
		entries[i] = dueEntry{int64(i*7919%2_592_000)*1000 + int64(i%7), fmt.Sprintf("workflow/%036d", i)}
	}
	return entries
}

// later is an entry that is due again within the month.
func later(e dueEntry) dueEntry { return dueEntry{e.wake + e.wake*7919%2_592_000_000, e.key} }

// DueSteps returns two functions that each take the first of a million entries
// and put it back for later: one uses container/heap, the other the order of a
// store.
func DueSteps() (withHeap, withOrder func()) {
	var h byPointer
	for _, e := range pendingEntries() {
		h = append(h, &e)
	}
	heap.Init(&h)
	var o dueOrder
	o.fill(pendingEntries())
	return func() {
			e := heap.Pop(&h).(*dueEntry)
			*e = later(*e)
			heap.Push(&h, e)
		}, func() {
			e := o.groups[0].parts[0].entries[0]
			o.remove(e)
			o.insert(later(e))
		}
}

// AppendPlan and DecodePlan write and read the records of plans.
var (
	AppendPlan = appendPlan
	DecodePlan = decodePlan
)
