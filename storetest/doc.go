// Package storetest checks implementations of [flagstage.Store], and gives
// programs that use a store what they need to be tested.
//
//   - [Run] checks that a store keeps its contract.
//   - [Model] is a store in memory that is plain enough to be right: what
//     another store should have done can be read from it.
//   - [Faulty] makes a store fail, lose its answer or crash at a call of your
//     choice, and [Sweep] does so at every call of a test.
//
// # Checking a store
//
// A test calls Run with a function that opens the store:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(path string) (flagstage.Store, error) {
//			return mystore.Open(path)
//		}, flagstage.DurabilityAlways)
//	}
//
// Each clause of the contract is a subtest. One that fails says what is
// wrong, and shows the calls that led there as text. Flags of rapid, such as
// -rapid.checks and -rapid.seed, change the part that is drawn at random.
//
// # The contract
//
// It is what the documentation of [flagstage.Store] and [flagstage.Txn] says.
// Where that leaves room, Run asks for this:
//
//   - An empty transaction, or one of checks alone, is a commit: it takes a
//     revision like any other.
//   - Revisions may have gaps.
//   - A transaction that breaks a rule is refused with [flagstage.ErrTxn]
//     even when a check of it fails too.
//   - A record at a key that begins with NUL is never seen. Asking for one
//     may also be an error.
//   - A loop that writes sees every record that it leaves alone once, and
//     the others at most once at each place that they had in the order.
//   - An iteration whose context is cancelled, or whose store is closed,
//     while it runs either ends in the error or is complete; it never just
//     ends early.
//   - The first two records of an iteration are of one page.
//   - Calls are linearizable: what one has done, those begun later see.
//   - A store that is closed while transactions are under way has kept those
//     that were acknowledged, and nothing of those that returned
//     [flagstage.ErrClosed].
//   - [flagstage.ErrUnknownOutcome] is no answer of a store that nothing
//     disturbs.
//   - Unless its durability is [flagstage.DurabilityVolatile], a store that
//     was closed and opened again holds the same records, and counts on from
//     its last revision.
//
// What a store does with a Wake that is no whole number of milliseconds is
// not asked.
package storetest
