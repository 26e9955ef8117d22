package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

var flagEvalCommand = command{
	name: "flag eval", arguments: "FILE --environment KEY --context JSON|FILE [--segments FILE]… [--flags FILE]… [--format text|json]",
	summary: "say what a flag serves to a context, and why",
	help: `Evaluates a flag for a context as LaunchDarkly's SDKs for servers do, and says
which variation it serves and why. A context is JSON such as
{"kind": "user", "key": "ada", "country": "no"}, or a file with it. Segments that
are not given contain nobody; prerequisites that are not given fail.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		environment, known, format := environmentFlag(set, " to evaluate in"), knownFlags(set), formatFlag(set)
		context := set.String("context", "", "the context: `JSON` that begins with a brace, or a file")
		return func(files []string) error {
			if err := checkFormat(*format); err != nil {
				return err
			}
			return p.evaluate(files, *environment, *context, known, *format)
		}
	},
}

// knownFiles are files of flags and segments that flags may name.
type knownFiles struct{ flags, segments fileList }

func knownFlags(set *flag.FlagSet) *knownFiles {
	k := new(knownFiles)
	const text = " that may be named, one, an array or a listing of the API; may be given several times"
	set.Var(&k.segments, "segments", "the `FILE` of segments"+text)
	set.Var(&k.flags, "flags", "the `FILE` of other flags"+text)
	return k
}

func (k *knownFiles) files() []string { return slices.Concat(k.segments, k.flags) }

// known reads the flags and segments that flags may name.
func (p *program) known(k *knownFiles) (flags.Known, error) {
	list, err := readAll(p, k.flags, flags.DecodeFlag)
	if err != nil {
		return flags.Known{}, err
	}
	segments, err := readAll(p, k.segments, flags.DecodeSegment)
	return flags.NewKnown(list, segments), err
}

// readAll reads documents of one kind from files, and prints problems.
func readAll[T any](p *program, files []string, decode func([]byte) (T, flagstage.Problems)) (list []T, err error) {
	for _, file := range files {
		document, err := p.read(file)
		if err != nil {
			return nil, err
		}
		more, problems := decodeAll(document, decode)
		if err := p.report(file, problems); err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// decodeAll reads one document, an array of them, or an object with them in the
// member items.
func decodeAll[T any](document []byte, decode func([]byte) (T, flagstage.Problems)) (list []T, problems flagstage.Problems) {
	d := strictjson.NewDecoder(document, problems.Report)
	listing := d.Kind() == strictjson.Object && d.BeginObject()
	if listing {
		_, items := d.Peek("items")
		listing = items == strictjson.Array
		for listing {
			if name, ok := d.NextMember(); !ok || name == "items" {
				break
			}
			d.Skip()
		}
	}
	if !listing && d.Kind() != strictjson.Array {
		one, problems := decode(document)
		return []T{one}, problems
	}
	for ok := d.BeginArray() && d.NextElement(); ok; ok = d.NextElement() {
		pointer := d.Pointer()
		text, _, ok := d.ReadValue()
		if !ok {
			continue
		}
		one, more := decode([]byte(text))
		for _, problem := range more {
			if problem.Omitted == 0 {
				problem.Pointer = pointer + problem.Pointer
			}
			problems.Add(problem)
		}
		list = append(list, one)
	}
	for listing {
		if _, listing = d.NextMember(); listing {
			d.Skip()
		}
	}
	d.End()
	if err := d.Err(); err != nil {
		problems.Report(err.Pointer, err.Code, err.Message)
	}
	return list, problems
}

// context reads the context that a flag gives, and prints problems.
func (p *program) context(given string) (flags.Context, error) {
	document, name := []byte(given), "--context"
	if !isJSON(given) {
		var err error
		if document, err = p.read(given); err != nil {
			return flags.Context{}, fmt.Errorf("--context is neither JSON that begins with a brace nor a file: %w", err)
		}
		name = given
	}
	c, problems := flags.DecodeContext(document)
	return c, p.report(name, problems)
}

// isJSON reports whether a context stands in the command line itself.
func isJSON(given string) bool { return strings.HasPrefix(strings.TrimLeft(given, " \t\r\n"), "{") }

func (p *program) evaluate(files []string, environment, context string, known *knownFiles, format string) error {
	file, err := one("FILE", files)
	if err != nil {
		return err
	}
	all := append(known.files(), file)
	switch {
	case environment == "":
		return usagef("--environment is missing; name the one to evaluate in")
	case context == "":
		return usagef("--context is missing; give one as JSON or in a file")
	case !isJSON(context):
		all = append(all, context)
	}
	if err := oneStdin(all); err != nil {
		return err
	}
	f, err := p.flag(file)
	if err != nil {
		return err
	}
	e, err := inEnvironment(f, environment)
	if err != nil {
		return err
	}
	c, err := p.context(context)
	if err != nil {
		return err
	}
	lookup, err := p.known(known)
	if err != nil {
		return err
	}
	result := flags.Evaluate(f, environment, c, lookup)
	if format == "json" {
		return p.printJSON(result.AppendJSON(nil))
	}
	rows := [][]string{{"Serves", calledOrNothing(f, result.Variation)}}
	if result.Variation >= 0 {
		rows = append(rows, []string{"Value", result.Value.String()}, []string{"Variation", strconv.Itoa(result.Variation)})
	}
	rows = append(rows, []string{"Because", result.Reason.String()})
	for i, rule := range e.Rules() {
		if i == result.Reason.RuleIndex {
			rows = append(rows, []string{"Rule " + strconv.Itoa(i+1), f.RuleInWords(rule)})
		}
	}
	return p.printTable(rows)
}

// calledOrNothing returns what people call a variation.
func calledOrNothing(f flags.Flag, variation int) string {
	if variation < 0 {
		return "nothing: programs use the value that they have for this"
	}
	return f.Called(variation)
}

var flagAudienceCommand = command{
	name: "flag audience", arguments: "FROM TO --environment KEY (--population N [--seed S] [--kind KIND] [--attributes SPEC]… | --contexts FILE) [--segments FILE]… [--flags FILE]… [--format text|json]",
	summary: "count whom a change of a flag reaches",
	help: `Evaluates two states of a flag for many contexts, and counts how many get which
variation, how many switch, and by which rule. The contexts stand in a file, one
JSON in each line, or are made up: N of one kind, with attributes by shares.
Contexts of several kinds at once can stand in a file only. A SPEC such as
country=no:30,se:70 gives three tenths of them the country "no" and seven tenths
"se"; without shares all are equal. A value is JSON if it can be, as in
beta=true:5,null:95, where null stands for no attribute, and else a text. Several
SPECs may be joined by semicolons.
`,
	setup: func(p *program, set *flag.FlagSet) func([]string) error {
		var f audienceFlags
		f.environment, f.known, f.format = environmentFlag(set, " to evaluate in"), knownFlags(set), formatFlag(set)
		set.StringVar(&f.population, "population", "", "the `NUMBER` of contexts that are made up")
		set.StringVar(&f.seed, "seed", "1", "the `NUMBER` that decides who is made up; the same gives the same (default 1)")
		set.StringVar(&f.kind, "kind", "user", "the `KIND` of the contexts that are made up (default user)")
		set.Var(&f.attributes, "attributes", "`SPEC` of an attribute and its values by shares; may be given several times")
		set.StringVar(&f.contexts, "contexts", "", "the `FILE` of contexts, one in each line, instead of a population")
		return func(files []string) error { return p.audience(files, f) }
	},
}

type audienceFlags struct {
	environment, format              *string
	known                            *knownFiles
	population, seed, kind, contexts string
	attributes                       fileList
}

func (p *program) audience(files []string, f audienceFlags) error {
	if len(files) != 2 {
		return usagef("FROM and TO are wanted, %d are given", len(files))
	}
	if err := checkFormat(*f.format); err != nil {
		return err
	}
	switch {
	case *f.environment == "":
		return usagef("--environment is missing; name the one to evaluate in")
	case (f.population == "") == (f.contexts == ""):
		return usagef("give either --population or --contexts")
	}
	all := append(f.known.files(), files...)
	if f.contexts != "" {
		all = append(all, f.contexts)
	}
	if err := oneStdin(all); err != nil {
		return err
	}
	made, err := f.people()
	if err != nil {
		return err
	}
	list, err := p.flags(files...)
	if err != nil {
		return err
	}
	from, to := list[0], list[1]
	for _, flag := range list {
		if _, err := inEnvironment(flag, *f.environment); err != nil {
			return err
		}
	}
	known, err := p.known(f.known)
	if err != nil {
		return err
	}
	contexts, failed := made.Contexts(), error(nil)
	if f.contexts != "" {
		contexts = p.contexts(f.contexts, &failed)
	}
	a := flags.Survey(from, to, *f.environment, contexts, known)
	switch {
	case failed != nil:
		return failed
	case *f.format == "json":
		return p.printJSON(a.AppendJSON(nil))
	}
	return p.printAudience(from, to, a)
}

// people returns the contexts that are to be made up.
func (f *audienceFlags) people() (flags.Population, error) {
	if f.population == "" {
		return flags.Population{}, nil
	}
	size, err := strconv.Atoi(f.population)
	if err != nil || size < 0 {
		return flags.Population{}, usagef("--population %s is no number from 0 on", strictjson.Quote(f.population))
	}
	seed, err := strconv.ParseUint(f.seed, 10, 64)
	if err != nil {
		return flags.Population{}, usagef("--seed %s is no number from 0 on", strictjson.Quote(f.seed))
	}
	var attributes []flags.AttributeShares
	for _, spec := range f.attributes {
		more, err := parseShares(spec)
		if err != nil {
			return flags.Population{}, err
		}
		attributes = append(attributes, more...)
	}
	made, err := flags.NewPopulation(f.kind, size, seed, attributes...)
	if err != nil {
		return made, usageError{err}
	}
	return made, nil
}

// parseShares reads attributes such as country=no:30,se:70, with semicolons
// between them.
func parseShares(spec string) (list []flags.AttributeShares, err error) {
	for _, text := range splitOutsideQuotes(spec, ';') {
		name, values, ok := strings.Cut(text, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, usagef("--attributes %s has not the form NAME=VALUE:SHARE,…", strictjson.Quote(text))
		}
		a := flags.AttributeShares{Name: name}
		for _, text := range splitOutsideQuotes(values, ',') {
			share := flags.ValueShare{Weight: 1}
			if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, `"`) {
				if share.Weight, err = strconv.Atoi(text[i+1:]); err != nil {
					return nil, usagef("--attributes: the share of %s is no integer", strictjson.Quote(text))
				}
				text = text[:i]
			}
			if share.Value, err = flags.ParseValue(text); err != nil {
				share.Value = flags.StringValue(text)
			}
			a.Values = append(a.Values, share)
		}
		list = append(list, a)
	}
	return list, nil
}

