package flags

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Serve says what contexts are served: one variation, or variations by weight.
// [ServeVariation] and [ServeRollout] make one. The zero Serve says neither and
// is not valid. Serves are immutable.
type Serve struct {
	variationID string
	rollout     *Rollout // not changed once it is here, its weights in order
	single      bool     // variationID is served
}

// Rollout serves variations by weight. Which one a context gets depends on an
// attribute of it and does not change as long as the weights do not.
type Rollout struct {
	// Weights are the shares of the variations. There is at least one, each
	// variation stands once, and together they are [FullWeight]. Their order
	// means nothing; they are written in the order of their ids.
	Weights []Weight
	// BucketBy is the attribute that decides; "" is the context's key.
	BucketBy string
	// ContextKind is the kind of context that it is an attribute of; "" is
	// user.
	ContextKind string
}

// Weight is the share of one variation.
type Weight struct {
	VariationID string
	Weight      int // in thousandths of a percent, 0 to FullWeight
}

// FullWeight is the weight of all contexts, and so the sum of all weights.
const FullWeight = 100_000

// ServeVariation serves one variation, named by its id or by a reference.
func ServeVariation(variationID string) Serve {
	return Serve{variationID: variationID, single: true}
}

// ServeRollout serves variations by weight. It takes a copy of the weights.
func ServeRollout(rollout Rollout) Serve {
	rollout.Weights = slices.Clone(rollout.Weights)
	sortWeights(rollout.Weights)
	return Serve{rollout: &rollout}
}

func sortWeights(weights []Weight) {
	order := func(a, b Weight) int { return cmp.Compare(a.VariationID, b.VariationID) }
	if !slices.IsSortedFunc(weights, order) {
		slices.SortStableFunc(weights, order)
	}
}

// IsZero reports whether s is the zero Serve.
func (s Serve) IsZero() bool { return !s.single && s.rollout == nil }

// Variation returns the id of the one variation that is served, or false.
func (s Serve) Variation() (id string, ok bool) { return s.variationID, s.single }

// Rollout returns the weights, in the order of variation ids, and how contexts
// are told apart, or false if one variation is served. The slice is the
// caller's.
func (s Serve) Rollout() (rollout Rollout, ok bool) {
	if s.rollout == nil {
		return Rollout{}, false
	}
	rollout = *s.rollout
	rollout.Weights = slices.Clone(rollout.Weights)
	return rollout, true
}

// Equal reports whether both serve the same in the same way.
func (s Serve) Equal(other Serve) bool {
	if s.single != other.single || s.variationID != other.variationID || (s.rollout == nil) != (other.rollout == nil) {
		return false
	}
	if s.rollout == nil {
		return true
	}
	a, b := s.rollout, other.rollout
	return a.BucketBy == b.BucketBy && a.ContextKind == b.ContextKind && slices.Equal(a.Weights, b.Weights)
}

// String says in words what is served: "variation 452f5fb5…", or
// "10 % 452f5fb5… and 90 % fc15f6a4…". Ids are cut as in [Instruction.String].
func (s Serve) String() string { return string(s.say(nil, nil)) }

// The members that say what is served.
const (
	memberVariationID = "variationId"
	memberWeights     = "rolloutWeights"
	memberBucketBy    = "rolloutBucketBy"
	memberContextKind = "rolloutContextKind"
)

var serveMembers = []string{memberVariationID, memberWeights, memberBucketBy, memberContextKind}

func (s Serve) appendJSON(dst []byte) []byte {
	switch {
	case s.single:
		return strictjson.AppendString(appendName(dst, memberVariationID), s.variationID)
	case s.rollout == nil:
		return dst
	}
	dst = appendName(dst, memberWeights)
	dst = appendWeights(dst, s.rollout.Weights)
	dst = appendText(dst, memberBucketBy, s.rollout.BucketBy)
	return appendText(dst, memberContextKind, s.rollout.ContextKind)
}

func appendWeights(dst []byte, weights []Weight) []byte {
	dst = append(dst, '{')
	for i, w := range weights {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strictjson.AppendString(dst, w.VariationID)
		dst = strictjson.AppendInt(append(dst, ':'), int64(w.Weight))
	}
	return append(dst, '}')
}

func (s Serve) equal(other arg) bool { o, ok := other.(Serve); return ok && s.Equal(o) }

func (s Serve) say(dst []byte, _ *param) []byte {
	switch {
	case s.single:
		return sayID(append(dst, "variation "...), s.variationID)
	case s.rollout == nil:
		return append(dst, "nothing"...)
	}
	weights := s.rollout.Weights
	dst = sayList(dst, len(weights), " and ", func(dst []byte, i int) []byte {
		return sayID(append(sayPercent(dst, weights[i].Weight), ' '), weights[i].VariationID)
	})
	if kind := s.rollout.ContextKind; kind != "" {
		dst = append(append(dst, " of contexts of kind "...), shorten(kind)...)
	}
	if by := s.rollout.BucketBy; by != "" {
		dst = append(append(dst, " by "...), shorten(by)...)
	}
	return dst
}

