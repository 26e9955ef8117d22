package flagstage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// Plan is what a release does to one flag, decided and valid: stages without
// anything left open. It is immutable, cheap to copy, and safe for concurrent
// use. The zero Plan is none. A plan is made from a template by
// [Template.Plan], for the flag that the template was written for, and by
// [Template.Bind] for any.
type Plan struct {
	content *planContent
}

type planContent struct {
	templateKey, name string
	target            Origin
	stages            []Stage
	hash              string // of the stages; "" if it was not made yet
}

// Plan returns the plan to release the flag that the template was written
// for: the values in it that depend on a flag count as valid, and nothing is
// checked that [Template.Bind] checks. The plan of the zero Template is the zero
// Plan.
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

// Hash returns the SHA-256 of the stages as they are printed, identifiers
// included, in 64 hexadecimal digits; "" for the zero Plan. Plans of the same
// stages have the same hash, whatever template and flag they are of. A plan of
// [Template.Plan] is printed for it in each call.
func (p Plan) Hash() string {
	switch {
	case p.IsZero():
		return ""
	case p.content.hash != "":
		return p.content.hash
	}
	return hashOf(appendStages(nil, p.content.stages, math.MaxInt))
}

// hashed returns the plan with its hash made, so that it is not made again.
func (p Plan) hashed() Plan {
	if p.IsZero() || p.content.hash != "" {
		return p
	}
	content := *p.content
	content.hash = p.Hash()
	return Plan{&content}
}

// StageHash returns the SHA-256 of one stage as it is printed, which is what its
// reviewers see, in 64 hexadecimal digits; "" if there is no stage at the index.
// The stage is printed for it in each call.
func (p Plan) StageHash(index int) string {
	if index < 0 || index >= p.Len() {
		return ""
	}
	return hashOf(appendStage(nil, p.content.stages[index], math.MaxInt))
}

func hashOf(printed []byte) string {
	sum := sha256.Sum256(printed)
	return hex.EncodeToString(sum[:])
}

// appendStages appends stages as an array. It stops somewhere when the result has
// become longer than limit.
func appendStages(dst []byte, stages []Stage, limit int) []byte {
	dst = append(dst, '[')
	for i, s := range stages {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst = appendStage(dst, s, limit); len(dst) > limit {
			return dst
		}
	}
	return append(dst, ']')
}

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

// planFormat is the first byte of a stored plan. Behind it stand the stages as
// they are printed.
const planFormat = 1

// appendPlan appends the record's value of a plan, which is not zero. It holds
// the stages only: template, name and target belong to the workflow.
func appendPlan(dst []byte, p Plan) []byte {
	return appendStages(append(dst, planFormat), p.content.stages, math.MaxInt)
}

// decodePlan returns the plan of a record that appendPlan made: one of the given
// template, name and target. Instructions of host kinds of any name pass. The
// error says what is wrong with the record.
func decodePlan(record []byte, templateKey, name string, target Origin) (Plan, error) {
	switch {
	case len(record) == 0:
		return Plan{}, errors.New("the record of the plan is empty")
	case record[0] != planFormat:
		return Plan{}, errors.New("the record of the plan has a format that this version does not know; use a later one")
	}
	r := newReader(record[1:], true, flags.Reading{AnyHostKind: true})
	stages := r.readStages()
	r.End()
	if err := r.Err(); err != nil {
		r.problem(err.Pointer, err.Code, err.Message)
	}
	var more Problems
	j := r.judge(&more)
	j.stages(stages)
	ids := newUniqueIDs(&j)
	ids.stages(stages)
	switch err := r.judged(more).Err(); {
	case err != nil:
		return Plan{}, fmt.Errorf("the record of the plan is damaged: %w", err)
	case len(stages) == 0:
		return Plan{}, errors.New("the record of the plan is damaged: it has no stages")
	case ids.missing:
		return Plan{}, errors.New("the record of the plan is damaged: it lacks identifiers")
	}
	for i := range stages {
		stages[i].identify(func(id string) string { return id })
	}
	return Plan{&planContent{templateKey: templateKey, name: name, target: target, stages: stages, hash: hashOf(record[1:])}}, nil
}

// refIDs is the name space in which the identifiers of references are made.
var refIDs = uuid.MustParse("5d1c4a52-6a0e-5b5c-9f0b-2f1d3a7c8e90")

// RefID returns a function that makes the identifiers of what the references in a
// workflow name: UUIDs of version 5 (RFC 9562), made of the workflow's id and of
// the name without "ref:". The same id and name give the same one every time, so
// that a later stage finds what an earlier one has added. It goes into
// [flags.Application].
func RefID(workflowID string) func(ref string) string {
	space := uuid.NewSHA1(refIDs, []byte(workflowID))
	return func(ref string) string { return uuid.NewSHA1(space, []byte(ref)).String() }
}

// inventedIDs makes identifiers for what is added in memory only.
type inventedIDs struct {
	make func(name string) string
	n    int
}

func (ids *inventedIDs) NewID(time.Time) string {
	ids.n++
	return ids.make(":" + strconv.Itoa(ids.n)) // no reference has a colon
}

// projection is how stages are applied to see what they would do.
func projection(environment string, others flags.OtherFlags) flags.Application {
	refID := RefID("")
	return flags.Application{Environment: environment, Now: firstInstant, IDs: &inventedIDs{make: refID}, RefID: refID, Others: others}
}

