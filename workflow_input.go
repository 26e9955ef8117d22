package flagstage

import (
	"fmt"
	"strings"
	"time"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// WorkflowInput is a request to start a workflow: what [ReadWorkflow] reads
// from JSON, or a program puts together. The zero WorkflowInput asks for
// nothing, and is refused.
type WorkflowInput struct {
	// ID is the workflow's identifier, chosen by the caller so that asking
	// twice starts one workflow; "" has one made. It has the form of a key, see
	// [TemplateInput.Key], of at most 128 bytes.
	ID          string
	Name        string // required
	Description string
	// MaintainerID is who looks after the workflow; "" means the one who
	// starts it.
	MaintainerID string
	// TemplateKey names the template whose stages run. Where Stages are given,
	// those run, and the key is only recorded.
	TemplateKey string
	// Stages, if given, are at least one and at most 500. Identifiers in them
	// are ignored: the workflow's stages have new ones.
	Stages []Stage
	// Parameters give parameters of the template other values, each at most
	// once, at most 1,000. They exclude Stages, which have none.
	Parameters []Override
	// Target is the flag that is released. It is in no document: the caller
	// says it.
	Target Origin
	// Zone names the IANA time zone in which calendar days and weeks are
	// counted; "" means UTC.
	Zone      string
	Approvals ApprovalSettings
	// Lateness is that of [Start.Lateness].
	Lateness time.Duration
	// IgnoreConflicts lets stages write what somebody else has changed since
	// the workflow began.
	IgnoreConflicts bool
}

// kindCustom is the one kind of workflow that can be asked for.
const kindCustom = "custom"

// maxPathTokens is how many names a path of a parameter has at most.
const maxPathTokens = 64

// maxWorkflowID is how many bytes the identifier of a workflow has at most: few
// enough for the keys of a store, in which it stands beside three keys of people.
const maxWorkflowID = 128

// isWorkflowID reports whether a workflow can have an identifier.
func isWorkflowID(id string) bool { return len(id) <= maxWorkflowID && flags.IsKey(id) }

// overrideDepth is how many arrays and objects are open around the value of an
// override.
const overrideDepth = 4

var workflowNames = []string{"name", "description", "maintainerId", "kind", "stages", "templateKey", "parameters"}

// ReadWorkflow reads a request to start a workflow from JSON: the body of
// LaunchDarkly's POST …/workflows, with the parameters that its documentation
// shows. It finds everything that is wrong with the document in one pass. With
// an error among the problems the input is zero; warnings leave it usable. The
// document is at most 1 MiB.
//
// The document says neither which flag is released nor how: set Target, and
// what else it needs, afterwards. Where the call names the template beside the
// document, as the published one may, give [WithTemplateKey].
//
// Members of the published response (_id, _execution, meta, …) are ignored.
func ReadWorkflow(document []byte, list ...Option) (WorkflowInput, Problems) {
	o := newOptions(list)
	r := newWorkflowReader(document, o.reading)
	r.readWorkflow(o.templateKey)
	problems := r.judgeWorkflow()
	if problems.Err() != nil {
		return WorkflowInput{}, problems
	}
	return r.input, problems
}

// WithTemplateKey gives [ReadWorkflow] the key of the template that a call
// names beside the document, which the published call does in its query. The
// document may leave it out, or say the same. The key "" is none.
func WithTemplateKey(key string) Option { return func(o *options) { o.templateKey = key } }

// Validate returns what is wrong with the input, by the rules of
// [ReadWorkflow], and with ID and Target. Zone, Approvals and Lateness are
// judged by the start of the workflow, and Parameters then by the template.
// Instructions of host-defined kinds pass; an engine knows only its own.
func (in WorkflowInput) Validate() (problems Problems) {
	j := newJudge(&problems)
	j.besideDocument(&in)
	j.workflow(&in, false)
	return problems
}

// workflowReader reads a request to start a workflow.
type workflowReader struct {
	*reader
	input WorkflowInput
}

func newWorkflowReader(document []byte, reading flags.Reading) *workflowReader {
	return &workflowReader{reader: newReader(document, false, reading)}
}

// readWorkflow reads the whole document. templateKey is that of the call, or "".
func (r *workflowReader) readWorkflow(templateKey string) {
	r.readObject(r.readWorkflowMember)
	switch in := &r.input; {
	case !r.whole || templateKey == "" || templateKey == in.TemplateKey:
	case in.TemplateKey == "":
		in.TemplateKey = templateKey
	default:
		r.problem("/templateKey", string(flags.CodeExclusive), "is not the template that the call names, "+quoteKey(templateKey)+"; leave it out, or name the same")
	}
}

func (r *workflowReader) readWorkflowMember(name string) {
	in := &r.input
	switch name {
	case "name":
		in.Name = r.requiredString().value
	case "description":
		in.Description = r.optionalString().value
	case "maintainerId":
		in.MaintainerID = r.optionalString().value
	case "kind":
		if kind := r.optionalString(); kind.given && !kind.bad && kind.value != kindCustom {
			r.Report(string(flags.CodeUnknownKind), "the only kind of workflow is "+`"custom"`)
		}
	case "stages":
		in.Stages = r.readStages()
	case "templateKey":
		in.TemplateKey = r.optionalString().value
	case "parameters":
		if !r.Null() {
			in.Parameters = readList(r.reader, 4, maxOverrides, "parameters", r.readOverride)
		}
	case "_id", "_version", "_conflicts", "_creationDate", "_maintainerId", "_links", "_execution", "meta":
		r.Skip()
	default:
		r.UnknownMember(name, workflowNames...)
	}
}

// judgeWorkflow returns all that is wrong with the request that was read.
func (r *workflowReader) judgeWorkflow() Problems {
	var more Problems
	if r.whole {
		j := r.judge(&more)
		j.workflow(&r.input, false)
	}
	return r.judged(more)
}

// judgeWorkflow returns all that is wrong with a request of Go values, and with
// the creation that starts it. A plan, if there is one, takes the place of stages,
// template and parameters.
func judgeWorkflow(input *WorkflowInput, plan *Plan, creation *Creation, rules rules) (problems Problems) {
	j := newJudge(&problems)
	j.rules = rules
	j.now = Instant(creation.Now)
	j.creation(creation, true, input.ID == "" || input.Stages != nil, false)
	j.besideDocument(input)
	j.workflow(input, plan != nil)
	if plan != nil {
		j.planned(plan.stages())
	}
	return problems
}

// planned judges the stages of a plan, in which nothing was wrong when it was made,
// by what the engine and the time have to say.
func (j *judge) planned(stages []Stage) {
	j.number(stages)
	for i := range stages {
		j.stage = i
		for k, c := range stages[i].Conditions {
			if s, ok := c.(Schedule); ok {
				j.condition = k
				j.schedule(s)
			}
		}
		j.condition = -1
		for k, in := range stages[i].Action.Instructions {
			j.host(k, in)
		}
	}
	j.stage = -1
}

// besideDocument judges what a request says that is in no document.
func (j *judge) besideDocument(in *WorkflowInput) {
	if n := len(in.ID); n > maxWorkflowID {
		j.errorf("/_id", flags.CodeTooLarge, "the identifier has %d bytes; at most %d are allowed", n, maxWorkflowID)
	} else if n > 0 {
		j.key("/_id", in.ID)
	}
	j.origin(in.Target, "the target has no key of the %s; say which flag is released")
}

// workflow judges what a request says that can be in a document. Where there is
// a plan, neither a name nor stages need be given.
func (j *judge) workflow(in *WorkflowInput, planned bool) {
	if in.Name == "" && !planned {
		j.errorf("/name", flags.CodeRequired, "the workflow has no name; give it one")
	}
	j.text("/name", in.Name)
	j.text("/description", in.Description)
	if in.MaintainerID != "" {
		if code, defect := idDefect(in.MaintainerID); defect != "" {
			j.errorf("/maintainerId", code, "%s", defect)
		}
	}
	if in.TemplateKey != "" {
		j.key("/templateKey", in.TemplateKey)
	}
	given := in.Stages != nil
	switch {
	case !given && in.TemplateKey == "" && !planned:
		j.errorf("/stages", flags.CodeRequired, "give the stages, or the templateKey of a template whose stages run")
	case given && len(in.Stages) == 0:
		j.errorf("/stages", flags.CodeRequired, "a workflow needs at least one stage; leave the stages out to run those of the template")
	case given && len(in.Parameters) > 0:
		j.errorf("/parameters", flags.CodeExclusive, "stages have no parameters; put the values into the instructions, or leave the stages out")
	}
	j.stages(in.Stages)
	j.overrides(in.Parameters)
}

// overrides judges the form of overrides. Whether there are such parameters,
// the template knows.
func (j *judge) overrides(list []Override) {
	if len(list) > maxOverrides {
		j.errorf("/parameters", flags.CodeTooLarge, "%s", tooMany("parameters", maxOverrides))
		return
	}
	type slot struct{ id, path string }
	first := make(map[slot]int, len(list))
	for i := range list {
		o := &list[i]
		at := fmt.Sprintf("/parameters/%d", i)
		j.override(at, o)
		if o.ID == "" || o.Path == "" {
			continue
		}
		if k, ok := first[slot{o.ID, o.Path}]; ok {
			j.errorf(at, flags.CodeDuplicate, "the same parameter stands at /parameters/%d too", k)
		} else {
			first[slot{o.ID, o.Path}] = i
		}
	}
}

func (j *judge) override(at string, o *Override) {
	switch code, defect := idDefect(o.ID); {
	case o.ID == "":
		j.errorf(at+"/_id", flags.CodeRequired, "give the identifier of the condition or instruction that has the parameter")
	case defect != "":
		j.errorf(at+"/_id", code, "%s", defect)
	}
	switch code, defect := pathDefect(o.Path); {
	case o.Path == "":
		j.errorf(at+"/path", flags.CodeRequired, "give the path of the parameter, such as /variationId")
	case defect != "":
		j.errorf(at+"/path", code, "%s", defect)
	}
	boolean := at + "/default/booleanVariationValue"
	at += "/default/value"
	switch {
	case o.Value.IsZero():
		if o.BooleanVariationValue == nil {
			j.errorf(at, flags.CodeRequired, "give the value that takes the place of the template's, or booleanVariationValue")
		}
	case o.BooleanVariationValue != nil:
		j.errorf(boolean, flags.CodeExclusive, "value and booleanVariationValue exclude each other; give one of them")
	case o.Value.String() == "null":
		j.errorf(at, flags.CodeWrongType, "must not be null")
	case overrideDepth+o.Value.Depth() > strictjson.MaxDepth:
		j.errorf(at, flags.CodeTooLarge, "is nested too deep; the document would go deeper than %d", strictjson.MaxDepth)
	case !j.read:
		if _, err := flags.ParseValue(o.Value.String()); err != nil {
			j.errorf(at, flags.CodeMalformed, "%v", err)
		}
	}
}

// pathDefect says what is wrong with the path of a parameter, which is a JSON
// Pointer (RFC 6901); both are "" if nothing is.
func pathDefect(path string) (flags.Code, string) {
	if code, defect := strictjson.TextDefect(path); defect != "" {
		return flags.Code(code), defect
	}
	if !strings.HasPrefix(path, "/") {
		return flags.CodeMalformed, "the path must be a JSON Pointer, such as /variationId or /clauses/0/values"
	}
	if n := strings.Count(path, "/"); n > maxPathTokens {
		return flags.CodeTooLarge, fmt.Sprintf("the path has %d names; at most %d are allowed", n, maxPathTokens)
	}
	for rest := path; ; {
		_, after, more := strings.Cut(rest, "~")
		switch {
		case !more:
			return "", ""
		case !strings.HasPrefix(after, "0") && !strings.HasPrefix(after, "1"):
			return flags.CodeMalformed, "in the path a ~ must be written ~0, and a / inside of a name ~1"
		}
		rest = after
	}
}

// template makes of the stages, in a request in which nothing is wrong, the
// template that is bound and run: with new identifiers, written for the target,
// with TemplateKey for its key, which may be empty. Its own identifier is the
// workflow's.
func (in *WorkflowInput) template(creation *Creation) (*Template, Problems) {
	made, problems := newTemplate(&TemplateInput{
		Key: in.TemplateKey, Name: in.Name, Description: in.Description, Origin: in.Target, Stages: in.Stages,
	}, creation, false)
	made.id = orElse(in.ID, made.id)
	t, problems := made.measured(problems)
	return &t, problems
}
