package flags_test

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/flagstagetest"
)

// telescope returns a flag of three variations with an environment "e" of these
// members.
func telescope(t testing.TB, key, members string) flags.Flag {
	f, problems := flags.DecodeFlag([]byte(`{"key":"` + key + `","kind":"multivariate","variations":[{"value":"a"},{"_id":"v","value":"b"},{"value":"c"}],` +
		`"environments":{"e":{` + members + `}}}`))
	require.NoError(t, problems.Err(), members)
	return f
}

// on begins the members of an environment that serves the first variation by
// default and the last one when it is off.
const on = `"on":true,"salt":"s","fallthrough":{"variation":0},"offVariation":2`

// ruleOf returns the member rules: one that serves the second variation.
func ruleOf(clauses ...string) string {
	return `,"rules":[{"_id":"r","variation":1,"clauses":[` + strings.Join(clauses, ",") + `]}]`
}

func clauseOf(contextKind, attribute, op, values string) string {
	return fmt.Sprintf(`{"contextKind":%q,"attribute":%q,"op":%q,"values":[%s]}`, contextKind, attribute, op, values)
}

func negated(clause string) string { return strings.TrimSuffix(clause, "}") + `,"negate":true}` }

const (
	servesDefault = `0 {"kind":"FALLTHROUGH"}`
	servesRule    = `1 {"kind":"RULE_MATCH","ruleIndex":0,"ruleId":"r"}`
	servesNothing = `-1 {"kind":"ERROR","errorKind":"MALFORMED_FLAG"}`
)

func served(e flags.Evaluation) string {
	return fmt.Sprintf("%d %s", e.Variation, e.Reason.AppendJSON(nil))
}

