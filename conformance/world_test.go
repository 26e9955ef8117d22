package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
)

const environment = "production"

// world is a project in one environment, as both sides see it.
type world struct {
	flags     []pair
	known     flags.Known
	evaluator evaluation.Evaluator

	theirFlags    map[string]*ldmodel.FeatureFlag
	theirSegments map[string]*ldmodel.Segment
}

// pair is a flag on both sides.
type pair struct {
	ours   flags.Flag
	theirs *ldmodel.FeatureFlag
}

// GetFeatureFlag makes the world a source of flags for the SDK.
func (w *world) GetFeatureFlag(key string) *ldmodel.FeatureFlag { return w.theirFlags[key] }

// GetSegment makes the world a source of segments for the SDK.
func (w *world) GetSegment(key string) *ldmodel.Segment { return w.theirSegments[key] }

// object is a JSON object to be written.
type object map[string]any

// newWorld makes a world of documents. Both sides read the same, but for the
// spelling of experiments: the object that says what a flag serves in an
// environment is, together with key and variations of the flag, what the SDK
// reads.
func newWorld(t testing.TB, variations map[string][]any, environments, segments map[string]object) *world {
	w := &world{theirFlags: map[string]*ldmodel.FeatureFlag{}, theirSegments: map[string]*ldmodel.Segment{}}
	var ours []flags.Flag
	for _, key := range sortedKeys(environments) {
		list := []object{}
		for i, v := range variations[key] {
			list = append(list, object{"_id": fmt.Sprintf("%s-%d", key, i), "value": v})
		}
		document := write(t, object{
			"key": key, "kind": "multivariate", "variations": list, "environments": object{environment: environments[key]},
		})
		f, problems := flags.DecodeFlag(document)
		require.NoError(t, problems.Err(), "%s", document)

		read := maps.Clone(environments[key])
		read["key"], read["variations"] = key, variations[key]
		theirs := new(ldmodel.FeatureFlag)
		require.NoError(t, json.Unmarshal(write(t, forSDK(read)), theirs))

		w.flags = append(w.flags, pair{f, theirs})
		w.theirFlags[key] = theirs
		ours = append(ours, f)
	}
	var ourSegments []flags.Segment
	for _, key := range sortedKeys(segments) {
		document := write(t, segments[key])
		s, problems := flags.DecodeSegment(document)
		require.NoError(t, problems.Err(), "%s", document)
		theirs := new(ldmodel.Segment)
		require.NoError(t, json.Unmarshal(document, theirs))
		w.theirSegments[key] = theirs
		ourSegments = append(ourSegments, s)
	}
	w.known = flags.NewKnown(ours, ourSegments)
	w.evaluator = evaluation.NewEvaluator(w)
	return w
}

// forSDK returns a value in which rollouts say as the SDK reads it what they say
// in the spelling of the REST API: that they are of an experiment, and which
// variations are not tracked.
func forSDK(v any) any {
	switch v := v.(type) {
	case []object:
		list := []any{}
		for _, o := range v {
			list = append(list, forSDK(o))
		}
		return list
	case object:
		o := object{}
		for name, member := range v {
			o[name] = forSDK(member)
		}
		if o["experimentAllocation"] != nil && o["kind"] == nil {
			o["kind"] = "experiment"
		}
		if o["_untracked"] != nil {
			o["untracked"] = o["_untracked"]
		}
		return o
	}
	return v
}

func write(t testing.TB, v any) []byte {
	document, err := json.Marshal(v)
	require.NoError(t, err)
	return document
}

// person is a context on both sides.
type person struct {
	ours   flags.Context
	theirs ldcontext.Context
}

func newPerson(t testing.TB, document []byte) person {
	c, problems := flags.DecodeContext(document)
	require.NoError(t, problems.Err(), "%s", document)
	var theirs ldcontext.Context
	require.NoError(t, json.Unmarshal(document, &theirs), "%s", document)
	return person{c, theirs}
}

