package flagstagetest

import (
	"strconv"

	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// Overrides generates overrides for some of the parameters of a template, in any
// order. Each has the form that its parameter needs and names what stands nowhere
// else; another prerequisite comes with another variation. So a target of which
// nothing is known takes them all.
func Overrides(template flagstage.Template) *rapid.Generator[[]flagstage.Override] {
	return rapid.Custom(func(t *rapid.T) []flagstage.Override {
		list := []flagstage.Override{}
		count := 0
		for _, stage := range template.Stages() {
			for _, in := range stage.Action.Instructions {
				otherFlag := false
				for _, slot := range in.Slots() {
					follows := otherFlag && slot.Kind == flags.SlotPrerequisiteVariationID
					if otherFlag = false; !follows && !rapid.Bool().Draw(t, "is overridden") {
						continue
					}
					otherFlag = slot.Kind == flags.SlotPrerequisiteKey
					list = append(list, flagstage.Override{ID: in.ID(), Path: slot.Pointer, Value: otherNames(t, slot, &count)})
				}
			}
		}
		return rapid.Permutation(list).Draw(t, "overrides")
	})
}

// otherNames draws another value for a slot. count makes the names in it new.
func otherNames(t *rapid.T, slot flags.Slot, count *int) flags.Value {
	return slot.Renamed(func(string) string {
		*count++
		name := rapid.StringMatching(`[a-z]{1,4}`).Draw(t, "name") + "-over-" + strconv.Itoa(*count)
		if slot.Kind != flags.SlotPrerequisiteKey {
			name += rapid.SampledFrom([]string{"", " <é>", `"/~`}).Draw(t, "end")
		}
		return name
	})
}
