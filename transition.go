package flagstage

import (
	"slices"
	"time"
)

// transition is one call: it decides events and applies each at once.
type transition struct {
	w      Workflow
	now    time.Time
	events []Event
	owned  bool // w.gates belong to this call
}

// usualEvents is how many events the end of one stage and the begin of the
// next take.
const usualEvents = 6

func (w Workflow) at(now time.Time) transition { return w.atIn(now, nil) }

// atIn is at with memory for events, which is zero.
func (w Workflow) atIn(now time.Time, room []Event) transition {
	if now.After(lastInstant) {
		now = lastInstant
	}
	if now = Instant(now); now.Before(w.last) {
		now = w.last
	}
	return transition{w: w, now: now, events: room[:0]}
}

// event appends an event, which is to be completed and then applied before
// there is another. It is made in its place, in memory that is still zero, since
// copying events is most of what a simulation costs.
func (t *transition) event(kind EventKind, stage, condition int, due time.Time) *Event {
	n := len(t.events)
	if n == cap(t.events) {
		t.events = append(make([]Event, 0, max(usualEvents, 2*n)), t.events...)
	}
	t.events = t.events[:n+1]
	e := &t.events[n]
	e.Number, e.Kind, e.Stage, e.Condition, e.At, e.Due = t.w.number+1, kind, stage, condition, t.now, due
	return e
}

// apply applies the event that was appended last.
func (t *transition) apply(e *Event) {
	if !t.owned && e.Kind != EventStageArmed {
		t.w.gates = slices.Clone(t.w.gates)
	}
	t.owned = true
	t.w.apply(e)
}

// emit appends an event that nobody caused, and applies it.
func (t *transition) emit(kind EventKind, stage, condition int, due time.Time) {
	t.apply(t.event(kind, stage, condition, due))
}

// emitBecause is emit for an event with a reason, that an actor may have caused.
func (t *transition) emitBecause(kind EventKind, stage, condition int, due time.Time, reason Reason, actor Actor) {
	e := t.event(kind, stage, condition, due)
	e.Reason, e.Actor = reason, actor
	t.apply(e)
}

// emitUntil is emit for what will happen at an instant in the current stage.
func (t *transition) emitUntil(kind EventKind, condition int, due, until time.Time) {
	e := t.event(kind, t.w.stage, condition, due)
	e.Until = until
	t.apply(e)
}

// emitOrder is emit for what somebody has ordered now.
func (t *transition) emitOrder(kind EventKind, stage int, reason Reason, order *Order) {
	e := t.event(kind, stage, NoIndex, t.now)
	e.Reason, e.Actor, e.Comment = reason, order.Actor, order.Reason
	t.apply(e)
}

// base is where the next wait is counted from, after something that was due at
// due has happened now.
func (t *transition) base(due time.Time) time.Time {
	if t.now.Sub(due) <= t.w.start.Lateness {
		return due
	}
	return t.now
}

// begin starts the workflow.
func (t *transition) begin() {
	t.emitBecause(EventWorkflowStarted, NoIndex, NoIndex, t.now, "", t.w.start.Actor)
	t.armStage(t.now)
	t.run(t.now)
}

// run does all that is due by an instant, in the order in which it is due.
func (t *transition) run(until time.Time) {
	for t.w.status == StatusActive {
		i, ok := t.w.next()
		if !ok || t.w.gates[i].until.After(until) {
			return
		}
		due := t.w.gates[i].until
		if t.w.condition(i).Kind() == KindApproval {
			t.fail(i, due, ReasonExpired, Actor{})
			return
		}
		t.complete(i, due, ReasonDue, Actor{})
	}
}

// armStage begins the current stage and all after it that nothing holds back,
// or completes the workflow if there is none left. All of them count from the same
// instant, at most the lateness ago.
func (t *transition) armStage(base time.Time) {
	for t.w.stage < t.w.plan.Len() {
		t.emit(EventStageArmed, t.w.stage, NoIndex, base)
		if len(t.w.gates) > 0 {
			t.armConditions(base)
			return
		}
		if t.w.start.Deliver && t.w.acts() {
			return
		}
		t.act(base)
	}
	t.emit(EventWorkflowCompleted, NoIndex, NoIndex, base)
}

