package flags_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage/flags"
)

// counter makes the identifiers new-1, new-2 and so on.
type counter struct{ n int }

func (c *counter) NewID(time.Time) string {
	c.n++
	return fmt.Sprint("new-", c.n)
}

var changedAt = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func testFlag(t testing.TB, name string) flags.Flag {
	return decodeFlag(t, string(readFile(t, name+".json")))
}

// step is instructions that are applied together.
type step struct {
	environment  string
	instructions string
}

// applyCase is one case of testdata/apply.txt.
type applyCase struct {
	name  string
	input string // up to and with the line "=>"
	want  string
	flag  string
	with  []string // other flags
	steps []step
}

func applyCases(t testing.TB) (cases []applyCase) {
	text, err := os.ReadFile("testdata/apply.txt")
	require.NoError(t, err)
	for _, block := range strings.Split(string(text), "# ")[1:] {
		input, want, ok := strings.Cut(block, "=>\n")
		require.True(t, ok, block)
		c := applyCase{input: input + "=>\n", want: strings.Trim(want, "\n"), flag: "microscope", with: []string{"lamp"}}
		lines := strings.Split(strings.TrimSpace(input), "\n")
		c.name = lines[0]
		c.steps = []step{{environment: "production"}}
		for _, line := range lines[1:] {
			word, rest, _ := strings.Cut(line, " ")
			last := &c.steps[len(c.steps)-1]
			switch word {
			case "of":
				c.flag = rest
			case "with":
				c.with = append(c.with, rest)
			case "in":
				if last.instructions == "" {
					last.environment = rest
				} else {
					c.steps = append(c.steps, step{environment: rest})
				}
			default:
				last.instructions += "," + line
			}
		}
		cases = append(cases, c)
	}
	return cases
}

// instructions reads instructions that stand with a comma before each.
func instructions(t testing.TB, text string) []flags.Instruction {
	list, problems := flags.DecodeInstructions([]byte("[" + strings.TrimPrefix(text, ",") + "]"))
	require.Empty(t, problems, text)
	return list
}

// changes tells how two documents differ, a line for each leaf.
func changes(before, after any, at string, lines []string) []string {
	show := func(v any) string {
		if v == nil {
			return "nothing"
		}
		text, _ := json.Marshal(v)
		return string(text)
	}
	a, isObject := before.(map[string]any)
	b, both := after.(map[string]any)
	if isObject && both {
		names := map[string]bool{}
		for name := range a {
			names[name] = true
		}
		for name := range b {
			names[name] = true
		}
		sorted := make([]string, 0, len(names))
		for name := range names {
			sorted = append(sorted, name)
		}
		slices.Sort(sorted)
		for _, name := range sorted {
			lines = changes(a[name], b[name], at+"/"+name, lines)
		}
		return lines
	}
	x, isArray := before.([]any)
	y, both := after.([]any)
	if isArray && both && len(x) == len(y) {
		for i := range x {
			lines = changes(x[i], y[i], fmt.Sprint(at, "/", i), lines)
		}
		return lines
	}
	if isArray && both {
		for _, e := range x {
			if !slices.ContainsFunc(y, func(o any) bool { return show(o) == show(e) }) {
				lines = append(lines, at+" - "+show(e))
			}
		}
		for i, e := range y {
			if !slices.ContainsFunc(x, func(o any) bool { return show(o) == show(e) }) {
				lines = append(lines, fmt.Sprint(at, "/", i, " + ", show(e)))
			}
		}
		return lines
	}
	if show(before) != show(after) {
		lines = append(lines, at+": "+show(before)+" -> "+show(after))
	}
	return lines
}

