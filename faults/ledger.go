package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
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
	ackDelete = "delete"
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
	of      string // release, or flag
	version int64  // of the workflow behind the call
	token   string // that the call left
}

// ledger holds what processes were told against what is there in the end.
type ledger struct {
	acknowledged []acknowledgement
	applied      int // that ticks have told of
	// now is what time it is, Unix milliseconds, and latest what the latest clock has
	// shown.
	now, latest int64
	// buried are the releases that may have been deleted, with how many of their
	// actions were applied when that was tried last. Of several tries at once it is
	// the one with the most.
	buried map[string]int
	// gone are those that were, each with where the log of deliveries ended
	// when their process had ended, or stillOpen.
	gone map[string]int64
	// What was purged, and that something more may have been.
	purged  flagstage.Purged
	purging bool
	broke   []string // what processes have complained of
}

// stillOpen stands for the end of a log that is still written to.
const stillOpen = -1

// newLedger returns a ledger of releases that begin at an instant.
func newLedger(start time.Time) *ledger {
	return &ledger{now: start.UnixMilli(), latest: start.UnixMilli(), buried: map[string]int{}, gone: map[string]int64{}}
}

// note takes a line that a process printed.
func (l *ledger) note(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	var err error
	switch word {
	case "open":
	case "at":
		var now, latest int64
		_, err = fmt.Sscan(rest, &now, &latest)
		l.now, l.latest = max(l.now, now), max(l.latest, latest)
	case "jumped":
		var latest int64
		_, err = fmt.Sscan(rest, &latest)
		l.latest = max(l.latest, latest)
	case "tick":
		var n int
		_, err = fmt.Sscan(rest, &n)
		l.applied += n
	case "ack":
		var a acknowledgement
		_, err = fmt.Sscan(rest, &a.kind, &a.of, &a.version, &a.token)
		l.acknowledged = append(l.acknowledged, a)
		if a.kind == ackDelete {
			l.gone[a.of] = stillOpen
		}
	case "burying":
		var name string
		var applied int
		_, err = fmt.Sscan(rest, &name, &applied)
		l.buried[name] = max(l.buried[name], applied)
	case "purging":
		l.purging = true
	case "purged":
		var p flagstage.Purged
		_, err = fmt.Sscan(rest, &p.Workflows, &p.Plans, &p.Changes)
		l.purged.Workflows += p.Workflows
		l.purged.Plans += p.Plans
		l.purged.Changes += p.Changes
	case "broke":
		l.broke = append(l.broke, rest)
	default:
		err = errors.New("no such line")
	}
	if err != nil {
		return fmt.Errorf("a process printed %q: %w", line, err)
	}
	return nil
}

// ended notes that a process has ended, with where its log of deliveries ends.
func (l *ledger) ended(end int64) {
	for name, at := range l.gone {
		if at == stillOpen {
			l.gone[name] = end
		}
	}
}

// releaseFacts are what is there: workflows, flags, and what was delivered.
type releaseFacts struct {
	workflows  []flagstage.StoredWorkflow
	feed       []flagstage.EventBatch
	flags      []flags.Flag
	changes    map[string][]int64 // numbers in the log of changes of each flag
	deliveries []delivery
	hosted     bool
	listed     map[string]string // identifiers, by key of the record that has them in its end
	eventful   map[string]string // the same, of records of events
}

// readFacts reads all that is there. Each workflow is read by itself too, which
// needs what its flag has been through, and by an engine that knows of no host, as
// that of the command does.
func readFacts(ctx context.Context, store flagstage.Store, engine *flagstage.Engine, log string) (*releaseFacts, error) {
	f := &releaseFacts{hosted: log != "", changes: map[string][]int64{}}
	var err error
	if f.workflows, err = listAll(ctx, engine, flagstage.WorkflowQuery{}); err != nil {
		return nil, err
	}
	other, err := flagstage.New(store)
	if err != nil {
		return nil, err
	}
	for i := range f.workflows {
		for _, reader := range []*flagstage.Engine{engine, other} {
			if _, err := reader.Workflow(ctx, operator, f.workflows[i].ID); err != nil {
				return nil, err
			}
		}
	}
	for batch, err := range engine.Events(ctx, operator, flagstage.Cursor{}) {
		if err != nil {
			return nil, err
		}
		f.feed = append(f.feed, batch)
	}
	if f.hosted {
		if f.deliveries, err = readDeliveries(log); err != nil {
			return nil, err
		}
	}
	if f.listed, err = identifiers(ctx, store, listRecords, 4); err != nil {
		return nil, err
	}
	if f.eventful, err = identifiers(ctx, store, eventRecords, 1); err != nil {
		return nil, err
	}
	return f, f.readFlags(ctx, store, engine)
}

