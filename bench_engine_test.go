//go:build unix

package flagstage_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/buntdb"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
)

// benchEngine returns an engine on a store, and its clock.
func benchEngine(b *testing.B, store flagstage.Store, more ...flagstage.Option) (*flagstage.Engine, *flagstage.VirtualClock) {
	clock := flagstage.NewVirtualClock(now)
	engine, err := flagstage.New(store, append(more, flagstage.WithClock(clock))...)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, engine.Close()) })
	return engine, clock
}

// unsynced returns a store in a file that is not synced.
func unsynced(b *testing.B) flagstage.Store {
	store, err := flagstage.OpenStore(filepath.Join(b.TempDir(), "flagstage"), flagstage.DurabilityNever)
	require.NoError(b, err)
	return store
}

// atOnce is an applier that does nothing.
var atOnce = flagstage.ApplierFunc(func(context.Context, flagstage.Delivery) error { return nil })

// dueAtOnce is how many workflows are due at once, and benchStages how often.
const (
	dueAtOnce   = 1000
	benchStages = 500
)

// startMinutes starts workflows of stages that take a minute each, and turn a
// flag of their own on and off.
func startMinutes(b *testing.B, engine *flagstage.Engine) {
	stages := make([]flagstage.Stage, benchStages)
	for i := range stages {
		stages[i].Conditions = []flagstage.Condition{flagstage.ScheduleAfter(1, calendar.Minute)}
		stages[i].Action = flagstage.Patch(flags.TurnFlagOn())
		if i%2 > 0 {
			stages[i].Action = flagstage.Patch(flags.TurnFlagOff())
		}
	}
	template := create(b, flagstage.TemplateInput{Key: "minutes", Origin: origin, Stages: stages})
	for i := range dueAtOnce {
		target := flagstage.Target{Origin: origin}
		target.FlagKey = fmt.Sprint("flag-", i)
		plan, _, err := template.Bind(target, nil)
		require.NoError(b, err)
		_, err = engine.StartPlan(b.Context(), alice, plan, flagstage.WorkflowInput{Name: "Progressive rollout"})
		require.NoError(b, err)
	}
}

