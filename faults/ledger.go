package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// The calls that are acknowledged.
const (
	ackStart  = "start"
	ackReview = "review"
	ackPause  = "pause"
	ackResume = "resume"
	ackCancel = "cancel"
	ackSkip   = "skip"
	ackRetry  = "retry"
	ackPatch  = "patch"
)

// orders are the events that calls leave, with their token.
var orders = map[string]flagstage.EventKind{
	ackReview: flagstage.EventReviewed,
	ackPause:  flagstage.EventWorkflowPaused,
	ackResume: flagstage.EventWorkflowResumed,
	ackCancel: flagstage.EventWorkflowCancelled,
	ackSkip:   flagstage.EventStageSkipped,
	ackRetry:  flagstage.EventStageRetried,
}

// acknowledgement is what a process was told before it was killed.
type acknowledgement struct {
	kind    string
	of      string // workflow, or flag
	version int64  // of the workflow behind the call
	token   string // that the call left
}

// ledger holds what processes were told against what is there in the end.
type ledger struct {
	acknowledged []acknowledgement
	applied      int   // that ticks have told of
	latest       int64 // instant that a process has lived in, Unix milliseconds
}

// note takes a line that a process printed.
func (l *ledger) note(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	var err error
	switch word {
	case "open":
	case "at":
		var at int64
		_, err = fmt.Sscan(rest, &at)
		l.latest = max(l.latest, at)
	case "tick":
		var n int
		_, err = fmt.Sscan(rest, &n)
		l.applied += n
	case "ack":
		var a acknowledgement
		_, err = fmt.Sscan(rest, &a.kind, &a.of, &a.version, &a.token)
		l.acknowledged = append(l.acknowledged, a)
	default:
		err = errors.New("no such line")
	}
	if err != nil {
		return fmt.Errorf("a process printed %q: %w", line, err)
	}
	return nil
}

// releaseFacts are what is there: workflows, flags, and what was delivered.
type releaseFacts struct {
	workflows  []flagstage.StoredWorkflow
	feed       []flagstage.EventBatch
	flags      []flags.Flag
	changes    map[string][]int64 // numbers in the log of changes of each flag
	deliveries []delivery
	hosted     bool
}

// readFacts reads all that is there.
func readFacts(ctx context.Context, store flagstage.Store, engine *flagstage.Engine, log string) (*releaseFacts, error) {
	f := &releaseFacts{hosted: log != "", changes: map[string][]int64{}}
	for offset := 0; ; {
		list, err := engine.Workflows(ctx, operator, flagstage.WorkflowQuery{Limit: 1000, Offset: offset})
		if err != nil {
			return nil, err
		}
		if len(list.Unreadable) > 0 {
			return nil, list.Unreadable[0]
		}
		f.workflows = append(f.workflows, list.Items...)
		if offset += len(list.Items); offset >= list.TotalCount {
			break
		}
	}
	for batch, err := range engine.Events(ctx, operator, flagstage.Cursor{}) {
		if err != nil {
			return nil, err
		}
		f.feed = append(f.feed, batch)
	}
	if f.hosted {
		var err error
		f.deliveries, err = readDeliveries(log)
		return f, err
	}
	list, err := engine.Flags(ctx, operator, releaseProject)
	if err != nil {
		return nil, err
	}
	for _, item := range list.Items {
		f.flags = append(f.flags, item.Flag)
		prefix := "flagchange/" + releaseProject + "/" + item.Key() + "/"
		for record, err := range store.Scan(ctx, prefix) {
			if err != nil {
				return nil, err
			}
			n, err := strconv.ParseInt(strings.TrimPrefix(record.Key, prefix), 16, 64)
			if err != nil {
				return nil, err
			}
			f.changes[item.Key()] = append(f.changes[item.Key()], n)
		}
	}
	return f, nil
}

// The promises of an engine that processes are killed under.
type promised string

const (
	promisedKept     promised = "acknowledged is there"
	promisedReplay   promised = "events replay to the state"
	promisedFeed     promised = "the feed tells all, once"
	promisedOnce     promised = "applied as often as the events say"
	promisedOrder    promised = "in order"
	promisedTime     promised = "not before its time"
	promisedApproval promised = "not without approval"
	promisedEnd      promised = "all that is due is done"
)

// breach is a promise that was not kept.
type breach struct {
	promised
	what string
}

// findings count what was looked at, and have the breaches.
type findings struct {
	workflows, completed, failed, cancelled int
	reviews, actions                        int
	deliveries, repeated                    int
	breaches                                []breach
}

func (f *findings) broken(p promised, format string, args ...any) {
	f.breaches = append(f.breaches, breach{p, fmt.Sprintf(format, args...)})
}

