package main

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/internal/escape"
	"github.com/flagstage/flagstage/internal/strictjson"
	"github.com/flagstage/flagstage/timeline"
)

// nowFlag defines the flag that says what time it is, and returns what sets the
// program's clock to it.
func nowFlag(set *flag.FlagSet) func(*program) error {
	text := set.String("now", "", "`RFC3339`: act as if it were this instant, as in 2026-10-22T09:00:00+02:00 (default: it is now)")
	return func(p *program) error {
		if *text == "" {
			return nil
		}
		at, err := parseInstant("--now", *text)
		if err == nil {
			p.clock = flagstage.NewVirtualClock(at)
		}
		return err
	}
}

var workflowsCommand = command{
	name: "workflows", arguments: "--db PATH [--project KEY --environment KEY --flag KEY] [--status STATUS] [--format text|json]",
	summary: "list the workflows of a store",
	help: `Lists the workflows of a store, or of one flag in it, as a table or as the API's
listing. Those that cannot be read are named on standard error; the exit status
is then 1.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db, format := dbFlag(set, ""), formatFlag(set)
		target := targetFlags(set, "")
		var q flagstage.WorkflowQuery
		status := set.String("status", "", "only those with a `STATUS`: active (which includes paused), paused, completed, failed, cancelled")
		sort := set.String("sort", "creationDate", "`ORDER`: creationDate or stopDate, with - before it the latest first (default creationDate)")
		set.IntVar(&q.Limit, "limit", 20, "list so `MANY` at most (default 20)")
		set.IntVar(&q.Offset, "offset", 0, "leave out so `MANY` at the beginning (default 0)")
		return func(arguments []string) error {
			if err := cmp.Or(nothing(arguments), checkFormat(*format)); err != nil {
				return err
			}
			q.Target, q.Status = *target, flagstage.Status(*status)
			order, descending := strings.CutPrefix(*sort, "-")
			q.Sort, q.Descending = flagstage.WorkflowSort(order), descending
			if err := checkQuery(q); err != nil {
				return err
			}
			return p.reading(*db, func(e *flagstage.Engine) error { return p.listWorkflows(e, q, *format) })
		}
	},
}

// checkQuery refuses what no list can be made of.
func checkQuery(q flagstage.WorkflowQuery) error {
	switch q.Status {
	case "", flagstage.StatusActive, flagstage.StatusPaused, flagstage.StatusCompleted, flagstage.StatusFailed, flagstage.StatusCancelled:
	default:
		return usagef("--status %s is none of active, paused, completed, failed and cancelled", strictjson.Quote(string(q.Status)))
	}
	t := q.Target
	switch {
	case q.Sort != flagstage.SortCreationDate && q.Sort != flagstage.SortStopDate:
		return usagef("--sort %s is neither creationDate nor stopDate", strictjson.Quote(string(q.Sort)))
	case q.Limit < 1:
		return usagef("--limit %d is too small; it must be at least 1", q.Limit)
	case q.Offset < 0:
		return usagef("--offset %d is negative", q.Offset)
	case t == (flagstage.Origin{}):
		return nil
	case t.ProjectKey == "" || t.EnvironmentKey == "" || t.FlagKey == "":
		return usagef("--project, --environment and --flag are needed together")
	}
	return checkKeys("--project", t.ProjectKey, "--environment", t.EnvironmentKey, "--flag", t.FlagKey)
}

func (p *program) listWorkflows(e *flagstage.Engine, q flagstage.WorkflowQuery, format string) error {
	list, err := e.Workflows(p.ctx, localActor, q)
	if err != nil {
		return err
	}
	if err := p.printWorkflows(list, q, format); err != nil {
		return err
	}
	return complainOfAll(p, "workflows", list.Unreadable)
}

func (p *program) printWorkflows(list flagstage.WorkflowList, q flagstage.WorkflowQuery, format string) error {
	columns := []string{"ID", "NAME", "FLAG", "STATUS", "STAGE", "WAITS FOR", "STARTED"}
	err := printItems(p, list, list.Items, format, columns, func(w flagstage.StoredWorkflow) []string {
		return []string{w.ID, w.Name, w.Target.String(), string(w.Status()), stageOf(w), next(w), instant(w, w.CreatedAt)}
	})
	if err != nil || format == "json" || len(list.Items) == list.TotalCount {
		return err
	}
	return p.print(fmt.Sprintf("\n%d of %d, from number %d on; see --limit and --offset.\n", len(list.Items), list.TotalCount, q.Offset+1))
}

// stageOf says how far a workflow has come: "2 of 5".
func stageOf(w flagstage.StoredWorkflow) string {
	over := 0
	for i := range w.Plan().Len() {
		switch w.StageStatus(i) {
		case flagstage.StatusCompleted, flagstage.StatusSkipped:
			over++
		}
	}
	return fmt.Sprintf("%d of %d", min(over+1, w.Plan().Len()), w.Plan().Len())
}

// next says what a workflow waits for.
func next(w flagstage.StoredWorkflow) string {
	if at, ok := w.Wake(); ok {
		return instant(w, at)
	}
	switch w.Status() {
	case flagstage.StatusActive:
		return "approval"
	case flagstage.StatusPaused:
		return "resume"
	}
	return "-"
}

// instant shows an instant in the zone of a workflow.
func instant(w flagstage.StoredWorkflow, at time.Time) string {
	return at.In(w.Zone()).Format(time.RFC3339)
}

// onWorkflow is the setup of a command that reads a workflow.
func onWorkflow(show func(p *program, w flagstage.StoredWorkflow, format string) error) func(*program, *flag.FlagSet) func([]string) error {
	return func(p *program, set *flag.FlagSet) func([]string) error {
		db, format := dbFlag(set, ""), formatFlag(set)
		return func(arguments []string) error {
			id, err := one("ID", arguments)
			if err = cmp.Or(err, checkFormat(*format)); err != nil {
				return err
			}
			return p.reading(*db, func(e *flagstage.Engine) error {
				w, err := e.Workflow(p.ctx, localActor, id)
				if err != nil {
					return err
				}
				return show(p, w, *format)
			})
		}
	}
}

var statusCommand = command{
	name: "status", arguments: "ID --db PATH [--format text|json]",
	summary: "show how far a workflow has come",
	help: `Shows a workflow: where it stands, its stages and their conditions, and what
stands in the way of those that are still to run. An open approval has the hash of
its stage's content, for review --content. As JSON it is what the API answers.
`,
	setup: onWorkflow((*program).tell),
}

var timelineCommand = command{
	name: "timeline", arguments: "ID --db PATH [--format text|json]",
	summary: "show what has happened to a workflow, and when",
	help: `Shows all that has happened to a workflow, in the local time of its zone.
`,
	setup: onWorkflow(func(p *program, w flagstage.StoredWorkflow, format string) error {
		if format == "json" {
			return p.printJSON(history(w).AppendJSON(nil))
		}
		return p.print(history(w).Text())
	}),
}

// history returns what has happened to a workflow.
func history(w flagstage.StoredWorkflow) timeline.Timeline {
	events := w.Events()
	return timeline.Timeline{
		Plan: w.Plan(), Zone: w.Zone(), Events: events,
		End: timeline.End{Status: w.Status(), At: events[len(events)-1].At, Gates: w.Gates()},
	}
}

// tell prints how far a workflow has come.
func (p *program) tell(w flagstage.StoredWorkflow, format string) error {
	if format == "json" {
		return p.printJSON(w.AppendJSON(nil))
	}
	t := history(w)
	rows := [][]string{
		{"Workflow", w.ID},
		{"Name", w.Name},
		{"Flag", w.Target.FlagKey + ", environment " + w.Target.EnvironmentKey + ", project " + w.Target.ProjectKey},
		{"Started", instant(w, w.CreatedAt) + " by " + t.Events[0].Actor.Identity()},
		{"Status", string(w.Status())},
		{"Standing", t.Standing()},
	}
	if why := whyFailed(w); why != "" {
		rows = append(rows, []string{"Because", why})
	}
	rows = append(rows, []string{""})
	for i, s := range w.Plan().Stages() {
		status := w.StageStatus(i)
		rows = append(rows, []string{fmt.Sprintf("Stage %d", i+1), string(status), s.Name})
		if status == flagstage.StatusCompleted || status == flagstage.StatusSkipped {
			continue
		}
		for k, c := range s.Conditions {
			rows = append(rows, []string{"", "- " + string(w.ConditionStatus(i, k)), conditionInWords(c)})
			if isOpen(w.Workflow, i, k) {
				rows = append(rows, []string{"", "", "content " + w.Plan().StageHash(i)})
			}
		}
	}
	for _, c := range w.Conflicts {
		rows = append(rows, []string{"Conflict", "stage " + stageNumber(w.Plan(), c.StageID), c.Message})
	}
	return p.printTable(rows)
}

// isOpen reports whether a condition is an approval that takes reviews.
func isOpen(w flagstage.Workflow, stage, condition int) bool {
	return slices.ContainsFunc(w.Gates(), func(g flagstage.Gate) bool {
		return g.Kind == flagstage.KindApproval && g.Stage == stage && g.Condition == condition
	})
}

// whyFailed says what the change of the stage ran into that has failed, "" if it
// was not that.
func whyFailed(w flagstage.StoredWorkflow) string {
	if w.Status() != flagstage.StatusFailed {
		return ""
	}
	for _, e := range slices.Backward(w.Events()) {
		switch e.Kind {
		case flagstage.EventActionFailed:
			return e.Comment
		case flagstage.EventConditionFailed:
			return ""
		}
	}
	return ""
}

var workflowDeleteCommand = command{
	name: "workflow delete", arguments: "ID --db PATH",
	summary: "delete a workflow of a store, in any state",
	help: `Deletes a workflow and all that it has told. What has not run does not run, and
what has run is not undone. To end a workflow and keep it, cancel it.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db, member := dbFlag(set, ""), actorFlag(set)
		return func(arguments []string) error {
			id, err := one("ID", arguments)
			if err != nil {
				return err
			}
			actor, err := memberActor(*member)
			if err != nil {
				return err
			}
			return p.changing(*db, func(e *flagstage.Engine) error {
				if err := e.DeleteWorkflow(p.ctx, actor, id); err != nil {
					return err
				}
				return p.print("deleted " + escape.Terminal(id) + "\n")
			})
		}
	},
}

