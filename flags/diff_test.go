package flags_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/flagstagetest"
)

// after applies a patch to a flag as [flags.Diff] promises.
func after(t require.TestingT, f flags.Flag, patch flags.Patch, environment string) flags.Flag {
	result, err := flags.Apply(f, patch.Instructions, flags.Application{
		Environment: environment, Now: changedAt, IDs: patch.IDs(), Others: flagstagetest.Neighbours(),
	})
	require.NoError(t, err)
	return result
}

// inAnyOrder returns what a flag's document says, without what it means anyway,
// and with its lists of users, whose own order means nothing, sorted.
func inAnyOrder(t require.TestingT, f flags.Flag) any {
	document := written(t, f).(object)
	unsaid(document)
	for _, e := range document["environments"].(object) {
		slices.SortFunc(e.(object)["targets"].([]any), func(a, b any) int {
			return number(a.(object)["variation"]) - number(b.(object)["variation"])
		})
	}
	return document
}

func TestDiffOfWhatWasAppliedLeadsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := flagstagetest.Flags().Draw(t, "flag")
		patch := flagstagetest.PatchesFor(from, "production").Draw(t, "patch")
		to := after(t, from, flags.Patch{Instructions: patch, NewIDs: newIDs(200)}, "production")
		t.Logf("%s\n%s\n%s", from.AppendJSON(nil), written(t, patch), to.AppendJSON(nil))
		diff, err := flags.Diff(from, to, "production", flagstagetest.Neighbours())
		if err != nil { // what was lost comes back by no instruction, what came as unknown stays
			require.ErrorIs(t, err, flags.ErrInexpressible)
			t.Fatalf("%v", err)
		}
		result := after(t, from, printed(t, diff), "production")
		require.True(t, result.Same(to, "production"))
		require.Equal(t, inAnyOrder(t, to), inAnyOrder(t, result))
		require.Equal(t, from.Same(to, "production"), len(diff.Instructions) == 0)
		require.LessOrEqual(t, len(diff.Instructions), 4+4*len(patch))
	})
}

func newIDs(n int) (ids []string) {
	source := new(counter)
	for range n {
		ids = append(ids, source.NewID(changedAt))
	}
	return ids
}

func TestDiffOfTwoBranchesLeadsThereOrSaysWhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := flagstagetest.Flags().Draw(t, "flag")
		branch := func(label string) flags.Flag {
			patch := flagstagetest.PatchesFor(f, "production").Draw(t, label)
			return after(t, f, flags.Patch{Instructions: patch, NewIDs: newIDs(200)}, "production")
		}
		from, to := branch("from"), branch("to")
		if rapid.IntRange(0, 9).Draw(t, "another flag") == 9 {
			to = flagstagetest.Flags().Draw(t, "to")
		}
		t.Logf("%s\n%s", from.AppendJSON(nil), to.AppendJSON(nil))
		diff, err := flags.Diff(from, to, "production", flagstagetest.Neighbours())
		if err != nil {
			var wrong *flags.InexpressibleError
			require.ErrorAs(t, err, &wrong)
			require.ErrorIs(t, err, flags.ErrInexpressible)
			require.NotEmpty(t, wrong.Pointers)
			return
		}
		require.True(t, after(t, from, diff, "production").Same(to, "production"))
		printed := printed(t, diff)
		require.True(t, slices.EqualFunc(printed.Instructions, diff.Instructions, flags.Instruction.Equal))
		require.True(t, after(t, from, printed, printed.Environment).Same(to, "production"))
		if len(diff.NewIDs) > 0 && !diff.NeedsIDs() { // they may be any others
			_, err := flags.Apply(from, diff.Instructions, flags.Application{
				Environment: "production", Now: changedAt, IDs: flags.Patch{NewIDs: newIDs(400)[200:]}.IDs(), Others: flagstagetest.Neighbours(),
			})
			require.NoError(t, err)
		}
	})
}

