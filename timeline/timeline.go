// Package timeline shows what happens in a release, and when: as text for
// people, and as JSON for programs.
//
// Everything that comes from a template is escaped on its way out, so that a
// name cannot forge a line or steer a terminal.
package timeline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flagstage/flagstage"
)

// Timeline is the life of one release, as far as it is known. It is a value:
// what it refers to must not be changed while it is in use, and then it is
// safe for concurrent use.
type Timeline struct {
	Plan flagstage.Plan
	// Zone is where the instants are shown; nil means UTC.
	Zone *time.Location
	// Horizon is the instant after which nothing was looked at; zero: none.
	Horizon time.Time
	// Assumptions are sentences on what was taken for granted.
	Assumptions []string
	// Events are in the order in which they happened. The first starts the
	// workflow.
	Events []flagstage.Event
	End    End
}

// End is where a release stands after the last event.
type End struct {
	Status flagstage.Status
	// At is the instant up to which the release is known: when it ended, or
	// the horizon, or else the last event.
	At time.Time
	// Gates are what holds the release back, if it has not ended.
	Gates []flagstage.Gate
}

func (t Timeline) zone() *time.Location {
	if t.Zone == nil {
		return time.UTC
	}
	return t.Zone
}

// Start returns when the release starts, the zero time if there are no events.
func (t Timeline) Start() time.Time {
	if len(t.Events) == 0 {
		return time.Time{}
	}
	return t.Events[0].At
}

// Standing says in one sentence, without a full stop, where the release stands
// at the end: "waits for approval of stage 3 since Sat 2026-10-24 09:00
// +02:00". Stages are counted from 1.
func (t Timeline) Standing() string {
	var skipped []string
	for _, e := range t.Events {
		if e.Kind == flagstage.EventStageSkipped {
			skipped = append(skipped, strconv.Itoa(e.Stage+1))
		}
	}
	switch last := len(skipped) - 1; {
	case last < 0:
		return t.standing()
	case last == 0:
		return t.standing() + "; stage " + skipped[0] + " was skipped"
	default:
		return t.standing() + "; stages " + strings.Join(skipped[:last], ", ") + " and " + skipped[last] + " were skipped"
	}
}

func (t Timeline) standing() string {
	switch t.End.Status {
	case flagstage.StatusCompleted:
		if t.End.At.Equal(t.Start()) {
			return fmt.Sprintf("complete on %s, at once", t.date(t.End.At))
		}
		return fmt.Sprintf("complete on %s, %s after its start", t.date(t.End.At), words(between(t.Start(), t.End.At)))
	case flagstage.StatusFailed:
		return t.failure()
	case flagstage.StatusCancelled:
		return t.by("cancelled", flagstage.EventWorkflowCancelled, "on")
	}
	var parts []string
	paused := t.End.Status == flagstage.StatusPaused
	if paused {
		parts = append(parts, t.by("paused", flagstage.EventWorkflowPaused, "since"))
	}
	for _, g := range t.End.Gates {
		if !paused || g.Kind == flagstage.KindApproval { // which takes reviews in a pause too
			parts = append(parts, t.wait(g))
		}
	}
	if len(parts) == 0 {
		return t.change()
	}
	return strings.Join(parts, "; and ")
}

// lastOf returns the last event of any of the kinds.
func (t Timeline) lastOf(kinds ...flagstage.EventKind) (e flagstage.Event, ok bool) {
	for i := len(t.Events) - 1; i >= 0; i-- {
		if slices.Contains(kinds, t.Events[i].Kind) {
			return t.Events[i], true
		}
	}
	return flagstage.Event{}, false
}

// by says who did the last thing of a kind, and when.
func (t Timeline) by(verb string, kind flagstage.EventKind, preposition string) string {
	e, ok := t.lastOf(kind)
	if !ok {
		return fmt.Sprintf("%s %s %s", verb, preposition, t.date(t.End.At))
	}
	return fmt.Sprintf("%s by %s %s %s", verb, actor(e), preposition, t.date(e.At))
}

