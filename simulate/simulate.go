// Package simulate tells what a release will do before it starts.
//
// [Run] walks a workflow through one future, given what people answer. Nothing
// waits and nothing is stored: a release of months takes microseconds. The
// walk is that of the state machine which runs releases, so what it shows is
// what happens.
package simulate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/internal/strictjson"
	"github.com/flagstage/flagstage/timeline"
)

// Source is what can be simulated: a [flagstage.Template], whose values that
// depend on a flag count as valid for the flag it was written for, or a
// [flagstage.Plan].
type Source interface {
	Plan() flagstage.Plan
}

// Scenario is the future to be simulated.
type Scenario struct {
	// Start is when the release starts. Required; years 1970 to 9999.
	Start time.Time
	// Zone is the IANA name of the time zone in which calendar days are
	// counted and times are shown. "" means UTC.
	Zone string
	// Approvals are the settings of all approvals.
	Approvals flagstage.ApprovalSettings
	// Answers say how each approval is answered, by its JSON Pointer in the
	// template, such as /stages/2/conditions/0. A pointer at which there is
	// no approval is an error.
	Answers map[string]Answer
	// Otherwise is the answer to approvals that Answers does not name. The
	// zero Answer never comes.
	Otherwise Answer
	// Horizon is the instant after which nothing is simulated; it must not
	// lie before Start. The zero time means that there is none.
	Horizon time.Time
}

// Answer is how an approval is answered, by as many people as it takes. The
// zero Answer never comes. Answers are immutable.
type Answer struct {
	kind  flagstage.ReviewKind // "" is never
	fixed bool                 // at counts, not delay
	delay time.Duration
	at    time.Time
}

// Never returns the answer that does not come: the zero Answer.
func Never() Answer { return Answer{} }

// ApprovedAfter returns the answer that enough people approve a while after
// the approval was asked for, at once for 0. A negative delay makes Run fail.
func ApprovedAfter(delay time.Duration) Answer {
	return Answer{kind: flagstage.ReviewApprove, delay: delay}
}

// ApprovedAt returns the answer that enough people approve at an instant, or,
// if it is past by then, when the approval is asked for. An instant outside of
// the years 1970 to 9999 makes Run fail.
func ApprovedAt(at time.Time) Answer {
	return Answer{kind: flagstage.ReviewApprove, fixed: true, at: at}
}

// DeclinedAfter is like [ApprovedAfter], but somebody declines.
func DeclinedAfter(delay time.Duration) Answer {
	return Answer{kind: flagstage.ReviewDecline, delay: delay}
}

// DeclinedAt is like [ApprovedAt], but somebody declines.
func DeclinedAt(at time.Time) Answer {
	return Answer{kind: flagstage.ReviewDecline, fixed: true, at: at}
}

func (a Answer) check() error {
	switch {
	case a.delay < 0:
		return fmt.Errorf("the delay %v is negative", a.delay)
	case a.fixed && (a.at.UTC().Year() < 1970 || a.at.UTC().Year() > 9999):
		return errors.New("the instant must lie in the years 1970 to 9999")
	}
	return nil
}

// Given returns what the answer to an approval is that is asked for at an
// instant, and when it comes, as [flagstage.Future] takes it. The kind "" means
// that it never comes.
func (a Answer) Given(asked time.Time) (flagstage.ReviewKind, time.Time) {
	if a.fixed {
		return a.kind, a.at
	}
	return a.kind, asked.Add(a.delay)
}

// String says what is assumed of an approval: "is granted 4h0m0s after it is
// asked for".
func (a Answer) String() string {
	verb := "is granted"
	switch a.kind {
	case "":
		return "stays unanswered"
	case flagstage.ReviewDecline:
		verb = "is declined"
	}
	switch {
	case a.fixed:
		return verb + " at " + a.at.UTC().Format(time.RFC3339)
	case a.delay == 0:
		return verb + " as soon as it is asked for"
	}
	return verb + " " + short(a.delay) + " after it is asked for"
}

// short spells a duration without units that are zero: 4h, not 4h0m0s.
func short(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-len(zero)+1]
		}
	}
	return s
}

