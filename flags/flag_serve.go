package flags

import "github.com/flagstage/flagstage/internal/strictjson"

// Served says what a rule of a flag serves: one variation, variations by
// weight, or nothing. It is immutable; the zero Served serves nothing.
type Served struct{ body *servedBody }

type servedBody struct {
	single    bool
	variation int // if single
	rollout   *rolloutBody
}

// rolloutBody is not changed once it is in a flag.
type rolloutBody struct {
	kind                  rolloutKind
	weights               []weightBody
	contextKind, bucketBy string // as in the document; "" are user and key
	seed                  number
	allocation            *allocationBody // of an experiment
	more                  string
}

// rolloutKind says what a rollout is, "" that its document leaves it to other
// members.
type rolloutKind string

const (
	rolloutPlain      rolloutKind = "rollout"
	rolloutExperiment rolloutKind = "experiment"
)

type weightBody struct {
	WeightedVariation
	spelling trackingSpelling
	more     string
}

// trackingSpelling says how the document spells that a variation is not
// tracked.
type trackingSpelling byte

const (
	spelledByREST trackingSpelling = iota // _untracked
	spelledBySDK                          // untracked
	spelledByBoth
)

// allocationBody says what an experiment does with the contexts that it leaves
// out.
type allocationBody struct {
	variation int
	more      string
}

// Variation returns the index of the one variation that is served, or false.
func (s Served) Variation() (index int, ok bool) {
	if s.body == nil {
		return 0, false
	}
	return s.body.variation, s.body.single
}

// Rollout returns the variations by weight, or false if they are not served
// so.
func (s Served) Rollout() (FlagRollout, bool) {
	if s.body == nil || s.body.rollout == nil {
		return FlagRollout{}, false
	}
	return FlagRollout{s.body.rollout}, true
}

// FlagRollout serves variations by weight. It is immutable; the zero
// FlagRollout serves nothing.
type FlagRollout struct{ body *rolloutBody }

// WeightedVariation is a share of a rollout.
type WeightedVariation struct {
	Variation int // its index in the flag
	Weight    int // in thousandths of a percent, 0 to FullWeight
	Untracked bool
}

var emptyRollout rolloutBody

func (r FlagRollout) get() *rolloutBody {
	if r.body == nil {
		return &emptyRollout
	}
	return r.body
}

// Len returns how many variations have a weight.
func (r FlagRollout) Len() int { return len(r.get().weights) }

// At returns the share with the given index, or the zero WeightedVariation if
// there is none. Their order decides which contexts get which.
func (r FlagRollout) At(i int) WeightedVariation {
	if b := r.get(); i >= 0 && i < len(b.weights) {
		return b.weights[i].WeightedVariation
	}
	return WeightedVariation{}
}

// ContextKind returns the kind of context that is told apart, "user" if the
// document says none.
func (r FlagRollout) ContextKind() string { return orUser(r.get().contextKind) }

// BucketBy returns the attribute by which contexts are told apart, "" for their
// key.
func (r FlagRollout) BucketBy() string { return r.get().bucketBy }

// Seed returns the number that takes the place of the flag's key and the salt
// in telling contexts apart, or false if there is none.
func (r FlagRollout) Seed() (int64, bool) {
	seed := r.get().seed
	return seed.n, seed.given
}

// Experiment reports whether the rollout is one of an experiment, and then
// which variation the contexts get that are not a part of it, -1 if the document
// does not say. It is one if its kind is "experiment", as SDKs get it, or, where
// no kind is given, if it has an allocation, as the REST API writes it.
func (r FlagRollout) Experiment() (variation int, ok bool) {
	b := r.get()
	switch {
	case !b.isExperiment():
		return 0, false
	case b.allocation == nil:
		return -1, true
	}
	return b.allocation.variation, true
}

func (b *rolloutBody) isExperiment() bool {
	return b.kind == rolloutExperiment || b.kind == "" && b.allocation != nil
}

func (s *servedBody) given() bool { return s.single || s.rollout != nil }

// appendMembers appends the members that say what is served, each with a comma
// before it.
func (s *servedBody) appendMembers(dst []byte) []byte {
	switch {
	case s.single:
		return strictjson.AppendInt(appendName(dst, "variation"), int64(s.variation))
	case s.rollout != nil:
		return s.rollout.appendJSON(appendName(dst, "rollout"))
	}
	return dst
}

func (b *rolloutBody) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = appendText(dst, "kind", string(b.kind))
	dst = appendList(appendName(dst, "variations"), b.weights, (*weightBody).appendJSON)
	dst = appendText(dst, "contextKind", b.contextKind)
	dst = appendText(dst, "bucketBy", b.bucketBy)
	dst = b.seed.appendJSON(dst, "seed")
	if b.allocation != nil {
		dst = appendName(dst, "experimentAllocation")
		inner := len(dst)
		dst = strictjson.AppendInt(appendName(dst, "defaultVariation"), int64(b.allocation.variation))
		dst = closeObject(append(dst, b.allocation.more...), inner)
	}
	return closeObject(append(dst, b.more...), start)
}

