package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
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
// out and mostly does not.
const (
	longestStep  = 4 * time.Minute
	applyTimeout = 20 * time.Minute
)

// releaser runs releases until it is killed, and prints what it was told: that a
// call was done, and what time it is.
type releaser struct {
	mu    sync.Mutex
	out   io.Writer
	clock *flagstage.VirtualClock
	flags []string // that workflows are started for
	// hosted says that a host applies the actions, and keeps the flags.
	hosted bool
	known  []string // workflows that may be steered
}

// release is the part that runs releases on a store, with several engines and
// callers at once, until it is killed.
func release(o options, _ []string, _ io.Reader, out io.Writer) error {
	random := rand.New(rand.NewPCG(o.seed, 3))
	r := &releaser{out: out, clock: flagstage.NewVirtualClock(time.UnixMilli(o.from)), hosted: o.log != ""}
	store, err := flagstage.OpenStore(o.path, flagstage.DurabilityAlways)
	if err != nil {
		return err
	}
	var list []flagstage.Option
	if r.hosted {
		host, err := openHost(o.log, r.clock)
		if err != nil {
			return err
		}
		host.faulty(random.Uint64())
		list = host.options()
	}
	ctx := context.Background()
	var engines []*flagstage.Engine
	for range releaseEngines {
		engine, err := flagstage.New(store, append(list, flagstage.WithClock(r.clock))...)
		if err != nil {
			return err
		}
		engines = append(engines, engine)
	}
	if err := r.prepare(ctx, engines[0], o.generation); err != nil {
		return err
	}
	if err := r.say("open"); err != nil {
		return err
	}
	failed := make(chan error)
	for _, engine := range engines {
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

// prepare puts the flags in place, and finds the workflows that there are.
func (r *releaser) prepare(ctx context.Context, engine *flagstage.Engine, generation int) error {
	for i := range generationFlags {
		key := flagKey(generation, i)
		r.flags = append(r.flags, key)
		if r.hosted {
			continue
		}
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
	for _, status := range []flagstage.Status{flagstage.StatusActive, flagstage.StatusFailed} {
		there, err := engine.Workflows(ctx, operator, flagstage.WorkflowQuery{Status: status, Descending: true, Limit: mostSteered})
		if err != nil {
			return err
		}
		for _, w := range there.Items {
			r.known = append(r.known, w.ID)
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
	at := r.clock.Now().Add(time.Duration(random.Int64N(int64(longestStep))))
	if _, err := fmt.Fprintln(r.out, "at", at.UnixMilli()); err != nil {
		return err
	}
	r.clock.Set(at)
	return nil
}

// some returns a workflow that may be steered, "" if there is none.
func (r *releaser) some(random *rand.Rand) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) == 0 {
		return ""
	}
	return r.known[random.IntN(len(r.known))]
}

func (r *releaser) remember(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = append(r.known, id)
}

// call makes one call, and says what was acknowledged. A refusal is no error.
func (r *releaser) call(ctx context.Context, engine *flagstage.Engine, random *rand.Rand) error {
	if err := r.step(random); err != nil {
		return err
	}
	switch n := random.IntN(20); {
	case n < 9:
		report, err := engine.Tick(ctx)
		if err != nil {
			return err
		}
		return r.say("tick", report.Applied)
	case n < 11:
		id := releaseID(r.flags[random.IntN(len(r.flags))], random)
		if random.IntN(8) == 0 && r.some(random) != "" {
			id = r.some(random) // once more: it is there already
		}
		w, err := engine.StartWorkflow(ctx, starter, releaseOf(id))
		if err == nil {
			r.remember(id)
		}
		return r.acknowledge(ackStart, w, "-", err)
	case n < 13 && !r.hosted:
		return r.patch(ctx, engine, random)
	}
	id := r.some(random)
	if id == "" {
		return nil
	}
	return r.steer(ctx, engine, id, random)
}

// patch changes a flag by hand.
func (r *releaser) patch(ctx context.Context, engine *flagstage.Engine, random *rand.Rand) error {
	key, token := r.flags[random.IntN(len(r.flags))], token(random)
	patch := flags.Patch{Environment: releaseEnvironment, Instructions: marking(patchMark+token, random, 8)}
	_, err := engine.PatchFlag(ctx, operator, releaseProject, key, patch, flagstage.FlagWrite{IgnoreConflicts: random.IntN(2) == 0})
	var pending *flagstage.PendingStagesError
	switch {
	case errors.As(err, &pending):
		return nil
	case err != nil:
		return err
	}
	return r.say("ack", ackPatch, key, 0, token)
}

// token returns a text that stands nowhere else.
func token(random *rand.Rand) string { return fmt.Sprintf("%016x", random.Uint64()) }

// steer does something to a workflow that fits how far it has come, mostly.
func (r *releaser) steer(ctx context.Context, engine *flagstage.Engine, id string, random *rand.Rand) error {
	w, err := engine.Workflow(ctx, operator, id)
	if err != nil {
		return err
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
	case "invalid_request", "forbidden":
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return r.say("ack", kind, w.ID, w.Version(), token)
}
