package flagstage_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/storetest"
)

// write is a change of a field of the flag: its name or its description.
type write struct {
	by, field, value string
}

// releaseModel is what the machine knows of a workflow.
type releaseModel struct {
	input flagstage.WorkflowInput
	base  int // how many writes there were when it began, or others were forgiven
}

// machine makes drawn calls of engines on a store, and knows what must come of
// them: it keeps a model of the flag's fields, which it changes as the events say.
type machine struct {
	t       *testing.T
	ctx     context.Context
	clock   *flagstage.VirtualClock
	path    string // of the store's file, "" for a model in memory
	store   flagstage.Store
	engines []*flagstage.Engine
	options []flagstage.Option
	got     *deliveries // nil: actions are applied to the store's flag

	releases map[string]*releaseModel
	writes   []write
	version  int64 // of the flag
	cursor   flagstage.Cursor
	said     int // texts that were made
}

func newMachine(t *testing.T, r *rapid.T) *machine {
	m := &machine{t: t, ctx: context.Background(), clock: flagstage.NewVirtualClock(start), releases: map[string]*releaseModel{}}
	if rapid.Bool().Draw(r, "file") {
		m.path = filepath.Join(t.TempDir(), fmt.Sprintf("%p.db", m))
	}
	m.options = []flagstage.Option{flagstage.WithClock(m.clock), flagstage.WithRetries(flagstage.Retries{Limit: 3})}
	if rapid.Bool().Draw(r, "applier") {
		m.got = &deliveries{}
		m.options = append(m.options, flagstage.WithApplier(m.got))
	}
	m.open(r)
	f := testFlag(t)
	_, err := m.engines[0].PutFlag(m.ctx, alice, theTarget.ProjectKey, f, flagstage.FlagWrite{})
	require.NoError(r, err)
	m.version = f.Version()
	return m
}

// open opens the store, or once more.
func (m *machine) open(r *rapid.T) {
	switch {
	case m.path != "":
		if m.store != nil {
			require.NoError(r, m.store.Close())
		}
		store, err := flagstage.OpenStore(m.path, flagstage.DurabilityNever)
		require.NoError(r, err)
		m.store = store
	case m.store == nil:
		m.store = storetest.NewModel()
	}
	m.engines = []*flagstage.Engine{m.engineOn(r, m.store), m.engineOn(r, m.store)}
}

func (m *machine) engineOn(r *rapid.T, store flagstage.Store) *flagstage.Engine {
	e, err := flagstage.New(store, m.options...)
	require.NoError(r, err)
	return e
}

// engine draws an engine: one of two that go on and on, or a new one whose store
// goes wrong once.
func (m *machine) engine(r *rapid.T) (e *flagstage.Engine, faulty *storetest.FaultyStore) {
	if i := rapid.IntRange(0, 3).Draw(r, "engine"); i < 3 {
		return m.engines[i%2], nil
	}
	faulty = storetest.Faulty(m.store, storetest.Plan{
		Fault: rapid.SampledFrom([]storetest.Fault{
			storetest.FaultError, storetest.FaultLost, storetest.FaultUnanswered, storetest.FaultCrashBefore, storetest.FaultCrashAfter,
		}).Draw(r, "fault"),
		N: rapid.IntRange(0, 12).Draw(r, "at call"),
	})
	return m.engineOn(r, faulty), faulty
}

// call makes a call, and checks its error: without a fault it has a code.
func (m *machine) call(r *rapid.T, call func(*flagstage.Engine) error) {
	e, faulty := m.engine(r)
	err := call(e)
	if faulty == nil || !faulty.Fired() {
		require.True(r, err == nil || flagstage.Code(err) != "", "%v", err)
	}
}

// text makes a value that nobody else writes.
func (m *machine) text() string {
	m.said++
	return fmt.Sprint("text ", m.said)
}

// fieldOf returns the field that an instruction writes, and the value.
func fieldOf(in flags.Instruction) (field, value string) {
	field = "description"
	if in.Kind() == "updateName" {
		field = "name"
	}
	var read struct{ Value string }
	if err := json.Unmarshal(in.AppendJSON(nil), &read); err != nil {
		panic(err)
	}
	return field, read.Value
}

func (m *machine) instruction(r *rapid.T) flags.Instruction {
	if rapid.Bool().Draw(r, "name") {
		return flags.UpdateName(m.text())
	}
	return flags.UpdateDescription(m.text())
}

