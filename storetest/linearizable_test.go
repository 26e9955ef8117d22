package storetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/storetest"
)

// TestCallsThatOverlapAreJudged holds what is linearizable and what is not.
func TestCallsThatOverlapAreJudged(t *testing.T) {
	put := func(begin, end, revision int64, checks ...flagstage.Check) storetest.Call {
		return storetest.Call{Begin: begin, End: end, Revision: revision, Txn: flagstage.Txn{If: checks, Put: []flagstage.Record{{Key: "a"}}}}
	}
	conflict := func(begin, end, checked int64) storetest.Call {
		return put(begin, end, 0, flagstage.Check{Key: "a", Revision: checked})
	}
	get := func(begin, end, revision int64) storetest.Call {
		return storetest.Call{Begin: begin, End: end, Got: flagstage.Record{Key: "a", Revision: revision}}
	}
	seen := func(revision int64) flagstage.Check { return flagstage.Check{Key: "a", Revision: revision} }
	for _, test := range []struct {
		name  string
		calls []storetest.Call
		err   string // "": they are linearizable
	}{
		{"none", nil, ""},
		{"one after the other", []storetest.Call{put(1, 2, 5), get(3, 4, 5), put(5, 6, 7, seen(5)), get(7, 8, 7)}, ""},
		{"overlapping commits in either order", []storetest.Call{put(1, 4, 8), put(2, 3, 7)}, ""},
		{"revisions against time", []storetest.Call{put(1, 2, 8), put(3, 4, 7)}, "revisions do not grow"},
		{"a revision twice", []storetest.Call{put(1, 4, 7), put(2, 3, 7)}, "revision 7 was used twice"},
		{"both see the same before", []storetest.Call{put(1, 4, 1, seen(0)), put(2, 3, 2, seen(0))}, "although its check fails in the order of revisions"},
		{"an old read", []storetest.Call{put(1, 2, 1), get(3, 4, 0)}, "nothing that the store can have held"},
		{"a read of what is to come", []storetest.Call{get(1, 2, 1), put(3, 4, 1)}, "nothing that the store can have held"},
		{"a read before an overlapping commit", []storetest.Call{put(1, 4, 1), get(2, 3, 0)}, ""},
		{"a read after an overlapping commit", []storetest.Call{put(1, 4, 1), get(2, 3, 1)}, ""},
		{"a conflict", []storetest.Call{put(1, 2, 1), conflict(3, 4, 0)}, ""},
		{"a conflict with an overlapping commit", []storetest.Call{put(1, 4, 1), conflict(2, 3, 0)}, ""},
		{"a conflict with nothing", []storetest.Call{put(1, 2, 1), conflict(3, 4, 1)}, "nothing that the store can have held"},
		{"a conflict with what is to come", []storetest.Call{conflict(1, 2, 0), put(3, 4, 1)}, "nothing that the store can have held"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := storetest.CheckCalls(test.calls...)
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.err)
		})
	}
}
