package flagstage_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
)

// model is the state machine written once more, as simply as can be: it knows
// hours only, looks at each hour that passes, and has no events.
type model struct {
	stages   []*modelStage
	status   flagstage.Status
	hour     int64 // the last one that was looked at
	current  int
	deliver  bool
	lateness int64
	quorum   int
	lenient  bool  // declined changes may be applied
	expires  int64 // 0: never
	halted   map[int64]bool
	applied  map[int]int64 // hours at which stages were applied
	inFlight bool          // an action was pending when the workflow was paused or cancelled
	stopped  int64
}

type modelStage struct {
	status     flagstage.Status
	sequence   bool
	acts       bool
	conditions []*modelCondition
	ready      int64
	halted     int64 // hours of a pause that ready will move by at its end
	tries      int64
	failedAt   int64
	backoff    int64 // hours from then on until the action is tried again
	round      int
}

type modelCondition struct {
	status flagstage.Status
	kind   string // wait, date, approval
	n      int64  // of a wait or date
	until  int64  // never is far away
	votes  map[string]flagstage.ReviewKind
}

const never = 1 << 40

func (m *model) clone() *model {
	c := *m
	c.halted, c.applied, c.stages = maps.Clone(m.halted), maps.Clone(m.applied), nil
	for _, s := range m.stages {
		copied := *s
		copied.conditions = nil
		for _, g := range s.conditions {
			gate := *g
			gate.votes = maps.Clone(g.votes)
			copied.conditions = append(copied.conditions, &gate)
		}
		c.stages = append(c.stages, &copied)
	}
	return &c
}

// base is where the next wait is counted from at an hour.
func (m *model) base(due, hour int64) int64 {
	if hour-due > m.lateness {
		return hour
	}
	return due
}

// enter begins the current stage.
func (m *model) enter(base int64) {
	if m.current == len(m.stages) {
		m.status, m.stopped = flagstage.StatusCompleted, base
		return
	}
	s := m.stages[m.current]
	s.status, s.ready, s.halted = flagstage.StatusActive, base, 0
	m.armMore(base)
}

// armMore arms what should be: all, or the first that is not over.
func (m *model) armMore(base int64) {
	s := m.stages[m.current]
	for _, c := range s.conditions {
		if s.sequence && c.status == flagstage.StatusActive {
			return
		}
		if c.status != flagstage.StatusPending {
			continue
		}
		c.status, c.votes, c.until = flagstage.StatusActive, map[string]flagstage.ReviewKind{}, never
		switch c.kind {
		case "wait":
			c.until = base + c.n
		case "date":
			c.until = max(c.n, base)
		default:
			if m.expires > 0 {
				c.until = base + m.expires
			}
		}
		if s.sequence {
			return
		}
	}
}

func (s *modelStage) met() bool {
	for _, c := range s.conditions {
		if c.status != flagstage.StatusCompleted {
			return false
		}
	}
	return s.status == flagstage.StatusActive
}

// waits reports whether the action of the current stage is pending.
func (m *model) waits() bool {
	if m.current == len(m.stages) {
		return false
	}
	s := m.stages[m.current]
	return m.deliver && s.acts && s.met()
}

// look does what is due by an hour that is now or has passed, now.
func (m *model) look(hour, now int64) {
	for again := true; again && m.status == flagstage.StatusActive; {
		again = false
		s := m.stages[m.current]
		if s.met() {
			if m.waits() {
				return
			}
			m.leave(flagstage.StatusCompleted, s.ready, now)
			again = true
			continue
		}
		if s.sequence && !slices.ContainsFunc(s.conditions, func(c *modelCondition) bool { return c.status == flagstage.StatusActive }) {
			m.armMore(m.base(s.ready, now))
			again = true
			continue
		}
		for _, c := range s.conditions {
			if c.status != flagstage.StatusActive || c.until > hour {
				continue
			}
			if c.kind == "approval" {
				m.fail(c, c.until)
				return
			}
			m.complete(c, c.until)
			again = true
			break
		}
	}
}

