package flagstage_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
	"github.com/flagstage/flagstage/flagstagetest"
)

func TestPlansAreJudgedAsAWhole(t *testing.T) {
	const (
		named  = `{"kind":"addRule","variationId":"b-true","clauses":[],"ref":"staff"}`
		uses   = `{"kind":"updateRuleDescription","ruleId":"ref:staff","description":"d"}`
		blue   = `{"kind":"updateOffVariation","variationId":"b-blue"}`
		hosted = `{"kind":"acmePage"}`
	)
	acme := flags.HostInstruction("acmePage", flags.Value{})
	for _, test := range []struct {
		name   string
		stages []string
		known  []string // problems while the flag is known, as pointers and codes
		blind  []string // while nothing is known of it
	}{
		{"fits", []string{`{"kind":"turnFlagOff"}`, rollout, removedRule}, nil, nil},
		{"a rule that an earlier stage adds", []string{named, uses, `{"kind":"removeRule","ruleId":"ref:staff"}`}, nil, nil},
		{"a rule that no stage adds", []string{blue, uses + "," + blue},
			[]string{"/stages/1/action/instructions/0/ruleId not_found"}, []string{"/stages/1/action/instructions/0/ruleId not_found"}},
		{"a rule that a later stage adds", []string{uses, named},
			[]string{"/stages/0/action/instructions/0/ruleId not_found"}, []string{"/stages/0/action/instructions/0/ruleId not_found"}},
		{"a rule before itself", []string{`{"kind":"addRule","variationId":"b-true","clauses":[],"ref":"staff","beforeRuleId":"ref:staff"}`},
			[]string{"/stages/0/action/instructions/0/beforeRuleId not_found"}, []string{"/stages/0/action/instructions/0/beforeRuleId not_found"}},
		{"a reference given twice", []string{named, named},
			[]string{"/stages/1/action/instructions/0/ref duplicate"}, []string{"/stages/1/action/instructions/0/ref duplicate"}},
		{"a reference of a rule that names a variation", []string{named + "," + `{"kind":"updateOffVariation","variationId":"ref:staff"}`},
			[]string{"/stages/0/action/instructions/1/variationId not_found"}, nil},
		{"a rule that is removed twice", []string{removedRule, `{"kind":"updateRuleDescription","ruleId":"rule-1","description":"d"}`},
			[]string{"/stages/1/action/instructions/0/ruleId not_found"}, nil},
		{"only the first that does not fit is told", []string{removedRule, uses, `{"kind":"updateRuleDescription","ruleId":"rule-1","description":"d"}`, uses},
			[]string{"/stages/1/action/instructions/0/ruleId not_found", "/stages/3/action/instructions/0/ruleId not_found"},
			[]string{"/stages/1/action/instructions/0/ruleId not_found", "/stages/3/action/instructions/0/ruleId not_found"}},
		{"a reference, and what does not fit", []string{`{"kind":"addVariation","value":"blue"}`, uses},
			[]string{"/stages/0/action/instructions/0/value duplicate", "/stages/1/action/instructions/0/ruleId not_found"},
			[]string{"/stages/1/action/instructions/0/ruleId not_found"}},
		{"a variation that is served is removed", []string{`{"kind":"removeVariation","variationId":"b-blue"}`},
			[]string{"/stages/0/action/instructions/0/variationId in_use"}, nil},
		{"an instruction of the host ends the judging", []string{blue, hosted, `{"kind":"addVariation","value":"blue"}`}, nil, nil},
		{"it is judged until there", []string{`{"kind":"addVariation","value":"blue"}`, hosted},
			[]string{"/stages/0/action/instructions/0/value duplicate"}, nil},
		{"a prerequisite while nothing is known of other flags", []string{prerequisite, `{"kind":"addVariation","value":"blue"}`}, nil, nil},
		{"after a deletion", []string{`{"kind":"deleteFlag"}`, blue}, []string{"/stages/1/action/instructions/0 unsupported"}, nil},
		{"things without references are added", []string{`{"kind":"addRule","variationId":"b-true","clauses":[{"attribute":"a","op":"in","values":["x"]}]}`,
			`{"kind":"addRule","variationId":"b-true","clauses":[]},{"kind":"addVariation","value":"new","ref":"new"}`, `{"kind":"updateOffVariation","variationId":"ref:new"}`}, nil, nil},
	} {
		input := flagstage.TemplateInput{Key: "progressive", Origin: bannerOrigin}
		for _, stage := range test.stages {
			if stage == hosted {
				input.Stages = append(input.Stages, flagstage.Stage{Action: flagstage.Patch(acme)})
				continue
			}
			input.Stages = append(input.Stages, written(t, stage).Stages()...)
		}
		template := create(t, input)
		for want, target := range map[*[]string]flagstage.Target{
			&test.known: {Origin: bannerOrigin, Flag: banner(t)}, &test.blind: {Origin: bannerOrigin},
		} {
			plan, parameters, err := template.Bind(target, nil)
			require.Equal(t, *want, problemsOf(t, err), test.name)
			require.Equal(t, err != nil, plan.IsZero())
			require.Len(t, parameters, slotCount(template))
			if err == nil {
				require.Equal(t, template.Stages(), plan.Stages(), test.name)
				require.Equal(t, template.Plan().Hash(), plan.Hash(), test.name)
				require.Equal(t, target.Origin, plan.Target())
				require.Equal(t, "progressive", plan.TemplateKey())
				require.Equal(t, template.Name(), plan.Name())
			}
		}
	}
	// other flags are known
	template := written(t, prerequisite, prerequisite, `{"kind":"addPrerequisite","key":"lamp","variationId":"lamp-off"}`)
	_, _, err := template.Bind(flagstage.Target{Origin: bannerOrigin, Flag: banner(t), Others: flags.NewFlagSet(lamp(t))}, nil)
	require.Equal(t, []string{"/stages/2/action/instructions/0/key duplicate"}, problemsOf(t, err))
	// the flag is not in the environment
	_, _, err = written(t, `{"kind":"turnFlagOff"}`).Bind(flagstage.Target{Origin: elsewhere("shop", "none", "banner"), Flag: banner(t)}, nil)
	require.Equal(t, []string{"/stages/0/action/instructions/0 not_found"}, problemsOf(t, err))
	require.ErrorContains(t, err, `the flag has no environment "none"; there are "production" and "test"`)
}

