package flagstage_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// knownFlags is a source of the flags of the project shop.
type knownFlags struct {
	list  []flags.Flag
	fault error
	asked []flagstage.Origin
	ctx   context.Context // of the last call
}

func (k *knownFlags) Flag(ctx context.Context, ref flagstage.Origin) (flags.Flag, error) {
	k.asked, k.ctx = append(k.asked, ref), ctx
	if k.fault != nil {
		return flags.Flag{}, k.fault
	}
	if ref.ProjectKey != "shop" {
		return flags.Flag{}, flagstage.ErrNotFound
	}
	return flags.NewFlagSet(k.list...).Flag(ref.FlagKey)
}

func (k *knownFlags) SegmentExists(context.Context, string, string, string) (bool, error) {
	return false, errors.New("nobody asks for segments when a template is created")
}

// inputOf is the request of which a template could be made.
func inputOf(template flagstage.Template) flagstage.TemplateInput {
	return flagstage.TemplateInput{Key: template.Key(), Name: template.Name(), Origin: template.Origin(), Stages: template.Stages()}
}

// requireValues holds that a template knows the values behind its ids of
// variations, or does not.
func requireValues(t *testing.T, template flagstage.Template, knows bool) {
	list, err := template.Parameters(flagstage.Target{
		Origin: elsewhere("mill", "production", "sign"), Flag: sign(t),
		Others: flags.NewFlagSet(flagOf(t, "lamp", "boolean", `{"_id":"1","value":true},{"_id":"2","value":false}`, "")),
	}, nil)
	require.NoError(t, err)
	want := `/rolloutWeights {"s-seven":60000,"s-true":40000} | /key "lamp" | /variationId "1" true`
	require.Equal(t, knows, strings.Join(told(list), " | ") == want, told(list))
}

func TestTemplatesAreKeptWithTheValuesOfTheirVariations(t *testing.T) {
	ctx := t.Context()
	source := &knownFlags{list: []flags.Flag{banner(t), lamp(t)}}
	store := memoryStore(t)
	e := engineOn(t, store, flagstage.WithFlagSource(source))
	input := inputOf(written(t, rollout, prerequisite))
	requireKept := func(template flagstage.StoredTemplate, err error) {
		t.Helper()
		require.NoError(t, err)
		requireValues(t, template.Template, true)
		read, err := engineOn(t, store).Template(ctx, bob, template.Key())
		require.NoError(t, err)
		read.Warnings = template.Warnings
		require.Equal(t, template, read)
		record, err := store.Get(ctx, "template/"+template.Key())
		require.NoError(t, err)
		require.EqualValues(t, 2, record.Value[0])
		require.Equal(t, []flagstage.Origin{bannerOrigin, elsewhere("shop", "production", "lamp")}, source.asked, "each once")
		source.asked = nil
	}
	created, err := e.CreateTemplate(ctx, alice, input)
	requireKept(created, err)
	requireKept(e.ReplaceTemplate(ctx, alice, input, created.Revision))
	requireKept(e.CreateTemplateJSON(ctx, alice, []byte(`{"key":"read","projectKey":"shop","environmentKey":"production","flagKey":"banner",
		"stages":[{"action":{"instructions":[`+rollout+","+prerequisite+`]}}]}`)))
	imported := strings.Replace(string(created.AppendJSON(nil)), `"_key":"progressive"`, `"_key":"imported"`, 1)
	requireKept(e.ImportTemplate(ctx, alice, []byte(imported), bannerOrigin))
	twice := input
	twice.Key, twice.Stages = "twice", append(twice.Stages[:2:2], written(t, segmentRule+","+targeted).Stages()...)
	_, err = e.CreateTemplate(ctx, alice, twice)
	require.NoError(t, err)
	again, err := e.Template(ctx, alice, "twice")
	require.NoError(t, err, "one variation stands in several places")
	require.Equal(t, "twice", again.Key())
	require.NoError(t, e.DeleteTemplate(ctx, alice, "twice", 0))
	list, err := e.Templates(ctx, alice, flagstage.TemplateQuery{})
	require.NoError(t, err)
	require.Len(t, list.Items, 3)
	for _, template := range list.Items {
		requireValues(t, template.Template, true)
	}
	plain, err := memory(t).CreateTemplate(ctx, alice, input)
	require.NoError(t, err)
	requireValues(t, plain.Template, false)
	other, err := memory(t, flagstage.WithFlagSource(source)).CreateTemplate(ctx, alice, input)
	require.NoError(t, err)
	require.True(t, plain.Equal(other.Template), "the values are no part of what is compared")
	require.Equal(t, string(plain.AppendJSON(nil)), string(other.AppendJSON(nil)), "nor of what is printed")
}

