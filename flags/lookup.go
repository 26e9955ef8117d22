package flags

// Lookup knows the flags and segments of one environment. [Evaluate] asks it for
// the flags that are prerequisites and the segments that clauses name. Within one
// call it may ask for the same key several times, and takes it that the answer
// does not change; once it has looked at many flags and segments it remembers by
// their keys what came out, and no longer asks for those.
//
// A Lookup should keep what it has decoded, as [Known] does: decoding a flag takes
// far longer than evaluating it, and nothing is remembered from one call of
// Evaluate to the next. One whose flags change while it is used can be a snapshot:
// a new Lookup for each state. It must be safe for concurrent use if evaluations
// run at the same time.
type Lookup interface {
	// LookUpFlag returns the flag with the given key, or false if there is none.
	LookUpFlag(key string) (Flag, bool)
	// LookUpSegment returns the segment with the given key, or false if there is
	// none.
	LookUpSegment(key string) (Segment, bool)
}

// Known is a [Lookup] of flags and segments in memory. It is immutable and safe
// for concurrent use; the zero Known knows none.
type Known struct{ body *knownBody } // one pointer, so that it becomes a Lookup without an allocation

type knownBody struct {
	flags    map[string]Flag
	segments map[string]Segment
}

// NewKnown returns a Known. Of several flags, or segments, with the same key the
// last one counts. Zero ones count as none.
func NewKnown(flags []Flag, segments []Segment) Known {
	b := &knownBody{make(map[string]Flag, len(flags)), make(map[string]Segment, len(segments))}
	for _, f := range flags {
		if !f.IsZero() {
			b.flags[f.Key()] = f
		}
	}
	for _, s := range segments {
		if !s.IsZero() {
			b.segments[s.Key()] = s
		}
	}
	return Known{b}
}

var emptyKnown knownBody

func (k Known) get() *knownBody {
	if k.body == nil {
		return &emptyKnown
	}
	return k.body
}

// LookUpFlag returns the flag with a key, or false if there is none.
func (k Known) LookUpFlag(key string) (Flag, bool) {
	f, ok := k.get().flags[key]
	return f, ok
}

// LookUpSegment returns the segment with a key, or false if there is none.
func (k Known) LookUpSegment(key string) (Segment, bool) {
	s, ok := k.get().segments[key]
	return s, ok
}
