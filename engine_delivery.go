package flagstage

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// delivery is an action that an applier is called with, and what became of it.
type delivery struct {
	*running // as it was claimed, until a result is noted
	Delivery
	*deadline
	until time.Time // the end of the claim
	lane  *lane

	called bool // it has begun
	over   bool // it was answered, or is not waited for any longer
	// failure is what its error means; nil: the action was applied.
	failure *Failure
	// unknown says that nobody knows what became of it: the tick was cancelled
	// meanwhile.
	unknown bool
}

// deadline is the applier's context, of deliveries that begin at the same time.
type deadline struct {
	ctx      context.Context
	cancel   context.CancelFunc
	underWay int // deliveries
}

// deliveries are those that a ticker has begun. Its goroutine uses them, and each
// delivery's own, which locks mu.
type deliveries struct {
	underWay int         // that are not over
	begun    []*delivery // in the order in which their contexts end; some are over

	mu       sync.Mutex // guards what follows, and called, over and failure of all
	answered []*delivery
	answer   chan struct{} // holds something while there is an answer
}

// newDeadline returns the context of deliveries whose claims are made from now on. It
// ends while the claims last, so that what became of them can be noted.
func (t *ticker) newDeadline() *deadline {
	ctx, cancel := context.WithTimeout(t.ctx, t.applyTimeout-min(t.applyTimeout/10, time.Second))
	return &deadline{ctx: ctx, cancel: cancel}
}

// release gives the context back if no delivery is under way.
func (d *deadline) release() {
	if d.underWay == 0 {
		d.cancel()
	}
}

// deliver begins to deliver the action that a workflow has claimed: after those for
// the same flag that were begun before.
func (t *ticker) deliver(r *running, end *deadline) {
	effect, _ := r.pending()
	d := &delivery{running: r, deadline: end, until: r.claim, Delivery: Delivery{
		WorkflowID: r.id, Target: r.target, Stage: effect.Stage, Round: effect.Round, Try: effect.Try,
		Number: r.delivery, Due: effect.Due, Instructions: slices.Clone(effect.Action.Instructions),
	}}
	d.lane = t.lanes.enter(r.target)
	t.underWay++
	end.underWay++
	t.begun = append(t.begun, d)
	go t.apply(d)
}

// apply calls the applier once the lane is free, and notes what it answers.
func (t *ticker) apply(d *delivery) {
	defer t.lanes.leave(d.lane)
	if before := d.lane.before; before != nil {
		select {
		case <-before:
		case <-d.ctx.Done(): // the tick does not wait for it any longer
			<-before
			return
		}
	}
	if !t.call(d) {
		return
	}
	var failure *Failure
	answered := false
	defer func() {
		p := recover()
		switch {
		case p != nil:
			t.logger.ErrorContext(d.ctx, "the applier panicked", "delivery", d.Key(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			failure = failureOf(fmt.Errorf("the applier panicked: %v", p))
		case !answered:
			failure = failureOf(errors.New("the applier ended its goroutine"))
		}
		t.take(d, failure, failure != nil && t.ctx.Err() != nil)
	}()
	if err := t.applier.Apply(d.ctx, d.Delivery); err != nil {
		failure = failureOf(err) // here, since the methods of the error are the applier's too
	}
	answered = true
}

// call notes that the applier is called, and returns false if the time for that is
// over.
func (s *deliveries) call(d *delivery) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.over || d.ctx.Err() != nil {
		return false // called is not to be changed once it is over
	}
	d.called = true
	return true
}

// take takes an answer, unless nobody waits for it any longer.
func (s *deliveries) take(d *delivery, failure *Failure, unknown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.over {
		return
	}
	d.over, d.failure, d.unknown = true, failure, unknown
	s.answered = append(s.answered, d)
	select {
	case s.answer <- struct{}{}:
	default:
	}
}

// ended returns what is closed when the time of the first delivery is over that is
// under way; nil if there is none.
func (s *deliveries) ended() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.begun {
		if !d.over {
			return d.ctx.Done()
		}
	}
	return nil
}

// collect returns the deliveries that were answered, and those whose time is over.
func (t *ticker) collect() []*delivery {
	runtime.Gosched() // let those answer that are about to
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.answer:
	default:
	}
	list := t.answered
	t.answered = nil
	t.begun = slices.DeleteFunc(t.begun, func(d *delivery) bool {
		if !d.over && d.ctx.Err() != nil {
			d.over, d.unknown = true, d.called && t.ctx.Err() != nil
			d.failure = failureOf(fmt.Errorf("no answer in time: %w", d.ctx.Err()))
			list = append(list, d)
		}
		return d.over
	})
	for _, d := range list {
		d.deadline.underWay--
		d.release()
	}
	t.underWay -= len(list)
	return list
}

// drain waits until at most so many deliveries are under way, and notes what became
// of the others.
func (t *ticker) drain(most int) {
	for t.underWay > most {
		select {
		case <-t.answer:
		case <-t.ended():
		}
		t.receive()
	}
}

// receive notes what became of the deliveries that are over: by now, which may be
// long after the tick has begun.
func (t *ticker) receive() {
	if now := t.Engine.now(); now.After(t.now) {
		t.now = now
	}
	for list := range slices.Chunk(t.collect(), batchSize) {
		t.settle(list)
	}
}

// lanes see to it that two actions for one flag are not delivered at the same
// time. It is safe for concurrent use; the zero lanes are empty.
type lanes struct {
	mu   sync.Mutex
	last map[Origin]*lane
}

// lane is the turn of a delivery for a flag.
type lane struct {
	flag   Origin
	before <-chan struct{} // closed when the one before is over; nil: there is none
	after  chan struct{}   // closed when this one is over; nil: nobody waits for that
}

// enter takes the turn after those for the same flag that there are. It begins when
// before is closed, and lasts until leave.
func (l *lanes) enter(flag Origin) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[Origin]*lane{}
	}
	mine := &lane{flag: flag}
	if ahead := l.last[flag]; ahead != nil {
		ahead.after = make(chan struct{})
		mine.before = ahead.after
	}
	l.last[flag] = mine
	return mine
}

// leave ends a turn.
func (l *lanes) leave(mine *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if mine.after != nil {
		close(mine.after)
	}
	if l.last[mine.flag] == mine {
		delete(l.last, mine.flag)
	}
}
