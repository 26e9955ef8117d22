package flags_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/flags"
)

func readFile(t testing.TB, name string) []byte {
	document, err := os.ReadFile("testdata/flags/" + name)
	require.NoError(t, err)
	return document
}

func decodeFlag(t testing.TB, document string) flags.Flag {
	f, problems := flags.DecodeFlag([]byte(document))
	require.Empty(t, problems)
	return f
}

// microscope is the flag of testdata, which has something in every member.
func microscope(t testing.TB) flags.Flag {
	return decodeFlag(t, string(readFile(t, "microscope.json")))
}

// asAny returns what a JSON document says.
func asAny(t testing.TB, document []byte) (v any) {
	d := json.NewDecoder(strings.NewReader(string(document)))
	d.UseNumber()
	require.NoError(t, d.Decode(&v))
	return v
}

func TestFlagKeepsEveryMemberOfItsDocument(t *testing.T) {
	document := readFile(t, "microscope.json")
	f := microscope(t)
	want := asAny(t, document).(map[string]any)
	test := want["environments"].(map[string]any)["test"].(map[string]any)
	test["targets"], test["contextTargets"], test["prerequisites"] = []any{}, []any{}, []any{} // the published schema wants them
	require.Equal(t, want, asAny(t, f.AppendJSON(nil)))

	canonical := f.AppendJSON(nil)
	again := decodeFlag(t, string(canonical))
	require.Equal(t, string(canonical), string(again.AppendJSON(nil)), "the canonical form is a fixed point")
	require.True(t, again.Equal(f))
	marshalled, err := json.Marshal(f)
	require.NoError(t, err)
	require.Equal(t, string(canonical), string(marshalled))
	require.Equal(t, "x"+string(canonical), string(f.AppendJSON([]byte("x"))))
}

func TestCanonicalFlag(t *testing.T) {
	const file = "testdata/flags/microscope.canonical.json"
	got := append(microscope(t).AppendJSON(nil), '\n')
	if *update {
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run go test -update to write it")
	require.Equal(t, string(want), string(got))
}

func TestWhatAFlagTells(t *testing.T) {
	f := microscope(t)
	require.Equal(t, "remote-microscope", f.Key())
	require.Equal(t, flags.FlagMultivariate, f.Kind())
	require.Equal(t, "Remote microscope", f.Name())
	require.Equal(t, "Which lens the visitors of the web page look through", f.Description())
	require.EqualValues(t, 7, f.Version())
	created, ok := f.CreatedAt()
	require.True(t, ok)
	require.Equal(t, time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC), created)
	require.True(t, f.Temporary())
	require.Equal(t, []string{"laboratory", "web"}, f.Tags())
	require.Equal(t, "member-ada", f.MaintainerID())
	require.Empty(t, f.MaintainerTeamKey())
	require.True(t, f.AvailableTo(flags.UsingMobileKey))
	require.False(t, f.AvailableTo(flags.UsingEnvironmentID))
	require.False(t, f.Archived() || f.Deprecated() || f.Deleted())
	_, ok = f.ArchivedAt()
	require.False(t, ok)
	on, off := f.Defaults()
	require.Equal(t, [2]int{1, 0}, [2]int{on, off})
	require.Equal(t, []flags.CustomProperty{{Key: "tracker.issues", Name: "Issues", Values: []string{"LAB-12", "LAB-40"}}}, f.CustomProperties())
	require.Equal(t, []string{"production", "test"}, f.EnvironmentKeys())
	require.Equal(t, 3, f.VariationCount())
	i, ok := f.VariationIndex(grey)
	require.True(t, ok)
	require.Equal(t, 1, i)
	v, ok := f.Variation(2)
	require.True(t, ok)
	require.Equal(t, `{"lens":"oil","zoom":1.50}`, v.Value.String())
	for _, i := range []int{-1, 3} {
		_, ok = f.Variation(i)
		require.False(t, ok)
	}
	for i, v := range f.Variations() {
		same, _ := f.Variation(i)
		require.Equal(t, same, v)
	}
	_, ok = f.VariationIndex("")
	require.False(t, ok)

	e, ok := f.Environment("production")
	require.True(t, ok)
	require.True(t, e.On())
	require.Equal(t, "cmVtb3Rl", e.Salt())
	require.EqualValues(t, 31, e.Version())
	i, ok = e.OffVariation()
	require.True(t, ok)
	require.Zero(t, i)
	require.Equal(t, []flags.FlagPrerequisite{{Key: "remote-lamp", Variation: 1}}, slices.Collect(e.Prerequisites()))
	rollout, ok := e.Fallthrough().Rollout()
	require.True(t, ok)
	require.Equal(t, 2, rollout.Len())
	require.Equal(t, flags.WeightedVariation{Variation: 1, Weight: 10_000}, rollout.At(1))
	require.Zero(t, rollout.At(2))
	require.Equal(t, "user", rollout.ContextKind())
	_, ok = rollout.Seed()
	require.False(t, ok)

	lists := slices.Collect(e.Targets())
	require.Len(t, lists, 2, "a placeholder is no list")
	require.Equal(t, "laboratory", lists[0].ContextKind())
	require.Equal(t, 1, lists[1].Variation())
	require.Equal(t, []string{"ada", "grace"}, slices.Collect(lists[1].Values()))
	require.True(t, lists[1].Has("grace"))
	require.False(t, lists[1].Has("lab-7"))

	require.Equal(t, 2, e.RuleCount())
	second, ok := e.Rule(other)
	require.True(t, ok)
	require.True(t, second.Disabled())
	rollout, _ = second.Served().Rollout()
	seed, ok := rollout.Seed()
	require.True(t, ok)
	require.EqualValues(t, 61, seed)
	require.Equal(t, "bench", rollout.BucketBy())
	i, ok = rollout.Experiment()
	require.True(t, ok)
	require.Zero(t, i)
	require.True(t, rollout.At(1).Untracked)
	for i, rule := range e.Rules() {
		if i == 0 {
			require.Equal(t, "northern", rule.Ref())
			require.Equal(t, "Northern laboratories", rule.Description())
			for _, cl := range rule.Clauses() {
				require.Equal(t, clause, cl.ID())
				require.Equal(t, `laboratory city is "Bergen" or "Turku"`, cl.String())
				require.Equal(t, 2, cl.ValueCount())
			}
			index, ok := rule.Served().Variation()
			require.True(t, ok)
			require.Equal(t, 1, index)
		}
	}
	test, _ := f.Environment("test")
	require.NotEqual(t, e.Version(), test.Version())
	_, ok = test.ModifiedAt()
	require.False(t, ok)
	_, ok = f.Environment("staging")
	require.False(t, ok)
}

