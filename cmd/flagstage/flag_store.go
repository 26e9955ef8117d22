package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/escape"
	"github.com/flagstage/flagstage/internal/strictjson"
)

func projectFlag(set *flag.FlagSet) *string {
	return set.String("project", "", "the `KEY` of the project")
}

// checkKeys refuses what is no key, before a store is opened or made for it. The
// keys follow the names of their flags.
func checkKeys(pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		switch name, key := pairs[i], pairs[i+1]; {
		case key == "":
			return usagef("%s is missing; it is needed with --db", name)
		case !flags.IsKey(key):
			return usagef("%s %s is no key; a key begins with a letter or digit and goes on with letters, digits, '.', '_' and '-'", name, strictjson.Quote(key))
		}
	}
	return nil
}

// storedFlag returns a flag of a store.
func (p *program) storedFlag(db, project, key string) (f flagstage.StoredFlag, err error) {
	if err := checkKeys("--project", project); err != nil {
		return f, err
	}
	err = p.reading(db, func(e *flagstage.Engine) error {
		f, err = e.Flag(p.ctx, localActor, project, key)
		return err
	})
	return f, err
}

// flagWriter is one change of a flag in a store.
type flagWriter struct {
	db, project, member *string
	now                 func(*program) error
	revision            *int64
	ignoreConflicts     bool
	actor               flagstage.Actor
}

func flagWriterFlags(set *flag.FlagSet) *flagWriter {
	w := &flagWriter{db: dbFlag(set, ""), project: projectFlag(set), member: actorFlag(set), now: nowFlag(set), revision: revisionFlag(set, " (default any)")}
	set.BoolVar(&w.ignoreConflicts, "ignore-conflicts", false, "change the flag though a stage of a workflow that is still to run will then fail")
	return w
}

// check judges the command line.
func (w *flagWriter) check(p *program) (err error) {
	if w.actor, err = memberActor(*w.member); err != nil {
		return err
	}
	if *w.db == "" {
		return errNoDB
	}
	return cmp.Or(checkKeys("--project", *w.project), w.now(p))
}

// write changes a flag, and says in what it now differs.
func (w *flagWriter) write(p *program, e *flagstage.Engine, key string, change func(flagstage.FlagWrite) (flagstage.StoredFlag, error)) error {
	before, err := e.Flag(p.ctx, w.actor, *w.project, key)
	if err != nil && !errors.Is(err, flagstage.ErrNotFound) {
		return err
	}
	after, err := change(flagstage.FlagWrite{Revision: *w.revision, IgnoreConflicts: w.ignoreConflicts})
	var failing *flagstage.PendingStagesError
	switch {
	case errors.As(err, &failing):
		return p.wouldFail(e, failing)
	case err != nil:
		return err
	case before.IsZero():
		return p.print(escape.Terminal(fmt.Sprintf("kept flag %s in project %s", key, *w.project)) + "\n")
	case before.Revision == after.Revision:
		return p.print(escape.Terminal(fmt.Sprintf("flag %s in project %s is like that already", key, *w.project)) + "\n")
	}
	text := escape.Terminal(fmt.Sprintf("changed flag %s in project %s", key, *w.project)) + "\n"
	for _, c := range flags.DescribeChange(before.Flag, after.Flag) {
		text += escape.Terminal("- "+c.String()) + "\n"
	}
	return p.print(text)
}

// putting opens a store to put something into it. It is made if there is none,
// unless a revision of what is in it is to be changed.
func (p *program) putting(db string, revision int64, do func(*flagstage.Engine) error) error {
	if revision != 0 {
		return p.changing(db, do)
	}
	return p.making(db, do)
}

// wouldFail names the stages that a change of a flag would make fail.
func (p *program) wouldFail(e *flagstage.Engine, err *flagstage.PendingStagesError) error {
	for _, s := range err.Stages {
		stage := strictjson.Quote(s.StageID)
		if w, err := e.Workflow(p.ctx, localActor, s.WorkflowID); err == nil {
			stage = stageNumber(w.Plan(), s.StageID)
		}
		p.complain(fmt.Errorf("stage %s of workflow %s would fail: %s", stage, s.WorkflowID, s.Message))
	}
	return errors.New("the flag is not changed; cancel the workflow first, or see --ignore-conflicts")
}

