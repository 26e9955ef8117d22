package flagstage

import (
	"encoding/hex"
	"math"
	"strings"
	"time"
)

// The store's keys of workflows and what belongs to them.
const (
	workflowPrefix     = "workflow/"
	flagWorkflowPrefix = "flagworkflow/"
	eventPrefix        = "event/"
	planPrefix         = "plan/"
)

// The first bytes of the values there.
const (
	workflowFormat = 1
	// tombstoneFormat is that of a workflow which is being deleted.
	tombstoneFormat = 2
	// unfiledFormat is that of a workflow with events that stand in its record.
	unfiledFormat = 3
	eventFormat   = 1
	// flagWorkflowFormat is all that the value of a workflow in the list of its flag holds.
	flagWorkflowFormat = 1
)

// instance is a workflow as the store keeps it: how far it has come, and what it
// was started with.
type instance struct {
	Workflow
	id                             string
	name, description, templateKey string
	target                         Origin
	zone                           string // name of start.Zone
	planHash                       planHash
	// base is how often the flag had changed when the plan was judged, or later
	// when a stage was applied and nobody else had changed anything since.
	base            int64
	ignoreConflicts bool
	// delivery is the number of the last delivery of an action; it is under way
	// until claim, unless that is zero.
	delivery int64
	claim    time.Time
	// request tells a request with a chosen id from others, zero if the id was not
	// chosen.
	request requestDigest
	// unfiled are the last events, if they have no record of their own yet: those
	// of the commit that began the delivery which is under way get theirs together
	// with its result, which saves a write.
	unfiled []Event
}

// planHash is the hash that a plan is stored under.
type planHash [32]byte

func (h planHash) String() string { return hex.EncodeToString(h[:]) }

// requestDigest is the beginning of the hash of a request.
type requestDigest [16]byte

// createdAt returns when the workflow began.
func (in *instance) createdAt() time.Time { return in.start.At }

// listKey returns the key under which the workflow stands in the list of its
// flag.
func (in *instance) listKey() string { return flagWorkflows(in.target) + in.id }

// flagWorkflows returns what the keys of the list of a flag's workflows begin
// with.
func flagWorkflows(flag Origin) string {
	return flagWorkflowPrefix + flag.ProjectKey + "/" + flag.EnvironmentKey + "/" + flag.FlagKey + "/"
}

// wake returns when the record needs attention, the zero time if never.
func (in *instance) wake() time.Time {
	if !in.claim.IsZero() {
		return in.claim
	}
	at, _ := in.Wake()
	return at
}

// encode writes the value of the record.
func (in *instance) encode(p *packer, o operation) {
	if len(in.unfiled) > 0 {
		p.byte(unfiledFormat)
	} else {
		p.byte(workflowFormat)
	}
	p.bytes(o[:])
	p.bytes(in.planHash[:])
	s := in.start
	own := s.MaintainerID == s.Actor.Identity()
	p.flags(own, in.ignoreConflicts, s.Approvals.CanReviewOwnRequest, s.Approvals.CanApplyDeclinedChanges,
		in.request != requestDigest{}, !in.pausedAt.IsZero(), in.applied, in.underWay)
	p.text(in.target.ProjectKey)
	p.text(in.target.EnvironmentKey)
	p.text(in.target.FlagKey)
	p.text(in.name)
	p.text(in.description)
	p.text(in.templateKey)
	p.text(s.Actor.MemberID)
	p.text(s.Actor.ServiceTokenID)
	if !own {
		p.text(s.MaintainerID)
	}
	p.text(in.zone)
	p.time(s.At)
	p.uint(uint64(s.Approvals.MinNumApprovals))
	p.uint(uint64(s.Approvals.ExpiresAfter))
	p.uint(uint64(s.Lateness))
	p.uint(uint64(in.base))
	if in.request != (requestDigest{}) {
		p.bytes(in.request[:])
	}
	in.encodeState(p)
	p.uint(uint64(in.delivery))
	p.time(in.claim)
	if len(in.unfiled) > 0 {
		p.events(in.unfiled, nil)
	}
}

func (w *Workflow) encodeState(p *packer) {
	p.text(string(w.status))
	p.uint(uint64(w.number))
	p.time(w.last)
	p.time(w.stopped)
	p.time(w.ready)
	p.uint(uint64(w.stage))
	p.flags(w.gates != nil, w.tries > 0 || w.round > 0)
	if w.gates != nil {
		p.uint(uint64(len(w.gates)))
		for i := range w.gates {
			w.gates[i].encode(p)
		}
	}
	if w.tries > 0 || w.round > 0 {
		p.uint(uint64(w.tries))
		p.time(w.retryAt)
		p.uint(uint64(w.round))
	}
	if !w.pausedAt.IsZero() {
		p.time(w.pausedAt)
		p.time(w.resumedAt)
	}
	p.uint(uint64(len(w.skipped)))
	for i := range w.skipped {
		p.uint(uint64(w.skipped[i].stage))
		p.uint(uint64(len(w.skipped[i].statuses)))
		for _, status := range w.skipped[i].statuses {
			p.text(string(status))
		}
	}
}

