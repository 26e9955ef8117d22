package flagstage_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// flagOf reads a flag with the given variations and rules of its environment
// production.
func flagOf(t testing.TB, key, kind, variations, rules string) flags.Flag {
	var f flags.Flag
	require.NoError(t, json.Unmarshal([]byte(fmt.Sprintf(
		`{"key":%q,"kind":%q,"variations":[%s],"environments":{"production":{"on":true,"rules":[%s]},"test":{"on":true}}}`, key, kind, variations, rules)), &f))
	return f
}

// written returns a template that was written for the flag banner in the
// environment production of the project shop.
func written(t testing.TB, instructions ...string) flagstage.Template {
	input := flagstage.TemplateInput{Key: "progressive", Origin: bannerOrigin}
	for _, in := range instructions {
		decoded, problems := flags.DecodeInstructions([]byte("[" + in + "]"))
		require.Empty(t, problems, in)
		input.Stages = append(input.Stages, flagstage.Stage{Action: flagstage.Patch(decoded...)})
	}
	return create(t, input)
}

var bannerOrigin = flagstage.Origin{ProjectKey: "shop", EnvironmentKey: "production", FlagKey: "banner"}

const (
	bannerVariations = `{"_id":"b-blue","value":"blue"},{"_id":"b-seven","value":7.0},{"_id":"b-json","value":{"a":1,"b":[2]}},{"_id":"b-true","value":true}`
	bannerRules      = `{"_id":"rule-1","variation":0,"clauses":[{"_id":"clause-1","attribute":"a","op":"in","values":["x"]}]}`
	signVariations   = `{"_id":"s-json","value":{"b":[2e0],"a":1.0}},{"_id":"s-seven","value":7},{"_id":"s-true","value":true},{"value":"no id"}`
)

func banner(t testing.TB) flags.Flag {
	return flagOf(t, "banner", "multivariate", bannerVariations, bannerRules)
}

func sign(t testing.TB) flags.Flag { return flagOf(t, "sign", "multivariate", signVariations, "") }

func lamp(t testing.TB) flags.Flag {
	return flagOf(t, "lamp", "boolean", `{"_id":"lamp-on","value":true},{"_id":"lamp-off","value":false}`, "")
}

func deleted(t testing.TB, f flags.Flag) flags.Flag {
	f, err := flags.Apply(f, []flags.Instruction{flags.DeleteFlag()}, flags.Application{Now: now})
	require.NoError(t, err)
	return f
}

// elsewhere returns the flag with a key in an environment of a project.
func elsewhere(project, environment, flag string) flagstage.Origin {
	return flagstage.Origin{ProjectKey: project, EnvironmentKey: environment, FlagKey: flag}
}

func text(s string) flags.Value { return flags.StringValue(s) }

func parsed(t testing.TB, s string) flags.Value {
	v, err := flags.ParseValue(s)
	require.NoError(t, err)
	return v
}

// told says of each parameter what counts: its path, value and reason.
func told(list []flagstage.Parameter) (lines []string) {
	for _, p := range list {
		line := p.Path + " " + p.Default.Value.String()
		if b := p.Default.BooleanVariationValue; b != nil {
			line += fmt.Sprint(" ", *b)
		}
		if !p.Valid {
			line += ": " + p.Reason
		}
		lines = append(lines, line)
	}
	return lines
}

const (
	off          = `{"kind":"updateOffVariation","variationId":%q}`
	removedRule  = `{"kind":"removeRule","ruleId":"rule-1"}`
	segmentRule  = `{"kind":"addRule","variationId":"b-true","clauses":[{"attribute":"x","op":"segmentMatch","negate":true,"values":["staff","beta"]}]}`
	targeted     = `{"kind":"addUserTargets","variationId":"b-true","values":["ada"]}`
	prerequisite = `{"kind":"addPrerequisite","key":"lamp","variationId":"lamp-on"}`
	rollout      = `{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"b-seven":60000,"b-true":40000}}`
)

