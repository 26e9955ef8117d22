package flagstage

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// TickReport tells what a tick has done.
type TickReport struct {
	Now       time.Time // when the tick began
	Workflows int       // that were advanced; one counts once for each commit that did so
	Events    int       // that came of it
	Applied   int       // actions that were applied
	Failed    int       // tries to apply an action that came to nothing
}

// Tick does all that is due now, in the order in which it is due, and applies
// actions that are to be applied. What an [Applier] takes long for is noted at the
// instant at which it is over, and what is due by then is done too. Several changes share a commit; if one of them
// was overtaken by somebody else, each is done by itself. It returns when
// nothing is due any more.
//
// A workflow that cannot be advanced does not stop the others. The error tells
// of all of them, each time; it wraps what prevented each. What is due then stays
// due. A tick that was cancelled has done what it has done, and the next one
// goes on from there. The guard is not asked.
func (e *Engine) Tick(ctx context.Context) (TickReport, error) {
	if err := e.open(ctx); err != nil {
		return TickReport{}, err
	}
	t := e.newTicker(ctx)
	err := t.round()
	for err == nil && t.underWay > 0 {
		t.drain(t.underWay - 1)
		err = t.round()
	}
	t.drain(0)
	return t.report, errors.Join(append(t.errs, err)...)
}

// ticker is one tick, or those of a [Engine.Run].
type ticker struct {
	*Engine
	ctx    context.Context
	now    time.Time
	report TickReport
	errs   []error         // of single workflows
	stuck  map[string]bool // keys of records that could not be dealt with
	waited map[string]bool // keys of records whose deliveries had to wait too long; once is enough

	room room
	deliveries
}

func (e *Engine) newTicker(ctx context.Context) *ticker {
	t := &ticker{Engine: e, ctx: ctx, deliveries: deliveries{answer: make(chan struct{}, 1)}}
	t.begin()
	return t
}

// begin begins a tick. Deliveries may be under way.
func (t *ticker) begin() {
	t.now, t.errs, t.stuck, t.waited = t.Engine.now(), nil, map[string]bool{}, map[string]bool{}
	t.report = TickReport{Now: t.now}
}

// Limits of a tick.
const (
	batchSize = 40  // workflows in one commit, at most
	batchOps  = 110 // operations of a commit, about
	maxCalls  = 256 // deliveries that are under way at once
)

// round does all that is due, but for what comes of the deliveries that it
// begins.
func (t *ticker) round() error {
	for {
		due, err := t.due()
		if err != nil || len(due) == 0 {
			return err
		}
		t.batch(due)
		t.drain(maxCalls)
	}
}

// due returns the records that need attention first.
func (t *ticker) due() ([]Record, error) {
	list := make([]Record, 0, batchSize)
	for record, err := range t.waiting(t.now) {
		if err != nil {
			return nil, err
		}
		if list = append(list, record); len(list) == batchSize {
			break
		}
	}
	return list, nil
}

// waiting yields the records that need attention until an instant, but for those
// that could not be dealt with.
func (t *ticker) waiting(until time.Time) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for record, err := range t.store.Due(t.ctx, until) {
			if err != nil {
				yield(Record{}, fmt.Errorf("tick: %w", err))
				return
			}
			if !t.stuck[record.Key] && strings.HasPrefix(record.Key, workflowPrefix) && !yield(record, nil) {
				return
			}
		}
	}
}

// batch advances workflows in one commit. If that cannot be, it advances those
// that are due first, each in a commit of its own; the others come after what
// these lead to.
func (t *ticker) batch(due []Record) {
	end := turn{t.now, workflowPrefix + "~"} // no identifier has this character
	if len(due) == batchSize {
		end = turnOf(due[batchSize-1]) // others are due behind
	}
	if len(due) > 1 {
		if err := t.advance(due, end); err == nil {
			return
		}
	}
	for _, record := range due {
		if t.ctx.Err() != nil || !record.Wake.Equal(due[0].Wake) {
			return
		}
		if len(due) > 1 {
			end = turnOf(record)
		}
		if err := t.single(record, end); err != nil {
			t.stuck[record.Key] = true
			t.errs = append(t.errs, fmt.Errorf("tick: %s: %w", record.Key, err))
			t.logger.ErrorContext(t.ctx, "could not advance", "record", record.Key, "error", err)
		}
	}
}

