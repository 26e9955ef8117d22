package storetest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flagstage/flagstage"
)

// history keeps the last calls of a store as text, and counts those that came
// to something.
type history struct {
	mu      sync.Mutex
	entries []*entry
	dropped int
	moves   int64
}

// entry is a line of a history: a call and what has come of it so far.
type entry struct {
	history *history
	call    string
	result  string
	ended   bool
	records int // that an iteration has yielded
}

const (
	historyLines = 60 // at least so many are kept, at most twice as many
	shownRecords = 6  // of an iteration or transaction
	shownBytes   = 40 // of a key or value
)

// begin adds a call that has not returned.
func (h *history) begin(call string) *entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.entries) == 2*historyLines {
		h.entries = slices.Delete(h.entries, 0, historyLines)
		h.dropped += historyLines
	}
	e := &entry{history: h, call: call}
	h.entries = append(h.entries, e)
	return e
}

// clear forgets all calls.
func (h *history) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entries, h.dropped = nil, 0
}

// note adds a line that is no call.
func (h *history) note(text string) {
	e := h.begin(text)
	e.set(func() { e.ended = true })
}

// end says what came of a call.
func (e *entry) end(err error, result string) {
	if err != nil {
		result = "error: " + err.Error()
	}
	e.set(func() { e.result, e.ended = e.result+" = "+result, true })
}

// yields adds a record to what came of an iteration.
func (e *entry) yields(r flagstage.Record) {
	e.set(func() {
		e.records++
		switch {
		case e.records <= shownRecords:
			e.result += ", " + showRecord(r)
		case e.records == shownRecords+1:
			e.result += ", …"
		}
	})
}

func (e *entry) set(change func()) {
	e.history.mu.Lock()
	defer e.history.mu.Unlock()
	change()
	e.history.moves++
}

// progress returns a number that stays the same only as long as no call
// returns and no record is yielded.
func (h *history) progress() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.moves
}

// String returns the history, one call a line, in the order in which they
// began.
func (h *history) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var b strings.Builder
	b.WriteString("history of calls:\n")
	if h.dropped > 0 {
		fmt.Fprintf(&b, "  … %d before\n", h.dropped)
	}
	for _, e := range h.entries {
		result := e.result
		if !e.ended {
			result += " has not returned"
		}
		fmt.Fprintf(&b, "  %s%s\n", e.call, result)
	}
	return b.String()
}

// observed is a store whose calls are kept in a history.
type observed struct {
	flagstage.Store
	history *history
}

func (o observed) Get(ctx context.Context, key string) (flagstage.Record, error) {
	e := o.history.begin("get " + quote(key))
	r, err := o.Store.Get(ctx, key)
	e.end(err, showGot(r))
	return r, err
}

func (o observed) Scan(ctx context.Context, prefix string) iter.Seq2[flagstage.Record, error] {
	return o.each("scan "+quote(prefix), o.Store.Scan(ctx, prefix))
}

func (o observed) Due(ctx context.Context, until time.Time) iter.Seq2[flagstage.Record, error] {
	return o.each("due until "+showTime(until), o.Store.Due(ctx, until))
}

func (o observed) each(call string, records iter.Seq2[flagstage.Record, error]) iter.Seq2[flagstage.Record, error] {
	return func(yield func(flagstage.Record, error) bool) {
		e := o.history.begin(call)
		for r, err := range records {
			if err != nil {
				e.end(err, "")
			} else {
				e.yields(r)
			}
			if !yield(r, err) {
				e.end(nil, "left")
				return
			}
		}
		e.end(nil, fmt.Sprintf("%d in all", e.records))
	}
}

func (o observed) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	e := o.history.begin("commit " + showTxn(txn))
	revision, err := o.Store.Commit(ctx, txn)
	e.end(err, strconv.FormatInt(revision, 10))
	return revision, err
}

func (o observed) Close() error {
	e := o.history.begin("close")
	err := o.Store.Close()
	e.end(err, "closed")
	return err
}

// quote shows a key or value, cut if it is long.
func quote[T string | []byte](text T) string {
	if len(text) > shownBytes {
		return fmt.Sprintf("%q… (%d bytes)", text[:shownBytes], len(text))
	}
	return fmt.Sprintf("%q", text)
}

// showRecord shows a record: "k"@3 "value" wakes 1970-01-01T00:00:00Z.
func showRecord(r flagstage.Record) string {
	return fmt.Sprintf("%s@%d %s", quote(r.Key), r.Revision, showContent(r))
}

// showGot shows what Get returned: a record, or none.
func showGot(r flagstage.Record) string {
	if r.Revision == 0 && len(r.Value) == 0 && r.Wake.IsZero() {
		return "none"
	}
	return showRecord(r)
}

func showContent(r flagstage.Record) string {
	value := quote(r.Value)
	if r.Wake.IsZero() {
		return value
	}
	return value + " wakes " + showTime(r.Wake)
}

func showTime(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }

// showTxn shows a transaction: if "a"@3, put "a" "value", delete "b".
func showTxn(txn flagstage.Txn) string {
	var parts []string
	for _, c := range txn.If {
		parts = append(parts, fmt.Sprintf("if %s@%d", quote(c.Key), c.Revision))
	}
	for _, r := range txn.Put {
		parts = append(parts, "put "+quote(r.Key)+" "+showContent(r))
	}
	for _, key := range txn.Delete {
		parts = append(parts, "delete "+quote(key))
	}
	switch n := len(parts); {
	case n == 0:
		return "nothing"
	case n > shownRecords:
		parts = append(parts[:shownRecords], fmt.Sprintf("and %d more", n-shownRecords))
	}
	return strings.Join(parts, ", ")
}

func showRecords(records []flagstage.Record) string {
	texts := make([]string, len(records))
	for i, r := range records {
		texts[i] = showRecord(r)
	}
	return strings.Join(texts, ", ")
}
