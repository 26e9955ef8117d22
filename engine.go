package flagstage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// Engine keeps templates, flags and workflows in a store, and runs the
// workflows. It is safe for concurrent use, also beside other engines on the
// same store: what one changes, no other overwrites unseen, and no two of them
// advance a stage.
//
// Each call first asks the context, then whether the engine is closed, then who
// acts, then the guard, before anything is read or revealed; see [Guard] for
// when that is asked again. A call that returns an error has changed nothing,
// unless that wraps [ErrUnknownOutcome].
//
// Make an engine with [NewMemory], [Open] or [New]; the zero Engine is closed.
type Engine struct {
	store  Store
	clock  Clock
	ids    IDSource
	guard  Guard
	logger *slog.Logger
	limits Limits
	// reading says how documents are read, and rules what else is refused.
	reading flags.Reading
	rules   rules

	applier      Applier // nil: the built-in flag store
	applyTimeout time.Duration
	retries      Retries
	notifier     Notifier
	source       FlagSource // nil: the flags of the store, unless there is an applier

	operations operations
	closed     atomic.Bool
	plans      cache[planHash, storedPlan]
	templates  cache[string, StoredTemplate]
	zones      cache[string, *time.Location]
	read       cache[string, flagState] // by key of the record
	pokes      pokes
	lanes      lanes
}

// New returns an engine on a store, which it closes when it is closed. The
// error wraps [ErrInvalidRequest] if there is no store or an option is wrong;
// the store is then left alone.
func New(store Store, list ...Option) (*Engine, error) {
	o := newOptions(list)
	if err := o.validate(); err != nil {
		return nil, err
	}
	if store == nil {
		return nil, fmt.Errorf("%w: new engine: there is no store; use NewMemory or Open", ErrInvalidRequest)
	}
	return newEngine(store, o), nil
}

// NewMemory returns an engine whose store is in memory and gone when it is
// closed: an engine without configuration, for tests and to try things out.
// The error wraps [ErrInvalidRequest] if an option is wrong.
func NewMemory(list ...Option) (*Engine, error) {
	o := newOptions(list)
	if err := o.validate(); err != nil {
		return nil, err
	}
	store, err := NewMemoryStore()
	if err != nil {
		return nil, err
	}
	return newEngine(store, o), nil
}

// Open returns an engine whose store is the file at path; see [OpenStore] for
// what is refused, and [WithDurability] for what it promises. What was cut off
// the file is told to the logger as a warning. The error wraps
// [ErrInvalidRequest] if the path is empty, or an option is wrong; no file is
// then looked at or made.
func Open(path string, list ...Option) (*Engine, error) {
	o := newOptions(list)
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.readOnly {
		store, err := ReadStore(context.Background(), path, list...)
		if err != nil {
			return nil, err
		}
		return newEngine(store, o), nil
	}
	if o.durability == "" {
		o.durability = DurabilityAlways
	}
	store, err := OpenStore(path, o.durability, list...)
	if err != nil {
		return nil, err
	}
	e := newEngine(store, o)
	e.logRecovery(store)
	return e, nil
}

// logRecovery tells what opening a file has done to it.
func (e *Engine) logRecovery(store *FileStore) {
	r := store.Recovery()
	if r.Cut != nil {
		e.logger.Warn("cut off a write that was cut short", "store", store.path, "offset", r.Cut.Offset, "bytes", r.Cut.Bytes, "reason", r.Cut.Reason)
	}
	if r.Compacted {
		e.logger.Info("compacted", "store", store.path)
	}
	if r.CompactionError != nil {
		e.logger.Warn("could not compact", "store", store.path, "error", r.CompactionError)
	}
}

// newEngine returns an engine with options that were found right.
func newEngine(store Store, o options) *Engine {
	e := &Engine{
		store: store, clock: o.clock, ids: o.ids, guard: o.guard, logger: o.logger, limits: o.limits,
		reading: o.reading, rules: rules{stages: o.limits.Stages, hosts: append([]string{}, o.reading.HostKinds...)},
		applier: o.applier, applyTimeout: o.applyTimeout, retries: o.retries, notifier: o.notifier, source: o.source,
	}
	if e.applyTimeout == 0 {
		e.applyTimeout = defaultApplyTimeout
	}
	e.operations.begin()
	if e.clock == nil {
		e.clock = SystemClock()
	}
	if e.ids == nil {
		e.ids = RandomIDs()
	}
	if e.logger == nil {
		e.logger = slog.New(slog.DiscardHandler)
	}
	return e
}