// single advances one workflow, also if others change it at the same time.
func (t *ticker) single(record Record, end turn) error {
	for try := 1; ; try++ {
		err := t.advance([]Record{record}, end)
		if err == nil || !errors.Is(err, ErrConflict) || try == maxTries {
			return err
		}
		fresh, err := t.store.Get(t.ctx, record.Key)
		switch {
		case err != nil:
			return err
		case fresh.Revision == 0 || fresh.Wake.IsZero() || end.before(turnOf(fresh)):
			return nil // somebody else has done it
		}
		record = fresh
	}
}

// turn is a place in the order in which things are done: by when they are due, and
// then by workflow.
type turn struct {
	at  time.Time
	key string // of the workflow's record
}

func turnOf(r Record) turn { return turn{r.Wake, r.Key} }

// before reports whether a turn comes before another.
func (t turn) before(other turn) bool {
	return t.at.Before(other.at) || t.at.Equal(other.at) && t.key < other.key
}

// advance advances workflows in one commit, up to a turn and with it. An error has
// changed nothing.
func (t *ticker) advance(due []Record, end turn) error {
	u := t.newUnit(t.ctx, len(due))
	var calls *deadline // it begins before any claim
	if t.applier != nil {
		calls = t.newDeadline()
		defer calls.release()
	}
	var queue dueQueue
	for _, record := range due {
		if isTombstone(record) {
			if err := t.bury(t.ctx, strings.TrimPrefix(record.Key, workflowPrefix), record.Revision); err != nil {
				return err
			}
			continue
		}
		in, err := t.instanceOf(t.ctx, record)
		if err != nil {
			return err
		}
		queue = append(queue, &running{instance: in, key: record.Key, revision: record.Revision, turn: turnOf(record)})
	}
	heap.Init(&queue)
	var claimed []*running
	for len(queue) > 0 {
		r := queue[0]
		now := r.turn
		if end.before(now) || len(u.workflows) > 0 && u.ops() > batchOps {
			break
		}
		if !r.changed {
			u.workflows = append(u.workflows, r)
		}
		told := len(r.events)
		if err := t.step(u, r, now.at); err != nil {
			return err
		}
		if !r.claim.IsZero() {
			claimed = append(claimed, r)
		}
		r.turn.at = r.wake()
		switch next := r.turn.at; {
		case next.IsZero() || next.After(t.now):
			heap.Pop(&queue)
		case next.Equal(now.at) && len(r.events) == told:
			return r.idle()
		default:
			heap.Fix(&queue, 0)
		}
	}
	if len(queue) > 0 && len(u.workflows) == 0 {
		return queue[0].idle()
	}
	if err := t.commit(u); err != nil {
		return err
	}
	for _, r := range claimed {
		t.deliver(r, calls)
	}
	return nil
}

// newUnit returns a unit for a number of workflows. That before it is over.
func (t *ticker) newUnit(ctx context.Context, workflows int) *unit {
	u := t.Engine.newUnit(ctx, t.now)
	u.room = &t.room
	t.room.begin(workflows)
	return u
}

// step does what a workflow has to do at an instant, its wake.
func (t *ticker) step(u *unit, r *running, at time.Time) error {
	r.changed = true
	r.claim, r.claims = time.Time{}, false // it has run out, or there is none
	r.take(r.advance(t.now, u.room.forEvents()))
	if err := u.act(r, at); err != nil {
		return err
	}
	if effect, ok := r.pending(); ok && t.applier != nil && !effect.At.After(at) {
		r.delivery++
		r.claim, r.claims = t.claimEnd(), true
	}
	return nil
}

// claimEnd returns when a claim that is made now ends. The tick may have begun
// long before, and nobody else may deliver what is delivered from now on.
func (t *ticker) claimEnd() time.Time {
	now := t.Engine.now()
	if now.Before(t.now) {
		now = t.now
	}
	return Instant(now.Add(t.applyTimeout))
}

// commit commits what was advanced.
func (t *ticker) commit(u *unit) error {
	if _, err := u.commit(); err != nil {
		return err
	}
	for _, r := range u.workflows {
		t.report.Workflows++
		t.report.Events += len(r.events)
		for i := range r.events {
			switch r.events[i].Kind {
			case EventActionApplied:
				t.report.Applied++
			case EventActionFailed:
				t.report.Failed++
			}
		}
	}
	return nil
}

