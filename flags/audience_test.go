package flags_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/flags"
)

func population(t testing.TB, kind string, size int, seed uint64, attributes ...flags.AttributeShares) flags.Population {
	p, err := flags.NewPopulation(kind, size, seed, attributes...)
	require.NoError(t, err)
	return p
}

func shares(name string, list ...flags.ValueShare) flags.AttributeShares {
	return flags.AttributeShares{Name: name, Values: list}
}

func share(value string, weight int) flags.ValueShare {
	return flags.ValueShare{Value: flags.StringValue(value), Weight: weight}
}

func TestPopulationRepeats(t *testing.T) {
	attributes := []flags.AttributeShares{
		shares("plan", share("pro", 1), share("none", 0), flags.ValueShare{Weight: 1}, share("free", 2)),
		shares("anonymous", flags.ValueShare{Value: flags.BoolValue(true), Weight: 1}, flags.ValueShare{Value: flags.BoolValue(false), Weight: 3}),
	}
	p := population(t, "", 4, 7, attributes...)
	var got []string
	for c := range p.Contexts() {
		got = append(got, c.String())
	}
	require.Equal(t, []string{
		`{"kind":"user","key":"user-b8b4c2977eabce45","plan":"free"}`,
		`{"kind":"user","key":"user-27e8ac81e7bc3b89","anonymous":true,"plan":"free"}`,
		`{"kind":"user","key":"user-dfd64551e2e186eb","plan":"free"}`,
		`{"kind":"user","key":"user-f53a29a2695577c0","anonymous":true,"plan":"pro"}`,
	}, got, "these bytes are a promise")
	require.Equal(t, 4, p.Len())
	require.True(t, p.Context(4).IsZero())
	require.True(t, p.Context(-1).IsZero())

	larger := population(t, "user", 1000, 7, append(slices.Clone(attributes), shares("country", share("no", 1), share("se", 1)))...)
	for i := range p.Len() {
		require.Equal(t, p.Context(i).Key(), larger.Context(i).Key())
		require.Equal(t, p.Context(i).Anonymous(), larger.Context(i).Anonymous())
	}
	keys, counts := map[string]bool{}, map[string]int{}
	for c := range larger.Contexts() {
		keys[c.Key()] = true
		again := decodeContext(t, c.String())
		require.Equal(t, c.String(), again.String())
		for a := range c.Attributes() {
			counts[a.Value.String()]++
		}
	}
	require.Len(t, keys, 1000)
	require.NotContains(t, counts, `"none"`)
	require.InDelta(t, 250, counts[`"pro"`], 50)
	require.InDelta(t, 500, counts[`"free"`], 50)
	require.InDelta(t, 500, counts[`"no"`], 50)
	require.NotEqual(t, p.Context(0).Key(), population(t, "", 4, 8).Context(0).Key())

	var zero flags.Population
	require.Zero(t, zero.Len())
	require.Empty(t, slices.Collect(zero.Contexts()))
}

func TestPopulationsThatCannotBeMade(t *testing.T) {
	for says, make := range map[string]func() (flags.Population, error){
		"there cannot be -1 contexts": func() (flags.Population, error) { return flags.NewPopulation("", -1, 0) },
		`is "a b"`:                    func() (flags.Population, error) { return flags.NewPopulation("a b", 1, 0) },
		`"x" has no value with a share`: func() (flags.Population, error) {
			return flags.NewPopulation("", 1, 0, shares("x", share("a", 0)))
		},
		`"x" is given twice`: func() (flags.Population, error) {
			return flags.NewPopulation("", 1, 0, shares("x", share("a", 1)), shares("x", share("a", 1)))
		},
		"a share of -1": func() (flags.Population, error) { return flags.NewPopulation("", 1, 0, shares("x", share("a", -1))) },
		"a share of 1000000001": func() (flags.Population, error) {
			return flags.NewPopulation("", 1, 0, shares("x", share("a", 1_000_000_001)))
		},
		"must be given as the kind or key": func() (flags.Population, error) { return flags.NewPopulation("", 1, 0, shares("key", share("a", 1))) },
		"must be true or false": func() (flags.Population, error) {
			return flags.NewPopulation("", 1, 0, shares("anonymous", share("a", 1)))
		},
	} {
		p, err := make()
		require.ErrorIs(t, err, flags.ErrInvalidRequest)
		require.ErrorContains(t, err, says)
		require.Zero(t, p.Len())
	}
}

