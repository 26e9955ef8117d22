package flagstagetest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/flagstage/flagstage/flags"
)

// role says what an object of a request is.
type role string

const (
	roleRequest      role = "request"
	roleStage        role = "stage"
	roleCondition    role = "condition"
	roleAction       role = "action"
	roleInstruction  role = "instruction"
	roleRule         role = "rule"
	roleClause       role = "clause"
	roleTarget       role = "target"
	rolePrerequisite role = "prerequisite"
	roleWeights      role = "weights" // its names are free
)

// jsonType is what may stand as the value of a member.
type jsonType byte

const (
	isUnknown jsonType = iota // there is no such member
	isIgnored                 // anything
	isString
	isInt
	isBool
	isArray
	isTextList
	isFreeList
	isPatch // an array, or JSON in a string
	isObject
	isFree // anything but null
)

// attribute is a member that objects of a role can have.
type attribute struct {
	name     string
	is       jsonType
	required bool   // then it is not null either
	form     string // of a string, where not all will do
}

// The forms of strings that are judged.
const (
	formID           = "id"
	formKey          = "key"
	formName         = "name"
	formAvailability = string(flags.UsingMobileKey) + " or " + string(flags.UsingEnvironmentID)
)

var serveAttributes = []attribute{
	{name: "variationId", is: isString, form: formID},
	{name: "rolloutWeights", is: isObject},
	{name: "rolloutBucketBy", is: isString},
	{name: "rolloutContextKind", is: isString},
}

var attributes = map[role][]attribute{
	roleRequest: {
		{name: "key", is: isString, required: true},
		{name: "name", is: isString},
		{name: "description", is: isString},
		{name: "workflowId", is: isString},
		{name: "stages", is: isArray},
		{name: "projectKey", is: isString},
		{name: "environmentKey", is: isString},
		{name: "flagKey", is: isString},
		{name: "_id", is: isIgnored},
		{name: "_key", is: isIgnored},
		{name: "_creationDate", is: isIgnored},
		{name: "_ownerId", is: isIgnored},
		{name: "_maintainerId", is: isIgnored},
		{name: "_links", is: isIgnored},
	},
	roleStage: {
		{name: "name", is: isString},
		{name: "executeConditionsInSequence", is: isBool},
		{name: "conditions", is: isArray},
		{name: "action", is: isObject},
		{name: "_id", is: isIgnored},
		{name: "_execution", is: isIgnored},
	},
	roleCondition: {
		{name: "kind", is: isString, required: true},
		{name: "scheduleKind", is: isString},
		{name: "executionDate", is: isInt},
		{name: "waitDuration", is: isInt},
		{name: "waitDurationUnit", is: isString},
		{name: "executeNow", is: isBool},
		{name: "description", is: isString},
		{name: "notifyMemberIds", is: isTextList},
		{name: "notifyTeamKeys", is: isTextList},
		{name: "integrationConfig", is: isObject},
		{name: "_id", is: isIgnored},
		{name: "id", is: isIgnored},
		{name: "creationConfig", is: isIgnored},
		{name: "_execution", is: isIgnored},
		{name: "allReviews", is: isIgnored},
		{name: "reviewStatus", is: isIgnored},
		{name: "appliedDate", is: isIgnored},
	},
	roleAction: {
		{name: "kind", is: isString},
		{name: "instructions", is: isPatch},
	},
	roleRule: append(slices.Clone(serveAttributes),
		attribute{name: "description", is: isString},
		attribute{name: "clauses", is: isArray, required: true},
		attribute{name: "trackEvents", is: isBool},
		attribute{name: "ref", is: isString, form: formName},
	),
	roleClause: {
		{name: "contextKind", is: isString},
		{name: "attribute", is: isString, required: true},
		{name: "op", is: isString, required: true},
		{name: "negate", is: isBool},
		{name: "values", is: isFreeList, required: true},
		{name: "ref", is: isString, form: formName},
	},
	roleTarget: {
		{name: "variationId", is: isString, required: true, form: formID},
		{name: "values", is: isTextList, required: true},
		{name: "contextKind", is: isString},
	},
	rolePrerequisite: {
		{name: "key", is: isString, required: true, form: formKey},
		{name: "variationId", is: isString, required: true, form: formID},
	},
}

