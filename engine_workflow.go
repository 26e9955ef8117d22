package flagstage

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
)

// StartWorkflow binds stages to a flag and starts to release it: those of the
// input, or those of the template that it names. All that is due at once
// happens at once, in the same commit.
//
// With a chosen id the call can be repeated: if a workflow with this id was
// started by the same request, it is returned as it is now.
//
// Errors: a [*ProblemsError] for bad input, also for stages that cannot be
// applied to the flag one after the other; [ErrInvalidRequest] for a zone, approval
// settings or a lateness that are none; an [*InapplicableError] if the
// template has values that do not exist for this flag, with all parameters;
// [ErrNotFound] if there is no such template or flag, or the flag has no such
// environment; [ErrExists] if another workflow has the id. Nothing is then started.
func (e *Engine) StartWorkflow(ctx context.Context, actor Actor, input WorkflowInput) (StoredWorkflow, error) {
	if err := e.begin(ctx, startRequest(actor, &input)); err != nil {
		return StoredWorkflow{}, err
	}
	return e.start(ctx, actor, &input, nil)
}

// StartWorkflowJSON reads a request as [ReadWorkflow] does, and starts the
// workflow. What the document does not say is taken from settings, whose Target
// is required; its Name, Description, MaintainerID, Stages and Parameters are not
// used. Its TemplateKey is that of the call, as with [WithTemplateKey]. Errors are
// those of [Engine.StartWorkflow].
func (e *Engine) StartWorkflowJSON(ctx context.Context, actor Actor, document []byte, settings WorkflowInput) (StoredWorkflow, error) {
	if err := e.begin(ctx, startRequest(actor, &WorkflowInput{ID: settings.ID, TemplateKey: settings.TemplateKey, Target: settings.Target})); err != nil {
		return StoredWorkflow{}, err
	}
	input, warnings, err := e.readWorkflow(document, &settings)
	if err != nil {
		return StoredWorkflow{}, err
	}
	request := startRequest(actor, &input)
	request.Again = true
	if err := e.ask(ctx, request); err != nil {
		return StoredWorkflow{}, err
	}
	w, err := e.start(ctx, actor, &input, nil)
	w.Warnings = warnings
	return w, err
}

// readWorkflow reads a request whose other settings are given.
func (e *Engine) readWorkflow(document []byte, settings *WorkflowInput) (WorkflowInput, Problems, error) {
	if err := e.measure(document); err != nil {
		return WorkflowInput{}, nil, err
	}
	input, problems := ReadWorkflow(document, WithHostKinds(e.reading.HostKinds...), WithTemplateKey(settings.TemplateKey))
	if err := problems.Err(); err != nil {
		return WorkflowInput{}, nil, err
	}
	input.ID, input.Target, input.Zone, input.Approvals = settings.ID, settings.Target, settings.Zone, settings.Approvals
	input.Lateness, input.IgnoreConflicts = settings.Lateness, settings.IgnoreConflicts
	return input, problems, nil
}

// StartPlan starts a workflow of a plan that was made before, by
// [Template.Bind]. The input's Stages and Parameters must be nil; its Target is
// that of the plan, or empty. Name and TemplateKey are those of the plan unless
// others are given. Errors are those of [Engine.StartWorkflow].
//
// The plan is judged once more, against the flag as it is now.
func (e *Engine) StartPlan(ctx context.Context, actor Actor, plan Plan, input WorkflowInput) (StoredWorkflow, error) {
	if input.Target == (Origin{}) {
		input.Target = plan.Target()
	}
	input.Name = orElse(input.Name, plan.Name())
	input.TemplateKey = orElse(input.TemplateKey, plan.TemplateKey())
	if err := e.begin(ctx, startRequest(actor, &input)); err != nil {
		return StoredWorkflow{}, err
	}
	switch {
	case plan.IsZero():
		return StoredWorkflow{}, fmt.Errorf("%w: the plan is empty; make one with Template.Bind", ErrInvalidRequest)
	case input.Stages != nil || input.Parameters != nil:
		return StoredWorkflow{}, fmt.Errorf("%w: a plan has its stages, and no parameters; leave Stages and Parameters out", ErrInvalidRequest)
	case input.Target != plan.Target():
		return StoredWorkflow{}, fmt.Errorf("%w: the plan is for the flag %s, not for %s", ErrInvalidRequest, plan.Target(), input.Target)
	}
	plan = plan.hashed()
	return e.start(ctx, actor, &input, &plan)
}

