package flagstage_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/storetest"
)

// guardedCalls are calls of every kind, made with a document or key, and what
// a guard is asked in each.
var guardedCalls = []struct {
	name string
	call func(ctx context.Context, e *flagstage.Engine) error
	asks []flagstage.Request
}{
	{"create", func(ctx context.Context, e *flagstage.Engine) error {
		_, err := e.CreateTemplate(ctx, alice, named("k", ""))
		return err
	}, []flagstage.Request{{Actor: alice, Verb: flagstage.VerbCreateTemplate, TemplateKey: "k"}}},
	{"create with no key", func(ctx context.Context, e *flagstage.Engine) error {
		_, err := e.CreateTemplate(ctx, alice, named("a b", ""))
		return err
	}, []flagstage.Request{{Actor: alice, Verb: flagstage.VerbCreateTemplate, TemplateKey: "a b"}}},
	{"create of a document", createsDocument(request(`[{}]`)), []flagstage.Request{
		{Actor: alice, Verb: flagstage.VerbCreateTemplate}, {Actor: alice, Verb: flagstage.VerbCreateTemplate, TemplateKey: "k", Again: true},
	}},
	{"create of a document that is invalid", createsDocument(`{"key":"k","stages":[1]}`), []flagstage.Request{
		{Actor: alice, Verb: flagstage.VerbCreateTemplate}, {Actor: alice, Verb: flagstage.VerbCreateTemplate, TemplateKey: "k", Again: true},
	}},
	{"create of a document that is cut short", createsDocument(`{"key":"k","stages":[`), []flagstage.Request{
		{Actor: alice, Verb: flagstage.VerbCreateTemplate}, {Actor: alice, Verb: flagstage.VerbCreateTemplate, TemplateKey: "k", Again: true},
	}},
	{"create of a document with another key behind", createsDocument(`{"key":"k","key":"free","stages":[]}`), []flagstage.Request{
		{Actor: alice, Verb: flagstage.VerbCreateTemplate}, {Actor: alice, Verb: flagstage.VerbCreateTemplate, TemplateKey: "k", Again: true},
	}},
	{"create of nonsense", createsDocument(`nonsense`), []flagstage.Request{{Actor: alice, Verb: flagstage.VerbCreateTemplate}}},
	{"create of a document with a bad key", createsDocument(`{"key":"a b"}`), []flagstage.Request{{Actor: alice, Verb: flagstage.VerbCreateTemplate}}},
	{"import", func(ctx context.Context, e *flagstage.Engine) error {
		_, err := e.ImportTemplate(ctx, alice, []byte(exportedTemplate), origin)
		return err
	}, []flagstage.Request{
		{Actor: alice, Verb: flagstage.VerbImportTemplate}, {Actor: alice, Verb: flagstage.VerbImportTemplate, TemplateKey: "maintenance", Again: true},
	}},
	{"read", func(ctx context.Context, e *flagstage.Engine) error {
		_, err := e.Template(ctx, alice, "k")
		return err
	}, []flagstage.Request{{Actor: alice, Verb: flagstage.VerbReadTemplate, TemplateKey: "k"}}},
	{"list", func(ctx context.Context, e *flagstage.Engine) error {
		_, err := e.Templates(ctx, alice, flagstage.TemplateQuery{})
		return err
	}, []flagstage.Request{{Actor: alice, Verb: flagstage.VerbListTemplates}}},
	{"replace", func(ctx context.Context, e *flagstage.Engine) error {
		_, err := e.ReplaceTemplate(ctx, alice, named("k", ""), 1)
		return err
	}, []flagstage.Request{{Actor: alice, Verb: flagstage.VerbReplaceTemplate, TemplateKey: "k"}}},
	{"delete", func(ctx context.Context, e *flagstage.Engine) error {
		return e.DeleteTemplate(ctx, alice, "k", 0)
	}, []flagstage.Request{{Actor: alice, Verb: flagstage.VerbDeleteTemplate, TemplateKey: "k"}}},
}

func createsDocument(document string) func(context.Context, *flagstage.Engine) error {
	return func(ctx context.Context, e *flagstage.Engine) error {
		_, err := e.CreateTemplateJSON(ctx, alice, []byte(document))
		return err
	}
}

// untouched is a store that must not be used.
type untouched struct{ flagstage.Store }

func TestGuardIsAskedBeforeAnythingIsRevealed(t *testing.T) {
	ctx := t.Context()
	for _, c := range guardedCalls {
		t.Run(c.name, func(t *testing.T) {
			var asked []flagstage.Request
			e := memory(t, flagstage.WithGuard(flagstage.GuardFunc(func(_ context.Context, r flagstage.Request) error {
				asked = append(asked, r)
				return nil
			})))
			_ = c.call(ctx, e) // whatever comes of it
			require.Equal(t, c.asks, asked)

			for n := range c.asks { // refused when asked for the first time, or the second
				asked := 0
				refusal := errors.New("no")
				e := engineOn(t, untouched{}, flagstage.WithGuard(flagstage.GuardFunc(func(context.Context, flagstage.Request) error {
					if asked++; asked > n {
						return refusal
					}
					return nil
				})))
				require.Equal(t, refusal, c.call(ctx, e), "whether it exists or is valid is not told")
				require.Equal(t, n+1, asked)
			}
		})
	}
}

