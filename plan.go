package flagstage

import "iter"

// Plan is what a release does to one flag, decided and valid: stages without
// anything left open. It is immutable, cheap to copy, and safe for concurrent
// use. The zero Plan is none. A plan is made from a template by
// [Template.Plan].
type Plan struct {
	content *planContent
}

type planContent struct {
	templateKey, name string
	target            Origin
	stages            []Stage
}

// Plan returns the plan to release the flag that the template was written
// for: the values in it that depend on a flag count as valid. The plan of the
// zero Template is the zero Plan.
func (t Template) Plan() Plan {
	if t.IsZero() {
		return Plan{}
	}
	return Plan{&planContent{templateKey: t.key, name: t.name, target: t.origin, stages: t.stages}}
}

// Plan returns p, so that a plan can stand where a template can.
func (p Plan) Plan() Plan { return p }

// IsZero reports whether p is no plan.
func (p Plan) IsZero() bool { return p.content == nil }

// TemplateKey returns the key of the template that the plan was made from.
func (p Plan) TemplateKey() string {
	if p.IsZero() {
		return ""
	}
	return p.content.templateKey
}

// Name returns the name of the template that the plan was made from.
func (p Plan) Name() string {
	if p.IsZero() {
		return ""
	}
	return p.content.name
}

// Target returns the flag that the plan releases.
func (p Plan) Target() Origin {
	if p.IsZero() {
		return Origin{}
	}
	return p.content.target
}

// Len returns the number of stages, 0 for the zero Plan.
func (p Plan) Len() int { return len(p.stages()) }

// Stages returns a copy of the stages.
func (p Plan) Stages() []Stage { return cloneStages(p.stages()) }

// Approvals returns the approvals in the order of the stages, each with its
// JSON Pointer, such as /stages/2/conditions/0.
func (p Plan) Approvals() iter.Seq2[string, Approval] {
	return func(yield func(string, Approval) bool) {
		for i, s := range p.stages() {
			for k, c := range s.Conditions {
				if a, ok := c.(Approval); ok && !yield(place(i, k), a.clone()) {
					return
				}
			}
		}
	}
}

func (p Plan) stages() []Stage {
	if p.IsZero() {
		return nil
	}
	return p.content.stages
}

// condition returns a condition, or nil if there is none at these indexes.
func (p Plan) condition(stage, condition int) Condition {
	if stage < 0 || stage >= p.Len() {
		return nil
	}
	list := p.content.stages[stage].Conditions
	if condition < 0 || condition >= len(list) {
		return nil
	}
	return list[condition]
}
