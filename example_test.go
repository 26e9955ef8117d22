package flagstage_test

import (
	"fmt"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
)

// seeded makes everything that a creation takes, in a way that repeats.
func seeded() flagstage.Creation {
	return flagstage.Creation{
		Now:   time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		IDs:   flagstage.SeededIDs(1),
		Actor: flagstage.Actor{MemberID: "alice"},
	}
}

// A document with mistakes is refused with all of them.
func ExampleReadTemplate() {
	_, problems := flagstage.ReadTemplate([]byte(`{
		"key": "night shift",
		"projectKey": "shop", "environmentKey": "production", "flagKey": "banner",
		"stages": [{"conditions": [{"kind": "schedule", "waitDuration": 2, "waitDurationUnit": "days"}]}]
	}`))
	for _, p := range problems {
		fmt.Println(p.Pointer, p.Code)
	}
	fmt.Println(flagstage.Code(problems.Err()))
	// Output:
	// /key malformed
	// /stages/0/conditions/0/waitDurationUnit unknown_kind
	// invalid_request
}

// A request to start a workflow names a template and what is other in this
// release. Which flag it releases, and by whose rules, the program says.
func ExampleReadWorkflow() {
	input, problems := flagstage.ReadWorkflow([]byte(`{
		"name": "Checkout for the staff",
		"templateKey": "house-rules",
		"parameters": [{
			"_id": "019cadc6-9a80-7000-8000-014f3f78e66a", "path": "/clauses/0/values",
			"default": {"value": ["staff"]}
		}]
	}`))
	if err := problems.Err(); err != nil {
		fmt.Println(err)
		return
	}
	input.Target = flagstage.Origin{ProjectKey: "shop", EnvironmentKey: "production", FlagKey: "checkout"}
	input.Approvals.MinNumApprovals = 2
	fmt.Println(input.Validate().Err(), input.TemplateKey, input.Parameters[0].Value)

	_, problems = flagstage.ReadWorkflow([]byte(`{"templateKey": "house-rules", "parameters": [{"_id": "r", "path": "variationId"}]}`))
	for _, p := range problems {
		fmt.Println(p.Pointer, p.Code)
	}
	// Output:
	// <nil> house-rules ["staff"]
	// /parameters/0/path malformed
	// /parameters/0/default required
	// /name required
}

