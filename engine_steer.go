package flagstage

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Review takes what the actor says to an open approval, after doing what is
// due by now: an approval that expires at that instant is expired. The review's
// own Actor is not used. See [Workflow.Review] for what it leads to, and what
// is refused: the error wraps [ErrNotFound] for a workflow or approval that does
// not exist, [ErrForbidden] for one's own request, [ErrConflict] if
// [Review.Content] is that of another stage, and is a [*StateError] for an
// approval that is not open.
func (e *Engine) Review(ctx context.Context, actor Actor, id string, review Review) (StoredWorkflow, error) {
	review.Actor = actor
	return e.steer(ctx, Request{Actor: actor, Verb: VerbReviewWorkflow, WorkflowID: id}, func(u *unit, r *running) (Workflow, []Event, error) {
		if err := u.advance(r); err != nil {
			return Workflow{}, nil, err
		}
		return r.Review(review, u.now)
	})
}

// Pause holds a workflow before anything is done that is not done yet; the
// reason may be "". An action that is under way is not called back: its result
// is noted. See [Workflow.Pause]. Errors: [ErrNotFound]; a [*StateError] unless
// the workflow is active.
func (e *Engine) Pause(ctx context.Context, actor Actor, id, reason string) (StoredWorkflow, error) {
	return e.steer(ctx, Request{Actor: actor, Verb: VerbPauseWorkflow, WorkflowID: id}, func(u *unit, r *running) (Workflow, []Event, error) {
		return r.Pause(Order{actor, reason}, u.now)
	})
}

// Resume lets a paused workflow go on; the reason may be "". See
// [Workflow.Resume]. Errors: [ErrNotFound]; a [*StateError] unless the workflow
// is paused.
//
// An action whose delivery was begun by a clock that ran ahead, and hangs, is
// delivered again after Pause and Resume: see [WithApplyTimeout].
func (e *Engine) Resume(ctx context.Context, actor Actor, id, reason string) (StoredWorkflow, error) {
	return e.steer(ctx, Request{Actor: actor, Verb: VerbResumeWorkflow, WorkflowID: id}, func(u *unit, r *running) (Workflow, []Event, error) {
		return r.Resume(Order{actor, reason}, u.now)
	})
}

// Cancel ends a workflow before anything is done that is not done yet. What was
// done stays. An action that is under way is not called back: that it took
// effect is noted. See [Workflow.Cancel]. Errors: [ErrNotFound]; a
// [*StateError] unless the workflow is active or paused; [ErrInvalidRequest]
// without a reason.
func (e *Engine) Cancel(ctx context.Context, actor Actor, id, reason string) (StoredWorkflow, error) {
	return e.steer(ctx, Request{Actor: actor, Verb: VerbCancelWorkflow, WorkflowID: id}, func(u *unit, r *running) (Workflow, []Event, error) {
		return r.Cancel(Order{actor, reason}, u.now)
	})
}

// Skip says which stage to leave out, and why.
type Skip struct {
	Stage  int    // index; it must be the active one
	Reason string // required
	// BypassApproval leaves the stage out though an approval in it is not
	// given. The guard is asked whether the actor may: [VerbBypassApproval].
	BypassApproval bool
}

// Skip leaves out the active stage, after doing what is due by now. See
// [Workflow.Skip]. Errors: [ErrNotFound]; a [*StateError] unless the stage is
// active, or while its action is under way; [ErrForbidden] if it has an approval
// that is not given, unless that is bypassed; [ErrInvalidRequest] without a
// reason.
//
// A wait that began when the clock ran ahead ends when the right time gets there;
// to skip the stage is to go on before, without its action.
func (e *Engine) Skip(ctx context.Context, actor Actor, id string, skip Skip) (StoredWorkflow, error) {
	return e.steer(ctx, Request{Actor: actor, Verb: VerbSkipStage, WorkflowID: id}, func(u *unit, r *running) (Workflow, []Event, error) {
		if skip.BypassApproval {
			request := Request{Actor: actor, Verb: VerbBypassApproval, WorkflowID: id}
			if err := u.askAgain(ctx, &request, r.instance); err != nil {
				return Workflow{}, nil, err
			}
		}
		if err := u.advance(r); err != nil {
			return Workflow{}, nil, err
		}
		if r.claim.After(u.now) && skip.Stage == r.stage {
			return Workflow{}, nil, r.misfit("the action of stage %s is being applied; wait until %s, or cancel the workflow", stageName(skip.Stage), r.claim.Format(time.RFC3339))
		}
		w, events, err := r.Workflow.Skip(skip.Stage, Order{actor, skip.Reason}, skip.BypassApproval, u.now)
		if err == nil {
			r.claim = time.Time{} // a late result is not that of the next stage
		}
		return w, events, err
	})
}

