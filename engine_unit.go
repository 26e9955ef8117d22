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
	room      *room
	txn       Txn // what else is checked, written and deleted
}

// running is a workflow in a unit.
type running struct {
	*instance
	key      string  // of its record
	revision int64   // of it; 0: it is new
	events   []Event // that are to be written
	changed  bool    // something else of its record is to be written
	claims   bool    // the commit begins a delivery, or gives one back that is still to be made
	turn     turn    // of its next step, in a queue
}

func (e *Engine) newUnit(ctx context.Context, now time.Time) *unit {
	u := &unit{Engine: e, ctx: ctx, now: now, operation: e.operations.next()}
	u.flags.unit = u
	return u
}

func newRunning(in *instance, revision int64) *running {
	return &running{instance: in, key: workflowPrefix + in.id, revision: revision}
}

// room is memory for units that come one after the other. A nil room has none.
type room struct {
	events []Event
	used   int // of the events
	values packer
}

// begin gives back all memory, and sees to it that there is enough for a number of
// workflows.
func (m *room) begin(workflows int) {
	clear(m.events[:m.used])
	m.used = 0
	if n := workflows * usualEvents; n > len(m.events) {
		m.events = make([]Event, n)
	}
	m.values = m.values[:0]
}

// forEvents returns memory for the usual number of events, nil if there is none.
func (m *room) forEvents() []Event {
	if m == nil || len(m.events)-m.used < usualEvents {
		return nil
	}
	m.used += usualEvents
	return m.events[m.used-usualEvents : m.used : m.used]
}

// value returns what is written as the value of a record, which a store does not
// keep.
func (m *room) value(write func(*packer)) []byte {
	if m == nil {
		p := make(packer, 0, 256)
		write(&p)
		return p
	}
	from := len(m.values)
	write(&m.values)
	return m.values[from:len(m.values):len(m.values)]
}

// add takes a workflow into the unit.
func (u *unit) add(in *instance, revision int64) *running {
	r := newRunning(in, revision)
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
		if err := u.takeResult(r, failure); err != nil {
			return err
		}
	}
	return nil
}

// takeResult takes in that the pending action was applied, or, with a failure,
// that it was not.
func (u *unit) takeResult(r *running, failure *Failure) (err error) {
	var w Workflow
	var events []Event
	if failure == nil {
		w, events, err = r.appliedIn(u.now, u.room.forEvents())
	} else {
		w, events, err = r.ActionFailed(*failure, u.now)
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

// file returns the events that get a record of their own in this commit, in two
// parts; the others stay in the workflow's record.
func (r *running) file() (before, behind []Event) {
	before, behind = r.unfiled, r.events
	r.unfiled = nil
	if r.claims && len(before)+len(behind) <= usualEvents {
		r.unfiled = slices.Concat(before, behind)
		return nil, nil
	}
	return before, behind
}

// commit writes the unit, if there is anything to write, and then tells who
// waits for it. The error wraps [ErrConflict] if somebody else has changed what
// it was made of.
func (u *unit) commit() (int64, error) {
	txn := u.txn
	n := len(u.workflows)
	txn.If, txn.Put = slices.Grow(txn.If, n), slices.Grow(txn.Put, 3*n)
	read := ""
	for _, r := range u.workflows {
		if !r.isWritten() {
			continue
		}
		read = r.key
		txn.If = append(txn.If, Check{Key: r.key, Revision: r.revision})
		before, behind := r.file()
		txn.Put = append(txn.Put, Record{
			Key: r.key, Wake: r.wake(), Value: u.room.value(func(p *packer) { r.encode(p, u.operation) }),
		})
		if n := len(before) + len(behind); n > 0 {
			txn.Put = append(txn.Put, Record{
				Key:   eventKey(r.id, r.number-int64(n)+1),
				Value: u.room.value(func(p *packer) { p.encodeEvents(before, behind) }),
			})
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
	for try := 1; ; try++ {
		record, err := e.store.Get(ctx, workflowPrefix+id)
		if err != nil {
			return nil, 0, fmt.Errorf("read workflow %s: %w", quoteKey(id), err)
		}
		if record.Revision == 0 || isTombstone(record) {
			return nil, 0, noWorkflow(id)
		}
		in, err := e.instanceOf(ctx, record)
		if err == nil || !errors.Is(err, ErrConflict) || try == maxTries {
			return in, record.Revision, err
		}
	}
}

func noWorkflow(id string) error {
	return fmt.Errorf("%w: there is no workflow with the id %s", ErrNotFound, quoteKey(id))
}

func overtakenWorkflow(id string) error {
	return fmt.Errorf("%w: the workflow %s has changed meanwhile; read it again", ErrConflict, quoteKey(id))
}

func isTombstone(r Record) bool { return len(r.Value) > 0 && r.Value[0] == tombstoneFormat }

// instanceOf returns the workflow of a record. The error is an
// [*UnreadableWorkflowError] if it cannot be read, and wraps [ErrConflict] if it
// was deleted since its record was read, and its plan purged.
func (e *Engine) instanceOf(ctx context.Context, record Record) (*instance, error) {
	in, err := decodeInstance(record)
	if err != nil {
		return nil, err
	}
	fail := func(why string) (*instance, error) {
		return nil, &UnreadableWorkflowError{WorkflowID: in.id, Revision: record.Revision, Reason: why}
	}
	stored, err := e.plan(ctx, in.planHash)
	if errors.Is(err, ErrNotFound) {
		now, err := e.store.Get(ctx, record.Key)
		if err != nil {
			return nil, fmt.Errorf("read workflow %s: %w", quoteKey(in.id), err)
		}
		if now.Revision != record.Revision {
			return nil, overtakenWorkflow(in.id)
		}
	}
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
