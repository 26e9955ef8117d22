package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// session does what it is told with one store, step by step:
//
//	wait         for the next step
//	tear         leave half a command at the end of the closed file, as a write
//	             does that is cut short
//	open, close
//	commit N     the transaction of this number
//	compact      if the store can
//	list         the numbers of the transactions that are there
//
// But for one key, each transaction writes keys of its own, so that it can be
// told from the others.
type session struct {
	target target
	path   string
	store  store
}

// scriptKeys is how many keys of its own a transaction has.
const scriptKeys = 3

func scriptWrites(n int) []write {
	value := strings.Repeat(fmt.Sprintf("%d.", n), 40)
	writes := []write{{key: "last", value: value}}
	for i := range scriptKeys {
		writes = append(writes, write{key: fmt.Sprintf("txn/%d/%d", n, i), value: value})
	}
	return writes
}

func (s *session) do(step string) (answer string, err error) {
	verb, rest, _ := strings.Cut(step, " ")
	switch verb {
	case "wait":
		return "", nil
	case "tear":
		return "", tear(s.path)
	case "open":
		s.store, err = s.target.open(s.path)
		return "", err
	}
	if s.store == nil {
		return "", errors.New("not open")
	}
	switch verb {
	case "commit":
		var n int
		if _, err := fmt.Sscan(rest, &n); err != nil {
			return "", err
		}
		return "", s.store.commit(scriptWrites(n))
	case "compact":
		c, ok := s.store.(compacter)
		if !ok {
			return "", fmt.Errorf("%s is not compacted", s.target.name)
		}
		return "", c.compact()
	case "list":
		return s.list()
	case "close":
		return "", s.store.close()
	}
	return "", fmt.Errorf("there is no step %q", step)
}

func tear(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if info, statErr := f.Stat(); statErr != nil || info.Size() == 0 {
		return errors.Join(statErr, f.Close()) // opening it failed before it was a store
	}
	_, err = f.WriteString("*3\r\n$3\r\nset\r\n$4\r\nla")
	return errors.Join(err, f.Close())
}

// list names the transactions that are there, and those that are there in
// part, with a question mark.
func (s *session) list() (string, error) {
	entries, err := s.store.read()
	if err != nil {
		return "", err
	}
	found := map[int]int{}
	for _, e := range entries {
		var n, i int
		if _, err := fmt.Sscanf(e.key, "txn/%d/%d", &n, &i); err != nil {
			continue
		}
		if slices.Contains(scriptWrites(n), write{key: e.key, value: e.value}) {
			found[n]++
		} else {
			found[n] -= scriptKeys // never whole
		}
	}
	var names []string
	for n, keys := range found {
		name := fmt.Sprint(n)
		if keys != scriptKeys {
			name += "?"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " "), nil
}

// script is the part that does the steps which it reads. It prints "begin"
// and the step before each, and then "ok" and its answer, or "error" and why.
func script(o options, _ []string, in io.Reader, out io.Writer) error {
	t, err := targetNamed(o.target)
	if err != nil {
		return err
	}
	if err := limitMemory(); err != nil {
		return err
	}
	// Faults are counted for each thread.
	runtime.LockOSThread()
	s := session{target: t, path: o.path}
	steps := bufio.NewScanner(in)
	for steps.Scan() {
		if _, err := fmt.Fprintln(out, "begin", steps.Text()); err != nil {
			return err
		}
		answer, err := s.do(steps.Text())
		if err != nil {
			_, err = fmt.Fprintf(out, "error %s\n", firstLine(err.Error()))
		} else {
			_, err = fmt.Fprintf(out, "ok %s\n", answer)
		}
		if err != nil {
			return err
		}
	}
	return steps.Err()
}

// step is what became of a step.
type step struct {
	name, answer string
	err          error
}

// readSteps reads what a script prints. The step that it died in, if it did,
// is there with an error.
func readSteps(c *child) (steps []step, err error) {
	for line := range c.lines() {
		word, rest, _ := strings.Cut(line, " ")
		last := len(steps) - 1
		switch {
		case word == "begin":
			steps = append(steps, step{name: rest, err: errDied})
		case word == "ok" && last >= 0:
			steps[last].answer, steps[last].err = rest, nil
		case word == "error" && last >= 0:
			steps[last].err = errors.New(rest)
		default:
			err = fmt.Errorf("a script printed %q", line)
		}
	}
	return steps, err
}

var errDied = errors.New("the process died")

// scriptArguments are those of a child that runs a script.
func scriptArguments(t target, path string) []string {
	return []string{"script", "-target", t.name, "-path", path}
}

// content is what of the transactions of scripts a file holds.
type content struct {
	whole map[int]bool
	torn  int
	err   error // it could not be read
}

// contentOf opens a file in a child and lists what is there.
func contentOf(t target, path string) (found content, err error) {
	c, err := startChild(strings.NewReader("open\nlist\nclose\n"), scriptArguments(t, path)...)
	if err != nil {
		return found, err
	}
	steps, err := readSteps(c)
	if err != nil {
		return found, err
	}
	found.err = c.wait()
	found.whole = map[int]bool{}
	for _, s := range steps {
		found.err = errors.Join(found.err, s.err)
		for _, name := range strings.Fields(s.answer) {
			n, torn := strings.CutSuffix(name, "?")
			if torn {
				found.torn++
				continue
			}
			number, err := strconv.Atoi(n)
			if err != nil {
				return found, err
			}
			found.whole[number] = true
		}
	}
	return found, nil
}

// missing counts the acknowledged transactions that are not there.
func (c content) missing(acknowledged []int) int {
	n := 0
	for _, a := range acknowledged {
		if !c.whole[a] {
			n++
		}
	}
	return n
}

// remote is a session in another process.
type remote struct {
	*child
	steps io.WriteCloser
	next  func() (string, bool)
	stop  func()
}

// newRemote starts a process and waits until it takes steps.
func newRemote(t target, path string) (*remote, error) {
	in, steps := io.Pipe()
	c, err := startChild(in, scriptArguments(t, path)...)
	if err != nil {
		return nil, err
	}
	next, stop := iter.Pull(c.lines())
	r := &remote{c, steps, next, stop}
	if _, err := r.do("wait"); err != nil {
		return nil, errors.Join(err, r.end())
	}
	return r, nil
}

func (r *remote) do(step string) (answer string, err error) {
	if _, err := fmt.Fprintln(r.steps, step); err != nil {
		return "", err
	}
	for {
		line, ok := r.next()
		if !ok {
			return "", errDied
		}
		switch word, rest, _ := strings.Cut(line, " "); word {
		case "ok":
			return rest, nil
		case "error":
			return "", errors.New(rest)
		}
	}
}

// end ends the process.
func (r *remote) end() error {
	r.steps.Close()
	r.stop()
	return r.wait()
}
