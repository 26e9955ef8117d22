package flagstage_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/flagstage/flagstage"
)

// An engine without configuration keeps templates in memory.
func ExampleEngine() {
	ctx := context.Background()
	engine, err := flagstage.NewMemory()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	alice := flagstage.Actor{MemberID: "alice"}
	created, err := engine.CreateTemplateJSON(ctx, alice, []byte(`{
		"key": "night-off", "projectKey": "shop", "environmentKey": "production", "flagKey": "banner",
		"stages": [{"conditions": [{"kind": "schedule", "waitDuration": 8, "waitDurationUnit": "hour"}],
			"action": {"instructions": [{"kind": "turnFlagOff"}]}}]
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	list, err := engine.Templates(ctx, alice, flagstage.TemplateQuery{Search: "NIGHT"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range list.Items {
		fmt.Println(t.Key(), t.OwnerID(), t.Revision == created.Revision)
	}
	// Output:
	// night-off alice true
}

// guarded tries to create a template under a guard, and prints the code of
// the answer.
func guarded(guard flagstage.Guard, actors ...flagstage.Actor) {
	engine, err := flagstage.NewMemory(flagstage.WithGuard(guard))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	for i, actor := range actors {
		_, err := engine.CreateTemplate(context.Background(), actor, flagstage.TemplateInput{
			Key:    fmt.Sprint("template-", i),
			Origin: flagstage.Origin{ProjectKey: "shop", EnvironmentKey: "production", FlagKey: "banner"},
			Stages: []flagstage.Stage{{}},
		})
		var limited *flagstage.RateLimitedError
		switch {
		case err == nil:
			fmt.Println("created")
		case errors.As(err, &limited):
			fmt.Println(flagstage.Code(err), limited.RetryAfter)
		default:
			fmt.Println(flagstage.Code(err))
		}
	}
}

// A guard that knows the members refuses strangers.
func ExampleGuard_unauthorized() {
	members := map[string]bool{"alice": true}
	guarded(flagstage.GuardFunc(func(_ context.Context, r flagstage.Request) error {
		if !members[r.Actor.MemberID] {
			return fmt.Errorf("%w: nobody here is called %q", flagstage.ErrUnauthorized, r.Actor.Identity())
		}
		return nil
	}), flagstage.Actor{MemberID: "alice"}, flagstage.Actor{MemberID: "mallory"})
	// Output:
	// created
	// unauthorized
}

// A guard that knows roles lets readers read only.
func ExampleGuard_forbidden() {
	writers := map[string]bool{"alice": true}
	guarded(flagstage.GuardFunc(func(_ context.Context, r flagstage.Request) error {
		switch r.Verb {
		case flagstage.VerbReadTemplate, flagstage.VerbListTemplates:
			return nil
		}
		if !writers[r.Actor.MemberID] {
			return fmt.Errorf("%w: %s needs the role of a writer", flagstage.ErrForbidden, r.Verb)
		}
		return nil
	}), flagstage.Actor{MemberID: "alice"}, flagstage.Actor{MemberID: "bob"})
	// Output:
	// created
	// forbidden
}

// bucket is a token bucket: each call takes a token, and tokens come back at a
// steady rate.
type bucket struct {
	mu     sync.Mutex
	clock  flagstage.Clock
	size   float64
	every  time.Duration // until the next token
	tokens float64
	last   time.Time
}

func (b *bucket) Allow(_ context.Context, r flagstage.Request) error {
	if r.Again {
		return nil // this call has taken its token
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	b.tokens = min(b.size, b.tokens+float64(now.Sub(b.last))/float64(b.every))
	b.last = now
	if b.tokens < 1 {
		return &flagstage.RateLimitedError{RetryAfter: time.Duration((1 - b.tokens) * float64(b.every))}
	}
	b.tokens--
	return nil
}

// A guard with a token bucket limits how often calls are let through.
func ExampleGuard_rateLimited() {
	clock := flagstage.NewVirtualClock(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	alice := flagstage.Actor{MemberID: "alice"}
	guarded(&bucket{clock: clock, size: 2, every: time.Minute, tokens: 2, last: clock.Now()}, alice, alice, alice)
	// Output:
	// created
	// created
	// rate_limited 1m0s
}
