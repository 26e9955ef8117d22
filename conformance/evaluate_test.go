package conformance

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
)

var seed = flag.Uint64("seed", 1, "of what is generated")

const (
	worlds = 10_000
	people = 12 // in each world
	pairs  = 400_000
	least  = 300 // times that each thing must have been reached
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// TestSameAnswers compares all answers: variation, value and reason. It fails
// too when too few of them say anything of a reason, an operator or a feature.
func TestSameAnswers(t *testing.T) {
	count := tally{}
	compared := 0
	for i := range worlds {
		g := &generator{Rand: rand.New(rand.NewPCG(*seed, uint64(i)))}
		w := g.world(t)
		for range people {
			document := g.context()
			p := newPerson(t, document)
			for _, f := range w.flags {
				compared++
				got := flags.Evaluate(f.ours, environment, p.ours, w.known)
				want := w.evaluator.Evaluate(f.theirs, p.theirs, nil)
				if answer(got) != theirAnswer(want.Detail) {
					t.Fatalf("with -seed %d, world %d: got %s (%s), want %s\nflag: %s\ncontext: %s\nsegments: %s", *seed, i,
						answer(got), got.Reason, theirAnswer(want.Detail), f.ours.AppendJSON(nil), document, write(t, w.theirSegments))
				}
				count.note(f.theirs, p.theirs, want.Detail)
				count.spelling(f.ours, got)
				count.malformed(got.Reason.Detail)
			}
		}
	}
	require.GreaterOrEqual(t, compared, pairs)
	for _, what := range sortedKeys(count) {
		t.Logf("%7d  %s", count[what], what)
	}
	t.Logf("%7d  compared", compared)
	for _, what := range wanted() {
		require.GreaterOrEqual(t, count[what], least, "too few answers concern %q", what)
	}
}

// answer is what we say, in the form of the SDK.
func answer(e flags.Evaluation) string {
	return fmt.Sprintf("%d %s %s", e.Variation, e.Value.AppendJSON(nil), e.Reason.AppendJSON(nil))
}

func theirAnswer(d ldreason.EvaluationDetail) string {
	reason, _ := json.Marshal(d.Reason)
	return fmt.Sprintf("%d %s %s", d.VariationIndex.OrElse(-1), d.Value.JSONString(), reason)
}

// tally counts what answers of the SDK concern.
type tally map[string]int

func (c tally) note(f *ldmodel.FeatureFlag, context ldcontext.Context, d ldreason.EvaluationDetail) {
	r := d.Reason
	c["reason "+string(r.GetKind())]++
	if kind := r.GetErrorKind(); kind != "" {
		c["error "+string(kind)]++
	}
	if r.GetBigSegmentsStatus() != "" {
		c["unbounded segment"]++
	}
	served := f.Fallthrough
	switch r.GetKind() {
	case ldreason.EvalReasonRuleMatch:
		c.rules(f.Rules[:r.GetRuleIndex()+1], true)
		served = f.Rules[r.GetRuleIndex()].VariationOrRollout
	case ldreason.EvalReasonFallthrough:
		c.rules(f.Rules, false)
	case ldreason.EvalReasonOff, ldreason.EvalReasonPrerequisiteFailed:
		c["off variation, given "+strconv.FormatBool(d.VariationIndex.IsDefined())]++
		return
	default:
		return
	}
	if len(f.Prerequisites) > 0 {
		c["prerequisites met"]++
	}
	if context.Multiple() {
		c["context of several kinds"]++
	}
	if served.Variation.IsDefined() {
		return
	}
	c["rollout"]++
	if served.Rollout.BucketBy.IsDefined() {
		c["rollout by attribute"]++
	}
	if served.Rollout.Seed.IsDefined() {
		c["rollout by seed"]++
	}
	if served.Rollout.IsExperiment() {
		c["experiment, in it "+strconv.FormatBool(r.IsInExperiment())]++
	}
}

// spelling counts how it is spelled that a rollout is one of an experiment.
func (c tally) spelling(f flags.Flag, e flags.Evaluation) {
	env, _ := f.Environment(environment)
	served := env.Fallthrough()
	for i, rule := range env.Rules() {
		if i == e.Reason.RuleIndex {
			served = rule.Served()
		}
	}
	rollout, ok := served.Rollout()
	if !ok || e.Reason.Kind != flags.ReasonRuleMatch && e.Reason.Kind != flags.ReasonFallthrough {
		return
	}
	if variation, ok := rollout.Experiment(); ok {
		c["experiment, allocation given "+strconv.FormatBool(variation >= 0)]++
	}
}

// malformed counts what makes a flag malformed. Only our detail tells.
func (c tally) malformed(detail string) {
	for _, what := range []string{"prerequisites go in a circle", "segments go in a circle", "refers to no attribute", "is not said"} {
		if strings.Contains(detail, what) {
			c["malformed: "+what]++
		}
	}
}

// rules counts what rules with a single clause say: the last one matched, if
// any did.
func (c tally) rules(rules []ldmodel.FlagRule, matched bool) {
	for i, rule := range rules {
		if len(rule.Clauses) != 1 {
			continue
		}
		cl := rule.Clauses[0]
		c[outcome(string(cl.Op), cl.Negate, matched && i == len(rules)-1)]++
		if cl.Attribute.Depth() > 1 {
			c["path"]++
		}
	}
}

func outcome(op string, negate, matches bool) string {
	return fmt.Sprintf("operator %s, negated %t, matches %t", op, negate, matches)
}

// wanted is what must be counted often enough.
func wanted() []string {
	list := []string{
		"reason OFF", "reason FALLTHROUGH", "reason TARGET_MATCH", "reason RULE_MATCH", "reason PREREQUISITE_FAILED", "reason ERROR",
		"error MALFORMED_FLAG", "unbounded segment",
		"malformed: prerequisites go in a circle", "malformed: segments go in a circle", "malformed: refers to no attribute",
		"malformed: is not said", "off variation, given true", "off variation, given false", "prerequisites met", "context of several kinds", "path",
		"rollout", "rollout by attribute", "rollout by seed", "experiment, in it true", "experiment, in it false",
		"experiment, allocation given true", "experiment, allocation given false",
	}
	for _, op := range operators {
		for _, negate := range []bool{false, true} {
			list = append(list, outcome(op, negate, true), outcome(op, negate, false))
		}
	}
	return list
}

// TestSameContextsAreNone holds that what the SDK takes for no context is none
// for us.
func TestSameContextsAreNone(t *testing.T) {
	for _, document := range []string{
		`null`, `1`, `{}`, `{"kind":"user"}`, `{"kind":"user","key":""}`, `{"kind":"user","key":null}`, `{"kind":"user","key":1}`, `{"kind":"","key":"k"}`,
		`{"kind":null,"key":"k"}`, `{"kind":"kind","key":"k"}`, `{"kind":"a b","key":"k"}`, `{"kind":"é","key":"k"}`, `{"kind":"user","key":"k","name":1}`,
		`{"kind":"user","key":"k","anonymous":null}`, `{"kind":"user","key":"k","_meta":1}`, `{"kind":"user","key":"k","_meta":{"privateAttributes":[1]}}`,
		`{"kind":"multi"}`, `{"kind":"multi","user":{}}`, `{"kind":"multi","user":1}`, `{"kind":"multi","multi":{"key":"k"}}`, `{"kind":"multi","a b":{"key":"k"}}`,
		`{"key":null}`, `{"key":"k","email":1}`, `{"key":"k","custom":1}`, `{"key":"k","anonymous":1}`, `{"key":"k","privateAttributeNames":[1]}`, `{"key":"k"`,
	} {
		var theirs ldcontext.Context
		require.Error(t, json.Unmarshal([]byte(document), &theirs), document)
		_, problems := flags.DecodeContext([]byte(document))
		require.Error(t, problems.Err(), document)
	}
}