// sayPercent appends a weight as a percentage: "12.5 %".
func sayPercent(dst []byte, weight int) []byte {
	if weight < 0 {
		dst = append(dst, '-')
		weight = max(-weight, 0)
	}
	dst = strconv.AppendInt(dst, int64(weight/1000), 10)
	if rest := weight % 1000; rest > 0 {
		digits := [4]byte{'.', byte('0' + rest/100), byte('0' + rest/10%10), byte('0' + rest%10)}
		n := len(digits)
		for digits[n-1] == '0' {
			n--
		}
		dst = append(dst, digits[:n]...)
	}
	return append(dst, " %"...)
}

// serveDraft is what was read so far of the members that say what is served.
type serveDraft struct {
	serve    Serve
	rollout  Rollout
	single   bool // variationId is there
	weighted bool // rolloutWeights is there
}

// serveMember reads one of the members that say what is served.
func (r *reader) serveMember(draft *serveDraft, name string) {
	switch name {
	case memberVariationID:
		if !r.d.Null() {
			draft.single = true
			draft.serve = ServeVariation(r.text(idText))
		}
	case memberWeights:
		if !r.d.Null() {
			draft.weighted = true
			draft.rollout.Weights = r.weights()
		}
	case memberBucketBy:
		draft.rollout.BucketBy = r.optional(blankText)
	case memberContextKind:
		draft.rollout.ContextKind = r.optional(blankText)
	}
}

// serve judges together what was read of the object that was just left.
func (r *reader) serve(draft *serveDraft) Serve {
	switch {
	case draft.single && draft.weighted:
		r.d.ReportMember(memberWeights, string(CodeExclusive), messageTwoServed)
	case draft.single:
		r.ignored(memberBucketBy, draft.rollout.BucketBy)
		r.ignored(memberContextKind, draft.rollout.ContextKind)
	case draft.weighted:
		rollout := draft.rollout
		return Serve{rollout: &rollout}
	default:
		r.missing(memberVariationID, messageNoServe)
	}
	return draft.serve
}

// ignored warns of a member that says something only beside weights.
func (r *reader) ignored(name, s string) {
	if s != "" && r.d.Err() == nil {
		r.problems.Warnf(r.d.PointerTo(name), CodeExclusive, "is ignored: it applies only beside %q", memberWeights)
	}
}

func (r *reader) weights() []Weight {
	d := r.d
	if !d.BeginObject() {
		return nil
	}
	before := d.Reports()
	var weights []Weight
	if !r.failed() {
		weights = make([]Weight, 0, 2)
	}
	sum, n := int64(0), 0
	for id, ok := d.NextMember(); ok; id, ok = d.NextMember() {
		if n++; n > maxList {
			d.Skip()
			continue
		}
		r.fits(idText, id)
		weight, ok := d.ReadInt()
		if ok && !isWeight(weight) {
			d.ReportFunc(string(CodeOutOfRange), func() string { return noWeight(weight) })
		}
		sum += weight
		if !r.failed() {
			weights = append(weights, Weight{VariationID: id, Weight: int(weight)})
		}
	}
	r.report(listDefect(n))
	if d.Err() == nil && d.Reports() == before {
		r.report(sumDefect(sum))
	}
	sortWeights(weights)
	return weights
}

func isWeight(weight int64) bool { return weight >= 0 && weight <= FullWeight }

// noWeight says that a number is no weight.
func noWeight(weight int64) string {
	return fmt.Sprintf("is %d; a weight is between 0 and %d", weight, FullWeight)
}

func sumDefect(sum int64) (Code, string) {
	if sum != FullWeight {
		return CodeOutOfRange, fmt.Sprintf("add up to %d; weights must add up to %d", sum, FullWeight)
	}
	return "", ""
}

// serveMembers judges the members that say what is served.
func (c *checker) serveMembers(s Serve) {
	switch {
	case s.single:
		c.member(memberVariationID, s.variationID, idText)
	case s.rollout != nil:
		c.at.push(memberWeights)
		c.weights(s.rollout.Weights)
		c.at.pop()
		c.optional(memberBucketBy, s.rollout.BucketBy, blankText)
		c.optional(memberContextKind, s.rollout.ContextKind, blankText)
	}
}

// serve judges what is served as a whole.
func (c *checker) serve(s Serve) {
	if s.IsZero() {
		c.missing(memberVariationID, messageNoServe)
	}
}

func (c *checker) weights(weights []Weight) {
	before := c.problems.count()
	sum, last := int64(0), -1
	n := 0
	for i := range weights {
		w := &weights[i]
		c.at.push(w.VariationID)
		if last >= 0 && weights[last].VariationID == w.VariationID {
			c.report(CodeDuplicate, "the name "+strictjson.Quote(w.VariationID)+" stands twice in this object")
		} else if n++; n <= maxList {
			last = i
			sum += int64(w.Weight)
			c.text(w.VariationID, idText)
			if weight := int64(w.Weight); !isWeight(weight) && len(w.VariationID) <= strictjson.MaxString { // else reading passes over it
				c.report(CodeOutOfRange, noWeight(weight))
			}
		}
		c.at.pop()
	}
	c.report(listDefect(n))
	if c.problems.count() == before {
		c.report(sumDefect(sum))
	}
}