func TestPlansThatAreTooLongAreRefused(t *testing.T) {
	half := make([]string, 10)
	for i := range half {
		half[i] = strings.Repeat("x", 53_000)
	}
	list := strings.Join(half, `","`)
	template := written(t, targeted, targeted)
	var overrides []flagstage.Override
	for _, stage := range template.Stages() {
		overrides = append(overrides, flagstage.Override{ID: stage.Action.Instructions[0].ID(), Path: "/values", Value: parsed(t, `["`+list+`"]`)})
	}
	_, _, err := template.Bind(flagstage.Target{Origin: bannerOrigin}, overrides[1:])
	require.NoError(t, err)
	plan, parameters, err := template.Bind(flagstage.Target{Origin: bannerOrigin}, overrides)
	require.Equal(t, []string{"/stages too_large"}, problemsOf(t, err))
	require.True(t, plan.IsZero())
	require.Len(t, parameters, 4)
}

// TestOneStageOfSeveralChangedInstructions holds that each of them is in the plan.
func TestOneStageOfSeveralChangedInstructions(t *testing.T) {
	template := written(t, targeted, targeted+",{\"kind\":\"turnFlagOn\"},"+targeted)
	list, err := template.Parameters(flagstage.Target{Origin: bannerOrigin}, nil)
	require.NoError(t, err)
	var overrides []flagstage.Override
	for i, p := range list {
		if p.Path == "/values" {
			overrides = append(overrides, flagstage.Override{ID: p.ID, Path: p.Path, Value: parsed(t, fmt.Sprintf(`["%d"]`, i))})
		}
	}
	plan, _, err := template.Bind(flagstage.Target{Origin: bannerOrigin}, overrides)
	require.NoError(t, err)
	for i, want := range []string{`["0"]`, `["2"]`, `["4"]`} {
		stage, instruction := min(i, 1), 2*max(i-1, 0)
		require.Equal(t, want, plan.Stages()[stage].Action.Instructions[instruction].Slots()[0].Value.String())
		require.Equal(t, `["ada"]`, template.Stages()[stage].Action.Instructions[instruction].Slots()[0].Value.String())
	}
	require.Equal(t, flags.Kind("turnFlagOn"), plan.Stages()[1].Action.Instructions[1].Kind())
}

// problemsOf returns the problems that an error tells, nil for nil.
func problemsOf(t testing.TB, err error) []string {
	if err == nil {
		return nil
	}
	var wrong *flagstage.ProblemsError
	require.ErrorAs(t, err, &wrong)
	return found(wrong.Problems)
}

