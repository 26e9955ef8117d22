package main

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

func TestKilledReleasesKeepTheirPromises(t *testing.T) {
	for _, hosted := range []bool{false, true} {
		name := "flags in the store"
		if hosted {
			name = "flags of a host"
		}
		t.Run(name, func(t *testing.T) {
			count, err := killReleases(1, 12, hosted, scratch(t))
			require.NoError(t, err)
			require.Empty(t, count.breaches, "go -C faults run . releases -rounds 12 -seed 1")
			require.Equal(t, 12, count.tried)
			require.NotZero(t, len(count.ledger.acknowledged))
			require.NotZero(t, count.reviews)
			require.NotZero(t, count.actions)
			require.Equal(t, count.workflows, count.completed+count.failed+count.cancelled+count.absent)
			require.NotEmpty(t, count.ledger.gone)
			require.NotZero(t, count.absent)
			require.NotEqual(t, flagstage.Purged{}, count.ledger.purged)
			require.Greater(t, count.ledger.latest, count.ledger.now, "a clock was wrong")
			require.Equal(t, hosted, count.deliveries > 0)
		})
	}
}

// ended is what there is after two workflows have ended to which something
// was done, and what was acknowledged.
func ended(t *testing.T, hosted bool) (*ledger, *releaseFacts) {
	ctx, log := t.Context(), ""
	clock := flagstage.NewVirtualClock(releasesStart)
	list := []flagstage.Option{flagstage.WithClock(clock)}
	if hosted {
		log = filepath.Join(t.TempDir(), "log")
		host, err := openHost(log, nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, host.log.Close()) })
		list = append(list, host.options()...)
	}
	store, err := flagstage.NewMemoryStore()
	require.NoError(t, err)
	engine, err := flagstage.New(store, list...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })

	flag, err := newFlag("f")
	require.NoError(t, err)
	_, err = engine.PutFlag(ctx, operator, releaseProject, flag, flagstage.FlagWrite{})
	require.NoError(t, err)
	l := newLedger(releasesStart)
	for _, approvals := range []int{0, 1} {
		name := searched(t, func(in flagstage.WorkflowInput) bool {
			waits, _ := count(in, flagstage.KindSchedule)
			asked, acting := count(in, flagstage.KindApproval)
			first, ok := waitOf(append(in.Stages[0].Conditions, flagstage.Approval{})[0])
			return ok && first > 0 && waits > 1 && acting == len(in.Stages) && acting > 1 && asked == approvals && in.Approvals.ExpiresAfter == 0 && in.IgnoreConflicts
		})
		w, err := engine.StartWorkflow(ctx, starter, requestOf(name))
		require.NoError(t, err)
		l.acknowledged = append(l.acknowledged, acknowledgement{ackStart, name, w.Version(), "-"})
		w, err = engine.Pause(ctx, operator, w.ID, "pause of "+name)
		require.NoError(t, err)
		l.acknowledged = append(l.acknowledged, acknowledgement{ackPause, name, w.Version(), "pause of " + name})
	}
	_, err = engine.PatchFlag(ctx, operator, releaseProject, "f", flags.Patch{
		Environment: releaseEnvironment, Instructions: []flags.Instruction{flags.AddRule(flags.Rule{Description: patchMark + "p", Serve: flags.ServeVariation(onVariation)}, "")},
	}, flagstage.FlagWrite{})
	require.NoError(t, err)
	l.acknowledged = append(l.acknowledged, acknowledgement{ackPatch, "f", 0, "p"})
	stuck, err := endReleases(ctx, store, engine, clock)
	require.NoError(t, err)
	require.Empty(t, stuck)
	facts, err := readFacts(ctx, store, engine, log)
	require.NoError(t, err)
	return l, facts
}

// searched returns the name of a release of flag f that is as wanted.
func searched(t *testing.T, wanted func(in flagstage.WorkflowInput) bool) string {
	random := rand.New(rand.NewPCG(1, 7))
	for range 10_000 {
		if name := releaseName("f", random); wanted(releaseOf(name)) {
			return name
		}
	}
	t.Fatal("no release is as wanted")
	return ""
}

