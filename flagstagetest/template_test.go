package flagstagetest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/flagstagetest"
	"github.com/flagstage/flagstage/simulate"
)

func TestEveryTemplatePrintedAndImportedIsEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		template := flagstagetest.Templates().Draw(t, "template")
		printed := template.AppendJSON(nil)
		again, problems := flagstage.Import(printed, template.Origin(), flagstage.Creation{})
		require.Empty(t, problems)
		require.True(t, template.Equal(again))
		require.Equal(t, string(printed), string(again.AppendJSON(nil)))
	})
}

func TestEveryTemplateHasWhatItWasMadeOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		input := flagstagetest.TemplateInputs().Draw(t, "input")
		actor := flagstagetest.Actors().Draw(t, "actor")
		now := flagstagetest.Instants().Draw(t, "now")
		template, problems := flagstage.NewTemplate(input, flagstage.Creation{Now: now, IDs: flagstage.SeededIDs(1), Actor: actor})
		require.Empty(t, problems)
		require.Equal(t, input.Key, template.Key())
		require.Equal(t, now, template.CreatedAt())
		require.Equal(t, actor.Identity(), template.OwnerID())
		require.Len(t, template.Stages(), len(input.Stages))
	})
}

func TestEveryScenarioRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		template := flagstagetest.Templates().Draw(t, "template")
		scenario := flagstagetest.Scenarios(template).Draw(t, "scenario")
		once, err := simulate.Run(template, scenario)
		require.NoError(t, err)
		twice, err := simulate.Run(template, scenario)
		require.NoError(t, err)
		require.Equal(t, once, twice)
		require.NotEmpty(t, once.Text())
	})
}

func TestScenariosDiffer(t *testing.T) {
	type release struct {
		flagstage.Template
		simulate.Scenario
	}
	releases := rapid.Custom(func(t *rapid.T) release {
		template := flagstagetest.Templates().Draw(t, "template")
		return release{template, flagstagetest.Scenarios(template).Draw(t, "scenario")}
	})
	seen := map[string]int{}
	for r := range examples(releases, 300) {
		scenario := r.Scenario
		result, err := simulate.Run(r.Template, scenario)
		require.NoError(t, err)
		seen[string(result.End.Status)]++
		seen["in "+scenario.Zone]++
		seen[scenario.Otherwise.String()]++
		if len(scenario.Answers) > 0 {
			seen["answers"]++
		}
		if !scenario.Horizon.IsZero() {
			seen["horizon"]++
		}
	}
	for _, what := range []string{
		"active", "completed", "failed", "in ", "in UTC", "in Europe/Berlin", "in Pacific/Kiritimati", "answers", "horizon", "stays unanswered",
	} {
		require.Positive(t, seen[what], "%q was never drawn: %v", what, seen)
	}
}

func TestInstructionsAreValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := flagstagetest.Instructions().Draw(t, "instruction")
		require.Empty(t, in.Validate())
		require.Empty(t, in.ID())
		_, referred := namesIn(t, in)
		require.Empty(t, referred)
		again, problems := flags.DecodeInstruction(in.AppendJSON(nil))
		require.Empty(t, problems)
		require.Equal(t, in, again)
	})
}

func TestEveryKindOfInstructionIsReached(t *testing.T) {
	seen := map[flags.Kind]int{}
	for in := range examples(flagstagetest.Instructions(), 3000) {
		seen[in.Kind()]++
	}
	for _, kind := range flags.Kinds() {
		require.Positive(t, seen[kind], "%s was never drawn", kind)
	}
	require.Len(t, seen, 53)
}