// TestApply holds what each kind of instruction does to a flag's document, when
// it does nothing, and what it refuses.
func TestApply(t *testing.T) {
	var file strings.Builder
	seen := map[flags.Kind]bool{}
	for _, c := range applyCases(t) {
		t.Run(c.name, func(t *testing.T) {
			before := testFlag(t, c.flag)
			document := string(before.AppendJSON(nil))
			var known []flags.Flag
			for _, name := range c.with {
				known = append(known, testFlag(t, name))
			}
			how := flags.Application{Now: changedAt, IDs: new(counter), Others: flags.NewFlagSet(known...)}
			after, got := before, ""
			for _, s := range c.steps {
				list := instructions(t, s.instructions)
				for _, in := range list {
					seen[in.Kind()] = true
				}
				how.Environment = s.environment
				next, err := flags.Apply(after, list, how)
				if err != nil {
					require.True(t, next.IsZero())
					require.True(t, strings.HasPrefix(c.name, "error: "), err)
					got = err.Error()
					break
				}
				after = next
			}
			require.Equal(t, document, string(before.AppendJSON(nil)), "the old flag is as it was")
			written := after.AppendJSON(nil)
			again := decodeFlag(t, string(written))
			require.Equal(t, string(written), string(again.AppendJSON(nil)))
			if got == "" {
				got = strings.Join(changes(asAny(t, []byte(document)), asAny(t, written), "", nil), "\n")
				require.False(t, strings.HasPrefix(c.name, "error: "))
				require.Equal(t, got == "", after == before, "what did not change is the same value")
			}
			fmt.Fprintf(&file, "# %s%s\n\n", c.input, got)
			if !*update {
				require.Equal(t, c.want, got)
			}
		})
	}
	for _, kind := range flags.Kinds() {
		require.True(t, seen[kind], "a case for %s is missing", kind)
	}
	if *update {
		text := strings.ReplaceAll(strings.TrimRight(file.String(), "\n")+"\n", "=>\n\n\n", "=>\n\n")
		require.NoError(t, os.WriteFile("testdata/apply.txt", []byte(text), 0o644))
	}
}

func TestApplyErrorsCarryData(t *testing.T) {
	f := microscope(t)
	apply := func(how flags.Application, list ...flags.Instruction) *flags.ApplyError {
		_, err := flags.Apply(f, list, how)
		var wrong *flags.ApplyError
		require.ErrorAs(t, err, &wrong)
		return wrong
	}
	how := flags.Application{Environment: "production", Now: changedAt, IDs: new(counter)}

	wrong := apply(how, flags.TurnFlagOn(), flags.UpdateOffVariation("none"))
	require.Equal(t, 1, wrong.Index)
	require.Equal(t, flags.Kind("updateOffVariation"), wrong.Kind)
	require.Equal(t, "/variationId", wrong.Problem.Pointer)
	require.Equal(t, flags.CodeNotFound, wrong.Problem.Code)
	require.ErrorIs(t, wrong, flags.ErrNotFound)

	wrong = apply(how, flags.UpdateFallthroughVariationOrRollout(flags.ServeRollout(flags.Rollout{
		Weights: []flags.Weight{{VariationID: purple, Weight: 60_000}, {VariationID: grey, Weight: 60_000}},
	})))
	require.Equal(t, "/rolloutWeights", wrong.Problem.Pointer)
	require.Equal(t, flags.CodeOutOfRange, wrong.Problem.Code)
	require.ErrorIs(t, wrong, flags.ErrInvalidRequest)

	wrong = apply(how, flags.Instruction{})
	require.Equal(t, flags.CodeRequired, wrong.Problem.Code)
	wrong = apply(how, flags.HostInstruction("page", flags.Value{}))
	require.Equal(t, flags.CodeUnsupported, wrong.Problem.Code)

	_, err := flags.Apply(flags.Flag{}, nil, how)
	require.ErrorIs(t, err, flags.ErrInvalidRequest)
	for _, now := range []time.Time{{}, time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		require.Equal(t, flags.CodeOutOfRange, apply(flags.Application{Now: now}).Problem.Code)
	}
	same, err := flags.Apply(f, nil, flags.Application{Now: changedAt})
	require.NoError(t, err)
	require.True(t, same == f)
}

type fixedIDs string

func (id fixedIDs) NewID(time.Time) string { return string(id) }

func TestIdentifiersThatCannotBeUsed(t *testing.T) {
	f := microscope(t)
	add := []flags.Instruction{flags.AddRule(flags.Rule{Serve: flags.ServeVariation(purple)}, "")}
	for id, code := range map[string]flags.Code{
		"": flags.CodeMalformed, "ref:x": flags.CodeMalformed, strings.Repeat("x", 257): flags.CodeTooLarge, "\xff": flags.CodeMalformed,
		rule: flags.CodeDuplicate, clause: flags.CodeDuplicate, grey: flags.CodeDuplicate,
	} {
		_, err := flags.Apply(f, add, flags.Application{Environment: "production", Now: changedAt, IDs: fixedIDs(id)})
		var wrong *flags.ApplyError
		require.ErrorAs(t, err, &wrong, "%q", id)
		require.Equal(t, code, wrong.Problem.Code, "%q", id)
	}
	_, err := flags.Apply(f, add, flags.Application{Environment: "production", Now: changedAt})
	require.ErrorContains(t, err, "there is no source of identifiers")
	_, err = flags.Apply(f, slices.Repeat(add, 2), flags.Application{Environment: "production", Now: changedAt, IDs: fixedIDs("twice")})
	require.ErrorContains(t, err, "apply instruction 1 (addRule)")
}

