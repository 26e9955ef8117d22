package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// How many engines work on one store in a process, and how many callers use
// each of them.
const (
	releaseEngines = 2
	engineCallers  = 2
)

// mostSteered is how many workflows a process begins with that others have left.
const mostSteered = 60

// longestStep is by how much the clock moves at most between two calls, and
// applyTimeout how long a delivery may take by it, so that a claim sometimes runs
// out and mostly does not; and when it does, hardly anything else is due.
const (
	longestStep  = 4 * time.Minute
	applyTimeout = 20*time.Minute + 7*time.Millisecond
)

// releaser runs releases until it is killed, and prints what it was told: that a
// call was done, and what time it is.
type releaser struct {
	mu      sync.Mutex
	out     io.Writer
	clock   *flagstage.VirtualClock
	engines []*releaseEngine
	flags   []string // that workflows are started for
	// hosted says that a host applies the actions. The flags of the store are then
	// changed by hand only.
	hosted bool
	known  []string // releases that may be steered
	// deleted are the releases that were, and gone those of them whose identifiers were
	// not used again.
	deleted map[string]bool
	gone    []string
	// restarts is locked while something is started that may be there already: what
	// is deleted just then would begin anew.
	restarts sync.RWMutex
	runs     *runs // nil: only ticks do what is due
}

// releaseEngine is an engine whose clock may be wrong by years.
type releaseEngine struct {
	*flagstage.Engine
	clock *flagstage.VirtualClock // that of the releaser, which is right
	wrong atomic.Int64            // a time.Duration
}

// Now returns what time it is for the engine.
func (e *releaseEngine) Now() time.Time { return e.clock.Now().Add(time.Duration(e.wrong.Load())) }

// mostWrong is by how much a clock is wrong at most.
const mostWrong = 3 * 365 * 24 * time.Hour

// wrongBy returns by how much a clock is wrong that is.
func wrongBy(random *rand.Rand) time.Duration {
	return time.Duration(random.Int64N(int64(2*mostWrong))) - mostWrong
}

// release is the part that runs releases on a store, with several engines and
// callers at once, until it is killed.
func release(o options, _ []string, _ io.Reader, out io.Writer) error {
	random := rand.New(rand.NewPCG(o.seed, 3))
	r := &releaser{out: out, clock: flagstage.NewVirtualClock(time.UnixMilli(o.from)), hosted: o.log != "", deleted: map[string]bool{}}
	store, err := flagstage.OpenStore(o.path, flagstage.DurabilityAlways)
	if err != nil {
		return err
	}
	judge, err := flagstage.New(store)
	if err != nil {
		return err
	}
	var list []flagstage.Option
	if r.hosted {
		host, err := openHost(o.log, judge)
		if err != nil {
			return err
		}
		host.faulty(random.Uint64())
		list = host.options()
	}
	together, apart := wrongBy(random), wrongBy(random)
	if random.IntN(2) == 0 {
		together = 0
	}
	if random.IntN(4) > 0 {
		apart = together
	}
	for i := range releaseEngines {
		engine := &releaseEngine{clock: r.clock}
		engine.wrong.Store(int64([]time.Duration{together, apart}[i]))
		engine.Engine, err = flagstage.New(&witness{store, judge, r.hosted, r.say}, append(list, flagstage.WithClock(engine))...)
		if err != nil {
			return err
		}
		r.engines = append(r.engines, engine)
	}
	ctx := context.Background()
	if err := r.prepare(ctx, o.generation); err != nil {
		return err
	}
	if err := r.say("open"); err != nil {
		return err
	}
	if err := r.tell(); err != nil {
		return err
	}
	if random.IntN(3) == 0 {
		r.runs = &runs{engines: r.engines}
		r.runs.begin(ctx)
	}
	failed := make(chan error)
	for _, engine := range r.engines {
		for range engineCallers {
			random := rand.New(rand.NewPCG(random.Uint64(), 4))
			go func() {
				for {
					if err := r.call(ctx, engine, random); err != nil {
						failed <- err
						return
					}
				}
			}()
		}
	}
	return <-failed // it is for others to kill this
}

