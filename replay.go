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
	if e.Kind.begins() && !w.settled() {
		return false
	}
	whole := e.Stage == NoIndex && e.Condition == NoIndex
	active, runs := w.status == StatusActive, w.runs()
	switch e.Kind {
	case EventWorkflowStarted:
		return w.number == 0 && whole && e.At.Equal(w.start.At)
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
	if e.Condition == NoIndex {
		return w.acceptsOfStage(e)
	}
	return runs && e.Condition >= 0 && e.Condition < len(w.gates) && w.acceptsOfCondition(e)
}

// begins reports whether an event of the kind is the first one of a call, but
// for those that say what was due by then.
func (k EventKind) begins() bool {
	switch k {
	case EventWorkflowPaused, EventWorkflowResumed, EventWorkflowCancelled, EventStageSkipped, EventStageRetried, EventReviewed, EventActionFailed:
		return true
	}
	return false
}

// acceptsOfStage reports whether an event of the current stage can follow.
func (w *Workflow) acceptsOfStage(e *Event) bool {
	active, runs := w.status == StatusActive, w.runs()
	switch e.Kind {
	case EventStageArmed:
		return active && w.gates == nil
	case EventActionApplied:
		return w.awaits() || active && w.met() && w.acts() && !w.applied
	case EventActionFailed:
		return runs && w.awaits() && (e.Until.IsZero() || e.Until.After(e.At))
	case EventActionRescheduled:
		return active && !w.retryAt.IsZero() && e.Until.After(w.retryAt) && e.At.Equal(w.resumedAt)
	case EventStageCompleted:
		return runs && w.met() && w.applied == w.acts()
	case EventStageFailed:
		return runs && w.failing()
	case EventStageSkipped:
		return runs && w.gates != nil && e.Actor.Validate() == nil && (e.Reason == ReasonBypassed) == (w.unapproved() != NoIndex)
	case EventStageRetried:
		return w.status == StatusFailed && w.gates != nil && e.Actor.Validate() == nil
	}
	return false
}

// acceptsOfCondition reports whether an event of a condition of the current
// stage can follow.
func (w *Workflow) acceptsOfCondition(e *Event) bool {
	gate, kind := &w.gates[e.Condition], w.condition(e.Condition).Kind()
	active := w.status == StatusActive
	switch e.Kind {
	case EventConditionArmed:
		return active && gate.status == StatusPending && kind == KindSchedule && !e.Until.Before(e.Due)
	case EventApprovalRequested:
		return active && gate.status == StatusPending && kind == KindApproval && (e.Until.IsZero() || !e.Until.Before(e.Due))
	case EventConditionRescheduled:
		return active && gate.status == StatusActive && !gate.until.IsZero() && e.At.Equal(w.resumedAt) &&
			(e.Until.After(gate.until) || kind == KindApproval && e.Until.IsZero())
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
	case w.stage == w.plan.Len() || w.failing() || w.applied:
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
		return w.awaits()
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
		if from := w.counts(e); from.After(w.ready) {
			w.ready = from
		}
	case EventConditionFailed:
		gate.status = StatusFailed
	case EventActionApplied:
		w.applied = true
	case EventActionFailed:
		w.tries, w.retryAt, w.underWay = w.tries+1, e.Until, false
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
		w.underWay = w.awaits()
		w.status, w.pausedAt, w.resumedAt = StatusPaused, e.At, time.Time{}
	case EventWorkflowResumed:
		w.status, w.resumedAt, w.underWay = StatusActive, e.At, false
		switch { // what was met in the pause counts as met now, and an action that was due waits as long
		case !w.ready.Before(w.pausedAt):
			w.ready = e.At
		case w.met():
			w.ready = moved(w.ready, w.pausedAt, e.At)
		}
	case EventWorkflowCompleted:
		w.status, w.stopped = StatusCompleted, e.Due
	case EventWorkflowFailed:
		w.status, w.stopped = StatusFailed, e.Due
	case EventWorkflowCancelled:
		w.underWay = w.awaits()
		w.status, w.stopped = StatusCancelled, e.Due
		w.stop(StatusActive, StatusPending)
	}
}

// leave ends the current stage.
func (w *Workflow) leave() {
	w.stage++
	w.gates = nil
	w.tries, w.retryAt, w.round = 0, time.Time{}, 0
	w.applied, w.underWay = false, false
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

// counts returns from when on what follows a completed condition is counted:
// when it was due, but for a date that came in a pause, after which everything
// counts as met at its end. What is no date has moved on with the pause.
func (w *Workflow) counts(e *Event) time.Time {
	if isDate(w.condition(e.Condition)) && !e.Due.Before(w.pausedAt) && e.Due.Before(w.resumedAt) {
		return w.resumedAt
	}
	return e.Due
}

// isDate reports whether a condition is due at an instant of its own, whatever
// happens before.
func isDate(c Condition) bool {
	s, ok := c.(Schedule)
	if !ok {
		return false
	}
	_, date := s.When.(Absolute)
	return date
}

// moved returns an instant as much later as to is later than from.
func moved(at, from, to time.Time) time.Time {
	return time.UnixMilli(at.UnixMilli() + to.UnixMilli() - from.UnixMilli()).UTC()
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
