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
)

// segmentPlace is where segments are kept.
type segmentPlace struct{ db, project, environment *string }

func segmentPlaceFlags(set *flag.FlagSet) segmentPlace {
	return segmentPlace{dbFlag(set, ""), projectFlag(set), environmentFlag(set, "")}
}

// check judges the command line.
func (s segmentPlace) check() error {
	if *s.db == "" {
		return errNoDB
	}
	return checkKeys("--project", *s.project, "--environment", *s.environment)
}

var segmentPutCommand = command{
	name: "segment put", arguments: "FILE --project KEY --environment KEY --db PATH [--revision N]",
	summary: "put a segment into an environment of a store",
	help: `Puts a segment into an environment of a project of a store, in the place of the
one with its key if there is one. The store is made if there is none and the
segment is valid.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		place, member, revision := segmentPlaceFlags(set), actorFlag(set), revisionFlag(set, " (default any)")
		return func(files []string) error {
			file, actor, err := fileAndActor(files, *member)
			if err = cmp.Or(err, place.check()); err != nil {
				return err
			}
			document, err := p.read(file)
			if err != nil {
				return err
			}
			segment, problems := flags.DecodeSegment(document)
			if err := p.report(file, problems); err != nil {
				return err
			}
			return p.putting(*place.db, *revision, func(e *flagstage.Engine) error {
				return p.putSegment(e, actor, place, segment, *revision)
			})
		}
	},
}

// putSegment keeps a segment, and says whether it is another one than before.
func (p *program) putSegment(e *flagstage.Engine, actor flagstage.Actor, place segmentPlace, segment flags.Segment, revision int64) error {
	before, err := e.Segment(p.ctx, actor, *place.project, *place.environment, segment.Key())
	var unreadable *flagstage.UnreadableFlagError
	switch {
	case errors.As(err, &unreadable):
		before.Revision = unreadable.Revision
	case err != nil && !errors.Is(err, flagstage.ErrNotFound):
		return err
	}
	after, err := e.PutSegment(p.ctx, actor, *place.project, *place.environment, segment, revision)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("segment %s in environment %s of project %s", segment.Key(), *place.environment, *place.project)
	switch before.Revision {
	case 0:
		text = "kept " + text
	case after.Revision:
		text += " is like that already"
	default:
		text = "changed " + text
	}
	return p.print(escape.Terminal(text) + "\n")
}

var segmentListCommand = command{
	name: "segment list", arguments: "--project KEY --environment KEY --db PATH [--format text|json]",
	summary: "list the segments of an environment of a store",
	help: `Lists the segments of an environment of a project of a store, ordered by key, as a
table or as the API's listing. Those that cannot be read are named on standard
error; the exit status is then 1.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		place, format := segmentPlaceFlags(set), formatFlag(set)
		return func(arguments []string) error {
			if err := cmp.Or(nothing(arguments), checkFormat(*format), place.check()); err != nil {
				return err
			}
			return p.reading(*place.db, func(e *flagstage.Engine) error {
				list, err := e.Segments(p.ctx, localActor, *place.project, *place.environment)
				if err != nil {
					return err
				}
				if err := p.printSegments(list, *format); err != nil {
					return err
				}
				return complainOfAll(p, "segment list", list.Unreadable)
			})
		}
	},
}

func (p *program) printSegments(list flagstage.SegmentList, format string) error {
	columns := []string{"KEY", "NAME", "VERSION", "REVISION", "INCLUDED", "EXCLUDED", "RULES"}
	return printItems(p, list, list.Items, format, columns, func(s flagstage.StoredSegment) []string {
		included, excluded := 0, 0
		for l := range s.Included() {
			included += l.Len()
		}
		for l := range s.Excluded() {
			excluded += l.Len()
		}
		row := []string{s.Key(), s.Name()}
		for _, n := range []int64{s.Version(), s.Revision, int64(included), int64(excluded), int64(s.RuleCount())} {
			row = append(row, strconv.FormatInt(n, 10))
		}
		return row
	})
}

var segmentShowCommand = command{
	name: "segment show", arguments: "KEY --project KEY --environment KEY --db PATH [--format text|json]",
	summary: "show a segment of a store",
	help: `Shows a segment of a store in words with its revision, or as JSON in its canonical
form.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		place, format := segmentPlaceFlags(set), formatFlag(set)
		return func(arguments []string) error {
			key, err := one("KEY", arguments)
			if err = cmp.Or(err, checkFormat(*format), place.check()); err != nil {
				return err
			}
			return p.reading(*place.db, func(e *flagstage.Engine) error {
				s, err := e.Segment(p.ctx, localActor, *place.project, *place.environment, key)
				if err != nil {
					return err
				}
				return p.showSegment(s, *format)
			})
		}
	},
}

func (p *program) showSegment(s flagstage.StoredSegment, format string) error {
	if format == "json" {
		return p.printDocument(s.AppendJSON(nil))
	}
	rows := [][]string{{"Key", s.Key()}, {"Name", s.Name()}}
	row := func(what, text string) {
		if text != "" {
			rows = append(rows, []string{what, text})
		}
	}
	row("Description", s.Description())
	row("Version", strconv.FormatInt(s.Version(), 10))
	row("Revision", strconv.FormatInt(s.Revision, 10))
	row("Tags", strings.Join(s.Tags(), ", "))
	if s.Deleted() {
		row("State", "deleted")
	}
	if s.Unbounded() {
		row("Lists", "are kept elsewhere")
	}
	for l := range s.Included() {
		row("Included", fmt.Sprintf("%d of kind %s", l.Len(), l.ContextKind()))
	}
	for l := range s.Excluded() {
		row("Excluded", fmt.Sprintf("%d of kind %s", l.Len(), l.ContextKind()))
	}
	for i, text := range s.RulesInWords() {
		row("Rule "+strconv.Itoa(i+1), text)
	}
	return p.printTable(rows)
}
