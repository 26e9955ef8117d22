package timeline

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/internal/escape"
)

// width is how many columns a page has.
const width = 80

// hang is by how many columns the further lines of a paragraph stand behind
// its first, so that no text of a template looks like a line of its own.
const hang = 2

// Text returns the timeline for people who know nothing of this project: a
// heading, what was assumed, what happens in each stage, and where the release
// stands at the end. Instants are local times with their offset. Lines have at
// most 80 columns and end in a line feed.
func (t Timeline) Text() string {
	p := page{Timeline: t, stages: t.Plan.Stages()}
	p.measure()
	p.heading()
	for _, e := range t.Events {
		p.event(e)
	}
	p.gap()
	p.paragraph("At the end: " + t.Standing() + ".")
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
	indent int      // columns of a date and the gap after it
	shown  string   // the date of the last line, "" after a heading
	atOnce []string // pointers of conditions that were due when they were armed

	cancelled bool
}

// measure makes room for the longest date.
func (p *page) measure() {
	for _, e := range p.Events {
		p.indent = max(p.indent, columns(p.date(e.At))+2)
	}
}

func (p *page) heading() {
	name, key := escape.Terminal(p.Plan.Name()), escape.Terminal(p.Plan.TemplateKey())
	if name != key {
		name += " (" + key + ")"
	}
	p.paragraph(name)
	p.paragraph(fmt.Sprintf("%s; times are those of %s.", plural(int64(len(p.stages)), "stage"), escape.Terminal(p.zone().String())))
	for _, a := range p.Assumptions {
		p.paragraph(escape.Terminal(a))
	}
	if !p.Horizon.IsZero() {
		p.paragraph("Looked ahead until " + p.date(p.Horizon) + ".")
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
	case flagstage.EventWorkflowStarted, flagstage.EventWorkflowCompleted, flagstage.EventWorkflowFailed,
		flagstage.EventWorkflowPaused, flagstage.EventWorkflowResumed, flagstage.EventWorkflowCancelled:
		return true
	case flagstage.EventStageArmed, flagstage.EventActionApplied, flagstage.EventStageCompleted, flagstage.EventStageFailed,
		flagstage.EventActionFailed, flagstage.EventActionRescheduled, flagstage.EventStageSkipped, flagstage.EventStageRetried:
		return e.Stage != flagstage.NoIndex
	case flagstage.EventConditionArmed, flagstage.EventApprovalRequested, flagstage.EventReviewed,
		flagstage.EventConditionCompleted, flagstage.EventConditionFailed, flagstage.EventConditionRescheduled:
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
		p.line(e, p.which(e)+p.schedule(e))
	case flagstage.EventApprovalRequested:
		p.approval(e)
	case flagstage.EventReviewed:
		p.review(e)
	case flagstage.EventConditionCompleted:
		switch {
		case e.Reason == flagstage.ReasonApproved:
			p.line(e, p.which(e)+"The approval is granted.")
		case !slices.Contains(p.atOnce, e.Pointer()):
			p.line(e, p.which(e)+"The time has come.")
		}
	case flagstage.EventConditionFailed:
		p.line(e, p.which(e)+sentence(failures[e.Reason]))
	case flagstage.EventConditionRescheduled:
		p.line(e, p.which(e)+p.rescheduled(e))
	case flagstage.EventActionFailed:
		p.actionFailed(e)
	case flagstage.EventActionRescheduled:
		p.line(e, "The change is tried again on "+p.date(e.Until)+".")
	case flagstage.EventActionApplied:
		if p.cancelled {
			p.line(e, "The flag has changed after all:")
		} else {
			p.line(e, "The flag changes:")
		}
		for _, in := range p.stages[e.Stage].Action.Instructions {
			p.line(e, "- "+escape.Terminal(in.String()))
		}
	case flagstage.EventStageCompleted:
		if len(p.stages[e.Stage].Action.Instructions) == 0 {
			p.line(e, "The stage ends; it changes nothing.")
		}
	case flagstage.EventStageFailed:
		p.line(e, "The stage fails.")
	case flagstage.EventStageSkipped:
		text := actor(e) + " skips the stage"
		if e.Reason == flagstage.ReasonBypassed {
			text += " without its approval"
		}
		p.line(e, because(text, e.Comment))
	case flagstage.EventStageRetried:
		p.line(e, because(actor(e)+" tries the stage again", e.Comment))
	case flagstage.EventWorkflowPaused:
		p.line(e, because("Paused by "+actor(e), e.Comment))
	case flagstage.EventWorkflowResumed:
		p.line(e, because("Resumed by "+actor(e), e.Comment))
	case flagstage.EventWorkflowCancelled:
		p.cancelled = true
		p.line(e, because("Cancelled by "+actor(e), e.Comment))
	case flagstage.EventWorkflowFailed:
		p.line(e, "The release fails; no later stage runs.")
	case flagstage.EventWorkflowCompleted:
		p.line(e, "The release is complete.")
	}
}

