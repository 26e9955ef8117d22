package flags

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Flag is a feature flag: the variations it has, what it is for, and what it
// serves in each of its environments. [DecodeFlag] reads one from the document
// of the LaunchDarkly REST API, [Apply] makes a changed one.
//
// Flags are immutable and safe for concurrent use. A changed flag shares with
// the old one what did not change. Nothing that a method returns is a part of
// the flag that its caller could change. The zero Flag is no flag: it has no
// key, no variations and no environments.
type Flag struct{ body *flagBody }

// FlagKind says what sort of variations a flag has.
type FlagKind string

// The kinds of flags.
const (
	FlagBoolean      FlagKind = "boolean"      // two variations, true and false
	FlagMultivariate FlagKind = "multivariate" // one or more variations of any value
)

// flagBody is a flag. It is not changed once it is in a Flag.
type flagBody struct {
	name, description, key string

	kind         FlagKind
	version      int64
	created      number // milliseconds, as all dates
	inSnippet    truthOrNone
	availability availabilityBody
	variations   []variationBody
	temporary    bool
	tags         []string
	maintainer   maintainerBody
	properties   []propertyBody
	archived     lifeBody
	deprecated   lifeBody
	deleted      lifeBody
	defaults     defaultsBody
	environments []*environmentBody
	more         string // unknown members, each with a comma before it

	most int // at most so many bytes has the flag when written
}

// number is an integer that may be absent.
type number struct {
	n     int64
	given bool
}

// truthOrNone is a boolean that may be absent.
type truthOrNone struct{ is, given bool }

// availabilityBody says which client-side SDKs see the flag.
type availabilityBody struct {
	given         bool
	mobile, envID bool
	more          string
}

// maintainerBody names the maintainer: a member, a team, or none.
type maintainerBody struct {
	member, team string
	about        string // the members _maintainer and _maintainerTeam, which tell more of it
}

// lifeBody is one of the states that end the life of a flag.
type lifeBody struct {
	is   bool
	date number
}

// defaultsBody are the variations with which new environments begin.
type defaultsBody struct {
	given   bool
	on, off int
	more    string
}

// emptyFlag is what the zero Flag shows.
var emptyFlag flagBody

func (f Flag) get() *flagBody {
	if f.body == nil {
		return &emptyFlag
	}
	return f.body
}

// IsZero reports whether f is the zero Flag.
func (f Flag) IsZero() bool { return f.body == nil }

// Key returns the flag's key.
func (f Flag) Key() string { return f.get().key }

// Kind returns the sort of variations that the flag has.
func (f Flag) Kind() FlagKind { return f.get().kind }

// Name returns the flag's name for people, which may be empty.
func (f Flag) Name() string { return f.get().name }

// Description returns the flag's description, "" if it has none.
func (f Flag) Description() string { return f.get().description }

// Version returns the number that grows by one whenever something changes that
// concerns all environments.
func (f Flag) Version() int64 { return f.get().version }

// CreatedAt returns when the flag was created, or false if the document does
// not say.
func (f Flag) CreatedAt() (time.Time, bool) { return f.get().created.date() }

// Temporary reports whether the flag is one that is to go some day.
func (f Flag) Temporary() bool { return f.get().temporary }

// Tags returns the flag's tags in the order of the document. The slice is the
// caller's.
func (f Flag) Tags() []string { return slices.Clone(f.get().tags) }

// MaintainerID returns the id of the member who maintains the flag, "" if none
// does.
func (f Flag) MaintainerID() string { return f.get().maintainer.member }

// MaintainerTeamKey returns the key of the team that maintains the flag, "" if
// none does.
func (f Flag) MaintainerTeamKey() string { return f.get().maintainer.team }

// AvailableTo reports whether a sort of client-side SDK sees the flag.
func (f Flag) AvailableTo(to ClientSideAvailability) bool {
	a := &f.get().availability
	return to == UsingMobileKey && a.mobile || to == UsingEnvironmentID && a.envID
}

// Archived reports whether the flag is archived. Its date is in
// [Flag.ArchivedAt].
func (f Flag) Archived() bool { return f.get().archived.is }

// ArchivedAt returns when the flag was archived, or false if it is not, or if
// the document does not say.
func (f Flag) ArchivedAt() (time.Time, bool) { return f.get().archived.at() }

