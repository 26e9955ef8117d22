package flags_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/flagstagetest"
)

// naive applies instructions to a flag's document as it stands in decoded JSON:
// the same rules as Apply's, written a second time in the simplest way.
type naive struct {
	flag   map[string]any
	env    string
	others map[string]map[string]any // by key
	ids    counter
	now    int64
}

type object = map[string]any

// errNaive says that an instruction is refused.
var errNaive = errors.New("refused")

func refuse(when bool) {
	if when {
		panic(errNaive)
	}
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func textIn(o object, name string) string {
	s, _ := o[name].(string)
	return s
}

func number(v any) int {
	switch v := v.(type) {
	case json.Number:
		n, _ := v.Int64()
		return int(n)
	case int:
		return v
	case int64:
		return int(v)
	}
	return -1
}

func indexIn(l []any, name, value string) int {
	return slices.IndexFunc(l, func(e any) bool { return e.(object)[name] == value })
}

// copied returns a deep copy.
func copied(v any) any {
	switch v := v.(type) {
	case object:
		o := object{}
		for name, e := range v {
			o[name] = copied(e)
		}
		return o
	case []any:
		l := []any{}
		for _, e := range v {
			l = append(l, copied(e))
		}
		return l
	}
	return v
}

// apply returns the document after the instructions, or an error.
func (n *naive) apply(patch []any) (result object, err error) {
	defer func() {
		if r := recover(); r == errNaive {
			err = errNaive
		} else if r != nil {
			panic(r)
		}
	}()
	before := copied(n.flag).(object)
	for _, in := range patch {
		in := in.(object)
		refuse(n.flag["deleted"] == true && in["kind"] != "deleteFlag")
		n.one(in)
	}
	n.count(before)
	return n.flag, nil
}

// details are members that change only with others. When those are in the end
// as they were, so are the details.
var details = map[string][]string{
	"archivedDate": {"archived"}, "deprecatedDate": {"deprecated"}, "_maintainer": {"maintainerId", "maintainerTeamKey"},
}

// count makes versions grow where something changed.
func (n *naive) count(before object) {
	for name, of := range details {
		if !slices.ContainsFunc(of, func(member string) bool { return n.flag[member] != before[member] }) {
			delete(n.flag, name)
			if before[name] != nil {
				n.flag[name] = before[name]
			}
		}
	}
	old := before["environments"].(object)
	for key, e := range n.flag["environments"].(object) {
		e, was := e.(object), old[key].(object)
		if !reflect.DeepEqual(e, was) {
			e["version"] = number(e["version"]) + 1
			e["lastModified"] = n.now
		}
	}
	a, b := copied(n.flag).(object), copied(before).(object)
	for _, o := range []object{a, b} {
		unsaid(o)
		delete(o, "environments")
	}
	if !reflect.DeepEqual(a, b) {
		n.flag["_version"] = number(n.flag["_version"]) + 1
	}
}

// unsaid removes what is meant without being written.
func unsaid(f object) {
	if a, _ := f["clientSideAvailability"].(object); a["usingMobileKey"] == false && a["usingEnvironmentId"] == false {
		delete(f, "clientSideAvailability")
	}
	if d, _ := f["defaults"].(object); number(d["onVariation"]) == 0 && number(d["offVariation"]) == len(list(f["variations"]))-1 {
		delete(f, "defaults")
	}
}

func (n *naive) variations() []any { return list(n.flag["variations"]) }

func (n *naive) variation(id string) int {
	i := indexIn(n.variations(), "_id", id)
	refuse(i < 0)
	return i
}

// e returns the environment.
func (n *naive) e() object { return n.flag["environments"].(object)[n.env].(object) }

func (n *naive) rules() []any { return list(n.e()["rules"]) }

func (n *naive) rule(id string) object {
	i := indexIn(n.rules(), "_id", id)
	refuse(i < 0)
	return n.rules()[i].(object)
}

func (n *naive) newID() string { return n.ids.NewID(changedAt) }

func equalJSON(a, b any) bool {
	x, isNumber := a.(json.Number)
	y, both := b.(json.Number)
	if isNumber && both {
		p, _ := new(big.Rat).SetString(x.String())
		q, _ := new(big.Rat).SetString(y.String())
		return p.Cmp(q) == 0
	}
	return reflect.DeepEqual(a, b)
}

func (n *naive) byValue(v any) int {
	return slices.IndexFunc(n.variations(), func(o any) bool { return equalJSON(o.(object)["value"], v) })
}

func (n *naive) one(in object) {
	e := n.e()
	switch kind := in["kind"].(string); kind {
	case "turnFlagOn", "turnFlagOff":
		e["on"] = kind == "turnFlagOn"
	case "updateTrackEvents":
		e["trackEvents"] = in["trackEvents"]
	case "updateTrackEventsFallthrough":
		e["trackEventsFallthrough"] = in["trackEvents"]
	case "updateOffVariation":
		e["offVariation"] = json.Number(fmt.Sprint(n.variation(textIn(in, "variationId"))))
	case "updateFallthroughVariationOrRollout":
		old, _ := e["fallthrough"].(object)
		if old == nil {
			old = object{}
		}
		e["fallthrough"] = n.serve(in, old)
	case "addTargets", "addUserTargets":
		before := copied(e).(object)
		n.addTargets(n.contextKind(in), n.variation(textIn(in, "variationId")), list(in["values"]))
		if !reflect.DeepEqual(before, copied(e)) {
			n.settle()
		}
	case "removeTargets", "removeUserTargets":
		n.removeTargets(n.contextKind(in), n.variation(textIn(in, "variationId")), func(key string) bool {
			return slices.Contains(list(in["values"]), any(key))
		})
	case "clearTargets", "clearUserTargets":
		i := n.variation(textIn(in, "variationId"))
		for _, contextKind := range []string{"user", "device"} {
			if contextKind == "user" || kind == "clearTargets" {
				n.removeTargets(contextKind, i, func(string) bool { return true })
			}
		}
	case "replaceTargets", "replaceUserTargets":
		n.replaceTargets(in, kind == "replaceUserTargets")
	case "addRule":
		at := len(n.rules())
		if before := textIn(in, "beforeRuleId"); before != "" {
			at = indexIn(n.rules(), "_id", before)
			refuse(at < 0)
		}
		e["rules"] = slices.Insert(n.rules(), at, any(n.newRule(in)))
	case "removeRule":
		e["rules"] = slices.DeleteFunc(n.rules(), func(r any) bool { return r.(object)["_id"] == in["ruleId"] })
	case "replaceRules":
		n.replaceRules(list(in["rules"]))
	case "reorderRules":
		ids := list(in["ruleIds"])
		refuse(len(ids) != len(n.rules()))
		ordered := []any{}
		for i, id := range ids {
			refuse(slices.Contains(ids[:i], id))
			ordered = append(ordered, n.rule(id.(string)))
		}
		e["rules"] = ordered
	case "updateRuleVariationOrRollout":
		rule := n.rule(textIn(in, "ruleId"))
		served := n.serve(in, rule)
		for name := range rule {
			delete(rule, name)
		}
		for name, v := range served {
			rule[name] = v
		}
	case "updateRuleDescription":
		setText(n.rule(textIn(in, "ruleId")), "description", textIn(in, "description"))
	case "updateRuleTrackEvents":
		n.rule(textIn(in, "ruleId"))["trackEvents"] = in["trackEvents"]
	case "addClauses":
		rule := n.rule(textIn(in, "ruleId"))
		rule["clauses"] = append(list(rule["clauses"]), n.newClauses(in)...)
	case "removeClauses":
		rule := n.rule(textIn(in, "ruleId"))
		clauses := list(rule["clauses"])
		for _, id := range list(in["clauseIds"]) {
			refuse(indexIn(clauses, "_id", id.(string)) < 0)
		}
		rule["clauses"] = slices.DeleteFunc(slices.Clone(clauses), func(cl any) bool {
			return slices.Contains(list(in["clauseIds"]), cl.(object)["_id"])
		})
	case "updateClause", "addValuesToClause", "removeValuesFromClause":
		n.changeClause(kind, in)
	case "addPrerequisite", "updatePrerequisite", "removePrerequisite", "replacePrerequisites":
		n.prerequisite(kind, in)
	default:
		n.ofAll(kind, in)
	}
}

// ofAll applies an instruction that concerns all environments.
func (n *naive) ofAll(kind string, in object) {
	f, value := n.flag, textIn(in, "value")
	switch kind {
	case "addVariation":
		refuse(f["kind"] == "boolean" || n.byValue(in["value"]) >= 0)
		v := object{"_id": n.newID(), "value": in["value"]}
		setText(v, "name", textIn(in, "name"))
		setText(v, "description", textIn(in, "description"))
		f["variations"] = append(n.variations(), v)
	case "updateVariation":
		v := n.variations()[n.variation(textIn(in, "variationId"))].(object)
		if in["value"] != nil {
			_, isBool := in["value"].(bool)
			refuse(f["kind"] == "boolean" && !isBool)
			i := n.byValue(in["value"])
			refuse(i >= 0 && n.variations()[i].(object)["_id"] != v["_id"])
			v["value"] = in["value"]
		}
		for _, name := range []string{"name", "description"} {
			if in[name] != nil {
				setText(v, name, textIn(in, name))
			}
		}
	case "removeVariation":
		n.removeVariation(n.variation(textIn(in, "variationId")))
	case "updateDefaultVariation":
		d, given := f["defaults"].(object)
		if !given {
			d = object{"onVariation": json.Number("0"), "offVariation": json.Number(fmt.Sprint(len(n.variations()) - 1))}
		}
		changed := copied(d).(object)
		for member, name := range map[string]string{"onVariationValue": "onVariation", "offVariationValue": "offVariation"} {
			if in[member] == nil {
				continue
			}
			i := n.byValue(in[member])
			refuse(i < 0)
			changed[name] = json.Number(fmt.Sprint(i))
		}
		if !reflect.DeepEqual(d, changed) {
			f["defaults"] = changed
		}
	case "addCustomProperties", "replaceCustomProperties", "removeCustomProperties":
		n.property(kind, in)
	case "addTags", "removeTags":
		f["tags"] = merged(kind == "addTags", list(f["tags"]), list(in["values"]))
	case "updateName":
		f["name"] = value
	case "updateDescription":
		setText(f, "description", value)
	case "updateMaintainerMember", "updateMaintainerTeam", "removeMaintainer":
		member, team := "", ""
		if kind == "updateMaintainerMember" {
			member = value
		} else {
			team = value
		}
		if textIn(f, "maintainerId") != member || textIn(f, "maintainerTeamKey") != team {
			delete(f, "_maintainer")
			delete(f, "_maintainerTeam")
		}
		setText(f, "maintainerId", member)
		setText(f, "maintainerTeamKey", team)
	case "makeFlagPermanent", "makeFlagTemporary":
		f["temporary"] = kind == "makeFlagTemporary"
	case "turnOnClientSideAvailability", "turnOffClientSideAvailability":
		a, given := f["clientSideAvailability"].(object)
		if !given {
			a = object{"usingMobileKey": false, "usingEnvironmentId": false}
		}
		if on := kind == "turnOnClientSideAvailability"; a[value] != on {
			a[value] = on
			f["clientSideAvailability"] = a
		}
	case "archiveFlag", "restoreFlag":
		is := kind == "archiveFlag"
		if f["archived"] == is {
			return
		}
		n.life("archived", is)
		f["archived"] = is
		for _, e := range f["environments"].(object) {
			e.(object)["archived"] = is
		}
	case "deprecateFlag":
		if f["deprecated"] == nil {
			n.life("deprecated", true)
		}
	case "restoreDeprecatedFlag":
		if f["deprecated"] != nil {
			n.life("deprecated", false)
		}
	case "deleteFlag":
		if f["deleted"] == nil {
			n.life("deleted", true)
		}
	default:
		panic("naive: " + kind)
	}
}

func (n *naive) life(name string, is bool) {
	delete(n.flag, name)
	delete(n.flag, name+"Date")
	if is {
		n.flag[name], n.flag[name+"Date"] = true, n.now
	}
}

func setText(o object, name, s string) {
	delete(o, name)
	if s != "" {
		o[name] = s
	}
}

// merged adds values to a list, each once, or removes them.
func merged(add bool, l, values []any) []any {
	result := slices.Clone(l)
	if result == nil {
		result = []any{}
	}
	for _, v := range values {
		if i := slices.IndexFunc(result, func(o any) bool { return sameValue(o, v) }); add && i < 0 {
			result = append(result, v)
		}
	}
	if !add {
		result = slices.DeleteFunc(result, func(o any) bool {
			return slices.ContainsFunc(values, func(v any) bool { return sameValue(o, v) })
		})
	}
	return result
}

// sameValue compares numbers by what they say.
func sameValue(a, b any) bool {
	x, isNumber := a.(json.Number)
	y, both := b.(json.Number)
	if isNumber && both {
		p, _ := new(big.Rat).SetString(x.String())
		q, _ := new(big.Rat).SetString(y.String())
		return p.Cmp(q) == 0
	}
	return reflect.DeepEqual(a, b)
}

func (n *naive) property(kind string, in object) {
	all := n.flag["customProperties"].(object)
	key := textIn(in, "key")
	p, there := all[key].(object)
	switch kind {
	case "addCustomProperties":
		if !there {
			p = object{}
			all[key] = p
		}
		p["name"] = in["name"]
		p["value"] = merged(true, list(p["value"]), list(in["values"]))
	case "replaceCustomProperties":
		refuse(!there)
		if textIn(in, "name") != "" {
			p["name"] = in["name"]
		}
		p["value"] = merged(true, nil, list(in["values"]))
	default:
		if !there {
			return
		}
		p["value"] = merged(false, list(p["value"]), list(in["values"]))
		if len(p["value"].([]any)) == 0 {
			delete(all, key)
		}
	}
}

func (n *naive) contextKind(in object) string {
	if s := textIn(in, "contextKind"); s != "" {
		return s
	}
	return "user"
}

func listsName(contextKind string) string {
	if contextKind == "user" {
		return "targets"
	}
	return "contextTargets"
}

// targetsOf returns the list of a kind and variation, nil if there is none.
func (n *naive) targetsOf(contextKind string, variation int) object {
	for _, t := range list(n.e()[listsName(contextKind)]) {
		if t := t.(object); number(t["variation"]) == variation && n.contextKind(t) == contextKind {
			return t
		}
	}
	return nil
}

func (n *naive) addTargets(contextKind string, variation int, keys []any) {
	for _, key := range keys {
		for i := range n.variations() {
			t := n.targetsOf(contextKind, i)
			refuse(t != nil && i != variation && slices.Contains(list(t["values"]), key))
		}
		t := n.targetsOf(contextKind, variation)
		if t == nil {
			t = object{"variation": json.Number(fmt.Sprint(variation)), "contextKind": contextKind, "values": []any{}}
			n.e()[listsName(contextKind)] = append(list(n.e()[listsName(contextKind)]), t)
		}
		t["values"] = merged(true, list(t["values"]), []any{key})
	}
}

func (n *naive) removeTargets(contextKind string, variation int, gone func(string) bool) {
	t := n.targetsOf(contextKind, variation)
	if t == nil {
		return
	}
	left := slices.DeleteFunc(slices.Clone(list(t["values"])), func(key any) bool { return gone(key.(string)) })
	if len(left) < len(list(t["values"])) {
		t["values"] = left
		n.settle()
	}
}

// settle removes empty lists, and gives each list of users its place among the
// contexts.
func (n *naive) settle() {
	e := n.e()
	users, contexts := []any{}, []any{}
	for _, t := range list(e["targets"]) {
		if len(list(t.(object)["values"])) > 0 {
			users = append(users, t)
		}
	}
	e["targets"] = users
	place := map[int]bool{}
	for _, t := range list(e["contextTargets"]) {
		t := t.(object)
		i := number(t["variation"])
		if n.contextKind(t) != "user" && len(list(t["values"])) > 0 {
			contexts = append(contexts, t)
		}
		if n.contextKind(t) == "user" && n.targetsOf("user", i) != nil {
			contexts = append(contexts, t)
			place[i] = true
		}
	}
	for _, t := range users {
		if i := t.(object)["variation"]; !place[number(i)] {
			contexts = append(contexts, object{"values": []any{}, "variation": i, "contextKind": "user"})
		}
	}
	e["contextTargets"] = contexts
}

func (n *naive) replaceTargets(in object, users bool) {
	e := n.e()
	old := copied(e).(object)
	given := list(in["targets"])
	there := map[int]bool{}
	for _, t := range given {
		there[n.variation(textIn(t.(object), "variationId"))] = true
	}
	refuse(users && len(there) < len(n.variations()))
	e["targets"] = []any{}
	if !users {
		e["contextTargets"] = []any{}
	}
	for _, t := range given {
		t := t.(object)
		contextKind, variation := n.contextKind(t), n.variation(textIn(t, "variationId"))
		fresh := n.targetsOf(contextKind, variation) == nil
		n.addTargets(contextKind, variation, list(t["values"]))
		now := n.targetsOf(contextKind, variation)
		if now == nil || !fresh {
			continue
		}
		for _, o := range list(old[listsName(contextKind)]) { // unknown members stay
			if o := o.(object); n.contextKind(o) == contextKind && number(o["variation"]) == variation {
				for name, v := range o {
					if name != "values" {
						now[name] = v
					}
				}
			}
		}
		if contextKind == "user" && !users {
			e["contextTargets"] = append(list(e["contextTargets"]), object{"values": []any{}, "variation": now["variation"], "contextKind": "user"})
		}
	}
	n.settle()
}

// serve returns a rule, or the default rule, that serves what an instruction
// says.
func (n *naive) serve(in, old object) object {
	rule := copied(old).(object)
	delete(rule, "variation")
	delete(rule, "rollout")
	if id := textIn(in, "variationId"); id != "" {
		rule["variation"] = json.Number(fmt.Sprint(n.variation(id)))
		return rule
	}
	rollout := object{}
	if was, ok := old["rollout"].(object); ok {
		rollout = copied(was).(object)
	}
	before := list(rollout["variations"])
	weights := []any{}
	named := map[int]any{}
	for id, weight := range in["rolloutWeights"].(object) {
		named[n.variation(id)] = weight
	}
	for i := range n.variations() {
		if named[i] == nil {
			continue
		}
		w := object{}
		for _, o := range before {
			if number(o.(object)["variation"]) == i {
				w = copied(o).(object)
			}
		}
		w["variation"], w["weight"] = json.Number(fmt.Sprint(i)), named[i]
		weights = append(weights, w)
	}
	inOrder := slices.Clone(before)
	slices.SortStableFunc(inOrder, func(a, b any) int { return number(a.(object)["variation"]) - number(b.(object)["variation"]) })
	if rollout["variations"] = weights; reflect.DeepEqual(inOrder, weights) {
		rollout["variations"] = before
	}
	setText(rollout, "bucketBy", textIn(in, "rolloutBucketBy"))
	rollout["contextKind"] = n.contextKind(object{"contextKind": textIn(in, "rolloutContextKind")})
	if rollout["contextKind"] == "user" && !n.isPath(rollout, "bucketBy") {
		unsaid := copied(rollout).(object)
		delete(unsaid, "contextKind")
		if reflect.DeepEqual(unsaid, old["rollout"]) { // the same stays as it is
			rollout = unsaid
		}
	}
	rule["rollout"] = rollout
	return rule
}

func (n *naive) newRule(in object) object {
	rule := n.serve(in, object{})
	rule["_id"] = n.newID()
	rule["clauses"] = n.newClauses(in)
	rule["trackEvents"] = in["trackEvents"] == true
	setText(rule, "description", textIn(in, "description"))
	return rule
}

// isPath reports whether a member of a document names a path in contexts.
func (n *naive) isPath(o object, name string) bool {
	return strings.HasPrefix(textIn(o, name), "/") && textIn(o, "contextKind") != "" && o["op"] != "segmentMatch"
}

func (n *naive) newClauses(in object) []any {
	result := []any{}
	for _, cl := range list(in["clauses"]) {
		cl := n.inDocument(cl.(object))
		cl["_id"] = n.newID()
		result = append(result, cl)
	}
	return result
}

func (n *naive) inDocument(cl object) object {
	cl = copied(cl).(object)
	if cl["attribute"] == nil {
		cl["attribute"] = ""
	}
	if cl["op"] != "segmentMatch" {
		cl["contextKind"] = n.contextKind(cl)
	}
	return cl
}

// replaceRules replaces the rules unless those that there are say the same.
func (n *naive) replaceRules(given []any) {
	ids := n.ids
	old := n.rules()
	same := len(given) == len(old)
	list := []any{}
	for i, in := range given {
		rule := n.newRule(in.(object))
		list = append(list, rule)
		if !same {
			continue
		}
		was := copied(old[i]).(object)
		now := copied(rule).(object)
		if _, rollout := now["rollout"]; rollout {
			now["rollout"] = n.serve(in.(object), was)["rollout"]
		}
		for _, r := range []object{was, now} {
			delete(r, "_id")
			delete(r, "colour")
			delete(r, "_made")
			if rollout, ok := r["rollout"].(object); ok {
				rollout["is path"] = n.isPath(rollout, "bucketBy")
				rollout["contextKind"] = n.contextKind(rollout)
			}
			for _, cl := range r["clauses"].([]any) {
				cl := cl.(object)
				delete(cl, "_id")
				delete(cl, "colour")
				delete(cl, "_made")
				cl["is path"] = n.isPath(cl, "attribute")
				cl["contextKind"] = n.contextKind(cl)
			}
		}
		same = reflect.DeepEqual(was, now)
	}
	if same {
		n.ids = ids
		return
	}
	n.e()["rules"] = list
}

func (n *naive) changeClause(kind string, in object) {
	rule := n.rule(textIn(in, "ruleId"))
	clauses := list(rule["clauses"])
	i := indexIn(clauses, "_id", textIn(in, "clauseId"))
	refuse(i < 0)
	cl := clauses[i].(object)
	switch kind {
	case "updateClause":
		next := n.inDocument(in["clause"].(object))
		same := n.contextKind(next) == n.contextKind(cl) && n.isPath(next, "attribute") == n.isPath(cl, "attribute")
		for _, name := range []string{"attribute", "op", "negate", "values"} {
			same = same && reflect.DeepEqual(next[name], cl[name])
		}
		if same {
			return
		}
		for _, name := range []string{"_id", "colour", "_made"} {
			if cl[name] != nil {
				next[name] = cl[name]
			}
		}
		clauses[i] = next
	case "addValuesToClause":
		for _, v := range list(in["values"]) {
			_, isText := v.(string)
			refuse(cl["op"] == "segmentMatch" && !isText)
		}
		cl["values"] = merged(true, list(cl["values"]), list(in["values"]))
	default:
		cl["values"] = merged(false, list(cl["values"]), list(in["values"]))
	}
}

func (n *naive) prerequisite(kind string, in object) {
	e := n.e()
	there := list(e["prerequisites"])
	find := func(key string) int { return indexIn(there, "key", key) }
	resolve := func(in object) object {
		key := textIn(in, "key")
		other := n.others[key]
		refuse(other == nil)
		i := indexIn(list(other["variations"]), "_id", textIn(in, "variationId"))
		refuse(i < 0)
		return object{"key": key, "variation": json.Number(fmt.Sprint(i))}
	}
	switch kind {
	case "addPrerequisite":
		p := resolve(in)
		if i := find(textIn(in, "key")); i >= 0 {
			refuse(number(there[i].(object)["variation"]) != number(p["variation"]))
			return
		}
		e["prerequisites"] = append(there, p)
	case "updatePrerequisite":
		i := find(textIn(in, "key"))
		refuse(i < 0)
		there[i].(object)["variation"] = resolve(in)["variation"]
	case "removePrerequisite":
		if i := find(textIn(in, "key")); i >= 0 {
			e["prerequisites"] = slices.Delete(slices.Clone(there), i, i+1)
		}
	default:
		result := []any{}
		for _, in := range list(in["prerequisites"]) {
			p := resolve(in.(object))
			refuse(indexIn(result, "key", textIn(p, "key")) >= 0)
			if i := find(textIn(p, "key")); i >= 0 {
				old := copied(there[i]).(object)
				old["variation"] = p["variation"]
				p = old
			}
			result = append(result, p)
		}
		e["prerequisites"] = result
	}
}

// removeVariation refuses if the variation is served anywhere, and moves the
// indexes after it.
func (n *naive) removeVariation(gone int) {
	refuse(n.flag["kind"] == "boolean" || len(n.variations()) == 1)
	move := func(o object, name string) {
		if i, there := o[name]; there {
			refuse(number(i) == gone)
			if number(i) > gone {
				o[name] = json.Number(fmt.Sprint(number(i) - 1))
			}
		}
	}
	serve := func(rule object) {
		move(rule, "variation")
		rollout, ok := rule["rollout"].(object)
		if !ok {
			return
		}
		weights := slices.DeleteFunc(slices.Clone(list(rollout["variations"])), func(w any) bool {
			return number(w.(object)["variation"]) == gone && number(w.(object)["weight"]) == 0
		})
		refuse(len(weights) == 0)
		for _, w := range weights {
			move(w.(object), "variation")
		}
		rollout["variations"] = weights
		if a, ok := rollout["experimentAllocation"].(object); ok {
			move(a, "defaultVariation")
		}
	}
	if d, ok := n.flag["defaults"].(object); ok {
		move(d, "onVariation")
		move(d, "offVariation")
	}
	for _, e := range n.flag["environments"].(object) {
		e := e.(object)
		move(e, "offVariation")
		for _, name := range []string{"targets", "contextTargets"} {
			lists := slices.DeleteFunc(slices.Clone(list(e[name])), func(t any) bool {
				return number(t.(object)["variation"]) == gone && len(list(t.(object)["values"])) == 0
			})
			for _, t := range lists {
				move(t.(object), "variation")
			}
			e[name] = lists
		}
		if rule, ok := e["fallthrough"].(object); ok {
			serve(rule)
		}
		for _, rule := range list(e["rules"]) {
			serve(rule.(object))
		}
	}
	n.flag["variations"] = slices.Delete(slices.Clone(n.variations()), gone, gone+1)
}

// written returns what JSON says when it is written again, so that numbers of
// Go and of documents compare.
func written(t require.TestingT, v any) any {
	text, err := json.Marshal(v)
	require.NoError(t, err)
	var result any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&result))
	return result
}

