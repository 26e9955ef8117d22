package flags_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/flagstage/flagstage/flags"
)

func ExampleDecodeInstruction() {
	in, problems := flags.DecodeInstruction([]byte(`{
		"kind": "updateFallthroughVariationOrRollout",
		"rolloutWeights": {"purple": 10000, "grey": 90000}
	}`))
	if err := problems.Err(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(in.Kind(), "of scope", in.Scope())
	fmt.Println(in)
	fmt.Println(string(in.AppendJSON(nil)))
	// Output:
	// updateFallthroughVariationOrRollout of scope environment
	// serve 90 % grey and 10 % purple by default
	// {"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"grey":90000,"purple":10000}}
}

func ExampleDecodeInstructions() {
	list, problems := flags.DecodeInstructions([]byte(`[
		{"kind": "turnFlagOn"},
		{"kind": "pageSomeone", "who": "ada"}
	]`), flags.HostKinds("pageSomeone"))
	fmt.Println(problems.Err())
	for _, in := range list {
		fmt.Println(in)
	}
	// Output:
	// <nil>
	// turn targeting on
	// do what the host calls pageSomeone
}

func ExampleAddRule() {
	in := flags.AddRule(flags.Rule{
		Clauses: []flags.Clause{{
			ContextKind: "laboratory", Attribute: "city", Op: flags.OpIn, Values: flags.StringValues("Bergen", "Turku"),
		}},
		Serve: flags.ServeVariation("purple"),
		Ref:   "northern",
	}, "")
	later := flags.UpdateRuleVariationOrRollout("ref:northern", flags.ServeVariation("grey"))

	text, err := json.Marshal([]flags.Instruction{in, later})
	fmt.Println(string(text), err)
	fmt.Println(in)
	// Output:
	// [{"kind":"addRule","clauses":[{"contextKind":"laboratory","attribute":"city","op":"in","negate":false,"values":["Bergen","Turku"]}],"variationId":"purple","ref":"northern"},{"kind":"updateRuleVariationOrRollout","ruleId":"ref:northern","variationId":"grey"}] <nil>
	// add a rule: if laboratory city is "Bergen" or "Turku" then variation purple
}

func ExampleServeRollout() {
	in := flags.UpdateFallthroughVariationOrRollout(flags.ServeRollout(flags.Rollout{
		Weights:     []flags.Weight{{VariationID: "grey", Weight: 87_500}, {VariationID: "purple", Weight: 12_000}},
		ContextKind: "laboratory",
	}))
	fmt.Println(in)
	fmt.Println(in.Validate().Err())
	// Output:
	// serve 87.5 % grey and 12 % purple of contexts of kind laboratory by default
	// /rolloutWeights: add up to 99500; weights must add up to 100000 [out_of_range]
}

func ExampleProblems_Err() {
	_, problems := flags.DecodeInstruction([]byte(`{"kind":"addTargets","variationID":"purple","values":["lab-7",9]}`))
	err := problems.Err()
	fmt.Println(err)
	fmt.Println(errors.Is(err, flags.ErrInvalidRequest))
	for _, p := range problems {
		fmt.Println(p.Pointer, p.Code)
	}
	// Output:
	// /variationID: the member "variationID" is unknown here; did you mean "variationId"? [unknown_member]; /values/1: is a number, must be a string [wrong_type]; /variationId: is missing [required]
	// true
	// /variationID unknown_member
	// /values/1 wrong_type
	// /variationId required
}

func ExampleInstruction_Slots() {
	in := flags.AddRule(flags.Rule{
		Clauses: []flags.Clause{
			{Attribute: "city", Op: flags.OpIn, Values: flags.StringValues("Turku")},
			{Op: flags.OpSegmentMatch, Values: flags.StringValues("volunteers")},
		},
		Serve: flags.ServeVariation("purple"),
	}, "")
	for _, slot := range in.Slots() {
		fmt.Println(slot.Pointer, slot.Kind, slot.Value)
	}
	// Output:
	// /clauses/1/values segmentKeys ["volunteers"]
	// /variationId variationId "purple"
}

// lamp is a small flag.
const lamp = `{
	"key": "lamp", "kind": "multivariate",
	"variations": [
		{"_id": "dim", "value": 20, "name": "Dim"},
		{"_id": "bright", "value": 100, "name": "Bright"}
	],
	"environments": {"lab": {
		"on": true, "version": 3,
		"fallthrough": {"rollout": {"variations": [{"variation": 0, "weight": 90000}, {"variation": 1, "weight": 10000}]}},
		"offVariation": 0
	}}
}`

// ids makes the identifiers id-1, id-2 and so on.
type ids int

func (n *ids) NewID(time.Time) string {
	*n++
	return fmt.Sprint("id-", int(*n))
}

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func ExampleDecodeFlag() {
	f, problems := flags.DecodeFlag([]byte(lamp))
	fmt.Println(problems.Err(), f.Key(), f.Kind())
	for i, v := range f.Variations() {
		fmt.Println(i, v.Name, v.Value)
	}
	e, _ := f.Environment("lab")
	rollout, _ := e.Fallthrough().Rollout()
	fmt.Println(e.On(), rollout.At(1).Weight, "of", flags.FullWeight)

	_, problems = flags.DecodeFlag([]byte(`{"key": "lamp", "kind": "boolean", "variations": [{"value": true}, {"value": "no"}]}`))
	fmt.Println(problems.Err())
	// Output:
	// <nil> lamp multivariate
	// 0 Dim 20
	// 1 Bright 100
	// true 10000 of 100000
	// /variations: must be true and false: the flag is boolean [malformed]
}

func ExampleApply() {
	f, _ := flags.DecodeFlag([]byte(lamp))
	after, err := flags.Apply(f, []flags.Instruction{
		flags.AddRule(flags.Rule{
			Clauses: []flags.Clause{{Attribute: "floor", Op: flags.OpGreaterThan, Values: []flags.Value{flags.IntValue(3)}}},
			Serve:   flags.ServeVariation("bright"),
			Ref:     "upstairs",
		}, ""),
		flags.UpdateRuleDescription("ref:upstairs", "Upper floors"),
	}, flags.Application{Environment: "lab", Now: monday, IDs: new(ids)})
	if err != nil {
		fmt.Println(err)
		return
	}
	e, _ := after.Environment("lab")
	rule, _ := e.Rule("id-1")
	fmt.Println(rule.Description()+":", after.RuleInWords(rule))
	fmt.Println("version", e.Version())

	_, err = flags.Apply(f, []flags.Instruction{flags.TurnFlagOff(), flags.RemoveVariation("dim")}, flags.Application{Environment: "lab", Now: monday})
	fmt.Println(err)
	// Output:
	// Upper floors: if user floor is greater than 3 then Bright
	// version 4
	// apply instruction 1 (removeVariation): /variationId: is served at "/environments/lab/fallthrough" and "/environments/lab/offVariation"; change that first [in_use]
}

func ExampleDiff() {
	from, _ := flags.DecodeFlag([]byte(lamp))
	to, _ := flags.DecodeFlag([]byte(strings.Replace(strings.Replace(lamp, "90000", "60000", 1), "10000", "40000", 1)))
	patch, err := flags.Diff(from, to, "lab", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(patch.AppendJSON(nil)))
	result, err := flags.Apply(from, patch.Instructions, flags.Application{Environment: "lab", Now: monday, IDs: patch.IDs()})
	fmt.Println(result.Same(to, "lab"), err)

	salted, _ := flags.DecodeFlag([]byte(strings.Replace(lamp, `"version": 3`, `"salt": "pepper"`, 1)))
	_, err = flags.Diff(from, salted, "lab", nil)
	fmt.Println(err)
	// Output:
	// {"environmentKey":"lab","instructions":[{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"bright":40000,"dim":60000}}]}
	// true <nil>
	// no instructions can express the difference at "/environments/lab/salt"
}

func ExampleDescribeChange() {
	from, _ := flags.DecodeFlag([]byte(lamp))
	to, _ := flags.DecodeFlag([]byte(strings.NewReplacer("90000", "60000", "10000", "40000", `"on": true`, `"on": false`).Replace(lamp)))
	for _, change := range flags.DescribeChange(from, to) {
		fmt.Println(change)
	}
	// Output:
	// lab: targeting: on → off
	// lab: default rule: Bright 10 % → 40 %
}

func ExampleDecodePatch() {
	patch, problems := flags.DecodePatch([]byte(`{"environmentKey": "lab", "comment": "Lights out", "instructions": [{"kind": "turnFlagOff"}]}`))
	fmt.Println(patch.Environment, patch.Comment, patch.Instructions, problems.Err())
	// Output:
	// lab Lights out [turn targeting off] <nil>
}

func ExampleNewFlagSet() {
	f, _ := flags.DecodeFlag([]byte(lamp))
	others, _ := flags.DecodeFlag([]byte(`{"key": "door", "kind": "boolean", "variations": [{"_id": "shut", "value": true}, {"_id": "open", "value": false}]}`))
	after, err := flags.Apply(f, []flags.Instruction{flags.AddPrerequisite("door", "open")},
		flags.Application{Environment: "lab", Now: monday, Others: flags.NewFlagSet(others)})
	fmt.Println(flags.DescribeChange(f, after), err)
	// Output:
	// [lab: prerequisites added: door] <nil>
}