// Deprecated reports whether the flag is deprecated. Its date is in
// [Flag.DeprecatedAt].
func (f Flag) Deprecated() bool { return f.get().deprecated.is }

// DeprecatedAt returns when the flag was deprecated, or false if it is not, or
// if the document does not say.
func (f Flag) DeprecatedAt() (time.Time, bool) { return f.get().deprecated.at() }

// Deleted reports whether the flag is deleted. What is left of it says what it
// was, and can no longer be changed.
func (f Flag) Deleted() bool { return f.get().deleted.is }

// DeletedAt returns when the flag was deleted, or false if it is not.
func (f Flag) DeletedAt() (time.Time, bool) { return f.get().deleted.at() }

// Defaults returns the indexes of the variations with which new environments
// begin, while targeting is on and while it is off: the first and the last if
// the document does not say.
func (f Flag) Defaults() (on, off int) {
	b := f.get()
	if b.defaults.given {
		return b.defaults.on, b.defaults.off
	}
	return 0, max(0, len(b.variations)-1)
}

// CustomProperties returns the properties that people defined, in the order of
// the document. The slice, and those in it, are the caller's.
func (f Flag) CustomProperties() []CustomProperty {
	b := f.get()
	list := make([]CustomProperty, len(b.properties))
	for i := range b.properties {
		p := &b.properties[i]
		list[i] = CustomProperty{Key: p.key, Name: p.name, Values: slices.Clone(p.values)}
	}
	return list
}

// VariationCount returns how many variations the flag has.
func (f Flag) VariationCount() int { return len(f.get().variations) }

// Variation returns the variation with the given index, or false if there is
// none.
func (f Flag) Variation(index int) (FlagVariation, bool) {
	if b := f.get(); index >= 0 && index < len(b.variations) {
		return b.variations[index].FlagVariation, true
	}
	return FlagVariation{}, false
}

// Variations goes through the variations and their indexes.
func (f Flag) Variations() iter.Seq2[int, FlagVariation] {
	return func(yield func(int, FlagVariation) bool) {
		b := f.get()
		for i := range b.variations {
			if !yield(i, b.variations[i].FlagVariation) {
				return
			}
		}
	}
}

// VariationIndex returns the index of the variation with the given id, or
// false if there is none.
func (f Flag) VariationIndex(id string) (int, bool) {
	i := f.get().variation(id)
	return max(i, 0), i >= 0
}

// EnvironmentKeys returns the keys of the flag's environments in the order of
// the document. The slice is the caller's.
func (f Flag) EnvironmentKeys() []string {
	b := f.get()
	keys := make([]string, len(b.environments))
	for i, e := range b.environments {
		keys[i] = e.key
	}
	return keys
}

// Environment returns the flag in one environment, or false if it has no such.
func (f Flag) Environment(key string) (Environment, bool) {
	b := f.get()
	if i := b.environment(key); i >= 0 {
		return Environment{b.environments[i]}, true
	}
	return Environment{}, false
}

// Equal reports whether two flags are written the same, versions and dates
// included.
func (f Flag) Equal(other Flag) bool {
	if f.body == other.body {
		return true
	}
	return f.body != nil && other.body != nil && string(f.AppendJSON(nil)) == string(other.AppendJSON(nil))
}

// variation returns the index of the variation with an id, or -1.
func (b *flagBody) variation(id string) int {
	for i := range b.variations {
		if b.variations[i].ID == id && id != "" {
			return i
		}
	}
	return -1
}

// environment returns the index of an environment, or -1.
func (b *flagBody) environment(key string) int {
	return slices.IndexFunc(b.environments, func(e *environmentBody) bool { return e.key == key })
}

func (n number) date() (time.Time, bool) {
	if !n.given {
		return time.Time{}, false
	}
	return time.UnixMilli(n.n).UTC(), true
}

func (l *lifeBody) at() (time.Time, bool) {
	if !l.is {
		return time.Time{}, false
	}
	return l.date.date()
}

