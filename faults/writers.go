package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/flagstage/flagstage"
)

// Each of some writers commits transactions 1, 2, 3, … of its own. The n-th
// writes n at the writer's head, and some parts in one of a few slots, which
// the writer uses in turn; it deletes the parts that an earlier one left there.
// So what the head says decides every byte that the writer has in the store.
const (
	slots    = 8
	maxParts = 6
	minBytes = 100
	maxBytes = 256 << 10 // of a transaction
)

func headKey(writer int) string { return fmt.Sprintf("writer/%d/head", writer) }

func partKey(writer, slot, part int) string {
	return fmt.Sprintf("writer/%d/slot/%d/%d", writer, slot, part)
}

// parts returns the values that a transaction writes into its slot.
func parts(writer, n int) []string {
	random := rand.New(rand.NewPCG(uint64(writer), uint64(n)))
	size := minBytes * math.Pow(float64(maxBytes)/minBytes, random.Float64())
	list := make([]string, 1+random.IntN(maxParts))
	for i := range list {
		list[i] = fmt.Sprint(writer, n, i, " ") + block(random, int(size)/len(list))
	}
	return list
}

// block returns n bytes of any value.
func block(random *rand.Rand, n int) string {
	var b strings.Builder
	for b.Len() < n {
		word := random.Uint64()
		for range 8 {
			b.WriteByte(byte(word))
			word >>= 8
		}
	}
	return b.String()[:n]
}

// transaction returns the n-th transaction of a writer. revision is that of
// the head before it.
func transaction(writer, n int, revision int64) flagstage.Txn {
	txn := flagstage.Txn{
		If:  []flagstage.Check{{Key: headKey(writer), Revision: revision}},
		Put: []flagstage.Record{{Key: headKey(writer), Value: fmt.Append(nil, n)}},
	}
	list := parts(writer, n)
	for part := range maxParts {
		key := partKey(writer, n%slots, part)
		if part < len(list) {
			txn.Put = append(txn.Put, flagstage.Record{Key: key, Value: []byte(list[part])})
		} else {
			txn.Delete = append(txn.Delete, key)
		}
	}
	return txn
}

// compactEvery is after how many transactions of the first writer the file is
// compacted, on average.
const compactEvery = 10

// writers is the part that commits until it is killed or a commit fails. It
// prints "looked", with "seen", the number of the last transaction and its
// revision for each writer; then "open"; then after each acknowledgement "ack",
// the writer, the number and the revision; and "compacted".
func writers(o options, _ []string, _ io.Reader, out io.Writer) error {
	if o.writers < 1 {
		return fmt.Errorf("%d writers cannot write; give -writers 1 or more", o.writers)
	}
	store, err := flagstage.OpenStore(o.path, flagstage.Durability(o.durability))
	if err != nil {
		return err
	}
	return errors.Join(writeAll(store, o, out), store.Close())
}

var errStopped = errors.New("another writer stopped")

// writeAll lets all writers write until one fails.
func writeAll(store *flagstage.FileStore, o options, out io.Writer) error {
	var (
		wait    sync.WaitGroup
		print   sync.Mutex
		stopped atomic.Bool
		lasts   = make([]last, o.writers)
		errs    = make([]error, o.writers)
	)
	say := func(words ...any) error {
		print.Lock()
		defer print.Unlock()
		_, err := fmt.Fprintln(out, words...) // one write for each line
		return err
	}
	if err := say("looked"); err != nil {
		return err
	}
	for w := range lasts {
		var err error
		if lasts[w], err = lastOf(store, w); err != nil {
			return err
		}
		if err := say("seen", w, lasts[w].n, lasts[w].revision); err != nil {
			return err
		}
	}
	if err := say("open"); err != nil {
		return err
	}
	for w := range o.writers {
		wait.Go(func() {
			defer stopped.Store(true)
			random := rand.New(rand.NewPCG(o.seed, uint64(w)))
			errs[w] = keepWriting(store, w, lasts[w], func(done last) error {
				if err := say("ack", w, done.n, done.revision); err != nil {
					return err
				}
				if stopped.Load() {
					return errStopped
				}
				if w > 0 || !o.compact || random.IntN(compactEvery) > 0 {
					return nil
				}
				if err := store.Compact(context.Background(), nil); err != nil {
					return err
				}
				return say("compacted")
			})
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// last is the last transaction of a writer: its number, and its revision in
// the store.
type last struct {
	n        int
	revision int64
}

// lastOf returns the last transaction of a writer that is in a store.
func lastOf(store flagstage.Store, writer int) (last, error) {
	head, err := store.Get(context.Background(), headKey(writer))
	if err != nil || head.Revision == 0 {
		return last{}, err
	}
	return headOf(head)
}

// headOf reads a head.
func headOf(head flagstage.Record) (last, error) {
	n, err := strconv.Atoi(string(head.Value))
	if err != nil {
		err = fmt.Errorf("the record at %s is not a number: %w", head.Key, err)
	}
	return last{n, head.Revision}, err
}

// keepWriting commits the transactions of a writer from the last one on, until
// a commit or next fails.
func keepWriting(store flagstage.Store, writer int, done last, next func(done last) error) error {
	for {
		txn := transaction(writer, done.n+1, done.revision)
		revision, err := store.Commit(context.Background(), txn)
		if err != nil {
			return fmt.Errorf("writer %d, transaction %d: %w", writer, done.n+1, err)
		}
		done = last{done.n + 1, revision}
		if err := next(done); err != nil {
			return err
		}
	}
}
