// Command faults shows what stores do when things go wrong, and compares
// flagstage with other stores: files cut short or changed, failing calls of
// the system, killed processes, power cuts.
//
//	faults [-quick] [-seed N] [-dir DIR]
//	faults kill [-rounds N] [-seed N] [-dir DIR]
//	faults releases [-rounds N] [-seed N] [-dir DIR]
//	faults syscalls [-quick] [-dir DIR]
//	./powercut.sh [CYCLES]
//
// All that it prints was counted in the run that prints it. It runs on Linux,
// and needs strace for failing calls, and root for power cuts.
//
// The commands examine, script, writers, verify, release and shutdown are parts
// of the others: what runs in a process of its own.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/flagstage/flagstage"
)

// The exit statuses. A panic has another one, 2.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 3
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// options are the flags of all commands.
type options struct {
	seed       uint64
	quick      bool
	dir        string
	rounds     int
	path       string
	target     string
	log        string
	writers    int
	durability string
	compact    bool
	from       int64
	generation int
}

// define defines the flags that a command has.
func (o *options) define(set *flag.FlagSet, names string) {
	for _, name := range strings.Fields(names) {
		switch name {
		case "seed":
			set.Uint64Var(&o.seed, name, 1, "the `number` that all chance comes from")
		case "quick":
			set.BoolVar(&o.quick, name, false, "samples only, in less than a minute")
		case "dir":
			set.StringVar(&o.dir, name, "", "a `directory` for the files; in memory, if possible, unless it is given")
		case "rounds":
			set.IntVar(&o.rounds, name, 200, "`how many` processes are killed")
		case "path":
			set.StringVar(&o.path, name, "", "the store's `file`")
		case "target":
			set.StringVar(&o.target, name, "flagstage", "the kind of `store`")
		case "log":
			set.StringVar(&o.log, name, "", "the `file` with what writers printed, or with what a host was told")
		case "writers":
			set.IntVar(&o.writers, name, 4, "`how many` write at once")
		case "durability":
			set.StringVar(&o.durability, name, string(flagstage.DurabilityAlways), "the store's `durability`")
		case "from":
			set.Int64Var(&o.from, name, 0, "the `instant` at which the clock begins, in Unix milliseconds")
		case "generation":
			set.IntVar(&o.generation, name, 0, "the `number` of the flags that are released")
		case "compact":
			set.BoolVar(&o.compact, name, true, "compact the file sometimes")
		}
	}
}

// command is what can be asked for: its flags, how many other arguments it
// takes, and what it does.
type command struct {
	flags     string
	arguments int
	do        func(o options, arguments []string, in io.Reader, out io.Writer) error
}

var commands = map[string]command{
	"compare":  {"seed quick dir", 0, compare},
	"kill":     {"seed rounds dir", 0, kill},
	"syscalls": {"quick dir", 0, syscalls},
	"examine":  {"", 2, examine},
	"script":   {"target path", 0, script},
	"writers":  {"path seed writers durability compact", 0, writers},
	"releases": {"seed rounds dir", 0, releases},
	"release":  {"path log seed from generation", 0, release},
	"verify":   {"path log writers", 0, verify},
	"shutdown": {"", 2, shutdown},
}

// isCommand reports whether an argument is the name of a command.
func isCommand(argument string) bool {
	_, ok := commands[argument]
	return ok
}

func run(arguments []string, in io.Reader, out, complaints io.Writer) int {
	if runtime.GOOS != "linux" {
		fmt.Fprintln(complaints, "faults: this runs on Linux only")
		return exitFailed
	}
	name := "compare"
	if len(arguments) > 0 && isCommand(arguments[0]) {
		name, arguments = arguments[0], arguments[1:]
	}
	var o options
	set := flag.NewFlagSet("faults "+name, flag.ContinueOnError)
	set.SetOutput(complaints)
	o.define(set, commands[name].flags)
	switch err := set.Parse(arguments); {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		return exitUsage
	case set.NArg() != commands[name].arguments:
		fmt.Fprintf(complaints, "faults %s: %d arguments were given, not %d\n", name, set.NArg(), commands[name].arguments)
		return exitUsage
	}
	if err := commands[name].do(o, set.Args(), in, out); err != nil {
		fmt.Fprintln(complaints, "faults:", err)
		return exitFailed
	}
	return exitDone
}

// scratch makes a directory for files, and a function that removes it.
func (o options) scratch() (dir string, remove func(), err error) {
	parent := o.dir
	if parent == "" {
		parent = "/dev/shm" // most systems have a file system in memory there
		if info, err := os.Stat(parent); err != nil || !info.IsDir() {
			parent = os.TempDir()
		}
	}
	dir, err = os.MkdirTemp(parent, "faults-")
	return dir, func() { os.RemoveAll(dir) }, err
}