func TestParameters(t *testing.T) {
	offOf := func(id string) string { return fmt.Sprintf(off, id) }
	yes, no := true, false
	override := func(path, value string) []flagstage.Override {
		return []flagstage.Override{{Path: path, Value: parsed(t, value)}}
	}
	boolean := func(path string, b *bool) []flagstage.Override {
		return []flagstage.Override{{Path: path, BooleanVariationValue: b}}
	}
	sameFlag, otherEnvironment := bannerOrigin, elsewhere("shop", "test", "banner")
	otherFlag, otherProject := elsewhere("shop", "production", "sign"), elsewhere("mill", "production", "banner")
	notBanner := flagOf(t, "banner", "multivariate", signVariations, "")
	segments := func(keys ...string) func(string) (bool, error) {
		return func(key string) (bool, error) { return strings.Contains(strings.Join(keys, " "), key), nil }
	}
	for _, test := range []struct {
		name        string
		instruction string
		target      flagstage.Target
		overrides   []flagstage.Override // of the one instruction
		want        string               // lines joined by " | "
	}{
		{"nothing is known of the origin", offOf("b-blue"), flagstage.Target{Origin: sameFlag}, nil, `/variationId "b-blue"`},
		{"nothing is known of the flag in another environment", offOf("b-blue"), flagstage.Target{Origin: otherEnvironment}, nil, `/variationId "b-blue"`},
		{"nothing is known of another flag", offOf("b-blue"), flagstage.Target{Origin: otherFlag}, nil,
			`/variationId "b-blue": nothing is known of flag "sign"; give it the id of one of its variations`},
		{"nothing is known of a flag in another project", offOf("b-true"), flagstage.Target{Origin: otherProject}, nil,
			`/variationId "b-true" true: nothing is known of flag "banner"; give it the id of one of its variations`},
		{"nothing is known, but it is overridden", offOf("b-true"), flagstage.Target{Origin: otherFlag}, override("/variationId", `"x"`), `/variationId "x"`},
		{"nothing is known, and a boolean overrides", offOf("b-true"), flagstage.Target{Origin: otherFlag}, boolean("/variationId", &no),
			`/variationId "b-true" false: nothing is known of flag "sign"; give it the id of one of its variations`},
		{"by id in the origin", offOf("b-blue"), flagstage.Target{Origin: sameFlag, Flag: banner(t)}, nil, `/variationId "b-blue"`},
		{"a boolean by id in the origin", offOf("b-true"), flagstage.Target{Origin: sameFlag, Flag: banner(t)}, nil, `/variationId "b-true" true`},
		{"gone from the origin", offOf("b-true"), flagstage.Target{Origin: sameFlag, Flag: notBanner}, nil,
			`/variationId "b-true" true: flag "banner" has no variation "b-true"`},
		{"gone from the flag in another environment", offOf("b-true"), flagstage.Target{Origin: otherEnvironment, Flag: notBanner}, nil,
			`/variationId "b-true" true: flag "banner" has no variation "b-true"`},
		{"a flag of the same key in another project", offOf("b-true"), flagstage.Target{Origin: otherProject, Flag: notBanner}, nil, `/variationId "s-true" true`},
		{"by boolean value", offOf("b-true"), flagstage.Target{Origin: otherFlag, Flag: sign(t)}, nil, `/variationId "s-true" true`},
		{"by the value of a number", offOf("b-seven"), flagstage.Target{Origin: otherFlag, Flag: sign(t)}, nil, `/variationId "s-seven"`},
		{"by the value of an object", offOf("b-json"), flagstage.Target{Origin: otherFlag, Flag: sign(t)}, nil, `/variationId "s-json"`},
		{"no such value", offOf("b-blue"), flagstage.Target{Origin: otherFlag, Flag: sign(t)}, nil,
			`/variationId "b-blue": flag "sign" has no variation "b-blue", and no variation of flag "sign" that can be named has its value`},
		{"a value that several have", offOf("b-json"), flagstage.Target{Origin: otherFlag, Flag: flagOf(t, "sign", "multivariate",
			`{"_id":"one","value":{"a":1,"b":[2]}},{"_id":"two","value":{"b":[2],"a":1.0}}`, "")}, nil,
			`/variationId "b-json": flag "sign" has no variation "b-json", and several variations of flag "sign" have its value`},
		{"a value that was not known", offOf("b-unknown"), flagstage.Target{Origin: otherFlag, Flag: sign(t)}, nil,
			`/variationId "b-unknown": flag "sign" has no variation "b-unknown", and the template does not know its value`},
		{"by id in another flag", offOf("b-unknown"), flagstage.Target{Origin: otherFlag, Flag: flagOf(t, "sign", "multivariate", `{"_id":"b-unknown","value":true}`, "")}, nil,
			`/variationId "b-unknown" true`},
		{"a variation that cannot be named", offOf("b-blue"), flagstage.Target{Origin: otherFlag, Flag: flagOf(t, "sign", "multivariate", `{"_id":"ref:x","value":"blue"}`, "")}, nil,
			`/variationId "b-blue": flag "sign" has no variation "b-blue", and no variation of flag "sign" that can be named has its value`},
		{"overridden", offOf("b-blue"), flagstage.Target{Origin: otherFlag, Flag: sign(t)}, override("/variationId", `"s-true"`), `/variationId "s-true" true`},
		{"overridden by what does not exist", offOf("b-true"), flagstage.Target{Origin: otherFlag, Flag: sign(t)}, override("/variationId", `"b-true"`),
			`/variationId "b-true" true: flag "sign" has no variation "b-true"`},
		{"overridden in the origin", offOf("b-blue"), flagstage.Target{Origin: sameFlag, Flag: banner(t)}, override("/variationId", `"b-json"`), `/variationId "b-json"`},
		{"overridden by a boolean", offOf("b-blue"), flagstage.Target{Origin: otherFlag, Flag: sign(t)}, boolean("/variationId", &yes), `/variationId "s-true" true`},
		{"overridden by a boolean that nothing serves", offOf("b-blue"), flagstage.Target{Origin: otherFlag, Flag: sign(t)}, boolean("/variationId", &no),
			`/variationId "b-blue" false: no variation of flag "sign" that can be named has its value`},
		{"overridden by a reference", offOf("b-blue"), flagstage.Target{Origin: otherFlag, Flag: sign(t)}, override("/variationId", `"ref:x"`), `/variationId "ref:x"`},

		{"weights by value", rollout, flagstage.Target{Origin: otherFlag, Flag: sign(t)}, nil, `/rolloutWeights {"s-seven":60000,"s-true":40000}`},
		{"weights with a reference", `{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"ref:v":60000,"b-true":40000}}`,
			flagstage.Target{Origin: otherFlag, Flag: sign(t)}, nil, `/rolloutWeights {"ref:v":60000,"s-true":40000}`},
		{"weights of which one is gone", `{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"b-blue":60000,"b-true":40000}}`,
			flagstage.Target{Origin: otherFlag, Flag: sign(t)}, nil,
			`/rolloutWeights {"b-blue":60000,"b-true":40000}: flag "sign" has no variation "b-blue", and no variation of flag "sign" that can be named has its value`},
		{"weights of two that would be one", rollout, flagstage.Target{Origin: otherFlag, Flag: flagOf(t, "sign", "multivariate", `{"_id":"b-seven","value":true},{"_id":"x","value":1}`, "")}, nil,
			`/rolloutWeights {"b-seven":60000,"b-true":40000}: the variations "b-seven" and "b-true" would be one, "b-seven"`},
		{"weights that are overridden", rollout, flagstage.Target{Origin: otherFlag, Flag: sign(t)}, override("/rolloutWeights", `{"s-true":100000}`), `/rolloutWeights {"s-true":100000}`},
		{"weights that are overridden by what does not exist", rollout, flagstage.Target{Origin: otherFlag, Flag: sign(t)}, override("/rolloutWeights", `{"s-true":1,"z":99999}`),
			`/rolloutWeights {"s-true":1,"z":99999}: flag "sign" has no variation "z"`},

		{"a rule of the origin", removedRule, flagstage.Target{Origin: sameFlag, Flag: banner(t)}, nil, `/ruleId "rule-1"`},
		{"a rule while nothing is known", removedRule, flagstage.Target{Origin: sameFlag}, nil, `/ruleId "rule-1"`},
		{"a rule while nothing is known of another environment", removedRule, flagstage.Target{Origin: otherEnvironment}, nil,
			`/ruleId "rule-1": nothing is known of flag "banner" in environment "test"`},
		{"a rule that is overridden while nothing is known", removedRule, flagstage.Target{Origin: otherEnvironment}, override("/ruleId", `"r"`), `/ruleId "r"`},
		{"a rule that is gone", removedRule, flagstage.Target{Origin: otherEnvironment, Flag: banner(t)}, nil,
			`/ruleId "rule-1": flag "banner" has no rule "rule-1" in environment "test"`},
		{"a rule in an environment that is none", removedRule, flagstage.Target{Origin: elsewhere("shop", "none", "banner"), Flag: banner(t)}, nil,
			`/ruleId "rule-1": flag "banner" has no rule "rule-1" in environment "none"`},
		{"a rule that is overridden by none", removedRule, flagstage.Target{Origin: sameFlag, Flag: banner(t)}, override("/ruleId", `"clause-1"`),
			`/ruleId "clause-1": flag "banner" has no rule "clause-1" in environment "production"`},
		{"rules, some by reference", `{"kind":"reorderRules","ruleIds":["ref:a","rule-1","rule-2"]}`, flagstage.Target{Origin: sameFlag, Flag: banner(t)}, nil,
			`/ruleIds ["ref:a","rule-1","rule-2"]: flag "banner" has no rule "rule-2" in environment "production"`},
		{"no rules", `{"kind":"reorderRules","ruleIds":[]}`, flagstage.Target{Origin: otherFlag}, nil, `/ruleIds []`},
		{"clauses", `{"kind":"removeClauses","ruleId":"rule-1","clauseIds":["clause-1","rule-1"]}`, flagstage.Target{Origin: sameFlag, Flag: banner(t)}, nil,
			`/ruleId "rule-1" | /clauseIds ["clause-1","rule-1"]: flag "banner" has no clause "rule-1" in environment "production"`},
		{"a clause", `{"kind":"addValuesToClause","ruleId":"rule-1","clauseId":"clause-1","values":["y"]}`, flagstage.Target{Origin: sameFlag, Flag: banner(t)}, nil,
			`/ruleId "rule-1" | /clauseId "clause-1"`},

		{"segments while nothing is known", segmentRule, flagstage.Target{Origin: sameFlag}, nil, `/clauses/0/values ["staff","beta"] | /variationId "b-true" true`},
		{"segments of another flag's environment while nothing is known", segmentRule, flagstage.Target{Origin: otherFlag, Flag: sign(t)}, nil,
			`/clauses/0/values ["staff","beta"] | /variationId "s-true" true`},
		{"segments of another environment while nothing is known", segmentRule, flagstage.Target{Origin: otherEnvironment}, nil,
			`/clauses/0/values ["staff","beta"]: nothing is known of segments in environment "test" | /variationId "b-true" true`},
		{"segments that are overridden while nothing is known", segmentRule, flagstage.Target{Origin: otherEnvironment}, override("/clauses/0/values", `["x"]`),
			`/clauses/0/values ["x"] | /variationId "b-true" true`},
		{"segments that exist", segmentRule, flagstage.Target{Origin: otherEnvironment, Segment: segments("staff", "beta")}, nil,
			`/clauses/0/values ["staff","beta"] | /variationId "b-true" true`},
		{"segments of which one is gone", segmentRule, flagstage.Target{Origin: sameFlag, Segment: segments("staff")}, nil,
			`/clauses/0/values ["staff","beta"]: environment "production" has no segment "beta" | /variationId "b-true" true`},
		{"segments that are overridden by one that is none", segmentRule, flagstage.Target{Origin: sameFlag, Segment: segments("staff")}, override("/clauses/0/values", `["x"]`),
			`/clauses/0/values ["x"]: environment "production" has no segment "x" | /variationId "b-true" true`},

		{"targets in the same environment", targeted, flagstage.Target{Origin: otherFlag, Flag: sign(t)}, nil, `/values ["ada"] | /variationId "s-true" true`},
		{"targets in another environment", targeted, flagstage.Target{Origin: otherEnvironment, Flag: banner(t)}, nil,
			`/values ["ada"]: contexts belong to an environment; say which ones of project "shop" in environment "test" are meant | /variationId "b-true" true`},
		{"targets in another project", targeted, flagstage.Target{Origin: otherProject, Flag: banner(t)}, nil,
			`/values ["ada"]: contexts belong to an environment; say which ones of project "mill" in environment "production" are meant | /variationId "b-true" true`},
		{"no targets in another environment", `{"kind":"addUserTargets","variationId":"b-true","values":[]}`, flagstage.Target{Origin: otherEnvironment, Flag: banner(t)}, nil,
			`/values [] | /variationId "b-true" true`},
		{"targets that are overridden", targeted, flagstage.Target{Origin: otherEnvironment, Flag: banner(t)}, override("/values", `["bo"]`), `/values ["bo"] | /variationId "b-true" true`},

		{"a prerequisite while nothing is known", prerequisite, flagstage.Target{Origin: otherFlag, Flag: sign(t)}, nil, `/key "lamp" | /variationId "lamp-on" true`},
		{"a prerequisite while nothing is known of another project", prerequisite, flagstage.Target{Origin: otherProject, Flag: banner(t)}, nil,
			`/key "lamp": nothing is known of other flags in project "mill" | /variationId "lamp-on" true: nothing is known of flag "lamp"; give it the id of one of its variations`},
		{"a prerequisite that exists", prerequisite, flagstage.Target{Origin: otherFlag, Flag: sign(t), Others: flags.NewFlagSet(lamp(t))}, nil, `/key "lamp" | /variationId "lamp-on" true`},
		{"a prerequisite in another project", prerequisite, flagstage.Target{Origin: otherProject, Flag: banner(t),
			Others: flags.NewFlagSet(flagOf(t, "lamp", "boolean", `{"_id":"1","value":false},{"_id":"2","value":true}`, ""))}, nil, `/key "lamp" | /variationId "2" true`},
		{"a prerequisite that is none", prerequisite, flagstage.Target{Origin: sameFlag, Others: flags.NewFlagSet()}, nil,
			`/key "lamp": project "shop" has no flag "lamp" | /variationId "lamp-on": project "shop" has no flag "lamp"`},
		{"a prerequisite that is deleted", prerequisite, flagstage.Target{Origin: sameFlag, Others: flags.NewFlagSet(deleted(t, lamp(t)))}, nil,
			`/key "lamp": project "shop" has no flag "lamp" | /variationId "lamp-on": project "shop" has no flag "lamp"`},
		{"a prerequisite whose variation is gone", prerequisite, flagstage.Target{Origin: sameFlag,
			Others: flags.NewFlagSet(flagOf(t, "lamp", "boolean", `{"_id":"1","value":false},{"_id":"2","value":true}`, ""))}, nil,
			`/key "lamp" | /variationId "lamp-on" true: flag "lamp" has no variation "lamp-on"`},
		{"a prerequisite of its own", prerequisite, flagstage.Target{Origin: elsewhere("shop", "production", "lamp"), Flag: lamp(t)}, nil,
			`/key "lamp": a flag cannot be a prerequisite of its own | /variationId "lamp-on" true`},
		{"another prerequisite", prerequisite, flagstage.Target{Origin: sameFlag, Others: flags.NewFlagSet(sign(t))}, override("/key", `"sign"`),
			`/key "sign" | /variationId "s-true" true`},
		{"another prerequisite while nothing is known", prerequisite, flagstage.Target{Origin: sameFlag}, override("/key", `"sign"`),
			`/key "sign" | /variationId "lamp-on" true: nothing is known of flag "sign"; give it the id of one of its variations`},
		{"another variation of a prerequisite", prerequisite, flagstage.Target{Origin: sameFlag, Others: flags.NewFlagSet(lamp(t))}, override("/variationId", `"lamp-off"`),
			`/key "lamp" | /variationId "lamp-off" false`},
		{"another variation of a prerequisite by its boolean", prerequisite, flagstage.Target{Origin: sameFlag, Others: flags.NewFlagSet(lamp(t))}, boolean("/variationId", &no),
			`/key "lamp" | /variationId "lamp-off" false`},
		{"a prerequisite to be removed", `{"kind":"removePrerequisite","key":"lamp"}`, flagstage.Target{Origin: sameFlag, Others: flags.NewFlagSet(sign(t))}, nil,
			`/key "lamp": project "shop" has no flag "lamp"`},
		{"prerequisites", `{"kind":"replacePrerequisites","prerequisites":[{"key":"sign","variationId":"s-true"},{"key":"lamp","variationId":"lamp-off"}]}`,
			flagstage.Target{Origin: otherProject, Flag: banner(t), Others: flags.NewFlagSet(sign(t), lamp(t))}, nil,
			`/prerequisites/0/key "sign" | /prerequisites/0/variationId "s-true" true | /prerequisites/1/key "lamp" | /prerequisites/1/variationId "lamp-off" false`},
		{"nothing", `{"kind":"turnFlagOn"}`, flagstage.Target{Origin: otherFlag}, nil, ``},
	} {
		t.Run(test.name, func(t *testing.T) {
			template, err := written(t, test.instruction).WithValues(flagstage.Target{Origin: bannerOrigin, Flag: banner(t), Others: flags.NewFlagSet(lamp(t))})
			require.NoError(t, err)
			for i := range test.overrides {
				test.overrides[i].ID = template.Stages()[0].Action.Instructions[0].ID()
			}
			got, err := template.Parameters(test.target, test.overrides)
			require.NoError(t, err)
			require.Equal(t, test.want, strings.Join(told(got), " | "))
			kinds := map[string]flags.SlotKind{}
			for _, slot := range template.Stages()[0].Action.Instructions[0].Slots() {
				kinds[slot.Pointer] = slot.Kind
			}
			require.Len(t, got, len(kinds))
			valid := true
			for _, p := range got {
				require.Equal(t, template.Stages()[0].Action.Instructions[0].ID(), p.ID)
				require.Equal(t, kinds[p.Path], p.Kind)
				require.Equal(t, p.Valid, p.Reason == "")
				require.Equal(t, p.Kind == flags.SlotSegmentKeys, p.Default.RuleClause != nil)
				valid = valid && p.Valid
			}

			plan, parameters, err := template.Bind(test.target, test.overrides)
			require.Equal(t, got, parameters)
			var inapplicable *flagstage.InapplicableError
			require.Equal(t, !valid, errors.As(err, &inapplicable))
			if !valid {
				require.True(t, plan.IsZero())
				require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
				require.Equal(t, got, inapplicable.Parameters)
				require.Equal(t, test.target.Origin, inapplicable.Target)
				return
			}
			if err != nil { // the flag is not as the instruction needs it
				require.True(t, plan.IsZero())
				return
			}
			in := plan.Stages()[0].Action.Instructions[0]
			for i, slot := range in.Slots() {
				if len(in.Slots()) == len(got) { // none became a reference
					require.Equal(t, got[i].Default.Value, slot.Value)
				}
			}
		})
	}
}