// catchUp does all that is due by now.
func (m *model) catchUp() {
	for hour := range m.hour + 1 {
		m.look(hour, m.hour)
	}
}

func (m *model) complete(c *modelCondition, due int64) {
	c.status = flagstage.StatusCompleted
	for c.kind == "date" && m.halted[due] {
		due++
	}
	s := m.stages[m.current]
	s.ready, s.halted = max(s.ready, due), 0
}

func (m *model) fail(c *modelCondition, due int64) {
	s := m.stages[m.current]
	if c != nil {
		c.status = flagstage.StatusFailed
	}
	for _, other := range s.conditions {
		if other.status == flagstage.StatusActive {
			other.status = flagstage.StatusCancelled
		}
	}
	s.status, m.status, m.stopped = flagstage.StatusFailed, flagstage.StatusFailed, due
}

func (m *model) leave(status flagstage.Status, due, now int64) {
	s := m.stages[m.current]
	s.status = status
	if status == flagstage.StatusCompleted && s.acts {
		m.applied[m.current] = now
	}
	m.current++
	m.inFlight = false
	if m.status == flagstage.StatusActive || m.current == len(m.stages) {
		m.enter(m.base(due, now))
	}
}

// pass lets the hours pass until now. In a pause they stand still.
func (m *model) pass(now int64) {
	for hour := m.hour; hour < now; hour++ {
		if m.status != flagstage.StatusPaused {
			continue
		}
		m.halted[hour] = true
		if m.current == len(m.stages) {
			continue
		}
		s := m.stages[m.current]
		for _, c := range s.conditions {
			if c.status == flagstage.StatusActive && c.kind != "date" && c.until != never {
				c.until++
			}
		}
		if s.status == flagstage.StatusActive && (s.met() || s.ready+s.halted == hour) {
			s.halted++
		}
		if s.tries > 0 && s.failedAt <= hour {
			s.backoff++
		}
	}
	m.hour = max(m.hour, now)
}

// do makes a call, and returns false for an error, which changes nothing.
func (m *model) do(o operation) bool {
	before := m.clone()
	if m.try(o) {
		return true
	}
	*m = *before
	return false
}

func (m *model) try(o operation) bool {
	runs := m.status == flagstage.StatusActive || m.status == flagstage.StatusPaused
	results := m.status == flagstage.StatusActive && m.waits() || m.status != flagstage.StatusActive && m.inFlight
	switch o.verb {
	case "advance", "review", "skip":
		expired := m.expired(o)
		m.pass(o.hours)
		m.catchUp()
		return o.verb == "advance" || o.verb == "review" && !expired && m.review(o) || o.verb == "skip" && m.skip(o)
	case "applied":
		if !results {
			return false
		}
		if m.status == flagstage.StatusCancelled {
			m.pass(o.hours)
			m.inFlight = false
			m.stages[m.current].status = flagstage.StatusCompleted
			m.applied[m.current] = m.hour
			return true
		}
		m.pass(o.hours)
		m.leave(flagstage.StatusCompleted, m.stages[m.current].ready, m.hour)
		m.catchUp()
	case "failed":
		if !results {
			return false
		}
		if m.status == flagstage.StatusCancelled {
			return true
		}
		m.pass(o.hours)
		s := m.stages[m.current]
		s.tries, s.failedAt, s.backoff = s.tries+1, m.hour, o.backoff
		m.inFlight = false
		if o.backoff == 0 {
			m.fail(nil, m.hour)
		}
	case "pause":
		if m.status != flagstage.StatusActive {
			return false
		}
		m.pass(o.hours)
		m.inFlight = m.waits()
		m.status = flagstage.StatusPaused
	case "resume":
		if m.status != flagstage.StatusPaused {
			return false
		}
		m.pass(o.hours)
		m.status, m.inFlight = flagstage.StatusActive, false
		s := m.stages[m.current]
		s.ready, s.halted = s.ready+s.halted, 0
		if s.status == flagstage.StatusPending {
			m.enter(m.hour)
		}
		m.catchUp()
	case "retry":
		if m.status != flagstage.StatusFailed {
			return false
		}
		m.pass(o.hours)
		s := m.stages[m.current]
		s.round++
		s.tries = 0
		for _, c := range s.conditions {
			if c.status != flagstage.StatusCompleted {
				c.status = flagstage.StatusPending
			}
		}
		m.status = flagstage.StatusActive
		m.enter(m.hour)
		m.catchUp()
	case "cancel":
		if !runs {
			return false
		}
		m.pass(o.hours)
		if m.status == flagstage.StatusActive {
			m.inFlight = m.waits()
		}
		m.status, m.stopped = flagstage.StatusCancelled, m.hour
		for _, s := range m.stages[m.current:] {
			s.status = flagstage.StatusCancelled
			for _, c := range s.conditions {
				if c.status != flagstage.StatusCompleted {
					c.status = flagstage.StatusCancelled
				}
			}
		}
	}
	return true
}

