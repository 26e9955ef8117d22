package storetest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/storetest"
)

// A program that commits must cope with a crash right after: the transaction
// was written, but the program has never heard so.
func ExampleFaulty() {
	ctx := context.Background()
	plan := storetest.Plan{Fault: storetest.FaultCrashAfter, N: 0, On: []storetest.Op{storetest.OpCommit}}
	store := storetest.Faulty(storetest.NewModel(), plan)

	greeting := flagstage.Txn{Put: []flagstage.Record{{Key: "greeting", Value: []byte("hello")}}}
	_, err := store.Commit(ctx, greeting)
	fmt.Println(err)
	_, err = store.Get(ctx, "greeting")
	fmt.Println(errors.Is(err, storetest.ErrCrashed))

	store.Restart()
	record, err := store.Get(ctx, "greeting")
	fmt.Printf("%s, revision %d, %v\n", record.Value, record.Revision, err)
	// Output:
	// crashed: crash after commit 0
	// true
	// hello, revision 1, <nil>
}

func ExampleNewModel() {
	ctx := context.Background()
	store := storetest.NewModel()
	store.Commit(ctx, flagstage.Txn{Put: []flagstage.Record{{Key: "b"}, {Key: "a"}}})
	for record, err := range store.Scan(ctx, "") {
		fmt.Println(record.Key, record.Revision, err)
	}
	// Output:
	// a 1 <nil>
	// b 1 <nil>
}
