package flags_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/flagstagetest"
)

// fieldLines writes changed fields, one a line.
func fieldLines(list []flags.FieldChange) (lines []string) {
	for _, c := range list {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s -> %s", c.Pointer, c.Was, c.Is)))
	}
	return lines
}

const fieldsFlag = `{"key":"k","kind":"multivariate","variations":[{"_id":"v0","value":0},{"_id":"v1","value":1,"name":"One"},{"value":2}],
	"tags":["a","b"],"customProperties":{"p":{"name":"P","value":["x"]}},"environments":{"e":{"on":false,"offVariation":1,
	"fallthrough":{"rollout":{"variations":[{"variation":0,"weight":60000},{"variation":2,"weight":40000}]}},
	"targets":[{"variation":0,"values":["ann","bob"]}],"contextTargets":[{"variation":2,"values":["d/1"],"contextKind":"device"}],
	"prerequisites":[{"key":"other","variation":1}],
	"rules":[{"_id":"r1","variation":0,"clauses":[{"_id":"c1","attribute":"a","op":"in","values":[1]},{"attribute":"b","op":"in","values":[]}]},
		{"variation":1,"clauses":[]},{"_id":"#1","variation":2,"clauses":[]}]}}}`

func TestChangedFields(t *testing.T) {
	for _, c := range []struct {
		name  string
		edits []string // pairs of old and new text
		want  []string
	}{
		{"nothing", nil, nil},
		{"what makes no difference", []string{`"on":false`, `"on":false,"version":9,"lastModified":5,"_summary":1,"evaluation":{}`}, nil},
		{"texts", []string{`"key":"k"`, `"key":"k","name":"N","description":"D","maintainerId":"m"`},
			[]string{`/name  -> "N"`, `/description  -> "D"`, `/maintainerId  -> "m"`}},
		{"a key, a kind and a date", []string{`"key":"k","kind":"multivariate"`, `"key":"kk","kind":"multivariate","creationDate":5,"includeInSnippet":false`},
			[]string{`/key "k" -> "kk"`, `/creationDate  -> 5`, `/includeInSnippet  -> false`}},
		{"switches", []string{`"tags"`, `"temporary":true,"archived":true,"deprecated":true,"deleted":true,"clientSideAvailability":{"usingMobileKey":true,"usingEnvironmentId":false,"more":1},"tags"`},
			[]string{`/clientSideAvailability/usingMobileKey false -> true`, `/clientSideAvailability/more  -> 1`, `/temporary false -> true`, `/archived false -> true`, `/deprecated false -> true`, `/deleted false -> true`}},
		{"tags", []string{`["a","b"]`, `["b","c/d~","a"]`}, []string{`/tags/c~1d~0  -> "c/d~"`, `/tags ["a","b"] -> ["b","c/d~","a"]`}},
		{"custom properties", []string{`{"p":{"name":"P","value":["x"]}}`, `{"q":{"name":"Q","value":[]},"p":{"name":"P","value":["y"],"_made":1}}`},
			[]string{`/customProperties/q  -> {"name":"Q","value":[]}`, `/customProperties/p {"name":"P","value":["x"]} -> {"name":"P","value":["y"]}`}},
		{"a custom property less", []string{`{"p":{"name":"P","value":["x"]}}`, `{}`}, []string{`/customProperties/p {"name":"P","value":["x"]} ->`}},
		{"a variation", []string{`"value":1,"name":"One"`, `"value":11,"description":"d","more":[{}]`},
			[]string{`/variations/v1/value 1 -> 11`, `/variations/v1/name "One" ->`, `/variations/v1/description  -> "d"`, `/variations/v1/more  -> [{}]`}},
		{"a variation more", []string{`{"value":2}]`, `{"value":2},{"_id":"v3","value":3,"_made":1}]`},
			[]string{`/variations/v3  -> {"_id":"v3","value":3}`, `/defaults/offVariation "#0" -> "v3"`}},
		{"a variation before all others moves them only", []string{`[{"_id":"v0"`, `[{"_id":"new","value":9},{"_id":"v0"`, `"offVariation":1`, `"offVariation":2`,
			`"variation":2`, `"variation":3`, `"variation":0`, `"variation":1`, `"rules":[{"_id":"r1","variation":1`, `"rules":[{"_id":"r1","variation":1`, `{"variation":1,"clauses"`, `{"variation":2,"clauses"`},
			[]string{`/variations/new  -> {"_id":"new","value":9}`, `/defaults/onVariation "v0" -> "new"`}},
		{"variations in another order", []string{`{"_id":"v0","value":0},{"_id":"v1","value":1,"name":"One"}`, `{"_id":"v1","value":1,"name":"One"},{"_id":"v0","value":0}`},
			[]string{`/variations ["v0","v1","#0"] -> ["v1","v0","#0"]`, `/defaults/onVariation "v0" -> "v1"`,
				`/environments/e/targets/user/ann "v0" -> "v1"`, `/environments/e/targets/user/bob "v0" -> "v1"`,
				`/environments/e/rules/r1/serve {"variationId":"v0"} -> {"variationId":"v1"}`, `/environments/e/rules/#0/serve {"variationId":"v1"} -> {"variationId":"v0"}`,
				`/environments/e/fallthrough {"rollout":{"variations":[{"variationId":"v0","weight":60000},{"variationId":"#0","weight":40000}],"contextKind":"user"}} -> {"rollout":{"variations":[{"variationId":"v1","weight":60000},{"variationId":"#0","weight":40000}],"contextKind":"user"}}`,
				`/environments/e/offVariation "v1" -> "v0"`}},
		{"defaults", []string{`"tags"`, `"defaults":{"onVariation":1,"offVariation":2,"more":1},"tags"`}, []string{`/defaults/onVariation "v0" -> "v1"`, `/defaults/more  -> 1`}},
		{"an environment", []string{`"on":false`, `"on":true,"archived":true,"salt":"s","trackEvents":true,"trackEventsFallthrough":true,"more":{"a":[]}`, `"offVariation":1,`, ``},
			[]string{`/environments/e/on false -> true`, `/environments/e/archived false -> true`, `/environments/e/salt  -> "s"`, `/environments/e/offVariation "v1" ->`,
				`/environments/e/trackEvents false -> true`, `/environments/e/trackEventsFallthrough false -> true`, `/environments/e/more  -> {"a":[]}`}},
		{"an environment in place of another", []string{`"environments":{"e":`, `"environments":{"f":{"on":true},"g":`},
			nil}, // the wanted lines are long; see below
		{"targets", []string{`["ann","bob"]`, `["bob","ann/~"]`, `["d/1"],"contextKind":"device"`, `["d/1"],"contextKind":"a/b"`},
			[]string{`/environments/e/targets/a~1b/d~11  -> "#0"`, `/environments/e/targets/user/ann~1~0  -> "v0"`, `/environments/e/targets/device/d~11 "#0" ->`, `/environments/e/targets/user/ann "v0" ->`}},
		{"a target of another variation", []string{`["ann","bob"]}`, `["ann"]},{"variation":1,"values":["bob"]}`}, []string{`/environments/e/targets/user/bob "v0" -> "v1"`}},
		{"targets in another order", []string{`["ann","bob"]`, `["bob","ann"]`},
			[]string{`/environments/e/targets [{"contextKind":"device","variationId":"#0","values":["d/1"]},{"contextKind":"user","variationId":"v0","values":["ann","bob"]}] -> [{"contextKind":"device","variationId":"#0","values":["d/1"]},{"contextKind":"user","variationId":"v0","values":["bob","ann"]}]`}},
		{"a target that stands twice", []string{`["ann","bob"]`, `["ann","bob","ann"]`},
			[]string{`/environments/e/targets [{"contextKind":"device","variationId":"#0","values":["d/1"]},{"contextKind":"user","variationId":"v0","values":["ann","bob"]}] -> [{"contextKind":"device","variationId":"#0","values":["d/1"]},{"contextKind":"user","variationId":"v0","values":["ann","bob","ann"]}]`}},
		{"a prerequisite", []string{`"variation":1}],`, `"variation":0,"_made":1},{"key":"third","variation":0}],`},
			[]string{`/environments/e/prerequisites/other {"key":"other","variation":1} -> {"key":"other","variation":0}`, `/environments/e/prerequisites/third  -> {"key":"third","variation":0}`}},
		{"a default rule", []string{`"weight":60000`, `"weight":60000,"_untracked":true,"more":1`, `40000}]`, `40000}],"bucketBy":"b","seed":3,"experimentAllocation":{"defaultVariation":1,"more":1},"even":2`},
			[]string{`/environments/e/fallthrough {"rollout":{"variations":[{"variationId":"v0","weight":60000},{"variationId":"#0","weight":40000}],"contextKind":"user"}} -> {"rollout":{"variations":[{"variationId":"v0","weight":60000,"_untracked":true,"more":1},{"variationId":"#0","weight":40000}],"contextKind":"user","bucketBy":"b","seed":3,"experimentAllocation":{"variationId":"v1","more":1},"even":2}}`}},
		{"no default rule", []string{`"fallthrough":{"rollout":{"variations":[{"variation":0,"weight":60000},{"variation":2,"weight":40000}]}},`, ``},
			[]string{`/environments/e/fallthrough {"rollout":{"variations":[{"variationId":"v0","weight":60000},{"variationId":"#0","weight":40000}],"contextKind":"user"}} ->`}},
		{"a rule", []string{`"_id":"r1","variation":0`, `"_id":"r1","variation":1,"description":"d","disabled":true,"trackEvents":true,"ref":"r","serve":1,"#serve":2,"more":3`},
			[]string{`/environments/e/rules/r1/serve {"variationId":"v0"} -> {"variationId":"v1"}`, `/environments/e/rules/r1/description  -> "d"`, `/environments/e/rules/r1/disabled false -> true`,
				`/environments/e/rules/r1/trackEvents false -> true`, `/environments/e/rules/r1/ref  -> "r"`, `/environments/e/rules/r1/##serve  -> 2`, `/environments/e/rules/r1/more  -> 3`, `/environments/e/rules/r1/#serve  -> 1`}},
		{"clauses", []string{`{"_id":"c1","attribute":"a"`, `{"_id":"c2","attribute":"c","op":"in","values":[]},{"_id":"c1","attribute":"aa"`, `,{"attribute":"b","op":"in","values":[]}`, ``},
			[]string{`/environments/e/rules/r1/clauses/c2  -> {"_id":"c2","attribute":"c","op":"in","values":[],"contextKind":"user","negate":false}`,
				`/environments/e/rules/r1/clauses/c1 {"_id":"c1","attribute":"a","op":"in","values":[1],"contextKind":"user","negate":false} -> {"_id":"c1","attribute":"aa","op":"in","values":[1],"contextKind":"user","negate":false}`,
				`/environments/e/rules/r1/clauses/#0 {"attribute":"b","op":"in","values":[],"contextKind":"user","negate":false} ->`}},
		{"rules more and less", []string{`{"variation":1,"clauses":[]},{"_id":"#1",`, `{"_id":"r2","variation":1,"clauses":[{"attribute":"b","op":"in","values":[],"_made":1}],"disabled":true,"trackEvents":true,"description":"d","ref":"r","more":1},{"_id":"#1",`},
			[]string{`/environments/e/rules/r2  -> {"_id":"r2","disabled":true,"variationId":"v1","clauses":[{"attribute":"b","op":"in","values":[],"contextKind":"user","negate":false}],"trackEvents":true,"description":"d","ref":"r","more":1}`,
				`/environments/e/rules/#0 {"variationId":"v1","clauses":[],"trackEvents":false} ->`}},
		{"rules in another order", []string{`{"variation":1,"clauses":[]},{"_id":"#1","variation":2,"clauses":[]}`, `{"_id":"#1","variation":2,"clauses":[]},{"variation":1,"clauses":[]}`},
			[]string{`/environments/e/rules ["r1","#0","##1"] -> ["r1","##1","#0"]`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			document := fieldsFlag
			for pair := range slices.Chunk(c.edits, 2) {
				require.Contains(t, document, pair[0])
				document = strings.ReplaceAll(document, pair[0], pair[1])
			}
			from, to := decodeFlag(t, fieldsFlag), decodeFlag(t, document)
			got := fieldLines(flags.ChangedFields(from, to))
			if c.name == "an environment in place of another" {
				require.Len(t, got, 3)
				require.True(t, strings.HasPrefix(got[0], `/environments/f  -> {"on":true,`), got[0])
				require.True(t, strings.HasPrefix(got[1], `/environments/g  -> {"on":false,`), got[1])
				require.True(t, strings.HasPrefix(got[2], `/environments/e {"on":false,`), got[2])
				return
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestChangedFieldsOfZeroFlags(t *testing.T) {
	f := decodeFlag(t, fieldsFlag)
	require.Nil(t, flags.ChangedFields(flags.Flag{}, flags.Flag{}))
	document := value(t, string(f.AppendJSON(nil)))
	require.Equal(t, []flags.FieldChange{{Is: document}}, flags.ChangedFields(flags.Flag{}, f), "its depth is told too")
	require.Equal(t, []flags.FieldChange{{Was: document}}, flags.ChangedFields(f, flags.Flag{}))
}

// sameEverywhere reports whether two flags are the same in all environments.
func sameEverywhere(a, b flags.Flag) bool {
	if !a.Same(b, "") {
		return false
	}
	for _, key := range append(a.EnvironmentKeys(), b.EnvironmentKeys()...) {
		if !a.Same(b, key) {
			return false
		}
	}
	return true
}

// anyChange draws two flags: one that was changed by instructions, or two that
// have little in common.
func anyChange(t *rapid.T) (from, to flags.Flag) {
	from = flagstagetest.Flags().Draw(t, "flag")
	switch rapid.IntRange(0, 2).Draw(t, "how") {
	case 0:
		to = flagstagetest.Flags().Draw(t, "other flag")
	default:
		patch := flagstagetest.PatchesFor(from, "production").Draw(t, "patch")
		to = after(t, from, flags.Patch{Instructions: patch, NewIDs: newIDs(200)}, "production")
	}
	return from, to
}

func TestChangedFieldsAreNoneExactlyWhenFlagsAreTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := anyChange(t)
		t.Logf("%s\n%s", from.AppendJSON(nil), to.AppendJSON(nil))
		list := flags.ChangedFields(from, to)
		require.Equal(t, sameEverywhere(from, to), len(list) == 0)
		seen := map[string]bool{}
		for _, c := range list {
			require.NotEqual(t, c.Was, c.Is, c.Pointer)
			require.False(t, seen[c.Pointer], c.Pointer)
			seen[c.Pointer] = true
			for _, v := range []flags.Value{c.Was, c.Is} {
				if !v.IsZero() {
					require.Equal(t, parsed(t, v.String()), v)
				}
			}
		}
	})
}

func parsed(t require.TestingT, text string) flags.Value {
	v, err := flags.ParseValue(text)
	require.NoError(t, err)
	return v
}

// TestChangedFieldsDoNotDependOnWhatIsShared holds that a changed flag, which
// shares most with the old one, has the same fields changed as one that was read
// from its document.
func TestChangedFieldsDoNotDependOnWhatIsShared(t *testing.T) {
	again := func(t require.TestingT, f flags.Flag) flags.Flag {
		read, problems := flags.DecodeFlag(f.AppendJSON(nil))
		require.NoError(t, problems.Err())
		return read
	}
	rapid.Check(t, func(t *rapid.T) {
		from, to := anyChange(t)
		want := flags.ChangedFields(from, to)
		require.Equal(t, want, flags.ChangedFields(again(t, from), to))
		require.Equal(t, want, flags.ChangedFields(from, again(t, to)))
		require.Empty(t, flags.ChangedFields(from, again(t, from)))
	})
}

// naiveFields returns the fields of a flag's document by their pointers, without
// those that tell the order of lists. An object that both flags need for its
// fields to be compared is one too. A weight 0 is none if its variation is not in
// the flag that comes of it.
func naiveFields(t require.TestingT, f, to flags.Flag) map[string]string {
	document := written(t, f).(object)
	unsaid(document)
	fields := map[string]string{}
	put := func(v any, steps ...string) {
		withoutMade(v)
		var pointer strings.Builder
		for _, step := range steps {
			pointer.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(step))
		}
		text, err := json.Marshal(v)
		require.NoError(t, err)
		fields[pointer.String()] = string(text)
	}
	variations := list(document["variations"])
	id := func(index any) string { return textIn(variations[number(index)].(object), "_id") }
	serve := func(o object) any {
		o = copied(o).(object)
		if index, single := o["variation"]; single {
			o["variation"] = id(index)
		}
		if rollout, is := o["rollout"].(object); is {
			sayKind(rollout, "bucketBy")
			if rollout["kind"] == "rollout" {
				delete(rollout, "kind")
			}
			var weights []any
			for _, w := range list(rollout["variations"]) {
				w := w.(object)
				untracked := w["untracked"] == true || w["_untracked"] == true
				delete(w, "untracked")
				delete(w, "_untracked")
				if untracked {
					w["_untracked"] = true
				}
				w["variation"] = id(w["variation"])
				if _, stays := to.VariationIndex(textIn(w, "variation")); stays || number(w["weight"]) > 0 {
					weights = append(weights, w)
				}
			}
			rollout["variations"] = weights
		}
		return o
	}
	members := func(o object, except []string, at ...string) {
		for name, v := range o {
			if !slices.Contains(except, name) && !strings.HasPrefix(name, "_") && name != "evaluation" {
				put(v, append(slices.Clone(at), name)...)
			}
		}
	}
	members(document, []string{"variations", "tags", "customProperties", "defaults", "environments", "clientSideAvailability", "archivedDate", "deprecatedDate", "deletedDate"})
	availability, _ := document["clientSideAvailability"].(object)
	for _, name := range []string{"usingMobileKey", "usingEnvironmentId"} {
		put(availability[name] == true, "clientSideAvailability", name)
	}
	for _, v := range variations {
		put("is", "variations", textIn(v.(object), "_id"))
		members(v.(object), nil, "variations", textIn(v.(object), "_id"))
	}
	for _, tag := range list(document["tags"]) {
		put("is", "tags", tag.(string))
	}
	for key, p := range document["customProperties"].(object) {
		put(p, "customProperties", key)
	}
	on, off := f.Defaults()
	put(id(on), "defaults", "onVariation")
	put(id(off), "defaults", "offVariation")
	for key, e := range document["environments"].(object) {
		e := e.(object)
		put("is", "environments", key)
		members(e, []string{"targets", "contextTargets", "rules", "fallthrough", "offVariation", "prerequisites", "version", "lastModified"}, "environments", key)
		if index, given := e["offVariation"]; given {
			put(id(index), "environments", key, "offVariation")
		}
		if o, given := e["fallthrough"].(object); given {
			put(serve(o), "environments", key, "fallthrough")
		}
		for _, name := range []string{"targets", "contextTargets"} {
			for _, l := range list(e[name]) {
				kind := textIn(l.(object), "contextKind")
				if kind == "" {
					kind = "user"
				}
				for _, context := range list(l.(object)["values"]) {
					put(id(l.(object)["variation"]), "environments", key, "targets", kind, context.(string))
				}
			}
		}
		for _, p := range list(e["prerequisites"]) {
			put(p, "environments", key, "prerequisites", textIn(p.(object), "key"))
		}
		for _, rule := range list(e["rules"]) {
			rule := rule.(object)
			at := []string{"environments", key, "rules", textIn(rule, "_id")}
			put("is", at...)
			members(rule, []string{"variation", "rollout", "clauses"}, at...)
			served := object{}
			for _, name := range []string{"variation", "rollout"} {
				if v, given := rule[name]; given {
					served[name] = v
				}
			}
			put(serve(served), append(slices.Clone(at), "serve")...)
			for _, cl := range list(rule["clauses"]) {
				sayKind(cl.(object), "attribute")
				put(cl, append(slices.Clone(at), "clauses", textIn(cl.(object), "_id"))...)
			}
		}
	}
	return fields
}

// withoutMade deletes the members that the server makes.
func withoutMade(v any) {
	switch v := v.(type) {
	case object:
		for name, e := range v {
			if strings.HasPrefix(name, "_") && name != "_id" && name != "_untracked" || name == "evaluation" {
				delete(v, name)
				continue
			}
			withoutMade(e)
		}
	case []any:
		for _, e := range v {
			withoutMade(e)
		}
	}
}

// sayKind writes the kind of contexts that is meant where none is written, unless
// the attribute would be a path then.
func sayKind(o object, attribute string) {
	if o["contextKind"] == nil && (o["op"] == "segmentMatch" || !strings.HasPrefix(textIn(o, attribute), "/")) {
		o["contextKind"] = "user"
	}
}

func TestChangedFieldsAreThoseThatANaiveProgramFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := anyChange(t)
		t.Logf("%s\n%s", from.AppendJSON(nil), to.AppendJSON(nil))
		was, is := naiveFields(t, from, to), naiveFields(t, to, to)
		want := map[string]bool{}
		for _, side := range [][2]map[string]string{{was, is}, {is, was}} {
			for pointer, v := range side[0] {
				if other, there := side[1][pointer]; there && v == other {
					continue
				}
				for i := range pointer { // the object that only one has stands for what is in it
					at := pointer[:i]
					if pointer[i] != '/' {
						continue
					}
					if here, there := side[0][at]; there && here == `"is"` && side[1][at] == "" {
						pointer = at
						break
					}
				}
				want[pointer] = true
			}
		}
		got := map[string]bool{}
		for _, c := range flags.ChangedFields(from, to) {
			last := c.Pointer[strings.LastIndex(c.Pointer, "/")+1:]
			if c.Pointer != "/tags" && c.Pointer != "/variations" && !(strings.HasPrefix(c.Pointer, "/environments/") &&
				slices.Contains([]string{"rules", "clauses", "prerequisites", "targets"}, last)) {
				got[c.Pointer] = true
			}
		}
		require.Equal(t, want, got)
	})
}