func (m *machine) input(r *rapid.T) flagstage.WorkflowInput {
	input := releaseOf(rapid.SampledFrom([]string{"a", "b", "c", ""}).Draw(r, "id"))
	input.IgnoreConflicts = rapid.IntRange(0, 3).Draw(r, "ignore conflicts") == 0
	input.Lateness = rapid.SampledFrom([]time.Duration{0, flagstage.NoLateness, 1000 * hour}).Draw(r, "lateness")
	input.Approvals.ExpiresAfter = rapid.SampledFrom([]time.Duration{0, 0, 30 * hour}).Draw(r, "expires")
	for range rapid.IntRange(1, 3).Draw(r, "stages") {
		s := flagstage.Stage{ExecuteConditionsInSequence: rapid.Bool().Draw(r, "sequence")}
		for range rapid.IntRange(0, 2).Draw(r, "conditions") {
			s.Conditions = append(s.Conditions, rapid.SampledFrom([]flagstage.Condition{
				flagstage.Approval{}, hours(0), hours(1), hours(10), flagstage.ScheduleAt(after(40)),
			}).Draw(r, "condition"))
		}
		if rapid.IntRange(0, 4).Draw(r, "acts") > 0 {
			s.Action = flagstage.Patch(m.instruction(r))
		}
		input.Stages = append(input.Stages, s)
	}
	return input
}

// some draws the id of a workflow, or one that none has.
func (m *machine) some(r *rapid.T) string {
	ids := []string{"nobody"}
	for id := range m.releases {
		ids = append(ids, id)
	}
	slices.Sort(ids[1:])
	return rapid.SampledFrom(ids).Draw(r, "workflow")
}