// TestTargetsOfLongLists holds that lists which are looked up and those which
// are not come to the same.
func TestTargetsOfLongLists(t *testing.T) {
	begin := microscope(t)
	rapid.Check(t, func(t *rapid.T) {
		how := flags.Application{Environment: "production", Now: changedAt}
		keys := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 40), func(i int) string { return fmt.Sprint("key-", i) }), 0, 30)
		f := begin
		var want []string
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			given := keys.Draw(t, "keys")
			in := flags.AddTargets(flags.Targets{ContextKind: "bench", VariationID: purple, Values: given})
			if rapid.Bool().Draw(t, "remove") {
				in = flags.RemoveTargets(flags.Targets{ContextKind: "bench", VariationID: purple, Values: given})
				want = slices.DeleteFunc(want, func(key string) bool { return slices.Contains(given, key) })
			} else {
				for _, key := range given {
					if !slices.Contains(want, key) {
						want = append(want, key)
					}
				}
			}
			next, err := flags.Apply(f, []flags.Instruction{in}, how)
			require.NoError(t, err)
			f = next
			e, _ := f.Environment("production")
			var list flags.TargetList
			for l := range e.Targets() {
				if l.ContextKind() == "bench" {
					list = l
				}
			}
			require.True(t, slices.Equal(want, slices.Collect(list.Values())))
			for i := range 41 {
				key := fmt.Sprint("key-", i)
				require.Equal(t, slices.Contains(want, key), list.Has(key))
			}
		}
	})
}

// TestIdentifiersOfManyRules holds that identifiers are new, and free again
// after a removal, in a flag with many rules, too.
func TestIdentifiersOfManyRules(t *testing.T) {
	f := large(t, 40)
	add := func(ref string) flags.Instruction {
		return flags.AddRule(flags.Rule{Serve: flags.ServeVariation("v"), Ref: ref}, "")
	}
	for _, test := range []struct {
		ids  []string
		list []flags.Instruction
		ok   bool
	}{
		{[]string{"a", "b"}, []flags.Instruction{add(""), add("")}, true},
		{[]string{"a", "a"}, []flags.Instruction{add(""), add("")}, false},
		{[]string{"a", "rule-39"}, []flags.Instruction{add(""), add("")}, false},
		{[]string{"a", "clause-39"}, []flags.Instruction{add(""), add("")}, false},
		{[]string{"a", "a"}, []flags.Instruction{add("x"), flags.RemoveRule("ref:x"), add("")}, true},
		{[]string{"a", "rule-3"}, []flags.Instruction{add(""), flags.RemoveRule("rule-3"), add("")}, true},
		{[]string{"a", "clause-3"}, []flags.Instruction{add(""), flags.RemoveClauses("rule-3", "clause-3"), add("")}, true},
		{[]string{"a", "rule-3"}, []flags.Instruction{add(""), flags.ReplaceRules(), add("")}, true},
	} {
		_, err := flags.Apply(f, test.list, flags.Application{Environment: "lab", Now: changedAt, IDs: flags.Patch{NewIDs: test.ids}.IDs()})
		if test.ok {
			require.NoError(t, err, test.ids)
		} else {
			require.ErrorContains(t, err, "is taken", test.ids)
		}
	}
}

