package flagstage

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/flagstage/flagstage/internal/journal"
)

// Store keeps records durably. It is the port to a database: an engine needs
// nothing else of one. Package storetest checks any implementation.
//
// Must-clauses for implementers:
//
//   - All methods are safe for concurrent use. After Close they return
//     [ErrClosed].
//   - ctx is checked before anything is done; a cancelled one returns its
//     error. Once a write has begun it is carried through.
//   - Values are opaque bytes. What a store returns belongs to the caller,
//     and what it is given it does not keep.
type Store interface {
	// Get returns the record at a key. An absent key gives a record of
	// revision 0, and no error.
	Get(ctx context.Context, key string) (Record, error)
	// Scan yields the records whose keys begin with prefix, in ascending
	// order of their bytes. No lock is held while it yields, so the loop may
	// write; it then may or may not see what was written. Each page that is
	// read at once is consistent. An error ends the sequence.
	Scan(ctx context.Context, prefix string) iter.Seq2[Record, error]
	// Due yields the records that have a Wake not after until, ordered by
	// (Wake, Key), on the terms of Scan.
	Due(ctx context.Context, until time.Time) iter.Seq2[Record, error]
	// Commit does all of a transaction or nothing, and returns its revision:
	// the number of the commit in this store, greater than all before and
	// never used again. When it returns nil the transaction is as durable as
	// the store promises; commits become durable in order.
	//
	// Errors: [ErrConflict], when a check failed; [ErrTxn], when the
	// transaction breaks a rule or a limit; [ErrUnknownOutcome]; or any other
	// error, and then nothing was written.
	Commit(ctx context.Context, txn Txn) (revision int64, err error)
	// Close ends the use of the store. Closing twice is no error.
	Close() error
}

// Record is a value at a key.
type Record struct {
	Key   string
	Value []byte
	// Wake is when the record needs attention, in whole milliseconds; zero:
	// never.
	Wake time.Time
	// Revision is the commit that wrote the record; 0: there is none.
	Revision int64
}

// Check is what must hold for a transaction to be done.
type Check struct {
	Key      string
	Revision int64 // of the record at the key; 0: there must be none
}

// Txn is a transaction. A key stands at most once in If, and at most once in
// Put and Delete together.
type Txn struct {
	If []Check
	// Put writes records, whatever was there. Their Revision is ignored.
	Put []Record
	// Delete removes keys; one that is absent is no error.
	Delete []string
}

// Limits of a store.
const (
	MaxStoreKey   = 1 << 10 // bytes of a key
	MaxStoreValue = 4 << 20 // bytes of a value
	MaxTxnOps     = 128     // checks, puts and deletes of a transaction
	MaxTxnBytes   = 8 << 20 // bytes of all keys and values of a transaction
)

// The errors of stores. They say nothing about the call that an engine was
// asked for, so [Code] has none for them, but for [ErrConflict].
var (
	// ErrClosed is wrapped when a store or engine was closed.
	ErrClosed = journal.ErrClosed
	// ErrTxn is wrapped when a transaction breaks a rule or limit. Nothing
	// was written.
	ErrTxn = errors.New("invalid transaction")
	// ErrUnknownOutcome is wrapped when it cannot be told whether a
	// transaction was written. Read back what it would have written.
	ErrUnknownOutcome = journal.ErrUnknown
	// ErrReadOnly is wrapped when something is written to a store that was
	// opened for reading. Nothing was written.
	ErrReadOnly = errors.New("store is read-only")
)

// Durability says what a store's Commit promises when it returns nil.
type Durability string

