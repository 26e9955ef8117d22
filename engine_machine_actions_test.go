package flagstage_test

import (
	"maps"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// actions are what a machine may do next, by name.
func (m *machine) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"begin": anyOf(m.starts()), "change flag": anyOf(m.flagWrites()), "go on": m.tick, "order": anyOf(m.orders()),
		"pass": anyOf(m.passing()), "remove": anyOf(m.deletions()), "reopen": m.open, "template": anyOf(m.templateWrites()),
		"": m.look,
	}
}

// choice is one of several things to do.
type choice struct {
	name string
	do   func(*rapid.T)
}

// anyOf does one of several things, the first one half of the time.
func anyOf(list []choice) func(*rapid.T) {
	var names []string
	actions := map[string]func(*rapid.T){}
	for _, c := range list {
		names, actions[c.name] = append(names, c.name), c.do
	}
	return func(r *rapid.T) {
		name := names[0]
		if rapid.Bool().Draw(r, "something else") {
			name = rapid.SampledFrom(names).Draw(r, "which")
		}
		actions[name](r)
	}
}

// some draws the id of a workflow, or one that none has.
func (m *machine) some(r *rapid.T) string {
	ids := append([]string{"nobody"}, slices.Sorted(maps.Keys(m.releases))...)
	return rapid.SampledFrom(ids).Draw(r, "workflow")
}

// workflow draws a workflow, and reports whether there is one.
func (m *machine) workflow(r *rapid.T) (flagstage.StoredWorkflow, bool) {
	s, err := m.engines[0].Workflow(m.ctx, alice, m.some(r))
	if err != nil {
		require.ErrorIs(r, err, flagstage.ErrNotFound)
	}
	return s, err == nil
}

// stages draws the stages of a release of a flag.
func (m *machine) stages(r *rapid.T, key string) []flagstage.Stage {
	stages := make([]flagstage.Stage, rapid.SampledFrom([]int{2, 3, 1}).Draw(r, "stages"))
	for i, instructions := range m.steps(r, key, len(stages)) {
		s := flagstage.Stage{ExecuteConditionsInSequence: rapid.Bool().Draw(r, "sequence"), Action: flagstage.Patch(instructions...)}
		for range rapid.SampledFrom([]int{1, 2, 0}).Draw(r, "conditions") {
			s.Conditions = append(s.Conditions, rapid.SampledFrom([]flagstage.Condition{
				hours(1), flagstage.Approval{}, hours(10), flagstage.ScheduleAt(after(40)), hours(0),
			}).Draw(r, "condition"))
		}
		stages[i] = s
	}
	return stages
}

// target draws a flag.
func (m *machine) target(r *rapid.T) flagstage.Origin {
	target := theTarget
	if rapid.Bool().Draw(r, "another flag") {
		target.FlagKey = rapid.SampledFrom(machineKeys[1:]).Draw(r, "flag")
	}
	return target
}

// input draws a request without stages.
func (m *machine) input(r *rapid.T, target flagstage.Origin) flagstage.WorkflowInput {
	input := releaseOf(rapid.SampledFrom([]string{"", "a", "", "b"}).Draw(r, "id"))
	input.Target = target
	input.IgnoreConflicts = rapid.SampledFrom([]bool{false, true}).Draw(r, "ignore conflicts")
	input.Lateness = rapid.SampledFrom([]time.Duration{0, flagstage.NoLateness, 1000 * hour}).Draw(r, "lateness")
	input.Approvals.ExpiresAfter = rapid.SampledFrom([]time.Duration{0, 0, 30 * hour}).Draw(r, "expires")
	return input
}

// start makes a call that may start a workflow, of these stages if they fit the
// flag.
func (m *machine) start(r *rapid.T, input flagstage.WorkflowInput, stages []flagstage.Stage, valid bool, call func(*caller) (flagstage.StoredWorkflow, error)) {
	key := input.Target.FlagKey
	valid = valid && (m.host != nil || m.startable(key, stages))
	there, err := m.store.Get(m.ctx, "workflow/"+input.ID) // it may be one that is being deleted
	require.NoError(r, err)
	taken := input.ID != "" && there.Revision != 0
	base := len(m.flags[key])
	before := maps.Clone(m.releases)
	var s flagstage.StoredWorkflow
	calm, err := m.call(r, func(c *caller) (err error) {
		s, err = call(c)
		return err
	})
	for _, s := range m.list(r) {
		if m.releases[s.ID] == nil {
			m.releases[s.ID] = &releaseModel{input: input, base: base, begin: call}
			m.plans[s.ID] = s.Plan()
			sameStages(r, stages, s.Plan().Stages())
		}
	}
	switch {
	case err == nil:
		require.Contains(r, m.releases, s.ID)
		require.True(r, valid || taken)
	case calm && !taken && input.TemplateKey == "":
		require.False(r, valid, "%v", err)
	}
	if !valid {
		require.Equal(r, before, m.releases, "nothing is started")
	}
}