// plan returns the plan of parameters that are all valid, or an error: of the
// target, or of what is wrong with the plan.
func (b *binder) plan() (Plan, error) {
	var problems Problems
	stages := b.stages(&problems)
	printed := appendStages(make([]byte, 0, b.template.room()), stages, maxPrinted)
	if len(printed) > maxPrinted {
		problems.Errorf("/stages", flags.CodeTooLarge, "the printed stages would have more than %d bytes", maxPrinted)
	}
	if err := problems.Err(); err != nil {
		return Plan{}, err
	}
	checkRefs(stages, &problems)
	if err := b.project(stages, &problems); err != nil {
		return Plan{}, fmt.Errorf("bind template %s: %w", strictjson.Quote(b.template.key), err)
	}
	if problems != nil {
		document := append(append([]byte(`{"stages":`), printed...), '}')
		return Plan{}, problems.InOrder(document).Err()
	}
	t := b.template
	return Plan{&planContent{templateKey: t.key, name: t.name, target: b.target.Origin, stages: stages, hash: hashOf(printed)}}, nil
}

// stages returns the stages of the template with the values that the parameters
// have. What does not change is shared with the template.
func (b *binder) stages(problems *Problems) []Stage {
	stages := b.template.stages
	owned := -1 // the last stage whose instructions are not shared
	for i := 0; i < len(b.places); {
		first := &b.places[i]
		var values []flags.SlotValue
		for ; i < len(b.places) && b.places[i].stage == first.stage && b.places[i].instruction == first.instruction; i++ {
			if p := &b.parameters[i]; p.Default.Value != b.places[i].Value {
				values = append(values, flags.SlotValue{Pointer: p.Path, Value: p.Default.Value})
			}
		}
		if values == nil {
			continue
		}
		in, defects := b.instruction(first).WithSlots(values...)
		for _, p := range defects {
			p.Pointer = ""
			problems.AddAll(placeOf(first.stage, first.instruction), Problems{p})
		}
		if owned < 0 {
			stages = slices.Clone(stages)
		}
		if s := &stages[first.stage]; owned != first.stage {
			owned = first.stage
			s.Action.Instructions = slices.Clone(s.Action.Instructions)
		}
		stages[first.stage].Action.Instructions[first.instruction] = in
	}
	return stages
}

// checkRefs reports references to what no earlier instruction adds, and names
// that are given twice.
func checkRefs(stages []Stage, problems *Problems) {
	given := map[string]string{} // where
	for i := range stages {
		for k, in := range stages[i].Action.Instructions {
			refs := in.Refs()
			for _, ref := range refs {
				if _, there := given[ref.Name]; !ref.Given && !there {
					problems.Errorf(placeOf(i, k)+ref.Pointer, flags.CodeNotFound, "refers to %s, which no earlier instruction adds", strictjson.Quote(ref.Name))
				}
			}
			for _, ref := range refs {
				if !ref.Given {
					continue
				}
				pointer := placeOf(i, k) + ref.Pointer
				if first, twice := given[ref.Name]; twice {
					problems.Errorf(pointer, flags.CodeDuplicate, "the reference %s is given at %s too", strictjson.Quote(ref.Name), first)
					continue
				}
				given[ref.Name] = pointer
			}
		}
	}
}

// project applies the stages to the flag, and reports the first instruction that
// cannot be applied. It ends before a stage that cannot be judged.
func (b *binder) project(stages []Stage, problems *Problems) error {
	f := b.target.Flag
	if f.IsZero() {
		return nil
	}
	how := projection(b.target.EnvironmentKey, nil)
	if b.others != nil {
		how.Others = b.others
	}
	for i := range stages {
		list := stages[i].Action.Instructions
		if slices.ContainsFunc(list, b.isBeyond) {
			return nil
		}
		next, err := flags.Apply(f, list, how)
		var failed *flags.ApplyError
		switch {
		case err == nil:
			f = next
			continue
		case !errors.As(err, &failed) || failed.Err != nil:
			return err
		}
		p, at := failed.Problem, "/stages/"+strconv.Itoa(i)+"/action/instructions"
		if failed.Index >= 0 {
			at = placeOf(i, failed.Index)
		}
		p.Pointer = at + p.Pointer
		if !slices.ContainsFunc(*problems, func(o Problem) bool { return strings.HasPrefix(o.Pointer, at+"/") }) { // else it is known why
			problems.Add(p)
		}
		return nil
	}
	return nil
}

// check returns an error if the plan's stages cannot be applied to a flag one
// after the other.
func (p Plan) check(target *Target) error {
	var problems Problems
	b := binder{target: target, others: newOtherFlags(target.Others)}
	if err := b.project(p.stages(), &problems); err != nil {
		return fmt.Errorf("check plan: %w", err)
	}
	return problems.Err()
}

// isBeyond reports whether an instruction cannot be applied to the flag in
// memory, for want of knowledge: it is of a host's kind, or needs prerequisites
// that nothing is known of.
func (b *binder) isBeyond(in flags.Instruction) bool {
	return in.Scope() == "" || b.others == nil && slices.Contains(in.Reads(), flags.FieldOtherFlags) &&
		slices.Contains(in.Writes(), flags.FieldPrerequisites)
}

// placeOf returns the JSON Pointer of an instruction.
func placeOf(stage, instruction int) string {
	return "/stages/" + strconv.Itoa(stage) + "/action/instructions/" + strconv.Itoa(instruction)
}
