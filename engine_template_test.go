package flagstage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
)

// engineOn returns an engine on a store that others use too.
func engineOn(t require.TestingT, store flagstage.Store, more ...flagstage.Option) *flagstage.Engine {
	e, err := flagstage.New(store, fixed(more...)...)
	require.NoError(t, err)
	return e
}

func memoryStore(t require.TestingT) flagstage.Store {
	store, err := flagstage.NewMemoryStore()
	require.NoError(t, err)
	return store
}

// hosted is a template with an instruction of a kind that a host defines.
func hosted(key, kind string) flagstage.TemplateInput {
	input := named(key, "")
	input.Stages[0].Action = flagstage.Patch(flags.TurnFlagOn(), flags.HostInstruction(kind, flags.Value{}))
	return input
}

func TestEngineRefusesHostKindsThatItWasNotGiven(t *testing.T) {
	ctx := t.Context()
	e := memory(t, flagstage.WithHostKinds("acmePage"))
	created, err := e.CreateTemplate(ctx, alice, hosted("k", "acmePage"))
	require.NoError(t, err)
	for name, call := range map[string]func() error{
		"created": func() error { _, err := e.CreateTemplate(ctx, alice, hosted("other", "acmeCall")); return err },
		"put in the place of another": func() error {
			_, err := e.ReplaceTemplate(ctx, alice, hosted("k", "acmeCall"), created.Revision)
			return err
		},
	} {
		err := call()
		var wrong *flagstage.ProblemsError
		require.ErrorAs(t, err, &wrong, name)
		require.Equal(t, []string{"/stages/0/action/instructions/1/kind unknown_kind"}, found(wrong.Problems), name)
		require.ErrorContains(t, err, `"acmeCall"`)
		require.ErrorContains(t, err, "WithHostKinds")
	}
	_, err = memory(t).CreateTemplate(ctx, alice, hosted("k", "acmePage"))
	require.ErrorContains(t, err, "WithHostKinds", "without any given")
	template, problems := flagstage.NewTemplate(hosted("k", "acmePage"), creation())
	require.Empty(t, problems, "NewTemplate takes what a program builds")
	require.False(t, template.IsZero())
}

func TestEveryEngineKeepsWorkingOnTemplatesOfAnother(t *testing.T) {
	ctx := t.Context()
	store := memoryStore(t)
	kept, err := engineOn(t, store, flagstage.WithHostKinds("acmePage")).CreateTemplate(ctx, alice, hosted("k", "acmePage"))
	require.NoError(t, err)
	other := engineOn(t, store, flagstage.WithLimits(flagstage.Limits{DocumentBytes: 10, Stages: 1}))
	got, err := other.Template(ctx, bob, "k")
	require.NoError(t, err)
	require.Equal(t, kept, got)
	list, err := other.Templates(ctx, bob, flagstage.TemplateQuery{})
	require.NoError(t, err)
	require.Equal(t, []flagstage.StoredTemplate{kept}, list.Items)
	replaced, err := other.ReplaceTemplate(ctx, bob, named("k", ""), kept.Revision)
	require.NoError(t, err)
	require.Equal(t, kept.ID(), replaced.ID())
	_, err = engineOn(t, store, flagstage.WithHostKinds("acmePage")).ReplaceTemplate(ctx, bob, hosted("k", "acmePage"), replaced.Revision)
	require.NoError(t, err)
	require.NoError(t, other.DeleteTemplate(ctx, bob, "k", 0))
}

