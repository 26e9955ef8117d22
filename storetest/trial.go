package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
)

// trial is a store under test beside a model of it. Its methods call the
// store, compare what comes back with what the model says, and end the test
// where they differ.
type trial struct {
	rapid.TB
	suite   *suite
	path    string
	store   flagstage.Store // nil until it is opened
	model   *Model
	history *history
	when    string // begins messages: what was done before everything is looked at
}

// forever is an instant at which all wakes are due.
var forever = time.Date(9999, 12, 31, 23, 59, 59, int(999*time.Millisecond), time.UTC)

func newTrial(tb rapid.TB, s *suite, path string) *trial {
	return &trial{TB: tb, suite: s, path: path, model: NewModel(), history: &history{}}
}

func (t *trial) ctx() context.Context { return context.Background() }

// start opens the store.
func (t *trial) start() {
	store, err := t.suite.open(t.path)
	if err != nil {
		t.Fatalf("Open returned %v", err)
	}
	t.store = observed{store, t.history}
}

// end closes the store, if it is open.
func (t *trial) end() {
	store := t.store
	if store == nil {
		return
	}
	t.store = nil
	if err := store.Close(); err != nil {
		t.Errorf("Close returned %v", err)
	}
}

// reopen closes the store and opens it again, if it keeps anything.
func (t *trial) reopen() {
	if !t.suite.keeps() {
		return
	}
	t.end()
	t.history.note("reopen")
	t.start()
}

// attempt commits a transaction, which must do what it does to the model, and
// returns the error.
func (t *trial) attempt(txn flagstage.Txn) (int64, error) {
	want := t.model.judge(txn)
	revision, err := t.store.Commit(t.ctx(), txn)
	switch {
	case want == nil && err != nil:
		t.Fatalf("Commit(%s) returned %v; it must be done", showTxn(txn), err)
	case want == nil && revision <= t.model.revision:
		t.Fatalf("Commit(%s) returned revision %d after %d; revisions must be above 0, grow across the whole store and never be used again",
			showTxn(txn), revision, t.model.revision)
	case want == nil:
		t.model.apply(txn, revision)
	case err == nil:
		t.Fatalf("Commit(%s) was done; it must be refused: %v", showTxn(txn), want)
	case errors.Is(want, flagstage.ErrTxn) && !errors.Is(err, flagstage.ErrTxn):
		t.Fatalf("Commit(%s) returned %q, which must wrap ErrTxn: %v", showTxn(txn), err, want)
	case errors.Is(want, flagstage.ErrConflict) && !errors.Is(err, flagstage.ErrConflict):
		t.Fatalf("Commit(%s) returned %q, which must wrap ErrConflict: %v", showTxn(txn), err, want)
	}
	return revision, err
}

// commit commits a transaction that must be done.
func (t *trial) commit(txn flagstage.Txn) int64 {
	t.Helper()
	revision, err := t.attempt(txn)
	if err != nil {
		t.Fatalf("the test itself is wrong: %v", err)
	}
	return revision
}

// refuse commits a transaction that must be refused, and looks that nothing
// has changed.
func (t *trial) refuse(target error, txn flagstage.Txn) {
	t.Helper()
	if _, err := t.attempt(txn); !errors.Is(err, target) {
		t.Fatalf("the test itself is wrong: %v", err)
	}
	t.same("after a refused Commit")
}

// put writes one record without a wake.
func (t *trial) put(key, value string) int64 {
	t.Helper()
	return t.commit(flagstage.Txn{Put: []flagstage.Record{record(key, value)}})
}

// get gets a record.
func (t *trial) get(key string) flagstage.Record {
	got, err := t.store.Get(t.ctx(), key)
	if err != nil && strings.HasPrefix(key, "\x00") {
		return flagstage.Record{} // it may be refused
	}
	if err != nil {
		t.Fatalf("%sGet(%s) returned %v", t.when, quote(key), err)
	}
	want := t.model.get(key)
	if want.Revision == 0 && got.Key == "" {
		got.Key = key // the key of no record is not asked
	}
	if !equal(got, want) {
		t.Fatalf("%sGet(%s) returned %s; want %s", t.when, quote(key), showGot(got), showGot(want))
	}
	return got
}

// scan scans a prefix.
func (t *trial) scan(prefix string) []flagstage.Record {
	got := t.collect("Scan("+quote(prefix)+")", t.store.Scan(t.ctx(), prefix))
	t.compare("Scan("+quote(prefix)+")", got, t.model.scan(prefix))
	return got
}

