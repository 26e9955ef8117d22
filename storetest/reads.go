package storetest

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/flagstage/flagstage"
)

// hostileKeys are keys that a store may take for something else: an end of
// text, a pattern, a command, a path.
func hostileKeys() []string {
	keys := []string{
		" ", " a", "a ", "a b", "\n", "a\nb", "\r\n$3", "$3\r\nset\r\n", "*3\r\n$3\r\nset\r\n$1\r\na\r\n$1\r\nb\r\n",
		"*", "?", "[", "]", "\\", "a*", "a?", "a[b]", "a\\", "a\\*", "a*b", "**", "%", "a%", "_", "^", "$", ".", ".*", "(", "|",
		"a", "ab", "abc", "b", "A", "ä", "a\u0308", "\u2028", "日本",
		"\xff", "\xff\xff", "\xff\xff\x01", "\xff\xff\xff", "a\xff", "a\xff\xff", "a\xffb", "\xfe", "\xc3\x28", "\xed\xa0\x80", "\x80",
		"a\x00", "a\x00b", "a\x01", "\x01", "\x7f",
		"../a", "/", "a/", "a/b", "a/b/c", "'", "\"", "';--", "{}", "null", "true", "0",
	}
	for b := 1; b < 256; b++ {
		keys = append(keys, "byte/"+string([]byte{byte(b)}))
	}
	return append(keys, "byte/\x00")
}

func anyKeys(t *trial) {
	keys := hostileKeys()
	for rest := keys; len(rest) > 0; rest = rest[min(len(rest), flagstage.MaxTxnOps):] {
		var txn flagstage.Txn
		for _, key := range rest[:min(len(rest), flagstage.MaxTxnOps)] {
			txn.Put = append(txn.Put, waking(key, time.UnixMilli(7)))
		}
		t.commit(txn)
	}
	t.same("after writing keys of any bytes")
	for i, key := range keys {
		if i%2 == 0 {
			t.commit(flagstage.Txn{Delete: []string{key}})
		}
	}
	t.same("after deleting every other key")
	t.reopen()
	t.same("after reopening")
}

func anyValues(t *trial) {
	every := make([]byte, 256)
	for b := range every {
		every[b] = byte(b)
		t.commit(flagstage.Txn{Put: []flagstage.Record{{Key: fmt.Sprintf("byte/%02x", b), Value: []byte{byte(b)}}}})
	}
	values := [][]byte{
		nil, {}, every, []byte(strings.Repeat(string(every), 1000)),
		[]byte("\r\n$3\r\nset\r\n"), []byte("{\"a\": 1}"), []byte("\xff\xfe not UTF-8 \xc3\x28"), make([]byte, 1<<16),
	}
	for i, value := range values {
		t.commit(flagstage.Txn{Put: []flagstage.Record{{Key: fmt.Sprintf("value/%d", i), Value: value}}})
	}
	t.same("after writing values of any bytes")
	t.reopen()
	t.same("after reopening")
}

func prefixes(t *trial) {
	keys := hostileKeys()[:70]
	txn := flagstage.Txn{}
	for _, key := range keys {
		txn.Put = append(txn.Put, record(key, ""))
	}
	t.commit(txn)
	for _, key := range keys {
		t.scan(key)
		t.scan(key + "\xff")
		t.scan(key + "*")
		t.scan(key[:len(key)-1])
	}
	t.scan(strings.Repeat("\xff", 2*flagstage.MaxStoreKey))
}

func wakesKept(t *trial) {
	instants := []time.Time{
		time.UnixMilli(0), time.UnixMilli(1), time.UnixMilli(999), time.UnixMilli(1000),
		time.Date(2026, 3, 29, 2, 30, 0, 0, time.FixedZone("", 3600)),
		time.Date(2262, 4, 12, 0, 0, 0, 0, time.UTC), // more nanoseconds than an int64 counts
		forever.Add(-time.Millisecond), forever,
	}
	txn := flagstage.Txn{Put: []flagstage.Record{{Key: "never"}}}
	for i, at := range instants {
		txn.Put = append(txn.Put, waking(fmt.Sprint(i), at))
	}
	t.commit(txn)
	look := func() {
		t.same("with wakes from 1970 to 9999")
		for _, at := range instants {
			t.due(at)
			t.due(at.Add(-time.Nanosecond)) // not yet
			t.due(at.Add(time.Nanosecond))
			t.due(at.Add(time.Millisecond))
			t.due(at.In(time.FixedZone("", -5*3600)))
		}
		t.due(time.Time{})
		t.due(forever.AddDate(10000, 0, 0))
	}
	look()
	t.reopen()
	look()
}

func dueOrder(t *trial) {
	// Neither the keys' order nor that of writing is the wakes'.
	for _, r := range []struct {
		key  string
		wake int64
	}{{"m", 500}, {"a", 900}, {"z", 100}, {"c", 500}, {"\xff", 500}, {"b", 100}, {"n", 499}, {"c\xff", 500}, {"d", 10_000}, {"e", 2000}} {
		t.commit(flagstage.Txn{Put: []flagstage.Record{waking(r.key, time.UnixMilli(r.wake)), record("sleeps/"+r.key, "")}})
	}
	for _, until := range []int64{-1, 0, 99, 100, 101, 498, 499, 500, 900, 1999, 9999, 10_000} {
		t.due(time.UnixMilli(until))
	}
	// So far away that milliseconds overflow.
	t.due(time.Unix(1<<62, 0))
	t.due(time.Unix(-1<<62, 0))
	t.reopen()
	t.due(forever)
}

