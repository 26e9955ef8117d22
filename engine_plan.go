package flagstage

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
)

// doomedFormat is the first byte of a stored plan that is about to be deleted;
// whoever needs it writes it again.
const doomedFormat = 2

// storedPlan is the stages of a plan as the store has them.
type storedPlan struct {
	stages   []Stage
	hash     string
	revision int64
}

// plan returns a stored plan. The error wraps [ErrNotFound] if there is none,
// and [ErrFormat] if it cannot be read.
func (e *Engine) plan(ctx context.Context, hash planHash) (storedPlan, error) {
	if p, ok := e.plans.get(hash); ok {
		return p, nil
	}
	record, err := e.store.Get(ctx, planPrefix+hash.String())
	if err != nil {
		return storedPlan{}, fmt.Errorf("read plan: %w", err)
	}
	if record.Revision == 0 {
		return storedPlan{}, fmt.Errorf("%w: the plan %s is missing", ErrNotFound, hash)
	}
	doomed := len(record.Value) > 0 && record.Value[0] == doomedFormat
	if doomed {
		record.Value[0] = planFormat
	}
	plan, err := decodePlan(record.Value, "", "", Origin{})
	if err == nil && plan.Hash() != hash.String() {
		err = errors.New("the record of the plan is that of another")
	}
	if err != nil {
		return storedPlan{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	p := storedPlan{plan.content.stages, hash.String(), record.Revision}
	if !doomed {
		e.plans.put(hash, p)
	}
	return p, nil
}

// hash returns the hash of a plan, which is not zero.
func (p Plan) hash() (h planHash) {
	hex.Decode(h[:], []byte(p.Hash())) // Hash makes nothing else than hexadecimal digits
	return h
}

// keepPlan makes the unit depend on the stored plan with a hash, or write it.
func (u *unit) keepPlan(plan Plan, hash planHash) error {
	key := planPrefix + hash.String()
	if p, ok := u.plans.get(hash); ok {
		u.txn.If = append(u.txn.If, Check{Key: key, Revision: p.revision})
		return nil
	}
	record, err := u.store.Get(u.ctx, key)
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	u.txn.If = append(u.txn.If, Check{Key: key, Revision: record.Revision})
	if len(record.Value) == 0 || record.Value[0] != planFormat {
		u.txn.Put = append(u.txn.Put, Record{Key: key, Value: appendPlan(nil, plan)})
		u.kept = &keptPlan{hash, storedPlan{stages: plan.content.stages, hash: hash.String()}}
		return nil
	}
	u.plans.put(hash, storedPlan{plan.content.stages, hash.String(), record.Revision})
	return nil
}

// keptPlan is a plan that a unit writes.
type keptPlan struct {
	hash planHash
	storedPlan
}

// cache holds what was read last, up to a number of things. It is safe for
// concurrent use; the zero cache is empty.
type cache[K comparable, V any] struct {
	mu      sync.Mutex
	entries map[K]V
	order   []K // in which they came, in a ring
	next    int
}

// maxCached is how many things a cache holds.
const maxCached = 1024

func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.entries[key]
	return v, ok
}

func (c *cache[K, V]) put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.entries[key]; there {
		c.entries[key] = value
		return
	}
	if c.entries == nil {
		c.entries = map[K]V{}
	}
	if len(c.order) < maxCached {
		c.order = append(c.order, key)
	} else {
		delete(c.entries, c.order[c.next])
		c.order[c.next] = key
		c.next = (c.next + 1) % maxCached
	}
	c.entries[key] = value
}

func (c *cache[K, V]) forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.entries[key]; !there {
		return
	}
	delete(c.entries, key)
	for i, k := range c.order {
		if k == key {
			c.order = append(c.order[:i], c.order[i+1:]...)
			c.next = 0
			return
		}
	}
}

// pokes wakes up those who wait. It is safe for concurrent use.
type pokes struct {
	mu      sync.Mutex
	waiting chan struct{} // nil: nobody waits
}

// wait returns a channel that is closed by the next poke.
func (p *pokes) wait() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == nil {
		p.waiting = make(chan struct{})
	}
	return p.waiting
}

func (p *pokes) poke() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting != nil {
		close(p.waiting)
		p.waiting = nil
	}
}

// purgePlans deletes the plans that no workflow has any more, and returns how
// many. It dooms each first: a start that comes then writes it again, and a
// start that came before is seen by the look at the workflows that follows.
func (e *Engine) purgePlans(ctx context.Context) (int, error) {
	n, err := e.needed(ctx)
	if err != nil {
		return 0, err
	}
	var doomed []Record
	for record, err := range e.store.Scan(ctx, planPrefix) {
		if err != nil {
			return 0, err
		}
		if n.plan(record.Key) || len(record.Value) == 0 || record.Value[0] != planFormat && record.Value[0] != doomedFormat {
			continue // also what a later version has written, which knows more
		}
		record.Value[0] = doomedFormat
		revision, err := e.store.Commit(ctx, Txn{
			If:  []Check{{Key: record.Key, Revision: record.Revision}},
			Put: []Record{{Key: record.Key, Value: record.Value}},
		})
		switch {
		case errors.Is(err, ErrConflict):
			continue // somebody needs it
		case err != nil:
			return 0, err
		}
		record.Revision = revision
		doomed = append(doomed, record)
	}
	if len(doomed) == 0 {
		return 0, nil
	}
	if n, err = e.needed(ctx); err != nil {
		return 0, err
	}
	purged := 0
	for _, record := range doomed {
		key := record.Key
		txn := Txn{If: []Check{{Key: key, Revision: record.Revision}}}
		if n.plan(key) {
			record.Value[0] = planFormat
			txn.Put = []Record{{Key: key, Value: record.Value}}
		} else {
			txn.Delete = []string{key}
		}
		switch _, err := e.store.Commit(ctx, txn); {
		case errors.Is(err, ErrConflict):
		case err != nil:
			return purged, err
		case !n.plan(key):
			purged++
		}
	}
	return purged, nil
}