func TestZeroValuesOfAFlagTellNothing(t *testing.T) {
	var f flags.Flag
	require.True(t, f.IsZero())
	require.Equal(t, "null", string(f.AppendJSON(nil)))
	require.Empty(t, f.Key())
	require.Empty(t, f.Tags())
	require.Empty(t, f.EnvironmentKeys())
	on, off := f.Defaults()
	require.Zero(t, on+off)
	var e flags.Environment
	require.False(t, e.On())
	require.Zero(t, e.RuleCount())
	require.Empty(t, slices.Collect(e.Targets()))
	require.True(t, json.Valid(e.AppendJSON(nil)))
	_, ok := e.Fallthrough().Variation()
	require.False(t, ok)
	var rule flags.FlagRule
	require.Zero(t, rule.ClauseCount())
	_, ok = rule.Served().Rollout()
	require.False(t, ok)
	require.Zero(t, flags.FlagRollout{}.Len())
	require.False(t, flags.TargetList{}.Has("ada"))
	require.Empty(t, flags.FlagClause{}.Op())
	_, ok = flags.Served{}.Variation()
	require.False(t, ok)
}

func TestNobodyCanChangeAFlag(t *testing.T) {
	f := microscope(t)
	before := string(f.AppendJSON(nil))
	f.Tags()[0] = "changed"
	f.EnvironmentKeys()[0] = "changed"
	f.CustomProperties()[0].Values[0] = "changed"
	require.Equal(t, before, string(f.AppendJSON(nil)))
	document := []byte(before)
	g, _ := flags.DecodeFlag(document)
	clear(document)
	require.Equal(t, before, string(g.AppendJSON(nil)))

	require.ErrorIs(t, json.Unmarshal([]byte(`{"key":"k"}`), &g), flags.ErrInvalidRequest)
	require.Equal(t, before, string(g.AppendJSON(nil)), "an error leaves it as it was")
	require.Error(t, json.Unmarshal([]byte("null"), &g))
}

