package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/internal/escape"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// localActor acts where nobody is named.
var localActor = flagstage.Actor{MemberID: localMember}

// dbFlag defines the flag that names the store.
func dbFlag(set *flag.FlagSet, text string) *string {
	return set.String("db", "", "the `PATH` of the store"+text)
}

func formatFlag(set *flag.FlagSet) *string {
	return set.String("format", "text", "`FORMAT` of the output: text or json (default text)")
}

// errNoDB is the error of a command that is told of no store.
var errNoDB = usagef("--db is missing; name the file of the store")

// reading opens a store for reading, also while another program uses it, and
// does something with it.
func (p *program) reading(path string, do func(*flagstage.Engine) error) error {
	if err := exists(path); err != nil {
		return err
	}
	e, err := flagstage.Open(path, flagstage.WithClock(p.clock), flagstage.WithReadOnly(), flagstage.WithProgress(p.progress("read")))
	if err != nil {
		return err
	}
	return errors.Join(do(e), e.Close())
}

// changing opens a store that exists, does something with it, and closes it.
func (p *program) changing(path string, do func(*flagstage.Engine) error) error {
	if err := exists(path); err != nil {
		return err
	}
	return p.making(path, do)
}

// exists returns an error if there is no store at a path.
func exists(path string) error {
	if path == "" {
		return errNoDB
	}
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no store %s: no such file; create, import, flag put and segment put make one", path)
	}
	return err
}

// making opens a store, which is made if there is none, does something with
// it, and closes it.
func (p *program) making(path string, do func(*flagstage.Engine) error) error {
	return p.withStore(path, func(store *flagstage.FileStore) error {
		e, err := flagstage.New(store, flagstage.WithClock(p.clock))
		if err != nil {
			return err
		}
		return afterwards(do(e))
	})
}

// A store that is in use is tried again so often, after so long.
const (
	lockTries = 50
	lockPause = 100 * time.Millisecond
)

// withStore opens the file of a store, does something with it, and closes it.
// While another program has it open, that is tried again for 5 seconds.
func (p *program) withStore(path string, do func(*flagstage.FileStore) error) error {
	if path == "" {
		return errNoDB
	}
	var store *flagstage.FileStore
	var err error
	for try := range lockTries + 1 {
		if try > 0 {
			if err := p.wait(p.ctx, lockPause); err != nil {
				return err
			}
		}
		store, err = flagstage.OpenStore(path, flagstage.DurabilityAlways, flagstage.WithProgress(p.progress("open")))
		if !errors.Is(err, flagstage.ErrLocked) {
			break
		}
	}
	if err != nil {
		return err
	}
	p.tellRecovery(path, store.Recovery())
	return errors.Join(do(store), store.Close())
}

// tellRecovery prints what opening a store has done to it.
func (p *program) tellRecovery(path string, r flagstage.Recovery) {
	if r.Cut != nil {
		p.complain(fmt.Errorf("%s: %s was cut off: %s", path, cutInWords(r.Cut), r.Cut.Reason))
	}
	if r.CompactionError != nil {
		p.complain(fmt.Errorf("%s: %w", path, r.CompactionError))
	}
}

func cutInWords(cut *flagstage.Tail) string {
	return fmt.Sprintf("an unfinished write of %d bytes at byte %d", cut.Bytes, cut.Offset)
}

// checkFormat refuses an output format that there is not.
func checkFormat(format string) error {
	if format != "text" && format != "json" {
		return usagef("--format %s is neither text nor json", strictjson.Quote(format))
	}
	return nil
}

