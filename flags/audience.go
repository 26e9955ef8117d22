package flags

import (
	"cmp"
	"iter"
	"slices"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Audience tells whom a change of a flag reaches. [Survey] makes one. What it
// holds is the caller's.
type Audience struct {
	// Contexts is how many were asked.
	Contexts int
	// Shares tells for each value how many get it: first those of the new flag's
	// variations in their order, then those that only the old flag had, and at
	// last the contexts that get none, if there are any.
	Shares []AudienceShare
	// Moves tells how many contexts get what before and after, and why: most
	// contexts first.
	Moves []Move
}

// AudienceShare tells how many contexts get a value.
type AudienceShare struct {
	Value         Value // absent for contexts that get none
	From, To      int   // the indexes of its variation in the old and in the new flag, -1 for none
	Before, After int   // how many contexts get it
	Stay          int   // how many get it before and after
}

// Move tells how many contexts get the same before, and the same after.
type Move struct {
	From, To Evaluation
	Contexts int
}

// Switches reports whether the contexts get another value.
func (m Move) Switches() bool { return m.From.Value.sense() != m.To.Value.sense() }

// Survey evaluates two states of a flag in an environment for contexts, and
// tells whom the change reaches. known serves both; nil knows nothing. Contexts
// are not kept, so there may be very many. A context that comes twice counts
// twice, and a zero one as one that gets nothing.
//
// Values tell variations apart: a context that gets an equal value from another
// variation, or by another rule, stays.
func Survey(from, to Flag, environment string, contexts iter.Seq[Context], known Lookup) Audience {
	var a Audience
	var places moveSet
	for c := range contexts {
		m := Move{From: Evaluate(from, environment, c, known), To: Evaluate(to, environment, c, known)}
		i := places.find(m)
		if i == len(a.Moves) {
			a.Moves = append(a.Moves, m)
		}
		a.Moves[i].Contexts++
		a.Contexts++
	}
	slices.SortFunc(a.Moves, compareMoves)
	a.share(from, to)
	return a
}

// moveSet numbers moves. The zero moveSet is empty.
type moveSet struct {
	few  []Move // the first ones, which are found faster by comparing
	many map[Move]int
}

// find returns the number of a move that concerns no contexts yet.
func (s *moveSet) find(m Move) int {
	const few = 16
	for i := range s.few {
		if s.few[i] == m {
			return i
		}
	}
	if len(s.few) < few {
		s.few = append(s.few, m)
		return len(s.few) - 1
	}
	i, there := s.many[m]
	if !there {
		i = few + len(s.many)
		if s.many == nil {
			s.many = map[Move]int{}
		}
		s.many[m] = i
	}
	return i
}

// compareMoves compares moves by how many contexts they concern, and then by
// what they are.
func compareMoves(a, b Move) int {
	return cmp.Or(
		cmp.Compare(b.Contexts, a.Contexts),
		cmp.Compare(a.From.Variation, b.From.Variation), cmp.Compare(a.To.Variation, b.To.Variation),
		slices.Compare(a.From.Reason.AppendJSON(nil), b.From.Reason.AppendJSON(nil)),
		slices.Compare(a.To.Reason.AppendJSON(nil), b.To.Reason.AppendJSON(nil)),
		cmp.Compare(a.From.Reason.Detail, b.From.Reason.Detail), cmp.Compare(a.To.Reason.Detail, b.To.Reason.Detail),
	)
}

// share adds up the moves by value.
func (a *Audience) share(from, to Flag) {
	places := map[string]int{} // by the sense of the value
	place := func(v Value) *AudienceShare {
		i, there := places[v.sense()]
		if !there {
			i = len(a.Shares)
			places[v.sense()] = i
			a.Shares = append(a.Shares, AudienceShare{Value: v, From: -1, To: -1})
		}
		return &a.Shares[i]
	}
	for i, v := range to.Variations() {
		place(v.Value).To = i
	}
	for i, v := range from.Variations() {
		place(v.Value).From = i
	}
	for _, m := range a.Moves {
		place(m.From.Value).Before += m.Contexts
		place(m.To.Value).After += m.Contexts
		if !m.Switches() {
			place(m.From.Value).Stay += m.Contexts
		}
	}
}

// Switched returns how many contexts get another value.
func (a Audience) Switched() int {
	n := 0
	for _, m := range a.Moves {
		if m.Switches() {
			n += m.Contexts
		}
	}
	return n
}

// AppendJSON appends the audience as JSON.
func (a Audience) AppendJSON(dst []byte) []byte {
	start := len(dst)
	dst = strictjson.AppendInt(appendName(dst, "contexts"), int64(a.Contexts))
	dst = strictjson.AppendInt(appendName(dst, "switched"), int64(a.Switched()))
	dst = appendList(appendName(dst, "values"), a.Shares, (*AudienceShare).appendJSON)
	dst = appendList(appendName(dst, "moves"), a.Moves, (*Move).appendJSON)
	return closeObject(dst, start)
}

// MarshalJSON returns the same bytes as [Audience.AppendJSON].
func (a Audience) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

func (s *AudienceShare) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = s.Value.AppendJSON(appendName(dst, "value"))
	dst = strictjson.AppendInt(appendName(dst, "before"), int64(s.Before))
	dst = strictjson.AppendInt(appendName(dst, "after"), int64(s.After))
	dst = strictjson.AppendInt(appendName(dst, "stay"), int64(s.Stay))
	return closeObject(dst, start)
}

func (m *Move) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = strictjson.AppendInt(appendName(dst, "contexts"), int64(m.Contexts))
	dst = m.From.AppendJSON(appendName(dst, "from"))
	dst = m.To.AppendJSON(appendName(dst, "to"))
	return closeObject(dst, start)
}
