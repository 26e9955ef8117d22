package flagstage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flagstage/flagstage/flags"
)

// flagUnit is the flags that a unit reads and changes.
type flagUnit struct {
	unit  *unit
	held  []*heldFlag
	links []*projectLinks // of the projects whose other flags it looks at
}

// projectLinks is what a unit has seen of the flags of a project that it does not
// hold. None of them is checked when the unit is committed, for they may be many:
// the record of the project's links is, and whatever changes a flag so that others
// could see it writes that one.
type projectLinks struct {
	project  string
	revision int64                 // of the record, before the first look
	seen     map[string]flags.Flag // by key; zero: there is none
}

// heldFlag is a flag in a unit.
type heldFlag struct {
	project, key string
	stored       flagState
	flag         flags.Flag   // as it will be
	made         []flagChange // by the unit
	relinked     bool         // others can see what was made
}

// hold returns a flag as the unit leaves it so far. The error wraps
// [ErrNotFound] if there is none. The commit of the unit fails if somebody else
// changes the flag before.
func (f *flagUnit) hold(project, key string) (*heldFlag, error) {
	for _, h := range f.held {
		if h.key == key && h.project == project {
			return h.known()
		}
	}
	stored, err := f.unit.loadFlag(f.unit.ctx, project, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	h := &heldFlag{project: project, key: key, stored: stored, flag: stored.flag}
	f.held = append(f.held, h)
	return h.known()
}

func (h *heldFlag) known() (*heldFlag, error) {
	if h.flag.IsZero() {
		return nil, noFlag(h.project, h.key)
	}
	return h, nil
}

// base returns how often a flag has changed, 0 if it is not kept here. The commit
// of the unit fails if it changes once more before. It counts with an applier too:
// an engine without one may read the workflow, and a purge must know what that
// then looks at.
func (f *flagUnit) base(target Origin) (int64, error) {
	h, err := f.hold(target.ProjectKey, target.FlagKey)
	switch {
	case errors.Is(err, ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	}
	return h.stored.counter, nil
}

// apply applies an action to the flag of its workflow, or returns why that
// cannot be.
func (f *flagUnit) apply(r *running, effect Effect) (*Failure, error) {
	h, err := f.hold(r.target.ProjectKey, r.target.FlagKey)
	if errors.Is(err, ErrNotFound) {
		return &Failure{Reason: ReasonRejected, Message: err.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	how := f.application(r)
	next, err := flags.Apply(h.flag, effect.Action.Instructions, how)
	switch {
	case isRejection(err):
		return &Failure{Reason: ReasonRejected, Message: err.Error()}, nil
	case err != nil:
		return nil, err
	}
	var foreign []foreignChange
	if !r.ignoreConflicts {
		if foreign, err = f.foreign(h, r); err != nil {
			return nil, err
		}
		if e := stageConflict(foreign, h.flag, next, effect.Action.Instructions, how); e != nil {
			return &Failure{Reason: ReasonConflict, Message: e.sentence()}, nil
		}
	}
	h.change(next, r.by(), how.Now)
	if last := len(h.made) - 1; len(foreign) == 0 && (last < 0 || h.made[last].by == r.by()) {
		r.base = h.counter() // nobody else's change before can stand in the way any more
	}
	return nil, nil
}

// counter returns how often the flag will have changed.
func (h *heldFlag) counter() int64 { return h.stored.counter + int64(len(h.made)) }

func (f *flagUnit) application(r *running) flags.Application {
	return flags.Application{
		Environment: r.target.EnvironmentKey, Now: r.at(f.unit.now).now, IDs: f.unit.ids, RefID: RefID(r.id),
		Others: unitFlags{f, r.target.ProjectKey},
	}
}

// foreign returns what others than a workflow have changed of a flag.
func (f *flagUnit) foreign(h *heldFlag, r *running) ([]foreignChange, error) {
	if r.base == h.counter() {
		return nil, nil
	}
	changes, err := f.unit.changes(f.unit.ctx, h.project, h.key, r.base, h.stored.counter)
	if err != nil {
		return nil, err
	}
	made := min(max(r.base-h.stored.counter, 0), int64(len(h.made)))
	return foreignChanges(append(changes, h.made[made:]...), r.by()), nil
}

// change notes a change of the flag, also one that no field shows. Changes by one
// after the other in a unit are one.
func (h *heldFlag) change(to flags.Flag, by string, at time.Time) {
	if to == h.flag {
		return
	}
	c := changeOf(h.flag, to, by, at)
	h.flag = to
	h.relinked = h.relinked || c.relinks()
	last := len(h.made) - 1
	if last < 0 || h.made[last].by != by {
		h.made = append(h.made, c)
		return
	}
	made := &h.made[last]
	known := make(map[string]bool, len(made.fields))
	for _, f := range made.fields {
		known[f.pointer] = true
	}
	for _, f := range c.fields {
		if !known[f.pointer] {
			made.fields = append(made.fields, f)
		}
	}
}

// ops returns about how many operations the flags take in a commit.
func (f *flagUnit) ops() int {
	n := 0
	for _, h := range f.held {
		n += 1
		if len(h.made) > 0 {
			n += 1 + len(h.made)
		}
		if h.relinked {
			n += 1
		}
	}
	return n + len(f.links)
}

// write puts the flags into a transaction, which fails if one that is held has
// changed since it was read, or one that was looked at in a way that can be seen.
func (f *flagUnit) write(txn *Txn) {
	for _, l := range f.links {
		txn.If = append(txn.If, Check{Key: flagLinksKey(l.project), Revision: l.revision})
	}
	var relinked []string
	for _, h := range f.held {
		if h.relinked && !slices.Contains(relinked, h.project) {
			relinked = append(relinked, h.project)
			txn.Put = append(txn.Put, Record{Key: flagLinksKey(h.project), Value: encodeLinks(f.unit.operation)})
		}
		key := flagRecordKey(h.project, h.key)
		txn.If = append(txn.If, Check{Key: key, Revision: h.stored.revision})
		if len(h.made) == 0 {
			continue
		}
		txn.Put = append(txn.Put, Record{Key: key, Value: encodeFlag(f.unit.operation, h.flag, h.counter())})
		for i := range h.made {
			txn.Put = append(txn.Put, Record{
				Key:   flagChangeKey(h.project, h.key, h.stored.counter+int64(i)+1),
				Value: encodeChange(f.unit.operation, h.made[i]),
			})
		}
	}
}

// written notes what a commit of the unit has written, so that it need not be
// read again.
func (f *flagUnit) written(revision int64) {
	for _, h := range f.held {
		if len(h.made) > 0 {
			f.unit.read.put(flagRecordKey(h.project, h.key), flagState{h.flag, h.counter(), revision})
		}
	}
}

// look returns the links of a project. It is to be called before a flag is looked
// at.
func (f *flagUnit) look(project string) (*projectLinks, error) {
	for _, l := range f.links {
		if l.project == project {
			return l, nil
		}
	}
	record, err := f.unit.store.Get(f.unit.ctx, flagLinksKey(project))
	if err != nil {
		return nil, fmt.Errorf("read links of flags: %w", err)
	}
	l := &projectLinks{project: project, revision: record.Revision, seen: map[string]flags.Flag{}}
	f.links = append(f.links, l)
	return l, nil
}

// unitFlags are the flags of a project as a unit leaves them so far.
type unitFlags struct {
	flags   *flagUnit
	project string
}

// Flag returns the flag with a key.
func (o unitFlags) Flag(key string) (flags.Flag, error) {
	if flag, held := o.held(key); held {
		return flag, o.known(flag, key)
	}
	l, err := o.flags.look(o.project)
	if err != nil {
		return flags.Flag{}, err
	}
	flag, seen := l.seen[key]
	if !seen {
		u := o.flags.unit
		stored, err := u.loadFlag(u.ctx, o.project, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return flags.Flag{}, err
		}
		flag = stored.flag
		l.seen[key] = flag
	}
	return flag, o.known(flag, key)
}

// held returns a flag that the unit holds.
func (o unitFlags) held(key string) (flags.Flag, bool) {
	for _, h := range o.flags.held {
		if h.key == key && h.project == o.project {
			return h.flag, true
		}
	}
	return flags.Flag{}, false
}

func (o unitFlags) known(flag flags.Flag, key string) error {
	if flag.IsZero() {
		return noFlag(o.project, key)
	}
	return nil
}

// Dependents returns the keys of the flags that have another as a prerequisite.
func (o unitFlags) Dependents(key string) (list []string, err error) {
	if _, err := o.flags.look(o.project); err != nil {
		return nil, err
	}
	u := o.flags.unit
	prefix := flagRecordKey(o.project, "")
	for record, err := range u.store.Scan(u.ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("read flags: %w", err)
		}
		dependent := strings.TrimPrefix(record.Key, prefix)
		flag, held := o.held(dependent)
		if !held {
			stored, err := u.flagOf(record)
			if err != nil {
				return nil, err
			}
			flag = stored.flag
		}
		if requires(flag, key) {
			list = append(list, dependent)
		}
	}
	return list, nil
}

// requires reports whether a flag has another as a prerequisite, in any
// environment.
func requires(f flags.Flag, key string) bool {
	for _, environment := range f.EnvironmentKeys() {
		e, _ := f.Environment(environment)
		for p := range e.Prerequisites() {
			if p.Key == key {
				return true
			}
		}
	}
	return false
}

// loadFlag returns a flag as the store has it. The error wraps [ErrNotFound] if
// there is none, and is an [*UnreadableFlagError] if it cannot be read.
func (e *Engine) loadFlag(ctx context.Context, project, key string) (flagState, error) {
	if !flags.IsKey(project) || !flags.IsKey(key) {
		return flagState{}, noFlag(project, key)
	}
	record, err := e.store.Get(ctx, flagRecordKey(project, key))
	switch {
	case err != nil:
		return flagState{}, fmt.Errorf("read flag %s: %w", quoteKey(key), err)
	case record.Revision == 0:
		return flagState{}, noFlag(project, key)
	}
	return e.flagOf(record)
}

// flagOf returns the flag of a record, which is read once.
func (e *Engine) flagOf(record Record) (flagState, error) {
	if s, ok := e.read.get(record.Key); ok && s.revision == record.Revision {
		return s, nil
	}
	s, err := decodeFlagRecord(record)
	if err == nil {
		e.read.put(record.Key, s)
	}
	return s, err
}

// missingFlag is the error of a flag that is not in the store. Its text is made when
// somebody reads it: many calls only look whether there is a flag.
type missingFlag struct{ project, key string }

func noFlag(project, key string) error { return &missingFlag{project, key} }

// Error names the flag.
func (e *missingFlag) Error() string {
	return fmt.Sprintf("%v: there is no flag %s in the project %s", ErrNotFound, quoteKey(e.key), quoteKey(e.project))
}

// Unwrap returns [ErrNotFound].
func (e *missingFlag) Unwrap() error { return ErrNotFound }

// changes returns the changes of a flag after the one with a number, up to
// another, in their order. The error wraps [ErrConflict] if one of them is missing:
// the workflow that needed them has ended, and they were purged, since it was read.
func (e *Engine) changes(ctx context.Context, project, key string, after, last int64) (list []flagChange, err error) {
	for n := after + 1; n <= last; n++ {
		record, err := e.store.Get(ctx, flagChangeKey(project, key, n))
		switch {
		case err != nil:
			return nil, fmt.Errorf("read changes of flag %s: %w", quoteKey(key), err)
		case record.Revision == 0:
			return nil, fmt.Errorf("%w: the change %d of flag %s is missing; read the workflow again", ErrConflict, n, quoteKey(key))
		}
		c, why := decodeChange(record.Value)
		if why != "" {
			return nil, &UnreadableFlagError{record.Key, record.Revision, why}
		}
		list = append(list, c)
	}
	return list, nil
}
