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
// until the next due instant, at most a minute, and ticks again; deliveries to an
// [Applier] that take long go on meanwhile. What this engine starts wakes it up. It
// leaves no goroutine behind, but for an Applier that does not return when its
// context ends.
//
// An error of a tick is logged, and the tick is repeated after a second, then two,
// up to a minute, or when something else is due. A store that has failed for good
// ends Run with its error.
//
// Run sleeps by the machine's clock. With a [VirtualClock] call Tick instead, or test
// it in a bubble of testing/synctest, on a store that has no goroutine, such as
// the model of package storetest.
// Several engines may run on one store.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.open(ctx); err != nil {
		return err
	}
	calls, cancel := context.WithCancel(ctx)
	t := e.newTicker(calls)
	defer t.drain(0)
	defer cancel()
	backoff := time.Second
	for {
		poked := e.pokes.wait()
		t.begin()
		err := t.round()
		err = errors.Join(append(t.errs, err)...)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case e.closed.Load():
			return e.open(ctx)
		case errors.Is(err, ErrFailed):
			return err
		}
		sleep := t.untilDue()
		if err == nil {
			backoff = time.Second
		} else {
			sleep = min(sleep, backoff)
			e.logger.ErrorContext(ctx, "tick", "error", err, "again in", sleep)
			backoff = min(2*backoff, lookAgain)
		}
		if err := t.sleep(sleep, poked); err != nil {
			return err
		}
	}
}

// untilDue returns how long nothing is due that can be done, at most lookAgain.
func (t *ticker) untilDue() time.Duration {
	for record, err := range t.waiting(lastInstant) {
		if err != nil {
			break
		}
		return min(max(record.Wake.Sub(t.Engine.now()), 0), lookAgain)
	}
	return lookAgain
}

// sleep waits for a while, or until it is poked, or the result of a delivery has
// come, which it notes.
func (t *ticker) sleep(d time.Duration, poked <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-t.ctx.Done():
		return t.ctx.Err()
	case <-timer.C:
	case <-poked:
	case <-t.answer:
		t.begin()
		t.receive()
	case <-t.ended():
		t.begin()
		t.receive()
	}
	return nil
}