// flagWith returns a small flag in which one text is replaced by another.
func flagWith(t testing.TB, old, new string) string {
	const small = `{"key":"lamp","kind":"boolean","variations":[{"_id":"t","value":true},{"_id":"f","value":false}],"environments":{"lab":{"on":true,` +
		`"targets":[{"values":["ada"],"variation":0}],"contextTargets":[{"values":["b-1"],"variation":1,"contextKind":"bench"}],` +
		`"rules":[{"_id":"r","variation":0,"clauses":[{"_id":"c","attribute":"a","op":"in","values":["x"]}]}],` +
		`"fallthrough":{"rollout":{"variations":[{"variation":0,"weight":60000},{"variation":1,"weight":40000}]}},"offVariation":1,` +
		`"prerequisites":[{"key":"main","variation":0}]}}}`
	require.Equal(t, 1, strings.Count(small, old), "%s stands in the flag once", old)
	return strings.Replace(small, old, new, 1)
}

func TestFlagsThatAreRefused(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{`"key":"lamp",`, ``, "/key: is missing [required]"},
		{`"kind":"boolean",`, ``, "/kind: is missing [required]"},
		{`"on":true,`, ``, "/environments/lab/on: is missing [required]"},
		{`"on":true,`, `"on":1,`, "/environments/lab/on: is a number, must be a boolean [wrong_type]"},
		{`"on":true,`, `"On":true,"on":true,`, `/environments/lab/On: the member "On" is unknown here; did you mean "on"? [unknown_member]`},
		{`"on":true,`, `"on":true,"x":1,"x":2,`, `/environments/lab/x: the name "x" stands twice in this object [duplicate]`},
		{`"key":"lamp"`, `"key":"-"`, `/key: "-" is no flag key: at most 256 letters, digits, dots, underscores or hyphens, the first a letter or digit [malformed]`},
		{`{"lab":`, `{"a/b":`, `/environments/a~1b: "a/b" is no environment key: at most 256 letters, digits, dots, underscores or hyphens, the first a letter or digit [malformed]`},
		{`"boolean"`, `"Boolean"`, `/kind: "Boolean" is no kind of flag; did you mean "boolean"? [unknown_kind]`},
		{`"value":false`, `"value":"no"`, "/variations: must be true and false: the flag is boolean [malformed]"},
		{`"value":false`, `"value":true`, "/variations/1/value: is the value of another variation too [duplicate]"},
		{`,"value":false`, ``, "/variations/1/value: is missing [required]"},
		{`"_id":"f"`, `"_id":"t"`, "/variations/1/_id: is the id of another variation too [duplicate]"},
		{`"offVariation":1`, `"offVariation":2`, "/environments/lab/offVariation: is 2, the index of no variation; they are counted from 0 to 1 [out_of_range]"},
		{`"offVariation":1`, `"offVariation":-1`, "/environments/lab/offVariation: is -1, the index of no variation; they are counted from 0 to 1 [out_of_range]"},
		{`"key":"lamp"`, `"defaults":{"onVariation":5,"offVariation":0},"key":"lamp"`, "/defaults/onVariation: is 5, the index of no variation; they are counted from 0 to 1 [out_of_range]"},
		{`"key":"lamp"`, `"defaults":{"onVariation":0},"key":"lamp"`, "/defaults/offVariation: is missing [required]"},
		{`"values":["b-1"],"variation":1,"contextKind":"bench"`, `"values":["ada"],"variation":1,"contextKind":"user"`, "/environments/lab/contextTargets/0/values: must be empty: users stand in targets [malformed]"},
		{`["ada"],"variation":0}`, `["ada"],"variation":0},{"values":["ada"],"variation":1}`, `/environments/lab/targets/1: serve "ada" a second variation; a context has one [duplicate]`},
		{`["ada"],"variation":0}`, `["ada"],"variation":0},{"values":["bo"],"variation":0}`, "/environments/lab/targets/1: is the second list of this variation and kind of context; put them together [duplicate]"},
		{`["ada"],"variation":0`, `["ada"],"variation":0,"contextKind":"bench"`, "/environments/lab/targets/0/contextKind: must be user: contexts of other kinds stand in contextTargets [malformed]"},
		{`["ada"],"variation":0`, `["ada"]`, "/environments/lab/targets/0/variation: is missing [required]"},
		{`"_id":"r","variation":0`, `"_id":"r"`, "/environments/lab/rules/0/variation: give variation or rollout [required]"},
		{`{"rollout":{"variations"`, `{"rollout":{"kind":"experment","variations"`, `/environments/lab/fallthrough/rollout/kind: "experment" is no kind of rollout; did you mean "experiment"? [unknown_kind]`},
		{`{"rollout":{"variations"`, `{"rollout":{"kind":"","variations"`, `/environments/lab/fallthrough/rollout/kind: "" is no kind of rollout; must be one of rollout, experiment [unknown_kind]`},
		{`{"rollout":{"variations"`, `{"rollout":{"kind":1,"variations"`, `/environments/lab/fallthrough/rollout/kind: is a number, must be a string [wrong_type]`},
		{`"weight":60000}`, `"weight":60000,"untracked":1}`, `/environments/lab/fallthrough/rollout/variations/0/untracked: is a number, must be a boolean [wrong_type]`},
		{`"weight":60000}`, `"weight":60000,"untracked":true,"_untracked":false}`, `/environments/lab/fallthrough/rollout/variations/0/untracked: says otherwise than "_untracked", which is the same member in another spelling [ambiguous]`},
		{`"_id":"r","variation":0`, `"_id":"r","variation":0,"rollout":{"variations":[{"variation":0,"weight":100000}]}`, "/environments/lab/rules/0/rollout: cannot stand beside the other: serve one variation, or several by weight [exclusive]"},
		{`"_id":"c"`, `"_id":"r"`, "/environments/lab/rules/0/clauses/0/_id: is the id of another rule or clause too [duplicate]"},
		{`"op":"in"`, `"op":"inn"`, `/environments/lab/rules/0/clauses/0/op: "inn" is no operator; did you mean "in"? [unknown_kind]`},
		{`"op":"in","values":["x"]`, `"op":"segmentMatch","values":[1]`, "/environments/lab/rules/0/clauses/0/values/0: must be a string, the key of a segment [wrong_type]"},
		{`"attribute":"a",`, ``, "/environments/lab/rules/0/clauses/0/attribute: is missing [required]"},
		{`"weight":40000`, `"weight":40001`, "/environments/lab/fallthrough/rollout/variations: add up to 100001; weights must add up to 100000 [out_of_range]"},
		{`"weight":40000`, `"weight":-1`, "/environments/lab/fallthrough/rollout/variations/1/weight: is -1; a weight is between 0 and 100000 [out_of_range]"},
		{`{"variation":1,"weight":40000}`, `{"variation":2,"weight":40000}`, "/environments/lab/fallthrough/rollout/variations/1/variation: is 2, the index of no variation; they are counted from 0 to 1 [out_of_range]"},
		{`"prerequisites":[`, `"prerequisites":[{"key":"main","variation":0},`, "/environments/lab/prerequisites/1/key: is the key of another prerequisite too [duplicate]"},
		{`"key":"main"`, `"key":"no way"`, `/environments/lab/prerequisites/0/key: "no way" is no flag key: at most 256 letters, digits, dots, underscores or hyphens, the first a letter or digit [malformed]`},
		{`"key":"lamp"`, `"key":"lamp","creationDate":253402300800000`, "/creationDate: is 253402300800000; a date in milliseconds is between 0 and 253402300799999 [out_of_range]"},
		{`"key":"lamp"`, `"key":"lamp","_version":-1`, "/_version: is -1; a version is between 0 and 9007199254740992 [out_of_range]"},
		{`"key":"lamp"`, `"key":"lamp","tags":["a","a"]`, "/tags/1: stands twice among the tags [duplicate]"},
		{`"key":"lamp"`, `"key":"lamp","customProperties":{"p":null}`, "/customProperties/p: must not be null [wrong_type]"},
		{`"key":"lamp"`, `"key":"lamp","customProperties":{"p":{}}`, "/customProperties/p/value: is missing [required]"},
	} {
		t.Run(test.new, func(t *testing.T) {
			document := flagWith(t, test.old, test.new)
			f, problems := flags.DecodeFlag([]byte(document))
			require.True(t, f.IsZero())
			require.Len(t, problems, 1, "%v", problems)
			require.Equal(t, test.want, problems[0].String())
		})
	}
}

