package flagstage

import (
	"context"
	"errors"
	"fmt"
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
	for record, err := range e.store.Scan(ctx, flagWorkflowPrefix) {
		if err != nil {
			return Origin{}, fmt.Errorf("delete workflow %s: %w", quoteKey(id), err)
		}
		if keys := strings.Split(record.Key, "/"); len(keys) == 5 && keys[4] == id {
			return Origin{ProjectKey: keys[1], EnvironmentKey: keys[2], FlagKey: keys[3]}, nil
		}
	}
	return Origin{}, nil
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

// Purged counts what was purged.
type Purged struct {
	Workflows int // with their events
	Plans     int // that no workflow had any more
	Changes   int // of flags, that no workflow needs to know any more
}

// Purge deletes the workflows that have completed, failed or were cancelled
// before an instant, at most until now, with their events, and then what no workflow needs any
// more: plans, and what the built-in flag store remembers of changes before that
// instant. It does a part at a time, and can be repeated after an error. The
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
		if err != nil {
			continue // and keep it
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
