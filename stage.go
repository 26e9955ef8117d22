package flagstage

import (
	"slices"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// Stage is one step of a release: when all of its conditions are met, its
// action is applied, and the next stage begins.
type Stage struct {
	ID   string // made at creation
	Name string
	// ExecuteConditionsInSequence arms each condition when the one before is
	// met. Otherwise all are armed when the stage begins.
	ExecuteConditionsInSequence bool
	// Conditions may be empty: then the stage is due when it begins.
	Conditions []Condition
	Action     Action
}

// identify gives the stage and its parts the identifiers that pick chooses,
// given those that they have. The stage is changed to what prints the same and
// is the same when it is read again.
func (s *Stage) identify(pick func(id string) string) {
	s.ID = pick(s.ID)
	for i, c := range s.Conditions {
		s.Conditions[i] = withID(c, pick(c.ConditionID()))
	}
	for i, in := range s.Action.Instructions {
		s.Action.Instructions[i] = in.WithID(pick(in.ID()))
	}
	s.Conditions = orEmpty(s.Conditions)
	s.Action.Instructions = orEmpty(s.Action.Instructions)
}

// orEmpty returns an empty list for nil.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// orNil returns nil for an empty list.
func orNil(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

// cloneStages returns stages that share no slice with the given ones.
func cloneStages(stages []Stage) []Stage {
	clones := slices.Clone(stages)
	for i := range clones {
		s := &clones[i]
		s.Conditions = slices.Clone(s.Conditions)
		for k, c := range s.Conditions {
			if a, ok := c.(Approval); ok {
				s.Conditions[k] = a.clone()
			}
		}
		s.Action.Instructions = slices.Clone(s.Action.Instructions)
	}
	return clones
}

var stageNames = []string{"name", "executeConditionsInSequence", "conditions", "action"}

// readStage reads one stage.
func (r *reader) readStage() (s Stage) {
	if !r.BeginObject() {
		return s
	}
	for name, ok := r.NextMember(); ok; name, ok = r.NextMember() {
		switch name {
		case "_id":
			s.ID = r.idMember().value
		case "name":
			s.Name = r.optionalString().value
		case "executeConditionsInSequence":
			s.ExecuteConditionsInSequence = r.optionalBool().value
		case "conditions":
			s.Conditions = r.readConditions()
		case "action":
			s.Action = r.readAction()
		case "_execution":
			r.Skip()
		default:
			r.UnknownMember(name, stageNames...)
		}
	}
	return s
}

func (r *reader) readConditions() []Condition {
	if r.Null() {
		return nil
	}
	return readList(r, 2, maxConditions, "conditions in a stage", r.readCondition)
}

// appendStage appends the stage as it stands before it ever ran. It stops
// somewhere when the result has become longer than limit.
func appendStage(dst []byte, s Stage, limit int) []byte { return appendRunStage(dst, s, nil, limit) }

// appendRunStage appends the stage as far as it has come; nil means that it
// never ran. It stops somewhere when the result has become longer than limit.
func appendRunStage(dst []byte, s Stage, p *stageProgress, limit int) []byte {
	dst = appendID(append(dst, '{'), s.ID)
	if s.Name != "" {
		dst = strictjson.AppendString(append(dst, `,"name":`...), s.Name)
	}
	if s.ExecuteConditionsInSequence {
		dst = append(dst, `,"executeConditionsInSequence":true`...)
	}
	dst = append(dst, `,"conditions":[`...)
	for i, c := range s.Conditions {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst = appendCondition(dst, c, p.condition(i)); len(dst) > limit {
			return dst
		}
	}
	dst = appendAction(append(dst, `],"action":`...), s.Action, limit)
	dst = append(dst, `,"_execution":`...)
	if p == nil {
		return append(dst, neverRan+"}"...)
	}
	return append(appendExecution(dst, p.status, p.stopped), '}')
}

func appendID(dst []byte, id string) []byte {
	return strictjson.AppendString(append(dst, `"_id":`...), id)
}
