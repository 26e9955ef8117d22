package flagstage

import (
	"errors"

	"github.com/flagstage/flagstage/flags"
)

// by returns under what name a workflow changes flags.
func (in *instance) by() string { return workflowActor + in.id }

// forecast returns which stages of a workflow that are still to run cannot be
// applied to a flag as it is now, or would overwrite what others have changed.
// It ends with the first stage that cannot be applied, since what comes after
// it is not known.
func (in *instance) forecast(flag flags.Flag, foreign []foreignChange, others flags.OtherFlags) (list []WorkflowConflict) {
	if !in.runs() {
		return nil
	}
	how := projection(in.target.EnvironmentKey, others)
	how.RefID = RefID(in.id)
	for _, stage := range in.plan.stages()[in.stage:] {
		next, err := flags.Apply(flag, stage.Action.Instructions, how)
		if err != nil {
			return append(list, WorkflowConflict{StageID: stage.ID, Message: err.Error()})
		}
		if !in.ignoreConflicts {
			if e := stageConflict(foreign, flag, next, stage.Action.Instructions, how); e != nil {
				list = append(list, WorkflowConflict{StageID: stage.ID, Message: e.sentence()})
			}
		}
		foreign = without(foreign, changeOf(flag, next, "", how.Now).fields)
		flag = next
	}
	return list
}

// writes returns what each stage from one on would write to a flag, until one
// cannot be applied. Those before have none.
func (p Plan) writes(from int, flag flags.Flag, others flags.OtherFlags) [][]flags.FieldChange {
	how := projection(p.Target().EnvironmentKey, others)
	list := make([][]flags.FieldChange, from, p.Len())
	for _, s := range p.stages()[from:] {
		next, err := flags.Apply(flag, s.Action.Instructions, how)
		if err != nil {
			break
		}
		list = append(list, flags.ChangedFields(flag, next))
		flag = next
	}
	return list
}

// stageConflict returns the first conflict of instructions that make one flag of
// another, nil if there is none.
func stageConflict(foreign []foreignChange, before, after flags.Flag, instructions []flags.Instruction, how flags.Application) *FlagConflictError {
	if len(foreign) == 0 {
		return nil
	}
	return flagConflict(foreign, before, after, len(instructions), func(n int) (flags.Flag, error) {
		return flags.Apply(before, instructions[:n], how)
	})
}

// isRejection reports whether the error of [flags.Apply] is about the
// instructions, and not about looking something up.
func isRejection(err error) bool {
	var apply *flags.ApplyError
	return errors.As(err, &apply) && (apply.Err == nil || errors.Is(apply.Err, ErrNotFound))
}
