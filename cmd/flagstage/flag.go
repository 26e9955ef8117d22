package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/escape"
	"github.com/flagstage/flagstage/internal/strictjson"
)

var flagValidateCommand = command{
	name: "flag validate", arguments: "FILE…",
	summary: "check flags, and print all that is wrong with them",
	help: `Checks the documents of flags. Problems go to standard error, each in a line:
FILE:POINTER: MESSAGE [CODE]. The exit status is 1 if a document is invalid;
warnings alone leave it at 0.
`,
	setup: func(p *program, _ *flag.FlagSet) func([]string) error {
		return func(files []string) error {
			return p.eachFile("flag validate", files, func(file string) (string, error) {
				f, err := p.flag(file)
				return fmt.Sprintf("%s flag %s, variations: %d, environments: %d", f.Kind(), f.Key(), f.VariationCount(), len(f.EnvironmentKeys())), err
			})
		}
	},
}

// flag reads the flag in a file, and prints problems.
func (p *program) flag(file string) (flags.Flag, error) {
	document, err := p.read(file)
	if err != nil {
		return flags.Flag{}, err
	}
	f, problems := flags.DecodeFlag(document)
	return f, p.report(file, problems)
}

// flags reads the flags in several files, of which one may be standard input.
func (p *program) flags(files ...string) ([]flags.Flag, error) {
	if err := oneStdin(files); err != nil {
		return nil, err
	}
	list := make([]flags.Flag, len(files))
	for i, file := range files {
		f, err := p.flag(file)
		if err != nil {
			return nil, err
		}
		list[i] = f
	}
	return list, nil
}

func environmentFlag(set *flag.FlagSet, text string) *string {
	return set.String("environment", "", "the `KEY` of the environment"+text)
}

// fileList collects the values of a flag that may be given several times.
type fileList []string

func (f *fileList) String() string { return strings.Join(*f, " ") }

func (f *fileList) Set(file string) error {
	*f = append(*f, file)
	return nil
}

func otherFlag(set *flag.FlagSet) *fileList {
	var others fileList
	set.Var(&others, "other", "the `FILE` of another flag of the project, which may be a prerequisite or require this flag; may be given several times")
	return &others
}

// inEnvironment returns the flag in an environment, or says which ones there
// are.
func inEnvironment(f flags.Flag, key string) (flags.Environment, error) {
	e, ok := f.Environment(key)
	if !ok {
		return e, usagef("--environment: flag %s has no environment %s; it has: %s", f.Key(), strictjson.Quote(key), strings.Join(f.EnvironmentKeys(), ", "))
	}
	return e, nil
}