func TestFlagsThatAreTaken(t *testing.T) {
	for old, new := range map[string]string{
		`"on":true,`:                           `"on":true,"rules_":[],"ON_":1,`,
		`"offVariation":1`:                     `"offVariation":null`,
		`"_id":"t",`:                           ``,
		`"_id":"c",`:                           ``,
		`["ada"],"variation":0}`:               `[],"variation":0}`,
		`"op":"in"`:                            `"op":"in","negate":null`,
		`"prerequisites":[`:                    `"prerequisites":[{"key":"lamp","variation":9},`,
		`"variations":[{"_id":"t","value":tru`: `"tags":null,"environments_":{},"variations":[{"_id":"t","value":tru`,
	} {
		f, problems := flags.DecodeFlag([]byte(flagWith(t, old, new)))
		require.Empty(t, problems, new)
		require.False(t, f.IsZero())
	}
	f, problems := flags.DecodeFlag([]byte(flagWith(t, `"weight":40000`, `"weight":30000`)))
	require.Equal(t, "/environments/lab/fallthrough/rollout/variations: add up to 90000, not to 100000; the last variation gets what is left [out_of_range]", problems[0].String())
	require.Equal(t, flags.SeverityWarning, problems[0].Severity)
	require.False(t, f.IsZero())
}