func (w *weightBody) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = strictjson.AppendInt(appendName(dst, "variation"), int64(w.Variation))
	dst = strictjson.AppendInt(appendName(dst, "weight"), int64(w.Weight))
	if w.Untracked && w.spelling != spelledBySDK {
		dst = strictjson.AppendBool(appendName(dst, "_untracked"), true)
	}
	if w.spelling != spelledByREST {
		dst = strictjson.AppendBool(appendName(dst, "untracked"), w.Untracked)
	}
	return closeObject(append(dst, w.more...), start)
}

// servedMember reads one of the two members that say what is served.
func (r *flagReader) servedMember(s *servedBody, name string) {
	switch {
	case r.d.Null():
	case name == "variation":
		s.single, s.variation = true, r.index()
	default:
		s.rollout = r.rollout()
	}
	if s.single && s.rollout != nil {
		r.report(CodeExclusive, "cannot stand beside the other: serve one variation, or several by weight")
	}
}

var defaultRuleMembers = []string{"variation", "rollout"}

func (r *flagReader) byDefault() (s servedBody, more string) {
	more, _ = r.object(func(name string) bool {
		if name != "variation" && name != "rollout" {
			return false
		}
		r.servedMember(&s, name)
		return true
	}, defaultRuleMembers)
	return s, more
}

var rolloutMembers = []string{"kind", "variations", "contextKind", "bucketBy", "seed", "experimentAllocation"}

func (r *flagReader) rollout() *rolloutBody {
	b := new(rolloutBody)
	variationsGiven := false
	var given bool
	b.more, given = r.object(func(name string) bool {
		switch name {
		case "kind":
			b.kind = r.rolloutKind()
		case "variations":
			variationsGiven = true
			b.weights = r.flagWeights()
		case "contextKind":
			b.contextKind = r.optional(blankText)
		case "bucketBy":
			b.bucketBy = r.optional(blankText)
		case "seed":
			if !r.d.Null() {
				b.seed.n, b.seed.given = r.d.ReadInt()
			}
		case "experimentAllocation":
			b.allocation = r.allocation()
		default:
			return false
		}
		return true
	}, rolloutMembers)
	if given && !variationsGiven {
		r.missing("variations", messageMissing)
	}
	return b
}

// rolloutKind reads what a rollout is, or null as nothing. SDKs take any other
// kind for a plain rollout; here it is an error, for it was meant to be
// something else.
func (r *flagReader) rolloutKind() rolloutKind {
	if r.d.Null() {
		return ""
	}
	s, ok := r.d.ReadString()
	kind := rolloutKind(s)
	if ok && kind != rolloutPlain && kind != rolloutExperiment {
		r.d.ReportFunc(string(CodeUnknownKind), func() string {
			return strictjson.Quote(s) + " is no kind of rollout" + meant(s, []rolloutKind{rolloutPlain, rolloutExperiment})
		})
	}
	return kind
}

var allocationMembers = []string{"defaultVariation"}

func (r *flagReader) allocation() *allocationBody {
	a := new(allocationBody)
	variationGiven := false
	var given bool
	a.more, given = r.object(func(name string) bool {
		if name != "defaultVariation" {
			return false
		}
		variationGiven = true
		a.variation = r.index()
		return true
	}, allocationMembers)
	if !given {
		return nil
	}
	if !variationGiven {
		r.missing("defaultVariation", messageMissing)
	}
	return a
}

func (r *flagReader) flagWeights() []weightBody {
	sum, before := int64(0), r.d.Reports()
	list := readList(&r.reader, 2, func() weightBody {
		w := r.flagWeight()
		sum += int64(w.Weight)
		return w
	})
	switch {
	case r.d.Err() != nil || r.d.Reports() > before:
	case len(list) == 0 && !r.failed():
		r.report(CodeMalformed, messageEmpty)
	case sum > FullWeight:
		r.report(sumDefect(sum))
	case sum < FullWeight && !r.failed():
		r.problems.Warnf(r.d.Pointer(), CodeOutOfRange, "add up to %d, not to %d; the last variation gets what is left", sum, FullWeight)
	}
	return list
}

var flagWeightMembers = []string{"variation", "weight", "_untracked", "untracked"}

func (r *flagReader) flagWeight() (w weightBody) {
	variationGiven, weightGiven := false, false
	var byREST, bySDK truthOrNone
	var given bool
	w.more, given = r.object(func(name string) bool {
		switch name {
		case "variation":
			variationGiven = true
			w.Variation = r.index()
		case "weight":
			weightGiven = true
			weight, ok := r.d.ReadInt()
			if ok && !isWeight(weight) {
				r.d.ReportFunc(string(CodeOutOfRange), func() string { return noWeight(weight) })
				weight = 0
			}
			w.Weight = int(weight)
		case "_untracked":
			byREST = r.truthOrNone()
		case "untracked":
			bySDK = r.truthOrNone()
		default:
			return false
		}
		return true
	}, flagWeightMembers)
	switch {
	case !given && !r.failed():
		r.report(CodeWrongType, messageNull)
	case given && !variationGiven:
		r.missing("variation", messageMissing)
	case given && !weightGiven:
		r.missing("weight", messageMissing)
	}
	w.Untracked = byREST.is || bySDK.is
	switch {
	case byREST.given && bySDK.given:
		w.spelling = spelledByBoth
		if byREST.is != bySDK.is {
			r.d.ReportMember("untracked", string(CodeAmbiguous), `says otherwise than "_untracked", which is the same member in another spelling`)
		}
	case bySDK.given:
		w.spelling = spelledBySDK
	}
	return w
}
