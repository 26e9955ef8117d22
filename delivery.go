package flagstage

import (
	"fmt"
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
	if w.status != StatusActive || !w.waits() {
		return Effect{}, false
	}
	e := Effect{Stage: w.stage, Round: w.round + 1, Try: w.tries + 1, Due: w.ready, At: w.ready, Action: w.plan.content.stages[w.stage].Action}
	if !w.retryAt.IsZero() {
		e.At = w.retryAt
	}
	return e, true
}

// waits reports whether the current stage waits for the result of its action.
func (w *Workflow) waits() bool {
	return w.start != nil && w.start.Deliver && w.runs() && w.gates != nil && w.met() && w.acts()
}

// Applied says at now that the pending action was applied. It completes the
// stage, arms the next one, and does all that is then due. A workflow that was
// paused or cancelled while its action was under way takes the result too: a
// paused one arms nothing, and a cancelled one notes only that the action took
// effect after all.
//
// The error is a [*StateError] if no action waits for a result.
func (w Workflow) Applied(now time.Time) (Workflow, []Event, error) {
	t := w.at(now)
	switch {
	case w.waits():
		t.act(w.ready)
		if t.w.status == StatusActive || t.w.stage == t.w.plan.Len() {
			t.armStage(t.base(w.ready))
		}
		t.run(t.now)
	case w.status == StatusCancelled && w.start.Deliver && !w.outlived && w.met() && w.acts():
		t.emitStage(EventActionApplied, w.ready, "", Actor{}, "")
	default:
		return w, nil, w.misfit("no action waits for a result; the workflow is %s", w.status)
	}
	return t.w, t.events, nil
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
// [ErrInvalidRequest] if RetryAt is not after now, or beyond the year 9999.
func (w Workflow) ActionFailed(failure Failure, now time.Time) (Workflow, []Event, error) {
	t := w.at(now)
	switch {
	case w.status == StatusCancelled && w.start.Deliver && w.met():
		return w, nil, nil
	case !w.waits():
		return w, nil, w.misfit("no action waits for a result; the workflow is %s", w.status)
	}
	until := failure.RetryAt
	if !until.IsZero() {
		if until = Instant(until); !until.After(t.now) || !isInstant(until) {
			return w, nil, fmt.Errorf("%w: RetryAt must be after the failure, and in the years up to 9999", ErrInvalidRequest)
		}
	}
	t.emit(Event{
		Kind: EventActionFailed, Stage: w.stage, Condition: NoIndex, Due: t.now, Until: until,
		Reason: failure.Reason, Comment: printable(failure.Message, maxFailureMessage),
	})
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
