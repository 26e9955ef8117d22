package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/flagstage/flagstage"
)

func cancelledBefore(t *trial) {
	t.commit(flagstage.Txn{Put: []flagstage.Record{waking("a", time.UnixMilli(1))}})
	cancelled, cancel := context.WithCancel(t.ctx())
	cancel()
	late, cancelLate := context.WithDeadline(t.ctx(), time.Unix(0, 0))
	defer cancelLate()
	for _, ctx := range []context.Context{cancelled, late} {
		expect := func(call string, err error) {
			if !errors.Is(err, ctx.Err()) {
				t.Fatalf("%s with a context that is over returned %v; want %q", call, err, ctx.Err())
			}
		}
		_, err := t.store.Get(ctx, "a")
		expect("Get", err)
		records, err := t.drain("Scan", t.store.Scan(ctx, ""))
		expect("Scan", err)
		t.compare("Scan with a context that is over", records, nil)
		records, err = t.drain("Due", t.store.Due(ctx, forever))
		expect("Due", err)
		t.compare("Due with a context that is over", records, nil)
		_, err = t.store.Commit(ctx, flagstage.Txn{Put: []flagstage.Record{record("a", "late")}, Delete: []string{"b"}})
		expect("Commit", err)
		t.same("after calls with a context that is over")
	}
}

// countdown is a context that is cancelled when it is looked at for the n-th
// time, wherever in a call that is.
type countdown struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int64
}

func newCountdown(n int) *countdown {
	c := &countdown{}
	c.Context, c.cancel = context.WithCancel(context.Background())
	c.left.Store(int64(n))
	return c
}

func (c *countdown) look() {
	if c.left.Add(-1) < 0 {
		c.cancel()
	}
}

func (c *countdown) Err() error {
	c.look()
	return c.Context.Err()
}

func (c *countdown) Done() <-chan struct{} {
	c.look()
	return c.Context.Done()
}

// maxLooks is at how many looks a context is cancelled at most.
const maxLooks = 50

func cancelledOnTheWay(t *trial) {
	t.fill(600)
	for n := range maxLooks {
		ctx := newCountdown(n)
		txn := flagstage.Txn{Put: []flagstage.Record{record("a", fmt.Sprint(n)), record("b", fmt.Sprint(n))}}
		revision, err := t.store.Commit(ctx, txn)
		ctx.cancel()
		switch {
		case err == nil && revision <= t.model.revision:
			t.Fatalf("Commit returned revision %d after %d", revision, t.model.revision)
		case err == nil:
			t.model.apply(txn, revision)
		case !errors.Is(err, context.Canceled):
			t.Fatalf("Commit whose context was cancelled returned %v; want %q", err, context.Canceled)
		}
		// What returned an error is not written, what returned nil is.
		t.get("a")
		t.get("b")
		if ctx.left.Load() >= 0 {
			break
		}
	}
	for n := range maxLooks {
		ctx := newCountdown(n)
		records, err := t.drain("Scan", t.store.Scan(ctx, "many/"))
		t.wholeOr(context.Canceled, "Scan whose context was cancelled", records, err, t.model.scan("many/"))
		records, err = t.drain("Due", t.store.Due(ctx, forever))
		t.wholeOr(context.Canceled, "Due whose context was cancelled", records, err, t.model.due(forever))
		ctx.cancel()
	}
	for _, after := range []int{1, 100, 599} {
		for which := range 2 {
			ctx, cancel := context.WithCancel(t.ctx())
			name, seq, want := "Scan", t.store.Scan(ctx, "many/"), t.model.scan("many/")
			if which == 1 {
				name, seq, want = "Due", t.store.Due(ctx, forever), t.model.due(forever)
			}
			left := after
			records, err := t.drain(name, func(yield func(flagstage.Record, error) bool) {
				for r, err := range seq {
					if left--; left == 0 {
						cancel()
					}
					if !yield(r, err) {
						return
					}
				}
			})
			cancel()
			t.wholeOr(context.Canceled, name+" whose context was cancelled in its loop", records, err, want)
		}
	}
	t.same("after contexts were cancelled on the way")
}