// TestReferencesReachLaterApplications holds that with names for references a
// later application can change what an earlier one added.
func TestReferencesReachLaterApplications(t *testing.T) {
	how := flags.Application{
		Environment: "production", Now: changedAt, IDs: new(counter), RefID: func(ref string) string { return "workflow-7/" + ref },
	}
	f, err := flags.Apply(microscope(t), instructions(t, `{"kind":"addVariation","value":"100x","ref":"oil"},
		{"kind":"addRule","variationId":"ref:oil","clauses":[{"attribute":"a","op":"in","values":[1],"ref":"a"}],"ref":"staff"}`), how)
	require.NoError(t, err)
	f, err = flags.Apply(f, instructions(t, `{"kind":"addValuesToClause","ruleId":"ref:staff","clauseId":"ref:a","values":[2]},
		{"kind":"updateClause","ruleId":"ref:staff","clauseId":"ref:a","clause":{"attribute":"a","op":"in","values":[3],"ref":"b"}}`), how)
	require.NoError(t, err)
	e, _ := f.Environment("production")
	added, ok := e.Rule("workflow-7/staff")
	require.True(t, ok)
	require.Equal(t, "staff", added.Ref())
	for _, cl := range added.Clauses() {
		require.Equal(t, "workflow-7/b", cl.ID())
	}
	f, err = flags.Apply(f, instructions(t, `{"kind":"removeRule","ruleId":"ref:staff"},{"kind":"removeRule","ruleId":"ref:staff"}`), how)
	require.NoError(t, err)
	e, _ = f.Environment("production")
	require.Equal(t, 2, e.RuleCount())
	_, err = flags.Apply(f, instructions(t, `{"kind":"updateRuleDescription","ruleId":"ref:staff","description":"x"}`), how)
	require.ErrorIs(t, err, flags.ErrNotFound)
}

// failing is a project whose flags cannot be looked up.
type failing struct{ err error }

func (f failing) Flag(string) (flags.Flag, error)     { return flags.Flag{}, f.err }
func (f failing) Dependents(string) ([]string, error) { return nil, f.err }

func TestLookupsThatFail(t *testing.T) {
	broken := errors.New("the store is gone")
	for _, in := range []flags.Instruction{
		flags.AddPrerequisite("remote-lamp", "lamp-on"), flags.ArchiveFlag(), flags.DeleteFlag(),
	} {
		_, err := flags.Apply(testFlag(t, "door"), []flags.Instruction{in},
			flags.Application{Environment: "production", Now: changedAt, Others: failing{broken}})
		require.ErrorIs(t, err, broken)
		require.NotErrorIs(t, err, flags.ErrInvalidRequest)
	}
}

// forgetful is a project that names flags which it does not have.
type forgetful struct{}

func (forgetful) Flag(string) (flags.Flag, error)     { return flags.Flag{}, nil }
func (forgetful) Dependents(string) ([]string, error) { return []string{"gone"}, nil }

func TestLookupsThatGiveNothing(t *testing.T) {
	how := flags.Application{Environment: "production", Now: changedAt, Others: forgetful{}}
	_, err := flags.Apply(microscope(t), []flags.Instruction{flags.ArchiveFlag(), flags.DeprecateFlag()}, how)
	require.NoError(t, err)
	_, err = flags.Apply(testFlag(t, "door"), []flags.Instruction{flags.RemoveVariation("door-ajar")}, how)
	require.NotErrorIs(t, err, flags.ErrNotFound)
	_, err = flags.Apply(microscope(t), []flags.Instruction{flags.AddPrerequisite("gone", "v")}, how)
	require.ErrorIs(t, err, flags.ErrNotFound)
}

func TestResultsAreNoLargerThanADocument(t *testing.T) {
	f := microscope(t)
	var list []flags.Instruction
	for i := range 30 {
		list = append(list, flags.AddVariation(flags.Variation{Value: flags.StringValue(strings.Repeat("x", 40_000) + fmt.Sprint(i))}))
	}
	_, err := flags.Apply(f, list, flags.Application{Now: changedAt, IDs: new(counter)})
	var wrong *flags.ApplyError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, flags.CodeTooLarge, wrong.Problem.Code)
	require.Equal(t, -1, wrong.Index)
	_, err = flags.Apply(f, list[:20], flags.Application{Now: changedAt, IDs: new(counter)})
	require.NoError(t, err)

	var values []string
	for i := range 10_001 {
		values = append(values, fmt.Sprint(i))
	}
	f, err = flags.Apply(f, []flags.Instruction{flags.AddUserTargets(purple, values[:10_000]...)}, flags.Application{Environment: "production", Now: changedAt})
	require.NoError(t, err)
	_, err = flags.Apply(f, []flags.Instruction{flags.AddUserTargets(purple, values[10_000])}, flags.Application{Environment: "production", Now: changedAt})
	require.ErrorContains(t, err, "the list of targets then has 10001 entries; at most 10000 are allowed")
}

