package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// callFaults counts what becomes of calls of the system that fail, each in a
// run of its own.
type callFaults struct {
	fired    int
	told     int // runs in which an error was returned
	needless int // runs in which none was, but what failed was synced before
	silent   int // other runs in which none was
	died     int // runs that ended by a panic or a signal
	reopened
}

// sweptCalls are the calls that are made to fail.
var sweptCalls = []string{"write", "pwrite64", "fsync", "fdatasync", "openat", "renameat", "ftruncate", "read", "pread64", "flock"}

// sweepScript is what a process does in which a call fails.
var sweepScript = []string{
	"open", "commit 1", "commit 2", "compact", "commit 3", "close", "tear",
	"open", "commit 4", "commit 5", "compact", "commit 6", "close",
}

// sweep lets the first, the second, … call of a kind fail, each in a run of
// its own, until there are no more. With onward, all after it fail too.
func sweep(call, errno string, onward bool, dir string) (count callFaults, err error) {
	t := targets[0]
	place := filepath.Join(dir, "sweep")
	path := filepath.Join(place, "store.db")
	defer os.RemoveAll(place)
	fresh := func() error { return errors.Join(os.RemoveAll(place), os.Mkdir(place, 0o700)) }
	if err := fresh(); err != nil {
		return count, err
	}
	paths, err := pathsIn(dir, t, path, sweepScript)
	if err != nil {
		return count, err
	}
	if call == "write" || call == "pwrite64" || call == "ftruncate" {
		// what is written to the lock file only tells others who has it
		paths = slices.DeleteFunc(paths, func(p string) bool { return filepath.Ext(p) == ".lock" })
	}
	for n := 1; ; n++ {
		if err := fresh(); err != nil {
			return count, err
		}
		tried, err := try(fault{call, errno, n, onward, paths}, t, path, dir, sweepScript)
		if err != nil {
			return count, fmt.Errorf("%s at call %d of %s: %w", errno, n, call, err)
		}
		if !tried.fired {
			return count, nil
		}
		if err := count.add(tried, t, path); err != nil {
			return count, err
		}
	}
}

func (c *callFaults) add(tried trial, t target, path string) error {
	c.fired++
	told := false
	for _, s := range tried.steps {
		told = told || s.err != nil
	}
	switch {
	case tried.err != nil:
		c.died++
	case told:
		c.told++
	case tried.needless:
		c.needless++
	default:
		c.silent++
	}
	return c.look(t, path, acknowledged(tried.steps))
}

// syscalls prints what becomes of all the calls that fail.
func syscalls(o options, _ []string, _ io.Reader, out io.Writer) error {
	dir, remove, err := o.scratch()
	if err != nil {
		return err
	}
	defer remove()
	broken := false
	t := table{head: []string{"call", "error", "failed", "reported", "needless", "no error", "**panics**", "acknowledged", "**lost**", "**torn**", "**cannot be opened**"}}
	for _, call := range sweptCalls {
		for _, errno := range []string{"EIO", "ENOSPC"} {
			for _, onward := range []bool{false, true} {
				if onward && o.quick {
					continue
				}
				c, err := sweep(call, errno, onward, dir)
				if err != nil {
					return err
				}
				which := errno + ", once"
				if onward {
					which = errno + ", from then on"
				}
				t.add(call, which, c.fired, c.told, c.needless, c.silent, c.died, c.acknowledged, c.lost, c.torn, c.doesNotOpen)
				broken = broken || c.died+c.lost+c.torn+c.doesNotOpen > 0
			}
		}
	}
	if err := t.print(out, "The n-th call of flagstage fails, for each n"); err != nil {
		return err
	}
	return broke(broken)
}
