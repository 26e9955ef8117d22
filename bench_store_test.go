//go:build unix

package flagstage_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/buntdb"

	"github.com/flagstage/flagstage"
)

// workflowSize is about what the small state of a workflow takes.
const workflowSize = 250

// BenchmarkDurableCommits compares how many commits of three records of 1 KiB
// sixteen writers make durable, with transactions of one such record that
// buntdb syncs itself.
func BenchmarkDurableCommits(b *testing.B) {
	const writers = 16
	value := make([]byte, 1<<10)
	db := plainBunt(b, buntdb.Always)
	store, err := flagstage.OpenStore(filepath.Join(b.TempDir(), "flagstage"), flagstage.DurabilityAlways)
	require.NoError(b, err)
	defer store.Close()

	// each writes for a while; the result is the time a commit took
	measure := func(commit func(writer int) error) float64 {
		var count atomic.Int64
		var wait sync.WaitGroup
		begin := time.Now()
		for w := range writers {
			wait.Go(func() {
				for time.Since(begin) < 200*time.Millisecond {
					if err := commit(w); err != nil {
						b.Error(err)
						return
					}
					count.Add(1)
				}
			})
		}
		wait.Wait()
		return float64(time.Since(begin)) / float64(max(count.Load(), 1))
	}
	compareTimes(b, 1.0/4, func() float64 {
		return measure(func(w int) error {
			return db.Update(func(tx *buntdb.Tx) error {
				_, _, err := tx.Set(fmt.Sprint(w), string(value), nil)
				return err
			})
		})
	}, func() float64 {
		return measure(func(w int) error {
			txn := flagstage.Txn{Put: make([]flagstage.Record, 3)}
			for i := range txn.Put {
				txn.Put[i] = flagstage.Record{Key: fmt.Sprintf("%d/%d", w, i), Value: value}
			}
			_, err := store.Commit(context.Background(), txn)
			return err
		})
	})
}

// pending is how many records wait in the benchmarks of large stores.
const pending = 1_000_000

// fillPending writes records that wait until an instant, or for ever.
func fillPending(b *testing.B, store flagstage.Store, wake func(i int) time.Time) {
	value := make([]byte, workflowSize)
	for i := 0; i < pending; i += flagstage.MaxTxnOps {
		var txn flagstage.Txn
		for k := i; k < min(i+flagstage.MaxTxnOps, pending); k++ {
			txn.Put = append(txn.Put, flagstage.Record{Key: workflowKey(k), Value: value, Wake: wake(k)})
		}
		_, err := store.Commit(context.Background(), txn)
		require.NoError(b, err)
	}
}

// forEver is the wake of a record that waits for nothing.
func forEver(int) time.Time { return time.Time{} }

func workflowKey(i int) string { return fmt.Sprintf("workflow/%036d", i) }

// wakeOf spreads wakes over a month, in no order.
func wakeOf(i int) time.Time { return now.Add(time.Duration(i*7919%2_592_000) * time.Second) }

// BenchmarkOpenLargeStore compares opening a store of a million records, all of
// its bytes verified and what is due in order, with opening them in buntdb.
func BenchmarkOpenLargeStore(b *testing.B) {
	dir := b.TempDir()
	path, plain := filepath.Join(dir, "flagstage"), filepath.Join(dir, "bunt")
	store, err := flagstage.OpenStore(path, flagstage.DurabilityNever)
	require.NoError(b, err)
	fillPending(b, store, wakeOf)
	require.NoError(b, store.Close())
	store = nil
	db, err := buntdb.Open(plain)
	require.NoError(b, err)
	value := string(make([]byte, workflowSize))
	for i := 0; i < pending; i += flagstage.MaxTxnOps {
		require.NoError(b, db.Update(func(tx *buntdb.Tx) error {
			for k := i; k < min(i+flagstage.MaxTxnOps, pending); k++ {
				if _, _, err := tx.Set(workflowKey(k), value, nil); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	require.NoError(b, db.Close())
	db = nil
	runtime.GC()
	compareWall(b, 2.5, func() {
		db, err := buntdb.Open(plain)
		if err == nil {
			err = db.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}, func() {
		store, err := flagstage.OpenStore(path, flagstage.DurabilityAlways)
		if err == nil {
			err = store.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkDueOrder compares taking the first of a million pending records and
// putting it back for later with container/heap, which could not replace one in
// the middle.
func BenchmarkDueOrder(b *testing.B) {
	heap, order := flagstage.DueSteps()
	compare(b, 0.6, heap, order)
}

// liveBytes returns how many bytes of the heap are in use.
func liveBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMemoryPerPendingRecord measures the heap that a store takes for each
// record that waits, the record with its 250 bytes and its place in the order of
// what is due included, and what the place alone takes.
func BenchmarkMemoryPerPendingRecord(b *testing.B) {
	perRecord := func(wake func(i int) time.Time) float64 {
		before := liveBytes()
		store, err := flagstage.NewMemoryStore()
		require.NoError(b, err)
		fillPending(b, store, wake)
		defer func() { require.NoError(b, store.Close()) }()
		return float64(liveBytes()-before) / pending
	}
	for b.Loop() {
		all := perRecord(wakeOf)
		place := all - perRecord(forEver)
		b.ReportMetric(all, "bytes/record")
		b.ReportMetric(900, "must")
		b.ReportMetric(place, "bytes/place")
		b.ReportMetric(256, "must-place")
		if all > 900 || place > 256 {
			b.Errorf("a record takes %.0f bytes, must take at most 900, and its place takes %.0f, must take at most 256", all, place)
		}
	}
}
