package flagstagetest_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flagstagetest"
)

func TestEveryWorkflowInputIsValidAndStarts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		input := flagstagetest.WorkflowInputs().Draw(t, "input")
		require.Empty(t, input.Validate())
		stages := input.Stages
		if stages == nil {
			stages = []flagstage.Stage{{}}
		}
		now := flagstagetest.Instants().Draw(t, "now")
		template, problems := flagstage.NewTemplate(flagstage.TemplateInput{Key: "k", Origin: input.Target, Stages: stages}, flagstage.Creation{
			Now: now, IDs: flagstage.SeededIDs(1), Actor: flagstagetest.Actors().Draw(t, "actor"),
		})
		require.Empty(t, problems)
		start := flagstage.Start{
			At: now, Actor: flagstage.Actor{MemberID: "a"}, MaintainerID: input.MaintainerID, Approvals: input.Approvals, Lateness: input.Lateness,
		}
		if input.Zone != "" {
			zone, err := calendar.Zone(input.Zone)
			require.NoError(t, err)
			start.Zone = zone
		}
		_, events, err := flagstage.StartWorkflow(template.Plan(), start)
		require.NoError(t, err)
		require.NotEmpty(t, events)
	})
}

func TestParametersAreReadAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		input := flagstagetest.WorkflowInputs().Draw(t, "input")
		if input.Stages != nil { // they have no parameters
			input.Stages, input.TemplateKey = nil, "t"
		}
		document, err := json.Marshal(map[string]any{
			"name": input.Name, "description": input.Description, "maintainerId": input.MaintainerID,
			"templateKey": input.TemplateKey, "parameters": input.Parameters,
		})
		require.NoError(t, err)
		again, problems := flagstage.ReadWorkflow(document)
		require.Empty(t, problems)
		require.Equal(t, flagstage.WorkflowInput{
			Name: input.Name, Description: input.Description, MaintainerID: input.MaintainerID,
			TemplateKey: input.TemplateKey, Parameters: input.Parameters,
		}, again)
	})
}

func TestWorkflowInputsDiffer(t *testing.T) {
	seen := map[string]int{}
	count := func(what string, there bool) {
		if there {
			seen[what]++
		}
	}
	for input := range examples(flagstagetest.WorkflowInputs(), 300) {
		count("id", input.ID != "")
		count("no id", input.ID == "")
		count("maintainer", input.MaintainerID != "")
		count("stages", input.Stages != nil && input.TemplateKey == "")
		count("stages and a template", input.Stages != nil && input.TemplateKey != "")
		count("a template", input.Stages == nil && input.Parameters == nil)
		count("zone", input.Zone != "")
		count("no zone", input.Zone == "")
		count("no lateness", input.Lateness == flagstage.NoLateness)
		count("lateness", input.Lateness > 0)
		count("conflicts are ignored", input.IgnoreConflicts)
		count("quorum", input.Approvals.MinNumApprovals > 1)
		for _, o := range input.Parameters {
			count("override by value", !o.Value.IsZero())
			count("override by boolean", o.BooleanVariationValue != nil)
		}
	}
	for _, what := range []string{
		"id", "no id", "maintainer", "stages", "stages and a template", "a template", "zone", "no zone", "no lateness", "lateness",
		"conflicts are ignored", "quorum", "override by value", "override by boolean",
	} {
		require.Positive(t, seen[what], "%q was never drawn: %v", what, seen)
	}
}

func TestWorkflowInputsShrink(t *testing.T) {
	input, _ := shrunk(t, func(t *rapid.T) flagstage.WorkflowInput { return flagstagetest.WorkflowInputs().Draw(t, "input") },
		func(flagstage.WorkflowInput) bool { return false })
	ofStages := flagstage.WorkflowInput{
		Name: "a", Target: flagstage.Origin{ProjectKey: "a", EnvironmentKey: "a", FlagKey: "a"}, Stages: []flagstage.Stage{{}},
	}
	ofTemplate := ofStages
	ofTemplate.TemplateKey, ofTemplate.Stages = "a", nil
	require.Contains(t, []flagstage.WorkflowInput{ofStages, ofTemplate}, input)
}
