package flagstage

import (
	"context"
	"errors"
	"time"
)

// lookAgain is how long [Engine.Run] sleeps at most: other processes may have
// changed the store, and machines that were suspended wake up late.
const lookAgain = time.Minute

// Run does what is due when it is due, until the context ends, whose error it
// returns, or the engine is closed, when it returns [ErrClosed]. It ticks, sleeps
// until the next due instant, at most a minute, and ticks again. What this engine
// starts meanwhile wakes it up. It leaves no goroutine behind, but for an
// [Applier] that does not return when its context ends.
//
// An error of a tick is logged, and the tick is repeated after a second, then two,
// up to a minute. A store that has failed for good ends Run with its error.
//
// Run sleeps by the machine's clock. With a [VirtualClock] call Tick instead.
// Several engines may run on one store.
func (e *Engine) Run(ctx context.Context) error {
	backoff := time.Second
	for {
		poked := e.pokes.wait()
		_, err := e.Tick(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrClosed), errors.Is(err, ErrFailed):
			return err
		}
		sleep := lookAgain
		if err != nil {
			e.logger.ErrorContext(ctx, "tick", "error", err, "again in", backoff)
			sleep, backoff = backoff, min(2*backoff, lookAgain)
		} else {
			backoff = time.Second
			sleep = e.untilDue(ctx)
		}
		if err := e.sleep(ctx, sleep, poked); err != nil {
			return err
		}
	}
}

// untilDue returns how long nothing is due, at most lookAgain.
func (e *Engine) untilDue(ctx context.Context) time.Duration {
	at, ok, err := e.NextDue(ctx)
	if err != nil || !ok {
		return lookAgain
	}
	return min(max(at.Sub(e.clock.Now()), 0), lookAgain)
}

// sleep waits for a while, or until it is poked.
func (e *Engine) sleep(ctx context.Context, d time.Duration, poked <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case <-poked:
	}
	return nil
}
