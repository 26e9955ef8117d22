package flags

import "slices"

// mover returns the place that a variation gets when variations move, or -1 if
// it goes.
type mover func(index int) int

// move moves the variations in an environment that is not shared. Those that go
// are not served.
func (e *environmentBody) move(to mover) {
	e.users, e.contexts = moveLists(e.users, to), moveLists(e.contexts, to)
	e.byDefault = e.byDefault.move(to)
	if e.off.given {
		e.off.n = int64(to(int(e.off.n)))
	}
	shared := true
	for i, rule := range e.rules {
		if !rule.served.moves(to) {
			continue
		}
		if shared {
			shared = false
			e.rules = slices.Clone(e.rules)
		}
		moved := *rule
		moved.served = rule.served.move(to)
		e.rules[i] = &moved
	}
}

func moveLists(list []*targetsBody, to mover) []*targetsBody {
	if !slices.ContainsFunc(list, func(t *targetsBody) bool { return to(t.variation) != t.variation }) {
		return list
	}
	var result []*targetsBody
	for _, t := range list {
		index := to(t.variation)
		if index < 0 {
			continue
		}
		if index != t.variation {
			moved := *t
			moved.variation = index
			t = &moved
		}
		result = append(result, t)
	}
	return result
}

// moves reports whether a variation moves that is served.
func (s *servedBody) moves(to mover) bool {
	if s.rollout == nil {
		return s.single && to(s.variation) != s.variation
	}
	a := s.rollout.allocation
	return a != nil && to(a.variation) != a.variation ||
		slices.ContainsFunc(s.rollout.weights, func(w weightBody) bool { return to(w.Variation) != w.Variation })
}

// move returns what is served once variations have moved.
func (s *servedBody) move(to mover) servedBody {
	if !s.moves(to) {
		return *s
	}
	if s.rollout == nil {
		return servedBody{single: true, variation: to(s.variation)}
	}
	b := *s.rollout
	b.weights = make([]weightBody, 0, len(s.rollout.weights))
	for _, w := range s.rollout.weights {
		if w.Variation = to(w.Variation); w.Variation >= 0 {
			b.weights = append(b.weights, w)
		}
	}
	if b.allocation != nil {
		a := *b.allocation
		a.variation = to(a.variation)
		b.allocation = &a
	}
	return servedBody{rollout: &b}
}