func (g *conditionState) encode(p *packer) {
	p.text(string(g.status))
	p.time(g.since)
	p.time(g.until)
	p.uint(uint64(len(g.reviews)))
	for _, v := range g.reviews {
		p.text(v.identity)
		p.text(string(v.kind))
	}
}

// decodeInstance returns what a record says, without plan and zone, which
// [instance.complete] puts in. The error is an [*UnreadableWorkflowError].
func decodeInstance(r Record) (*instance, error) {
	id := strings.TrimPrefix(r.Key, workflowPrefix)
	fail := func(why string) (*instance, error) {
		return nil, &UnreadableWorkflowError{WorkflowID: id, Revision: r.Revision, Reason: why}
	}
	u, why := unpack(r.Value, workflowFormat, unfiledFormat)
	if why != "" {
		return fail(why)
	}
	in, s := &instance{id: id}, &Start{Deliver: true}
	in.start = s
	copy(in.planHash[:], u.take(uint64(len(in.planHash))))
	u.share()
	var own, chosen, paused bool
	u.flags(&own, &in.ignoreConflicts, &s.Approvals.CanReviewOwnRequest, &s.Approvals.CanApplyDeclinedChanges, &chosen, &paused, &in.applied, &in.underWay)
	in.target = Origin{ProjectKey: u.text(), EnvironmentKey: u.text(), FlagKey: u.text()}
	in.name, in.description, in.templateKey = u.text(), u.text(), u.text()
	s.Actor = Actor{MemberID: u.text(), ServiceTokenID: u.text()}
	if s.MaintainerID = s.Actor.Identity(); !own {
		s.MaintainerID = u.text()
	}
	in.zone = u.text()
	s.At = u.time()
	s.Approvals.MinNumApprovals = int(u.int(maxApprovals))
	s.Approvals.ExpiresAfter = time.Duration(u.int(math.MaxInt64))
	s.Lateness = time.Duration(u.int(math.MaxInt64))
	in.base = u.int(math.MaxInt64)
	if chosen {
		copy(in.request[:], u.take(uint64(len(in.request))))
	}
	in.decodeState(u, paused)
	in.delivery = u.int(math.MaxInt64)
	in.claim = u.time()
	if r.Value[0] == unfiledFormat {
		in.unfiled = u.events()
	}
	if !u.done() {
		return fail("its record is cut short or damaged")
	}
	return in, nil
}

func (w *Workflow) decodeState(u *unpacker, paused bool) {
	w.status = Status(u.text())
	w.number = u.int(math.MaxInt64)
	w.last, w.stopped, w.ready = u.time(), u.time(), u.time()
	w.stage = int(u.int(maxStages))
	var begun, tried bool
	u.flags(&begun, &tried)
	if begun {
		w.gates = make([]conditionState, u.int(maxConditions))
		for i := range w.gates {
			w.gates[i].decode(u)
		}
	}
	if tried {
		w.tries, w.retryAt, w.round = int(u.int(math.MaxInt32)), u.time(), int(u.int(math.MaxInt32))
	}
	if paused {
		w.pausedAt, w.resumedAt = u.time(), u.time()
	}
	for range u.int(maxStages) {
		s := skippedStage{stage: int(u.int(maxStages)), statuses: []Status{}}
		for range u.int(maxConditions) {
			s.statuses = append(s.statuses, Status(u.text()))
		}
		w.skipped = append(w.skipped, s)
	}
}

func (g *conditionState) decode(u *unpacker) {
	g.status = Status(u.text())
	g.since, g.until = u.time(), u.time()
	for range u.count() {
		if u.bad {
			break
		}
		g.reviews = append(g.reviews, verdict{u.text(), ReviewKind(u.text())})
	}
}

// complete puts in the plan and the zone. It returns false if the state cannot be
// that of a workflow of the plan.
func (in *instance) complete(plan Plan, zone *time.Location) bool {
	in.plan = plan
	in.start.Zone = zone
	if in.stage > plan.Len() || in.gates != nil && (in.stage == plan.Len() || len(in.gates) != len(in.current().Conditions)) {
		return false
	}
	for _, s := range in.skipped {
		if s.stage >= plan.Len() || len(s.statuses) != len(plan.content.stages[s.stage].Conditions) {
			return false
		}
	}
	switch in.status {
	case StatusActive, StatusPaused:
		return in.settled()
	case StatusFailed:
		return in.gates != nil
	case StatusCancelled:
		return in.stage < plan.Len()
	case StatusCompleted:
		return in.stage == plan.Len()
	}
	return false
}

