package flagstage_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/storetest"
)

func TestFileStoreKeepsTheContract(t *testing.T) {
	for _, durability := range []flagstage.Durability{flagstage.DurabilityAlways, flagstage.DurabilityNever} {
		t.Run(string(durability), func(t *testing.T) {
			storetest.Run(t, func(path string) (flagstage.Store, error) {
				return flagstage.OpenStore(path, durability)
			}, durability)
		})
	}
}

// TestCompactingStoreKeepsTheContract compacts at every commit.
func TestCompactingStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(path string) (flagstage.Store, error) {
		s, err := flagstage.OpenStore(path, flagstage.DurabilityNever)
		return &compacting{FileStore: s}, err
	}, flagstage.DurabilityNever)
}

type compacting struct {
	*flagstage.FileStore
	mu    sync.Mutex
	count int
}

func (s *compacting) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	s.mu.Lock()
	s.count++
	due := s.count%16 == 0
	s.mu.Unlock()
	if due {
		if err := s.Compact(ctx, nil); err != nil {
			return 0, err
		}
	}
	return s.FileStore.Commit(ctx, txn)
}

func put(t testing.TB, s flagstage.Store, key, value string, wake time.Time) int64 {
	revision, err := s.Commit(t.Context(), flagstage.Txn{Put: []flagstage.Record{{Key: key, Value: []byte(value), Wake: wake}}})
	require.NoError(t, err)
	return revision
}

func scanned(t testing.TB, s flagstage.Store) (records []flagstage.Record) {
	for r, err := range s.Scan(t.Context(), "") {
		require.NoError(t, err)
		records = append(records, r)
	}
	return records
}

func TestStatsCountWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s, err := flagstage.OpenStore(path, flagstage.DurabilityAlways)
	require.NoError(t, err)
	require.Equal(t, path, s.Path())
	for i := range 50 {
		put(t, s, fmt.Sprint("k", i%5), strings.Repeat("v", 100), time.Time{})
	}
	last := put(t, s, "wakes", "", now)
	stats, err := s.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, 6, stats.Records)
	require.Equal(t, 1, stats.Waking)
	require.Equal(t, last, stats.Revision)
	require.Greater(t, stats.Ratio(), 4.0)
	verified, err := flagstage.VerifyStore(t.Context(), path, nil)
	require.NoError(t, err)
	require.Equal(t, stats, verified, "the file says the same as the store")
	require.NoError(t, s.Compact(t.Context(), nil))
	stats, err = s.Stats(t.Context())
	require.NoError(t, err)
	require.InDelta(t, 1.0, stats.Ratio(), 0.2)
	require.NoError(t, s.Close())

	require.NoError(t, flagstage.CompactStore(t.Context(), path, nil))
	verified, err = flagstage.VerifyStore(t.Context(), path, nil)
	require.NoError(t, err)
	require.Equal(t, stats.LiveBytes, verified.LiveBytes)
	_, err = s.Stats(t.Context())
	require.ErrorIs(t, err, flagstage.ErrClosed)
	require.ErrorIs(t, s.Compact(t.Context(), nil), flagstage.ErrClosed)
}

func TestReadingAStoreThatIsInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s, err := flagstage.OpenStore(path, flagstage.DurabilityNever)
	require.NoError(t, err)
	defer s.Close()
	put(t, s, "a", "1", now)
	want := scanned(t, s)

	r, err := flagstage.ReadStore(t.Context(), path)
	require.NoError(t, err)
	put(t, s, "a", "2", now)
	require.Equal(t, want, scanned(t, r), "it is as it was when it was opened")
	for record, err := range r.Due(t.Context(), now) {
		require.NoError(t, err)
		require.Equal(t, want[0], record)
	}
	_, err = r.Commit(t.Context(), flagstage.Txn{})
	require.ErrorIs(t, err, flagstage.ErrReadOnly)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Commit(cancelled, flagstage.Txn{})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, r.Close())
	_, err = r.Get(t.Context(), "a")
	require.ErrorIs(t, err, flagstage.ErrClosed)
	_, err = r.Commit(t.Context(), flagstage.Txn{})
	require.ErrorIs(t, err, flagstage.ErrClosed)

	e, err := flagstage.Open(path, flagstage.WithReadOnly())
	require.NoError(t, err)
	_, err = e.CreateTemplate(t.Context(), alice, named("k", ""))
	require.ErrorIs(t, err, flagstage.ErrReadOnly)
	require.NoError(t, e.Close())
	_, err = flagstage.Open(path)
	require.ErrorIs(t, err, flagstage.ErrLocked)
}

func TestOpeningTellsWhatItCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s, err := flagstage.OpenStore(path, flagstage.DurabilityAlways)
	require.NoError(t, err)
	first := put(t, s, "a", "1", time.Time{})
	put(t, s, "a", "2", time.Time{})
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	torn := text[:len(text)-1]
	require.NoError(t, os.WriteFile(path, torn, 0o600))

	stats, err := flagstage.VerifyStore(t.Context(), path, nil)
	require.NoError(t, err)
	require.EqualValues(t, len(torn), stats.Cut.Offset+stats.Cut.Bytes)
	var log bytes.Buffer
	e, err := flagstage.Open(path, flagstage.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	require.NoError(t, err)
	require.Contains(t, log.String(), fmt.Sprintf("level=WARN msg=\"cut off a write that was cut short\" store=%s offset=%d bytes=%d", path, stats.Cut.Offset, stats.Cut.Bytes))
	require.NoError(t, e.Close())

	require.NoError(t, os.WriteFile(path, torn, 0o600))
	s, err = flagstage.OpenStore(path, flagstage.DurabilityAlways)
	require.NoError(t, err)
	require.Equal(t, stats.Cut, s.Recovery().Cut)
	require.Equal(t, first, scanned(t, s)[0].Revision)
	require.Greater(t, put(t, s, "a", "3", time.Time{}), first+1, "the revision that was lost is not used again")
	require.NoError(t, s.Close())
}

func TestDamagedFileIsRefusedAndSalvaged(t *testing.T) {
	dir := t.TempDir()
	path, saved := filepath.Join(dir, "db"), filepath.Join(dir, "saved")
	s, err := flagstage.OpenStore(path, flagstage.DurabilityAlways)
	require.NoError(t, err)
	put(t, s, "a", "1", time.Time{})
	before, err := os.Stat(path)
	require.NoError(t, err)
	put(t, s, "b", "2", time.Time{})
	put(t, s, "c", "3", time.Time{})
	require.NoError(t, s.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text[before.Size()+100] ^= 4
	require.NoError(t, os.WriteFile(path, text, 0o600))

	var corrupt *flagstage.CorruptError
	for _, open := range []func() error{
		func() error { _, err := flagstage.OpenStore(path, flagstage.DurabilityAlways); return err },
		func() error { _, err := flagstage.Open(path); return err },
		func() error { _, err := flagstage.ReadStore(t.Context(), path); return err },
		func() error { _, err := flagstage.VerifyStore(t.Context(), path, nil); return err },
		func() error { return flagstage.BackupStore(t.Context(), path, saved, nil) },
		func() error { return flagstage.CompactStore(t.Context(), path, nil) },
	} {
		err := open()
		require.ErrorAs(t, err, &corrupt)
		require.Equal(t, path, corrupt.Path)
		require.Equal(t, before.Size(), corrupt.Offset)
		require.Empty(t, flagstage.Code(err))
	}
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, text, after, "it is left alone")

	found, err := flagstage.SalvageStore(t.Context(), path, saved, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, found.Records)
	require.Len(t, found.Lost, 1)
	require.Equal(t, []int64{before.Size(), 2, 2}, []int64{found.Lost[0].Offset, found.Lost[0].From, found.Lost[0].To})
	s, err = flagstage.OpenStore(saved, flagstage.DurabilityAlways)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "c"}, []string{scanned(t, s)[0].Key, scanned(t, s)[1].Key})
	require.Equal(t, "3", string(scanned(t, s)[1].Value))
	require.NoError(t, s.Close())
}