func nothingShared(t *trial) {
	scribble := func(value []byte) {
		value = value[:cap(value)]
		for i := range value {
			value[i] = '!'
		}
	}
	given := append(make([]byte, 0, 64), "value"...)
	txn := flagstage.Txn{Put: []flagstage.Record{{Key: "a", Value: given, Wake: time.UnixMilli(1)}, record("b", "value")}, Delete: []string{"c"}}
	t.commit(txn)
	scribble(given)
	txn.Put[1], txn.Delete[0] = record("x", "not written"), "a"
	t.same("after changing the transaction that was given to Commit")
	scribble(t.get("a").Value)
	t.same("after changing the value that Get returned")
	for _, r := range t.scan("") {
		scribble(r.Value)
	}
	t.same("after changing the values that Scan yielded")
	for _, r := range t.due(forever) {
		scribble(r.Value)
	}
	t.same("after changing the values that Due yielded")
	// Nor do two records share memory: what is appended to one stays there.
	t.commit(flagstage.Txn{Put: []flagstage.Record{record("a", "1"), record("b", "2"), record("c", "3")}})
	records := t.scan("")
	for _, r := range records {
		_ = append(r.Value, '!')
	}
	t.compare("Scan, after appending to the values,", records, t.model.scan(""))
	// What was returned stays as it was, whatever is written later.
	got := t.get("a")
	t.put("a", "other")
	if string(got.Value) != "1" {
		t.Fatalf("a Commit changed the value that Get had returned to %q", got.Value)
	}
	t.reopen()
	t.same("after reopening")
}

func closing(t *trial) {
	t.fill(600)
	store := t.store
	var scan, due []flagstage.Record
	var scanErr, dueErr error
	wantScan, wantDue := t.model.scan("many/"), t.model.due(forever)
	early := store.Scan(t.ctx(), "many/")
	for r, err := range store.Scan(t.ctx(), "many/") {
		if err != nil {
			scanErr = err
			break
		}
		if scan = append(scan, r); len(scan) > 1 {
			continue
		}
		for r, err := range store.Due(t.ctx(), forever) {
			if err != nil {
				dueErr = err
				break
			}
			if due = append(due, r); len(due) == 1 {
				t.store = nil
				if err := store.Close(); err != nil {
					t.Fatalf("Close in a loop returned %v", err)
				}
			}
		}
	}
	t.wholeOr(flagstage.ErrClosed, "Scan whose store was closed in its loop", scan, scanErr, wantScan)
	t.wholeOr(flagstage.ErrClosed, "Due whose store was closed in its loop", due, dueErr, wantDue)
	if err := store.Close(); err != nil {
		t.Fatalf("the second Close returned %v; closing twice is no error", err)
	}

	expect := func(call string, err error) {
		if !errors.Is(err, flagstage.ErrClosed) {
			t.Fatalf("%s after Close returned %v; want %q", call, err, flagstage.ErrClosed)
		}
	}
	_, err := store.Get(t.ctx(), "a")
	expect("Get", err)
	_, err = store.Get(t.ctx(), "many/000000")
	expect("Get", err)
	_, err = store.Commit(t.ctx(), flagstage.Txn{Put: []flagstage.Record{record("a", "late")}})
	expect("Commit", err)
	_, err = store.Commit(t.ctx(), flagstage.Txn{})
	expect("Commit of nothing", err)
	_, err = t.drain("Scan", store.Scan(t.ctx(), ""))
	expect("Scan", err)
	_, err = t.drain("Due", store.Due(t.ctx(), forever))
	expect("Due", err)
	records, err := t.drain("Scan", early)
	t.wholeOr(flagstage.ErrClosed, "Scan called before Close", records, err, wantScan)

	if t.suite.keeps() {
		t.start()
		t.same("after reopening")
	}
}

func reopeningKeeps(t *trial) {
	t.reopen()
	t.same("after reopening an empty store")
	t.fill(300)
	t.commit(flagstage.Txn{Put: []flagstage.Record{
		{Key: "empty"}, record("large", strings.Repeat("x", 1<<20)), waking("a", time.UnixMilli(0)), waking("z", forever),
	}})
	for range 2 {
		t.reopen()
		t.same("after reopening")
	}
	t.commit(flagstage.Txn{Delete: []string{"a", "many/000000"}})
	t.reopen()
	t.same("after reopening")
	last := t.model.revision
	t.commit(flagstage.Txn{If: []flagstage.Check{{Key: "empty", Revision: t.get("empty").Revision}}, Delete: []string{"empty"}})
	t.reopen()
	t.refuse(flagstage.ErrConflict, flagstage.Txn{If: []flagstage.Check{{Key: "a", Revision: last}}})
	t.put("a", "again")
	t.same("after writing to a store that was reopened")
}
