package storetest

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flagstage/flagstage"
)

// Model is a [flagstage.Store] in memory that is made to be right rather than
// fast: a map, read and written whole under one lock. It is what other stores
// are compared with, and a store for tests that need no other. Its durability
// is [flagstage.DurabilityVolatile]. Use [NewModel].
type Model struct {
	mu       sync.Mutex
	closed   bool
	revision int64 // of the last commit
	records  map[string]flagstage.Record
}

var _ flagstage.Store = (*Model)(nil)

// NewModel returns an empty model.
func NewModel() *Model { return &Model{records: map[string]flagstage.Record{}} }

// Get returns the record at a key.
func (m *Model) Get(ctx context.Context, key string) (flagstage.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(ctx); err != nil {
		return flagstage.Record{}, err
	}
	return m.get(key), nil
}

// Scan yields the records whose keys begin with prefix, as they all were when
// the iteration began.
func (m *Model) Scan(ctx context.Context, prefix string) iter.Seq2[flagstage.Record, error] {
	return m.each(ctx, func() []flagstage.Record { return m.scan(prefix) })
}

// Due yields the records that have a Wake not after until, as they all were
// when the iteration began.
func (m *Model) Due(ctx context.Context, until time.Time) iter.Seq2[flagstage.Record, error] {
	return m.each(ctx, func() []flagstage.Record { return m.due(until) })
}

// Commit does all of a transaction or nothing. Revisions are 1, 2, 3 and so
// on, without gaps. A Wake is cut to whole milliseconds.
func (m *Model) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(ctx); err != nil {
		return 0, err
	}
	if err := m.judge(txn); err != nil {
		return 0, err
	}
	m.apply(txn, m.revision+1)
	return m.revision, nil
}

// Close ends the use of the model.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// begin checks what every call checks before it does anything. The lock is
// held, here and in all that follows but each.
func (m *Model) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.closed {
		return fmt.Errorf("model: %w", flagstage.ErrClosed)
	}
	return nil
}

// each yields what read returns, without holding the lock meanwhile.
func (m *Model) each(ctx context.Context, read func() []flagstage.Record) iter.Seq2[flagstage.Record, error] {
	return func(yield func(flagstage.Record, error) bool) {
		m.mu.Lock()
		err := m.begin(ctx)
		var records []flagstage.Record
		if err == nil {
			records = read()
		}
		m.mu.Unlock()
		for _, r := range records {
			if err = ctx.Err(); err != nil {
				break
			}
			if !yield(r, nil) {
				return
			}
		}
		if err != nil {
			yield(flagstage.Record{}, err)
		}
	}
}

func (m *Model) get(key string) flagstage.Record {
	r, ok := m.records[key]
	if !ok {
		return flagstage.Record{Key: key}
	}
	r.Value = slices.Clone(r.Value)
	return r
}

func (m *Model) scan(prefix string) (records []flagstage.Record) {
	for _, key := range slices.Sorted(maps.Keys(m.records)) {
		if strings.HasPrefix(key, prefix) {
			records = append(records, m.get(key))
		}
	}
	return records
}

func (m *Model) due(until time.Time) []flagstage.Record {
	records := slices.DeleteFunc(m.scan(""), func(r flagstage.Record) bool {
		return r.Wake.IsZero() || r.Wake.After(until)
	})
	slices.SortStableFunc(records, func(a, b flagstage.Record) int { return a.Wake.Compare(b.Wake) })
	return records
}

// judge returns why a transaction is not to be done: an error that wraps
// [flagstage.ErrTxn] or [flagstage.ErrConflict], or nil.
func (m *Model) judge(txn flagstage.Txn) error {
	if err := txn.Validate(); err != nil {
		return err
	}
	for _, c := range txn.If {
		if r := m.records[c.Key]; r.Revision != c.Revision {
			return fmt.Errorf("%w: the record at %q has revision %d, not %d", flagstage.ErrConflict, c.Key, r.Revision, c.Revision)
		}
	}
	return nil
}

// apply does a transaction that judge finds right, as the commit of the given
// revision.
func (m *Model) apply(txn flagstage.Txn, revision int64) {
	for _, r := range txn.Put {
		r.Value = slices.Clone(r.Value)
		if !r.Wake.IsZero() {
			r.Wake = flagstage.Instant(r.Wake)
		}
		r.Revision = revision
		m.records[r.Key] = r
	}
	for _, key := range txn.Delete {
		delete(m.records, key)
	}
	m.revision = revision
}