func (c *slotCollector) serve(s Serve) {
	switch {
	case s.single:
		c.member(memberVariationID, s.variationID, SlotVariationID)
	case s.rollout != nil:
		weights := s.rollout.Weights
		c.at.push(memberWeights)
		refs := 0
		for i := range weights {
			if id := weights[i].VariationID; IsRef(id) {
				refs++
				c.at.push(id)
				c.used(id)
				c.at.pop()
			}
		}
		if refs == len(weights) && refs > 0 {
			c.at.pop()
			return
		}
		if slot := c.add(SlotRolloutWeights); slot != nil {
			slot.Value = Value{text: string(appendWeights(nil, weights)), depth: 1}
		}
		c.at.pop()
	}
}

var paramServe = param{name: "serve", shape: serveShape}

var updateFallthroughVariationOrRollout = kind{
	name:   "updateFallthroughVariationOrRollout",
	scope:  ScopeEnvironment,
	params: []param{paramServe},
	reads:  []Field{FieldVariations},
	writes: []Field{FieldFallthrough},
	says:   "serve {serve} by default",
	apply:  (*work).updateFallthroughVariationOrRollout,
}

// UpdateFallthroughVariationOrRollout changes what the default rule of one
// environment serves: contexts get it that no target and no other rule matches,
// while targeting is on. Variations that do not exist are an error.
//
// A rollout lists the variations that have weights, 0 too, in the order in which
// the flag has them, so that a context keeps its variation when that one's
// weight grows at the end; a variation that is left out is served to nobody. In
// place of another rollout, the seed and what else weights do not say stays; the
// same weights keep the order that they have.
func UpdateFallthroughVariationOrRollout(serve Serve) Instruction {
	return build(&updateFallthroughVariationOrRollout, serve)
}

var updateOffVariation = kind{
	name:   "updateOffVariation",
	scope:  ScopeEnvironment,
	params: []param{paramVariationID},
	reads:  []Field{FieldVariations},
	writes: []Field{FieldOffVariation},
	says:   "serve variation {variationId} while targeting is off",
	apply:  (*work).updateOffVariation,
}

// UpdateOffVariation changes the variation that is served in one environment
// while targeting is off. A variation that does not exist is an error.
func UpdateOffVariation(variationID string) Instruction {
	return build(&updateOffVariation, text(variationID))
}

func (w *work) updateFallthroughVariationOrRollout(args []arg) error {
	s, err := w.served(args[0].(Serve), &w.env().byDefault)
	if err == nil && !s.same(&w.env().byDefault) {
		w.ownEnv().byDefault = s
	}
	return err
}

func (w *work) updateOffVariation(args []arg) error {
	i, err := w.variation(memberVariationID, textOf(args[0]))
	if off := (number{int64(i), true}); err == nil && w.env().off != off {
		w.ownEnv().off = off
	}
	return err
}

// served returns what the document says of what is served, in place of what was
// served before. Of a rollout that takes the place of one, what the instruction
// cannot say stays: its kind, the seed, the experiment, which variations are
// tracked, and unknown members.
func (w *work) served(s Serve, before *servedBody) (servedBody, error) {
	if s.single {
		i, err := w.variation(memberVariationID, s.variationID)
		return servedBody{single: true, variation: i}, err
	}
	b := new(rolloutBody)
	old := before.rollout
	if old != nil {
		*b = *old
	}
	b.contextKind, b.bucketBy = orUser(s.rollout.ContextKind), s.rollout.BucketBy
	b.weights = make([]weightBody, len(s.rollout.Weights))
	w.at.push(memberWeights)
	for i, weight := range s.rollout.Weights {
		index, err := w.variation(weight.VariationID, weight.VariationID)
		if err != nil {
			return servedBody{}, err
		}
		body := weightBody{WeightedVariation: WeightedVariation{Variation: index, Weight: weight.Weight}}
		if old != nil {
			if j := old.weight(index); j >= 0 {
				body.Untracked, body.spelling, body.more = old.weights[j].Untracked, old.weights[j].spelling, old.weights[j].more
				w.growth += len(body.more)
			}
		}
		b.weights[i] = body
	}
	order := func(a, b weightBody) int { return cmp.Compare(a.Variation, b.Variation) }
	slices.SortFunc(b.weights, order)
	for i := 1; i < len(b.weights); i++ {
		if index := b.weights[i].Variation; index == b.weights[i-1].Variation {
			return servedBody{}, w.fail(CodeDuplicate, "variation %s has two weights", strictjson.Quote(w.flag.variations[index].ID))
		}
	}
	w.at.pop()
	if old != nil {
		there := slices.Clone(old.weights)
		slices.SortStableFunc(there, order)
		if equalPointed(there, b.weights, (*weightBody).same) {
			b.weights = old.weights // in the order that they have
		}
	}
	w.growth += 80 * len(b.weights)
	return servedBody{rollout: b}, nil
}

// weight returns the index of a variation's weight, or -1.
func (b *rolloutBody) weight(variation int) int {
	return slices.IndexFunc(b.weights, func(w weightBody) bool { return w.Variation == variation })
}