func slotCount(template flagstage.Template) (n int) {
	for _, stage := range template.Stages() {
		for _, in := range stage.Action.Instructions {
			n += in.SlotCount()
		}
	}
	return n
}

func TestHashes(t *testing.T) {
	template := create(t, readRollout(t))
	plan := template.Plan()
	document, err := json.Marshal(template)
	require.NoError(t, err)
	var printed struct{ Stages json.RawMessage }
	require.NoError(t, json.Unmarshal(document, &printed))
	var stages []json.RawMessage
	require.NoError(t, json.Unmarshal(printed.Stages, &stages))
	sha := func(text []byte) string {
		sum := sha256.Sum256(text)
		return hex.EncodeToString(sum[:])
	}
	require.Equal(t, sha(printed.Stages), plan.Hash(), "what is printed of the stages")
	require.Greater(t, len(stages), 2)
	for i, stage := range stages {
		require.Equal(t, sha(stage), plan.StageHash(i))
	}
	require.Equal(t, plan.Hash(), plan.Plan().Hash())
	require.Empty(t, plan.StageHash(-1))
	require.Empty(t, plan.StageHash(len(stages)))
	require.Empty(t, flagstage.Plan{}.Hash())
	require.Empty(t, flagstage.Plan{}.StageHash(0))

	bound, _, err := template.Bind(flagstage.Target{Origin: template.Origin()}, nil)
	require.NoError(t, err)
	require.Equal(t, plan.Hash(), bound.Hash())
	input := readRollout(t)
	input.Key, input.Name, input.Origin.FlagKey = "other", "Other", "other"
	other := create(t, input).Plan()
	require.NotEqual(t, plan.TemplateKey(), other.TemplateKey())
	require.Equal(t, plan.Hash(), other.Hash(), "of the stages only")
	input.Stages[1].Name += "!"
	changed := create(t, input).Plan()
	require.NotEqual(t, plan.Hash(), changed.Hash())
	require.Equal(t, plan.StageHash(0), changed.StageHash(0))
	require.NotEqual(t, plan.StageHash(1), changed.StageHash(1))
}

func TestNobodyCanChangeAPlan(t *testing.T) {
	template, err := written(t, segmentRule).WithValues(flagstage.Target{Origin: bannerOrigin, Flag: banner(t)})
	require.NoError(t, err)
	plan, _, err := template.Bind(flagstage.Target{Origin: elsewhere("shop", "production", "sign"), Flag: sign(t)}, nil)
	require.NoError(t, err)
	before := plan.Hash()
	stages := plan.Stages()
	stages[0].Name = "changed"
	stages[0].Action.Instructions[0] = flags.TurnFlagOn()
	require.Equal(t, before, plan.Hash())
	require.NotEqual(t, flags.TurnFlagOn(), plan.Stages()[0].Action.Instructions[0])
	require.Equal(t, bannerOrigin, template.Origin())
	require.Contains(t, string(template.AppendJSON(nil)), "b-true", "the template stays as it was")
}

func TestRefID(t *testing.T) {
	one, same, other := flagstage.RefID("w1"), flagstage.RefID("w1"), flagstage.RefID("w2")
	ids := map[string]bool{}
	for _, name := range []string{"a", "b", "A", "", "a.b_c-1"} {
		id := one(name)
		require.Equal(t, id, same(name))
		parsed, err := uuid.Parse(id)
		require.NoError(t, err)
		require.Equal(t, uuid.Version(5), parsed.Version())
		require.Equal(t, uuid.RFC4122, parsed.Variant())
		ids[id], ids[other(name)] = true, true
	}
	require.Len(t, ids, 10)
	require.NotEqual(t, flagstage.RefID("w")("1a"), flagstage.RefID("w1")("a"))
	require.Equal(t, "74b2608e-f3db-5f05-806e-ad39a3f5c22f", one("staff"), "it never changes")
}

func TestPlansAreKeptInRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := flagstagetest.Templates().Draw(t, "template").Plan()
		record := flagstage.AppendPlan([]byte("before"), plan)[len("before"):]
		require.EqualValues(t, 1, record[0])
		read, err := flagstage.DecodePlan(record, plan.TemplateKey(), plan.Name(), plan.Target())
		require.NoError(t, err)
		require.Equal(t, plan.Stages(), read.Stages())
		require.Equal(t, plan.Hash(), read.Hash())
		require.Equal(t, plan.Target(), read.Target())
		require.Equal(t, plan.Name(), read.Name())
		require.Equal(t, plan.TemplateKey(), read.TemplateKey())
		require.Equal(t, record, flagstage.AppendPlan(nil, read))
	})
}

