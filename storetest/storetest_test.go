package storetest_test

import (
	"context"
	"errors"
	"flag"
	"iter"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/storetest"
)

func TestModelKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(string) (flagstage.Store, error) { return storetest.NewModel(), nil }, flagstage.DurabilityVolatile)
}

func TestStoreThatIsReopenedKeepsTheContract(t *testing.T) {
	storetest.Run(t, disk(plain), flagstage.DurabilityAlways)
}

// TestStoresMayReadInPages holds that the suite asks for no more than the
// contract says: a page need not hold more than two records.
func TestStoresMayReadInPages(t *testing.T) {
	inPagesOf := func(size int) storetest.Open {
		return disk(func(m *storetest.Model) flagstage.Store { return paged(m, size, afterLast) })
	}
	storetest.Run(t, inPagesOf(500), flagstage.DurabilityNever)
	for _, name := range []string{"loops may write", "transactions are never seen half done"} {
		require.Empty(t, storetest.Failure(t, name, inPagesOf(2), flagstage.DurabilityNever, time.Minute))
	}
}

func TestRunReopensOnlyWhatIsKept(t *testing.T) {
	volatile, always := storetest.Clauses(flagstage.DurabilityVolatile), storetest.Clauses(flagstage.DurabilityAlways)
	require.Subset(t, always, volatile)
	require.Contains(t, always, "reopening keeps everything")
	require.NotContains(t, volatile, "reopening keeps everything")
	for _, name := range volatile {
		opened := map[string]bool{}
		require.Empty(t, storetest.Failure(t, name, func(path string) (flagstage.Store, error) {
			require.False(t, opened[path], "%s: %s was opened twice", name, path)
			opened[path] = true
			return storetest.NewModel(), nil
		}, flagstage.DurabilityVolatile, time.Minute))
		require.NotEmpty(t, opened)
	}
}

// disk returns an Open whose stores keep their records when they are closed.
// Each is a model with something around it.
func disk(wrap func(*storetest.Model) flagstage.Store) storetest.Open {
	files := map[string]*storetest.Model{}
	return func(path string) (flagstage.Store, error) {
		m := storetest.NewModel()
		if kept := files[path]; kept != nil {
			m = kept.Reopened()
		}
		files[path] = m
		return wrap(m), nil
	}
}

func plain(m *storetest.Model) flagstage.Store { return m }

// A fault is a store that is wrong, the clause that must find it, and what it
// must say.
type fault struct {
	name   string
	plant  func(*storetest.Model) flagstage.Store
	clause string
	says   string
}

func TestRunFindsPlantedFaults(t *testing.T) {
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			patience := time.Minute
			if strings.HasPrefix(f.says, "deadlock") {
				patience = 50 * time.Millisecond
			}
			output := storetest.Failure(t, f.clause, disk(f.plant), flagstage.DurabilityAlways, patience)
			require.Contains(t, output, f.says)
			require.Contains(t, output, "history of calls:\n")
		})
	}
}

// TestRandomCallsFindFaults holds that the random calls alone find what needs
// no second goroutine, and show the history. How short it gets depends on how
// fast the machine shrinks it.
func TestRandomCallsFindFaults(t *testing.T) {
	expectFailures(t)
	for _, name := range []string{
		"delete is ignored", "revisions are used again after deleting", "Due is ordered by key", "a changed wake stays due",
		"a conflict writes partly", "reopening loses wakes",
	} {
		t.Run(name, func(t *testing.T) {
			all := faults()
			at := slices.IndexFunc(all, func(f fault) bool { return f.name == name })
			output := storetest.Failure(t, "random calls do as the model does", disk(all[at].plant), flagstage.DurabilityAlways, time.Minute)
			require.Contains(t, output, "To reproduce, specify")
			_, history, found := strings.Cut(output, "history of calls:\n")
			require.True(t, found, output)
			require.Contains(t, history, "  commit ")
		})
	}
}

// expectFailures makes rapid quick to fail, and leave no files behind.
func expectFailures(t *testing.T) {
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.shrinktime": "1s"} {
		before := flag.Lookup(name).Value.String()
		require.NoError(t, flag.Set(name, value))
		t.Cleanup(func() { flag.Set(name, before) })
	}
}

func TestOpenThatFailsIsSaid(t *testing.T) {
	output := storetest.Failure(t, "limits are kept", func(string) (flagstage.Store, error) {
		return nil, errors.New("no space left")
	}, flagstage.DurabilityAlways, time.Minute)
	require.Contains(t, output, "Open returned no space left")
}

func TestDeadlockShowsStacksAndTheCallThatHangs(t *testing.T) {
	output := storetest.Failure(t, "loops may write", disk(func(m *storetest.Model) flagstage.Store {
		var mu sync.Mutex
		return hooks{Store: m, commit: underLock(&mu, m), each: eachUnderLock(&mu)}
	}), flagstage.DurabilityAlways, time.Second)
	require.Contains(t, output, "underLock", "the stack of the Commit that waits")
	require.Regexp(t, `(?m)^  commit .* has not returned$`, output)
	require.Regexp(t, `(?m)^  scan "many/", "many/000000"@1 .* has not returned$`, output)
}

