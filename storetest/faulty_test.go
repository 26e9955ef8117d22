package storetest_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/storetest"
)

var ctx = context.Background()

// put writes one record.
func put(s flagstage.Store, key, value string) error {
	_, err := s.Commit(ctx, flagstage.Txn{Put: []flagstage.Record{{Key: key, Value: []byte(value), Wake: time.UnixMilli(1)}}})
	return err
}

// value reads one record.
func value(t *testing.T, s flagstage.Store, key string) string {
	r, err := s.Get(ctx, key)
	require.NoError(t, err)
	return string(r.Value)
}

// read returns the keys that a sequence yields and the error that ends it.
func read(records seq) (keys []string, err error) {
	for r, err := range records {
		if err != nil {
			return keys, err
		}
		keys = append(keys, r.Key)
	}
	return keys, nil
}

func TestPlanSaysWhatItDoes(t *testing.T) {
	for want, plan := range map[string]storetest.Plan{
		"no fault":                            {},
		"error instead of call 0":             {Fault: storetest.FaultError},
		"error instead of get/due 2":          {Fault: storetest.FaultError, N: 2, On: []storetest.Op{storetest.OpDue, storetest.OpGet}},
		"unknown outcome instead of commit 1": {Fault: storetest.FaultLost, N: 1},
		"unknown outcome after commit 4":      {Fault: storetest.FaultUnanswered, N: 4, On: []storetest.Op{storetest.OpCommit, storetest.OpGet}},
		"lost that never comes":               {Fault: storetest.FaultLost, On: []storetest.Op{storetest.OpScan}},
		"crash before call 10":                {Fault: storetest.FaultCrashBefore, N: 10},
		"crash after commit 3":                {Fault: storetest.FaultCrashAfter, N: 3, On: []storetest.Op{storetest.OpCommit}},
	} {
		require.Equal(t, want, plan.String())
	}
}

func TestFaultsAtACommit(t *testing.T) {
	for _, test := range []struct {
		fault   storetest.Fault
		is      []error
		written bool
		crashed bool
	}{
		{storetest.FaultError, []error{storetest.ErrInjected}, false, false},
		{storetest.FaultLost, []error{storetest.ErrInjected, flagstage.ErrUnknownOutcome}, false, false},
		{storetest.FaultUnanswered, []error{storetest.ErrInjected, flagstage.ErrUnknownOutcome}, true, false},
		{storetest.FaultCrashBefore, []error{storetest.ErrCrashed}, false, true},
		{storetest.FaultCrashAfter, []error{storetest.ErrCrashed}, true, true},
	} {
		t.Run(string(test.fault), func(t *testing.T) {
			model := storetest.NewModel()
			s := storetest.Faulty(model, storetest.Plan{Fault: test.fault, N: 1, On: []storetest.Op{storetest.OpCommit}})
			require.NoError(t, put(s, "a", "before"))
			require.Equal(t, "before", value(t, s, "a"))
			require.False(t, s.Fired())

			err := put(s, "a", "hit")
			require.True(t, s.Fired())
			for _, target := range []error{storetest.ErrInjected, storetest.ErrCrashed, flagstage.ErrUnknownOutcome} {
				require.Equal(t, contains(test.is, target), errors.Is(err, target), "%v: %v", err, target)
			}
			want := "before"
			if test.written {
				want = "hit"
			}
			require.Equal(t, want, value(t, model, "a"))

			if test.crashed {
				_, err := s.Get(ctx, "a")
				require.ErrorIs(t, err, storetest.ErrCrashed)
				_, err = read(s.Scan(ctx, ""))
				require.ErrorIs(t, err, storetest.ErrCrashed)
				_, err = read(s.Due(ctx, time.UnixMilli(1)))
				require.ErrorIs(t, err, storetest.ErrCrashed)
				require.ErrorIs(t, put(s, "a", "never"), storetest.ErrCrashed)
				require.ErrorIs(t, s.Close(), storetest.ErrCrashed)
				s.Restart()
			}
			require.Equal(t, want, value(t, s, "a"), "the store is open, and nothing was done meanwhile")
			require.NoError(t, put(s, "a", "after"), "a plan comes true once")
			require.Equal(t, "after", value(t, model, "a"))
			require.NoError(t, s.Close())
			_, err = model.Get(ctx, "a")
			require.ErrorIs(t, err, flagstage.ErrClosed)
		})
	}
}