// Close closes the engine and its store. Closing twice is no error. Calls
// that come later get [ErrClosed].
func (e *Engine) Close() error {
	if e.closed.Swap(true) || e.store == nil {
		return nil
	}
	err := e.store.Close()
	e.pokes.poke()
	return err
}

// Verb names what an actor wants to do.
type Verb string

// The verbs of templates.
const (
	VerbCreateTemplate  Verb = "createTemplate" // of Go values, or of a request
	VerbImportTemplate  Verb = "importTemplate" // of an exported document
	VerbReadTemplate    Verb = "readTemplate"
	VerbListTemplates   Verb = "listTemplates"
	VerbReplaceTemplate Verb = "replaceTemplate"
	VerbDeleteTemplate  Verb = "deleteTemplate"
)

// The verbs of flags and segments.
const (
	VerbPutFlag      Verb = "putFlag"
	VerbPatchFlag    Verb = "patchFlag"
	VerbReadFlag     Verb = "readFlag"
	VerbListFlags    Verb = "listFlags" // of a project, or of all
	VerbPutSegment   Verb = "putSegment"
	VerbReadSegment  Verb = "readSegment"
	VerbListSegments Verb = "listSegments" // of an environment
)

// The verbs of workflows.
const (
	VerbStartWorkflow  Verb = "startWorkflow"
	VerbDryRunWorkflow Verb = "dryRunWorkflow"
	VerbReadWorkflow   Verb = "readWorkflow"
	VerbListWorkflows  Verb = "listWorkflows"
	VerbDeleteWorkflow Verb = "deleteWorkflow"
	VerbReviewWorkflow Verb = "reviewWorkflow"
	VerbPauseWorkflow  Verb = "pauseWorkflow"
	VerbResumeWorkflow Verb = "resumeWorkflow"
	VerbCancelWorkflow Verb = "cancelWorkflow"
	VerbSkipStage      Verb = "skipStage"
	VerbRetryStage     Verb = "retryStage"
	VerbBypassApproval Verb = "bypassApproval" // skip a stage though an approval in it is not given
	VerbReadEvents     Verb = "readEvents"     // of all workflows
	VerbPurge          Verb = "purge"
)

// Request is what a guard is asked about.
type Request struct {
	Actor Actor
	Verb  Verb
	// TemplateKey is the template concerned. It is what the caller gave, and
	// may be no key at all. It is "" for a list, and when the guard is asked
	// about a document that was not read yet.
	TemplateKey string
	// WorkflowID is the workflow concerned, as the caller gave it; "" for a
	// list, and for a start whose id is made.
	WorkflowID string
	// Target is the flag concerned, or that of the workflow concerned. What
	// is not known yet, or not asked for, is "".
	Target Origin
	// SegmentKey is the segment concerned, as the caller gave it.
	SegmentKey string
	// Again is set when the guard is asked about the same call a second time,
	// since more is known: its document was read and names TemplateKey, a
	// proper key; or the workflow was found and has TemplateKey and Target. A
	// guard that counts calls lets it pass.
	Again bool
}

// Guard says who may do what. It is asked in every call of an engine, those
// that only read too, before anything is read or revealed:
//
//   - [Engine.CreateTemplate], [Engine.Template], [Engine.ReplaceTemplate] and
//     [Engine.DeleteTemplate] ask once, with the key.
//   - [Engine.Templates] asks once, without a key: who may list sees all.
//   - [Engine.CreateTemplateJSON] and [Engine.ImportTemplate] ask without a
//     key before they read the document. When it names a proper key they ask
//     again, with that, before they tell what is wrong with the document and
//     before they turn to the store. A document without such a key is refused
//     anyway.
//   - [Engine.StartWorkflow], [Engine.StartPlan] and [Engine.DryRunWorkflow] ask
//     once, with the target, the template's key and the chosen id.
//     [Engine.StartWorkflowJSON] does so before it reads the document, with what
//     the call says, and again when the document is read.
//   - Calls that name a workflow ask with its id, and again with its target and
//     template once it was found, before anything of it is revealed. So does the
//     creation of a template from a workflow, as [VerbReadWorkflow].
//   - [Engine.Workflows] asks once, with the target of the query: the zero Origin
//     for all. [Engine.Events] and [Engine.Purge] ask once, without any: who may
//     read the feed sees all.
//   - Calls that concern flags and segments ask once, with the keys that they
//     name as the target; a patch with its environment. Lists of flags have the
//     project, or "" for all; lists of segments the environment too.
//   - [Engine.Skip] asks once more if an approval is to be bypassed.
//   - [Engine.Tick], [Engine.Run] and [Engine.NextDue] do not ask.
//
// A guard must be safe for concurrent use. It may use the engine, whose calls
// ask it in turn. When it panics, so does the call, and has changed nothing.
type Guard interface {
	// Allow returns nil to let the request pass. Otherwise its error is what
	// the caller gets; it should wrap [ErrUnauthorized], [ErrForbidden] or
	// [ErrRateLimited].
	Allow(ctx context.Context, request Request) error
}

