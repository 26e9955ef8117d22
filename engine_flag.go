package flagstage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flagstage/flagstage/flags"
)

// StoredFlag is a flag as an engine keeps it.
type StoredFlag struct {
	flags.Flag
	ProjectKey string
	Revision   int64 // of the store
}

// FlagWrite says how a flag is written. The zero FlagWrite writes whatever is
// there, unless that would make a stage fail.
type FlagWrite struct {
	// Revision is that of the flag to be changed; 0: any.
	Revision int64
	// IgnoreConflicts writes although a stage of a workflow that is still to
	// run would then fail.
	IgnoreConflicts bool
}

// PendingStage is a stage that would fail.
type PendingStage struct {
	WorkflowID, StageID string // StageID is the [Stage.ID] in the workflow's plan
	Message             string // why
}

// PendingStagesError is the error of a change of a flag that would make stages
// of workflows fail which are still to run. It wraps [ErrInvalidRequest]. There is
// at least one stage. [FlagWrite.IgnoreConflicts] makes the change all the same.
type PendingStagesError struct{ Stages []PendingStage }

// Error names the first stage, and says what to do.
func (e *PendingStagesError) Error() string {
	var s PendingStage
	if len(e.Stages) > 0 {
		s = e.Stages[0]
	}
	more := ""
	if n := len(e.Stages); n > 1 {
		more = fmt.Sprintf(" (and %d more stages)", n-1)
	}
	return fmt.Sprintf("%v: stage %s of workflow %s would fail%s: %s; cancel the workflow, or ignore conflicts", ErrInvalidRequest, s.StageID, quoteKey(s.WorkflowID), more, s.Message)
}

// Unwrap returns [ErrInvalidRequest].
func (e *PendingStagesError) Unwrap() error { return ErrInvalidRequest }

// PutFlag keeps a flag of a project: a new one, or in the place of the one with
// its key. Nothing is written if that is equal; the revision is then the old one.
//
// Errors: [ErrInvalidRequest] for a key that is none or a flag without key;
// [ErrConflict] if the flag has another revision than asked for, or a revision is
// asked for and there is no flag; a [*PendingStagesError].
func (e *Engine) PutFlag(ctx context.Context, actor Actor, projectKey string, flag flags.Flag, how FlagWrite) (StoredFlag, error) {
	request := Request{Actor: actor, Verb: VerbPutFlag, Target: Origin{ProjectKey: projectKey, FlagKey: flag.Key()}}
	if err := e.begin(ctx, request); err != nil {
		return StoredFlag{}, err
	}
	if err := cmp.Or(checkKey("the project", projectKey), checkKey("the flag", flag.Key())); err != nil {
		return StoredFlag{}, err
	}
	return e.changeFlag(ctx, request, how, func(*unit, flags.Flag) (flags.Flag, error) { return flag, nil })
}

// PatchFlag applies a semantic patch to a flag: all of it or nothing. New
// identifiers are those of the patch, or made by the engine. A patch whose effect is
// there already writes nothing.
//
// Errors: [ErrNotFound] if there is no such flag; a [*flags.ApplyError] if the
// patch cannot be applied; [ErrConflict] if the flag has another revision than
// asked for; a [*PendingStagesError].
func (e *Engine) PatchFlag(ctx context.Context, actor Actor, projectKey, key string, patch flags.Patch, how FlagWrite) (StoredFlag, error) {
	request := Request{Actor: actor, Verb: VerbPatchFlag, Target: Origin{ProjectKey: projectKey, EnvironmentKey: patch.Environment, FlagKey: key}}
	if err := e.begin(ctx, request); err != nil {
		return StoredFlag{}, err
	}
	return e.changeFlag(ctx, request, how, func(u *unit, flag flags.Flag) (flags.Flag, error) {
		ids := e.ids
		if len(patch.NewIDs) > 0 {
			ids = patch.IDs()
		}
		next, err := flags.Apply(flag, patch.Instructions, flags.Application{
			Environment: patch.Environment, Now: u.now, IDs: ids, Others: unitFlags{&u.flags, projectKey},
		})
		if err != nil {
			err = fmt.Errorf("patch flag %s: %w", quoteKey(key), err)
		}
		return next, err
	})
}

