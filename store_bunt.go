package flagstage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/flagstage/flagstage/internal/journal"
)

// buntStore is a Store on a journal.
type buntStore struct {
	mu      sync.RWMutex
	journal *journal.Journal
	due     dueOrder
	closed  bool
}

// NewMemoryStore returns a store in memory, which is gone when it is closed.
func NewMemoryStore() (Store, error) {
	j, err := journal.Memory()
	if err != nil {
		return nil, fmt.Errorf("open store in memory: %w", err)
	}
	s, err := newBuntStore(j)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// stored is how a record is kept: its revision, its wake (noWake is none), each
// in eight bytes, and the value.
const storedHead = 16

func encodeStored(r Record, revision int64) string {
	var head [storedHead]byte
	binary.BigEndian.PutUint64(head[:], uint64(revision))
	binary.BigEndian.PutUint64(head[8:], uint64(wakeOf(r.Wake)))
	var b strings.Builder
	b.Grow(storedHead + len(r.Value))
	b.Write(head[:])
	b.Write(r.Value)
	return b.String()
}

// noWake stands for the zero Wake.
const noWake = -1

func wakeOf(at time.Time) int64 {
	if at.IsZero() {
		return noWake
	}
	return at.UnixMilli()
}

func decodeStored(key, stored string) (Record, error) {
	revision, wake, err := decodeHead(key, stored)
	if err != nil {
		return Record{}, err
	}
	r := Record{Key: key, Value: []byte(stored[storedHead:]), Revision: revision}
	if wake != noWake {
		r.Wake = time.UnixMilli(wake).UTC()
	}
	return r, nil
}

func decodeHead(key, stored string) (revision, wake int64, err error) {
	if len(stored) < storedHead {
		return 0, noWake, fmt.Errorf("%w: the record at %q is cut short", ErrFormat, key)
	}
	head := []byte(stored[:storedHead])
	return int64(binary.BigEndian.Uint64(head)), int64(binary.BigEndian.Uint64(head[8:])), nil
}

// newBuntStore returns a store on a journal, which it closes if that fails.
func newBuntStore(j *journal.Journal) (*buntStore, error) {
	s := new(buntStore)
	return s, s.start(j)
}

// start makes the zero store one on a journal, which it closes if that fails.
func (s *buntStore) start(j *journal.Journal) error {
	s.journal = j
	if err := s.load(); err != nil {
		return errors.Join(fmt.Errorf("open store: %w", err), j.Close())
	}
	return nil
}

// load puts what is due when in order.
func (s *buntStore) load() error {
	var entries []dueEntry
	var damaged error
	err := s.journal.Ascend("", func(key, value string) bool {
		var wake int64
		if _, wake, damaged = decodeHead(key, value); damaged != nil {
			return false
		}
		if wake != noWake {
			entries = append(entries, dueEntry{wake, key})
		}
		return true
	})
	s.due.fill(entries)
	return errors.Join(err, damaged)
}

// begin checks what every call checks before it does anything.
func (s *buntStore) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed || s.journal == nil {
		return fmt.Errorf("store: %w", ErrClosed)
	}
	return nil
}

// get returns the record at a key. The lock is held.
func (s *buntStore) get(key string) (Record, error) {
	if strings.HasPrefix(key, reservedPrefix) {
		return Record{Key: key}, nil
	}
	stored, ok, err := s.journal.Get(key)
	if err != nil || !ok {
		return Record{Key: key}, err
	}
	return decodeStored(key, stored)
}

// head returns the revision and the wake of the record at a key. The lock is
// held.
func (s *buntStore) head(key string) (revision, wake int64, err error) {
	stored, ok, err := s.journal.Get(key)
	if err != nil || !ok {
		return 0, noWake, err
	}
	return decodeHead(key, stored)
}

// Get returns the record at a key; see [Store].
func (s *buntStore) Get(ctx context.Context, key string) (Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.begin(ctx); err != nil {
		return Record{}, err
	}
	return s.get(key)
}

// Pages of iterators hold at most so many records, and stop growing at so many
// bytes.
const (
	pageRecords = 256
	pageBytes   = 1 << 20
)

// firstDue is how many records the first page of what is due holds at most; each
// later one holds twice as many. Who asks for what is due often takes a few and
// asks again.
const firstDue = 40

// pages yields the records of page after page. next returns one, and whether
// it is the last.
func pages(next func() (page []Record, last bool, err error)) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			page, last, err := next()
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			if last {
				return
			}
		}
	}
}