// hooks is a store some of whose methods are replaced. each is put around the
// sequences of Scan and Due.
type hooks struct {
	flagstage.Store
	get    func(ctx context.Context, key string) (flagstage.Record, error)
	scan   func(ctx context.Context, prefix string) seq
	due    func(ctx context.Context, until time.Time) seq
	each   func(ctx context.Context, records seq) seq
	commit func(ctx context.Context, txn flagstage.Txn) (int64, error)
	close  func() error
}

type seq = iter.Seq2[flagstage.Record, error]

func (h hooks) Get(ctx context.Context, key string) (flagstage.Record, error) {
	if h.get != nil {
		return h.get(ctx, key)
	}
	return h.Store.Get(ctx, key)
}

func (h hooks) Scan(ctx context.Context, prefix string) seq {
	records := h.Store.Scan(ctx, prefix)
	if h.scan != nil {
		records = h.scan(ctx, prefix)
	}
	if h.each != nil {
		records = h.each(ctx, records)
	}
	return records
}

func (h hooks) Due(ctx context.Context, until time.Time) seq {
	records := h.Store.Due(ctx, until)
	if h.due != nil {
		records = h.due(ctx, until)
	}
	if h.each != nil {
		records = h.each(ctx, records)
	}
	return records
}

func (h hooks) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	if h.commit != nil {
		return h.commit(ctx, txn)
	}
	return h.Store.Commit(ctx, txn)
}

func (h hooks) Close() error {
	if h.close != nil {
		return h.close()
	}
	return h.Store.Close()
}

type commitFunc = func(context.Context, flagstage.Txn) (int64, error)

// underLock returns a Commit that takes a lock.
func underLock(mu *sync.Mutex, m *storetest.Model) commitFunc {
	return func(ctx context.Context, txn flagstage.Txn) (int64, error) {
		mu.Lock()
		defer mu.Unlock()
		return m.Commit(ctx, txn)
	}
}

// eachUnderLock makes iterations hold a lock while they yield.
func eachUnderLock(mu *sync.Mutex) func(context.Context, seq) seq {
	return func(_ context.Context, records seq) seq {
		return func(yield func(flagstage.Record, error) bool) {
			mu.Lock()
			defer mu.Unlock()
			records(yield)
		}
	}
}

// next tells where the page after one ends that was read, and offset records
// ago the iteration began.
type next func(all, page []flagstage.Record, offset int, due bool) int

// afterLast goes on behind the last record.
func afterLast(all, page []flagstage.Record, _ int, due bool) int {
	last := page[len(page)-1]
	return max(0, slices.IndexFunc(append(all, flagstage.Record{Key: "\xff\xff\xff\xff\xff", Wake: farAway}), func(r flagstage.Record) bool {
		if due && !r.Wake.Equal(last.Wake) {
			return r.Wake.After(last.Wake)
		}
		return r.Key > last.Key
	}))
}

var farAway = time.UnixMilli(1 << 50)

// atLast goes on with the last record once more.
func atLast(all, page []flagstage.Record, offset int, due bool) int {
	at := afterLast(all, page, offset, due)
	if at > 0 && at < len(all) {
		at--
	}
	return at
}

// byOffset counts records, whatever has happened to those before.
func byOffset(_, _ []flagstage.Record, offset int, _ bool) int { return offset }

// paged returns a store whose iterations read so many records at a time.
func paged(m *storetest.Model, size int, goOn next) flagstage.Store {
	pages := func(read func() seq, due bool) seq {
		return func(yield func(flagstage.Record, error) bool) {
			var page []flagstage.Record
			for offset := 0; ; {
				var all []flagstage.Record
				for r, err := range read() {
					if err != nil {
						yield(r, err)
						return
					}
					all = append(all, r)
				}
				if len(page) > 0 {
					all = all[min(goOn(all, page, offset, due), len(all)):]
				}
				if len(all) == 0 {
					return
				}
				page = all[:min(size, len(all))]
				offset += len(page)
				for _, r := range page {
					if !yield(r, nil) {
						return
					}
				}
			}
		}
	}
	return hooks{
		Store: m,
		scan: func(ctx context.Context, prefix string) seq {
			return pages(func() seq { return m.Scan(ctx, prefix) }, false)
		},
		due: func(ctx context.Context, until time.Time) seq {
			return pages(func() seq { return m.Due(ctx, until) }, true)
		},
	}
}

