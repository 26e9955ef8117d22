package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// reopened counts what is there when stores are opened again without faults.
type reopened struct {
	acknowledged int
	lost, torn   int
	doesNotOpen  int
}

// look opens a file and holds it against the acknowledged transactions.
func (r *reopened) look(t target, path string, acknowledged []int) error {
	found, err := contentOf(t, path)
	if err != nil {
		return err
	}
	r.acknowledged += len(acknowledged)
	if found.err != nil {
		r.doesNotOpen++
		r.lost += len(acknowledged)
		return nil
	}
	r.lost += found.missing(acknowledged)
	r.torn += found.torn
	return nil
}

// syncFaults counts what becomes of failing fsyncs.
type syncFaults struct {
	failed   int // fsyncs that failed, each in a run of its own
	told     int // the step that made the fsync returned an error
	needless int // it returned none, but what failed was synced before
	silent   int // it returned none
	// After a failure in a commit, later ones in the same run returned an
	// error, or none.
	laterTold, laterAcknowledged int
	reopened
}

// syncCommits is how many transactions a run has.
const syncCommits = 6

// failSyncs makes each fsync of a script fail once.
func failSyncs(t target, dir string) (count syncFaults, err error) {
	script := []string{"open"}
	for n := range syncCommits {
		script = append(script, fmt.Sprint("commit ", n+1))
	}
	script = append(script, "close")
	for _, call := range []string{"fsync", "fdatasync"} {
		for n := 1; ; n++ {
			fired, err := count.fail(fault{call: call, err: "EIO", n: n}, t, dir, script)
			if err != nil {
				return count, err
			}
			if !fired {
				break
			}
		}
	}
	return count, nil
}

func (c *syncFaults) fail(f fault, t target, dir string, script []string) (fired bool, err error) {
	place := filepath.Join(dir, "sync")
	if err := os.Mkdir(place, 0o700); err != nil {
		return false, err
	}
	defer os.RemoveAll(place)
	path := filepath.Join(place, "store.db")
	tried, err := try(f, t, path, dir, script)
	if err != nil || !tried.fired {
		return false, err
	}
	c.failed++
	hit := tried.steps[tried.at]
	switch {
	case hit.err != nil:
		c.told++
	case tried.needless:
		c.needless++
	default:
		c.silent++
	}
	for _, later := range tried.steps[tried.at+1:] {
		switch {
		case !isCommit(hit) || !isCommit(later):
		case later.err != nil:
			c.laterTold++
		default:
			c.laterAcknowledged++
		}
	}
	return true, errors.Join(tried.err, c.look(t, path, acknowledged(tried.steps)))
}

func isCommit(s step) bool { return strings.HasPrefix(s.name, "commit ") }

// acknowledged returns the numbers of the commits that returned no error.
func acknowledged(steps []step) (list []int) {
	for _, s := range steps {
		var n int
		if _, err := fmt.Sscanf(s.name, "commit %d", &n); err == nil && s.err == nil {
			list = append(list, n)
		}
	}
	return list
}