var flagShowCommand = command{
	name: "flag show", arguments: "(FILE | KEY --project KEY --db PATH) [--environment KEY] [--format text|json]",
	summary: "show a flag",
	help: `Shows a flag in words, in all of its environments or in one, or as JSON in its
canonical form: the flag in a file or, with --db, the one with this key in a
project of a store, in words with its revision there.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		environment, format := environmentFlag(set, " to show (default all)"), formatFlag(set)
		db, project := dbFlag(set, " that has the flag"), projectFlag(set)
		return func(arguments []string) error {
			from := "FILE"
			if *db != "" {
				from = "KEY"
			}
			name, err := one(from, arguments)
			if err = cmp.Or(err, checkFormat(*format)); err != nil {
				return err
			}
			var f flagstage.StoredFlag
			switch {
			case *db != "":
				f, err = p.storedFlag(*db, *project, name)
			case *project != "":
				return usagef("--project is for a flag in a store; name that with --db")
			default:
				f.Flag, err = p.flag(name)
			}
			if err != nil {
				return err
			}
			return p.showFlag(f, *environment, *format)
		}
	},
}

// showFlag prints a flag, whose revision is 0 if it is in no store.
func (p *program) showFlag(f flagstage.StoredFlag, environment, format string) error {
	keys := f.EnvironmentKeys()
	if environment != "" {
		if _, err := inEnvironment(f.Flag, environment); err != nil {
			return err
		}
		keys = []string{environment}
	}
	if format == "json" {
		if environment != "" {
			e, _ := f.Environment(environment)
			return p.printJSON(e.AppendJSON(nil))
		}
		return p.printDocument(f.AppendJSON(nil))
	}
	rows := [][]string{{"Key", f.Key()}, {"Name", f.Name()}}
	row := func(what, text string) {
		if text != "" {
			rows = append(rows, []string{what, text})
		}
	}
	row("Description", f.Description())
	row("Kind", string(f.Kind()))
	row("Version", strconv.FormatInt(f.Version(), 10))
	if f.Revision != 0 {
		row("Revision", strconv.FormatInt(f.Revision, 10))
	}
	row("Tags", strings.Join(f.Tags(), ", "))
	row("State", strings.Join(states(f.Flag), ", "))
	for i, v := range f.Variations() {
		row("Variation "+strconv.Itoa(i), strings.TrimSpace(v.Name+"  "+v.Value.String()+"  "+v.ID))
	}
	for _, key := range keys {
		e, _ := f.Environment(key)
		rows = append(rows, []string{""}, []string{"Environment", e.Key()})
		rows = append(rows, environmentInWords(f.Flag, e)...)
	}
	return p.printTable(rows)
}

// states says how far a flag is through its life.
func states(f flags.Flag) (list []string) {
	if f.Temporary() {
		list = append(list, "temporary")
	}
	if f.Deprecated() {
		list = append(list, "deprecated")
	}
	if f.Archived() {
		list = append(list, "archived")
	}
	if f.Deleted() {
		list = append(list, "deleted")
	}
	return list
}

func environmentInWords(f flags.Flag, e flags.Environment) [][]string {
	rows := [][]string{{"Targeting", onOrOff(e)}}
	for p := range e.Prerequisites() {
		rows = append(rows, []string{"Requires", fmt.Sprintf("flag %s serving its variation %d", p.Key, p.Variation)})
	}
	for t := range e.Targets() {
		rows = append(rows, []string{"Targets", fmt.Sprintf("%d of kind %s get %s", t.Len(), t.ContextKind(), f.Called(t.Variation()))})
	}
	for i, rule := range e.Rules() {
		text := f.RuleInWords(rule)
		if rule.Disabled() {
			text = "(disabled) " + text
		}
		rows = append(rows, []string{"Rule " + strconv.Itoa(i+1), text})
		if rule.Description() != "" {
			rows = append(rows, []string{"", rule.Description()})
		}
	}
	rows = append(rows, []string{"Otherwise", f.InWords(e.Fallthrough())})
	if off, ok := e.OffVariation(); ok {
		rows = append(rows, []string{"While off", f.Called(off)})
	}
	return rows
}

var flagApplyCommand = command{
	name: "flag apply", arguments: "FILE PATCH [--environment KEY] [--other FILE]… [--now RFC3339] [--seed N]",
	summary: "apply instructions to a flag, and print the flag that comes of it",
	help: `Applies a semantic patch to a flag, all of it or nothing, and prints the new
flag; FILE stays as it is. PATCH is an object with instructions, and perhaps
environmentKey, comment and newIds, or the array of instructions. What it adds
gets the identifiers in newIds, which flag diff writes, or else new ones.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		environment, others := environmentFlag(set, " that is changed (default: the patch's environmentKey)"), otherFlag(set)
		now := set.String("now", "", "`RFC3339`: the instant of the change, as in 2026-10-22T09:00:00+02:00 (default now)")
		seed := set.String("seed", "", "a `NUMBER` from which identifiers are made, so that they repeat (default: random ones)")
		return func(files []string) error { return p.applyPatch(files, *environment, *others, *now, *seed) }
	},
}

// oneStdin refuses to read standard input twice.
func oneStdin(files []string) error {
	if i := slices.Index(files, "-"); i >= 0 && slices.Contains(files[i+1:], "-") {
		return usagef("standard input can be read only once")
	}
	return nil
}

func (p *program) applyPatch(arguments []string, environment string, others fileList, now, seed string) error {
	if len(arguments) != 2 {
		return usagef("a FILE and a PATCH are wanted, %d are given", len(arguments))
	}
	if err := oneStdin(append(slices.Clone(arguments), others...)); err != nil {
		return err
	}
	how := flags.Application{Environment: environment, Now: p.clock.Now(), IDs: flagstage.RandomIDs()}
	if now != "" {
		at, err := parseInstant("--now", now)
		if err != nil {
			return err
		}
		how.Now = at
	}
	if seed != "" {
		n, err := strconv.ParseUint(seed, 10, 64)
		if err != nil {
			return usagef("--seed %s is no number from 0 on", strictjson.Quote(seed))
		}
		how.IDs = flagstage.SeededIDs(n)
	}
	list, err := p.flags(append([]string{arguments[0]}, others...)...)
	if err != nil {
		return err
	}
	how.Others = flags.NewFlagSet(list[1:]...)
	if environment != "" {
		if _, err := inEnvironment(list[0], environment); err != nil {
			return err
		}
	}
	patch, err := p.patch(arguments[1], environment)
	if err != nil {
		return err
	}
	how.Environment = patch.Environment
	if len(patch.NewIDs) > 0 {
		how.IDs = patch.IDs()
	}
	f, err := flags.Apply(list[0], patch.Instructions, how)
	if err != nil {
		return p.inapplicable(patch, err)
	}
	return p.printDocument(f.AppendJSON(nil))
}

// patchFile is a patch that was read from a file.
type patchFile struct {
	flags.Patch
	file string
	bare bool // the array of the instructions alone
}

