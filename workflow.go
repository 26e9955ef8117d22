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
	// means for ever; a fraction of a millisecond is cut off, and it cannot be
	// negative.
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
	// Zone is where calendar days and weeks are counted; nil means UTC. Look it
	// up by [calendar.Zone], which refuses what time.LoadLocation lets pass.
	Zone      *time.Location
	Approvals ApprovalSettings
	// Lateness is how late a stage may be applied and the next one still be
	// armed as if it had been on time; after that the next one is armed when
	// the stage really was applied, so that no wait is cut short. 0 means
	// DefaultLateness, NoLateness that nothing may be late; other negative ones are
	// refused.
	Lateness time.Duration
	// Deliver says that an action does not count as applied when its stage is
	// due. The workflow then waits: [Workflow.Pending] tells what is to be
	// applied, and [Workflow.Applied] and [Workflow.ActionFailed] tell it what
	// came of that.
	Deliver bool
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
	Actor     Actor  // who says it; [Engine.Review] takes its own argument instead
	Comment   string // at most 64 KiB; "" is none
	// Content is the hash of the stage that was reviewed, as [Plan.StageHash]
	// gives it; "" if the reviewer does not say. A review of other content is
	// refused.
	Content string
}

// Workflow is one run of a plan: a value that says how far the release has
// come. Its methods do not change it; they return the workflow as it is
// afterwards, and the events that lead there. It reads no clock: every call
// says what time it is, and an instant before the last event counts as the
// instant of that event.
//
// Actions count as applied when their stage is due, unless it was started with
// [Start.Deliver].
//
// A call that does not fit how far the workflow has come gets a [*StateError];
// no error changes anything.
//
// A Workflow is safe for concurrent use. The zero Workflow is none; it has
// no status, and never changes.
type Workflow struct {
	plan    Plan
	start   *Start // complete, never changed
	status  Status
	stage   int              // the stage that is active, failed or next; Len when all are over
	gates   []conditionState // of the stage; nil before it begins
	last    time.Time        // of the last event
	number  int64            // of the last event
	stopped time.Time        // when the workflow completed, failed or was cancelled

	ready    time.Time // when the last condition of the stage that is met was due
	tries    int       // how often the stage's action has failed in this round
	retryAt  time.Time // when it is tried again after that; zero: it is not
	round    int       // how often the stage was retried
	applied  bool      // the stage's action has taken effect
	underWay bool      // the action was pending when the workflow was paused or cancelled

	pausedAt, resumedAt time.Time      // of the last pause, which lasts while the workflow is paused
	skipped             []skippedStage // in order; never changed
}

// conditionState is how far a condition of the current stage has come.
type conditionState struct {
	status  Status
	since   time.Time // when it was armed
	until   time.Time // when its schedule is due, or its approval expires
	reviews []verdict // each identity's latest, in order of first review
}

type verdict struct {
	identity string
	kind     ReviewKind
}

