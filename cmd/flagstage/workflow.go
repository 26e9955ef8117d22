package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
	"github.com/flagstage/flagstage/timeline"
)

// nowFlag defines the flag that says what time it is, and returns what gives
// the program its clock.
func nowFlag(set *flag.FlagSet) func(*program) error {
	text := set.String("now", "", "act as if it were `RFC3339`; without it, it is now")
	return func(p *program) error {
		if *text == "" {
			return nil
		}
		at, err := time.Parse(time.RFC3339, *text)
		if err != nil {
			return usagef("--now %s is no time such as 2026-03-02T09:00:00Z", strictjson.Quote(*text))
		}
		p.clock = flagstage.NewVirtualClock(at)
		return nil
	}
}

// targetFlags define the flags that name a flag in an environment.
func targetFlags(set *flag.FlagSet, otherwise string) *flagstage.Origin {
	o := &flagstage.Origin{}
	set.StringVar(&o.FlagKey, "flag", "", "the `KEY` of the flag")
	set.StringVar(&o.ProjectKey, "project", "", "the `KEY` of its project"+otherwise)
	set.StringVar(&o.EnvironmentKey, "environment", "", "the `KEY` of the environment"+otherwise)
	return o
}

var startCommand = command{
	name: "start", arguments: "KEY --flag KEY --db PATH [--param ID/PATH=VALUE]… [--dry-run]",
	summary: "start a workflow of a template",
	help: `Binds the template with this key to a flag of the store, and starts to release
it. What is due at once happens at once; "flagstage tick" or "flagstage run"
does the rest. With --file the stages are those of a published request to create
a workflow, and KEY may be left out. A dry run tells which values of the template
exist for the flag, and what would happen when, and stores nothing.
`,
	setup: setupStart,
}

func setupStart(p *program, set *flag.FlagSet) func([]string) error {
	var s starter
	s.db, s.member, s.now, s.format = dbFlag(set, ""), memberFlag(set), nowFlag(set), formatFlag(set)
	s.target = targetFlags(set, "; without it, that of the template")
	in := &s.input
	set.StringVar(&in.ID, "id", "", "the `ID` of the workflow; without it, one is made")
	set.StringVar(&in.Name, "name", "", "the `NAME` of the workflow; without it, that of the template")
	set.StringVar(&in.Description, "description", "", "a `TEXT` about the workflow")
	set.StringVar(&in.MaintainerID, "maintainer", "", "the `ID` of the member who looks after it; without it, who starts it")
	set.StringVar(&in.Zone, "zone", "", "the IANA `NAME` of the zone in which days and weeks are counted (default UTC)")
	set.IntVar(&in.Approvals.MinNumApprovals, "approvals", 1, "how many `PEOPLE` must approve, 1 to 5 (default 1)")
	set.BoolVar(&in.Approvals.CanReviewOwnRequest, "own-review", false, "who starts or maintains it may review too")
	set.BoolVar(&in.Approvals.CanApplyDeclinedChanges, "apply-declined", false, "go on when somebody declines and enough others approve")
	set.DurationVar(&in.Approvals.ExpiresAfter, "expires-after", 0, "how `LONG` an approval stays open, such as 72h; without it, for ever")
	set.DurationVar(&in.Lateness, "lateness", 0, "how `LATE` a stage may be and the next one still be on time (default 1h)")
	set.BoolVar(&in.IgnoreConflicts, "ignore-conflicts", false, "overwrite what others change meanwhile")
	set.StringVar(&s.file, "file", "", "a `FILE` with the request to create a workflow")
	set.BoolVar(&s.dry, "dry-run", false, "tell what would happen, and start nothing")
	set.Func("param", "`ID/PATH=VALUE` gives a parameter another value, in JSON or as it is; may be repeated", func(text string) error {
		o, err := parseOverride(text)
		in.Parameters = append(in.Parameters, o)
		return err
	})
	return func(arguments []string) error { return s.run(p, arguments) }
}

// starter is one run of the command start.
type starter struct {
	db, member, format *string
	now                func(*program) error
	target             *flagstage.Origin
	input              flagstage.WorkflowInput
	file               string
	dry                bool
}