// patch reads a patch, and prints problems. It is for the environment, which the
// patch may name too; that of the patch if it is "".
func (p *program) patch(file, environment string) (patchFile, error) {
	document, err := p.read(file)
	if err != nil {
		return patchFile{}, err
	}
	patch, problems := flags.DecodePatch(document)
	if err := p.report(file, problems); err != nil {
		return patchFile{}, err
	}
	switch {
	case environment == "":
	case patch.Environment == "":
		patch.Environment = environment
	case patch.Environment != environment:
		return patchFile{}, usagef("--environment is %s, but the patch is for %s", strictjson.Quote(environment), strictjson.Quote(patch.Environment))
	}
	return patchFile{patch, file, bytes.HasPrefix(bytes.TrimLeft(document, " \t\r\n"), []byte("["))}, nil
}

// inapplicable says where a patch cannot be applied, if the error does.
func (p *program) inapplicable(patch patchFile, err error) error {
	var wrong *flags.ApplyError
	if !errors.As(err, &wrong) || wrong.Index < 0 || wrong.Err != nil {
		return err
	}
	problem := wrong.Problem
	problem.Pointer = "/" + strconv.Itoa(wrong.Index) + problem.Pointer
	if !patch.bare {
		problem.Pointer = "/instructions" + problem.Pointer
	}
	return p.report(patch.file, flagstage.Problems{problem})
}

// parseInstant reads an instant that a flag gives.
func parseInstant(name, text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if year := at.UTC().Year(); err != nil || year < 1970 || year > 9999 {
		return at, usagef("%s %s is no instant such as 2026-10-22T09:00:00+02:00, in the years 1970 to 9999", name, strictjson.Quote(text))
	}
	return at, nil
}

var flagDiffCommand = command{
	name: "flag diff", arguments: "FROM TO [--environment KEY] [--other FILE]… [--format text|json] [--no-ids]",
	summary: "say in what two flags differ, in words or as instructions",
	help: `Says in what two states of a flag differ: in words, or with --format json as the
semantic patch that turns FROM into TO in one environment, for flag apply. In
JSON, the environment must be given if they differ in several. If the patch adds
rules, clauses or variations, its member newIds says which identifiers they have
in TO; --no-ids leaves it out, for APIs that do not know it and make their own.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		environment, others, format := environmentFlag(set, " to look at (default all)"), otherFlag(set), formatFlag(set)
		noIDs := set.Bool("no-ids", false, "print the patch without newIds, as the published API takes it")
		return func(files []string) error { return p.diff(files, *environment, *others, *format, *noIDs) }
	},
}

func (p *program) diff(arguments []string, environment string, others fileList, format string, noIDs bool) error {
	if len(arguments) != 2 {
		return usagef("FROM and TO are wanted, %d are given", len(arguments))
	}
	if err := checkFormat(format); err != nil {
		return err
	}
	list, err := p.flags(append(slices.Clone(arguments), others...)...)
	if err != nil {
		return err
	}
	from, to := list[0], list[1]
	if environment != "" {
		for _, f := range list[:2] {
			if _, err := inEnvironment(f, environment); err != nil {
				return err
			}
		}
	}
	changes := flags.DescribeChange(from, to)
	if environment != "" {
		changes = slices.DeleteFunc(changes, func(c flags.Change) bool { return c.Environment != "" && c.Environment != environment })
	}
	if format == "text" {
		var b strings.Builder
		for _, c := range changes {
			b.WriteString(escape.Terminal(c.String()) + "\n")
		}
		return p.print(b.String())
	}
	if environment == "" {
		var differ []string
		for _, c := range changes {
			if c.Environment != "" && !slices.Contains(differ, c.Environment) {
				differ = append(differ, c.Environment)
			}
		}
		if len(differ) > 1 {
			return usagef("they differ in several environments; choose one with --environment: %s", strings.Join(differ, ", "))
		}
		environment = strings.Join(differ, "")
	}
	patch, err := flags.Diff(from, to, environment, flags.NewFlagSet(list[2:]...))
	if err != nil {
		return err
	}
	if noIDs {
		if patch.NeedsIDs() {
			return errors.New("the patch cannot do without newIds: an instruction names what an earlier one adds; use it with flag apply, or make the change in two steps")
		}
		patch.NewIDs = nil
	}
	return p.printDocument(patch.AppendJSON(nil))
}

// printDocument prints a document that can be read again: with one member a
// line, unless that makes it too large.
func (p *program) printDocument(document []byte) error {
	if len(document) > strictjson.MaxDocument {
		return fmt.Errorf("the result has %d bytes; no more than %d can be read again", len(document), strictjson.MaxDocument)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, document, "", "  "); err != nil {
		return err
	}
	text := escape.JSON(b.String()) + "\n"
	if len(text) > strictjson.MaxDocument {
		text = escape.JSON(string(document))
	}
	return p.print(text)
}