// prepare puts flags and templates in place, and finds the workflows that there
// are, all of which must be readable.
func (r *releaser) prepare(ctx context.Context, generation int) error {
	engine := r.engines[0]
	for i := range generationFlags {
		key := flagKey(generation, i)
		r.flags = append(r.flags, key)
		_, err := engine.Flag(ctx, operator, releaseProject, key)
		if errors.Is(err, flagstage.ErrNotFound) {
			var flag flags.Flag
			if flag, err = newFlag(key); err == nil {
				_, err = engine.PutFlag(ctx, operator, releaseProject, flag, flagstage.FlagWrite{})
			}
		}
		if err != nil {
			return err
		}
	}
	for n := range commonTemplates {
		if _, err := engine.CreateTemplate(ctx, operator, templateOf(n)); err != nil && !errors.Is(err, flagstage.ErrExists) {
			return err
		}
	}
	for _, status := range []flagstage.Status{flagstage.StatusActive, flagstage.StatusFailed} {
		there, err := listAll(ctx, engine.Engine, flagstage.WorkflowQuery{Status: status, Descending: true})
		if err != nil {
			return err
		}
		for _, w := range there[:min(mostSteered, len(there))] {
			r.known = append(r.known, w.Name)
		}
	}
	return nil
}

// say prints a line, whole.
func (r *releaser) say(words ...any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := fmt.Fprintln(r.out, words...)
	return err
}

// step moves the clock, and says so before anybody can read it.
func (r *releaser) step(random *rand.Rand) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.clock.Now().Add(time.Millisecond + time.Duration(random.Int64N(int64(longestStep))))
	if err := r.tellAt(at); err != nil {
		return err
	}
	r.clock.Set(at)
	return nil
}

// jump sets the clock of an engine to another year, or right.
func (r *releaser) jump(engine *releaseEngine, random *rand.Rand) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var wrong time.Duration
	if random.IntN(3) == 0 {
		wrong = wrongBy(random)
	}
	if _, err := fmt.Fprintln(r.out, "jumped", r.clock.Now().Add(wrong).UnixMilli()); err != nil {
		return err
	}
	engine.wrong.Store(int64(wrong))
	return nil
}

// tell says what time it is.
func (r *releaser) tell() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tellAt(r.clock.Now())
}

// tellAt says that it becomes a time, and what the latest clock shows then.
func (r *releaser) tellAt(at time.Time) error {
	latest := at
	for _, engine := range r.engines {
		if shows := at.Add(time.Duration(engine.wrong.Load())); shows.After(latest) {
			latest = shows
		}
	}
	_, err := fmt.Fprintln(r.out, "at", at.UnixMilli(), latest.UnixMilli())
	return err
}

// some returns a release that may be steered, "" if there is none.
func (r *releaser) some(random *rand.Rand) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) == 0 {
		return ""
	}
	return r.known[random.IntN(len(r.known))]
}

func (r *releaser) remember(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = append(r.known, name)
}

// call makes one call, and says what was acknowledged. A refusal is no error.
func (r *releaser) call(ctx context.Context, engine *releaseEngine, random *rand.Rand) error {
	if r.runs != nil && random.IntN(100) == 0 {
		switch stuck, err := r.runs.catchUp(ctx); {
		case err != nil:
			return err
		case stuck != "":
			return r.say("broke", stuck)
		}
	}
	r.runs.enter()
	defer r.runs.leave()
	if err := r.step(random); err != nil {
		return err
	}
	switch n := random.IntN(80); {
	case n < 32:
		if r.runs != nil && n >= 4 {
			return nil // that is for the runs to do
		}
		return r.tick(ctx, engine)
	case n < 39:
		return r.start(ctx, engine, releaseName(r.flags[random.IntN(len(r.flags))], random))
	case n < 40:
		return r.restart(ctx, engine, random)
	case n < 48:
		return r.patch(ctx, engine, random)
	case n < 49:
		return r.delete(ctx, engine, random)
	case n < 50:
		return r.reuse(ctx, engine, random)
	case n < 51:
		return r.purge(ctx, engine, random)
	case n < 52:
		return r.jump(engine, random)
	}
	name := r.some(random)
	if name == "" {
		return nil
	}
	return r.steer(ctx, engine, name, random)
}

