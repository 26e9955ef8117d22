package flagstagetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/flags"
)

// Flags generates flags with the environment production and sometimes test,
// whose prerequisites are among [Neighbours]. None is archived or deleted, and
// each equals what decoding its JSON gives.
func Flags() *rapid.Generator[flags.Flag] {
	return rapid.Custom(func(t *rapid.T) flags.Flag {
		w := flagWriter{t: t, boolean: rapid.Bool().Draw(t, "boolean")}
		document, err := json.Marshal(w.flag())
		if err != nil {
			t.Fatalf("flagstagetest: %v", err)
		}
		f, problems := flags.DecodeFlag(document)
		if problems != nil {
			t.Fatalf("flagstagetest: drew a flag that is not valid: %v\n%s", problems, document)
		}
		return f
	})
}

// Neighbours returns the other flags of the project of those that [Flags]
// generates.
func Neighbours() flags.FlagSet {
	var list []flags.Flag
	for _, key := range neighbours {
		var f flags.Flag
		document := fmt.Sprintf(`{"key":%q,"kind":"boolean","variations":[{"_id":"%s-on","value":true},{"_id":"%s-off","value":false}]}`, key, key, key)
		if err := f.UnmarshalJSON([]byte(document)); err != nil {
			panic("flagstagetest: " + err.Error())
		}
		list = append(list, f)
	}
	return flags.NewFlagSet(list...)
}

var (
	neighbours   = []string{"lamp", "door"}
	targetKinds  = []string{"user", "device"}
	targetKeys   = []string{"ada", "bo", "cy", "dan"}
	clauseValues = []string{`"x"`, `"y"`, `1`, `1.0`, `1.5`, `true`}

	bucketAttributes = []string{"bench", "bench", "/bench"}
)

// jsonObject is a JSON object to be written.
type jsonObject map[string]any

// flagWriter draws the document of a flag.
type flagWriter struct {
	t          *rapid.T
	boolean    bool
	variations int
	ids        int
}

// some draws whether something is there.
func (w *flagWriter) some(what string) bool { return rapid.Bool().Draw(w.t, what) }

func (w *flagWriter) count(what string, least, most int) int {
	return rapid.IntRange(least, most).Draw(w.t, what)
}

func (w *flagWriter) index() int { return w.count("variation", 0, w.variations-1) }

// with adds members that nobody knows to an object.
func (w *flagWriter) with(o jsonObject) jsonObject {
	if w.count("unknown members", 0, 5) == 5 {
		o["colour"] = json.RawMessage(freeJSON(1).Draw(w.t, "colour"))
		o["_made"] = json.RawMessage(freeJSON(0).Draw(w.t, "made"))
	}
	return o
}

func (w *flagWriter) flag() jsonObject {
	values := []string{"true", "false"}
	if !w.boolean {
		values = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{`"a"`, `"b"`, `7`, `{"k":[1]}`, `false`}), 1, 4, rapid.ID[string]).Draw(w.t, "values")
	}
	w.variations = len(values)
	var variations []jsonObject
	for i, v := range values {
		variation := jsonObject{"_id": fmt.Sprint("v-", i), "value": json.RawMessage(v)}
		if w.some("name") {
			variation["name"] = full(w.t)
		}
		variations = append(variations, w.with(variation))
	}
	environments := jsonObject{"production": w.environment()}
	if w.some("test") {
		environments["test"] = w.environment()
	}
	f := jsonObject{
		"key": "subject", "name": text(w.t), "kind": "multivariate", "_version": w.count("version", 0, 9), "variations": variations,
		"temporary": w.some("temporary"), "tags": rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"t1", "t2", "t3"}), 0, 3, rapid.ID[string]).Draw(w.t, "tags"),
		"deprecated": w.some("deprecated"), "environments": environments,
	}
	if w.boolean {
		f["kind"] = "boolean"
	}
	if w.some("description") {
		f["description"] = full(w.t)
	}
	if w.some("defaults") {
		f["defaults"] = jsonObject{"onVariation": w.index(), "offVariation": w.index()}
	}
	if w.some("availability") {
		f["clientSideAvailability"] = jsonObject{"usingMobileKey": w.some("mobile"), "usingEnvironmentId": w.some("environment id")}
	}
	switch w.count("maintainer", 0, 2) {
	case 1:
		f["maintainerId"], f["_maintainer"] = "member-1", jsonObject{"_id": "member-1"}
	case 2:
		f["maintainerTeamKey"] = "team-1"
	}
	if w.some("properties") {
		f["customProperties"] = jsonObject{"p1": w.with(jsonObject{"name": full(w.t), "value": []string{"x", "y"}})}
	}
	return w.with(f)
}