// skippedStage is how far the conditions of a stage had come when it was
// skipped.
type skippedStage struct {
	stage    int
	statuses []Status
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
func (w Workflow) Advance(now time.Time) (Workflow, []Event) { return w.advance(now, nil) }

// advance is Advance with memory for events.
func (w Workflow) advance(now time.Time, room []Event) (Workflow, []Event) {
	t := w.atIn(now, room)
	t.run(t.now)
	return t.w, t.events
}

// Review takes a review at now, after doing what is due by then: an approval
// that expires at that instant is expired. The approval is met when enough
// people approve, and fails when one declines, unless declined changes may be
// applied. Of one identity's verdicts the latest counts; comments decide
// nothing, and all may comment. A paused workflow takes reviews too.
//
// An error leaves everything as it was. It wraps [ErrUnauthorized] for an
// empty actor, [ErrForbidden] for one's own request, [ErrNotFound] for an
// approval that does not exist, [ErrConflict] if it is for other content, and
// [ErrInvalidRequest], as a [*StateError],
// for one that is not open.
func (w Workflow) Review(review Review, now time.Time) (Workflow, []Event, error) {
	if err := w.checkReview(review); err != nil {
		return w, nil, err
	}
	t := w.at(now)
	t.run(t.now)
	if err := t.w.checkOpen(review); err != nil {
		return w, nil, err
	}
	t.review(review)
	t.run(t.now)
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
	if err := checkText("comment", review.Comment); err != nil {
		return err
	}
	if review.Content != "" && review.Content != w.plan.StageHash(review.Stage) {
		return fmt.Errorf("%w: the review is for other content than that of stage %s, which has the hash %s; look at it again", ErrConflict, stageName(review.Stage), w.plan.StageHash(review.Stage))
	}
	if err := review.Actor.Validate(); err != nil {
		return err
	}
	if w.owns(review.Actor) && review.Kind != ReviewComment && !w.start.Approvals.CanReviewOwnRequest {
		return fmt.Errorf("%w: %s started or maintains the workflow; somebody else must review %s", ErrForbidden, strictjson.Quote(review.Actor.Identity()), pointer)
	}
	return nil
}

// checkText returns an error unless a text can be kept in an event.
func checkText(what, text string) error {
	if _, defect := strictjson.TextDefect(text); defect != "" {
		return fmt.Errorf("%w: the %s %s", ErrInvalidRequest, what, defect)
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
		return w.misfit("the approval at %s is %s, not open for reviews", place(review.Stage, review.Condition), status)
	}
	// nothing that was due before a pause is done before its end
	if g := &w.gates[review.Condition]; w.status == StatusPaused && !g.until.IsZero() && !g.until.After(w.pausedAt) {
		return w.misfit("the approval at %s had expired when the workflow was paused", place(review.Stage, review.Condition))
	}
	return nil
}

// StateError is the error of a call that does not fit how far a workflow has
// come. It wraps [ErrInvalidRequest].
type StateError struct {
	Status  Status // of the workflow
	Message string // what does not fit
}

// Error says what does not fit.
func (e *StateError) Error() string { return ErrInvalidRequest.Error() + ": " + e.Message }

// Unwrap returns [ErrInvalidRequest].
func (e *StateError) Unwrap() error { return ErrInvalidRequest }

// misfit returns a StateError.
func (w *Workflow) misfit(format string, args ...any) error {
	if w.status == "" {
		return &StateError{"", "there is no workflow; start one with StartWorkflow"}
	}
	return &StateError{w.status, fmt.Sprintf(format, args...)}
}

// Plan returns the plan that the workflow runs.
func (w Workflow) Plan() Plan { return w.plan }

// Zone returns the zone in which calendar days and weeks are counted, nil for the
// zero Workflow.
func (w Workflow) Zone() *time.Location {
	if w.start == nil {
		return nil
	}
	return w.start.Zone
}

// Status returns the status of the workflow, "" for the zero Workflow.
func (w Workflow) Status() Status { return w.status }

// StoppedAt returns when the workflow completed, failed or was cancelled, the
// zero time if it has not.
func (w Workflow) StoppedAt() time.Time { return w.stopped }

// Version returns the number of the workflow's last event, which every change
// makes larger; 0 for the zero Workflow.
func (w Workflow) Version() int64 { return w.number }

// StageStatus returns the status of a stage, "" if there is no such stage. A
// stage whose action waits for its result is active. A cancelled one becomes
// completed when its action turns out to have taken effect: see
// [Workflow.Applied].
func (w Workflow) StageStatus(stage int) Status {
	switch {
	case stage < 0 || stage >= w.plan.Len():
		return ""
	case w.skip(stage) != nil:
		return StatusSkipped
	case stage < w.stage || stage == w.stage && w.applied:
		return StatusCompleted
	case w.status == StatusCancelled:
		return StatusCancelled
	case stage > w.stage || w.gates == nil:
		return StatusPending
	case w.status == StatusFailed:
		return StatusFailed
	}
	return StatusActive
}

// ConditionStatus returns the status of a condition, "" if there is no such
// condition.
func (w Workflow) ConditionStatus(stage, condition int) Status {
	if w.plan.condition(stage, condition) == nil {
		return ""
	}
	if skip := w.skip(stage); skip != nil {
		return skip.statuses[condition]
	}
	switch {
	case stage < w.stage:
		return StatusCompleted
	case stage == w.stage && w.gates != nil:
		return w.gates[condition].status
	case w.status == StatusCancelled:
		return StatusCancelled
	}
	return StatusPending
}

// skip returns what is known of a stage that was skipped, nil if it was not.
func (w *Workflow) skip(stage int) *skippedStage {
	i, ok := slices.BinarySearchFunc(w.skipped, stage, func(s skippedStage, stage int) int { return s.stage - stage })
	if !ok {
		return nil
	}
	return &w.skipped[i]
}

// Gate is a condition that holds the release back now.
type Gate struct {
	Stage     int // index
	Condition int // index in the stage
	Kind      ConditionKind
	Since     time.Time // when it was armed
	// Until is when it is due, or expires; zero: never by itself. While the
	// workflow is paused it is what it would have been, and moves on with the
	// end of the pause unless it is a date.
	Until time.Time
}

// Gates returns what holds the release back, in the order of the stage's
// conditions, nil if the workflow is neither active nor paused.
func (w Workflow) Gates() []Gate {
	if !w.runs() {
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

// Wake returns the earliest instant at which Advance has something to do, or
// an action is to be applied. It returns false if there is none: the workflow
// waits for people only, is paused, or has ended.
func (w Workflow) Wake() (at time.Time, ok bool) {
	if w.status != StatusActive {
		return time.Time{}, false
	}
	if w.awaits() {
		return w.dueToApply(), true
	}
	i, ok := w.next()
	if !ok {
		return time.Time{}, false
	}
	return w.gates[i].until, true
}

// runs reports whether the workflow has begun and not ended.
func (w *Workflow) runs() bool { return w.status == StatusActive || w.status == StatusPaused }

// current returns the stage that is active, failed or next. There must be one.
func (w *Workflow) current() *Stage { return &w.plan.content.stages[w.stage] }

// condition returns a condition of the current stage.
func (w *Workflow) condition(i int) Condition { return w.current().Conditions[i] }

// acts reports whether the current stage has something to apply.
func (w *Workflow) acts() bool { return len(w.current().Action.Instructions) > 0 }

// met reports whether the current stage has begun and all of its conditions
// are met.
func (w *Workflow) met() bool {
	return w.gates != nil && !slices.ContainsFunc(w.gates, func(g conditionState) bool { return g.status != StatusCompleted })
}

// has reports whether a condition of the stage has the status.
func (w *Workflow) has(status Status) bool {
	return slices.ContainsFunc(w.gates, func(g conditionState) bool { return g.status == status })
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