func TestPlanRecordsThatAreRefused(t *testing.T) {
	good := string(flagstage.AppendPlan(nil, create(t, readRollout(t)).Plan()))
	for record, want := range map[string]string{
		"":                 "is empty",
		"\x00" + good[1:]:  "has a format that this version does not know",
		"\x02" + good[1:]:  "has a format that this version does not know",
		"\x01":             "damaged",
		"\x01null":         "damaged: it has no stages",
		"\x01[]":           "damaged: it has no stages",
		"\x01{}":           "damaged",
		"\x01[{}]":         "damaged: it lacks identifiers",
		`\x01`:             "has a format",
		good[:len(good)-1]: "damaged",
		good + "]":         "damaged",
		good + " null":     "damaged",
		"\x01[" + strings.Repeat(good[2:len(good)-1]+",", 1) + good[2:len(good)-1] + "]": "stands at /stages/0", // twice the same
		"\x01" + strings.Replace(good[1:], `"kind":"turnFlagOn"`, `"kind":"no kind"`, 1): "is no kind",
	} {
		plan, err := flagstage.DecodePlan([]byte(record), "k", "n", bannerOrigin)
		require.ErrorContains(t, err, want, "%.40q", record)
		require.True(t, plan.IsZero())
	}
	template, problems := flagstage.NewTemplate(hosted("k", "acmePage"), creation())
	require.Empty(t, problems)
	_, err := flagstage.DecodePlan(flagstage.AppendPlan(nil, template.Plan()), "k", "n", bannerOrigin)
	require.NoError(t, err, "kinds of any host pass")
}

func FuzzDecodePlan(f *testing.F) {
	input := named("k", "") // small, as the fuzzer takes long to make inputs smaller
	input.Stages[0].Conditions = append(input.Stages[0].Conditions, flagstage.Approval{Description: "d", NotifyMemberIDs: []string{"m"}})
	input.Stages[0].Action = flagstage.Patch(flags.RemoveRule("r"))
	good := flagstage.AppendPlan(nil, create(f, input).Plan())
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("\x01[]"))
	f.Fuzz(func(t *testing.T, record []byte) {
		plan, err := flagstage.DecodePlan(record, "k", "n", bannerOrigin)
		if err != nil {
			require.True(t, plan.IsZero())
			return
		}
		again, err := flagstage.DecodePlan(flagstage.AppendPlan(nil, plan), "k", "n", bannerOrigin)
		require.NoError(t, err)
		require.Equal(t, plan.Stages(), again.Stages())
	})
}

// TestBindingToTheOwnFlagChangesNothing holds that a template bound to the flag
// that it was written for gives the stages that it has, if they fit, and otherwise
// tells what applying them tells.
func TestBindingToTheOwnFlagChangesNothing(t *testing.T) {
	fits := 0
	rapid.Check(t, func(t *rapid.T) {
		f := flagstagetest.Flags().Draw(t, "flag")
		template := templateFor(t, f, 3)
		target := targetOf(template.Origin(), f)
		if rapid.Bool().Draw(t, "with values") {
			known, err := template.WithValues(target)
			require.NoError(t, err)
			require.True(t, template.Equal(known))
			template = known
		}
		plan, parameters, err := template.Bind(target, nil)
		require.Len(t, parameters, slotCount(template))
		for i, slot := range slotsOf(template) {
			require.Equal(t, slot.Value, parameters[i].Default.Value)
		}
		if err == nil {
			fits++
			require.Equal(t, template.Stages(), plan.Stages())
			require.Equal(t, template.Plan().Hash(), plan.Hash())
		} else {
			require.True(t, plan.IsZero())
		}
		var valid = true
		for _, p := range parameters {
			valid = valid && p.Valid
		}
		if valid {
			require.Equal(t, applied(template, f), err == nil, "%v", err)
		}
	})
	require.NotZero(t, fits)
}

// templateFor draws a template for a flag in the environment production.
func templateFor(t *rapid.T, f flags.Flag, stages int) flagstage.Template {
	input := flagstage.TemplateInput{Key: "k", Origin: elsewhere("shop", "production", f.Key())}
	for range stages {
		in := rapid.SliceOfN(flagstagetest.InstructionsFor(f, "production"), 0, 3).Draw(t, "instructions")
		input.Stages = append(input.Stages, flagstage.Stage{Action: flagstage.Patch(in...)})
	}
	return create(t, input)
}

