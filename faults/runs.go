package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/flagstage/flagstage"
)

// runs are engines that do what is due by themselves, beside those who call.
type runs struct {
	engines []*releaseEngine
	callers sync.RWMutex // held by those who call
	stop    context.CancelFunc
	ended   chan error
}

// begin lets the engines run.
func (r *runs) begin(ctx context.Context) {
	ctx, r.stop = context.WithCancel(ctx)
	r.ended = make(chan error, len(r.engines))
	for _, engine := range r.engines {
		go func() { r.ended <- engine.Run(ctx) }()
	}
}

// enter begins a call, and leave ends it. Without engines that run they do nothing.
func (r *runs) enter() {
	if r != nil {
		r.callers.RLock()
	}
}

func (r *runs) leave() {
	if r != nil {
		r.callers.RUnlock()
	}
}

// catchUp ends what runs, while nobody calls, and lets it begin again, which must do
// all that is due. It returns what is not done.
func (r *runs) catchUp(ctx context.Context) (stuck string, err error) {
	r.callers.Lock()
	defer r.callers.Unlock()
	r.stop()
	for range r.engines {
		if err := <-r.ended; !errors.Is(err, context.Canceled) {
			return "", fmt.Errorf("run: %w", err)
		}
	}
	r.begin(ctx)
	for _, engine := range r.engines {
		if stuck, err = awaitNothingDue(ctx, engine.Engine, engine); stuck != "" || err != nil {
			return stuck, err
		}
	}
	return "", nil
}

// awaitNothingDue waits until nothing is due for an engine that runs. It returns
// what still is after a long time.
func awaitNothingDue(ctx context.Context, engine *flagstage.Engine, clock flagstage.Clock) (stuck string, err error) {
	err = await(ctx, func() (bool, error) {
		stuck, err = overdue(ctx, engine, clock)
		return stuck == "", err
	})
	return stuck, err
}

// await waits until something is so, but not for ever.
func await(ctx context.Context, is func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, silentWaiting/2)
	defer cancel()
	looks := time.NewTicker(time.Millisecond)
	defer looks.Stop()
	for {
		if done, err := is(); done || err != nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-looks.C:
		case <-ctx.Done():
		}
	}
}

// overdue returns what is due, "" if nothing is.
func overdue(ctx context.Context, engine *flagstage.Engine, clock flagstage.Clock) (string, error) {
	at, ok, err := engine.NextDue(ctx)
	if err != nil || !ok || at.After(clock.Now()) {
		return "", err
	}
	return fmt.Sprintf("something is due at %s, and it is %s", at, clock.Now().UTC()), nil
}

// runAll does all that is due by a run, while the clock stands still. What a run has
// not done is seen by others.
func runAll(ctx context.Context, store flagstage.Store, engine *flagstage.Engine, clock flagstage.Clock) error {
	running, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- engine.Run(running) }()
	now := flagstage.Instant(clock.Now())
	err := await(ctx, func() (bool, error) {
		for record, err := range store.Due(ctx, now.Add(applyTimeout)) {
			// a delivery that is under way has just now been claimed
			if err != nil || !record.Wake.After(now) || record.Wake.Equal(now.Add(applyTimeout)) {
				return false, err
			}
		}
		return true, nil
	})
	stop()
	if end := <-ended; !errors.Is(end, context.Canceled) {
		err = errors.Join(err, fmt.Errorf("run: %w", end))
	}
	return err
}
