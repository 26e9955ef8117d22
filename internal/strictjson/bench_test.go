package strictjson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// release is a template of six stages as people write it, in about 4 KB.
func release() string {
	const stage = `    {
      "name": "Stage number %, after the wait",
      "executeConditionsInSequence": true,
      "conditions": [
        {"kind": "schedule", "scheduleKind": "relative", "waitDuration": 2, "waitDurationUnit": "calendarDay"},
        {"kind": "ld-approval", "description": "Error rate & latency looked fine?", "notifyMemberIds": ["6130f0c1a8f2b90026a1d7e4"]}
      ],
      "action": {"instructions": [
        {"kind": "updateFallthroughVariationOrRollout", "rolloutWeights": {
          "452f5fb5-7320-4ba3-81a1-8f4324f79d49": 90000,
          "fc15f6a4-05d3-4aa4-a997-446be461345d": 10000
        }}
      ]}
    }`
	stages := make([]string, 6)
	for i := range stages {
		stages[i] = strings.Replace(stage, "%", string(rune('1'+i)), 1)
	}
	return `{
  "key": "careful-release",
  "name": "Careful release",
  "description": "One stage a day, each after a review",
  "projectKey": "shop",
  "environmentKey": "production",
  "flagKey": "new-checkout",
  "stages": [
` + strings.Join(stages, ",\n") + `
  ]
}
`
}

func BenchmarkSkip(b *testing.B) {
	document := []byte(release())
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		d := strictjson.NewDecoder(document, nil)
		d.Skip()
		d.End()
		if d.Err() != nil {
			b.Fatal(d.Err())
		}
	}
}

func BenchmarkReadValue(b *testing.B) {
	document := []byte(release())
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		d := strictjson.NewDecoder(document, nil)
		if _, _, ok := d.ReadValue(); !ok {
			b.Fatal(d.Err())
		}
	}
}

// BenchmarkReadCanonical reads what is canonical already.
func BenchmarkReadCanonical(b *testing.B) {
	document := strictjson.AppendValue(nil, release())
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		d := strictjson.NewDecoder(document, nil)
		if _, _, ok := d.ReadValue(); !ok {
			b.Fatal(d.Err())
		}
	}
}

func BenchmarkStandardValid(b *testing.B) {
	document := []byte(release())
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		if !json.Valid(document) {
			b.Fatal("not valid")
		}
	}
}

func BenchmarkStandardUnmarshal(b *testing.B) {
	document := []byte(release())
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		var v any
		require.NoError(b, json.Unmarshal(document, &v))
	}
}
