package flagstage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// unit is what one commit changes: workflows, and the flags that their stages
// change. It is used by one goroutine.
type unit struct {
	*Engine
	ctx       context.Context
	now       time.Time
	operation operation
	workflows []*running
	flags     flagUnit
	kept      *keptPlan // nil: none is written
	txn       Txn       // what else is checked, written and deleted
}

// running is a workflow in a unit.
type running struct {
	*instance
	revision int64   // of its record; 0: it is new
	events   []Event // that are to be written
	changed  bool    // something else of its record is to be written
}

func (e *Engine) newUnit(ctx context.Context, now time.Time) *unit {
	u := &unit{Engine: e, ctx: ctx, now: now, operation: e.operations.next()}
	u.flags.unit = u
	return u
}

// add takes a workflow into the unit.
func (u *unit) add(in *instance, revision int64) *running {
	r := &running{instance: in, revision: revision}
	u.workflows = append(u.workflows, r)
	return r
}

// isWritten reports whether a commit of the unit writes the workflow's record.
func (r *running) isWritten() bool { return len(r.events) > 0 || r.changed || r.revision == 0 }

// take notes what a transition has given.
func (r *running) take(w Workflow, events []Event) {
	r.Workflow = w
	if r.events == nil {
		r.events = events // nobody else has them
		return
	}
	r.events = append(r.events, events...)
}

// act applies what is to be applied by an instant, if that is done by the
// built-in flag store. An error leaves the unit of no use.
func (u *unit) act(r *running, until time.Time) error {
	for u.applier == nil {
		effect, ok := r.pending()
		if !ok || effect.At.After(until) {
			break
		}
		failure, err := u.flags.apply(r, effect)
		if err != nil {
			return err
		}
		if failure != nil {
			u.logger.WarnContext(u.ctx, "an action failed", "workflow", r.id, "stage", effect.Stage, "reason", failure.Reason, "error", failure.Message)
		}
		if err := r.takeResult(failure, u.now); err != nil {
			return err
		}
	}
	return nil
}

// takeResult takes in that the pending action was applied, or, with a failure,
// that it was not.
func (r *running) takeResult(failure *Failure, now time.Time) (err error) {
	var w Workflow
	var events []Event
	if failure == nil {
		w, events, err = r.Applied(now)
	} else {
		w, events, err = r.ActionFailed(*failure, now)
	}
	if err == nil {
		r.take(w, events)
	}
	return err
}

// ops returns about how many operations the commit takes.
func (u *unit) ops() int {
	return 3*len(u.workflows) + u.flags.ops() + len(u.txn.If) + len(u.txn.Put) + len(u.txn.Delete)
}

// commit writes the unit, if there is anything to write, and then tells who
// waits for it. The error wraps [ErrConflict] if somebody else has changed what
// it was made of.
func (u *unit) commit() (int64, error) {
	txn := u.txn
	room := u.ops()
	txn.If, txn.Put = slices.Grow(txn.If, room), slices.Grow(txn.Put, room)
	read := ""
	for _, r := range u.workflows {
		if !r.isWritten() {
			continue
		}
		key := workflowPrefix + r.id
		read = key
		txn.If = append(txn.If, Check{Key: key, Revision: r.revision})
		txn.Put = append(txn.Put, Record{Key: key, Value: r.encode(u.operation), Wake: r.wake()})
		if len(r.events) > 0 {
			txn.Put = append(txn.Put, Record{Key: eventKey(r.id, r.events[0].Number), Value: encodeEvents(r.events)})
		}
		if r.revision == 0 {
			txn.Put = append(txn.Put, Record{Key: r.listKey(), Value: []byte{flagWorkflowFormat}})
		}
	}
	if read == "" {
		return 0, nil
	}
	u.flags.write(&txn)
	revision, err := u.write(u.ctx, txn, read, func(r Record) bool { return u.operation.wrote(r.Value) })
	if err != nil {
		return 0, err
	}
	u.flags.written(revision)
	if u.kept != nil {
		u.kept.revision = revision
		u.plans.put(u.kept.hash, u.kept.storedPlan)
	}
	wakes := false
	for _, r := range u.workflows {
		if r.isWritten() {
			r.revision = revision
			wakes = wakes || !r.wake().IsZero()
		}
	}
	if wakes {
		u.pokes.poke()
	}
	u.notify()
	return revision, nil
}

// loadWorkflow returns a workflow and the revision of its record. The error
// wraps [ErrNotFound] if there is none, and is an [*UnreadableWorkflowError] if
// there is one that cannot be read.
func (e *Engine) loadWorkflow(ctx context.Context, id string) (*instance, int64, error) {
	if !isWorkflowID(id) {
		return nil, 0, noWorkflow(id)
	}
	record, err := e.store.Get(ctx, workflowPrefix+id)
	if err != nil {
		return nil, 0, fmt.Errorf("read workflow %s: %w", quoteKey(id), err)
	}
	if record.Revision == 0 || isTombstone(record) {
		return nil, 0, noWorkflow(id)
	}
	in, err := e.instanceOf(ctx, record)
	return in, record.Revision, err
}

func noWorkflow(id string) error {
	return fmt.Errorf("%w: there is no workflow with the id %s", ErrNotFound, quoteKey(id))
}

func isTombstone(r Record) bool { return len(r.Value) > 0 && r.Value[0] == tombstoneFormat }

// instanceOf returns the workflow of a record.
func (e *Engine) instanceOf(ctx context.Context, record Record) (*instance, error) {
	in, err := decodeInstance(record)
	if err != nil {
		return nil, err
	}
	fail := func(why string) (*instance, error) {
		return nil, &UnreadableWorkflowError{WorkflowID: in.id, Revision: record.Revision, Reason: why}
	}
	stored, err := e.plan(ctx, in.planHash)
	switch {
	case errors.Is(err, ErrFormat) || errors.Is(err, ErrNotFound):
		return fail("its plan: " + err.Error())
	case err != nil:
		return nil, err
	}
	zone, err := e.zone(in.zone)
	if err != nil {
		return fail("its zone: " + err.Error())
	}
	plan := Plan{&planContent{templateKey: in.templateKey, name: in.name, target: in.target, stages: stored.stages, hash: stored.hash}}
	if !in.complete(plan, zone) {
		return fail("its record does not fit its plan")
	}
	return in, nil
}
