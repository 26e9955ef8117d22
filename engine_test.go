package flagstage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/storetest"
)

// options make an engine whose bytes repeat.
func fixed(more ...flagstage.Option) []flagstage.Option {
	return append([]flagstage.Option{
		flagstage.WithClock(flagstage.NewVirtualClock(now)), flagstage.WithIDs(flagstage.SeededIDs(1)),
	}, more...)
}

func memory(t testing.TB, more ...flagstage.Option) *flagstage.Engine {
	e, err := flagstage.NewMemory(fixed(more...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func named(key, name string) flagstage.TemplateInput {
	return flagstage.TemplateInput{Key: key, Name: name, Origin: origin, Stages: []flagstage.Stage{stage(hours(1))}}
}

func TestEngineKeepsTemplates(t *testing.T) {
	ctx := t.Context()
	e := memory(t)
	input := readRollout(t)
	created, err := e.CreateTemplate(ctx, alice, input)
	require.NoError(t, err)
	require.True(t, create(t, input).Equal(created.Template), "the same as NewTemplate makes")
	require.Positive(t, created.Revision)

	got, err := e.Template(ctx, bob, "progressive-rollout")
	require.NoError(t, err)
	require.Equal(t, created, got)

	input.Description = "changed"
	replaced, err := e.ReplaceTemplate(ctx, bob, input, got.Revision)
	require.NoError(t, err)
	require.Greater(t, replaced.Revision, created.Revision)
	require.Equal(t, created.ID(), replaced.ID())
	require.Equal(t, created.CreatedAt(), replaced.CreatedAt())
	require.Equal(t, "alice", replaced.OwnerID())
	require.Equal(t, "changed", replaced.Description())
	require.NotEqual(t, created.Stages()[0].ID, replaced.Stages()[0].ID)
	got, err = e.Template(ctx, bob, "progressive-rollout")
	require.NoError(t, err)
	require.Equal(t, replaced, got)

	require.NoError(t, e.DeleteTemplate(ctx, bob, "progressive-rollout", replaced.Revision))
	_, err = e.Template(ctx, bob, "progressive-rollout")
	require.ErrorIs(t, err, flagstage.ErrNotFound)
	_, err = e.CreateTemplate(ctx, alice, input)
	require.NoError(t, err, "a key can be used again")
}

func TestEngineTakesDocuments(t *testing.T) {
	ctx := t.Context()
	e := memory(t, flagstage.WithHostKinds("acmePage"))
	document := conditions(`{"kind":"schedule","executeNow":true,"description":"d"}`)
	created, err := e.CreateTemplateJSON(ctx, alice, []byte(document))
	require.NoError(t, err)
	require.Equal(t, []string{firstCondition + "/description exclusive?"}, found(created.Warnings))

	imported, err := e.ImportTemplate(ctx, alice, []byte(exportedTemplate), origin)
	require.NoError(t, err)
	require.Equal(t, "owner", imported.OwnerID())
	got, err := e.Template(ctx, alice, "maintenance")
	require.NoError(t, err)
	require.True(t, imported.Equal(got.Template))

	hosted := strings.Replace(instructions(`{"kind":"acmePage","who":"ops"}`), `"k"`, `"hosted"`, 1)
	_, err = e.CreateTemplateJSON(ctx, alice, []byte(hosted))
	require.NoError(t, err)
	_, err = e.Template(ctx, alice, "hosted")
	require.NoError(t, err, "the engine reads its own records with its host kinds")
}

func TestEngineListsTemplatesByKey(t *testing.T) {
	ctx := t.Context()
	e := memory(t)
	empty, err := e.Templates(ctx, alice, flagstage.TemplateQuery{})
	require.NoError(t, err)
	document, err := json.Marshal(empty)
	require.NoError(t, err)
	require.JSONEq(t, `{"items":[]}`, string(document))
	for _, key := range []string{"b", "a.1", "Z", "a"} {
		input := named(key, "Name of "+key)
		input.Description = strings.ToUpper("described " + key)
		_, err := e.CreateTemplate(ctx, alice, input)
		require.NoError(t, err)
	}
	keys := func(query flagstage.TemplateQuery) (list []string) {
		l, err := e.Templates(ctx, alice, query)
		require.NoError(t, err)
		for _, item := range l.Items {
			list = append(list, item.Key())
		}
		return list
	}
	require.Equal(t, []string{"Z", "a", "a.1", "b"}, keys(flagstage.TemplateQuery{}))
	require.Equal(t, []string{"a", "a.1"}, keys(flagstage.TemplateQuery{Search: "name OF a"}))
	require.Equal(t, []string{"b"}, keys(flagstage.TemplateQuery{Search: "Described B"}))
	require.Empty(t, keys(flagstage.TemplateQuery{Search: "nothing"}))

	full, err := e.Templates(ctx, alice, flagstage.TemplateQuery{})
	require.NoError(t, err)
	document, err = json.Marshal(full)
	require.NoError(t, err)
	var listing struct{ Items []json.RawMessage }
	require.NoError(t, json.Unmarshal(document, &listing))
	require.Len(t, listing.Items, 4)
	for i, item := range listing.Items {
		requireMembers(t, item)
		require.Equal(t, string(full.Items[i].AppendJSON(nil)), string(item))
	}
	summary, err := e.Templates(ctx, alice, flagstage.TemplateQuery{Summary: true})
	require.NoError(t, err)
	document, err = json.Marshal(summary)
	require.NoError(t, err)
	require.NotContains(t, string(document), "stages")
	require.True(t, json.Valid(document))
}

func TestEngineRefuses(t *testing.T) {
	ctx := t.Context()
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	closed := memory(t)
	require.NoError(t, closed.Close())
	e := memory(t, flagstage.WithLimits(flagstage.Limits{DocumentBytes: 300, Stages: 2}))
	kept, err := e.CreateTemplate(ctx, alice, named("kept", ""))
	require.NoError(t, err)
	big := named("big", "")
	big.Stages = make([]flagstage.Stage, 3)
	for _, c := range []struct {
		name string
		call func() error
		want error
		code string
		says string
	}{
		{"a key that is taken", func() error { _, err := e.CreateTemplate(ctx, alice, named("kept", "")); return err }, flagstage.ErrExists, "invalid_request", "kept"},
		{"a bad key", func() error { _, err := e.CreateTemplate(ctx, alice, named("a b", "")); return err }, flagstage.ErrInvalidRequest, "invalid_request", "/key"},
		{"a bad document", func() error { _, err := e.CreateTemplateJSON(ctx, alice, []byte(`{}`)); return err }, flagstage.ErrInvalidRequest, "invalid_request", "/stages"},
		{"a bad import", func() error { _, err := e.ImportTemplate(ctx, alice, []byte(`{}`), origin); return err }, flagstage.ErrInvalidRequest, "invalid_request", "/_key"},
		{"a document over the limit", func() error {
			_, err := e.CreateTemplateJSON(ctx, alice, []byte(`{"key":"k"`+strings.Repeat(" ", 300)))
			return err
		}, flagstage.ErrInvalidRequest, "invalid_request", "300"},
		{"an import over the limit", func() error {
			_, err := e.ImportTemplate(ctx, alice, []byte(exportedTemplate), origin)
			return err
		}, flagstage.ErrInvalidRequest, "invalid_request", "300"},
		{"too many stages", func() error { _, err := e.CreateTemplate(ctx, alice, big); return err }, flagstage.ErrInvalidRequest, "invalid_request", "at most 2"},
		{"a workflow", func() error {
			_, err := e.CreateTemplateJSON(ctx, alice, []byte(`{"key":"k","workflowId":"w"}`))
			return err
		}, flagstage.ErrNotFound, "not_found", "/workflowId"},
		{"an unknown key", func() error { _, err := e.Template(ctx, alice, "none"); return err }, flagstage.ErrNotFound, "not_found", "none"},
		{"a hostile key", func() error { _, err := e.Template(ctx, alice, "a\x00\x1b"); return err }, flagstage.ErrNotFound, "not_found", `a\x00\x1b`},
		{"replacing nothing", func() error { _, err := e.ReplaceTemplate(ctx, alice, named("none", ""), 1); return err }, flagstage.ErrNotFound, "not_found", "none"},
		{"replacing with something bad", func() error {
			_, err := e.ReplaceTemplate(ctx, alice, flagstage.TemplateInput{Key: "kept"}, kept.Revision)
			return err
		}, flagstage.ErrInvalidRequest, "invalid_request", "/stages"},
		{"a stale revision", func() error {
			_, err := e.ReplaceTemplate(ctx, alice, named("kept", ""), kept.Revision+1)
			return err
		}, flagstage.ErrConflict, "optimistic_locking_error", "read it again"},
		{"deleting nothing", func() error { return e.DeleteTemplate(ctx, alice, "none", 0) }, flagstage.ErrNotFound, "not_found", "none"},
		{"deleting a stale revision", func() error { return e.DeleteTemplate(ctx, alice, "kept", kept.Revision+1) }, flagstage.ErrConflict, "optimistic_locking_error", "read it again"},
		{"nobody", func() error { _, err := e.Template(ctx, flagstage.Actor{}, "kept"); return err }, flagstage.ErrUnauthorized, "unauthorized", "actor"},
		{"a cancelled context", func() error { _, err := e.CreateTemplate(cancelled, alice, named("k", "")); return err }, context.Canceled, "", ""},
		{"a closed engine", func() error { _, err := closed.Templates(ctx, alice, flagstage.TemplateQuery{}); return err }, flagstage.ErrClosed, "", "closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.call()
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, c.code, flagstage.Code(err))
			list, err := e.Templates(ctx, alice, flagstage.TemplateQuery{})
			require.NoError(t, err)
			require.Equal(t, []flagstage.StoredTemplate{kept}, list.Items, "nothing has changed")
		})
	}
}

func TestEnginesThatCannotBeMade(t *testing.T) {
	_, err := flagstage.New(nil)
	require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
	_, err = flagstage.NewMemory(flagstage.WithHostKinds("turnFlagOn"))
	require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
	_, err = flagstage.NewMemory(flagstage.WithLimits(flagstage.Limits{Stages: -1}))
	require.ErrorIs(t, err, flagstage.ErrInvalidRequest)

	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	text := write("text", "a list of things to buy\n")
	for name, c := range map[string]struct {
		path string
		want error
	}{
		"a text":                        {text, flagstage.ErrFormat},
		"a database of something else":  {write("bunt", "*3\r\n$3\r\nset\r\n$1\r\na\r\n$1\r\nb\r\n"), flagstage.ErrFormat},
		"a directory":                   {dir, flagstage.ErrFormat},
		"below a regular file":          {filepath.Join(text, "db"), nil},
		"in a folder that is not there": {filepath.Join(dir, "no", "db"), fs.ErrNotExist},
	} {
		_, err := flagstage.Open(c.path)
		require.Error(t, err, name)
		require.ErrorContains(t, err, "open store: ", name)
		if c.want != nil {
			require.ErrorIs(t, err, c.want, name)
		} else {
			var pathError *fs.PathError
			require.ErrorAs(t, err, &pathError, name)
		}
	}
	kept, err := os.ReadFile(text)
	require.NoError(t, err)
	require.Equal(t, "a list of things to buy\n", string(kept), "a file that is no store is left alone")

	fresh := filepath.Join(dir, "db")
	for name, open := range map[string]func() (*flagstage.Engine, error){
		"no path": func() (*flagstage.Engine, error) { return flagstage.Open("") },
		"a file that is gone": func() (*flagstage.Engine, error) {
			return flagstage.Open(fresh, flagstage.WithDurability(flagstage.DurabilityVolatile))
		},
		"an unknown durability": func() (*flagstage.Engine, error) { return flagstage.Open(fresh, flagstage.WithDurability("Always")) },
		"a bad limit": func() (*flagstage.Engine, error) {
			return flagstage.Open(fresh, flagstage.WithLimits(flagstage.Limits{DocumentBytes: -1}))
		},
		"a bad host kind": func() (*flagstage.Engine, error) { return flagstage.Open(fresh, flagstage.WithHostKinds("a b")) },
	} {
		e, err := open()
		require.ErrorIs(t, err, flagstage.ErrInvalidRequest, name)
		require.Nil(t, e, name)
		require.NoFileExists(t, fresh, name)
	}
}

func TestOptionsThatAreWrongLeaveTheStoreOpen(t *testing.T) {
	store := memoryStore(t)
	_, err := flagstage.New(store, flagstage.WithHostKinds("turnFlagOn"))
	require.ErrorIs(t, err, flagstage.ErrInvalidRequest)
	_, err = store.Get(t.Context(), "a")
	require.NoError(t, err)
}

func TestEngineOnAFileKeepsItsTemplates(t *testing.T) {
	ctx := t.Context()
	for _, durability := range []flagstage.Durability{flagstage.DurabilityAlways, flagstage.DurabilityInterval, flagstage.DurabilityNever} {
		path := filepath.Join(t.TempDir(), "db")
		e, err := flagstage.Open(path, fixed(flagstage.WithDurability(durability))...)
		require.NoError(t, err)
		created, err := e.CreateTemplate(ctx, alice, readRollout(t))
		require.NoError(t, err)
		require.NoError(t, e.Close())
		require.NoError(t, e.Close(), "closing twice is no error")

		e, err = flagstage.Open(path)
		require.NoError(t, err)
		got, err := e.Template(ctx, alice, created.Key())
		require.NoError(t, err)
		require.Equal(t, created, got)
		require.NoError(t, e.Close())
	}
}

func TestEngineIsSilentUnlessGivenALogger(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer slog.SetDefault(before)
	_, err := memory(t).CreateTemplate(t.Context(), alice, named("k", ""))
	require.NoError(t, err)
	require.Empty(t, log.String())
	e := memory(t, flagstage.WithLogger(slog.Default()))
	_, err = e.CreateTemplate(t.Context(), alice, named("k", ""))
	require.NoError(t, err)
	require.Contains(t, log.String(), "template=k")
}

// TestWhateverFailsNothingIsHalfDone runs the life of a template with a fault
// at each call of the store: a call that returned nil has happened, one that
// returned an error has not, unless its outcome is unknown.
func TestWhateverFailsNothingIsHalfDone(t *testing.T) {
	ctx := context.Background()
	for name, begin := range map[string]func(e *flagstage.Engine) (flagstage.StoredTemplate, error){
		"create": func(e *flagstage.Engine) (flagstage.StoredTemplate, error) {
			return e.CreateTemplate(ctx, alice, named("k", "one"))
		},
		"create document": func(e *flagstage.Engine) (flagstage.StoredTemplate, error) {
			return e.CreateTemplateJSON(ctx, alice, []byte(strings.Replace(request(`[{}]`), `{`, `{"name":"one",`, 1)))
		},
		"import": func(e *flagstage.Engine) (flagstage.StoredTemplate, error) {
			return e.ImportTemplate(ctx, alice, []byte(`{"_key":"k","name":"one","stages":[{}]}`), origin)
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Sweep(t, func(t *testing.T, plan storetest.Plan) bool {
				inner := storetest.NewModel()
				store := storetest.Faulty(inner, plan)
				e, witness := engineOn(t, store), engineOn(t, inner)
				read := func() string { // the name of the template, "" if there is none
					store.Restart()
					got, err := witness.Template(ctx, alice, "k")
					if err != nil {
						require.ErrorIs(t, err, flagstage.ErrNotFound)
					}
					return got.Name()
				}
				step := func(err error, before, after string) {
					is := read()
					switch {
					case err == nil:
						require.Equal(t, after, is)
					case errors.Is(err, flagstage.ErrUnknownOutcome) || errors.Is(err, storetest.ErrCrashed):
						require.Contains(t, []string{before, after}, is)
					default:
						require.Equal(t, before, is)
					}
				}
				created, err := begin(e)
				step(err, "", "one")
				before := read()
				_, err = e.ReplaceTemplate(ctx, alice, named("k", "two"), created.Revision)
				step(err, before, "two")
				before = read()
				step(e.DeleteTemplate(ctx, alice, "k", 0), before, "")
				return store.Fired()
			})
		})
	}
}