// targetOf returns a target with the neighbours of a generated flag, and all
// segments.
func targetOf(origin flagstage.Origin, f flags.Flag) flagstage.Target {
	return flagstage.Target{
		Origin: origin, Flag: f, Others: flagstagetest.Neighbours(),
		Segment: func(string) (bool, error) { return true, nil },
	}
}

func slotsOf(template flagstage.Template) (list []flags.Slot) {
	for _, stage := range template.Stages() {
		for _, in := range stage.Action.Instructions {
			list = append(list, in.Slots()...)
		}
	}
	return list
}

// applied reports whether the stages apply to a flag one after the other.
func applied(template flagstage.Template, f flags.Flag) bool {
	ids := flagstagetest.CountedIDs()
	for _, stage := range template.Stages() {
		next, err := flags.Apply(f, stage.Action.Instructions, flags.Application{
			Environment: "production", Now: time.Unix(0, 0), IDs: ids, Others: flagstagetest.Neighbours(),
		})
		if err != nil {
			return false
		}
		f = next
	}
	return true
}

// TestBindingToARenamedCopyMapsTheIDs holds that a template bound to a flag with
// the same values under other ids gives the template with these ids, and with all
// else byte for byte as it was.
func TestBindingToARenamedCopyMapsTheIDs(t *testing.T) {
	bound := 0
	rapid.Check(t, func(t *rapid.T) {
		f := flagstagetest.Flags().Draw(t, "flag")
		template := templateFor(t, f, 2)
		document := string(f.AppendJSON(nil))
		ids := map[string]string{}
		for i, v := range f.Variations() {
			ids[v.ID] = fmt.Sprintf("copied %d \u2028 %s", i, v.ID)
			document = strings.ReplaceAll(document, `"_id":`+text(v.ID).String(), `"_id":`+text(ids[v.ID]).String())
		}
		document = strings.Replace(document, `"key":`+text(f.Key()).String(), `"key":"copy"`, 1)
		var other flags.Flag
		require.NoError(t, other.UnmarshalJSON([]byte(document)))

		known, err := template.WithValues(targetOf(template.Origin(), f))
		require.NoError(t, err)
		plan, parameters, err := known.Bind(targetOf(elsewhere("shop", "production", "copy"), other), nil)
		own := 0
		for i, slot := range slotsOf(template) {
			switch slot.Kind {
			case flags.SlotVariationID, flags.SlotRolloutWeights:
				lost := false
				want := slot.Renamed(func(id string) string {
					lost = lost || ids[id] == ""
					return ids[id]
				})
				require.Equal(t, !lost, parameters[i].Valid, parameters[i].Reason)
				if !lost {
					require.Equal(t, want, parameters[i].Default.Value)
					own++
				}
			}
		}
		if err != nil {
			return
		}
		bound += own
		for i, stage := range plan.Stages() {
			before := template.Stages()[i]
			for k, in := range stage.Action.Instructions {
				var values []flags.SlotValue
				for _, slot := range before.Action.Instructions[k].Slots() {
					if slot.Kind == flags.SlotVariationID || slot.Kind == flags.SlotRolloutWeights {
						values = append(values, flags.SlotValue{Pointer: slot.Pointer, Value: slot.Renamed(func(id string) string { return ids[id] })})
					}
				}
				want, problems := before.Action.Instructions[k].WithSlots(values...)
				require.Empty(t, problems)
				require.Equal(t, string(want.AppendJSON(nil)), string(in.AppendJSON(nil)))
			}
			stage.Action, before.Action = flagstage.Action{}, flagstage.Action{}
			require.Equal(t, before, stage)
		}
	})
	require.NotZero(t, bound)
}