// parseOverride reads a parameter's value: ID/PATH=VALUE.
func parseOverride(text string) (flagstage.Override, error) {
	place, value, ok := strings.Cut(text, "=")
	id, path, named := strings.Cut(place, "/")
	if !ok || !named || id == "" {
		return flagstage.Override{}, errors.New("must be such as 62cf2bc4/variationId=VALUE")
	}
	v, err := flags.ParseValue(value)
	if err != nil {
		v = flags.StringValue(value)
	}
	return flagstage.Override{ID: id, Path: "/" + path, Value: v}, nil
}

func (s *starter) run(p *program, arguments []string) error {
	if err := cmp.Or(checkFormat(*s.format), s.now(p)); err != nil {
		return err
	}
	actor, err := memberActor(*s.member)
	if err != nil {
		return err
	}
	switch {
	case len(arguments) > 1 || len(arguments) == 0 && s.file == "":
		return usagef("one KEY is wanted, %d are given", len(arguments))
	case s.target.FlagKey == "":
		return usagef("--flag is missing; name the flag to release")
	case len(arguments) == 1:
		s.input.TemplateKey = arguments[0]
	}
	if s.file != "" {
		if err := s.read(p); err != nil {
			return err
		}
	}
	with := p.changing
	if s.dry {
		with = p.reading
	}
	return with(*s.db, func(e *flagstage.Engine) error {
		if err := s.complete(e, actor); err != nil {
			return err
		}
		if s.dry {
			return s.dryRun(p, e, actor)
		}
		w, err := e.StartWorkflow(p.ctx, actor, s.input)
		if err != nil {
			return p.refused(s.file, err)
		}
		return p.tell(w, *s.format)
	})
}

// read takes what the published request says, which the flags do not.
func (s *starter) read(p *program) error {
	document, err := p.read(s.file)
	if err != nil {
		return err
	}
	in, problems := flagstage.ReadWorkflow(document)
	if err := p.report(s.file, problems); err != nil {
		return err
	}
	s.input.Stages = in.Stages
	s.input.Name = cmp.Or(s.input.Name, in.Name)
	s.input.Description = cmp.Or(s.input.Description, in.Description)
	s.input.MaintainerID = cmp.Or(s.input.MaintainerID, in.MaintainerID)
	s.input.TemplateKey = cmp.Or(s.input.TemplateKey, in.TemplateKey)
	s.input.Parameters = append(in.Parameters, s.input.Parameters...)
	return nil
}

// complete takes the project and the environment from the template.
func (s *starter) complete(e *flagstage.Engine, actor flagstage.Actor) error {
	if (s.target.ProjectKey == "" || s.target.EnvironmentKey == "") && s.input.TemplateKey != "" {
		t, err := e.Template(context.Background(), actor, s.input.TemplateKey)
		if err != nil {
			return err
		}
		s.target.ProjectKey = cmp.Or(s.target.ProjectKey, t.Origin().ProjectKey)
		s.target.EnvironmentKey = cmp.Or(s.target.EnvironmentKey, t.Origin().EnvironmentKey)
	}
	s.input.Target = *s.target
	return nil
}

// refused prints why a workflow cannot be started.
func (p *program) refused(file string, err error) error {
	var wrong *flagstage.ProblemsError
	var inapplicable *flagstage.InapplicableError
	switch {
	case errors.As(err, &inapplicable):
		p.complain(errors.New("start: values of the template do not exist for this flag; give others with --param"))
		for _, parameter := range inapplicable.Parameters {
			if !parameter.Valid {
				p.complain(fmt.Errorf("start: --param %s%s=… is needed instead of %s", parameter.ID, parameter.Path, parameter.Default.Value))
			}
		}
		return errInvalid
	case errors.As(err, &wrong):
		return p.report(cmp.Or(file, "start"), wrong.Problems)
	}
	return err
}

