package storetest

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/flagstage/flagstage"
)

func revisionsGrow(t *trial) {
	t.put("b", "1")
	t.put("a", "2")
	t.put("c", "3")
	t.commit(flagstage.Txn{Put: []flagstage.Record{record("d", "4"), record("a", "5")}})
	t.put("b", "6")
	t.same("after five commits")
}

func revisionsAfterDeleting(t *trial) {
	for range 3 {
		first := t.put("a", "one life")
		t.put("b", "another record")
		t.commit(flagstage.Txn{Delete: []string{"a", "b"}})
		t.reopen()
		t.put("a", "the next life")
		t.refuse(flagstage.ErrConflict, flagstage.Txn{
			If:  []flagstage.Check{{Key: "a", Revision: first}},
			Put: []flagstage.Record{record("a", "written by one who has seen the first life")},
		})
		t.commit(flagstage.Txn{Delete: []string{"a"}})
	}
}

func revisionsAfterRefusal(t *trial) {
	t.put("a", "1")
	for range 3 {
		t.refuse(flagstage.ErrConflict, flagstage.Txn{If: []flagstage.Check{{Key: "a"}}, Put: []flagstage.Record{record("a", "2")}})
		t.put("a", "3")
		t.refuse(flagstage.ErrTxn, flagstage.Txn{Delete: []string{""}})
		t.put("b", "4")
	}
	t.same("after commits and refusals in turn")
}

func revisionIgnored(t *trial) {
	for _, own := range []int64{1, 1000, -1, math.MaxInt64, math.MinInt64} {
		r := record("a", fmt.Sprint(own))
		r.Revision = own
		t.commit(flagstage.Txn{Put: []flagstage.Record{r}})
		t.same(fmt.Sprintf("after a Put whose own Revision is %d", own))
	}
}

func emptyTransactions(t *trial) {
	t.commit(flagstage.Txn{})
	seen := t.put("a", "1")
	t.commit(flagstage.Txn{If: []flagstage.Check{{Key: "a", Revision: seen}, {Key: "b"}}})
	t.commit(flagstage.Txn{Delete: []string{"absent"}})
	t.commit(flagstage.Txn{})
	t.reopen()
	t.put("b", "2")
	t.same("after transactions without writes")
}

func writesReplace(t *trial) {
	t.commit(flagstage.Txn{Put: []flagstage.Record{waking("a", time.UnixMilli(1000)), record("b", "stays")}})
	t.put("a", "no longer wakes")
	t.same("after a Put over a record")
	t.put("a", "")
	t.same("after a Put of an empty value over a record")
	t.commit(flagstage.Txn{Put: []flagstage.Record{waking("a", time.UnixMilli(2000))}})
	t.same("after a Put over an empty value")
	t.reopen()
	t.same("after reopening")
}

func deletingRemoves(t *trial) {
	t.commit(flagstage.Txn{Delete: []string{"absent"}})
	t.same("after deleting an absent key")
	t.get("absent")
	t.commit(flagstage.Txn{Put: []flagstage.Record{
		waking("a", time.UnixMilli(1000)), waking("b", time.UnixMilli(1000)), record("c", "sleeps"),
	}})
	t.commit(flagstage.Txn{Delete: []string{"a", "absent", "c"}})
	t.same("after deleting")
	t.get("a")
	t.reopen()
	t.same("after reopening")
	t.get("a")
	t.put("a", "again, without a wake")
	t.same("after writing a deleted key")
}

func checksHold(t *trial) {
	first := t.put("a", "1")
	second := t.put("a", "2")
	other := t.put("b", "3")
	put := []flagstage.Record{record("a", "4")}
	for _, checks := range [][]flagstage.Check{
		{{Key: "a"}},                               // it is there
		{{Key: "a", Revision: first}},              // it is newer
		{{Key: "a", Revision: other}},              // that is another record's
		{{Key: "a", Revision: other + 1}},          // that is still to come
		{{Key: "a", Revision: math.MaxInt64}},      // or never comes
		{{Key: "absent", Revision: first}},         // it is absent
		{{Key: "a", Revision: second}, {Key: "b"}}, // one of two holds
		{{Key: "b"}, {Key: "a", Revision: second}},
	} {
		t.refuse(flagstage.ErrConflict, flagstage.Txn{If: checks, Put: put})
	}
	t.commit(flagstage.Txn{If: []flagstage.Check{{Key: "a", Revision: second}, {Key: "b", Revision: other}, {Key: "absent"}}, Put: put})
	t.commit(flagstage.Txn{If: []flagstage.Check{{Key: "new"}}, Put: []flagstage.Record{record("new", "5")}})
	t.refuse(flagstage.ErrConflict, flagstage.Txn{If: []flagstage.Check{{Key: "new"}}, Put: []flagstage.Record{record("new", "6")}})
	t.commit(flagstage.Txn{Delete: []string{"b"}})
	t.refuse(flagstage.ErrConflict, flagstage.Txn{If: []flagstage.Check{{Key: "b", Revision: other}}, Put: put})
	t.commit(flagstage.Txn{If: []flagstage.Check{{Key: "b"}}, Put: []flagstage.Record{record("b", "7")}})
	t.commit(flagstage.Txn{If: []flagstage.Check{{Key: "b", Revision: t.model.revision}}, Delete: []string{"b"}})
	t.same("after checks")
}