// rollout returns a flag that serves the first variation to a share of the
// contexts, in thousandths of a percent, and the second one to the others.
func rollout(t testing.TB, weight int, more string) flags.Flag {
	return telescope(t, "f", fmt.Sprintf(`"on":true,"salt":"s","offVariation":1,"fallthrough":{"rollout":{"contextKind":"user","variations":[`+
		`{"variation":0,"weight":%d},{"variation":1,"weight":%d}]}}%s`, weight, flags.FullWeight-weight, more))
}

func TestSurvey(t *testing.T) {
	people := population(t, "", 10_000, 1, shares("country", share("no", 1), share("se", 3)))
	from := rollout(t, 10_000, "")
	to := rollout(t, 25_000, `,"rules":[{"_id":"norway","variation":2,"clauses":[{"contextKind":"user","attribute":"country","op":"in","values":["no"]}]}]`)
	a := flags.Survey(from, to, "e", people.Contexts(), nil)
	require.Equal(t, 10_000, a.Contexts)
	require.Len(t, a.Shares, 3)
	require.Equal(t, a, flags.Survey(from, to, "e", people.Contexts(), nil))

	before, after, switched, total := 0, 0, 0, 0
	for _, s := range a.Shares {
		before, after = before+s.Before, after+s.After
		require.LessOrEqual(t, s.Stay, min(s.Before, s.After))
	}
	for _, m := range a.Moves {
		total += m.Contexts
		if m.From.Variation != m.To.Variation {
			switched += m.Contexts
			require.True(t, m.Switches())
		}
	}
	require.Equal(t, [3]int{10_000, 10_000, 10_000}, [3]int{before, after, total})
	require.Equal(t, switched, a.Switched())
	norwegians := 0
	for c := range people.Contexts() {
		for attribute := range c.Attributes() {
			if attribute.Value.String() == `"no"` {
				norwegians++
			}
		}
	}
	require.Equal(t, flags.AudienceShare{Value: flags.StringValue("c"), From: 2, To: 2, After: norwegians}, a.Shares[2])
	require.InDelta(t, 1_000, a.Shares[0].Before, 120)
	require.True(t, slices.IsSortedFunc(a.Moves, func(a, b flags.Move) int { return b.Contexts - a.Contexts }))
	text, err := json.Marshal(a)
	require.NoError(t, err)
	require.True(t, json.Valid(text))
	require.Contains(t, string(text), fmt.Sprintf(`{"value":"c","before":0,"after":%d,"stay":0}`, norwegians))
	require.Contains(t, string(text), `"ruleId":"norway"`)
}

func TestSurveyOfChangedVariations(t *testing.T) {
	people := population(t, "", 100, 1)
	serve := func(values, served string) flags.Flag {
		f, problems := flags.DecodeFlag([]byte(`{"key":"f","kind":"multivariate","variations":[` + values + `],"environments":{"e":{"on":true` + served + `}}}`))
		require.NoError(t, problems.Err())
		return f
	}
	one := serve(`{"value":1},{"value":2}`, `,"fallthrough":{"variation":1}`)
	moved := serve(`{"value":2.0},{"value":3}`, `,"fallthrough":{"variation":0}`)
	a := flags.Survey(one, moved, "e", people.Contexts(), nil)
	require.Zero(t, a.Switched(), "values tell variations apart")
	value := func(text string) flags.Value {
		v, err := flags.ParseValue(text)
		require.NoError(t, err)
		return v
	}
	require.Equal(t, []flags.AudienceShare{
		{Value: value(`2.0`), From: 1, To: 0, Before: 100, After: 100, Stay: 100},
		{Value: value(`3`), From: -1, To: 1},
		{Value: value(`1`), From: 0, To: -1},
	}, a.Shares)

	silent := serve(`{"value":1}`, ``)
	a = flags.Survey(flags.Flag{}, silent, "e", people.Contexts(), nil)
	require.Equal(t, []flags.AudienceShare{{Value: value(`1`), From: -1, To: 0}, {From: -1, To: -1, Before: 100, After: 100, Stay: 100}}, a.Shares)
	require.Equal(t, flags.ErrorFlagNotFound, a.Moves[0].From.Reason.ErrorKind)
	require.Equal(t, flags.ErrorMalformedFlag, a.Moves[0].To.Reason.ErrorKind)

	require.Equal(t, `{"contexts":0,"switched":0,"values":[],"moves":[]}`, string(flags.Audience{}.AppendJSON(nil)))
}

