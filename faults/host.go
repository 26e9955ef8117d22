package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/flagstage/flagstage"
)

// host is a flag system outside of the store: an applier that keeps what it was
// told in a log, each delivery in a line that is on the disk before it answers.
// It does what appliers must: what was applied is not applied again, and what is
// late is dropped.
type host struct {
	mu      sync.Mutex
	log     *os.File
	judge   *flagstage.Engine // tells what is delivered too early; nil: nobody does
	faults  *rand.Rand        // nil: it does not fail
	last    map[string]int64  // number of the last delivery of each workflow
	applied map[string]bool   // by key
}

// delivery is a line of the log.
type delivery struct {
	workflow                   string
	stage, round, try          int
	number                     int64
	early                      bool // the stage had conditions that were not met
	mark, outcome, key, target string
	at                         int64 // in the log, in bytes
}

// The outcomes of deliveries.
const (
	hostApplied  = "applied"
	hostRepeated = "repeated" // it was applied before
	hostLate     = "late"     // it is not the last one
	hostFailed   = "failed"   // and may be tried again
	hostRefused  = "refused"  // for good
)

func openHost(path string, judge *flagstage.Engine) (*host, error) {
	list, err := readDeliveries(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	h := &host{judge: judge, last: map[string]int64{}, applied: map[string]bool{}}
	for i := range list {
		h.note(&list[i])
	}
	h.log, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := cutHalfALine(h.log); err != nil {
		return nil, errors.Join(err, h.log.Close())
	}
	return h, nil
}

// cutHalfALine cuts off what a process that was killed has not written to its end.
func cutHalfALine(log *os.File) error {
	all, err := io.ReadAll(log)
	if err != nil {
		return err
	}
	return log.Truncate(int64(bytes.LastIndexByte(all, '\n') + 1))
}

// options are those of an engine that applies actions by the host.
func (h *host) options() []flagstage.Option {
	return []flagstage.Option{
		flagstage.WithApplier(h), flagstage.WithApplyTimeout(applyTimeout),
		flagstage.WithRetries(flagstage.Retries{Backoff: time.Minute, MaxBackoff: 10 * time.Minute}),
	}
}

// faulty makes the host fail now and then.
func (h *host) faulty(seed uint64) { h.faults = rand.New(rand.NewPCG(seed, 5)) }

// readDeliveries returns the deliveries of a log.
func readDeliveries(path string) (list []delivery, err error) {
	log, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	in := bufio.NewReader(log)
	for at := int64(0); ; {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return list, nil // nobody was answered for half a line
		}
		if err != nil {
			return nil, err
		}
		d := delivery{at: at}
		at += int64(len(line))
		if _, err := fmt.Sscan(line, &d.workflow, &d.stage, &d.round, &d.try, &d.number, &d.early, &d.mark, &d.outcome, &d.key, &d.target); err != nil {
			return nil, fmt.Errorf("log of deliveries: %q: %w", strings.TrimSpace(line), err)
		}
		list = append(list, d)
	}
}

func (h *host) note(d *delivery) {
	h.last[d.workflow] = max(h.last[d.workflow], d.number)
	h.applied[d.key] = h.applied[d.key] || d.outcome == hostApplied
}

// Apply notes a delivery.
func (h *host) Apply(ctx context.Context, from flagstage.Delivery) error {
	early, err := h.early(ctx, from)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	d := delivery{
		workflow: from.WorkflowID, stage: from.Stage, round: from.Round, try: from.Try, number: from.Number,
		early: early, mark: markOf(from.Instructions), outcome: hostApplied, key: from.Key(), target: from.Target.FlagKey,
	}
	fault := hostFault(0)
	if h.faults != nil {
		fault = hostFault(h.faults.IntN(40))
	}
	switch {
	case d.number <= h.last[d.workflow]:
		d.outcome = hostLate
	case h.applied[d.key]:
		d.outcome = hostRepeated
	case fault == failBefore:
		d.outcome = hostFailed
	case fault == refuse:
		d.outcome = hostRefused
	}
	_, err = fmt.Fprintln(h.log, d.workflow, d.stage, d.round, d.try, d.number, d.early, d.mark, d.outcome, d.key, d.target)
	if err := errors.Join(err, h.log.Sync()); err != nil {
		return err
	}
	h.note(&d)
	switch {
	case d.outcome == hostRefused:
		return flagstage.Permanent(errors.New("the host refuses it"))
	case d.outcome == hostFailed, fault == failBehind:
		return errors.New("the host has failed")
	case fault == panicBehind:
		panic("the host has panicked")
	}
	return nil
}

// early reports whether a stage is delivered that does not wait for that. It may
// have been left behind meanwhile.
func (h *host) early(ctx context.Context, d flagstage.Delivery) (bool, error) {
	if h.judge == nil {
		return false, nil
	}
	w, err := h.judge.Workflow(ctx, operator, d.WorkflowID)
	switch {
	case errors.Is(err, flagstage.ErrNotFound):
		return false, nil // deleted meanwhile
	case err != nil:
		return false, err
	}
	switch w.StageStatus(d.Stage) {
	case flagstage.StatusPending:
		return true, nil
	case flagstage.StatusActive:
		for i := range releaseOf(w.Name).Stages[d.Stage].Conditions {
			if w.ConditionStatus(d.Stage, i) != flagstage.StatusCompleted {
				return true, nil
			}
		}
	}
	return false, nil
}

// hostFault is how the host fails; most numbers stand for not at all.
type hostFault int

const (
	failBefore hostFault = iota + 1 // before it has applied anything
	failBehind                      // after that
	panicBehind
	refuse
)