// AppendJSON appends the flag in its canonical form: in each object first the
// members that this package knows, in a fixed order, and then all others as
// they were read. Members that the published schema requires are written
// always, others when there is something to say. The zero Flag is written as
// null.
func (f Flag) AppendJSON(dst []byte) []byte {
	b := f.body
	if b == nil {
		return append(dst, "null"...)
	}
	start := len(dst)
	dst = strictjson.AppendString(appendName(dst, "name"), b.name)
	dst = appendText(dst, "kind", string(b.kind))
	dst = appendText(dst, "description", b.description)
	dst = appendText(dst, "key", b.key)
	dst = strictjson.AppendInt(appendName(dst, "_version"), b.version)
	dst = b.created.appendJSON(dst, "creationDate")
	if b.inSnippet.given {
		dst = strictjson.AppendBool(appendName(dst, "includeInSnippet"), b.inSnippet.is)
	}
	dst = b.availability.appendJSON(dst)
	dst = appendList(appendName(dst, "variations"), b.variations, (*variationBody).appendJSON)
	dst = strictjson.AppendBool(appendName(dst, "temporary"), b.temporary)
	dst = strictjson.AppendStrings(appendName(dst, "tags"), b.tags)
	dst = appendText(dst, "maintainerId", b.maintainer.member)
	dst = appendText(dst, "maintainerTeamKey", b.maintainer.team)
	dst = append(dst, b.maintainer.about...)
	dst = appendProperties(dst, b.properties)
	dst = strictjson.AppendBool(appendName(dst, "archived"), b.archived.is)
	dst = b.archived.date.appendJSON(dst, "archivedDate")
	dst = b.deprecated.appendJSON(dst, "deprecated", "deprecatedDate")
	dst = b.deleted.appendJSON(dst, "deleted", "deletedDate")
	dst = b.defaults.appendJSON(dst)
	dst = append(appendName(dst, "environments"), '{')
	for i, e := range b.environments {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = e.appendJSON(append(strictjson.AppendString(dst, e.key), ':'))
	}
	dst = append(dst, '}')
	return closeObject(append(dst, b.more...), start)
}

// MarshalJSON returns the same bytes as [Flag.AppendJSON].
func (f Flag) MarshalJSON() ([]byte, error) { return f.AppendJSON(nil), nil }

// UnmarshalJSON reads the flag as [DecodeFlag] does; null is an error. An error
// is a [*ProblemsError], and leaves the flag as it was; warnings alone are
// dropped.
func (f *Flag) UnmarshalJSON(document []byte) error {
	read, problems := DecodeFlag(document)
	if err := problems.Err(); err != nil {
		return err
	}
	*f = read
	return nil
}

func (n number) appendJSON(dst []byte, name string) []byte {
	if !n.given {
		return dst
	}
	return strictjson.AppendInt(appendName(dst, name), n.n)
}

func (a *availabilityBody) appendJSON(dst []byte) []byte {
	if !a.given {
		return dst
	}
	dst = appendName(dst, "clientSideAvailability")
	start := len(dst)
	dst = strictjson.AppendBool(appendName(dst, string(UsingMobileKey)), a.mobile)
	dst = strictjson.AppendBool(appendName(dst, string(UsingEnvironmentID)), a.envID)
	return closeObject(append(dst, a.more...), start)
}

func (l *lifeBody) appendJSON(dst []byte, name, dateName string) []byte {
	if l.is {
		dst = strictjson.AppendBool(appendName(dst, name), true)
	}
	return l.date.appendJSON(dst, dateName)
}

func (b *defaultsBody) appendJSON(dst []byte) []byte {
	if !b.given {
		return dst
	}
	dst = appendName(dst, "defaults")
	start := len(dst)
	dst = strictjson.AppendInt(appendName(dst, "onVariation"), int64(b.on))
	dst = strictjson.AppendInt(appendName(dst, "offVariation"), int64(b.off))
	return closeObject(append(dst, b.more...), start)
}

// DecodeFlag reads a flag from a JSON document of at most 1 MiB. It returns all
// problems that it finds; when there is an error among them, the flag is zero.
//
// Members that are not known are kept, at every level, unless their name
// differs from that of a known one in nothing but case: that is an error.
// Required are key, kind and variations, on in each environment, and what makes
// no sense without. All that stands in the document must fit together: indexes
// of variations are those of the flag, no id and no value stands twice, and no
// context is a target of two variations.
func DecodeFlag(document []byte) (Flag, Problems) {
	var b *flagBody
	problems := readDocument(document, func(d *strictjson.Decoder, problems *Problems) {
		r := flagReader{reader: reader{d: d, problems: problems}, variations: -1}
		b = r.document()
	})
	if problems.Err() != nil {
		return Flag{}, problems
	}
	f := Flag{b}
	b.most = len(f.AppendJSON(nil))
	if b.most > strictjson.MaxDocument {
		problems.Errorf("", CodeTooLarge, "has %d bytes when written; at most %d are allowed", b.most, strictjson.MaxDocument)
		return Flag{}, problems
	}
	return f, problems
}