// GuardFunc is a Guard made of a function.
type GuardFunc func(ctx context.Context, request Request) error

// Allow calls the function.
func (f GuardFunc) Allow(ctx context.Context, request Request) error { return f(ctx, request) }

// begin does what comes before all else in a call.
func (e *Engine) begin(ctx context.Context, request Request) error {
	if err := e.open(ctx); err != nil {
		return err
	}
	if err := request.Actor.Validate(); err != nil {
		return err
	}
	return e.ask(ctx, request)
}

// open returns an error if the context has ended or the engine is closed.
func (e *Engine) open(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if e.store == nil || e.closed.Load() {
		return fmt.Errorf("engine: %w", ErrClosed)
	}
	return nil
}

// ask asks the guard.
func (e *Engine) ask(ctx context.Context, request Request) error {
	if e.guard == nil {
		return nil
	}
	err := e.guard.Allow(ctx, request)
	if err != nil {
		e.logger.InfoContext(ctx, "refused", "verb", request.Verb, "actor", request.Actor.Identity(), "template", request.TemplateKey, "workflow", request.WorkflowID, "target", request.Target, "error", err)
	}
	return err
}

// beginDocument begins a call that takes a document, which it reads.
func (e *Engine) beginDocument(ctx context.Context, request Request, document []byte) (*reader, error) {
	if err := e.begin(ctx, request); err != nil {
		return nil, err
	}
	if err := e.measure(document); err != nil {
		return nil, err
	}
	r := newReader(document, request.Verb == VerbImportTemplate, e.reading)
	r.rules = e.rules
	r.readDocument()
	if key := r.doc.input.Key; flags.IsKey(key) {
		request.TemplateKey, request.Again = key, true
		if err := e.ask(ctx, request); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// measure returns an error if a document is larger than this engine allows.
func (e *Engine) measure(document []byte) error {
	limit := e.limits.DocumentBytes
	if limit == 0 || len(document) <= limit {
		return nil
	}
	var problems Problems
	problems.Errorf("", flags.CodeTooLarge, "the document has %d bytes; at most %d are allowed", len(document), limit)
	return problems.Err()
}

// now returns what time it is, or the first or last instant of the years 1970 to
// 9999 if the clock stands outside of them: no record can hold another.
func (e *Engine) now() time.Time {
	at := e.clock.Now()
	switch {
	case at.Before(firstInstant):
		return firstInstant
	case at.After(lastInstant):
		return lastInstant
	}
	return Instant(at)
}

// creation is what a template made now by an actor takes.
func (e *Engine) creation(actor Actor) *Creation {
	return &Creation{Now: e.clock.Now(), IDs: e.ids, Actor: actor}
}

// write commits a change of one record, and finds out what became of it if
// the store cannot tell: written reports whether a record that was read back
// is what the change would have left.
func (e *Engine) write(ctx context.Context, txn Txn, key string, written func(Record) bool) (int64, error) {
	revision, err := e.store.Commit(ctx, txn)
	if !errors.Is(err, ErrUnknownOutcome) {
		return revision, err
	}
	e.logger.WarnContext(ctx, "unknown outcome, reading back", "key", key, "error", err)
	record, readErr := e.store.Get(context.WithoutCancel(ctx), key)
	switch {
	case readErr != nil:
		return 0, fmt.Errorf("%w; reading back: %w", err, readErr)
	case written(record):
		return record.Revision, nil
	}
	return 0, err
}

// confirm sees to it that a record which was read, and which the call will tell as
// done without writing it, is as durable as what it writes: somebody else may have
// written it, and still wait for the disk. The error wraps [ErrConflict] if the
// record has changed since.
func (e *Engine) confirm(ctx context.Context, key string, revision int64) error {
	_, err := e.store.Commit(ctx, Txn{If: []Check{{Key: key, Revision: revision}}})
	return err
}

// quoteKey quotes a key for an error.
func quoteKey(key string) string { return strictjson.Quote(key) }