func (r *releaser) tick(ctx context.Context, engine *releaseEngine) error {
	report, err := engine.Tick(ctx)
	if err != nil {
		return fmt.Errorf("tick: %w", err)
	}
	return r.say("tick", report.Applied)
}

// start starts a release.
func (r *releaser) start(ctx context.Context, engine *releaseEngine, name string) error {
	w, err := engine.StartWorkflow(ctx, starter, requestOf(name))
	if err == nil {
		r.remember(name)
	}
	return r.acknowledge(ackStart, w, "-", err)
}

// restart starts a release once more that is there already.
func (r *releaser) restart(ctx context.Context, engine *releaseEngine, random *rand.Rand) error {
	r.restarts.Lock()
	defer r.restarts.Unlock()
	name := r.some(random)
	w, err := engine.Workflow(ctx, operator, idOf(name))
	if errors.Is(err, flagstage.ErrNotFound) || err == nil && w.Name != name {
		return nil
	}
	if err == nil {
		w, err = engine.StartWorkflow(ctx, starter, requestOf(name))
	}
	return r.acknowledge(ackStart, w, "-", err)
}

// mostDeleted is how many releases are deleted in a row at most.
const mostDeleted = 6

// delete deletes some workflows, and often starts others with their identifiers.
func (r *releaser) delete(ctx context.Context, engine *releaseEngine, random *rand.Rand) error {
	n := 1 + random.IntN(mostDeleted)
	for range n {
		if err := r.deleteOne(ctx, engine, r.some(random), random.IntN(2) == 0); err != nil {
			return err
		}
	}
	if random.IntN(2) == 0 {
		return nil
	}
	for range n {
		if err := r.reuse(ctx, engine, random); err != nil {
			return err
		}
	}
	return nil
}

// deleteOne deletes a workflow. Who calls may go away when it is gone and not all of
// its events are.
func (r *releaser) deleteOne(ctx context.Context, engine *releaseEngine, name string, goesAway bool) error {
	r.restarts.RLock()
	defer r.restarts.RUnlock()
	w, err := engine.Workflow(ctx, operator, idOf(name))
	if err == nil {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if goesAway {
			ctx = context.WithValue(ctx, goingAway{}, cancel)
		}
		err = engine.DeleteWorkflow(ctx, operator, w.ID)
	}
	switch {
	case errors.Is(err, flagstage.ErrNotFound):
		return nil // somebody else has deleted it, or there was none
	case err != nil:
		return fmt.Errorf("delete: %w", err)
	}
	if err := r.say("ack", ackDelete, w.Name, 0, "-"); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.deleted[w.Name] { // by two at once
		r.deleted[w.Name] = true
		r.gone = append(r.gone, w.Name)
	}
	return nil
}

// reuse starts a release with the identifier of one that was deleted, which must be
// free after a tick. A host would take its deliveries for old ones.
func (r *releaser) reuse(ctx context.Context, engine *releaseEngine, random *rand.Rand) error {
	r.mu.Lock()
	last := len(r.gone) - 1
	if last < 0 || r.hosted {
		r.mu.Unlock()
		return nil
	}
	name := again(r.gone[last], random)
	r.gone = r.gone[:last]
	r.mu.Unlock()
	w, err := engine.StartWorkflow(ctx, starter, requestOf(name))
	if errors.Is(err, flagstage.ErrExists) {
		if err := r.tick(ctx, engine); err != nil {
			return err
		}
		w, err = engine.StartWorkflow(ctx, starter, requestOf(name))
	}
	if errors.Is(err, flagstage.ErrExists) {
		return r.say("broke", "the identifier of", name, "is not free:", err)
	}
	if err == nil {
		r.remember(name)
	}
	return r.acknowledge(ackStart, w, "-", err)
}

// purge purges what ended some hours ago, or just now.
func (r *releaser) purge(ctx context.Context, engine *releaseEngine, random *rand.Rand) error {
	r.restarts.RLock()
	defer r.restarts.RUnlock()
	before := engine.Now().Add(-time.Duration(random.Int64N(int64(3 * time.Hour))))
	if err := r.say("purging"); err != nil {
		return err
	}
	p, err := engine.Purge(context.WithValue(ctx, purging{}, before), operator, before)
	if err != nil {
		return err
	}
	return r.say("purged", p.Workflows, p.Plans, p.Changes)
}

