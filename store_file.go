package flagstage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/flagstage/flagstage/internal/journal"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// The errors of files that are stores, or should be.
var (
	// ErrFormat is wrapped when a file that should be a store was written by
	// something else, or is none. It was left alone.
	ErrFormat = journal.ErrFormat
	// ErrLocked is wrapped when a store is open already, in this process or in
	// another. The text of the error names that one.
	ErrLocked = journal.ErrLocked
	// ErrFailed is wrapped by the call during which the disk or the database
	// under a store failed, and by all later calls. Close the store and open it
	// again. That call has written nothing, unless its error wraps
	// [ErrUnknownOutcome] too.
	ErrFailed = journal.ErrFailed
)

// CorruptError says where the file of a store is damaged: its Path, the Offset
// in bytes of the first transaction that is not whole, and as Reason what is
// wrong with it, for people. The file was left alone: restore a backup, or see
// [SalvageStore].
type CorruptError = journal.CorruptError

// Progress is told how many of how many bytes are done, every few megabytes,
// by what takes long when a store is large. It is called by the goroutine that
// does the work.
//
// It may not call the store: that waits for it.
type Progress func(done, total int64)

// Tail is what stood behind the last whole transaction of a file: a write that
// was cut short. It has the Offset at which it begins, how many Bytes it has,
// and as Reason why it is no transaction, for people.
type Tail = journal.Tail

// Recovery says what opening a file has done to it.
type Recovery struct {
	// Cut is the write that was cut short, and cut off; nil: there was none.
	// It was never acknowledged by a store with [DurabilityAlways].
	Cut *Tail
	// Compacted reports that the file was compacted, being several times as
	// large as it had to be. CompactionError says why that failed, if it did;
	// nothing is lost then.
	Compacted       bool
	CompactionError error
}

// FileStore is a [Store] in a file, with a durability of its own. Use
// [OpenStore].
//
// # What it survives
//
// The end of the process at any time, and with [DurabilityAlways] that of the
// power too, lose nothing that was acknowledged and leave no commit half done.
// A damaged file is refused with a [*CorruptError], and never read wrong. When
// the disk fails, the call says so, and so do all later ones, with
// [ErrFailed]: close the store and open it again.
//
// # What it cannot know
//
// No store can tell that an older copy of the whole file was put in its place,
// that the file was cut off just at the end of a transaction, that the last
// transactions were overwritten with zeros, that the file was deleted while it
// was open, or that a disk says it has written what it has not.
//
// The zero FileStore is closed.
type FileStore struct {
	buntStore
	path string
}

// OpenStore opens the store in a file. It is created with mode 0600 if there is
// none; its folder must exist. Beside it a lock file is kept, of the same name
// and ".lock", which is never deleted; a compaction makes a file of that name
// and ".compact". Files of these names that are something else are left alone.
// Of the options [WithProgress] concerns
// it.
//
// A file that is open is refused with [ErrLocked], one that something else
// wrote with [ErrFormat], a damaged one with a [*CorruptError]; all are left
// alone. An empty file becomes a store. A write that was cut short by the end
// of the process or the power is cut off: [FileStore.Recovery] tells. A file
// that has more than 1 MiB and four times what it needs is compacted, here and
// by Close, and at no other time by itself; if that fails the store is as it
// was. Files are kept safe on Linux and
// macOS; elsewhere the error wraps [errors.ErrUnsupported].
//
// The error wraps [ErrInvalidRequest] if the path is empty, or the durability
// none of those that a file can have; [DurabilityVolatile] is that of
// [NewMemoryStore].
func OpenStore(path string, durability Durability, list ...Option) (*FileStore, error) {
	return openFile(path, durability, journal.Options{Progress: journal.Progress(newOptions(list).progress)})
}

// openFile opens the store in a file.
func openFile(path string, durability Durability, o journal.Options) (*FileStore, error) {
	var err error
	if o.Sync, err = syncOf(durability); err == nil {
		err = checkPaths(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	j, err := journal.Open(path, o)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &FileStore{path: path}
	if err := s.start(j); err != nil {
		return nil, err
	}
	return s, nil
}

// checkPaths refuses paths that name nothing.
func checkPaths(paths ...string) error {
	if slices.Contains(paths, "") {
		return fmt.Errorf("%w: the path is empty; name the file of the store", ErrInvalidRequest)
	}
	return nil
}

// syncOf returns how a file keeps a durability.
func syncOf(d Durability) (journal.Sync, error) {
	switch d {
	case DurabilityAlways:
		return journal.SyncAlways, nil
	case DurabilityInterval:
		return journal.SyncInterval, nil
	case DurabilityNever:
		return journal.SyncNever, nil
	}
	return 0, fmt.Errorf("%w: a file cannot have the durability %s; it must be one of: %s, %s, %s", ErrInvalidRequest,
		strictjson.Quote(string(d)), DurabilityAlways, DurabilityInterval, DurabilityNever)
}

// Path returns the path by which the store was opened.
func (s *FileStore) Path() string { return s.path }

// Recovery says what opening the file has done to it.
func (s *FileStore) Recovery() Recovery {
	if s.journal == nil {
		return Recovery{}
	}
	r := s.journal.Recovery()
	return Recovery{Cut: r.Tail, Compacted: r.Compacted, CompactionError: r.CompactionError}
}

// Compact rewrites the file with only what is in the store now. Other calls
// wait meanwhile. An error leaves the store as it was, unless it wraps
// [ErrFailed]. progress may be nil.
func (s *FileStore) Compact(ctx context.Context, progress Progress) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(ctx); err != nil {
		return err
	}
	if err := s.journal.Compact(journal.Progress(progress)); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// readOnly is a store that was opened for reading.
type readOnly struct{ *buntStore }

// Commit refuses every transaction.
func (s readOnly) Commit(ctx context.Context, _ Txn) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("%w: it was opened for reading", ErrReadOnly)
}

// ReadStore opens a store for reading: what is in the file now, up to its last
// whole transaction, is read into memory. It takes no lock and changes nothing,
// so the store may be in use. An empty file is an empty store. Commit returns
// [ErrReadOnly]. Other errors are those of [OpenStore].
func ReadStore(ctx context.Context, path string, list ...Option) (Store, error) {
	if err := checkPaths(path); err != nil {
		return nil, fmt.Errorf("read store: %w", err)
	}
	j, _, err := journal.Load(ctx, path, journal.Progress(newOptions(list).progress))
	if err != nil {
		return nil, fmt.Errorf("read store: %w", err)
	}
	s, err := newBuntStore(j)
	if err != nil {
		return nil, err
	}
	return readOnly{s}, nil
}

// CompactStore opens a store that nobody uses, compacts its file, and closes
// it. A file that does not exist is not created. Other errors are those of
// [OpenStore] and [FileStore.Compact].
func CompactStore(ctx context.Context, path string, progress Progress) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	s, err := openFile(path, DurabilityAlways, journal.Options{Existing: true, Progress: journal.Progress(progress)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Compact(ctx, progress)
}