func (s *starter) dryRun(p *program, e *flagstage.Engine, actor flagstage.Actor) error {
	dry, err := e.DryRunWorkflow(p.ctx, actor, s.input, flagstage.Future{Answer: asSoonAsAsked})
	if err != nil {
		return p.refused(s.file, err)
	}
	if *s.format == "json" {
		document, err := json.Marshal(dry)
		if err != nil {
			return err
		}
		return p.printJSON(document)
	}
	rows := [][]string{{"PARAMETER", "VALUE", "VALID"}}
	for _, parameter := range dry.Parameters {
		rows = append(rows, []string{parameter.ID + parameter.Path, parameter.Default.Value.String(), fmt.Sprint(parameter.Valid)})
	}
	if len(rows) > 1 {
		if err := p.printTable(rows); err != nil {
			return err
		}
	}
	for _, c := range dry.Conflicts {
		p.complain(fmt.Errorf("start: conflict in stage %s: %s", c.StageID, c.Message))
	}
	if dry.Plan.IsZero() {
		return errInvalid
	}
	zone, err := zoneOf(s.input.Zone)
	if err != nil {
		return err
	}
	return p.print(timeline.Timeline{
		Plan: dry.Plan, Zone: zone, Assumptions: []string{"Approvals are assumed to be granted as soon as they are asked for."},
		Events: dry.Events, End: timeline.End{Status: flagstage.StatusActive, At: dry.Events[len(dry.Events)-1].At},
	}.Text())
}

// asSoonAsAsked approves all.
func asSoonAsAsked(_, _ int, asked time.Time) (flagstage.ReviewKind, time.Time) {
	return flagstage.ReviewApprove, asked
}

func zoneOf(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	return calendar.Zone(name)
}

var workflowsCommand = command{
	name: "workflows", arguments: "--db PATH [--project KEY --environment KEY --flag KEY] [--status STATUS] [--format text|json]",
	summary: "list the workflows of a store",
	help: `Lists the workflows of a store, or of one flag in it, as a table or as the API's
listing.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db, format := dbFlag(set, ""), formatFlag(set)
		target := targetFlags(set, "")
		var q flagstage.WorkflowQuery
		status := set.String("status", "", "only those with a `STATUS`: active (and paused), paused, completed, failed, cancelled")
		sort := set.String("sort", "", "`ORDER`: creationDate or stopDate, with - before it the latest first (default creationDate)")
		set.IntVar(&q.Limit, "limit", 0, "`HOW MANY` at most (default 20)")
		set.IntVar(&q.Offset, "offset", 0, "leave out so `MANY` at the beginning")
		return func(arguments []string) error {
			if err := cmp.Or(nothing(arguments), checkFormat(*format)); err != nil {
				return err
			}
			q.Target, q.Status = *target, flagstage.Status(*status)
			order, descending := strings.CutPrefix(*sort, "-")
			q.Sort, q.Descending = flagstage.WorkflowSort(order), descending
			return p.reading(*db, func(e *flagstage.Engine) error { return p.listWorkflows(e, q, *format) })
		}
	},
}

func (p *program) listWorkflows(e *flagstage.Engine, q flagstage.WorkflowQuery, format string) error {
	list, err := e.Workflows(p.ctx, localActor, q)
	if err != nil {
		return err
	}
	if format == "json" {
		document, err := list.MarshalJSON()
		if err == nil {
			err = p.printJSON(document)
		}
		if err != nil {
			return err
		}
	} else {
		rows := [][]string{{"ID", "NAME", "FLAG", "STATUS", "STAGE", "NEXT", "STARTED"}}
		for _, w := range list.Items {
			rows = append(rows, []string{w.ID, w.Name, w.Target.String(), string(w.Status()), stageOf(w), next(w.Workflow), w.CreatedAt.Format(time.RFC3339)})
		}
		if err := p.printTable(rows); err != nil {
			return err
		}
	}
	for _, unreadable := range list.Unreadable {
		p.complain(fmt.Errorf("workflows: %w", unreadable))
		err = errInvalid
	}
	return err
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

// next says when a workflow goes on, or what it waits for.
func next(w flagstage.Workflow) string {
	if at, ok := w.Wake(); ok {
		return at.Format(time.RFC3339)
	}
	if len(w.Gates()) > 0 {
		return "people"
	}
	return "-"
}

var statusCommand = command{
	name: "status", arguments: "ID --db PATH [--format text|json]",
	summary: "show how far a workflow has come",
	help: `Shows a workflow: its stages, what holds it back, and what has happened. As JSON
it is what the API answers.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
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
				if *format == "json" {
					return p.printJSON(w.AppendJSON(nil))
				}
				if err := p.tell(w, *format); err != nil {
					return err
				}
				return p.print("\n" + p.history(w))
			})
		}
	},
}

// history returns what has happened to a workflow, in words.
func (p *program) history(w flagstage.StoredWorkflow) string {
	events := w.Events()
	return timeline.Timeline{
		Plan: w.Plan(), Zone: w.Zone(), Events: events,
		End: timeline.End{Status: w.Status(), At: events[len(events)-1].At, Gates: w.Gates()},
	}.Text()
}