// check holds the facts against what was acknowledged, and against each other.
func (l *ledger) check(facts *releaseFacts) *findings {
	f := &findings{workflows: len(facts.workflows), deliveries: len(facts.deliveries)}
	f.acknowledged(l, facts)
	f.feed(facts)
	for i := range facts.workflows {
		w := &facts.workflows[i]
		switch w.Status() {
		case flagstage.StatusCompleted:
			f.completed++
		case flagstage.StatusFailed:
			f.failed++
		case flagstage.StatusCancelled:
			f.cancelled++
		}
		f.replay(w)
		c := newCourse(f, w, facts.hosted)
		for _, e := range w.Events() {
			c.event(e)
		}
	}
	if f.actions < l.applied {
		f.broken(promisedKept, "ticks told of %d actions that were applied, there are %d", l.applied, f.actions)
	}
	if facts.hosted {
		f.delivered(facts)
	} else {
		f.marked(facts)
	}
	return f
}

// acknowledged looks for what calls have left.
func (f *findings) acknowledged(l *ledger, facts *releaseFacts) {
	type left struct {
		kind   flagstage.EventKind
		of     string
		number int64
	}
	versions, tokens := map[string]int64{}, map[string]left{}
	for i := range facts.workflows {
		w := &facts.workflows[i]
		versions[w.ID] = w.Version()
		for _, e := range w.Events() {
			if e.Kind == flagstage.EventReviewed {
				f.reviews++
			}
			if e.Actor == (flagstage.Actor{}) || e.Comment == "" {
				continue
			}
			if before, twice := tokens[e.Comment]; twice {
				f.broken(promisedKept, "%s of %s was done twice, also as %s of %s", e.Kind, w.ID, before.kind, before.of)
			}
			tokens[e.Comment] = left{e.Kind, w.ID, e.Number}
		}
	}
	patched := map[string]string{}
	for _, flag := range facts.flags {
		for _, mark := range marksOf(flag) {
			if token, ok := strings.CutPrefix(mark, patchMark); ok {
				patched[token] = flag.Key() // twice is found with the marks
			}
		}
	}
	for _, a := range l.acknowledged {
		there, ok := true, true
		switch a.kind {
		case ackPatch:
			there = patched[a.token] == a.of
		case ackStart:
		default:
			var t left
			t, there = tokens[a.token]
			ok = t.of == a.of && t.kind == orders[a.kind] && t.number <= a.version
		}
		if !there || !ok || versions[a.of] < a.version {
			f.broken(promisedKept, "%s of %s, at version %d: it is at version %d", a.kind, a.of, a.version, versions[a.of])
		}
	}
}

// feed compares the feed of events with what the workflows say.
func (f *findings) feed(facts *releaseFacts) {
	told := map[string][]flagstage.Event{}
	var last flagstage.Cursor
	for _, batch := range facts.feed {
		c := batch.Cursor
		if c.Revision < last.Revision || c.Revision == last.Revision && c.WorkflowID <= last.WorkflowID {
			f.broken(promisedFeed, "%v comes after %v", c, last)
		}
		last = c
		told[batch.WorkflowID] = append(told[batch.WorkflowID], batch.Events...)
	}
	for i := range facts.workflows {
		w := &facts.workflows[i]
		if !slices.Equal(told[w.ID], w.Events()) {
			f.broken(promisedFeed, "of %s it tells %d events of %d", w.ID, len(told[w.ID]), w.Version())
		}
	}
}

// replay compares a workflow with what its events make, and its plan with what
// was asked for.
func (f *findings) replay(w *flagstage.StoredWorkflow) {
	input, plan := releaseOf(w.ID), w.Plan()
	stages := plan.Stages()
	same := len(stages) == len(input.Stages) && w.Target == input.Target
	for i := 0; same && i < len(stages); i++ {
		same = len(stages[i].Conditions) == len(input.Stages[i].Conditions) && markOf(stages[i].Action.Instructions) == markOf(input.Stages[i].Action.Instructions)
	}
	if !same {
		f.broken(promisedReplay, "%s is not what was asked for", w.ID)
	}
	again, err := flagstage.Replay(plan, flagstage.Start{
		At: w.CreatedAt, Actor: starter, Approvals: input.Approvals, Deliver: true,
	}, w.Events())
	if err != nil {
		f.broken(promisedReplay, "%s: %v", w.ID, err)
		return
	}
	if is, was := portrait(w.Workflow), portrait(again); is != was {
		f.broken(promisedReplay, "%s is %s, its events make %s", w.ID, is, was)
	}
}