func startRequest(actor Actor, input *WorkflowInput) Request {
	return Request{Actor: actor, Verb: VerbStartWorkflow, TemplateKey: input.TemplateKey, WorkflowID: input.ID, Target: input.Target}
}

// start starts a workflow, of the plan if there is one already.
func (e *Engine) start(ctx context.Context, actor Actor, input *WorkflowInput, plan *Plan) (StoredWorkflow, error) {
	now := Instant(e.clock.Now())
	if err := e.judgeStart(actor, input, plan, now); err != nil {
		return StoredWorkflow{}, err
	}
	for try := 1; ; try++ {
		w, err := e.tryStart(ctx, actor, input, plan, now)
		if err == nil || !errors.Is(err, ErrConflict) || try == maxTries || ctx.Err() != nil {
			return w, err
		}
	}
}

// maxTries is how often a call that somebody else has overtaken is made again.
const maxTries = 10

func (e *Engine) tryStart(ctx context.Context, actor Actor, input *WorkflowInput, plan *Plan, now time.Time) (StoredWorkflow, error) {
	digest := requestDigest{}
	if input.ID != "" {
		digest = input.digest(plan)
		if w, done, err := e.started(ctx, input, digest); done || err != nil {
			return w, err
		}
	}
	u := e.newUnit(ctx, now)
	base, err := u.flags.base(input.Target) // before the flag is looked at
	if err != nil {
		return StoredWorkflow{}, err
	}
	b, err := e.bind(ctx, actor, input, plan, now)
	if err != nil {
		return StoredWorkflow{}, err
	}
	w, events, err := StartWorkflow(b.plan, b.start)
	if err != nil {
		return StoredWorkflow{}, err
	}
	id := input.ID
	if id == "" {
		id = e.ids.NewID(now)
		if !isWorkflowID(id) {
			return StoredWorkflow{}, fmt.Errorf("%w: the engine's source of identifiers made %s, which is none for a workflow", ErrInvalidRequest, quoteKey(id))
		}
	}
	in := &instance{
		id: id, name: input.Name, description: input.Description, templateKey: input.TemplateKey, target: input.Target,
		zone: b.zone, planHash: b.plan.hash(), base: base, ignoreConflicts: input.IgnoreConflicts, request: digest,
	}
	r := u.add(in, 0)
	r.take(w, events)
	if err := u.act(r, now); err != nil {
		return StoredWorkflow{}, err
	}
	if err := u.keepPlan(b.plan, in.planHash); err != nil {
		return StoredWorkflow{}, err
	}
	if _, err := u.commit(); err != nil {
		if errors.Is(err, ErrConflict) {
			e.plans.forget(in.planHash)
			if input.ID == "" {
				return StoredWorkflow{}, err
			}
			if w, done, err := e.started(ctx, input, digest); done || err != nil {
				return w, err
			}
		}
		return StoredWorkflow{}, fmt.Errorf("start workflow %s: %w", quoteKey(id), err)
	}
	e.logger.DebugContext(ctx, "started workflow", "workflow", id, "target", in.target, "revision", r.revision)
	stored := r.stored(r.events)
	stored.Parameters = b.parameters
	return stored, nil
}