// tell prints how far a workflow has come.
func (p *program) tell(w flagstage.StoredWorkflow, format string) error {
	if format == "json" {
		return p.printJSON(w.AppendJSON(nil))
	}
	rows := [][]string{
		{"Workflow", w.ID},
		{"Name", w.Name},
		{"Flag", w.Target.String()},
		{"Status", string(w.Status())},
	}
	for i, s := range w.Plan().Stages() {
		rows = append(rows, []string{fmt.Sprintf("Stage %d", i+1), strings.TrimSpace(string(w.StageStatus(i)) + "  " + s.Name)})
		for k, c := range s.Conditions {
			if status := w.ConditionStatus(i, k); status != flagstage.StatusCompleted {
				rows = append(rows, []string{"", "- " + conditionInWords(c) + ": " + string(status) + until(w, i, k)})
			}
		}
	}
	for _, c := range w.Conflicts {
		rows = append(rows, []string{"Conflict", c.Message})
	}
	rows = append(rows, []string{"Next", next(w.Workflow)})
	return p.printTable(rows)
}

// until says when an open condition is due or expires.
func until(w flagstage.StoredWorkflow, stage, condition int) string {
	for _, g := range w.Gates() {
		if g.Stage == stage && g.Condition == condition && !g.Until.IsZero() {
			return ", until " + g.Until.Format(time.RFC3339)
		}
	}
	return ""
}