// setAll sets as many keys of buntdb in one transaction as workflows are due at
// once.
func setAll(b *testing.B, db *buntdb.DB, value string) {
	if err := db.Update(func(tx *buntdb.Tx) error {
		for k := range dueAtOnce {
			if _, _, err := tx.Set(workflowKey(k), value, nil); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
}

// compareAdvance compares advancing a stage of each of a thousand workflows that
// are due at once with as many Sets of buntdb in one transaction.
func compareAdvance(b *testing.B, must float64, store flagstage.Store, engine *flagstage.Engine, clock *flagstage.VirtualClock) {
	db := plainBunt(b, buntdb.Never)
	ctx, value, ticks := b.Context(), string(make([]byte, workflowSize)), 0
	compareWall(b, must, func() { setAll(b, db, value) }, func() {
		clock.Advance(time.Minute)
		report, err := engine.Tick(ctx)
		if err != nil || report.Applied != dueAtOnce {
			b.Fatalf("%d actions were applied in tick %d of at most %d; give a shorter -benchtime? %v", report.Applied, ticks, benchStages, err)
		}
		ticks++
	})
	for record, err := range store.Scan(ctx, "event/") {
		require.NoError(b, err)
		require.LessOrEqual(b, len(record.Value), workflowSize)
	}
}

// BenchmarkAdvanceStage advances them with an applier that returns at once.
func BenchmarkAdvanceStage(b *testing.B) {
	store := unsynced(b)
	engine, clock := benchEngine(b, store, flagstage.WithApplier(atOnce))
	startMinutes(b, engine)
	compareAdvance(b, 18, store, engine, clock)
}

// BenchmarkWritesOfAnAdvance does what such an advance writes, and nothing else: in
// one commit the records that claim an action, in another those of the result, each
// with its events.
func BenchmarkWritesOfAnAdvance(b *testing.B) {
	store, db := unsynced(b), plainBunt(b, buntdb.Never)
	const together = 40 // as many as a tick puts into one commit
	ctx, value, ticks := b.Context(), make([]byte, workflowSize), int64(0)
	var checks [dueAtOnce]flagstage.Check
	for k := range checks {
		checks[k].Key = workflowKey(k)
	}
	write := func(events bool) {
		for some := range slices.Chunk(checks[:], together) {
			txn := flagstage.Txn{If: some}
			for _, c := range some {
				txn.Put = append(txn.Put, flagstage.Record{Key: c.Key, Value: value, Wake: now.Add(time.Duration(ticks) * time.Minute)})
				if events {
					txn.Put = append(txn.Put, flagstage.Record{Key: fmt.Sprintf("event/%s/%016x", c.Key, ticks), Value: value})
				}
			}
			revision, err := store.Commit(ctx, txn)
			require.NoError(b, err)
			for i := range some {
				some[i].Revision = revision
			}
		}
	}
	compareWall(b, 0, func() { setAll(b, db, string(value)) }, func() {
		ticks++
		write(false)
		write(true)
	})
}

// BenchmarkAdvanceStageOfStoredFlag advances them with their flags in the same
// store, of which each is written too.
func BenchmarkAdvanceStageOfStoredFlag(b *testing.B) {
	store := unsynced(b)
	engine, clock := benchEngine(b, store)
	document, err := os.ReadFile("testdata/new-checkout.flag.json")
	require.NoError(b, err)
	for i := range dueAtOnce {
		flag, problems := flags.DecodeFlag(bytes.Replace(document, []byte(`"new-checkout"`), fmt.Appendf(nil, `"flag-%d"`, i), 1))
		require.Empty(b, problems)
		_, err := engine.PutFlag(b.Context(), alice, origin.ProjectKey, flag, flagstage.FlagWrite{})
		require.NoError(b, err)
	}
	startMinutes(b, engine)
	compareAdvance(b, 0, store, engine, clock)
}

// setNext returns what sets another key of buntdb at each call.
func setNext(b *testing.B, db *buntdb.DB) func() {
	n, value := 0, string(make([]byte, workflowSize))
	return func() {
		n++
		if err := db.Update(func(tx *buntdb.Tx) error {
			_, _, err := tx.Set(workflowKey(n), value, nil)
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// compareStart compares starting a workflow of a plan that is stored already with
// a Set of buntdb.
func compareStart(b *testing.B, compare func(b *testing.B, must float64, base, subject func()), must float64, db *buntdb.DB, store flagstage.Store) {
	engine, _ := benchEngine(b, store, flagstage.WithApplier(atOnce))
	input, problems := flagstage.ReadTemplate(sixStages(b))
	require.Empty(b, problems)
	plan, _, err := create(b, input).Bind(flagstage.Target{Origin: input.Origin}, nil)
	require.NoError(b, err)
	compare(b, must, setNext(b, db), func() {
		if _, err := engine.StartPlan(b.Context(), alice, plan, flagstage.WorkflowInput{Name: "Progressive rollout"}); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkStartInMemory compares starting workflows in memory.
func BenchmarkStartInMemory(b *testing.B) {
	store, err := flagstage.NewMemoryStore()
	require.NoError(b, err)
	compareStart(b, compare, 11, memoryBunt(b), store)
}

// BenchmarkWritesOfAStart does what a start writes and checks in memory, and
// nothing else: the workflow, its place in the list of its flag, and its events.
func BenchmarkWritesOfAStart(b *testing.B) {
	store, err := flagstage.NewMemoryStore()
	require.NoError(b, err)
	defer store.Close()
	ctx, value, ids := b.Context(), make([]byte, workflowSize), flagstage.SeededIDs(1)
	plan := flagstage.Check{Key: "plan/" + strings.Repeat("0", 64)}
	plan.Revision, err = store.Commit(ctx, flagstage.Txn{Put: []flagstage.Record{{Key: plan.Key, Value: value}}})
	require.NoError(b, err)
	compare(b, 0, setNext(b, memoryBunt(b)), func() {
		id := ids.NewID(now)
		if _, err := store.Commit(ctx, flagstage.Txn{
			If: []flagstage.Check{plan, {Key: "workflow/" + id}},
			Put: []flagstage.Record{
				{Key: "workflow/" + id, Value: value, Wake: now},
				{Key: "flagworkflow/web-shop/production/new-checkout/" + id, Value: value[:1]},
				{Key: "event/" + id + "/0000000000000001", Value: value},
			},
		}); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkStartInFile compares starting workflows in a file that is not synced.
func BenchmarkStartInFile(b *testing.B) {
	compareStart(b, compareWall, 7, plainBunt(b, buntdb.Never), unsynced(b))
}

// BenchmarkMemoryPerPendingWorkflow measures the heap that an engine takes for
// each workflow that waits, in all, and without the events so far.
func BenchmarkMemoryPerPendingWorkflow(b *testing.B) {
	const workflows = 100_000
	ctx, plan := b.Context(), create(b, named("hours", "")).Plan()
	for b.Loop() {
		before := liveBytes()
		store, err := flagstage.NewMemoryStore()
		require.NoError(b, err)
		engine, _ := benchEngine(b, store, flagstage.WithApplier(atOnce))
		for range workflows {
			_, err := engine.StartPlan(ctx, alice, plan, flagstage.WorkflowInput{Name: "Progressive rollout"})
			require.NoError(b, err)
		}
		perWorkflow := func() float64 { return float64(liveBytes()-before) / workflows }
		all := perWorkflow()
		deleteEvents(b, store)
		without := perWorkflow()
		b.ReportMetric(all, "bytes/workflow")
		b.ReportMetric(without, "bytes/eventless")
		b.ReportMetric(900, "must")
		if without > 900 {
			b.Errorf("a workflow takes %.0f bytes without its events, must take at most 900", without)
		}
		require.NoError(b, engine.Close())
	}
}

// deleteEvents deletes the events of all workflows.
func deleteEvents(b *testing.B, store flagstage.Store) {
	var keys []string
	for record, err := range store.Scan(b.Context(), "event/") {
		require.NoError(b, err)
		keys = append(keys, record.Key)
	}
	for chunk := range slices.Chunk(keys, flagstage.MaxTxnOps) {
		_, err := store.Commit(b.Context(), flagstage.Txn{Delete: chunk})
		require.NoError(b, err)
	}
}
