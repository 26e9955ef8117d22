package flagstagetest

import (
	"strconv"

	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// Document is a request to create a template, and what it means.
type Document struct {
	JSON []byte
	// Input is what [flagstage.ReadTemplate] makes of it, equal by
	// reflect.DeepEqual.
	Input flagstage.TemplateInput
}

// GoString returns the JSON, so that rapid prints it. One that is long is cut.
func (d Document) GoString() string { return clipped(d.JSON) }

// Documents generates requests for [TemplateInputs] as they come in practice:
// members in any order, with and without white space and escapes; instructions
// as an array and as JSON in a string; members that are missing, null or
// empty; members of the published response; and the slips of the published
// examples (OnVariationValue, OffVariationValue, a condition's id).
//
// [flagstage.ReadTemplate] reads each without a warning.
func Documents() *rapid.Generator[Document] {
	return rapid.Custom(func(t *rapid.T) Document {
		w := writer{
			t:        t,
			blanks:   rapid.Bool().Draw(t, "blanks"),
			response: rapid.Bool().Draw(t, "members of the response"),
			slips:    rapid.Bool().Draw(t, "slips"),
			strings:  rapid.Bool().Draw(t, "JSON in strings"),
		}
		input := TemplateInputs().Draw(t, "input")
		root := w.document(&input)
		if rapid.Bool().Draw(t, "reorder") {
			reorder(t, root)
		}
		how := spelling{
			spaces:  rapid.SliceOfN(rapid.SampledFrom([]string{"", " ", "\n", "\t", "\r\n  "}), 0, 4).Draw(t, "white space"),
			escaped: rapid.Bool().Draw(t, "escapes"),
		}
		return Document{JSON: how.write(root), Input: input}
	})
}

// reorder puts the members of all objects into another order.
func reorder(t *rapid.T, n *node) {
	if n.fixed {
		return
	}
	if n.shape == object && len(n.members) > 1 {
		n.members = rapid.Permutation(n.members).Draw(t, "order")
	}
	for _, m := range n.members {
		reorder(t, m.value)
	}
}

// writer writes inputs as documents.
type writer struct {
	t                                *rapid.T
	blanks, response, slips, strings bool
}

// blank draws one of several ways to leave a member out; "" is leaving it out.
func (w *writer) blank(name string, ways ...string) string {
	if !w.blanks {
		return ""
	}
	return rapid.SampledFrom(append([]string{"", "null"}, ways...)).Draw(w.t, name+" is")
}

// leave leaves a member out, and returns how.
func (w *writer) leave(n *node, name string, ways ...string) string {
	how := w.blank(name, ways...)
	if how != "" {
		n.set(name, raw(how))
	}
	return how
}

func (w *writer) optional(n *node, name, s string) {
	if s == "" {
		w.leave(n, name, `""`)
		return
	}
	n.set(name, str(s))
}

func (w *writer) document(input *flagstage.TemplateInput) *node {
	n := record()
	if w.response {
		n.set("_id", str("any"))
		n.set("_creationDate", raw("1700000000000"))
		n.set("_ownerId", str("any"))
		n.set("_links", mustParse(`{"self":{"href":"/any","type":"application/json"}}`))
	}
	n.set("key", str(input.Key))
	w.optional(n, "name", input.Name)
	w.optional(n, "description", input.Description)
	w.leave(n, "workflowId", `""`)
	n.set("projectKey", str(input.Origin.ProjectKey))
	n.set("environmentKey", str(input.Origin.EnvironmentKey))
	n.set("flagKey", str(input.Origin.FlagKey))
	stages := list()
	for i := range input.Stages {
		stages.append(w.stage(&input.Stages[i]))
	}
	n.set("stages", stages)
	return n
}

func (w *writer) stage(s *flagstage.Stage) *node {
	n := record()
	w.execution(n)
	w.optional(n, "name", s.Name)
	if s.ExecuteConditionsInSequence {
		n.set("executeConditionsInSequence", raw("true"))
	} else {
		w.leave(n, "executeConditionsInSequence", "false")
	}
	if len(s.Conditions) > 0 {
		conditions := list()
		for _, c := range s.Conditions {
			conditions.append(w.condition(c))
		}
		n.set("conditions", conditions)
	} else if w.leave(n, "conditions", "[]") == "[]" {
		s.Conditions = []flagstage.Condition{}
	}
	w.action(n, &s.Action)
	return n
}

// execution adds members of the response that stages and conditions have.
func (w *writer) execution(n *node) {
	if w.response {
		n.set("_id", str("any"))
		n.set("_execution", mustParse(`{"status":"completed","stopDate":1700000000000}`))
	}
}

func (w *writer) condition(c flagstage.Condition) *node {
	n := record(member{"kind", str(string(c.Kind()))})
	w.execution(n)
	if w.slips && rapid.Bool().Draw(w.t, "id") {
		n.set("id", str("any"))
	}
	if w.response {
		n.set("allReviews", list())
		n.set("reviewStatus", str("approved"))
	}
	switch c := c.(type) {
	case flagstage.Schedule:
		w.schedule(n, c)
	case flagstage.Approval:
		w.approval(n, c)
	}
	return n
}

func (w *writer) schedule(n *node, s flagstage.Schedule) {
	date, wait, now := false, false, false
	switch when := s.When.(type) {
	case flagstage.Absolute:
		date = true
		w.scheduleKind(n, "absolute")
		n.set("executionDate", raw(strconv.FormatInt(when.Date.UnixMilli(), 10)))
	case flagstage.Relative:
		wait = true
		w.scheduleKind(n, "relative")
		n.set("waitDuration", raw(strconv.FormatInt(when.Wait.Count, 10)))
		n.set("waitDurationUnit", str(string(when.Wait.Unit)))
	case flagstage.Immediate:
		now = true
		n.set("executeNow", raw("true"))
		w.leave(n, "scheduleKind", `""`)
	}
	if !date {
		w.leave(n, "executionDate")
	}
	if !wait {
		w.leave(n, "waitDuration")
		w.leave(n, "waitDurationUnit")
	}
	if !now {
		w.leave(n, "executeNow", "false")
	}
	w.leave(n, "description", `""`)
	w.leave(n, "notifyMemberIds", "[]")
	w.leave(n, "notifyTeamKeys", "[]")
	w.leave(n, "integrationConfig", "{}")
}

// scheduleKind says which kind a schedule is of, which may go without saying.
func (w *writer) scheduleKind(n *node, kind string) {
	if !rapid.Bool().Draw(w.t, "without scheduleKind") {
		n.set("scheduleKind", str(kind))
		return
	}
	w.leave(n, "scheduleKind", `""`)
}

func (w *writer) approval(n *node, a flagstage.Approval) {
	w.optional(n, "description", a.Description)
	w.texts(n, "notifyMemberIds", a.NotifyMemberIDs)
	w.texts(n, "notifyTeamKeys", a.NotifyTeamKeys)
	if a.IntegrationConfig.IsZero() {
		w.leave(n, "integrationConfig")
	} else {
		config := mustParse(a.IntegrationConfig.String())
		config.fixed = true
		n.set("integrationConfig", config)
	}
	for _, name := range []string{"scheduleKind", "executionDate", "waitDuration", "waitDurationUnit", "executeNow"} {
		w.leave(n, name)
	}
}

func (w *writer) texts(n *node, name string, texts []string) {
	if len(texts) == 0 {
		w.leave(n, name, "[]")
		return
	}
	array := list()
	for _, s := range texts {
		array.append(str(s))
	}
	n.set(name, array)
}

func (w *writer) action(stage *node, a *flagstage.Action) {
	if len(a.Instructions) == 0 && !(w.blanks && rapid.Bool().Draw(w.t, "empty action")) {
		w.leave(stage, "action", "{}")
		return
	}
	n := record()
	if rapid.Bool().Draw(w.t, "without kind of action") {
		w.leave(n, "kind")
	} else {
		n.set("kind", str("patch"))
	}
	stage.set("action", n)
	if len(a.Instructions) == 0 {
		if w.leave(n, "instructions", "[]") == "[]" {
			a.Instructions = []flags.Instruction{}
		}
		return
	}
	instructions := list()
	for _, in := range a.Instructions {
		instructions.append(w.instruction(in))
	}
	form := "array"
	if w.strings {
		form = rapid.SampledFrom([]string{"array", "array in a string", "object in a string"}).Draw(w.t, "instructions are an")
	}
	switch form {
	case "array in a string":
		instructions = &node{shape: quoted, members: []member{{"", instructions}}}
	case "object in a string":
		instructions = &node{shape: quoted, members: []member{{"", record(member{"instructions", instructions})}}}
	}
	n.set("instructions", instructions)
}

// instruction returns the tree of an instruction.
func (w *writer) instruction(in flags.Instruction) *node {
	n := mustParse(string(in.AppendJSON(nil)))
	if w.response {
		n.set("_id", str("any"))
	}
	for _, o := range objectsIn(place{role: roleInstruction, node: n, kind: in.Kind()}) {
		for i, m := range o.node.members {
			t := o.typeOf(m.name)
			m.value.fixed = t == isFree || t == isFreeList
			if slip := slips[m.name]; slip != "" && w.slips && rapid.Bool().Draw(w.t, slip) {
				o.node.members[i].name = slip
			}
		}
	}
	return n
}

// slips are names of members that the published examples spell otherwise.
var slips = map[string]string{"onVariationValue": "OnVariationValue", "offVariationValue": "OffVariationValue"}