// TestRacingCallsAddUp lets two engines race on one store. Each template that
// was created is deleted once or still there, each replacement found what it
// replaced, and every call failed for a reason there can be.
func TestRacingCallsAddUp(t *testing.T) {
	ctx := t.Context()
	store := memoryStore(t)
	engines := []*flagstage.Engine{engineOn(t, store), engineOn(t, store)}
	var created, deleted atomic.Int64
	var replaced sync.Map // of revisions
	var wait sync.WaitGroup
	for i := range 8 {
		e := engines[i%2]
		reject := func(err error, reasons ...error) {
			if err != nil && !slices.ContainsFunc(reasons, func(reason error) bool { return errors.Is(err, reason) }) {
				t.Errorf("%v is no answer here", err)
			}
		}
		wait.Go(func() {
			for n := range 100 {
				switch (i + n) % 4 {
				case 0:
					_, err := e.CreateTemplate(ctx, alice, named("k", ""))
					reject(err, flagstage.ErrExists)
					if err == nil {
						created.Add(1)
					}
				case 1, 2:
					got, err := e.Template(ctx, alice, "k")
					reject(err, flagstage.ErrNotFound)
					if err != nil {
						continue
					}
					_, err = e.ReplaceTemplate(ctx, alice, named("k", fmt.Sprint(n)), got.Revision)
					reject(err, flagstage.ErrNotFound, flagstage.ErrConflict)
					if err != nil {
						continue
					}
					if _, twice := replaced.LoadOrStore(got.Revision, true); twice {
						t.Errorf("revision %d was replaced twice", got.Revision)
					}
				case 3:
					err := e.DeleteTemplate(ctx, alice, "k", 0)
					reject(err, flagstage.ErrNotFound)
					if err == nil {
						deleted.Add(1)
					}
				}
			}
		})
	}
	wait.Wait()
	list, err := engines[0].Templates(ctx, alice, flagstage.TemplateQuery{})
	require.NoError(t, err)
	require.EqualValues(t, created.Load(), deleted.Load()+int64(len(list.Items)))
	require.Positive(t, created.Load())
}