// The durabilities.
const (
	// DurabilityAlways: it outlives a power cut. Commits that wait at the same
	// time share a sync of the disk. Nothing acknowledged is ever lost.
	DurabilityAlways Durability = "always"
	// DurabilityInterval: it outlives the end of the process, and a power cut
	// once a second has passed. A power cut can take back the commits of the
	// last second, the latest first; none is half done.
	DurabilityInterval Durability = "interval"
	// DurabilityNever: it outlives the end of the process, and a power cut once
	// the operating system has written it, half a minute later on usual
	// systems, or the store was closed. A power cut can take back all commits
	// since, the latest first; none is half done.
	DurabilityNever Durability = "never"
	// DurabilityVolatile: it is gone when the store is closed.
	DurabilityVolatile Durability = "volatile"
)

// reservedPrefix begins keys that only a store itself may use.
const reservedPrefix = "\x00"

// Validate returns an error that wraps [ErrTxn] if a store must refuse the
// transaction whatever it holds: for stores to call.
func (t *Txn) Validate() error {
	if n := len(t.If) + len(t.Put) + len(t.Delete); n > MaxTxnOps {
		return fmt.Errorf("%w: it has %d operations; at most %d are allowed", ErrTxn, n, MaxTxnOps)
	}
	size := 0
	var checked, written keySet
	for _, c := range t.If {
		if err := checkStoreKey(c.Key); err != nil {
			return err
		}
		if !checked.add(c.Key) {
			return twice(c.Key)
		}
		if c.Revision < 0 {
			return fmt.Errorf("%w: key %q is checked for the negative revision %d", ErrTxn, c.Key, c.Revision)
		}
		size += len(c.Key)
	}
	for _, r := range t.Put {
		if err := checkStoreKey(r.Key); err != nil {
			return err
		}
		if !written.add(r.Key) {
			return twice(r.Key)
		}
		if len(r.Value) > MaxStoreValue {
			return fmt.Errorf("%w: the value at %q has %d bytes; at most %d are allowed", ErrTxn, r.Key, len(r.Value), MaxStoreValue)
		}
		if !r.Wake.IsZero() && !isInstant(r.Wake) {
			return fmt.Errorf("%w: the wake of %q is not in the years 1970 to 9999", ErrTxn, r.Key)
		}
		size += len(r.Key) + len(r.Value)
	}
	for _, key := range t.Delete {
		if err := checkStoreKey(key); err != nil {
			return err
		}
		if !written.add(key) {
			return twice(key)
		}
		size += len(key)
	}
	if size > MaxTxnBytes {
		return fmt.Errorf("%w: it has %d bytes; at most %d are allowed", ErrTxn, size, MaxTxnBytes)
	}
	return nil
}

// keySet is the keys of a transaction, at most MaxTxnOps. It is on the stack, and
// no slower than it must be, since each commit needs it.
type keySet struct {
	n     int
	keys  [MaxTxnOps]string
	slots [2 * MaxTxnOps]uint8 // place in keys, from 1; 0: free
}

// add adds a key. It returns false if that was there before.
func (s *keySet) add(key string) bool {
	hash := uint32(len(key))
	for i := max(0, len(key)-16); i < len(key); i++ { // keys differ most at their ends
		hash = hash*16777619 ^ uint32(key[i])
	}
	for at := (hash ^ hash>>16) % uint32(len(s.slots)); ; at = (at + 1) % uint32(len(s.slots)) {
		switch k := s.slots[at]; {
		case k == 0:
			s.keys[s.n] = key
			s.n++
			s.slots[at] = uint8(s.n)
			return true
		case s.keys[k-1] == key:
			return false
		}
	}
}

func twice(key string) error { return fmt.Errorf("%w: key %q stands twice", ErrTxn, key) }

// checkStoreKey refuses keys that no record can have.
func checkStoreKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: a key is empty", ErrTxn)
	case len(key) > MaxStoreKey:
		return fmt.Errorf("%w: a key has %d bytes; at most %d are allowed", ErrTxn, len(key), MaxStoreKey)
	case strings.HasPrefix(key, reservedPrefix):
		return fmt.Errorf("%w: key %q begins with NUL, which is reserved for the store", ErrTxn, key)
	}
	return nil
}
