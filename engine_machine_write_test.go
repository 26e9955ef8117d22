package flagstage_test

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// flagWrites are calls that change flags and segments.
func (m *machine) flagWrites() []choice {
	return []choice{
		{"patch flag", func(r *rapid.T) {
			key := m.target(r).FlagKey
			patch := flags.Patch{Environment: theTarget.EnvironmentKey, Instructions: m.patch(r, key)}
			how := flagstage.FlagWrite{IgnoreConflicts: rapid.SampledFrom([]bool{false, true}).Draw(r, "ignore conflicts")}
			next, wrong := flags.Apply(m.flags[key].now(), patch.Instructions, flags.Application{
				Environment: patch.Environment, Now: flagstage.Instant(m.now()), Others: m.others(),
			})
			if wrong != nil {
				next = m.flags[key].now()
			}
			calm, err := m.writes(r, key, next, how, func(c *caller) error {
				_, err := c.PatchFlag(c.ctx, carol, theTarget.ProjectKey, key, patch, how)
				return err
			})
			if calm && wrong != nil {
				require.Error(r, err, "%v", wrong)
			}
		}},
		{"put flag", func(r *rapid.T) {
			key := m.target(r).FlagKey
			next := m.flags[key].now()
			if next.IsZero() || next.Deleted() || rapid.IntRange(0, 3).Draw(r, "anew") == 0 {
				next = flagBeside(r, testFlag(m.t), key)
			}
			if changed, err := flags.Apply(next, []flags.Instruction{flags.UpdateName(m.word())}, flags.Application{Now: start}); err == nil {
				next = changed
			}
			how := flagstage.FlagWrite{IgnoreConflicts: rapid.SampledFrom([]bool{false, true}).Draw(r, "ignore conflicts")}
			if rapid.Bool().Draw(r, "revision") {
				how.Revision = m.stored(r, key).Revision
			}
			m.writes(r, key, next, how, func(c *caller) error {
				_, err := c.PutFlag(c.ctx, carol, theTarget.ProjectKey, next, how)
				return err
			})
		}},
		{"put flag of a revision that is gone", func(r *rapid.T) {
			f := m.stored(r, m.target(r).FlagKey)
			before := content(r, m.store)
			c := m.engines[0]
			if f.IsZero() {
				return
			}
			_, err := c.PutFlag(m.ctx, carol, theTarget.ProjectKey, flagBeside(r, testFlag(m.t), f.Key()), flagstage.FlagWrite{Revision: f.Revision + 1, IgnoreConflicts: true})
			require.ErrorIs(r, err, flagstage.ErrConflict)
			require.Equal(r, before, content(r, m.store))
		}},
		{"put segment", func(r *rapid.T) {
			key := rapid.SampledFrom(machineSegments).Draw(r, "segment")
			s := segmentOf(m.t, fmt.Sprintf(`{"key":%q,"name":%q}`, key, m.word()))
			calm, err := m.call(r, func(c *caller) error {
				_, err := c.PutSegment(c.ctx, carol, theTarget.ProjectKey, theTarget.EnvironmentKey, s, 0)
				return err
			})
			if calm {
				require.NoError(r, err)
			}
			if is, readErr := m.engines[0].Segment(m.ctx, alice, theTarget.ProjectKey, theTarget.EnvironmentKey, key); readErr == nil && is.Equal(s) {
				m.segments[key] = s
			} else {
				require.Error(r, err)
			}
		}},
	}
}

// writes makes a call by which somebody changes a flag to what it is to be. If
// conflicts are not ignored, the change stands in no workflow's way.
func (m *machine) writes(r *rapid.T, key string, next flags.Flag, how flagstage.FlagWrite, call func(*caller) error) (calm bool, err error) {
	calm, err = m.call(r, call)
	is := m.stored(r, key).Flag
	switch {
	case err == nil:
		require.Equal(r, asText(next), asText(is))
	case calm && how.IgnoreConflicts:
		require.Equal(r, asText(m.flags[key].now()), asText(is), "%v", err)
	}
	if !is.Equal(next) {
		return calm, err
	}
	m.changed(key, carol.Identity(), next)
	if how.IgnoreConflicts {
		return calm, err
	}
	before := m.conflicts
	m.conflicts = map[string][]string{}
	for id := range m.releases {
		m.foreseen(r, id)
		if m.releases[id].input.Target.FlagKey == key {
			require.Subset(r, before[id], m.conflicts[id], "%s would fail now", id)
		}
	}
	return calm, err
}

