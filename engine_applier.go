package flagstage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/flagstage/flagstage/flags"
)

// Applier applies the actions of workflows to flags that are kept elsewhere. It
// is the port to the flag system of a host; see [WithApplier].
//
// Must-clauses for implementers:
//
//   - Apply is safe for concurrent use. Two actions for one flag are never
//     applied by one engine at the same time.
//   - A delivery is made at least once, and may be made again although it had
//     succeeded: after a crash, a hanging call, or a lost answer. Its Key stays
//     the same then. What was applied under a key is not applied again.
//   - A delivery whose Number is at or below the last one seen of its workflow
//     is late: another has taken its place. It is dropped, which is no error.
//   - Apply returns when ctx ends; its result is then not used any more.
//
// So a host keeps, with the flags themselves, the last Number of each workflow and
// the Keys that it has applied. An Applier may use the engine. One that panics, or
// ends its goroutine, counts as one that failed.
type Applier interface {
	// Apply applies all instructions of the delivery or none. Nil says that it
	// did, or that there was nothing left to do. An error that [Permanent] has
	// marked, or that is a [*FlagConflictError], fails the stage; after any other
	// the action is delivered again, as [Retries] say.
	Apply(ctx context.Context, delivery Delivery) error
}

// ApplierFunc is an Applier made of a function.
type ApplierFunc func(ctx context.Context, delivery Delivery) error

// Apply calls the function.
func (f ApplierFunc) Apply(ctx context.Context, delivery Delivery) error { return f(ctx, delivery) }

// Delivery is an action that an [Applier] is to apply. It is the applier's own:
// nothing in it is used again.
type Delivery struct {
	WorkflowID string
	Target     Origin
	Stage      int       // index
	Round      int       // from 1; each retry by somebody begins a new one
	Try        int       // from 1, of the round
	Number     int64     // grows with each delivery of the workflow
	Due        time.Time // when the stage was due
	// Instructions are those of the stage. What refers to something that an
	// earlier instruction adds ("ref:" and a name) means what RefID names.
	Instructions []flags.Instruction
}

// Key names what is to be applied, in the same way at each try of a round: the
// workflow, the stage and the round.
func (d Delivery) Key() string {
	return d.WorkflowID + "/" + strconv.Itoa(d.Stage) + "/" + strconv.Itoa(d.Round)
}

// RefID returns the identifier of what an instruction adds by a reference. It
// is for the RefID of a [flags.Application].
func (d Delivery) RefID(ref string) string { return RefID(d.WorkflowID)(ref) }

// PermanentError is an error after which an action is not tried again. Err says
// why; nil: nobody says.
type PermanentError struct{ Err error }

// Permanent marks an error of an [Applier] as one that stays: the action is not
// tried again, and the stage and the workflow fail. It returns nil for nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &PermanentError{err}
}

// Error returns the text of the error that was marked.
func (e *PermanentError) Error() string {
	if e.Err == nil {
		return "the action can never be applied"
	}
	return e.Err.Error()
}

// Unwrap returns the error that was marked.
func (e *PermanentError) Unwrap() error { return e.Err }

// Retries say how often, and when, an action is tried again after an error
// that was not [Permanent]. Zero members stand for 12 tries, one second, and five
// minutes or the Backoff if that is longer. After the last try the stage and the
// workflow fail, with [ReasonTransient].
type Retries struct {
	Limit      int           // tries in all; 1: it is never tried again
	Backoff    time.Duration // before the second try; each time twice as long
	MaxBackoff time.Duration // but never longer
}

// What retries are in an engine that is not told otherwise: within about a quarter
// of an hour.
const (
	defaultTries      = 12
	defaultBackoff    = time.Second
	defaultMaxBackoff = 5 * time.Minute
)

func (r *Retries) complete() error {
	if r.Limit < 0 || r.Backoff < 0 || r.MaxBackoff < 0 {
		return fmt.Errorf("%w: new engine: retries: a number is negative", ErrInvalidRequest)
	}
	r.Limit = cmp.Or(r.Limit, defaultTries)
	r.Backoff = cmp.Or(r.Backoff, defaultBackoff)
	r.MaxBackoff = cmp.Or(r.MaxBackoff, max(defaultMaxBackoff, r.Backoff))
	return nil
}

// failureOf returns what an error of an applier means, but for when to try again.
func failureOf(err error) *Failure {
	f := &Failure{Reason: ReasonTransient, Message: err.Error()}
	var permanent *PermanentError
	var conflict *FlagConflictError
	switch {
	case errors.As(err, &conflict):
		f.Reason = ReasonConflict
	case errors.As(err, &permanent):
		f.Reason = ReasonRejected
	}
	return f
}

// again returns a failure at a try, which came at an instant, with when to try
// again.
func (r *Retries) again(f Failure, try int, now time.Time) Failure {
	if f.Reason != ReasonTransient || try >= r.Limit {
		return f
	}
	wait := r.MaxBackoff
	if shift := try - 1; shift < 40 && r.Backoff<<shift>>shift == r.Backoff {
		wait = min(wait, r.Backoff<<shift)
	}
	if f.RetryAt = Instant(now.Add(wait)); !f.RetryAt.After(now) {
		f.RetryAt = now.Add(time.Millisecond)
	}
	if !isInstant(f.RetryAt) {
		f.RetryAt = time.Time{}
	}
	return f
}