// printed returns what is read from the JSON of a patch.
func printed(t require.TestingT, patch flags.Patch) flags.Patch {
	text, err := json.Marshal(patch)
	require.NoError(t, err)
	read, problems := flags.DecodePatch(text)
	require.Empty(t, problems, "%s", text)
	require.Equal(t, patch.NewIDs, read.NewIDs)
	return read
}

// edited returns the microscope with a text of its document replaced.
func edited(t testing.TB, old, new string) flags.Flag {
	document := string(microscope(t).AppendJSON(nil))
	require.Contains(t, document, old)
	return decodeFlag(t, strings.Replace(document, old, new, 1))
}

func TestWhatNoInstructionsCanExpress(t *testing.T) {
	for _, test := range []struct{ old, new, environment, want string }{
		{`"salt":"cmVtb3Rl"`, `"salt":"x"`, "production", `no instructions can express the difference at "/environments/production/salt"`},
		{`"sel":"9f1c"`, `"sel":"x"`, "production", `no instructions can express the difference at "/environments/production/sel"`},
		{`"lensSchema":null`, `"lensSchema":1,"new":2`, "", `no instructions can express the difference at "/lensSchema" and "/new"`},
		{`"creationDate":1767607200000`, `"creationDate":1`, "", `no instructions can express the difference at "/creationDate"`},
		{`"key":"remote-microscope"`, `"key":"other"`, "", `no instructions can express the difference at "/key"`},
		{`"disabled":true,`, ``, "production", `no instructions can express the difference at "/environments/production/rules/1"`},
		{`"offVariation":0,"prereq`, `"prereq`, "production", `no instructions can express the difference at "/environments/production/offVariation"`},
		{`{"key":"remote-lamp","variation":1,"_since":2026}`, `{"key":"remote-lamp","variation":0}`, "production", `no instructions can express the difference at "/environments/production/prerequisites": `},
		{`"production":`, `"staging":`, "production", `no instructions can express the difference at "/environments/production"`},
		{`"name":"Remote microscope"`, `"name":""`, "", `no instructions can express the difference at "/name": apply instruction 0 (updateName): /value: must not be empty`},
	} {
		_, err := flags.Diff(microscope(t), edited(t, test.old, test.new), test.environment, nil)
		require.ErrorIs(t, err, flags.ErrInexpressible, test.new)
		require.ErrorContains(t, err, test.want)
	}
	for _, flag := range [][2]flags.Flag{{{}, microscope(t)}, {microscope(t), {}}} {
		_, err := flags.Diff(flag[0], flag[1], "production", nil)
		require.ErrorIs(t, err, flags.ErrInexpressible)
	}
	same, err := flags.Diff(flags.Flag{}, flags.Flag{}, "", nil)
	require.NoError(t, err)
	require.Empty(t, same.Instructions)
}

func TestDifferencesThatAreNone(t *testing.T) {
	for old, new := range map[string]string{
		`"_version":7`:               `"_version":9`,
		`"version":31`:               `"version":2`,
		`"_site":{"href"`:            `"_site":{"ref"`,
		`"evaluation":{"c`:           `"evaluation":{"d`,
		`"contextKind":"user","_by"`: `"_by"`,
		`{"values":[],"variation":1,"contextKind":"user"}`: `{"values":[],"variation":1,"contextKind":"user"},{"values":[],"variation":0,"contextKind":"bench"}`,
	} {
		from, to := microscope(t), edited(t, old, new)
		require.True(t, from.Same(to, "production"), new)
		require.False(t, from.Equal(to), new)
		patch, err := flags.Diff(from, to, "production", nil)
		require.NoError(t, err)
		require.Empty(t, patch.Instructions)
		require.Empty(t, flags.DescribeChange(from, to))
	}
	from, to := microscope(t), edited(t, `"on":false`, `"on":true`)
	require.True(t, from.Same(to, "production"), "another environment")
	require.False(t, from.Same(to, "test"))
}

