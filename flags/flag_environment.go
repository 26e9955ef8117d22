package flags

import (
	"iter"
	"slices"
	"time"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Environment is a flag in one environment: whether targeting is on, and what
// is served to whom. It is immutable; the zero Environment is off and serves
// nothing. Variations are named by their indexes in the flag.
type Environment struct{ body *environmentBody }

type environmentBody struct {
	key string

	on, archived  bool
	salt          string
	modified      number
	version       int64
	users         []*targetsBody // in the document: targets
	contexts      []*targetsBody // in the document: contextTargets
	rules         []*ruleBody
	byDefault     servedBody
	defaultMore   string // unknown members of fallthrough
	off           number // index of a variation
	prerequisites []prerequisiteBody
	track         bool
	trackDefault  bool
	more          string
}

var emptyEnvironment environmentBody

func (e Environment) get() *environmentBody {
	if e.body == nil {
		return &emptyEnvironment
	}
	return e.body
}

// Key returns the environment's key.
func (e Environment) Key() string { return e.get().key }

// On reports whether targeting is on: whether anything but the off variation is
// served.
func (e Environment) On() bool { return e.get().on }

// Salt returns the text that is mixed into what decides which variation of a
// rollout a context gets.
func (e Environment) Salt() string { return e.get().salt }

// Version returns the number that grows by one whenever something of the
// environment changes.
func (e Environment) Version() int64 { return e.get().version }

// ModifiedAt returns when the environment was changed last, or false if the
// document does not say.
func (e Environment) ModifiedAt() (time.Time, bool) { return e.get().modified.date() }

// OffVariation returns the index of the variation that is served while
// targeting is off, or false if none is.
func (e Environment) OffVariation() (int, bool) {
	off := e.get().off
	return int(off.n), off.given
}

// Fallthrough returns what the default rule serves: what contexts get that no
// target and no rule matches.
func (e Environment) Fallthrough() Served { return Served{&e.get().byDefault} }

// TrackEvents reports whether events are tracked for all rules.
func (e Environment) TrackEvents() bool { return e.get().track }

// TrackEventsFallthrough reports whether events are tracked for the default
// rule.
func (e Environment) TrackEventsFallthrough() bool { return e.get().trackDefault }

// Prerequisites goes through the other flags that must serve a certain
// variation first.
func (e Environment) Prerequisites() iter.Seq[FlagPrerequisite] {
	return func(yield func(FlagPrerequisite) bool) {
		b := e.get()
		for i := range b.prerequisites {
			if !yield(b.prerequisites[i].FlagPrerequisite) {
				return
			}
		}
	}
}

// Targets goes through the lists of contexts that are served a variation
// whatever the rules say, in the order in which they are looked at. None is
// empty. Lists of users that have no place among those of all kinds come last;
// evaluations pass over them, unless there are none of all kinds.
func (e Environment) Targets() iter.Seq[TargetList] {
	return func(yield func(TargetList) bool) {
		b := e.get()
		for _, t := range b.contexts {
			if t.isPlaceholder() {
				t = b.list(userKind, t.variation)
			}
			if t != nil && len(t.values) > 0 && !yield(TargetList{t}) {
				return
			}
		}
		for _, t := range b.users {
			if b.placeholder(t.variation) < 0 && len(t.values) > 0 && !yield(TargetList{t}) {
				return
			}
		}
	}
}

// RuleCount returns how many rules there are.
func (e Environment) RuleCount() int { return len(e.get().rules) }

// Rules goes through the rules and their indexes, in the order in which they
// are tried.
func (e Environment) Rules() iter.Seq2[int, FlagRule] {
	return func(yield func(int, FlagRule) bool) {
		for i, rule := range e.get().rules {
			if !yield(i, FlagRule{rule}) {
				return
			}
		}
	}
}

// Rule returns the rule with an id, or false if there is none.
func (e Environment) Rule(id string) (FlagRule, bool) {
	if i := slices.IndexFunc(e.get().rules, func(rule *ruleBody) bool { return rule.id == id }); i >= 0 && id != "" {
		return FlagRule{e.body.rules[i]}, true
	}
	return FlagRule{}, false
}

// AppendJSON appends the environment as it stands in the flag's document.
func (e Environment) AppendJSON(dst []byte) []byte { return e.get().appendJSON(dst) }

// MarshalJSON returns the same bytes as [Environment.AppendJSON].
func (e Environment) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

func (e *environmentBody) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = strictjson.AppendBool(appendName(dst, "on"), e.on)
	dst = strictjson.AppendBool(appendName(dst, "archived"), e.archived)
	dst = strictjson.AppendString(appendName(dst, "salt"), e.salt)
	dst = e.modified.appendJSON(dst, "lastModified")
	dst = strictjson.AppendInt(appendName(dst, "version"), e.version)
	dst = appendPointers(appendName(dst, "targets"), e.users, (*targetsBody).appendJSON)
	dst = appendPointers(appendName(dst, "contextTargets"), e.contexts, (*targetsBody).appendJSON)
	dst = appendPointers(appendName(dst, "rules"), e.rules, (*ruleBody).appendJSON)
	if e.byDefault.given() || e.defaultMore != "" {
		dst = appendName(dst, "fallthrough")
		inner := len(dst)
		dst = e.byDefault.appendMembers(dst)
		dst = closeObject(append(dst, e.defaultMore...), inner)
	}
	dst = e.off.appendJSON(dst, "offVariation")
	dst = appendList(appendName(dst, "prerequisites"), e.prerequisites, (*prerequisiteBody).appendJSON)
	dst = strictjson.AppendBool(appendName(dst, "trackEvents"), e.track)
	dst = strictjson.AppendBool(appendName(dst, "trackEventsFallthrough"), e.trackDefault)
	return closeObject(append(dst, e.more...), start)
}

