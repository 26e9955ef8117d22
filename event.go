package flagstage

import (
	"time"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Status says how far a workflow, a stage or a condition has come. Its values
// are the wire's.
type Status string

// The statuses. Workflows are active, paused, completed, failed or cancelled;
// stages and conditions are never paused, but may be pending or skipped. All
// but pending, active and paused are final, except that a failed stage can be
// retried.
const (
	StatusPending   Status = "pending"   // not begun
	StatusActive    Status = "active"    // begun, and not over
	StatusPaused    Status = "paused"    // held by somebody
	StatusCompleted Status = "completed" // met, applied
	StatusFailed    Status = "failed"    // cannot be met or applied
	StatusSkipped   Status = "skipped"   // left out by somebody
	StatusCancelled Status = "cancelled" // ended by somebody, or along with a stage that failed
)

// EventKind names what happened.
type EventKind string

// The kinds of events.
const (
	EventWorkflowStarted    EventKind = "workflowStarted"
	EventStageArmed         EventKind = "stageArmed"        // the stage begins
	EventConditionArmed     EventKind = "conditionArmed"    // a schedule runs until Event.Until
	EventApprovalRequested  EventKind = "approvalRequested" // an approval is open, until Event.Until if that is set
	EventReviewed           EventKind = "reviewed"
	EventConditionCompleted EventKind = "conditionCompleted"
	EventConditionFailed    EventKind = "conditionFailed"
	EventActionApplied      EventKind = "actionApplied"
	EventStageCompleted     EventKind = "stageCompleted"
	EventStageFailed        EventKind = "stageFailed"
	EventWorkflowCompleted  EventKind = "workflowCompleted"
	EventWorkflowFailed     EventKind = "workflowFailed"

	EventActionFailed         EventKind = "actionFailed"         // tried again at Event.Until, if that is set
	EventActionRescheduled    EventKind = "actionRescheduled"    // tried again at Event.Until, after a pause
	EventConditionRescheduled EventKind = "conditionRescheduled" // due, or expires, at Event.Until, after a pause
	EventStageSkipped         EventKind = "stageSkipped"
	EventStageRetried         EventKind = "stageRetried"
	EventWorkflowPaused       EventKind = "workflowPaused"
	EventWorkflowResumed      EventKind = "workflowResumed"
	EventWorkflowCancelled    EventKind = "workflowCancelled"
)

// Reason says why something happened, where its kind does not.
type Reason string

// The reasons that the state machine and the engine give.
const (
	ReasonDue        Reason = "due"          // the schedule's time came
	ReasonApproved   Reason = "approved"     // enough people approved
	ReasonDeclined   Reason = "declined"     // somebody declined
	ReasonExpired    Reason = "expired"      // nobody answered in time
	ReasonOutOfRange Reason = "out_of_range" // a wait would end after the year 9999
	ReasonConflict   Reason = "conflict"     // somebody else has changed what the action would change
	ReasonRejected   Reason = "rejected"     // the action can never be applied
	ReasonTransient  Reason = "transient"    // the action could not be applied now
	ReasonBypassed   Reason = "bypassed"     // the stage was skipped though an approval in it was not given
)

// NoIndex stands for the index of a stage or condition in an event that
// concerns none.
const NoIndex = -1

// Event is one fact in a workflow's life. Events hold every instant and
// outcome that was decided, so that a workflow can be made of them again
// without deciding anything: see [Replay].
type Event struct {
	Number    int64 // from 1, without gaps
	Kind      EventKind
	Stage     int       // index, or NoIndex
	Condition int       // index in the stage, or NoIndex
	At        time.Time // when it happened: the instant of the call
	Due       time.Time // when it should have happened; never after At
	Until     time.Time // when what is armed will be due or expire; zero: never
	Reason    Reason    // "" where the kind says it all
	Actor     Actor     // who did it; zero: nobody, the time had come
	Review    ReviewKind
	// Comment is that of the review, the reason that the actor gives, or the
	// text of what failed.
	Comment string
}

// Pointer returns the JSON Pointer of the stage or condition that the event
// concerns, such as /stages/2/conditions/0, or "" for the workflow.
func (e Event) Pointer() string { return place(e.Stage, e.Condition) }

// place returns the JSON Pointer of a stage or condition.
func place(stage, condition int) string {
	if stage == NoIndex {
		return ""
	}
	b := strictjson.AppendInt([]byte("/stages/"), int64(stage))
	if condition != NoIndex {
		b = strictjson.AppendInt(append(b, "/conditions/"...), int64(condition))
	}
	return string(b)
}
