package flagstage_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// TestErrorsThatSayNothingDoNoHarm is about errors that somebody else has made, such
// as a guard or an applier.
func TestErrorsThatSayNothingDoNoHarm(t *testing.T) {
	for _, err := range []error{
		&flagstage.PermanentError{}, &flagstage.PendingStagesError{}, &flagstage.UnreadableError{}, &flagstage.UnreadableFlagError{},
		&flagstage.UnreadableWorkflowError{}, &flagstage.RateLimitedError{}, &flagstage.InapplicableError{}, &flagstage.StateError{},
		&flagstage.FlagConflictError{}, &flagstage.ProblemsError{}, &flagstage.CorruptError{}, &flags.ApplyError{}, &flags.InexpressibleError{},
	} {
		require.NotPanics(t, func() {
			_ = err.Error()
			flagstage.Code(err)
		}, "%T", err)
	}
}
