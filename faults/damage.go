package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
)

// damage is a way to damage a file.
type damage string

// The damages.
const (
	cutShort damage = "cut"    // the end is missing
	zeroTail damage = "zeroed" // the end is zero bytes, as a file that was made longer and not written
	oneByte  damage = "byte"   // one byte has another value
)

// outcome is what a store does with a damaged file.
type outcome string

// The outcomes.
const (
	refused outcome = "refused" // an error says that something is wrong, and the file is left alone
	altered outcome = "altered" // an error says so, and the file is another one now
	intact  outcome = "intact"  // it opens, and nothing is missing
	older   outcome = "older"   // it opens, and holds the first so many whole transactions
	wrong   outcome = "wrong"   // it opens, and holds something else
	crashed outcome = "crashed" // the process dies: panic, fault, out of memory
	hung    outcome = "hung"    // it computes for ever
)

// experiment damages a sample in many ways, one after the other.
type experiment struct {
	Sample sample
	Damage damage
	// Cases is how many. If All, each possible damage is one, otherwise they
	// are spread evenly over the file, and the values of bytes are drawn.
	Cases int
	All   bool
	Seed  uint64
	Dir   string
}

func newExperiment(s sample, d damage, size scale, seed uint64, dir string) (experiment, error) {
	possible, some := len(s.File), size.cuts
	if d == oneByte {
		possible, some = 255*len(s.File), size.changes
	}
	t, err := targetNamed(s.Target)
	e := experiment{Sample: s, Damage: d, Cases: possible, All: t.appends && possible <= size.all, Seed: seed, Dir: dir}
	if d == oneByte && s.State == leftOpen {
		e.All = false // it differs from the closed one at its end only
	}
	if !e.All {
		e.Cases = min(possible, some)
	}
	return e, err
}

// damaged returns the file with the i-th damage, and how many transactions
// must still be there if the store only appends.
func (e *experiment) damaged(i int) (file []byte, least int) {
	size := len(e.Sample.File)
	offset, change := i*size/e.Cases, byte(0)
	if e.Damage == oneByte {
		change = byte(1 + rand.New(rand.NewPCG(e.Seed, uint64(i))).IntN(255))
		if e.All {
			offset, change = i/255, byte(1+i%255)
		}
	}
	file = bytes.Clone(e.Sample.File)
	switch e.Damage {
	case cutShort:
		return file[:offset], e.Sample.whole(offset)
	case zeroTail:
		clear(file[offset:])
		return file, e.Sample.whole(offset)
	case oneByte:
		file[offset] ^= change
	}
	return file, 0
}

// examine writes a damaged file, opens it, reads everything, and goes on with
// it: a store that takes a file for whole must be able to write to it.
func (e *experiment) examine(t target, i int) (outcome, error) {
	dir := filepath.Join(e.Dir, fmt.Sprint("case-", i))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "damaged.db")
	file, least := e.damaged(i)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		return "", err
	}
	before, err := visit(t, path, nil)
	if err != nil {
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, file) {
			return altered, nil
		}
		return refused, nil
	}
	n := slices.Index(e.Sample.States, fingerprint(before))
	if n < 0 || t.appends && n < least {
		return wrong, nil
	}
	if _, err := visit(t, path, []write{{key: probe, value: "there"}}); err != nil {
		return altered, nil
	}
	after, err := visit(t, path, nil)
	if err != nil {
		return wrong, nil // what was acknowledged cannot be read
	}
	at := slices.IndexFunc(after, func(e entry) bool { return e.key == probe })
	if at < 0 || after[at].value != "there" || !slices.Equal(slices.Delete(after, at, at+1), before) {
		return wrong, nil
	}
	if n < len(e.Sample.States)-1 {
		return older, nil
	}
	return intact, nil
}

// probe is a key that no workload has.
const probe = "probe"

// visit opens a store, commits the writes if there are any, reads everything,
// and closes it.
func visit(t target, path string, writes []write) (entries []entry, err error) {
	s, err := t.open(path)
	if err != nil {
		return nil, err
	}
	if len(writes) > 0 {
		err = s.commit(writes)
	}
	if err == nil {
		entries, err = s.read()
	}
	return entries, errors.Join(err, s.close())
}

// examine is the part that examines the cases from one on, in steps, and
// prints the outcome of each. The experiment comes as JSON.
func examine(_ options, arguments []string, in io.Reader, out io.Writer) error {
	from, err := strconv.Atoi(arguments[0])
	if err != nil {
		return err
	}
	step, err := strconv.Atoi(arguments[1])
	if err != nil {
		return err
	}
	var e experiment
	if err := json.NewDecoder(in).Decode(&e); err != nil {
		return err
	}
	t, err := targetNamed(e.Sample.Target)
	if err != nil {
		return err
	}
	if err := limitMemory(); err != nil {
		return err
	}
	for i := from; i < e.Cases; i += step {
		o, err := e.examine(t, i)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, o); err != nil {
			return err
		}
	}
	return nil
}

// tally counts outcomes.
type tally map[outcome]int

// lanes is how many children examine at once.
const lanes = 2

// run examines all cases in children, which may die or hang, and counts.
func (e *experiment) run() (tally, error) {
	input, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	var (
		wait   sync.WaitGroup
		counts [lanes]tally
		errs   [lanes]error
	)
	for lane := range lanes {
		wait.Go(func() { counts[lane], errs[lane] = e.lane(input, lane) })
	}
	wait.Wait()
	total := tally{}
	for _, c := range counts {
		for o, n := range c {
			total[o] += n
		}
	}
	return total, errors.Join(errs[:]...)
}

// lane examines every case of a lane, with as many children as it takes.
func (e *experiment) lane(input []byte, lane int) (tally, error) {
	count := tally{}
	for next := lane; next < e.Cases; {
		c, err := startChild(bytes.NewReader(input), "examine", fmt.Sprint(next), fmt.Sprint(lanes))
		if err != nil {
			return nil, err
		}
		for line := range c.lines() {
			count[outcome(line)]++
			next += lanes
		}
		failure := c.wait()
		if next >= e.Cases {
			return count, failure
		}
		switch {
		case c.killed():
			count[hung]++
		case failure == nil || complained(failure):
			early := fmt.Errorf("%s, %s: the child ended before case %d", e.Sample.Target, e.Damage, next)
			return nil, errors.Join(early, failure)
		default:
			count[crashed]++
		}
		// What the child left of the case is in the way of nobody.
		os.RemoveAll(filepath.Join(e.Dir, fmt.Sprint("case-", next)))
		next += lanes
	}
	return count, nil
}