func TestWaitsOfAReplacementAreCountedFromTheLaterDate(t *testing.T) {
	ctx := t.Context()
	clock := flagstage.NewVirtualClock(now)
	e := memory(t, flagstage.WithClock(clock))
	nearTheEnd := strings.Replace(exportedTemplate, "1700000000000", "253402300000000", 1) // 9999-12-31T23:06:40Z
	nearTheEnd = regexp.MustCompile(`"waitDuration": [0-9]+`).ReplaceAllString(nearTheEnd, `"waitDuration": 0`)
	imported, err := e.ImportTemplate(ctx, alice, []byte(nearTheEnd), origin)
	require.NoError(t, err)

	waits := func(unit calendar.Unit) flagstage.TemplateInput {
		input := named("maintenance", "")
		input.Stages = []flagstage.Stage{stage(flagstage.ScheduleAfter(1, unit))}
		return input
	}
	_, err = e.ReplaceTemplate(ctx, alice, waits(calendar.Hour), imported.Revision)
	require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
	require.ErrorContains(t, err, "/stages/0/conditions/0/waitDuration")
	replaced, err := e.ReplaceTemplate(ctx, alice, waits(calendar.Minute), imported.Revision)
	require.NoError(t, err)
	require.Equal(t, imported.CreatedAt(), replaced.CreatedAt())

	clock.Set(at("9999-12-31T20:00:00Z"))
	input := named("late", "")
	input.Stages = []flagstage.Stage{stage(flagstage.ScheduleAfter(4, calendar.Hour))}
	_, err = e.CreateTemplate(ctx, alice, input)
	require.ErrorContains(t, err, "year 9999")
	input.Stages[0].Conditions[0] = flagstage.ScheduleAfter(3, calendar.Hour)
	late, err := e.CreateTemplate(ctx, alice, input)
	require.NoError(t, err)
	clock.Set(now) // set back
	input.Stages[0].Conditions[0] = flagstage.ScheduleAfter(4, calendar.Hour)
	_, err = e.ReplaceTemplate(ctx, alice, input, late.Revision)
	require.ErrorContains(t, err, "year 9999")
	list, err := e.Templates(ctx, alice, flagstage.TemplateQuery{})
	require.NoError(t, err)
	require.Len(t, list.Items, 2)
}

// anyInstant draws an instant, most often one near the edges of the years that
// there are, or beyond.
func anyInstant(t *rapid.T, label string) time.Time {
	return rapid.Custom(func(t *rapid.T) time.Time {
		edge := rapid.SampledFrom([]string{"1970-01-01T00:00:00Z", "2026-10-21T09:00:00+02:00", "9999-12-31T23:59:59.999Z"}).Draw(t, "edge")
		return at(edge).Add(time.Duration(rapid.Int64Range(-int64(400*24*time.Hour), int64(400*24*time.Hour)).Draw(t, "offset")))
	}).Draw(t, label)
}

