package flagstage

import (
	"fmt"
	"slices"
	"time"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// ApprovalSettings say when an approval is met. Their names are those of the
// published API's settings of an environment. The zero value is its default:
// one approval, by somebody else, and a single decline ends the release.
type ApprovalSettings struct {
	// MinNumApprovals is how many people must approve: 1 to 5, and 0 means 1.
	MinNumApprovals int
	// CanReviewOwnRequest lets the one who started the workflow and its
	// maintainer review.
	CanReviewOwnRequest bool
	// CanApplyDeclinedChanges lets a release go on when somebody declines, as
	// long as enough others approve.
	CanApplyDeclinedChanges bool
	// ExpiresAfter is how long an approval stays open; then it fails. 0
	// means for ever.
	ExpiresAfter time.Duration
}

const maxApprovals = 5

func (s ApprovalSettings) check() error {
	switch {
	case s.MinNumApprovals < 0 || s.MinNumApprovals > maxApprovals:
		return fmt.Errorf("%w: MinNumApprovals is %d, must be 1 to %d", ErrInvalidRequest, s.MinNumApprovals, maxApprovals)
	case s.ExpiresAfter < 0:
		return fmt.Errorf("%w: ExpiresAfter is %v; it cannot be negative", ErrInvalidRequest, s.ExpiresAfter)
	}
	return nil
}

// Lateness of a workflow that is not told otherwise, and of one that never
// makes up for being late.
const (
	DefaultLateness = time.Hour
	NoLateness      = time.Duration(-1)
)

// Start is how a workflow begins.
type Start struct {
	At    time.Time // years 1970 to 9999
	Actor Actor     // who starts it
	// MaintainerID is who looks after it; "" means the actor.
	MaintainerID string
	// Zone is where calendar days and weeks are counted; nil means UTC.
	Zone      *time.Location
	Approvals ApprovalSettings
	// Lateness is how late a stage may be applied and the next one still be
	// armed as if it had been on time; after that the next one is armed when
	// the stage really was applied, so that no wait is cut short. 0 means
	// DefaultLateness.
	Lateness time.Duration
}

func (s *Start) check() error {
	switch {
	case !isInstant(s.At):
		return fmt.Errorf("%w: the start must be an instant in the years 1970 to 9999", ErrInvalidRequest)
	case s.Lateness < NoLateness:
		return fmt.Errorf("%w: Lateness is %v; it cannot be negative, but for NoLateness", ErrInvalidRequest, s.Lateness)
	}
	if err := s.Actor.Validate(); err != nil {
		return err
	}
	if _, defect := idDefect(s.MaintainerID); s.MaintainerID != "" && defect != "" {
		return fmt.Errorf("%w: MaintainerID: %s", ErrInvalidRequest, defect)
	}
	return s.Approvals.check()
}

// complete fills in what zero values stand for.
func (s *Start) complete() {
	s.At = Instant(s.At)
	if s.MaintainerID == "" {
		s.MaintainerID = s.Actor.Identity()
	}
	if s.Zone == nil {
		s.Zone = time.UTC
	}
	if s.Approvals.MinNumApprovals == 0 {
		s.Approvals.MinNumApprovals = 1
	}
	switch s.Lateness {
	case 0:
		s.Lateness = DefaultLateness
	case NoLateness:
		s.Lateness = 0
	}
}

// ReviewKind names what a reviewer says. Its values are the wire's.
type ReviewKind string

// The kinds of reviews.
const (
	ReviewApprove ReviewKind = "approve"
	ReviewDecline ReviewKind = "decline"
	ReviewComment ReviewKind = "comment" // says something, decides nothing
)

func (k ReviewKind) valid() bool {
	return k == ReviewApprove || k == ReviewDecline || k == ReviewComment
}

// Review is what one person says to an approval.
type Review struct {
	Stage     int // index of the stage
	Condition int // index of the approval in it
	Kind      ReviewKind
	Actor     Actor
	Comment   string // at most 64 KiB
}

// Workflow is one run of a plan: a value that says how far the release has
// come. Its methods do not change it; they return the workflow as it is
// afterwards, and the events that lead there. It reads no clock: every call
// says what time it is, and an instant before the last event counts as the
// instant of that event.
//
// Actions count as applied when their stage is due.
//
// A Workflow is safe for concurrent use. The zero Workflow is none; it has
// no status, and never changes.
type Workflow struct {
	plan    Plan
	start   *Start // complete, never changed
	status  Status
	stage   int              // the stage that is active, or failed; Len when all are completed
	gates   []conditionState // of the stage
	last    time.Time        // of the last event
	number  int64            // of the last event
	stopped time.Time        // when the workflow completed or failed
}

// conditionState is how far a condition of the current stage has come.
type conditionState struct {
	status  Status
	since   time.Time // when it was armed
	until   time.Time // when its schedule is due, or its approval expires
	stopped time.Time
	reviews []verdict // each identity's latest, in order of first review
}

type verdict struct {
	identity string
	kind     ReviewKind
}

// StartWorkflow begins a run of the plan and arms its first stage. All that is
// due at once happens at once. An error wraps [ErrInvalidRequest] or, for an
// empty actor, [ErrUnauthorized].
func StartWorkflow(plan Plan, start Start) (Workflow, []Event, error) {
	t, err := newTransition(plan, start)
	if err != nil {
		return Workflow{}, nil, err
	}
	t.begin()
	return t.w, t.events, nil
}

// newTransition returns the transition that starts a workflow.
func newTransition(plan Plan, start Start) (transition, error) {
	w, err := newWorkflow(plan, start)
	return transition{w: w, now: Instant(start.At), owned: true}, err
}

// newWorkflow returns a workflow to which nothing has happened.
func newWorkflow(plan Plan, start Start) (Workflow, error) {
	if plan.IsZero() {
		return Workflow{}, fmt.Errorf("%w: the plan is empty; make one with Template.Plan", ErrInvalidRequest)
	}
	if err := start.check(); err != nil {
		return Workflow{}, err
	}
	start.complete()
	return Workflow{plan: plan, start: &start}, nil
}

// Advance does all that is due at now. It returns no events when nothing is.
func (w Workflow) Advance(now time.Time) (Workflow, []Event) {
	t := w.at(now)
	t.run()
	return t.w, t.events
}

// Review takes a review at now, after doing what is due by then: an approval
// that expires at that instant is expired. The approval is met when enough
// people approve, and fails when one declines, unless declined changes may be
// applied. Of one identity's verdicts the latest counts; comments decide
// nothing, and all may comment.
//
// An error leaves everything as it was. It wraps [ErrUnauthorized] for an
// empty actor, [ErrForbidden] for one's own request, [ErrNotFound] for an
// approval that does not exist, and [ErrInvalidRequest] for one that is not
// open.
func (w Workflow) Review(review Review, now time.Time) (Workflow, []Event, error) {
	if err := w.checkReview(review); err != nil {
		return w, nil, err
	}
	t := w.at(now)
	t.run()
	if err := t.w.checkOpen(review); err != nil {
		return w, nil, err
	}
	t.review(review)
	t.run()
	return t.w, t.events, nil
}

func (w Workflow) checkReview(review Review) error {
	pointer := place(review.Stage, review.Condition)
	if _, ok := w.plan.condition(review.Stage, review.Condition).(Approval); !ok {
		return fmt.Errorf("%w: there is no approval at %s", ErrNotFound, pointer)
	}
	if !review.Kind.valid() {
		return fmt.Errorf("%w: the review's kind is %s, must be approve, decline or comment", ErrInvalidRequest, strictjson.Quote(string(review.Kind)))
	}
	if _, defect := strictjson.TextDefect(review.Comment); defect != "" {
		return fmt.Errorf("%w: the comment %s", ErrInvalidRequest, defect)
	}
	if err := review.Actor.Validate(); err != nil {
		return err
	}
	if w.owns(review.Actor) && review.Kind != ReviewComment && !w.start.Approvals.CanReviewOwnRequest {
		return fmt.Errorf("%w: %s started or maintains the workflow; somebody else must review %s", ErrForbidden, strictjson.Quote(review.Actor.Identity()), pointer)
	}
	return nil
}

// owns reports whether the actor started the workflow or maintains it.
func (w *Workflow) owns(actor Actor) bool {
	identity := actor.Identity()
	return identity == w.start.Actor.Identity() || identity == w.start.MaintainerID
}

// checkOpen returns an error unless the reviewed approval is open.
func (w Workflow) checkOpen(review Review) error {
	status := w.ConditionStatus(review.Stage, review.Condition)
	if status != StatusActive {
		return fmt.Errorf("%w: the approval at %s is %s, not open for reviews", ErrInvalidRequest, place(review.Stage, review.Condition), status)
	}
	return nil
}

// Replay makes a workflow of the events of all calls so far, at least of
// [StartWorkflow]. It decides nothing. An error wraps [ErrInvalidRequest] and
// says which event cannot follow from those before it, or that the last call's
// events are not complete.
func Replay(plan Plan, start Start, events []Event) (Workflow, error) {
	w, err := newWorkflow(plan, start)
	if err != nil {
		return Workflow{}, err
	}
	for i := range events {
		e := &events[i]
		if e.Number != int64(i)+1 || e.Due.After(e.At) || e.At.Before(w.last) || !w.accepts(e) {
			return Workflow{}, fmt.Errorf("%w: event %d (%s at %q) does not follow from those before it", ErrInvalidRequest, i+1, strictjson.Quote(string(e.Kind)), e.Pointer())
		}
		w.apply(e)
	}
	if !w.settled() {
		return Workflow{}, fmt.Errorf("%w: the events end in the middle of a call, after number %d", ErrInvalidRequest, len(events))
	}
	return w, nil
}

// accepts reports whether an event can follow on the state.
func (w *Workflow) accepts(e *Event) bool {
	if e.Kind == EventWorkflowStarted {
		return w.number == 0 && e.Stage == NoIndex && e.Condition == NoIndex
	}
	if w.status != StatusActive {
		return false
	}
	switch e.Kind {
	case EventWorkflowCompleted:
		return e.Stage == NoIndex && e.Condition == NoIndex && w.stage == w.plan.Len()
	case EventWorkflowFailed:
		return e.Stage == NoIndex && e.Condition == NoIndex && w.has(StatusFailed)
	}
	if e.Stage != w.stage || w.stage == w.plan.Len() {
		return false
	}
	switch e.Kind {
	case EventStageArmed:
		return e.Condition == NoIndex && w.gates == nil
	case EventActionApplied, EventStageCompleted:
		return e.Condition == NoIndex && w.gates != nil && w.allCompleted()
	case EventStageFailed:
		return e.Condition == NoIndex && w.has(StatusFailed)
	}
	if e.Condition < 0 || e.Condition >= len(w.gates) {
		return false
	}
	status, kind := w.gates[e.Condition].status, w.condition(e.Condition).Kind()
	switch e.Kind {
	case EventConditionArmed:
		return status == StatusPending && kind == KindSchedule
	case EventApprovalRequested:
		return status == StatusPending && kind == KindApproval
	case EventReviewed:
		return status == StatusActive && kind == KindApproval && e.Actor.Validate() == nil && e.Review.valid()
	case EventConditionCompleted:
		return status == StatusActive
	case EventConditionFailed:
		// a schedule whose wait is too long fails instead of being armed
		return status == StatusActive || status == StatusPending
	}
	return false
}

// has reports whether a condition of the stage has the status.
func (w *Workflow) has(status Status) bool {
	return slices.ContainsFunc(w.gates, func(g conditionState) bool { return g.status == status })
}

func (w *Workflow) allCompleted() bool {
	return !slices.ContainsFunc(w.gates, func(g conditionState) bool { return g.status != StatusCompleted })
}

// settled reports whether the state can be that between two calls: ended, or
// held back by a condition, with all armed that should be.
func (w *Workflow) settled() bool {
	if w.status != StatusActive {
		return w.number > 0
	}
	if !w.has(StatusActive) || w.has(StatusFailed) {
		return false
	}
	if w.has(StatusPending) && !w.plan.content.stages[w.stage].ExecuteConditionsInSequence {
		return false
	}
	for i := range w.gates {
		g := &w.gates[i]
		if g.status == StatusActive && w.condition(i).Kind() == KindApproval && w.verdict(g) != "" {
			return false
		}
	}
	return true
}

// apply changes the state as the event says. It is the one place that does.
// The gates must belong to the caller alone.
func (w *Workflow) apply(e *Event) {
	w.number, w.last = e.Number, e.At
	var gate *conditionState
	if e.Condition != NoIndex {
		gate = &w.gates[e.Condition]
	}
	switch e.Kind {
	case EventWorkflowStarted:
		w.status = StatusActive
	case EventStageArmed:
		w.stage = e.Stage
		w.gates = make([]conditionState, len(w.plan.content.stages[e.Stage].Conditions))
		for i := range w.gates {
			w.gates[i].status = StatusPending
		}
	case EventConditionArmed, EventApprovalRequested:
		gate.status, gate.since, gate.until = StatusActive, e.Due, e.Until
	case EventReviewed:
		gate.note(verdict{e.Actor.Identity(), e.Review})
	case EventConditionCompleted:
		gate.status, gate.stopped = StatusCompleted, e.Due
	case EventConditionFailed:
		gate.status, gate.stopped = StatusFailed, e.Due
	case EventActionApplied:
	case EventStageCompleted:
		w.stage++
		w.gates = nil
	case EventStageFailed:
		for i := range w.gates {
			if w.gates[i].status == StatusActive {
				w.gates[i].status, w.gates[i].stopped = StatusCancelled, e.Due
			}
		}
	case EventWorkflowCompleted:
		w.status, w.stopped = StatusCompleted, e.Due
	case EventWorkflowFailed:
		w.status, w.stopped = StatusFailed, e.Due
	}
}

// note records a verdict. The list may be shared, so it is never written to.
func (g *conditionState) note(v verdict) {
	if v.kind == ReviewComment {
		return
	}
	same := func(before verdict) bool { return before.identity == v.identity }
	reviews := slices.Clone(g.reviews)
	if i := slices.IndexFunc(reviews, same); i >= 0 {
		reviews[i] = v
	} else {
		reviews = append(reviews, v)
	}
	g.reviews = reviews
}

// verdict returns what the reviews of an approval come to: ReviewApprove,
// ReviewDecline, or "" as long as that is open.
func (w *Workflow) verdict(g *conditionState) ReviewKind {
	settings, approvals := &w.start.Approvals, 0
	for _, v := range g.reviews {
		switch {
		case v.kind == ReviewApprove:
			approvals++
		case !settings.CanApplyDeclinedChanges:
			return ReviewDecline
		}
	}
	if approvals >= settings.MinNumApprovals {
		return ReviewApprove
	}
	return ""
}

// transition is one call: it decides events and applies each at once.
type transition struct {
	w      Workflow
	now    time.Time
	events []Event
	owned  bool // w.gates belong to this call
}

// usualEvents is how many events the end of one stage and the begin of the
// next take.
const usualEvents = 6

func (w Workflow) at(now time.Time) transition {
	if now.After(lastInstant) {
		now = lastInstant
	}
	if now = Instant(now); now.Before(w.last) {
		now = w.last
	}
	return transition{w: w, now: now}
}

func (t *transition) emit(e Event) {
	if !t.owned && e.Kind != EventStageArmed {
		t.w.gates = slices.Clone(t.w.gates)
	}
	t.owned = true
	e.Number, e.At = t.w.number+1, t.now
	t.w.apply(&e)
	if t.events == nil {
		t.events = make([]Event, 0, usualEvents)
	}
	t.events = append(t.events, e)
}

// base is where the next wait is counted from, after something that was due at
// due has happened now.
func (t *transition) base(due time.Time) time.Time {
	if t.now.Sub(due) <= t.w.start.Lateness {
		return due
	}
	return t.now
}

// begin starts the workflow.
func (t *transition) begin() {
	t.emit(Event{Kind: EventWorkflowStarted, Stage: NoIndex, Condition: NoIndex, Due: t.now, Actor: t.w.start.Actor})
	t.armStage(0, t.now)
	t.run()
}

// run does all that is due by now, in the order in which it is due.
func (t *transition) run() {
	for t.w.status == StatusActive {
		i, ok := t.w.next()
		if !ok || t.w.gates[i].until.After(t.now) {
			return
		}
		due := t.w.gates[i].until
		if t.w.condition(i).Kind() == KindApproval {
			t.fail(i, due, ReasonExpired, Actor{})
			return
		}
		t.complete(i, due, ReasonDue, Actor{})
	}
}

// next returns the condition of the current stage that is due or expires
// first. Of several the first in the stage is returned.
func (w *Workflow) next() (index int, ok bool) {
	for i := range w.gates {
		g := &w.gates[i]
		if g.status != StatusActive || g.until.IsZero() {
			continue
		}
		if !ok || g.until.Before(w.gates[index].until) {
			index, ok = i, true
		}
	}
	return index, ok
}

func (w *Workflow) condition(i int) Condition {
	return w.plan.content.stages[w.stage].Conditions[i]
}

// armStage begins a stage, or completes the workflow if there is none left.
func (t *transition) armStage(index int, base time.Time) {
	for ; index < t.w.plan.Len(); index++ {
		t.emit(Event{Kind: EventStageArmed, Stage: index, Condition: NoIndex, Due: base})
		stage := &t.w.plan.content.stages[index]
		if len(stage.Conditions) > 0 {
			t.armConditions(stage, base)
			return
		}
		t.applyAction(base)
		base = t.base(base)
	}
	t.emit(Event{Kind: EventWorkflowCompleted, Stage: NoIndex, Condition: NoIndex, Due: base})
}

func (t *transition) armConditions(stage *Stage, base time.Time) {
	for i := range stage.Conditions {
		if !t.arm(i, base) || stage.ExecuteConditionsInSequence {
			return
		}
	}
}

// arm begins a condition of the current stage. It returns false if the
// condition, and with it the stage, failed.
func (t *transition) arm(i int, base time.Time) bool {
	e := Event{Kind: EventConditionArmed, Stage: t.w.stage, Condition: i, Due: base}
	switch c := t.w.condition(i).(type) {
	case Schedule:
		until, err := dueOf(c, base, t.w.start.Zone)
		if err != nil {
			t.fail(i, base, ReasonOutOfRange, Actor{})
			return false
		}
		e.Until = until
	case Approval:
		e.Kind = EventApprovalRequested
		if after := t.w.start.Approvals.ExpiresAfter; after > 0 {
			if until := Instant(base.Add(after)); isInstant(until) {
				e.Until = until // beyond all years it is as good as never
			}
		}
	}
	t.emit(e)
	return true
}

// dueOf returns when a schedule that is armed at base is due.
func dueOf(s Schedule, base time.Time, zone *time.Location) (time.Time, error) {
	switch when := s.When.(type) {
	case Absolute:
		if when.Date.Before(base) {
			return base, nil
		}
		return when.Date, nil
	case Relative:
		return when.Wait.After(base, zone)
	case Immediate:
	}
	return base, nil
}

// complete completes a condition and what follows from it.
func (t *transition) complete(i int, due time.Time, reason Reason, actor Actor) {
	t.emit(Event{Kind: EventConditionCompleted, Stage: t.w.stage, Condition: i, Due: due, Reason: reason, Actor: actor})
	stage := &t.w.plan.content.stages[t.w.stage]
	if stage.ExecuteConditionsInSequence && i+1 < len(t.w.gates) {
		t.arm(i+1, t.base(due))
		return
	}
	if !t.w.allCompleted() {
		return
	}
	next := t.w.stage + 1
	t.applyAction(due)
	t.armStage(next, t.base(due))
}

// applyAction applies the action of the current stage, which completes it.
func (t *transition) applyAction(due time.Time) {
	if len(t.w.plan.content.stages[t.w.stage].Action.Instructions) > 0 {
		t.emit(Event{Kind: EventActionApplied, Stage: t.w.stage, Condition: NoIndex, Due: due})
	}
	t.emit(Event{Kind: EventStageCompleted, Stage: t.w.stage, Condition: NoIndex, Due: due})
}

// fail fails a condition, its stage and the workflow.
func (t *transition) fail(i int, due time.Time, reason Reason, actor Actor) {
	stage := t.w.stage
	t.emit(Event{Kind: EventConditionFailed, Stage: stage, Condition: i, Due: due, Reason: reason, Actor: actor})
	t.emit(Event{Kind: EventStageFailed, Stage: stage, Condition: NoIndex, Due: due, Reason: reason, Actor: actor})
	t.emit(Event{Kind: EventWorkflowFailed, Stage: NoIndex, Condition: NoIndex, Due: due, Reason: reason, Actor: actor})
}

// review takes a review of an open approval.
func (t *transition) review(r Review) {
	t.emit(Event{
		Kind: EventReviewed, Stage: r.Stage, Condition: r.Condition, Due: t.now,
		Actor: r.Actor, Review: r.Kind, Comment: r.Comment,
	})
	switch t.w.verdict(&t.w.gates[r.Condition]) {
	case ReviewDecline:
		t.fail(r.Condition, t.now, ReasonDeclined, r.Actor)
	case ReviewApprove:
		t.complete(r.Condition, t.now, ReasonApproved, r.Actor)
	}
}

// Plan returns the plan that the workflow runs.
func (w Workflow) Plan() Plan { return w.plan }

// Status returns the status of the workflow, "" for the zero Workflow.
func (w Workflow) Status() Status { return w.status }

// StoppedAt returns when the workflow completed or failed, the zero time if it
// has not.
func (w Workflow) StoppedAt() time.Time { return w.stopped }

// StageStatus returns the status of a stage, "" if there is no such stage.
func (w Workflow) StageStatus(stage int) Status {
	switch {
	case stage < 0 || stage >= w.plan.Len():
		return ""
	case stage < w.stage:
		return StatusCompleted
	case stage > w.stage:
		return StatusPending
	}
	return w.status
}

// ConditionStatus returns the status of a condition, "" if there is no such
// condition.
func (w Workflow) ConditionStatus(stage, condition int) Status {
	switch {
	case w.plan.condition(stage, condition) == nil:
		return ""
	case stage < w.stage:
		return StatusCompleted
	case stage > w.stage || w.gates == nil:
		return StatusPending
	}
	return w.gates[condition].status
}

// Gate is a condition that holds the release back now.
type Gate struct {
	Stage     int
	Condition int
	Kind      ConditionKind
	Since     time.Time // when it was armed
	Until     time.Time // when it is due, or expires; zero: never by itself
}

// Gates returns what holds the release back, in the order of the stage's
// conditions, nil if the workflow is not active.
func (w Workflow) Gates() []Gate {
	if w.status != StatusActive {
		return nil
	}
	var list []Gate
	for i, g := range w.gates {
		if g.status == StatusActive {
			list = append(list, Gate{Stage: w.stage, Condition: i, Kind: w.condition(i).Kind(), Since: g.since, Until: g.until})
		}
	}
	return list
}

// Wake returns the earliest instant at which Advance has something to do. It
// returns false if there is none: the workflow waits for people only, or has
// ended.
func (w Workflow) Wake() (at time.Time, ok bool) {
	if w.status != StatusActive {
		return time.Time{}, false
	}
	i, ok := w.next()
	if !ok {
		return time.Time{}, false
	}
	return w.gates[i].until, true
}