// changeFlag changes a flag, which may not be there yet if it is put.
func (e *Engine) changeFlag(ctx context.Context, request Request, how FlagWrite, change func(*unit, flags.Flag) (flags.Flag, error)) (StoredFlag, error) {
	project, key := request.Target.ProjectKey, request.Target.FlagKey
	now := e.now()
	for try := 1; ; try++ {
		u := e.newUnit(ctx, now)
		_, err := u.flags.hold(project, key)
		if err != nil && (request.Verb != VerbPutFlag || !errors.Is(err, ErrNotFound)) {
			return StoredFlag{}, err
		}
		h := u.flags.held[0]
		if how.Revision != 0 && how.Revision != h.stored.revision {
			return StoredFlag{}, stale("flag", key, h.stored.revision, how.Revision)
		}
		next, err := change(u, h.flag)
		if err != nil {
			return StoredFlag{}, err
		}
		if next.Equal(h.flag) {
			err := e.confirm(ctx, flagRecordKey(project, key), h.stored.revision)
			if errors.Is(err, ErrConflict) && try < maxTries {
				continue
			}
			if err != nil {
				return StoredFlag{}, fmt.Errorf("%s %s: %w", request.Verb, quoteKey(key), err)
			}
			return StoredFlag{h.flag, project, h.stored.revision}, nil
		}
		before := h.flag
		h.change(next, request.Actor.Identity(), now)
		if !how.IgnoreConflicts {
			err := u.pendingFailures(h, before)
			if errors.Is(err, ErrConflict) && try < maxTries {
				continue // a workflow has ended meanwhile
			}
			if err != nil {
				return StoredFlag{}, err
			}
		}
		revision, err := u.commitFlag(h)
		switch {
		case err == nil:
			e.logger.DebugContext(ctx, "changed flag", "project", project, "flag", key, "revision", revision)
			return StoredFlag{next, project, revision}, nil
		case !errors.Is(err, ErrConflict) || try == maxTries:
			return StoredFlag{}, fmt.Errorf("%s %s: %w", request.Verb, quoteKey(key), err)
		}
	}
}

// commitFlag commits a unit in which there is only a flag.
func (u *unit) commitFlag(h *heldFlag) (int64, error) {
	var txn Txn
	u.flags.write(&txn)
	revision, err := u.write(u.ctx, txn, flagRecordKey(h.project, h.key), func(r Record) bool { return u.operation.wrote(r.Value) })
	if err == nil {
		u.flags.written(revision)
	}
	return revision, err
}

// pendingFailures returns an error if what the unit makes of a flag would make
// stages fail that would not fail without it. With an applier no stage changes
// the flags of the store.
func (u *unit) pendingFailures(h *heldFlag, before flags.Flag) error {
	if u.applier != nil {
		return nil
	}
	var list []PendingStage
	for _, environment := range before.EnvironmentKeys() {
		target := Origin{ProjectKey: h.project, EnvironmentKey: environment, FlagKey: h.key}
		for in, err := range u.pendingWorkflows(u.ctx, target) {
			if err != nil {
				return err
			}
			changes, err := u.changes(u.ctx, h.project, h.key, in.base, h.stored.counter)
			if err != nil {
				return err
			}
			failing := map[string]bool{}
			for _, c := range in.forecast(before, foreignChanges(changes, in.by()), unitFlags{&u.flags, h.project}) {
				failing[c.StageID] = true
			}
			for _, c := range in.forecast(h.flag, foreignChanges(append(changes, h.made...), in.by()), unitFlags{&u.flags, h.project}) {
				if !failing[c.StageID] {
					list = append(list, PendingStage{WorkflowID: in.id, StageID: c.StageID, Message: c.Message})
				}
			}
		}
	}
	if list != nil {
		return &PendingStagesError{list}
	}
	return nil
}

// Flag returns a flag. The error wraps [ErrNotFound] if there is none, and is an
// [*UnreadableFlagError] if there is one that cannot be read.
func (e *Engine) Flag(ctx context.Context, actor Actor, projectKey, key string) (StoredFlag, error) {
	if err := e.begin(ctx, Request{Actor: actor, Verb: VerbReadFlag, Target: Origin{ProjectKey: projectKey, FlagKey: key}}); err != nil {
		return StoredFlag{}, err
	}
	s, err := e.loadFlag(ctx, projectKey, key)
	if err != nil {
		return StoredFlag{}, err
	}
	return StoredFlag{s.flag, projectKey, s.revision}, nil
}

// FlagList is the flags of a project, or of all.
type FlagList struct {
	Items []StoredFlag // ordered by project and key
	// Unreadable are flags that cannot be read. They are not printed.
	Unreadable []*UnreadableFlagError
}

// MarshalJSON returns the flags in the published shape of a list.
func (l FlagList) MarshalJSON() ([]byte, error) {
	return append(appendList([]byte(`{"items":`), l.Items, StoredFlag.AppendJSON), '}'), nil
}