func TestPathsThatCannotBeStores(t *testing.T) {
	ctx := t.Context()
	for name, open := range map[string]func(path string) error{
		"open":   func(path string) error { _, err := flagstage.OpenStore(path, flagstage.DurabilityAlways); return err },
		"read":   func(path string) error { _, err := flagstage.ReadStore(ctx, path); return err },
		"verify": func(path string) error { _, err := flagstage.VerifyStore(ctx, path, nil); return err },
		"backup": func(path string) error { return flagstage.BackupStore(ctx, path, path+".new", nil) },
		"salvage": func(path string) error {
			_, err := flagstage.SalvageStore(ctx, path, path+".new", nil)
			return err
		},
	} {
		require.ErrorIs(t, open(""), flagstage.ErrInvalidRequest, name)
		require.ErrorIs(t, open(t.TempDir()), flagstage.ErrFormat, name)
		require.ErrorIs(t, open("/dev/null"), flagstage.ErrFormat, name)
		if name != "open" {
			require.ErrorIs(t, open(filepath.Join(t.TempDir(), "none")), fs.ErrNotExist, name)
		}
	}
	_, err := flagstage.OpenStore("db", "sometimes")
	require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
	none := filepath.Join(t.TempDir(), "none")
	require.ErrorIs(t, flagstage.CompactStore(ctx, none, nil), fs.ErrNotExist)
	require.NoFileExists(t, none)
	require.NoFileExists(t, none+".lock")

	var zero flagstage.FileStore
	_, err = zero.Get(ctx, "a")
	require.ErrorIs(t, err, flagstage.ErrClosed)
	_, err = zero.Stats(ctx)
	require.ErrorIs(t, err, flagstage.ErrClosed)
	require.ErrorIs(t, zero.Compact(ctx, nil), flagstage.ErrClosed)
	require.Equal(t, flagstage.Recovery{}, zero.Recovery())
	require.NoError(t, zero.Close())
}

// hostile is a context that does something else than to answer.
type hostile struct {
	context.Context
	do func()
}

func (h hostile) Err() error { h.do(); return nil }

// TestCallerThatEndsInTheMiddleOfACommit panics and ends its goroutine while
// the store asks its context: nothing is written, and the store goes on.
func TestCallerThatEndsInTheMiddleOfACommit(t *testing.T) {
	s, err := flagstage.OpenStore(filepath.Join(t.TempDir(), "db"), flagstage.DurabilityAlways)
	require.NoError(t, err)
	defer s.Close()
	txn := flagstage.Txn{Put: []flagstage.Record{{Key: "a"}}}
	require.Panics(t, func() { _, _ = s.Commit(hostile{t.Context(), func() { panic("no") }}, txn) })
	var wait sync.WaitGroup
	wait.Go(func() { _, _ = s.Commit(hostile{t.Context(), runtime.Goexit}, txn) })
	wait.Wait()
	require.Empty(t, scanned(t, s))
	put(t, s, "b", "", time.Time{})
	require.Len(t, scanned(t, s), 1)
}

// TestBackupWhileOthersWrite copies a store again and again while it is
// written: each copy is as the store was after some commit.
func TestBackupWhileOthersWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	s, err := flagstage.OpenStore(path, flagstage.DurabilityNever)
	require.NoError(t, err)
	defer s.Close()
	stop := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			txn := flagstage.Txn{}
			for k := range 5 {
				txn.Put = append(txn.Put, flagstage.Record{Key: fmt.Sprint(k), Value: fmt.Append(nil, i, strings.Repeat("x", i%5000))})
			}
			if _, err := s.Commit(context.Background(), txn); err != nil {
				t.Error(err)
				return
			}
			if i%50 == 49 {
				if err := s.Compact(context.Background(), nil); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for i := range 20 {
		target := filepath.Join(dir, fmt.Sprint("copy", i))
		require.NoError(t, flagstage.BackupStore(t.Context(), path, target, nil))
		c, err := flagstage.OpenStore(target, flagstage.DurabilityNever)
		require.NoError(t, err)
		require.Nil(t, c.Recovery().Cut)
		records := scanned(t, c)
		require.Contains(t, []int{0, 5}, len(records))
		for _, r := range records {
			require.Equal(t, records[0].Value, r.Value)
			require.Equal(t, records[0].Revision, r.Revision)
		}
		require.NoError(t, c.Close())
	}
	close(stop)
	wait.Wait()
}