// started returns the workflow that has the input's id, if there is one that
// the same request has started.
func (e *Engine) started(ctx context.Context, input *WorkflowInput, digest requestDigest) (w StoredWorkflow, done bool, err error) {
	record, err := e.store.Get(ctx, workflowPrefix+input.ID)
	switch {
	case err != nil:
		return w, false, fmt.Errorf("read workflow %s: %w", quoteKey(input.ID), err)
	case record.Revision == 0:
		return w, false, nil
	case isTombstone(record):
		return w, false, fmt.Errorf("start workflow: the id %s: %w; it is being deleted", quoteKey(input.ID), ErrExists)
	}
	in, err := e.instanceOf(ctx, record)
	if err != nil {
		return w, false, err
	}
	if in.request != digest {
		return w, false, fmt.Errorf("start workflow: the id %s: %w, started by another request; choose another id", quoteKey(input.ID), ErrExists)
	}
	if w, err = e.storedOf(ctx, in, record.Revision); err == nil {
		err = e.confirm(ctx, record.Key, record.Revision)
	}
	return w, err == nil, err
}

// digest tells the request from others with the same id.
func (in *WorkflowInput) digest(plan *Plan) (d requestDigest) {
	var p packer
	for _, s := range []string{
		in.Name, in.Description, in.MaintainerID, in.TemplateKey, in.Zone,
		in.Target.ProjectKey, in.Target.EnvironmentKey, in.Target.FlagKey,
	} {
		p.text(s)
	}
	a := in.Approvals
	p.flags(in.IgnoreConflicts, a.CanReviewOwnRequest, a.CanApplyDeclinedChanges, in.Stages != nil, plan != nil)
	p.uint(uint64(a.MinNumApprovals))
	p.uint(uint64(a.ExpiresAfter))
	p.uint(uint64(in.Lateness))
	for _, o := range in.Parameters {
		p.text(string(o.AppendJSON(nil)))
	}
	stages := cloneStages(in.Stages)
	for i := range stages {
		stages[i].identify(func(string) string { return "" })
		p.text(string(appendStage(nil, stages[i], math.MaxInt)))
	}
	if plan != nil {
		hash := plan.hash()
		p.bytes(hash[:])
	}
	sum := sha256.Sum256(p)
	copy(d[:], sum[:])
	return d
}

// bound is what a request comes to.
type bound struct {
	plan       Plan
	parameters []Parameter
	start      Start
	zone       string // name
}

// judgeStart returns what is wrong with a request by itself, or with the plan if
// there is one already.
func (e *Engine) judgeStart(actor Actor, input *WorkflowInput, plan *Plan, now time.Time) error {
	return judgeWorkflow(input, plan, &Creation{Now: now, IDs: e.ids, Actor: actor}, e.rules).Err()
}

// bind makes the plan of a request that was judged, unless there is one, and
// judges it against the flag.
func (e *Engine) bind(ctx context.Context, actor Actor, input *WorkflowInput, plan *Plan, now time.Time) (b bound, err error) {
	zone := time.UTC
	if input.Zone != "" {
		if zone, err = e.zone(input.Zone); err != nil {
			return b, fmt.Errorf("%w: %w", ErrInvalidRequest, err)
		}
	}
	b.zone = zone.String()
	b.start = Start{
		At: now, Actor: actor, MaintainerID: input.MaintainerID, Zone: zone,
		Approvals: input.Approvals, Lateness: input.Lateness, Deliver: true,
	}
	if plan != nil {
		target, err := e.target(ctx, input.Target)
		if err != nil {
			return b, err
		}
		b.plan = *plan
		return b, plan.check(&target)
	}
	template, err := e.templateOf(ctx, actor, input, now)
	if err != nil {
		return b, err
	}
	target, err := e.target(ctx, input.Target)
	switch {
	case err != nil:
	case input.Stages != nil:
		b.plan, err = template.bindStages(target)
	default:
		b.plan, b.parameters, err = template.Bind(target, input.Parameters)
	}
	return b, err
}

// templateOf returns the template that a request names, or one of its stages.
func (e *Engine) templateOf(ctx context.Context, actor Actor, input *WorkflowInput, now time.Time) (Template, error) {
	if input.Stages == nil {
		return e.templateAt(ctx, input.TemplateKey)
	}
	t, problems := input.template(&Creation{Now: now, IDs: e.ids, Actor: actor})
	if err := problems.Err(); err != nil {
		return Template{}, err
	}
	return *t, nil
}

