package flagstage

import (
	"time"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// neverRan is the execution of what has not begun.
const neverRan = `{"status":"pending"}`

// stageProgress is how far a stage has come, and when it stopped.
type stageProgress struct {
	status     Status
	stopped    time.Time // zero: it has not, or nobody knows when
	conditions []conditionProgress
}

// conditionProgress is how far a condition has come, when it stopped, and what
// people have said to it.
type conditionProgress struct {
	status     Status
	stopped    time.Time // zero: it has not, or nobody knows when
	met        bool
	declined   bool
	reviews    []*Event // all, also those of quorums before the last
	workflowID string
}

// progressOf returns how far the stages of a workflow have come: what the
// workflow does not remember of its past, its events say. Events that do not
// concern its plan are passed over.
func progressOf(w *Workflow, workflowID string, events []Event) []stageProgress {
	stages := w.plan.stages()
	total := 0
	for i := range stages {
		total += len(stages[i].Conditions)
	}
	conditions := make([]conditionProgress, total)
	list := make([]stageProgress, len(stages))
	for i := range list {
		n := len(stages[i].Conditions)
		list[i].conditions, conditions = conditions[:n:n], conditions[n:]
	}
	var cancelled time.Time
	for i := range events {
		e := &events[i]
		switch {
		case e.Kind == EventWorkflowCancelled:
			cancelled = e.Due
		case e.Stage < 0 || e.Stage >= len(list):
		case e.Condition == NoIndex:
			list[e.Stage].note(e)
		case e.Condition >= 0 && e.Condition < len(list[e.Stage].conditions):
			list[e.Stage].conditions[e.Condition].note(e)
		}
	}
	for i := range list {
		s := &list[i]
		s.status = w.StageStatus(i)
		s.stopped = stoppedAt(s.status, s.stopped, cancelled)
		for k := range s.conditions {
			c := &s.conditions[k]
			c.status, c.workflowID = w.ConditionStatus(i, k), workflowID
			c.stopped = stoppedAt(c.status, c.stopped, cancelled)
		}
	}
	return list
}

// stoppedAt returns when what has a status stopped, given when it stopped by
// itself and when all was cancelled.
func stoppedAt(status Status, stopped, cancelled time.Time) time.Time {
	switch {
	case !status.stopped():
		return time.Time{}
	case stopped.IsZero():
		return cancelled
	}
	return stopped
}

// note takes in an event of the stage.
func (s *stageProgress) note(e *Event) {
	switch e.Kind {
	case EventActionApplied, EventStageCompleted:
		s.stopped = e.Due
	case EventStageFailed, EventStageSkipped:
		s.stopped = e.Due
		s.stopUnmet(e.Due)
	case EventStageRetried:
		s.stopped = time.Time{}
		s.stopUnmet(time.Time{})
	}
}

// stopUnmet notes when the conditions stopped that are not met; the zero time
// lets them begin anew.
func (s *stageProgress) stopUnmet(at time.Time) {
	for i := range s.conditions {
		c := &s.conditions[i]
		if c.met {
			continue
		}
		if at.IsZero() {
			c.declined = false
		}
		c.stopped = at
	}
}

// note takes in an event of the condition.
func (c *conditionProgress) note(e *Event) {
	switch e.Kind {
	case EventReviewed:
		c.reviews = append(c.reviews, e)
	case EventConditionCompleted:
		c.stopped, c.met = e.Due, true
	case EventConditionFailed:
		c.stopped, c.declined = e.Due, e.Reason == ReasonDeclined
	}
}

// condition returns a condition's progress, nil if the stage never ran.
func (s *stageProgress) condition(i int) *conditionProgress {
	if s == nil {
		return nil
	}
	return &s.conditions[i]
}

// reviewStatus returns what the reviews of an approval have come to, as the
// wire calls it.
func (c *conditionProgress) reviewStatus() string {
	switch {
	case c.status == StatusCompleted:
		return "approved"
	case c.declined:
		return "declined"
	}
	return "pending"
}

// stopped reports whether what has the status does nothing more, unless it is
// retried.
func (s Status) stopped() bool {
	switch s {
	case StatusCompleted, StatusFailed, StatusSkipped, StatusCancelled:
		return true
	}
	return false
}

func appendExecution(dst []byte, status Status, stopped time.Time) []byte {
	dst = strictjson.AppendString(append(dst, `{"status":`...), string(status))
	if !stopped.IsZero() {
		dst = strictjson.AppendInt(append(dst, `,"stopDate":`...), stopped.UnixMilli())
	}
	return append(dst, '}')
}

// appendReview appends a review, whose identifier is made of the workflow's and
// the number of the event.
func appendReview(dst []byte, workflowID string, e *Event) []byte {
	dst = appendID(append(dst, '{'), workflowID+"-"+string(strictjson.AppendInt(nil, e.Number)))
	dst = strictjson.AppendString(append(dst, `,"kind":`...), string(e.Review))
	dst = strictjson.AppendInt(append(dst, `,"creationDate":`...), e.At.UnixMilli())
	if e.Comment != "" {
		dst = strictjson.AppendString(append(dst, `,"comment":`...), e.Comment)
	}
	name, id := `,"memberId":`, e.Actor.MemberID
	if id == "" {
		name, id = `,"serviceTokenId":`, e.Actor.ServiceTokenID
	}
	return append(strictjson.AppendString(append(dst, name...), id), '}')
}
