package flagstage

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// TickReport tells what a tick has done.
type TickReport struct {
	Now       time.Time // of the tick
	Workflows int       // that were advanced
	Events    int       // that came of it
	Applied   int       // actions that were applied
	Failed    int       // actions that were not
}

// Tick does all that is due now, in the order in which it is due, and applies
// actions that are to be applied. Several changes share a commit; if one of them
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
	for err == nil && t.calls > 0 {
		t.drain(t.calls - 1)
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

	calls   int // deliveries under way
	results chan result
}

func (e *Engine) newTicker(ctx context.Context) *ticker {
	t := &ticker{Engine: e, ctx: ctx, results: make(chan result)}
	t.begin()
	return t
}

// begin begins a tick. Deliveries may be under way.
func (t *ticker) begin() {
	t.now, t.errs, t.stuck = t.Engine.now(), nil, map[string]bool{}
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
func (t *ticker) due() (list []Record, err error) {
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
	u := t.newUnit(t.ctx, t.now)
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
		queue = append(queue, &running{instance: in, revision: record.Revision})
	}
	heap.Init(&queue)
	var claimed []*running
	for len(queue) > 0 {
		r := queue[0]
		now := r.turn()
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
		switch next := r.wake(); {
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
		t.deliver(r)
	}
	return nil
}

// step does what a workflow has to do at an instant, its wake.
func (t *ticker) step(u *unit, r *running, at time.Time) error {
	r.changed = true
	r.claim = time.Time{} // it has run out, or there is none
	r.take(r.Advance(t.now))
	if err := u.act(r, at); err != nil {
		return err
	}
	if effect, ok := r.pending(); ok && t.applier != nil && !effect.At.After(at) {
		r.delivery++
		r.claim = t.claimEnd()
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

// result is what became of a delivery.
type result struct {
	*running
	err     error
	waited  bool // it was not made, since one for the same flag took too long
	unknown bool // nobody knows what became of it
}

// deliver begins to deliver the action that a workflow has claimed: after those
// for the same flag that were begun before.
func (t *ticker) deliver(r *running) {
	effect, _ := r.pending()
	d := Delivery{
		WorkflowID: r.id, Target: r.target, Stage: effect.Stage, Round: effect.Round, Try: effect.Try,
		Number: r.delivery, Due: effect.Due, Instructions: slices.Clone(effect.Action.Instructions),
	}
	before, over := t.lanes.enter(r.target)
	t.calls++
	// it ends while the claim lasts, so that what became of it can be noted
	ctx, cancel := context.WithTimeout(t.ctx, t.applyTimeout-min(t.applyTimeout/10, time.Second))
	go func() {
		defer cancel()
		answer := result{running: r, waited: true}
		select {
		case <-before:
			if ctx.Err() == nil {
				answer.err, answer.unknown = t.call(ctx, d)
				answer.waited = false
			}
			over()
		case <-ctx.Done():
			go func() {
				<-before
				over()
			}()
		}
		t.results <- answer
	}()
}

// call calls the applier, and does not wait for it longer than the claim lasts.
func (t *ticker) call(ctx context.Context, d Delivery) (err error, unknown bool) {
	answer := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				t.logger.ErrorContext(ctx, "the applier panicked", "delivery", d.Key(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				answer <- fmt.Errorf("the applier panicked: %v", p)
			}
		}()
		answer <- t.applier.Apply(ctx, d)
	}()
	select {
	case err := <-answer:
		return err, err != nil && t.ctx.Err() != nil
	case <-ctx.Done():
		return fmt.Errorf("no answer in time: %w", ctx.Err()), t.ctx.Err() != nil
	}
}

// drain takes results until at most so many deliveries are under way, and
// commits them.
func (t *ticker) drain(most int) {
	for t.calls > most {
		t.receive(<-t.results)
	}
}

// receive commits a result, and with it others that are there.
func (t *ticker) receive(first result) {
	list := []result{first}
	for more := true; more && len(list) < min(batchSize, t.calls); {
		select {
		case r := <-t.results:
			list = append(list, r)
		default:
			more = false
		}
	}
	t.calls -= len(list)
	t.settle(list)
}

// settle notes results in one commit, or, if that cannot be, each in one of its
// own.
func (t *ticker) settle(list []result) {
	// What was applied is noted though the tick is cancelled.
	ctx := context.WithoutCancel(t.ctx)
	known := list[:0]
	for _, r := range list {
		if !r.unknown {
			known = append(known, r)
		}
	}
	if len(known) == 0 {
		return
	}
	if len(known) > 1 && t.note(ctx, known) == nil {
		return
	}
	for _, r := range known {
		if err := t.noteAlone(ctx, r); err != nil {
			t.errs = append(t.errs, fmt.Errorf("tick: note what became of %s, delivery %d: %w", workflowPrefix+r.id, r.delivery, err))
			t.logger.ErrorContext(ctx, "could not note the result of a delivery", "workflow", r.id, "error", err)
		}
	}
}

// noteAlone notes a result, also if others change the workflow at the same
// time. A result that came too late is dropped: the action was delivered again.
func (t *ticker) noteAlone(ctx context.Context, r result) error {
	for try := 1; ; try++ {
		err := t.note(ctx, []result{r})
		if err == nil || !errors.Is(err, ErrConflict) || try == maxTries {
			return err
		}
		in, revision, err := t.loadWorkflow(ctx, r.id)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil
		case err != nil:
			return err
		case in.delivery != r.delivery || !in.claim.Equal(r.claim) || in.planHash != r.planHash || !in.createdAt().Equal(r.createdAt()):
			return nil // also if another workflow has the identifier by now
		}
		r.running = &running{instance: in, revision: revision}
	}
}

// note notes results in one commit. An error has changed nothing.
func (t *ticker) note(ctx context.Context, list []result) error {
	u := t.newUnit(ctx, t.now)
	for _, result := range list {
		in := *result.instance
		r := u.add(&in, result.revision)
		r.changed = true
		r.claim = time.Time{}
		if result.waited {
			continue // the next one comes at once
		}
		var failure *Failure
		if result.err != nil {
			f := t.retries.failure(result.err, r.tries+1, r.at(t.now).now)
			t.logger.WarnContext(ctx, "an action failed", "workflow", r.id, "stage", r.stage, "reason", f.Reason, "error", result.err, "again", f.RetryAt)
			failure = &f
		}
		if err := r.takeResult(failure, t.now); err != nil { // it does not wait for one any more
			t.logger.WarnContext(ctx, "a result came too late", "workflow", r.id, "error", err)
		}
	}
	return t.commit(u)
}

// turn returns when it is the workflow's turn.
func (r *running) turn() turn { return turn{r.wake(), workflowPrefix + r.id} }

// idle is the error of a workflow that would be asked for ever.
func (r *running) idle() error {
	return fmt.Errorf("workflow %s has nothing to do when it is due", quoteKey(r.id))
}

// dueQueue is workflows in the order of their turns.
type dueQueue []*running

func (q dueQueue) Len() int           { return len(q) }
func (q dueQueue) Less(i, k int) bool { return q[i].turn().before(q[k].turn()) }
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