var purgeCommand = command{
	name: "purge", arguments: "--before RFC3339 --db PATH",
	summary: "delete the workflows that have ended before an instant",
	help: `Deletes the workflows that were completed, failed or were cancelled before an
instant, with all that they have told, and what no workflow needs any more: plans,
and what is remembered of the changes of flags before that instant. Workflows that
cannot be read are told and kept, with what they may need.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db, member, now := dbFlag(set, ""), actorFlag(set), nowFlag(set)
		text := set.String("before", "", "the `RFC3339` instant, as in 2026-01-01T00:00:00Z")
		return func(arguments []string) error {
			if err := cmp.Or(nothing(arguments), now(p)); err != nil {
				return err
			}
			actor, err := memberActor(*member)
			if err != nil {
				return err
			}
			if *text == "" {
				return usagef("--before is missing; say before which instant")
			}
			before, err := parseInstant("--before", *text)
			if err != nil {
				return err
			}
			return p.changing(*db, func(e *flagstage.Engine) error {
				n, err := e.Purge(p.ctx, actor, before)
				if err != nil {
					return err
				}
				if err := p.print(fmt.Sprintf("deleted workflows: %d, plans: %d, changes of flags: %d\n", n.Workflows, n.Plans, n.Changes)); err != nil {
					return err
				}
				return complainOfAll(p, "purge", n.Unreadable)
			})
		}
	},
}
