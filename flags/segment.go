package flags

import (
	"iter"
	"slices"
	"time"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Segment is a set of contexts that clauses with [OpSegmentMatch] name: those
// whose keys are listed, and those that match rules. It is one of a single
// environment. [DecodeSegment] reads one.
//
// Segments are immutable and safe for concurrent use. The zero Segment has no
// key, and nobody is in it.
type Segment struct{ body *segmentBody }

type segmentBody struct {
	key, name, description string

	tags              []string
	created, modified number
	version           int64
	deleted           bool
	salt              string
	included          segmentList    // users
	excluded          segmentList    // users
	includedContexts  []*segmentList // of any kind
	excludedContexts  []*segmentList // of any kind
	rules             []*segmentRule
	unbounded         bool
	unboundedKind     string // as in the document; "" is user
	generation        number
	more              string // unknown members, each with a comma before it
}

// segmentList names contexts of a kind. It serves no variation.
type segmentList struct{ targetsBody }

type segmentRule struct {
	id, description       string
	clauses               []clauseBody
	weight                number
	contextKind, bucketBy string // as in the document; "" are user and key
	more                  string
}

var emptySegment segmentBody

func (s Segment) get() *segmentBody {
	if s.body == nil {
		return &emptySegment
	}
	return s.body
}

// IsZero reports whether s is the zero Segment.
func (s Segment) IsZero() bool { return s.body == nil }

// Key returns the segment's key.
func (s Segment) Key() string { return s.get().key }

// Name returns the segment's name for people, which may be empty.
func (s Segment) Name() string { return s.get().name }

// Description returns the segment's description, "" if it has none.
func (s Segment) Description() string { return s.get().description }

// Tags returns the segment's tags in the order of the document. The slice is the
// caller's.
func (s Segment) Tags() []string { return slices.Clone(s.get().tags) }

// CreatedAt returns when the segment was created, or false if the document does
// not say.
func (s Segment) CreatedAt() (time.Time, bool) { return s.get().created.date() }

// ModifiedAt returns when the segment was changed last, or false if the document
// does not say.
func (s Segment) ModifiedAt() (time.Time, bool) { return s.get().modified.date() }

// Version returns the number that grows by one whenever the segment changes.
func (s Segment) Version() int64 { return s.get().version }

// Deleted reports whether the segment is deleted. Clauses that name it are as if
// it had never been.
func (s Segment) Deleted() bool { return s.get().deleted }

// Salt returns the text that is mixed into what decides which contexts a rule
// with a weight takes.
func (s Segment) Salt() string { return s.get().salt }

// Unbounded reports whether the keys of the contexts are kept elsewhere. This
// package knows none of them, and evaluates as an SDK without a store for them.
func (s Segment) Unbounded() bool { return s.get().unbounded }

// Included goes through the lists of contexts that are in the segment, in the
// order in which they are looked at. Their variation is 0 and means nothing.
func (s Segment) Included() iter.Seq[TargetList] {
	return segmentLists(&s.get().included, s.get().includedContexts)
}

// Excluded goes through the lists of contexts that are not in the segment unless
// they are included, as [Segment.Included] does.
func (s Segment) Excluded() iter.Seq[TargetList] {
	return segmentLists(&s.get().excluded, s.get().excludedContexts)
}

func segmentLists(users *segmentList, others []*segmentList) iter.Seq[TargetList] {
	return func(yield func(TargetList) bool) {
		if len(users.values) > 0 && !yield(TargetList{&users.targetsBody}) {
			return
		}
		for _, l := range others {
			if len(l.values) > 0 && !yield(TargetList{&l.targetsBody}) {
				return
			}
		}
	}
}

// RuleCount returns how many rules the segment has.
func (s Segment) RuleCount() int { return len(s.get().rules) }

// RulesInWords says of each rule, in their order, whom it takes.
func (s Segment) RulesInWords() []string {
	list := make([]string, s.RuleCount())
	for i := range list {
		list[i] = s.get().rules[i].words()
	}
	return list
}

// words says whom a rule takes.
func (rule *segmentRule) words() string {
	dst := sayIf(rule.clauses)
	if !rule.weight.given {
		return string(dst)
	}
	dst = sayPercent(append(dst, " ("...), int(rule.weight.n))
	if rule.contextKind == "" {
		dst = append(dst, " of them"...)
	} else {
		dst = append(append(dst, " of contexts of kind "...), shorten(rule.contextKind)...)
	}
	if rule.bucketBy != "" {
		dst = append(append(dst, " by "...), shorten(rule.bucketBy)...)
	}
	return string(append(dst, ')'))
}

// Equal reports whether two segments are written the same.
func (s Segment) Equal(other Segment) bool {
	return s.body == other.body || string(s.AppendJSON(nil)) == string(other.AppendJSON(nil))
}

// AppendJSON appends the segment in its canonical form: in each object first the
// members that this package knows, in a fixed order, and then all others as they
// were read. The zero Segment is written as null.
func (s Segment) AppendJSON(dst []byte) []byte {
	b := s.body
	if b == nil {
		return append(dst, "null"...)
	}
	start := len(dst)
	dst = strictjson.AppendString(appendName(dst, "key"), b.key)
	dst = strictjson.AppendString(appendName(dst, "name"), b.name)
	dst = appendText(dst, "description", b.description)
	dst = strictjson.AppendStrings(appendName(dst, "tags"), b.tags)
	dst = b.created.appendJSON(dst, "creationDate")
	dst = b.modified.appendJSON(dst, "lastModifiedDate")
	dst = strictjson.AppendInt(appendName(dst, "version"), b.version)
	dst = strictjson.AppendBool(appendName(dst, "deleted"), b.deleted)
	dst = appendText(dst, "salt", b.salt)
	dst = strictjson.AppendStrings(appendName(dst, "included"), b.included.values)
	dst = strictjson.AppendStrings(appendName(dst, "excluded"), b.excluded.values)
	dst = appendPointers(appendName(dst, "includedContexts"), b.includedContexts, (*segmentList).appendJSON)
	dst = appendPointers(appendName(dst, "excludedContexts"), b.excludedContexts, (*segmentList).appendJSON)
	dst = appendPointers(appendName(dst, "rules"), b.rules, (*segmentRule).appendJSON)
	if b.unbounded {
		dst = strictjson.AppendBool(appendName(dst, "unbounded"), true)
	}
	dst = appendText(dst, "unboundedContextKind", b.unboundedKind)
	dst = b.generation.appendJSON(dst, "generation")
	return closeObject(append(dst, b.more...), start)
}

// MarshalJSON returns the same bytes as [Segment.AppendJSON].
func (s Segment) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// UnmarshalJSON reads the segment as [DecodeSegment] does; null is an error. An
// error is a [*ProblemsError], and leaves the segment as it was; warnings alone
// are dropped.
func (s *Segment) UnmarshalJSON(document []byte) error {
	read, problems := DecodeSegment(document)
	if err := problems.Err(); err != nil {
		return err
	}
	*s = read
	return nil
}

func (l *segmentList) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = strictjson.AppendStrings(appendName(dst, "values"), l.values)
	dst = appendText(dst, "contextKind", l.contextKind)
	return closeObject(append(dst, l.more...), start)
}

