package flags

import (
	"cmp"
	"fmt"
	"iter"
	"math/bits"
	"slices"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Population is a number of contexts that are made up, to see whom a flag
// reaches. They are made one by one when they are asked for: a population needs
// no memory for them. [NewPopulation] makes one.
//
// All contexts of a population are of one kind. For a flag that looks at several
// kinds at once, join those of several populations with [MultiContext].
//
// Populations are immutable and safe for concurrent use. The zero Population
// has no contexts.
type Population struct{ body *populationBody }

type populationBody struct {
	kind       string
	size       int
	seed       uint64
	attributes []populationAttribute // by name
}

type populationAttribute struct {
	attributes []attribute // one for each value
	ends       []uint64    // where the share of each value ends
	name       uint64      // a hash of the name
}

// AttributeShares says how often an attribute has which value.
type AttributeShares struct {
	Name   string // as in [Attribute]
	Values []ValueShare
}

// ValueShare is a value and its share: with weights 3 and 1, three quarters of
// the contexts have the first value.
type ValueShare struct {
	Value  Value // null and the zero Value say that the attribute is missing
	Weight int   // from 0 to 1,000,000,000
}

const mostShare = 1_000_000_000

// NewPopulation returns a population of contexts of one kind, "" for user. Their
// keys, and which of them has which values, depend on the seed alone: the first
// contexts of a larger population are those of a smaller one, and an attribute
// more leaves the others as they are. Attributes do not depend on each other.
// An error wraps [ErrInvalidRequest].
func NewPopulation(kind string, size int, seed uint64, attributes ...AttributeShares) (Population, error) {
	b := &populationBody{kind: orUser(kind), size: size, seed: mix(seed)}
	if defect := kindDefect(b.kind); defect != "" {
		return Population{}, fmt.Errorf("make a population: its kind %s: %w", defect, ErrInvalidRequest)
	}
	if size < 0 {
		return Population{}, fmt.Errorf("make a population: there cannot be %d contexts: %w", size, ErrInvalidRequest)
	}
	var names nameSet
	for _, a := range attributes {
		made, defect := newPopulationAttribute(a)
		if defect == "" && names.add(a.Name) {
			defect = "is given twice"
		}
		if defect != "" {
			return Population{}, fmt.Errorf("make a population: attribute %s %s: %w", strictjson.Quote(a.Name), defect, ErrInvalidRequest)
		}
		b.attributes = append(b.attributes, made)
	}
	slices.SortFunc(b.attributes, func(a, b populationAttribute) int { return cmp.Compare(a.attributes[0].Name, b.attributes[0].Name) })
	return Population{b}, nil
}

// newPopulationAttribute returns an attribute, or what is wrong with it.
func newPopulationAttribute(given AttributeShares) (a populationAttribute, defect string) {
	var judge contextBody
	end := uint64(0)
	for _, share := range given.Values {
		if share.Weight < 0 || share.Weight > mostShare {
			return a, fmt.Sprintf("has a share of %d; a share is between 0 and %d", share.Weight, mostShare)
		}
		if defect := judge.add(Attribute{given.Name, share.Value}); defect != "" {
			return a, defect
		}
		end += uint64(share.Weight)
		a.ends = append(a.ends, end)
		a.attributes = append(a.attributes, attribute{Attribute{given.Name, share.Value}, datumOf(share.Value)})
	}
	if end == 0 {
		return a, "has no value with a share"
	}
	a.name = 14695981039346656037 // FNV-1a
	for i := range len(given.Name) {
		a.name = (a.name ^ uint64(given.Name[i])) * 1099511628211
	}
	return a, ""
}

// mix spreads numbers over 64 bits, each to another one (splitmix64).
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

var emptyPopulation populationBody

func (p Population) get() *populationBody {
	if p.body == nil {
		return &emptyPopulation
	}
	return p.body
}

// Len returns how many contexts there are.
func (p Population) Len() int { return p.get().size }

// Context returns the context with the given index, or the zero Context if there
// is none.
func (p Population) Context(index int) Context {
	b := p.get()
	if index < 0 || index >= b.size {
		return Context{}
	}
	number := mix(b.seed + uint64(index))
	c := &contextBody{kind: b.kind, key: populationKey(b.kind, number)}
	if len(b.attributes) > 0 {
		c.attributes = make([]attribute, 0, len(b.attributes))
	}
	for i := range b.attributes {
		a := b.attributes[i].draw(number)
		switch {
		case a.Name == attributeAnonymous:
			c.anonymous = a.datum.truth
		case a.datum.isThere():
			c.attributes = append(c.attributes, *a)
		}
	}
	return Context{c}
}

// populationKey returns a key made of the kind and of a number in hexadecimal
// digits.
func populationKey(kind string, number uint64) string {
	const digits = "0123456789abcdef"
	var room [64]byte
	key := append(append(room[:0], kind...), '-')
	for shift := 60; shift >= 0; shift -= 4 {
		key = append(key, digits[number>>shift&0xf])
	}
	return string(key)
}

// draw returns the value of the attribute that a context with a number has.
func (a *populationAttribute) draw(number uint64) *attribute {
	at, _ := bits.Mul64(mix(number^a.name), a.ends[len(a.ends)-1])
	i, _ := slices.BinarySearch(a.ends, at+1) // the first that ends beyond
	return &a.attributes[i]
}

// Contexts goes through the contexts.
func (p Population) Contexts() iter.Seq[Context] {
	return func(yield func(Context) bool) {
		for i := range p.Len() {
			if !yield(p.Context(i)) {
				return
			}
		}
	}
}