func contains(list []error, err error) bool {
	for _, e := range list {
		if e == err {
			return true
		}
	}
	return false
}

func TestUnansweredCommitMayBeAConflict(t *testing.T) {
	model := storetest.NewModel()
	require.NoError(t, put(model, "a", "1"))
	s := storetest.Faulty(model, storetest.Plan{Fault: storetest.FaultUnanswered})
	_, err := s.Commit(ctx, flagstage.Txn{If: []flagstage.Check{{Key: "a"}}, Delete: []string{"a"}})
	require.ErrorIs(t, err, flagstage.ErrUnknownOutcome)
	require.NotErrorIs(t, err, flagstage.ErrConflict)
	require.Equal(t, "1", value(t, model, "a"))
}

func TestFaultsAtReading(t *testing.T) {
	all := []string{"a", "b", "c"}
	for _, test := range []struct {
		fault storetest.Fault
		is    error
		keys  []string
	}{
		{storetest.FaultError, storetest.ErrInjected, nil},
		{storetest.FaultCrashBefore, storetest.ErrCrashed, nil},
		{storetest.FaultCrashAfter, storetest.ErrCrashed, all},
	} {
		for _, op := range []storetest.Op{storetest.OpGet, storetest.OpScan, storetest.OpDue} {
			t.Run(string(test.fault)+" "+string(op), func(t *testing.T) {
				model := storetest.NewModel()
				for _, key := range all {
					require.NoError(t, put(model, key, ""))
				}
				s := storetest.Faulty(model, storetest.Plan{Fault: test.fault, N: 1, On: []storetest.Op{op}})
				call := func() (keys []string, err error) {
					switch op {
					case storetest.OpScan:
						return read(s.Scan(ctx, ""))
					case storetest.OpDue:
						return read(s.Due(ctx, time.UnixMilli(1)))
					}
					r, err := s.Get(ctx, "a")
					if err == nil {
						keys = all
					}
					require.Equal(t, err == nil, r.Key == "a")
					return keys, err
				}
				keys, err := call()
				require.NoError(t, err)
				require.Equal(t, all, keys)

				keys, err = call()
				require.ErrorIs(t, err, test.is)
				if op == storetest.OpGet {
					require.Empty(t, keys)
				} else {
					require.Equal(t, test.keys, keys)
				}
				require.True(t, s.Fired())

				s.Restart()
				keys, err = call()
				require.NoError(t, err)
				require.Equal(t, all, keys)
			})
		}
	}
}

func TestUnknownOutcomesHitCommitsAlone(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.FaultLost, storetest.FaultUnanswered} {
		s := storetest.Faulty(storetest.NewModel(), storetest.Plan{Fault: fault})
		require.Empty(t, value(t, s, "a"))
		keys, err := read(s.Scan(ctx, ""))
		require.NoError(t, err)
		require.Empty(t, keys)
		require.False(t, s.Fired())
		require.ErrorIs(t, put(s, "a", "1"), flagstage.ErrUnknownOutcome)
	}
}

func TestCrashEndsIterationsForGood(t *testing.T) {
	model := storetest.NewModel()
	for _, key := range []string{"a", "b", "c"} {
		require.NoError(t, put(model, key, ""))
	}
	s := storetest.Faulty(model, storetest.Plan{Fault: storetest.FaultCrashAfter, On: []storetest.Op{storetest.OpCommit}})
	var keys []string
	var end error
	for r, err := range s.Scan(ctx, "") {
		if err != nil {
			end = err
			continue
		}
		keys = append(keys, r.Key)
		require.ErrorIs(t, put(s, "d", ""), storetest.ErrCrashed)
		s.Restart() // what comes next is another life
	}
	require.ErrorIs(t, end, storetest.ErrCrashed)
	require.Equal(t, []string{"a"}, keys)
}