// settle notes results in one commit, or, if that cannot be, each in one of its
// own.
func (t *ticker) settle(list []*delivery) {
	// What was applied is noted though the tick is cancelled.
	ctx := context.WithoutCancel(t.ctx)
	known := slices.DeleteFunc(list, func(d *delivery) bool { return d.unknown })
	if len(known) == 0 {
		return
	}
	u := t.newUnit(ctx, len(known))
	for _, d := range known {
		t.note(u, d, d.running)
	}
	if t.commit(u) == nil {
		return
	}
	for _, d := range known {
		if err := t.noteAlone(ctx, d); err != nil {
			t.errs = append(t.errs, fmt.Errorf("tick: note what became of %s, delivery %d: %w", d.key, d.Number, err))
			t.logger.ErrorContext(ctx, "could not note the result of a delivery", "workflow", d.id, "error", err)
		}
	}
}

// noteAlone notes a result, also if others change the workflow at the same
// time. A result that came too late is dropped: the action was delivered again.
func (t *ticker) noteAlone(ctx context.Context, d *delivery) error {
	for try := 1; ; try++ {
		in, revision, err := t.loadWorkflow(ctx, d.id)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil
		case err != nil:
			return err
		case in.delivery != d.Number || !in.claim.Equal(d.until) || in.planHash != d.planHash || !in.createdAt().Equal(d.createdAt()):
			return nil // also if another workflow has the identifier by now
		}
		u := t.newUnit(ctx, 1)
		t.note(u, d, newRunning(in, revision))
		if err := t.commit(u); err == nil || !errors.Is(err, ErrConflict) || try == maxTries {
			return err
		}
	}
}

// note notes the result of a delivery in a unit, of the workflow as it is now.
func (t *ticker) note(u *unit, d *delivery, r *running) {
	u.workflows = append(u.workflows, r)
	r.events, r.changed, r.claims = nil, true, !d.called
	r.claim = time.Time{}
	if !d.called { // those for the same flag took too long; the next delivery comes at once
		t.stuck[r.key], t.waited[r.key] = t.waited[r.key], true
		return
	}
	failure := d.failure
	if failure != nil {
		f := t.retries.again(*failure, r.tries+1, r.at(t.now).now)
		t.logger.WarnContext(u.ctx, "an action failed", "workflow", r.id, "stage", r.stage, "reason", f.Reason, "error", f.Message, "again", f.RetryAt)
		failure = &f
	}
	if err := u.takeResult(r, failure); err != nil { // it does not wait for one any more
		t.logger.WarnContext(u.ctx, "a result came too late", "workflow", r.id, "error", err)
	}
}

// idle is the error of a workflow that would be asked for ever.
func (r *running) idle() error {
	return fmt.Errorf("workflow %s has nothing to do when it is due", quoteKey(r.id))
}

// dueQueue is workflows in the order of their turns.
type dueQueue []*running

func (q dueQueue) Len() int           { return len(q) }
func (q dueQueue) Less(i, k int) bool { return q[i].turn.before(q[k].turn) }
func (q dueQueue) Swap(i, k int)      { q[i], q[k] = q[k], q[i] }
func (q *dueQueue) Push(x any)        { *q = append(*q, x.(*running)) }
func (q *dueQueue) Pop() any {
	last := len(*q) - 1
	r := (*q)[last]
	*q = (*q)[:last]
	return r
}

// NextDue returns the earliest instant at which [Engine.Tick] will have
// something to do, which may be past. It returns false if there is none: all
// workflows have ended, are paused, or wait for people only. The guard is not
// asked.
func (e *Engine) NextDue(ctx context.Context) (at time.Time, ok bool, err error) {
	if err := e.open(ctx); err != nil {
		return time.Time{}, false, err
	}
	for record, err := range e.store.Due(ctx, lastInstant) {
		if err != nil {
			return time.Time{}, false, fmt.Errorf("next due: %w", err)
		}
		if strings.HasPrefix(record.Key, workflowPrefix) {
			return record.Wake, true, nil
		}
	}
	return time.Time{}, false, nil
}