func TestAllProblemsOfAFlagComeAtOnce(t *testing.T) {
	document := strings.NewReplacer(`"offVariation":1`, `"offVariation":7`, `"op":"in"`, `"op":"is"`, `"key":"lamp"`, `"key":""`, `"weight":40000`, `"weight":"40"`).
		Replace(flagWith(t, `"on":true`, `"on":null`))
	_, problems := flags.DecodeFlag([]byte(document))
	var pointers []string
	for _, p := range problems {
		pointers = append(pointers, p.Pointer)
	}
	require.Equal(t, []string{
		"/key", "/environments/lab/on", "/environments/lab/rules/0/clauses/0/op",
		"/environments/lab/fallthrough/rollout/variations/1/weight", "/environments/lab/offVariation",
	}, pointers)
}

func TestNumbersOfVariationsAreComparedByWhatTheySay(t *testing.T) {
	multi := func(values ...string) string {
		return `{"key":"k","kind":"multivariate","variations":[{"value":` + strings.Join(values, `},{"value":`) + `}]}`
	}
	for _, same := range [][]string{{"1", "1.0"}, {"100", "1e2", "1E+2"}, {"0", "-0"}, {"0.5", "5e-1"}, {"1200e-2", "12"}, {`"a"`, `"\u0061"`}} {
		for _, v := range same[1:] {
			_, problems := flags.DecodeFlag([]byte(multi(same[0], v)))
			require.Len(t, problems, 1, v)
			require.Equal(t, flags.CodeDuplicate, problems[0].Code)
		}
	}
	for _, differ := range [][]string{{"1", "-1"}, {"1", `"1"`}, {"10", "1"}, {"0.05", "0.5"}, {"9007199254740993", "9007199254740992"}} {
		_, problems := flags.DecodeFlag([]byte(multi(differ...)))
		require.Empty(t, problems, differ)
	}
}

func TestReadingAFlagAllocatesLittle(t *testing.T) {
	const size = 1_000_000
	head := `{"key":"k","kind":"multivariate","variations":[{"_id":"v","value":1},{"_id":"w","value":2}],`
	late := `{"key":"k","kind":"multivariate",`
	for name, document := range map[string]string{
		"unknown members":       head + many(size, `"x%":1`) + `"y":1}`,
		"tags":                  head + `"tags":[` + many(60_000, `"t%"`) + `1]}`,
		"environments":          head + `"environments":{` + many(100_000, `"e%":{}`) + `"y":{}}}`,
		"targets":               head + `"environments":{"e":{"on":true,"targets":[{"variation":0,"values":[` + many(80_000, `"t%"`) + `1]}]}}}`,
		"lists of one target":   head + `"environments":{"e":{"on":true,"contextTargets":[` + many(500_000, `{"variation":0,"contextKind":"k%","values":["t"]}`) + `1]}}}`,
		"rules":                 head + `"environments":{"e":{"on":true,"rules":[` + many(600_000, `{"_id":"r%","variation":0,"clauses":[]}`) + `1]}}}`,
		"rules without clauses": head + `"environments":{"e":{"on":true,"rules":[` + many(100_000, `{}`) + `1]}}}`,
		"indexes before variations": late + `"environments":{"e":{"on":true,"rules":[` + many(400_000, `{"variation":%,"clauses":[]}`) +
			`{}]}},"variations":[{"value":1}]}`,
		"properties": head + `"customProperties":{` + many(300_000, `"p%":{"value":[]}`) + `"y":1}}`,
	} {
		t.Run(name, func(t *testing.T) {
			var problems flags.Problems
			used := allocated(func() { _, problems = flags.DecodeFlag([]byte(document)) })
			if name != "unknown members" {
				require.Error(t, problems.Err())
			}
			require.Less(t, used, uint64(24*len(document)+1_500_000))
		})
	}
}