func TestCrashComesAlsoWhenTheLoopIsLeft(t *testing.T) {
	model := storetest.NewModel()
	require.NoError(t, put(model, "a", ""))
	s := storetest.Faulty(model, storetest.Plan{Fault: storetest.FaultCrashAfter})
	for range s.Scan(ctx, "") {
		break
	}
	require.ErrorIs(t, put(s, "a", ""), storetest.ErrCrashed)
}

func TestFaultyStoreWithoutFaultKeepsTheContract(t *testing.T) {
	storetest.Run(t, disk(func(m *storetest.Model) flagstage.Store {
		return storetest.Faulty(m, storetest.Plan{})
	}), flagstage.DurabilityAlways)
}

// tally is a program that counts what it is told, each thing once: the total
// and what was counted are written together.
type tally struct {
	store flagstage.Store
	// forgetful makes it a wrong one, that does not look whether a thing was
	// counted.
	forgetful bool
}

func (c tally) add(thing string) error {
	counted, err := c.store.Get(ctx, "counted/"+thing)
	if err != nil || counted.Revision != 0 && !c.forgetful {
		return err
	}
	total, err := c.store.Get(ctx, "total")
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(string(total.Value))
	_, err = c.store.Commit(ctx, flagstage.Txn{
		If:  []flagstage.Check{{Key: "total", Revision: total.Revision}},
		Put: []flagstage.Record{{Key: "total", Value: []byte(strconv.Itoa(n + 1))}, {Key: "counted/" + thing}},
	})
	return err
}

// run counts three things and repeats what fails, as a program does that is
// started again.
func (c tally) run(restart func()) {
	for _, thing := range []string{"a", "b", "c"} {
		for c.add(thing) != nil {
			restart()
		}
	}
}

func TestSweepComesByEveryCall(t *testing.T) {
	plans := map[storetest.Fault]int{}
	storetest.Sweep(t, func(t *testing.T, plan storetest.Plan) bool {
		model := storetest.NewModel()
		s := storetest.Faulty(model, plan)
		tally{store: s}.run(s.Restart)
		require.Equal(t, "3", value(t, model, "total"))
		if s.Fired() {
			plans[plan.Fault]++
		}
		return s.Fired()
	})
	require.Equal(t, map[storetest.Fault]int{
		storetest.FaultError: 9, storetest.FaultLost: 3, storetest.FaultUnanswered: 3,
		storetest.FaultCrashBefore: 9, storetest.FaultCrashAfter: 9,
	}, plans, "nine calls, three of them commits")
}

func TestSweepFindsAProgramThatCountsTwice(t *testing.T) {
	var failed []string
	require.NoError(t, storetest.Sweeping(func(plan storetest.Plan) (fired, passed bool) {
		model := storetest.NewModel()
		s := storetest.Faulty(model, plan)
		tally{store: s, forgetful: true}.run(s.Restart)
		passed = value(t, model, "total") == "3"
		if !passed {
			failed = append(failed, plan.String())
		}
		return s.Fired(), passed
	}, storetest.OpCommit))
	require.Equal(t, []string{"unknown outcome after commit 0", "crash after commit 0"}, failed)
}

func TestSweepLeavesOutWhatCannotCome(t *testing.T) {
	faults := map[storetest.Fault]bool{}
	require.NoError(t, storetest.Sweeping(func(plan storetest.Plan) (fired, passed bool) {
		faults[plan.Fault] = true
		return plan.N < 2, true
	}, storetest.OpGet, storetest.OpScan))
	require.Equal(t, map[storetest.Fault]bool{storetest.FaultError: true, storetest.FaultCrashBefore: true, storetest.FaultCrashAfter: true}, faults)
}

func TestSweepOfNothingFails(t *testing.T) {
	err := storetest.Sweeping(func(storetest.Plan) (fired, passed bool) { return false, true })
	require.ErrorContains(t, err, "no fault came")
	err = storetest.Sweeping(func(storetest.Plan) (fired, passed bool) { return true, true })
	require.ErrorContains(t, err, "must come to an end")
	require.NoError(t, storetest.Sweeping(func(storetest.Plan) (fired, passed bool) { return false, false }), "the body itself has failed")
}