func (w *flagWriter) environment() jsonObject {
	e := jsonObject{
		"on": w.some("on"), "salt": "s", "version": w.count("version", 0, 9), "lastModified": int64(1767600000000),
		"trackEvents": w.some("track"), "trackEventsFallthrough": w.some("track default"),
	}
	users, contexts := []jsonObject{}, []jsonObject{}
	for _, kind := range targetKinds {
		lists := map[int][]string{}
		for _, key := range targetKeys {
			if i := w.count("target of", -2, w.variations-1); i >= 0 {
				lists[i] = append(lists[i], key)
			}
		}
		for i := range w.variations {
			if lists[i] == nil {
				continue
			}
			list := w.with(jsonObject{"variation": i, "values": lists[i], "contextKind": kind})
			if kind != "user" {
				contexts = append(contexts, list)
				continue
			}
			users = append(users, list)
			if w.count("without a place", 0, 7) < 7 {
				contexts = append(contexts, jsonObject{"variation": i, "values": []string{}, "contextKind": kind})
			}
		}
	}
	e["targets"], e["contextTargets"] = users, contexts
	rules := []jsonObject{}
	for range w.count("rules", 0, 3) {
		rules = append(rules, w.rule())
	}
	e["rules"] = rules
	if w.count("default", 0, 5) > 0 {
		e["fallthrough"] = w.serve(jsonObject{})
	}
	if w.some("off") {
		e["offVariation"] = w.index()
	}
	prerequisites := []jsonObject{}
	for _, key := range neighbours {
		if w.count("prerequisite", 0, 3) == 3 {
			prerequisites = append(prerequisites, w.with(jsonObject{"key": key, "variation": w.count("its variation", 0, 1)}))
		}
	}
	e["prerequisites"] = prerequisites
	return w.with(e)
}

func (w *flagWriter) id(prefix string) string {
	w.ids++
	return fmt.Sprint(prefix, w.ids)
}

func (w *flagWriter) rule() jsonObject {
	rule := jsonObject{"_id": w.id("r-"), "trackEvents": w.some("track")}
	if w.some("description") {
		rule["description"] = full(w.t)
	}
	if w.count("disabled", 0, 7) == 7 {
		rule["disabled"] = true
	}
	clauses := []jsonObject{}
	for range w.count("clauses", 0, 2) {
		clause := jsonObject{
			"_id": w.id("c-"), "attribute": full(w.t), "op": "in", "contextKind": "user", "negate": w.some("negate"),
			"values": rapid.SliceOfNDistinct(rapid.Map(rapid.SampledFrom(clauseValues), func(s string) json.RawMessage { return json.RawMessage(s) }),
				0, 3, func(v json.RawMessage) string { return string(v) }).Draw(w.t, "values"),
		}
		switch w.count("a path, or not", 0, 7) { // with and without a kind of context
		case 5:
			delete(clause, "contextKind")
		case 6:
			clause["attribute"] = "/home"
		case 7:
			clause["attribute"] = "/home"
			delete(clause, "contextKind")
		}
		if w.some("segments") {
			clause["op"], clause["attribute"], clause["values"] = "segmentMatch", "", []string{"s1"}
		}
		clauses = append(clauses, w.with(clause))
	}
	rule["clauses"] = clauses
	return w.with(w.serve(rule))
}