// templateAt returns the template with a key.
func (e *Engine) templateAt(ctx context.Context, key string) (Template, error) {
	record, err := e.find(ctx, key)
	if err != nil {
		return Template{}, err
	}
	if t, ok := e.templates.get(key); ok && t.Revision == record.Revision {
		return t.Template, nil
	}
	t, unreadable := decodeTemplate(record)
	if unreadable != nil {
		return Template{}, unreadable
	}
	e.templates.put(key, t)
	return t.Template, nil
}

// DryRun is what a start would come to.
type DryRun struct {
	// Parameters are those of the template, each with the value that it would
	// have, and whether that exists for the flag.
	Parameters []Parameter
	// Conflicts are stages that would write what other workflows of the flag
	// are still to write; if the flag is not kept here, but known to a source of
	// flags only, at most the first one. They do not prevent a start.
	Conflicts []WorkflowConflict
	// Plan is what would run; zero if a parameter is invalid.
	Plan Plan
	// Events are those that would come, if approvals are answered as asked
	// for; nil if a parameter is invalid.
	Events []Event
	// Workflow is how it would then stand: ended, at the horizon, or waiting
	// for people who never answer; zero if a parameter is invalid.
	Workflow Workflow
}

// DryRunWorkflow tells what [Engine.StartWorkflow] would do, and stores nothing. The
// future says how approvals are answered; see [Plan.Preview]. Parameters that
// are invalid are no error here. Other errors are those of StartWorkflow, but
// that the id may be taken.
func (e *Engine) DryRunWorkflow(ctx context.Context, actor Actor, input WorkflowInput, future Future) (DryRun, error) {
	request := startRequest(actor, &input)
	request.Verb = VerbDryRunWorkflow
	if err := e.begin(ctx, request); err != nil {
		return DryRun{}, err
	}
	now := Instant(e.clock.Now())
	if err := e.judgeStart(actor, &input, nil, now); err != nil {
		return DryRun{}, err
	}
	b, err := e.bind(ctx, actor, &input, nil, now)
	var inapplicable *InapplicableError
	switch {
	case errors.As(err, &inapplicable):
		return DryRun{Parameters: inapplicable.Parameters}, nil
	case err != nil:
		return DryRun{}, err
	}
	w, events, err := b.plan.Preview(b.start, future)
	if err != nil {
		return DryRun{}, err
	}
	conflicts, err := e.overlaps(ctx, b.plan)
	if err != nil {
		return DryRun{}, err
	}
	return DryRun{Parameters: b.parameters, Conflicts: conflicts, Plan: b.plan, Events: events, Workflow: w}, nil
}

// Workflow returns a workflow with all that has happened to it. The error wraps
// [ErrNotFound] if there is none with this id, and is an
// [*UnreadableWorkflowError] if there is one that cannot be read.
func (e *Engine) Workflow(ctx context.Context, actor Actor, id string) (StoredWorkflow, error) {
	request := Request{Actor: actor, Verb: VerbReadWorkflow, WorkflowID: id}
	if err := e.begin(ctx, request); err != nil {
		return StoredWorkflow{}, err
	}
	for try := 1; ; try++ {
		in, revision, err := e.loadWorkflow(ctx, id)
		if err != nil {
			return StoredWorkflow{}, err
		}
		if err := e.askAgain(ctx, &request, in); err != nil {
			return StoredWorkflow{}, err
		}
		w, err := e.storedOf(ctx, in, revision)
		if err == nil {
			w.Conflicts, err = e.conflictsOf(ctx, in)
		}
		switch {
		case err == nil:
			return w, nil
		case !errors.Is(err, ErrConflict) || try == maxTries:
			return StoredWorkflow{}, err
		}
	}
}

