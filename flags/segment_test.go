package flags_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
)

func decodeSegment(t testing.TB, document string) flags.Segment {
	s, problems := flags.DecodeSegment([]byte(document))
	require.Empty(t, problems, document)
	return s
}

// observers has something in every member.
const observers = `{"key":"observers","name":"Observers","description":"who looks at the sky","tags":["sky","night"],` +
	`"creationDate":1767600000000,"lastModifiedDate":1767600000001,"version":4,"deleted":false,"salt":"stars",` +
	`"included":["ada"],"excluded":["bo","cy"],"includedContexts":[{"values":["d1"],"contextKind":"device","note":1}],` +
	`"excludedContexts":[{"values":[],"contextKind":"org"},{"values":["o1"],"contextKind":"org"}],` +
	`"rules":[{"_id":"r1","clauses":[{"_id":"c1","attribute":"/home/city","op":"in","values":["Bergen"],"contextKind":"user","negate":true,"x":[1]}],` +
	`"weight":25000,"rolloutContextKind":"user","bucketBy":"team","description":"a quarter","id":"r1"}],` +
	`"unbounded":true,"unboundedContextKind":"user","generation":3,"_links":{"self":"/"}}`

func TestSegmentKeepsEveryMemberOfItsDocument(t *testing.T) {
	s := decodeSegment(t, observers)
	require.Equal(t, observers, string(s.AppendJSON(nil)))
	marshalled, err := json.Marshal(s)
	require.NoError(t, err)
	require.Equal(t, observers, string(marshalled))
	require.True(t, decodeSegment(t, observers).Equal(s))

	small := decodeSegment(t, `{"key":"k","rules":null,"included":null,"includedContexts":null,"tags":null}`)
	canonical := `{"key":"k","name":"","tags":[],"version":0,"deleted":false,"included":[],"excluded":[],"includedContexts":[],"excludedContexts":[],"rules":[]}`
	require.Equal(t, canonical, string(small.AppendJSON(nil)))
	require.False(t, small.Equal(s))
}

func TestWhatASegmentTells(t *testing.T) {
	s := decodeSegment(t, observers)
	require.Equal(t, "observers", s.Key())
	require.Equal(t, "Observers", s.Name())
	require.Equal(t, "who looks at the sky", s.Description())
	require.Equal(t, []string{"sky", "night"}, s.Tags())
	created, ok := s.CreatedAt()
	require.True(t, ok)
	require.Equal(t, time.UnixMilli(1767600000000).UTC(), created)
	modified, ok := s.ModifiedAt()
	require.True(t, ok)
	require.Equal(t, time.UnixMilli(1767600000001).UTC(), modified)
	require.EqualValues(t, 4, s.Version())
	require.False(t, s.Deleted())
	require.Equal(t, "stars", s.Salt())
	require.True(t, s.Unbounded())
	require.Equal(t, 1, s.RuleCount())
	require.Equal(t, []string{"if user /home/city is not \"Bergen\" (25 % of contexts of kind user by team)"}, s.RulesInWords())
	require.Equal(t, []string{"if email ends with \".org\" (12.5 % of them)", "if email ends with \".org\""}, decodeSegment(t, `{"key":"k","rules":[
		{"clauses":[{"attribute":"email","op":"endsWith","values":[".org"]}],"weight":12500},
		{"clauses":[{"attribute":"email","op":"endsWith","values":[".org"]}]}]}`).RulesInWords())
	var lists []string
	for l := range s.Included() {
		lists = append(lists, l.ContextKind()+" "+strings.Join(slices.Collect(l.Values()), " "))
	}
	for l := range s.Excluded() {
		lists = append(lists, "not "+l.ContextKind()+" "+strings.Join(slices.Collect(l.Values()), " "))
	}
	require.Equal(t, []string{"user ada", "device d1", "not user bo cy", "not org o1"}, lists)

	var zero flags.Segment
	require.True(t, zero.IsZero())
	require.Empty(t, zero.Key())
	require.Equal(t, "null", string(zero.AppendJSON(nil)))
	require.Empty(t, slices.Collect(zero.Included()))
	_, ok = zero.CreatedAt()
	require.False(t, ok)
}