// condition returns what a call is about, nil for nothing.
func (m *model) condition(o operation) *modelCondition {
	if o.stage >= len(m.stages) || o.condition >= len(m.stages[o.stage].conditions) {
		return nil
	}
	return m.stages[o.stage].conditions[o.condition]
}

// expired reports whether an approval had expired when the workflow was paused,
// and time has stood still since.
func (m *model) expired(o operation) bool {
	c := m.condition(o)
	return c != nil && m.status == flagstage.StatusPaused && c.status == flagstage.StatusActive && c.until <= m.hour
}

func (m *model) review(o operation) bool {
	c := m.condition(o)
	if c == nil {
		return false
	}
	own := o.actor == alice && o.kind != flagstage.ReviewComment
	if c.kind != "approval" || c.status != flagstage.StatusActive || own {
		return false
	}
	if o.kind == flagstage.ReviewComment {
		return true
	}
	c.votes[o.actor.Identity()] = o.kind
	n := 0
	for _, vote := range c.votes {
		if vote == flagstage.ReviewApprove {
			n++
		} else if !m.lenient {
			m.fail(c, m.hour)
			return true
		}
	}
	if n >= m.quorum {
		m.complete(c, m.hour)
		m.catchUp()
	}
	return true
}

func (m *model) skip(o operation) bool {
	runs := m.status == flagstage.StatusActive || m.status == flagstage.StatusPaused
	if !runs || o.stage != m.current || m.stages[m.current].status != flagstage.StatusActive {
		return false
	}
	for _, c := range m.stages[m.current].conditions {
		if c.status == flagstage.StatusCompleted {
			continue
		}
		if c.kind == "approval" && !o.bypass {
			return false
		}
		c.status = flagstage.StatusSkipped
	}
	m.leave(flagstage.StatusSkipped, m.hour, m.hour)
	m.catchUp()
	return true
}

