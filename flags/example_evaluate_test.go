package flags_test

import (
	"fmt"

	"github.com/flagstage/flagstage/flags"
)

// microscopeAt returns a flag that a share of the users get, and all members of
// a segment.
func microscopeAt(weight int) flags.Flag {
	var f flags.Flag
	document := fmt.Sprintf(`{"key": "microscope", "kind": "boolean", "variations": [{"value": true}, {"value": false}],
		"environments": {"production": {"on": true, "salt": "lens", "offVariation": 1,
			"rules": [{"_id": "staff", "variation": 0, "clauses": [{"op": "segmentMatch", "values": ["staff"]}]}],
			"fallthrough": {"rollout": {"contextKind": "user", "variations": [
				{"variation": 0, "weight": %d}, {"variation": 1, "weight": %d}]}}}}}`, weight, flags.FullWeight-weight)
	if err := f.UnmarshalJSON([]byte(document)); err != nil {
		panic(err)
	}
	return f
}

func ExampleEvaluate() {
	staff, problems := flags.DecodeSegment([]byte(`{"key": "staff", "included": ["ada"],
		"rules": [{"clauses": [{"contextKind": "user", "attribute": "/office/city", "op": "in", "values": ["Turku"]}]}]}`))
	if err := problems.Err(); err != nil {
		fmt.Println(err)
		return
	}
	known := flags.NewKnown(nil, []flags.Segment{staff})
	for _, document := range []string{
		`{"kind": "user", "key": "ada"}`,
		`{"kind": "user", "key": "bo", "office": {"city": "Turku"}}`,
		`{"kind": "user", "key": "cy"}`,
	} {
		c, problems := flags.DecodeContext([]byte(document))
		if err := problems.Err(); err != nil {
			fmt.Println(err)
			return
		}
		e := flags.Evaluate(microscopeAt(10_000), "production", c, known)
		fmt.Println(c.Key(), "gets", e.Value, "since", e.Reason)
	}
	// Output:
	// ada gets true since rule 1 (staff) matches
	// bo gets true since rule 1 (staff) matches
	// cy gets false since no target and no rule matches; the default rule serves
}

func ExampleNewContext() {
	user, err := flags.NewContext("user", "ada", flags.Attribute{Name: "plan", Value: flags.StringValue("pro")})
	if err != nil {
		fmt.Println(err)
		return
	}
	device, err := flags.NewContext("device", "telescope-7")
	if err != nil {
		fmt.Println(err)
		return
	}
	both, err := flags.MultiContext(user, device)
	fmt.Println(both, err)
	_, err = flags.NewContext("user", "")
	fmt.Println(err)
	// Output:
	// {"kind":"multi","device":{"key":"telescope-7"},"user":{"key":"ada","plan":"pro"}} <nil>
	// make a context of kind "user": its key must not be empty: invalid_request
}

func ExampleSurvey() {
	people, err := flags.NewPopulation("user", 10_000, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	a := flags.Survey(microscopeAt(10_000), microscopeAt(25_000), "production", people.Contexts(), nil)
	for _, s := range a.Shares {
		fmt.Println(s.Value, "before:", s.Before, "after:", s.After, "stay:", s.Stay)
	}
	fmt.Println(a.Switched(), "switch")
	// Output:
	// true before: 970 after: 2500 stay: 970
	// false before: 9030 after: 7500 stay: 7500
	// 1530 switch
}

func ExampleNewPopulation() {
	people, err := flags.NewPopulation("user", 3, 2, flags.AttributeShares{Name: "country", Values: []flags.ValueShare{
		{Value: flags.StringValue("fi"), Weight: 2}, {Value: flags.StringValue("no"), Weight: 1},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for c := range people.Contexts() {
		fmt.Println(c)
	}
	// Output:
	// {"kind":"user","key":"user-64684c4f0fd784b4","country":"no"}
	// {"kind":"user","key":"user-e06dd043328bd285","country":"fi"}
	// {"kind":"user","key":"user-9482d55a56af0c8c","country":"no"}
}

// Contexts of several kinds are joined from populations of one kind each: here
// each of six users is one of two laboratories.
func ExampleMultiContext_populations() {
	users, err := flags.NewPopulation("user", 6, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	laboratories, err := flags.NewPopulation("laboratory", 2, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	members := func(yield func(flags.Context) bool) {
		for i := range users.Len() {
			c, err := flags.MultiContext(users.Context(i), laboratories.Context(i%laboratories.Len()))
			if err != nil || !yield(c) {
				return
			}
		}
	}
	for c := range members {
		fmt.Println(c)
	}
	fmt.Println(flags.Survey(microscopeAt(0), microscopeAt(100_000), "production", members, nil).Switched(), "switch")
	// Output:
	// {"kind":"multi","laboratory":{"key":"laboratory-64684c4f0fd784b4"},"user":{"key":"user-5e41ab087439611e"}}
	// {"kind":"multi","laboratory":{"key":"laboratory-e06dd043328bd285"},"user":{"key":"user-86d6fd953217ae03"}}
	// {"kind":"multi","laboratory":{"key":"laboratory-64684c4f0fd784b4"},"user":{"key":"user-bcd9dbb49673066b"}}
	// {"kind":"multi","laboratory":{"key":"laboratory-e06dd043328bd285"},"user":{"key":"user-b1441d254bd86cd7"}}
	// {"kind":"multi","laboratory":{"key":"laboratory-64684c4f0fd784b4"},"user":{"key":"user-def434e398051d63"}}
	// {"kind":"multi","laboratory":{"key":"laboratory-e06dd043328bd285"},"user":{"key":"user-7716da39cba275b2"}}
	// 6 switch
}
