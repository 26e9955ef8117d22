package timeline

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/internal/escape"
)

const (
	width  = 80 // columns of a page
	indent = 29 // columns of a date and the gap after it
)

// Text returns the timeline for people who know nothing of this project: a
// heading, what was assumed, what happens in each stage, and where the release
// stands at the end. Instants are local times with their offset. Lines are at
// most 80 characters long unless a single word is longer, and end in a line
// feed.
func (t Timeline) Text() string {
	p := page{Timeline: t, stages: t.Plan.Stages()}
	p.heading()
	for _, e := range t.Events {
		p.event(e)
	}
	p.gap()
	p.paragraph("At the end: "+t.Standing()+".", 0)
	return p.String()
}

// glue holds the words of a date together. It cannot come from a template:
// there it would be escaped.
const glue = "\x00"

// date is [Timeline.date] in one piece.
func (p *page) date(at time.Time) string {
	return strings.ReplaceAll(p.Timeline.date(at), " ", glue)
}

// page is a text in the making.
type page struct {
	Timeline
	strings.Builder
	stages []flagstage.Stage
	shown  string   // the date of the last line, "" after a heading
	atOnce []string // pointers of conditions that were due when they were armed
}

func (p *page) heading() {
	name, key := escape.Terminal(p.Plan.Name()), escape.Terminal(p.Plan.TemplateKey())
	if name != key {
		name += " (" + key + ")"
	}
	p.paragraph(name, 0)
	p.paragraph(fmt.Sprintf("%s; times are those of %s.", plural(int64(len(p.stages)), "stage"), escape.Terminal(p.zone().String())), 0)
	for _, a := range p.Assumptions {
		p.paragraph(escape.Terminal(a), 0)
	}
	p.gap()
}

func (p *page) gap() {
	p.WriteByte('\n')
	p.shown = ""
}

// fits reports whether the plan has what the event concerns.
func (p *page) fits(e flagstage.Event) bool {
	if e.Stage == flagstage.NoIndex {
		return e.Condition == flagstage.NoIndex
	}
	return e.Stage >= 0 && e.Stage < len(p.stages) &&
		(e.Condition == flagstage.NoIndex || e.Condition >= 0 && e.Condition < len(p.stages[e.Stage].Conditions))
}

// shaped reports whether the event has the indexes that its kind needs.
func shaped(e flagstage.Event) bool {
	switch e.Kind {
	case flagstage.EventWorkflowStarted, flagstage.EventWorkflowCompleted, flagstage.EventWorkflowFailed:
		return true
	case flagstage.EventStageArmed, flagstage.EventActionApplied, flagstage.EventStageCompleted, flagstage.EventStageFailed:
		return e.Stage != flagstage.NoIndex
	case flagstage.EventConditionArmed, flagstage.EventApprovalRequested, flagstage.EventReviewed,
		flagstage.EventConditionCompleted, flagstage.EventConditionFailed:
		return e.Condition != flagstage.NoIndex
	}
	return false
}

func (p *page) event(e flagstage.Event) {
	if !p.fits(e) || !shaped(e) {
		p.line(e, "Something happens that is not in the plan: "+escape.Terminal(string(e.Kind))+".")
		return
	}
	switch e.Kind {
	case flagstage.EventWorkflowStarted:
		p.line(e, "The release starts.")
	case flagstage.EventStageArmed:
		p.stage(e)
	case flagstage.EventConditionArmed:
		p.line(e, p.schedule(e))
	case flagstage.EventApprovalRequested:
		p.approval(e)
	case flagstage.EventReviewed:
		p.review(e)
	case flagstage.EventConditionCompleted:
		switch {
		case e.Reason == flagstage.ReasonApproved:
			p.line(e, "The approval is granted.")
		case !slices.Contains(p.atOnce, e.Pointer()):
			p.line(e, "The time has come.")
		}
	case flagstage.EventConditionFailed:
		p.line(e, sentence(failures[e.Reason]))
	case flagstage.EventActionApplied:
		p.line(e, "The flag changes:")
		for _, in := range p.stages[e.Stage].Action.Instructions {
			p.line(e, "- "+escape.Terminal(in.String()))
		}
	case flagstage.EventStageCompleted:
		if len(p.stages[e.Stage].Action.Instructions) == 0 {
			p.line(e, "The stage ends; it changes nothing.")
		}
	case flagstage.EventStageFailed:
		p.line(e, "The stage fails.")
	case flagstage.EventWorkflowFailed:
		p.line(e, "The release fails; no later stage runs.")
	case flagstage.EventWorkflowCompleted:
		p.line(e, "The release is complete.")
	}
}

