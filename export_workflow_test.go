package flagstage

// Stored returns the workflow with its events.
func Stored(w StoredWorkflow, events []Event) StoredWorkflow {
	w.events = events
	return w
}

// JudgeWorkflow judges a request as what starts it does, at most so many stages
// being allowed.
func JudgeWorkflow(in WorkflowInput, creation Creation, stages int) Problems {
	return judgeWorkflow(&in, nil, &creation, rules{stages: stages, hosts: []string{}})
}

// JudgePlanned judges a request beside which there is a plan.
func JudgePlanned(in WorkflowInput, creation Creation) Problems {
	return judgeWorkflow(&in, new(Plan), &creation, rules{})
}

// TemplateOf returns the template that a request's stages are.
func TemplateOf(in WorkflowInput, creation Creation) (Template, Problems) {
	t, problems := in.template(&creation)
	return *t, problems
}

// ListOf returns a list of workflows of a flag.
func ListOf(target Origin, total int, items ...StoredWorkflow) WorkflowList {
	return WorkflowList{Items: items, TotalCount: total, target: target}
}

// FromWorkflow returns the request with the stages of a workflow.
func FromWorkflow(in TemplateInput, w StoredWorkflow) (TemplateInput, Problems) {
	return in.fromWorkflow(w)
}

// StartOf returns how a stored workflow began.
func StartOf(w StoredWorkflow) Start {
	s := *w.start
	if s.Lateness == 0 {
		s.Lateness = NoLateness
	}
	return s
}