func TestWhatIsWrongWithOverrides(t *testing.T) {
	template := written(t, prerequisite+","+segmentRule, rollout, `{"kind":"turnFlagOn"}`)
	id := func(stage, instruction int) string {
		return template.Stages()[stage].Action.Instructions[instruction].ID()
	}
	yes := true
	overrides := []flagstage.Override{
		{ID: "none", Path: "/variationId", Value: text("x")},
		{},
		{ID: id(1, 0), Path: "/rolloutWeights", Value: parsed(t, `{"x":1}`)},
		{ID: id(1, 0), Path: "/rolloutWeights", Value: parsed(t, `{"x":100000}`)},
		{ID: id(1, 0), Path: "/rolloutWeights/b-true", Value: parsed(t, `1`)},
		{ID: id(0, 1), Path: "/variationId", Value: parsed(t, `7`)},
		{ID: id(0, 1), Path: "/clauses/0/values", Value: parsed(t, `["a",7,""]`)},
		{ID: id(0, 1), Path: "clauses", Value: parsed(t, `["a"]`)},
		{ID: id(0, 0), Path: "/key", BooleanVariationValue: &yes},
		{ID: id(0, 0), Path: "/variationId", Value: text("x"), BooleanVariationValue: &yes},
		{ID: id(0, 0), Path: "/variationId"},
		{ID: id(2, 0), Path: "/variationId", Value: text("x")},
		{ID: template.ID(), Path: "", Value: text("x")},
	}
	target := flagstage.Target{Origin: flagstage.Origin{EnvironmentKey: "no key", FlagKey: "sign"}, Flag: banner(t)}
	for range 2 {
		plan, parameters, err := template.Bind(target, overrides)
		require.True(t, plan.IsZero())
		require.Nil(t, parameters)
		var wrong *flagstage.ProblemsError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, []string{
			"/projectKey required", "/environmentKey malformed", "/flagKey malformed",
			"/parameters/0/_id not_found",
			"/parameters/1/default/value required", "/parameters/1/_id not_found",
			"/parameters/2/default/value out_of_range",
			"/parameters/3/path duplicate",
			"/parameters/4/path not_found",
			"/parameters/5/default/value wrong_type",
			"/parameters/6/default/value/1 wrong_type", "/parameters/6/default/value/2 malformed",
			"/parameters/7/path malformed",
			"/parameters/8/default/booleanVariationValue wrong_type",
			"/parameters/9/default/booleanVariationValue exclusive",
			"/parameters/10/default/value required", "/parameters/10/path duplicate",
			"/parameters/11/_id not_found",
			"/parameters/12/_id not_found",
		}, found(wrong.Problems))
		_, same := template.Parameters(target, overrides)
		require.Equal(t, err, same)
	}

	many := make([]flagstage.Override, 1001)
	_, _, err := template.Bind(flagstage.Target{Origin: bannerOrigin}, many)
	require.ErrorContains(t, err, "/parameters: there are too many parameters; at most 1000 are allowed")
	_, _, err = template.Bind(flagstage.Target{Origin: bannerOrigin}, many[1:])
	var wrong *flagstage.ProblemsError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, 2000-100, wrong.Problems[100].Omitted)

	_, _, err = flagstage.Template{}.Bind(flagstage.Target{Origin: bannerOrigin}, nil)
	require.ErrorIs(t, err, flagstage.ErrInvalidRequest)

	_, _, err = template.Bind(flagstage.Target{Origin: flagstage.Origin{ProjectKey: "shop", EnvironmentKey: "test", FlagKey: "a\x1b[31m"}}, []flagstage.Override{
		{ID: "\x1b[31m\u202e" + strings.Repeat("x", 1000), Path: "/\x1b[31m", Value: text("x")}})
	require.NotContains(t, err.Error(), "\x1b")
	require.Less(t, len(err.Error()), 1500)
}

