package flagstage

import (
	"fmt"
	"log/slog"

	"github.com/flagstage/flagstage/flags"
)

// An Option changes how documents are read or what an engine works with. All
// are optional; those that do not concern a function have no effect on it.
type Option func(*options)

type options struct {
	reading    flags.Reading
	clock      Clock
	ids        IDSource
	guard      Guard
	flagSource FlagSource
	logger     *slog.Logger
	limits     Limits
	durability Durability
	readOnly   bool
	progress   Progress

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
	return nil
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

// WithLogger gives an engine a logger. Without it, it is silent.
func WithLogger(logger *slog.Logger) Option { return func(o *options) { o.logger = logger } }

// WithLimits gives an engine limits that are narrower than those that there
// are anyway.
func WithLimits(limits Limits) Option { return func(o *options) { o.limits = limits } }

// WithDurability says what [Open] promises of what was written:
// [DurabilityAlways], which it is without this option, [DurabilityInterval] or
// [DurabilityNever].
func WithDurability(d Durability) Option { return func(o *options) { o.durability = d } }

// WithReadOnly makes [Open] open a store as [ReadStore] does: while others use
// it, and to read what is in it now.
func WithReadOnly() Option { return func(o *options) { o.readOnly = true } }

// WithProgress has a function called while a large store is opened.
func WithProgress(progress Progress) Option { return func(o *options) { o.progress = progress } }

// Limits are limits of an engine. Zero stands for the limit that there is
// anyway.
type Limits struct {
	DocumentBytes int // of a document; at most and normally 1 MiB
	Stages        int // of a template; at most and normally 500
}