// TestSmallDifferencesOfRules holds what is made of differences that patches
// seldom lead to.
func TestSmallDifferencesOfRules(t *testing.T) {
	const first = `"clauses":[{"_id":"c35b8e17`
	for _, test := range []struct{ old, new, want string }{
		{first, `"clauses":[{"_id":"c-new","attribute":"a","op":"in","values":[],"contextKind":"user","negate":false},{"_id":"c35b8e17`,
			"remove clauses c35b8e17… from rule 1f7e9c20…; let rule 1f7e9c20… also require that user a is nothing and laboratory city is \"Bergen\" or \"Turku\""},
		{`"values":["Bergen","Turku"]`, `"values":["Turku","Bergen"]`, `change clause c35b8e17… of rule 1f7e9c20… to laboratory city is "Turku" or "Bergen"`},
		{`"values":["Bergen","Turku"]`, `"values":["Turku","Oulu"]`,
			`remove "Bergen" from clause c35b8e17… of rule 1f7e9c20…; add "Oulu" to clause c35b8e17… of rule 1f7e9c20…`},
		{`,"ref":"northern"`, ``, `remove rule 1f7e9c20…; add a rule before rule e90d4c7b…: if laboratory city is "Bergen" or "Turku" then variation b4a6e2d3… ("Northern laboratories"); turn on event tracking for rule 1f7e9c20…`},
		{`"1f7e9c20-8d43-4b6a-a5f0-96c3d8e1b274"`, `"other"`, `remove rule 1f7e9c20…; add a rule before rule e90d4c7b…: if laboratory city is "Bergen" or "Turku" then variation b4a6e2d3… ("Northern laboratories"); turn on event tracking for rule other`},
	} {
		from, to := microscope(t), edited(t, test.old, test.new)
		require.False(t, from.Same(to, "production"))
		require.NotEmpty(t, flags.DescribeChange(from, to))
		patch, err := flags.Diff(from, to, "production", nil)
		require.NoError(t, err, test.new)
		var words []string
		for _, in := range patch.Instructions {
			words = append(words, in.String())
		}
		require.Equal(t, test.want, strings.Join(words, "; "))
		require.True(t, after(t, from, patch, "production").Same(to, "production"))
	}
	for _, differ := range [][2]string{
		{`"seed":61`, `"seed":62`}, {`"bucketBy":"bench",`, ``}, {`"defaultVariation":0`, `"defaultVariation":1`}, {`"_untracked":true,`, ``},
	} {
		require.False(t, microscope(t).Same(edited(t, differ[0], differ[1]), "production"), differ[1])
		require.NotEmpty(t, flags.DescribeChange(microscope(t), edited(t, differ[0], differ[1])))
	}
}

func TestValuesOfVariationsThatAreSwapped(t *testing.T) {
	from := microscope(t)
	to := edited(t, `"10x"`, `"swapped"`)
	to = decodeFlag(t, strings.NewReplacer(`"swapped"`, `"40x"`, `"40x"`, `"10x"`).Replace(string(to.AppendJSON(nil))))
	patch, err := flags.Diff(from, to, "", nil)
	require.NoError(t, err)
	require.Len(t, patch.Instructions, 3, "one makes room")
	result, err := flags.Apply(from, patch.Instructions, flags.Application{Now: changedAt})
	require.NoError(t, err)
	require.True(t, result.Same(to, ""))

	lamp := testFlag(t, "lamp")
	turned := decodeFlag(t, strings.NewReplacer(`"value":true`, `"value":false`, `"value":false`, `"value":true`).Replace(string(lamp.AppendJSON(nil))))
	_, err = flags.Diff(lamp, turned, "", nil)
	require.ErrorIs(t, err, flags.ErrInexpressible, "a boolean flag has no other values")
}

func TestDiffTellsOfLookupsThatFail(t *testing.T) {
	broken := errors.New("the store is gone")
	to := edited(t, `{"key":"remote-lamp","variation":1,"_since":2026}`, `{"key":"remote-lamp","variation":0}`)
	_, err := flags.Diff(microscope(t), to, "production", failing{broken})
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, flags.ErrInexpressible)
}

func TestIdentifiersOfAPatchAreUsedUp(t *testing.T) {
	ids := flags.Patch{NewIDs: []string{"a"}}.IDs()
	require.Equal(t, "a", ids.NewID(changedAt))
	require.Empty(t, ids.NewID(changedAt))
}