// which names the condition of an event, if the stage has several of its kind.
func (p *page) which(e flagstage.Event) string {
	if kind := p.stages[e.Stage].Conditions[e.Condition].Kind(); !several(p.stages[e.Stage], kind) {
		return ""
	}
	return fmt.Sprintf("Condition %d: ", e.Condition+1)
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
	p.paragraph(title)
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
		return fmt.Sprintf("Waits %s, until %s%s.", when.Wait, p.date(e.Until), clockChange(when.Wait, between(e.Due, e.Until)))
	case flagstage.Immediate:
	}
	return "Due at once."
}

// clockChange explains calendar days that do not last 24 hours each.
func clockChange(w calendar.Wait, lasts int64) string {
	days := w.Count
	switch w.Unit {
	case calendar.Minute, calendar.Hour:
		return ""
	case calendar.Week:
		days *= 7
	case calendar.Day:
	}
	extra := lasts - days*day
	switch {
	case extra > 0:
		return fmt.Sprintf(" (%s more than %s of 24 hours: the clocks change)", words(extra), plural(days, "day"))
	case extra < 0:
		return fmt.Sprintf(" (%s less than %s of 24 hours: the clocks change)", words(-extra), plural(days, "day"))
	}
	return ""
}

func (p *page) approval(e flagstage.Event) {
	text := p.which(e) + "Asks for approval"
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
	p.line(e, because(p.which(e)+actor(e)+verbs[e.Review], e.Comment))
}

// actor names who did something.
func actor(e flagstage.Event) string { return escape.Terminal(e.Actor.Identity()) }

// because adds what somebody said of it to a sentence, and ends it.
func because(text, comment string) string {
	if comment != "" {
		text += ": " + escape.Terminal(comment)
	}
	if comment != "" && strings.ContainsAny(comment[len(comment)-1:], ".!?") {
		return text
	}
	return text + "."
}

func (p *page) actionFailed(e flagstage.Event) {
	text := failures[e.Reason]
	if text == "" {
		text = "the change fails"
	}
	p.line(e, because(strings.ToUpper(text[:1])+text[1:], e.Comment))
	if !e.Until.IsZero() {
		p.line(e, "It is tried again on "+p.date(e.Until)+".")
	}
}

// rescheduled says what has become of a condition after a pause.
func (p *page) rescheduled(e flagstage.Event) string {
	switch approval := p.stages[e.Stage].Conditions[e.Condition].Kind() == flagstage.KindApproval; {
	case e.Until.IsZero():
		return "No longer expires."
	case approval:
		return "Now expires on " + p.date(e.Until) + "."
	}
	return "Now waits until " + p.date(e.Until) + "."
}

// line writes what an event says behind its date, which is not repeated.
func (p *page) line(e flagstage.Event, text string) {
	date := p.date(e.At)
	if date == p.shown {
		date = ""
	} else {
		p.shown = date
		p.WriteString(strings.ReplaceAll(date, glue, " "))
	}
	p.WriteString(strings.Repeat(" ", p.indent-columns(date)))
	p.wrap(text, p.indent)
}

func (p *page) paragraph(text string) { p.wrap(text, 0) }

// wrap writes words from a column on, up to the width of the page. Words that
// are wider than a line are cut.
func (p *page) wrap(text string, from int) {
	column, first := from, true
	for word := range strings.SplitSeq(text, " ") {
		if word == "" {
			continue
		}
		switch n := columns(word); {
		case first:
		case column+1+n > width:
			column = p.breakLine(from)
		default:
			p.WriteByte(' ')
			column++
		}
		first = false
		for _, r := range strings.ReplaceAll(word, glue, " ") {
			n := runeColumns(r)
			if column+n > width {
				column = p.breakLine(from)
			}
			p.WriteRune(r)
			column += n
		}
	}
	p.WriteByte('\n')
}

// breakLine begins a further line of a text, and returns its column.
func (p *page) breakLine(from int) int {
	p.WriteByte('\n')
	p.WriteString(strings.Repeat(" ", from+hang))
	return from + hang
}

// columns returns how many columns of a terminal a text takes.
func columns(s string) (n int) {
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// wide are the characters that take two columns, in the main: ideographs,
// kana, Hangul, full-width forms and pictures.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2e80, Hi: 0x303e, Stride: 1}, {Lo: 0x3041, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, {Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff00, Hi: 0xff60, Stride: 1}, {Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0x1f300, Hi: 0x1faff, Stride: 1}, {Lo: 0x20000, Hi: 0x3fffd, Stride: 1}},
}

func runeColumns(r rune) int {
	switch {
	case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}
