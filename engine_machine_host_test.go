package flagstage_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
)

// manners are how a host may deal with a delivery.
var manners = []string{
	"applies", "answers late", "hangs", "answers nothing it has done", "refuses", "refuses for good", "panics", "ends its goroutine",
}

// lateAnswer is how long a late answer takes: the delivery was given up, its claim
// has run out, and another may have taken its place. It is time of the bubble.
const lateAnswer = 75 * time.Second

// host keeps flags elsewhere. It keeps to what an applier must do, in one of the
// manners.
type host struct {
	deliveries
	mu     sync.Mutex
	manner string
	kept   map[string]*hostedWorkflow // by workflow
}

// hostedWorkflow is what a host remembers of a workflow.
type hostedWorkflow struct {
	last    int64    // number of a delivery
	applied []string // keys of deliveries
}

func newHost(manner string) *host {
	h := &host{manner: manner, kept: map[string]*hostedWorkflow{}}
	h.answer = h.deal
	return h
}

// behave changes the manner.
func (h *host) behave(manner string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.manner = manner
}

// take notes that a delivery has come.
func (h *host) take(d flagstage.Delivery) (of *hostedWorkflow, manner string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept[d.WorkflowID] == nil {
		h.kept[d.WorkflowID] = &hostedWorkflow{}
	}
	of = h.kept[d.WorkflowID]
	of.last = max(of.last, d.Number)
	return of, h.manner
}

// apply applies a delivery, unless it is late, or was applied before.
func (h *host) apply(of *hostedWorkflow, d flagstage.Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.Number == of.last && !slices.Contains(of.applied, d.Key()) {
		of.applied = append(of.applied, d.Key())
	}
}

// deal answers a delivery.
func (h *host) deal(ctx context.Context, d flagstage.Delivery) error {
	of, manner := h.take(d)
	switch manner {
	case "refuses":
		return errUnavailable
	case "refuses for good":
		return flagstage.Permanent(errUnavailable)
	case "hangs":
		<-ctx.Done()
		return ctx.Err()
	case "panics":
		panic("the host")
	case "ends its goroutine":
		runtime.Goexit()
	case "answers late":
		time.Sleep(lateAnswer)
	}
	h.apply(of, d)
	if manner == "answers nothing it has done" {
		return errUnavailable
	}
	return nil
}

// done returns the keys of what was applied of a workflow.
func (h *host) done(id string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept[id] == nil {
		return nil
	}
	return slices.Clone(h.kept[id].applied)
}

// forget forgets a workflow, whose id may be another's by and by.
func (h *host) forget(id string) {
	h.deliveries.forget(id)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.kept, id)
}

// look checks what must hold of the deliveries of all workflows.
func (h *host) look(t require.TestingT, workflows []flagstage.StoredWorkflow) {
	h.check(t, h.firsts())
	for _, s := range workflows {
		var want []string // what the events say that it was applied
		round := map[int]int{}
		for _, e := range s.Events() {
			switch e.Kind {
			case flagstage.EventStageRetried:
				round[e.Stage]++
			case flagstage.EventActionApplied:
				want = append(want, flagstage.Delivery{WorkflowID: s.ID, Stage: e.Stage, Round: round[e.Stage] + 1}.Key())
			}
		}
		var got []string // what else was applied is not known to be
		for _, key := range h.done(s.ID) {
			if slices.Contains(want, key) {
				got = append(got, key)
			}
		}
		require.Equal(t, want, got, "of %s", s.ID)
	}
	stages := map[string][]flagstage.Stage{}
	for _, s := range workflows {
		stages[s.ID] = s.Plan().Stages()
	}
	for _, d := range h.all() {
		require.Equal(t, stages[d.WorkflowID][d.Stage].Action.Instructions, d.Instructions)
		require.LessOrEqual(t, d.Try, machineTries)
	}
}