// TestDiffOfWhatHasNoIdentifiers holds that what no instruction can name is in
// nobody's way as long as it stays.
func TestDiffOfWhatHasNoIdentifiers(t *testing.T) {
	const document = `{"key":"k","kind":"multivariate","variations":[{"value":1},{"value":2},{"_id":"c","value":3}],"environments":{"e":{"on":true,` +
		`"targets":[{"values":["ada"],"variation":0}],"rules":[{"variation":0,"clauses":[{"attribute":"a","op":"in","values":[1]},{"attribute":"b","op":"in","values":[1]}]},` +
		`{"_id":"r","description":"d","variation":2,"clauses":[{"attribute":"a","op":"in","values":[1]},{"attribute":"b","op":"in","values":[1]},` +
		`{"_id":"x","attribute":"x","op":"in","values":[1]}]},{"_id":"s","variation":2,"clauses":[{"attribute":"q","op":"in","values":[]}]}],` +
		`"fallthrough":{"rollout":{"variations":[{"variation":1,"weight":100000}]}},"offVariation":0}}}`
	from := decodeFlag(t, document)
	for _, test := range []struct{ old, new, change, want string }{
		{`"on":true`, `"on":false`, "e: targeting: on → off", "turn targeting off"},
		{`"description":"d"`, `"description":"e"`, `e: rule 2 ("e"): description: "d" → "e"`, `describe rule r as "e"`},
		{`"fallthrough":{"rollout":{"variations":[{"variation":1,"weight":100000}]}}`, `"fallthrough":{"variation":2}`, "e: default rule: 100 % 2 → 3", "serve variation c by default"},
		{`"value":3}`, `"value":3,"name":"n"}`, `variation n: name: none → "n"`, `change variation c: name "n"`},
		{`"value":3}]`, `"value":3},{"_id":"d","value":4}],"defaults":{"onVariation":0,"offVariation":2}`, "variation 4 added: 4", "add the variation 4; let new environments serve 3 while it is off"},
		{`"_id":"x","attribute":"x"`, `"_id":"x","attribute":"y"`, `e: rule 2 ("d"): x is 1 → y is 1`, "change clause x of rule r to y is 1"},
		{`{"_id":"r"`, `{"_id":"new","variation":2,"clauses":[]},{"_id":"r"`, "e: rule 2 added: if anything then 3", "add a rule before rule r: if anything then variation c"},
		{`"variation":2,"clauses":[{"attribute":"q"`, `"variation":2,"clauses":[{"_id":"y","attribute":"q"`, `e: rule 3: also requires that q is nothing
e: rule 3: no longer requires that q is nothing`, "remove rule s; add a rule: if q is nothing then variation c"},
		{`"rules":[`, `"rules":[{"_id":"new","variation":2,"clauses":[]},`, "e: rule 1 added: if anything then 3", ""},
		{`"attribute":"a","op":"in","values":[1]},{"attribute":"b"`, `"attribute":"o","op":"in","values":[1]},{"attribute":"b"`, "e: rule 1: a is 1 → o is 1", ""},
		{`"offVariation":0`, `"offVariation":1`, "e: off variation: 1 → 2", ""},
	} {
		to := decodeFlag(t, strings.Replace(document, test.old, test.new, 1))
		require.False(t, from.Same(to, "e"), test.new)
		var changes, words []string
		for _, c := range flags.DescribeChange(from, to) {
			changes = append(changes, c.String())
		}
		require.Equal(t, test.change, strings.Join(changes, "\n"))
		patch, err := flags.Diff(from, to, "e", nil)
		if test.want == "" {
			require.ErrorIs(t, err, flags.ErrInexpressible)
			continue
		}
		require.NoError(t, err, test.new)
		for _, in := range patch.Instructions {
			words = append(words, in.String())
		}
		require.Equal(t, test.want, strings.Join(words, "; "))
		require.True(t, after(t, from, printed(t, patch), "e").Same(to, "e"))
	}
}

