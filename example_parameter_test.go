package flagstage_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// exampleFlag reads a boolean flag whose variations have the given ids.
func exampleFlag(key, on, off string) flags.Flag {
	var f flags.Flag
	err := json.Unmarshal([]byte(fmt.Sprintf(`{"key": %q, "kind": "boolean",
		"variations": [{"_id": %q, "value": true}, {"_id": %q, "value": false}],
		"environments": {"production": {"on": false}}}`, key, on, off)), &f)
	if err != nil {
		panic(err)
	}
	return f
}

// A template that was written for one boolean flag releases another one: its
// variations are found by what they serve. What cannot be found is overridden.
func ExampleTemplate_Bind() {
	banner := flagstage.Origin{ProjectKey: "shop", EnvironmentKey: "production", FlagKey: "banner"}
	template, problems := flagstage.NewTemplate(flagstage.TemplateInput{
		Key: "half-then-all", Origin: banner,
		Stages: []flagstage.Stage{
			{Action: flagstage.Patch(
				flags.UpdateFallthroughVariationOrRollout(flags.ServeRollout(flags.Rollout{Weights: []flags.Weight{
					{VariationID: "banner-on", Weight: 50_000}, {VariationID: "banner-off", Weight: 50_000},
				}})),
				flags.AddUserTargets("banner-on", "ada"),
			)},
			{Action: flagstage.Patch(flags.UpdateFallthroughVariationOrRollout(flags.ServeVariation("banner-on")))},
		},
	}, seeded())
	if err := problems.Err(); err != nil {
		fmt.Println(err)
		return
	}
	template, err := template.WithValues(flagstage.Target{Origin: banner, Flag: exampleFlag("banner", "banner-on", "banner-off")})
	if err != nil {
		fmt.Println(err)
		return
	}

	checkout := flagstage.Target{
		Origin: flagstage.Origin{ProjectKey: "mill", EnvironmentKey: "production", FlagKey: "checkout"},
		Flag:   exampleFlag("checkout", "checkout-on", "checkout-off"),
	}
	_, parameters, err := template.Bind(checkout, nil)
	var inapplicable *flagstage.InapplicableError
	fmt.Println(errors.As(err, &inapplicable))
	var overrides []flagstage.Override
	for _, p := range parameters {
		fmt.Println(p.Path, p.Default.Value, p.Valid)
		if !p.Valid {
			fmt.Println("  " + p.Reason)
			overrides = append(overrides, flagstage.Override{ID: p.ID, Path: p.Path})
		}
	}

	overrides[0].Value, _ = flags.ParseValue(`["bob"]`)
	plan, _, err := template.Bind(checkout, overrides)
	fmt.Println(err)
	for _, stage := range plan.Stages() {
		for _, in := range stage.Action.Instructions {
			fmt.Println(in)
		}
	}
	// Output:
	// true
	// /rolloutWeights {"checkout-off":50000,"checkout-on":50000} true
	// /values ["ada"] false
	//   contexts belong to an environment; say which ones of project "mill" in environment "production" are meant
	// /variationId "checkout-on" true
	// /variationId "checkout-on" true
	// <nil>
	// serve 50 % checkout-off and 50 % checkout-on by default
	// always serve variation checkout-on to user bob
	// serve variation checkout-on by default
}
