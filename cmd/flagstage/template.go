package main

import (
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/internal/escape"
	"github.com/flagstage/flagstage/internal/strictjson"
	"github.com/flagstage/flagstage/simulate"
)

// localMember acts where nobody is named.
const localMember = "local"

var validateCommand = command{
	name: "validate", arguments: "FILE…",
	summary: "check documents, and print all that is wrong with them",
	help: `Checks requests to create a template, and exported templates. Problems go to
standard error, each in a line: FILE:POINTER: MESSAGE [CODE]. The exit status
is 1 if a document is invalid; warnings alone leave it at 0.
`,
	setup: func(p *program, _ *flag.FlagSet) func([]string) error { return p.validate },
}

func (p *program) validate(files []string) error { return p.eachFile("validate", files, p.judge) }

// eachFile prints what valid files have to offer, and judges all of them.
func (p *program) eachFile(name string, files []string, judge func(file string) (string, error)) error {
	if len(files) == 0 {
		return usagef("a FILE is wanted")
	}
	if err := oneStdin(files); err != nil {
		return err
	}
	var failed error
	for _, file := range files {
		what, err := judge(file)
		switch {
		case errors.Is(err, errInvalid):
			failed = err
		case err != nil:
			p.complain(fmt.Errorf("%s: %w", name, err))
			failed = errInvalid
		default:
			if err := p.print(escape.Terminal(file+": valid, "+what) + "\n"); err != nil {
				return err
			}
		}
	}
	return failed
}

// judge says what a valid file has to offer.
func (p *program) judge(file string) (string, error) {
	document, err := p.read(file)
	if err != nil {
		return "", err
	}
	if !exported(document) {
		// only an engine knows the workflow; all else can be judged
		if input, problems := flagstage.ReadTemplate(document); input.WorkflowID != "" {
			return "copies the stages of workflow " + input.WorkflowID, p.report(file, problems)
		}
	}
	template, err := p.template(file, document, p.clock.Now())
	return fmt.Sprintf("stages: %d", template.Plan().Len()), err
}

