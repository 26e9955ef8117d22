package flagstage_test

import (
	"math"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
)

// run is a workflow under test and all of its events.
type run struct {
	t require.TestingT
	flagstage.Workflow
	start  flagstage.Start
	events []flagstage.Event
}

func begin(t require.TestingT, plan flagstage.Plan, s flagstage.Start) *run {
	if s.At.IsZero() {
		s.At = start
	}
	if s.Actor == (flagstage.Actor{}) {
		s.Actor = alice
	}
	w, events, err := flagstage.StartWorkflow(plan, s)
	require.NoError(t, err)
	return &run{t, w, s, events}
}

// take takes what a call returned. An error must leave everything as it was.
func (r *run) take(w flagstage.Workflow, events []flagstage.Event, err error) error {
	if err != nil {
		require.Equal(r.t, r.Workflow, w)
		require.Empty(r.t, events)
	}
	r.Workflow, r.events = w, append(r.events, events...)
	return err
}

func after(hours float64) time.Time { return start.Add(time.Duration(hours * float64(time.Hour))) }

// because is an order with a reason.
var because = flagstage.Order{Actor: bob, Reason: "because"}

// Calls at a number of hours after the start. Those that return the run must
// not fail.

func (r *run) advance(hours float64) *run {
	w, events := r.Advance(after(hours))
	require.NoError(r.t, r.take(w, events, nil))
	return r
}

func (r *run) review(hours float64, kind flagstage.ReviewKind, actor flagstage.Actor, stage, condition int) error {
	return r.take(r.Review(flagstage.Review{Stage: stage, Condition: condition, Kind: kind, Actor: actor}, after(hours)))
}

func (r *run) approve(hours float64, stage, condition int) *run {
	require.NoError(r.t, r.review(hours, flagstage.ReviewApprove, bob, stage, condition))
	return r
}

func (r *run) decline(hours float64, stage, condition int) *run {
	require.NoError(r.t, r.review(hours, flagstage.ReviewDecline, bob, stage, condition))
	return r
}

func (r *run) pause(hours float64) *run {
	require.NoError(r.t, r.take(r.Pause(because, after(hours))))
	return r
}

func (r *run) resume(hours float64) *run {
	require.NoError(r.t, r.take(r.Resume(because, after(hours))))
	return r
}

func (r *run) skip(hours float64, stage int) *run {
	require.NoError(r.t, r.take(r.Skip(stage, because, false, after(hours))))
	return r
}

func (r *run) retry(hours float64) *run {
	require.NoError(r.t, r.take(r.Retry(because, after(hours))))
	return r
}

func (r *run) cancel(hours float64) *run {
	require.NoError(r.t, r.take(r.Cancel(because, after(hours))))
	return r
}

func (r *run) applied(hours float64) *run {
	require.NoError(r.t, r.take(r.Applied(after(hours))))
	return r
}

// failed says that the action failed, and is tried again at an hour; 0: never.
func (r *run) failed(hours, again float64) *run {
	f := flagstage.Failure{Reason: flagstage.ReasonRejected, Message: "no"}
	if again > 0 {
		f = flagstage.Failure{Reason: flagstage.ReasonTransient, Message: "not now", RetryAt: after(again)}
	}
	require.NoError(r.t, r.take(r.ActionFailed(f, after(hours))))
	return r
}

// deliver advances and applies what is pending, until nothing is.
func (r *run) deliver(now time.Time) {
	w, events := r.Advance(now)
	require.NoError(r.t, r.take(w, events, nil))
	for {
		effect, ok := r.Pending()
		if !ok || effect.At.After(now) {
			return
		}
		require.NoError(r.t, r.take(r.Applied(now)))
	}
}

// dues returns the hours after the start at which events of a kind were due.
func (r *run) dues(kind flagstage.EventKind) []float64 {
	list := []float64{}
	for _, e := range r.events {
		if e.Kind == kind {
			list = append(list, e.Due.Sub(start).Hours())
		}
	}
	return list
}

// last returns the last event.
func (r *run) last() flagstage.Event { return r.events[len(r.events)-1] }

// wake returns the hours after the start at which something is to be done,
// infinity for never.
func (r *run) wake() float64 {
	at, ok := r.Wake()
	if !ok {
		return math.Inf(1)
	}
	return at.Sub(start).Hours()
}