// TestAnOverrideIsInThePlanWhereItSays holds that a plan has each override at its
// place, and everything else as it was in the template.
func TestAnOverrideIsInThePlanWhereItSays(t *testing.T) {
	overridden := 0
	rapid.Check(t, func(t *rapid.T) {
		// a flag cannot be a prerequisite of its own
		template := flagstagetest.Templates().Filter(func(template flagstage.Template) bool {
			return !slices.ContainsFunc(slotsOf(template), func(s flags.Slot) bool {
				return s.Kind == flags.SlotPrerequisiteKey && s.Names()[0] == template.Origin().FlagKey
			})
		}).Draw(t, "template")
		overrides := flagstagetest.Overrides(template).Draw(t, "overrides")
		plan, parameters, err := template.Bind(flagstage.Target{Origin: template.Origin()}, overrides)
		require.NoError(t, err, "of its own flag nothing is known")
		at := map[[2]string]flags.Value{}
		for _, o := range overrides {
			at[[2]string{o.ID, o.Path}] = o.Value
		}
		overridden += len(at)
		for _, p := range parameters {
			if v, is := at[[2]string{p.ID, p.Path}]; is {
				require.Equal(t, v, p.Default.Value)
			}
		}
		for i, stage := range plan.Stages() {
			before := template.Stages()[i]
			require.Equal(t, before.Conditions, stage.Conditions)
			for k, in := range stage.Action.Instructions {
				was := before.Action.Instructions[k]
				now, old := in.AppendJSON(nil), was.AppendJSON(nil)
				for _, slot := range was.Slots() {
					if v, is := at[[2]string{was.ID(), slot.Pointer}]; is && v != slot.Value { // else it is empty
						require.Equal(t, 1, bytes.Count(now, []byte(v.String())), "%s in %s", v, now)
						now = bytes.Replace(now, []byte(v.String()), slot.Value.AppendJSON(nil), 1)
					}
				}
				require.Equal(t, string(old), string(now))
			}
		}
	})
	require.NotZero(t, overridden)
}

// counting counts what a target is asked.
type counting struct {
	flags.OtherFlags
	flags, segments map[string]int
}

func (c counting) Flag(key string) (flags.Flag, error) {
	c.flags[key]++
	return c.OtherFlags.Flag(key)
}

func (c counting) segment(key string) (bool, error) {
	c.segments[key]++
	return true, nil
}

func TestWhatIsAskedForIsAskedForOnce(t *testing.T) {
	template := written(t, strings.Repeat(prerequisite+","+segmentRule+",", 50)+prerequisite, prerequisite, segmentRule)
	c := counting{flags.NewFlagSet(lamp(t)), map[string]int{}, map[string]int{}}
	_, _, err := template.Bind(flagstage.Target{Origin: bannerOrigin, Flag: banner(t), Others: c, Segment: c.segment}, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"lamp": 1}, c.flags, "applying asks for the same")
	require.Equal(t, map[string]int{"staff": 1, "beta": 1}, c.segments)
	_, err = template.WithValues(flagstage.Target{Origin: bannerOrigin, Flag: banner(t), Others: c})
	require.NoError(t, err)
	require.Equal(t, map[string]int{"lamp": 2}, c.flags)
}

// TestBindingIsLinear holds that the memory used for binding grows no faster than
// template, flag and overrides together.
func TestBindingIsLinear(t *testing.T) {
	cost := func(n int) float64 {
		var variations, copies, rules, list []string
		for i := range n {
			variations = append(variations, fmt.Sprintf(`{"_id":"v-%d","value":[%d]}`, i, i))
			copies = append(copies, fmt.Sprintf(`{"_id":"c-%d","value":[%d.0]}`, i, i))
			rules = append(rules, fmt.Sprintf(`{"_id":"rule-%d","variation":%d,"clauses":[]}`, i, i))
			list = append(list, fmt.Sprintf(`{"kind":"updateRuleVariationOrRollout","ruleId":"rule-%d","variationId":"v-%d"}`, i, i))
		}
		stages := make([]string, 0, n/100)
		for i := 0; i < n; i += 100 {
			stages = append(stages, strings.Join(list[i:i+100], ","))
		}
		template, err := written(t, stages...).WithValues(flagstage.Target{
			Origin: bannerOrigin, Flag: flagOf(t, "banner", "multivariate", strings.Join(variations, ","), ""),
		})
		require.NoError(t, err)
		target := flagstage.Target{
			Origin: elsewhere("shop", "production", "sign"), Flag: flagOf(t, "sign", "multivariate", strings.Join(copies, ","), strings.Join(rules, ",")),
		}
		var overrides []flagstage.Override
		for _, stage := range template.Stages() {
			for _, in := range stage.Action.Instructions {
				overrides = append(overrides, flagstage.Override{ID: in.ID(), Path: "/ruleId", Value: in.Slots()[0].Value})
			}
		}
		return testing.AllocsPerRun(3, func() {
			plan, _, err := template.Bind(target, overrides)
			require.NoError(t, err)
			require.Equal(t, n/100, plan.Len())
		})
	}
	require.Less(t, cost(400)/cost(100), 4.8)
}