func TestOfManyWritersOneWins(t *testing.T) {
	ctx := t.Context()
	store, err := flagstage.NewMemoryStore()
	require.NoError(t, err)
	var engines []*flagstage.Engine
	for range 2 {
		e, err := flagstage.New(store, flagstage.WithClock(flagstage.NewVirtualClock(now)))
		require.NoError(t, err)
		engines = append(engines, e)
	}
	var created atomic.Int32
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			if _, err := engines[i%2].CreateTemplate(ctx, alice, named("k", "")); err == nil {
				created.Add(1)
			}
		})
	}
	wait.Wait()
	require.EqualValues(t, 1, created.Load())
	kept, err := engines[0].Template(ctx, alice, "k")
	require.NoError(t, err)
	var replaced atomic.Int32
	for i := range 8 {
		wait.Go(func() {
			if _, err := engines[i%2].ReplaceTemplate(ctx, alice, named("k", fmt.Sprint(i)), kept.Revision); err == nil {
				replaced.Add(1)
			}
		})
	}
	wait.Wait()
	require.EqualValues(t, 1, replaced.Load())
}

func TestStoredTemplatesAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, err := flagstage.NewMemory(fixed()...)
		require.NoError(t, err)
		created, err := e.CreateTemplate(context.Background(), alice, anyTemplate(t))
		require.NoError(t, err)
		got, err := e.Template(context.Background(), alice, created.Key())
		require.NoError(t, err)
		require.Equal(t, created, got)
		require.NoError(t, e.Close())
	})
}

func TestMemoryStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(string) (flagstage.Store, error) { return flagstage.NewMemoryStore() }, flagstage.DurabilityVolatile)
}