func conflictWritesNothing(t *trial) {
	t.commit(flagstage.Txn{Put: []flagstage.Record{waking("a", time.UnixMilli(1)), waking("b", time.UnixMilli(2)), waking("d", time.UnixMilli(3))}})
	stale := flagstage.Check{Key: "z", Revision: 1000}
	for _, checks := range [][]flagstage.Check{
		{stale},
		{stale, {Key: "a", Revision: t.model.revision}},
		{{Key: "a", Revision: t.model.revision}, stale},
	} {
		t.refuse(flagstage.ErrConflict, flagstage.Txn{
			If:     checks,
			Put:    []flagstage.Record{waking("a", time.UnixMilli(4)), record("b", "changed"), record("c", "new"), record("z", "new")},
			Delete: []string{"d", "absent"},
		})
	}
	t.reopen()
	t.same("after reopening")
}

func keysStandOnce(t *trial) {
	t.put("a", "1")
	a, b := record("a", "2"), record("b", "2")
	seen := flagstage.Check{Key: "a", Revision: t.model.revision}
	for _, txn := range []flagstage.Txn{
		{If: []flagstage.Check{seen, seen}},
		{If: []flagstage.Check{seen, {Key: "b"}, {Key: "a"}}},
		{Put: []flagstage.Record{a, a}},
		{Put: []flagstage.Record{a, b, record("a", "3")}},
		{Delete: []string{"a", "b", "a"}},
		{Put: []flagstage.Record{b, a}, Delete: []string{"a"}},
	} {
		t.refuse(flagstage.ErrTxn, txn)
	}
	t.commit(flagstage.Txn{If: []flagstage.Check{seen, {Key: "b"}}, Put: []flagstage.Record{a}, Delete: []string{"b"}})
	t.same("after a transaction that checks what it writes")
}

func keysRefused(t *trial) {
	t.put("a", "1")
	for _, key := range []string{"", "\x00", "\x00a", "\x00\xff"} {
		t.refuse(flagstage.ErrTxn, flagstage.Txn{If: []flagstage.Check{{Key: key}}})
		t.refuse(flagstage.ErrTxn, flagstage.Txn{Put: []flagstage.Record{record(key, "2")}})
		t.refuse(flagstage.ErrTxn, flagstage.Txn{Put: []flagstage.Record{record("a", "2"), waking(key, time.UnixMilli(1))}})
		t.refuse(flagstage.ErrTxn, flagstage.Txn{Delete: []string{"a", key}})
		if key != "" {
			t.get(key)
		}
	}
	for r, err := range t.store.Scan(t.ctx(), "\x00") {
		if err == nil {
			t.Fatalf("Scan(%q) yielded %s, which is reserved for the store", "\x00", showRecord(r))
		}
	}
	t.refuse(flagstage.ErrTxn, flagstage.Txn{If: []flagstage.Check{{Key: "a", Revision: -1}}})
	t.refuse(flagstage.ErrTxn, flagstage.Txn{If: []flagstage.Check{{Key: "a"}}, Put: []flagstage.Record{record("\x00", "rules are judged before checks")}})
	for _, wake := range []time.Time{time.UnixMilli(-1), forever.Add(time.Millisecond)} {
		t.refuse(flagstage.ErrTxn, flagstage.Txn{Put: []flagstage.Record{waking("a", wake)}})
	}
}

func limits(t *trial) {
	const key, value, ops, size = flagstage.MaxStoreKey, flagstage.MaxStoreValue, flagstage.MaxTxnOps, flagstage.MaxTxnBytes
	keyed := func(length int) string { return strings.Repeat("k", length) }
	valued := func(key string, length int) flagstage.Record {
		return flagstage.Record{Key: key, Value: make([]byte, length)}
	}
	numbered := func(n int) (txn flagstage.Txn) {
		for i := range n {
			switch key := fmt.Sprintf("%03d", i); i % 3 {
			case 0:
				txn.If = append(txn.If, flagstage.Check{Key: key})
			case 1:
				txn.Put = append(txn.Put, record(key, ""))
			case 2:
				txn.Delete = append(txn.Delete, key)
			}
		}
		return txn
	}
	// sized is a transaction that counts so many bytes, some of each kind.
	sized := func(n int) flagstage.Txn {
		return flagstage.Txn{
			If:     []flagstage.Check{{Key: keyed(100)}},
			Put:    []flagstage.Record{valued("s", value), valued("t", n-value-100-1-1-200)},
			Delete: []string{keyed(200)},
		}
	}
	// The largest are tried first and removed again, so that no more than
	// needed is read whenever all is looked at.
	for _, limit := range []struct {
		fits, exceeds flagstage.Txn
	}{
		{flagstage.Txn{Put: []flagstage.Record{valued("v", value)}}, flagstage.Txn{Put: []flagstage.Record{valued("v", value+1)}}},
		{sized(size), sized(size + 1)},
		{flagstage.Txn{Delete: []string{"s", "t", "v"}}, flagstage.Txn{Delete: []string{keyed(key + 1)}}},
		{flagstage.Txn{If: []flagstage.Check{{Key: keyed(key)}}}, flagstage.Txn{If: []flagstage.Check{{Key: keyed(key + 1)}}}},
		{flagstage.Txn{Put: []flagstage.Record{record(keyed(key), "1")}}, flagstage.Txn{Put: []flagstage.Record{record(keyed(key+1), "1")}}},
		{flagstage.Txn{Delete: []string{keyed(key)}}, flagstage.Txn{Delete: []string{"s", keyed(key + 1)}}},
		{numbered(ops), numbered(ops + 1)},
	} {
		t.commit(limit.fits)
		t.same("after a transaction at a limit")
		t.refuse(flagstage.ErrTxn, limit.exceeds)
	}
}
