package flagstage

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/flagstage/flagstage/flags"
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

// FlagStep is a change of a flag by somebody.
type FlagStep struct {
	By       string
	From, To flags.Flag
}

// Foreign is a field that somebody else has changed.
type Foreign struct {
	Pointer         string
	Was             flags.Value
	Forgotten, Wide bool
	By              string
}

func exportForeign(list []foreignChange) (result []Foreign) {
	for _, c := range list {
		result = append(result, Foreign{c.pointer, c.was, c.forgotten, c.wide, c.by})
	}
	return result
}

// ForeignChanges returns the fields that others than one have changed in steps
// whose entries in the log have so much room.
func ForeignChanges(steps []FlagStep, besides string, room int) []Foreign {
	return exportForeign(foreignOf(steps, besides, room))
}

func foreignOf(steps []FlagStep, besides string, room int) []foreignChange {
	var changes []flagChange
	for _, s := range steps {
		changes = append(changes, changeOf(s.From, s.To, s.By, firstInstant).within(room))
	}
	return foreignChanges(changes, besides)
}

// FlagConflict returns the first conflict of a stage with the steps of others
// than one.
func FlagConflict(steps []FlagStep, besides string, room int, before, after flags.Flag, n int, applied func(n int) (flags.Flag, error)) *FlagConflictError {
	return flagConflict(foreignOf(steps, besides, room), before, after, n, applied)
}

// EncodeStep returns the entry of the log for a step.
func EncodeStep(s FlagStep, at time.Time) []byte {
	return encodeChange(operation{1}, changeOf(s.From, s.To, s.By, at))
}

// DecodeStep returns who made the step of an entry of the log, when, and which
// fields it changed, or why it cannot be read.
func DecodeStep(value []byte) (by string, at time.Time, fields []Foreign, why string) {
	c, why := decodeChange(value)
	for _, f := range c.fields {
		fields = append(fields, Foreign{Pointer: f.pointer, Was: f.was, Forgotten: f.forgotten, Wide: f.wide})
	}
	return c.by, c.at, fields, why
}

// Relinks reports whether other flags can tell a change of a flag.
func Relinks(from, to flags.Flag) bool {
	c := changeOf(from, to, "", firstInstant)
	return c.relinks()
}