// stageNumber returns the number from 1 by which people know a stage.
func stageNumber(plan flagstage.Plan, id string) string {
	for i, s := range plan.Stages() {
		if s.ID == id {
			return strconv.Itoa(i + 1)
		}
	}
	return strictjson.Quote(id)
}

var flagPutCommand = command{
	name: "flag put", arguments: "FILE --project KEY --db PATH [--revision N] [--ignore-conflicts]",
	summary: "put a flag into a project of a store",
	help: `Puts a flag into a project of a store, in the place of the one with its key if
there is one, and says in what it differs from that. The store is made if there is
none and the flag is valid. What would make a stage of a workflow fail that is
still to run is refused.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		w := flagWriterFlags(set)
		return func(files []string) error {
			file, err := one("FILE", files)
			if err = cmp.Or(err, w.check(p)); err != nil {
				return err
			}
			f, err := p.flag(file)
			if err != nil {
				return err
			}
			return p.putting(*w.db, *w.revision, func(e *flagstage.Engine) error {
				return w.write(p, e, f.Key(), func(how flagstage.FlagWrite) (flagstage.StoredFlag, error) {
					return e.PutFlag(p.ctx, w.actor, *w.project, f, how)
				})
			})
		}
	},
}

var flagPatchCommand = command{
	name: "flag patch", arguments: "KEY PATCH --project KEY [--environment KEY] --db PATH [--revision N] [--ignore-conflicts]",
	summary: "apply instructions to a flag of a store",
	help: `Applies a semantic patch to a flag of a store, all of it or nothing, and says what
has changed. PATCH is a file as flag apply takes it. What would make a stage of a
workflow fail that is still to run is refused.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		w, environment := flagWriterFlags(set), environmentFlag(set, " that is changed (default: the patch's environmentKey)")
		return func(arguments []string) error {
			if len(arguments) != 2 {
				return usagef("a KEY and a PATCH are wanted, %d are given", len(arguments))
			}
			if err := w.check(p); err != nil {
				return err
			}
			patch, err := p.patch(arguments[1], *environment)
			if err != nil {
				return err
			}
			return p.changing(*w.db, func(e *flagstage.Engine) error {
				return w.write(p, e, arguments[0], func(how flagstage.FlagWrite) (flagstage.StoredFlag, error) {
					f, err := e.PatchFlag(p.ctx, w.actor, *w.project, arguments[0], patch.Patch, how)
					if err != nil {
						err = p.inapplicable(patch, err)
					}
					return f, err
				})
			})
		}
	},
}

var flagListCommand = command{
	name: "flag list", arguments: "--db PATH [--project KEY] [--format text|json]",
	summary: "list the flags of a store",
	help: `Lists the flags of a store, or of one project in it, ordered by project and key,
as a table or as the API's listing. Those that cannot be read are named on
standard error; the exit status is then 1.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db, format := dbFlag(set, ""), formatFlag(set)
		project := set.String("project", "", "the `KEY` of the project (default all)")
		return func(arguments []string) error {
			if err := cmp.Or(nothing(arguments), checkFormat(*format)); err != nil {
				return err
			}
			if *project != "" {
				if err := checkKeys("--project", *project); err != nil {
					return err
				}
			}
			return p.reading(*db, func(e *flagstage.Engine) error { return p.listFlags(e, *project, *format) })
		}
	},
}

func (p *program) listFlags(e *flagstage.Engine, project, format string) error {
	list, err := e.Flags(p.ctx, localActor, project)
	if err != nil {
		return err
	}
	if err := p.printFlags(list, format); err != nil {
		return err
	}
	return complainOfAll(p, "flag list", list.Unreadable)
}

func (p *program) printFlags(list flagstage.FlagList, format string) error {
	columns := []string{"PROJECT", "KEY", "NAME", "KIND", "VERSION", "REVISION", "ENVIRONMENTS"}
	return printItems(p, list, list.Items, format, columns, func(f flagstage.StoredFlag) []string {
		var environments []string
		for _, key := range f.EnvironmentKeys() {
			e, _ := f.Environment(key)
			environments = append(environments, key+" "+onOrOff(e))
		}
		return []string{f.ProjectKey, f.Key(), f.Name(), string(f.Kind()), strconv.FormatInt(f.Version(), 10), strconv.FormatInt(f.Revision, 10), strings.Join(environments, ", ")}
	})
}

// onOrOff says whether a flag is on in an environment.
func onOrOff(e flags.Environment) string {
	if e.On() {
		return "on"
	}
	return "off"
}