// readFlags reads the flags, and the numbers of their changes.
func (f *releaseFacts) readFlags(ctx context.Context, store flagstage.Store, engine *flagstage.Engine) error {
	list, err := engine.Flags(ctx, operator, releaseProject)
	if err != nil {
		return err
	}
	for _, item := range list.Items {
		f.flags = append(f.flags, item.Flag)
		prefix := changeRecords + releaseProject + "/" + item.Key() + "/"
		for record, err := range store.Scan(ctx, prefix) {
			if err != nil {
				return err
			}
			n, err := strconv.ParseInt(strings.TrimPrefix(record.Key, prefix), 16, 64)
			if err != nil {
				return err
			}
			f.changes[item.Key()] = append(f.changes[item.Key()], n)
		}
	}
	return nil
}

// identifiers returns the parts of keys that are identifiers of workflows, by key.
func identifiers(ctx context.Context, store flagstage.Store, prefix string, part int) (map[string]string, error) {
	list := map[string]string{}
	for record, err := range store.Scan(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		parts := strings.Split(record.Key, "/")
		if len(parts) <= part {
			return nil, fmt.Errorf("there is no identifier in the key %q", record.Key)
		}
		list[record.Key] = parts[part]
	}
	return list, nil
}

// listAll returns all workflows that match. The error is an
// [*flagstage.UnreadableWorkflowError] if one, whether it matches or not, cannot be
// read.
func listAll(ctx context.Context, engine *flagstage.Engine, query flagstage.WorkflowQuery) ([]flagstage.StoredWorkflow, error) {
	query.Limit = math.MaxInt
	list, err := engine.Workflows(ctx, operator, query)
	if err == nil && len(list.Unreadable) > 0 {
		err = list.Unreadable[0]
	}
	return list.Items, err
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
	promisedGone     promised = "deleted is gone"
	promisedPurge    promised = "nothing is purged that is needed, and all else is"
)

// breach is a promise that was not kept.
type breach struct {
	promised
	what string
}

// findings count what was looked at, and have the breaches.
type findings struct {
	workflows, completed, failed, cancelled int
	absent                                  int // workflows that were deleted or purged
	reviews, actions                        int
	deliveries, repeated                    int
	breaches                                []breach
}

func (f *findings) broken(p promised, format string, args ...any) {
	f.breaches = append(f.breaches, breach{p, fmt.Sprintf(format, args...)})
}

// check holds the facts against what was acknowledged, and against each other.
func (l *ledger) check(facts *releaseFacts) *findings {
	absent := l.absent(facts)
	f := &findings{workflows: len(facts.workflows) + len(absent), absent: len(absent), deliveries: len(facts.deliveries)}
	for _, what := range l.broke {
		f.broken(promisedKept, "a process says: %s", what)
	}
	f.acknowledged(l, facts, absent)
	f.feed(facts)
	f.gone(l, facts)
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
		f.workflow(w, facts.hosted)
	}
	for _, n := range absent {
		f.actions += n
	}
	if f.actions < l.applied {
		f.broken(promisedKept, "ticks told of %d actions that were applied, there are %d", l.applied, f.actions)
	}
	if facts.hosted {
		f.delivered(l, facts, absent)
	}
	f.marked(l, facts, absent)
	return f
}

// workflow judges a workflow by itself.
func (f *findings) workflow(w *flagstage.StoredWorkflow, hosted bool) {
	f.replay(w)
	c := newCourse(f, w, hosted)
	for _, e := range w.Events() {
		c.event(e)
	}
}

// absent returns the releases that are not there any more, with how many of their
// actions were applied.
func (l *ledger) absent(facts *releaseFacts) map[string]int {
	absent := maps.Clone(l.buried)
	for i := range facts.workflows {
		delete(absent, facts.workflows[i].Name)
	}
	return absent
}