// TestWhatAWriteAcceptedIsAlwaysReadable writes templates through engines with
// different options, clocks and sources of identifiers on one store. Whatever
// was accepted, every engine reads and lists as the write returned it.
func TestWhatAWriteAcceptedIsAlwaysReadable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		store := memoryStore(t)
		clock := flagstage.NewVirtualClock(now)
		kinds := [][]string{nil, {"acmePage"}, {"acmeCall", "x"}}
		var engines []*flagstage.Engine
		for _, kinds := range kinds {
			engines = append(engines, engineOn(t, store, flagstage.WithClock(clock), flagstage.WithHostKinds(kinds...)))
		}
		engines = append(engines, engineOn(t, store, flagstage.WithClock(clock), flagstage.WithIDs(badIDs("x"))))
		anyEngine := func() *flagstage.Engine { return rapid.SampledFrom(engines).Draw(t, "engine") }
		anyKey := func() string { return rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key") }
		anyInput := func(key string) flagstage.TemplateInput {
			input := anyTemplate(t)
			input.Key = key
			s := &input.Stages[0]
			if kind := rapid.SampledFrom([]string{"", "", "acmePage", "acmeCall"}).Draw(t, "host kind"); kind != "" {
				s.Action.Instructions = append(s.Action.Instructions, flags.HostInstruction(kind, flags.Value{}))
			}
			if rapid.Bool().Draw(t, "has a long wait") {
				count := rapid.SampledFrom([]int64{1, 10, 500, 7000 * 365}).Draw(t, "days")
				s.Conditions = append(s.Conditions, flagstage.ScheduleAfter(count, calendar.Day))
			}
			return input
		}
		printed := func(input flagstage.TemplateInput) (flagstage.Template, bool) {
			at := flagstage.Creation{Now: anyInstant(t, "printed at"), IDs: flagstage.SeededIDs(1), Actor: alice}
			template, problems := flagstage.NewTemplate(input, at)
			return template, problems == nil
		}
		want := map[string]flagstage.StoredTemplate{}
		wrote := func(stored flagstage.StoredTemplate, err error) {
			if err == nil {
				stored.Warnings = nil
				want[stored.Key()] = stored
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				var items []flagstage.StoredTemplate
				for _, key := range []string{"a", "b"} {
					stored, ok := want[key]
					if !ok {
						continue
					}
					items = append(items, stored)
					got, err := anyEngine().Template(ctx, bob, key)
					require.NoError(t, err)
					require.Equal(t, stored, got)
				}
				list, err := anyEngine().Templates(ctx, bob, flagstage.TemplateQuery{})
				require.NoError(t, err)
				require.ElementsMatch(t, items, list.Items)
			},
			"clock": func(t *rapid.T) { clock.Set(anyInstant(t, "now")) },
			"create": func(*rapid.T) {
				wrote(anyEngine().CreateTemplate(ctx, alice, anyInput(anyKey())))
			},
			"create document": func(*rapid.T) {
				template, ok := printed(anyInput(anyKey()))
				if !ok {
					return
				}
				document := strings.Replace(string(template.AppendJSON(nil)), `{`,
					`{"key":"`+template.Key()+`","projectKey":"p","environmentKey":"e","flagKey":"f",`, 1)
				wrote(anyEngine().CreateTemplateJSON(ctx, alice, []byte(document)))
			},
			"import": func(*rapid.T) {
				template, ok := printed(anyInput(anyKey()))
				if !ok {
					return
				}
				wrote(anyEngine().ImportTemplate(ctx, alice, template.AppendJSON(nil), origin))
			},
			"replace": func(*rapid.T) {
				key := anyKey()
				wrote(anyEngine().ReplaceTemplate(ctx, alice, anyInput(key), want[key].Revision))
			},
			"delete": func(t *rapid.T) {
				key := anyKey()
				if anyEngine().DeleteTemplate(ctx, alice, key, 0) == nil {
					delete(want, key)
				}
			},
		})
		require.NoError(t, store.Close())
	})
}

func TestOneUnreadableTemplateHidesNoOther(t *testing.T) {
	ctx := t.Context()
	store := memoryStore(t)
	e := engineOn(t, store)
	var kept []flagstage.StoredTemplate
	for _, key := range []string{"a", "other", "z"} {
		stored, err := e.CreateTemplate(ctx, alice, named(key, ""))
		require.NoError(t, err)
		kept = append(kept, stored)
	}
	good, err := store.Get(ctx, "template/other")
	require.NoError(t, err)
	for _, c := range []struct{ name, value, says string }{
		{"empty", "", "is empty"},
		{"of a later version", "\x63" + string(good.Value[1:]), "later"},
		{"cut in its head", string(good.Value[:16]), "cut short"},
		{"cut behind its head", string(good.Value[:17]), "cut short"},
		{"cut in its origin", string(good.Value[:30]), "cut short"},
		{"cut", string(good.Value[:len(good.Value)-1]), "damaged"},
		{"with a byte more", string(good.Value) + "}", "damaged"},
		{"no template", string(bytes.Replace(good.Value, []byte(`"stages"`), []byte(`"stayed"`), 1)), "/stayed"},
		{"that of another", string(good.Value), `"other"`},
		{"a length beyond all", string(good.Value[:17]) + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "cut short"},
	} {
		t.Run(c.name, func(t *testing.T) {
			revision, err := store.Commit(ctx, flagstage.Txn{Put: []flagstage.Record{{Key: "template/k", Value: []byte(c.value)}}})
			require.NoError(t, err)
			_, err = e.Template(ctx, alice, "k")
			var unreadable *flagstage.UnreadableError
			require.ErrorAs(t, err, &unreadable)
			require.ErrorIs(t, err, flagstage.ErrFormat)
			require.Empty(t, flagstage.Code(err))
			require.Equal(t, "k", unreadable.TemplateKey)
			require.Equal(t, revision, unreadable.Revision)
			require.ErrorContains(t, err, `"k"`)
			require.ErrorContains(t, err, c.says)

			list, err := e.Templates(ctx, alice, flagstage.TemplateQuery{})
			require.NoError(t, err)
			require.Equal(t, kept, list.Items)
			require.Equal(t, []*flagstage.UnreadableError{unreadable}, list.Unreadable)
			document, err := json.Marshal(list)
			require.NoError(t, err)
			require.NotContains(t, string(document), `"k"`)
			list, err = e.Templates(ctx, alice, flagstage.TemplateQuery{Search: "other"})
			require.NoError(t, err)
			require.Len(t, list.Items, 1)
			require.Len(t, list.Unreadable, 1, "it may be the one that is looked for")

			_, err = e.ReplaceTemplate(ctx, alice, named("k", ""), revision)
			require.ErrorAs(t, err, &unreadable)
			_, err = e.CreateTemplate(ctx, alice, named("k", ""))
			require.ErrorIs(t, err, flagstage.ErrExists)
			require.ErrorIs(t, e.DeleteTemplate(ctx, alice, "k", revision+1), flagstage.ErrConflict)
			require.NoError(t, e.DeleteTemplate(ctx, alice, "k", revision))
		})
	}
}