// ask is a target whose flags and segments cannot be asked.
type broken struct{ err error }

func (b broken) Flag(string) (flags.Flag, error)       { return flags.Flag{}, b.err }
func (b broken) Dependents(string) ([]string, error)   { return nil, b.err }
func (b broken) segment(string) (exists bool, _ error) { return false, b.err }

func TestATargetThatCannotAnswer(t *testing.T) {
	fault := errors.New("no connection")
	for name, test := range map[string]struct {
		instruction string
		target      flagstage.Target
	}{
		"flags":                  {prerequisite, flagstage.Target{Origin: bannerOrigin, Others: broken{fault}}},
		"segments":               {segmentRule, flagstage.Target{Origin: bannerOrigin, Segment: broken{fault}.segment}},
		"flags, while it is run": {`{"kind":"archiveFlag"}`, flagstage.Target{Origin: bannerOrigin, Flag: banner(t), Others: broken{fault}}},
	} {
		plan, _, err := written(t, test.instruction).Bind(test.target, nil)
		require.ErrorIs(t, err, fault, name)
		require.ErrorContains(t, err, `bind template "progressive"`)
		require.Empty(t, flagstage.Code(err), "it is no fault of the request")
		require.True(t, plan.IsZero())
	}
	_, err := written(t, prerequisite).WithValues(flagstage.Target{Origin: bannerOrigin, Others: broken{fault}})
	require.ErrorIs(t, err, fault)
	gone := flagstage.Target{Origin: bannerOrigin, Others: broken{flagstage.ErrNotFound}}
	_, err = written(t, prerequisite).WithValues(gone)
	require.NoError(t, err)
	_, _, err = written(t, prerequisite).Bind(gone, nil)
	require.ErrorContains(t, err, `has no flag "lamp"`)
}

