package flagstage_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/storetest"
)

// machineSegments are the keys of the segments of a machine; the second one is not
// there at first.
var machineSegments = []string{"staff", "friends"}

// machineTries is how often an action is tried.
const machineTries = 3

// machine makes drawn calls of engines on a store, and knows what must come of
// them: it keeps a model of the flags, which it changes as the events say. It lives
// in a bubble, so that it costs no time when an applier hangs.
type machine struct {
	t       *testing.T
	ctx     context.Context
	ahead   time.Duration // of the clock, before the bubble's
	path    string        // of the store's file, "" for a model in memory
	store   flagstage.Store
	engines []*flagstage.Engine
	options []flagstage.Option
	host    *host // nil: actions are applied to the store's flags

	releases  map[string]*releaseModel
	plans     map[string]flagstage.Plan // of the releases
	flags     map[string]flagModel      // by key
	segments  map[string]flags.Segment  // by key
	templates map[string]flagstage.StoredTemplate
	feed      feedModel
	conflicts map[string][]string // of each workflow, stages by id
	ticked    bool                // the last call was a tick
	said      int                 // words that were made
}

// releaseModel is what the machine knows of a workflow.
type releaseModel struct {
	input flagstage.WorkflowInput
	base  int                                             // how often the flag had changed when it began, or others were forgiven
	begin func(*caller) (flagstage.StoredWorkflow, error) // the call that started it
}

func newMachine(t *testing.T, r *rapid.T) *machine {
	m := &machine{
		t: t, ctx: context.Background(),
		releases: map[string]*releaseModel{}, plans: map[string]flagstage.Plan{}, flags: map[string]flagModel{}, segments: map[string]flags.Segment{},
		templates: map[string]flagstage.StoredTemplate{}, feed: feedModel{seen: map[string]int{}}, conflicts: map[string][]string{},
	}
	m.set(start)
	if rapid.Bool().Draw(r, "file") {
		m.path = filepath.Join(t.TempDir(), "store.db")
	}
	m.options = []flagstage.Option{
		flagstage.WithClock(flagstage.ClockFunc(m.now)), flagstage.WithIDs(flagstage.SeededIDs(1)), flagstage.WithRetries(flagstage.Retries{Limit: machineTries}),
	}
	if rapid.Bool().Draw(r, "applier") {
		m.host = newHost(rapid.SampledFrom(manners).Draw(r, "manner"))
		m.options = append(m.options, flagstage.WithApplier(m.host))
	}
	r.Cleanup(m.leave)
	m.open(r)
	for _, key := range machineKeys[:2] {
		f := flagBeside(r, testFlag(t), key)
		_, err := m.engines[0].PutFlag(m.ctx, alice, theTarget.ProjectKey, f, flagstage.FlagWrite{})
		require.NoError(r, err)
		m.changed(key, alice.Identity(), f)
	}
	staff := segmentOf(t, `{"key":"staff"}`)
	_, err := m.engines[0].PutSegment(m.ctx, alice, theTarget.ProjectKey, theTarget.EnvironmentKey, staff, 0)
	require.NoError(r, err)
	m.segments[staff.Key()] = staff
	return m
}

// now returns what the clock says.
func (m *machine) now() time.Time { return time.Now().Add(m.ahead) }