// meddling is a store in which something happens before each commit.
type meddling struct {
	flagstage.Store
	before func()
}

func (m *meddling) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	m.before()
	return m.Store.Commit(ctx, txn)
}

// once does something the first time only.
func once(do func()) func() {
	return func() { do(); do = func() {} }
}

func TestConflictsAreToldTheSameWheneverTheyAreSeen(t *testing.T) {
	ctx := t.Context()
	for _, c := range []struct {
		name      string
		meanwhile func(other *flagstage.Engine, revision int64) error
		call      func(e *flagstage.Engine, revision int64) error
		want      error
	}{
		{
			"created by both",
			func(other *flagstage.Engine, _ int64) error {
				_, err := other.CreateTemplate(ctx, bob, named("new", ""))
				return err
			},
			func(e *flagstage.Engine, _ int64) error {
				_, err := e.CreateTemplate(ctx, alice, named("new", ""))
				return err
			},
			flagstage.ErrExists,
		},
		{
			"replaced by both",
			func(other *flagstage.Engine, r int64) error {
				_, err := other.ReplaceTemplate(ctx, bob, named("k", ""), r)
				return err
			},
			func(e *flagstage.Engine, r int64) error {
				_, err := e.ReplaceTemplate(ctx, alice, named("k", ""), r)
				return err
			},
			flagstage.ErrConflict,
		},
		{
			"replaced when deleted",
			func(other *flagstage.Engine, _ int64) error { return other.DeleteTemplate(ctx, bob, "k", 0) },
			func(e *flagstage.Engine, r int64) error {
				_, err := e.ReplaceTemplate(ctx, alice, named("k", ""), r)
				return err
			},
			flagstage.ErrNotFound,
		},
		{
			"deleted when replaced",
			func(other *flagstage.Engine, r int64) error {
				_, err := other.ReplaceTemplate(ctx, bob, named("k", ""), r)
				return err
			},
			func(e *flagstage.Engine, r int64) error { return e.DeleteTemplate(ctx, alice, "k", r) },
			flagstage.ErrConflict,
		},
		{
			"deleted by both",
			func(other *flagstage.Engine, _ int64) error { return other.DeleteTemplate(ctx, bob, "k", 0) },
			func(e *flagstage.Engine, r int64) error { return e.DeleteTemplate(ctx, alice, "k", r) },
			flagstage.ErrNotFound,
		},
		{
			"deleted by both, of any revision",
			func(other *flagstage.Engine, _ int64) error { return other.DeleteTemplate(ctx, bob, "k", 0) },
			func(e *flagstage.Engine, _ int64) error { return e.DeleteTemplate(ctx, alice, "k", 0) },
			flagstage.ErrNotFound,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var told []string
			for _, atCommit := range []bool{false, true} {
				inner := memoryStore(t)
				store := &meddling{Store: inner, before: func() {}}
				e, other := engineOn(t, store), engineOn(t, inner)
				kept, err := e.CreateTemplate(ctx, alice, named("k", ""))
				require.NoError(t, err)
				meanwhile := func() { require.NoError(t, c.meanwhile(other, kept.Revision)) }
				if atCommit {
					store.before = once(meanwhile)
				} else {
					meanwhile()
				}
				err = c.call(e, kept.Revision)
				require.ErrorIs(t, err, c.want)
				require.NotContains(t, err.Error(), "template/", "keys of the store are nobody's business")
				told = append(told, err.Error())
			}
			require.Equal(t, told[0], told[1])
		})
	}
}