// TestExperimentsInDifferences holds that being an experiment is a difference,
// however it is spelled, that instructions drop an experiment and cannot make
// one, and that other weights keep it.
func TestExperimentsInDifferences(t *testing.T) {
	flag := func(members string) flags.Flag {
		return decodeFlag(t, `{"key":"k","kind":"multivariate","variations":[{"_id":"a","value":1},{"_id":"b","value":2}],"environments":{"e":{"on":true,"salt":"s","fallthrough":{"rollout":{`+
			members+`"contextKind":"user"}}}}}`)
	}
	const weights = `"variations":[{"variation":0,"weight":30000},{"variation":1,"weight":70000}],`
	plain, experiment := flag(weights), flag(`"kind":"experiment",`+weights)
	require.True(t, plain.Same(flag(`"kind":"rollout",`+weights), "e"))
	require.True(t, experiment.Same(flag(`"kind":"experiment",`+strings.ReplaceAll(weights, "}", `,"untracked":false}`)), "e"))
	require.False(t, experiment.Same(flag(`"kind":"experiment",`+strings.ReplaceAll(weights, "}", `,"untracked":true}`)), "e"))
	allocated := flag(weights + `"experimentAllocation":{"defaultVariation":0},`)
	require.True(t, allocated.Same(flag(`"kind":"experiment",`+weights+`"experimentAllocation":{"defaultVariation":0},`), "e"))
	require.False(t, allocated.Same(flag(`"kind":"rollout",`+weights+`"experimentAllocation":{"defaultVariation":0},`), "e"))
	require.False(t, allocated.Same(experiment, "e"))
	require.False(t, plain.Same(experiment, "e"))
	require.Equal(t, "e: default rule: the rollout is an experiment", flags.DescribeChange(plain, experiment)[0].String())
	require.Equal(t, "e: default rule: the rollout is no longer an experiment", flags.DescribeChange(experiment, plain)[0].String())

	patch, err := flags.Diff(experiment, plain, "e", nil)
	require.NoError(t, err)
	require.Len(t, patch.Instructions, 2, "something else is served in between")
	require.True(t, after(t, experiment, patch, "e").Same(plain, "e"))
	_, err = flags.Diff(plain, experiment, "e", nil)
	require.ErrorContains(t, err, `at "/environments/e/fallthrough"`)

	turned := flags.UpdateFallthroughVariationOrRollout(flags.ServeRollout(flags.Rollout{Weights: []flags.Weight{{"a", 70_000}, {"b", 30_000}}}))
	result := after(t, flag(`"kind":"experiment",`+strings.ReplaceAll(weights, "}", `,"untracked":true}`)), flags.Patch{Instructions: []flags.Instruction{turned}}, "e")
	require.Contains(t, string(result.AppendJSON(nil)),
		`{"kind":"experiment","variations":[{"variation":0,"weight":70000,"untracked":true},{"variation":1,"weight":30000,"untracked":true}],"contextKind":"user"}`)
}