func TestAValueTooDeepForAFlag(t *testing.T) {
	f := microscope(t)
	deep := value(t, strings.Repeat("[", 57)+strings.Repeat("]", 57))
	how := flags.Application{Environment: "production", Now: changedAt, IDs: new(counter)}
	_, err := flags.Apply(f, []flags.Instruction{flags.AddValuesToClause(rule, clause, deep)}, how)
	require.ErrorContains(t, err, "/values/0: would be nested 65 deep in the flag")
	deep = value(t, strings.Repeat("[", 56)+strings.Repeat("]", 56))
	f, err = flags.Apply(f, []flags.Instruction{flags.AddValuesToClause(rule, clause, deep)}, how)
	require.NoError(t, err)
	decodeFlag(t, string(f.AppendJSON(nil)))
}

func FuzzApply(f *testing.F) {
	for _, c := range applyCases(f) {
		for _, s := range c.steps {
			f.Add("["+strings.TrimPrefix(s.instructions, ",")+"]", c.flag == "lamp")
		}
	}
	f.Fuzz(func(t *testing.T, patch string, ofLamp bool) {
		list, problems := flags.DecodeInstructions([]byte(patch))
		if problems.Err() != nil {
			return
		}
		flag, others := testFlag(t, "microscope"), flags.NewFlagSet(testFlag(t, "lamp"))
		if ofLamp {
			flag, others = testFlag(t, "lamp"), flags.NewFlagSet(testFlag(t, "microscope"))
		}
		before := string(flag.AppendJSON(nil))
		after, err := flags.Apply(flag, list, flags.Application{Environment: "production", Now: changedAt, IDs: new(counter), Others: others})
		require.Equal(t, before, string(flag.AppendJSON(nil)))
		if err != nil {
			var wrong *flags.ApplyError
			require.ErrorAs(t, err, &wrong)
			require.LessOrEqual(t, len(wrong.Problem.Message), 1024)
			return
		}
		decoded, problems := flags.DecodeFlag(after.AppendJSON(nil))
		require.NoError(t, problems.Err())
		require.True(t, decoded.Equal(after))
		require.GreaterOrEqual(t, flags.Most(after), len(after.AppendJSON(nil)))
	})
}

func TestAVariationThatGetsWhatWeightsLeaveIsInUse(t *testing.T) {
	rollout := func(last string) flags.Flag {
		f, problems := flags.DecodeFlag([]byte(`{"key":"k","kind":"multivariate","variations":[{"_id":"a","value":1},{"_id":"b","value":2},{"_id":"c","value":3}],` +
			`"environments":{"e":{"on":true,"fallthrough":{"rollout":{"variations":[` + last + `]}}}}}`))
		require.NoError(t, problems.Err())
		return f
	}
	remove := []flags.Instruction{flags.RemoveVariation("c")}
	_, err := flags.Apply(rollout(`{"variation":0,"weight":90000},{"variation":2,"weight":0}`), remove, flags.Application{Now: changedAt})
	require.EqualError(t, err, `apply instruction 0 (removeVariation): /variationId: is served at "/environments/e/fallthrough"; change that first [in_use]`)
	for _, free := range []string{
		`{"variation":0,"weight":100000},{"variation":2,"weight":0}`, `{"variation":2,"weight":0},{"variation":0,"weight":90000}`,
	} {
		f, err := flags.Apply(rollout(free), remove, flags.Application{Now: changedAt})
		require.NoError(t, err)
		require.Equal(t, 2, f.VariationCount())
	}
}

