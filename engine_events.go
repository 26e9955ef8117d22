package flagstage

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Cursor is a place in the feed of events of one store. The zero Cursor is its
// beginning. It can be kept in any form, such as the JSON that encoding/json gives.
type Cursor struct {
	Revision   int64  // of the last commit that was seen
	WorkflowID string // the last workflow of that commit that was seen
}

// before reports whether a place lies behind the cursor.
func (c Cursor) before(revision int64, id string) bool {
	return revision > c.Revision || revision == c.Revision && id > c.WorkflowID
}

// EventBatch is what one commit has told of one workflow.
type EventBatch struct {
	WorkflowID string
	Events     []Event // at least one
	// Cursor is the place of the batch in the feed: give it to
	// [Engine.Events] to go on behind it.
	Cursor Cursor
}

// Events yields what has happened to all workflows behind a place in the feed,
// in the order of the commits, and ends with what there was when it began: call
// it again, with the last batch's cursor, or the same one if there was none, for
// what comes later. No batch is ever
// left out, and none comes twice, so that whoever keeps the cursor with what he
// makes of the events misses nothing. What leads to an action that an [Applier] is
// being called with comes together with its result. The events of deleted workflows
// are gone.
//
// It looks at the records of all workflows, and reads the events of those that
// changed. An error ends the sequence.
func (e *Engine) Events(ctx context.Context, actor Actor, after Cursor) iter.Seq2[EventBatch, error] {
	return func(yield func(EventBatch, error) bool) {
		if err := e.begin(ctx, Request{Actor: actor, Verb: VerbReadEvents}); err != nil {
			yield(EventBatch{}, err)
			return
		}
		list, err := e.eventRecords(ctx, after)
		if err != nil {
			yield(EventBatch{}, fmt.Errorf("read events: %w", err))
			return
		}
		for _, place := range list {
			batch, ok, err := e.eventBatch(ctx, place)
			if err != nil {
				yield(EventBatch{}, fmt.Errorf("read events: %w", err))
				return
			}
			if ok && !yield(batch, nil) {
				return
			}
		}
	}
}

// eventPlace is where a record of events stands in the feed.
type eventPlace struct {
	Cursor
	key string
}

// eventRecords returns the records of events behind a place, in the order of the
// feed. The first look at the workflows finds out which commits there are; the
// second one sees all that these have written, whatever comes meanwhile.
func (e *Engine) eventRecords(ctx context.Context, after Cursor) (list []eventPlace, err error) {
	var last int64
	for record, err := range e.store.Scan(ctx, workflowPrefix) {
		if err != nil {
			return nil, err
		}
		last = max(last, record.Revision)
	}
	for workflow, err := range e.store.Scan(ctx, workflowPrefix) {
		if err != nil {
			return nil, err
		}
		id := strings.TrimPrefix(workflow.Key, workflowPrefix)
		if workflow.Revision < after.Revision || isTombstone(workflow) {
			continue
		}
		for record, err := range e.store.Scan(ctx, eventPrefix+id+"/") {
			if err != nil {
				return nil, err
			}
			if record.Revision <= last && after.before(record.Revision, id) {
				list = append(list, eventPlace{Cursor{record.Revision, id}, record.Key})
			}
		}
	}
	slices.SortFunc(list, func(a, b eventPlace) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), strings.Compare(a.WorkflowID, b.WorkflowID), strings.Compare(a.key, b.key))
	})
	return list, nil
}

// eventBatch returns the events of a record, and false if they were deleted
// meanwhile.
func (e *Engine) eventBatch(ctx context.Context, place eventPlace) (EventBatch, bool, error) {
	record, err := e.store.Get(ctx, place.key)
	if err != nil || record.Revision == 0 {
		return EventBatch{}, false, err
	}
	events, err := decodeEvents(record)
	return EventBatch{WorkflowID: place.WorkflowID, Events: events, Cursor: place.Cursor}, err == nil, err
}
