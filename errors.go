package flagstage

import (
	"errors"
	"fmt"
	"time"

	"github.com/flagstage/flagstage/flags"
)

// The sentinel errors, one for each code of the published API. Errors of this
// module wrap the one that fits, with a text that says what to do.
var (
	// ErrInvalidRequest is wrapped when the input is wrong; usually the error
	// is a [*ProblemsError] with all that is wrong.
	ErrInvalidRequest = flags.ErrInvalidRequest
	// ErrUnauthorized is wrapped when it is unknown who acts.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden is wrapped when the one who acts may not do that.
	ErrForbidden = errors.New("forbidden")
	// ErrNotFound is wrapped when what was asked for does not exist.
	ErrNotFound = flags.ErrNotFound
	// ErrConflict is wrapped when something was changed by another call
	// since it was read. Read again and repeat.
	ErrConflict = errors.New("optimistic_locking_error")
	// ErrRateLimited is wrapped when there were too many calls; see
	// [RateLimitedError].
	ErrRateLimited = errors.New("rate_limited")

	// ErrExists is wrapped, together with [ErrInvalidRequest], when a key is
	// taken.
	ErrExists = fmt.Errorf("%w: already exists", ErrInvalidRequest)
)

// RateLimitedError is the answer to too many calls. It wraps
// [ErrRateLimited].
type RateLimitedError struct {
	RetryAfter time.Duration // how long to wait before the next call
}

// Error says how long to wait.
func (e *RateLimitedError) Error() string {
	return fmt.Sprintf("%v: retry after %v", ErrRateLimited, e.RetryAfter)
}

// Unwrap returns [ErrRateLimited].
func (e *RateLimitedError) Unwrap() error { return ErrRateLimited }

// Code returns the published code of an error: "invalid_request",
// "unauthorized", "forbidden", "not_found", "optimistic_locking_error" or
// "rate_limited". It returns "" for nil and for errors that say nothing about
// the call itself, such as a fault of the store.
func Code(err error) string {
	for _, sentinel := range []error{
		ErrUnauthorized, ErrForbidden, ErrRateLimited, ErrNotFound, ErrConflict, ErrInvalidRequest,
	} {
		if errors.Is(err, sentinel) {
			return sentinel.Error()
		}
	}
	return ""
}

// The severities of problems.
const (
	SeverityError   = flags.SeverityError   // nothing is created
	SeverityWarning = flags.SeverityWarning // something is ignored; all else goes on
)

// What the floors below declare and this package shares.
type (
	// Problem is one thing wrong with an input.
	Problem = flags.Problem
	// Problems is all that is wrong with one input, in document order.
	Problems = flags.Problems
	// ProblemsError is the error of an input with problems.
	ProblemsError = flags.ProblemsError
	// Value is a free JSON value.
	Value = flags.Value
	// IDSource makes identifiers.
	IDSource = flags.IDSource
)