// flagReader reads one flag.
type flagReader struct {
	reader
	variations int // how many there are; -1 before they were read
	// the greatest index that was read before the variations were
	furthest struct {
		index   int64
		pointer string
	}
	patterns patternBudget
}

var flagMembers = []string{
	"name", "kind", "description", "key", "_version", "creationDate", "includeInSnippet", "clientSideAvailability",
	"variations", "temporary", "tags", "maintainerId", "_maintainer", "maintainerTeamKey", "_maintainerTeam",
	"customProperties", "archived", "archivedDate", "deprecated", "deprecatedDate", "deleted", "deletedDate", "defaults",
	"environments",
}

func (r *flagReader) document() *flagBody {
	b := new(flagBody)
	d := r.d
	if !d.BeginObject() {
		return b
	}
	var more []byte
	var kindGiven, keyGiven, variationsGiven bool
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		switch name {
		case "name":
			b.name = r.optional(blankText)
		case "kind":
			kindGiven = true
			b.kind = r.flagKind()
		case "description":
			b.description = r.optional(blankText)
		case "key":
			keyGiven = true
			b.key = r.text(keyText)
		case "_version":
			b.version = r.version()
		case "creationDate":
			b.created = r.date()
		case "includeInSnippet":
			b.inSnippet = r.truthOrNone()
		case "clientSideAvailability":
			b.availability = r.availability()
		case "variations":
			variationsGiven = true
			b.variations = r.flagVariations()
		case "temporary":
			b.temporary = r.flag()
		case "tags":
			b.tags = r.tags()
		case "maintainerId":
			b.maintainer.member = r.optional(blankText)
		case "maintainerTeamKey":
			b.maintainer.team = r.optional(blankText)
		case "_maintainer", "_maintainerTeam":
			b.maintainer.about += string(r.keep(nil, name))
		case "customProperties":
			b.properties = r.properties()
		case "archived":
			b.archived.is = r.flag()
		case "archivedDate":
			b.archived.date = r.date()
		case "deprecated":
			b.deprecated.is = r.flag()
		case "deprecatedDate":
			b.deprecated.date = r.date()
		case "deleted":
			b.deleted.is = r.flag()
		case "deletedDate":
			b.deleted.date = r.date()
		case "defaults":
			b.defaults = r.defaults()
		case "environments":
			b.environments = r.environments()
		default:
			more = r.unknown(more, name, flagMembers)
		}
	}
	if !kindGiven {
		r.missing("kind", messageMissing)
	}
	if !keyGiven {
		r.missing("key", messageMissing)
	}
	if !variationsGiven {
		r.missing("variations", messageMissing)
	}
	if far := r.furthest; r.variations >= 0 && far.index >= int64(r.variations) && far.pointer != "" {
		r.problems.Errorf(far.pointer, CodeOutOfRange, "%s", r.noIndex(far.index))
	}
	if b.kind == FlagBoolean && variationsGiven && !r.failed() && !b.isBoolean() {
		d.ReportMember("variations", string(CodeMalformed), "must be true and false: the flag is boolean")
	}
	b.more = string(more)
	return b
}

// isBoolean reports whether the variations are true and false.
func (b *flagBody) isBoolean() bool {
	return len(b.variations) == 2 && b.variations[0].isBoolean() && b.variations[1].isBoolean()
}

func (r *flagReader) flagKind() FlagKind {
	s, ok := r.d.ReadString()
	kind := FlagKind(s)
	if ok && kind != FlagBoolean && kind != FlagMultivariate {
		r.d.ReportFunc(string(CodeUnknownKind), func() string {
			return strictjson.Quote(s) + " is no kind of flag" + meant(s, []FlagKind{FlagBoolean, FlagMultivariate})
		})
	}
	return kind
}

