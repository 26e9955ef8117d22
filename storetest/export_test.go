package storetest

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagstage/flagstage"
)

// Clauses returns the names of what Run checks.
func Clauses(durability flagstage.Durability) (names []string) {
	s := suite{durability: durability}
	for _, c := range s.clauses() {
		names = append(names, c.name)
	}
	return names
}

// Failure checks one clause and returns what a test would print, or "" if the
// clause holds.
func Failure(t *testing.T, name string, open Open, durability flagstage.Durability, patience time.Duration) string {
	s := suite{open: open, durability: durability, patience: patience}
	for _, c := range s.clauses() {
		if c.name != name {
			continue
		}
		r := &recorder{T: t}
		s.check(r, c)
		if !r.failed {
			return ""
		}
		return r.output.String()
	}
	t.Fatalf("there is no clause %q", name)
	return ""
}

// recorder is a test that fails without failing the real one.
type recorder struct {
	*testing.T
	mu     sync.Mutex
	output strings.Builder
	failed bool
}

func (r *recorder) Log(args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(&r.output, args...)
}

func (r *recorder) Logf(format string, args ...any) { r.Log(fmt.Sprintf(format, args...)) }

func (r *recorder) Fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *recorder) Error(args ...any) {
	r.Log(args...)
	r.Fail()
}

func (r *recorder) Errorf(format string, args ...any) { r.Error(fmt.Sprintf(format, args...)) }

// Apply does a transaction as the commit of a revision, whatever the rules
// say: for stores that are wrong.
func (m *Model) Apply(txn flagstage.Txn, revision int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.apply(txn, revision)
}

// Judge returns why a transaction is not to be done.
func (m *Model) Judge(txn flagstage.Txn) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.judge(txn)
}

// Revision returns the revision of the last commit.
func (m *Model) Revision() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.revision
}

// Shared returns the record at a key with the model's own memory.
func (m *Model) Shared(key string) flagstage.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.records[key]
}

// Reopened returns a model that holds what a closed one held, as if it had
// been kept in a file.
func (m *Model) Reopened() *Model {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Model{records: maps.Clone(m.records), revision: m.revision}
}

// Sweeping is Sweep without the tests that it runs.
func Sweeping(run func(Plan) (fired, passed bool), on ...Op) error { return sweep(run, on) }

// CheckCalls checks calls for being linearizable.
func CheckCalls(calls ...Call) error {
	var list []call
	for _, c := range calls {
		list = append(list, call{text: c.Text, begin: c.Begin, end: c.End, revision: c.Revision, txn: c.Txn, record: c.Got})
	}
	_, err := checkLinearizable(list)
	return err
}

// Call is a call for CheckCalls.
type Call struct {
	Text       string
	Begin, End int64
	Revision   int64
	Txn        flagstage.Txn
	Got        flagstage.Record
}