// serve adds to an object what is served.
func (w *flagWriter) serve(o jsonObject) jsonObject {
	if w.some("one variation") {
		o["variation"] = w.index()
		return o
	}
	var weights []jsonObject
	left := flags.FullWeight
	for i := range w.variations {
		weight := left
		if i < w.variations-1 {
			weight = w.count("weight", 0, left)
		}
		left -= weight
		share := w.with(jsonObject{"variation": i, "weight": weight})
		switch w.count("tracked", 0, 7) {
		case 6:
			share["_untracked"] = true
		case 7:
			share["untracked"] = w.some("untracked")
		}
		weights = append(weights, share)
	}
	if w.count("another order", 0, 5) == 5 {
		slices.Reverse(weights)
	}
	rollout := jsonObject{"variations": weights, "contextKind": rapid.SampledFrom(targetKinds).Draw(w.t, "kind")}
	if w.some("seed") {
		rollout["seed"] = 61
	}
	if w.some("bucket by") {
		rollout["bucketBy"] = rapid.SampledFrom(bucketAttributes).Draw(w.t, "attribute")
	}
	if w.count("no kind of context", 0, 5) == 5 {
		delete(rollout, "contextKind")
	}
	switch w.count("kind of rollout", 0, 7) {
	case 5:
		rollout["kind"] = "rollout"
	case 6:
		rollout["kind"] = "experiment"
	case 7:
		rollout["experimentAllocation"] = jsonObject{"defaultVariation": w.index()}
	}
	o["rollout"] = w.with(rollout)
	return o
}

// InstructionsFor generates instructions of every documented kind for a flag in
// one of its environments. Most of them apply to it, some name what does not
// exist or what stands in the way.
func InstructionsFor(f flags.Flag, environment string) *rapid.Generator[flags.Instruction] {
	return rapid.Custom(func(t *rapid.T) flags.Instruction {
		d := flagDrawer{t: t, f: f, clauses: map[string][]string{}}
		d.e, _ = f.Environment(environment)
		for _, v := range f.Variations() {
			d.variations = append(d.variations, v.ID)
		}
		for _, rule := range d.e.Rules() {
			d.rules = append(d.rules, rule.ID())
			for _, cl := range rule.Clauses() {
				d.clauses[rule.ID()] = append(d.clauses[rule.ID()], cl.ID())
			}
		}
		return d.instruction()
	})
}

// PatchesFor generates instructions that apply one after the other to a flag in
// one of its environments, with [Neighbours] as the other flags and a new source
// of [CountedIDs]. None deletes it.
func PatchesFor(f flags.Flag, environment string) *rapid.Generator[[]flags.Instruction] {
	return rapid.Custom(func(t *rapid.T) []flags.Instruction {
		ids := new(countedIDs)
		how := flags.Application{Environment: environment, Now: usual, IDs: ids, Others: Neighbours()}
		var list []flags.Instruction
		current := f
		for range rapid.IntRange(0, 6).Draw(t, "instructions") {
			in := InstructionsFor(current, environment).Draw(t, "instruction")
			before := *ids
			next, err := flags.Apply(current, []flags.Instruction{in}, how)
			if err != nil || next.Deleted() {
				*ids = before
				continue
			}
			list, current = append(list, in), next
		}
		return list
	})
}

// CountedIDs returns a source of the identifiers new-1, new-2 and so on, which
// is not safe for concurrent use. [PatchesFor] applies with one of its own, so
// that its instructions name what they add as another such source does.
func CountedIDs() flags.IDSource { return new(countedIDs) }

type countedIDs struct{ n int }

func (c *countedIDs) NewID(time.Time) string {
	c.n++
	return fmt.Sprint("new-", c.n)
}

// flagDrawer draws one instruction for a flag.
type flagDrawer struct {
	t                 *rapid.T
	f                 flags.Flag
	e                 flags.Environment
	variations, rules []string
	clauses           map[string][]string
}

// of draws one of the identifiers that there are, and seldom another.
func (d *flagDrawer) of(what string, ids []string) string {
	if len(ids) == 0 || rapid.IntRange(0, 19).Draw(d.t, "no "+what) == 19 {
		return "none"
	}
	return rapid.SampledFrom(ids).Draw(d.t, what)
}

func (d *flagDrawer) variation() string { return d.of("variation", d.variations) }

func (d *flagDrawer) clause() (rule, clause string) {
	rule = d.of("rule", d.rules)
	return rule, d.of("clause", d.clauses[rule])
}

func (d *flagDrawer) keys() []string {
	return rapid.SliceOfN(rapid.SampledFrom(targetKeys), 0, 3).Draw(d.t, "keys")
}

func (d *flagDrawer) kind() string {
	return rapid.SampledFrom([]string{"", "user", "device"}).Draw(d.t, "kind of context")
}

func (d *flagDrawer) values() []flags.Value {
	return rapid.SliceOfN(rapid.Map(rapid.SampledFrom(clauseValues), parseValue), 0, 3).Draw(d.t, "values")
}