// set sets the clock, to no time before the first that a record can hold.
func (m *machine) set(now time.Time) {
	if first := time.Unix(0, 0); now.Before(first) {
		now = first
	}
	m.ahead = time.Until(now)
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

// leave leaves the bubble, in which nothing must be left.
func (m *machine) leave() {
	if m.store != nil {
		require.NoError(m.t, m.store.Close())
	}
	time.Sleep(2 * lateAnswer)
}

func (m *machine) engineOn(r *rapid.T, store flagstage.Store) *flagstage.Engine {
	e, err := flagstage.New(store, m.options...)
	require.NoError(r, err)
	return e
}

// caller is an engine that a call is made of, and what goes wrong meanwhile.
type caller struct {
	*flagstage.Engine
	ctx    context.Context
	faulty *storetest.FaultyStore // nil: its store goes on and on
}

// calm reports whether nothing has gone wrong.
func (c *caller) calm() bool { return c.ctx.Err() == nil && (c.faulty == nil || !c.faulty.Fired()) }

// caller draws one of two engines that go on and on, or a new one whose store goes
// wrong once, or one whose caller goes away.
func (m *machine) caller(r *rapid.T) *caller {
	switch i := rapid.IntRange(0, 5).Draw(r, "engine"); i {
	case 4:
		faulty := storetest.Faulty(m.store, storetest.Plan{
			Fault: rapid.SampledFrom([]storetest.Fault{
				storetest.FaultError, storetest.FaultLost, storetest.FaultUnanswered, storetest.FaultCrashBefore, storetest.FaultCrashAfter,
			}).Draw(r, "fault"),
			N: rapid.IntRange(0, 12).Draw(r, "at call"),
		})
		return &caller{m.engineOn(r, faulty), m.ctx, faulty}
	case 5:
		ctx, cancel := context.WithCancel(m.ctx)
		left := rapid.IntRange(0, 8).Draw(r, "calls until it is cancelled")
		return &caller{m.engineOn(r, &passing{Store: m.store, pass: func() {
			if left--; left < 0 {
				cancel()
			}
		}}), ctx, nil}
	default:
		return &caller{m.engines[i%2], m.ctx, nil}
	}
}

// calls makes a call of several commits, and checks its error. It reports whether
// nothing has gone wrong but what the call is about.
func (m *machine) calls(r *rapid.T, call func(*caller) error) (calm bool, err error) {
	c := m.caller(r)
	err = call(c)
	switch {
	case c.calm():
		require.True(r, err == nil || flagstage.Code(err) != "", "%v", err)
		require.NotErrorIs(r, err, flagstage.ErrConflict, "nobody else was there")
	case c.ctx.Err() != nil && err != nil:
		require.True(r, errors.Is(err, context.Canceled) || flagstage.Code(err) != "", "%v", err)
	}
	return c.calm(), err
}

// call makes a call of a single commit. With an error it has changed nothing, unless
// nobody knows that.
func (m *machine) call(r *rapid.T, call func(*caller) error) (calm bool, err error) {
	before := content(r, m.store)
	calm, err = m.calls(r, call)
	if err != nil && !errors.Is(err, flagstage.ErrUnknownOutcome) && !errors.Is(err, storetest.ErrCrashed) {
		require.Equal(r, before, content(r, m.store), "%v", err)
	}
	return calm, err
}

func (m *machine) list(r *rapid.T) []flagstage.StoredWorkflow {
	list, err := m.engines[0].Workflows(m.ctx, alice, flagstage.WorkflowQuery{Limit: 10_000})
	require.NoError(r, err)
	require.Empty(r, list.Unreadable)
	require.Len(r, list.Items, list.TotalCount)
	return list.Items
}

// look checks all that must hold between two calls.
func (m *machine) look(r *rapid.T) {
	m.follow(r)
	m.ticked = false
	for _, key := range machineKeys {
		require.Equal(r, asText(m.flags[key].now()), asText(m.stored(r, key).Flag), "the flag %s", key)
	}
	segments, err := m.engines[0].Segments(m.ctx, alice, theTarget.ProjectKey, theTarget.EnvironmentKey)
	require.NoError(r, err)
	require.Len(r, segments.Items, len(m.segments))
	for _, s := range segments.Items {
		require.True(r, s.Equal(m.segments[s.Key()]))
	}
	templates, err := m.engines[0].Templates(m.ctx, alice, flagstage.TemplateQuery{})
	require.NoError(r, err)
	require.Len(r, templates.Items, len(m.templates))
	for _, t := range templates.Items {
		require.Equal(r, m.templates[t.Key()], t)
	}
	m.lookAtWorkflows(r, m.list(r))
}

// lookAtWorkflows checks what must hold of all workflows.
func (m *machine) lookAtWorkflows(r *rapid.T, list []flagstage.StoredWorkflow) {
	require.Len(r, list, len(m.releases))
	var wake time.Time
	for _, s := range list {
		require.Contains(r, m.releases, s.ID)
		replays(r, s)
		approved(r, s)
		m.told(r, s)
		m.foreseen(r, s.ID)
		if at, ok := s.Wake(); ok && (wake.IsZero() || at.Before(wake)) {
			wake = at
		}
	}
	due, ok, err := m.engines[1].NextDue(m.ctx)
	require.NoError(r, err)
	if !wake.IsZero() && m.host == nil {
		require.True(r, ok)
		require.False(r, due.After(wake), "it is due at %v, not at %v", wake, due)
	}
	if m.host != nil {
		m.host.look(r, list)
	}
}

// foreseen checks that a workflow can be read with what stands in its way, and that
// this is known of its current stage.
func (m *machine) foreseen(r *rapid.T, id string) {
	s, err := m.engines[1].Workflow(m.ctx, alice, id)
	require.NoError(r, err)
	stands := map[string]bool{}
	for _, c := range s.Conflicts {
		stands[c.StageID] = true
	}
	m.conflicts[id] = nil
	for i, stage := range s.Plan().Stages() {
		if stands[stage.ID] {
			m.conflicts[id] = append(m.conflicts[id], stage.ID)
		}
		if m.host == nil && s.StageStatus(i) == flagstage.StatusActive && (s.Status() == flagstage.StatusActive || s.Status() == flagstage.StatusPaused) {
			_, reason := m.outcome(id, stage.Action, flags.Application{Now: start})
			require.Equal(r, reason != "", stands[stage.ID], "%s, stage %d: %s", id, i, reason)
		}
	}
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

// end lets all that is due happen without faults, and all workflows go on to their
// ends, and then takes all away.
func (m *machine) end(r *rapid.T) {
	if m.host != nil {
		m.host.behave("applies")
		time.Sleep(lateAnswer) // until the last one has answered
	}
	for _, s := range m.list(r) { // the clock is right again, and all that was tried too often is not tried any more
		if at := s.Events()[len(s.Events())-1].At; at.After(m.now()) {
			m.set(at)
		}
	}
	for range 2 {
		m.ahead += 10 * minute
		_, err := m.engines[0].Tick(m.ctx)
		require.NoError(r, err)
	}
	m.look(r)
	due, ok, err := m.engines[0].NextDue(m.ctx)
	require.NoError(r, err)
	require.True(r, !ok || due.After(m.now()), "within two ticks all is done that is due")
	m.finish(r)
	for id := range m.releases {
		require.NoError(r, m.engines[0].DeleteWorkflow(m.ctx, alice, id))
	}
	_, err = m.engines[1].Purge(m.ctx, alice, m.now())
	require.NoError(r, err)
	nothingLeft(r, m.store)
	for plan, err := range m.store.Scan(m.ctx, "plan/") {
		require.NoError(r, err)
		require.Fail(r, "nobody needs the plan", "%s", plan.Key)
	}
}

// finish sees each workflow through to its end. Those that have failed are retried
// once.
func (m *machine) finish(r *rapid.T) {
	retried := map[string]bool{}
	for range 50 {
		m.look(r)
		running := false
		for _, s := range m.list(r) {
			switch s.Status() {
			case flagstage.StatusFailed:
				if retried[s.ID] {
					continue
				}
				m.look(r)
				retried[s.ID], m.releases[s.ID].base = true, len(m.flags[s.Target.FlagKey])
				_, err := m.engines[0].Retry(m.ctx, bob, s.ID, flagstage.Retry{Reason: "because", IgnoreConflicts: true})
				require.NoError(r, err)
			case flagstage.StatusPaused:
				_, err := m.engines[0].Resume(m.ctx, bob, s.ID, "")
				require.NoError(r, err)
			case flagstage.StatusActive:
				for _, g := range s.Gates() {
					if g.Kind == flagstage.KindApproval {
						_, err := m.engines[0].Review(m.ctx, bob, s.ID, flagstage.Review{Stage: g.Stage, Condition: g.Condition, Kind: flagstage.ReviewApprove})
						require.NoError(r, err)
						break // what follows may be another
					}
				}
			default:
				continue
			}
			running = true
		}
		if !running {
			return
		}
		if due, ok, err := m.engines[1].NextDue(m.ctx); ok && due.After(m.now()) {
			require.NoError(r, err)
			m.set(due)
		}
		_, err := m.engines[1].Tick(m.ctx)
		require.NoError(r, err)
	}
	require.Fail(r, "some workflow never ends")
}

// TestEnginesKeepTheirPromises makes drawn calls of engines, of which two work on
// one store, in memory or in a file that is opened again and again, and others die
// on it.
func TestEnginesKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		rapid.SyncTest(r, func(r *rapid.T) {
			m := newMachine(t, r)
			r.Repeat(m.actions())
			m.end(r)
		})
	})
}