func TestDeletingAnyRevisionIsNeverAConflict(t *testing.T) {
	ctx := t.Context()
	inner := memoryStore(t)
	store := &meddling{Store: inner, before: func() {}}
	e, other := engineOn(t, store), engineOn(t, inner)
	kept, err := e.CreateTemplate(ctx, alice, named("k", ""))
	require.NoError(t, err)
	changes := 0
	store.before = func() {
		if changes++; changes <= 3 {
			kept, err = other.ReplaceTemplate(ctx, bob, named("k", ""), kept.Revision)
			require.NoError(t, err)
		}
	}
	require.NoError(t, e.DeleteTemplate(ctx, alice, "k", 0))
	require.Equal(t, 4, changes)
	_, err = e.Template(ctx, alice, "k")
	require.ErrorIs(t, err, flagstage.ErrNotFound)

	kept, err = other.CreateTemplate(ctx, alice, named("k", ""))
	require.NoError(t, err)
	stop, cancel := context.WithCancel(ctx)
	store.before = func() {
		kept, err = other.ReplaceTemplate(ctx, bob, named("k", ""), kept.Revision)
		require.NoError(t, err)
		cancel()
	}
	require.ErrorIs(t, e.DeleteTemplate(stop, alice, "k", 0), context.Canceled, "it can be told to give up")
}

// stubborn is a store that refuses every commit.
type stubborn struct{ flagstage.Store }

func (s stubborn) Commit(context.Context, flagstage.Txn) (int64, error) {
	return 0, flagstage.ErrConflict
}

func TestAStoreThatContradictsItselfIsNotAskedForEver(t *testing.T) {
	ctx := t.Context()
	store := memoryStore(t)
	kept, err := engineOn(t, store).CreateTemplate(ctx, alice, named("k", ""))
	require.NoError(t, err)
	e := engineOn(t, stubborn{store})
	require.ErrorIs(t, e.DeleteTemplate(ctx, alice, "k", 0), flagstage.ErrConflict)
	require.ErrorIs(t, e.DeleteTemplate(ctx, alice, "k", kept.Revision), flagstage.ErrConflict)
	_, err = e.ReplaceTemplate(ctx, alice, named("k", ""), kept.Revision)
	require.ErrorIs(t, err, flagstage.ErrConflict)
}

// unsure is a store that does not tell what became of a commit: it does it or
// not, then something else happens, and then nobody knows.
type unsure struct {
	flagstage.Store
	does bool
	then func()
}

func (s *unsure) Commit(ctx context.Context, txn flagstage.Txn) (int64, error) {
	if s.does {
		if _, err := s.Store.Commit(ctx, txn); err != nil {
			return 0, err
		}
	}
	s.then()
	return 0, fmt.Errorf("power cut: %w", flagstage.ErrUnknownOutcome)
}

