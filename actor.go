package flagstage

import (
	"fmt"
	"strings"
)

// What begins the identity of somebody who is no member.
const (
	tokenPrefix   = "token:"    // a service token
	workflowActor = "workflow:" // a workflow, which changes flags
)

// Actor is who does something: a member, or a service token on nobody's
// behalf. The caller says who it is; documents never do. The zero Actor is
// nobody and may do nothing.
type Actor struct {
	MemberID       string
	ServiceTokenID string
}

// Identity returns the name under which the actor's deeds are recorded and
// compared: the member's id, or else "token:" and the service token's id. It
// is "" for the zero Actor.
func (a Actor) Identity() string {
	switch {
	case a.MemberID != "":
		return a.MemberID
	case a.ServiceTokenID != "":
		return tokenPrefix + a.ServiceTokenID
	}
	return ""
}

// Validate returns an error that wraps [ErrUnauthorized] if nobody acts, or
// somebody under a name that could be mistaken for another's or cannot be
// printed.
func (a Actor) Validate() error {
	switch identity := a.Identity(); {
	case identity == "":
		return fmt.Errorf("%w: the actor is empty; set MemberID or ServiceTokenID", ErrUnauthorized)
	case strings.HasPrefix(a.MemberID, tokenPrefix):
		return fmt.Errorf("%w: a member id must not begin with %q; set ServiceTokenID for a service token", ErrUnauthorized, tokenPrefix)
	case strings.HasPrefix(a.MemberID, workflowActor):
		return fmt.Errorf("%w: a member id must not begin with %q, under which workflows change flags", ErrUnauthorized, workflowActor)
	}
	if _, defect := idDefect(a.Identity()); defect != "" {
		return fmt.Errorf("%w: the actor: %s", ErrUnauthorized, defect)
	}
	return nil
}
