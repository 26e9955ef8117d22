package flags_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// many returns entries with a comma after each, in which % stands for another
// number each time, in about n bytes.
func many(n int, entry string) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strings.ReplaceAll(entry, "%", fmt.Sprint(i)))
		b.WriteByte(',')
	}
	return b.String()
}

// lists returns lists of the entry, each as long as is allowed, with a comma
// after each, in about n bytes.
func lists(n int, before, entry, after string) string {
	list := before + strings.Repeat(entry+",", 9_999) + entry + after + ","
	return strings.Repeat(list, max(1, n/len(list)))
}

// TestReadingAllocatesLittle holds that no document, however many problems it
// has, makes reading allocate much more than its size.
func TestReadingAllocatesLittle(t *testing.T) {
	const size = 1_000_000
	const served = `{"kind":"updateFallthroughVariationOrRollout",`
	for name, document := range map[string]string{
		"empty instructions":         many(size, `{}`),
		"numbers":                    many(size, `1`),
		"arrays":                     many(size, `[]`),
		"numbers beyond a double":    many(size, `1e999`),
		"only kinds":                 many(size, `{"kind":"addRule"}`),
		"unknown kinds":              many(size, `{"kind":"turnFlagsOn"}`),
		"kinds in capitals":          many(size, `{"KIND":"x"}`),
		"host kinds":                 many(size, `{"kind":"mine","n":1}`),
		"unknown members":            many(size, `{"kind":"addRule","x":1}`),
		"flags turned on":            many(size, `{"kind":"turnFlagOn"}`),
		"ignored members":            many(size, served+`"variationId":"v","rolloutBucketBy":"b"}`),
		"both served":                many(size, served+`"variationId":"v","rolloutWeights":{"v":100000}}`),
		"one host instruction":       `{"kind":"mine",` + many(size, `"x%":1e999`) + `"y":1}`,
		"members near to kind":       `{` + many(size, `"k%nd":1`) + `"y":1}`,
		"members of no instruction":  `{"kind":"turnFlagOn",` + many(size, `"%":1`) + `"y":1}`,
		"the same member":            `{"kind":"turnFlagOn",` + many(size, `"x":1`) + `"y":1}`,
		"rules of empty clauses":     `{"kind":"replaceRules","rules":[` + lists(size, `{"clauses":[`, `{}`, `]}`) + `{}]}`,
		"rules of numbers":           `{"kind":"replaceRules","rules":[` + lists(size, `{"clauses":[`, `1`, `]}`) + `{}]}`,
		"rules of bad operators":     `{"kind":"replaceRules","rules":[` + lists(size, `{"clauses":[`, `{"op":"i"}`, `]}`) + `{}]}`,
		"rules of values":            `{"kind":"replaceRules","rules":[` + lists(size, `{"clauses":[`, `{"values":[]}`, `]}`) + `{}]}`,
		"rules of bad references":    `{"kind":"replaceRules","rules":[` + lists(size, `{"clauses":[`, `{"ref":"?"}`, `]}`) + `{}]}`,
		"clauses of nulls":           `{"kind":"addClauses","ruleId":"r","clauses":[` + lists(size, `{"values":[`, `null`, `]}`) + `{}]}`,
		"segments without key":       `{"kind":"addClauses","ruleId":"r","clauses":[` + lists(size, `{"op":"segmentMatch","values":[`, `""`, `]}`) + `{}]}`,
		"rules of weights":           `{"kind":"replaceRules","rules":[` + many(120_000, `{"rolloutWeights":{}}`) + `{}]}`,
		"rules with wrong weights":   `{"kind":"replaceRules","rules":[{"rolloutWeights":{` + many(100_000, `"%":-1`) + `"x":1}}]}`,
		"weights of bad references":  `{"kind":"replaceRules","rules":[{"rolloutWeights":{` + many(100_000, `"ref:?%":1`) + `"x":1}}]}`,
		"targets of empty keys":      `{"kind":"replaceTargets","targets":[` + lists(size, `{"values":[`, `""`, `]}`) + `{}]}`,
		"targets of nothing":         `{"kind":"replaceTargets","targets":[` + many(120_000, `{"values":[]}`) + `{}]}`,
		"ids of bad references":      `{"kind":"reorderRules","ruleIds":[` + many(80_000, `"ref:"`) + `"r"]}`,
		"prerequisites without form": `{"kind":"replacePrerequisites","prerequisites":[` + many(100_000, `{"key":"-"}`) + `{}]}`,
		"prerequisites of numbers":   `{"kind":"replacePrerequisites","prerequisites":[` + many(60_000, `{"key":1}`) + `{}]}`,
		"a value":                    `{"kind":"addVariation","value":[` + many(size, `1e999`) + `1]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if document[len(document)-1] == ',' {
				document = "[" + document + "1]"
			}
			require.LessOrEqual(t, len(document), strictjson.MaxDocument)
			var problems flags.Problems
			used := allocated(func() {
				if document[0] == '[' {
					_, problems = flags.DecodeInstructions([]byte(document), flags.HostKinds("mine"))
				} else {
					_, problems = flags.DecodeInstruction([]byte(document), flags.HostKinds("mine"))
				}
			})
			require.Error(t, problems.Err())
			const slack = 300_000 // for what is told
			require.Less(t, used, uint64(20*len(document)+slack))
		})
	}
}

// allocated returns how many bytes are allocated during a call.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
