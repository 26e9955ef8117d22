package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// child is a process that runs this program again, so that it may die, hang or
// be killed. It is killed when it is silent for too long.
type child struct {
	*exec.Cmd
	out    io.ReadCloser
	stderr bytes.Buffer
	busy   time.Duration // processor time that it may take between two lines
	said   atomic.Int64  // lines so far
	kill   atomic.Bool
	stop   chan struct{}
}

// How long a child may be silent: so much of its processor's time if it
// computes, so much on the clock if it waits.
const (
	silentBusy    = 2 * time.Second
	silentWaiting = time.Minute
)

// lookEvery is how often a child is looked at.
const lookEvery = silentBusy / 8

// startChild starts this program with other arguments.
func startChild(in io.Reader, arguments ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(in, silentBusy, append([]string{self}, arguments...))
}

func start(in io.Reader, busy time.Duration, command []string) (*child, error) {
	c := &child{Cmd: exec.Command(command[0], command[1:]...), busy: busy, stop: make(chan struct{})}
	c.Stdin, c.Stderr = in, &c.stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = out
	if err := c.Start(); err != nil {
		return nil, err
	}
	go c.watch()
	return c, nil
}

// watch kills the child when it is silent for too long.
func (c *child) watch() {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	said, waited, busy := c.said.Load(), time.Duration(0), processorTime(c.Process.Pid)
	for {
		select {
		case <-c.stop:
			return
		case <-look.C:
		}
		now := processorTime(c.Process.Pid)
		if n := c.said.Load(); n != said {
			said, waited, busy = n, 0, now
			continue
		}
		if waited += lookEvery; now-busy > c.busy || waited > silentWaiting {
			c.kill.Store(true)
			c.Process.Kill()
			return
		}
	}
}

// lines yields what the child prints, until it ends.
func (c *child) lines() iter.Seq[string] {
	return func(yield func(string) bool) {
		scanner := bufio.NewScanner(c.out)
		for scanner.Scan() {
			c.said.Add(1)
			if !yield(scanner.Text()) {
				return
			}
		}
	}
}

// killed reports whether the child was silent for too long. It holds after
// wait.
func (c *child) killed() bool { return c.kill.Load() }

// wait waits for the end of the child. The error tells how it ended and what
// it said last.
func (c *child) wait() error {
	err := c.Wait()
	close(c.stop)
	if err == nil {
		return nil
	}
	if c.killed() {
		return errors.New("the child was silent for too long and was killed")
	}
	return fmt.Errorf("%w: %s", err, firstLine(c.stderr.String()))
}

// complained reports whether a child ended with an error of its own, and not
// by a panic or a signal.
func complained(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == exitFailed
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// processorTime returns how long a process has computed; 0 if it is gone.
func processorTime(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The fields after the name, which may hold anything, in parentheses.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var user, system int64
	fmt.Sscan(fields[11], &user)
	fmt.Sscan(fields[12], &system)
	return time.Duration(user+system) * (time.Second / 100)
}

// spareMemory is how much memory a child may ask for beside what it has.
const spareMemory = 2 << 30

// limitMemory keeps this process from asking for much more memory.
func limitMemory() error {
	stat, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	var pages uint64
	if _, err := fmt.Sscan(string(stat), &pages); err != nil {
		return err
	}
	limit := pages*uint64(os.Getpagesize()) + spareMemory
	return unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: limit, Max: limit})
}