var createCommand = command{
	name: "create", arguments: "FILE [--member ID] [--db PATH]",
	summary: "create the template, and print it",
	help: `Creates a template and prints it as the API answers to its creation. With --db
it is kept in that store, which is made if there is none and the document is
valid; without, it is not kept. A document with a workflowId takes its stages from
a workflow of the store.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		member, db := memberFlag(set), dbFlag(set, " that keeps the template")
		return func(files []string) error {
			return p.create(files, *member, *db)
		}
	},
}

func memberFlag(set *flag.FlagSet) *string {
	return set.String("member", localMember, "the `ID` of the member who becomes owner and maintainer (default "+localMember+")")
}

// actorFlag defines the flag that says who acts, where nobody becomes an owner.
func actorFlag(set *flag.FlagSet) *string {
	return set.String("member", localMember, "the `ID` of the member who acts (default "+localMember+")")
}

// memberActor returns the actor of the flag --member.
func memberActor(member string) (flagstage.Actor, error) {
	actor := flagstage.Actor{MemberID: member}
	if err := actor.Validate(); err != nil {
		return actor, usagef("--member: %w", err)
	}
	return actor, nil
}

// fileAndActor returns the only argument, a file, and the actor of the flag --member.
func fileAndActor(files []string, member string) (file string, actor flagstage.Actor, err error) {
	if file, err = one("FILE", files); err == nil {
		actor, err = memberActor(member)
	}
	return file, actor, err
}

// create creates a template, and keeps it in the store at db, in none if that is
// "".
func (p *program) create(files []string, member, db string) error {
	file, actor, err := fileAndActor(files, member)
	if err != nil {
		return err
	}
	document, err := p.read(file)
	if err != nil {
		return err
	}
	keep := func(e *flagstage.Engine) error {
		t, err := e.CreateTemplateJSON(p.ctx, actor, document)
		return p.stored(file, t, err)
	}
	if input, _ := flagstage.ReadTemplate(document); db != "" && input.WorkflowID != "" {
		return p.changing(db, keep) // which must have the workflow
	}
	template, problems := create(document, flagstage.Creation{Now: p.clock.Now(), IDs: flagstage.RandomIDs(), Actor: actor})
	if db == "" || problems.Err() != nil { // a document that is refused leaves no new store behind
		return p.created(file, template, problems)
	}
	return p.making(db, keep)
}

// created prints a template that was made of a document, or what is wrong with
// the document.
func (p *program) created(file string, template flagstage.Template, problems flagstage.Problems) error {
	if err := p.report(file, problems); err != nil {
		return err
	}
	return p.printJSON(template.AppendJSON(nil))
}

// create creates the template that a document asks for.
func create(document []byte, creation flagstage.Creation) (flagstage.Template, flagstage.Problems) {
	input, problems := flagstage.ReadTemplate(document)
	if problems.Err() != nil {
		return flagstage.Template{}, problems
	}
	template, more := flagstage.NewTemplate(input, creation)
	return template, append(problems, more...)
}

// template makes a template of a document in either form, and prints problems.
// The exported form does not tell the template's origin, and it is not needed
// here.
func (p *program) template(file string, document []byte, now time.Time) (flagstage.Template, error) {
	creation := flagstage.Creation{Now: now, IDs: flagstage.SeededIDs(0), Actor: localActor}
	var template flagstage.Template
	var problems flagstage.Problems
	if exported(document) {
		origin := flagstage.Origin{ProjectKey: "unknown", EnvironmentKey: "unknown", FlagKey: "unknown"}
		template, problems = flagstage.Import(document, origin, creation)
	} else {
		template, problems = create(document, creation)
	}
	return template, p.report(file, problems)
}

// exported reports whether a document has the form of an exported template:
// it has the member _key, and not key.
func exported(document []byte) bool {
	d := strictjson.NewDecoder(document, nil)
	if d.Kind() != strictjson.Object || !d.BeginObject() {
		return false
	}
	_, asked := d.Peek("key")
	_, has := d.Peek("_key")
	return has != strictjson.Invalid && asked == strictjson.Invalid
}

var simulateCommand = command{
	name: "simulate", arguments: "FILE [--start RFC3339] [--zone NAME] [--approve-after 4h] [--format text|json]",
	summary: "print what the release would do, and when",
	help: `Simulates a release of the template from its start to its end, without waiting,
and prints its timeline. Also takes exported templates. The exit status is 0
too when the simulated release waits for ever or fails.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		var f simulateFlags
		set.StringVar(&f.start, "start", "", "`RFC3339`: when the release starts, as in 2026-10-22T09:00:00+02:00 (default now, cut to the minute)")
		set.StringVar(&f.zone, "zone", "UTC", "`NAME` of the IANA time zone that counts calendar days, such as Europe/Berlin (default UTC)")
		set.StringVar(&f.approveAfter, "approve-after", "0s", "`DURATION` until each approval is granted, such as 90m or 4h, or never (default: granted when asked for)")
		format := formatFlag(set)
		return func(files []string) error {
			f.format = *format
			return p.simulate(files, f)
		}
	},
}

type simulateFlags struct {
	start, zone, approveAfter, format string
}

// scenario makes a scenario of the flags.
func (f simulateFlags) scenario(now time.Time) (simulate.Scenario, error) {
	s := simulate.Scenario{Start: now.Truncate(time.Minute), Zone: f.zone}
	if f.start != "" {
		start, err := parseInstant("--start", f.start)
		if err != nil {
			return s, err
		}
		s.Start = start
	}
	if _, err := calendar.Zone(f.zone); err != nil {
		return s, usagef("--zone: %w", err)
	}
	var err error
	if s.Otherwise, err = parseApproveAfter(f.approveAfter); err != nil {
		return s, err
	}
	return s, checkFormat(f.format)
}

// parseApproveAfter reads how approvals are answered.
func parseApproveAfter(text string) (simulate.Answer, error) {
	if text == "never" {
		return simulate.Never(), nil
	}
	delay, err := time.ParseDuration(text)
	if err != nil || delay < 0 {
		return simulate.Answer{}, usagef("--approve-after %s is no duration such as 90m or 4h, and not never", strictjson.Quote(text))
	}
	return simulate.ApprovedAfter(delay), nil
}

func (p *program) simulate(files []string, f simulateFlags) error {
	file, err := one("FILE", files)
	if err != nil {
		return err
	}
	scenario, err := f.scenario(p.clock.Now())
	if err != nil {
		return err
	}
	document, err := p.read(file)
	if err != nil {
		return err
	}
	template, err := p.template(file, document, scenario.Start)
	if err != nil {
		return err
	}
	timeline, err := simulate.Run(template, scenario)
	if err != nil {
		return usageError{err}
	}
	if f.format == "json" {
		return p.printJSON(timeline.AppendJSON(nil))
	}
	return p.print(timeline.Text())
}