// portrait says all that a workflow tells of itself.
func portrait(w flagstage.Workflow) string {
	var b strings.Builder
	wake, wakes := w.Wake()
	effect, pending := w.Pending()
	fmt.Fprintln(&b, w.Status(), w.Version(), w.StoppedAt(), wake, wakes, effect.Stage, effect.Round, effect.Try, effect.Due, effect.At, pending, w.Gates())
	for stage, s := range w.Plan().Stages() {
		fmt.Fprint(&b, w.StageStatus(stage))
		for condition := range s.Conditions {
			fmt.Fprint(&b, " ", w.ConditionStatus(stage, condition))
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// marked compares what the flags say with what the events say.
func (f *findings) marked(facts *releaseFacts) {
	commits := map[string]int64{} // of the events that say that an action was applied
	for _, batch := range facts.feed {
		for _, e := range batch.Events {
			if e.Kind == flagstage.EventActionApplied {
				mark := actionMark(batch.WorkflowID, e.Stage)
				if commits[mark] != 0 {
					f.broken(promisedOnce, "the events say twice that %s was applied", mark)
				}
				commits[mark] = batch.Cursor.Revision
			}
		}
	}
	counted := map[string]int{}
	for _, flag := range facts.flags {
		marks := marksOf(flag)
		environment, _ := flag.Environment(releaseEnvironment)
		if environment.Version() != int64(1+len(marks)) {
			f.broken(promisedOnce, "flag %s has version %d after %d changes", flag.Key(), environment.Version(), len(marks))
		}
		var before int64
		runs, last := 0, ""
		for _, mark := range marks {
			counted[mark]++
			by, _, _ := strings.Cut(mark, "/")
			if by+"/" == patchMark {
				runs, last = runs+1, ""
				continue
			}
			if by != last {
				runs++
			}
			last = by
			if commits[mark] < before {
				f.broken(promisedOrder, "flag %s has %s of commit %d behind commit %d", flag.Key(), mark, commits[mark], before)
			}
			before = max(before, commits[mark])
		}
		f.logged(flag.Key(), facts.changes[flag.Key()], runs, len(marks))
	}
	for mark, n := range counted {
		if isPatch := strings.HasPrefix(mark, patchMark); n > 1 || !isPatch && commits[mark] == 0 {
			f.broken(promisedOnce, "%s was applied %d times, the events tell of it in commit %d", mark, n, commits[mark])
		}
	}
	for mark := range commits {
		if counted[mark] == 0 {
			f.broken(promisedOnce, "%s was not applied, the events say so", mark)
		}
	}
}

// logged compares the log of a flag's changes with how many there were: that of
// putting the flag there, and one for each at least that is by somebody else than the one
// before it, at most for all.
func (f *findings) logged(flag string, numbers []int64, least, most int) {
	for i, n := range numbers {
		if n != int64(i)+1 {
			f.broken(promisedOnce, "the changes of flag %s have number %d at place %d", flag, n, i+1)
			return
		}
	}
	if n := len(numbers) - 1; n < least || n > most {
		f.broken(promisedOnce, "the log of flag %s has %d changes, there were %d to %d", flag, n, least, most)
	}
}

// delivered compares what the host was told with what the events say.
func (f *findings) delivered(facts *releaseFacts) {
	first, numbers, stages := map[string]int64{}, map[string]int64{}, map[string]int{}
	for i := range facts.deliveries {
		d := &facts.deliveries[i]
		input := releaseOf(d.workflow)
		if d.stage >= len(input.Stages) || d.mark != actionMark(d.workflow, d.stage) || d.key != fmt.Sprintf("%s/%d", d.mark, d.round) || d.target != input.Target.FlagKey {
			f.broken(promisedOnce, "delivery %d of %s, key %s, has other content: %s", d.number, d.workflow, d.key, d.mark)
		}
		if d.outcome == hostLate {
			continue // another one has taken its place
		}
		if d.number <= numbers[d.workflow] {
			f.broken(promisedOrder, "delivery %d of %s came behind %d", d.number, d.workflow, numbers[d.workflow])
		}
		numbers[d.workflow] = d.number
		if d.stage < stages[d.workflow] {
			f.broken(promisedOrder, "stage %d of %s was delivered behind stage %d", d.stage, d.workflow, stages[d.workflow])
		}
		stages[d.workflow] = d.stage
		switch d.outcome {
		case hostRepeated:
			f.repeated++
		case hostApplied:
			if first[d.mark] == 0 {
				first[d.mark] = d.now
			}
		}
	}
	for i := range facts.workflows {
		w := &facts.workflows[i]
		open, ready := map[int]int{}, map[int]time.Time{}
		for _, e := range w.Events() {
			switch e.Kind {
			case flagstage.EventStageArmed:
				open[e.Stage], ready[e.Stage] = len(releaseOf(w.ID).Stages[e.Stage].Conditions), e.At
			case flagstage.EventConditionCompleted:
				if open[e.Stage]--; e.At.After(ready[e.Stage]) {
					ready[e.Stage] = e.At
				}
			case flagstage.EventActionApplied:
				if mark := actionMark(w.ID, e.Stage); first[mark] == 0 {
					f.broken(promisedOnce, "%s was never delivered, the events say so", mark)
				}
			}
		}
		for stage, n := range open {
			at := first[actionMark(w.ID, stage)]
			if at != 0 && (n > 0 || at < ready[stage].UnixMilli()) {
				f.broken(promisedTime, "%s was applied by the host at %s, %d conditions were open until %s", actionMark(w.ID, stage), time.UnixMilli(at).UTC(), n, ready[stage])
			}
		}
	}
}
