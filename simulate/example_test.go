package simulate_test

import (
	"fmt"
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/simulate"
)

// A release of two stages, the second of which waits for an approval that
// comes on the next morning.
func ExampleRun() {
	template, problems := flagstage.NewTemplate(flagstage.TemplateInput{
		Key:    "two-steps",
		Origin: flagstage.Origin{ProjectKey: "shop", EnvironmentKey: "production", FlagKey: "new-checkout"},
		Stages: []flagstage.Stage{
			{Name: "On", Action: flagstage.Patch(flags.TurnFlagOn())},
			{
				Name:                        "Cleared away",
				ExecuteConditionsInSequence: true,
				Conditions: []flagstage.Condition{
					flagstage.ScheduleAfter(1, calendar.Week),
					flagstage.Approval{Description: "Nobody needs the old checkout"},
				},
				Action: flagstage.Patch(flags.AddTags("cleared")),
			},
		},
	}, flagstage.Creation{
		Now:   time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		IDs:   flagstage.SeededIDs(1),
		Actor: flagstage.Actor{MemberID: "alice"},
	})
	if err := problems.Err(); err != nil {
		fmt.Println(err)
		return
	}
	timeline, err := simulate.Run(template, simulate.Scenario{
		Start: time.Date(2026, 3, 25, 14, 0, 0, 0, time.UTC),
		Zone:  "Europe/Dublin",
		Answers: map[string]simulate.Answer{
			"/stages/1/conditions/1": simulate.ApprovedAfter(20 * time.Hour),
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(timeline.Text())
	// Output:
	// two-steps
	// 2 stages; times are those of Europe/Dublin.
	// Assumed: the approval at /stages/1/conditions/1 is granted 20h after it is asked
	//   for.
	//
	// Wed 2026-03-25 14:00 +00:00  The release starts.
	//
	// Stage 1 of 2: On
	// Wed 2026-03-25 14:00 +00:00  Nothing holds this stage back.
	//                              The flag changes:
	//                              - turn targeting on
	//
	// Stage 2 of 2: Cleared away
	// Wed 2026-03-25 14:00 +00:00  Waits 1 calendar week, until
	//                                Wed 2026-04-01 14:00 +01:00 (1 hour less than 7
	//                                days of 24 hours: the clocks change).
	// Wed 2026-04-01 14:00 +01:00  The time has come.
	//                              Asks for approval: Nobody needs the old checkout.
	// Thu 2026-04-02 10:00 +01:00  reviewer-1 approves.
	//                              The approval is granted.
	//                              The flag changes:
	//                              - add the tags cleared
	//                              The release is complete.
	//
	// At the end: complete on Thu 2026-04-02 10:00 +01:00, 7 days 19 hours after its
	//   start.
}