// list yields records.
func list(records []flagstage.Record) seq {
	return func(yield func(flagstage.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// collected returns what a sequence yields before an error.
func collected(records seq) (all []flagstage.Record) {
	for r, err := range records {
		if err == nil {
			all = append(all, r)
		}
	}
	return all
}

// committing is a store whose Commit is replaced. It is given no context.
func committing(f func(m *storetest.Model, txn flagstage.Txn) (int64, error)) func(*storetest.Model) flagstage.Store {
	return func(m *storetest.Model) flagstage.Store {
		return hooks{Store: m, commit: func(_ context.Context, txn flagstage.Txn) (int64, error) { return f(m, txn) }}
	}
}

// rewriting is a store that commits something else than it is given.
func rewriting(change func(m *storetest.Model, txn *flagstage.Txn)) func(*storetest.Model) flagstage.Store {
	return committing(func(m *storetest.Model, txn flagstage.Txn) (int64, error) {
		txn = flagstage.Txn{If: slices.Clone(txn.If), Put: slices.Clone(txn.Put), Delete: slices.Clone(txn.Delete)}
		change(m, &txn)
		return m.Commit(context.Background(), txn)
	})
}

// putting is a store that changes each record that it is to write.
func putting(change func(*flagstage.Record)) func(*storetest.Model) flagstage.Store {
	return rewriting(func(_ *storetest.Model, txn *flagstage.Txn) {
		for i := range txn.Put {
			change(&txn.Put[i])
		}
	})
}

// numbering is a store that gives commits other revisions.
func numbering(revision func(m *storetest.Model, txn flagstage.Txn) int64) func(*storetest.Model) flagstage.Store {
	return committing(func(m *storetest.Model, txn flagstage.Txn) (int64, error) {
		if err := m.Judge(txn); err != nil {
			return 0, err
		}
		n := revision(m, txn)
		m.Apply(txn, n)
		return n, nil
	})
}

// forgiving is a store that does what it must refuse with a certain message.
func forgiving(message string) func(*storetest.Model) flagstage.Store {
	return committing(func(m *storetest.Model, txn flagstage.Txn) (int64, error) {
		if err := m.Judge(txn); err != nil && !strings.Contains(err.Error(), message) {
			return 0, err
		}
		n := m.Revision() + 1
		m.Apply(txn, n)
		return n, nil
	})
}

// scanning is a store whose Scan is replaced.
func scanning(scan func(m *storetest.Model, ctx context.Context, prefix string) seq) func(*storetest.Model) flagstage.Store {
	return func(m *storetest.Model) flagstage.Store {
		return hooks{Store: m, scan: func(ctx context.Context, prefix string) seq { return scan(m, ctx, prefix) }}
	}
}

// dueing is a store whose Due is replaced.
func dueing(due func(m *storetest.Model, ctx context.Context, until time.Time) seq) func(*storetest.Model) flagstage.Store {
	return func(m *storetest.Model) flagstage.Store {
		return hooks{Store: m, due: func(ctx context.Context, until time.Time) seq { return due(m, ctx, until) }}
	}
}

// sharing is a store that returns its own memory.
func sharing(m *storetest.Model, records seq) seq {
	all := collected(records)
	for i := range all {
		all[i] = m.Shared(all[i].Key)
	}
	return list(all)
}

// reopening is a store that loses something when it is opened again: change
// gets all of its records.
func reopening(change func(records []flagstage.Record) []flagstage.Record) func(*storetest.Model) flagstage.Store {
	return func(m *storetest.Model) flagstage.Store {
		n := m.Revision()
		before := collected(m.Scan(context.Background(), ""))
		after := change(slices.Clone(before))
		for _, r := range before {
			m.Apply(flagstage.Txn{Delete: []string{r.Key}}, n)
		}
		for _, r := range after {
			m.Apply(flagstage.Txn{Put: []flagstage.Record{r}}, r.Revision)
		}
		m.Apply(flagstage.Txn{}, n)
		return m
	}
}

// busy lets other goroutines run.
func busy() {
	for range 20 {
		runtime.Gosched()
	}
}

func faults() []fault {
	return []fault{
		// Revisions
		{"revisions begin with 0", numbering(func(m *storetest.Model, _ flagstage.Txn) int64 {
			if m.Revision() == 0 && len(collected(m.Scan(context.Background(), ""))) == 0 {
				return 0
			}
			return m.Revision() + 1
		}), "revisions grow across the whole store", "returned revision 0 after 0; revisions must be above 0"},
		{"revisions go down", numbering(func(m *storetest.Model, _ flagstage.Txn) int64 {
			return (m.Revision() + 1) ^ 2
		}), "revisions grow across the whole store", "revisions must be above 0, grow across the whole store"},
		{"each key counts its own revisions", numbering(func(m *storetest.Model, txn flagstage.Txn) int64 {
			return m.Shared(txn.Put[0].Key).Revision + 1
		}), "revisions grow across the whole store", "returned revision 1 after 1; revisions must"},
		{"revisions are used again after deleting", numbering(func(m *storetest.Model, _ flagstage.Txn) (last int64) {
			for _, r := range collected(m.Scan(context.Background(), "")) {
				last = max(last, r.Revision)
			}
			return last + 1
		}), "revisions are not used again after deleting", "never be used again"},
		{"revisions begin anew after reopening", func(m *storetest.Model) flagstage.Store {
			m.Apply(flagstage.Txn{}, 0)
			return m
		}, "reopening keeps everything", "never be used again"},
		{"transactions that write nothing take no revision", numbering(func(m *storetest.Model, txn flagstage.Txn) int64 {
			if len(txn.Put)+len(txn.Delete) == 0 {
				return m.Revision()
			}
			return m.Revision() + 1
		}), "a transaction without writes takes a revision", "Commit(nothing) returned revision 0 after 0"},
		{"a conflict takes back a revision", committing(func(m *storetest.Model, txn flagstage.Txn) (int64, error) {
			if err := m.Judge(txn); err != nil {
				m.Apply(flagstage.Txn{}, m.Revision()-1)
				return 0, err
			}
			return m.Commit(context.Background(), txn)
		}), "revisions are not used again after a refusal", "never be used again"},
		{"the own revision of a record is kept", committing(func(m *storetest.Model, txn flagstage.Txn) (int64, error) {
			n, err := m.Commit(context.Background(), txn)
			for _, r := range txn.Put {
				if err == nil && r.Revision > 0 {
					m.Apply(flagstage.Txn{Put: []flagstage.Record{r}}, r.Revision)
					m.Apply(flagstage.Txn{}, n)
				}
			}
			return n, err
		}), "a record's own revision is ignored", `Scan("") yielded "a"@1000 "1000"; want "a"@2 "1000"`},

		// Writes
		{"a write is lost", func(m *storetest.Model) flagstage.Store {
			commits := 0
			return rewriting(func(_ *storetest.Model, txn *flagstage.Txn) {
				if commits++; commits%10 == 0 {
					txn.Put = nil
				}
			})(m)
		}, "many records are read in order", `Scan("") did not yield "many/001152"@10`},
		{"delete is ignored", rewriting(func(_ *storetest.Model, txn *flagstage.Txn) {
			txn.Delete = nil
		}), "deleting removes the record and its wake", `after deleting, Scan("") yielded "a"@2 "wakes" wakes 1970-01-01T00:00:01Z, which is not to be there`},
		{"deleting an absent key is an error", committing(func(m *storetest.Model, txn flagstage.Txn) (int64, error) {
			for _, key := range txn.Delete {
				if m.Shared(key).Revision == 0 {
					return 0, errors.New("there is no such key")
				}
			}
			return m.Commit(context.Background(), txn)
		}), "deleting removes the record and its wake", `Commit(delete "absent") returned there is no such key; it must be done`},
		{"a conflict writes partly", committing(func(m *storetest.Model, txn flagstage.Txn) (int64, error) {
			n, err := m.Commit(context.Background(), txn)
			if errors.Is(err, flagstage.ErrConflict) && len(txn.Put) > 0 {
				m.Apply(flagstage.Txn{Put: txn.Put[len(txn.Put)-1:]}, m.Revision())
			}
			return n, err
		}), "a conflict writes nothing", `after a refused Commit, Scan("") yielded "z"@1 "new", which is not to be there`},
		{"a refused transaction deletes", committing(func(m *storetest.Model, txn flagstage.Txn) (int64, error) {
			n, err := m.Commit(context.Background(), txn)
			if err != nil {
				m.Apply(flagstage.Txn{Delete: txn.Delete}, m.Revision())
			}
			return n, err
		}), "a conflict writes nothing", `after a refused Commit, Scan("") did not yield "d"@1`},
		{"checks are ignored", rewriting(func(_ *storetest.Model, txn *flagstage.Txn) {
			txn.If = nil
		}), "checks hold the transaction back", `was done; it must be refused: optimistic_locking_error: the record at "a" has revision 2, not 0`},
		{"only the first check counts", rewriting(func(_ *storetest.Model, txn *flagstage.Txn) {
			txn.If = txn.If[:min(1, len(txn.If))]
		}), "checks hold the transaction back", "was done; it must be refused"},
		{"revision 0 checks nothing", rewriting(func(_ *storetest.Model, txn *flagstage.Txn) {
			txn.If = slices.DeleteFunc(txn.If, func(c flagstage.Check) bool { return c.Revision == 0 })
		}), "checks hold the transaction back", `Commit(if "a"@0, put "a" "4") was done`},
		{"older revisions pass checks", rewriting(func(m *storetest.Model, txn *flagstage.Txn) {
			for i, c := range txn.If {
				txn.If[i].Revision = max(c.Revision, m.Shared(c.Key).Revision)
			}
		}), "checks hold the transaction back", "was done; it must be refused"},
		{"a conflict is another error", committing(func(m *storetest.Model, txn flagstage.Txn) (int64, error) {
			n, err := m.Commit(context.Background(), txn)
			if err != nil {
				err = errors.New(err.Error())
			}
			return n, err
		}), "checks hold the transaction back", "which must wrap ErrConflict"},
		{"a broken rule is another error", committing(func(m *storetest.Model, txn flagstage.Txn) (int64, error) {
			n, err := m.Commit(context.Background(), txn)
			if err != nil {
				err = errors.New(err.Error())
			}
			return n, err
		}), "a key stands once in a transaction", "which must wrap ErrTxn"},
		{"keys may stand twice", forgiving("stands twice"), "a key stands once in a transaction", `it must be refused: invalid transaction: key "a" stands twice`},
		{"keys may begin with NUL", forgiving("reserved"), "keys that are no keys are refused", `begins with NUL, which is reserved for the store`},
		{"keys may be empty", forgiving("a key is empty"), "keys that are no keys are refused", `it must be refused: invalid transaction: a key is empty`},
		{"wakes may lie anywhere", forgiving("1970"), "keys that are no keys are refused", `the wake of "a" is not in the years 1970 to 9999`},
		{"the store's own records are seen", func(m *storetest.Model) flagstage.Store {
			m.Apply(flagstage.Txn{Put: []flagstage.Record{{Key: "\x00meta"}}}, 1)
			return m
		}, "keys that are no keys are refused", `yielded "\x00meta"@1 "", which is not to be there`},
		{"keys have no limit", forgiving("a key has"), "limits are kept", "a key has 1025 bytes; at most 1024 are allowed"},
		{"values have no limit", forgiving("the value"), "limits are kept", "has 4194305 bytes; at most 4194304 are allowed"},
		{"operations have no limit", forgiving("operations"), "limits are kept", "it has 129 operations; at most 128 are allowed"},
		{"transactions have no limit", forgiving("it has 8"), "limits are kept", "it has 8388609 bytes; at most 8388608 are allowed"},
		{"the limit of values is too low", committing(func(m *storetest.Model, txn flagstage.Txn) (int64, error) {
			for _, r := range txn.Put {
				if len(r.Value) >= flagstage.MaxStoreValue {
					return 0, flagstage.ErrTxn
				}
			}
			return m.Commit(context.Background(), txn)
		}), "limits are kept", "it must be done"},

		// Bytes and order
		{"keys lose line ends", putting(func(r *flagstage.Record) { r.Key = strings.ReplaceAll(r.Key, "\r\n", "\n") }), "keys are any bytes", `after writing keys of any bytes, Scan("") yielded "\n$3"@1`},
		{"keys become UTF-8", putting(func(r *flagstage.Record) { r.Key = strings.ToValidUTF8(r.Key, "\ufffd") }), "keys are any bytes", `Commit`},
		{"values end at NUL", putting(func(r *flagstage.Record) {
			value, _, _ := strings.Cut(string(r.Value), "\x00")
			r.Value = []byte(value)
		}), "values are any bytes", `want "byte/00"@1 "\x00"`},
		{"an empty value is no record", rewriting(func(_ *storetest.Model, txn *flagstage.Txn) {
			txn.Put = slices.DeleteFunc(txn.Put, func(r flagstage.Record) bool { return len(r.Value) == 0 })
		}), "values are any bytes", `did not yield "value/0"@257 ""`},
		{"prefixes are patterns", scanning(func(m *storetest.Model, ctx context.Context, prefix string) seq {
			var found []flagstage.Record
			for _, r := range collected(m.Scan(ctx, "")) {
				if ok, err := path.Match(prefix+"*", r.Key); ok && err == nil {
					found = append(found, r)
				}
			}
			return list(found)
		}), "prefixes are no patterns", `Scan(" *") yielded " "@1 "", which is not to be there`},
		{"prefixes end before 0xFF", scanning(func(m *storetest.Model, ctx context.Context, prefix string) seq {
			return list(slices.DeleteFunc(collected(m.Scan(ctx, prefix)), func(r flagstage.Record) bool { return r.Key >= prefix+"\xff" }))
		}), "prefixes are no patterns", `did not yield "\xff"@1`},
		{"keys are ordered without case", scanning(func(m *storetest.Model, ctx context.Context, prefix string) seq {
			found := collected(m.Scan(ctx, prefix))
			slices.SortStableFunc(found, func(a, b flagstage.Record) int {
				return strings.Compare(strings.ToLower(a.Key), strings.ToLower(b.Key))
			})
			return list(found)
		}), "keys are any bytes", "out of order"},

		// Wakes
		{"Due is ordered by key", dueing(func(m *storetest.Model, ctx context.Context, until time.Time) seq {
			found := collected(m.Due(ctx, until))
			slices.SortFunc(found, func(a, b flagstage.Record) int { return strings.Compare(a.Key, b.Key) })
			return list(found)
		}), "due records come in order of wake and key", "out of order"},
		{"Due does not order keys", dueing(func(m *storetest.Model, ctx context.Context, until time.Time) seq {
			found := collected(m.Due(ctx, until))
			slices.SortStableFunc(found, func(a, b flagstage.Record) int { return 2*a.Wake.Compare(b.Wake) - strings.Compare(a.Key, b.Key) })
			return list(found)
		}), "due records come in order of wake and key", "out of order"},
		{"Due misses what wakes at until", dueing(func(m *storetest.Model, ctx context.Context, until time.Time) seq {
			return m.Due(ctx, until.Add(-time.Nanosecond))
		}), "due records come in order of wake and key", `Due(1970-01-01T00:00:00.1Z) did not yield "b"@6`},
		{"Due has what wakes later", dueing(func(m *storetest.Model, ctx context.Context, until time.Time) seq {
			return m.Due(ctx, until.Add(time.Millisecond))
		}), "due records come in order of wake and key", "which is not to be there"},
		{"a changed wake stays due", func(m *storetest.Model) flagstage.Store {
			stale := map[string]flagstage.Record{}
			return hooks{
				Store: m,
				commit: func(ctx context.Context, txn flagstage.Txn) (int64, error) {
					for _, r := range txn.Put {
						if old := m.Shared(r.Key); !old.Wake.IsZero() && !old.Wake.Equal(r.Wake) {
							stale[r.Key] = old
						}
					}
					return m.Commit(ctx, txn)
				},
				due: func(ctx context.Context, until time.Time) seq {
					found := append(collected(m.Due(ctx, until)), slices.Collect(maps.Values(stale))...)
					slices.SortFunc(found, func(a, b flagstage.Record) int { return 2*a.Wake.Compare(b.Wake) + strings.Compare(a.Key, b.Key) })
					return list(found)
				},
			}
		}, "due follows changes of the wake", `Due(9999-12-31T23:59:59.999Z) yielded "a"@1 "wakes" wakes 1970-01-01T00:00:00.1Z; want "a"@2`},
		{"wakes are kept as whole seconds", putting(func(r *flagstage.Record) {
			if !r.Wake.IsZero() {
				r.Wake = time.Unix(r.Wake.Unix(), 0)
			}
		}), "wakes are kept to the millisecond", "want"},
		{"wakes are kept as nanoseconds", putting(func(r *flagstage.Record) {
			if !r.Wake.IsZero() {
				r.Wake = time.Unix(0, r.Wake.UnixNano()&(1<<63-1))
			}
		}), "wakes are kept to the millisecond", "2262-04-12"},
		{"a wake at the first instant is none", putting(func(r *flagstage.Record) {
			if r.Wake.Equal(time.UnixMilli(0)) {
				r.Wake = time.Time{}
			}
		}), "wakes are kept to the millisecond", `want "0"@1 "wakes" wakes 1970-01-01T00:00:00Z`},

		// Iterations
		{"Scan holds a lock while it yields", func(m *storetest.Model) flagstage.Store {
			var mu sync.Mutex
			h := hooks{Store: m, commit: underLock(&mu, m)}
			h.scan = func(ctx context.Context, prefix string) seq { return eachUnderLock(&mu)(ctx, m.Scan(ctx, prefix)) }
			return h
		}, "loops may write", "deadlock: no call has returned"},
		{"Due holds a lock while it yields", func(m *storetest.Model) flagstage.Store {
			var mu sync.Mutex
			h := hooks{Store: m, commit: underLock(&mu, m)}
			h.due = func(ctx context.Context, until time.Time) seq { return eachUnderLock(&mu)(ctx, m.Due(ctx, until)) }
			return h
		}, "loops may write", "deadlock: no call has returned"},
		{"a loop that is left keeps its lock", func(m *storetest.Model) flagstage.Store {
			var mu sync.Mutex
			return hooks{Store: m, commit: underLock(&mu, m), each: func(_ context.Context, records seq) seq {
				return func(yield func(flagstage.Record, error) bool) {
					for r, err := range records {
						if !yield(r, err) {
							mu.Lock()
							return
						}
					}
				}
			}}
		}, "loops can be left early", "deadlock: no call has returned"},
		{"iterations go on when they were left", func(m *storetest.Model) flagstage.Store {
			return hooks{Store: m, each: func(_ context.Context, records seq) seq {
				return func(yield func(flagstage.Record, error) bool) {
					for r, err := range records {
						yield(r, err)
					}
				}
			}}
		}, "loops can be left early", "range function continued iteration"},
		{"pages overlap", func(m *storetest.Model) flagstage.Store { return paged(m, 256, atLast) },
			"many records are read in order", "twice"},
		{"pages are counted off", func(m *storetest.Model) flagstage.Store { return paged(m, 64, byOffset) },
			"loops may write", "while its loop wrote"},
		{"only one page is read", func(m *storetest.Model) flagstage.Store {
			return paged(m, 1000, func(all, _ []flagstage.Record, _ int, _ bool) int { return len(all) })
		}, "many records are read in order", `did not yield "many/001000"`},

		// Contexts
		{"the context is ignored", func(m *storetest.Model) flagstage.Store {
			return hooks{Store: m, get: func(_ context.Context, key string) (flagstage.Record, error) {
				return m.Get(context.Background(), key)
			}}
		}, "a cancelled context does nothing", `Get with a context that is over returned <nil>; want "context canceled"`},
		{"a cancelled Commit writes", func(m *storetest.Model) flagstage.Store {
			return hooks{Store: m, commit: func(ctx context.Context, txn flagstage.Txn) (int64, error) {
				n, err := m.Commit(context.Background(), txn)
				return n, errors.Join(err, ctx.Err())
			}}
		}, "a cancelled context does nothing", "after calls with a context that is over, Scan"},
		{"Commit looks at its context after it has written", func(m *storetest.Model) flagstage.Store {
			return hooks{Store: m, commit: func(ctx context.Context, txn flagstage.Txn) (int64, error) {
				n, err := m.Commit(ctx, txn)
				return n, errors.Join(err, ctx.Err())
			}}
		}, "a context cancelled on the way is no half answer", `Get("a") returned "a"@6 "1"; want none`},
		{"a cancelled iteration just ends", func(m *storetest.Model) flagstage.Store {
			return hooks{Store: m, each: func(ctx context.Context, records seq) seq {
				return func(yield func(flagstage.Record, error) bool) {
					n := 0
					for r, err := range records {
						if n++; err != nil && n > 1 || !yield(r, err) {
							return
						}
					}
				}
			}}
		}, "a context cancelled on the way is no half answer", "which ended without an error, did not yield"},
		{"iterations go on after an error", func(m *storetest.Model) flagstage.Store {
			return hooks{Store: m, each: func(ctx context.Context, records seq) seq {
				return func(yield func(flagstage.Record, error) bool) {
					for r, err := range records {
						if !yield(r, err) || err != nil && !yield(flagstage.Record{}, nil) {
							return
						}
					}
				}
			}}
		}, "a cancelled context does nothing", "Scan went on after it had yielded the error context canceled"},

		// Memory
		{"Get returns the store's memory", func(m *storetest.Model) flagstage.Store {
			return hooks{Store: m, get: func(_ context.Context, key string) (flagstage.Record, error) {
				r := m.Shared(key)
				r.Key = key
				return r, nil
			}}
		}, "what is given and returned is not shared", `after changing the value that Get returned, Scan("") yielded "a"@1 "!!!!!"`},
		{"Scan returns the store's memory", scanning(func(m *storetest.Model, ctx context.Context, prefix string) seq {
			return sharing(m, m.Scan(ctx, prefix))
		}), "what is given and returned is not shared", "after changing the values that Scan yielded"},
		{"Due returns the store's memory", dueing(func(m *storetest.Model, ctx context.Context, until time.Time) seq {
			return sharing(m, m.Due(ctx, until))
		}), "what is given and returned is not shared", "after changing the values that Due yielded"},
		{"records of a page share memory", scanning(func(m *storetest.Model, ctx context.Context, prefix string) seq {
			found := collected(m.Scan(ctx, prefix))
			var memory []byte
			for _, r := range found {
				memory = append(memory, r.Value...)
			}
			for i := range found {
				n := len(found[i].Value)
				found[i].Value, memory = memory[:n], memory[n:]
			}
			return list(found)
		}), "what is given and returned is not shared", "Scan, after appending to the values, yielded"},
		{"Commit keeps what it is given", func(m *storetest.Model) flagstage.Store {
			given := map[string][]byte{}
			return hooks{
				Store: m,
				commit: func(ctx context.Context, txn flagstage.Txn) (int64, error) {
					for _, r := range txn.Put {
						given[r.Key] = r.Value
					}
					return m.Commit(ctx, txn)
				},
				each: func(_ context.Context, records seq) seq {
					return func(yield func(flagstage.Record, error) bool) {
						for r, err := range records {
							r.Value = slices.Clone(given[r.Key])
							if !yield(r, err) {
								return
							}
						}
					}
				},
			}
		}, "what is given and returned is not shared", `after changing the transaction that was given to Commit, Scan("") yielded "a"@1 "!!!!!"`},

		// Several goroutines
		{"half of a transaction is seen", func(m *storetest.Model) flagstage.Store {
			var mu sync.Mutex
			var reads atomic.Int64
			return hooks{
				Store: m,
				commit: func(_ context.Context, txn flagstage.Txn) (int64, error) {
					mu.Lock()
					defer mu.Unlock()
					n := m.Revision() + 1
					for _, r := range txn.Put {
						m.Apply(flagstage.Txn{Put: []flagstage.Record{r}}, n)
						// Somebody reads before the next is written.
						for start, spins := reads.Load(), 0; reads.Load() < start+3 && spins < 1000; spins++ {
							runtime.Gosched()
						}
					}
					m.Apply(flagstage.Txn{Delete: txn.Delete}, n)
					return n, nil
				},
				each: func(_ context.Context, records seq) seq {
					found := collected(records)
					reads.Add(1)
					return list(found)
				},
			}
		}, "transactions are never seen half done", "saw a transaction half done"},
		{"checks do not hold while others write", committing(func(m *storetest.Model, txn flagstage.Txn) (int64, error) {
			if err := m.Judge(txn); err != nil {
				return 0, err
			}
			busy()
			txn.If = nil
			return m.Commit(context.Background(), txn)
		}), "calls are linearizable", "it was done although its check fails in the order of revisions"},
		{"two commits get one revision", numbering(func(m *storetest.Model, txn flagstage.Txn) int64 {
			n := m.Revision() + 1
			busy()
			return n
		}), "calls are linearizable", "was used twice"},
		{"Get returns what was", func(m *storetest.Model) flagstage.Store {
			var gets atomic.Int64
			var cache sync.Map
			return hooks{Store: m, get: func(ctx context.Context, key string) (flagstage.Record, error) {
				if old, ok := cache.Load(key); ok && gets.Add(1)%8 != 0 {
					return old.(flagstage.Record), nil
				}
				r, err := m.Get(ctx, key)
				cache.Store(key, r)
				return r, err
			}}
		}, "calls are linearizable", "nothing that the store can have held"},
		{"conflicts come at random", func(m *storetest.Model) flagstage.Store {
			var commits atomic.Int64
			return hooks{Store: m, commit: func(ctx context.Context, txn flagstage.Txn) (int64, error) {
				if len(txn.If) == 0 && commits.Add(1)%8 == 0 {
					return 0, flagstage.ErrConflict
				}
				return m.Commit(ctx, txn)
			}}
		}, "calls are linearizable", "nothing that the store can have held"},
		{"Commit panics", committing(func(*storetest.Model, flagstage.Txn) (int64, error) { panic("boom") }),
			"calls are linearizable", "panic: boom"},

		// Closing and opening again
		{"closing twice is an error", func(m *storetest.Model) flagstage.Store {
			closed := false
			return hooks{Store: m, close: func() error {
				if closed {
					return flagstage.ErrClosed
				}
				closed = true
				return m.Close()
			}}
		}, "closing ends all use", "closing twice is no error"},
		{"a closed store can be read", func(m *storetest.Model) flagstage.Store {
			return hooks{Store: m, get: func(ctx context.Context, key string) (flagstage.Record, error) {
				r, err := m.Get(ctx, key)
				if errors.Is(err, flagstage.ErrClosed) {
					err = nil
				}
				return r, err
			}}
		}, "closing ends all use", `Get after Close returned <nil>; want "closed"`},
		{"a closed store just has no records", func(m *storetest.Model) flagstage.Store {
			return hooks{Store: m, each: func(_ context.Context, records seq) seq {
				return func(yield func(flagstage.Record, error) bool) {
					for r, err := range records {
						if errors.Is(err, flagstage.ErrClosed) || !yield(r, err) {
							return
						}
					}
				}
			}}
		}, "closing ends all use", `Scan after Close returned <nil>; want "closed"`},
		{"what is acknowledged while closing is lost", func(m *storetest.Model) flagstage.Store {
			return hooks{Store: m, commit: func(ctx context.Context, txn flagstage.Txn) (int64, error) {
				n, err := m.Commit(ctx, txn)
				if errors.Is(err, flagstage.ErrClosed) {
					return m.Revision() + 1, nil
				}
				return n, err
			}}
		}, "closing keeps what was acknowledged", "Commit after Close was done"},
		{"what is refused while closing is written", func(m *storetest.Model) flagstage.Store {
			return hooks{Store: m, commit: func(ctx context.Context, txn flagstage.Txn) (int64, error) {
				n, err := m.Commit(ctx, txn)
				if errors.Is(err, flagstage.ErrClosed) {
					m.Apply(txn, m.Revision()+1)
				}
				return n, err
			}}
		}, "closing keeps what was acknowledged", `is there although its Commit returned "closed"`},
		{"reopening loses wakes", reopening(func(records []flagstage.Record) []flagstage.Record {
			for i := range records {
				records[i].Wake = time.Time{}
			}
			return records
		}), "reopening keeps everything", "want"},
		{"reopening loses the last record", reopening(func(records []flagstage.Record) []flagstage.Record {
			return records[:max(0, len(records)-1)]
		}), "reopening keeps everything", `after reopening, Scan("") did not yield "z"@4`},
		{"reopening loses revisions", reopening(func(records []flagstage.Record) []flagstage.Record {
			for i := range records {
				records[i].Revision = 1
			}
			return records
		}), "reopening keeps everything", "@1"},
	}
}