// splitOutsideQuotes splits a text where the separator stands outside of JSON
// strings.
func splitOutsideQuotes(text string, separator byte) (parts []string) {
	quoted, begin := false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == separator && !quoted:
			parts, begin = append(parts, text[begin:i]), i+1
		}
	}
	return append(parts, text[begin:])
}

// contexts goes through the contexts in a file, which are not kept. What goes
// wrong ends it and stands in failed then.
func (p *program) contexts(file string, failed *error) iter.Seq[flags.Context] {
	return func(yield func(flags.Context) bool) {
		in := p.stdin
		if file != "-" {
			f, err := os.Open(file)
			if err != nil {
				*failed = err
				return
			}
			defer f.Close()
			in = f
		}
		*failed = p.eachContext(file, in, yield)
	}
}

// eachContext reads contexts line by line, and prints problems.
func (p *program) eachContext(file string, in io.Reader, yield func(flags.Context) bool) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), strictjson.MaxDocument+2)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		c, problems := flags.DecodeContext(lines.Bytes())
		if err := p.report(file+":"+strconv.Itoa(n), problems); err != nil {
			return err
		}
		if !yield(c) {
			return nil
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%s: a line has more than %d bytes", file, strictjson.MaxDocument)
	} else if err != nil {
		return err
	}
	return nil
}

