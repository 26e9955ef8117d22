package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/flagstage/flagstage"
)

// releasesStart is where the time of all releases begins.
var releasesStart = time.Date(2026, 10, 20, 9, 0, 0, 0, time.UTC)

// releases kills processes that run releases at random moments, again and again
// on the same store, and prints what became of the releases: with the flags in
// the store, and with a host that keeps them.
func releases(o options, _ []string, _ io.Reader, out io.Writer) error {
	if o.rounds < 1 {
		return fmt.Errorf("%d processes cannot be killed; give -rounds 1 or more", o.rounds)
	}
	t := table{head: []string{"flags", "kills", "while opening", "acknowledged", "workflows", "completed", "failed", "cancelled", "deleted or purged", "actions", "delivered again", "**promises broken**"}}
	var broken []breach
	for _, hosted := range []bool{false, true} {
		where := "in the store"
		if hosted {
			where = "of a host"
		}
		dir, remove, err := o.scratch()
		if err != nil {
			return err
		}
		count, err := killReleases(o.seed, o.rounds, hosted, dir)
		remove()
		if err != nil {
			return fmt.Errorf("flags %s, with seed %d: %w", where, o.seed, err)
		}
		again := any("–")
		if hosted {
			again = count.repeated
		}
		t.add(where, count.tried, count.early, len(count.ledger.acknowledged), count.workflows, count.completed, count.failed, count.cancelled, count.absent, count.actions, again, len(count.breaches))
		broken = append(broken, count.breaches...)
	}
	if err := t.print(out, fmt.Sprintf("A process that runs releases is killed (SIGKILL), seed %d", o.seed)); err != nil {
		return err
	}
	for _, b := range broken {
		if _, err := fmt.Fprintf(out, "\n%s: %s\n", b.promised, b.what); err != nil {
			return err
		}
	}
	return broke(len(broken) > 0)
}

// killedReleases counts what becomes of releases whose processes are killed.
type killedReleases struct {
	tried, early int // early: before the releases could go on
	ledger       *ledger
	*findings
	path, log string // log: "" if the flags are in the store
	random    *rand.Rand
}

// lookRounds is after how many processes all is looked at.
const lookRounds = 20

// killReleases kills processes, and then lets all releases end.
func killReleases(seed uint64, rounds int, hosted bool, dir string) (*killedReleases, error) {
	k := &killedReleases{
		path: filepath.Join(dir, "store.db"), random: rand.New(rand.NewPCG(seed, 6)),
		ledger: newLedger(releasesStart), findings: &findings{},
	}
	if hosted {
		k.log = filepath.Join(dir, "host.log")
	}
	for round := range rounds {
		err := k.kill(round / generation)
		if last := round == rounds-1; err == nil && (last || round%lookRounds == lookRounds-1 || len(k.ledger.broke) > 0) {
			err = k.look(last)
		}
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", round+1, err)
		}
		if len(k.findings.breaches) > 0 {
			break // what follows is of no use
		}
	}
	return k, nil
}

// kill starts a process that runs releases, and kills it.
func (k *killedReleases) kill(generation int) error {
	k.tried++
	if k.random.IntN(8) == 0 { // nobody was there for a while
		k.ledger.now += k.random.Int64N(2 * time.Hour.Milliseconds())
	}
	arguments := []string{"release", "-path", k.path, "-seed", fmt.Sprint(k.random.Uint64()), "-from", fmt.Sprint(k.ledger.now), "-generation", fmt.Sprint(generation)}
	if k.log != "" {
		arguments = append(arguments, "-log", k.log)
	}
	open, err := killChild(k.random, 2*killAfter, k.ledger.note, arguments...)
	if !open {
		k.early++
	}
	if err != nil {
		return fmt.Errorf("%v: %w", arguments, err)
	}
	end, err := sizeOf(k.log)
	k.ledger.ended(end)
	return err
}

// sizeOf returns the size of a file, 0 if there is none.
func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, err
	}
	return info.Size(), nil
}

// look holds what is there against what was promised, at last after all
// releases have ended.
func (k *killedReleases) look(last bool) (err error) {
	store, err := flagstage.OpenStore(k.path, flagstage.DurabilityAlways)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ctx := context.Background()
	clock := flagstage.NewVirtualClock(time.UnixMilli(k.ledger.now))
	list := []flagstage.Option{flagstage.WithClock(clock)}
	if k.log != "" {
		judge, err := flagstage.New(store)
		if err != nil {
			return err
		}
		host, err := openHost(k.log, judge)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, host.log.Close()) }()
		list = append(list, host.options()...)
	}
	engine, err := flagstage.New(store, list...)
	if err != nil {
		return err
	}
	if _, err := engine.Tick(ctx); err != nil { // takes away what deletions have left
		return err
	}
	stuck := ""
	if last {
		clock.Set(time.UnixMilli(k.ledger.latest))
		if err := k.resume(ctx, engine); err != nil {
			return err
		}
		if stuck, err = endReleases(ctx, store, engine, clock); err != nil {
			return err
		}
	}
	facts, err := readFacts(ctx, store, engine, k.log)
	if err != nil {
		return err
	}
	k.findings = k.ledger.check(facts)
	if stuck != "" {
		k.broken(promisedEnd, "%s", stuck)
	}
	if last && stuck == "" {
		clock.Advance(time.Hour)
		return k.purgeAll(ctx, store, engine, clock.Now())
	}
	return nil
}

