package flagstage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Effect is an action that is to be applied, of a workflow that was started
// with [Start.Deliver].
type Effect struct {
	Stage int
	Round int // from 1; each Retry of the stage begins a new one
	Try   int // from 1, of the round
	// Due is when the stage was due, At when the action is to be applied:
	// the same, unless it has failed before.
	Due, At time.Time
	Action  Action
}

// Pending returns what is to be applied at Effect.At or later, and false if
// that is nothing. A paused workflow has nothing to apply.
func (w Workflow) Pending() (Effect, bool) {
	effect, ok := w.pending()
	effect.Action.Instructions = slices.Clone(effect.Action.Instructions)
	return effect, ok
}

// pending is Pending with the instructions of the plan, which are not to be
// changed.
func (w *Workflow) pending() (Effect, bool) {
	if w.status != StatusActive || !w.awaits() {
		return Effect{}, false
	}
	return Effect{
		Stage: w.stage, Round: w.round + 1, Try: w.tries + 1, Due: w.ready, At: w.dueToApply(), Action: w.current().Action,
	}, true
}

// dueToApply returns when the pending action is to be applied.
func (w *Workflow) dueToApply() time.Time {
	if w.retryAt.IsZero() {
		return w.ready
	}
	return w.retryAt
}

// awaits reports whether the current stage waits for the result of its action.
// While the workflow is paused, and once it is cancelled, that is one result
// of an action that was pending before.
func (w *Workflow) awaits() bool {
	switch w.status {
	case StatusActive:
		return w.start.Deliver && w.met() && w.acts() && !w.applied
	case StatusPaused, StatusCancelled:
		return w.underWay && !w.applied
	}
	return false
}

// Applied says at now that the pending action was applied. It completes the
// stage, arms the next one, and does all that is then due. A workflow that was
// paused or cancelled while its action was under way takes the result too: a
// paused one arms nothing, and a cancelled one notes only that the action took
// effect after all, which completes the stage.
//
// It is for the caller to see that the result is that of the effect which is
// pending, by its stage and round: one that comes after its stage was skipped
// must not be taken for that of the next.
//
// The error is a [*StateError] if no action waits for a result.
func (w Workflow) Applied(now time.Time) (Workflow, []Event, error) { return w.appliedIn(now, nil) }

// appliedIn is Applied with memory for events.
func (w Workflow) appliedIn(now time.Time, room []Event) (Workflow, []Event, error) {
	if !w.awaits() {
		return w, nil, w.noResult()
	}
	t := w.atIn(now, room)
	if w.status == StatusCancelled {
		t.emit(EventActionApplied, w.stage, NoIndex, w.ready)
		return t.w, t.events, nil
	}
	t.act(w.ready)
	t.goOn(t.base(w.ready))
	return t.w, t.events, nil
}

// noResult returns the error of a result that nobody waits for.
func (w *Workflow) noResult() error {
	return w.misfit("no action waits for a result; the workflow is %s", w.status)
}

// Failure is why an action was not applied.
type Failure struct {
	Reason  Reason // such as ReasonRejected
	Message string // for people; what is beyond 1,000 bytes is cut off
	// RetryAt is when to try again, after the failure. Zero: never; the stage
	// and the workflow fail.
	RetryAt time.Time
}

const maxFailureMessage = 1000

// ActionFailed says at now that the pending action was not applied. A cancelled
// workflow takes that without a word.
//
// The error is a [*StateError] if no action waits for a result, and wraps
// [ErrInvalidRequest] if RetryAt is not after now, or beyond the year 9999, or
// the Reason is no text.
func (w Workflow) ActionFailed(failure Failure, now time.Time) (Workflow, []Event, error) {
	if !w.awaits() {
		return w, nil, w.noResult()
	}
	if err := checkText("reason of the failure", string(failure.Reason)); err != nil {
		return w, nil, err
	}
	t := w.at(now)
	until := failure.RetryAt
	if !until.IsZero() {
		if until = Instant(until); !until.After(t.now) || !isInstant(until) {
			return w, nil, fmt.Errorf("%w: RetryAt must be after the failure, and in the years up to 9999", ErrInvalidRequest)
		}
	}
	if w.status == StatusCancelled {
		return w, nil, nil
	}
	e := t.event(EventActionFailed, w.stage, NoIndex, t.now)
	e.Until, e.Reason, e.Comment = until, failure.Reason, printable(failure.Message, maxFailureMessage)
	t.apply(e)
	if until.IsZero() {
		t.failStage(t.now, failure.Reason, Actor{})
	}
	return t.w, t.events, nil
}

// printable returns a text that can be kept, of at most limit bytes.
func printable(text string, limit int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit-len("…")], "") + "…"
	}
	if _, defect := strictjson.TextDefect(text); defect != "" {
		return "(unprintable)"
	}
	return text
}
