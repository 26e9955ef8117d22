// Command flagstage checks, keeps, simulates and runs staged releases of feature
// flags, and checks, changes, compares and evaluates flags.
//
//	flagstage validate FILE…
//	flagstage create FILE [--member ID] [--db PATH]
//	flagstage simulate FILE [--start RFC3339] [--zone NAME] [--approve-after 4h] [--format text|json]
//	flagstage import FILE --project KEY --environment KEY --flag KEY --db PATH
//	flagstage list --db PATH [--search TEXT] [--format text|json]
//	flagstage show KEY --db PATH [--format text|json]
//	flagstage replace FILE --revision N --db PATH [--member ID]
//	flagstage delete KEY --db PATH [--revision N]
//	flagstage flag validate FILE…
//	flagstage flag show (FILE | KEY --project KEY --db PATH) [--environment KEY] [--format text|json]
//	flagstage flag apply FILE PATCH [--environment KEY] [--other FILE]… [--now RFC3339] [--seed N]
//	flagstage flag diff FROM TO [--environment KEY] [--other FILE]… [--format text|json]
//	flagstage flag eval FILE --environment KEY --context JSON|FILE [--format text|json]
//	flagstage flag audience FROM TO --environment KEY --population N [--format text|json]
//	flagstage flag put FILE --project KEY --db PATH [--revision N] [--ignore-conflicts]
//	flagstage flag list --db PATH [--project KEY] [--format text|json]
//	flagstage flag patch KEY PATCH --project KEY [--environment KEY] --db PATH [--revision N] [--ignore-conflicts]
//	flagstage segment put FILE --project KEY --environment KEY --db PATH [--revision N]
//	flagstage segment list --project KEY --environment KEY --db PATH [--format text|json]
//	flagstage segment show KEY --project KEY --environment KEY --db PATH [--format text|json]
//	flagstage start KEY --flag KEY --db PATH [--param ID/PATH=VALUE]… [--dry-run] [--format text|json]
//	flagstage workflows --db PATH [--project KEY --environment KEY --flag KEY] [--status STATUS] [--format text|json]
//	flagstage status ID --db PATH [--format text|json]
//	flagstage timeline ID --db PATH [--format text|json]
//	flagstage review ID approve|decline|comment --db PATH [--comment TEXT] [--at POINTER] [--content HASH] [--member ID]
//	flagstage pause|resume ID --db PATH [--reason TEXT] [--member ID]
//	flagstage skip|retry|cancel ID --reason TEXT --db PATH [--member ID]
//	flagstage workflow delete ID --db PATH
//	flagstage purge --before RFC3339 --db PATH
//	flagstage tick --db PATH [--now RFC3339] [--format text|json]
//	flagstage run --db PATH [--poll 10s]
//	flagstage store verify|stats --db PATH [--format text|json]
//	flagstage store backup|salvage TARGET --db PATH
//	flagstage store compact --db PATH
//
// Run flagstage --help, or a command with --help, for what each does. The exit
// status is 0 when done, 1 when a document is invalid or something failed, and
// 2 when the command line is wrong.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // zones work on machines without a zone database

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/internal/escape"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// The exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	p := program{
		ctx: context.Background(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		clock: flagstage.SystemClock(), wait: wait, untilInterrupted: untilInterrupted,
	}
	os.Exit(p.run(os.Args[1:]))
}