func TestEngineFindsOutWhatBecameOfAnUnknownOutcome(t *testing.T) {
	ctx := t.Context()
	// Two engines with the same seed make equal templates, also of Go values.
	newEngines := func(does bool) (store *unsure, e, other *flagstage.Engine) {
		store = &unsure{Store: memoryStore(t), does: does, then: func() {}}
		return store, engineOn(t, store), engineOn(t, store.Store)
	}
	writes := map[string]func(e *flagstage.Engine, revision int64) (flagstage.StoredTemplate, error){
		"create": func(e *flagstage.Engine, _ int64) (flagstage.StoredTemplate, error) {
			return e.CreateTemplate(ctx, alice, named("new", ""))
		},
		"create document": func(e *flagstage.Engine, _ int64) (flagstage.StoredTemplate, error) {
			return e.CreateTemplateJSON(ctx, alice, []byte(request(`[{}]`)))
		},
		"import": func(e *flagstage.Engine, _ int64) (flagstage.StoredTemplate, error) {
			return e.ImportTemplate(ctx, alice, []byte(exportedTemplate), origin)
		},
		"replace": func(e *flagstage.Engine, revision int64) (flagstage.StoredTemplate, error) {
			return e.ReplaceTemplate(ctx, alice, named("old", "other"), revision)
		},
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			_, e, other := newEngines(true)
			old, err := other.CreateTemplate(ctx, bob, named("old", ""))
			require.NoError(t, err)
			written, err := write(e, old.Revision)
			require.NoError(t, err, "it was written, and is there")
			got, err := other.Template(ctx, alice, written.Key())
			require.NoError(t, err)
			written.Warnings = nil
			require.Equal(t, got, written)

			store, e, other := newEngines(false)
			old, err = other.CreateTemplate(ctx, bob, named("old", ""))
			require.NoError(t, err)
			_, err = write(e, old.Revision)
			require.ErrorIs(t, err, flagstage.ErrUnknownOutcome, "it was not written")
			require.Empty(t, flagstage.Code(err))
			store.then = func() {
				_, err := write(other, old.Revision)
				require.NoError(t, err)
			}
			_, err = write(e, old.Revision)
			require.ErrorIs(t, err, flagstage.ErrUnknownOutcome, "another has written the same, byte for byte")
		})
	}
}

func TestADeletionOfUnknownOutcomeIsOneWhenTheTemplateIsGone(t *testing.T) {
	ctx := t.Context()
	for _, c := range []struct {
		name string
		does bool
		then func(t *testing.T, other *flagstage.Engine, revision int64)
		want error
	}{
		{"done", true, func(*testing.T, *flagstage.Engine, int64) {}, nil},
		{"not done", false, func(*testing.T, *flagstage.Engine, int64) {}, flagstage.ErrUnknownOutcome},
		{"done by another", false, func(t *testing.T, other *flagstage.Engine, _ int64) {
			require.NoError(t, other.DeleteTemplate(ctx, bob, "k", 0))
		}, nil},
		{"done, and then created by another", true, func(t *testing.T, other *flagstage.Engine, _ int64) {
			_, err := other.CreateTemplate(ctx, bob, named("k", ""))
			require.NoError(t, err)
		}, flagstage.ErrUnknownOutcome},
		{"not done, and then replaced by another", false, func(t *testing.T, other *flagstage.Engine, revision int64) {
			_, err := other.ReplaceTemplate(ctx, bob, named("k", ""), revision)
			require.NoError(t, err)
		}, flagstage.ErrUnknownOutcome},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := &unsure{Store: memoryStore(t), does: c.does}
			other := engineOn(t, store.Store)
			kept, err := other.CreateTemplate(ctx, bob, named("k", ""))
			require.NoError(t, err)
			store.then = func() { c.then(t, other, kept.Revision) }
			require.ErrorIs(t, engineOn(t, store).DeleteTemplate(ctx, alice, "k", 0), c.want)
		})
	}
}

