package flagstage

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/flagstage/flagstage/flags"
)

// An Option changes how documents are read or what an engine works with. All
// are optional; those that do not concern a function have no effect on it. A nil
// Option does nothing, and one that is given nil or a zero value stands for what is
// so without it. Of two of the same sort the later one counts, but host kinds add
// up. What an engine is given it uses from several goroutines at once.
type Option func(*options)

type options struct {
	reading    flags.Reading
	clock      Clock
	ids        IDSource
	guard      Guard
	logger     *slog.Logger
	limits     Limits
	durability Durability
	readOnly   bool
	progress   Progress

	applier      Applier
	applyTimeout time.Duration
	retries      Retries
	notifier     Notifier
	source       FlagSource

	templateKey string
}

func newOptions(list []Option) options {
	if len(list) == 0 {
		return options{}
	}
	var o options
	for _, option := range list {
		if option != nil {
			option(&o)
		}
	}
	return o
}

// validate refuses options with which there is no engine.
func (o *options) validate() error {
	if err := o.reading.Validate().Err(); err != nil {
		return fmt.Errorf("new engine: host kinds: %w", err)
	}
	if o.limits.DocumentBytes < 0 || o.limits.Stages < 0 {
		return fmt.Errorf("%w: new engine: a limit is negative", ErrInvalidRequest)
	}
	if o.applyTimeout != 0 && o.applyTimeout < time.Millisecond {
		return fmt.Errorf("%w: new engine: the time to apply an action is %v; it must be a millisecond at least", ErrInvalidRequest, o.applyTimeout)
	}
	return o.retries.complete()
}

// WithHostKinds lets instructions of the given kinds pass that this module
// does not define. They are carried as they are, with the spelling and order
// of their members; the host that applies them knows what they mean. A
// documented kind cannot be given. It concerns reading and importing, and
// engines, which refuse to write templates with other kinds, also of Go values.
// They read what is stored whatever kinds it has.
func WithHostKinds(kinds ...string) Option {
	return func(o *options) { o.reading.HostKinds = append(o.reading.HostKinds, kinds...) }
}

// WithClock gives an engine its clock. Without it, it is [SystemClock].
func WithClock(clock Clock) Option { return func(o *options) { o.clock = clock } }

// WithIDs gives an engine its source of identifiers, which must be safe for
// concurrent use. Without it, it is [RandomIDs]. With [SeededIDs] the same calls
// make the same templates, byte for byte; a store's records hold a random number
// of the engine's besides.
func WithIDs(ids IDSource) Option { return func(o *options) { o.ids = ids } }

// WithGuard gives an engine a guard. Without it, everybody may do everything.
func WithGuard(guard Guard) Option { return func(o *options) { o.guard = guard } }

// WithLogger gives an engine a logger. Without it, it is silent. It is told what
// nobody else may hear of: what opening a store has mended, what ticks could not do,
// calls that the guard refuses, panics of a notifier or an [Applier].
func WithLogger(logger *slog.Logger) Option { return func(o *options) { o.logger = logger } }

// WithLimits gives an engine limits that are narrower than those that there
// are anyway. Wider ones have no effect; negative ones make no engine.
func WithLimits(limits Limits) Option { return func(o *options) { o.limits = limits } }

// WithApplier has an engine's actions applied by the host. Without it they are
// applied to the flags of the store, by [Engine.Tick] and by the calls after
// which they are due; with it, by Tick alone.
func WithApplier(applier Applier) Option { return func(o *options) { o.applier = applier } }

const defaultApplyTimeout = 30 * time.Second

// WithApplyTimeout says for how long nobody else delivers an action that is being
// delivered to an [Applier]: a millisecond at least, and 0 stands for 30 seconds.
// The context of the call ends a tenth of it earlier, at most a second.
//
// A delivery that was begun by a clock that ran ahead, and of which nothing came,
// lasts until the right time gets there. If that is more than a day later than for
// one that begins now, each call that steers the workflow ([Engine.Pause],
// [Engine.Resume], [Engine.Skip], [Engine.Cancel], [Engine.Review]) takes it for
// ended, and drops what may yet come of it. So after Pause and Resume the next tick
// delivers the action again, under the same key and with a greater number.
func WithApplyTimeout(d time.Duration) Option { return func(o *options) { o.applyTimeout = d } }

// WithRetries says how often, and when, an [Applier] is called again after an
// error that is not permanent. Negative numbers make no engine.
func WithRetries(r Retries) Option { return func(o *options) { o.retries = r } }

// WithFlagSource gives an engine a source of flags and segments. Without it, it
// is the flags that the engine keeps itself; an engine with an [Applier] knows of
// none then, and takes the values of a template for right for the flag that it was
// written for only.
//
// When the engine creates a template, it asks the source for the flag of its
// origin, and for those that are prerequisites, and keeps the values behind the
// ids of variations with the template: see [Template.WithValues]. A flag that does
// not exist is no error then, a source that fails is. It is not asked if no
// variation stands in the template.
func WithFlagSource(source FlagSource) Option { return func(o *options) { o.source = source } }

// WithNotifier has an engine tell a notifier what happens to workflows. Each engine
// tells what it has done itself; of several on one store give each a notifier.
func WithNotifier(notifier Notifier) Option { return func(o *options) { o.notifier = notifier } }

// WithDurability says what [Open] promises of what was written:
// [DurabilityAlways], which it is without this option, [DurabilityInterval] or
// [DurabilityNever].
func WithDurability(d Durability) Option { return func(o *options) { o.durability = d } }

// WithReadOnly makes [Open] open a store as [ReadStore] does: while others use
// it, and to read what is in it now. For what comes later, open it again. Calls
// that would write return [ErrReadOnly].
func WithReadOnly() Option { return func(o *options) { o.readOnly = true } }

// WithProgress has a function called while a large store is opened; see
// [Progress] for when.
func WithProgress(progress Progress) Option { return func(o *options) { o.progress = progress } }

// Limits are limits of an engine. Zero stands for the limit that there is
// anyway.
type Limits struct {
	DocumentBytes int // of a document; at most and normally 1 MiB
	Stages        int // of a template; at most and normally 500
}
