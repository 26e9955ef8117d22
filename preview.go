package flagstage

import (
	"slices"
	"strconv"
	"time"
)

// Future is what a preview supposes of the time to come.
type Future struct {
	// Answer says how the approval at the given indexes will be answered that
	// is asked for at an instant, and when; before that instant counts as at
	// it. An approval is given by as many people as it takes. Any kind but
	// ReviewApprove and ReviewDecline means that nobody ever answers; so does
	// a nil Answer.
	Answer func(stage, condition int, asked time.Time) (ReviewKind, time.Time)
	// Horizon is the instant after which nothing is previewed; zero: there is
	// none.
	Horizon time.Time
}

// Preview returns the events of a workflow of the plan in one future, and the
// workflow as it then stands: ended, at the horizon, or waiting for people who
// never answer. They are those that [StartWorkflow], [Workflow.Advance] at
// each wake and [Workflow.Review] would give. Nothing waits, and nothing is
// stored. Actions count as applied when their stage is due, whatever start.Deliver
// says. Errors are those of StartWorkflow.
//
// Reviews are by members reviewer-1, reviewer-2 and so on, of whom those who
// start or maintain the workflow are left out.
func (p Plan) Preview(start Start, future Future) (Workflow, []Event, error) {
	t, err := newTransition(p, start)
	if err != nil {
		return Workflow{}, nil, err
	}
	t.w.start.Deliver = false
	v := preview{transition: t, future: &future}
	v.events = make([]Event, 0, usualEvents*(p.Len()+1))
	v.begin()
	for v.step() {
	}
	return v.w, v.events, nil
}

// preview is a transition that goes on and on.
type preview struct {
	transition
	future  *Future
	noted   int      // how many events were looked at for approvals
	pending []answer // to come, in the order in which the approvals were asked for
}

// answer will come to an open approval.
type answer struct {
	stage, condition int
	kind             ReviewKind
	at               time.Time
}

// note asks for the answers to approvals that were asked for.
func (v *preview) note() {
	for ; v.noted < len(v.events); v.noted++ {
		e := &v.events[v.noted]
		if e.Kind != EventApprovalRequested || v.future.Answer == nil {
			continue
		}
		kind, at := v.future.Answer(e.Stage, e.Condition, e.Due)
		if at.Before(e.Due) {
			at = e.Due
		}
		if (kind == ReviewApprove || kind == ReviewDecline) && !at.After(lastInstant) {
			v.pending = append(v.pending, answer{e.Stage, e.Condition, kind, Instant(at)})
		}
	}
}

// step goes to the next instant at which something happens. It returns false
// if nothing more does. Of an expiry and an answer at the same instant the
// expiry is first.
func (v *preview) step() bool {
	v.note()
	if v.w.status != StatusActive {
		return false
	}
	wake, wakes := v.w.Wake()
	first, answers := v.firstAnswer()
	switch {
	case answers && (!wakes || v.pending[first].at.Before(wake)):
		a := v.pending[first]
		if !v.goTo(a.at) {
			return false
		}
		v.pending = slices.Delete(v.pending, first, first+1)
		v.give(a)
	case wakes:
		if !v.goTo(wake) {
			return false
		}
	default:
		return false
	}
	v.run(v.now)
	return true
}

// goTo moves to an instant, unless that lies beyond the horizon.
func (v *preview) goTo(at time.Time) bool {
	if !v.future.Horizon.IsZero() && at.After(v.future.Horizon) {
		return false
	}
	if at.After(v.now) {
		v.now = at
	}
	return true
}

// firstAnswer returns the index of the answer that comes first; of several at
// the same instant, of the one to the approval that was asked for first.
func (v *preview) firstAnswer() (index int, ok bool) {
	for i := range v.pending {
		if v.pending[i].at.Before(v.pending[index].at) {
			index = i
		}
	}
	return index, len(v.pending) > 0
}

// give answers an approval: by as many people as it takes to approve, or by
// one who declines.
func (v *preview) give(a answer) {
	people := 1
	if a.kind == ReviewApprove {
		people = v.w.start.Approvals.MinNumApprovals
	}
	for i := 1; people > 0; i++ {
		actor := Actor{MemberID: "reviewer-" + strconv.Itoa(i)}
		if v.w.owns(actor) {
			continue
		}
		v.review(Review{Stage: a.stage, Condition: a.condition, Kind: a.kind, Actor: actor})
		people--
	}
}