// gone looks for what should be gone.
func (f *findings) gone(l *ledger, facts *releaseFacts) {
	there := map[string]bool{}
	for i := range facts.workflows {
		w := &facts.workflows[i]
		there[w.ID] = true
		if _, gone := l.gone[w.Name]; gone {
			f.broken(promisedGone, "%s is there again", w.Name)
		}
		key := listRecords + w.Target.ProjectKey + "/" + w.Target.EnvironmentKey + "/" + w.Target.FlagKey + "/" + w.ID
		if facts.listed[key] == "" {
			f.broken(promisedKept, "%s is not in the list of its flag", w.Name)
		}
	}
	if len(facts.listed) > len(facts.workflows) {
		f.broken(promisedGone, "%d workflows are in the lists of flags, %d are there", len(facts.listed), len(facts.workflows))
	}
	for key, id := range facts.eventful {
		if !there[id] {
			f.broken(promisedGone, "the events at %s are of no workflow", key)
		}
	}
}

// acknowledged looks for what calls have left.
func (f *findings) acknowledged(l *ledger, facts *releaseFacts, absent map[string]int) {
	type left struct {
		kind   flagstage.EventKind
		of     string
		number int64
	}
	versions, tokens := map[string]int64{}, map[string]left{}
	for i := range facts.workflows {
		w := &facts.workflows[i]
		versions[w.Name] = w.Version()
		for _, e := range w.Events() {
			if e.Kind == flagstage.EventReviewed {
				f.reviews++
			}
			if e.Actor == (flagstage.Actor{}) || e.Comment == "" {
				continue
			}
			if before, twice := tokens[e.Comment]; twice {
				f.broken(promisedKept, "%s of %s was done twice, also as %s of %s", e.Kind, w.Name, before.kind, before.of)
			}
			tokens[e.Comment] = left{e.Kind, w.Name, e.Number}
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
		if _, deleted := absent[a.of]; deleted || a.kind == ackDelete {
			continue
		}
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
		events := w.Events()
		if _, pending := w.Pending(); pending && facts.hosted {
			events = events[:min(len(events), len(told[w.ID]))] // what led to the action comes with its result
		}
		if !slices.Equal(told[w.ID], events) {
			f.broken(promisedFeed, "of %s it tells %d events of %d", w.Name, len(told[w.ID]), w.Version())
		}
		delete(told, w.ID)
	}
	for id, events := range told {
		f.broken(promisedFeed, "of %s, which is not there, it tells %d events", id, len(events))
	}
}

// replay compares a workflow with what its events make, and its plan with what
// was asked for.
func (f *findings) replay(w *flagstage.StoredWorkflow) {
	input, plan := releaseOf(w.Name), w.Plan()
	stages := plan.Stages()
	same := len(stages) == len(input.Stages) && w.Target == input.Target && w.ID == input.ID && w.TemplateKey == input.TemplateKey
	for i := 0; same && i < len(stages); i++ {
		same = len(stages[i].Conditions) == len(input.Stages[i].Conditions) && markOf(stages[i].Action.Instructions) == markOf(input.Stages[i].Action.Instructions)
	}
	if !same {
		f.broken(promisedReplay, "%s is not what was asked for", w.Name)
	}
	again, err := flagstage.Replay(plan, flagstage.Start{
		At: w.CreatedAt, Actor: starter, Approvals: input.Approvals, Deliver: true,
	}, w.Events())
	if err != nil {
		f.broken(promisedReplay, "%s: %v", w.Name, err)
		return
	}
	if is, was := portrait(w.Workflow), portrait(again); is != was {
		f.broken(promisedReplay, "%s is %s, its events make %s", w.Name, is, was)
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

// marked compares what the flags of the store say with what the events say, and,
// of releases that are not there any more, with what these had done.
func (f *findings) marked(l *ledger, facts *releaseFacts, absent map[string]int) {
	commits := map[string]int64{} // of the events that say that an action was applied
	names := map[string]string{}
	for i := range facts.workflows {
		names[facts.workflows[i].ID] = facts.workflows[i].Name
	}
	for _, batch := range facts.feed {
		for _, e := range batch.Events {
			if e.Kind == flagstage.EventActionApplied && !facts.hosted {
				mark := actionMark(names[batch.WorkflowID], e.Stage)
				if commits[mark] != 0 {
					f.broken(promisedOnce, "the events say twice that %s was applied", mark)
				}
				commits[mark] = batch.Cursor.Revision
			}
		}
	}
	counted, done := map[string]int{}, map[string]int{}
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
			if _, gone := absent[by]; gone {
				done[by]++
				continue
			}
			if commits[mark] < before {
				f.broken(promisedOrder, "flag %s has %s of commit %d behind commit %d", flag.Key(), mark, commits[mark], before)
			}
			before = max(before, commits[mark])
		}
		f.logged(flag.Key(), facts.changes[flag.Key()], runs, len(marks), l.purging)
	}
	for mark, n := range counted {
		by, _, _ := strings.Cut(mark, "/")
		_, gone := absent[by]
		if told := by+"/" == patchMark || gone && !facts.hosted || commits[mark] != 0; n > 1 || !told {
			f.broken(promisedOnce, "%s was applied %d times, the events tell of it in commit %d", mark, n, commits[mark])
		}
	}
	for mark := range commits {
		if counted[mark] == 0 {
			f.broken(promisedOnce, "%s was not applied, the events say so", mark)
		}
	}
	for name, n := range absent {
		if !facts.hosted && done[name] != n {
			f.broken(promisedGone, "%s had applied %d actions when it was deleted, there are %d", name, n, done[name])
		}
	}
}

// logged compares the log of a flag's changes with how many there were: that of
// putting the flag there, and one for each at least that is by somebody else than the one
// before it, at most for all. Those that nobody needed may have been purged.
func (f *findings) logged(flag string, numbers []int64, least, most int, purged bool) {
	if purged {
		if n := len(numbers); n > 0 && numbers[n-1] > int64(1+most) {
			f.broken(promisedOnce, "the last change of flag %s has number %d, there were at most %d", flag, numbers[n-1], 1+most)
		}
		return
	}
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

// delivered compares what the host was told with what the events say, and, of
// releases that are not there any more, with what these had done.
func (f *findings) delivered(l *ledger, facts *releaseFacts, absent map[string]int) {
	first, numbers, stages := map[string]bool{}, map[string]int64{}, map[string]int{}
	rounds, done := map[string]int{}, map[string]int{}
	for i := range facts.deliveries {
		d := &facts.deliveries[i]
		input := releaseOf(d.workflow) // no identifier is used again
		if d.stage >= len(input.Stages) || d.mark != actionMark(d.workflow, d.stage) || d.key != fmt.Sprintf("%s/%d", d.mark, d.round) || d.target != input.Target.FlagKey {
			f.broken(promisedOnce, "delivery %d of %s, key %s, has other content: %s", d.number, d.workflow, d.key, d.mark)
		}
		if end, gone := l.gone[d.workflow]; gone && end != stillOpen && d.at >= end {
			f.broken(promisedGone, "%s was delivered, though the process had ended that deleted the workflow", d.mark)
		}
		if d.early {
			f.broken(promisedTime, "%s was delivered before its conditions were met", d.mark)
		}
		rounds[d.mark] = max(rounds[d.mark], d.round)
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
			if !first[d.mark] {
				done[d.workflow]++
			}
			first[d.mark] = true
		}
	}
	for i := range facts.workflows {
		w := &facts.workflows[i]
		open, retries := map[int]int{}, map[int]int{}
		for _, e := range w.Events() {
			switch e.Kind {
			case flagstage.EventStageArmed:
				open[e.Stage] = len(releaseOf(w.Name).Stages[e.Stage].Conditions)
			case flagstage.EventConditionCompleted:
				open[e.Stage]--
			case flagstage.EventStageRetried:
				retries[e.Stage]++
			case flagstage.EventActionApplied:
				if mark := actionMark(w.Name, e.Stage); !first[mark] {
					f.broken(promisedOnce, "%s was never delivered, the events say so", mark)
				}
			}
		}
		for stage := range releaseOf(w.Name).Stages {
			mark := actionMark(w.Name, stage)
			if n, armed := open[stage]; rounds[mark] > 0 && (!armed || n > 0) {
				f.broken(promisedTime, "%s was delivered, %d of its conditions are open", mark, n)
			}
			if rounds[mark] > 1+retries[stage] {
				f.broken(promisedOnce, "%s was delivered in round %d, and retried %d times", mark, rounds[mark], retries[stage])
			}
		}
	}
	for name, n := range absent {
		if done[name] < n { // others may have been applied, and skipped then
			f.broken(promisedOnce, "%s had applied %d actions when it was deleted, the host has %d", name, n, done[name])
		}
	}
}