func FuzzDecodeFlag(f *testing.F) {
	f.Add(string(readFile(f, "microscope.json")))
	f.Add(flagWith(f, `"on":true`, `"on":false`))
	f.Add(`{"key":"k","environments":{"e":{"on":true,"offVariation":3}},"kind":"multivariate","variations":[{"value":1e-7}]}`)
	f.Fuzz(func(t *testing.T, document string) {
		flag, problems := flags.DecodeFlag([]byte(document))
		for _, p := range problems {
			require.LessOrEqual(t, len(p.Message), 512)
		}
		if problems.Err() != nil {
			require.True(t, flag.IsZero())
			return
		}
		require.True(t, json.Valid([]byte(document)))
		canonical := flag.AppendJSON(nil)
		again, problems := flags.DecodeFlag(canonical)
		require.NoError(t, problems.Err())
		require.Equal(t, string(canonical), string(again.AppendJSON(nil)))
		marshalled, err := json.Marshal(flag)
		require.NoError(t, err)
		require.Equal(t, string(canonical), string(marshalled))
		require.True(t, flag.Same(again, ""))
		require.Empty(t, flags.DescribeChange(flag, again))
	})
}

// TestSpellingsOfExperiments holds that what says that a rollout is one of an
// experiment is written as it was given, and told.
func TestSpellingsOfExperiments(t *testing.T) {
	const document = `{"key":"k","kind":"multivariate","variations":[{"value":1}],"environments":{"e":{"on":true,"fallthrough":{"rollout":%s}}}}`
	for _, c := range []struct {
		rollout, written string
		variation        int
		experiment       bool
	}{
		{`{"variations":[{"variation":0,"weight":100000}]}`, "", 0, false},
		{`{"kind":"rollout","variations":[{"variation":0,"weight":100000}]}`, "", 0, false},
		{`{"kind":"experiment","variations":[{"variation":0,"weight":100000,"untracked":true}]}`, "", -1, true},
		{`{"kind":"experiment","variations":[{"variation":0,"weight":100000,"untracked":false}]}`, "", -1, true},
		{`{"kind":"experiment","variations":[{"variation":0,"weight":100000,"_untracked":true,"untracked":true}]}`, "", -1, true},
		{`{"variations":[{"variation":0,"weight":100000,"_untracked":true}],"experimentAllocation":{"defaultVariation":0}}`, "", 0, true},
		{`{"kind":"experiment","variations":[{"variation":0,"weight":100000}],"experimentAllocation":{"defaultVariation":0}}`, "", 0, true},
		{`{"kind":"rollout","variations":[{"variation":0,"weight":100000}],"experimentAllocation":{"defaultVariation":0}}`, "", 0, false},
		{
			`{"kind":null,"variations":[{"variation":0,"weight":100000,"untracked":false,"_untracked":false}]}`,
			`{"variations":[{"variation":0,"weight":100000,"untracked":false}]}`, 0, false,
		},
	} {
		f := decodeFlag(t, fmt.Sprintf(document, c.rollout))
		want := c.written
		if want == "" {
			want = c.rollout
		}
		require.Contains(t, string(f.AppendJSON(nil)), `"rollout":`+want+"}")
		require.Equal(t, string(f.AppendJSON(nil)), string(decodeFlag(t, string(f.AppendJSON(nil))).AppendJSON(nil)))
		e, _ := f.Environment("e")
		rollout, _ := e.Fallthrough().Rollout()
		variation, experiment := rollout.Experiment()
		require.Equal(t, c.experiment, experiment, c.rollout)
		require.Equal(t, c.variation, variation, c.rollout)
	}
}