func TestEvaluate(t *testing.T) {
	others := flags.NewKnown([]flags.Flag{
		{},
		telescope(t, "same", on),
		telescope(t, "off", `"on":false,"offVariation":0`),
		telescope(t, "silent", `"on":true`),
		telescope(t, "waits", on+`,"prerequisites":[{"key":"off","variation":0}]`),
		telescope(t, "ring", on+`,"prerequisites":[{"key":"gnir","variation":0}]`),
		telescope(t, "gnir", on+`,"prerequisites":[{"key":"ring","variation":0}]`),
		telescope(t, "wrong", on+ruleOf(clauseOf("user", "//", "in", "1"))),
	}, []flags.Segment{
		{},
		decodeSegment(t, `{"key":"listed","included":["ada"],"excluded":["bo"],"rules":[{"clauses":[]}]}`),
		decodeSegment(t, `{"key":"devices","includedContexts":[{"contextKind":"device","values":["d"]},{"contextKind":"user","values":["bo"]}],
			"excludedContexts":[{"contextKind":"org","values":["o"]}],"rules":[{"clauses":[]}]}`),
		decodeSegment(t, `{"key":"nested","rules":[{"clauses":[{"op":"segmentMatch","values":["none","listed"]}]}]}`),
		decodeSegment(t, `{"key":"ring","rules":[{"clauses":[{"op":"segmentMatch","values":["gnir"]}]}]}`),
		decodeSegment(t, `{"key":"gnir","rules":[{"clauses":[{"op":"segmentMatch","values":["ring"]}]}]}`),
		decodeSegment(t, `{"key":"deleted","deleted":true,"included":["ada"]}`),
		decodeSegment(t, `{"key":"all","rules":[{"clauses":[],"weight":100000}]}`),
		decodeSegment(t, `{"key":"orgs","rules":[{"clauses":[],"weight":100000,"rolloutContextKind":"org"}]}`),
		decodeSegment(t, `{"key":"badly","rules":[{"clauses":[],"weight":1,"bucketBy":"//","rolloutContextKind":"user"}]}`),
		decodeSegment(t, `{"key":"unbounded","unbounded":true,"generation":1,"rules":[{"clauses":[]}]}`),
		decodeSegment(t, `{"key":"unready","unbounded":true,"rules":[{"clauses":[]}]}`),
	})
	const ada = `{"kind":"user","key":"ada","country":"no","groups":["x",["y"],null,3],"home":{"city":"Oslo","/":{"~":1}},"none":[]}`
	const bo = `{"kind":"user","key":"bo"}`
	const both = `{"kind":"multi","user":{"key":"ada"},"device":{"key":"d","os":"x"}}`
	segment := func(keys string) string { return ruleOf(`{"op":"segmentMatch","values":[` + keys + `]}`) }
	for name, c := range map[string]struct{ members, context, want string }{
		"off":                          {`"on":false,"offVariation":2`, ada, `2 {"kind":"OFF"}`},
		"off without variation":        {`"on":false`, ada, `-1 {"kind":"OFF"}`},
		"default rule":                 {on, ada, servesDefault},
		"default rule that is missing": {`"on":true`, ada, servesNothing},

		"prerequisite that is met":           {on + `,"prerequisites":[{"key":"same","variation":0}]`, ada, servesDefault},
		"prerequisite that serves another":   {on + `,"prerequisites":[{"key":"same","variation":1}]`, ada, `2 {"kind":"PREREQUISITE_FAILED","prerequisiteKey":"same"}`},
		"prerequisite that is off":           {on + `,"prerequisites":[{"key":"off","variation":0}]`, ada, `2 {"kind":"PREREQUISITE_FAILED","prerequisiteKey":"off"}`},
		"prerequisite that serves nothing":   {on + `,"prerequisites":[{"key":"silent","variation":0}]`, ada, `2 {"kind":"PREREQUISITE_FAILED","prerequisiteKey":"silent"}`},
		"prerequisite that is missing":       {on + `,"prerequisites":[{"key":"none","variation":0}]`, ada, `2 {"kind":"PREREQUISITE_FAILED","prerequisiteKey":"none"}`},
		"prerequisite with a failed one":     {on + `,"prerequisites":[{"key":"waits","variation":2}]`, ada, servesDefault},
		"prerequisites in a circle":          {on + `,"prerequisites":[{"key":"ring","variation":0}]`, ada, servesNothing},
		"prerequisite that makes no sense":   {on + `,"prerequisites":[{"key":"wrong","variation":0}]`, ada, servesNothing},
		"prerequisite without off variation": {`"on":true,"prerequisites":[{"key":"off","variation":0}]`, ada, `-1 {"kind":"PREREQUISITE_FAILED","prerequisiteKey":"off"}`},

		"user target":                     {on + `,"targets":[{"variation":1,"values":["ada"]}]`, ada, `1 {"kind":"TARGET_MATCH"}`},
		"target of another kind":          {on + `,"contextTargets":[{"variation":1,"values":["ada"],"contextKind":"device"}]`, ada, servesDefault},
		"target of a part":                {on + `,"contextTargets":[{"variation":1,"values":["d"],"contextKind":"device"}]`, both, `1 {"kind":"TARGET_MATCH"}`},
		"targets in the order of all":     {on + `,"targets":[{"variation":1,"values":["ada"]}],"contextTargets":[{"variation":2,"values":["d"],"contextKind":"device"},{"variation":1,"values":[]}]`, both, `2 {"kind":"TARGET_MATCH"}`},
		"user target with a place":        {on + `,"targets":[{"variation":1,"values":["ada"]}],"contextTargets":[{"variation":1,"values":[],"contextKind":"user"}]`, ada, `1 {"kind":"TARGET_MATCH"}`},
		"user target without a place":     {on + `,"targets":[{"variation":1,"values":["ada"]}],"contextTargets":[{"variation":1,"values":["d"],"contextKind":"device"}]`, ada, servesDefault},
		"place without a list":            {on + `,"contextTargets":[{"variation":1,"values":[]}]`, ada, servesDefault},
		"target that comes before a rule": {on + ruleOf() + `,"targets":[{"variation":2,"values":["ada"]}]`, ada, `2 {"kind":"TARGET_MATCH"}`},

		"rule without clauses":       {on + ruleOf(), ada, servesRule},
		"rule that is disabled":      {on + `,"rules":[{"_id":"r","disabled":true,"variation":1,"clauses":[]}]`, ada, servesDefault},
		"second rule":                {on + `,"rules":[{"disabled":true,"variation":1,"clauses":[]},{"variation":2,"clauses":[]}]`, ada, `2 {"kind":"RULE_MATCH","ruleIndex":1}`},
		"all clauses":                {on + ruleOf(clauseOf("user", "country", "in", `"no"`), clauseOf("user", "key", "in", `"ada"`)), ada, servesRule},
		"not all clauses":            {on + ruleOf(clauseOf("user", "country", "in", `"no"`), clauseOf("user", "key", "in", `"bo"`)), ada, servesDefault},
		"kind of context":            {on + ruleOf(clauseOf("", "kind", "in", `"device"`)), both, servesRule},
		"no kind of context":         {on + ruleOf(clauseOf("", "kind", "in", `"device"`)), ada, servesDefault},
		"not the kind of context":    {on + ruleOf(negated(clauseOf("", "kind", "in", `"device"`))), ada, servesRule},
		"one of a list":              {on + ruleOf(clauseOf("user", "groups", "in", `3`)), ada, servesRule},
		"none of a list":             {on + ruleOf(negated(clauseOf("user", "groups", "in", `"y",null`))), ada, servesRule},
		"empty list":                 {on + ruleOf(negated(clauseOf("user", "none", "in", `"y"`))), ada, servesRule},
		"no attribute, negated":      {on + ruleOf(negated(clauseOf("user", "lost", "in", `"y"`))), ada, servesDefault},
		"another kind, negated":      {on + ruleOf(negated(clauseOf("device", "os", "in", `"y"`))), ada, servesDefault},
		"several kinds, empty key":   {on + ruleOf(clauseOf("multi", "key", "in", `""`)), both, servesDefault},
		"several kinds, negated":     {on + ruleOf(negated(clauseOf("multi", "key", "in", `"y"`))), both, servesDefault},
		"path":                       {on + ruleOf(clauseOf("user", "/home/city", "in", `"Oslo"`)), ada, servesRule},
		"path with escapes":          {on + ruleOf(clauseOf("user", "/home/~1/~0", "in", `1`)), ada, servesRule},
		"path that is not followed":  {on + ruleOf(clauseOf("", "/home/city", "in", `"Oslo"`)), ada, servesDefault},
		"path through no object":     {on + ruleOf(clauseOf("user", "/country/city", "in", `"Oslo"`)), ada, servesDefault},
		"object":                     {on + ruleOf(clauseOf("user", "home", "in", `{"city":"Oslo"}`)), ada, servesDefault},
		"reference that is none":     {on + ruleOf(clauseOf("user", "/home/", "in", `1`)), ada, servesNothing},
		"slash alone":                {on + ruleOf(clauseOf("user", "/", "in", `1`)), ada, servesNothing},
		"wrong escape":               {on + ruleOf(clauseOf("user", "/a~2", "in", `1`)), ada, servesNothing},
		"reference not looked at":    {on + ruleOf(clauseOf("user", "key", "in", `"bo"`), clauseOf("user", "/", "in", `1`)), ada, servesDefault},
		"expression that is none":    {on + ruleOf(clauseOf("user", "key", "matches", `"("`)), ada, servesDefault},
		"expression that is not one": {on + ruleOf(negated(clauseOf("user", "key", "matches", `"("`))), ada, servesRule},

		"segment, included":          {on + segment(`"listed"`), ada, servesRule},
		"segment, excluded":          {on + segment(`"listed"`), bo, servesDefault},
		"segment by a rule":          {on + segment(`"listed"`), `{"kind":"user","key":"cy"}`, servesRule},
		"segment of devices":         {on + segment(`"devices"`), both, servesRule},
		"segment not of orgs":        {on + segment(`"devices"`), `{"kind":"org","key":"o"}`, servesDefault},
		"segment that is nested":     {on + segment(`"nested"`), ada, servesRule},
		"segments in a circle":       {on + segment(`"none","ring"`), ada, servesNothing},
		"segment that is missing":    {on + segment(`"none"`), ada, servesDefault},
		"segment that is deleted":    {on + segment(`"deleted"`), ada, servesDefault},
		"segment of all":             {on + segment(`"all"`), ada, servesRule},
		"segment of all orgs":        {on + segment(`"orgs"`), ada, servesDefault},
		"segment that is malformed":  {on + segment(`"badly"`), ada, servesNothing},
		"segment unbounded":          {on + segment(`"unbounded"`), ada, `1 {"kind":"RULE_MATCH","ruleIndex":0,"ruleId":"r","bigSegmentsStatus":"NOT_CONFIGURED"}`},
		"segment not ready":          {on + segment(`"unready"`), ada, `0 {"kind":"FALLTHROUGH","bigSegmentsStatus":"NOT_CONFIGURED"}`},
		"segment unbounded of users": {on + segment(`"unbounded"`), `{"kind":"org","key":"o"}`, servesDefault},

		"rollout of nobody":        {`"on":true,"fallthrough":{"rollout":{"contextKind":"org","variations":[{"variation":1,"weight":0},{"variation":2,"weight":100000}]}}`, ada, `2 {"kind":"FALLTHROUGH"}`},
		"rollout of several kinds": {`"on":true,"fallthrough":{"rollout":{"contextKind":"multi","variations":[{"variation":1,"weight":1},{"variation":2,"weight":99999}]}}`, both, `1 {"kind":"FALLTHROUGH"}`},
		"rollout by no reference":  {`"on":true,"fallthrough":{"rollout":{"contextKind":"user","bucketBy":"//","variations":[{"variation":1,"weight":100000}]}}`, ada, servesNothing},
		"rollout that covers few":  {`"on":true,"fallthrough":{"rollout":{"variations":[{"variation":1,"weight":1},{"variation":2,"weight":0}]}}`, ada, `2 {"kind":"FALLTHROUGH"}`},
		"experiment":               {`"on":true,"fallthrough":{"rollout":{"experimentAllocation":{"defaultVariation":0},"bucketBy":"//","contextKind":"user","variations":[{"variation":1,"weight":100000}]}}`, ada, `1 {"kind":"FALLTHROUGH","inExperiment":true}`},
		"experiment, not tracked":  {`"on":true,"fallthrough":{"rollout":{"experimentAllocation":{"defaultVariation":0},"variations":[{"variation":1,"weight":100000,"_untracked":true}]}}`, ada, `1 {"kind":"FALLTHROUGH"}`},
		"experiment, not its kind": {`"on":true,"fallthrough":{"rollout":{"experimentAllocation":{"defaultVariation":0},"contextKind":"org","variations":[{"variation":1,"weight":100000}]}}`, ada, `1 {"kind":"FALLTHROUGH"}`},
		"experiment by its kind":   {`"on":true,"fallthrough":{"rollout":{"kind":"experiment","bucketBy":"//","contextKind":"user","variations":[{"variation":1,"weight":100000}]}}`, ada, `1 {"kind":"FALLTHROUGH","inExperiment":true}`},
		"experiment by both":       {`"on":true,"fallthrough":{"rollout":{"kind":"experiment","experimentAllocation":{"defaultVariation":0},"variations":[{"variation":1,"weight":100000,"untracked":false}]}}`, ada, `1 {"kind":"FALLTHROUGH","inExperiment":true}`},
		"experiment, untracked":    {`"on":true,"fallthrough":{"rollout":{"kind":"experiment","variations":[{"variation":1,"weight":100000,"untracked":true}]}}`, ada, `1 {"kind":"FALLTHROUGH"}`},
		"experiment, kind null":    {`"on":true,"fallthrough":{"rollout":{"kind":null,"experimentAllocation":{"defaultVariation":0},"variations":[{"variation":1,"weight":100000,"untracked":null}]}}`, ada, `1 {"kind":"FALLTHROUGH","inExperiment":true}`},
		"no experiment by kind":    {`"on":true,"fallthrough":{"rollout":{"kind":"rollout","experimentAllocation":{"defaultVariation":0},"variations":[{"variation":1,"weight":100000}]}}`, ada, `1 {"kind":"FALLTHROUGH"}`},
		"rollout by kind, no path": {`"on":true,"fallthrough":{"rollout":{"kind":"rollout","bucketBy":"//","contextKind":"user","variations":[{"variation":1,"weight":100000}]}}`, ada, servesNothing},
		"experiment of a rule":     {on + `,"rules":[{"_id":"r","clauses":[],"rollout":{"experimentAllocation":{"defaultVariation":0},"variations":[{"variation":1,"weight":100000}]}}]`, ada, `1 {"kind":"RULE_MATCH","ruleIndex":0,"ruleId":"r","inExperiment":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := telescope(t, "telescope", c.members)
			got := flags.Evaluate(f, "e", decodeContext(t, c.context), others)
			require.Equal(t, c.want, served(got), got.Reason.Detail)
			if v, ok := f.Variation(got.Variation); ok {
				require.Equal(t, v.Value, got.Value)
			} else {
				require.True(t, got.Value.IsZero())
			}
			require.Equal(t, got.Reason.ErrorKind == flags.ErrorMalformedFlag, got.Reason.Detail != "", "what makes no sense is said")
			require.Equal(t, got.Reason.Kind == flags.ReasonRuleMatch, got.Reason.RuleIndex >= 0)
		})
	}
}

// TestOperators tells for each operator a value of a context, the values of a
// clause, and whether they match.
func TestOperators(t *testing.T) {
	for _, c := range []struct {
		op, value, values string
		matches           bool
	}{
		{"in", `"a"`, `"b","a"`, true}, {"in", `"a"`, `"A"`, false}, {"in", `1`, `1.0`, true}, {"in", `1`, `"1"`, false}, {"in", `true`, `true`, true},
		{"in", `true`, `false`, false}, {"in", `"<"`, `"\u003c"`, true}, {"in", `"\""`, `"\""`, true}, {"in", `"i"`, `"a","b","c","d","e","f","g","h","i"`, true},
		{"in", `"z"`, `"a","b","c","d","e","f","g","h","i"`, false}, {"in", `-0.0`, `1,2,3,4,5,6,7,0`, true},
		{"startsWith", `"abc"`, `"x","ab"`, true}, {"startsWith", `"abc"`, `"bc"`, false}, {"startsWith", `1`, `1`, false},
		{"endsWith", `"abc"`, `1,"bc"`, true}, {"endsWith", `"abc"`, `"ab"`, false}, {"endsWith", `"abc"`, `""`, true},
		{"contains", `"abc"`, `"b"`, true}, {"contains", `"abc"`, `"ac"`, false}, {"contains", `["abc"]`, `"b"`, true},
		{"matches", `"abc"`, `"^a.c$"`, true}, {"matches", `"abc"`, `"^b"`, false}, {"matches", `"abc"`, `"(","b"`, true}, {"matches", `1`, `"1"`, false}, {"matches", `"1"`, `1`, false},
		{"lessThan", `1`, `1`, false}, {"lessThan", `1`, `0,2`, true}, {"lessThan", `"1"`, `2`, false}, {"lessThan", `1`, `"2"`, false},
		{"lessThanOrEqual", `1`, `1`, true}, {"lessThanOrEqual", `1.5`, `1`, false},
		{"greaterThan", `2`, `1`, true}, {"greaterThan", `1`, `1`, false},
		{"greaterThanOrEqual", `1`, `1`, true}, {"greaterThanOrEqual", `0`, `1`, false},
		{"before", `"2026-03-02T09:00:00Z"`, `"2026-03-02T10:00:00.5+00:30"`, true}, {"before", `"2026-03-02T09:00:00Z"`, `"2026-03-02T09:00:00Z"`, false},
		{"before", `0`, `"1970-01-01T00:00:00.000000001Z"`, true}, {"before", `0`, `"tomorrow",1`, true}, {"before", `"soon"`, `1`, false}, {"before", `true`, `1`, false},
		{"before", `"2026-03-02t9:00:00z"`, `"2026-03-02T09:00:01Zulu"`, true}, {"before", `0`, `"2026-03-02T09:00:00-00:0x"`, false},
		{"after", `2`, `1`, true}, {"after", `1`, `2`, false}, {"after", `1`, `"0001-01-01T00:00:00Z"`, false}, {"after", `1`, `"0001-01-01T00:00:01Z"`, true},
		{"after", `"2026-02-31T00:00:00Z"`, `"2026-03-02T23:59:60Z"`, false}, {"after", `"2026-03-03T00:00:01Z"`, `"2026-02-31T00:00:00Z"`, true},
		{"semVerEqual", `"2.0.0"`, `"2"`, true}, {"semVerEqual", `"2.0.0+a"`, `"2.0+b"`, true}, {"semVerEqual", `"2.0.0"`, `"2.0.0-1"`, false},
		{"semVerEqual", `2`, `"2"`, false}, {"semVerEqual", `"2"`, `2`, false}, {"semVerEqual", `"02"`, `"2"`, false}, {"semVerEqual", `"v2"`, `"v2"`, false},
		{"semVerLessThan", `"2.0.0-rc"`, `"2.0.0"`, true}, {"semVerLessThan", `"2.9.0"`, `"2.10.0"`, true}, {"semVerLessThan", `"2.0.0"`, `"2.0.0"`, false},
		{"semVerLessThan", `"1.0.0-2"`, `"1.0.0-10"`, true}, {"semVerLessThan", `"1.0.0-10"`, `"1.0.0-a"`, true}, {"semVerLessThan", `"1.0.0-a"`, `"1.0.0-a.1"`, true},
		{"semVerGreaterThan", `"2.1"`, `"2.0.9"`, true}, {"semVerGreaterThan", `"2.0.9"`, `"2.1"`, false}, {"semVerGreaterThan", `"1.0.0-b"`, `"1.0.0-a.b"`, true},
	} {
		value := c.value
		if !strings.HasPrefix(value, "[") {
			value += `,"x":` + value
		}
		context := decodeContext(t, `{"kind":"user","key":"ada","a":`+value+`}`)
		for _, negate := range []bool{false, true} {
			clause, want := clauseOf("user", "a", c.op, c.values), c.matches != negate
			if negate {
				clause = negated(clause)
			}
			got := flags.Evaluate(telescope(t, "f", on+ruleOf(clause)), "e", context, nil)
			require.Equal(t, want, got.Reason.Kind == flags.ReasonRuleMatch, "%s %s %s, negated %t", c.value, c.op, c.values, negate)
		}
	}
}

// TestBuckets holds places in rollouts that other SDKs give too: they are part
// of who gets what.
func TestBuckets(t *testing.T) {
	for _, c := range []struct {
		key, salt, by, context string
		place                  float64
	}{
		{"hashKey", "saltyA", "", `{"kind":"user","key":"userKeyA"}`, 0.42157587},
		{"hashKey", "saltyA", "", `{"kind":"user","key":"userKeyB"}`, 0.6708485},
		{"hashKey", "saltyA", "", `{"kind":"user","key":"userKeyC"}`, 0.10343106},
		{"hashKey", "saltyA", "n", `{"kind":"user","key":"userKeyD","n":33333}`, 0.54771423},
		{"hashKey", "saltyA", "n", `{"kind":"user","key":"userKeyD","n":99999}`, 0.7309658},
	} {
		at := int(c.place * flags.FullWeight)
		for weight, want := range map[int]int{at: 1, at + 1: 0} {
			f := telescope(t, c.key, fmt.Sprintf(`"on":true,"salt":%q,"fallthrough":{"rollout":{"contextKind":"user","bucketBy":%q,`+
				`"variations":[{"variation":0,"weight":%d},{"variation":1,"weight":%d}]}}`, c.salt, c.by, weight, flags.FullWeight-weight))
			require.Equal(t, want, flags.Evaluate(f, "e", decodeContext(t, c.context), nil).Variation, "%v, weight %d", c, weight)
		}
	}
}

func TestWhereThereIsNothingToEvaluate(t *testing.T) {
	f := telescope(t, "f", on)
	ada := decodeContext(t, `{"kind":"user","key":"ada"}`)
	gone, err := flags.Apply(f, []flags.Instruction{flags.DeleteFlag()}, flags.Application{Now: changedAt})
	require.NoError(t, err)
	const notFound = `-1 {"kind":"ERROR","errorKind":"FLAG_NOT_FOUND"}`
	require.Equal(t, notFound, served(flags.Evaluate(flags.Flag{}, "e", ada, nil)))
	require.Equal(t, notFound, served(flags.Evaluate(f, "other", ada, nil)))
	require.Equal(t, notFound, served(flags.Evaluate(gone, "e", ada, nil)))
	require.Equal(t, `-1 {"kind":"ERROR","errorKind":"USER_NOT_SPECIFIED"}`, served(flags.Evaluate(f, "e", flags.Context{}, nil)))
	waiting := telescope(t, "waiting", on+`,"prerequisites":[{"key":"f","variation":0}]`)
	failed := `2 {"kind":"PREREQUISITE_FAILED","prerequisiteKey":"f"}`
	require.Equal(t, failed, served(flags.Evaluate(waiting, "e", ada, nil)))
	require.Equal(t, failed, served(flags.Evaluate(waiting, "e", ada, flags.NewKnown([]flags.Flag{gone}, nil))))
	require.Equal(t, failed, served(flags.Evaluate(waiting, "e", ada, flags.NewKnown([]flags.Flag{decodeFlag(t, `{"key":"f","kind":"multivariate","variations":[{"value":1}]}`)}, nil))))
	require.Equal(t, servesDefault, served(flags.Evaluate(telescope(t, "g", on+ruleOf(`{"op":"segmentMatch","values":["s"]}`)), "e", ada, nil)))
	require.Equal(t, servesDefault, served(flags.Evaluate(telescope(t, "g", on+ruleOf(`{"op":"segmentMatch","values":["s"]}`)), "e", ada, flags.Known{})))
}

func TestEvaluationsInJSON(t *testing.T) {
	ada := decodeContext(t, `{"kind":"user","key":"ada"}`)
	text, err := json.Marshal(flags.Evaluate(telescope(t, "f", on), "e", ada, nil))
	require.NoError(t, err)
	require.JSONEq(t, `{"value":"a","variationIndex":0,"reason":{"kind":"FALLTHROUGH"}}`, string(text))
	text, err = json.Marshal(flags.Evaluate(telescope(t, "f", `"on":false`), "e", ada, nil))
	require.NoError(t, err)
	require.JSONEq(t, `{"value":null,"reason":{"kind":"OFF"}}`, string(text))
	text, err = json.Marshal(flags.Reason{Kind: flags.ReasonRuleMatch, RuleIndex: 2})
	require.NoError(t, err)
	require.Equal(t, `{"kind":"RULE_MATCH","ruleIndex":2}`, string(text))
}

func TestReasonsInWords(t *testing.T) {
	for _, c := range []struct {
		reason flags.Reason
		want   string
	}{
		{flags.Reason{Kind: flags.ReasonOff}, "targeting is off"},
		{flags.Reason{Kind: flags.ReasonFallthrough}, "no target and no rule matches; the default rule serves"},
		{flags.Reason{Kind: flags.ReasonFallthrough, InExperiment: true}, "no target and no rule matches; the default rule serves; the context is in the experiment"},
		{flags.Reason{Kind: flags.ReasonTargetMatch}, "the context is a target"},
		{flags.Reason{Kind: flags.ReasonRuleMatch, RuleIndex: 1}, "rule 2 matches"},
		{flags.Reason{Kind: flags.ReasonRuleMatch, RuleIndex: 0, RuleID: "f3ea72d0-e473-4e8b-b942-565b790ffe18"}, "rule 1 (f3ea72d0…) matches"},
		{flags.Reason{Kind: flags.ReasonRuleMatch, RuleIndex: 0, BigSegments: flags.BigSegmentsNotConfigured}, "rule 1 matches; who is in unbounded segments is not known here"},
		{flags.Reason{Kind: flags.ReasonPrerequisiteFailed, PrerequisiteKey: "lamp"}, `the prerequisite "lamp" is missing, is off, or serves another variation`},
		{flags.Reason{Kind: flags.ReasonError, ErrorKind: flags.ErrorMalformedFlag, Detail: "why"}, "the flag makes no sense: why"},
		{flags.Reason{Kind: flags.ReasonError, ErrorKind: flags.ErrorFlagNotFound}, "there is no such flag in the environment"},
		{flags.Reason{Kind: flags.ReasonError, ErrorKind: flags.ErrorUserNotSpecified}, "there is no context"},
		{flags.Reason{Kind: flags.ReasonError, ErrorKind: "OTHER"}, "the flag cannot be evaluated"},
		{flags.Reason{}, "there is no reason"},
	} {
		require.Equal(t, c.want, c.reason.String())
	}
}

func TestWhatMakesNoSenseIsSaid(t *testing.T) {
	ada := decodeContext(t, `{"kind":"user","key":"ada"}`)
	known := flags.NewKnown([]flags.Flag{
		telescope(t, "ring", on+`,"prerequisites":[{"key":"f","variation":0}]`),
		telescope(t, "f", on),
	}, []flags.Segment{decodeSegment(t, `{"key":"self","rules":[{"clauses":[]  ,"weight":0},{"clauses":[{"op":"segmentMatch","values":["self"]}]}]}`)})
	for members, want := range map[string]string{
		on + `,"prerequisites":[{"key":"ring","variation":0}]`: `prerequisite "ring": its prerequisites go in a circle, by "f"`,
		on + ruleOf(`{"op":"segmentMatch","values":["self"]}`): `rule 1: segment "self": rule 2: segments go in a circle, by "self"`,
		on + ruleOf(clauseOf("user", "/a//b", "in", "1")):      `rule 1: "/a//b" refers to no attribute`,
		`"on":true`: "what the default rule serves is not said",
		`"on":true,"rules":[{"clauses":[],"rollout":{"contextKind":"user","bucketBy":"/","variations":[{"variation":0,"weight":100000}]}}]`: `what rule 1 serves depends on "/", which refers to no attribute`,
	} {
		require.Equal(t, want, flags.Evaluate(telescope(t, "f", members), "e", ada, known).Reason.Detail)
	}
}

// TestDeepChains holds that neither prerequisites nor segments need be few.
func TestDeepChains(t *testing.T) {
	const depth = 200
	var list []flags.Flag
	var segments []flags.Segment
	for i := range depth {
		list = append(list, telescope(t, fmt.Sprint("f", i), on+fmt.Sprintf(`,"prerequisites":[{"key":"f%d","variation":0}]`, i+1)))
		segments = append(segments, decodeSegment(t, fmt.Sprintf(`{"key":"s%d","rules":[{"clauses":[{"op":"segmentMatch","values":["s%d"]}]}]}`, i, i+1)))
	}
	ada := decodeContext(t, `{"kind":"user","key":"ada"}`)
	list = append(list, telescope(t, fmt.Sprint("f", depth), on))
	segments = append(segments, decodeSegment(t, fmt.Sprintf(`{"key":"s%d","included":["ada"]}`, depth)))
	known := flags.NewKnown(list, segments)
	require.Equal(t, servesDefault, served(flags.Evaluate(list[0], "e", ada, known)))
	require.Equal(t, servesRule, served(flags.Evaluate(telescope(t, "f", on+ruleOf(`{"op":"segmentMatch","values":["s0"]}`)), "e", ada, known)))

	list[depth] = telescope(t, fmt.Sprint("f", depth), on+`,"prerequisites":[{"key":"f7","variation":0}]`)
	segments[depth] = decodeSegment(t, fmt.Sprintf(`{"key":"s%d","rules":[{"clauses":[{"op":"segmentMatch","values":["s7"]}]}]}`, depth))
	known = flags.NewKnown(list, segments)
	require.Equal(t, servesNothing, served(flags.Evaluate(list[0], "e", ada, known)))
	require.Equal(t, servesNothing, served(flags.Evaluate(telescope(t, "f", on+ruleOf(`{"op":"segmentMatch","values":["s0"]}`)), "e", ada, known)))
}

// TestChainsAreLimited holds how long chains may be, that the longest ones take
// little stack, and what is said of longer ones.
func TestChainsAreLimited(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(8 << 20))
	ada := decodeContext(t, `{"kind":"user","key":"ada"}`)
	// flag f0 is the last of many prerequisites, and its rule names the last of
	// many segments.
	var list []flags.Flag
	var segments []flags.Segment
	first := on + ruleOf(fmt.Sprintf(`{"op":"segmentMatch","values":["s%d"]}`, flags.MostDeep))
	for i := range flags.MostDeep + 2 {
		members, rule := first, ""
		if i > 0 {
			members = on + fmt.Sprintf(`,"prerequisites":[{"key":"f%d","variation":%d}]`, i-1, 1/i)
			rule = fmt.Sprintf(`{"clauses":[{"op":"segmentMatch","values":["s%d"]}]}`, i-1)
		}
		list = append(list, telescope(t, fmt.Sprint("f", i), members))
		segments = append(segments, decodeSegment(t, fmt.Sprintf(`{"key":"s%d","rules":[%s]}`, i, rule)))
	}
	segments[1] = decodeSegment(t, `{"key":"s1","included":["ada"]}`) // a thousand with the others
	known := flags.NewKnown(list, segments)
	require.Equal(t, servesDefault, served(flags.Evaluate(list[flags.MostDeep], "e", ada, known)))
	tooDeep := flags.Evaluate(list[flags.MostDeep+1], "e", ada, known)
	require.Equal(t, servesNothing, served(tooDeep))
	require.Contains(t, tooDeep.Reason.Detail, `": there are more than 1000 prerequisites in a row`)
	require.Less(t, len(tooDeep.Reason.Detail), 512)

	f := telescope(t, "f", on+ruleOf(fmt.Sprintf(`{"op":"segmentMatch","values":["s%d"]}`, flags.MostDeep+1)))
	tooDeep = flags.Evaluate(f, "e", ada, known)
	require.Equal(t, servesNothing, served(tooDeep))
	require.Contains(t, tooDeep.Reason.Detail, `": rule 1: there are more than 1000 segments in a row`)
	require.Less(t, len(tooDeep.Reason.Detail), 512)
}

// endless is a lookup in which every flag requires another one, and every
// segment names one: the next number.
type endless struct{ t *testing.T }

func next(key string) string {
	n, _ := strconv.Atoi(key[1:])
	return key[:1] + strconv.Itoa(n+1)
}

func (l endless) LookUpFlag(key string) (flags.Flag, bool) {
	return telescope(l.t, key, on+`,"prerequisites":[{"key":"`+next(key)+`","variation":0}]`), true
}

func (l endless) LookUpSegment(key string) (flags.Segment, bool) {
	return decodeSegment(l.t, `{"key":"`+key+`","rules":[{"clauses":[{"op":"segmentMatch","values":["`+next(key)+`"]}]}]}`), true
}

func TestEndlessChainsComeToAnEnd(t *testing.T) {
	ada := decodeContext(t, `{"kind":"user","key":"ada"}`)
	f := telescope(t, "f0", on+`,"prerequisites":[{"key":"f1","variation":0}]`)
	require.Equal(t, servesNothing, served(flags.Evaluate(f, "e", ada, endless{t})))
	f = telescope(t, "f0", on+ruleOf(negated(`{"op":"segmentMatch","values":["s1"]}`)))
	require.Equal(t, servesNothing, served(flags.Evaluate(f, "e", ada, endless{t})))
}

// fresh is a lookup that decodes at each call.
type fresh struct{ flags.Lookup }

func (l fresh) LookUpFlag(key string) (flags.Flag, bool) {
	f, ok := l.Lookup.LookUpFlag(key)
	if ok {
		f, _ = flags.DecodeFlag(f.AppendJSON(nil))
	}
	return f, ok
}

func (l fresh) LookUpSegment(key string) (flags.Segment, bool) {
	s, ok := l.Lookup.LookUpSegment(key)
	if ok {
		s, _ = flags.DecodeSegment(s.AppendJSON(nil))
	}
	return s, ok
}

// counting counts how often it is asked.
type counting struct {
	flags.Lookup
	asked int
}

func (c *counting) LookUpFlag(key string) (flags.Flag, bool) {
	c.asked++
	return c.Lookup.LookUpFlag(key)
}

func (c *counting) LookUpSegment(key string) (flags.Segment, bool) {
	c.asked++
	return c.Lookup.LookUpSegment(key)
}

// TestChainsAreLinear holds that what an evaluation asks for, and the memory it
// takes, grow no faster than a chain, whether it ends or goes in a circle.
func TestChainsAreLinear(t *testing.T) {
	ada := decodeContext(t, `{"kind":"user","key":"ada"}`)
	for name, back := range map[string]string{"that end": "none", "in a circle": "0"} {
		t.Run(name, func(t *testing.T) {
			cost := func(depth int) (asked int, bytes uint64) {
				var list []flags.Flag
				var segments []flags.Segment
				for i := range depth {
					next := fmt.Sprint(i + 1)
					if i == depth-1 {
						next = back
					}
					list = append(list, telescope(t, fmt.Sprint("f", i), on+ruleOf(`{"op":"segmentMatch","values":["s0"]}`)+`,"prerequisites":[{"key":"f`+next+`","variation":0}]`))
					segments = append(segments, decodeSegment(t, fmt.Sprintf(`{"key":"s%d","rules":[{"clauses":[{"op":"segmentMatch","values":["s%s"]}]}]}`, i, next)))
				}
				known := &counting{Lookup: flags.NewKnown(list, segments)}
				f := telescope(t, "f", on+ruleOf(`{"op":"segmentMatch","values":["s0"]}`))
				bytes = allocated(func() {
					flags.Evaluate(list[0], "e", ada, known)
					flags.Evaluate(f, "e", ada, known)
				})
				return known.asked, bytes
			}
			fewAsked, few := cost(100)
			manyAsked, many := cost(1000)
			require.LessOrEqual(t, manyAsked, 10*fewAsked+100)
			require.LessOrEqual(t, many, 15*few+50_000)
		})
	}
}

// patient fails a test when it is asked more often than it wants.
type patient struct {
	flags.Lookup
	t    *testing.T
	most int
}

func (p *patient) LookUpFlag(key string) (flags.Flag, bool) {
	p.most--
	require.Positive(p.t, p.most, "was asked too often")
	return p.Lookup.LookUpFlag(key)
}

func (p *patient) LookUpSegment(key string) (flags.Segment, bool) {
	p.most--
	require.Positive(p.t, p.most, "was asked too often")
	return p.Lookup.LookUpSegment(key)
}

// TestWhatIsNamedOftenIsLookedAtSeldom holds that flags and segments which name
// each other crosswise, so that there are very many ways through them, cost no
// more than there are of them.
func TestWhatIsNamedOftenIsLookedAtSeldom(t *testing.T) {
	const depth = 60
	list, segments := []flags.Flag{telescope(t, "f0", on)}, []flags.Segment{decodeSegment(t, `{"key":"s0"}`)}
	for i := range depth {
		prerequisites := fmt.Sprintf(`{"key":"f%d","variation":0}`, i)
		if i > 0 {
			prerequisites += fmt.Sprintf(`,{"key":"f%d","variation":0}`, i-1)
		}
		list = append(list, telescope(t, fmt.Sprint("f", i+1), on+`,"prerequisites":[`+prerequisites+`]`))
		rule := fmt.Sprintf(`{"clauses":[{"op":"segmentMatch","values":["s%d"]}]}`, i)
		segments = append(segments, decodeSegment(t, fmt.Sprintf(`{"key":"s%d","rules":[%s,%s]}`, i+1, rule, rule)))
	}
	ada := decodeContext(t, `{"kind":"user","key":"ada"}`)
	known := flags.NewKnown(list, segments)
	require.Equal(t, servesDefault, served(flags.Evaluate(list[depth], "e", ada, &patient{known, t, 4 * depth})))
	f := telescope(t, "f", on+ruleOf(fmt.Sprintf(`{"op":"segmentMatch","values":["s%d"]}`, depth)))
	require.Equal(t, servesDefault, served(flags.Evaluate(f, "e", ada, &patient{known, t, 4 * depth})))

	// A lookup may decode at each call.
	require.Equal(t, servesDefault, served(flags.Evaluate(list[depth], "e", ada, &patient{fresh{known}, t, 4 * depth})))
	require.Equal(t, servesDefault, served(flags.Evaluate(f, "e", ada, &patient{fresh{known}, t, 4 * depth})))
}

// TestLargePatternsAreNotKept holds that short regular expressions which become
// large do not fill the memory, and work nevertheless, until there are so many
// that compiling them would take for ever.
func TestLargePatternsAreNotKept(t *testing.T) {
	patterns := func(clauses int) string {
		var list []string
		for i := range clauses {
			list = append(list, clauseOf("user", "a", "matches", strings.TrimSuffix(strings.Repeat(fmt.Sprintf(`"b{900}%d",`, i), 100), ",")+`,"^a{2,900}$"`))
		}
		return on + ruleOf(list...)
	}
	members := patterns(10)
	var f flags.Flag
	used := allocated(func() { f = telescope(t, "f", members) })
	require.Less(t, used, uint64(100*len(members)+30<<20))
	for value, want := range map[string]string{
		`"aaa"`: servesRule, `"a"`: servesDefault, `["a",1,"aa"]`: servesRule, `[]`: servesDefault, `["b",true]`: servesDefault, `1`: servesDefault,
	} {
		context := decodeContext(t, `{"kind":"user","key":"k","a":`+value+`}`)
		require.Equal(t, want, served(flags.Evaluate(f, "e", context, nil)), value)
	}

	// Each is compiled once, however many values there are to match.
	one := decodeContext(t, `{"kind":"user","key":"k","a":"x"}`)
	many := decodeContext(t, `{"kind":"user","key":"k","a":[`+strings.TrimSuffix(strings.Repeat(`"x",`, 1000), ",")+`]}`)
	f = telescope(t, "f", on+ruleOf(clauseOf("user", "a", "matches", strings.TrimSuffix(strings.Repeat(`"b{900}",`, 200), ","))))
	for _, c := range []flags.Context{one, many} {
		require.Less(t, allocated(func() { require.Equal(t, servesDefault, served(flags.Evaluate(f, "e", c, nil))) }), uint64(40<<20))
	}

	f = telescope(t, "f", patterns(40))
	used = allocated(func() {
		tooMany := flags.Evaluate(f, "e", decodeContext(t, `{"kind":"user","key":"k","a":"aaa"}`), nil)
		require.Equal(t, servesNothing, served(tooMany))
		require.Equal(t, "rule 1: its regular expressions are too large", tooMany.Reason.Detail)
	})
	require.Less(t, used, uint64(300<<20))
	require.Equal(t, servesDefault, served(flags.Evaluate(f, "e", decodeContext(t, `{"kind":"user","key":"k"}`), nil)), "they are not needed")
}

// TestKindsOfContextsMatchLargePatterns holds it for what is no attribute.
func TestKindsOfContextsMatchLargePatterns(t *testing.T) {
	values := strings.Repeat(`"b{900}",`, 200) + `"^d"`
	f := telescope(t, "f", on+ruleOf(clauseOf("", "kind", "matches", values)))
	require.Equal(t, servesRule, served(flags.Evaluate(f, "e", decodeContext(t, `{"kind":"multi","user":{"key":"ada"},"device":{"key":"d"}}`), nil)))
	require.Equal(t, servesDefault, served(flags.Evaluate(f, "e", decodeContext(t, `{"kind":"user","key":"ada"}`), nil)))
}

func TestUsualEvaluationsAllocateNothing(t *testing.T) {
	ada := decodeContext(t, `{"kind":"multi","user":{"key":"ada","country":"no","email":"ada@example.com","age":36,"groups":["x","staff"],"since":"2026-03-02T09:00:00Z","version":"2.1.0","home":{"city":"Oslo"}},"org":{"key":"o"}}`)
	known := flags.NewKnown([]flags.Flag{telescope(t, "met", on)}, []flags.Segment{
		decodeSegment(t, `{"key":"s","included":["bo"],"rules":[{"clauses":[],"weight":1,"rolloutContextKind":"user"}]}`),
	})
	rollout := `"rollout":{"contextKind":"user","variations":[{"variation":0,"weight":50000},{"variation":1,"weight":50000}]}`
	for name, members := range map[string]string{
		"off":          `"on":false,"offVariation":1`,
		"target":       on + `,"targets":[{"variation":1,"values":["bo","ada"]}]`,
		"default rule": on,
		"rule":         on + ruleOf(clauseOf("user", "country", "in", `"se","no"`)),
		"operators": on + ruleOf(clauseOf("user", "groups", "in", `"staff"`), clauseOf("user", "email", "endsWith", `"@example.com"`), clauseOf("user", "age", "greaterThan", `18`),
			clauseOf("user", "since", "before", `"2027-01-01T00:00:00Z"`), clauseOf("user", "version", "semVerGreaterThan", `"2"`), clauseOf("user", "/home/city", "matches", `"^O"`)),
		"rollout":       `"on":true,"salt":"s","fallthrough":{` + rollout + `}`,
		"prerequisites": on + `,"prerequisites":[{"key":"met","variation":0}]`,
		"segment":       on + ruleOf(`{"op":"segmentMatch","values":["s"]}`),
	} {
		f := telescope(t, "f", members)
		require.NotEqual(t, flags.ReasonError, flags.Evaluate(f, "e", ada, known).Reason.Kind)
		require.Zero(t, testing.AllocsPerRun(100, func() { flags.Evaluate(f, "e", ada, known) }), name)
	}
}

// TestChangedFlagsAreReady holds that what a flag makes ready for evaluation
// follows each change of it.
func TestChangedFlagsAreReady(t *testing.T) {
	changes := 0
	rapid.Check(t, func(t *rapid.T) {
		f := flagstagetest.Flags().Draw(t, "flag")
		require.True(t, flags.IsReady(f))
		for _, in := range flagstagetest.PatchesFor(f, "production").Draw(t, "patch") {
			changed, err := flags.Apply(f, []flags.Instruction{in}, flags.Application{Environment: "production", Now: changedAt, IDs: new(counter), Others: flagstagetest.Neighbours()})
			if err == nil {
				f = changed
				changes++
				require.True(t, flags.IsReady(f), in)
			}
		}
	})
	require.Positive(t, changes)
}

func TestChangedClausesMatchWhatTheySay(t *testing.T) {
	f := telescope(t, "f", on+`,"rules":[{"_id":"r","variation":1,"clauses":[{"_id":"c","contextKind":"user","attribute":"a","op":"matches","values":["x"]}]}]`)
	clause := func(value string) flags.Clause {
		return flags.Clause{Attribute: "a", Op: flags.OpIn, Values: flags.StringValues(value)}
	}
	for name, c := range map[string]struct {
		in      flags.Instruction
		matches string // of the values x and y
	}{
		"more values":   {flags.AddValuesToClause("r", "c", flags.StringValue("y")), "xy"},
		"fewer values":  {flags.RemoveValuesFromClause("r", "c", flags.StringValue("x")), ""},
		"another one":   {flags.UpdateClause("r", "c", clause("y")), "y"},
		"one more":      {flags.AddClauses("r", clause("y")), ""},
		"one more, too": {flags.AddClauses("r", clause("x")), "x"},
		"a rule":        {flags.AddRule(flags.Rule{Clauses: []flags.Clause{clause("y")}, Serve: flags.ServeVariation("v")}, ""), "xy"},
	} {
		changed, err := flags.Apply(f, []flags.Instruction{c.in}, flags.Application{Environment: "e", Now: changedAt, IDs: new(counter)})
		require.NoError(t, err, name)
		matches := ""
		for _, value := range []string{"x", "y"} {
			if flags.Evaluate(changed, "e", decodeContext(t, `{"kind":"user","key":"ada","a":"`+value+`"}`), nil).Variation == 1 {
				matches += value
			}
		}
		require.Equal(t, c.matches, matches, name)
	}
}

func FuzzEvaluate(f *testing.F) {
	f.Add(on+ruleOf(clauseOf("user", "/a/b", "in", `"x"`)), `{"kind":"user","key":"k","a":{"b":"x"}}`, `{"key":"s"}`)
	f.Add(on+ruleOf(`{"op":"segmentMatch","values":["s"]}`)+`,"prerequisites":[{"key":"f","variation":0}]`, `{"key":"k"}`, `{"key":"s","rules":[{"clauses":[{"op":"segmentMatch","values":["s"]}]}]}`)
	f.Add(`"on":true,"fallthrough":{"rollout":{"bucketBy":"a","variations":[{"variation":0,"weight":1}]}}`, `{"kind":"org","key":"k","a":1e18}`, `{"key":"s"}`)
	f.Add(on+ruleOf(clauseOf("user", "a", "before", `"2026-03-02T09:00:00.5+01:00"`), clauseOf("user", "a", "semVerEqual", `"1.0-a.1+b"`), clauseOf("user", "a", "matches", `"a{1000}"`)), `{"kind":"user","key":"k","a":"1"}`, `{"key":"s"}`)
	f.Fuzz(func(t *testing.T, members, context, segment string) {
		flag, problems := flags.DecodeFlag([]byte(`{"key":"f","kind":"multivariate","variations":[{"value":1},{"value":2},{"value":3}],"environments":{"e":{` + members + `}}}`))
		if problems.Err() != nil {
			return
		}
		c, _ := flags.DecodeContext([]byte(context))
		s, _ := flags.DecodeSegment([]byte(segment))
		known := flags.NewKnown([]flags.Flag{flag}, []flags.Segment{s})
		got := flags.Evaluate(flag, "e", c, known)
		require.Equal(t, got, flags.Evaluate(flag, "e", c, known))
		require.NotEmpty(t, got.Reason.String())
		require.True(t, json.Valid(got.AppendJSON(nil)))
		require.Equal(t, got.Reason.Kind == flags.ReasonError, got.Reason.ErrorKind != "")
		require.Less(t, got.Variation, flag.VariationCount())
	})
}

// TestDetailOfALongChainIsShort puts a defect behind a thousand segments that
// name each other.
func TestDetailOfALongChainIsShort(t *testing.T) {
	var segments []flags.Segment
	const n = 1000
	for i := range n {
		segment, problems := flags.DecodeSegment(fmt.Appendf(nil, `{"key":"s%d","rules":[{"clauses":[{"attribute":"","op":"segmentMatch","values":["s%d"]}]}]}`, i, (i+1)%n))
		require.Empty(t, problems)
		segments = append(segments, segment)
	}
	flag, problems := flags.DecodeFlag([]byte(`{"key":"f","kind":"boolean","variations":[{"_id":"t","value":true},{"_id":"n","value":false}],
		"environments":{"e":{"on":true,"rules":[{"_id":"r","clauses":[{"op":"segmentMatch","values":["s0"]}],"variation":0}],"fallthrough":{"variation":1},"offVariation":1}}}`))
	require.Empty(t, problems)
	c, problems := flags.DecodeContext([]byte(`{"kind":"user","key":"u"}`))
	require.Empty(t, problems)
	result := flags.Evaluate(flag, "e", c, flags.NewKnown(nil, segments))
	require.Equal(t, flags.ErrorMalformedFlag, result.Reason.ErrorKind)
	require.Less(t, len(result.Reason.Detail), 512)
}