// Flags returns the flags of a project, or of all if projectKey is "". One that
// cannot be read is no error, and does not hide the others. The error wraps
// [ErrInvalidRequest] for a project that is no key.
func (e *Engine) Flags(ctx context.Context, actor Actor, projectKey string) (FlagList, error) {
	if err := e.begin(ctx, Request{Actor: actor, Verb: VerbListFlags, Target: Origin{ProjectKey: projectKey}}); err != nil {
		return FlagList{}, err
	}
	prefix := flagPrefix
	if projectKey != "" {
		if err := checkKey("the project", projectKey); err != nil {
			return FlagList{}, err
		}
		prefix = flagRecordKey(projectKey, "")
	}
	list := FlagList{Items: []StoredFlag{}}
	for record, err := range e.store.Scan(ctx, prefix) {
		if err != nil {
			return FlagList{}, fmt.Errorf("list flags: %w", err)
		}
		s, err := e.flagOf(record)
		var unreadable *UnreadableFlagError
		if errors.As(err, &unreadable) {
			list.Unreadable = append(list.Unreadable, unreadable)
			continue
		}
		project, _, _ := strings.Cut(strings.TrimPrefix(record.Key, flagPrefix), "/")
		list.Items = append(list.Items, StoredFlag{s.flag, project, s.revision})
	}
	return list, nil
}

func checkKey(what, key string) error {
	if flags.IsKey(key) {
		return nil
	}
	return fmt.Errorf("%w: %s needs a key of letters, digits, '.', '_' and '-', not %s", ErrInvalidRequest, what, quoteKey(key))
}

// StoredSegment is a segment as an engine keeps it.
type StoredSegment struct {
	flags.Segment
	ProjectKey, EnvironmentKey string
	Revision                   int64 // of the store
}

// PutSegment keeps a segment of an environment: a new one, or in the place of
// the one with its key, also if that cannot be read. Nothing is written if that
// is equal. revision is that of the segment to be changed, 0 for any or none.
//
// Errors: [ErrInvalidRequest] for keys that are none; [ErrConflict] if the
// segment has another revision than asked for.
func (e *Engine) PutSegment(ctx context.Context, actor Actor, projectKey, environmentKey string, segment flags.Segment, revision int64) (StoredSegment, error) {
	if err := e.begin(ctx, Request{Actor: actor, Verb: VerbPutSegment, Target: Origin{ProjectKey: projectKey, EnvironmentKey: environmentKey}, SegmentKey: segment.Key()}); err != nil {
		return StoredSegment{}, err
	}
	if err := cmp.Or(checkKey("the project", projectKey), checkKey("the environment", environmentKey), checkKey("the segment", segment.Key())); err != nil {
		return StoredSegment{}, err
	}
	for try := 1; ; try++ {
		record, err := e.segmentRecord(ctx, projectKey, environmentKey, segment.Key())
		if err != nil {
			return StoredSegment{}, err
		}
		if revision != 0 && revision != record.Revision {
			return StoredSegment{}, stale("segment", segment.Key(), record.Revision, revision)
		}
		written := record.Revision
		if before, unreadable := decodeSegmentRecord(record); unreadable == nil && before.Equal(segment) {
			segment, err = before, e.confirm(ctx, record.Key, written)
		} else {
			written, err = e.writeSegment(ctx, record.Key, segment, record.Revision)
		}
		switch {
		case err == nil:
			e.logger.DebugContext(ctx, "kept segment", "project", projectKey, "environment", environmentKey, "segment", segment.Key(), "revision", written)
			return StoredSegment{segment, projectKey, environmentKey, written}, nil
		case !errors.Is(err, ErrConflict) || try == maxTries:
			return StoredSegment{}, fmt.Errorf("put segment %s: %w", quoteKey(segment.Key()), err)
		}
	}
}

// writeSegment writes a segment whose record must have the given revision, 0 for
// none.
func (e *Engine) writeSegment(ctx context.Context, key string, segment flags.Segment, revision int64) (int64, error) {
	operation := e.operations.next()
	return e.write(ctx, Txn{
		If:  []Check{{Key: key, Revision: revision}},
		Put: []Record{{Key: key, Value: encodeSegment(operation, segment)}},
	}, key, func(r Record) bool { return operation.wrote(r.Value) })
}

// Segment returns a segment. The error wraps [ErrNotFound] if there is none, and
// is an [*UnreadableFlagError] if there is one that cannot be read.
func (e *Engine) Segment(ctx context.Context, actor Actor, projectKey, environmentKey, key string) (StoredSegment, error) {
	if err := e.begin(ctx, Request{Actor: actor, Verb: VerbReadSegment, Target: Origin{ProjectKey: projectKey, EnvironmentKey: environmentKey}, SegmentKey: key}); err != nil {
		return StoredSegment{}, err
	}
	record, err := e.segmentRecord(ctx, projectKey, environmentKey, key)
	switch {
	case err != nil:
		return StoredSegment{}, err
	case record.Revision == 0:
		return StoredSegment{}, fmt.Errorf("%w: there is no segment %s in the environment %s of the project %s", ErrNotFound, quoteKey(key), quoteKey(environmentKey), quoteKey(projectKey))
	}
	s, err := decodeSegmentRecord(record)
	if err != nil {
		return StoredSegment{}, err
	}
	return StoredSegment{s, projectKey, environmentKey, record.Revision}, nil
}