// anyModel draws a release, for the model and as a plan.
func anyModel(t *rapid.T) (*model, *run) {
	m := &model{
		status: flagstage.StatusActive, halted: map[int64]bool{}, applied: map[int]int64{},
		deliver:  rapid.Bool().Draw(t, "deliver"),
		lateness: rapid.SampledFrom([]int64{0, 1, 3, 1 << 20}).Draw(t, "lateness"),
		quorum:   rapid.IntRange(1, 2).Draw(t, "quorum"),
		lenient:  rapid.Bool().Draw(t, "lenient"),
		expires:  rapid.SampledFrom([]int64{0, 2, 30}).Draw(t, "expires"),
	}
	var stages []flagstage.Stage
	for range rapid.IntRange(1, 5).Draw(t, "stages") {
		s := &modelStage{status: flagstage.StatusPending, sequence: rapid.Bool().Draw(t, "sequence"), acts: rapid.IntRange(0, 3).Draw(t, "acts") > 0}
		var conditions []flagstage.Condition
		for range rapid.IntRange(0, 3).Draw(t, "conditions") {
			c := &modelCondition{status: flagstage.StatusPending, kind: rapid.SampledFrom([]string{"wait", "wait", "date", "approval"}).Draw(t, "kind")}
			c.n = rapid.SampledFrom([]int64{0, 1, 2, 3, 24, 48}).Draw(t, "n")
			s.conditions = append(s.conditions, c)
			switch {
			case c.kind == "approval":
				conditions = append(conditions, flagstage.Approval{})
			case c.kind == "date":
				conditions = append(conditions, flagstage.ScheduleAt(after(float64(c.n))))
			case c.n%24 == 0:
				conditions = append(conditions, flagstage.ScheduleAfter(c.n/24, calendar.Day))
			default:
				conditions = append(conditions, flagstage.ScheduleAfter(60*c.n, calendar.Minute))
			}
		}
		m.stages = append(m.stages, s)
		made := stage(conditions...)
		made.ExecuteConditionsInSequence = s.sequence
		if !s.acts {
			made.Action = flagstage.Action{}
		}
		stages = append(stages, made)
	}
	lateness := time.Duration(m.lateness) * time.Hour
	if lateness == 0 {
		lateness = flagstage.NoLateness
	}
	r := begin(t, planOf(t, stages...), flagstage.Start{
		Deliver: m.deliver, Lateness: lateness,
		Approvals: flagstage.ApprovalSettings{
			MinNumApprovals: m.quorum, CanApplyDeclinedChanges: m.lenient, ExpiresAfter: time.Duration(m.expires) * time.Hour,
		},
	})
	m.enter(0)
	m.look(0, 0)
	return m, r
}

// TestTheMachineDoesWhatANaiveModelDoes compares the two after every call.
func TestTheMachineDoesWhatANaiveModelDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, r := anyModel(t)
		var now int64
		for range 30 {
			o := anyOperation(t, r, now, verbs)
			now = o.hours
			require.Equal(t, m.do(o), r.do(o) == nil, "%+v", o)
			requireModel(t, m, r)
		}
	})
}

func requireModel(t *rapid.T, m *model, r *run) {
	require.Equal(t, m.status, r.Status())
	gates := map[int]flagstage.Gate{}
	for _, g := range r.Gates() {
		gates[g.Condition] = g
	}
	for i, s := range m.stages {
		require.Equal(t, s.status, r.StageStatus(i), "stage %d", i)
		for k, c := range s.conditions {
			require.Equal(t, c.status, r.ConditionStatus(i, k), "condition %d of stage %d", k, i)
			if i != m.current || m.status != flagstage.StatusActive || c.status != flagstage.StatusActive {
				continue
			}
			if c.until == never {
				require.Zero(t, gates[k].Until)
			} else {
				require.Equal(t, after(float64(c.until)), gates[k].Until, "condition %d of stage %d", k, i)
			}
		}
	}
	if m.status != flagstage.StatusActive && m.status != flagstage.StatusPaused {
		require.Equal(t, after(float64(m.stopped)), r.StoppedAt())
	}
	effect, pending := r.Pending()
	require.Equal(t, m.status == flagstage.StatusActive && m.waits(), pending)
	if pending {
		s := m.stages[m.current]
		want := s.ready
		if s.tries > 0 {
			want = s.failedAt + s.backoff
		}
		require.Equal(t, []int{m.current, s.round + 1, int(s.tries) + 1}, []int{effect.Stage, effect.Round, effect.Try})
		require.Equal(t, after(float64(s.ready)), effect.Due)
		require.Equal(t, after(float64(want)), effect.At)
	}
	applied := map[int]int64{}
	for _, e := range r.events {
		if e.Kind == flagstage.EventActionApplied {
			require.NotContains(t, applied, e.Stage, "applied twice")
			applied[e.Stage] = int64(e.At.Sub(start) / time.Hour)
		}
	}
	require.Equal(t, m.applied, applied)
}
