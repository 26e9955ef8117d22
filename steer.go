package flagstage

import (
	"fmt"
	"strings"
	"time"
)

// Order is what somebody tells a workflow to do, and why.
type Order struct {
	Actor Actor
	// Reason is for people; at most 64 KiB. Skip, Retry and Cancel need one.
	Reason string
}

func (o *Order) check(verb string, needsReason bool) error {
	if err := o.Actor.Validate(); err != nil {
		return err
	}
	if needsReason && strings.TrimSpace(o.Reason) == "" {
		return fmt.Errorf("%w: to %s a reason is needed", ErrInvalidRequest, verb)
	}
	return checkText("reason", o.Reason)
}

// Pause holds the workflow at now, before anything is done that is not done
// yet. Until it is resumed nothing is armed or applied; reviews are taken.
//
// Errors: a [*StateError] unless the workflow is active; [ErrUnauthorized] for
// an empty actor.
func (w Workflow) Pause(order Order, now time.Time) (Workflow, []Event, error) {
	if err := order.check("pause", false); err != nil {
		return w, nil, err
	}
	if w.status != StatusActive {
		return w, nil, w.misfit("the workflow is %s; only an active one can be paused", w.status)
	}
	t := w.at(now)
	t.emitOrder(EventWorkflowPaused, NoIndex, "", &order)
	return t.w, t.events, nil
}

// Resume lets a paused workflow go on at now. Waits, expiries and repetitions
// move on by the time that it was paused; dates stay. What was met meanwhile
// counts as met now, so that no later wait is cut short.
//
// Errors: a [*StateError] unless the workflow is paused; [ErrUnauthorized] for
// an empty actor.
func (w Workflow) Resume(order Order, now time.Time) (Workflow, []Event, error) {
	if err := order.check("resume", false); err != nil {
		return w, nil, err
	}
	if w.status != StatusPaused {
		return w, nil, w.misfit("the workflow is %s; only a paused one can be resumed", w.status)
	}
	t := w.at(now)
	t.emitOrder(EventWorkflowResumed, NoIndex, "", &order)
	// no event can follow on a failure in a pause, so that is the last one
	if t.reschedule(w.pausedAt, w.last) {
		t.proceed()
	}
	t.run(t.now)
	return t.w, t.events, nil
}

// reschedule moves on what would happen by itself, but for dates: the
// conditions by as much as has passed since the pause, and the action by as much
// since it failed, if that was later. It returns false if that ends the
// workflow, since a wait would end beyond all years.
func (t *transition) reschedule(pausedAt, failedAt time.Time) bool {
	if t.now.Equal(pausedAt) {
		return true
	}
	for i := range t.w.gates {
		g := &t.w.gates[i]
		if g.status != StatusActive || g.until.IsZero() || isDate(t.w.condition(i)) {
			continue
		}
		until := moved(g.until, pausedAt, t.now)
		if !isInstant(until) {
			if t.w.condition(i).Kind() == KindSchedule {
				t.fail(i, t.now, ReasonOutOfRange, Actor{})
				return false
			}
			until = time.Time{}
		}
		t.emitUntil(EventConditionRescheduled, i, t.now, until)
	}
	if before := t.w.retryAt; !before.IsZero() {
		at := moved(before, failedAt, t.now)
		if !isInstant(at) {
			at = lastInstant
		}
		if at.After(before) {
			t.emitUntil(EventActionRescheduled, NoIndex, t.now, at)
		}
	}
	return true
}

// Skip leaves out a stage at now, after doing what is due by then: its action
// is not applied, and the next stage is armed. A stage with an approval that is
// not given can be skipped only if bypassApproval says so, and the event then
// has [ReasonBypassed]; who may say so is for the caller to decide.
//
// Errors: a [*StateError] unless the stage has begun and is not over;
// [ErrForbidden] for the approval; [ErrInvalidRequest] without a reason;
// [ErrUnauthorized] for an empty actor.
func (w Workflow) Skip(stage int, order Order, bypassApproval bool, now time.Time) (Workflow, []Event, error) {
	if err := order.check("skip a stage", true); err != nil {
		return w, nil, err
	}
	t := w.at(now)
	t.run(t.now)
	if !t.w.runs() {
		return w, nil, t.w.misfit("the workflow is %s; only one that is active or paused has a stage to skip", t.w.status)
	}
	if stage != t.w.stage || t.w.gates == nil {
		status := t.w.StageStatus(stage)
		if status == "" {
			return w, nil, t.w.misfit("there is no stage with the index %d; only the active one can be skipped", stage)
		}
		return w, nil, t.w.misfit("stage %s is %s; only the active one can be skipped", stageName(stage), status)
	}
	var reason Reason
	if i := t.w.unapproved(); i != NoIndex {
		if !bypassApproval {
			return w, nil, fmt.Errorf("%w: the approval at %s is not given; a stage cannot be skipped without it", ErrForbidden, place(stage, i))
		}
		reason = ReasonBypassed
	}
	t.emitOrder(EventStageSkipped, stage, reason, &order)
	t.goOn(t.now)
	return t.w, t.events, nil
}

// unapproved returns the index of the first approval of the current stage that
// is not given, NoIndex if all are.
func (w *Workflow) unapproved() int {
	for i := range w.gates {
		if w.gates[i].status != StatusCompleted && w.condition(i).Kind() == KindApproval {
			return i
		}
	}
	return NoIndex
}

func stageName(stage int) string {
	if stage < 0 {
		return "/stages"
	}
	return place(stage, NoIndex)
}

// Retry begins the failed stage of a failed workflow again at now: its
// conditions that are not met are armed anew, so that a declined or expired
// approval starts with no reviews, and its action is applied once they are met.
//
// Errors: a [*StateError] unless the workflow has failed; [ErrInvalidRequest]
// without a reason; [ErrUnauthorized] for an empty actor.
func (w Workflow) Retry(order Order, now time.Time) (Workflow, []Event, error) {
	if err := order.check("retry a stage", true); err != nil {
		return w, nil, err
	}
	if w.status != StatusFailed {
		return w, nil, w.misfit("the workflow is %s; only a failed one can be retried", w.status)
	}
	t := w.at(now)
	t.emitOrder(EventStageRetried, w.stage, "", &order)
	t.armConditions(t.now)
	t.proceed()
	t.run(t.now)
	return t.w, t.events, nil
}

// Cancel ends the workflow at now, before anything is done that is not done
// yet. What it has done stays.
//
// Errors: a [*StateError] unless the workflow is active or paused;
// [ErrInvalidRequest] without a reason; [ErrUnauthorized] for an empty actor.
func (w Workflow) Cancel(order Order, now time.Time) (Workflow, []Event, error) {
	if err := order.check("cancel a workflow", true); err != nil {
		return w, nil, err
	}
	if !w.runs() {
		return w, nil, w.misfit("the workflow is %s already", w.status)
	}
	t := w.at(now)
	t.emitOrder(EventWorkflowCancelled, NoIndex, "", &order)
	return t.w, t.events, nil
}
