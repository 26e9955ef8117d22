package flagstage

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
)

// DeleteWorkflow deletes a workflow in any state: what has not run does not
// run, and what has run is not undone. An action that is under way is not called
// back. The events go too. One that cannot be read can be deleted. The error wraps
// [ErrNotFound] if there is no such workflow.
//
// Its identifier can be used again, but not where an [Applier] remembers the keys
// and numbers of deliveries: it would take those of the new workflow for late ones.
//
// The workflow is gone when the first of several commits is done; if the process
// ends before the last, the next tick takes away the rest.
func (e *Engine) DeleteWorkflow(ctx context.Context, actor Actor, id string) error {
	request := Request{Actor: actor, Verb: VerbDeleteWorkflow, WorkflowID: id}
	if err := e.begin(ctx, request); err != nil {
		return err
	}
	for try := 1; ; try++ {
		in, revision, err := e.loadWorkflow(ctx, id)
		var unreadable *UnreadableWorkflowError
		if errors.As(err, &unreadable) { // its flag is not known
			in, revision = &instance{id: id}, unreadable.Revision
			in.target, err = e.listedFlag(ctx, id)
		}
		if err != nil {
			return err
		}
		if err := e.askAgain(ctx, &request, in); err != nil {
			return err
		}
		err = e.deleteInstance(ctx, in, revision)
		if err == nil || !errors.Is(err, ErrConflict) || try == maxTries {
			return err
		}
	}
}

// listedFlag returns the flag in whose list a workflow stands, by a look at all.
func (e *Engine) listedFlag(ctx context.Context, id string) (Origin, error) {
	for listed, err := range e.listed(ctx) {
		if err != nil {
			return Origin{}, fmt.Errorf("delete workflow %s: %w", quoteKey(id), err)
		}
		if listed.id == id {
			return listed.flag, nil
		}
	}
	return Origin{}, nil
}

// listedWorkflow is an entry in the list of a flag's workflows.
type listedWorkflow struct {
	flag Origin
	id   string
}

// listed yields the lists of all flags.
func (e *Engine) listed(ctx context.Context) iter.Seq2[listedWorkflow, error] {
	return func(yield func(listedWorkflow, error) bool) {
		for record, err := range e.store.Scan(ctx, flagWorkflowPrefix) {
			keys := strings.Split(record.Key, "/")
			switch {
			case err != nil:
				yield(listedWorkflow{}, err)
				return
			case len(keys) != 5: // none that an engine has written
			case !yield(listedWorkflow{Origin{ProjectKey: keys[1], EnvironmentKey: keys[2], FlagKey: keys[3]}, keys[4]}, nil):
				return
			}
		}
	}
}

// deleteInstance deletes a workflow whose record has a revision.
func (e *Engine) deleteInstance(ctx context.Context, in *instance, revision int64) error {
	key := workflowPrefix + in.id
	operation := e.operations.next()
	value := append([]byte{tombstoneFormat}, operation[:]...)
	buried, err := e.write(ctx, Txn{
		If:     []Check{{Key: key, Revision: revision}},
		Put:    []Record{{Key: key, Value: value, Wake: firstInstant}}, // due at any time
		Delete: []string{in.listKey()},
	}, key, func(r Record) bool { return operation.wrote(r.Value) })
	if err != nil {
		return fmt.Errorf("delete workflow %s: %w", quoteKey(in.id), err)
	}
	e.logger.DebugContext(ctx, "deleted workflow", "workflow", in.id)
	if err := e.bury(ctx, in.id, buried); err != nil {
		// the workflow is gone; the next tick takes away the rest
		e.logger.WarnContext(ctx, "could not delete all of a workflow's events yet", "workflow", in.id, "error", err)
	}
	return nil
}

// bury deletes the events of a workflow that is gone, and then its tombstone.
func (e *Engine) bury(ctx context.Context, id string, revision int64) error {
	tombstone := Check{Key: workflowPrefix + id, Revision: revision}
	var keys []string
	flush := func() error {
		// without the tombstone they may be those of a new workflow with the id
		_, err := e.store.Commit(ctx, Txn{If: []Check{tombstone}, Delete: keys})
		keys = nil
		return err
	}
	var err error
	for record, scanErr := range e.store.Scan(ctx, eventPrefix+id+"/") {
		if err = scanErr; err != nil {
			break
		}
		if keys = append(keys, record.Key); len(keys) == MaxTxnOps-2 {
			if err = flush(); err != nil {
				break
			}
		}
	}
	if err == nil {
		keys = append(keys, tombstone.Key)
		err = flush()
	}
	if errors.Is(err, ErrConflict) {
		record, readErr := e.store.Get(ctx, tombstone.Key)
		if readErr == nil && record.Revision != revision {
			return nil // somebody else has buried it
		}
	}
	return err
}

// Purged tells what was purged.
type Purged struct {
	Workflows int // with their events
	Plans     int // that no workflow had any more
	Changes   int // of flags, that no workflow needs to know any more
	// Unreadable are workflows that cannot be read. They were kept, with what they
	// may need: the plan that the record names, or all plans if it names none that
	// there is; and the changes of the flag in whose list the workflow stands, or
	// of all flags if it stands in none. [Engine.DeleteWorkflow] deletes them.
	Unreadable []*UnreadableWorkflowError
}

