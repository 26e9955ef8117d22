package flagstagetest

import (
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
)

// WorkflowInputs generates requests to start a workflow, with and without an
// identifier and a maintainer, in zones of all parts of the world, with
// approval settings of all sorts: some have one to four stages, with or without
// the key of a template; others have the key of a template, and override up to
// three parameters, which no template needs to have.
// [flagstage.WorkflowInput.Validate] finds nothing wrong with any of them, and
// [flagstage.StartWorkflow] takes their settings.
func WorkflowInputs() *rapid.Generator[flagstage.WorkflowInput] {
	return rapid.Custom(func(t *rapid.T) flagstage.WorkflowInput {
		input := flagstage.WorkflowInput{
			ID: maybeKey(t, "id"), Name: fullText.Draw(t, "name"), Description: anyText.Draw(t, "description"),
			MaintainerID: maybeKey(t, "maintainer"),
			Target: flagstage.Origin{
				ProjectKey: Keys().Draw(t, "project"), EnvironmentKey: Keys().Draw(t, "environment"), FlagKey: Keys().Draw(t, "flag"),
			},
			Zone:            rapid.SampledFrom(zones).Draw(t, "zone"),
			Approvals:       approvalSettings(t),
			Lateness:        lengths.Draw(t, "lateness"),
			IgnoreConflicts: rapid.Bool().Draw(t, "ignore conflicts"),
		}
		if rapid.Bool().Draw(t, "no lateness") {
			input.Lateness = flagstage.NoLateness
		}
		if rapid.Bool().Draw(t, "of a template") {
			input.TemplateKey = Keys().Draw(t, "template")
			input.Parameters = overrides(t)
			return input
		}
		input.TemplateKey = maybeKey(t, "template")
		var r release
		for range rapid.IntRange(1, 4).Draw(t, "stages") {
			input.Stages = append(input.Stages, r.stage(t))
		}
		return input
	})
}

// maybeKey draws a key, or none.
func maybeKey(t *rapid.T, what string) string {
	if !rapid.Bool().Draw(t, "has "+what) {
		return ""
	}
	return Keys().Draw(t, what)
}

// paths are those of the parameters that instructions have.
var paths = []string{
	"/variationId", "/ruleId", "/clauses/0/values", "/rolloutWeights", "/values", "/targets/2/variationId", "/key", "/a~1b~0c",
}

// overrides draws overrides of different parameters.
func overrides(t *rapid.T) (list []flagstage.Override) {
	for _, id := range rapid.SliceOfNDistinct(Keys(), 0, 3, rapid.ID[string]).Draw(t, "parameters") {
		o := flagstage.Override{ID: id, Path: rapid.SampledFrom(paths).Draw(t, "path")}
		if rapid.Bool().Draw(t, "by boolean value") {
			b := rapid.Bool().Draw(t, "boolean value")
			o.BooleanVariationValue = &b
		} else {
			o.Value = Values().Draw(t, "value")
		}
		list = append(list, o)
	}
	return list
}