// change says which change has no result yet.
func (t Timeline) change() string {
	e, ok := t.lastOf(flagstage.EventStageArmed, flagstage.EventConditionCompleted, flagstage.EventStageRetried,
		flagstage.EventActionFailed, flagstage.EventActionRescheduled)
	switch {
	case !ok:
		return "has not begun"
	case e.Kind == flagstage.EventActionFailed || e.Kind == flagstage.EventActionRescheduled:
		return fmt.Sprintf("tries the change of stage %d again on %s", e.Stage+1, t.date(e.Until))
	}
	stage, _ := t.lastOf(flagstage.EventStageArmed)
	return fmt.Sprintf("waits for the change of stage %d since %s", stage.Stage+1, t.date(e.At))
}

// failure says where and why the release failed.
func (t Timeline) failure() string {
	e, ok := t.lastOf(flagstage.EventStageFailed)
	if !ok {
		return "failed on " + t.date(t.End.At)
	}
	text := fmt.Sprintf("failed in stage %d on %s", e.Stage+1, t.date(t.End.At))
	if why := failures[e.Reason]; why != "" {
		text += ": " + why
	}
	return text
}

var failures = map[flagstage.Reason]string{
	flagstage.ReasonDeclined:   "the approval is declined",
	flagstage.ReasonExpired:    "the approval expires without enough answers",
	flagstage.ReasonOutOfRange: "the wait would end after the year 9999",
	flagstage.ReasonConflict:   "somebody else has changed what the change is about",
	flagstage.ReasonRejected:   "the change cannot be made",
	flagstage.ReasonTransient:  "the change cannot be made now",
}

func (t Timeline) wait(g flagstage.Gate) string {
	what := "the schedule"
	if g.Kind == flagstage.KindApproval {
		what = "approval"
	}
	which := ""
	if stages := t.Plan.Stages(); g.Stage >= 0 && g.Stage < len(stages) && several(stages[g.Stage], g.Kind) {
		which = fmt.Sprintf(" (condition %d)", g.Condition+1)
	}
	s := fmt.Sprintf("waits for %s of stage %d%s since %s", what, g.Stage+1, which, t.date(g.Since))
	switch {
	case g.Until.IsZero():
		return s
	case g.Kind == flagstage.KindApproval:
		return s + ", which expires on " + t.date(g.Until)
	}
	return s + ", until " + t.date(g.Until)
}

// date shows an instant in the timeline's zone, with its offset: seconds and
// their fractions only if there are any.
func (t Timeline) date(at time.Time) string {
	at = at.In(t.zone())
	switch {
	case at.Nanosecond() != 0:
		return at.Format("Mon 2006-01-02 15:04:05.000 -07:00")
	case at.Second() != 0:
		return at.Format("Mon 2006-01-02 15:04:05 -07:00")
	}
	return at.Format("Mon 2006-01-02 15:04 -07:00")
}

// several reports whether a stage has more than one condition of the kind.
func several(stage flagstage.Stage, kind flagstage.ConditionKind) bool {
	n := 0
	for _, c := range stage.Conditions {
		if c.Kind() == kind {
			n++
		}
	}
	return n > 1
}

// between returns the milliseconds from one instant to another, which may be
// more than a time.Duration holds.
func between(from, to time.Time) int64 { return to.UnixMilli() - from.UnixMilli() }

// The lengths of units, in milliseconds.
const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// words says how long so many milliseconds are: "10 days 1 hour".
func words(ms int64) string {
	var parts []string
	for _, unit := range []struct {
		size int64
		name string
	}{{day, "day"}, {hour, "hour"}, {minute, "minute"}, {second, "second"}, {1, "millisecond"}} {
		if n := ms / unit.size; n > 0 {
			parts = append(parts, plural(n, unit.name))
		}
		ms %= unit.size
	}
	return strings.Join(parts, " ")
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