func (d *flagDrawer) serve() flags.Serve {
	if boolean(d.t) {
		return flags.ServeVariation(d.variation())
	}
	var rollout flags.Rollout
	left := flags.FullWeight
	ids := rapid.SliceOfNDistinct(rapid.SampledFrom(append(slices.Clone(d.variations), "none")), 1, 3, rapid.ID[string]).Draw(d.t, "variations")
	for i, id := range ids {
		weight := left
		if i < len(ids)-1 {
			weight = rapid.IntRange(0, left).Draw(d.t, "weight")
		}
		left -= weight
		rollout.Weights = append(rollout.Weights, flags.Weight{VariationID: id, Weight: weight})
	}
	rollout.ContextKind = d.kind()
	rollout.BucketBy = rapid.SampledFrom(append([]string{""}, bucketAttributes...)).Draw(d.t, "bucket by")
	return flags.ServeRollout(rollout)
}

func (d *flagDrawer) newClause() flags.Clause {
	if boolean(d.t) {
		return flags.Clause{Op: flags.OpSegmentMatch, ContextKind: d.kind(), Values: flags.StringValues("s1", "s2")}
	}
	return flags.Clause{
		Attribute: rapid.SampledFrom([]string{full(d.t), full(d.t), "/home"}).Draw(d.t, "attribute"), Op: rapid.SampledFrom([]flags.Operator{flags.OpIn, flags.OpLessThan}).Draw(d.t, "op"),
		ContextKind: d.kind(), Negate: boolean(d.t), Values: d.values(),
	}
}

func (d *flagDrawer) newClauses() []flags.Clause {
	return drawSome(d.t, "clauses", 2, d.newClause)
}

func drawSome[T any](t *rapid.T, what string, most int, draw func() T) (list []T) {
	for range rapid.IntRange(0, most).Draw(t, what) {
		list = append(list, draw())
	}
	return list
}

func (d *flagDrawer) newRule() flags.Rule {
	return flags.Rule{Clauses: d.newClauses(), Serve: d.serve(), Description: text(d.t)}
}

func (d *flagDrawer) targets() flags.Targets {
	return flags.Targets{ContextKind: d.kind(), VariationID: d.variation(), Values: d.keys()}
}

// userTargets draws a list for each variation, or for most.
func (d *flagDrawer) userTargets() (list []flags.Targets) {
	keys := rapid.Permutation(targetKeys).Draw(d.t, "keys")
	for i, id := range d.variations {
		t := flags.Targets{VariationID: id}
		if i < len(keys) && boolean(d.t) {
			t.Values = keys[i : i+1]
		}
		list = append(list, t)
	}
	return list[:len(list)-rapid.SampledFrom([]int{0, 0, 0, min(1, len(list))}).Draw(d.t, "missing")]
}

func (d *flagDrawer) neighbour() (key, variation string) {
	key = rapid.SampledFrom(append(slices.Clone(neighbours), "none", "subject")).Draw(d.t, "other flag")
	return key, key + rapid.SampledFrom([]string{"-on", "-off", "-off", "-none"}).Draw(d.t, "its variation")
}

func (d *flagDrawer) value() flags.Value {
	return rapid.Map(rapid.SampledFrom([]string{`"a"`, `"b"`, `"c"`, `7`, `7.0`, `8`, `true`, `false`, `{"k":[1]}`}), parseValue).Draw(d.t, "value")
}

func (d *flagDrawer) property() flags.CustomProperty {
	return flags.CustomProperty{
		Key: rapid.SampledFrom([]string{"p1", "p2"}).Draw(d.t, "key"), Name: full(d.t),
		Values: rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3).Draw(d.t, "values"),
	}
}

func (d *flagDrawer) tags() []string {
	return rapid.SliceOfN(rapid.SampledFrom([]string{"t1", "t2", "t3", "t4"}), 0, 3).Draw(d.t, "tags")
}

func (d *flagDrawer) instruction() flags.Instruction {
	kind := rapid.SampledFrom(flags.Kinds()).Draw(d.t, "kind")
	draw := flagDraws[kind]
	if draw == nil {
		d.t.Fatalf("flagstagetest: no instruction of kind %s can be drawn for a flag", kind)
	}
	return draw(d)
}