func TestWhatIsWrongWithSegments(t *testing.T) {
	for document, want := range map[string]string{
		`null`:                                   "|wrong_type",
		`{`:                                      "|syntax",
		`{}`:                                     "/key|required",
		`{"key":"<"}`:                            "/key|malformed",
		`{"key":"k","Rules":[]}`:                 "/Rules|unknown_member",
		`{"key":"k","version":-1}`:               "/version|out_of_range",
		`{"key":"k","included":[""]}`:            "/included/0|malformed",
		`{"key":"k","included":[1]}`:             "/included/0|wrong_type",
		`{"key":"k","includedContexts":[null]}`:  "/includedContexts/0|wrong_type",
		`{"key":"k","excludedContexts":[{}]}`:    "/excludedContexts/0/values|required",
		`{"key":"k","rules":[null]}`:             "/rules/0|wrong_type",
		`{"key":"k","rules":[{}]}`:               "/rules/0/clauses|required",
		`{"key":"k","rules":[{"clauses":[{}]}]}`: "/rules/0/clauses/0/attribute|required",
		`{"key":"k","rules":[{"clauses":[],"weight":100001}]}`:                    "/rules/0/weight|out_of_range",
		`{"key":"k","rules":[{"_id":"r","clauses":[]},{"_id":"r","clauses":[]}]}`: "/rules/1/_id|duplicate",
		`{"key":"k","generation":-1}`:                                             "/generation|out_of_range",
	} {
		s, problems := flags.DecodeSegment([]byte(document))
		require.Error(t, problems.Err(), document)
		require.Equal(t, want, problems[0].Pointer+"|"+string(problems[0].Code), document)
		require.True(t, s.IsZero())

		kept := decodeSegment(t, `{"key":"kept"}`)
		require.Error(t, kept.UnmarshalJSON([]byte(document)))
		require.Equal(t, "kept", kept.Key())
	}
	tag := strings.Repeat("<", 60_000)
	_, problems := flags.DecodeSegment([]byte(`{"key":"k","tags":["a` + tag + `","b` + tag + `","c` + tag + `"]}`))
	require.Equal(t, flags.CodeTooLarge, problems[0].Code)
}

// segmentOf returns the document of a segment that includes so many users and
// devices, and excludes as many others.
func segmentOf(n int) string {
	keys := func(prefix string) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`"%s%d"`, prefix, i))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	return `{"key":"large","name":"","tags":[],"version":1,"deleted":false,"included":` + keys("u") + `,"excluded":` + keys("x") +
		`,"includedContexts":[{"values":` + keys("d") + `,"contextKind":"device"}],"excludedContexts":[{"values":` + keys("y") + `,"contextKind":"device"}],"rules":[{"clauses":[]}]}`
}

// TestLargeSegments holds that a segment may have as many keys as fit into a
// document, that reading it takes memory in proportion, and that asking for a
// context takes none.
func TestLargeSegments(t *testing.T) {
	var s flags.Segment
	cost := func(n int) uint64 {
		document := []byte(segmentOf(n))
		used := allocated(func() { s = decodeSegment(t, string(document)) })
		require.LessOrEqual(t, used, uint64(30*len(document)))
		require.Equal(t, string(document), string(s.AppendJSON(nil)))
		return used
	}
	few := cost(2_500)
	require.LessOrEqual(t, cost(25_000), 15*few)

	f := telescope(t, "f", on+ruleOf(`{"op":"segmentMatch","values":["large"]}`))
	known := flags.NewKnown(nil, []flags.Segment{s})
	for context, want := range map[string]string{
		`{"kind":"user","key":"u24999"}`:                                   servesRule,
		`{"kind":"user","key":"x24999"}`:                                   servesDefault,
		`{"kind":"user","key":"ada"}`:                                      servesRule,
		`{"kind":"device","key":"d24999"}`:                                 servesRule,
		`{"kind":"device","key":"y0"}`:                                     servesDefault,
		`{"kind":"multi","user":{"key":"x0"},"device":{"key":"d12500"}}`:   servesRule,
		`{"kind":"multi","user":{"key":"none"},"device":{"key":"y24999"}}`: servesDefault,
	} {
		c := decodeContext(t, context)
		require.Equal(t, want, served(flags.Evaluate(f, "e", c, known)), context)
		require.Zero(t, testing.AllocsPerRun(10, func() { flags.Evaluate(f, "e", c, known) }))
	}

	// The shortest keys, as many as there can be.
	document := `{"key":"k","included":[` + strings.TrimSuffix(strings.Repeat(`"a",`, (1<<20-200)/4), ",") + `]}`
	require.Less(t, allocated(func() { s = decodeSegment(t, document) }), uint64(50*len(document)))
	_, problems := flags.DecodeSegment([]byte(`{"key":"k","rules":[` + strings.TrimSuffix(strings.Repeat(`{"clauses":[]},`, 10_001), ",") + `]}`))
	require.Equal(t, "/rules: has 10001 entries; at most 10000 are allowed [too_large]", problems[0].String())
}

func FuzzDecodeSegment(f *testing.F) {
	f.Add(observers)
	f.Add(`{"key":"k","rules":[{"clauses":[{"op":"segmentMatch","values":["k"]}]}]}`)
	f.Fuzz(func(t *testing.T, document string) {
		s, problems := flags.DecodeSegment([]byte(document))
		if problems.Err() != nil {
			require.True(t, s.IsZero())
			return
		}
		canonical := s.AppendJSON(nil)
		again, problems := flags.DecodeSegment(canonical)
		require.NoError(t, problems.Err())
		require.Equal(t, string(canonical), string(again.AppendJSON(nil)))
	})
}