// printAudience prints whom a change reaches.
func (p *program) printAudience(from, to flags.Flag, a flags.Audience) error {
	rows := [][]string{{"VARIATION", "BEFORE", "AFTER", "STAY", "LEAVE", "COME"}}
	for _, s := range a.Shares {
		called := "nothing"
		switch {
		case s.To >= 0:
			called = to.Called(s.To)
		case s.From >= 0:
			called = from.Called(s.From)
		}
		row := []string{called}
		for _, n := range []int{s.Before, s.After, s.Stay, s.Before - s.Stay, s.After - s.Stay} {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, row)
	}
	if err := p.printTable(rows); err != nil {
		return err
	}
	if err := p.print(fmt.Sprintf("\n%d of %d contexts switch to another variation.\n", a.Switched(), a.Contexts)); err != nil {
		return err
	}
	rows = [][]string{{"CONTEXTS", "BEFORE", "AFTER"}}
	for _, m := range a.Moves {
		mark := "stay"
		if m.Switches() {
			mark = "switch"
		}
		rows = append(rows, []string{strconv.Itoa(m.Contexts), outcome(from, m.From), outcome(to, m.To), mark})
	}
	if len(a.Moves) == 0 {
		return nil
	}
	if err := p.print("\n"); err != nil {
		return err
	}
	return p.printTable(rows)
}

// outcome says in few words what is served and by what.
func outcome(f flags.Flag, e flags.Evaluation) string {
	what := "nothing"
	if e.Variation >= 0 {
		what = f.Called(e.Variation)
	}
	return what + " (" + cause(e.Reason) + ")"
}

func cause(r flags.Reason) string {
	switch r.Kind {
	case flags.ReasonOff:
		return "off"
	case flags.ReasonFallthrough:
		return "default rule"
	case flags.ReasonTargetMatch:
		return "target"
	case flags.ReasonRuleMatch:
		return "rule " + strconv.Itoa(r.RuleIndex+1)
	case flags.ReasonPrerequisiteFailed:
		return "prerequisite " + r.PrerequisiteKey
	}
	return r.String()
}
