package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/escape"
	"github.com/flagstage/flagstage/simulate"
	"github.com/flagstage/flagstage/timeline"
)

var startCommand = command{
	name: "start", arguments: "KEY --flag KEY --db PATH [--param ID/PATH=VALUE]… [--dry-run] [--format text|json]",
	summary: "start a workflow of a template",
	help: `Binds the template with this key to a flag of the store, and starts to release
it. What is due at once happens at once; "flagstage tick" or "flagstage run"
does the rest. With --file the stages are those of a published request to create
a workflow, or of the template that it names; KEY may then be left out.

A value of the template that does not exist for the flag, such as the identifier
of a variation, is looked for by what it means, or needs a --param. A dry run
tells which values do not fit, which workflows want to write the same, and what
would happen when; it stores nothing.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		s := newStarter(set)
		return func(arguments []string) error { return s.run(p, arguments) }
	},
}

// starter is one run of the command start.
type starter struct {
	db, member, format *string
	now                func(*program) error
	target             *flagstage.Origin
	input              flagstage.WorkflowInput
	lateness           time.Duration
	file               string
	dry                bool
	approveAfter       string
	answer             simulate.Answer
	actor              flagstage.Actor
}

func newStarter(set *flag.FlagSet) *starter {
	s := &starter{db: dbFlag(set, ""), format: formatFlag(set), now: nowFlag(set)}
	s.member = set.String("member", localMember, "the `ID` of the member who starts the workflow (default "+localMember+")")
	s.target = targetFlags(set, "; without it, that of the template")
	in := &s.input
	set.StringVar(&in.ID, "id", "", "the `ID` of the workflow, so that starting it twice starts it once; without it, one is made")
	set.StringVar(&in.Name, "name", "", "the `NAME` of the workflow; without it, that of the template")
	set.StringVar(&in.Description, "description", "", "a `TEXT` about the workflow")
	set.StringVar(&in.MaintainerID, "maintainer", "", "the `ID` of the member who looks after it; without it, who starts it")
	set.StringVar(&in.Zone, "zone", "", "the IANA `NAME` of the zone in which days and weeks are counted (default UTC)")
	set.IntVar(&in.Approvals.MinNumApprovals, "approvals", 1, "how many `PEOPLE` must approve, 1 to 5 (default 1)")
	set.BoolVar(&in.Approvals.CanReviewOwnRequest, "own-review", false, "let who starts or maintains it review too")
	set.BoolVar(&in.Approvals.CanApplyDeclinedChanges, "apply-declined", false, "go on when somebody declines and enough others approve")
	set.DurationVar(&in.Approvals.ExpiresAfter, "expires-after", 0, "how `LONG` an approval stays open, such as 72h; without it, for ever")
	set.DurationVar(&s.lateness, "lateness", flagstage.DefaultLateness, "how `LATE` a stage may be without the next one being later too (default 1h)")
	set.BoolVar(&in.IgnoreConflicts, "ignore-conflicts", false, "overwrite what others change meanwhile")
	set.StringVar(&s.file, "file", "", "a `FILE` with the request to create a workflow")
	set.BoolVar(&s.dry, "dry-run", false, "tell what would happen, and start nothing")
	set.StringVar(&s.approveAfter, "approve-after", "", "in a dry run, the `DURATION` until each approval is granted, such as 90m or 4h, or never (default: granted when asked for)")
	set.Func("param", "`ID/PATH=VALUE` gives a parameter another value, in JSON or as it is; may be given several times", func(text string) error {
		o, err := parseOverride(text)
		in.Parameters = append(in.Parameters, o)
		return err
	})
	return s
}

// targetFlags define the flags that name a flag in an environment.
func targetFlags(set *flag.FlagSet, otherwise string) *flagstage.Origin {
	o := &flagstage.Origin{}
	set.StringVar(&o.FlagKey, "flag", "", "the `KEY` of the flag")
	set.StringVar(&o.ProjectKey, "project", "", "the `KEY` of its project"+otherwise)
	set.StringVar(&o.EnvironmentKey, "environment", "", "the `KEY` of the environment"+otherwise)
	return o
}

// parseOverride reads a parameter's value: ID/PATH=VALUE. What is no JSON is a
// text.
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
	if err := s.check(p, arguments); err != nil {
		return err
	}
	if len(arguments) == 1 {
		s.input.TemplateKey = arguments[0]
	}
	if s.file != "" {
		if err := s.read(p); err != nil {
			return err
		}
	}
	open := p.changing
	if s.dry {
		open = p.reading
	}
	return open(*s.db, func(e *flagstage.Engine) error {
		if err := s.complete(p, e); err != nil {
			return err
		}
		if s.dry {
			return s.dryRun(p, e)
		}
		w, err := e.StartWorkflow(p.ctx, s.actor, s.input)
		if err != nil {
			return s.refused(p, err)
		}
		return p.tell(w, *s.format)
	})
}

// check judges the command line.
func (s *starter) check(p *program, arguments []string) (err error) {
	if err := cmp.Or(checkFormat(*s.format), s.now(p)); err != nil {
		return err
	}
	if s.actor, err = memberActor(*s.member); err != nil {
		return err
	}
	in := &s.input
	switch n := in.Approvals.MinNumApprovals; {
	case len(arguments) > 1 || len(arguments) == 0 && s.file == "":
		return usagef("one KEY is wanted, %d are given", len(arguments))
	case s.target.FlagKey == "":
		return usagef("--flag is missing; name the flag to release")
	case *s.db == "":
		return errNoDB
	case n < 1 || n > 5:
		return usagef("--approvals is %d, must be 1 to 5", n)
	case in.Approvals.ExpiresAfter < 0:
		return usagef("--expires-after %v is negative", in.Approvals.ExpiresAfter)
	case s.lateness < 0:
		return usagef("--lateness %v is negative", s.lateness)
	case s.approveAfter != "" && !s.dry:
		return usagef("--approve-after is for --dry-run; a workflow that runs asks people")
	}
	if err := s.checkKeys(); err != nil {
		return err
	}
	if in.Lateness = s.lateness; s.lateness == 0 {
		in.Lateness = flagstage.NoLateness
	}
	if in.Zone != "" {
		if _, err := calendar.Zone(in.Zone); err != nil {
			return usagef("--zone: %w", err)
		}
	}
	s.answer, err = parseApproveAfter(cmp.Or(s.approveAfter, "0s"))
	return err
}

// checkKeys refuses what is no key.
func (s *starter) checkKeys() error {
	pairs := []string{"--flag", s.target.FlagKey}
	for _, given := range [][]string{{"--id", s.input.ID}, {"--project", s.target.ProjectKey}, {"--environment", s.target.EnvironmentKey}} {
		if given[1] != "" {
			pairs = append(pairs, given...)
		}
	}
	return checkKeys(pairs...)
}

// read takes what the published request says, unless the command line says it.
func (s *starter) read(p *program) error {
	document, err := p.read(s.file)
	if err != nil {
		return err
	}
	in, problems := flagstage.ReadWorkflow(document, flagstage.WithTemplateKey(s.input.TemplateKey))
	if err := p.report(s.file, problems); err != nil {
		return err
	}
	s.input.Stages = in.Stages
	s.input.Name = cmp.Or(s.input.Name, in.Name)
	s.input.Description = cmp.Or(s.input.Description, in.Description)
	s.input.MaintainerID = cmp.Or(s.input.MaintainerID, in.MaintainerID)
	s.input.TemplateKey = in.TemplateKey
	s.input.Parameters = append(in.Parameters, s.input.Parameters...)
	return nil
}

// complete takes from the template what nobody says.
func (s *starter) complete(p *program, e *flagstage.Engine) error {
	o := *s.target
	if s.input.TemplateKey != "" && (s.input.Stages == nil || o.ProjectKey == "" || o.EnvironmentKey == "") {
		t, err := e.Template(p.ctx, s.actor, s.input.TemplateKey)
		if err != nil {
			return err
		}
		o.ProjectKey = cmp.Or(o.ProjectKey, t.Origin().ProjectKey)
		o.EnvironmentKey = cmp.Or(o.EnvironmentKey, t.Origin().EnvironmentKey)
		s.input.Name = cmp.Or(s.input.Name, t.Name())
	}
	if o.ProjectKey == "" || o.EnvironmentKey == "" {
		return usagef("--project and --environment are needed where no template says them")
	}
	s.input.Target = o
	return nil
}

// refused prints why a workflow cannot be started.
func (s *starter) refused(p *program, err error) error {
	var wrong *flagstage.ProblemsError
	var unfit *flagstage.InapplicableError
	switch {
	case errors.As(err, &unfit):
		return s.unfit(p, unfit.Parameters)
	case errors.As(err, &wrong):
		return p.report(cmp.Or(s.file, s.input.TemplateKey), wrong.Problems)
	}
	return err
}

// unfit names the values that do not fit the flag.
func (s *starter) unfit(p *program, list []flagstage.Parameter) error {
	for _, parameter := range list {
		if parameter.Valid {
			continue
		}
		p.complain(fmt.Errorf("start: %s does not fit: %s; give another with --param %s%s=VALUE",
			parameter.Default.Value, parameter.Reason, parameter.ID, parameter.Path))
	}
	return errInvalid
}

func (s *starter) dryRun(p *program, e *flagstage.Engine) error {
	dry, err := e.DryRunWorkflow(p.ctx, s.actor, s.input, flagstage.Future{
		Answer: func(_, _ int, asked time.Time) (flagstage.ReviewKind, time.Time) { return s.answer.Given(asked) },
	})
	if err != nil {
		return s.refused(p, err)
	}
	if *s.format == "json" {
		err = p.printValue(s.document(dry))
	} else {
		err = p.print(s.text(dry))
	}
	if err == nil && dry.Plan.IsZero() {
		return s.unfit(p, dry.Parameters)
	}
	return err
}

// timeline returns what would happen.
func (s *starter) timeline(dry flagstage.DryRun) timeline.Timeline {
	t := timeline.Timeline{
		Plan: dry.Plan, Zone: dry.Workflow.Zone(), Events: dry.Events,
		End: timeline.End{Status: dry.Workflow.Status(), At: dry.Events[len(dry.Events)-1].At, Gates: dry.Workflow.Gates()},
	}
	for range dry.Plan.Approvals() {
		t.Assumptions = []string{"Assumed: every approval " + s.answer.String() + "."}
		break
	}
	return t
}

// dryDocument is what a dry run prints as JSON.
type dryDocument struct {
	Parameters []flagstage.Parameter `json:"parameters"`
	Conflicts  []dryConflict         `json:"conflicts"`
	Timeline   *timeline.Timeline    `json:"timeline,omitempty"` // nil if a parameter is invalid
}

type dryConflict struct {
	StageID string `json:"stageId"`
	Message string `json:"message"`
}

func (s *starter) document(dry flagstage.DryRun) dryDocument {
	d := dryDocument{Parameters: append([]flagstage.Parameter{}, dry.Parameters...), Conflicts: []dryConflict{}}
	for _, c := range dry.Conflicts {
		d.Conflicts = append(d.Conflicts, dryConflict(c))
	}
	if !dry.Plan.IsZero() {
		t := s.timeline(dry)
		d.Timeline = &t
	}
	return d
}

// text tells of a dry run in words; of parameters that do not fit, others do.
func (s *starter) text(dry flagstage.DryRun) string {
	if dry.Plan.IsZero() {
		return ""
	}
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(escape.Terminal(fmt.Sprintf(format, args...)) + "\n") }
	line("Dry run for flag %s; nothing is started.", s.input.Target)
	if n := len(dry.Parameters); n > 0 {
		line("Values that depend on the flag: %d, all of them fit.", n)
	}
	for _, c := range dry.Conflicts {
		line("Conflict: stage %s %s.", stageNumber(dry.Plan, c.StageID), c.Message)
	}
	b.WriteString("\n" + s.timeline(dry).Text())
	return b.String()
}