// A maintenance window: the flag goes off at a date, and on again half an hour
// later.
func ExampleNewTemplate() {
	template, problems := flagstage.NewTemplate(flagstage.TemplateInput{
		Key:    "maintenance",
		Origin: flagstage.Origin{ProjectKey: "shop", EnvironmentKey: "production", FlagKey: "payments"},
		Stages: []flagstage.Stage{
			{
				Name:       "Off",
				Conditions: []flagstage.Condition{flagstage.ScheduleAt(time.Date(2026, 3, 8, 3, 0, 0, 0, time.UTC))},
				Action:     flagstage.Patch(flags.TurnFlagOff()),
			},
			{
				Name:       "On again",
				Conditions: []flagstage.Condition{flagstage.ScheduleAfter(30, calendar.Minute)},
				Action:     flagstage.Patch(flags.TurnFlagOn()),
			},
		},
	}, seeded())
	if err := problems.Err(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(template.Key(), template.OwnerID(), len(template.Stages()))
	fmt.Println(string(template.AppendJSON(nil)[:72]))
	// Output:
	// maintenance alice 2
	// {"_id":"019cadc6-9a80-7000-8000-014f3f78e66a","_key":"maintenance","_cre
}

// An exported template keeps its identifiers, dates and people.
func ExampleImport() {
	document := `{
		"_id": "62cf2bc4cadbeb7697943f3b", "_key": "from-elsewhere", "_creationDate": 1700000000000,
		"_ownerId": "bob", "_maintainerId": "bob", "_links": {},
		"stages": [{"_id": "s1", "conditions": [], "action": {"kind": "patch", "instructions": []}}]
	}`
	origin := flagstage.Origin{ProjectKey: "shop", EnvironmentKey: "production", FlagKey: "banner"}
	template, problems := flagstage.Import([]byte(document), origin, flagstage.Creation{})
	fmt.Println(problems.Err(), template.ID(), template.OwnerID(), template.CreatedAt().Format(time.DateOnly))
	// Output:
	// <nil> 62cf2bc4cadbeb7697943f3b bob 2023-11-14
}

// A workflow is a value that a program drives: it says when to call again.
func ExampleWorkflow() {
	template, problems := flagstage.NewTemplate(flagstage.TemplateInput{
		Key:    "careful",
		Origin: flagstage.Origin{ProjectKey: "shop", EnvironmentKey: "production", FlagKey: "banner"},
		Stages: []flagstage.Stage{{
			ExecuteConditionsInSequence: true,
			Conditions:                  []flagstage.Condition{flagstage.ScheduleAfter(2, calendar.Hour), flagstage.Approval{}},
			Action:                      flagstage.Patch(flags.TurnFlagOn()),
		}},
	}, seeded())
	if err := problems.Err(); err != nil {
		fmt.Println(err)
		return
	}
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	workflow, _, err := flagstage.StartWorkflow(template.Plan(), flagstage.Start{At: start, Actor: flagstage.Actor{MemberID: "alice"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	wake, _ := workflow.Wake()
	fmt.Println("wakes at", wake.Format(time.TimeOnly))

	workflow, _ = workflow.Advance(wake)
	fmt.Println("waits for", workflow.Gates()[0].Kind)

	_, _, err = workflow.Review(flagstage.Review{Condition: 1, Kind: flagstage.ReviewApprove, Actor: flagstage.Actor{MemberID: "alice"}}, wake)
	fmt.Println(flagstage.Code(err))

	workflow, events, err := workflow.Review(flagstage.Review{Condition: 1, Kind: flagstage.ReviewApprove, Actor: flagstage.Actor{MemberID: "bob"}}, wake)
	fmt.Println(workflow.Status(), err)
	for _, e := range events {
		fmt.Println(e.Number, e.Kind)
	}
	// Output:
	// wakes at 11:00:00
	// waits for ld-approval
	// forbidden
	// completed <nil>
	// 6 reviewed
	// 7 conditionCompleted
	// 8 actionApplied
	// 9 stageCompleted
	// 10 workflowCompleted
}

// A workflow that waits for the results of its actions is paused, fails, and is
// tried again.
func ExampleWorkflow_Retry() {
	template, problems := flagstage.NewTemplate(flagstage.TemplateInput{
		Key:    "bumpy",
		Origin: flagstage.Origin{ProjectKey: "shop", EnvironmentKey: "production", FlagKey: "banner"},
		Stages: []flagstage.Stage{{
			Conditions: []flagstage.Condition{flagstage.ScheduleAfter(2, calendar.Hour)},
			Action:     flagstage.Patch(flags.TurnFlagOn()),
		}},
	}, seeded())
	if err := problems.Err(); err != nil {
		fmt.Println(err)
		return
	}
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	after := func(hours int) time.Time { return start.Add(time.Duration(hours) * time.Hour) }
	bob := flagstage.Actor{MemberID: "bob"}
	workflow, _, err := flagstage.StartWorkflow(template.Plan(), flagstage.Start{At: start, Actor: bob, Deliver: true})
	if err != nil {
		fmt.Println(err)
		return
	}

	// Time stands still in a pause: of the two hours one is left.
	workflow, _, _ = workflow.Pause(flagstage.Order{Actor: bob, Reason: "an incident"}, after(1))
	workflow, _, _ = workflow.Resume(flagstage.Order{Actor: bob}, after(5))
	wake, _ := workflow.Wake()
	fmt.Println("due at", wake.Format(time.TimeOnly))

	workflow, _ = workflow.Advance(wake)
	effect, _ := workflow.Pending()
	fmt.Println("apply", effect.Action.Instructions[0].Kind(), "in round", effect.Round)
	workflow, _, _ = workflow.ActionFailed(flagstage.Failure{Reason: flagstage.ReasonRejected, Message: "the flag is archived"}, wake)
	fmt.Println(workflow.Status())

	workflow, _, err = workflow.Retry(flagstage.Order{Actor: bob}, after(7))
	fmt.Println(err)
	workflow, _, _ = workflow.Retry(flagstage.Order{Actor: bob, Reason: "the flag is restored"}, after(7))
	effect, _ = workflow.Pending()
	fmt.Println("apply", effect.Action.Instructions[0].Kind(), "in round", effect.Round)
	workflow, _, _ = workflow.Applied(after(7))
	fmt.Println(workflow.Status())
	// Output:
	// due at 15:00:00
	// apply turnFlagOn in round 1
	// failed
	// invalid_request: to retry a stage a reason is needed
	// apply turnFlagOn in round 2
	// completed
}

// A host that applies instructions of its own lets their kinds pass.
func ExampleWithHostKinds() {
	document := `{
		"key": "with-a-page", "projectKey": "shop", "environmentKey": "production", "flagKey": "banner",
		"stages": [{"action": {"instructions": [{"kind": "pageOnCall", "team": "shop", "after": 1.50}]}}]
	}`
	_, problems := flagstage.ReadTemplate([]byte(document))
	fmt.Println(problems.Err() != nil)
	input, problems := flagstage.ReadTemplate([]byte(document), flagstage.WithHostKinds("pageOnCall"))
	fmt.Println(problems.Err(), string(input.Stages[0].Action.Instructions[0].AppendJSON(nil)))
	// Output:
	// true
	// <nil> {"kind":"pageOnCall","team":"shop","after":1.50}
}
