package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// transactions is how many a sample has.
const transactions = 24

// workload returns transactions of some keys each. They overwrite and delete
// what earlier ones wrote, and each leaves another content.
func workload(seed uint64) [][]write {
	random := rand.New(rand.NewPCG(seed, 0))
	list := make([][]write, transactions)
	for n := range list {
		writes := []write{{key: "last", value: fmt.Sprint(n + 1)}}
		for i := range 1 + random.IntN(3) {
			key := fmt.Sprintf("key/%d", 10*i+random.IntN(8)) // no key twice
			if random.IntN(5) == 0 {
				writes = append(writes, write{key: key, deletes: true})
			} else {
				writes = append(writes, write{key: key, value: text(random, random.IntN(24))})
			}
		}
		list[n] = writes
	}
	return list
}

// text returns n letters.
func text(random *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte('a' + byte(random.IntN(26)))
	}
	return b.String()
}

// sample is the file that a store leaves after a workload.
type sample struct {
	Target string
	State  string // how it was left
	File   []byte
	// States holds the fingerprint of the content after each number of
	// transactions that the file went through, the last after all.
	States []uint64
	// Sizes holds how long the file was then.
	Sizes []int
}

// The states of samples.
const (
	closed    = "closed"
	leftOpen  = "left open" // as by a process that dies
	compacted = "compacted" // and closed
)

// newSamples does the workload in a new file in dir. There is one sample for
// each state in which the file is another one.
func newSamples(t target, seed uint64, dir string) ([]sample, error) {
	path := filepath.Join(dir, "sample.db")
	s, err := t.open(path)
	if err != nil {
		return nil, err
	}
	made := sample{Target: t.name}
	if err := made.work(s, path, seed); err != nil {
		return nil, errors.Join(err, s.close())
	}
	samples := []sample{made}
	keep := func(state string) error {
		made.State = state
		if made.File, err = os.ReadFile(path); err != nil {
			return err
		}
		if state == compacted { // it has one transaction; without it, it is a new file
			made.States = []uint64{made.States[0], made.States[transactions]}
			made.Sizes = []int{0, len(made.File)}
		}
		samples = append(samples, made)
		return nil
	}
	if err := s.close(); err != nil {
		return nil, err
	}
	if err := keep(closed); err != nil {
		return nil, err
	}
	if bytes.Equal(samples[0].File, made.File) {
		samples = samples[1:] // closing did not change it
	}
	if s, err = t.open(path); err != nil {
		return nil, err
	}
	c, ok := s.(compacter)
	if !ok {
		return samples, s.close()
	}
	if err := errors.Join(c.compact(), s.close()); err != nil {
		return nil, err
	}
	return samples, keep(compacted)
}

// work does the workload and notes the states.
func (made *sample) work(s store, path string, seed uint64) error {
	made.State = leftOpen
	want := map[string]string{}
	for _, writes := range append([][]write{nil}, workload(seed)...) {
		if len(writes) > 0 {
			if err := s.commit(writes); err != nil {
				return err
			}
		}
		for _, w := range writes {
			if w.deletes {
				delete(want, w.key)
			} else {
				want[w.key] = w.value
			}
		}
		entries, err := s.read()
		if err != nil {
			return err
		}
		if !holds(entries, want) {
			return fmt.Errorf("%s does not hold what was committed after %d transactions", made.Target, len(made.States))
		}
		if made.File, err = os.ReadFile(path); err != nil {
			return err
		}
		made.States = append(made.States, fingerprint(entries))
		made.Sizes = append(made.Sizes, len(made.File))
	}
	return nil
}

// holds reports whether the entries are those wanted, and no others.
func holds(entries []entry, want map[string]string) bool {
	return len(entries) == len(want) && !slices.ContainsFunc(entries, func(e entry) bool {
		value, ok := want[e.key]
		return !ok || value != e.value
	})
}

// whole returns which state the first size bytes hold.
func (s *sample) whole(size int) int {
	n := 0
	for k, end := range s.Sizes {
		if end <= size {
			n = k
		}
	}
	return n
}
