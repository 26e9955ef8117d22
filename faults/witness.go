package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/flagstage/flagstage"
)

// Where an engine keeps its records. The last part of a key of a workflow, and of
// one in a list, is the identifier.
const (
	workflowRecords = "workflow/"
	eventRecords    = "event/"
	listRecords     = "flagworkflow/"
	planRecords     = "plan/"
	changeRecords   = "flagchange/"
)

// witness is a store that says which workflow a commit would delete, before it is
// done: who is killed cannot say it any more, and then nobody could tell what is lost
// from what was deleted. It looks at the workflow for the last time.
type witness struct {
	flagstage.Store
	judge  *flagstage.Engine // on the store itself
	hosted bool
	say    func(words ...any) error
}

// purging is the key of a context in which all up to an instant, its value, is
// purged.
type purging struct{}

// goingAway is the key of a context whose end, its value, comes when a workflow is
// gone.
type goingAway struct{}

// Commit says what is about to be deleted, and then commits.
func (w *witness) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	buries := false
	for _, check := range txn.If {
		id, ok := strings.CutPrefix(check.Key, workflowRecords)
		if !ok || !slices.ContainsFunc(txn.Delete, func(key string) bool {
			return strings.HasPrefix(key, listRecords) && strings.HasSuffix(key, "/"+id)
		}) {
			continue
		}
		if err := w.burying(ctx, id, check.Revision); err != nil {
			return 0, err
		}
		buries = true
	}
	revision, err := w.Store.Commit(ctx, txn)
	if end, ok := ctx.Value(goingAway{}).(context.CancelFunc); ok && buries && err == nil {
		end()
	}
	return revision, err
}

// burying says that a workflow, as it was at a revision, is about to be deleted,
// and how many actions of it were applied; and complains of what it should not be.
func (w *witness) burying(ctx context.Context, id string, revision int64) error {
	is, err := w.judge.Workflow(ctx, operator, id)
	switch {
	case errors.Is(err, flagstage.ErrNotFound):
		return nil
	case err != nil:
		return err
	case is.Revision != revision:
		return nil // the commit comes too late
	}
	f := &findings{}
	f.workflow(&is, w.hosted)
	before, purges := ctx.Value(purging{}).(time.Time)
	if stopped := is.StoppedAt(); purges && (stopped.IsZero() || !stopped.Before(before)) {
		f.broken(promisedPurge, "%s is %s, stopped at %s, and is purged up to %s", is.Name, is.Status(), stopped, before)
	}
	for _, b := range f.breaches {
		if err := w.say("broke", b.promised+":", strings.ReplaceAll(b.what, "\n", "; ")); err != nil { // in one line
			return err
		}
	}
	return w.say("burying", is.Name, f.actions)
}