// Scan yields the records whose keys begin with prefix; see [Store].
func (s *buntStore) Scan(ctx context.Context, prefix string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		from := prefix
		pages(func() (page []Record, last bool, err error) {
			page, last, err = s.scanPage(ctx, prefix, from)
			if n := len(page); n > 0 {
				from = page[n-1].Key + "\x00" // the next possible key
			}
			return page, last, err
		})(yield)
	}
}

func (s *buntStore) scanPage(ctx context.Context, prefix, from string) (page []Record, last bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.begin(ctx); err != nil {
		return nil, true, err
	}
	size, last := 0, true
	var damaged error
	err = s.journal.Ascend(from, func(key, value string) bool {
		if !strings.HasPrefix(key, prefix) {
			return false
		}
		if len(page) == pageRecords || size >= pageBytes {
			last = false
			return false
		}
		r, err := decodeStored(key, value)
		if err != nil {
			damaged = err
			return false
		}
		page = append(page, r)
		size += len(value)
		return true
	})
	return page, last, errors.Join(err, damaged)
}

// Due yields the records that have a Wake not after until; see [Store].
func (s *buntStore) Due(ctx context.Context, until time.Time) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		switch { // outside of these years nothing wakes
		case until.After(lastInstant):
			until = lastInstant
		case until.Before(firstInstant):
			until = firstInstant.Add(-time.Millisecond)
		}
		after, most := dueEntry{wake: math.MinInt64}, firstDue
		pages(func() (page []Record, last bool, err error) {
			page, after, last, err = s.duePage(ctx, after, until.UnixMilli(), most)
			most = min(2*most, pageRecords)
			return page, last, err
		})(yield)
	}
}

func (s *buntStore) duePage(ctx context.Context, after dueEntry, until int64, most int) (page []Record, behind dueEntry, last bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.begin(ctx); err != nil {
		return nil, after, true, err
	}
	entries, size := s.due.page(after, until, most), 0
	page = make([]Record, 0, len(entries))
	for _, e := range entries {
		if size >= pageBytes {
			return page, after, false, nil
		}
		r, err := s.get(e.key)
		if err != nil {
			return page, after, true, err
		}
		page, after = append(page, r), e
		size += len(r.Value)
	}
	return page, after, len(entries) < most, nil
}

// Commit does all of a transaction or nothing; see [Store].
func (s *buntStore) Commit(ctx context.Context, txn Txn) (int64, error) {
	revision, err := s.write(ctx, txn)
	if err != nil {
		return 0, err
	}
	// others may write meanwhile, and share the sync
	if err := s.journal.Flush(revision); err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return revision, nil
}

// write does a transaction, which is not yet as durable as promised.
func (s *buntStore) write(ctx context.Context, txn Txn) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	if err := txn.Validate(); err != nil {
		return 0, err
	}
	for _, check := range txn.If {
		revision, _, err := s.head(check.Key)
		if err != nil {
			return 0, err
		}
		if revision != check.Revision {
			return 0, fmt.Errorf("%w: the record at %q has revision %d, not %d", ErrConflict, check.Key, revision, check.Revision)
		}
	}
	revision, err := s.journal.Next()
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	ops := opsOf(txn, revision)
	if err := s.journal.Apply(ops); err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	for i := range ops {
		s.reorder(&ops[i])
	}
	return revision, nil
}

// opsOf returns what the journal has to do for a transaction.
func opsOf(txn Txn, revision int64) []journal.Op {
	ops := make([]journal.Op, 0, len(txn.Put)+len(txn.Delete))
	for _, r := range txn.Put {
		ops = append(ops, journal.Op{Key: r.Key, Value: encodeStored(r, revision)})
	}
	for _, key := range txn.Delete {
		ops = append(ops, journal.Op{Key: key, Delete: true})
	}
	return ops
}

// reorder does to the order of what is due what an operation has done. What
// stands at a key was written by this store, so it is not damaged.
func (s *buntStore) reorder(op *journal.Op) {
	before, after := int64(noWake), int64(noWake)
	if op.Existed {
		_, before, _ = decodeHead(op.Key, op.Before)
	}
	if !op.Delete {
		_, after, _ = decodeHead(op.Key, op.Value)
	}
	if before == after {
		return
	}
	if before != noWake {
		s.due.remove(dueEntry{before, op.Key})
	}
	if after != noWake {
		s.due.insert(dueEntry{after, op.Key})
	}
}

// Close ends the use of the store; see [Store].
func (s *buntStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.journal == nil {
		return nil
	}
	s.closed = true
	return s.journal.Close()
}