// Run simulates a release. It ends when the release does, when nothing will
// happen any more without an answer that never comes, or at the horizon; the
// timeline's end says which.
//
// An error says what is wrong with the scenario. It wraps
// [flagstage.ErrInvalidRequest] and, for the zone, [calendar.ErrZone].
func Run(source Source, scenario Scenario) (timeline.Timeline, error) {
	plan, err := planOf(source)
	if err != nil {
		return timeline.Timeline{}, fmt.Errorf("simulate: %w", err)
	}
	zone, err := scenario.check(plan)
	if err != nil {
		return timeline.Timeline{}, fmt.Errorf("simulate: %w", err)
	}
	workflow, events, err := plan.Preview(flagstage.Start{
		At: scenario.Start, Actor: flagstage.Actor{MemberID: starter}, Zone: zone, Approvals: scenario.Approvals,
	}, flagstage.Future{Answer: scenario.respond, Horizon: scenario.Horizon})
	if err != nil {
		return timeline.Timeline{}, fmt.Errorf("simulate: %w", err)
	}
	end := timeline.End{Status: workflow.Status(), At: events[len(events)-1].At, Gates: workflow.Gates()}
	if end.Status == flagstage.StatusActive && !scenario.Horizon.IsZero() {
		end.At = flagstage.Instant(scenario.Horizon)
	}
	return timeline.Timeline{
		Plan: plan, Zone: zone, Horizon: scenario.Horizon, Assumptions: scenario.assumptions(plan), Events: events, End: end,
	}, nil
}

// planOf returns the plan of a source, which may be nil in two ways.
func planOf(source Source) (flagstage.Plan, error) {
	template, isTemplate := source.(*flagstage.Template)
	plan, isPlan := source.(*flagstage.Plan)
	if source == nil || isTemplate && template == nil || isPlan && plan == nil {
		return flagstage.Plan{}, fmt.Errorf("%w: there is no source; give a template or a plan", flagstage.ErrInvalidRequest)
	}
	return source.Plan(), nil
}

// starter is the member in whose name simulated workflows start.
const starter = "simulation"

// check judges what StartWorkflow does not, and looks up the zone.
func (s *Scenario) check(plan flagstage.Plan) (*time.Location, error) {
	invalid := func(format string, args ...any) (*time.Location, error) {
		return nil, fmt.Errorf("%w: %s", flagstage.ErrInvalidRequest, fmt.Sprintf(format, args...))
	}
	if err := s.Otherwise.check(); err != nil {
		return invalid("Otherwise: %v", err)
	}
	if len(s.Answers) > 0 {
		known := map[string]bool{}
		for pointer := range plan.Approvals() {
			known[pointer] = true
		}
		for _, pointer := range slices.Sorted(maps.Keys(s.Answers)) {
			if !known[pointer] {
				return invalid("Answers: there is no approval at %s; approvals have pointers such as /stages/2/conditions/0", strictjson.Quote(pointer))
			}
			if err := s.Answers[pointer].check(); err != nil {
				return invalid("Answers: %s: %v", pointer, err)
			}
		}
	}
	if !s.Horizon.IsZero() && s.Horizon.Before(s.Start) {
		return invalid("Horizon lies before Start")
	}
	if s.Zone == "" {
		return time.UTC, nil
	}
	zone, err := calendar.Zone(s.Zone)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", flagstage.ErrInvalidRequest, err)
	}
	return zone, nil
}

// respond says how the approval at the given indexes is answered.
func (s *Scenario) respond(stage, condition int, asked time.Time) (flagstage.ReviewKind, time.Time) {
	answer := s.Otherwise
	if len(s.Answers) > 0 {
		pointer := flagstage.Event{Stage: stage, Condition: condition}.Pointer()
		if a, ok := s.Answers[pointer]; ok {
			answer = a
		}
	}
	return answer.Given(asked)
}

// assumptions says what is taken for granted of the approvals.
func (s *Scenario) assumptions(plan flagstage.Plan) (list []string) {
	others := 0
	for pointer := range plan.Approvals() {
		if a, ok := s.Answers[pointer]; ok {
			list = append(list, "Assumed: the approval at "+pointer+" "+a.String()+".")
		} else {
			others++
		}
	}
	if others == 0 {
		return list
	}
	which := "every approval "
	if len(list) > 0 {
		which = "every other approval "
	}
	return append(list, "Assumed: "+which+s.Otherwise.String()+".")
}