// appendPointers appends an array.
func appendPointers[T any](dst []byte, list []*T, element func(*T, []byte) []byte) []byte {
	dst = append(dst, '[')
	for i, p := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = element(p, dst)
	}
	return append(dst, ']')
}

var environmentMembers = []string{
	"on", "archived", "salt", "lastModified", "version", "targets", "contextTargets", "rules", "fallthrough",
	"offVariation", "prerequisites", "trackEvents", "trackEventsFallthrough",
}

func (r *flagReader) environments() (list []*environmentBody) {
	d := r.d
	if d.Null() || !d.BeginObject() {
		return nil
	}
	n := 0
	for key, ok := d.NextMember(); ok; key, ok = d.NextMember() {
		n++
		r.fits(environmentText, key)
		e := r.environment()
		e.key = key
		if !r.failed() {
			list = append(list, e)
		}
	}
	r.report(listDefect(n))
	return list
}

func (r *flagReader) environment() *environmentBody {
	e := new(environmentBody)
	d := r.d
	if !d.BeginObject() {
		return e
	}
	var more []byte
	onGiven := false
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch name {
		case "on":
			onGiven = true
			e.on, _ = d.ReadBool()
		case "archived":
			e.archived = r.flag()
		case "salt":
			e.salt = r.optional(blankText)
		case "lastModified":
			e.modified = r.date()
		case "version":
			e.version = r.version()
		case "targets":
			e.users = r.targetLists(true)
		case "contextTargets":
			e.contexts = r.targetLists(false)
		case "rules":
			e.rules = r.flagRules()
		case "fallthrough":
			e.byDefault, e.defaultMore = r.byDefault()
		case "offVariation":
			if !d.Null() {
				e.off = number{n: int64(r.index()), given: true}
			}
		case "prerequisites":
			e.prerequisites = r.flagPrerequisites()
		case "trackEvents":
			e.track = r.flag()
		case "trackEventsFallthrough":
			e.trackDefault = r.flag()
		default:
			more = r.unknown(more, name, environmentMembers)
		}
	}
	if !onGiven {
		r.missing("on", messageMissing)
	}
	e.more = string(more)
	return e
}

// FlagPrerequisite is another flag that must serve a certain variation before
// this one evaluates its own targets and rules.
type FlagPrerequisite struct {
	Key       string // of the other flag
	Variation int    // the index of a variation of the other flag
}

type prerequisiteBody struct {
	FlagPrerequisite
	more string
}

func (p *prerequisiteBody) appendJSON(dst []byte) []byte {
	start := len(dst)
	dst = strictjson.AppendString(appendName(dst, "key"), p.Key)
	dst = strictjson.AppendInt(appendName(dst, "variation"), int64(p.Variation))
	return closeObject(append(dst, p.more...), start)
}

var flagPrerequisiteMembers = []string{"key", "variation"}

func (r *flagReader) flagPrerequisites() []prerequisiteBody {
	if r.d.Null() {
		return nil
	}
	var keys nameSet
	return readList(&r.reader, 1, func() (p prerequisiteBody) {
		keyGiven, variationGiven := false, false
		var given bool
		p.more, given = r.object(func(name string) bool {
			switch name {
			case "key":
				keyGiven = true
				p.Key = r.text(keyText)
				if keys.add(p.Key) {
					r.report(CodeDuplicate, "is the key of another prerequisite too")
				}
			case "variation":
				variationGiven = true
				p.Variation = int(r.integer(0, maxList, "the index of a variation").n)
			default:
				return false
			}
			return true
		}, flagPrerequisiteMembers)
		switch {
		case !given && !r.failed():
			r.report(CodeWrongType, messageNull)
		case given && !keyGiven:
			r.missing("key", messageMissing)
		case given && !variationGiven:
			r.missing("variation", messageMissing)
		}
		return p
	})
}