// generator draws worlds and contexts.
type generator struct {
	*rand.Rand
	ids int
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// some returns some of a list, in another order.
func some[T any](g *generator, most int, list ...T) []T {
	result := make([]T, 0, most)
	for _, i := range g.Perm(len(list))[:g.IntN(min(most, len(list))+1)] {
		result = append(result, list[i])
	}
	return result
}

func (g *generator) id() string {
	g.ids++
	return fmt.Sprint("id-", g.ids)
}

var (
	flagKeys    = []string{"alpha", "beta", "gamma", "delta"}
	segmentKeys = []string{"staff", "testers", "nordic", "large", "odd"}
	contextKeys = []string{"ada", "bo", "cy", "dan", "eve"}
	kinds       = []string{"user", "device", "org"}

	words   = []any{"se", "no", "Norway", "", "a.c", "abc", "Beta", "x/y", "~", "æøå", "<&>", "é", "user", "device"}
	numbers = []any{0, 1, -1, 3, 3.5, 1e3, 1000, 99999, 1e21, 9007199254740993, 0.1, json.RawMessage("-0.0")}
	truths  = []any{true, false}
	dates   = []any{
		"2026-03-02T09:00:00Z", "2026-03-02T10:00:00+01:00", "2026-03-02t09:00:00.5z", "2026-03-02T9:00:00Z", "2026-02-31T00:00:60Z",
		"2026-03-02", "2026-03-02T09:00:00", "2026-03-02T09:00:00+99:59", "2026-03-02T09:00:00Zulu", "2026-03-02T09:00:00.1234567890Z",
		"0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-03-02T09:00:00.é", "2026-03-02T09:00:00.+01:00", "2026-03-02T09:00:00+01:0é",
		"2026-03-02T09:00:00-0é", "2026-13-02T09:00:00Z", "2026-03-02T09:60:00Z", 1772442000000, 1772442000000.75, 1772442000001, 0, -1, 1e18, 1e300,
	}
	versions = []any{
		"1", "1.0", "1.0.0", "1.0.0+build", "1+other", "1.0.0", "1", "2.0+x", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-2", "1.0.0-10", "2", "2.1.3", "10.0",
		"01.0.0", "1.0.0-01", "1.0.0-", "1.0.0+", "1.0.0.0", "1..0", "v1.0.0", "1.0.0-a_b", "1-x+y-z", "1.0.0-é", "18446744073709551617.0.0", "1.0.0-0a", "-1",
	}
	patterns = []any{"^n", "o$", "[a-c]+", "(?i)beta", "a.c", "(", "[", "\\d{2,3}", "x{1001}", "", "é|æ", "^\\p{L}+$", "a{2}"}
	numeric  = []any{"12", 12, 12.5, "abc12"}

	attributes = []string{
		"country", "age", "beta", "groups", "version", "since", "/address/city", "/address/geo/zip", "address", "name", "key", "kind", "anonymous",
		"/country", "/x~1y", "x/y", "/t~0t", "t~t", "/lost/city", "missing", "/kind", "/groups/0", "slash", "/name", "email",
	}
	badAttributes = []string{"/", "//", "/address/", "/address//city", "/a~2", "/a~"}

	operators = []string{
		"in", "endsWith", "startsWith", "matches", "contains", "lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual",
		"before", "after", "segmentMatch", "semVerEqual", "semVerLessThan", "semVerGreaterThan",
	}
)

// bent returns a value, or sometimes a string that is spelled a little
// differently.
func (g *generator) bent(v any) any {
	text, ok := v.(string)
	if !ok || g.chance(88) {
		return v
	}
	runes := []rune(text)
	i := g.IntN(len(runes) + 1)
	j := min(i+g.IntN(2), len(runes))
	more := []rune(pick(g, "", "0", "1", "9", ".", "-", "+", ":", "T", "Z", "z", "a", "é", " ", "(", "~"))
	return string(slices.Concat(runes[:i], more, runes[j:]))
}

// anything returns a scalar, or sometimes more than that.
func (g *generator) anything(nulls bool) any {
	switch g.IntN(9) {
	case 0:
		return pick(g, numbers...)
	case 1:
		return pick(g, truths...)
	case 2:
		return pick(g, dates...)
	case 3:
		return pick(g, versions...)
	case 4:
		return pick(g, numeric...)
	case 5:
		if nulls && g.chance(30) {
			return nil
		}
		if g.chance(30) {
			return pick[any](g, []any{}, []any{"se", 1}, object{"city": "no"}, object{})
		}
	}
	return pick(g, words...)
}

// context draws the document of a context.
func (g *generator) context() []byte {
	var document object
	switch n := g.IntN(10); {
	case n == 0:
		document = g.formerUser()
	case n < 4:
		document = object{"kind": "multi"}
		for _, kind := range kinds {
			if g.chance(70) || len(document) == 1 && kind == "org" {
				document[kind] = g.part(object{})
			}
		}
	default:
		document = g.part(object{"kind": pick(g, "user", "user", "user", "device", "org", "a.b_C-9")})
	}
	text, _ := json.Marshal(document)
	return text
}

func (g *generator) key() string {
	if g.chance(50) {
		return pick(g, contextKeys...)
	}
	return fmt.Sprint("key-", g.IntN(1_000_000))
}

func (g *generator) part(part object) object {
	part["key"] = g.key()
	if g.chance(30) {
		part["anonymous"] = g.chance(50)
	}
	if g.chance(30) {
		part["name"] = pick[any](g, "Ada", "", nil, "Norway")
	}
	if g.chance(10) {
		part["_meta"] = pick[any](g, nil, object{}, object{"privateAttributes": []string{"country"}}, object{"privateAttributes": nil, "x": 1})
	}
	g.fill(part)
	return part
}

// fill adds attributes.
func (g *generator) fill(part object) {
	for _, a := range []struct {
		name   string
		values []any
	}{{"country", words}, {"age", numbers}, {"beta", truths}, {"version", versions}, {"since", dates}, {"x/y", words}, {"t~t", words}, {"email", words}} {
		switch {
		case g.chance(60):
			part[a.name] = g.bent(pick(g, a.values...))
		case g.chance(30):
			part[a.name] = g.anything(true)
		}
	}
	if g.chance(60) {
		list := []any{}
		for range g.IntN(4) {
			list = append(list, g.anything(true))
		}
		part["groups"] = list
	}
	if g.chance(50) {
		part["address"] = object{"city": g.anything(true), "geo": object{"zip": g.anything(true), "more": []any{1}}}
	}
	if g.chance(5) {
		for i := range 30 {
			part[fmt.Sprint("filler", i)] = i
		}
	}
}

func (g *generator) formerUser() object {
	user := object{"key": pick(g, g.key(), g.key(), "")}
	for _, name := range []string{"firstName", "lastName", "email", "country", "avatar", "ip", "name", "secondary"} {
		if g.chance(40) {
			user[name] = pick[any](g, "se", "no", "abc", nil, "")
		}
	}
	if g.chance(40) {
		user["anonymous"] = pick[any](g, true, false, nil)
	}
	if g.chance(60) {
		custom := object{}
		g.fill(custom)
		if g.chance(20) {
			custom["key"], custom["kind"], custom["_meta"] = "other", "device", 1
		}
		user["custom"] = custom
	}
	if g.chance(20) {
		user["privateAttributeNames"] = []string{"email", "/x"}
	}
	if g.chance(20) {
		user["nonsense"] = object{"a": 1}
	}
	return user
}

// world draws flags and segments.
func (g *generator) world(t testing.TB) *world {
	variations := map[string][]any{}
	environments, segments := map[string]object{}, map[string]object{}
	for _, key := range flagKeys {
		if key != "alpha" && g.chance(10) {
			continue // some prerequisites are missing
		}
		variations[key] = []any{"one", 2, object{"three": 3}}[:1+g.IntN(3)]
		environments[key] = g.environment(len(variations[key]))
	}
	for _, key := range segmentKeys {
		if !g.chance(15) {
			segments[key] = g.segment(key)
		}
	}
	return newWorld(t, variations, environments, segments)
}

func (g *generator) environment(variations int) object {
	index := func() int { return g.IntN(variations) }
	e := object{
		"on": g.chance(92), "salt": pick(g, "salt", "", "pepper"), "targets": []object{}, "contextTargets": []object{},
		"trackEvents": g.chance(50), "trackEventsFallthrough": g.chance(50),
	}
	if g.chance(80) {
		e["offVariation"] = index()
	}
	prerequisites := []object{}
	if g.chance(25) {
		for _, key := range some(g, 2, flagKeys...) {
			prerequisites = append(prerequisites, object{"key": key, "variation": g.IntN(2)})
		}
	}
	e["prerequisites"] = prerequisites
	if g.chance(50) {
		e["targets"], e["contextTargets"] = g.targets(variations)
	}
	rules := []object{}
	for range g.IntN(5) {
		rule := object{"clauses": g.clauses(), "trackEvents": g.chance(50)}
		if g.chance(90) {
			id := g.id()
			rule["_id"], rule["id"] = id, id
		}
		g.serves(rule, variations)
		rules = append(rules, rule)
	}
	e["rules"] = rules
	if g.chance(97) {
		served := object{}
		g.serves(served, variations)
		e["fallthrough"] = served
	}
	return e
}

// targets draws lists in which no context stands twice. Some lists of users have
// no place among those of all kinds.
func (g *generator) targets(variations int) (users, contexts []object) {
	users, contexts = []object{}, []object{}
	for _, kind := range kinds {
		keys := some(g, len(contextKeys), contextKeys...)
		for i := range variations {
			n := g.IntN(len(keys) + 1)
			mine := keys[:n]
			keys = keys[n:]
			for j := range g.IntN(2) * 15 {
				mine = append(mine[:len(mine):len(mine)], fmt.Sprint(kind, i, "-", j))
			}
			if g.chance(20) {
				continue
			}
			list := object{"variation": i, "values": mine}
			if kind != "user" {
				list["contextKind"] = kind
				contexts = append(contexts, list)
				continue
			}
			users = append(users, list)
			if g.chance(80) {
				contexts = append(contexts, pick(g,
					object{"variation": i, "values": []string{}, "contextKind": "user"}, object{"variation": i, "values": []string{}}))
			}
		}
	}
	g.Shuffle(len(contexts), func(i, j int) { contexts[i], contexts[j] = contexts[j], contexts[i] })
	if g.chance(30) {
		contexts = contexts[:0]
	}
	return users, contexts
}

// serves draws what is served.
func (g *generator) serves(o object, variations int) {
	if g.chance(55) {
		o["variation"] = g.IntN(variations)
		return
	}
	rollout := object{}
	if g.chance(80) {
		rollout["contextKind"] = pick(g, "user", "user", "device", "org", "nobody", "multi")
	}
	if g.chance(40) {
		rollout["bucketBy"] = g.attribute(8)
	}
	if g.chance(30) {
		rollout["seed"] = pick[any](g, 0, 1, 61, -5, 9007199254740993)
	}
	allocation := object{"defaultVariation": 0, "canReshuffle": true}
	switch g.IntN(20) {
	case 0, 1, 2:
		rollout["kind"] = "experiment"
	case 3, 4:
		rollout["experimentAllocation"] = allocation
	case 5:
		rollout["kind"], rollout["experimentAllocation"] = "experiment", allocation
	case 6:
		rollout["kind"], rollout["experimentAllocation"] = "rollout", allocation
	case 7, 8:
		rollout["kind"] = "rollout"
	}
	spellings := pick(g, []string{"untracked"}, []string{"_untracked"}, []string{"untracked", "_untracked"})
	left := 100_000
	weights := []object{}
	for i := range 1 + g.IntN(4) {
		weight := g.IntN(left + 1)
		if i == 3 || g.chance(20) {
			weight = left
		}
		left -= weight
		w := object{"variation": g.IntN(variations), "weight": weight}
		if g.chance(40) {
			untracked := g.chance(70)
			for _, name := range spellings {
				w[name] = untracked
			}
		}
		weights = append(weights, w)
	}
	rollout["variations"] = weights
	o["rollout"] = rollout
}

func (g *generator) attribute(percentBad int) string {
	if g.chance(percentBad) {
		return pick(g, badAttributes...)
	}
	return pick(g, attributes...)
}

// clauses draws clauses; the operators given are drawn more often than others.
func (g *generator) clauses(often ...string) []object {
	clauses := []object{}
	for range pick(g, 0, 1, 1, 1, 1, 1, 1, 2, 3) {
		clauses = append(clauses, g.clause(pick(g, slices.Concat(operators, often)...)))
	}
	return clauses
}

func (g *generator) clause(op string) object {
	cl := object{"op": op, "negate": g.chance(25), "attribute": g.attribute(1)}
	if g.chance(85) {
		cl["contextKind"] = pick(g, "user", "user", "user", "device", "org", "", "multi")
	}
	fitting, attribute := words, "country"
	switch op {
	case "segmentMatch":
		cl["values"] = some(g, 3, append([]string{"unknown"}, segmentKeys...)...)
		cl["attribute"] = pick(g, "", "segmentMatch")
		return cl
	case "matches":
		fitting = patterns
	case "lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual":
		fitting, attribute = numbers, "age"
	case "before", "after":
		fitting, attribute = dates, "since"
	case "semVerEqual", "semVerLessThan", "semVerGreaterThan":
		fitting, attribute = versions, "version"
	}
	if g.chance(70) {
		cl["attribute"] = attribute
	}
	values := []any{}
	for range pick(g, 0, 1, 1, 2, 3, 4, 12) {
		if g.chance(85) {
			values = append(values, g.bent(pick(g, fitting...)))
		} else {
			values = append(values, g.anything(true))
		}
	}
	cl["values"] = values
	return cl
}

func (g *generator) segment(key string) object {
	s := object{"key": key, "version": 1, "salt": pick(g, "salt", "", "s")}
	for _, name := range []string{"included", "excluded"} {
		if g.chance(40) {
			s[name] = some(g, 3, contextKeys...)
		}
		if g.chance(40) {
			lists := []object{}
			for range g.IntN(3) {
				list := object{"values": some(g, 3, contextKeys...)}
				if g.chance(85) {
					list["contextKind"] = pick(g, kinds...)
				}
				lists = append(lists, list)
			}
			s[name+"Contexts"] = lists
		}
	}
	rules := []object{}
	for range g.IntN(3) {
		id := g.id()
		rule := object{"_id": id, "id": id, "clauses": g.clauses("segmentMatch", "segmentMatch", "segmentMatch", "segmentMatch")}
		if g.chance(50) {
			rule["weight"] = pick[any](g, 0, 30_000, 50_000, 100_000, nil)
		}
		if g.chance(30) {
			rule["bucketBy"] = g.attribute(5)
		}
		if g.chance(60) {
			rule["rolloutContextKind"] = pick(g, "user", "device", "org", "multi")
		}
		rules = append(rules, rule)
	}
	s["rules"] = rules
	if g.chance(10) {
		s["unbounded"] = true
		if g.chance(70) {
			s["generation"] = 2
		}
		if g.chance(60) {
			s["unboundedContextKind"] = pick(g, kinds...)
		}
	}
	return s
}
