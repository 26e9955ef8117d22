package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// scale is how much is tried. Files of stores that append are damaged in all
// ways if these are no more than all; others are larger, and most of their
// bytes mean nothing, so that a sample is taken.
type scale struct {
	all           int
	cuts, changes int // of a sample
	rounds        int // of second openers
}

var (
	fullScale  = scale{all: 2 << 20, cuts: 5_000, changes: 50_000, rounds: 5}
	quickScale = scale{all: 0, cuts: 1_000, changes: 3_000, rounds: 2}
)

func (o options) scale() scale {
	if o.quick {
		return quickScale
	}
	return fullScale
}

// compare prints what each store does with each fault.
func compare(o options, _ []string, _ io.Reader, out io.Writer) error {
	if _, err := straceOf(); err != nil {
		return err
	}
	dir, remove, err := o.scratch()
	if err != nil {
		return err
	}
	defer remove()
	var samples []sample
	for _, t := range targets {
		place := filepath.Join(dir, t.name)
		if err := os.Mkdir(place, 0o700); err != nil {
			return err
		}
		made, err := newSamples(t, o.seed, place)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		samples = append(samples, made...)
	}
	for _, d := range []struct {
		damage
		title string
	}{
		{cutShort, "The end of the file is missing"},
		{zeroTail, "The end of the file is zero bytes"},
		{oneByte, "One byte of the file is changed"},
	} {
		if err := compareDamage(o, dir, samples, d.damage, d.title, out); err != nil {
			return err
		}
	}
	if err := compareSyncs(dir, out); err != nil {
		return err
	}
	return compareOpeners(o, dir, out)
}

func compareDamage(o options, dir string, samples []sample, d damage, title string, out io.Writer) error {
	t := table{head: []string{"store", "file", "bytes", "files", "refused", "refused, altered", "nothing missing", "older, whole", "**wrong**", "**panics**", "**hangs**"}}
	for _, s := range samples {
		e, err := newExperiment(s, d, o.scale(), o.seed, dir)
		if err != nil {
			return err
		}
		count, err := e.run()
		if err != nil {
			return err
		}
		files := grouped(e.Cases)
		if e.All {
			files = "all " + files
		}
		cells := []any{s.Target, s.State, len(s.File), files}
		for _, o := range []outcome{refused, altered, intact, older, wrong, crashed, hung} {
			cells = append(cells, share(count[o], e.Cases))
		}
		t.add(cells...)
	}
	return t.print(out, title)
}

func compareSyncs(dir string, out io.Writer) error {
	t := table{head: []string{"store", "failed", "reported", "needless", "**not reported**", "later commits: error", "acknowledged", "lost", "torn", "cannot be opened"}}
	for _, target := range targets {
		c, err := failSyncs(target, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", target.name, err)
		}
		t.add(target.name, c.failed, c.told, c.needless, c.silent, c.laterTold, c.laterAcknowledged, c.lost, c.torn, c.doesNotOpen)
	}
	return t.print(out, "One fsync fails (EIO)")
}

func compareOpeners(o options, dir string, out io.Writer) error {
	t := table{head: []string{"store", "second opener", "rounds", "refused", "waits", "**both write**", "acknowledged", "lost", "torn", "cannot be opened"}}
	for _, target := range targets {
		for _, where := range []struct {
			name    string
			process bool
		}{{"same process", false}, {"other process", true}} {
			var c openers
			for range o.scale().rounds {
				if err := c.openTwice(target, dir, where.process); err != nil {
					return fmt.Errorf("%s: %w", target.name, err)
				}
			}
			t.add(target.name, where.name, c.tried, c.refused, c.waited, c.both, c.acknowledged, c.lost, c.torn, c.doesNotOpen)
		}
	}
	return t.print(out, "A second opener while the store is open")
}