// mostReused is how many identifiers are used again in the end.
const mostReused = 5

// resume lets go on what has failed, and starts releases with identifiers of those
// that were deleted.
func (k *killedReleases) resume(ctx context.Context, engine *flagstage.Engine) error {
	failed, err := listAll(ctx, engine, flagstage.WorkflowQuery{Status: flagstage.StatusFailed})
	if err != nil {
		return err
	}
	for _, w := range failed {
		if _, err := engine.Retry(ctx, operator, w.ID, flagstage.Retry{Reason: "once more " + w.Name}); err != nil {
			return err
		}
	}
	if k.log != "" {
		return nil // the host would take its deliveries for old ones
	}
	reused := 0
	for _, name := range slices.Sorted(maps.Keys(k.ledger.gone)) {
		if _, err := engine.Workflow(ctx, operator, idOf(name)); !errors.Is(err, flagstage.ErrNotFound) {
			if err != nil {
				return err
			}
			continue
		}
		if reused++; reused > mostReused {
			break
		}
		next := again(name, k.random)
		w, err := engine.StartWorkflow(ctx, starter, requestOf(next))
		if err != nil {
			return fmt.Errorf("use the identifier of %s again: %w", name, err)
		}
		k.ledger.acknowledged = append(k.ledger.acknowledged, acknowledgement{ackStart, next, w.Version(), "-"})
	}
	return nil
}

// purgeAll purges all that has ended, which must leave nothing of it.
func (k *killedReleases) purgeAll(ctx context.Context, store flagstage.Store, engine *flagstage.Engine, before time.Time) error {
	if _, err := engine.Purge(ctx, operator, before); err != nil {
		return err
	}
	for _, prefix := range []string{workflowRecords, eventRecords, listRecords, planRecords, changeRecords} {
		for record, err := range store.Scan(ctx, prefix) {
			if err != nil {
				return err
			}
			k.broken(promisedPurge, "%s is left", record.Key)
			break
		}
	}
	return nil
}

// mostDays is after how many days all releases must have ended, once nobody
// holds them back.
const mostDays = 10

// endReleases lets all releases end: it resumes those that are paused, approves
// what is asked for, and moves the clock. What is due is done by ticks and by runs, in
// turn. It returns what goes on though it should not.
func endReleases(ctx context.Context, store flagstage.Store, engine *flagstage.Engine, clock *flagstage.VirtualClock) (stuck string, err error) {
	for day := range mostDays {
		clock.Advance(24 * time.Hour)
		if day%2 == 0 {
			_, err = engine.Tick(ctx)
		} else {
			err = runAll(ctx, store, engine, clock)
		}
		if err != nil {
			return "", err
		}
		if late, err := overdue(ctx, engine, clock); late != "" || err != nil {
			return late, err
		}
		running, err := listAll(ctx, engine, flagstage.WorkflowQuery{Status: flagstage.StatusActive})
		if err != nil {
			return "", err
		}
		if len(running) == 0 {
			return "", nil
		}
		for _, w := range running { // its record may not say so
			if at, ok := w.Wake(); ok && !at.After(clock.Now()) {
				return fmt.Sprintf("%s has something to do since %s, and it is %s", w.Name, at, clock.Now().UTC()), nil
			}
		}
		stuck = fmt.Sprintf("%d workflows go on after %d days", len(running), mostDays)
		for _, w := range running {
			if err := encourage(ctx, engine, w); err != nil {
				return "", err
			}
		}
	}
	return stuck, nil
}

// encourage does for a workflow what it waits for people to do.
func encourage(ctx context.Context, engine *flagstage.Engine, w flagstage.StoredWorkflow) error {
	if w.Status() == flagstage.StatusPaused {
		_, err := engine.Resume(ctx, operator, w.ID, "")
		return err
	}
	for _, gate := range w.Gates() {
		if gate.Kind != flagstage.KindApproval {
			continue
		}
		for _, who := range reviewers {
			review := flagstage.Review{Stage: gate.Stage, Condition: gate.Condition, Kind: flagstage.ReviewApprove}
			w, err := engine.Review(ctx, who, w.ID, review)
			if err != nil {
				return err
			}
			if w.ConditionStatus(gate.Stage, gate.Condition) != flagstage.StatusActive {
				break
			}
		}
	}
	return nil
}
