package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// fault makes the n-th call of a kind fail, or all from the n-th on.
type fault struct {
	call, err string
	n         int
	onward    bool
	paths     []string // only calls that have to do with these; nil: all
}

// trial is a script that ran under strace.
type trial struct {
	steps []step
	fired bool
	// at is the step in which the fault came. It is known only if the fault
	// has no paths.
	at int
	// needless: it was a sync of what had not changed since a sync before.
	needless bool
	err      error // how the process ended
	log      string
}

// straceOf returns where strace is.
func straceOf() (string, error) {
	path, err := exec.LookPath("strace")
	if err != nil {
		return "", errors.New("failing calls need strace, which is not installed: apt-get install strace")
	}
	return path, nil
}

// changing are the calls that change files and directories.
const changing = "write,pwrite64,ftruncate,fallocate,openat,?unlink,unlinkat,?rename,renameat"

var (
	callLine = regexp.MustCompile(`^(\d+) +(\w+)\((.*)`)
	resumed  = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)`)
	openFile = regexp.MustCompile(`^\d+<([^>]*)>`)
	quoted   = regexp.MustCompile(`"([^"]*)"`)
)

// find finds the fault in the log.
func (t *trial) find() {
	t.at = -1
	changed := map[string]bool{} // since they were synced
	begun := map[string]string{} // calls that another thread interrupted
	for line := range strings.Lines(t.log) {
		if m := resumed.FindStringSubmatch(line); m != nil {
			line = begun[m[1]] + m[2]
		} else if before, ok := strings.CutSuffix(strings.TrimSpace(line), "<unfinished ...>"); ok {
			thread, _, _ := strings.Cut(before, " ")
			begun[thread] = before
			continue
		}
		m := callLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name, arguments := m[2], m[3]
		var path string
		if m := openFile.FindStringSubmatch(arguments); m != nil {
			path = m[1]
		}
		if strings.Contains(arguments, `"begin `) {
			t.at++
		}
		if strings.Contains(arguments, "(INJECTED)") {
			t.fired = true
			t.needless = strings.HasSuffix(name, "sync") && !changed[path]
			return
		}
		switch name {
		case "fsync", "fdatasync":
			delete(changed, path)
		case "write", "pwrite64", "ftruncate", "fallocate":
			changed[path] = true
		default: // those that change directories
			for _, m := range quoted.FindAllStringSubmatch(arguments, -1) {
				changed[filepath.Dir(m[1])] = true
			}
		}
	}
}

// try runs a script with a fault. dir is for the log.
func try(f fault, t target, path, dir string, script []string) (tried trial, err error) {
	strace, err := straceOf()
	if err != nil {
		return tried, err
	}
	self, err := os.Executable()
	if err != nil {
		return tried, err
	}
	log := filepath.Join(dir, "strace.log")
	when := fmt.Sprint(f.n)
	if f.onward {
		when += "+"
	}
	command := []string{strace, "-f", "-qq", "-y", "-s", "64", "-o", log,
		"-e", "trace=" + changing + "," + f.call, "-e", fmt.Sprintf("inject=%s:error=%s:when=%s", f.call, f.err, when)}
	for _, p := range f.paths {
		command = append(command, "-P", p)
	}
	command = append(append(command, self), scriptArguments(t, path)...)
	c, err := start(strings.NewReader(strings.Join(script, "\n")+"\n"), silentBusy, command)
	if err != nil {
		return tried, err
	}
	tried.steps, err = readSteps(c)
	if err != nil {
		return tried, err
	}
	tried.err = c.wait()
	written, err := os.ReadFile(log)
	if err != nil {
		return tried, err
	}
	tried.log = string(written)
	tried.find()
	if len(tried.steps) != len(script) && tried.err == nil {
		return tried, fmt.Errorf("only %d of %d steps were done", len(tried.steps), len(script))
	}
	return tried, nil
}

// pathsIn returns the paths in or at a directory that a script has to do with.
func pathsIn(dir string, t target, path string, script []string) ([]string, error) {
	never := fault{call: "openat,renameat,renameat2,unlinkat", err: "EIO", n: 1 << 15}
	tried, err := try(never, t, path, dir, script)
	if err != nil {
		return nil, err
	}
	for _, s := range tried.steps {
		if s.err != nil {
			return nil, fmt.Errorf("without a fault, %s: %w", s.name, s.err)
		}
	}
	paths := []string{filepath.Dir(path)}
	for _, match := range quoted.FindAllStringSubmatch(tried.log, -1) {
		if strings.HasPrefix(match[1], filepath.Dir(path)+"/") {
			paths = append(paths, match[1])
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}
