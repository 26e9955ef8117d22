package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/flagstage/flagstage"
	"github.com/stretchr/testify/require"
)

// history is a store in memory in which one writer did some transactions, and
// the audit that was promised them.
func history(t *testing.T, transactions int) (flagstage.Store, *audit) {
	store, err := flagstage.NewMemoryStore()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	a := newAudit()
	require.NoError(t, a.note("open"))
	err = keepWriting(store, 0, last{}, func(done last) error {
		if err := a.note(fmt.Sprint("ack 0 ", done.n, " ", done.revision)); err != nil || done.n == transactions {
			return errStopped
		}
		return nil
	})
	require.ErrorIs(t, err, errStopped)
	return store, a
}

// TestAuditFinds shows that what the other tests look for would be found.
func TestAuditFinds(t *testing.T) {
	const done = 20
	for _, c := range []struct {
		name string
		harm func(t *testing.T, s flagstage.Store, a *audit)
		want counts
	}{
		{"nothing", func(*testing.T, flagstage.Store, *audit) {}, counts{acknowledged: done}},
		{"a transaction that was not acknowledged", func(t *testing.T, s flagstage.Store, _ *audit) {
			head, err := s.Get(context.Background(), headKey(0))
			require.NoError(t, err)
			_, err = s.Commit(context.Background(), transaction(0, done+1, head.Revision))
			require.NoError(t, err)
		}, counts{acknowledged: done}},
		{"a lost transaction", func(t *testing.T, _ flagstage.Store, a *audit) {
			require.NoError(t, a.note(fmt.Sprint("ack 0 ", done+1, " 1000")))
		}, counts{acknowledged: done + 1, lost: 1}},
		{"lost transactions of another writer", func(t *testing.T, _ flagstage.Store, a *audit) {
			require.NoError(t, a.note("ack 1 1 1000"))
			require.NoError(t, a.note("ack 1 2 1001"))
		}, counts{acknowledged: done + 2, lost: 2}},
		{"a part that is gone", func(t *testing.T, s flagstage.Store, _ *audit) {
			put(t, s, flagstage.Txn{Delete: []string{partKey(0, done%slots, 0)}})
		}, counts{acknowledged: done, torn: 1}},
		{"a part that is changed", func(t *testing.T, s flagstage.Store, _ *audit) {
			put(t, s, flagstage.Txn{Put: []flagstage.Record{{Key: partKey(0, 3, 0), Value: []byte("x")}}})
		}, counts{acknowledged: done, torn: 1}},
		{"a part too many", func(t *testing.T, s flagstage.Store, _ *audit) {
			put(t, s, flagstage.Txn{Put: []flagstage.Record{{Key: partKey(0, 3, maxParts-1), Value: []byte("x")}}})
		}, counts{acknowledged: done, torn: 1}},
		{"a record that nobody wrote", func(t *testing.T, s flagstage.Store, _ *audit) {
			put(t, s, flagstage.Txn{Put: []flagstage.Record{{Key: "stranger"}}})
		}, counts{acknowledged: done, torn: 1}},
		{"a part of the same bytes, written by another transaction", func(t *testing.T, s flagstage.Store, _ *audit) {
			r, err := s.Get(context.Background(), partKey(0, done%slots, 0))
			require.NoError(t, err)
			put(t, s, flagstage.Txn{Put: []flagstage.Record{r}})
		}, counts{acknowledged: done, torn: 1}},
		{"revisions that come again", func(t *testing.T, _ flagstage.Store, a *audit) {
			a.promised[0] = promise{last{done, 1000}, done}
		}, counts{acknowledged: done, disordered: 1}},
		{"a revision of before the writers were started", func(t *testing.T, _ flagstage.Store, a *audit) {
			a.before = 1000
			require.NoError(t, a.note(fmt.Sprint("ack 0 ", done+1, " 999")))
			a.promised[0] = promise{last{done, done}, done}
		}, counts{acknowledged: done + 1, disordered: 1}},
		{"a number that comes again", func(t *testing.T, _ flagstage.Store, a *audit) {
			require.NoError(t, a.note(fmt.Sprint("ack 0 ", done, " 1000")))
			a.promised[0] = promise{last{done, done}, done}
		}, counts{acknowledged: done + 1, disordered: 1}},
		{"a transaction that was acknowledged when the power was being cut", func(t *testing.T, _ flagstage.Store, a *audit) {
			require.NoError(t, a.note("cut"))
			require.NoError(t, a.note(fmt.Sprint("ack 0 ", done+1, " 1000")))
		}, counts{acknowledged: done}},
		{"a lost transaction of before the power was cut", func(t *testing.T, _ flagstage.Store, a *audit) {
			require.NoError(t, a.note(fmt.Sprint("ack 0 ", done+1, " 1000")))
			require.NoError(t, a.note("cut"))
			require.NoError(t, a.note(fmt.Sprint("ack 0 ", done+2, " 1001")))
		}, counts{acknowledged: done + 1, lost: 1}},
		{"a transaction that was never begun", func(t *testing.T, s flagstage.Store, _ *audit) {
			for n := range 2 {
				head, err := s.Get(context.Background(), headKey(0))
				require.NoError(t, err)
				put(t, s, transaction(0, done+1+n, head.Revision))
			}
		}, counts{acknowledged: done, torn: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, a := history(t, done)
			c.harm(t, store, a)
			_, err := a.check(store, 2)
			require.NoError(t, err)
			require.Equal(t, c.want, a.counts)
		})
	}
}

func put(t *testing.T, s flagstage.Store, txn flagstage.Txn) {
	_, err := s.Commit(context.Background(), txn)
	require.NoError(t, err)
}

func TestAuditRemembersWhatItSaw(t *testing.T) {
	store, a := history(t, 1)
	b := newAudit() // of a process that died before it could print
	lines, err := b.check(store, 1)
	require.NoError(t, err)
	require.Equal(t, []string{"looked", "seen 0 1 1", "torn 0"}, lines)
	require.Equal(t, a.promised, b.promised)
	require.Equal(t, counts{}, b.counts)
}

func TestAuditRefusesLinesOfNoWriter(t *testing.T) {
	for _, line := range []string{"", "ack", "ack 1 2", "ack a b c", "seen 1", "torn", "panic: x"} {
		require.Error(t, newAudit().note(line), "%q", line)
	}
}
