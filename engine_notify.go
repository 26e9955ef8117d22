package flagstage

import (
	"context"
	"fmt"
	"iter"
	"slices"
)

// Notifier is told what happens to workflows, for instance to ask people for
// approvals. It is a port; see [WithNotifier].
type Notifier interface {
	// Notify is called once after each commit for each workflow that it
	// changed. It is best effort: a process that ends in between has told
	// nobody, and what Notify makes of it is its own affair. [Engine.Events] is
	// the feed that misses nothing. Calls for one workflow need not come in
	// order when several goroutines or processes work on it. Notify must be
	// safe for concurrent use. The call that made the change waits for it, with
	// ctx as its own context; so what takes long is for another goroutine. It may
	// use the engine. Its panic is logged, and does no harm to the call.
	Notify(ctx context.Context, notice Notice)
}

// NotifierFunc is a Notifier made of a function.
type NotifierFunc func(ctx context.Context, notice Notice)

// Notify calls the function.
func (f NotifierFunc) Notify(ctx context.Context, notice Notice) { f(ctx, notice) }

// Notice is what a [Notifier] is told.
type Notice struct {
	WorkflowID string
	Name       string
	Target     Origin
	Workflow   Workflow // as that commit has left it
	Events     []Event  // what has just happened, at least one
}

// Requests returns the approvals that were just asked for, with their JSON
// Pointers in the plan. For the indexes that a [Review] takes look at the Events:
// each of kind [EventApprovalRequested] has them.
func (n Notice) Requests() iter.Seq2[string, Approval] {
	return func(yield func(string, Approval) bool) {
		for _, e := range n.Events {
			if a, ok := n.Workflow.plan.condition(e.Stage, e.Condition).(Approval); ok && e.Kind == EventApprovalRequested && !yield(e.Pointer(), a.clone()) {
				return
			}
		}
	}
}

// notify tells the notifier what the unit has changed.
func (u *unit) notify() {
	for _, r := range u.workflows {
		if len(r.events) > 0 && u.notifier != nil {
			u.tell(Notice{WorkflowID: r.id, Name: r.name, Target: r.target, Workflow: r.Workflow, Events: slices.Clone(r.events)})
		}
	}
}

// tell calls the notifier, which can do no harm to what was committed.
func (u *unit) tell(notice Notice) {
	defer func() {
		if p := recover(); p != nil {
			u.logger.ErrorContext(u.ctx, "the notifier panicked", "workflow", notice.WorkflowID, "panic", fmt.Sprint(p))
		}
	}()
	u.notifier.Notify(u.ctx, notice)
}
