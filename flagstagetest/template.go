package flagstagetest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
)

// Schedules generates schedules of all sorts: waits of up to 90 of each unit,
// dates of all years from 1970 to 9999, and those that are due at once.
func Schedules() *rapid.Generator[flagstage.Schedule] {
	waits := rapid.Custom(func(t *rapid.T) flagstage.Schedule {
		unit := rapid.SampledFrom(calendar.Units()).Draw(t, "unit")
		return flagstage.ScheduleAfter(rapid.Int64Range(0, 90).Draw(t, "count"), unit)
	})
	edges := []time.Time{time.Unix(0, 0).UTC(), time.UnixMilli(253402300799999).UTC()}
	dates := rapid.OneOf(Instants(), Instants(), Instants(), rapid.SampledFrom(edges))
	return rapid.OneOf(waits, rapid.Map(dates, flagstage.ScheduleAt), rapid.Just(flagstage.ScheduleNow()))
}

// Approvals generates approvals, with and without members and teams to notify
// and form variables of another approval system.
func Approvals() *rapid.Generator[flagstage.Approval] {
	return rapid.Custom(func(t *rapid.T) flagstage.Approval {
		approval := flagstage.Approval{
			Description:     anyText.Draw(t, "description"),
			NotifyMemberIDs: nilIfEmpty(fullTexts.Draw(t, "members to notify")),
			NotifyTeamKeys:  nilIfEmpty(fullTexts.Draw(t, "teams to notify")),
		}
		if rapid.Bool().Draw(t, "has config") {
			approval.IntegrationConfig = objects().Draw(t, "config")
		}
		return approval
	})
}

// Conditions generates what [Schedules] and [Approvals] do.
func Conditions() *rapid.Generator[flagstage.Condition] {
	return rapid.OneOf(
		rapid.Map(Schedules(), func(s flagstage.Schedule) flagstage.Condition { return s }),
		rapid.Map(Approvals(), func(a flagstage.Approval) flagstage.Condition { return a }),
	)
}

// Stages generates stages of up to three conditions and three instructions,
// without identifiers.
func Stages() *rapid.Generator[flagstage.Stage] {
	return rapid.Custom(func(t *rapid.T) flagstage.Stage { return new(release).stage(t) })
}

func (r *release) stage(t *rapid.T) flagstage.Stage {
	return flagstage.Stage{
		Name:                        anyText.Draw(t, "name"),
		ExecuteConditionsInSequence: rapid.Bool().Draw(t, "in sequence"),
		Conditions:                  nilIfEmpty(rapid.SliceOfN(Conditions(), 0, 3).Draw(t, "conditions")),
		Action:                      flagstage.Patch(r.instructions(t)...),
	}
}

func (r *release) instructions(t *rapid.T) (list []flags.Instruction) {
	for range rapid.IntRange(0, 3).Draw(t, "instructions") {
		list = append(list, r.instruction(t))
	}
	return list
}

// TemplateInputs generates what templates of one to four stages are made of.
// [flagstage.NewTemplate] accepts each at every instant that [Instants]
// generates.
func TemplateInputs() *rapid.Generator[flagstage.TemplateInput] {
	return rapid.Custom(func(t *rapid.T) flagstage.TemplateInput {
		input := flagstage.TemplateInput{
			Key: Keys().Draw(t, "key"), Name: anyText.Draw(t, "name"), Description: anyText.Draw(t, "description"),
			Origin: flagstage.Origin{
				ProjectKey: Keys().Draw(t, "project"), EnvironmentKey: Keys().Draw(t, "environment"), FlagKey: Keys().Draw(t, "flag"),
			},
		}
		var r release
		for range rapid.IntRange(1, 4).Draw(t, "stages") {
			input.Stages = append(input.Stages, r.stage(t))
		}
		return input
	})
}

// Templates generates templates made of [TemplateInputs] at one of [Instants]
// by one of [Actors], with identifiers from a seeded source.
func Templates() *rapid.Generator[flagstage.Template] {
	return rapid.Custom(func(t *rapid.T) flagstage.Template {
		template, problems := flagstage.NewTemplate(TemplateInputs().Draw(t, "input"), flagstage.Creation{
			Now:   Instants().Draw(t, "now"),
			IDs:   flagstage.SeededIDs(rapid.Uint64().Draw(t, "seed")),
			Actor: Actors().Draw(t, "actor"),
		})
		if problems != nil {
			t.Fatalf("flagstagetest: drew a template that is not valid: %v", problems)
		}
		return template
	})
}
