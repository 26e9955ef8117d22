package flagstage

// JudgeWorkflow judges a request as what starts it does, at most so many stages
// being allowed.
func JudgeWorkflow(in WorkflowInput, creation Creation, stages int) Problems {
	return judgeWorkflow(&in, &creation, rules{stages: stages, hosts: []string{}}, false)
}

// JudgePlanned judges a request beside which there is a plan.
func JudgePlanned(in WorkflowInput, creation Creation) Problems {
	return judgeWorkflow(&in, &creation, rules{}, true)
}

// TemplateOf returns the template that a request's stages are.
func TemplateOf(in WorkflowInput, creation Creation) (Template, Problems) {
	t, problems := in.template(&creation)
	return *t, problems
}