var flagDraws = map[flags.Kind]func(*flagDrawer) flags.Instruction{
	"turnFlagOn":    func(*flagDrawer) flags.Instruction { return flags.TurnFlagOn() },
	"turnFlagOff":   func(*flagDrawer) flags.Instruction { return flags.TurnFlagOff() },
	"addTargets":    func(d *flagDrawer) flags.Instruction { return flags.AddTargets(d.targets()) },
	"removeTargets": func(d *flagDrawer) flags.Instruction { return flags.RemoveTargets(d.targets()) },
	"replaceTargets": func(d *flagDrawer) flags.Instruction {
		return flags.ReplaceTargets(drawSome(d.t, "lists", 3, d.targets)...)
	},
	"clearTargets":   func(d *flagDrawer) flags.Instruction { return flags.ClearTargets(d.variation()) },
	"addUserTargets": func(d *flagDrawer) flags.Instruction { return flags.AddUserTargets(d.variation(), d.keys()...) },
	"removeUserTargets": func(d *flagDrawer) flags.Instruction {
		return flags.RemoveUserTargets(d.variation(), d.keys()...)
	},
	"replaceUserTargets": func(d *flagDrawer) flags.Instruction { return flags.ReplaceUserTargets(d.userTargets()...) },
	"clearUserTargets":   func(d *flagDrawer) flags.Instruction { return flags.ClearUserTargets(d.variation()) },
	"addRule": func(d *flagDrawer) flags.Instruction {
		before := ""
		if boolean(d.t) {
			before = d.of("rule", d.rules)
		}
		return flags.AddRule(d.newRule(), before)
	},
	"removeRule": func(d *flagDrawer) flags.Instruction { return flags.RemoveRule(d.of("rule", d.rules)) },
	"replaceRules": func(d *flagDrawer) flags.Instruction {
		return flags.ReplaceRules(drawSome(d.t, "rules", 3, func() flags.Rule {
			rule := d.newRule()
			rule.TrackEvents = boolean(d.t)
			return rule
		})...)
	},
	"reorderRules": func(d *flagDrawer) flags.Instruction {
		order := rapid.Permutation(d.rules).Draw(d.t, "order")
		return flags.ReorderRules(order[:len(order)-rapid.SampledFrom([]int{0, 0, 0, min(1, len(order))}).Draw(d.t, "missing")]...)
	},
	"updateRuleVariationOrRollout": func(d *flagDrawer) flags.Instruction {
		return flags.UpdateRuleVariationOrRollout(d.of("rule", d.rules), d.serve())
	},
	"updateRuleDescription": func(d *flagDrawer) flags.Instruction {
		return flags.UpdateRuleDescription(d.of("rule", d.rules), text(d.t))
	},
	"updateRuleTrackEvents": func(d *flagDrawer) flags.Instruction {
		return flags.UpdateRuleTrackEvents(d.of("rule", d.rules), boolean(d.t))
	},
	"addClauses": func(d *flagDrawer) flags.Instruction {
		return flags.AddClauses(d.of("rule", d.rules), d.newClauses()...)
	},
	"removeClauses": func(d *flagDrawer) flags.Instruction {
		rule, clause := d.clause()
		return flags.RemoveClauses(rule, clause)
	},
	"updateClause": func(d *flagDrawer) flags.Instruction {
		rule, clause := d.clause()
		return flags.UpdateClause(rule, clause, d.newClause())
	},
	"addValuesToClause": func(d *flagDrawer) flags.Instruction {
		rule, clause := d.clause()
		return flags.AddValuesToClause(rule, clause, d.values()...)
	},
	"removeValuesFromClause": func(d *flagDrawer) flags.Instruction {
		rule, clause := d.clause()
		return flags.RemoveValuesFromClause(rule, clause, d.values()...)
	},
	"updateFallthroughVariationOrRollout": func(d *flagDrawer) flags.Instruction {
		return flags.UpdateFallthroughVariationOrRollout(d.serve())
	},
	"updateOffVariation": func(d *flagDrawer) flags.Instruction { return flags.UpdateOffVariation(d.variation()) },
	"addPrerequisite": func(d *flagDrawer) flags.Instruction {
		return flags.AddPrerequisite(d.neighbour())
	},
	"removePrerequisite": func(d *flagDrawer) flags.Instruction {
		key, _ := d.neighbour()
		return flags.RemovePrerequisite(key)
	},
	"updatePrerequisite": func(d *flagDrawer) flags.Instruction { return flags.UpdatePrerequisite(d.neighbour()) },
	"replacePrerequisites": func(d *flagDrawer) flags.Instruction {
		return flags.ReplacePrerequisites(drawSome(d.t, "prerequisites", 2, func() flags.Prerequisite {
			key, variation := d.neighbour()
			return flags.Prerequisite{Key: key, VariationID: variation}
		})...)
	},
	"updateTrackEvents": func(d *flagDrawer) flags.Instruction { return flags.UpdateTrackEvents(boolean(d.t)) },
	"updateTrackEventsFallthrough": func(d *flagDrawer) flags.Instruction {
		return flags.UpdateTrackEventsFallthrough(boolean(d.t))
	},
	"addVariation": func(d *flagDrawer) flags.Instruction {
		return flags.AddVariation(flags.Variation{Value: d.value(), Name: text(d.t), Description: text(d.t)})
	},
	"removeVariation": func(d *flagDrawer) flags.Instruction { return flags.RemoveVariation(d.variation()) },
	"updateVariation": func(d *flagDrawer) flags.Instruction {
		switch rapid.IntRange(0, 2).Draw(d.t, "of") {
		case 0:
			return flags.UpdateVariation(d.variation(), flags.VariationName(text(d.t)))
		case 1:
			return flags.UpdateVariation(d.variation(), flags.VariationDescription(text(d.t)))
		}
		return flags.UpdateVariation(d.variation(), flags.VariationValue(d.value()))
	},
	"updateDefaultVariation": func(d *flagDrawer) flags.Instruction { return flags.UpdateDefaultVariation(d.value(), flags.Value{}) },
	"addCustomProperties":    func(d *flagDrawer) flags.Instruction { return flags.AddCustomProperties(d.property()) },
	"replaceCustomProperties": func(d *flagDrawer) flags.Instruction {
		p := d.property()
		if boolean(d.t) {
			p.Name = ""
		}
		return flags.ReplaceCustomProperties(p)
	},
	"removeCustomProperties": func(d *flagDrawer) flags.Instruction {
		p := d.property()
		return flags.RemoveCustomProperties(p.Key, p.Values...)
	},
	"addTags":                func(d *flagDrawer) flags.Instruction { return flags.AddTags(d.tags()...) },
	"removeTags":             func(d *flagDrawer) flags.Instruction { return flags.RemoveTags(d.tags()...) },
	"updateName":             func(d *flagDrawer) flags.Instruction { return flags.UpdateName(full(d.t)) },
	"updateDescription":      func(d *flagDrawer) flags.Instruction { return flags.UpdateDescription(text(d.t)) },
	"updateMaintainerMember": func(*flagDrawer) flags.Instruction { return flags.UpdateMaintainerMember("member-1") },
	"updateMaintainerTeam":   func(*flagDrawer) flags.Instruction { return flags.UpdateMaintainerTeam("team-1") },
	"removeMaintainer":       func(*flagDrawer) flags.Instruction { return flags.RemoveMaintainer() },
	"makeFlagPermanent":      func(*flagDrawer) flags.Instruction { return flags.MakeFlagPermanent() },
	"makeFlagTemporary":      func(*flagDrawer) flags.Instruction { return flags.MakeFlagTemporary() },
	"turnOnClientSideAvailability": func(d *flagDrawer) flags.Instruction {
		return flags.TurnOnClientSideAvailability(availability(d.t))
	},
	"turnOffClientSideAvailability": func(d *flagDrawer) flags.Instruction {
		return flags.TurnOffClientSideAvailability(availability(d.t))
	},
	"archiveFlag":           func(*flagDrawer) flags.Instruction { return flags.ArchiveFlag() },
	"restoreFlag":           func(*flagDrawer) flags.Instruction { return flags.RestoreFlag() },
	"deleteFlag":            func(*flagDrawer) flags.Instruction { return flags.DeleteFlag() },
	"deprecateFlag":         func(*flagDrawer) flags.Instruction { return flags.DeprecateFlag() },
	"restoreDeprecatedFlag": func(*flagDrawer) flags.Instruction { return flags.RestoreDeprecatedFlag() },
}