// sameStages checks that stages do the same, whatever their identifiers are.
func sameStages(r *rapid.T, want, got []flagstage.Stage) {
	require.Len(r, got, len(want))
	for i := range want {
		require.Len(r, got[i].Conditions, len(want[i].Conditions))
		require.True(r, slices.EqualFunc(want[i].Action.Instructions, got[i].Action.Instructions, func(a, b flags.Instruction) bool {
			return a.WithID("").Equal(b.WithID(""))
		}), "stage %d", i)
	}
}

// starts are calls that start workflows.
func (m *machine) starts() []choice {
	return []choice{
		{"start", func(r *rapid.T) {
			input := m.input(r, m.target(r))
			input.Stages = m.stages(r, input.Target.FlagKey)
			m.start(r, input, input.Stages, m.applicable(input.Target.FlagKey, input.Stages), func(c *caller) (flagstage.StoredWorkflow, error) {
				return c.StartWorkflow(c.ctx, alice, input)
			})
		}},
		{"start once more", func(r *rapid.T) {
			s, there := m.workflow(r)
			if !there || m.releases[s.ID].input.ID == "" {
				return
			}
			var again flagstage.StoredWorkflow
			calm, err := m.call(r, func(c *caller) (err error) {
				again, err = m.releases[s.ID].begin(c)
				return err
			})
			if calm {
				require.NoError(r, err)
			}
			if err == nil {
				require.Equal(r, s.Events(), again.Events(), "it is as it was")
			}
		}},
		{"start of a template", func(r *rapid.T) {
			input := m.input(r, m.target(r))
			input.TemplateKey = m.templateKey(r)
			t, there := m.templates[input.TemplateKey]
			if !there {
				m.keep(r, flagstage.TemplateInput{Key: input.TemplateKey, Name: m.word(), Origin: input.Target, Stages: m.stages(r, input.Target.FlagKey)})
				t, there = m.templates[input.TemplateKey]
			}
			m.start(r, input, t.Stages(), there && m.applicable(input.Target.FlagKey, t.Stages()), func(c *caller) (flagstage.StoredWorkflow, error) {
				return c.StartWorkflow(c.ctx, alice, input)
			})
		}},
		{"start of a plan", func(r *rapid.T) {
			s, there := m.workflow(r)
			if !there {
				return
			}
			input := m.input(r, s.Target)
			m.start(r, input, s.Plan().Stages(), true, func(c *caller) (flagstage.StoredWorkflow, error) {
				return c.StartPlan(c.ctx, alice, s.Plan(), input)
			})
		}},
		{"dry run", func(r *rapid.T) {
			input := m.input(r, m.target(r))
			input.ID, input.Stages = "", m.stages(r, input.Target.FlagKey)
			before := content(r, m.store)
			var dry flagstage.DryRun
			calm, err := m.calls(r, func(c *caller) (err error) {
				dry, err = c.DryRunWorkflow(c.ctx, alice, input, flagstage.Future{})
				return err
			})
			require.Equal(r, before, content(r, m.store), "nothing is stored")
			if !calm || m.host != nil {
				return
			}
			require.Equal(r, m.applicable(input.Target.FlagKey, input.Stages) && m.startable(input.Target.FlagKey, input.Stages), err == nil, "%v", err)
			if err != nil {
				return
			}
			m.start(r, input, input.Stages, m.applicable(input.Target.FlagKey, input.Stages), func(c *caller) (flagstage.StoredWorkflow, error) {
				s, err := c.StartWorkflow(c.ctx, alice, input)
				if err == nil && !slices.ContainsFunc(s.Events(), func(e flagstage.Event) bool { return e.Kind == flagstage.EventActionFailed }) {
					promised := slices.DeleteFunc(dry.Events, func(e flagstage.Event) bool { return e.At.After(s.CreatedAt) })
					require.Equal(r, promised, s.Events())
				}
				return s, err
			})
		}},
	}
}

// orders are calls that steer workflows.
func (m *machine) orders() []choice {
	return []choice{
		{"review", func(r *rapid.T) {
			s, _ := m.workflow(r)
			actor := rapid.SampledFrom([]flagstage.Actor{bob, carol, alice}).Draw(r, "actor")
			review := flagstage.Review{Kind: rapid.SampledFrom([]flagstage.ReviewKind{
				flagstage.ReviewApprove, flagstage.ReviewApprove, flagstage.ReviewApprove, flagstage.ReviewDecline, flagstage.ReviewComment,
			}).Draw(r, "kind")}
			for _, g := range s.Gates() {
				if g.Kind == flagstage.KindApproval {
					review.Stage, review.Condition = g.Stage, g.Condition
				}
			}
			m.call(r, func(c *caller) error { _, err := c.Review(c.ctx, actor, s.ID, review); return err })
		}},
		{"pause", func(r *rapid.T) {
			id := m.some(r)
			m.call(r, func(c *caller) error { _, err := c.Pause(c.ctx, bob, id, ""); return err })
		}},
		{"resume", func(r *rapid.T) {
			id := m.some(r)
			m.call(r, func(c *caller) error { _, err := c.Resume(c.ctx, bob, id, ""); return err })
		}},
		{"cancel", func(r *rapid.T) {
			if id := m.some(r); rapid.IntRange(0, 3).Draw(r, "really") == 0 {
				m.call(r, func(c *caller) error { _, err := c.Cancel(c.ctx, bob, id, "because"); return err })
			}
		}},
		{"skip", func(r *rapid.T) {
			s, _ := m.workflow(r)
			skip := flagstage.Skip{Reason: "because", BypassApproval: rapid.Bool().Draw(r, "bypass")}
			for i := range s.Plan().Len() {
				if s.StageStatus(i) == flagstage.StatusActive {
					skip.Stage = i
				}
			}
			m.call(r, func(c *caller) error { _, err := c.Skip(c.ctx, bob, s.ID, skip); return err })
		}},
		{"retry", func(r *rapid.T) {
			s, there := m.workflow(r)
			retry := flagstage.Retry{Reason: "because", IgnoreConflicts: rapid.SampledFrom([]bool{false, true}).Draw(r, "ignore conflicts")}
			base := len(m.flags[s.Target.FlagKey])
			m.call(r, func(c *caller) error { _, err := c.Retry(c.ctx, bob, s.ID, retry); return err })
			if !there || !retry.IgnoreConflicts {
				return
			}
			if now, err := m.engines[0].Workflow(m.ctx, alice, s.ID); err == nil && now.Version() != s.Version() {
				m.releases[s.ID].base = base
			}
		}},
	}
}