func TestApplyDoesWhatANaiveProgramDoes(t *testing.T) {
	others := map[string]map[string]any{}
	for _, key := range []string{"lamp", "door"} {
		f, err := flagstagetest.Neighbours().Flag(key)
		require.NoError(t, err)
		others[key] = written(t, f).(object)
	}
	rapid.Check(t, func(t *rapid.T) {
		f := flagstagetest.Flags().Draw(t, "flag")
		how := flags.Application{Environment: "production", Now: changedAt, IDs: new(counter), Others: flagstagetest.Neighbours()}
		var patch []flags.Instruction
		current := f // to draw what fits
		for range rapid.IntRange(1, 8).Draw(t, "instructions") {
			in := flagstagetest.InstructionsFor(current, "production").Draw(t, "instruction")
			next, err := flags.Apply(current, []flags.Instruction{in}, how)
			if err != nil && rapid.IntRange(0, 3).Draw(t, "leave out") > 0 {
				continue
			}
			patch = append(patch, in)
			if err != nil {
				break
			}
			current = next
		}
		how.IDs = new(counter)
		got, err := flags.Apply(f, patch, how)
		model := naive{flag: written(t, f).(object), env: "production", others: others, now: changedAt.UnixMilli()}
		want, refusal := model.apply(list(written(t, patch)))
		t.Logf("%s\n%s", f.AppendJSON(nil), written(t, patch))
		require.Equal(t, refusal != nil, err != nil, "%v", err)
		if err != nil {
			return
		}
		unsaid(want)
		gotten := written(t, got).(object)
		unsaid(gotten)
		require.Equal(t, written(t, want), any(gotten))
		require.GreaterOrEqual(t, flags.Most(got), len(got.AppendJSON(nil)), "the size is bounded")
	})
}