func TestSeededEnginesMakeTheSameTemplates(t *testing.T) {
	var printed []string
	for range 2 {
		e := memory(t)
		_, err := e.ImportTemplate(t.Context(), alice, []byte(`{"_key":"k","stages":[{}]}`), origin)
		require.NoError(t, err)
		_, err = e.CreateTemplate(t.Context(), alice, named("other", ""))
		require.NoError(t, err)
		list, err := e.Templates(t.Context(), alice, flagstage.TemplateQuery{})
		require.NoError(t, err)
		document, err := json.Marshal(list)
		require.NoError(t, err)
		printed = append(printed, string(document))
	}
	require.Equal(t, printed[0], printed[1])
}

func TestSearchFoldsAsUnicodeSays(t *testing.T) {
	ctx := t.Context()
	for _, c := range []struct {
		text, search string
		found        bool
	}{
		{"Release", "rELEASE", true},
		{"Οδυσσεύς", "ΟΔΥΣΣΕΎΣ", true},
		{"Οδυσσεύς", "οδυσσεύσ", true},
		{"ΣΊΣΥΦΟΣ", "σίσυφος", true},
		{"300 \u212a", "300 k", true},
		{"kelvin", "\u212aELVIN", true},
		{"\u212bngström", "ångström", true},
		{"ſign", "SIGN", true},
		{"ẞ", "ß", true},
		{"ß", "SS", false}, // that would be full folding
		{"ı", "i", false},
		{"ı", "I", false},
		{"ı", "ı", true},
		{"İ", "i", false},
		{"İ", "İ", true},
		{"ǅ", "ǆ", true},
		{"µ", "μ", true},
		{"𐐀", "𐐨", true},
		{"a\ufffdb", "\ufffd", true},
		{"anything", "", true},
	} {
		e := memory(t)
		_, err := e.CreateTemplate(ctx, alice, named("k", c.text))
		require.NoError(t, err)
		list, err := e.Templates(ctx, alice, flagstage.TemplateQuery{Search: c.search})
		require.NoError(t, err)
		require.Equal(t, c.found, len(list.Items) == 1, "%q in %q", c.search, c.text)
	}
	for _, search := range []string{"\xff", "a\x00", strings.Repeat("a", 64<<10+1)} {
		_, err := memory(t).Templates(ctx, alice, flagstage.TemplateQuery{Search: search})
		require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
	}
}

func TestSearchFindsEveryPartInEveryCase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, err := flagstage.NewMemory(fixed()...)
		require.NoError(t, err)
		name := []rune(rapid.StringN(1, 20, -1).Filter(func(s string) bool { return !strings.Contains(s, "\x00") }).Draw(t, "name"))
		_, err = e.CreateTemplate(context.Background(), alice, named("k", string(name)))
		require.NoError(t, err)
		from := rapid.IntRange(0, len(name)-1).Draw(t, "from")
		part := slices.Clone(name[from : from+rapid.IntRange(0, len(name)-from).Draw(t, "length")])
		for i := range part {
			for range rapid.IntRange(0, 3).Draw(t, "fold") {
				part[i] = unicode.SimpleFold(part[i])
			}
		}
		list, err := e.Templates(context.Background(), alice, flagstage.TemplateQuery{Search: string(part)})
		require.NoError(t, err)
		require.Len(t, list.Items, 1, "%q in %q", string(part), string(name))
	})
}

func TestLimitOfStagesHoldsForDocuments(t *testing.T) {
	ctx := t.Context()
	e := memory(t, flagstage.WithLimits(flagstage.Limits{Stages: 2}))
	for _, stages := range []string{`[{},{}]`, `[{},{},{}]`} {
		_, created := e.CreateTemplateJSON(ctx, alice, []byte(request(stages)))
		_, imported := e.ImportTemplate(ctx, alice, []byte(`{"_key":"other","stages":`+stages+`}`), origin)
		for _, err := range []error{created, imported} {
			if stages == `[{},{}]` {
				require.NoError(t, err)
				continue
			}
			var wrong *flagstage.ProblemsError
			require.ErrorAs(t, err, &wrong)
			require.Equal(t, []string{"/stages too_large"}, found(wrong.Problems))
			require.ErrorContains(t, err, "at most 2")
		}
	}
}