func TestInapplicableError(t *testing.T) {
	template := written(t, strings.Join([]string{fmt.Sprintf(off, "a"), fmt.Sprintf(off, "b"), fmt.Sprintf(off, "c"), fmt.Sprintf(off, "d"), removedRule}, ","))
	_, _, err := template.Bind(flagstage.Target{Origin: elsewhere("shop", "test", "sign"), Flag: sign(t)}, nil)
	ids := template.Stages()[0].Action.Instructions
	want := `bind template "progressive" to flag "sign": 5 of 5 parameters do not fit; override them`
	for i, name := range []string{"a", "b", "c"} {
		want += fmt.Sprintf(`; "/variationId" of %q: flag "sign" has no variation %q, and the template does not know its value`, ids[i].ID(), name)
	}
	require.EqualError(t, err, want)
	require.Equal(t, "invalid_request", flagstage.Code(err))
}

func TestParametersPrintAsPublished(t *testing.T) {
	template, err := written(t, segmentRule+","+rollout).WithValues(flagstage.Target{Origin: bannerOrigin, Flag: banner(t)})
	require.NoError(t, err)
	list, err := template.Parameters(flagstage.Target{Origin: elsewhere("shop", "test", "sign"), Flag: sign(t)}, nil)
	require.NoError(t, err)
	document, err := json.Marshal(list)
	require.NoError(t, err)
	first, second := template.Stages()[0].Action.Instructions[0].ID(), template.Stages()[0].Action.Instructions[1].ID()
	require.Equal(t, `[{"_id":"`+first+`","path":"/clauses/0/values","default":{"value":["staff","beta"],"ruleClause":{"attribute":"x","op":"segmentMatch","negate":true}},"valid":false},`+
		`{"_id":"`+first+`","path":"/variationId","default":{"value":"s-true","booleanVariationValue":true},"valid":true},`+
		`{"_id":"`+second+`","path":"/rolloutWeights","default":{"value":{"s-seven":60000,"s-true":40000}},"valid":true}]`, string(document))

	var back []flagstage.Override
	require.NoError(t, json.Unmarshal(document, &back), "a report can be sent back")
	require.Equal(t, []flagstage.Override{
		{ID: first, Path: "/clauses/0/values", Value: parsed(t, `["staff","beta"]`)},
		{ID: first, Path: "/variationId", Value: text("s-true")},
		{ID: second, Path: "/rolloutWeights", Value: parsed(t, `{"s-seven":60000,"s-true":40000}`)},
	}, back)
	again, err := json.Marshal(back)
	require.NoError(t, err)
	var third []flagstage.Override
	require.NoError(t, json.Unmarshal(again, &third))
	require.Equal(t, back, third)
}

