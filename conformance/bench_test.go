package conformance

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
)

const (
	must  = 1.0 // the ratio that is promised
	slack = 1.3 // by how much it may be missed on machines that do other things too
)

var liveHeap []byte

// subject is a flag and a context that both sides evaluate.
type subject struct {
	name    string
	world   *world
	context person
	reason  string
}

func (s *subject) evaluateOurs() flags.Evaluation {
	return flags.Evaluate(s.world.flags[0].ours, environment, s.context.ours, s.world.known)
}

func (s *subject) evaluateTheirs() ldvalue.Value {
	return s.world.evaluator.Evaluate(s.world.flags[0].theirs, s.context.theirs, nil).Detail.Value
}

// subjects are flags of the sorts that are usual.
func subjects(tb testing.TB) []subject {
	clause := func(attribute, op string, values ...any) object {
		return object{"contextKind": "user", "attribute": attribute, "op": op, "values": values, "negate": false}
	}
	rules := 0
	rule := func(clauses ...object) object {
		rules++
		id := "rule-" + strconv.Itoa(rules)
		return object{"_id": id, "id": id, "variation": 1, "clauses": clauses}
	}
	rollout := object{"rollout": object{"contextKind": "user", "variations": []object{{"variation": 0, "weight": 60_000}, {"variation": 1, "weight": 40_000}}}}
	keys := []any{}
	for i := range 500 {
		keys = append(keys, "key-"+string(rune('a'+i%26))+string(rune('a'+i/26)))
	}
	list := []subject{}
	add := func(name, reason string, change object) {
		e := object{"on": true, "salt": "salt", "offVariation": 1, "fallthrough": object{"variation": 0}}
		for k, v := range change {
			e[k] = v
		}
		w := newWorld(tb, map[string][]any{"a": {true, false}, "b": {true, false}},
			map[string]object{"a": e, "b": {"on": true, "fallthrough": object{"variation": 0}}},
			map[string]object{"s": {"key": "s", "included": []string{"bo", "cy", "dan"}, "rules": []object{{"clauses": []object{clause("country", "in", "no")}}}}})
		p := newPerson(tb, []byte(`{"kind":"user","key":"ada-lovelace","name":"Ada","country":"no","email":"ada@example.com","plan":"pro","age":36,"groups":["x","staff"],"version":"2.3.1","since":"2026-03-02T09:00:00Z","address":{"city":"Oslo"}}`))
		list = append(list, subject{name, w, p, reason})
	}
	add("off", "OFF", object{"on": false})
	add("default rule", "FALLTHROUGH", nil)
	add("target", "TARGET_MATCH", object{"targets": []object{{"variation": 1, "values": []string{"x", "y", "ada-lovelace"}}}})
	add("many targets", "FALLTHROUGH", object{"targets": []object{{"variation": 1, "values": keys}}})
	add("rollout", "FALLTHROUGH", object{"fallthrough": rollout})
	add("one rule", "RULE_MATCH", object{"rules": []object{rule(clause("country", "in", "se", "no", "dk"))}})
	add("many values", "RULE_MATCH", object{"rules": []object{rule(clause("email", "in", append(slices.Clone(keys), "ada@example.com")...))}})
	add("five rules", "RULE_MATCH", object{"rules": []object{
		rule(clause("country", "in", "se")), rule(clause("plan", "startsWith", "free"), clause("age", "lessThan", 30)),
		rule(clause("email", "endsWith", "@example.org")), rule(clause("groups", "in", "admins", "owners")),
		rule(clause("groups", "in", "staff"), clause("age", "greaterThan", 18)),
	}})
	add("patterns, dates, versions, paths", "RULE_MATCH", object{"rules": []object{
		rule(clause("email", "matches", "^bo.*@")), rule(clause("since", "after", "2026-06-01T00:00:00Z")),
		rule(clause("version", "semVerLessThan", "2.0.0")), rule(clause("/address/city", "in", "Oslo")),
	}})
	add("segment", "RULE_MATCH", object{"rules": []object{rule(object{"attribute": "", "op": "segmentMatch", "values": []string{"s"}, "negate": false})}})
	add("prerequisite", "FALLTHROUGH", object{"prerequisites": []object{{"key": "b", "variation": 0}}})
	return list
}

// TestSubjectsAreTheSame shows that what is compared is the same, and what it is
// meant to be.
func TestSubjectsAreTheSame(t *testing.T) {
	for _, s := range subjects(t) {
		got := s.evaluateOurs()
		require.Equal(t, s.reason, string(got.Reason.Kind), s.name)
		require.Equal(t, theirAnswer(s.world.evaluator.Evaluate(s.world.flags[0].theirs, s.context.theirs, nil).Detail), answer(got), s.name)
	}
}

// BenchmarkEvaluate compares the evaluation of flags with that of the SDK, in
// short slices of both in turn, and fails if the median ratio of their times is
// more than it must be: lower is better.
func BenchmarkEvaluate(b *testing.B) {
	for _, s := range subjects(b) {
		b.Run(s.name, func(b *testing.B) {
			compare(b, func() { s.evaluateTheirs() }, func() { s.evaluateOurs() })
		})
	}
}

func compare(b *testing.B, base, subject func()) {
	liveHeap = make([]byte, 64<<20) // as in a host program
	slice := func(f func()) float64 {
		n, begin := 0, time.Now()
		for time.Since(begin) < 15*time.Millisecond {
			for range 100 {
				f()
			}
			n += 100
		}
		return float64(time.Since(begin)) / float64(n)
	}
	var bases, subjects, ratios []float64
	for b.Loop() {
		base, subject := slice(base), slice(subject)
		bases, subjects, ratios = append(bases, base), append(subjects, subject), append(ratios, subject/base)
	}
	b.ReportMetric(median(bases), "base-ns")
	b.ReportMetric(median(subjects), "subject-ns")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(must, "must")
	if len(ratios) >= 6 && median(ratios) > must*slack {
		b.Errorf("the ratio is %.3f, must be at most %.2f", median(ratios), must)
	}
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}