func TestSurveyByManyRules(t *testing.T) {
	rules, values := "", []flags.ValueShare{}
	for i := range 40 {
		value := fmt.Sprint("team-", i)
		rules += fmt.Sprintf(`,{"_id":%q,"variation":1,"clauses":[%s]}`, value, clauseOf("user", "team", "in", `"`+value+`"`))
		values = append(values, share(value, 1))
	}
	people := population(t, "", 4_000, 1, shares("team", values...))
	a := flags.Survey(telescope(t, "f", on), telescope(t, "f", on+`,"rules":[`+rules[1:]+`]`), "e", people.Contexts(), nil)
	require.Len(t, a.Moves, 40)
	total, seen := 0, map[string]bool{}
	for _, m := range a.Moves {
		total += m.Contexts
		seen[m.To.Reason.RuleID] = true
	}
	require.Equal(t, 4_000, total)
	require.Len(t, seen, 40)
}

// TestWhoIsInStaysInWhenARolloutGrows holds for each context what staged
// releases are made of.
func TestWhoIsInStaysInWhenARolloutGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people, err := flags.NewPopulation("", 500, rapid.Uint64().Draw(t, "seed"))
		require.NoError(t, err)
		weights := rapid.SliceOfN(rapid.IntRange(0, flags.FullWeight), 2, 5).Draw(t, "weights")
		slices.Sort(weights)
		decode := func(weight int) flags.Flag {
			f, problems := flags.DecodeFlag([]byte(fmt.Sprintf(`{"key":"f","kind":"boolean","variations":[{"value":true},{"value":false}],"environments":{"e":{"on":true,"salt":"s",`+
				`"fallthrough":{"rollout":{"variations":[{"variation":0,"weight":%d},{"variation":1,"weight":%d}]}}}}}`, weight, flags.FullWeight-weight)))
			require.NoError(t, problems.Err())
			return f
		}
		for i := 1; i < len(weights); i++ {
			a := flags.Survey(decode(weights[i-1]), decode(weights[i]), "e", people.Contexts(), nil)
			require.Equal(t, a.Shares[0].Before, a.Shares[0].Stay, "all that were in are in")
			require.Equal(t, a.Switched(), a.Shares[0].After-a.Shares[0].Before)
		}
	})
}

// TestSurveyKeepsNoContexts holds that the memory does not grow with the number
// of contexts.
func TestSurveyKeepsNoContexts(t *testing.T) {
	people := population(t, "", 200_000, 1, shares("country", share("no", 1), share("se", 3)))
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var first, last uint64
	n := 0
	contexts := func(yield func(flags.Context) bool) {
		for c := range people.Contexts() {
			switch n++; n {
			case 1_000:
				first = live()
			case 200_000:
				last = live()
			}
			if !yield(c) {
				return
			}
		}
	}
	a := flags.Survey(rollout(t, 10_000, ""), rollout(t, 50_000, ""), "e", contexts, nil)
	require.Equal(t, 200_000, a.Contexts)
	require.Less(t, int64(last)-int64(first), int64(1<<20), "%d, then %d", first, last)
}

func BenchmarkSurvey(b *testing.B) {
	people := population(b, "", 10_000, 1, shares("country", share("no", 1), share("se", 3)), shares("plan", share("pro", 1), share("free", 3)))
	from, to := rollout(b, 10_000, ""), rollout(b, 25_000, ruleOf(clauseOf("user", "country", "in", `"no"`)))
	b.ReportAllocs()
	for b.Loop() {
		flags.Survey(from, to, "e", people.Contexts(), nil)
	}
}
