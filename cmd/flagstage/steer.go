package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// steering is what commands take that do something to a workflow.
type steering struct {
	db, member, format *string
	now                func(*program) error
}

func steeringFlags(set *flag.FlagSet) steering {
	return steering{db: dbFlag(set, ""), member: actorFlag(set), format: formatFlag(set), now: nowFlag(set)}
}

// do does something to a workflow, and tells how far it has then come.
func (s steering) do(p *program, act func(*flagstage.Engine, flagstage.Actor) (flagstage.StoredWorkflow, error)) error {
	actor, err := memberActor(*s.member)
	if err = cmp.Or(err, checkFormat(*s.format), s.now(p)); err != nil {
		return err
	}
	return p.changing(*s.db, func(e *flagstage.Engine) error {
		w, err := act(e, actor)
		if err != nil {
			return err
		}
		return p.tell(w, *s.format)
	})
}

var reviewCommand = command{
	name: "review", arguments: "ID approve|decline|comment --db PATH [--comment TEXT] [--at POINTER] [--content HASH] [--member ID]",
	summary: "review an open approval of a workflow",
	help: `Approves or declines what a workflow waits for, or says something to it. Without
--at it is the approval that is open; if there are several, name one by its JSON
Pointer, such as /stages/1/conditions/0. What is due is done first. With --content
the review counts only if the stage has the content that status tells the hash of.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		s := steeringFlags(set)
		comment := set.String("comment", "", "a `TEXT` to go with the review")
		content := set.String("content", "", "the `HASH` of the stage's content, as status tells it; a review of other content is refused")
		pointer := set.String("at", "", "the JSON `POINTER` of the approval (default: the one that is open)")
		return func(arguments []string) error {
			if len(arguments) != 2 {
				return usagef("an ID and one of approve, decline and comment are wanted")
			}
			id, kind := arguments[0], flagstage.ReviewKind(arguments[1])
			switch kind {
			case flagstage.ReviewApprove, flagstage.ReviewDecline, flagstage.ReviewComment:
			default:
				return usagef("%s is none of approve, decline and comment", strictjson.Quote(arguments[1]))
			}
			return s.do(p, func(e *flagstage.Engine, actor flagstage.Actor) (flagstage.StoredWorkflow, error) {
				w, err := e.Workflow(p.ctx, actor, id)
				if err != nil {
					return w, err
				}
				review, err := p.openApproval(w, *pointer)
				if err != nil {
					return w, err
				}
				review.Kind, review.Comment, review.Content = kind, *comment, *content
				return e.Review(p.ctx, actor, id, review)
			})
		}
	},
}

// openApproval returns a review of the approval at a pointer, or of the only one
// that is open.
func (p *program) openApproval(w flagstage.StoredWorkflow, pointer string) (flagstage.Review, error) {
	var open []string
	var found flagstage.Review
	now := whenDone(w.Workflow, p.clock.Now())
	for _, g := range now.Gates() {
		if g.Kind == flagstage.KindApproval {
			open = append(open, flagstage.Event{Stage: g.Stage, Condition: g.Condition}.Pointer())
			found = flagstage.Review{Stage: g.Stage, Condition: g.Condition}
		}
	}
	switch {
	case pointer != "":
		return approvalAt(w.Plan(), pointer)
	case len(open) == 0:
		return found, fmt.Errorf("the workflow is %s, and no approval of it is open", now.Status())
	case len(open) > 1:
		return found, usagef("several approvals are open; name one with --at: %s", strings.Join(open, ", "))
	}
	return found, nil
}

// whenDone returns a workflow as it is when all that is due by now is done.
func whenDone(w flagstage.Workflow, now time.Time) flagstage.Workflow {
	for {
		w, _ = w.Advance(now)
		if effect, ok := w.Pending(); !ok || effect.At.After(now) {
			return w
		}
		applied, _, err := w.Applied(now)
		if err != nil {
			return w
		}
		w = applied
	}
}

func approvalAt(plan flagstage.Plan, pointer string) (flagstage.Review, error) {
	for i, s := range plan.Stages() {
		for k, c := range s.Conditions {
			if c.Kind() == flagstage.KindApproval && pointer == (flagstage.Event{Stage: i, Condition: k}).Pointer() {
				return flagstage.Review{Stage: i, Condition: k}, nil
			}
		}
	}
	var known []string
	for at := range plan.Approvals() {
		known = append(known, at)
	}
	return flagstage.Review{}, usagef("--at: there is no approval at %s; there are: %s", strictjson.Quote(pointer), strings.Join(known, ", "))
}

// steerer does something to a workflow for a reason.
type steerer func(p *program, e *flagstage.Engine, actor flagstage.Actor, id, reason string) (flagstage.StoredWorkflow, error)

// steerCommand returns a command that steers a workflow. setup defines more flags.
func steerCommand(name, arguments, summary, help string, needsReason bool, setup func(*flag.FlagSet) steerer) command {
	return command{
		name: name, arguments: arguments, summary: summary, help: help,
		setup: func(p *program, set *flag.FlagSet) func([]string) error {
			s := steeringFlags(set)
			reason := set.String("reason", "", "a `TEXT` that says why")
			do := setup(set)
			return func(arguments []string) error {
				id, err := one("ID", arguments)
				if err != nil {
					return err
				}
				if needsReason && strings.TrimSpace(*reason) == "" {
					return usagef("--reason is missing; say why")
				}
				return s.do(p, func(e *flagstage.Engine, actor flagstage.Actor) (flagstage.StoredWorkflow, error) {
					return do(p, e, actor, id, *reason)
				})
			}
		},
	}
}

// byReason returns what sets up the steering by a method that takes nothing but a
// reason.
func byReason(method func(*flagstage.Engine, context.Context, flagstage.Actor, string, string) (flagstage.StoredWorkflow, error)) func(*flag.FlagSet) steerer {
	return func(*flag.FlagSet) steerer {
		return func(p *program, e *flagstage.Engine, actor flagstage.Actor, id, reason string) (flagstage.StoredWorkflow, error) {
			return method(e, p.ctx, actor, id, reason)
		}
	}
}

var pauseCommand = steerCommand("pause", "ID --db PATH [--reason TEXT] [--member ID]", "hold a workflow",
	`Holds a workflow before anything is done that is not done yet. Reviews are still
taken.
`, false, byReason((*flagstage.Engine).Pause))

var resumeCommand = steerCommand("resume", "ID --db PATH [--reason TEXT] [--member ID]", "let a paused workflow go on",
	`Lets a paused workflow go on. Waits and expiries move on by the time that it was
paused; dates stay.
`, false, byReason((*flagstage.Engine).Resume))

var cancelCommand = steerCommand("cancel", "ID --reason TEXT --db PATH [--member ID]", "end a workflow",
	`Ends a workflow before anything is done that is not done yet. What was done stays
done.
`, true, byReason((*flagstage.Engine).Cancel))

var skipCommand = steerCommand("skip", "ID --reason TEXT --db PATH [--stage NUMBER] [--bypass-approval] [--member ID]",
	"leave out the active stage of a workflow",
	`Leaves out the stage that is active: its changes are not made, and the next one
begins. What is due is done first; --stage makes sure that it is the stage that
you mean.
`, true, func(set *flag.FlagSet) steerer {
		number := 0
		set.Func("stage", "the `NUMBER` of the stage, from 1 (default: the active one)", func(text string) (err error) {
			if number, err = strconv.Atoi(text); err != nil || number < 1 {
				return errors.New("a stage has a number from 1 on")
			}
			return nil
		})
		bypass := set.Bool("bypass-approval", false, "leave it out though an approval in it is not given")
		return func(p *program, e *flagstage.Engine, actor flagstage.Actor, id, reason string) (flagstage.StoredWorkflow, error) {
			skip := flagstage.Skip{Stage: number - 1, Reason: reason, BypassApproval: *bypass}
			if number == 0 {
				w, err := e.Workflow(p.ctx, actor, id)
				if err != nil {
					return w, err
				}
				now := whenDone(w.Workflow, p.clock.Now())
				if skip.Stage = activeStage(now); skip.Stage == flagstage.NoIndex {
					return w, fmt.Errorf("the workflow is %s, and has no active stage", now.Status())
				}
			}
			return e.Skip(p.ctx, actor, id, skip)
		}
	})

// activeStage returns the index of the stage that is active, NoIndex if none is.
func activeStage(w flagstage.Workflow) int {
	for i := range w.Plan().Len() {
		if w.StageStatus(i) == flagstage.StatusActive {
			return i
		}
	}
	return flagstage.NoIndex
}

var retryCommand = steerCommand("retry", "ID --reason TEXT --db PATH [--ignore-conflicts] [--member ID]",
	"begin the failed stage of a workflow again",
	`Begins the failed stage of a workflow again: conditions that were not met, and then
its changes.
`, true, func(set *flag.FlagSet) steerer {
		ignore := set.Bool("ignore-conflicts", false, "take the flag as it is now; what others have changed so far is no conflict any more")
		return func(p *program, e *flagstage.Engine, actor flagstage.Actor, id, reason string) (flagstage.StoredWorkflow, error) {
			return e.Retry(p.ctx, actor, id, flagstage.Retry{Reason: reason, IgnoreConflicts: *ignore})
		}
	})