func (m *machine) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"start": func(r *rapid.T) {
			input := m.input(r)
			m.call(r, func(e *flagstage.Engine) error {
				before := len(m.writes)
				s, err := e.StartWorkflow(m.ctx, alice, input)
				m.noteStarts(r, input, before)
				if err == nil {
					require.Contains(r, m.releases, s.ID)
				}
				return err
			})
		},
		"start of a template": func(r *rapid.T) {
			input := m.input(r)
			m.call(r, func(e *flagstage.Engine) error {
				key := "template-" + fmt.Sprint(m.said)
				if _, err := e.CreateTemplate(m.ctx, alice, flagstage.TemplateInput{Key: key, Origin: theTarget, Stages: input.Stages}); err != nil {
					return err
				}
				input.Stages, input.TemplateKey = nil, key
				before := len(m.writes)
				_, err := e.StartWorkflow(m.ctx, alice, input)
				m.noteStarts(r, input, before)
				return err
			})
		},
		"start of a plan": func(r *rapid.T) {
			id := m.some(r)
			m.call(r, func(e *flagstage.Engine) error {
				s, err := e.Workflow(m.ctx, alice, id)
				if err != nil {
					return err
				}
				input := m.releases[id].input
				input.ID, input.Stages, input.TemplateKey = "", nil, ""
				before := len(m.writes)
				_, err = e.StartPlan(m.ctx, alice, s.Plan(), input)
				m.noteStarts(r, input, before)
				return err
			})
		},
		"review": func(r *rapid.T) {
			id, actor := m.some(r), rapid.SampledFrom([]flagstage.Actor{bob, carol, alice}).Draw(r, "actor")
			kind := rapid.SampledFrom([]flagstage.ReviewKind{flagstage.ReviewApprove, flagstage.ReviewApprove, flagstage.ReviewApprove, flagstage.ReviewDecline, flagstage.ReviewComment}).Draw(r, "kind")
			m.call(r, func(e *flagstage.Engine) error {
				s, err := e.Workflow(m.ctx, alice, id)
				if err != nil {
					return err
				}
				review := flagstage.Review{Kind: kind}
				for _, g := range s.Gates() {
					if g.Kind == flagstage.KindApproval {
						review.Stage, review.Condition = g.Stage, g.Condition
					}
				}
				_, err = e.Review(m.ctx, actor, id, review)
				return err
			})
		},
		"pause": func(r *rapid.T) {
			id := m.some(r)
			m.call(r, func(e *flagstage.Engine) error { _, err := e.Pause(m.ctx, bob, id, ""); return err })
		},
		"resume": func(r *rapid.T) {
			id := m.some(r)
			m.call(r, func(e *flagstage.Engine) error { _, err := e.Resume(m.ctx, bob, id, ""); return err })
		},
		"cancel": func(r *rapid.T) {
			if id := m.some(r); rapid.IntRange(0, 3).Draw(r, "really") == 0 {
				m.call(r, func(e *flagstage.Engine) error { _, err := e.Cancel(m.ctx, bob, id, "because"); return err })
			}
		},
		"skip": func(r *rapid.T) {
			id, bypass := m.some(r), rapid.Bool().Draw(r, "bypass")
			m.call(r, func(e *flagstage.Engine) error {
				s, err := e.Workflow(m.ctx, alice, id)
				if err != nil {
					return err
				}
				skip := flagstage.Skip{Reason: "because", BypassApproval: bypass}
				for i := range s.Plan().Len() {
					if s.StageStatus(i) == flagstage.StatusActive {
						skip.Stage = i
					}
				}
				_, err = e.Skip(m.ctx, bob, id, skip)
				return err
			})
		},
		"retry": func(r *rapid.T) {
			id, ignore := m.some(r), rapid.Bool().Draw(r, "ignore conflicts")
			m.call(r, func(e *flagstage.Engine) error {
				before := len(m.writes)
				version := m.versionOf(r, id)
				_, err := e.Retry(m.ctx, bob, id, flagstage.Retry{Reason: "because", IgnoreConflicts: ignore})
				if ignore && m.versionOf(r, id) != version {
					m.releases[id].base = before
				}
				return err
			})
		},
		"delete": func(r *rapid.T) {
			if id := m.some(r); rapid.IntRange(0, 3).Draw(r, "really") == 0 {
				m.look(r) // what has happened is lost with it
				m.call(r, func(e *flagstage.Engine) error {
					err := e.DeleteWorkflow(m.ctx, bob, id)
					m.noteDeletions(r)
					return err
				})
			}
		},
		"purge": func(r *rapid.T) {
			m.look(r)
			before := m.clock.Now().Add(-time.Duration(rapid.IntRange(0, 48).Draw(r, "hours")) * hour)
			m.call(r, func(e *flagstage.Engine) error {
				_, err := e.Purge(m.ctx, bob, before)
				m.noteDeletions(r)
				return err
			})
		},
		"patch flag": func(r *rapid.T) {
			in, how := m.instruction(r), flagstage.FlagWrite{IgnoreConflicts: rapid.Bool().Draw(r, "ignore conflicts")}
			m.call(r, func(e *flagstage.Engine) error {
				_, err := e.PatchFlag(m.ctx, carol, theTarget.ProjectKey, theTarget.FlagKey, flags.Patch{Instructions: []flags.Instruction{in}}, how)
				field, value := fieldOf(in)
				if f := m.flag(r); fieldIs(f, field) == value {
					m.written(carol.Identity(), field, value)
					m.version++
				}
				return err
			})
		},
		"put flag": func(r *rapid.T) {
			text, how := m.text(), flagstage.FlagWrite{IgnoreConflicts: rapid.Bool().Draw(r, "ignore conflicts")}
			m.call(r, func(e *flagstage.Engine) error {
				changed, err := flags.Apply(m.flag(r), []flags.Instruction{flags.UpdateName(text)}, flags.Application{Now: start})
				require.NoError(r, err)
				how.Revision = m.revision(r)
				_, err = e.PutFlag(m.ctx, carol, theTarget.ProjectKey, changed, how)
				if m.flag(r).Name() == text {
					m.written(carol.Identity(), "name", text)
					m.version++
				}
				return err
			})
		},
		"tick": func(r *rapid.T) {
			m.clock.Advance(time.Duration(rapid.SampledFrom([]int64{0, 1, 5, 10, 100}).Draw(r, "hours")) * hour)
			m.call(r, func(e *flagstage.Engine) error { _, err := e.Tick(m.ctx); return err })
		},
		"tick when it is due": func(r *rapid.T) {
			m.call(r, func(e *flagstage.Engine) error {
				due, ok, err := e.NextDue(m.ctx)
				if err != nil || !ok {
					return err
				}
				m.clock.Set(due)
				_, err = e.Tick(m.ctx)
				return err
			})
		},
		"set the clock back": func(r *rapid.T) {
			if rapid.IntRange(0, 5).Draw(r, "really") == 0 {
				m.clock.Set(m.clock.Now().AddDate(-rapid.IntRange(0, 3).Draw(r, "years"), 0, 0).Add(-hour))
			}
		},
		"reopen": func(r *rapid.T) { m.open(r) },
		"answer": func(r *rapid.T) {
			if m.got == nil {
				return
			}
			answer := rapid.SampledFrom([]string{"yes", "yes", "no", "never", "lost"}).Draw(r, "answer")
			m.got.answer = func(_ context.Context, d flagstage.Delivery) error {
				switch answer {
				case "no":
					return errUnavailable
				case "never":
					return flagstage.Permanent(errUnavailable)
				}
				if answer == "lost" { // it was applied, but that is not heard
					return errUnavailable
				}
				return nil
			}
		},
		"": m.look,
	}
}

