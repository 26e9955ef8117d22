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
	"github.com/flagstage/flagstage/internal/escape"
)

var tickCommand = command{
	name: "tick", arguments: "--db PATH [--now RFC3339] [--format text|json]",
	summary: "do all that is due in a store",
	help: `Does all that is due in a store, tells which workflows went on and where they now
stand, and when the next is due. A workflow that cannot go on does not stop the
others; it is named on standard error, and the exit status is then 1.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db, now, format := dbFlag(set, ""), nowFlag(set), formatFlag(set)
		return func(arguments []string) error {
			if err := cmp.Or(nothing(arguments), checkFormat(*format), now(p)); err != nil {
				return err
			}
			t, err := p.tick(*db)
			if err != nil {
				return err
			}
			if *format == "json" {
				err = p.printValue(t.document())
			} else {
				err = p.print(t.text() + t.nextInWords())
			}
			if err == nil && p.complainOf(t) {
				err = errInvalid
			}
			return afterwards(err)
		}
	},
}

// ticked is what came of a tick.
type ticked struct {
	flagstage.TickReport
	workflows []advanced
	next      time.Time // when something is due again; zero: never by itself
	err       error     // what kept workflows from going on
}

// advanced is a workflow that went on.
type advanced struct {
	flagstage.StoredWorkflow
	done []int // stages, from 0
}

// tick does all that is due. An error says that the store cannot be used.
func (p *program) tick(db string) (t ticked, err error) {
	if err := exists(db); err != nil {
		return t, err
	}
	return t, p.withStore(db, func(store *flagstage.FileStore) error {
		done := map[string][]int{}
		var order []string
		e, err := flagstage.New(store, flagstage.WithClock(p.clock), flagstage.WithNotifier(flagstage.NotifierFunc(func(_ context.Context, n flagstage.Notice) {
			if _, known := done[n.WorkflowID]; !known {
				order = append(order, n.WorkflowID)
			}
			done[n.WorkflowID] = append(done[n.WorkflowID], stagesDone(n.Events)...)
		})))
		if err != nil {
			return err
		}
		t.TickReport, t.err = e.Tick(p.ctx)
		ctx := context.WithoutCancel(p.ctx) // what was done is told though it was interrupted
		for _, id := range order {
			w, err := e.Workflow(ctx, localActor, id)
			if err != nil {
				return err
			}
			t.workflows = append(t.workflows, advanced{w, done[id]})
		}
		t.next, _, err = e.NextDue(ctx)
		return err
	})
}

func stagesDone(events []flagstage.Event) []int {
	list := []int{}
	for _, e := range events {
		if e.Kind == flagstage.EventStageCompleted {
			list = append(list, e.Stage)
		}
	}
	return list
}

// complainOf says what kept workflows from going on, and reports whether there
// was anything.
func (p *program) complainOf(t ticked) bool {
	if t.err == nil {
		return false
	}
	list := []error{t.err}
	if several, ok := t.err.(interface{ Unwrap() []error }); ok {
		list = several.Unwrap()
	}
	for _, err := range list {
		p.complain(err)
	}
	return true
}

// text says which workflows went on, and where they stand.
func (t ticked) text() string {
	var b strings.Builder
	for _, w := range t.workflows {
		b.WriteString(t.Now.In(w.Zone()).Format(time.RFC3339) + "  " + escape.Terminal(w.ID+": "+w.inWords()) + "\n")
	}
	return b.String()
}

func (w advanced) inWords() string {
	standing := history(w.StoredWorkflow).Standing()
	switch len(w.done) {
	case 0:
		return standing
	case 1:
		return "stage " + strconv.Itoa(w.done[0]+1) + " is done; " + standing
	}
	var numbers []string
	for _, i := range w.done {
		numbers = append(numbers, strconv.Itoa(i+1))
	}
	last := len(numbers) - 1
	return "stages " + strings.Join(numbers[:last], ", ") + " and " + numbers[last] + " are done; " + standing
}

func (t ticked) nextInWords() string {
	first := ""
	if len(t.workflows) == 0 {
		first = "Nothing was due. "
	}
	if t.next.IsZero() {
		return first + "Nothing more is due by itself.\n"
	}
	return first + "Next due: " + t.next.Format(time.RFC3339) + "\n"
}

// tickDocument is what a tick prints as JSON. Instants are Unix milliseconds.
type tickDocument struct {
	Now       int64              `json:"now"`
	Workflows []advancedDocument `json:"workflows"`
	Events    int                `json:"events"`
	Applied   int                `json:"applied"`
	Failed    int                `json:"failed"`
	NextDue   *int64             `json:"nextDue,omitempty"`
}

type advancedDocument struct {
	ID         string           `json:"_id"`
	Status     flagstage.Status `json:"status"`
	Standing   string           `json:"standing"`
	StagesDone []int            `json:"stagesDone"` // indexes
}

func (t ticked) document() tickDocument {
	d := tickDocument{Now: t.Now.UnixMilli(), Workflows: []advancedDocument{}, Events: t.Events, Applied: t.Applied, Failed: t.Failed}
	for _, w := range t.workflows {
		d.Workflows = append(d.Workflows, advancedDocument{w.ID, w.Status(), history(w.StoredWorkflow).Standing(), w.done})
	}
	if !t.next.IsZero() {
		ms := t.next.UnixMilli()
		d.NextDue = &ms
	}
	return d
}

var runCommand = command{
	name: "run", arguments: "--db PATH [--poll 10s]",
	summary: "do what is due when it is due, until interrupted",
	help: `Does what is due in a store when it is due, and tells of it, until it is
interrupted. In between it does not hold the store open, so that other commands
can work beside it; it looks again at the next due instant, and after --poll at
the latest. A store that another program holds open, and a workflow that cannot go
on, are told on standard error and tried again.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db := dbFlag(set, "")
		poll := set.Duration("poll", 10*time.Second, "look again after so `LONG` at the latest (default 10s)")
		return func(arguments []string) error {
			if err := nothing(arguments); err != nil {
				return err
			}
			if *poll <= 0 {
				return usagef("--poll %v must be positive", *poll)
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
		t, err := p.tick(db)
		if printed := p.print(t.text()); printed != nil {
			return afterwards(printed)
		}
		sleep := poll
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, flagstage.ErrLocked):
			p.complain(fmt.Errorf("run: %w; trying again", err))
		case err != nil:
			return err
		case p.complainOf(t):
		case !t.next.IsZero():
			sleep = min(poll, max(t.next.Sub(p.clock.Now()), 0))
		}
		if p.wait(ctx, sleep) != nil {
			return nil
		}
	}
}