var reviewCommand = command{
	name: "review", arguments: "ID approve|decline|comment --db PATH [--comment TEXT] [--at POINTER] [--member ID]",
	summary: "review an open approval of a workflow",
	help: `Approves or declines what a workflow waits for, or says something to it. Without
--at it is the approval that is open; if there are several, name one by its JSON
Pointer, such as /stages/1/conditions/0.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		act := actFlags(set)
		comment := set.String("comment", "", "a `TEXT` to go with the review")
		pointer := set.String("at", "", "the JSON `POINTER` of the approval")
		return func(arguments []string) error {
			if len(arguments) != 2 {
				return usagef("an ID and one of approve, decline and comment are wanted")
			}
			kind := flagstage.ReviewKind(arguments[1])
			return act.do(p, func(e *flagstage.Engine, actor flagstage.Actor) (flagstage.StoredWorkflow, error) {
				review, err := openApproval(p.ctx, e, arguments[0], *pointer)
				if err != nil {
					return flagstage.StoredWorkflow{}, err
				}
				review.Kind, review.Comment = kind, *comment
				return e.Review(p.ctx, actor, arguments[0], review)
			})
		}
	},
}

// openApproval returns a review of the approval at a pointer, or of the only one
// that is open.
func openApproval(ctx context.Context, e *flagstage.Engine, id, pointer string) (flagstage.Review, error) {
	w, err := e.Workflow(ctx, localActor, id)
	if err != nil {
		return flagstage.Review{}, err
	}
	var open []string
	var found flagstage.Review
	for i, s := range w.Plan().Stages() {
		for k, c := range s.Conditions {
			at := flagstage.Event{Stage: i, Condition: k}.Pointer()
			switch {
			case c.Kind() != flagstage.KindApproval:
			case at == pointer:
				return flagstage.Review{Stage: i, Condition: k}, nil
			case w.ConditionStatus(i, k) == flagstage.StatusActive:
				open = append(open, at)
				found = flagstage.Review{Stage: i, Condition: k}
			}
		}
	}
	switch {
	case pointer != "":
		return found, usagef("--at: there is no approval at %s", strictjson.Quote(pointer))
	case len(open) == 0:
		return found, fmt.Errorf("the workflow is %s and waits for no approval", w.Status())
	case len(open) > 1:
		return found, usagef("several approvals are open; name one with --at: %s", strings.Join(open, ", "))
	}
	return found, nil
}

// acting is what commands take that do something to a workflow.
type acting struct {
	db, member, format *string
	now                func(*program) error
}

func actFlags(set *flag.FlagSet) acting {
	return acting{db: dbFlag(set, ""), member: set.String("member", localMember, "the `ID` of the member who acts (default "+localMember+")"), format: formatFlag(set), now: nowFlag(set)}
}

// do does something to a workflow, and tells how far it has then come.
func (a acting) do(p *program, act func(*flagstage.Engine, flagstage.Actor) (flagstage.StoredWorkflow, error)) error {
	actor, err := memberActor(*a.member)
	if err = cmp.Or(err, checkFormat(*a.format), a.now(p)); err != nil {
		return err
	}
	return p.changing(*a.db, func(e *flagstage.Engine) error {
		w, err := act(e, actor)
		if err != nil {
			return err
		}
		return p.tell(w, *a.format)
	})
}

// steerCommand returns a command that does something to a workflow for a reason.
func steerCommand(name, more, summary, help string, setup func(*program, *flag.FlagSet, *string) func(*flagstage.Engine, flagstage.Actor, string) (flagstage.StoredWorkflow, error)) command {
	return command{
		name: name, arguments: "ID --reason TEXT --db PATH [--member ID]" + more, summary: summary, help: help,
		setup: func(p *program, set *flag.FlagSet) func([]string) error {
			act := actFlags(set)
			reason := set.String("reason", "", "a `TEXT` that says why")
			do := setup(p, set, reason)
			return func(arguments []string) error {
				id, err := one("ID", arguments)
				if err != nil {
					return err
				}
				return act.do(p, func(e *flagstage.Engine, actor flagstage.Actor) (flagstage.StoredWorkflow, error) {
					return do(e, actor, id)
				})
			}
		},
	}
}

// steering is the method of an engine that needs nothing but a reason.
type steering = func(*flagstage.Engine, context.Context, flagstage.Actor, string, string) (flagstage.StoredWorkflow, error)

func simplySteer(method steering) func(*program, *flag.FlagSet, *string) func(*flagstage.Engine, flagstage.Actor, string) (flagstage.StoredWorkflow, error) {
	return func(p *program, _ *flag.FlagSet, reason *string) func(*flagstage.Engine, flagstage.Actor, string) (flagstage.StoredWorkflow, error) {
		return func(e *flagstage.Engine, actor flagstage.Actor, id string) (flagstage.StoredWorkflow, error) {
			return method(e, p.ctx, actor, id, *reason)
		}
	}
}

var pauseCommand = steerCommand("pause", "", "hold a workflow",
	`Holds a workflow before anything is done that is not done yet. Reviews are still
taken.
`, simplySteer((*flagstage.Engine).Pause))

var resumeCommand = steerCommand("resume", "", "let a paused workflow go on",
	`Lets a paused workflow go on. Waits and expiries move on by the time that it was
paused; dates stay.
`, simplySteer((*flagstage.Engine).Resume))

var cancelCommand = steerCommand("cancel", "", "end a workflow",
	`Ends a workflow. What was done stays done.
`, simplySteer((*flagstage.Engine).Cancel))

var skipCommand = steerCommand("skip", " [--bypass-approval]", "leave out the active stage of a workflow",
	`Leaves out the stage that is active: its changes are not made, and the next one
begins.
`, func(p *program, set *flag.FlagSet, reason *string) func(*flagstage.Engine, flagstage.Actor, string) (flagstage.StoredWorkflow, error) {
		number := set.Int("stage", 0, "the `NUMBER` of the stage, from 1; without it, the active one")
		bypass := set.Bool("bypass-approval", false, "leave it out though an approval in it is not given")
		return func(e *flagstage.Engine, actor flagstage.Actor, id string) (flagstage.StoredWorkflow, error) {
			skip := flagstage.Skip{Stage: *number - 1, Reason: *reason, BypassApproval: *bypass}
			if *number == 0 {
				w, err := e.Workflow(p.ctx, actor, id)
				if err != nil {
					return w, err
				}
				skip.Stage = activeStage(w)
			}
			return e.Skip(p.ctx, actor, id, skip)
		}
	})

// activeStage returns the index of the stage that is active, 0 if none is.
func activeStage(w flagstage.StoredWorkflow) int {
	for i := range w.Plan().Len() {
		if w.StageStatus(i) == flagstage.StatusActive {
			return i
		}
	}
	return 0
}

var retryCommand = steerCommand("retry", " [--ignore-conflicts]", "begin the failed stage of a workflow again",
	`Begins the failed stage of a workflow again: conditions that were not met, and then
its changes.
`, func(p *program, set *flag.FlagSet, reason *string) func(*flagstage.Engine, flagstage.Actor, string) (flagstage.StoredWorkflow, error) {
		ignore := set.Bool("ignore-conflicts", false, "take the flag as it is now; what others have changed is no conflict any more")
		return func(e *flagstage.Engine, actor flagstage.Actor, id string) (flagstage.StoredWorkflow, error) {
			return e.Retry(p.ctx, actor, id, flagstage.Retry{Reason: *reason, IgnoreConflicts: *ignore})
		}
	})

var tickCommand = command{
	name: "tick", arguments: "--db PATH [--now RFC3339] [--format text|json]",
	summary: "do all that is due in a store",
	help: `Does all that is due in a store, and tells what is due next.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db, now, format := dbFlag(set, ""), nowFlag(set), formatFlag(set)
		return func(arguments []string) error {
			if err := cmp.Or(nothing(arguments), checkFormat(*format), now(p)); err != nil {
				return err
			}
			_, err := p.tick(*db, *format)
			return err
		}
	},
}

