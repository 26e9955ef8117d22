package flagstage

import (
	"context"
	"errors"
	"fmt"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// FlagSource knows flags and segments, where templates are created and bound to
// flags. It is a port, safe for concurrent use; the flags that an engine keeps
// itself are one. See [WithFlagSource].
type FlagSource interface {
	// Flag returns the flag that ref names, with the environment that ref
	// names among its own if the flag has it. The error wraps [ErrNotFound] if
	// there is no such flag; any other one means that it is not known whether
	// there is.
	Flag(ctx context.Context, ref Origin) (flags.Flag, error)
	// SegmentExists reports whether an environment has a segment.
	SegmentExists(ctx context.Context, projectKey, environmentKey, key string) (bool, error)
}

// flagSource returns what knows flags and segments, nil if nothing does.
func (e *Engine) flagSource() FlagSource {
	switch {
	case e.source != nil:
		return e.source
	case e.applier != nil:
		return nil
	}
	return builtIn{e}
}

// lookUp returns a target with what a source knows of it. The target asks the
// source with ctx.
func lookUp(ctx context.Context, source FlagSource, origin Origin) (Target, error) {
	f, err := askFlag(ctx, source, origin)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Target{}, fmt.Errorf("look up flag %s: %w", strictjson.Quote(origin.FlagKey), err)
	}
	return Target{
		Origin: origin,
		Flag:   f,
		Others: sourceFlags{ctx, source, origin},
		Segment: func(key string) (bool, error) {
			return source.SegmentExists(ctx, origin.ProjectKey, origin.EnvironmentKey, key)
		},
	}, nil
}

// askFlag asks a source for a flag, which is zero with an error.
func askFlag(ctx context.Context, source FlagSource, ref Origin) (flags.Flag, error) {
	f, err := source.Flag(ctx, ref)
	switch {
	case err != nil:
		return flags.Flag{}, err
	case f.IsZero():
		return flags.Flag{}, ErrNotFound
	case f.Key() != ref.FlagKey:
		return flags.Flag{}, fmt.Errorf("the source of flags answers with the flag %s", strictjson.Quote(f.Key()))
	}
	return f, nil
}

// sourceFlags are the flags of a project that a source knows, for one call.
type sourceFlags struct {
	ctx    context.Context // of the call
	source FlagSource
	beside Origin
}

// Flag asks the source.
func (s sourceFlags) Flag(key string) (flags.Flag, error) {
	ref := s.beside
	ref.FlagKey = key
	return askFlag(s.ctx, s.source, ref)
}

// Dependents returns none: a source does not tell.
func (s sourceFlags) Dependents(string) ([]string, error) { return nil, nil }

// remember gives a template the values behind its ids of variations, as far as
// the source of flags knows them.
func (e *Engine) remember(ctx context.Context, t *Template) error {
	source := e.flagSource()
	if source == nil || !t.namesVariations() {
		return nil
	}
	target, err := lookUp(ctx, source, t.origin)
	if err != nil {
		return err
	}
	known, err := t.WithValues(target)
	if err != nil {
		return err
	}
	*t = known
	return nil
}