func (rule *segmentRule) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = appendText(dst, "_id", rule.id)
	dst = appendList(appendName(dst, "clauses"), rule.clauses, (*clauseBody).appendJSON)
	dst = rule.weight.appendJSON(dst, "weight")
	dst = appendText(dst, "rolloutContextKind", rule.contextKind)
	dst = appendText(dst, "bucketBy", rule.bucketBy)
	dst = appendText(dst, "description", rule.description)
	return closeObject(append(dst, rule.more...), start)
}

// DecodeSegment reads a segment from a JSON document of at most 1 MiB, that of
// the LaunchDarkly REST API or that which SDKs get. It returns all problems that
// it finds; when there is an error among them, the segment is zero.
//
// Members that are not known are kept, at every level, unless their name differs
// from that of a known one in nothing but case: that is an error. Required are
// key, and what makes no sense without. The lists of who is included and excluded
// may have as many keys as fit into the document, all other lists 10,000 entries.
func DecodeSegment(document []byte) (Segment, Problems) {
	var b *segmentBody
	problems := readDocument(document, func(d *strictjson.Decoder, problems *Problems) {
		r := flagReader{reader: reader{d: d, problems: problems}, variations: -1}
		b = r.segment()
	})
	if problems.Err() != nil {
		return Segment{}, problems
	}
	s := Segment{b}
	if size := len(s.AppendJSON(nil)); size > strictjson.MaxDocument {
		problems.Errorf("", CodeTooLarge, "has %d bytes when written; at most %d are allowed", size, strictjson.MaxDocument)
		return Segment{}, problems
	}
	return s, problems
}