// eventKey returns the key of the events of a commit that begin with a number.
func eventKey(id string, number int64) string {
	var room [len(eventPrefix) + maxWorkflowID + len("/0123456789abcdef")]byte
	return string(appendHex(append(append(append(room[:0], eventPrefix...), id...), '/'), number))
}

// appendHex appends a number in hexadecimal, so that greater numbers sort
// behind lesser ones.
func appendHex(dst []byte, n int64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[n>>shift&15])
	}
	return dst
}

// encodeEvents writes the value of a record of events, which are at least one, in
// two parts.
func (p *packer) encodeEvents(before, behind []Event) {
	p.byte(eventFormat)
	p.events(before, behind)
}

// events writes events that follow each other, which are at least one, in two parts.
func (p *packer) events(before, behind []Event) {
	if len(before) == 0 {
		before, behind = behind, nil
	}
	p.uint(uint64(before[0].Number))
	p.uint(uint64(len(before) + len(behind)))
	at := p.eventsAt(time.Time{}, before)
	p.eventsAt(at, behind)
}

// eventsAt writes events behind one that happened at an instant, and returns when
// the last of them did.
func (p *packer) eventsAt(at time.Time, events []Event) time.Time {
	for i := range events {
		e := &events[i]
		p.text(string(e.Kind))
		p.flags(!e.At.Equal(at), !e.Due.Equal(e.At), !e.Until.IsZero(), e.Reason != "", e.Actor != Actor{}, e.Review != "", e.Comment != "")
		p.uint(uint64(e.Stage + 1))
		p.uint(uint64(e.Condition + 1))
		if !e.At.Equal(at) {
			p.time(e.At)
			at = e.At
		}
		if !e.Due.Equal(e.At) {
			p.time(e.Due)
		}
		if !e.Until.IsZero() {
			p.time(e.Until)
		}
		if e.Reason != "" {
			p.text(string(e.Reason))
		}
		if e.Actor != (Actor{}) {
			p.text(e.Actor.MemberID)
			p.text(e.Actor.ServiceTokenID)
		}
		if e.Review != "" {
			p.text(string(e.Review))
		}
		if e.Comment != "" {
			p.text(e.Comment)
		}
	}
	return at
}

// decodeEvents returns the events of a record. The error is an
// [*UnreadableWorkflowError].
func decodeEvents(r Record) ([]Event, error) {
	id, _, _ := strings.Cut(strings.TrimPrefix(r.Key, eventPrefix), "/")
	fail := func(why string) ([]Event, error) {
		return nil, &UnreadableWorkflowError{WorkflowID: id, Revision: r.Revision, Reason: why}
	}
	switch {
	case len(r.Value) == 0:
		return fail("a record of its events is empty")
	case r.Value[0] != eventFormat:
		return fail("a record of its events has a format that this version does not know; use a later one")
	}
	u := &unpacker{rest: r.Value[1:]}
	u.share()
	events := u.events()
	if !u.done() {
		return fail("a record of its events is cut short or damaged")
	}
	return events, nil
}

// events reads events that a packer wrote.
func (u *unpacker) events() (events []Event) {
	number := u.int(math.MaxInt64)
	at := time.Time{}
	for i := range u.count() {
		if u.bad {
			break
		}
		events = append(events, Event{Number: number + int64(i)})
		e := &events[i]
		e.Kind = EventKind(u.text())
		var later, overdue, until, reason, actor, review, comment bool
		u.flags(&later, &overdue, &until, &reason, &actor, &review, &comment)
		e.Stage, e.Condition = int(u.int(maxStages))-1, int(u.int(maxStages))-1
		if later {
			at = u.time()
		}
		e.At, e.Due = at, at
		if overdue {
			e.Due = u.time()
		}
		if until {
			e.Until = u.time()
		}
		if reason {
			e.Reason = Reason(u.text())
		}
		if actor {
			e.Actor = Actor{MemberID: u.text(), ServiceTokenID: u.text()}
		}
		if review {
			e.Review = ReviewKind(u.text())
		}
		if comment {
			e.Comment = u.text()
		}
	}
	if len(events) == 0 {
		u.fail()
	}
	return events
}

// UnreadableWorkflowError is the error of a workflow that is stored but cannot
// be read: it is damaged, or a later version of this module wrote it. It wraps
// [ErrFormat].
type UnreadableWorkflowError struct {
	WorkflowID string
	Revision   int64  // of the record
	Reason     string // what is wrong with it
}

// Error names the workflow and the reason.
func (e *UnreadableWorkflowError) Error() string {
	return "the stored workflow " + quoteKey(e.WorkflowID) + " cannot be read: " + e.Reason
}

// Unwrap returns [ErrFormat].
func (e *UnreadableWorkflowError) Unwrap() error { return ErrFormat }
