package bench

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
)

// flag returns a flag whose canonical form has about 3.6 KB.
func flag(tb testing.TB) flags.Flag {
	var rules []string
	for i := range 7 {
		rules = append(rules, fmt.Sprintf(`{"_id":"5a1c7f60-3d82-4e9b-b0f4-6c2d8e9a1b%d7","variation":%d,"clauses":[{"_id":"c8e4d2b1-7f36-4a05-9d1e-0b5a3f7c6e%d2",`+
			`"attribute":"country","op":"in","values":["NO","SE","FI","DK","IS","EE","LV"],"contextKind":"user","negate":false},{"_id":"d8e4d2b1-7f36-4a05-9d1e-0b5a3f7c6e%d2",`+
			`"attribute":"plan","op":"in","values":["team","group"],"contextKind":"organization","negate":false}],"trackEvents":false}`, i, i%2, i, i))
	}
	document := `{"key":"new-checkout","name":"New checkout","kind":"boolean","_version":1,"creationDate":1790000000000,` +
		`"variations":[{"_id":"7d9b2c34-1e6f-4f0d-9c53-2b7a6f0e4d21","value":true},{"_id":"0c5e3a52-94f1-4b0c-8a86-5d1f8a1f6a10","value":false}],` +
		`"temporary":true,"tags":["checkout"],"environments":{"production":{"on":false,"archived":false,"salt":"bmV3LWNoZWNrb3V0","lastModified":1790000000000,"version":4,` +
		`"targets":[{"values":["tester-1","tester-2"],"variation":0,"contextKind":"user"}],"contextTargets":[{"values":[],"variation":0,"contextKind":"user"}],` +
		`"rules":[` + strings.Join(rules, ",") + `],"fallthrough":{"rollout":{"variations":[{"variation":0,"weight":5000},{"variation":1,"weight":95000}],"contextKind":"user"}},` +
		`"offVariation":1,"trackEvents":false,"trackEventsFallthrough":false}}}`
	f, problems := flags.DecodeFlag([]byte(document))
	require.Empty(tb, problems)
	require.InDelta(tb, 3600, len(f.AppendJSON(nil)), 100)
	return f
}

// The same change twice: as five instructions, and as a JSON Patch.
const (
	instructions = `[
		{"kind":"turnFlagOn"},
		{"kind":"updateFallthroughVariationOrRollout","rolloutContextKind":"user","rolloutWeights":{"7d9b2c34-1e6f-4f0d-9c53-2b7a6f0e4d21":25000,"0c5e3a52-94f1-4b0c-8a86-5d1f8a1f6a10":75000}},
		{"kind":"addUserTargets","variationId":"7d9b2c34-1e6f-4f0d-9c53-2b7a6f0e4d21","values":["tester-3"]},
		{"kind":"updateRuleVariationOrRollout","ruleId":"5a1c7f60-3d82-4e9b-b0f4-6c2d8e9a1b37","variationId":"7d9b2c34-1e6f-4f0d-9c53-2b7a6f0e4d21"},
		{"kind":"updateRuleDescription","ruleId":"5a1c7f60-3d82-4e9b-b0f4-6c2d8e9a1b57","description":"Northern teams"}]`
	operations = `[
		{"op":"replace","path":"/environments/production/on","value":true},
		{"op":"replace","path":"/environments/production/fallthrough/rollout/variations","value":[{"variation":0,"weight":25000},{"variation":1,"weight":75000}]},
		{"op":"add","path":"/environments/production/targets/0/values/-","value":"tester-3"},
		{"op":"replace","path":"/environments/production/rules/3/variation","value":0},
		{"op":"add","path":"/environments/production/rules/5/description","value":"Northern teams"},
		{"op":"replace","path":"/environments/production/version","value":5},
		{"op":"replace","path":"/environments/production/lastModified","value":1790000001000}]`
)

// patches returns functions that apply the change with flagstage and with
// json-patch. Both leave what they began with as it was.
func patches(tb testing.TB) (ours func() flags.Flag, theirs func() []byte) {
	f := flag(tb)
	list, problems := flags.DecodeInstructions([]byte(instructions))
	require.Empty(tb, problems)
	how := flags.Application{Environment: "production", Now: time.UnixMilli(1790000001000)}
	document := f.AppendJSON(nil)
	patch, err := jsonpatch.DecodePatch([]byte(operations))
	require.NoError(tb, err)
	ours = func() flags.Flag {
		after, err := flags.Apply(f, list, how)
		require.NoError(tb, err)
		return after
	}
	theirs = func() []byte {
		after, err := patch.Apply(document)
		require.NoError(tb, err)
		return after
	}
	return ours, theirs
}

// TestSameChange shows that what is compared is the same: both lead to the same
// document.
func TestSameChange(t *testing.T) {
	ours, theirs := patches(t)
	var got, want any
	require.NoError(t, json.Unmarshal(ours().AppendJSON(nil), &got))
	require.NoError(t, json.Unmarshal(theirs(), &want))
	require.Equal(t, want, got)
}

// BenchmarkApply compares applying five instructions with applying the same
// change as a JSON Patch, in blocks of both in turn, and fails if the median
// ratio is above what is promised. The metrics are the median nanoseconds of
// each, and the ratio.
func BenchmarkApply(b *testing.B) {
	const atMost = 0.03
	live := make([]byte, 64<<20) // as in a host program
	ours, theirs := patches(b)
	slice := func(f func()) float64 {
		n, begin := 0, time.Now()
		for time.Since(begin) < 15*time.Millisecond {
			f()
			n++
		}
		return float64(time.Since(begin)) / float64(n)
	}
	var a, c, ratios []float64
	for b.Loop() {
		mine := slice(func() { ours() })
		other := slice(func() { theirs() })
		a, c, ratios = append(a, mine), append(c, other), append(ratios, mine/other)
	}
	live[0]++
	b.ReportMetric(median(a), "ns/patch")
	b.ReportMetric(median(c), "jsonpatch-ns/patch")
	b.ReportMetric(median(ratios), "ratio")
	if len(ratios) >= 6 && median(ratios) > atMost {
		b.Errorf("the ratio is %.3f, must be at most %.2f", median(ratios), atMost)
	}
}