var segmentMembers = []string{
	"key", "name", "description", "tags", "creationDate", "lastModifiedDate", "version", "deleted", "salt", "included", "excluded",
	"includedContexts", "excludedContexts", "rules", "unbounded", "unboundedContextKind", "generation",
}

func (r *flagReader) segment() *segmentBody {
	b := new(segmentBody)
	d := r.d
	if !d.BeginObject() {
		return b
	}
	var more []byte
	keyGiven := false
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch name {
		case "key":
			keyGiven = true
			b.key = r.text(keyText)
		case "name":
			b.name = r.optional(blankText)
		case "description":
			b.description = r.optional(blankText)
		case "tags":
			b.tags = r.tags()
		case "creationDate":
			b.created = r.date()
		case "lastModifiedDate":
			b.modified = r.date()
		case "version":
			b.version = r.version()
		case "deleted":
			b.deleted = r.flag()
		case "salt":
			b.salt = r.optional(blankText)
		case "included":
			b.included.values = r.segmentValues()
			b.included.index()
		case "excluded":
			b.excluded.values = r.segmentValues()
			b.excluded.index()
		case "includedContexts":
			b.includedContexts = r.segmentLists()
		case "excludedContexts":
			b.excludedContexts = r.segmentLists()
		case "rules":
			b.rules = r.segmentRules()
		case "unbounded":
			b.unbounded = r.flag()
		case "unboundedContextKind":
			b.unboundedKind = r.optional(blankText)
		case "generation":
			b.generation = r.integer(0, mostVersion, "a generation")
		default:
			more = r.unknown(more, name, segmentMembers)
		}
	}
	if !keyGiven {
		r.missing("key", messageMissing)
	}
	b.more = string(more)
	return b
}

// mostInSegment is how many keys a list of a segment may have: as many as fit
// into a document, where each takes more than a byte.
const mostInSegment = strictjson.MaxDocument

func (r *flagReader) segmentValues() []string {
	if r.d.Null() {
		return nil
	}
	return readListUpTo(&r.reader, mostInSegment, 4, func() string { return r.text(someText) })
}

var segmentListMembers = []string{"values", "contextKind"}

func (r *flagReader) segmentLists() []*segmentList {
	if r.d.Null() {
		return nil
	}
	return readList(&r.reader, 1, func() *segmentList {
		l := new(segmentList)
		valuesGiven := false
		var given bool
		l.more, given = r.object(func(name string) bool {
			switch name {
			case "values":
				valuesGiven = true
				l.values = r.segmentValues()
			case "contextKind":
				l.contextKind = r.optional(blankText)
			default:
				return false
			}
			return true
		}, segmentListMembers)
		switch {
		case !given && !r.failed():
			r.report(CodeWrongType, messageNull)
		case given && !valuesGiven:
			r.missing("values", messageMissing)
		}
		l.index()
		return l
	})
}

var segmentRuleMembers = []string{"_id", "clauses", "weight", "rolloutContextKind", "bucketBy", "description"}

func (r *flagReader) segmentRules() []*segmentRule {
	if r.d.Null() {
		return nil
	}
	var ids nameSet // of rules and clauses
	return readList(&r.reader, 1, func() *segmentRule { return r.segmentRule(&ids) })
}

func (r *flagReader) segmentRule(ids *nameSet) *segmentRule {
	rule := new(segmentRule)
	clausesGiven := false
	var given bool
	rule.more, given = r.object(func(name string) bool {
		switch name {
		case "_id":
			rule.id = r.ruleID(ids)
		case "clauses":
			clausesGiven = true
			rule.clauses = readList(&r.reader, 1, func() clauseBody { return r.flagClause(ids) })
		case "weight":
			rule.weight = r.integer(0, FullWeight, "a weight")
		case "rolloutContextKind":
			rule.contextKind = r.optional(blankText)
		case "bucketBy":
			rule.bucketBy = r.optional(blankText)
		case "description":
			rule.description = r.optional(blankText)
		default:
			return false
		}
		return true
	}, segmentRuleMembers)
	switch {
	case !given && !r.failed():
		r.report(CodeWrongType, messageNull)
	case given && !clausesGiven:
		r.missing("clauses", messageMissing)
	}
	return rule
}