func TestPrerequisitesThatAreThereStay(t *testing.T) {
	f := decodeFlag(t, `{"key":"k","kind":"multivariate","variations":[{"_id":"a","value":1}],"environments":{"e":{"on":true,"prerequisites":[{"key":"old","variation":1}]}}}`)
	old := decodeFlag(t, `{"key":"old","kind":"boolean","archived":true,"variations":[{"_id":"yes","value":true},{"_id":"no","value":false}]}`)
	how := flags.Application{Environment: "e", Now: changedAt, Others: flags.NewFlagSet(old)}
	for _, in := range []flags.Instruction{
		flags.AddPrerequisite("old", "no"), flags.UpdatePrerequisite("old", "no"),
		flags.ReplacePrerequisites(flags.Prerequisite{Key: "old", VariationID: "no"}),
	} {
		result, err := flags.Apply(f, []flags.Instruction{in}, how)
		require.NoError(t, err)
		require.Equal(t, f, result, "%v", in)
	}
	for _, in := range []flags.Instruction{
		flags.UpdatePrerequisite("old", "yes"), flags.ReplacePrerequisites(flags.Prerequisite{Key: "old", VariationID: "yes"}),
	} {
		_, err := flags.Apply(f, []flags.Instruction{in}, how)
		require.ErrorContains(t, err, `flag "old" is archived; bring it back first`)
	}
}

func TestNumbersInClausesAreOneInEverySpelling(t *testing.T) {
	with := func(values string) flags.Flag {
		return decodeFlag(t, `{"key":"k","kind":"multivariate","variations":[{"_id":"a","value":1}],"environments":{"e":{"on":true,"rules":[`+
			`{"_id":"r","variation":0,"clauses":[{"_id":"c","attribute":"a","op":"in","values":[`+values+`],"contextKind":"user","negate":false}]}]}}}`)
	}
	for _, test := range []struct{ is, instruction, want string }{
		{`1,"1",2.50`, `"kind":"addValuesToClause","values":[1.0,2.5,3,3e0]`, `1,"1",2.50,3`},
		{`1,"1",1.0,2`, `"kind":"removeValuesFromClause","values":[1e0]`, `"1",2`},
		{`1`, `"kind":"updateClause","clause":{"attribute":"a","op":"in","values":[1.0]}`, `1.0`},
	} {
		patch, problems := flags.DecodePatch([]byte(`[{"ruleId":"r","clauseId":"c",` + test.instruction + `}]`))
		require.Empty(t, problems)
		result, err := flags.Apply(with(test.is), patch.Instructions, flags.Application{Environment: "e", Now: changedAt})
		require.NoError(t, err)
		require.True(t, result.Same(with(test.want), "e"), "%s", result.AppendJSON(nil))
		diff, err := flags.Diff(with(test.is), with(test.want), "e", nil)
		require.NoError(t, err)
		require.True(t, after(t, with(test.is), diff, "e").Same(result, "e"))
	}
}

func TestTheSameWeightsKeepTheirOrder(t *testing.T) {
	with := func(weights string) flags.Flag {
		return decodeFlag(t, `{"key":"k","kind":"multivariate","variations":[{"_id":"a","value":1},{"_id":"b","value":2}],`+
			`"environments":{"e":{"on":true,"fallthrough":{"rollout":{"variations":[`+weights+`],"contextKind":"user"}}}}}`)
	}
	serve := func(a, b int) []flags.Instruction {
		return []flags.Instruction{flags.UpdateFallthroughVariationOrRollout(flags.ServeRollout(flags.Rollout{
			Weights: []flags.Weight{{VariationID: "a", Weight: a}, {VariationID: "b", Weight: b}},
		}))}
	}
	how := flags.Application{Environment: "e", Now: changedAt}
	f := with(`{"variation":1,"weight":60000},{"variation":0,"weight":40000}`)
	result, err := flags.Apply(f, serve(40_000, 60_000), how)
	require.NoError(t, err)
	require.Equal(t, f, result)
	result, err = flags.Apply(f, serve(50_000, 50_000), how)
	require.NoError(t, err)
	require.True(t, result.Same(with(`{"variation":0,"weight":50000},{"variation":1,"weight":50000}`), "e"))

	for _, test := range [][2]string{
		{`{"variation":1,"weight":60000},{"variation":0,"weight":40000}`, `{"variation":0,"weight":40000},{"variation":1,"weight":60000}`},
		{`{"variation":1,"weight":100000},{"variation":0,"weight":0}`, `{"variation":0,"weight":0},{"variation":1,"weight":100000}`},
		{`{"variation":1,"weight":0},{"variation":0,"weight":100000}`, `{"variation":0,"weight":100000},{"variation":1,"weight":0}`},
	} {
		from, to := with(test[0]), with(test[1])
		patch, err := flags.Diff(from, to, "e", nil)
		require.NoError(t, err)
		require.True(t, after(t, from, patch, "e").Same(to, "e"))
	}
}
