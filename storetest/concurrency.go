package storetest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/flagstage/flagstage"
)

// neverTorn writes the same value at two keys in each transaction, and reads
// them meanwhile. The keys are neighbours in every order.
func neverTorn(t *trial) {
	const writers, readers, commits = 2, 2, 150
	const left, right = "pair/left", "pair/right"
	var writing atomic.Int64
	writing.Store(writers)
	t.parallel(writers+readers, func(worker int) {
		if worker < writers {
			defer writing.Add(-1)
			for i := range commits {
				value := fmt.Appendf(nil, "writer %d, commit %d", worker, i)
				txn := flagstage.Txn{Put: []flagstage.Record{{Key: left, Value: value, Wake: forever}, {Key: right, Value: value, Wake: forever}}}
				if i%10 == 9 {
					txn = flagstage.Txn{Delete: []string{left, right}}
				}
				if _, err := t.store.Commit(t.ctx(), txn); err != nil {
					t.Fatalf("Commit(%s) returned %v; it must be done", showTxn(txn), err)
				}
			}
			return
		}
		for last := int64(0); writing.Load() > 0; {
			for _, call := range []string{"Scan", "Due"} {
				seq := t.store.Scan(t.ctx(), "pair/")
				if call == "Due" {
					seq = t.store.Due(t.ctx(), forever)
				}
				pair := t.collect(call, seq)
				switch {
				case len(pair) == 0:
					continue
				case len(pair) != 2 || pair[0].Revision != pair[1].Revision || !bytes.Equal(pair[0].Value, pair[1].Value):
					t.Fatalf("%s saw a transaction half done: it yielded %s", call, showRecords(pair))
				case pair[0].Revision < last:
					t.Fatalf("%s yielded revision %d although revision %d was seen before: it went back in time", call, pair[0].Revision, last)
				}
				last = pair[0].Revision
			}
			// Whoever has seen one half sees the other, or a later one.
			a, errA := t.store.Get(t.ctx(), left)
			b, errB := t.store.Get(t.ctx(), right)
			if err := errors.Join(errA, errB); err != nil {
				t.Fatalf("Get returned %v", err)
			}
			if b.Revision != 0 && b.Revision < a.Revision {
				t.Fatalf("Get saw a transaction half done: %s and then %s", showGot(a), showGot(b))
			}
		}
	})
}

// call is one call of many that overlap. It took place at some moment between
// its begin and end, which are numbers of a common count.
type call struct {
	text       string
	begin, end int64
	revision   int64 // of a commit that was done, else 0
	txn        flagstage.Txn
	record     flagstage.Record // that Get returned; the zero record: it is a commit
}

func linearizable(t *trial) {
	const workers, rounds = 4, 100
	keys := []string{"a", "b", "c"}
	var count atomic.Int64
	var mu sync.Mutex
	var calls []call
	t.parallel(workers, func(worker int) {
		random := rand.New(rand.NewPCG(1, uint64(worker)))
		get := func(key string) flagstage.Record {
			c := call{begin: count.Add(1)}
			r, err := t.store.Get(t.ctx(), key)
			c.end = count.Add(1)
			if err != nil {
				t.Fatalf("Get(%s) returned %v", quote(key), err)
			}
			r.Key = key // which that of no record need not be
			c.record, c.text = r, fmt.Sprintf("worker %d: get %s = %s", worker, quote(key), showGot(r))
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, c)
			return r
		}
		commit := func(txn flagstage.Txn) {
			c := call{txn: txn, begin: count.Add(1)}
			revision, err := t.store.Commit(t.ctx(), txn)
			c.end = count.Add(1)
			c.text = fmt.Sprintf("worker %d: commit %s", worker, showTxn(txn))
			switch {
			case err == nil && revision <= 0:
				t.Fatalf("%s returned revision %d; revisions are above 0", c.text, revision)
			case err == nil:
				c.revision = revision
				c.text += fmt.Sprintf(" = %d", revision)
			case errors.Is(err, flagstage.ErrConflict):
				c.text += " = conflict"
			default:
				t.Fatalf("%s returned %v; it is either done or a conflict", c.text, err)
			}
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, c)
		}
		for round := range rounds {
			// Read one or two records, and change one if none has changed
			// since; now and then without looking.
			var txn flagstage.Txn
			picked := random.Perm(len(keys))[:1+random.IntN(2)]
			for _, i := range picked {
				txn.If = append(txn.If, flagstage.Check{Key: keys[i], Revision: get(keys[i]).Revision})
			}
			runtime.Gosched()
			if random.IntN(5) == 0 {
				txn.If = nil
			}
			if target := keys[picked[0]]; random.IntN(5) == 0 {
				txn.Delete = []string{target}
			} else {
				txn.Put = []flagstage.Record{record(target, fmt.Sprintf("worker %d, round %d", worker, round))}
			}
			commit(txn)
		}
	})
	final, err := checkLinearizable(calls)
	if err != nil {
		t.Fatalf("calls are not linearizable: %v", err)
	}
	t.model = final
	t.same("after commits of several workers, replayed in the order of their revisions")
	t.reopen()
	t.same("after reopening")
}

