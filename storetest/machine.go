package storetest

import (
	"fmt"
	"os"
	"time"

	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
)

// randomCalls makes calls at random, and reopens the store between them if it
// keeps anything. rapid makes what fails short; its history is then the one
// that is shown.
func randomCalls(t *trial) {
	t.end()
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		t.history.clear()
		run := newTrial(r, t.suite, fmt.Sprintf("%s-%d", t.path, runs))
		run.history = t.history
		defer os.RemoveAll(run.path)
		defer run.end()
		run.start()
		actions := map[string]func(*rapid.T){
			"commit": func(r *rapid.T) { _, _ = run.attempt(run.drawTxn(r)) },
			"get":    func(r *rapid.T) { run.get(anyKey().Draw(r, "key")) },
			"scan":   func(r *rapid.T) { run.scan(anyPrefix().Draw(r, "prefix")) },
			"due":    func(r *rapid.T) { run.due(anyWake().Draw(r, "until")) },
			"":       func(*rapid.T) { run.scan(""); run.due(forever) },
		}
		if t.suite.keeps() {
			actions["reopen"] = func(*rapid.T) { run.reopen() }
		}
		r.Repeat(actions)
	})
}

// anyKey draws a key: mostly one of a few, so that calls meet.
func anyKey() *rapid.Generator[string] {
	few := rapid.SampledFrom([]string{"a", "a*", "a/", "a/1", "a/2", "a\xff", "a\xff\xff", "b", "b\n", "\xff", "\xff\xff"})
	return rapid.Custom(func(r *rapid.T) string {
		if rapid.IntRange(0, 15).Draw(r, "any bytes") == 15 {
			return string(rapid.SliceOfN(rapid.Byte(), 1, 4).Draw(r, "key"))
		}
		return few.Draw(r, "key")
	})
}

func anyPrefix() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom([]string{"", "a", "a/", "a\xff", "*"}), anyKey()).Filter(func(prefix string) bool {
		return prefix == "" || prefix[0] != 0
	})
}

// anyWake draws an instant, or none.
func anyWake() *rapid.Generator[time.Time] {
	at := time.UnixMilli
	return rapid.SampledFrom([]time.Time{{}, at(0), at(1), at(2), at(1000), at(1_700_000_000_000), forever})
}

// drawTxn draws a transaction, mostly one that can be done.
func (t *trial) drawTxn(r *rapid.T) (txn flagstage.Txn) {
	once := func(key string) string { return key }
	for _, key := range rapid.SliceOfNDistinct(anyKey(), 0, 3, once).Draw(r, "checks") {
		is := t.model.get(key).Revision
		revision := rapid.SampledFrom([]int64{is, is, is, is, 0, max(is-1, 0), is + 1, t.model.revision}).Draw(r, "revision")
		txn.If = append(txn.If, flagstage.Check{Key: key, Revision: revision})
	}
	for _, key := range rapid.SliceOfNDistinct(anyKey(), 0, 4, once).Draw(r, "writes") {
		if rapid.IntRange(0, 3).Draw(r, "delete") == 3 {
			txn.Delete = append(txn.Delete, key)
			continue
		}
		value := rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(r, "value")
		txn.Put = append(txn.Put, flagstage.Record{Key: key, Value: value, Wake: anyWake().Draw(r, "wake")})
	}
	if len(txn.Put) > 0 && rapid.IntRange(0, 30).Draw(r, "twice") == 30 {
		txn.Delete = append(txn.Delete, txn.Put[0].Key)
	}
	return txn
}
