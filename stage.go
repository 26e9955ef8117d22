package flagstage

import (
	"slices"

	"github.com/flagstage/flagstage/flags"
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

// copyStage returns s with slices of its own, and with the identifiers that
// pick chooses, given those that s has.
func copyStage(s Stage, pick func(id string) string) Stage {
	s.ID = pick(s.ID)
	conditions := make([]Condition, len(s.Conditions))
	for i, c := range s.Conditions {
		conditions[i] = copyCondition(c, pick(c.ConditionID()))
	}
	s.Conditions = conditions
	instructions := make([]flags.Instruction, len(s.Action.Instructions))
	for i, in := range s.Action.Instructions {
		instructions[i] = in.WithID(pick(in.ID()))
	}
	s.Action.Instructions = instructions
	return s
}

// cloneStages returns stages that share no slice with the given ones.
func cloneStages(stages []Stage) []Stage {
	clone := make([]Stage, len(stages))
	for i, s := range stages {
		clone[i] = copyStage(s, func(id string) string { return id })
	}
	return clone
}

// cloneNonEmpty clones a list, and makes an empty one nil, so that templates
// which print the same are the same.
func cloneNonEmpty(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
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
func appendStage(dst []byte, s Stage, limit int) []byte {
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
		if dst = appendCondition(dst, c); len(dst) > limit {
			return dst
		}
	}
	dst = appendAction(append(dst, `],"action":`...), s.Action, limit)
	return append(dst, `,"_execution":{"status":"pending"}}`...)
}

func appendID(dst []byte, id string) []byte {
	return strictjson.AppendString(append(dst, `"_id":`...), id)
}