// checkLinearizable says what cannot be of calls that overlapped: their
// effects must be those of doing one after the other, each somewhere between
// its begin and its end. The commits that were done tell the order themselves,
// by their revisions. It returns what they come to.
func checkLinearizable(calls []call) (*Model, error) {
	var done []call
	for _, c := range calls {
		if c.revision != 0 {
			done = append(done, c)
		}
	}
	slices.SortFunc(done, func(a, b call) int { return cmp.Compare(a.revision, b.revision) })

	// states[i] is what the store holds after i commits.
	m := NewModel()
	states := []*Model{{records: map[string]flagstage.Record{}}}
	for i, c := range done {
		if i > 0 && done[i-1].revision == c.revision {
			return nil, fmt.Errorf("revision %d was used twice:\n  %s\n  %s", c.revision, done[i-1].text, c.text)
		}
		for _, later := range done[i+1:] {
			if later.end < c.begin {
				return nil, fmt.Errorf("revisions do not grow: the first of these had returned when the second began:\n  %s\n  %s", later.text, c.text)
			}
		}
		if err := m.judge(c.txn); err != nil {
			return nil, fmt.Errorf("%s: it was done although its check fails in the order of revisions: %w", c.text, err)
		}
		m.apply(c.txn, c.revision)
		states = append(states, &Model{records: maps.Clone(m.records), revision: m.revision})
	}

	for _, c := range calls {
		if c.revision != 0 {
			continue
		}
		// It took place after all that had ended before it began, and before
		// all that began after it had ended.
		first, last := 0, 0
		for i, d := range done {
			if d.end < c.begin {
				first = i + 1
			}
			if d.begin < c.end {
				last = i + 1
			}
		}
		if !slices.ContainsFunc(states[first:max(first, last)+1], c.explainedBy) {
			return nil, fmt.Errorf("%s: nothing that the store can have held from commit %d to %d explains it",
				c.text, states[first].revision, states[max(first, last)].revision)
		}
	}
	return m, nil
}

// explainedBy tells whether a call that changed nothing does that in a state.
func (c call) explainedBy(state *Model) bool {
	if c.record.Key != "" {
		return equal(c.record, state.get(c.record.Key))
	}
	return state.judge(c.txn) != nil
}

// closingUnderLoad closes the store while transactions are under way.
func closingUnderLoad(t *trial) {
	const workers, enough, tooMany = 4, 20, 100_000
	var acknowledged, closed atomic.Int64
	var mu sync.Mutex
	done, unknown := map[string]int64{}, map[string]bool{}
	store := t.store
	t.store = nil
	t.parallel(workers+1, func(worker int) {
		if worker == workers {
			for acknowledged.Load() < enough && !t.Failed() {
				runtime.Gosched()
			}
			if err := store.Close(); err != nil {
				t.Fatalf("Close returned %v", err)
			}
			closed.Store(1)
			return
		}
		for i := range tooMany {
			key := fmt.Sprintf("worker %d/%06d", worker, i)
			late := closed.Load() == 1
			revision, err := store.Commit(t.ctx(), flagstage.Txn{Put: []flagstage.Record{record(key, key)}})
			mu.Lock()
			switch {
			case err == nil:
				done[key] = revision
				acknowledged.Add(1)
			case errors.Is(err, flagstage.ErrUnknownOutcome):
				unknown[key] = true
			}
			mu.Unlock()
			switch {
			case err == nil && late:
				t.Fatalf("Commit after Close was done")
			case err != nil && !errors.Is(err, flagstage.ErrClosed) && !errors.Is(err, flagstage.ErrUnknownOutcome):
				t.Fatalf("Commit while the store was closed returned %v; want %q", err, flagstage.ErrClosed)
			case err != nil:
				return
			}
		}
	})
	if !t.suite.keeps() {
		return
	}
	t.start()
	for _, r := range t.collect("Scan", t.store.Scan(t.ctx(), "")) {
		if revision, ok := done[r.Key]; ok && revision != r.Revision {
			t.Fatalf("Commit returned revision %d for %s", revision, showRecord(r))
		} else if !ok && !unknown[r.Key] {
			t.Fatalf("%s is there although its Commit returned %q", showRecord(r), flagstage.ErrClosed)
		}
		delete(done, r.Key)
	}
	for _, key := range slices.Sorted(maps.Keys(done)) {
		t.Fatalf("%s was acknowledged with revision %d while the store was closed, and is lost", quote(key), done[key])
	}
}