// patch changes a flag by hand.
func (r *releaser) patch(ctx context.Context, engine *releaseEngine, random *rand.Rand) error {
	key, token := r.flags[random.IntN(len(r.flags))], token(random)
	patch := flags.Patch{Environment: releaseEnvironment, Instructions: marking(patchMark+token, random, 8)}
	_, err := engine.PatchFlag(ctx, operator, releaseProject, key, patch, flagstage.FlagWrite{IgnoreConflicts: random.IntN(2) == 0})
	var pending *flagstage.PendingStagesError
	switch {
	case errors.As(err, &pending):
		return nil
	case err != nil:
		return fmt.Errorf("patch: %w", err)
	}
	return r.say("ack", ackPatch, key, 0, token)
}

// token returns a text that stands nowhere else.
func token(random *rand.Rand) string { return fmt.Sprintf("%016x", random.Uint64()) }

// steer does something to a workflow that fits how far it has come, mostly.
func (r *releaser) steer(ctx context.Context, engine *releaseEngine, name string, random *rand.Rand) error {
	id := idOf(name)
	w, err := engine.Workflow(ctx, operator, id)
	if errors.Is(err, flagstage.ErrNotFound) {
		return nil // deleted or purged; whether it should be there is seen in the end
	}
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	token := token(random)
	acknowledge := func(kind string) func(w flagstage.StoredWorkflow, err error) error {
		return func(w flagstage.StoredWorkflow, err error) error { return r.acknowledge(kind, w, token, err) }
	}
	for _, gate := range w.Gates() {
		if gate.Kind == flagstage.KindApproval && random.IntN(4) > 0 {
			review := flagstage.Review{Stage: gate.Stage, Condition: gate.Condition, Kind: flagstage.ReviewApprove, Comment: token}
			switch random.IntN(20) {
			case 0:
				review.Kind = flagstage.ReviewDecline
			case 1, 2:
				review.Kind = flagstage.ReviewComment
			}
			if random.IntN(2) == 0 {
				review.Content = w.Plan().StageHash(gate.Stage)
			}
			who := append(reviewers, starter)[random.IntN(len(reviewers)+1)] // the starter is refused
			return acknowledge(ackReview)(engine.Review(ctx, who, id, review))
		}
	}
	switch {
	case w.Status() == flagstage.StatusFailed:
		retry := flagstage.Retry{Reason: token, IgnoreConflicts: random.IntN(2) == 0}
		return acknowledge(ackRetry)(engine.Retry(ctx, operator, id, retry))
	case w.Status() == flagstage.StatusPaused && random.IntN(4) > 0:
		return acknowledge(ackResume)(engine.Resume(ctx, operator, id, token))
	}
	switch n := random.IntN(16); {
	case n < 5:
		return acknowledge(ackPause)(engine.Pause(ctx, operator, id, token))
	case n < 6:
		return acknowledge(ackCancel)(engine.Cancel(ctx, operator, id, token))
	case n < 8:
		return acknowledge(ackResume)(engine.Resume(ctx, operator, id, token))
	case n < 10:
		stage := 0
		for stage < w.Plan().Len()-1 && w.StageStatus(stage) != flagstage.StatusActive {
			stage++
		}
		skip := flagstage.Skip{Stage: stage, Reason: token, BypassApproval: random.IntN(4) == 0}
		return acknowledge(ackSkip)(engine.Skip(ctx, operator, id, skip))
	}
	return nil
}

// acknowledge says that a call was done. That a call does not fit, or is not
// allowed, is no error: others were faster, or it was to be refused.
func (r *releaser) acknowledge(kind string, w flagstage.StoredWorkflow, token string, err error) error {
	switch flagstage.Code(err) {
	case "invalid_request", "forbidden", "not_found":
		return nil
	case "optimistic_locking_error":
		if kind == ackReview { // of a stage of the workflow that had the identifier before
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return r.say("ack", kind, w.Name, w.Version(), token)
}