// askAgain asks the guard about a workflow that was found, unless it was asked
// about that one before.
func (e *Engine) askAgain(ctx context.Context, request *Request, in *instance) error {
	if request.Again && request.Target == in.target && request.TemplateKey == in.templateKey {
		return nil
	}
	request.Target, request.TemplateKey, request.Again = in.target, in.templateKey, true
	return e.ask(ctx, *request)
}

// storedOf returns a workflow with its events. Errors are those of eventsOf.
func (e *Engine) storedOf(ctx context.Context, in *instance, revision int64) (StoredWorkflow, error) {
	events, err := e.eventsOf(ctx, in, revision)
	if err != nil {
		return StoredWorkflow{}, err
	}
	return newRunning(in, revision).stored(events), nil
}

// eventsOf returns the events of a workflow whose record has a revision. The error
// wraps [ErrConflict] if the workflow was deleted meanwhile, and is an
// [*UnreadableWorkflowError] if they cannot be read.
func (e *Engine) eventsOf(ctx context.Context, in *instance, revision int64) ([]Event, error) {
	var events []Event
	for record, err := range e.store.Scan(ctx, eventPrefix+in.id+"/") {
		if err != nil {
			return nil, fmt.Errorf("read workflow %s: %w", quoteKey(in.id), err)
		}
		if record.Revision > revision {
			break // what has happened since the workflow was read
		}
		more, err := decodeEvents(record)
		if err != nil {
			return nil, err
		}
		events = append(events, more...)
	}
	events = append(events, in.unfiled...)
	if int64(len(events)) == in.number {
		return events, nil
	}
	switch record, err := e.store.Get(ctx, workflowPrefix+in.id); {
	case err != nil:
		return nil, fmt.Errorf("read workflow %s: %w", quoteKey(in.id), err)
	case record.Revision != revision:
		return nil, overtakenWorkflow(in.id)
	}
	return nil, &UnreadableWorkflowError{WorkflowID: in.id, Revision: revision, Reason: fmt.Sprintf("it has %d events, but %d are stored", in.number, len(events))}
}

// stored returns what callers get of a workflow.
func (r *running) stored(events []Event) StoredWorkflow {
	return StoredWorkflow{
		Workflow: r.Workflow, ID: r.id, Name: r.name, Description: r.description, TemplateKey: r.templateKey,
		MaintainerID: r.start.MaintainerID, Target: r.target, CreatedAt: r.createdAt(), Revision: r.revision, events: events,
	}
}

// WorkflowQuery says which workflows to list, and how. The zero query lists the
// first 20 of all, the oldest first.
type WorkflowQuery struct {
	// Target is the flag whose workflows are listed, named by all three keys; the
	// zero Origin: all.
	Target Origin
	// Status is that of the workflows; "": any. StatusActive covers paused ones
	// too, as the published filter does. A status that
	// only stages have, such as StatusSkipped, is refused.
	Status Status
	// Sort is by what: SortCreationDate, which "" stands for, or SortStopDate.
	Sort WorkflowSort
	// Descending begins with the latest.
	Descending bool
	Limit      int // at most so many, whatever the number; 0: 20
	Offset     int // leave out so many at the beginning; 0 or more
}

// WorkflowSort is by what workflows are sorted. Its values are the wire's.
type WorkflowSort string

// The orders. Workflows that have not stopped come before all that have.
const (
	SortCreationDate WorkflowSort = "creationDate"
	SortStopDate     WorkflowSort = "stopDate"
)

const defaultLimit = 20

