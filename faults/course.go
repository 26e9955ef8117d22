package main

import (
	"time"

	"github.com/flagstage/flagstage"
)

// course follows the events of a workflow, and knows of releases only what was
// asked for.
type course struct {
	*findings
	w      *flagstage.StoredWorkflow
	input  flagstage.WorkflowInput
	hosted bool

	at     time.Time // of the event before
	stage  int       // that is active
	armed  []gate
	left   time.Time // when the stage before was left
	paused bool
}

// gate is what a course knows of a condition of the active stage.
type gate struct {
	until time.Time
	met   bool
	said  map[flagstage.Actor]flagstage.ReviewKind
}

func newCourse(f *findings, w *flagstage.StoredWorkflow, hosted bool) *course {
	return &course{findings: f, w: w, input: releaseOf(w.Name), hosted: hosted, stage: -1, left: w.CreatedAt}
}

// event judges the next event.
func (c *course) event(e flagstage.Event) {
	if e.At.Before(c.at) || e.Due.After(e.At) {
		c.broken(promisedTime, "%s: event %d is at %s and due at %s, behind one at %s", c.w.Name, e.Number, e.At, e.Due, c.at)
	}
	c.at = e.At
	var g *gate
	if e.Condition != flagstage.NoIndex {
		if e.Stage != c.stage || e.Condition >= len(c.armed) {
			c.broken(promisedOrder, "%s: event %d is of %s", c.w.Name, e.Number, e.Pointer())
			return
		}
		g = &c.armed[e.Condition]
	}
	switch e.Kind {
	case flagstage.EventWorkflowPaused:
		c.paused = true
	case flagstage.EventWorkflowResumed, flagstage.EventStageRetried: // a paused workflow may fail, and is not paused then
		c.paused = false
	case flagstage.EventStageArmed:
		if e.Stage != c.stage+1 {
			c.broken(promisedOrder, "%s: stage %d was armed behind stage %d", c.w.Name, e.Stage, c.stage)
		}
		c.stage = e.Stage
		c.armed = make([]gate, len(c.input.Stages[c.stage].Conditions))
	case flagstage.EventConditionArmed, flagstage.EventApprovalRequested:
		*g = gate{until: e.Until, said: map[flagstage.Actor]flagstage.ReviewKind{}}
		if wait, ok := waitOf(c.input.Stages[c.stage].Conditions[e.Condition]); ok && e.Until.Before(c.left.Add(wait-flagstage.DefaultLateness)) {
			c.broken(promisedTime, "%s: %s is due at %s, the stage before was left at %s", c.w.Name, e.Pointer(), e.Until, c.left)
		}
	case flagstage.EventConditionRescheduled:
		if e.Until.Before(g.until) {
			c.broken(promisedTime, "%s: %s came nearer", c.w.Name, e.Pointer())
		}
		g.until = e.Until
	case flagstage.EventReviewed:
		if e.Review != flagstage.ReviewComment {
			g.said[e.Actor] = e.Review
		}
	case flagstage.EventConditionCompleted:
		c.met(g, e)
	case flagstage.EventActionApplied:
		c.act(e)
	case flagstage.EventStageCompleted, flagstage.EventStageSkipped:
		c.left = e.At
	}
}

// met judges that a condition was met.
func (c *course) met(g *gate, e flagstage.Event) {
	g.met = true
	if _, ok := waitOf(c.input.Stages[c.stage].Conditions[e.Condition]); ok {
		if e.At.Before(g.until) {
			c.broken(promisedTime, "%s: %s was met at %s, due is %s", c.w.Name, e.Pointer(), e.At, g.until)
		}
		return
	}
	approvals := 0
	for who, said := range g.said {
		if said == flagstage.ReviewApprove && who != starter {
			approvals++
		}
	}
	if approvals < c.input.Approvals.MinNumApprovals {
		c.broken(promisedApproval, "%s: %s was met by %d approvals", c.w.Name, e.Pointer(), approvals)
	}
}

// act judges that an action was applied.
func (c *course) act(e flagstage.Event) {
	c.actions++
	if e.Stage != c.stage {
		c.broken(promisedOrder, "%s: stage %d was applied in stage %d", c.w.Name, e.Stage, c.stage)
		return
	}
	if c.paused && !c.hosted { // a delivery may be under way when the workflow is paused
		c.broken(promisedTime, "%s: stage %d was applied in a pause", c.w.Name, e.Stage)
	}
	for i, g := range c.armed {
		if wait, ok := waitOf(c.input.Stages[c.stage].Conditions[i]); ok && e.At.Before(c.left.Add(wait-flagstage.DefaultLateness)) {
			c.broken(promisedTime, "%s: stage %d was applied at %s, the stage before was left at %s, and it waits %s", c.w.Name, e.Stage, e.At, c.left, wait)
		}
		if g.met {
			continue
		}
		p := promisedTime
		if _, ok := waitOf(c.input.Stages[c.stage].Conditions[i]); !ok {
			p = promisedApproval
		}
		c.broken(p, "%s: stage %d was applied, condition %d is open", c.w.Name, e.Stage, i)
	}
}

// waitOf returns how long a schedule waits, and false for an approval.
func waitOf(c flagstage.Condition) (time.Duration, bool) {
	s, ok := c.(flagstage.Schedule)
	if !ok {
		return 0, false
	}
	return time.Duration(s.When.(flagstage.Relative).Wait.Count) * time.Minute, true
}