// parts are members that hold objects of a role, or a list of them.
var parts = map[string]role{
	"clauses": roleClause, "clause": roleClause, "rules": roleRule, "targets": roleTarget, "prerequisites": rolePrerequisite, "rolloutWeights": roleWeights,
}

// place is an object of a request.
type place struct {
	role    role
	pointer string
	node    *node
	kind    flags.Kind // of the instruction that it is in
	attach  func()     // puts it into the request; nil: it is there
}

// attributes returns the members that the object can have, nil if their names
// are free.
func (p place) attributes() []attribute {
	switch p.role {
	case roleInstruction:
		return instructionAttributes(p.kind)
	case roleClause:
		if p.node.get("op").string() == string(flags.OpSegmentMatch) { // which needs no attribute
			list := slices.Clone(attributes[roleClause])
			for i := range list {
				list[i].required = list[i].required && list[i].name != "attribute"
			}
			return list
		}
	case roleTarget:
		if p.kind == "replaceUserTargets" {
			return attributes[roleTarget][:2]
		}
	}
	return attributes[p.role]
}

func (p place) typeOf(name string) jsonType {
	for _, a := range p.attributes() {
		if a.name == name {
			return a.is
		}
	}
	return isUnknown
}

// at returns the pointer of a member.
func (p place) at(name string) string { return below(p.pointer, name) }

// below returns the pointer of a member of what stands at a pointer.
func below(pointer, name string) string {
	return pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func element(pointer string, i int) string { return pointer + "/" + strconv.Itoa(i) }

// instructionAttributes returns the members that instructions of a kind can
// have.
func instructionAttributes(kind flags.Kind) []attribute {
	info, _ := flags.Describe(kind)
	list := []attribute{{name: "kind", is: isString, required: true}, {name: "_id", is: isIgnored}}
	for _, m := range info.Members {
		a := attribute{name: m.Name, is: isString, required: m.Required}
		switch {
		case m.Type == "boolean":
			a.is = isBool
		case m.Type == "value":
			a.is = isFree
		case m.Type == "list of values":
			a.is = isFreeList
		case parts[m.Name] != "" && strings.HasPrefix(m.Type, "list of "):
			a.is = isArray
		case strings.HasPrefix(m.Type, "list of "):
			a.is, a.form = isTextList, strings.TrimSuffix(strings.TrimPrefix(m.Type, "list of "), "s")
		case parts[m.Name] != "":
			a.is = isObject
		default:
			a.form = m.Type
		}
		list = append(list, a)
	}
	return list
}

// objectsIn returns an object and those in it whose members are known, in
// document order.
func objectsIn(p place) []place {
	found := []place{p}
	add := func(role role, pointer string, n *node, kind flags.Kind) {
		if n != nil && n.shape == object {
			found = append(found, objectsIn(place{role: role, pointer: pointer, node: n, kind: kind})...)
		}
	}
	each := func(role role, name string) {
		list := p.node.get(name)
		if list == nil || list.shape != array {
			return
		}
		for i, m := range list.members {
			add(role, element(p.at(name), i), m.value, p.kind)
		}
	}
	switch p.role {
	case roleRequest:
		each(roleStage, "stages")
	case roleStage:
		each(roleCondition, "conditions")
		add(roleAction, p.at("action"), p.node.get("action"), "")
	case roleAction:
		if list := patchOf(p.node); list != nil {
			for i, m := range list.members {
				add(roleInstruction, element(p.at("instructions"), i), m.value, flags.Kind(m.value.get("kind").string()))
			}
		}
	case roleInstruction, roleRule:
		for _, m := range p.node.members {
			role, known := parts[m.name]
			switch {
			case !known:
			case m.value.shape == array:
				each(role, m.name)
			default:
				add(role, p.at(m.name), m.value, p.kind)
			}
		}
	}
	return found
}

// patchOf returns the array of the instructions of an action, nil if there is
// none.
func patchOf(action *node) *node {
	n := action.get("instructions")
	if n != nil && n.shape == quoted {
		n = n.members[0].value
		if n.shape == object {
			n = n.get("instructions")
		}
	}
	if n.isNull() {
		return nil
	}
	return n
}