// Purge deletes the workflows that have completed, failed or were cancelled
// before an instant, at most until now, with their events, and then what no workflow needs any
// more: plans, and what the built-in flag store remembers of changes before that
// instant. It does a part at a time, and can be repeated after an error. A workflow
// that cannot be read is no error, and hides no other: see [Purged.Unreadable]. The
// error wraps [ErrInvalidRequest] if the instant is the zero time.
func (e *Engine) Purge(ctx context.Context, actor Actor, before time.Time) (Purged, error) {
	if err := e.begin(ctx, Request{Actor: actor, Verb: VerbPurge}); err != nil {
		return Purged{}, err
	}
	if before.IsZero() {
		return Purged{}, fmt.Errorf("%w: purge: say before which instant", ErrInvalidRequest)
	}
	if now := e.now(); before.After(now) {
		before = now // what happens meanwhile is kept
	}
	var p Purged
	for record, err := range e.store.Scan(ctx, workflowPrefix) {
		if err != nil {
			return p, fmt.Errorf("purge: %w", err)
		}
		if isTombstone(record) {
			if err := e.bury(ctx, strings.TrimPrefix(record.Key, workflowPrefix), record.Revision); err != nil {
				return p, fmt.Errorf("purge: %w", err)
			}
			continue
		}
		in, err := decodeInstance(record)
		var unreadable *UnreadableWorkflowError
		if errors.As(err, &unreadable) {
			p.Unreadable = append(p.Unreadable, unreadable)
			continue
		}
		if in.runs() || !in.stopped.Before(before) {
			continue
		}
		err = e.deleteInstance(ctx, in, record.Revision)
		switch {
		case errors.Is(err, ErrConflict): // it was retried meanwhile
		case err != nil:
			return p, fmt.Errorf("purge: %w", err)
		default:
			p.Workflows++
		}
	}
	var err error
	if p.Plans, err = e.purgePlans(ctx); err != nil {
		return p, fmt.Errorf("purge: plans: %w", err)
	}
	if p.Changes, err = e.purgeChanges(ctx, before); err != nil {
		return p, fmt.Errorf("purge: changes of flags: %w", err)
	}
	return p, nil
}

// needs is what workflows need of what is to be purged.
type needs struct {
	plans    map[string]bool // by key of the record
	allPlans bool
	// changes are the keys of the last changes that no workflow needs, by what the
	// keys of a flag's changes begin with.
	changes    map[string]string
	allChanges bool
}

// needed looks at what all workflows need. One that cannot be read may need
// anything that its record and the lists of flags do not rule out.
func (e *Engine) needed(ctx context.Context) (needs, error) {
	n := needs{plans: map[string]bool{}, changes: map[string]string{}}
	lost := map[string]bool{} // identifiers of workflows whose flag is not known
	for record, err := range e.workflowRecords(ctx, Origin{}) {
		if err != nil {
			return needs{}, err
		}
		in, err := decodeInstance(record)
		if err != nil {
			lost[strings.TrimPrefix(record.Key, workflowPrefix)] = true
			key, known, err := e.planOfUnreadable(ctx, record)
			if err != nil {
				return needs{}, err
			}
			n.plans[key] = true
			n.allPlans = n.allPlans || !known
			continue
		}
		n.plans[planPrefix+in.planHash.String()] = true
		if in.runs() || in.status == StatusFailed { // it may be retried
			flag := flagChanges(in.target.ProjectKey, in.target.FlagKey)
			last := flagChangeKey(in.target.ProjectKey, in.target.FlagKey, in.base)
			if known, there := n.changes[flag]; !there || last < known {
				n.changes[flag] = last
			}
		}
	}
	if len(lost) == 0 {
		return n, nil
	}
	for listed, err := range e.listed(ctx) {
		if err != nil {
			return needs{}, err
		}
		if lost[listed.id] {
			lost[listed.id] = false
			n.changes[flagChanges(listed.flag.ProjectKey, listed.flag.FlagKey)] = "" // it may need all
		}
	}
	for _, still := range lost {
		n.allChanges = n.allChanges || still
	}
	return n, nil
}

// planOfUnreadable returns the key of the plan of a workflow that cannot be read, if
// its record tells. A plan that is not there is none: it may be its name that is
// damaged.
func (e *Engine) planOfUnreadable(ctx context.Context, record Record) (key string, known bool, err error) {
	var hash planHash
	if len(record.Value) < recordHead+len(hash) || record.Value[0] != workflowFormat && record.Value[0] != unfiledFormat {
		return "", false, nil
	}
	copy(hash[:], record.Value[recordHead:])
	key = planPrefix + hash.String()
	plan, err := e.store.Get(ctx, key)
	return key, plan.Revision != 0, err
}

// plan reports whether a plan is needed.
func (n *needs) plan(key string) bool { return n.allPlans || n.plans[key] }

// change reports whether a change of a flag is needed.
func (n *needs) change(key string) bool {
	last, known := n.changes[key[:strings.LastIndexByte(key, '/')+1]]
	return n.allChanges || known && key > last
}