func dueFollows(t *trial) {
	at := time.UnixMilli
	t.commit(flagstage.Txn{Put: []flagstage.Record{waking("a", at(100)), waking("b", at(200)), waking("c", at(300)), record("d", "")}})
	for _, put := range []flagstage.Record{
		waking("a", at(400)), waking("c", at(50)), record("b", "sleeps"), waking("d", at(1)), waking("d", at(1)), waking("b", at(400)), record("a", ""),
	} {
		t.commit(flagstage.Txn{Put: []flagstage.Record{put}})
		t.due(forever)
		t.due(at(250))
	}
	t.commit(flagstage.Txn{Delete: []string{"d"}})
	t.due(forever)
	t.put("d", "a new record, which does not wake")
	t.due(forever)
	t.reopen()
	t.due(forever)
	t.commit(flagstage.Txn{Put: []flagstage.Record{waking("c", at(350))}})
	t.same("after changing a wake that was there when the store was opened")
}

// iterations are the two ways to read many records at once.
func (t *trial) iterations() []iteration {
	return []iteration{
		{"Scan", t.store.Scan(t.ctx(), "many/"), func() []flagstage.Record { return t.model.scan("many/") }},
		{"Due", t.store.Due(t.ctx(), forever), func() []flagstage.Record { return t.model.due(forever) }},
	}
}

type iteration struct {
	name string
	seq  iter.Seq2[flagstage.Record, error]
	want func() []flagstage.Record
}

func manyRecords(t *trial) {
	records := t.fill(3000)
	t.same("after writing 3000 records")
	t.scan("many/001")
	t.scan("many/00299")
	t.due(time.UnixMilli(500))
	var txn flagstage.Txn
	for i := 0; i < len(records); i += 30 {
		txn.Delete = append(txn.Delete, records[i].Key)
	}
	t.commit(txn)
	t.reopen()
	t.same("after deleting some of 3000 records")
}

func loopsLeft(t *trial) {
	t.fill(600)
	for _, after := range []int{1, 2, 63, 64, 255, 256, 257, 599, 600} {
		for _, it := range t.iterations() {
			var got []flagstage.Record
			for r, err := range it.seq {
				if err != nil {
					t.Fatalf("%s yielded the error %v", it.name, err)
				}
				if got = append(got, r); len(got) == after {
					break
				}
			}
			t.compare(it.name+", left early,", got, it.want()[:after])
		}
		t.put("other", fmt.Sprint(after)) // no loop has left a lock behind
	}
}

// loopsWrite changes, deletes and adds records behind its loops, where they
// are, and before them, but leaves every fifth alone.
func loopsWrite(t *trial) {
	const n = 600
	for which := range 2 {
		records := t.fill(n)
		it := t.iterations()[which]
		written := map[int64]bool{} // revisions
		for _, r := range it.want() {
			written[r.Revision] = true
		}
		times, yielded, last := map[string]int{}, 0, flagstage.Record{}
		for r, err := range it.seq {
			switch {
			case err != nil:
				t.Fatalf("%s yielded the error %v while its loop wrote", it.name, err)
			case !before(last, r, which == 1):
				t.Fatalf("%s yielded %s and then %s while its loop wrote: out of order", it.name, showRecord(last), showRecord(r))
			case !written[r.Revision]:
				t.Fatalf("%s yielded %s, which was never written", it.name, showRecord(r))
			}
			last = r
			times[r.Key]++
			if yielded++; yielded%20 != 3 {
				continue
			}
			here := slices.IndexFunc(records, func(other flagstage.Record) bool { return other.Key == r.Key })
			near := func(offset int) string {
				i := (max(here, 0) + offset + n) % n
				return records[i-i%5+1+i%4].Key
			}
			txn := flagstage.Txn{Delete: []string{near(-10), near(5)}}
			for _, put := range []flagstage.Record{
				waking(near(0), r.Wake.Add(time.Millisecond)), waking(near(70), r.Wake.Add(time.Second)),
				waking(near(0)+"+", r.Wake), waking(near(-70)+"+", time.UnixMilli(0)),
			} {
				if !slices.Contains(txn.Delete, put.Key) {
					txn.Put = append(txn.Put, put)
				}
			}
			written[t.commit(txn)] = true
		}
		for i := 0; i < n; i += 5 {
			if key := records[i].Key; times[key] != 1 {
				t.Fatalf("%s yielded %s %d times while its loop wrote other records; want once", it.name, quote(key), times[key])
			}
		}
		t.same("after a loop that writes")
	}
}

// before tells whether a record comes before another, by wake and key or by
// key alone. The zero record comes before all.
func before(a, b flagstage.Record, due bool) bool {
	if due && !a.Wake.Equal(b.Wake) {
		return a.Wake.Before(b.Wake)
	}
	return a.Key < b.Key
}

// wholeOr checks an iteration that was disturbed: it ends in the wanted error,
// or else it is complete.
func (t *trial) wholeOr(target error, name string, got []flagstage.Record, err error, want []flagstage.Record) {
	if err == nil {
		t.compare(name+", which ended without an error,", got, want)
		return
	}
	if !errors.Is(err, target) {
		t.Fatalf("%s yielded the error %v; it must wrap %q", name, err, target)
	}
	if len(got) > len(want) {
		t.Fatalf("%s yielded more records than there are", name)
	}
	t.compare(name, got, want[:len(got)])
}