func TestRecordsWithoutValuesStayAsTheyWere(t *testing.T) {
	ctx := t.Context()
	value := func(key string, input flagstage.TemplateInput, options ...flagstage.Option) []byte {
		store := memoryStore(t)
		input.Key = key
		_, err := engineOn(t, store, options...).CreateTemplate(ctx, alice, input)
		require.NoError(t, err)
		record, err := store.Get(ctx, "template/"+key)
		require.NoError(t, err)
		return append(record.Value[:1:1], record.Value[17:]...) // without the operation
	}
	input := inputOf(written(t, rollout, prerequisite))
	plain := value("k", input)
	require.EqualValues(t, 1, plain[0])
	require.Equal(t, plain, value("k", input, flagstage.WithFlagSource(nil)))
	require.Equal(t, plain, value("k", input, flagstage.WithFlagSource(&knownFlags{})), "of flags that do not exist nothing is known")

	source := &knownFlags{fault: errors.New("not to be asked")}
	none := inputOf(written(t, removedRule+`,{"kind":"addClauses","ruleId":"r","clauses":[{"op":"segmentMatch","values":["s"]}]},{"kind":"removePrerequisite","key":"lamp"},`+
		`{"kind":"updateOffVariation","variationId":"ref:x"}`))
	require.EqualValues(t, 1, value("k", none, flagstage.WithFlagSource(source))[0])
	require.Empty(t, source.asked)

	far := input
	far.Origin.ProjectKey = "mill"
	require.EqualValues(t, 1, value("k", far, flagstage.WithFlagSource(&knownFlags{list: []flags.Flag{banner(t)}}))[0])
}

func TestASourceThatFailsPreventsACreation(t *testing.T) {
	ctx := t.Context()
	fault := errors.New("no connection")
	source := &knownFlags{list: []flags.Flag{banner(t), lamp(t)}}
	e := memory(t, flagstage.WithFlagSource(source))
	input := inputOf(written(t, rollout, prerequisite))
	kept, err := e.CreateTemplate(ctx, alice, input)
	require.NoError(t, err)
	source.fault = fault
	_, err = e.ReplaceTemplate(ctx, alice, input, kept.Revision)
	require.ErrorIs(t, err, fault)
	require.EqualError(t, err, `keep template "progressive": look up flag "banner": no connection`)
	require.Empty(t, flagstage.Code(err))
	input.Key = "other"
	_, err = e.CreateTemplate(ctx, alice, input)
	require.ErrorIs(t, err, fault)
	list, err := e.Templates(ctx, alice, flagstage.TemplateQuery{})
	require.NoError(t, err)
	require.Equal(t, []flagstage.StoredTemplate{kept}, list.Items)

	source.fault, source.list = nil, []flags.Flag{banner(t)}
	_, err = e.CreateTemplate(ctx, alice, input)
	require.NoError(t, err, "a flag that does not exist is no error")

	e = memory(t, flagstage.WithFlagSource(liar{sign(t)}))
	_, err = e.CreateTemplate(ctx, alice, input)
	require.ErrorContains(t, err, `look up flag "banner": the source of flags answers with the flag "sign"`)
	_, err = memory(t, flagstage.WithFlagSource(liar{})).CreateTemplate(ctx, alice, input)
	require.NoError(t, err, "a flag that is none does not exist")
}

// liar answers with the same flag whatever is asked for.
type liar struct{ flag flags.Flag }

func (l liar) Flag(context.Context, flagstage.Origin) (flags.Flag, error) { return l.flag, nil }
func (l liar) SegmentExists(context.Context, string, string, string) (bool, error) {
	return true, nil
}

func TestTheSourceIsAskedWithTheContextOfTheCall(t *testing.T) {
	type name struct{}
	source := &knownFlags{list: []flags.Flag{banner(t), lamp(t)}}
	_, err := memory(t, flagstage.WithFlagSource(source)).CreateTemplate(context.WithValue(t.Context(), name{}, "call"), alice, inputOf(written(t, prerequisite)))
	require.NoError(t, err)
	require.Equal(t, "call", source.ctx.Value(name{}))
}