// Retry says why to begin a failed stage again.
type Retry struct {
	Reason string // required
	// IgnoreConflicts takes the flag as it is now for what the release goes on
	// from: what others have changed so far is no conflict any more, for this
	// stage and those after it.
	IgnoreConflicts bool
}

// Retry begins the failed stage of a workflow again: conditions that were not
// met are armed anew, and the action is applied once they are met. See
// [Workflow.Retry]. Errors: [ErrNotFound]; a [*StateError] unless the workflow
// has failed; [ErrInvalidRequest] without a reason.
func (e *Engine) Retry(ctx context.Context, actor Actor, id string, retry Retry) (StoredWorkflow, error) {
	return e.steer(ctx, Request{Actor: actor, Verb: VerbRetryStage, WorkflowID: id}, func(u *unit, r *running) (w Workflow, events []Event, err error) {
		if w, events, err = r.Workflow.Retry(Order{actor, retry.Reason}, u.now); err == nil && retry.IgnoreConflicts {
			r.base, err = u.flags.base(r.target)
		}
		return w, events, err
	})
}

// steer does something to a workflow, and with it what follows at once. It is
// done again when somebody else has changed the workflow meanwhile.
func (e *Engine) steer(ctx context.Context, request Request, do func(*unit, *running) (Workflow, []Event, error)) (StoredWorkflow, error) {
	if err := e.begin(ctx, request); err != nil {
		return StoredWorkflow{}, err
	}
	now := e.now()
	for try := 1; ; try++ {
		in, revision, err := e.loadWorkflow(ctx, request.WorkflowID)
		if err != nil {
			return StoredWorkflow{}, err
		}
		if err := e.askAgain(ctx, &request, in); err != nil {
			return StoredWorkflow{}, err
		}
		before, err := e.eventsOf(ctx, in, revision) // what is committed must not fail to be told
		if errors.Is(err, ErrConflict) && try < maxTries {
			continue
		}
		if err != nil {
			return StoredWorkflow{}, err
		}
		u := e.newUnit(ctx, now)
		r := u.add(in, revision)
		u.doubtClaim(r)
		w, events, err := do(u, r)
		if err != nil {
			return StoredWorkflow{}, err
		}
		r.take(w, events)
		if err := u.act(r, r.at(now).now); err != nil {
			return StoredWorkflow{}, err
		}
		r.changed = true
		_, err = u.commit()
		switch {
		case err == nil:
			e.logger.DebugContext(ctx, "steered", "verb", request.Verb, "workflow", r.id, "status", r.status)
			return r.stored(append(before, r.events...)), nil
		case !errors.Is(err, ErrConflict) || try == maxTries:
			return StoredWorkflow{}, fmt.Errorf("%s %s: %w", request.Verb, quoteKey(r.id), err)
		}
	}
}

// claimLeeway is how much later a claim may end than one that is made now: clocks
// differ from machine to machine, and engines in how long an action may take.
const claimLeeway = 24 * time.Hour

// doubtClaim ends a claim that ends too late to have been made by a clock that is
// right: nobody would deliver the action until then.
func (u *unit) doubtClaim(r *running) {
	if r.claim.After(u.now.Add(u.applyTimeout).Add(claimLeeway)) {
		u.logger.WarnContext(u.ctx, "a delivery was claimed by a clock that ran ahead", "workflow", r.id, "until", r.claim)
		r.claim = time.Time{}
	}
}

// advance does what is due by now.
func (u *unit) advance(r *running) error {
	r.take(r.Advance(u.now))
	return u.act(r, r.at(u.now).now)
}
