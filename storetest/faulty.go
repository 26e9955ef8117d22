package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagstage/flagstage"
)

// The errors that only faults return.
var (
	// ErrInjected is wrapped by the errors of [FaultError], [FaultLost] and
	// [FaultUnanswered].
	ErrInjected = errors.New("injected fault")
	// ErrCrashed is returned when the store has crashed, by every call until
	// [FaultyStore.Restart].
	ErrCrashed = errors.New("crashed")
)

// Fault is a way in which a call goes wrong.
type Fault string

// The faults.
const (
	// FaultError: nothing is done, and an error says so.
	FaultError Fault = "error"
	// FaultLost: nothing is done, and the error is an unknown outcome. Only
	// commits are hit.
	FaultLost Fault = "lost"
	// FaultUnanswered: the transaction is handed to the store, and whatever
	// comes of it the error is an unknown outcome. Only commits are hit.
	FaultUnanswered Fault = "unanswered"
	// FaultCrashBefore: the program dies before the call does anything.
	FaultCrashBefore Fault = "crash before"
	// FaultCrashAfter: the program dies when the call has done its work, and
	// never hears of it. An iteration yields its records and then crashes.
	FaultCrashAfter Fault = "crash after"
)

// Op is a method of a store.
type Op string

// The methods that can go wrong.
const (
	OpGet    Op = "get"
	OpScan   Op = "scan"
	OpDue    Op = "due"
	OpCommit Op = "commit"
)

// Plan is one fault at one call. The zero Plan is none.
type Plan struct {
	Fault Fault
	// N is the number of the call, counted from 0. An iteration is one call,
	// made when it begins. Calls made while crashed do not count.
	N int
	// On are the methods whose calls are counted; none: all. FaultLost and
	// FaultUnanswered count commits at most.
	On []Op
}

// String says what the plan does: "crash after commit 3".
func (p Plan) String() string {
	var ops []string
	for _, op := range []Op{OpGet, OpScan, OpDue, OpCommit} {
		if p.counts(op) {
			ops = append(ops, string(op))
		}
	}
	calls := fmt.Sprintf("%s %d", strings.Join(ops, "/"), p.N)
	if len(ops) == 4 {
		calls = fmt.Sprintf("call %d", p.N)
	}
	switch {
	case p.Fault == "":
		return "no fault"
	case len(ops) == 0:
		return string(p.Fault) + " that never comes"
	case p.Fault == FaultError:
		return "error instead of " + calls
	case p.Fault == FaultLost:
		return "unknown outcome instead of " + calls
	case p.Fault == FaultUnanswered:
		return "unknown outcome after " + calls
	}
	return string(p.Fault) + " " + calls
}

func (p Plan) counts(op Op) bool {
	if (p.Fault == FaultLost || p.Fault == FaultUnanswered) && op != OpCommit {
		return false
	}
	return p.Fault != "" && (len(p.On) == 0 || slices.Contains(p.On, op))
}

// FaultyStore is a store that goes wrong as planned, once. Like any store it
// is safe for concurrent use. Make one with [Faulty].
type FaultyStore struct {
	store flagstage.Store
	plan  Plan

	mu      sync.Mutex
	calls   int // that were counted
	fired   bool
	crashed bool
	life    int // grows when the store crashes
}

var _ flagstage.Store = (*FaultyStore)(nil)

// Faulty returns a store that does what the given one does, but for the fault
// planned.
//
// A crash is one of the program, not of the database: every call returns
// [ErrCrashed], also those under way and Close, and the given store stays
// open. After [FaultyStore.Restart] the next incarnation of the program finds
// what was written.
func Faulty(store flagstage.Store, plan Plan) *FaultyStore {
	return &FaultyStore{store: store, plan: plan}
}

// Fired tells whether the planned fault has happened.
func (f *FaultyStore) Fired() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fired
}

// Restart ends a crash. Calls and iterations that were begun before it go on
// returning [ErrCrashed].
func (f *FaultyStore) Restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashed = false
}

// Get returns the record at a key.
func (f *FaultyStore) Get(ctx context.Context, key string) (flagstage.Record, error) {
	call, err := f.begin(OpGet)
	if err != nil {
		return flagstage.Record{}, err
	}
	r, err := f.store.Get(ctx, key)
	if err := call.end(); err != nil {
		return flagstage.Record{}, err
	}
	return r, err
}

// Scan yields the records whose keys begin with prefix.
func (f *FaultyStore) Scan(ctx context.Context, prefix string) iter.Seq2[flagstage.Record, error] {
	return f.each(OpScan, f.store.Scan(ctx, prefix))
}

// Due yields the records that have a Wake not after until.
func (f *FaultyStore) Due(ctx context.Context, until time.Time) iter.Seq2[flagstage.Record, error] {
	return f.each(OpDue, f.store.Due(ctx, until))
}