// program is one run of the command, with all that it reaches of the world.
type program struct {
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
	clock          flagstage.Clock
	// wait waits for a while, or returns the error of a context that ends
	// before.
	wait func(context.Context, time.Duration) error
	// untilInterrupted returns a context that ends when somebody interrupts the
	// program, and what gives up waiting for that.
	untilInterrupted func(context.Context) (context.Context, context.CancelFunc)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// untilInterrupted returns a context that ends at the first signal. The second
// one ends the program.
func untilInterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// command is one of the commands, whose name is one word or two. Its flags are defined by setup, which
// returns what is then done with the files.
type command struct {
	name, arguments, summary, help string

	setup func(*program, *flag.FlagSet) func(files []string) error
}

var commands = []command{
	validateCommand, createCommand, simulateCommand, importCommand, listCommand, showCommand, replaceCommand, deleteCommand,
	flagValidateCommand, flagShowCommand, flagApplyCommand, flagDiffCommand, flagEvalCommand, flagAudienceCommand,
	flagPutCommand, flagListCommand, flagPatchCommand, segmentPutCommand, segmentListCommand, segmentShowCommand,
	startCommand, workflowsCommand, statusCommand, timelineCommand, reviewCommand,
	pauseCommand, resumeCommand, skipCommand, retryCommand, cancelCommand, workflowDeleteCommand, purgeCommand,
	tickCommand, runCommand,
	verifyCommand, statsCommand, backupCommand, salvageCommand, compactCommand,
}

const header = `flagstage checks, keeps, simulates and runs staged releases of feature flags, and
checks, changes, compares and evaluates flags.

Usage:
`

const footer = `
FILE is a request to create a workflow template, in JSON; validate and simulate
also take exported templates, import takes only those. FILE of the commands that
begin with "flag" and "segment" is a flag or segment as the API tells it. - is
standard input.
PATH is the file of a store, which keeps templates, flags, segments and workflows.
"flagstage COMMAND --help" tells more.
`

func (p *program) run(arguments []string) int {
	if len(arguments) == 0 {
		io.WriteString(p.stderr, commandList(commands))
		return exitUsage
	}
	name := arguments[0]
	if isHelp(name) {
		if len(arguments) > 1 && !isHelp(arguments[1]) {
			return p.run(append(slices.Clone(arguments[1:]), "--help"))
		}
		return p.help(commandList(commands))
	}
	var group []command // of commands whose names begin with this word
	for _, c := range commands {
		words := strings.Fields(c.name)
		if len(arguments) >= len(words) && slices.Equal(arguments[:len(words)], words) {
			return p.runCommand(c, arguments[len(words):])
		}
		if words[0] == name {
			group = append(group, c)
		}
	}
	where := "flagstage --help"
	switch {
	case len(group) > 0 && len(arguments) == 1:
		io.WriteString(p.stderr, commandList(group))
		return exitUsage
	case len(group) > 0 && isHelp(arguments[1]):
		return p.help(commandList(group))
	case len(group) > 0:
		name, where = name+" "+arguments[1], "flagstage "+name+" --help"
	}
	p.complain(fmt.Errorf("there is no command %s; see %s", strictjson.Quote(name), where))
	return exitUsage
}

func isHelp(word string) bool {
	return slices.Contains([]string{"--help", "-help", "-h", "help"}, word)
}

// help prints a help text, and returns the exit status.
func (p *program) help(text string) int {
	if err := p.print(text); err != nil {
		p.complain(err)
		return exitFailed
	}
	return exitDone
}

// commandList returns the help on several commands.
func commandList(list []command) string {
	var b strings.Builder
	b.WriteString(header)
	for _, c := range list {
		fmt.Fprintf(&b, "  flagstage %s %s\n        %s\n", c.name, c.arguments, c.summary)
	}
	b.WriteString(footer)
	return b.String()
}

// usageError is a command line that cannot be followed.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errInvalid says that something is invalid, and that what is wrong with it was
// already printed.
var errInvalid = errors.New("invalid")

func (p *program) runCommand(c command, arguments []string) int {
	set := flag.NewFlagSet(c.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	do := c.setup(p, set)
	files, err := parse(set, arguments)
	if errors.Is(err, flag.ErrHelp) {
		return p.help(commandHelp(c, set))
	}
	if err == nil {
		err = checkFilled(set, files)
	}
	if err == nil {
		err = do(files)
	}
	var wrong usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &wrong):
		p.complain(fmt.Errorf("%s: %w; see flagstage %s --help", c.name, err, c.name))
		return exitUsage
	case !errors.Is(err, errInvalid):
		p.complain(fmt.Errorf("%s: %w", c.name, err))
	}
	return exitFailed
}