// armConditions begins the conditions of the current stage that are pending:
// the first of them if they are in sequence, and else all.
func (t *transition) armConditions(base time.Time) {
	sequence := t.w.current().ExecuteConditionsInSequence
	for i := range t.w.gates {
		if t.w.gates[i].status == StatusPending && (!t.arm(i, base) || sequence) {
			return
		}
	}
}

// arm begins a condition of the current stage. It returns false if the
// condition, and with it the stage, failed.
func (t *transition) arm(i int, base time.Time) bool {
	kind, until := EventConditionArmed, time.Time{}
	switch c := t.w.condition(i).(type) {
	case Schedule:
		due, err := dueOf(c, base, t.w.start.Zone)
		if err != nil {
			t.fail(i, base, ReasonOutOfRange, Actor{})
			return false
		}
		until = due
	case Approval:
		kind = EventApprovalRequested
		if after := t.w.start.Approvals.ExpiresAfter; after > 0 {
			if expiry := Instant(base.Add(after)); isInstant(expiry) {
				until = expiry // beyond all years it is as good as never
			}
		}
	}
	t.emitUntil(kind, i, base, until)
	return true
}

// dueOf returns when a schedule that is armed at base is due.
func dueOf(s Schedule, base time.Time, zone *time.Location) (time.Time, error) {
	switch when := s.When.(type) {
	case Absolute:
		if when.Date.Before(base) {
			return base, nil
		}
		return when.Date, nil
	case Relative:
		return when.Wait.After(base, zone)
	case Immediate:
	}
	return base, nil
}

// complete completes a condition and what follows from it.
func (t *transition) complete(i int, due time.Time, reason Reason, actor Actor) {
	t.emitBecause(EventConditionCompleted, t.w.stage, i, due, reason, actor)
	t.proceed()
}

// proceed does what is next: it begins the current stage, arms the next
// condition of a sequence, or applies the action once all are met. While the
// workflow is paused that is nothing, and with Start.Deliver the action waits
// for its result.
func (t *transition) proceed() {
	switch {
	case t.w.status != StatusActive:
	case t.w.gates == nil:
		t.armStage(t.now)
	case !t.w.met():
		if t.w.current().ExecuteConditionsInSequence && !t.w.has(StatusActive) {
			t.armConditions(t.base(t.w.ready))
		}
	case !t.w.start.Deliver || !t.w.acts():
		t.act(t.w.ready)
		t.armStage(t.base(t.w.ready))
	}
}

// goOn arms the current stage, which has not begun, unless the workflow is
// paused, and does all that is then due. The end of the last stage ends the
// workflow even then.
func (t *transition) goOn(base time.Time) {
	if t.w.status == StatusActive || t.w.stage == t.w.plan.Len() {
		t.armStage(base)
	}
	t.run(t.now)
}

// act applies the action of the current stage, if it has one, which completes
// it.
func (t *transition) act(due time.Time) {
	if t.w.acts() {
		t.emit(EventActionApplied, t.w.stage, NoIndex, due)
	}
	t.emit(EventStageCompleted, t.w.stage, NoIndex, due)
}

// fail fails a condition, its stage and the workflow.
func (t *transition) fail(i int, due time.Time, reason Reason, actor Actor) {
	t.emitBecause(EventConditionFailed, t.w.stage, i, due, reason, actor)
	t.failStage(due, reason, actor)
}

// failStage fails the current stage and the workflow.
func (t *transition) failStage(due time.Time, reason Reason, actor Actor) {
	t.emitBecause(EventStageFailed, t.w.stage, NoIndex, due, reason, actor)
	t.emitBecause(EventWorkflowFailed, NoIndex, NoIndex, due, reason, actor)
}

// review takes a review of an open approval.
func (t *transition) review(r Review) {
	e := t.event(EventReviewed, r.Stage, r.Condition, t.now)
	e.Actor, e.Review, e.Comment = r.Actor, r.Kind, r.Comment
	t.apply(e)
	switch t.w.verdict(&t.w.gates[r.Condition]) {
	case ReviewDecline:
		t.fail(r.Condition, t.now, ReasonDeclined, r.Actor)
	case ReviewApprove:
		t.complete(r.Condition, t.now, ReasonApproved, r.Actor)
	}
}