func TestRecordsWhoseValuesAreDamaged(t *testing.T) {
	ctx := t.Context()
	store := memoryStore(t)
	e := engineOn(t, store, flagstage.WithFlagSource(&knownFlags{list: []flags.Flag{banner(t), lamp(t)}}))
	_, err := e.CreateTemplate(ctx, alice, inputOf(written(t, rollout, prerequisite)))
	require.NoError(t, err)
	good, err := store.Get(ctx, "template/progressive")
	require.NoError(t, err)
	document := strings.Index(string(good.Value), `{"_id"`)
	counted := func(texts ...string) string {
		var b []byte
		for _, s := range texts {
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		}
		return string(b)
	}
	head := good.Value[:17+len(counted("shop", "production", "banner"))]
	require.Equal(t, string(good.Value), string(head)+"\x03"+counted("banner", "b-seven", "7.0", "banner", "b-true", "true", "lamp", "lamp-on", "true")+string(good.Value[document:]))
	for name, values := range map[string]string{
		"nothing":               "",
		"none":                  "\x00",
		"fewer than they say":   "\x02" + counted("banner", "b-true", "true"),
		"beyond all":            "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"a number too long":     "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"a length beyond all":   "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"no JSON":               "\x01" + counted("banner", "b-true", "tru"),
		"not as it is written":  "\x01" + counted("banner", "b-true", " true"),
		"in another order":      "\x02" + counted("lamp", "b", "true", "banner", "b", "true"),
		"twice":                 "\x02" + counted("lamp", "b", "true", "lamp", "b", "false"),
		"more than they say":    "\x01" + counted("banner", "b-seven", "7.0", "banner", "b-true", "true"),
		"without what they say": "\x01" + counted("banner"),
	} {
		value := string(head) + values
		if name != "nothing" && name != "fewer than they say" && name != "without what they say" {
			value += string(good.Value[document:])
		}
		_, err := store.Commit(ctx, flagstage.Txn{Put: []flagstage.Record{{Key: "template/progressive", Value: []byte(value)}}})
		require.NoError(t, err)
		_, err = e.Template(ctx, alice, "progressive")
		require.ErrorContains(t, err, "its record is damaged", name)
		require.ErrorIs(t, err, flagstage.ErrFormat)
	}
}

// TestValuesOfEveryReleaseAreRead binds a template that an earlier version kept
// with the values of its variations.
func TestValuesOfEveryReleaseAreRead(t *testing.T) {
	content, err := os.ReadFile("testdata/compat/format-2-values.db")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "db")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	e, err := flagstage.Open(path)
	require.NoError(t, err)
	for key, knows := range map[string]bool{"progressive": true, "plain": false} {
		template, err := e.Template(t.Context(), alice, key)
		require.NoError(t, err)
		requireValues(t, template.Template, knows)
	}
	require.NoError(t, e.Close())
}

func TestValuesThatDoNotFitAreLeftOut(t *testing.T) {
	long := strings.Repeat("x", 60_000)
	var variations, used []string
	for i := range 16 {
		id := string(rune('a' + i))
		variations = append(variations, `{"_id":"`+id+`","value":["`+id+long+`"]}`)
		used = append(used, `{"kind":"updateOffVariation","variationId":"`+id+`"}`)
	}
	f := flagOf(t, "banner", "multivariate", strings.Join(variations, ","), "")
	large := flagOf(t, "lamp", "multivariate", strings.Join(variations, ","), "")
	used = append(used, `{"kind":"addPrerequisite","key":"lamp","variationId":"a"}`, `{"kind":"addPrerequisite","key":"lamp","variationId":"b"}`)
	store := memoryStore(t)
	stored, err := engineOn(t, store, flagstage.WithFlagSource(&knownFlags{list: []flags.Flag{f, large}})).CreateTemplate(t.Context(), alice, inputOf(written(t, strings.Join(used, ","))))
	require.NoError(t, err)
	record, err := store.Get(t.Context(), "template/progressive")
	require.NoError(t, err)
	require.Less(t, len(record.Value), 2<<20+1)
	other := func(key string, f flags.Flag) flags.Flag {
		var g flags.Flag
		document := strings.ReplaceAll(string(f.AppendJSON(nil)), `"_id":"`, `"_id":"new `)
		require.NoError(t, g.UnmarshalJSON([]byte(strings.Replace(document, `"key":"`+f.Key()+`"`, `"key":"`+key+`"`, 1))))
		return g
	}
	list, err := stored.Parameters(flagstage.Target{Origin: elsewhere("mill", "production", "sign"), Flag: other("sign", f), Others: flags.NewFlagSet(other("lamp", large))}, nil)
	require.NoError(t, err)
	valid := 0
	for _, p := range list {
		if p.Valid {
			valid++
		}
	}
	require.Equal(t, 16+2+1, valid, "all of the flag, the keys, and one variation of the prerequisite")
}

func TestATemplateWithValuesIsKnownAgainAfterAnUnknownOutcome(t *testing.T) {
	store := &unsure{Store: memoryStore(t), does: true, then: func() {}}
	e := engineOn(t, store, flagstage.WithFlagSource(&knownFlags{list: []flags.Flag{banner(t), lamp(t)}}))
	kept, err := e.CreateTemplate(t.Context(), alice, inputOf(written(t, rollout, prerequisite)))
	require.NoError(t, err, "it was written, and is there")
	requireValues(t, kept.Template, true)
}