var listCommand = command{
	name: "list", arguments: "--db PATH [--search TEXT] [--format text|json]",
	summary: "list the templates of a store",
	help: `Lists the templates of a store, ordered by key, as a table or as the API's
listing. Those that cannot be read are named on standard error; the exit status
is then 1.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db, format := dbFlag(set, ""), formatFlag(set)
		search := set.String("search", "", "`TEXT` that the name or the description holds, in upper or lower case")
		return func(arguments []string) error {
			if err := cmp.Or(nothing(arguments), checkFormat(*format)); err != nil {
				return err
			}
			return p.reading(*db, func(e *flagstage.Engine) error { return p.list(e, *search, *format) })
		}
	},
}

func (p *program) list(e *flagstage.Engine, search, format string) error {
	list, err := e.Templates(p.ctx, localActor, flagstage.TemplateQuery{Search: search})
	if err != nil {
		return err
	}
	if err := p.printList(list, format); err != nil {
		return err
	}
	return complainOfAll(p, "list", list.Unreadable)
}

func (p *program) printList(list flagstage.TemplateList, format string) error {
	columns := []string{"KEY", "NAME", "STAGES", "CREATED", "OWNER", "REVISION"}
	return printItems(p, list, list.Items, format, columns, func(t flagstage.StoredTemplate) []string {
		return []string{t.Key(), t.Name(), fmt.Sprint(t.Plan().Len()), t.CreatedAt().Format(time.DateOnly), t.OwnerID(), fmt.Sprint(t.Revision)}
	})
}

// printItems prints a list as the API does, or as a table with a row for each item.
func printItems[T any](p *program, list json.Marshaler, items []T, format string, columns []string, row func(T) []string) error {
	if format == "json" {
		document, err := list.MarshalJSON()
		if err != nil {
			return err
		}
		return p.printJSON(document)
	}
	rows := [][]string{columns}
	for _, item := range items {
		rows = append(rows, row(item))
	}
	return p.printTable(rows)
}

// printTable prints rows in columns.
func (p *program) printTable(rows [][]string) error {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i := range row {
			row[i] = escape.Terminal(row[i])
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var text strings.Builder
	for line := range strings.Lines(b.String()) {
		text.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return p.print(text.String())
}

var showCommand = command{
	name: "show", arguments: "KEY --db PATH [--format text|json]",
	summary: "show a template of a store",
	help: `Shows a template of a store in words, or as the API answers to its creation.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db, format := dbFlag(set, ""), formatFlag(set)
		return func(arguments []string) error {
			key, err := one("KEY", arguments)
			if err = cmp.Or(err, checkFormat(*format)); err != nil {
				return err
			}
			return p.reading(*db, func(e *flagstage.Engine) error { return p.show(e, key, *format) })
		}
	},
}

func (p *program) show(e *flagstage.Engine, key, format string) error {
	t, err := e.Template(p.ctx, localActor, key)
	if err != nil {
		return err
	}
	if format == "json" {
		return p.printJSON(t.AppendJSON(nil))
	}
	o := t.Origin()
	rows := [][]string{
		{"Key", t.Key()},
		{"Name", t.Name()},
		{"Description", t.Description()},
		{"Written for", fmt.Sprintf("flag %s, environment %s, project %s", o.FlagKey, o.EnvironmentKey, o.ProjectKey)},
		{"Created", t.CreatedAt().Format(time.RFC3339) + " by " + t.OwnerID()},
		{"Revision", fmt.Sprint(t.Revision)},
	}
	for i, s := range t.Stages() {
		rows = append(rows, []string{fmt.Sprintf("Stage %d", i+1), s.Name})
		for _, c := range s.Conditions {
			rows = append(rows, []string{"", conditionInWords(c)})
		}
		for _, in := range s.Action.Instructions {
			rows = append(rows, []string{"", "- " + in.String()})
		}
	}
	return p.printTable(rows)
}

func conditionInWords(c flagstage.Condition) string {
	switch c := c.(type) {
	case flagstage.Schedule:
		switch when := c.When.(type) {
		case flagstage.Absolute:
			return "waits for " + when.Date.Format(time.RFC3339)
		case flagstage.Relative:
			return "waits " + when.Wait.String()
		case flagstage.Immediate:
			return "waits for nothing"
		}
	case flagstage.Approval:
		if c.Description != "" {
			return "asks for approval: " + c.Description
		}
		return "asks for approval"
	}
	return string(c.Kind())
}

