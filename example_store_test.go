package flagstage_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flagstage/flagstage"
)

// A process that is killed in the middle of a write leaves a half one at the
// end of the file. Opening the file again cuts it off, and says so.
func ExampleOpenStore() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "releases.db")

	store, err := flagstage.OpenStore(path, flagstage.DurabilityAlways)
	if err != nil {
		fmt.Println(err)
		return
	}
	revision, err := store.Commit(ctx, flagstage.Txn{Put: []flagstage.Record{{Key: "greeting", Value: []byte("hello")}}})
	fmt.Println("committed:", revision, err)
	_, err = flagstage.OpenStore(path, flagstage.DurabilityAlways)
	fmt.Println("a second opener is refused:", errors.Is(err, flagstage.ErrLocked))
	fmt.Println("closed:", store.Close())

	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(file, "*3\r\n$3\r\nset\r\n$8\r\ngree") // as a write that was cut short
	file.Close()

	store, err = flagstage.OpenStore(path, flagstage.DurabilityAlways)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	record, err := store.Get(ctx, "greeting")
	fmt.Println("found:", string(record.Value), err)
	fmt.Println("cut off:", store.Recovery().Cut.Bytes, "bytes")
	// Output:
	// committed: 1 <nil>
	// a second opener is refused: true
	// closed: <nil>
	// found: hello <nil>
	// cut off: 21 bytes
}

// A damaged file is refused. What is whole in it can be saved into a new one.
func ExampleSalvageStore() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path, saved := filepath.Join(dir, "releases.db"), filepath.Join(dir, "saved.db")
	store, err := flagstage.OpenStore(path, flagstage.DurabilityAlways)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, key := range []string{"one", "two", "three"} {
		if _, err := store.Commit(ctx, flagstage.Txn{Put: []flagstage.Record{{Key: key, Value: []byte("of three")}}}); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := store.Close(); err != nil {
		fmt.Println(err)
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		fmt.Println(err)
		return
	}

	_, err = flagstage.VerifyStore(ctx, path, nil)
	var corrupt *flagstage.CorruptError
	fmt.Println("damaged:", errors.As(err, &corrupt))
	found, err := flagstage.SalvageStore(ctx, path, saved, nil)
	fmt.Println("saved:", found.Records, err)
	for _, lost := range found.Lost {
		fmt.Println("lost: transaction", lost.From)
	}
	// Output:
	// damaged: true
	// saved: 2 <nil>
	// lost: transaction 2
}