// deletions are calls that take away workflows, and what none needs.
func (m *machine) deletions() []choice {
	return []choice{
		{"purge", func(r *rapid.T) {
			before := m.now().Add(-time.Duration(rapid.IntRange(0, 48).Draw(r, "hours")) * hour)
			old := map[string]bool{}
			for _, s := range m.list(r) {
				old[s.ID] = !s.StoppedAt().IsZero() && s.StoppedAt().Before(before)
			}
			calm, err := m.calls(r, func(c *caller) error {
				purged, err := c.Purge(c.ctx, bob, before)
				require.Empty(r, purged.Unreadable)
				return err
			})
			m.gone(r, func(s flagstage.StoredWorkflow) bool { return old[s.ID] }, calm && err == nil)
			if calm {
				require.NoError(r, err)
				m.holdsNeededPlans(r)
			}
		}},
		{"delete", func(r *rapid.T) {
			id := m.some(r)
			if rapid.IntRange(0, 3).Draw(r, "really") > 0 {
				return
			}
			calm, err := m.calls(r, func(c *caller) error { return c.DeleteWorkflow(c.ctx, bob, id) })
			if _, there := m.releases[id]; calm {
				require.Equal(r, there, err == nil, "%v", err)
			}
			m.gone(r, func(s flagstage.StoredWorkflow) bool { return s.ID == id }, calm)
		}},
	}
}

// holdsNeededPlans checks that the store holds the plans of all workflows, and no
// others.
func (m *machine) holdsNeededPlans(r *rapid.T) {
	want, got := map[string]bool{}, map[string]bool{}
	for _, plan := range m.plans {
		want["plan/"+plan.Hash()] = true
	}
	for record, err := range m.store.Scan(m.ctx, "plan/") {
		require.NoError(r, err)
		got[record.Key] = true
	}
	require.Equal(r, want, got)
}

// gone notes which workflows are gone: only those that may be, and all of them if
// that is sure.
func (m *machine) gone(r *rapid.T, may func(flagstage.StoredWorkflow) bool, sure bool) {
	left := map[string]bool{}
	for _, s := range m.list(r) {
		left[s.ID] = true
		require.False(r, sure && may(s), "%s is still there", s.ID)
	}
	for id := range m.releases {
		if left[id] {
			continue
		}
		require.True(r, may(flagstage.StoredWorkflow{ID: id}), "%s is gone", id)
		delete(m.releases, id)
		delete(m.plans, id)
		delete(m.feed.seen, id)
		delete(m.conflicts, id)
		if m.host != nil { // whoever takes its id begins anew
			m.host.forget(id)
		}
	}
}

// tick ticks some time later, or when something is due.
func (m *machine) tick(r *rapid.T) {
	due, ok, err := m.engines[0].NextDue(m.ctx)
	require.NoError(r, err)
	if ok && rapid.Bool().Draw(r, "when it is due") {
		m.set(due)
	} else {
		m.ahead += time.Duration(rapid.SampledFrom([]int64{0, 1, 5, 10, 100}).Draw(r, "hours")) * hour
	}
	m.calls(r, func(c *caller) error { _, err := c.Tick(c.ctx); return err })
	m.ticked = true
}

// passing is what happens by itself.
func (m *machine) passing() []choice {
	return []choice{
		{"set the clock back", func(r *rapid.T) {
			if rapid.IntRange(0, 5).Draw(r, "really") == 0 {
				m.set(m.now().AddDate(-rapid.IntRange(0, 3).Draw(r, "years"), 0, 0).Add(-hour))
			}
		}},
		{"host behaves", func(r *rapid.T) {
			if m.host != nil {
				m.host.behave(rapid.SampledFrom(manners).Draw(r, "manner"))
			}
		}},
		{"late answers come", func(*rapid.T) { time.Sleep(lateAnswer) }},
	}
}