func TestOverridesAreReadAsPublished(t *testing.T) {
	var list []flagstage.Override
	require.NoError(t, json.Unmarshal([]byte(`[{"_id":"i","path":"/clauses/0/values","default":{"value":["updated"]}},
		{"path":"/variationId","_id":"k","default":{"booleanVariationValue":false,"value":null}}]`), &list))
	no := false
	require.Equal(t, []flagstage.Override{
		{ID: "i", Path: "/clauses/0/values", Value: parsed(t, `["updated"]`)}, {ID: "k", Path: "/variationId", BooleanVariationValue: &no},
	}, list)
	document, err := json.Marshal(list[1])
	require.NoError(t, err)
	require.Equal(t, `{"_id":"k","path":"/variationId","default":{"booleanVariationValue":false}}`, string(document))
	for document, want := range map[string]string{
		`null`: " wrong_type",
		`[]`:   " wrong_type",
		`{}`:   "/_id required, /path required, /default required",
		`{"_id":"i","path":"/x","default":{"value":1}`:                           " syntax",
		`{"_id":null,"path":7,"default":[]}`:                                     "/_id wrong_type, /path wrong_type, /default wrong_type",
		`{"_id":"i","path":"/x","default":{"Value":1,"value":{"a":1,"a":2}}}`:    "/default/Value unknown_member, /default/value/a duplicate",
		`{"_id":"i","path":"/x","default":{"booleanVariationValue":1},"more":1}`: "/default/booleanVariationValue wrong_type, /more unknown_member",
	} {
		o := flagstage.Override{ID: "before"}
		err := o.UnmarshalJSON([]byte(document))
		var wrong *flagstage.ProblemsError
		require.ErrorAs(t, err, &wrong, document)
		require.Equal(t, want, strings.Join(found(wrong.Problems), ", "), document)
		require.Equal(t, flagstage.Override{ID: "before"}, o)
	}
}
