package flagstage

import (
	"slices"
	"time"
	"unicode/utf8"

	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// ConditionKind names what sort of condition holds a stage back. Its values
// are the wire's.
type ConditionKind string

// The kinds of conditions.
const (
	KindSchedule ConditionKind = "schedule"
	KindApproval ConditionKind = "ld-approval"
)

// kindIntegration is published too, as a kind that workflows cannot have.
const kindIntegration = "integration-approval"

// Condition holds a stage back until it is met. It is a [Schedule] or an
// [Approval]; kinds may be added, so a switch over conditions wants a default
// case outside this module.
//
//sumtype:decl
type Condition interface {
	// Kind returns the condition's kind on the wire.
	Kind() ConditionKind
	// ConditionID returns the condition's identifier, "" before creation.
	ConditionID() string
	sealedCondition()
}

// Schedule is a condition that time meets. It is built by [ScheduleAt],
// [ScheduleAfter] and [ScheduleNow].
type Schedule struct {
	ID   string // made at creation
	When When
}

// When says when a schedule is due. It is [Absolute], [Relative] or
// [Immediate].
//
//sumtype:decl
type When interface{ sealedWhen() }

// Absolute is due at a date, or at once if the date is past when the condition
// is armed. On the wire it has scheduleKind absolute.
type Absolute struct {
	Date time.Time // years 1970 to 9999, cut to milliseconds
}

// Relative is due a while after the condition is armed. On the wire it has
// scheduleKind relative.
type Relative struct {
	Wait calendar.Wait
}

// Immediate is due when the condition is armed. On the wire it is executeNow.
type Immediate struct{}

// ScheduleAt returns a schedule that is due at a date.
func ScheduleAt(date time.Time) Schedule { return Schedule{When: Absolute{Date: date}} }

// ScheduleAfter returns a schedule that is due count units after it is armed.
// Minutes and hours are exact; calendar days and weeks keep the local time in
// the zone of the release.
func ScheduleAfter(count int64, unit calendar.Unit) Schedule {
	return Schedule{When: Relative{Wait: calendar.Wait{Count: count, Unit: unit}}}
}

// ScheduleNow returns a schedule that is due as soon as it is armed.
func ScheduleNow() Schedule { return Schedule{When: Immediate{}} }

// Approval is a condition that people meet by their reviews.
type Approval struct {
	ID          string // made at creation
	Description string // for the reviewers; at most 5,000 characters
	// NotifyMemberIDs are the members who are told, at most 10. Others may
	// review too.
	NotifyMemberIDs []string
	// NotifyTeamKeys are the teams that are told, at most 100.
	NotifyTeamKeys []string
	// IntegrationConfig holds form variables of another approval system: a
	// JSON object that is carried and not looked into, or absent.
	IntegrationConfig Value
}

// Kind returns [KindSchedule].
func (Schedule) Kind() ConditionKind { return KindSchedule }

// Kind returns [KindApproval].
func (Approval) Kind() ConditionKind { return KindApproval }

// ConditionID returns s.ID.
func (s Schedule) ConditionID() string { return s.ID }

// ConditionID returns a.ID.
func (a Approval) ConditionID() string { return a.ID }

func (Schedule) sealedCondition() {}
func (Approval) sealedCondition() {}
func (Absolute) sealedWhen()      {}
func (Relative) sealedWhen()      {}
func (Immediate) sealedWhen()     {}

// withID returns c with an identifier, in the form in which it is read again:
// dates cut to what the wire carries, and empty lists nil.
func withID(c Condition, id string) Condition {
	switch c := c.(type) {
	case Schedule:
		c.ID = id
		if when, ok := c.When.(Absolute); ok {
			c.When = Absolute{Date: Instant(when.Date)}
		}
		return c
	case Approval:
		c.ID = id
		c.NotifyMemberIDs = orNil(c.NotifyMemberIDs)
		c.NotifyTeamKeys = orNil(c.NotifyTeamKeys)
		return c
	}
	return c
}

// clone returns a with slices of its own.
func (a Approval) clone() Approval {
	a.NotifyMemberIDs = slices.Clone(a.NotifyMemberIDs)
	a.NotifyTeamKeys = slices.Clone(a.NotifyTeamKeys)
	return a
}

// inCondition judges the condition at which the judge stands.
func (j *judge) inCondition(c Condition) {
	switch c := c.(type) {
	case Schedule:
		j.schedule(c)
	case Approval:
		j.approval(c)
	case nil:
		j.errorf("/kind", flags.CodeRequired, "the condition is nil; give a Schedule or an Approval")
	default:
		j.errorf("/kind", flags.CodeWrongType, "the condition is a %T; give a Schedule or an Approval, not a pointer to it", c)
	}
}

func (j *judge) schedule(s Schedule) {
	switch when := s.When.(type) {
	case Absolute:
		j.instant("/executionDate", when.Date)
	case Relative:
		j.wait(when.Wait)
	case Immediate:
	case nil:
		if !j.read {
			j.errorf("/scheduleKind", flags.CodeRequired, "the schedule says no time; use ScheduleAt, ScheduleAfter or ScheduleNow")
		}
	default:
		j.errorf("/scheduleKind", flags.CodeWrongType, "the schedule's When is a %T; use ScheduleAt, ScheduleAfter or ScheduleNow", when)
	}
}

func (j *judge) approval(a Approval) {
	if n := utf8.RuneCountInString(a.Description); n > maxDescription {
		j.errorf("/description", flags.CodeTooLarge, "has %d characters; at most %d are allowed", n, maxDescription)
	} else {
		j.text("/description", a.Description)
	}
	j.names("/notifyMemberIds", a.NotifyMemberIDs, maxNotifyMembers)
	j.names("/notifyTeamKeys", a.NotifyTeamKeys, maxNotifyTeams)
	if !a.IntegrationConfig.IsZero() {
		j.value("/integrationConfig", a.IntegrationConfig)
	}
}

// member is what a document says of one member of an object.
type member[T comparable] struct {
	value T
	given bool // it is there and not null
	bad   bool // something about it was reported
}

// empty reports whether the member says nothing.
func (m member[T]) empty() bool {
	var zero T
	return !m.given || m.bad || m.value == zero
}

// conditionMembers are the members of all kinds of conditions.
type conditionMembers struct {
	id, quirkID, kind, scheduleKind, waitDurationUnit, description member[string]
	executionDate, waitDuration                                    member[int64]
	executeNow                                                     member[bool]
	notifyMemberIDs, notifyTeamKeys                                []string
	config                                                         Value
	configName                                                     string // under which config was given
}

var conditionNames = []string{
	"kind", "scheduleKind", "executionDate", "waitDuration", "waitDurationUnit", "executeNow",
	"description", "notifyMemberIds", "notifyTeamKeys", "integrationConfig",
}

// readCondition reads one condition. It returns nil if it cannot be told what
// condition that is, having reported why. Members that were reported have
// some value; the judge says no more of them.
func (r *reader) readCondition() Condition {
	var m conditionMembers
	if !r.BeginObject() {
		return nil
	}
	for name, ok := r.NextMember(); ok; name, ok = r.NextMember() {
		switch name {
		case "_id":
			m.id = r.idMember()
		case "id":
			m.quirkID = r.idMember()
		case "kind":
			m.kind = r.requiredString()
		case "scheduleKind":
			m.scheduleKind = r.optionalString()
		case "executionDate":
			m.executionDate = r.optionalInt()
		case "waitDuration":
			m.waitDuration = r.optionalInt()
		case "waitDurationUnit":
			m.waitDurationUnit = r.optionalString()
		case "executeNow":
			m.executeNow = r.optionalBool()
		case "description":
			m.description = r.optionalString()
		case "notifyMemberIds":
			m.notifyMemberIDs = r.optionalStrings()
		case "notifyTeamKeys":
			m.notifyTeamKeys = r.optionalStrings()
		case "integrationConfig":
			r.config(&m, name)
		case "creationConfig":
			if r.importing {
				r.config(&m, name)
			} else {
				r.Skip()
			}
		case "_execution", "allReviews", "reviewStatus", "appliedDate":
			r.Skip()
		default:
			r.UnknownMember(name, conditionNames...)
		}
	}
	return r.conditionOf(&m)
}

func (r *reader) conditionOf(m *conditionMembers) Condition {
	id := m.id.value
	if !m.id.given {
		id = m.quirkID.value
	}
	switch {
	case m.kind.bad || r.Err() != nil:
	case !m.kind.given:
		r.errorAt("kind", flags.CodeRequired, "the condition has no kind; it must be %q or %q", KindSchedule, KindApproval)
	case m.kind.value == string(KindSchedule):
		when := r.whenOf(m)
		r.ignored("description", m.description.empty(), "belongs to an approval")
		r.ignored("notifyMemberIds", len(m.notifyMemberIDs) == 0, "belongs to an approval")
		r.ignored("notifyTeamKeys", len(m.notifyTeamKeys) == 0, "belongs to an approval")
		if m.config.String() != "{}" && m.configName != "" {
			r.ignored(m.configName, false, "belongs to an approval")
		}
		return Schedule{ID: id, When: when}
	case m.kind.value == string(KindApproval):
		r.ignored("scheduleKind", m.scheduleKind.empty(), "belongs to a schedule")
		r.ignored("executionDate", m.executionDate.empty(), "belongs to a schedule")
		r.ignored("waitDuration", m.waitDuration.empty(), "belongs to a schedule")
		r.ignored("waitDurationUnit", m.waitDurationUnit.empty(), "belongs to a schedule")
		r.ignored("executeNow", m.executeNow.empty(), "belongs to a schedule")
		return Approval{
			ID: id, Description: m.description.value,
			NotifyMemberIDs: m.notifyMemberIDs, NotifyTeamKeys: m.notifyTeamKeys,
			IntegrationConfig: m.config,
		}
	case m.kind.value == kindIntegration:
		r.errorAt("kind", flags.CodeUnsupported, "workflows take no %s conditions; use %q", kindIntegration, KindApproval)
	default:
		r.unknownWord("kind", "kind of condition", m.kind.value, string(KindSchedule), string(KindApproval))
	}
	return nil
}

const (
	kindAbsolute = "absolute"
	kindRelative = "relative"
)

// whenOf says when a schedule is due. It returns nil if that is open, having
// reported why.
func (r *reader) whenOf(m *conditionMembers) When {
	kind := m.scheduleKind.value
	hasDate := m.executionDate.given
	hasWait := m.waitDuration.given || m.waitDurationUnit.given
	switch {
	case m.executeNow.bad || m.scheduleKind.bad:
		return nil
	case m.executeNow.value:
		r.ignored("scheduleKind", m.scheduleKind.empty(), "is overruled by executeNow")
		r.ignoredDate(m, "is overruled by executeNow")
		r.ignoredWait(m, "is overruled by executeNow")
		return Immediate{}
	case kind != "":
	case hasDate && hasWait:
		r.errorAt("scheduleKind", flags.CodeAmbiguous, "both a date and a wait are given; say which of them counts: %q or %q", kindAbsolute, kindRelative)
		return nil
	case hasDate:
		kind = kindAbsolute
	case hasWait:
		kind = kindRelative
	default:
		r.errorAt("scheduleKind", flags.CodeRequired, "the schedule says no time; give scheduleKind with its members, or executeNow")
		return nil
	}
	switch kind {
	case kindAbsolute:
		r.ignoredWait(m, "is overruled by the date")
		if !hasDate {
			r.errorAt("executionDate", flags.CodeRequired, "an absolute schedule needs a date, in Unix milliseconds")
		}
		return Absolute{Date: time.UnixMilli(m.executionDate.value).UTC()}
	case kindRelative:
		r.ignoredDate(m, "is overruled by the wait")
		if !m.waitDuration.given {
			r.errorAt("waitDuration", flags.CodeRequired, "a relative schedule needs how many units to wait")
		}
		if !m.waitDurationUnit.given {
			r.errorAt("waitDurationUnit", flags.CodeRequired, "a relative schedule needs a unit: %s", unitList())
		}
		return Relative{Wait: calendar.Wait{Count: m.waitDuration.value, Unit: calendar.Unit(m.waitDurationUnit.value)}}
	}
	r.unknownWord("scheduleKind", "kind of schedule", kind, kindAbsolute, kindRelative)
	return nil
}

func (r *reader) ignoredDate(m *conditionMembers, why string) {
	r.ignored("executionDate", m.executionDate.empty(), why)
}

func (r *reader) ignoredWait(m *conditionMembers, why string) {
	r.ignored("waitDuration", m.waitDuration.empty(), why)
	r.ignored("waitDurationUnit", m.waitDurationUnit.empty(), why)
}

// appendCondition appends the condition as far as it has come; nil means that
// it never ran.
func appendCondition(dst []byte, c Condition, p *conditionProgress) []byte {
	dst = appendID(append(dst, '{'), c.ConditionID())
	dst = append(dst, `,"_execution":`...)
	if p == nil {
		dst = append(dst, neverRan...)
	} else {
		dst = appendExecution(dst, p.status, p.stopped)
	}
	dst = append(dst, `,"description":`...)
	switch c := c.(type) {
	case Schedule:
		dst = append(dst, `"","notifyMemberIds":[],"allReviews":[],"reviewStatus":"","kind":"schedule"`...)
		dst = appendWhen(dst, c.When)
	case Approval:
		dst = strictjson.AppendString(dst, c.Description)
		dst = strictjson.AppendStrings(append(dst, `,"notifyMemberIds":`...), c.NotifyMemberIDs)
		dst = appendReviews(dst, p)
		if len(c.NotifyTeamKeys) > 0 {
			dst = strictjson.AppendStrings(append(dst, `,"notifyTeamKeys":`...), c.NotifyTeamKeys)
		}
		if !c.IntegrationConfig.IsZero() {
			dst = c.IntegrationConfig.AppendJSON(append(dst, `,"creationConfig":`...))
		}
	}
	return append(dst, '}')
}

// appendReviews appends what has become of an approval by its reviews.
func appendReviews(dst []byte, p *conditionProgress) []byte {
	if p == nil {
		return append(dst, `,"allReviews":[],"reviewStatus":"pending","kind":"ld-approval"`...)
	}
	dst = append(dst, `,"allReviews":[`...)
	for i, e := range p.reviews {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendReview(dst, p.workflowID, e)
	}
	dst = strictjson.AppendString(append(dst, `],"reviewStatus":`...), p.reviewStatus())
	dst = append(dst, `,"kind":"ld-approval"`...)
	if p.status == StatusCompleted && !p.stopped.IsZero() {
		dst = strictjson.AppendInt(append(dst, `,"appliedDate":`...), p.stopped.UnixMilli())
	}
	return dst
}

func appendWhen(dst []byte, when When) []byte {
	switch when := when.(type) {
	case Absolute:
		dst = append(dst, `,"scheduleKind":"absolute","executionDate":`...)
		return strictjson.AppendInt(dst, when.Date.UnixMilli())
	case Relative:
		dst = append(dst, `,"scheduleKind":"relative","waitDuration":`...)
		dst = strictjson.AppendInt(dst, when.Wait.Count)
		return strictjson.AppendString(append(dst, `,"waitDurationUnit":`...), string(when.Wait.Unit))
	case Immediate:
		return append(dst, `,"executeNow":true`...)
	}
	return dst
}