func (m *machine) versionOf(r *rapid.T, id string) int64 {
	s, err := m.engines[0].Workflow(m.ctx, alice, id)
	if err != nil {
		require.ErrorIs(r, err, flagstage.ErrNotFound)
	}
	return s.Version()
}

func (m *machine) stored(r *rapid.T) flagstage.StoredFlag {
	f, err := m.engines[0].Flag(m.ctx, alice, theTarget.ProjectKey, theTarget.FlagKey)
	require.NoError(r, err)
	return f
}

func (m *machine) flag(r *rapid.T) flags.Flag { return m.stored(r).Flag }
func (m *machine) revision(r *rapid.T) int64  { return m.stored(r).Revision }
func (m *machine) written(by, field, value string) {
	m.writes = append(m.writes, write{by, field, value})
}

func fieldIs(f flags.Flag, field string) string {
	if field == "name" {
		return f.Name()
	}
	return f.Description()
}

func (m *machine) list(r *rapid.T) []flagstage.StoredWorkflow {
	list, err := m.engines[0].Workflows(m.ctx, alice, flagstage.WorkflowQuery{Limit: 10_000})
	require.NoError(r, err)
	require.Empty(r, list.Unreadable)
	require.Len(r, list.Items, list.TotalCount)
	return list.Items
}

// noteStarts takes in the workflow that a call may have started.
func (m *machine) noteStarts(r *rapid.T, input flagstage.WorkflowInput, base int) {
	for _, s := range m.list(r) {
		if m.releases[s.ID] == nil {
			m.releases[s.ID] = &releaseModel{input: input, base: base}
		}
	}
}

func (m *machine) noteDeletions(r *rapid.T) {
	left := map[string]bool{}
	for _, s := range m.list(r) {
		left[s.ID] = true
	}
	for id := range m.releases {
		if !left[id] {
			delete(m.releases, id)
			if m.got != nil { // whoever takes its id begins anew
				m.got.forget(id)
			}
		}
	}
}

// look checks all that must hold between two calls.
func (m *machine) look(r *rapid.T) {
	m.follow(r)
	f := m.flag(r)
	for _, field := range []string{"name", "description"} {
		require.Equal(r, m.was(field, len(m.writes)), fieldIs(f, field))
	}
	require.Equal(r, m.version, f.Version(), "each change was made once")
	var wake time.Time
	for _, s := range m.list(r) {
		require.Contains(r, m.releases, s.ID)
		replays(r, s)
		approved(r, s)
		if at, ok := s.Wake(); ok && (wake.IsZero() || at.Before(wake)) {
			wake = at
		}
	}
	due, ok, err := m.engines[1].NextDue(m.ctx)
	require.NoError(r, err)
	if !wake.IsZero() && m.got == nil {
		require.True(r, ok)
		require.False(r, due.After(wake), "it is due at %v, not at %v", wake, due)
	}
	if m.got != nil {
		m.got.check(r, m.got.firsts())
	}
}

// follow reads on in the feed, and makes of it what it says.
func (m *machine) follow(r *rapid.T) {
	type act struct {
		revision int64
		due      time.Time
		id       string
		event    flagstage.Event
	}
	var acts []act
	for batch, err := range m.engines[0].Events(m.ctx, alice, m.cursor) {
		require.NoError(r, err)
		require.True(r, batch.Cursor.Revision > m.cursor.Revision || batch.Cursor.WorkflowID > m.cursor.WorkflowID)
		m.cursor = batch.Cursor
		for i, e := range batch.Events {
			due := e.Due
			switch e.Kind {
			case flagstage.EventActionFailed:
				if i > 0 { // a failure is due when it comes, but its turn was that of what led to it
					due = batch.Events[i-1].Due
				}
				fallthrough
			case flagstage.EventActionApplied:
				acts = append(acts, act{batch.Cursor.Revision, due, batch.WorkflowID, e})
			}
		}
	}
	slices.SortStableFunc(acts, func(a, b act) int {
		return cmp.Or(cmp.Compare(a.revision, b.revision), a.due.Compare(b.due), cmp.Compare(a.id, b.id))
	})
	for _, a := range acts {
		m.take(r, a.id, a.event)
	}
}