// parse reads flags before, between and after the files, and returns the
// files.
func parse(set *flag.FlagSet, arguments []string) (files []string, err error) {
	for {
		if err := set.Parse(arguments); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usageError{err}
		}
		rest := set.Args()
		if parsed := len(arguments) - len(rest); parsed > 0 && arguments[parsed-1] == "--" {
			return append(files, rest...), nil
		}
		if len(rest) == 0 {
			return files, nil
		}
		files, arguments = append(files, rest[0]), rest[1:]
	}
}

// checkFilled refuses a flag or another argument that is empty, as the value of a
// shell's variable is which nobody has set: what would then happen is hardly what
// was meant. Texts for people may be empty.
func checkFilled(set *flag.FlagSet, files []string) (err error) {
	if slices.Contains(files, "") {
		return usagef("an argument is empty")
	}
	set.Visit(func(f *flag.Flag) {
		if text, ok := f.Value.(flag.Getter); ok && text.Get() == "" &&
			!slices.Contains([]string{"name", "description", "comment", "reason", "search"}, f.Name) {
			err = usagef("--%s is empty; give it a value, or leave it out", f.Name)
		}
	})
	return err
}

// commandHelp returns the help on one command.
func commandHelp(c command, set *flag.FlagSet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: flagstage %s %s\n\n%s", c.name, c.arguments, c.help)
	first := true
	set.VisitAll(func(f *flag.Flag) {
		if first {
			b.WriteString("\nFlags, before or after other arguments:\n")
			first = false
		}
		value, text := flag.UnquoteUsage(f)
		fmt.Fprintf(&b, "  %s\n        %s\n", strings.TrimSpace("--"+f.Name+" "+value), text)
	})
	return b.String()
}

// complain prints one line about an error.
func (p *program) complain(err error) {
	fmt.Fprintf(p.stderr, "flagstage: %s\n", escape.Terminal(err.Error()))
}

// complainOfAll prints a line for each of what a list cannot show. It returns
// errInvalid if there is any.
func complainOfAll[E error](p *program, command string, list []E) (err error) {
	for _, unreadable := range list {
		p.complain(fmt.Errorf("%s: %w", command, unreadable))
		err = errInvalid
	}
	return err
}

// one returns the only argument.
func one(what string, arguments []string) (string, error) {
	if len(arguments) != 1 {
		return "", usagef("one %s is wanted, %d are given", what, len(arguments))
	}
	return arguments[0], nil
}

// read returns the content of a file, - for standard input. What is beyond
// the size of a document is not read.
func (p *program) read(file string) ([]byte, error) {
	in := p.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, strictjson.MaxDocument+1))
}

// report prints problems. It returns errInvalid if there is an error among
// them.
func (p *program) report(file string, problems flagstage.Problems) error {
	var b strings.Builder
	for _, problem := range problems {
		message := problem.Message
		if problem.Severity == flagstage.SeverityWarning {
			message = "warning: " + message
		}
		line := fmt.Sprintf("%s:%s: %s [%s]", file, problem.Pointer, message, problem.Code)
		b.WriteString(escape.Terminal(line) + "\n")
	}
	io.WriteString(p.stderr, b.String())
	if problems.Err() != nil {
		return errInvalid
	}
	return nil
}

// printJSON prints a document with one member a line.
func (p *program) printJSON(document []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, document, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	return p.print(escape.JSON(b.String()))
}

func (p *program) print(text string) error {
	if text == "" {
		return nil
	}
	if _, err := io.WriteString(p.stdout, text); err != nil {
		return outputError{err}
	}
	return nil
}

// outputError says that something could not be printed.
type outputError struct{ error }

// afterwards returns the error of what changes something and then tells of it. If
// it could only not be told, the error says so.
func afterwards(err error) error {
	var untold outputError
	if errors.As(err, &untold) {
		return fmt.Errorf("it is done, but cannot be told: %w", err)
	}
	return err
}