// Commit does all of a transaction or nothing.
func (f *FaultyStore) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	call, err := f.begin(OpCommit)
	if err != nil {
		return 0, err
	}
	revision, err := f.store.Commit(ctx, txn)
	if err := call.end(); err != nil {
		return 0, err
	}
	return revision, err
}

// Close closes the given store, unless it has crashed.
func (f *FaultyStore) Close() error {
	f.mu.Lock()
	crashed := f.crashed
	f.mu.Unlock()
	if crashed {
		return f.crash()
	}
	return f.store.Close()
}

func (f *FaultyStore) each(op Op, records iter.Seq2[flagstage.Record, error]) iter.Seq2[flagstage.Record, error] {
	return func(yield func(flagstage.Record, error) bool) {
		call, err := f.begin(op)
		if err != nil {
			yield(flagstage.Record{}, err)
			return
		}
		for r, err := range records {
			if call.dead() {
				break
			}
			if !yield(r, err) {
				_ = call.end() // nobody listens any more
				return
			}
		}
		if err := call.end(); err != nil {
			yield(flagstage.Record{}, err)
		}
	}
}

// faultyCall is a call under way.
type faultyCall struct {
	*FaultyStore
	life  int   // in which it began
	fault Fault // that comes when it ends, or ""
}

// begin counts a call and returns the error of one that is not to be made.
func (f *FaultyStore) begin(op Op) (faultyCall, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	call := faultyCall{FaultyStore: f, life: f.life}
	if f.crashed {
		return call, f.crash()
	}
	if !f.plan.counts(op) {
		return call, nil
	}
	f.calls++
	if f.calls-1 != f.plan.N {
		return call, nil
	}
	f.fired = true
	switch f.plan.Fault {
	case FaultError:
		return call, fmt.Errorf("%w: %v", ErrInjected, f.plan)
	case FaultLost:
		return call, fmt.Errorf("%w: %w: %v", flagstage.ErrUnknownOutcome, ErrInjected, f.plan)
	case FaultCrashBefore:
		f.crashed, f.life = true, f.life+1
		return call, f.crash()
	}
	call.fault = f.plan.Fault
	return call, nil
}

// dead tells whether the program has crashed since the call began.
func (c faultyCall) dead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.life != c.FaultyStore.life
}

// end returns the error that stands in for the result of the call, or nil.
func (c faultyCall) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.FaultyStore
	switch {
	case c.life != f.life:
		return f.crash()
	case c.fault == FaultCrashAfter:
		f.crashed, f.life = true, f.life+1
		return f.crash()
	case c.fault == FaultUnanswered:
		return fmt.Errorf("%w: %w: %v", flagstage.ErrUnknownOutcome, ErrInjected, f.plan)
	}
	return nil
}

func (f *FaultyStore) crash() error { return fmt.Errorf("%w: %v", ErrCrashed, f.plan) }

// Sweep runs a test with each fault at its first call of a store, at its
// second and so on, until the test ends before the fault has come. Each run is
// a subtest named after its plan; the first that fails ends the sweep of its
// fault.
//
// The body makes a store of its own, does its work with that as [Faulty]
// returns it, goes on after Restart as a program does that is started again,
// and checks what came of it:
//
//	storetest.Sweep(t, func(t *testing.T, plan storetest.Plan) bool {
//		store := storetest.Faulty(storetest.NewModel(), plan)
//		if err := program(store); err != nil {
//			store.Restart()
//			require.NoError(t, program(store))
//		}
//		require.Equal(t, want, result(store))
//		return store.Fired()
//	})
//
// Calls of the methods given are counted, or of all. It is an error if no
// fault ever comes, or if the body never ends before one does.
func Sweep(t *testing.T, body func(t *testing.T, plan Plan) (fired bool), on ...Op) {
	t.Helper()
	err := sweep(func(plan Plan) (fired, passed bool) {
		passed = t.Run(plan.String(), func(t *testing.T) { fired = body(t, plan) })
		return fired, passed
	}, on)
	if err != nil {
		t.Fatal(err)
	}
}

// sweepLimit is more calls than a test makes that comes to an end.
const sweepLimit = 10_000

func sweep(run func(Plan) (fired, passed bool), on []Op) error {
	any, failed := false, false
	for _, fault := range []Fault{FaultError, FaultLost, FaultUnanswered, FaultCrashBefore, FaultCrashAfter} {
		if (fault == FaultLost || fault == FaultUnanswered) && len(on) > 0 && !slices.Contains(on, OpCommit) {
			continue
		}
		for n := 0; ; n++ {
			plan := Plan{Fault: fault, N: n, On: on}
			if n == sweepLimit {
				return fmt.Errorf("sweep: the body still makes its call %d; it must come to an end", n)
			}
			fired, passed := run(plan)
			any, failed = any || fired, failed || !passed
			if !fired || !passed {
				break
			}
		}
	}
	if !any && !failed {
		return errors.New("sweep: no fault came; the body must use the store that Faulty returns, and return what its Fired says")
	}
	return nil
}