func TestGuardThatDecidesByKeyCannotBeAvoided(t *testing.T) {
	ctx := t.Context()
	guard := flagstage.GuardFunc(func(_ context.Context, r flagstage.Request) error {
		if slices.Contains([]string{"k", "maintenance"}, r.TemplateKey) {
			return flagstage.ErrForbidden
		}
		return nil
	})
	store := memoryStore(t)
	e, open := engineOn(t, store, flagstage.WithGuard(guard)), engineOn(t, store)
	for _, exists := range []bool{false, true} {
		for _, c := range guardedCalls {
			if key := c.asks[len(c.asks)-1].TemplateKey; key == "k" || key == "maintenance" {
				require.Equal(t, flagstage.ErrForbidden, c.call(ctx, e), "%s, exists: %v", c.name, exists)
			}
		}
		if !exists {
			_, err := open.CreateTemplate(ctx, alice, named("k", ""))
			require.NoError(t, err)
		}
	}
}

func TestCallsOfAPanickingGuardChangeNothing(t *testing.T) {
	ctx := t.Context()
	for _, c := range guardedCalls {
		for n := range c.asks {
			store := storetest.NewModel()
			asked := 0
			e := engineOn(t, store, flagstage.WithGuard(flagstage.GuardFunc(func(context.Context, flagstage.Request) error {
				if asked++; asked == n+1 {
					panic("guard")
				}
				return nil
			})))
			_, err := engineOn(t, store).CreateTemplate(ctx, alice, named("k", "before"))
			require.NoError(t, err)
			require.PanicsWithValue(t, "guard", func() { _ = c.call(ctx, e) }, c.name)
			list, err := e.Templates(ctx, alice, flagstage.TemplateQuery{})
			require.NoError(t, err, "the engine goes on: %s", c.name)
			require.Len(t, list.Items, 1)
			require.Equal(t, "before", list.Items[0].Name())
		}
	}
}

func TestAGuardMayUseTheEngine(t *testing.T) {
	ctx := t.Context()
	var e *flagstage.Engine
	var seen []int
	e = memory(t, flagstage.WithGuard(flagstage.GuardFunc(func(ctx context.Context, r flagstage.Request) error {
		if r.Verb == flagstage.VerbListTemplates {
			return nil
		}
		list, err := e.Templates(ctx, r.Actor, flagstage.TemplateQuery{})
		seen = append(seen, len(list.Items))
		return err
	})))
	require.NoError(t, createsDocument(request(`[{}]`))(ctx, e))
	require.NoError(t, e.DeleteTemplate(ctx, alice, "k", 0))
	require.Equal(t, []int{0, 0, 1}, seen)
}

// TestContextsCancelledAtAnyPoint cancels a call's context in the guard, or
// before each call of the store: the call fails, and has changed nothing.
func TestContextsCancelledAtAnyPoint(t *testing.T) {
	cancelled := 0
	for _, c := range guardedCalls {
		for _, key := range []string{"k", "other"} { // the template is there, or not
			for point := range 4 {
				ctx, cancel := context.WithCancel(t.Context())
				model := storetest.NewModel()
				witness := engineOn(t, model)
				_, err := witness.CreateTemplate(t.Context(), alice, named(key, ""))
				require.NoError(t, err)
				before, err := witness.Templates(t.Context(), alice, flagstage.TemplateQuery{})
				require.NoError(t, err)
				passed := 0
				pass := func() {
					if passed++; passed == point+1 {
						cancel()
					}
				}
				e := engineOn(t, &passing{Store: model, pass: pass}, flagstage.WithGuard(flagstage.GuardFunc(func(context.Context, flagstage.Request) error {
					pass()
					return nil
				})))
				err = c.call(ctx, e)
				if ctx.Err() != nil {
					cancelled++
					require.Error(t, err, "%s, cancelled at %d", c.name, point)
					after, err := witness.Templates(t.Context(), alice, flagstage.TemplateQuery{})
					require.NoError(t, err)
					require.Equal(t, before, after, "%s, cancelled at %d", c.name, point)
				}
				cancel()
			}
		}
	}
	require.Greater(t, cancelled, 2*len(guardedCalls))
}

// passing is a store of which each call is told beforehand.
type passing struct {
	flagstage.Store
	pass func()
}

func (p *passing) Get(ctx context.Context, key string) (flagstage.Record, error) {
	p.pass()
	return p.Store.Get(ctx, key)
}

func (p *passing) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	p.pass()
	return p.Store.Commit(ctx, txn)
}

func TestTheZeroEngineIsClosed(t *testing.T) {
	var e flagstage.Engine
	for _, c := range guardedCalls {
		require.ErrorIs(t, c.call(t.Context(), &e), flagstage.ErrClosed, c.name)
	}
	require.NoError(t, e.Close())
}