func (q *WorkflowQuery) check() error {
	switch q.Status {
	case "", StatusActive, StatusPaused, StatusCompleted, StatusFailed, StatusCancelled:
	default:
		return fmt.Errorf("%w: list workflows: the status is %s, must be active, paused, completed, failed or cancelled", ErrInvalidRequest, quoteKey(string(q.Status)))
	}
	switch {
	case q.Sort != "" && q.Sort != SortCreationDate && q.Sort != SortStopDate:
		return fmt.Errorf("%w: list workflows: they are sorted by creationDate or stopDate, not by %s", ErrInvalidRequest, quoteKey(string(q.Sort)))
	case q.Limit < 0 || q.Offset < 0:
		return fmt.Errorf("%w: list workflows: limit and offset cannot be negative", ErrInvalidRequest)
	case q.Target == (Origin{}):
		return nil
	}
	for _, key := range []string{q.Target.ProjectKey, q.Target.EnvironmentKey, q.Target.FlagKey} {
		if !flags.IsKey(key) {
			return fmt.Errorf("%w: list workflows: the target needs the keys of project, environment and flag; %s is none", ErrInvalidRequest, quoteKey(key))
		}
	}
	return nil
}

// matches reports whether a workflow is to be listed: one of another flag may have
// taken the identifier of one that stood in the list of the target.
func (q *WorkflowQuery) matches(in *instance) bool {
	if q.Target != (Origin{}) && q.Target != in.target {
		return false
	}
	return q.Status == "" || q.Status == in.status || q.Status == StatusActive && in.status == StatusPaused
}

// Workflows returns the workflows that match, each with all that has happened
// to it. One that cannot be read is no error, and does not hide the others: see
// [WorkflowList.Unreadable]. The error wraps [ErrInvalidRequest] for a query
// that makes no sense. All workflows of the target are looked at in each call,
// whatever the limit.
func (e *Engine) Workflows(ctx context.Context, actor Actor, query WorkflowQuery) (WorkflowList, error) {
	if err := e.begin(ctx, Request{Actor: actor, Verb: VerbListWorkflows, Target: query.Target}); err != nil {
		return WorkflowList{}, err
	}
	if err := query.check(); err != nil {
		return WorkflowList{}, err
	}
	list := WorkflowList{Items: []StoredWorkflow{}, target: query.Target}
	var found []*running
	for record, err := range e.workflowRecords(ctx, query.Target) {
		if err != nil {
			return WorkflowList{}, fmt.Errorf("list workflows: %w", err)
		}
		in, err := e.instanceOf(ctx, record)
		var unreadable *UnreadableWorkflowError
		switch {
		case errors.As(err, &unreadable):
			list.Unreadable = append(list.Unreadable, unreadable)
		case errors.Is(err, ErrConflict): // it was deleted meanwhile
		case err != nil:
			return WorkflowList{}, fmt.Errorf("list workflows: %w", err)
		case query.matches(in):
			found = append(found, newRunning(in, record.Revision))
		}
	}
	slices.SortFunc(found, query.compare)
	list.TotalCount = len(found)
	found = found[min(query.Offset, len(found)):]
	limit := query.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	for _, r := range found[:min(limit, len(found))] {
		w, err := e.storedOf(ctx, r.instance, r.revision)
		var unreadable *UnreadableWorkflowError
		switch {
		case err == nil:
			list.Items = append(list.Items, w)
		case errors.As(err, &unreadable):
			list.Unreadable = append(list.Unreadable, unreadable)
		case errors.Is(err, ErrConflict): // it was deleted meanwhile
			list.TotalCount--
		default:
			return WorkflowList{}, err
		}
	}
	return list, nil
}

func (q WorkflowQuery) compare(a, b *running) int {
	order := a.createdAt().Compare(b.createdAt())
	if q.Sort == SortStopDate {
		order = a.stopped.Compare(b.stopped)
	}
	if q.Descending {
		order = -order
	}
	return cmp.Or(order, strings.Compare(a.id, b.id))
}

// workflowRecords yields the records of the workflows of a flag, or of all for
// the zero Origin.
func (e *Engine) workflowRecords(ctx context.Context, flag Origin) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if flag == (Origin{}) {
			for record, err := range e.store.Scan(ctx, workflowPrefix) {
				if (err != nil || !isTombstone(record)) && !yield(record, err) {
					return
				}
			}
			return
		}
		prefix := flagWorkflows(flag)
		for listed, err := range e.store.Scan(ctx, prefix) {
			var record Record
			if err == nil {
				record, err = e.store.Get(ctx, workflowPrefix+strings.TrimPrefix(listed.Key, prefix))
			}
			if err == nil && (record.Revision == 0 || isTombstone(record)) {
				continue // deleted meanwhile
			}
			if !yield(record, err) {
				return
			}
		}
	}
}