// segmentRecord returns the record of a segment, of revision 0 if there is none.
func (e *Engine) segmentRecord(ctx context.Context, project, environment, key string) (Record, error) {
	if !flags.IsKey(project) || !flags.IsKey(environment) || !flags.IsKey(key) {
		return Record{}, nil
	}
	record, err := e.store.Get(ctx, segmentRecordKey(project, environment, key))
	if err != nil {
		err = fmt.Errorf("read segment %s: %w", quoteKey(key), err)
	}
	return record, err
}

// SegmentList is the segments of an environment.
type SegmentList struct {
	Items []StoredSegment // ordered by key
	// Unreadable are segments that cannot be read. They are not printed.
	Unreadable []*UnreadableFlagError
}

// MarshalJSON returns the segments in the published shape of a list.
func (l SegmentList) MarshalJSON() ([]byte, error) {
	return append(appendList([]byte(`{"items":`), l.Items, StoredSegment.AppendJSON), '}'), nil
}

// Segments returns the segments of an environment. One that cannot be read is no
// error, and does not hide the others. The error wraps [ErrInvalidRequest] for a
// project or an environment that is no key.
func (e *Engine) Segments(ctx context.Context, actor Actor, projectKey, environmentKey string) (SegmentList, error) {
	if err := e.begin(ctx, Request{Actor: actor, Verb: VerbListSegments, Target: Origin{ProjectKey: projectKey, EnvironmentKey: environmentKey}}); err != nil {
		return SegmentList{}, err
	}
	if err := cmp.Or(checkKey("the project", projectKey), checkKey("the environment", environmentKey)); err != nil {
		return SegmentList{}, err
	}
	list := SegmentList{Items: []StoredSegment{}}
	for record, err := range e.store.Scan(ctx, segmentRecordKey(projectKey, environmentKey, "")) {
		if err != nil {
			return SegmentList{}, fmt.Errorf("list segments: %w", err)
		}
		s, err := decodeSegmentRecord(record)
		var unreadable *UnreadableFlagError
		if errors.As(err, &unreadable) {
			list.Unreadable = append(list.Unreadable, unreadable)
			continue
		}
		list.Items = append(list.Items, StoredSegment{s, projectKey, environmentKey, record.Revision})
	}
	return list, nil
}

// builtIn is the engine's own store of flags, as a source.
type builtIn struct{ *Engine }

// Flag returns a flag of the store.
func (b builtIn) Flag(ctx context.Context, ref Origin) (flags.Flag, error) {
	s, err := b.loadFlag(ctx, ref.ProjectKey, ref.FlagKey)
	return s.flag, err
}

// SegmentExists reports whether the store has a segment.
func (b builtIn) SegmentExists(ctx context.Context, projectKey, environmentKey, key string) (bool, error) {
	record, err := b.segmentRecord(ctx, projectKey, environmentKey, key)
	return record.Revision != 0, err
}

// target returns what is known of a flag. The error wraps [ErrNotFound] if it
// is known that there is none, or that it has no such environment.
func (e *Engine) target(ctx context.Context, ref Origin) (Target, error) {
	source := e.flagSource()
	if source == nil {
		return Target{Origin: ref}, nil
	}
	t, err := lookUp(ctx, source, ref)
	if err != nil {
		return t, err
	}
	if t.Flag.IsZero() || t.Flag.Deleted() {
		return t, fmt.Errorf("%w: there is no flag %s", ErrNotFound, ref)
	}
	if _, there := t.Flag.Environment(ref.EnvironmentKey); !there {
		return t, fmt.Errorf("%w: the flag %s of the project %s has no environment %s", ErrNotFound, quoteKey(ref.FlagKey), quoteKey(ref.ProjectKey), quoteKey(ref.EnvironmentKey))
	}
	return t, nil
}

// purgeChanges deletes what is remembered of the changes of flags before an
// instant, unless a workflow may need it. It returns how many. It looks at the
// changes first: a workflow that begins after the look at the workflows begins
// after these changes, since its start depends on the flag.
func (e *Engine) purgeChanges(ctx context.Context, before time.Time) (purged int, err error) {
	var old []string
	for record, err := range e.store.Scan(ctx, flagChangePrefix) {
		if err != nil {
			return 0, err
		}
		if c, why := decodeChange(record.Value); why == "" && c.at.Before(before) {
			old = append(old, record.Key)
		}
	}
	n, err := e.needed(ctx)
	if err != nil {
		return 0, err
	}
	old = slices.DeleteFunc(old, n.change)
	for keys := range slices.Chunk(old, MaxTxnOps) {
		if _, err := e.store.Commit(ctx, Txn{Delete: keys}); err != nil {
			return purged, err
		}
		purged += len(keys)
	}
	return purged, nil
}
