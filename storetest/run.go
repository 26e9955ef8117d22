package storetest

import (
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
)

// Open opens the store that is kept at a path: the name of a file in a
// directory made for the test. At first nothing is there. Later, when the
// store was closed, Open is called with the path again and returns a store
// with the same records, unless its durability is
// [flagstage.DurabilityVolatile]: then no path is opened twice.
type Open func(path string) (flagstage.Store, error)

// Run checks that the stores that open returns keep the contract of
// [flagstage.Store], each clause in a subtest and with stores of its own. The
// durability is what the store promises; only DurabilityVolatile makes a
// difference to what is checked, for no power is cut here.
//
// Clauses that fail say what is wrong and list the calls that were made. A
// store none of whose calls returns for a minute has deadlocked: the clause
// fails with the stacks of all goroutines, and those that hang are left
// behind.
func Run(t *testing.T, open Open, durability flagstage.Durability) {
	t.Helper()
	s := suite{open: open, durability: durability, patience: time.Minute}
	for _, c := range s.clauses() {
		t.Run(c.name, func(t *testing.T) { s.check(t, c) })
	}
}

// suite is what all clauses are checked with.
type suite struct {
	open       Open
	durability flagstage.Durability
	patience   time.Duration // how long a store may do nothing
}

// clause is a sentence of the contract, and how to check it.
type clause struct {
	name  string
	check func(*trial)
}

// clauses returns the contract.
func (s *suite) clauses() []clause {
	list := []clause{
		{"revisions grow across the whole store", revisionsGrow},
		{"revisions are not used again after deleting", revisionsAfterDeleting},
		{"revisions are not used again after a refusal", revisionsAfterRefusal},
		{"a record's own revision is ignored", revisionIgnored},
		{"a transaction without writes takes a revision", emptyTransactions},

		{"writes replace what was there", writesReplace},
		{"deleting removes the record and its wake", deletingRemoves},
		{"checks hold the transaction back", checksHold},
		{"a conflict writes nothing", conflictWritesNothing},
		{"a key stands once in a transaction", keysStandOnce},
		{"keys that are no keys are refused", keysRefused},
		{"limits are kept", limits},

		{"keys are any bytes", anyKeys},
		{"values are any bytes", anyValues},
		{"prefixes are no patterns", prefixes},
		{"wakes are kept to the millisecond", wakesKept},
		{"due records come in order of wake and key", dueOrder},
		{"due follows changes of the wake", dueFollows},

		{"many records are read in order", manyRecords},
		{"loops can be left early", loopsLeft},
		{"loops may write", loopsWrite},
		{"a cancelled context does nothing", cancelledBefore},
		{"a context cancelled on the way is no half answer", cancelledOnTheWay},
		{"what is given and returned is not shared", nothingShared},

		{"transactions are never seen half done", neverTorn},
		{"calls are linearizable", linearizable},

		{"closing ends all use", closing},
		{"closing keeps what was acknowledged", closingUnderLoad},
		{"random calls do as the model does", randomCalls},
	}
	if s.keeps() {
		list = append(list, clause{"reopening keeps everything", reopeningKeeps})
	}
	return list
}

// keeps tells whether a store can be closed and opened again.
func (s *suite) keeps() bool { return s.durability != flagstage.DurabilityVolatile }

// tester is what a clause needs of a test.
type tester interface {
	rapid.TB
	TempDir() string
}

// check checks a clause in a goroutine of its own, so that it can be given up
// when the store hangs.
func (s *suite) check(t tester, c clause) {
	t.Helper()
	w := &watched{tester: t}
	tr := newTrial(w, s, filepath.Join(t.TempDir(), "store"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer w.recoverPanic()
		defer tr.end()
		tr.start()
		c.check(tr)
	}()

	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	for progress := tr.history.progress(); ; {
		select {
		case <-done:
			if t.Failed() {
				t.Log(tr.history)
			}
			return
		case <-timer.C:
		}
		if now := tr.history.progress(); now != progress {
			progress = now
			timer.Reset(s.patience)
			continue
		}
		w.giveUp()
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		t.Errorf("deadlock: no call has returned for %v; is a lock held while an iterator yields?\n%s\n%s", s.patience, tr.history, stacks)
		return
	}
}

// watched is a tester for goroutines other than the test's own.
type watched struct {
	tester
	mu       sync.Mutex
	hopeless bool
}

// giveUp makes the goroutines end that still use the tester: the test is
// over.
func (w *watched) giveUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hopeless = true
}

func (w *watched) recoverPanic() {
	if p := recover(); p != nil {
		w.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// do calls a method of the test, unless the test is over.
func (w *watched) do(method func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hopeless {
		runtime.Goexit()
	}
	method()
}

func (w *watched) Log(args ...any)                 { w.do(func() { w.tester.Log(args...) }) }
func (w *watched) Logf(format string, args ...any) { w.do(func() { w.tester.Logf(format, args...) }) }
func (w *watched) Error(args ...any)               { w.do(func() { w.tester.Error(args...) }) }
func (w *watched) Errorf(format string, args ...any) {
	w.do(func() { w.tester.Errorf(format, args...) })
}
func (w *watched) Fail() { w.do(w.tester.Fail) }

// FailNow ends the goroutine that calls it; that of the test goes on.
func (w *watched) FailNow() {
	w.Fail()
	runtime.Goexit()
}

func (w *watched) Fatal(args ...any) {
	w.Error(args...)
	runtime.Goexit()
}

func (w *watched) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	runtime.Goexit()
}