// operation is one call of a workflow. Its instants are a number of hours after
// the start, so that it can be made at another time too.
type operation struct {
	verb      string
	hours     int64
	stage     int
	condition int
	kind      flagstage.ReviewKind
	actor     flagstage.Actor
	bypass    bool
	backoff   int64 // hours after which an action is tried again; 0: never
}

var verbs = []string{
	"advance", "advance", "review", "review", "applied", "applied", "failed", "pause", "resume", "resume", "skip", "retry", "retry", "cancel",
}

// calm are the verbs but for those that hold or cancel a workflow.
var calm = []string{"advance", "review", "applied", "failed", "skip", "retry"}

// anyOperation draws a call that often fits the run, a while after the one
// before.
func anyOperation(t *rapid.T, r *run, before int64, verbs []string) operation {
	o := operation{
		verb:      rapid.SampledFrom(verbs).Draw(t, "verb"),
		hours:     before + rapid.SampledFrom([]int64{0, 0, 1, 2, 5, 24, 100}).Draw(t, "hours later"),
		stage:     rapid.IntRange(0, 4).Draw(t, "stage"),
		condition: rapid.IntRange(0, 3).Draw(t, "condition"),
		actor:     rapid.SampledFrom([]flagstage.Actor{bob, bob, carol, alice}).Draw(t, "actor"),
		kind: rapid.SampledFrom([]flagstage.ReviewKind{
			flagstage.ReviewApprove, flagstage.ReviewApprove, flagstage.ReviewApprove, flagstage.ReviewComment, flagstage.ReviewDecline,
		}).Draw(t, "kind"),
		bypass:  rapid.Bool().Draw(t, "bypass"),
		backoff: rapid.SampledFrom([]int64{0, 1, 30}).Draw(t, "backoff"),
	}
	if gates := r.Gates(); len(gates) > 0 && rapid.IntRange(0, 9).Draw(t, "fitting") > 0 {
		g := gates[o.condition%len(gates)]
		o.stage, o.condition = g.Stage, g.Condition
	}
	return o
}

// do makes the call.
func (r *run) do(o operation) error {
	order, now := flagstage.Order{Actor: o.actor, Reason: "because"}, after(float64(o.hours))
	switch o.verb {
	case "review":
		return r.take(r.Review(flagstage.Review{Stage: o.stage, Condition: o.condition, Kind: o.kind, Actor: o.actor}, now))
	case "applied":
		return r.take(r.Applied(now))
	case "failed":
		f := flagstage.Failure{Reason: flagstage.ReasonTransient, Message: "not now"}
		if o.backoff > 0 {
			f.RetryAt = now.Add(time.Duration(o.backoff) * time.Hour)
		}
		return r.take(r.ActionFailed(f, now))
	case "pause":
		return r.take(r.Pause(order, now))
	case "resume":
		return r.take(r.Resume(order, now))
	case "skip":
		return r.take(r.Skip(o.stage, order, o.bypass, now))
	case "retry":
		return r.take(r.Retry(order, now))
	case "cancel":
		return r.take(r.Cancel(order, now))
	}
	w, events := r.Advance(now)
	return r.take(w, events, nil)
}

// play makes drawn calls, and returns the hour of the last one. After each it
// calls look.
func play(t *rapid.T, r *run, steps int, verbs []string, look func()) (hours int64) {
	for range steps {
		o := anyOperation(t, r, hours, verbs)
		_ = r.do(o)
		hours = o.hours
		if look != nil {
			look()
		}
	}
	return hours
}

func anyStart(t *rapid.T) flagstage.Start {
	berlin, err := calendar.Zone("Europe/Berlin")
	require.NoError(t, err)
	return flagstage.Start{
		At: start, Actor: alice,
		Zone:     rapid.SampledFrom([]*time.Location{nil, berlin}).Draw(t, "zone"),
		Lateness: rapid.SampledFrom([]time.Duration{0, flagstage.NoLateness, 30 * time.Hour}).Draw(t, "lateness"),
		Approvals: flagstage.ApprovalSettings{
			MinNumApprovals:         rapid.IntRange(0, 2).Draw(t, "quorum"),
			CanApplyDeclinedChanges: rapid.Bool().Draw(t, "declined"),
			ExpiresAfter:            time.Duration(rapid.Int64Range(0, 3).Draw(t, "expires")) * 50 * time.Hour,
		},
		Deliver: rapid.Bool().Draw(t, "deliver"),
	}
}

func anyPlan(t *rapid.T) flagstage.Plan {
	template, problems := flagstage.NewTemplate(anyTemplate(t), creation())
	require.Empty(t, problems)
	return template.Plan()
}
