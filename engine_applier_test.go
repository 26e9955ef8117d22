package flagstage_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
)

const (
	hour   = time.Hour
	minute = time.Minute
)

// deliveries is an applier that notes what it gets, and answers by what a function
// says.
type deliveries struct {
	mu     sync.Mutex
	list   []flagstage.Delivery
	answer func(context.Context, flagstage.Delivery) error // nil: all is applied
}

func (d *deliveries) Apply(ctx context.Context, delivery flagstage.Delivery) error {
	d.mu.Lock()
	d.list = append(d.list, delivery)
	d.mu.Unlock()
	if d.answer == nil {
		return nil
	}
	return d.answer(ctx, delivery)
}

// all returns what has come so far.
func (d *deliveries) all() []flagstage.Delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]flagstage.Delivery(nil), d.list...)
}

// firsts returns the keys of each workflow's deliveries in the order in which each
// came first.
func (d *deliveries) firsts() map[string][]string {
	keys, seen := map[string][]string{}, map[string]bool{}
	for _, delivery := range d.all() {
		if key := delivery.Key(); !seen[key] {
			seen[key] = true
			keys[delivery.WorkflowID] = append(keys[delivery.WorkflowID], key)
		}
	}
	return keys
}

// check checks what must hold of all deliveries, and which there were.
func (d *deliveries) check(t require.TestingT, want map[string][]string) {
	require.Equal(t, want, d.firsts())
	last := map[string]flagstage.Delivery{}
	for _, delivery := range d.all() {
		before := last[delivery.WorkflowID]
		require.Greater(t, delivery.Number, before.Number, "numbers grow")
		require.GreaterOrEqual(t, delivery.Stage, before.Stage, "no action comes after a later one")
		last[delivery.WorkflowID] = delivery
	}
}

func TestAnEngineRefusesBadTimesToApply(t *testing.T) {
	for _, d := range []time.Duration{-1, 1, time.Millisecond - 1} {
		_, err := flagstage.NewMemory(flagstage.WithApplyTimeout(d))
		require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
	}
	for _, d := range []time.Duration{0, time.Millisecond} {
		e, err := flagstage.NewMemory(flagstage.WithApplyTimeout(d))
		require.NoError(t, err)
		require.NoError(t, e.Close())
	}
}