func sentence(s string) string {
	if s == "" {
		return "The condition fails."
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

func (p *page) stage(e flagstage.Event) {
	p.gap()
	title := fmt.Sprintf("Stage %d of %d", e.Stage+1, len(p.stages))
	if name := p.stages[e.Stage].Name; name != "" {
		title += ": " + escape.Terminal(name)
	}
	p.paragraph(title, 0)
	p.atOnce = nil
	if len(p.stages[e.Stage].Conditions) == 0 {
		p.line(e, "Nothing holds this stage back.")
	}
}

// schedule says how long a schedule waits.
func (p *page) schedule(e flagstage.Event) string {
	if e.Until.Equal(e.Due) {
		p.atOnce = append(p.atOnce, e.Pointer())
	}
	s, ok := p.stages[e.Stage].Conditions[e.Condition].(flagstage.Schedule)
	if !ok {
		return "Waits until " + p.date(e.Until) + "."
	}
	switch when := s.When.(type) {
	case flagstage.Absolute:
		if when.Date.Before(e.Due) {
			return "Its date is past (" + p.date(when.Date) + "): due at once."
		}
		return "Waits for its date, " + p.date(e.Until) + "."
	case flagstage.Relative:
		if when.Wait.Count == 0 {
			break
		}
		return fmt.Sprintf("Waits %s, until %s%s.", when.Wait, p.date(e.Until), clockChange(when.Wait, e.Until.Sub(e.Due)))
	case flagstage.Immediate:
	}
	return "Due at once."
}

// clockChange explains calendar days that do not last 24 hours each.
func clockChange(w calendar.Wait, lasts time.Duration) string {
	days := w.Count
	switch w.Unit {
	case calendar.Minute, calendar.Hour:
		return ""
	case calendar.Week:
		days *= 7
	case calendar.Day:
	}
	extra := lasts - time.Duration(days)*24*time.Hour
	switch {
	case extra > 0:
		return fmt.Sprintf(" (%s more than %s of 24 hours: the clocks change)", words(extra), plural(days, "day"))
	case extra < 0:
		return fmt.Sprintf(" (%s less than %s of 24 hours: the clocks change)", words(-extra), plural(days, "day"))
	}
	return ""
}

func (p *page) approval(e flagstage.Event) {
	text := "Asks for approval"
	a, ok := p.stages[e.Stage].Conditions[e.Condition].(flagstage.Approval)
	if ok && a.Description != "" {
		text += ": " + escape.Terminal(a.Description)
	}
	p.line(e, text+".")
	var told []string
	for _, team := range a.NotifyTeamKeys {
		told = append(told, "team "+escape.Terminal(team))
	}
	for _, member := range a.NotifyMemberIDs {
		told = append(told, "member "+escape.Terminal(member))
	}
	if len(told) > 0 {
		p.line(e, "Tells "+strings.Join(told, ", ")+".")
	}
	if !e.Until.IsZero() {
		p.line(e, "Expires on "+p.date(e.Until)+".")
	}
}

func (p *page) review(e flagstage.Event) {
	verbs := map[flagstage.ReviewKind]string{
		flagstage.ReviewApprove: " approves", flagstage.ReviewDecline: " declines", flagstage.ReviewComment: " comments",
	}
	text := escape.Terminal(e.Actor.Identity()) + verbs[e.Review]
	if e.Comment != "" {
		text += ": " + escape.Terminal(e.Comment)
	}
	p.line(e, text+".")
}

// line writes what an event says behind its date, which is not repeated.
func (p *page) line(e flagstage.Event, text string) {
	date := p.date(e.At)
	if date == p.shown {
		p.WriteString(strings.Repeat(" ", indent))
	} else {
		p.shown = date
		p.WriteString(strings.ReplaceAll(date, glue, " "))
		p.WriteString(strings.Repeat(" ", max(2, indent-utf8.RuneCountInString(date))))
	}
	hanging := indent
	if strings.HasPrefix(text, "- ") {
		hanging += 2
	}
	p.wrap(text, max(indent, utf8.RuneCountInString(date)+2), hanging)
}

func (p *page) paragraph(text string, hanging int) { p.wrap(text, 0, hanging) }

// wrap writes words up to the width of the page, of which column is already
// taken; further lines begin behind hanging spaces.
func (p *page) wrap(text string, column, hanging int) {
	first := true
	for word := range strings.SplitSeq(text, " ") {
		if word == "" {
			continue
		}
		n := utf8.RuneCountInString(word)
		switch {
		case first:
			first = false
		case column+1+n > width:
			p.WriteByte('\n')
			p.WriteString(strings.Repeat(" ", hanging))
			column = hanging
		default:
			p.WriteByte(' ')
			column++
		}
		p.WriteString(strings.ReplaceAll(word, glue, " "))
		column += n
	}
	p.WriteByte('\n')
}
