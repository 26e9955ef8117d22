package flagstage

import (
	"math"
	"slices"
	"time"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// StoredWorkflow is a workflow as an engine keeps it: how far it has come, who
// asked for it, and all that has happened. It prints as the published response
// does. The zero StoredWorkflow is none.
//
// The methods of [Workflow] that it has, such as Advance and Pause, give values and
// change nothing that is stored: they are good for looking ahead. What steers the
// stored workflow are the engine's methods of these names.
type StoredWorkflow struct {
	Workflow
	ID           string
	Name         string
	Description  string
	TemplateKey  string // of the template that it was made from, "" if none was named
	MaintainerID string
	Target       Origin
	CreatedAt    time.Time
	// Revision is that of the store's record, 0 for what is not stored.
	Revision int64
	// Conflicts say which stages somebody else's changes stand in the way of.
	Conflicts []WorkflowConflict
	// Parameters are those of the template, as they were judged for the target.
	// Only a call that starts a workflow, or tries out starting one, returns
	// any.
	Parameters []Parameter
	// Warnings are the problems of the request that did not prevent it. Only a
	// call that takes a document returns any.
	Warnings Problems
	events   []Event
}

// WorkflowConflict says what stands in the way of a stage.
type WorkflowConflict struct {
	StageID string
	Message string // a sentence
}

// Events returns a copy of all that has happened to the workflow.
func (w StoredWorkflow) Events() []Event { return slices.Clone(w.events) }

// AppendJSON appends the workflow as the published response shows it, always in
// the same bytes. What has stopped says when it should have; a version is the
// number of the last event. After a retry an approval keeps all of its reviews,
// and its reviewStatus is that of the new quorum.
func (w StoredWorkflow) AppendJSON(dst []byte) []byte {
	progress := progressOf(&w.Workflow, w.ID, w.events)
	dst = slices.Grow(dst, w.room(len(progress)))
	dst = w.appendHead(dst)
	dst = append(dst, `,"stages":[`...)
	for i, s := range w.plan.stages() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendRunStage(dst, s, &progress[i], math.MaxInt)
	}
	dst = append(dst, ']')
	if len(w.Parameters) > 0 {
		dst = appendList(append(dst, `,"meta":{"parameters":`...), w.Parameters, Parameter.AppendJSON)
		dst = append(dst, '}')
	}
	if w.TemplateKey != "" {
		dst = strictjson.AppendString(append(dst, `,"templateKey":`...), w.TemplateKey)
	}
	return append(dst, '}')
}

// MarshalJSON returns what [StoredWorkflow.AppendJSON] appends.
func (w StoredWorkflow) MarshalJSON() ([]byte, error) { return w.AppendJSON(nil), nil }

// room returns how many bytes the printed workflow usually takes.
func (w *StoredWorkflow) room(stages int) int {
	return 1024 + 1024*stages + 128*len(w.events)
}

// appendHead appends the workflow up to its stages.
func (w *StoredWorkflow) appendHead(dst []byte) []byte {
	dst = appendID(append(dst, '{'), w.ID)
	dst = strictjson.AppendInt(append(dst, `,"_version":`...), w.Version())
	dst = appendList(append(dst, `,"_conflicts":`...), w.Conflicts, WorkflowConflict.appendJSON)
	dst = strictjson.AppendInt(append(dst, `,"_creationDate":`...), w.CreatedAt.UnixMilli())
	dst = strictjson.AppendString(append(dst, `,"_maintainerId":`...), w.MaintainerID)
	dst = appendSelf(append(dst, `,"_links":`...), w.Target.workflows()+"/"+w.ID)
	dst = strictjson.AppendString(append(dst, `,"name":`...), w.Name)
	dst = appendExecution(append(dst, `,"_execution":`...), w.status, w.stopped)
	if w.Description != "" {
		dst = strictjson.AppendString(append(dst, `,"description":`...), w.Description)
	}
	return append(dst, `,"kind":"custom"`...)
}

func (c WorkflowConflict) appendJSON(dst []byte) []byte {
	dst = strictjson.AppendString(append(dst, `{"stageId":`...), c.StageID)
	dst = strictjson.AppendString(append(dst, `,"message":`...), c.Message)
	return append(dst, '}')
}

// workflows returns the path of the flag's workflows in the published API.
func (o Origin) workflows() string {
	return "/api/v2/projects/" + o.ProjectKey + "/flags/" + o.FlagKey + "/environments/" + o.EnvironmentKey + "/workflows"
}

// appendSelf appends links to one path.
func appendSelf(dst []byte, path string) []byte {
	dst = strictjson.AppendString(append(dst, `{"self":{"href":`...), path)
	return append(dst, `,"type":"application/json"}}`...)
}

// appendList appends an array; nil is written as [].
func appendList[T any](dst []byte, list []T, element func(T, []byte) []byte) []byte {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = element(v, dst)
	}
	return append(dst, ']')
}

// WorkflowList is a list of workflows, all or some of those that match. It
// prints as the published listing does.
type WorkflowList struct {
	Items []StoredWorkflow
	// TotalCount is how many workflows there are that match, also those that
	// are not among the items.
	TotalCount int
	// Unreadable are workflows that are stored and cannot be read. They are not
	// printed.
	Unreadable []*UnreadableWorkflowError
	target     Origin // whose workflows were asked for; zero: of several flags
}

// MarshalJSON returns the list in the published shape.
func (l WorkflowList) MarshalJSON() ([]byte, error) {
	dst := appendList([]byte(`{"items":`), l.Items, StoredWorkflow.AppendJSON)
	dst = strictjson.AppendInt(append(dst, `,"totalCount":`...), int64(l.TotalCount))
	dst = append(dst, `,"_links":`...)
	if l.target == (Origin{}) {
		return append(dst, "{}}"...), nil
	}
	return append(appendSelf(dst, l.target.workflows()), '}'), nil
}

// fromWorkflow returns the request with the stages and the origin of the
// workflow that it names, as they were planned, whatever has become of them.
// Keys that the request gives must be the workflow's.
func (in TemplateInput) fromWorkflow(w StoredWorkflow) (TemplateInput, Problems) {
	var problems Problems
	if w.plan.IsZero() {
		problems.Errorf("/workflowId", flags.CodeNotFound, "there is no such workflow")
		return TemplateInput{}, problems
	}
	for _, k := range []struct{ what, given, is string }{
		{"project", in.Origin.ProjectKey, w.Target.ProjectKey},
		{"environment", in.Origin.EnvironmentKey, w.Target.EnvironmentKey},
		{"flag", in.Origin.FlagKey, w.Target.FlagKey},
	} {
		if k.given != "" && k.given != k.is {
			problems.Errorf("/"+k.what+"Key", flags.CodeExclusive, "is not the %s of the workflow, which is %s; leave it out, or give that", k.what, quoteKey(k.is))
		}
	}
	if problems != nil {
		return TemplateInput{}, problems
	}
	in.WorkflowID, in.Origin, in.Stages = "", w.Target, w.plan.Stages()
	return in, nil
}