// zone looks up a zone once.
func (e *Engine) zone(name string) (*time.Location, error) {
	if name == time.UTC.String() {
		return time.UTC, nil
	}
	if zone, ok := e.zones.get(name); ok {
		return zone, nil
	}
	zone, err := calendar.Zone(name)
	if err == nil {
		e.zones.put(name, zone)
	}
	return zone, err
}

// pendingWorkflows yields the workflows of a flag in an environment that have not
// ended. One that cannot be read is left out: it will not run here. So is one that
// is deleted meanwhile.
func (e *Engine) pendingWorkflows(ctx context.Context, flag Origin) iter.Seq2[*instance, error] {
	return func(yield func(*instance, error) bool) {
		for record, err := range e.workflowRecords(ctx, flag) {
			var in *instance
			if err == nil {
				in, err = e.instanceOf(ctx, record)
			}
			switch {
			case errors.Is(err, ErrFormat), errors.Is(err, ErrConflict), err == nil && (!in.runs() || in.target != flag):
				continue
			case err != nil:
				err = fmt.Errorf("read workflows of flag %s: %w", flag, err)
			}
			if !yield(in, err) {
				return
			}
		}
	}
}

// conflictsOf returns the stages of a workflow that are still to run and would
// fail if they ran now.
func (e *Engine) conflictsOf(ctx context.Context, in *instance) ([]WorkflowConflict, error) {
	if e.applier != nil || !in.runs() {
		return nil, nil
	}
	s, err := e.loadFlag(ctx, in.target.ProjectKey, in.target.FlagKey)
	if errors.Is(err, ErrNotFound) {
		return []WorkflowConflict{{StageID: in.current().ID, Message: err.Error()}}, nil
	}
	if err != nil {
		return nil, err
	}
	changes, err := e.changes(ctx, in.target.ProjectKey, in.target.FlagKey, in.base, s.counter)
	if err != nil {
		return nil, err
	}
	u := e.newUnit(ctx, in.last)
	return in.forecast(s.flag, foreignChanges(changes, in.by()), unitFlags{&u.flags, in.target.ProjectKey}), nil
}

// overlaps returns the stages of a plan that write what other workflows of its
// flag are still to write.
func (e *Engine) overlaps(ctx context.Context, plan Plan) (list []WorkflowConflict, err error) {
	if e.applier != nil {
		return nil, nil
	}
	target := plan.Target()
	s, err := e.loadFlag(ctx, target.ProjectKey, target.FlagKey)
	if errors.Is(err, ErrNotFound) { // only a source of flags knows it
		return []WorkflowConflict{{StageID: plan.content.stages[0].ID, Message: err.Error()}}, nil
	}
	if err != nil {
		return nil, err
	}
	u := e.newUnit(ctx, firstInstant)
	others := unitFlags{&u.flags, target.ProjectKey}
	var theirs []foreignChange
	for in, err := range e.pendingWorkflows(ctx, target) {
		if err != nil {
			return nil, err
		}
		for _, written := range in.plan.writes(in.stage, s.flag, others) {
			for _, c := range written {
				theirs = append(theirs, foreignChange{changedField{pointer: c.Pointer, forgotten: true}, in.by()})
			}
		}
	}
	for i, written := range plan.writes(0, s.flag, others) {
		if want, other, found := firstConflict(theirs, written); found {
			list = append(list, WorkflowConflict{
				StageID: plan.content.stages[i].ID,
				Message: fmt.Sprintf("writes %s, which %s is still to write too", inError(want.Pointer), other.by),
			})
		}
	}
	return list, nil
}