// revisionFlag defines the flag that says which revision a command changes; 0 is
// any.
func revisionFlag(set *flag.FlagSet, text string) *int64 {
	revision := new(int64)
	set.Func("revision", "the `NUMBER` that list and show tell; if there is another one by now, nothing is changed"+text, func(text string) (err error) {
		if *revision, err = strconv.ParseInt(text, 10, 64); err != nil || *revision < 1 {
			return errors.New("a revision is a number from 1 on")
		}
		return nil
	})
	return revision
}

var replaceCommand = command{
	name: "replace", arguments: "FILE --revision N --db PATH [--member ID]",
	summary: "put another template in the place of one of a store",
	help: `Puts the template that FILE asks for in the place of the one that has its key, and
prints it. Its identifier, creation date, owner and maintainer stay. It must have
the revision that was looked at. Workflows that were made from it go on as they
are.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db, member, revision := dbFlag(set, ""), actorFlag(set), revisionFlag(set, "")
		return func(files []string) error {
			file, actor, err := fileAndActor(files, *member)
			if err != nil {
				return err
			}
			if *revision == 0 {
				return usagef("--revision is missing; name the one that show tells")
			}
			if *db == "" {
				return errNoDB
			}
			document, err := p.read(file)
			if err != nil {
				return err
			}
			input, problems := flagstage.ReadTemplate(document)
			if problems.Err() != nil {
				return p.report(file, problems)
			}
			return p.changing(*db, func(e *flagstage.Engine) error {
				t, err := e.ReplaceTemplate(p.ctx, actor, input, *revision)
				t.Warnings = problems
				return p.stored(file, t, err)
			})
		}
	},
}

var deleteCommand = command{
	name: "delete", arguments: "KEY --db PATH [--revision N]",
	summary: "delete a template of a store",
	help: `Deletes a template of a store. Workflows that were made from it go on.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db, revision := dbFlag(set, ""), revisionFlag(set, " (default any)")
		return func(arguments []string) error {
			key, err := one("KEY", arguments)
			if err != nil {
				return err
			}
			return p.changing(*db, func(e *flagstage.Engine) error {
				if err := e.DeleteTemplate(p.ctx, localActor, key, *revision); err != nil {
					return err
				}
				return p.print("deleted " + escape.Terminal(key) + "\n")
			})
		}
	},
}

var importCommand = command{
	name: "import", arguments: "FILE --project KEY --environment KEY --flag KEY --db PATH [--member ID]",
	summary: "put an exported template into a store",
	help: `Puts an exported template into a store, with its identifiers, dates and people,
and prints it. The store is made if there is none and the document is valid.
The document does not say for which flag it was written; the flags do.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		db, member := dbFlag(set, ""), memberFlag(set)
		var o flagstage.Origin
		set.StringVar(&o.ProjectKey, "project", "", "the `KEY` of the project that the template was written for")
		set.StringVar(&o.EnvironmentKey, "environment", "", "the `KEY` of the environment")
		set.StringVar(&o.FlagKey, "flag", "", "the `KEY` of the flag")
		return func(files []string) error {
			file, actor, err := fileAndActor(files, *member)
			if err != nil {
				return err
			}
			if o.ProjectKey == "" || o.EnvironmentKey == "" || o.FlagKey == "" {
				return usagef("--project, --environment and --flag are needed")
			}
			if *db == "" {
				return errNoDB
			}
			document, err := p.read(file)
			if err != nil {
				return err
			}
			// A document that is refused leaves no new store behind.
			creation := flagstage.Creation{Now: p.clock.Now(), IDs: flagstage.RandomIDs(), Actor: actor}
			if _, problems := flagstage.Import(document, o, creation); problems.Err() != nil {
				return p.report(file, problems)
			}
			return p.making(*db, func(e *flagstage.Engine) error {
				t, err := e.ImportTemplate(p.ctx, actor, document, o)
				return p.stored(file, t, err)
			})
		}
	},
}

// stored prints what became of a document that was put into a store.
func (p *program) stored(file string, t flagstage.StoredTemplate, err error) error {
	var wrong *flagstage.ProblemsError
	if errors.As(err, &wrong) {
		return p.report(file, wrong.Problems)
	}
	if err != nil {
		return err
	}
	return p.created(file, t.Template, t.Warnings)
}