func TestFieldsThatAreSharedCostNothing(t *testing.T) {
	used := func(n int, patch ...flags.Instruction) uint64 {
		f := large(t, n)
		to, err := flags.Apply(f, patch, flags.Application{Environment: "lab", Now: changedAt, IDs: new(counter)})
		require.NoError(t, err)
		return allocated(func() { require.NotEmpty(t, flags.ChangedFields(f, to)) })
	}
	for name, patch := range map[string]flags.Instruction{
		"a switch":           flags.TurnFlagOff(),
		"a rule":             flags.UpdateRuleDescription("rule-3", "x"),
		"a clause":           flags.AddValuesToClause("rule-3", "clause-3", flags.IntValue(1)),
		"a rule more":        flags.AddRule(flags.Rule{Serve: flags.ServeVariation("v")}, "rule-3"),
		"a rule less":        flags.RemoveRule("rule-3"),
		"a target of a list": flags.AddTargets(flags.Targets{ContextKind: "device", VariationID: "v", Values: []string{"d"}}),
	} {
		require.LessOrEqual(t, used(900, patch), used(50, patch)+2_000, name)
	}
}

func TestFieldsCostIsLinear(t *testing.T) {
	used := func(n int) uint64 {
		from := large(t, n)
		to := decodeFlag(t, strings.NewReplacer(`"variation":0`, `"variation":1`, `"variation":1`, `"variation":0`, `["x"]`, `["y"]`).Replace(string(from.AppendJSON(nil))))
		return allocated(func() { require.NotEmpty(t, flags.ChangedFields(from, to)) })
	}
	a, b := used(50), used(500)
	require.LessOrEqual(t, b, 15*a+10_000)
}