// integer reads an integer of the given range, or null as none.
func (r *flagReader) integer(least, most int64, what string) number {
	if r.d.Null() {
		return number{}
	}
	n, ok := r.d.ReadInt()
	if ok && (n < least || n > most) {
		r.d.ReportFunc(string(CodeOutOfRange), func() string {
			return "is " + strconv.FormatInt(n, 10) + "; " + what + " is between " + strconv.FormatInt(least, 10) + " and " + strconv.FormatInt(most, 10)
		})
	}
	return number{n: n, given: true}
}

const (
	mostVersion = 1 << 53                 // what a double can count
	mostDate    = 253_402_300_800_000 - 1 // the last millisecond of the year 9999
)

func (r *flagReader) version() int64 { return r.integer(0, mostVersion, "a version").n }

func (r *flagReader) date() number { return r.integer(0, mostDate, "a date in milliseconds") }

// index reads the index of a variation.
func (r *flagReader) index() int {
	n, ok := r.d.ReadInt()
	switch {
	case !ok:
		return 0
	case n < 0, r.variations >= 0 && n >= int64(r.variations):
		r.d.ReportFunc(string(CodeOutOfRange), func() string { return r.noIndex(n) })
		return 0
	case r.variations < 0 && (n > r.furthest.index || r.furthest.pointer == ""):
		r.furthest.index, r.furthest.pointer = n, r.d.Pointer()
	}
	return int(min(n, maxList))
}

// noIndex says that n is the index of no variation.
func (r *flagReader) noIndex(n int64) string {
	message := "is " + strconv.FormatInt(n, 10) + ", the index of no variation"
	if r.variations > 0 {
		message += "; they are counted from 0 to " + strconv.Itoa(r.variations-1)
	}
	return message
}

// flagID reads an identifier that may be absent.
func (r *flagReader) flagID() string {
	id := r.optional(blankText)
	r.report(idDefect(id))
	return id
}

// truthOrNone reads a boolean, or null as none.
func (r *flagReader) truthOrNone() truthOrNone {
	return truthOrNone{given: r.d.Kind() != strictjson.Null, is: r.flag()}
}

// keep appends a member as it is.
func (r *flagReader) keep(more []byte, name string) []byte {
	text, _, ok := r.d.ReadValue()
	if !ok {
		return more
	}
	more = append(strictjson.AppendString(append(more, ','), name), ':')
	return append(more, text...)
}

// unknown appends a member that is not known, unless it may be meant to be one
// that is.
func (r *flagReader) unknown(more []byte, name string, known []string) []byte {
	if slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
		r.d.UnknownMember(name, known...)
		return more
	}
	return r.keep(more, name)
}

// object reads an object, or null as none, member by member.
func (r *flagReader) object(member func(name string) (known bool), known []string) (more string, given bool) {
	d := r.d
	if d.Null() || !d.BeginObject() {
		return "", false
	}
	var rest []byte
	for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
		if !member(name) {
			rest = r.unknown(rest, name, known)
		}
	}
	return string(rest), true
}

var availabilityMembers = []string{string(UsingMobileKey), string(UsingEnvironmentID)}

func (r *flagReader) availability() (a availabilityBody) {
	a.more, a.given = r.object(func(name string) bool {
		switch ClientSideAvailability(name) {
		case UsingMobileKey:
			a.mobile = r.flag()
		case UsingEnvironmentID:
			a.envID = r.flag()
		default:
			return false
		}
		return true
	}, availabilityMembers)
	return a
}

var defaultsMembers = []string{"onVariation", "offVariation"}

func (r *flagReader) defaults() (b defaultsBody) {
	on, off := false, false
	b.more, b.given = r.object(func(name string) bool {
		switch name {
		case "onVariation":
			b.on, on = r.index(), true
		case "offVariation":
			b.off, off = r.index(), true
		default:
			return false
		}
		return true
	}, defaultsMembers)
	if b.given && !on {
		r.missing("onVariation", messageMissing)
	}
	if b.given && !off {
		r.missing("offVariation", messageMissing)
	}
	return b
}

func (r *flagReader) tags() []string {
	if r.d.Null() {
		return nil
	}
	var seen nameSet
	return readList(&r.reader, 4, func() string {
		tag := r.text(someText)
		if seen.add(tag) {
			r.report(CodeDuplicate, "stands twice among the tags")
		}
		return tag
	})
}
