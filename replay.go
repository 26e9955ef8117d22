package flagstage

import (
	"fmt"
	"slices"
	"time"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Replay makes a workflow of the events of all calls so far, at least of
// [StartWorkflow]. It decides nothing. An error wraps [ErrInvalidRequest] and
// says which event cannot follow from those before it, or that the last call's
// events are not complete.
func Replay(plan Plan, start Start, events []Event) (Workflow, error) {
	w, err := newWorkflow(plan, start)
	if err != nil {
		return Workflow{}, err
	}
	for i := range events {
		e := &events[i]
		if e.Number != int64(i)+1 || e.Due.After(e.At) || e.At.Before(w.last) || !w.accepts(e) {
			return Workflow{}, fmt.Errorf("%w: event %d (%s at %q) does not follow from those before it", ErrInvalidRequest, i+1, strictjson.Quote(string(e.Kind)), e.Pointer())
		}
		w.apply(e)
	}
	if !w.settled() {
		return Workflow{}, fmt.Errorf("%w: the events end in the middle of a call, after number %d", ErrInvalidRequest, len(events))
	}
	return w, nil
}

// accepts reports whether an event can follow on the state.
func (w *Workflow) accepts(e *Event) bool {
	whole := e.Stage == NoIndex && e.Condition == NoIndex
	active, runs := w.status == StatusActive, w.runs()
	switch e.Kind {
	case EventWorkflowStarted:
		return w.number == 0 && whole
	case EventWorkflowCompleted:
		return runs && whole && w.stage == w.plan.Len()
	case EventWorkflowFailed:
		return runs && whole && w.failing()
	case EventWorkflowPaused:
		return active && whole && e.Actor.Validate() == nil
	case EventWorkflowResumed:
		return w.status == StatusPaused && whole && e.Actor.Validate() == nil
	case EventWorkflowCancelled:
		return runs && whole && e.Actor.Validate() == nil
	}
	if e.Stage != w.stage || w.stage == w.plan.Len() {
		return false
	}
	inStage := e.Condition == NoIndex
	switch e.Kind {
	case EventStageArmed:
		return active && inStage && w.gates == nil
	case EventActionApplied:
		return inStage && w.met() && w.acts() && (runs || w.status == StatusCancelled && w.start.Deliver && !w.outlived)
	case EventActionFailed:
		return runs && inStage && w.start.Deliver && w.met() && w.acts() && (e.Until.IsZero() || e.Until.After(e.At))
	case EventActionRescheduled:
		return active && inStage && w.met() && !w.retryAt.IsZero() && e.Until.After(w.retryAt)
	case EventStageCompleted:
		return runs && inStage && w.met()
	case EventStageFailed:
		return runs && inStage && w.failing()
	case EventStageSkipped:
		return runs && inStage && w.gates != nil && e.Actor.Validate() == nil
	case EventStageRetried:
		return w.status == StatusFailed && inStage && w.gates != nil && e.Actor.Validate() == nil
	}
	if !runs || e.Condition < 0 || e.Condition >= len(w.gates) {
		return false
	}
	gate, kind := &w.gates[e.Condition], w.condition(e.Condition).Kind()
	switch e.Kind {
	case EventConditionArmed:
		return active && gate.status == StatusPending && kind == KindSchedule
	case EventApprovalRequested:
		return active && gate.status == StatusPending && kind == KindApproval
	case EventConditionRescheduled:
		return active && gate.status == StatusActive && !gate.until.IsZero() && (e.Until.IsZero() || e.Until.After(gate.until))
	case EventReviewed:
		return gate.status == StatusActive && kind == KindApproval && e.Actor.Validate() == nil && e.Review.valid()
	case EventConditionCompleted:
		return gate.status == StatusActive
	case EventConditionFailed:
		// a schedule whose wait is too long fails instead of being armed
		return gate.status == StatusActive || gate.status == StatusPending
	}
	return false
}

// failing reports whether the current stage cannot go on: a condition has
// failed, or its action has and is not tried again.
func (w *Workflow) failing() bool {
	return w.has(StatusFailed) || w.tries > 0 && w.retryAt.IsZero()
}

// settled reports whether the state can be that between two calls: ended, or
// held back by a condition, an action or a pause, with all armed that should be.
func (w *Workflow) settled() bool {
	switch {
	case !w.runs():
		return w.number > 0
	case w.stage == w.plan.Len() || w.failing():
		return false
	}
	for i := range w.gates {
		g := &w.gates[i]
		if g.status == StatusActive && w.condition(i).Kind() == KindApproval && w.verdict(g) != "" {
			return false
		}
	}
	switch {
	case w.status == StatusPaused:
		return true
	case w.met():
		return w.start.Deliver && w.acts()
	}
	return w.has(StatusActive) && (w.current().ExecuteConditionsInSequence || !w.has(StatusPending))
}

// apply changes the state as the event says. It is the one place that does.
// The gates must belong to the caller alone.
func (w *Workflow) apply(e *Event) {
	w.number, w.last = e.Number, e.At
	var gate *conditionState
	if e.Condition != NoIndex {
		gate = &w.gates[e.Condition]
	}
	switch e.Kind {
	case EventWorkflowStarted:
		w.status = StatusActive
	case EventStageArmed:
		w.gates = make([]conditionState, len(w.current().Conditions))
		for i := range w.gates {
			w.gates[i].status = StatusPending
		}
		w.ready = e.Due
	case EventConditionArmed, EventApprovalRequested:
		*gate = conditionState{status: StatusActive, since: e.Due, until: e.Until}
	case EventConditionRescheduled:
		gate.until = e.Until
	case EventReviewed:
		gate.note(verdict{e.Actor.Identity(), e.Review})
	case EventConditionCompleted:
		gate.status = StatusCompleted
		if due := w.unpaused(e.Due); due.After(w.ready) {
			w.ready = due
		}
	case EventConditionFailed:
		gate.status = StatusFailed
	case EventActionApplied:
		w.outlived = w.status == StatusCancelled
	case EventActionFailed:
		w.tries, w.retryAt = w.tries+1, e.Until
	case EventActionRescheduled:
		w.retryAt = e.Until
	case EventStageCompleted:
		w.leave()
	case EventStageSkipped:
		w.skipped = append(slices.Clip(w.skipped), skippedStage{w.stage, w.skippedStatuses()})
		w.leave()
	case EventStageFailed:
		w.stop(StatusActive)
	case EventStageRetried:
		w.retry(e.At)
	case EventWorkflowPaused:
		w.status, w.pausedAt, w.resumedAt = StatusPaused, e.At, time.Time{}
	case EventWorkflowResumed:
		w.status, w.resumedAt = StatusActive, e.At
		w.ready = w.unpaused(w.ready)
	case EventWorkflowCompleted:
		w.status, w.stopped = StatusCompleted, e.Due
	case EventWorkflowFailed:
		w.status, w.stopped = StatusFailed, e.Due
	case EventWorkflowCancelled:
		w.status, w.stopped = StatusCancelled, e.Due
		w.stop(StatusActive, StatusPending)
	}
}

// leave ends the current stage.
func (w *Workflow) leave() {
	w.stage++
	w.gates = nil
	w.tries, w.retryAt, w.round = 0, time.Time{}, 0
}

// stop cancels the conditions of some statuses.
func (w *Workflow) stop(statuses ...Status) {
	for i := range w.gates {
		if slices.Contains(statuses, w.gates[i].status) {
			w.gates[i] = conditionState{status: StatusCancelled}
		}
	}
}

// retry begins the current stage again, but for the conditions that are met.
func (w *Workflow) retry(now time.Time) {
	w.status, w.stopped = StatusActive, time.Time{}
	w.round++
	w.tries, w.retryAt, w.ready = 0, time.Time{}, now
	for i := range w.gates {
		if w.gates[i].status != StatusCompleted {
			w.gates[i] = conditionState{status: StatusPending}
		}
	}
}

// skippedStatuses returns the statuses that the conditions have once the stage
// is skipped.
func (w *Workflow) skippedStatuses() []Status {
	list := make([]Status, len(w.gates))
	for i := range w.gates {
		if list[i] = w.gates[i].status; list[i] != StatusCompleted {
			list[i] = StatusSkipped
		}
	}
	return list
}

// unpaused returns when something counts as due that was due at due: since
// nothing happens in a pause, at its end.
func (w *Workflow) unpaused(due time.Time) time.Time {
	if !due.Before(w.pausedAt) && due.Before(w.resumedAt) {
		return w.resumedAt
	}
	return due
}

// note records a verdict. The list may be shared, so it is never written to.
func (g *conditionState) note(v verdict) {
	if v.kind == ReviewComment {
		return
	}
	same := func(before verdict) bool { return before.identity == v.identity }
	reviews := slices.Clone(g.reviews)
	if i := slices.IndexFunc(reviews, same); i >= 0 {
		reviews[i] = v
	} else {
		reviews = append(reviews, v)
	}
	g.reviews = reviews
}
