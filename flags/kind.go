package flags

import (
	"slices"
	"strings"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Kind names what an instruction does. The kinds that this package knows are
// listed by [Kinds]; a host may define others, see [HostKinds]. Further kinds
// may be added.
type Kind string

// Scope says how much of a flag an instruction concerns.
type Scope string

// The scopes.
const (
	ScopeEnvironment Scope = "environment" // the flag in one environment
	ScopeFlag        Scope = "flag"        // the flag in all environments
)

// Field names a part of a flag, or of what a flag refers to, which an
// instruction reads or writes. Further fields may be added.
type Field string

// The parts of a flag in one environment.
const (
	FieldOn                     Field = "on"
	FieldTargets                Field = "targets"
	FieldRules                  Field = "rules"
	FieldFallthrough            Field = "fallthrough"
	FieldOffVariation           Field = "offVariation"
	FieldPrerequisites          Field = "prerequisites"
	FieldTrackEvents            Field = "trackEvents"
	FieldTrackEventsFallthrough Field = "trackEventsFallthrough"
)

// The parts that a flag has once for all environments.
const (
	FieldVariations             Field = "variations"
	FieldDefaults               Field = "defaults"
	FieldCustomProperties       Field = "customProperties"
	FieldTags                   Field = "tags"
	FieldTemporary              Field = "temporary"
	FieldMaintainer             Field = "maintainer"
	FieldClientSideAvailability Field = "clientSideAvailability"
	FieldName                   Field = "name"
	FieldDescription            Field = "description"
	FieldArchived               Field = "archived"
	FieldDeprecated             Field = "deprecated"
	FieldDeleted                Field = "deleted"
)

// What stands outside of the flag. No instruction writes it.
const (
	FieldSegments   Field = "segments"   // segments of the environment
	FieldOtherFlags Field = "otherFlags" // flags of the project besides this one
)

// kind is the row of the table of instructions that tells all about one kind.
type kind struct {
	name   Kind
	scope  Scope
	params []param // in the order in which they are written
	adds   bool    // what it adds gets an identifier, besides those of clauses and rules that are given
	some   bool    // at least one of the optional parameters must be given
	reads  []Field // FieldSegments is added if a clause names segments
	writes []Field
	// says is the sentence of Instruction.String. {name} stands for a
	// parameter; what is in brackets is left out when one in it is absent, and
	// "and" comes between such parts that stand side by side.
	says string
	// apply changes the flag. The arguments are valid and follow params.
	apply func(w *work, args []arg) error
}

// param is a column of a row: one parameter of a kind.
type param struct {
	name     string // of the member; "serve" for the members that say what is served
	alias    string // another name of the member, which is read and never written
	shape    shape
	form     form // of the text or texts
	optional bool
	refused  bool     // the Go type could say it, but this kind has no such member
	slot     SlotKind // if the parameter is specific to one flag
}

// table lists all kinds, family by family. A kind that is missing here is
// unknown.
var table = []*kind{
	&turnFlagOn, &turnFlagOff,
	&addTargets, &removeTargets, &replaceTargets, &clearTargets,
	&addUserTargets, &removeUserTargets, &replaceUserTargets, &clearUserTargets,
	&addRule, &removeRule, &replaceRules, &reorderRules,
	&updateRuleVariationOrRollout, &updateRuleDescription, &updateRuleTrackEvents,
	&addClauses, &removeClauses, &updateClause, &addValuesToClause, &removeValuesFromClause,
	&updateFallthroughVariationOrRollout, &updateOffVariation,
	&addPrerequisite, &removePrerequisite, &updatePrerequisite, &replacePrerequisites,
	&updateTrackEvents, &updateTrackEventsFallthrough,
	&addVariation, &removeVariation, &updateVariation, &updateDefaultVariation,
	&addCustomProperties, &replaceCustomProperties, &removeCustomProperties, &addTags, &removeTags,
	&updateName, &updateDescription, &updateMaintainerMember, &updateMaintainerTeam, &removeMaintainer,
	&makeFlagPermanent, &makeFlagTemporary, &turnOnClientSideAvailability, &turnOffClientSideAvailability,
	&archiveFlag, &restoreFlag, &deleteFlag, &deprecateFlag, &restoreDeprecatedFlag,
}

// rows has the row of each kind, and members the names that its instructions
// may hold.
var rows, members = func() (map[string]*kind, map[Kind][]string) {
	rows, members := make(map[string]*kind, len(table)), make(map[Kind][]string, len(table))
	for _, row := range table {
		rows[string(row.name)], members[row.name] = row, row.members()
	}
	return rows, members
}()

// hostRow is the row of all kinds that hosts define. Their instructions have
// one argument, of type host.
var hostRow kind

// find returns the index of the parameter that a member belongs to, or -1.
func (k *kind) find(member string) int {
	for i := range k.params {
		p := &k.params[i]
		switch {
		case p.refused:
		case p.shape == serveShape:
			if slices.Contains(serveMembers, member) {
				return i
			}
		case p.name == member || p.alias != "" && p.alias == member:
			return i
		}
	}
	return -1
}

// lacks reports whether parameter i is missing when those of the given bits
// are there. It does not judge what is served.
func (k *kind) lacks(i int, given uint32) bool {
	if !k.params[i].optional {
		return given&(1<<i) == 0
	}
	if !k.some {
		return false
	}
	for j := range k.params { // it is missed at the first
		if k.params[j].optional && (j < i || given&(1<<j) != 0) {
			return false
		}
	}
	return true
}

// missing says that parameter i is missing.
func (k *kind) missing(i int) string {
	if !k.params[i].optional {
		return messageMissing
	}
	names := k.choice()
	last := len(names) - 1
	return "give at least one of " + strings.Join(names[:last], ", ") + " and " + names[last]
}

// choice returns the names of the parameters of which at least one must be
// given.
func (k *kind) choice() (names []string) {
	for i := range k.params {
		if k.some && k.params[i].optional {
			names = append(names, k.params[i].name)
		}
	}
	return names
}

// members returns the names that an instruction of this kind may hold.
func (k *kind) members() []string {
	names := slices.Clone(commonMembers)
	for i := range k.params {
		p := &k.params[i]
		switch {
		case p.refused:
		case p.shape == serveShape:
			names = append(names, serveMembers...)
		default:
			names = append(names, p.name)
		}
	}
	return names
}

// Kinds returns all kinds that this package knows, those of one family side by
// side. The slice is the caller's.
func Kinds() []Kind {
	kinds := make([]Kind, len(table))
	for i, row := range table {
		kinds[i] = row.name
	}
	return kinds
}

// KindInfo describes a kind for documentation and tools. Its slices are the
// caller's.
type KindInfo struct {
	Kind  Kind
	Scope Scope
	// Members are the members of the instruction's JSON object besides _id and
	// kind, in the order in which they are written.
	Members []MemberInfo
	// ExactlyOne are members of which one must stand and no other may, and
	// AtLeastOne such of which one must stand at least. None of them is called
	// Required. Where there is no such choice the list is nil.
	ExactlyOne, AtLeastOne []string
	// Reads and Writes are as in [Instruction.Reads] and [Instruction.Writes],
	// FieldSegments included if any instruction of the kind reads it.
	Reads, Writes []Field
	// Sentence is the sentence of [Instruction.String]: {name} stands for a
	// member, {serve} for those that say what is served; what is in brackets is
	// left out when a member named in it is absent, and "and" comes between such
	// parts that stand side by side.
	Sentence string
}

// MemberInfo describes one member of an instruction's JSON object.
type MemberInfo struct {
	Name string
	// Type says in words what stands there, such as "text" or "list of ids".
	Type string
	// Required says that every instruction of the kind has the member. See also
	// ExactlyOne and AtLeastOne of [KindInfo].
	Required bool
	// Slots are the kinds of slots that the member can be or hold; none if
	// nothing in it is specific to one flag.
	Slots []SlotKind
}

// Describe tells about a kind that this package knows, and returns false for
// any other.
func Describe(kind Kind) (KindInfo, bool) {
	row := rows[string(kind)]
	if row == nil {
		return KindInfo{}, false
	}
	info := KindInfo{
		Kind: row.name, Scope: row.scope, Sentence: row.says, AtLeastOne: row.choice(),
		Reads: slices.Clone(row.reads), Writes: slices.Clone(row.writes),
	}
	for i := range row.params {
		p := &row.params[i]
		if p.shape.holdsClauses() {
			info.Reads = append(info.Reads, FieldSegments)
		}
		switch {
		case p.shape == serveShape:
			info.ExactlyOne = []string{memberVariationID, memberWeights}
			info.Members = append(info.Members,
				MemberInfo{Name: memberVariationID, Type: "id", Slots: []SlotKind{SlotVariationID}},
				MemberInfo{Name: memberWeights, Type: "weights", Slots: []SlotKind{SlotRolloutWeights}},
				MemberInfo{Name: memberBucketBy, Type: "text"},
				MemberInfo{Name: memberContextKind, Type: "text"})
		case !p.refused:
			info.Members = append(info.Members, MemberInfo{Name: p.name, Type: p.words(), Required: !p.optional, Slots: p.slots()})
		}
	}
	return info, true
}

// words says what a parameter's value is.
func (p *param) words() string {
	switch p.shape {
	case textShape:
		return p.form.words()
	case textsShape:
		return "list of " + p.form.words() + "s"
	}
	return shapeWords[p.shape]
}

// slots returns the kinds of slots that a parameter can be or hold.
func (p *param) slots() []SlotKind {
	switch p.shape {
	case clauseShape, clausesShape:
		return []SlotKind{SlotSegmentKeys}
	case rulesShape:
		return []SlotKind{SlotVariationID, SlotRolloutWeights, SlotSegmentKeys}
	case targetsShape, userTargetsShape:
		return []SlotKind{SlotVariationID, SlotTargetValues}
	case prerequisitesShape:
		return []SlotKind{SlotPrerequisiteKey, SlotPrerequisiteVariationID}
	}
	if p.slot == "" {
		return nil
	}
	return []SlotKind{p.slot}
}

// isHostKind reports whether a host may call a kind of its own by this name.
func isHostKind(name string) bool { return isName(name) && rows[name] == nil }

// row returns the row of a kind's name, nil if it is unknown.
func (how *Reading) row(name string) *kind {
	if row := rows[name]; row != nil {
		return row
	}
	if (how.AnyHostKind || slices.Contains(how.HostKinds, name)) && isHostKind(name) {
		return &hostRow
	}
	return nil
}

// nearest returns the known kind that is most like name.
func (how *Reading) nearest(name string) string {
	known := make([]string, 0, len(table)+len(how.HostKinds))
	for _, row := range table {
		known = append(known, string(row.name))
	}
	return strictjson.Closest(name, append(known, how.HostKinds...))
}