// templateKey draws the key of a template that there may be.
func (m *machine) templateKey(r *rapid.T) string {
	return rapid.SampledFrom([]string{"template", "another"}).Draw(r, "template")
}

// applicable reports whether the rules, segments and other flags that stages for a
// flag name are there.
func (m *machine) applicable(key string, stages []flagstage.Stage) bool {
	if m.host != nil {
		return true // nobody knows
	}
	for _, s := range stages {
		for _, in := range s.Action.Instructions {
			for _, slot := range in.Slots() {
				if slices.ContainsFunc(slot.Names(), func(name string) bool { return m.missing(key, slot.Kind, name) }) {
					return false
				}
			}
		}
	}
	return true
}

// missing reports whether what an instruction for a flag names is not there.
func (m *machine) missing(key string, kind flags.SlotKind, name string) bool {
	switch kind {
	case flags.SlotSegmentKeys:
		return m.segments[name].IsZero()
	case flags.SlotPrerequisiteKey:
		f := m.flags[name].now()
		return f.IsZero() || f.Deleted()
	case flags.SlotRuleID:
		e, _ := m.flags[key].now().Environment(theTarget.EnvironmentKey)
		for _, rule := range e.Rules() {
			if rule.ID() == name {
				return false
			}
		}
		return true
	}
	return false
}

// templateWrites are calls that change templates.
func (m *machine) templateWrites() []choice {
	return []choice{
		{"create template", func(r *rapid.T) {
			target := m.target(r)
			m.keep(r, flagstage.TemplateInput{Key: m.templateKey(r), Name: m.word(), Origin: target, Stages: m.stages(r, target.FlagKey)})
		}},
		{"create template of a workflow", func(r *rapid.T) {
			s, there := m.workflow(r)
			if !there {
				return
			}
			m.keep(r, flagstage.TemplateInput{Key: m.templateKey(r), Name: m.word(), WorkflowID: s.ID})
			for _, t := range m.templates {
				if t.Name() != fmt.Sprint("text ", m.said) {
					continue
				}
				require.Equal(r, s.Target, t.Origin())
				sameStages(r, s.Plan().Stages(), t.Stages())
			}
		}},
		{"delete template", func(r *rapid.T) {
			key := m.templateKey(r)
			_, there := m.templates[key]
			calm, err := m.call(r, func(c *caller) error { return c.DeleteTemplate(c.ctx, alice, key, 0) })
			if calm {
				require.Equal(r, there, err == nil)
			}
			if _, readErr := m.engines[0].Template(m.ctx, alice, key); readErr != nil {
				require.ErrorIs(r, readErr, flagstage.ErrNotFound)
				delete(m.templates, key)
			} else {
				require.Error(r, err)
			}
		}},
	}
}

// keep makes a call that keeps a template, in the place of the one that has its key.
func (m *machine) keep(r *rapid.T, input flagstage.TemplateInput) {
	before, there := m.templates[input.Key]
	var kept flagstage.StoredTemplate
	calm, err := m.call(r, func(c *caller) (err error) {
		if there {
			kept, err = c.ReplaceTemplate(c.ctx, alice, input, before.Revision)
		} else {
			kept, err = c.CreateTemplate(c.ctx, alice, input)
		}
		return err
	})
	is, readErr := m.engines[0].Template(m.ctx, alice, input.Key)
	switch {
	case errors.Is(readErr, flagstage.ErrNotFound):
		require.Error(r, err)
		require.False(r, there)
		return
	case err == nil:
		require.Equal(r, kept, is)
	case calm:
		require.Equal(r, before, is)
	}
	if is.Name() == input.Name {
		m.templates[input.Key] = is
	}
	if there {
		require.Equal(r, before.ID(), is.ID())
	}
}