// tickDocument is what a tick prints as JSON.
type tickDocument struct {
	Now       int64  `json:"now"` // Unix milliseconds
	Workflows int    `json:"workflows"`
	Events    int    `json:"events"`
	Applied   int    `json:"applied"`
	Failed    int    `json:"failed"`
	NextDue   *int64 `json:"nextDue,omitempty"`
}

// tick does all that is due, and returns when more will be; the zero time if
// never.
func (p *program) tick(db, format string) (due time.Time, err error) {
	err = p.changing(db, func(e *flagstage.Engine) error {
		report, err := e.Tick(p.ctx)
		if err != nil {
			return err
		}
		at, ok, err := e.NextDue(p.ctx)
		if err != nil {
			return err
		}
		if ok {
			due = at
		}
		if format == "json" {
			d := tickDocument{Now: report.Now.UnixMilli(), Workflows: report.Workflows, Events: report.Events, Applied: report.Applied, Failed: report.Failed}
			if ok {
				ms := at.UnixMilli()
				d.NextDue = &ms
			}
			document, err := json.Marshal(d)
			if err != nil {
				return err
			}
			return p.printJSON(document)
		}
		text := report.Now.Format(time.RFC3339) + ": " + tickInWords(report)
		if ok {
			text += "; next due " + at.Format(time.RFC3339)
		}
		if format == "quiet" && report.Workflows == 0 {
			return nil
		}
		return p.print(text + "\n")
	})
	return due, err
}

func tickInWords(r flagstage.TickReport) string {
	if r.Workflows == 0 {
		return "nothing was due"
	}
	parts := []string{fmt.Sprintf("advanced %d", r.Workflows)}
	if r.Applied > 0 {
		parts = append(parts, fmt.Sprintf("applied %d", r.Applied))
	}
	if r.Failed > 0 {
		parts = append(parts, fmt.Sprintf("failed %d", r.Failed))
	}
	return strings.Join(parts, ", ")
}

var runCommand = command{
	name: "run", arguments: "--db PATH [--poll 10s]",
	summary: "do what is due when it is due, until interrupted",
	help: `Does what is due in a store when it is due, until it is interrupted. In between it
does not hold the store open, so that other commands can work beside it; it looks
again at the next due instant, or after --poll.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db := dbFlag(set, "")
		poll := set.Duration("poll", 10*time.Second, "look again after so `LONG` at the latest (default 10s)")
		return func(arguments []string) error {
			if err := nothing(arguments); err != nil {
				return err
			}
			if *poll <= 0 {
				return usagef("--poll must be positive")
			}
			return p.runUntilInterrupted(*db, *poll)
		}
	},
}

func (p *program) runUntilInterrupted(db string, poll time.Duration) error {
	ctx, stop := p.untilInterrupted(p.ctx)
	defer stop()
	p.ctx = ctx
	for {
		due, err := p.tick(db, "quiet")
		switch {
		case p.ctx.Err() != nil:
			return nil
		case errors.Is(err, flagstage.ErrLocked):
			p.complain(fmt.Errorf("run: %w; trying again", err))
		case err != nil:
			return err
		}
		wait := poll
		if !due.IsZero() {
			wait = min(wait, max(due.Sub(p.clock.Now()), 0))
		}
		if p.wait(p.ctx, wait) != nil {
			return nil
		}
	}
}
