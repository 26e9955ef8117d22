package flags_test

import (
	"encoding/json"
	"errors"
	"fmt"

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
