package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/flagstage/flagstage"
)

// audit holds what writers were promised against what a store holds. What was
// once seen in it must stay there, like what was acknowledged.
type audit struct {
	promised map[int]promise // by writer
	// before is the highest revision before the writers were started last,
	// highest is the highest of all.
	before, highest int64
	// cut: the power is being cut, and acknowledgements are none any more.
	cut       bool
	compacted int
	counts
}

// promise is the last transaction of a writer that must be there. Those up to
// allowed may be there too, like the one after it, which the writer had begun.
type promise struct {
	last
	allowed int
}

// counts are what an audit finds.
type counts struct {
	acknowledged int
	lost         int // acknowledged, or seen before, and no longer there
	torn         int // slots of writers that are not as their heads say
	disordered   int // revisions that do not ascend
}

func newAudit() *audit { return &audit{promised: map[int]promise{}} }

// note takes a line that writers printed, or that check returned.
func (a *audit) note(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	var writer int
	var done last
	var err error
	switch word {
	case "open":
		a.before, a.cut = a.highest, false
	case "compacted":
		a.compacted++
	case "cut":
		a.cut = true
	case "looked":
		a.highest = 0 // of what is seen
	case "torn":
		var n int
		_, err = fmt.Sscan(rest, &n)
		a.torn += n
	case "ack", "seen":
		if _, err = fmt.Sscan(rest, &writer, &done.n, &done.revision); err != nil {
			break
		}
		if word == "ack" {
			a.ack(writer, done)
		} else {
			a.seen(writer, done)
		}
	default:
		err = errors.New("no such line")
	}
	if err != nil {
		return fmt.Errorf("writers printed %q: %w", line, err)
	}
	return nil
}

// ack notes an acknowledgement.
func (a *audit) ack(writer int, done last) {
	before := a.promised[writer]
	if done.n != before.allowed+1 || done.revision <= before.revision || done.revision <= a.before {
		a.disordered++
	}
	if a.cut {
		before.allowed = done.n
		a.promised[writer] = before
		return
	}
	a.acknowledged++
	a.promised[writer] = promise{done, done.n}
	a.highest = max(a.highest, done.revision)
}

// seen holds the last transaction of a writer that is there against what was
// promised. It is promised itself from now on.
func (a *audit) seen(writer int, there last) {
	switch must := a.promised[writer]; {
	case there.n < must.n:
		a.lost += must.n - there.n
	case there.n == must.n && there.revision != must.revision, there.n > must.n && there.revision <= must.revision:
		a.disordered++
	case there.n > must.allowed+1:
		a.torn++ // it was never begun
	}
	a.promised[writer] = promise{there, there.n}
	a.highest = max(a.highest, there.revision)
}

// check compares the records of a store with what was promised. It returns
// lines that say what is there, which it has noted.
func (a *audit) check(store flagstage.Store, writers int) (lines []string, err error) {
	records := map[string]flagstage.Record{}
	for r, err := range store.Scan(context.Background(), "") {
		if err != nil {
			return nil, err
		}
		records[r.Key] = r
	}
	lines = append(lines, "looked")
	torn, left := 0, len(records)
	for w := range writers {
		var there last
		if head, ok := records[headKey(w)]; ok {
			left--
			if there, err = headOf(head); err != nil {
				return nil, err
			}
		}
		for slot := range slots {
			whole, found := slotIsWhole(records, w, slot, there)
			left -= found
			if !whole {
				torn++
			}
		}
		lines = append(lines, fmt.Sprintf("seen %d %d %d", w, there.n, there.revision))
	}
	torn += left // records that nobody wrote
	lines = append(lines, fmt.Sprint("torn ", torn))
	for _, line := range lines {
		if err := a.note(line); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// slotIsWhole reports whether a slot holds what the last transaction in it
// wrote, and how many records it holds. there is the writer's last.
func slotIsWhole(records map[string]flagstage.Record, writer, slot int, there last) (whole bool, found int) {
	var want []string
	n := there.n - (there.n-slot+slots)%slots // the last one that used this slot
	if n > 0 {
		want = parts(writer, n)
	}
	whole = true
	first := records[partKey(writer, slot, 0)].Revision
	for part := range maxParts {
		r, ok := records[partKey(writer, slot, part)]
		if ok {
			found++
		}
		switch {
		case part >= len(want):
			whole = whole && !ok
		case string(r.Value) != want[part], r.Revision != first, n == there.n && r.Revision != there.revision, r.Revision > there.revision:
			whole = false
		}
	}
	return whole, found
}

// verify is the part that opens a store and holds it against the log of its
// writers, to which it adds what it saw. It prints what was counted since the
// log was begun.
func verify(o options, _ []string, _ io.Reader, out io.Writer) error {
	log, err := os.OpenFile(o.log, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer log.Close()
	a := newAudit()
	for scanner := bufio.NewScanner(log); scanner.Scan(); {
		if err := a.note(scanner.Text()); err != nil {
			return err
		}
	}
	store, err := flagstage.OpenStore(o.path, flagstage.DurabilityAlways)
	if err != nil {
		return err
	}
	lines, err := a.check(store, o.writers)
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	if _, err := log.WriteString(strings.Join(lines, "\n") + "\n"); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, a.acknowledged, a.compacted, a.lost, a.torn, a.disordered)
	return err
}