// TestPathsInDifferences holds that an attribute which begins with a slash is
// another one where "user" is written than where it is not, as evaluations show,
// and that instructions lead to the path, which they write, and not to the name.
func TestPathsInDifferences(t *testing.T) {
	flag := func(rule, rollout string) flags.Flag {
		return decodeFlag(t, `{"key":"k","kind":"multivariate","variations":[{"_id":"a","value":1},{"_id":"b","value":2}],"environments":{"e":{"on":true,"salt":"s",`+
			`"rules":[{"_id":"r","variation":1,"clauses":[{"_id":"c","op":"in","values":["x"],`+rule+`}]}],`+
			`"fallthrough":{"rollout":{"variations":[{"variation":0,"weight":1},{"variation":1,"weight":99999}],`+rollout+`}},"offVariation":0}}}`)
	}
	name := decodeContext(t, `{"kind":"user","key":"k","/a/b":"x"}`)
	path := decodeContext(t, `{"kind":"user","key":"k","a":{"b":"x"}}`)
	const never = `"attribute":"a","contextKind":"org"`
	for what, c := range map[string]struct {
		byName, byPath flags.Flag
		want           [4]int // the variations that the first flag serves, and then the second
		where, words   string
	}{
		"clause": {
			flag(`"attribute":"/a/b"`, `"bucketBy":"lost"`), flag(`"attribute":"/a/b","contextKind":"user"`, `"bucketBy":"lost"`), [4]int{1, 0, 0, 1},
			"rules/0", `e: rule 1: /a/b is "x" → user /a/b is "x"`,
		},
		"rollout": {
			flag(never, `"bucketBy":"/a/b"`), flag(never, `"bucketBy":"/a/b","contextKind":"user"`), [4]int{1, 0, 0, 1},
			"fallthrough", "e: default rule: shares by /a/b: the attribute is a path now, not a name",
		},
	} {
		t.Run(what, func(t *testing.T) {
			var got [4]int
			for i, f := range []flags.Flag{c.byName, c.byPath} {
				for j, context := range []flags.Context{name, path} {
					got[2*i+j] = flags.Evaluate(f, "e", context, nil).Variation
				}
			}
			require.Equal(t, c.want, got)
			require.False(t, c.byName.Same(c.byPath, "e"))
			require.Equal(t, c.words, flags.DescribeChange(c.byName, c.byPath)[0].String())
			require.NotEmpty(t, flags.DescribeChange(c.byPath, c.byName))

			patch, err := flags.Diff(c.byName, c.byPath, "e", nil)
			require.NoError(t, err)
			require.True(t, after(t, c.byName, patch, "e").Same(c.byPath, "e"))
			_, err = flags.Diff(c.byPath, c.byName, "e", nil)
			require.ErrorContains(t, err, `at "/environments/e/`+c.where+`"`)
		})
	}
	require.True(t, flag(never, `"bucketBy":"a/b"`).Same(flag(never, `"bucketBy":"a/b","contextKind":"user"`), "e"))
	require.True(t, flag(`"attribute":"a/b"`, `"bucketBy":"b"`).Same(flag(`"attribute":"a/b","contextKind":"user"`, `"bucketBy":"b"`), "e"))
}

// TestPassedOverUsersInDifferences holds that a list of users which evaluations
// pass over is another one than a list that counts, and that instructions give
// lists a place, and cannot take it from them.
func TestPassedOverUsersInDifferences(t *testing.T) {
	flag := func(contexts string) flags.Flag {
		return decodeFlag(t, `{"key":"k","kind":"multivariate","variations":[{"_id":"a","value":1},{"_id":"b","value":2}],"environments":{"e":{"on":true,`+
			`"targets":[{"variation":1,"values":["ada"]}],"contextTargets":[`+contexts+`],"fallthrough":{"variation":0}}}}`)
	}
	const org, place = `{"variation":0,"values":[],"contextKind":"org"}`, `{"variation":1,"values":[]}`
	none, over, placed := flag(""), flag(org), flag(org+","+place)
	ada := decodeContext(t, `{"kind":"user","key":"ada"}`)
	for f, want := range map[*flags.Flag]int{&none: 1, &over: 0, &placed: 1} {
		require.Equal(t, want, flags.Evaluate(*f, "e", ada, nil).Variation)
	}
	require.True(t, none.Same(placed, "e"))
	require.False(t, over.Same(none, "e"))
	require.False(t, placed.Same(over, "e"))
	require.Equal(t, "e: users ada: evaluations no longer pass over their list", flags.DescribeChange(over, placed)[0].String())
	require.Equal(t, "e: users ada: evaluations pass over their list, which has no place among those of all kinds", flags.DescribeChange(none, over)[0].String())

	patch, err := flags.Diff(over, placed, "e", nil)
	require.NoError(t, err)
	result := after(t, over, patch, "e")
	require.True(t, result.Same(placed, "e"))
	require.Equal(t, 1, flags.Evaluate(result, "e", ada, nil).Variation)
	_, err = flags.Diff(placed, over, "e", nil)
	require.ErrorContains(t, err, `at "/environments/e/targets"`)
}
