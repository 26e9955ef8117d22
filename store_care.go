package flagstage

import (
	"context"
	"fmt"

	"github.com/flagstage/flagstage/internal/journal"
)

// What is here looks after the files of stores. It works on a path, and takes
// no lock: the store may be in use meanwhile, and is read up to its last whole
// transaction.

// StoreStats say how large a store is, and what is in it.
type StoreStats struct {
	Records  int
	Waking   int   // records that have a Wake
	Revision int64 // of the last commit that wrote one of the records; 0: none
	// FileBytes is how large the file is, and LiveBytes how large it would be
	// if it had just been compacted. In memory FileBytes is 0.
	FileBytes, LiveBytes int64
	// Cut is what stands behind the last whole transaction: a write under way,
	// or one that was cut short, which the next opening cuts off. nil: nothing.
	Cut *Tail
}

// Ratio returns how many times as large as it had to be the file is. 1 is a
// file that was just compacted.
func (s StoreStats) Ratio() float64 { return float64(s.FileBytes) / float64(s.LiveBytes) }

// Stats returns how large the store is, and what is in it. It reads all
// records.
func (s *FileStore) Stats(ctx context.Context) (StoreStats, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.begin(ctx); err != nil {
		return StoreStats{}, err
	}
	size := s.journal.Stats()
	stats := StoreStats{FileBytes: size.FileBytes, LiveBytes: size.LiveBytes}
	var damaged error
	err := s.journal.Ascend("", func(key, value string) bool {
		var revision, wake int64
		if revision, wake, damaged = decodeHead(key, value); damaged != nil {
			return false
		}
		stats.Records++
		stats.Revision = max(stats.Revision, revision)
		if wake != noWake {
			stats.Waking++
		}
		return true
	})
	if err == nil {
		err = damaged
	}
	return stats, err
}

// VerifyStore reads the whole file of a store and checks every byte of it. It
// changes nothing. Damage is a [*CorruptError] that names the first, and
// [ErrFormat] what is no store. A write that was cut short is no damage: see
// Cut. progress may be nil.
func VerifyStore(ctx context.Context, path string, progress Progress) (StoreStats, error) {
	if err := checkPaths(path); err != nil {
		return StoreStats{}, fmt.Errorf("verify store: %w", err)
	}
	type live struct{ bytes, revision, wake int64 }
	records := map[string]live{}
	found, err := journal.Scan(ctx, path, journal.Progress(progress), func(ops []journal.Op) error {
		for _, op := range ops {
			if op.Delete {
				delete(records, op.Key)
				continue
			}
			revision, wake, err := decodeHead(op.Key, op.Value)
			if err != nil {
				return err
			}
			records[op.Key] = live{int64(op.Size()), revision, wake}
		}
		return nil
	})
	if err != nil {
		return StoreStats{}, fmt.Errorf("verify store: %w", err)
	}
	stats := StoreStats{Records: len(records), FileBytes: found.Size, LiveBytes: journal.EmptySize(), Cut: found.Tail}
	for _, r := range records {
		stats.LiveBytes += r.bytes
		stats.Revision = max(stats.Revision, r.revision)
		if r.wake != noWake {
			stats.Waking++
		}
	}
	return stats, nil
}

// BackupStore copies the file of a store into a new one, target, with mode
// 0600: a consistent copy up to the last whole transaction. A target that
// exists is refused. A damaged store is refused as [VerifyStore] does, and
// target is not left behind. The copy goes on with revisions of its own, so
// that none of them names what the store writes meanwhile. progress may be nil.
func BackupStore(ctx context.Context, path, target string, progress Progress) error {
	if err := checkPaths(path, target); err != nil {
		return fmt.Errorf("backup store: %w", err)
	}
	if err := journal.Backup(ctx, path, target, journal.Progress(progress)); err != nil {
		return fmt.Errorf("backup store: %w", err)
	}
	return nil
}

// Salvaged says what [SalvageStore] has found.
type Salvaged struct {
	Transactions int64 // that were whole, since the file was last compacted
	Records      int64 // that the new store has
	Lost         []Lost
	// Unproven reports that the file was of an early version, which had nothing
	// that proves its transactions whole: all were taken that could be read.
	Unproven bool
}

// Lost is a part of a file that holds no whole transaction: its Offset, its
// Bytes, and as Reason why, for people. From and To are the revisions of the
// first and the last commit that are missing with it; To is 0 if that is not
// known.
type Lost = journal.Lost

// SalvageStore writes what is whole in the file of a damaged store into a new
// one, target, with mode 0600, and lists what is not. A target that exists is
// refused. The records of the new store are those that the whole transactions
// make, also those behind damage: a record that a lost one changed is as it was
// before, one that a lost one deleted is back. So look at what was lost before
// you go on with it. All of the file is read into memory. progress may be nil.
func SalvageStore(ctx context.Context, path, target string, progress Progress) (Salvaged, error) {
	if err := checkPaths(path, target); err != nil {
		return Salvaged{}, fmt.Errorf("salvage store: %w", err)
	}
	found, err := journal.Salvage(ctx, path, target, journal.Progress(progress))
	if err != nil {
		return Salvaged{}, fmt.Errorf("salvage store: %w", err)
	}
	return Salvaged(found), nil
}