// count returns how many conditions of a kind a release has, and how many
// stages that do something.
func count(in flagstage.WorkflowInput, kind flagstage.ConditionKind) (conditions, acting int) {
	for _, stage := range in.Stages {
		for _, c := range stage.Conditions {
			if c.Kind() == kind {
				conditions++
			}
		}
		if len(stage.Action.Instructions) > 0 {
			acting++
		}
	}
	return conditions, acting
}

// TestLedgerFinds shows that what is looked for in releases would be found.
func TestLedgerFinds(t *testing.T) {
	for _, c := range []struct {
		name   string
		hosted bool
		want   promised // "" is nothing
		harm   func(l *ledger, f *releaseFacts)
	}{
		{"nothing", false, "", func(*ledger, *releaseFacts) {}},
		{"nothing of a host", true, "", func(*ledger, *releaseFacts) {}},
		{"a workflow that is gone", false, promisedKept, func(_ *ledger, f *releaseFacts) { f.workflows = f.workflows[1:] }},
		{"a lost call", false, promisedKept, func(l *ledger, _ *releaseFacts) {
			l.acknowledged = append(l.acknowledged, acknowledgement{ackPause, l.acknowledged[0].of, 1, "lost"})
		}},
		{"a call that is another one", false, promisedKept, func(l *ledger, _ *releaseFacts) { l.acknowledged[1].kind = ackResume }},
		{"a call that is not there so early", false, promisedKept, func(l *ledger, _ *releaseFacts) { l.acknowledged[1].version = 1 }},
		{"events that are lost", false, promisedKept, func(l *ledger, _ *releaseFacts) { l.acknowledged[0].version = 1000 }},
		{"a lost change of a flag", false, promisedKept, func(l *ledger, _ *releaseFacts) {
			l.acknowledged = append(l.acknowledged, acknowledgement{ackPatch, "f", 0, "lost"})
		}},
		{"actions that are lost", false, promisedKept, func(l *ledger, _ *releaseFacts) { l.applied = 1000 }},
		{"a call that was done twice", false, promisedKept, func(_ *ledger, f *releaseFacts) { f.workflows = append(f.workflows, f.workflows[0]) }},
		{"another workflow", false, promisedReplay, func(_ *ledger, f *releaseFacts) {
			f.workflows[0].ID, f.workflows[1].ID = f.workflows[1].ID, f.workflows[0].ID
		}},
		{"another state", false, promisedReplay, func(_ *ledger, f *releaseFacts) { f.workflows[0].Workflow = flagstage.Workflow{} }},
		{"a batch that the feed leaves out", false, promisedFeed, func(_ *ledger, f *releaseFacts) { f.feed = f.feed[1:] }},
		{"a batch that the feed tells twice", false, promisedFeed, func(_ *ledger, f *releaseFacts) { f.feed = append(f.feed, f.feed[0]) }},
		{"an action that was applied twice", false, promisedOnce, func(_ *ledger, f *releaseFacts) { f.again(t, 0) }},
		{"an action that was not applied", false, promisedOnce, func(_ *ledger, f *releaseFacts) { f.flags = nil }},
		{"an action without events", false, promisedOnce, func(_ *ledger, f *releaseFacts) { f.mark(t, "f-1/0") }},
		{"actions in another order", false, promisedOrder, func(_ *ledger, f *releaseFacts) { f.reverse(t) }},
		{"a change that is not in the log", false, promisedOnce, func(_ *ledger, f *releaseFacts) { f.changes["f"] = f.changes["f"][:1] }},
		{"a change that is twice in the log", false, promisedOnce, func(_ *ledger, f *releaseFacts) { f.changes["f"][1] = 1 }},
		{"an action that the host never saw", true, promisedOnce, func(_ *ledger, f *releaseFacts) { f.deliveries = f.deliveries[1:] }},
		{"an action that the host only refused", true, promisedOnce, func(_ *ledger, f *releaseFacts) { f.deliveries[0].outcome = hostFailed }},
		{"another action", true, promisedOnce, func(_ *ledger, f *releaseFacts) { f.deliveries[0].mark += "0" }},
		{"another key", true, promisedOnce, func(_ *ledger, f *releaseFacts) { f.deliveries[0].key += "0" }},
		{"another flag", true, promisedOnce, func(_ *ledger, f *releaseFacts) { f.deliveries[0].target += "0" }},
		{"a number that does not grow", true, promisedOrder, func(_ *ledger, f *releaseFacts) { f.deliveries = append(f.deliveries, f.deliveries[0]) }},
		{"stages in another order", true, promisedOrder, func(_ *ledger, f *releaseFacts) {
			d := f.deliveries[0]
			d.number = 1000
			f.deliveries = append(f.deliveries, d)
		}},
		{"a delivery before its time", true, promisedTime, func(_ *ledger, f *releaseFacts) {
			f.deliveries[0].early = true
		}},
		{"a round that nobody has begun", true, promisedOnce, func(_ *ledger, f *releaseFacts) {
			d := &f.deliveries[0]
			d.round, d.key = 2, d.mark+"/2"
		}},
		{"a delivery behind the end of its workflow", true, promisedGone, func(l *ledger, f *releaseFacts) {
			l.bury(f, 0)
			l.ended(f.deliveries[0].at)
		}},
		{"actions of a deleted workflow that the host never saw", true, promisedOnce, func(l *ledger, f *releaseFacts) {
			l.bury(f, 0)
			l.buried[l.acknowledged[0].of]++
		}},
		{"nothing, when a workflow was deleted", false, "", func(l *ledger, f *releaseFacts) { l.bury(f, 0) }},
		{"nothing, when a workflow was deleted, of a host", true, "", func(l *ledger, f *releaseFacts) { l.bury(f, 0) }},
		{"a deleted workflow that is there", false, promisedGone, func(l *ledger, f *releaseFacts) {
			l.gone[f.workflows[0].Name] = stillOpen
		}},
		{"a deleted workflow that goes on", false, promisedGone, func(l *ledger, f *releaseFacts) {
			l.bury(f, 0)
			l.buried[l.acknowledged[0].of]--
		}},
		{"events of a deleted workflow", false, promisedGone, func(_ *ledger, f *releaseFacts) { f.eventful["event/f-1/1"] = "f-1" }},
		{"events of a deleted workflow in the feed", false, promisedFeed, func(_ *ledger, f *releaseFacts) {
			f.feed = append(f.feed, flagstage.EventBatch{WorkflowID: "f-1", Cursor: flagstage.Cursor{Revision: 1000}})
		}},
		{"a deleted workflow in a list", false, promisedGone, func(_ *ledger, f *releaseFacts) { f.listed["flagworkflow/f-1"] = "f-1" }},
		{"a workflow in no list", false, promisedKept, func(_ *ledger, f *releaseFacts) { clear(f.listed) }},
		{"a workflow that was deleted and is lost", false, promisedKept, func(l *ledger, f *releaseFacts) {
			f.workflows = f.workflows[1:]
			l.gone["f-1"] = stillOpen
		}},
		{"a change that nobody made", false, promisedOnce, func(l *ledger, f *releaseFacts) {
			l.purging, f.changes["f"] = true, []int64{1000}
		}},
		{"nothing, when changes were purged", false, "", func(l *ledger, f *releaseFacts) {
			l.purging, f.changes["f"] = true, nil
		}},
		{"nothing, when two wanted to delete a workflow", false, "", func(l *ledger, f *releaseFacts) {
			name := f.workflows[0].Name
			l.bury(f, 0)
			require.NoError(t, l.note("burying "+name+" 0"), "the one that came too late")
		}},
		{"a complaint", false, promisedKept, func(l *ledger, _ *releaseFacts) {
			require.NoError(t, l.note("broke f-1 is active and is purged"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, facts := ended(t, c.hosted)
			c.harm(l, facts)
			breaches := l.check(facts).breaches
			if c.want == "" {
				require.Empty(t, breaches)
				return
			}
			require.True(t, slices.ContainsFunc(breaches, func(b breach) bool { return b.promised == c.want }), "%v", breaches)
		})
	}
}

// bury takes away a workflow that was deleted.
func (l *ledger) bury(f *releaseFacts, i int) {
	w := f.workflows[i]
	alone := &findings{}
	alone.workflow(&w, f.hosted)
	l.buried[w.Name], l.gone[w.Name] = alone.actions, stillOpen
	f.workflows = slices.Delete(f.workflows, i, i+1)
	f.feed = slices.DeleteFunc(f.feed, func(b flagstage.EventBatch) bool { return b.WorkflowID == w.ID })
	of := func(_, id string) bool { return id == w.ID }
	maps.DeleteFunc(f.listed, of)
	maps.DeleteFunc(f.eventful, of)
}

// mark leaves a mark in the flag.
func (f *releaseFacts) mark(t *testing.T, mark string) {
	flag, err := flags.Apply(f.flags[0], []flags.Instruction{flags.AddRule(flags.Rule{Description: mark, Serve: flags.ServeVariation(onVariation)}, "")},
		flags.Application{Environment: releaseEnvironment, Now: releasesStart, IDs: flagstage.RandomIDs()})
	require.NoError(t, err)
	f.flags[0] = flag
	f.changes["f"] = append(f.changes["f"], int64(len(f.changes["f"])+1))
}

// again leaves one of the marks of workflows once more.
func (f *releaseFacts) again(t *testing.T, i int) {
	marks := slices.DeleteFunc(marksOf(f.flags[0]), func(mark string) bool { return mark == patchMark+"p" })
	f.mark(t, marks[i])
}

// reverse leaves the marks in the order from the last to the first.
func (f *releaseFacts) reverse(t *testing.T) {
	marks := marksOf(f.flags[0])
	flag, err := newFlag("f")
	require.NoError(t, err)
	f.flags[0], f.changes["f"] = flag, []int64{1}
	slices.Reverse(marks)
	for _, mark := range marks {
		f.mark(t, mark)
	}
}

// TestCourseFinds shows that what is looked for in the events of a release would
// be found.
func TestCourseFinds(t *testing.T) {
	_, facts := ended(t, false)
	w := &facts.workflows[0]
	if n, _ := count(releaseOf(w.Name), flagstage.KindApproval); n == 0 {
		w = &facts.workflows[1]
	}
	first := func(kind flagstage.EventKind, condition flagstage.ConditionKind) int {
		return slices.IndexFunc(w.Events(), func(e flagstage.Event) bool {
			return e.Kind == kind && (condition == "" || releaseOf(w.Name).Stages[e.Stage].Conditions[e.Condition].Kind() == condition)
		})
	}
	for _, c := range []struct {
		name string
		want promised
		harm func(events []flagstage.Event) []flagstage.Event
	}{
		{"nothing", "", func(events []flagstage.Event) []flagstage.Event { return events }},
		{"a wait that is too short", promisedTime, func(events []flagstage.Event) []flagstage.Event {
			e := &events[first(flagstage.EventConditionArmed, flagstage.KindSchedule)]
			e.Until = e.Until.Add(-2 * time.Hour)
			return events
		}},
		{"a wait that was not waited for", promisedTime, func(events []flagstage.Event) []flagstage.Event {
			events[first(flagstage.EventConditionCompleted, flagstage.KindSchedule)].At = releasesStart.Add(-time.Hour)
			return events
		}},
		{"a wait that is left out", promisedTime, func(events []flagstage.Event) []flagstage.Event {
			i := first(flagstage.EventConditionCompleted, flagstage.KindSchedule)
			return slices.Delete(events, i, i+1)
		}},
		{"a stage that was applied too soon", promisedTime, func(events []flagstage.Event) []flagstage.Event {
			for i := range events {
				events[i].At = releasesStart.Add(-100 * time.Hour)
				events[i].Due, events[i].Until = events[i].At, events[i].At
			}
			return events
		}},
		{"time that goes back", promisedTime, func(events []flagstage.Event) []flagstage.Event {
			events[len(events)-1].At = releasesStart
			events[len(events)-1].Due = releasesStart
			return events
		}},
		{"something before it is due", promisedTime, func(events []flagstage.Event) []flagstage.Event {
			events[0].Due = releasesStart.Add(time.Millisecond)
			return events
		}},
		{"a wait that comes nearer", promisedTime, func(events []flagstage.Event) []flagstage.Event {
			events[first(flagstage.EventConditionRescheduled, "")].Until = releasesStart
			return events
		}},
		{"an approval that is left out", promisedApproval, func(events []flagstage.Event) []flagstage.Event {
			i := first(flagstage.EventConditionCompleted, flagstage.KindApproval)
			return slices.Delete(events, i, i+1)
		}},
		{"an approval that nobody gave", promisedApproval, func(events []flagstage.Event) []flagstage.Event {
			return slices.DeleteFunc(events, func(e flagstage.Event) bool { return e.Kind == flagstage.EventReviewed })
		}},
		{"an approval by the starter", promisedApproval, func(events []flagstage.Event) []flagstage.Event {
			for i := range events {
				if events[i].Kind == flagstage.EventReviewed {
					events[i].Actor = starter
				}
			}
			return events
		}},
		{"a stage that is left out", promisedOrder, func(events []flagstage.Event) []flagstage.Event {
			i := first(flagstage.EventStageArmed, "")
			return slices.Delete(events, i, i+1)
		}},
		{"an action of another stage", promisedOrder, func(events []flagstage.Event) []flagstage.Event {
			events[first(flagstage.EventActionApplied, "")].Stage++
			return events
		}},
		{"an action in a pause", promisedTime, func(events []flagstage.Event) []flagstage.Event {
			return slices.DeleteFunc(events, func(e flagstage.Event) bool { return e.Kind == flagstage.EventWorkflowResumed })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &findings{}
			course := newCourse(f, w, false)
			for _, e := range c.harm(w.Events()) {
				course.event(e)
			}
			if c.want == "" {
				require.Empty(t, f.breaches)
				return
			}
			require.True(t, slices.ContainsFunc(f.breaches, func(b breach) bool { return b.promised == c.want }), "%v", f.breaches)
		})
	}
}

func TestLedgerRefusesLinesOfNoProcess(t *testing.T) {
	for _, line := range []string{"", "at noon", "at 1", "jumped", "tick", "ack start", "burying f-1", "purged 1", "panic: x"} {
		require.Error(t, newLedger(releasesStart).note(line), "%q", line)
	}
}

func TestLogOfDeliveriesEndsInHalfALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	h, err := openHost(path, nil)
	require.NoError(t, err)
	id := searched(t, func(in flagstage.WorkflowInput) bool { return len(in.Stages[0].Action.Instructions) > 0 })
	deliver := flagstage.Delivery{WorkflowID: id, Target: releaseOf(id).Target, Round: 1, Number: 7, Instructions: releaseOf(id).Stages[0].Action.Instructions}
	require.NoError(t, h.Apply(t.Context(), deliver))
	require.NoError(t, h.log.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(whole, whole[:len(whole)/2]...), 0o600))
	list, err := readDeliveries(path)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, delivery{
		workflow: id, round: 1, number: 7, mark: actionMark(id, 0), outcome: hostApplied, key: id + "/0/1", target: "f",
	}, list[0])

	h, err = openHost(path, nil)
	require.NoError(t, err)
	deliver.Number++
	require.NoError(t, h.Apply(t.Context(), deliver))
	require.NoError(t, h.log.Close())
	list, err = readDeliveries(path)
	require.NoError(t, err)
	require.Len(t, list, 2, "the next one does not go on with the half")
	require.Equal(t, hostRepeated, list[1].outcome)
}