// due lists what is due.
func (t *trial) due(until time.Time) []flagstage.Record {
	got := t.collect("Due("+showTime(until)+")", t.store.Due(t.ctx(), until))
	t.compare("Due("+showTime(until)+")", got, t.model.due(until))
	return got
}

// same looks at everything in the store, in every way.
func (t *trial) same(when string) {
	t.Helper()
	t.history.note("-- " + when)
	t.when = when + ", "
	defer func() { t.when = "" }()
	t.scan("")
	t.due(forever)
	for _, r := range t.model.scan("") {
		t.get(r.Key)
	}
}

// collect returns all records of an iteration.
func (t *trial) collect(call string, seq iter.Seq2[flagstage.Record, error]) []flagstage.Record {
	records, err := t.drain(call, seq)
	if err != nil {
		t.Fatalf("%s%s yielded the error %v", t.when, call, err)
	}
	return records
}

// drain returns all records of an iteration, and the error that ended it.
func (t *trial) drain(call string, seq iter.Seq2[flagstage.Record, error]) (records []flagstage.Record, end error) {
	for r, err := range seq {
		switch {
		case end != nil:
			t.Fatalf("%s went on after it had yielded the error %v", call, end)
		case err != nil:
			end = err
		default:
			records = append(records, r)
		}
	}
	return records, end
}

// compare ends the test at the first difference of two lists of records.
func (t *trial) compare(call string, got, want []flagstage.Record) {
	if d := difference(got, want); d != "" {
		t.Fatalf("%s%s %s", t.when, call, d)
	}
}

// difference says in what one list differs from another, or returns "".
func difference(got, want []flagstage.Record) string {
	at := 0
	for at < len(got) && at < len(want) && equal(got[at], want[at]) {
		at++
	}
	if at == len(got) && at == len(want) {
		return ""
	}
	find := func(list []flagstage.Record, key string) int {
		for i, r := range list {
			if r.Key == key {
				return i
			}
		}
		return -1
	}
	if at < len(got) {
		r := got[at]
		wanted := find(want, r.Key)
		switch {
		case wanted < 0:
			return fmt.Sprintf("yielded %s, which is not to be there", showRecord(r))
		case !equal(r, want[wanted]):
			return fmt.Sprintf("yielded %s; want %s", showRecord(r), showRecord(want[wanted]))
		case wanted < at:
			return fmt.Sprintf("yielded %s twice", showRecord(r))
		}
		if lost := find(got, want[at].Key); lost >= 0 {
			return fmt.Sprintf("yielded %s before %s: out of order", showRecord(r), showRecord(want[at]))
		}
	}
	return fmt.Sprintf("did not yield %s", showRecord(want[at]))
}

// equal tells whether two records are the same. No value and an empty one are.
func equal(a, b flagstage.Record) bool {
	return a.Key == b.Key && bytes.Equal(a.Value, b.Value) && a.Revision == b.Revision &&
		a.Wake.IsZero() == b.Wake.IsZero() && a.Wake.Equal(b.Wake)
}

// record returns a record to be put.
func record(key, value string) flagstage.Record {
	return flagstage.Record{Key: key, Value: []byte(value)}
}

// waking returns a record to be put that wakes at an instant.
func waking(key string, at time.Time) flagstage.Record {
	return flagstage.Record{Key: key, Value: []byte("wakes"), Wake: at}
}

// fill writes n records with keys in order and a wake, and returns them.
func (t *trial) fill(n int) []flagstage.Record {
	var records []flagstage.Record
	for i := range n {
		// Wakes go up and down, several at each instant.
		records = append(records, waking(fmt.Sprintf("many/%06d", i), time.UnixMilli(int64(i*7919%n/3))))
	}
	for rest := records; len(rest) > 0; rest = rest[min(len(rest), flagstage.MaxTxnOps):] {
		t.commit(flagstage.Txn{Put: rest[:min(len(rest), flagstage.MaxTxnOps)]})
	}
	return records
}

// parallel runs n goroutines and waits for them. It ends the test when one of
// them has failed it.
func (t *trial) parallel(n int, work func(worker int)) {
	var wait sync.WaitGroup
	for worker := range n {
		wait.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v\n%s", p, debug.Stack())
				}
			}()
			work(worker)
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
}