func TestEverySortOfConditionIsReached(t *testing.T) {
	seen := map[string]int{}
	count := func(sort string, there bool) {
		if there {
			seen[sort]++
		}
	}
	for c := range examples(flagstagetest.Conditions(), 500) {
		switch c := c.(type) {
		case flagstage.Schedule:
			absolute, isAbsolute := c.When.(flagstage.Absolute)
			_, immediate := c.When.(flagstage.Immediate)
			relative, isRelative := c.When.(flagstage.Relative)
			count("immediate", immediate)
			count("absolute", isAbsolute)
			count("first date", isAbsolute && absolute.Date.UnixMilli() == 0)
			count("last date", isAbsolute && absolute.Date.Year() == 9999)
			count(string(relative.Wait.Unit), isRelative)
			count("no wait", isRelative && relative.Wait.Count == 0)
		case flagstage.Approval:
			count("members", c.NotifyMemberIDs != nil)
			count("teams", c.NotifyTeamKeys != nil)
			count("config", !c.IntegrationConfig.IsZero())
			count("nothing to say", c.Description == "")
		}
	}
	for _, sort := range []string{
		"immediate", "absolute", "first date", "last date", "minute", "hour", "calendarDay", "calendarWeek", "no wait",
		"members", "teams", "config", "nothing to say",
	} {
		require.Positive(t, seen[sort], "%s was never drawn: %v", sort, seen)
	}
}

// TestReferencesNameWhatAnEarlierInstructionAdds holds that nothing refers to
// the future, or to nothing.
func TestReferencesNameWhatAnEarlierInstructionAdds(t *testing.T) {
	references := 0
	for input := range examples(flagstagetest.TemplateInputs(), 300) {
		added := map[string]bool{}
		for _, s := range input.Stages {
			for _, in := range s.Action.Instructions {
				given, referred := namesIn(t, in)
				for _, name := range referred {
					require.True(t, added[name], "nothing is called %s yet", name)
					references++
				}
				for _, name := range given {
					require.False(t, added[name], "%s is given twice", name)
					added[name] = true
				}
			}
		}
	}
	require.Positive(t, references)
}

func TestInstantsAreUTCAndWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := flagstagetest.Instants().Draw(t, "instant")
		require.Equal(t, flagstage.Instant(at), at)
		require.GreaterOrEqual(t, at.Year(), 1970)
		require.LessOrEqual(t, at.Year(), 2099)
	})
}

func TestKeysAndValuesAreUsable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		require.True(t, flags.IsKey(flagstagetest.Keys().Draw(t, "key")))
		value := flagstagetest.Values().Draw(t, "value")
		require.Empty(t, flags.AddVariation(flags.Variation{Value: value}).Validate())
		again, err := flags.ParseValue(value.String())
		require.NoError(t, err)
		require.Equal(t, value, again)
		require.NotEmpty(t, flagstagetest.Actors().Draw(t, "actor").Identity())
	})
}

// TestFailuresShrink holds what people see of a property that fails: little.
func TestFailuresShrink(t *testing.T) {
	template, _ := shrunk(t, func(t *rapid.T) flagstage.TemplateInput {
		return flagstagetest.TemplateInputs().Draw(t, "input")
	}, func(input flagstage.TemplateInput) bool {
		for _, s := range input.Stages {
			for _, c := range s.Conditions {
				if c.Kind() == flagstage.KindApproval {
					return false
				}
			}
		}
		return true
	})
	require.Equal(t, flagstage.TemplateInput{
		Key: "a", Origin: flagstage.Origin{ProjectKey: "a", EnvironmentKey: "a", FlagKey: "a"},
		Stages: []flagstage.Stage{{Conditions: []flagstage.Condition{flagstage.Approval{}}}},
	}, template)

	instant, _ := shrunk(t, func(t *rapid.T) time.Time { return flagstagetest.Instants().Draw(t, "instant") },
		func(time.Time) bool { return false })
	require.Equal(t, "2026-01-05T09:00:00Z", instant.Format(time.RFC3339))

	document, log := shrunk(t, func(t *rapid.T) flagstagetest.Document { return flagstagetest.Documents().Draw(t, "document") },
		func(flagstagetest.Document) bool { return false })
	const smallest = `{"key":"a","projectKey":"a","environmentKey":"a","flagKey":"a","stages":[{}]}`
	require.Equal(t, smallest, string(document.JSON))
	require.Contains(t, log, "draw document: "+smallest)
}
