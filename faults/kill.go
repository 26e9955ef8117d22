package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/flagstage/flagstage"
)

// killed counts what processes that were killed leave.
type killed struct {
	tried, early int // early: before the store was open
	*audit
}

// killWriters is how many write at once.
const killWriters = 4

// kill kills writers at random moments, again and again with the same file,
// and prints what is missing.
func kill(o options, _ []string, _ io.Reader, out io.Writer) error {
	if o.rounds < 1 {
		return fmt.Errorf("%d processes cannot be killed; give -rounds 1 or more", o.rounds)
	}
	dir, remove, err := o.scratch()
	if err != nil {
		return err
	}
	defer remove()
	count, err := killRounds(o.seed, o.rounds, dir)
	if err != nil {
		return err
	}
	t := table{head: []string{"kills", "while opening", "acknowledged", "compacted", "lost", "torn", "revisions out of order"}}
	t.add(count.tried, count.early, count.acknowledged, count.compacted, count.lost, count.torn, count.disordered)
	if err := t.print(out, "flagstage's process is killed (SIGKILL)"); err != nil {
		return err
	}
	return broke(count.lost+count.torn+count.disordered > 0)
}

// broke is the error of a command that found flagstage wanting.
func broke(broken bool) error {
	if broken {
		return errors.New("flagstage broke a promise: see the table")
	}
	return nil
}

func killRounds(seed uint64, rounds int, dir string) (killed, error) {
	random := rand.New(rand.NewPCG(seed, 1))
	count := killed{audit: newAudit()}
	path := filepath.Join(dir, "store.db")
	for round := range rounds {
		err := count.kill(random, path)
		if err == nil && (random.IntN(2) == 0 || round == rounds-1) { // otherwise the next one opens what is there
			err = count.look(path)
		}
		if err != nil {
			return count, fmt.Errorf("round %d with seed %d: %w", round+1, seed, err)
		}
	}
	return count, nil
}

// killAfter is after how many acknowledgements a process is killed at the
// latest.
const killAfter = 150

// kill starts writers and kills them.
func (k *killed) kill(random *rand.Rand, path string) error {
	k.tried++
	open, err := killChild(random, killAfter, k.note, "writers", "-path", path, "-writers", fmt.Sprint(killWriters), "-seed", fmt.Sprint(random.Uint64()))
	if !open {
		k.early++
	}
	return err
}

// killChild starts a child and kills it at a random moment: after so many lines at
// the latest, each of which is noted, or before it says that it is open, which is
// told. It is an error if the child ends otherwise, or a line is none.
func killChild(random *rand.Rand, most int, note func(line string) error, arguments ...string) (open bool, err error) {
	c, err := startChild(nil, arguments...)
	if err != nil {
		return false, err
	}
	end := func() { c.Process.Kill() }
	left := 1 + random.IntN(most)
	delay := time.Duration(random.Int64N(int64(3 * time.Millisecond)))
	if random.IntN(8) == 0 { // some are killed before they are open
		time.AfterFunc(10*delay, end)
	}
	var wrong error
	for line := range c.lines() {
		open = open || line == "open"
		wrong = errors.Join(wrong, note(line))
		if left--; left == 0 {
			time.AfterFunc(delay, end)
		}
	}
	ended := c.wait()
	if c.killed() || c.ProcessState.ExitCode() != -1 || wrong != nil {
		return open, errors.Join(fmt.Errorf("the process of %s ended by itself", arguments[0]), ended, wrong)
	}
	return open, nil
}

// look holds the store against what was promised.
func (k *killed) look(path string) error {
	store, err := flagstage.OpenStore(path, flagstage.DurabilityAlways)
	if err != nil {
		return err
	}
	_, err = k.check(store, killWriters)
	return errors.Join(err, store.Close())
}