// take takes in that an action was applied, or failed.
func (m *machine) take(r *rapid.T, id string, e flagstage.Event) {
	model := m.releases[id]
	s, err := m.engines[0].Workflow(m.ctx, alice, id)
	require.NoError(r, err)
	action := s.Plan().Stages()[e.Stage].Action
	field, value := fieldOf(action.Instructions[0])
	if m.got != nil {
		if e.Kind == flagstage.EventActionApplied {
			require.True(r, slices.ContainsFunc(m.got.all(), func(d flagstage.Delivery) bool { return d.WorkflowID == id && d.Stage == e.Stage }))
		}
		return
	}
	// what the field was when it was judged, or last written by the workflow itself
	was, foreign, now := m.was(field, model.base), false, m.was(field, len(m.writes))
	for _, w := range m.writes[model.base:] {
		if w.field != field {
			continue
		}
		if foreign = w.by != "workflow:"+id; !foreign {
			was = w.value
		}
	}
	foreign = foreign && was != now && value != now
	if e.Kind == flagstage.EventActionFailed {
		require.Equal(r, flagstage.ReasonConflict, e.Reason, e.Comment)
		require.True(r, foreign, "%s failed: %s", id, e.Comment)
		return
	}
	if !model.input.IgnoreConflicts {
		require.False(r, foreign, "%s has overwritten %s by %s: %v", id, field, value, m.writes)
	}
	if now != value {
		m.version++
		m.written("workflow:"+id, field, value)
	}
}

// was returns what a field was after so many writes.
func (m *machine) was(field string, writes int) string {
	was := fieldIs(testFlag(m.t), field)
	for _, w := range m.writes[:writes] {
		if w.field == field {
			was = w.value
		}
	}
	return was
}

// approved checks that each approval that counts as given was given, by somebody
// else.
func approved(t require.TestingT, s flagstage.StoredWorkflow) {
	events := s.Events()
	for i, e := range events {
		if e.Kind != flagstage.EventConditionCompleted {
			continue
		}
		if _, ok := s.Plan().Stages()[e.Stage].Conditions[e.Condition].(flagstage.Approval); !ok {
			continue
		}
		require.Equal(t, flagstage.ReasonApproved, e.Reason)
		review := events[i-1]
		require.Equal(t, flagstage.EventReviewed, review.Kind)
		require.Equal(t, flagstage.ReviewApprove, review.Review)
		require.Equal(t, e.Actor, review.Actor)
		require.NotEqual(t, alice, review.Actor)
	}
}

// end lets all that is due happen without faults, and then takes all away.
func (m *machine) end(r *rapid.T) {
	if m.got != nil {
		m.got.answer = nil
	}
	for _, s := range m.list(r) { // the clock is right again, and all that was tried too often is not tried any more
		if at := s.Events()[len(s.Events())-1].At; at.After(m.clock.Now()) {
			m.clock.Set(at)
		}
	}
	for range 2 {
		m.clock.Advance(10 * minute)
		_, err := m.engines[0].Tick(m.ctx)
		require.NoError(r, err)
	}
	m.look(r)
	due, ok, err := m.engines[0].NextDue(m.ctx)
	require.NoError(r, err)
	require.True(r, !ok || due.After(m.clock.Now()), "within two ticks all is done that is due")
	for id := range m.releases {
		require.NoError(r, m.engines[0].DeleteWorkflow(m.ctx, alice, id))
	}
	_, err = m.engines[1].Purge(m.ctx, alice, m.clock.Now())
	require.NoError(r, err)
	nothingLeft(r, m.store)
	if m.path != "" {
		require.NoError(r, m.store.Close())
	}
}

// TestEnginesKeepTheirPromises makes drawn calls of engines, of which two work on
// one store, in memory or in a file that is opened again and again, and others die
// on it.
func TestEnginesKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := newMachine(t, r)
		r.Repeat(m.actions())
		m.end(r)
	})
}
