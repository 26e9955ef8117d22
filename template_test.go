package flagstage_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
)

var (
	now    = at("2026-10-21T09:00:00+02:00")
	alice  = flagstage.Actor{MemberID: "alice"}
	origin = flagstage.Origin{ProjectKey: "web-shop", EnvironmentKey: "production", FlagKey: "new-checkout"}
)

func at(rfc3339 string) time.Time {
	t, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		panic(err)
	}
	return t
}

func creation() flagstage.Creation {
	return flagstage.Creation{Now: now, IDs: flagstage.SeededIDs(1), Actor: alice}
}

// found lists problems as "pointer code", warnings with a question mark.
func found(problems flagstage.Problems) []string {
	list := []string{}
	for _, p := range problems {
		mark := ""
		if p.Severity == flagstage.SeverityWarning {
			mark = "?"
		}
		list = append(list, p.Pointer+" "+string(p.Code)+mark)
	}
	return list
}

// request wraps stages in a request that is otherwise right.
func request(stages string) string {
	return `{"key":"k","projectKey":"p","environmentKey":"e","flagKey":"f","stages":` + stages + `}`
}

// conditions wraps conditions in a request that is otherwise right.
func conditions(list string) string { return request(`[{"conditions":[` + list + `]}]`) }

// instructions wraps instructions in a request that is otherwise right.
func instructions(list string) string {
	return request(`[{"action":{"instructions":[` + list + `]}}]`)
}

const firstCondition = "/stages/0/conditions/0"

// badRequests are requests, and all that is wrong with each.
var badRequests = []struct {
	name, document string
	want           []string
}{
	{"nothing", ``, []string{" syntax"}},
	{"no object", `[]`, []string{" wrong_type"}},
	{"empty object", `{}`, []string{"/key required", "/stages required"}},
	{"null", `null`, []string{" wrong_type"}},
	{"brackets up to the limit", strings.Repeat("[", 1<<20), []string{strings.Repeat("/0", 64) + " too_large"}},
	{"trailing data", request(`[{}]`) + ` {}`, []string{" syntax"}},
	{"not UTF-8", `{"key":"` + "\xff" + `"}`, []string{"/key syntax"}},
	{"lone surrogate", `{"key":"\ud800"}`, []string{"/key syntax"}},
	{"ten megabytes of brackets", strings.Repeat("[", 10<<20), []string{" too_large"}},
	{"duplicate name", `{"key":"a","key":"b","workflowId":"w"}`, []string{"/key duplicate"}},
	{"key is null", `{"key":null,"workflowId":"w"}`, []string{"/key wrong_type"}},
	{"key is a number", `{"key":1,"workflowId":"w"}`, []string{"/key wrong_type"}},
	{"key is empty", `{"key":"","workflowId":"w"}`, []string{"/key required"}},
	{"key is malformed", `{"key":"<key>","workflowId":"w"}`, []string{"/key malformed"}},
	{"key begins with a dot", `{"key":".a","workflowId":"w"}`, []string{"/key malformed"}},
	{"key is too long", `{"key":"` + strings.Repeat("k", 257) + `","workflowId":"w"}`, []string{"/key too_large"}},
	{"neither stages nor workflow", `{"key":"k"}`, []string{"/stages required"}},
	{"stages are null", `{"key":"k","stages":null}`, []string{"/stages required"}},
	{"both stages and workflow", strings.Replace(request(`[{}]`), `{`, `{"workflowId":"w",`, 1), []string{"/workflowId exclusive"}},
	{"no stage", request(`[]`), []string{"/stages required"}},
	{"stages are no array", request(`{}`), []string{"/stages wrong_type"}},
	{"a stage is null", request(`[null]`), []string{"/stages/0 wrong_type"}},
	{"stages without keys", `{"key":"k","stages":[{}]}`, []string{"/projectKey required", "/environmentKey required", "/flagKey required"}},
	{
		"malformed keys", `{"key":"k","stages":[{}],"projectKey":"a/b","environmentKey":" ","flagKey":"é"}`,
		[]string{"/projectKey malformed", "/environmentKey malformed", "/flagKey malformed"},
	},
	{"unknown member", `{"key":"k","workflowId":"w","parameters":[]}`, []string{"/parameters unknown_member"}},
	{"wrong case", `{"Key":"k","workflowId":"w"}`, []string{"/Key unknown_member", "/key required"}},
	{"misspelt member in a stage", request(`[{"condition":[]}]`), []string{"/stages/0/condition unknown_member"}},
	{"name is a number", request(`[{"name":1}]`), []string{"/stages/0/name wrong_type"}},
	{"sequence is a string", request(`[{"executeConditionsInSequence":"true"}]`), []string{"/stages/0/executeConditionsInSequence wrong_type"}},
	{"unknown kind of action", request(`[{"action":{"kind":"json"}}]`), []string{"/stages/0/action/kind unknown_kind"}},

	{"condition is null", conditions(`null`), []string{firstCondition + " wrong_type"}},
	{"condition without kind", conditions(`{"waitDuration":2}`), []string{firstCondition + "/kind required"}},
	{"kind is null", conditions(`{"kind":null}`), []string{firstCondition + "/kind wrong_type"}},
	{"unknown kind of condition", conditions(`{"kind":"metric"}`), []string{firstCondition + "/kind unknown_kind"}},
	{"integration approval", conditions(`{"kind":"integration-approval"}`), []string{firstCondition + "/kind unsupported"}},
	{"schedule without a time", conditions(`{"kind":"schedule"}`), []string{firstCondition + "/scheduleKind required"}},
	{"executeNow false alone", conditions(`{"kind":"schedule","executeNow":false}`), []string{firstCondition + "/scheduleKind required"}},
	{"date and wait without kind", conditions(`{"kind":"schedule","executionDate":1,"waitDuration":1,"waitDurationUnit":"hour"}`), []string{firstCondition + "/scheduleKind ambiguous"}},
	{"unknown kind of schedule", conditions(`{"kind":"schedule","scheduleKind":"Relative","waitDuration":1,"waitDurationUnit":"hour"}`), []string{firstCondition + "/scheduleKind unknown_kind"}},
	{"absolute without date", conditions(`{"kind":"schedule","scheduleKind":"absolute"}`), []string{firstCondition + "/executionDate required"}},
	{"relative without unit", conditions(`{"kind":"schedule","scheduleKind":"relative","waitDuration":1}`), []string{firstCondition + "/waitDurationUnit required"}},
	{"relative without wait", conditions(`{"kind":"schedule","scheduleKind":"relative","waitDurationUnit":"hour"}`), []string{firstCondition + "/waitDuration required"}},
	{"relative with nothing", conditions(`{"kind":"schedule","scheduleKind":"relative"}`), []string{firstCondition + "/waitDuration required", firstCondition + "/waitDurationUnit required"}},
	{"unknown unit", conditions(`{"kind":"schedule","waitDuration":1,"waitDurationUnit":"day"}`), []string{firstCondition + "/waitDurationUnit unknown_kind"}},
	{"negative wait", conditions(`{"kind":"schedule","waitDuration":-1,"waitDurationUnit":"hour"}`), []string{firstCondition + "/waitDuration out_of_range"}},
	{"fractional wait", conditions(`{"kind":"schedule","waitDuration":1.5,"waitDurationUnit":"hour"}`), []string{firstCondition + "/waitDuration wrong_type"}},
	{"wait with an exponent", conditions(`{"kind":"schedule","waitDuration":2e0,"waitDurationUnit":"hour"}`), []string{firstCondition + "/waitDuration wrong_type"}},
	{"wait is a string", conditions(`{"kind":"schedule","waitDuration":"2","waitDurationUnit":"hour"}`), []string{firstCondition + "/waitDuration wrong_type"}},
	{"wait beyond 64 bits", conditions(`{"kind":"schedule","waitDuration":9223372036854775808,"waitDurationUnit":"hour"}`), []string{firstCondition + "/waitDuration out_of_range"}},
	{"wait beyond all years", conditions(`{"kind":"schedule","waitDuration":9223372036854775807,"waitDurationUnit":"calendarWeek"}`), []string{firstCondition + "/waitDuration out_of_range"}},
	{"date before 1970", conditions(`{"kind":"schedule","executionDate":-1}`), []string{firstCondition + "/executionDate out_of_range"}},
	{"date after 9999", conditions(`{"kind":"schedule","executionDate":253402300800000}`), []string{firstCondition + "/executionDate out_of_range"}},
	{"unknown member of a condition", conditions(`{"kind":"schedule","executeNow":true,"waitDurationUnits":"hour"}`), []string{firstCondition + "/waitDurationUnits unknown_member"}},
	{"long description", conditions(`{"kind":"ld-approval","description":"` + strings.Repeat("é", 5001) + `"}`), []string{firstCondition + "/description too_large"}},
	{"eleven members", conditions(`{"kind":"ld-approval","notifyMemberIds":[` + strings.TrimSuffix(strings.Repeat(`"m",`, 11), ",") + `]}`), []string{firstCondition + "/notifyMemberIds too_large"}},
	{"many teams", conditions(`{"kind":"ld-approval","notifyTeamKeys":[` + strings.TrimSuffix(strings.Repeat(`"m",`, 101), ",") + `]}`), []string{firstCondition + "/notifyTeamKeys too_large"}},
	{"member without id", conditions(`{"kind":"ld-approval","notifyMemberIds":["a",""]}`), []string{firstCondition + "/notifyMemberIds/1 malformed"}},
	{"member is null", conditions(`{"kind":"ld-approval","notifyMemberIds":[null]}`), []string{firstCondition + "/notifyMemberIds/0 wrong_type"}},
	{"config is no object", conditions(`{"kind":"ld-approval","integrationConfig":[1]}`), []string{firstCondition + "/integrationConfig wrong_type"}},
	{"duplicate in a config", conditions(`{"kind":"ld-approval","integrationConfig":{"a":{"b":1,"b":2}}}`), []string{firstCondition + "/integrationConfig/a/b duplicate"}},
	{
		"wrong type in what is ignored", conditions(`{"kind":"ld-approval","waitDuration":"2"}`),
		[]string{firstCondition + "/waitDuration wrong_type"},
	},

	{
		"an unknown member hides nothing", conditions(`{"kind":"schedule","scheduleKind":"relative","waitDuration":-1,"waitDurationUnit":"hour","foo":1}`),
		[]string{firstCondition + "/waitDuration out_of_range", firstCondition + "/foo unknown_member"},
	},
	{
		"a missing unit hides nothing", conditions(`{"kind":"schedule","scheduleKind":"relative","waitDuration":-1}`),
		[]string{firstCondition + "/waitDuration out_of_range", firstCondition + "/waitDurationUnit required"},
	},
	{
		"a wrong type hides nothing", conditions(`{"kind":"schedule","waitDuration":"x","waitDurationUnit":"bogus"}`),
		[]string{firstCondition + "/waitDuration wrong_type", firstCondition + "/waitDurationUnit unknown_kind"},
	},
	{
		"a wrong entry hides nothing", conditions(`{"kind":"ld-approval","notifyMemberIds":["",5,"m"],"descripton":"","notifyTeamKeys":[""]}`),
		[]string{
			firstCondition + "/notifyMemberIds/0 malformed", firstCondition + "/notifyMemberIds/1 wrong_type",
			firstCondition + "/descripton unknown_member", firstCondition + "/notifyTeamKeys/0 malformed",
		},
	},
	{
		"a wrong case hides nothing", conditions(`{"kind":"schedule","executionDate":-5,"Kind":"schedule"}`),
		[]string{firstCondition + "/executionDate out_of_range", firstCondition + "/Kind unknown_member"},
	},
	{"long member id", conditions(`{"kind":"ld-approval","notifyMemberIds":["` + strings.Repeat("m", 257) + `"]}`), []string{firstCondition + "/notifyMemberIds/0 too_large"}},

	{"instructions are an object", request(`[{"action":{"instructions":{}}}]`), []string{"/stages/0/action/instructions wrong_type"}},
	{"empty instruction", instructions(`{}`), []string{"/stages/0/action/instructions/0/kind required"}},
	{"unknown instruction", instructions(`{"kind":"turnFlagOnn"}`), []string{"/stages/0/action/instructions/0/kind unknown_kind"}},
	{"weights that miss the sum", instructions(`{"kind":"updateFallthroughVariationOrRollout","rolloutWeights":{"a":99999}}`), []string{"/stages/0/action/instructions/0/rolloutWeights out_of_range"}},
	{"variation beside weights", instructions(`{"kind":"updateFallthroughVariationOrRollout","variationId":"a","rolloutWeights":{"a":100000}}`), []string{"/stages/0/action/instructions/0/rolloutWeights exclusive"}},
	{"unknown operator", instructions(`{"kind":"addRule","variationId":"v","clauses":[{"attribute":"a","op":"IN","values":["x"]}]}`), []string{"/stages/0/action/instructions/0/clauses/0/op unknown_kind"}},
	{"wrong in a string", request(`[{"action":{"instructions":"{\"instructions\":[{\"kind\":\"turnFlagOn\"},{}]}"}}]`), []string{"/stages/0/action/instructions/1/kind required"}},
	{"array in a string", request(`[{"action":{"instructions":"[{}]"}}]`), []string{"/stages/0/action/instructions/0/kind required"}},
	{"broken string", request(`[{"action":{"instructions":"[{]"}}]`), []string{"/stages/0/action/instructions/0 syntax"}},
	{"empty string", request(`[{"action":{"instructions":""}}]`), []string{"/stages/0/action/instructions syntax"}},
	{"nothing in the string's object", request(`[{"action":{"instructions":"{}"}}]`), []string{"/stages/0/action/instructions required"}},
	{
		"everything at once, in the order of the document",
		request(`[{"conditions":[{"waitDurationUnit":"day","waitDuration":-1,"kind":"schedule"},{"kind":"schedule","executionDate":"x"}],"name":7},{"extra":1}]`),
		[]string{
			firstCondition + "/waitDurationUnit unknown_kind", firstCondition + "/waitDuration out_of_range",
			"/stages/0/conditions/1/executionDate wrong_type",
			"/stages/0/name wrong_type", "/stages/1/extra unknown_member",
		},
	},
}

func TestReadTemplateRefusesBadRequests(t *testing.T) {
	for _, c := range badRequests {
		t.Run(c.name, func(t *testing.T) {
			input, problems := flagstage.ReadTemplate([]byte(c.document))
			require.Equal(t, c.want, found(problems))
			require.Equal(t, flagstage.TemplateInput{}, input)
			require.ErrorIs(t, problems.Err(), flagstage.ErrInvalidRequest)
			require.Equal(t, "invalid_request", flagstage.Code(problems.Err()))
			for _, p := range problems {
				require.NotEmpty(t, p.Message)
				require.LessOrEqual(t, len(p.String()), 600, "a problem quotes too much")
			}
		})
	}
}

func TestUnknownMembersNameWhatWasMeant(t *testing.T) {
	for document, want := range map[string]string{
		conditions(`{"kind":"schedule","executeNow":true,"waitDurationUnits":"hour"}`): `did you mean "waitDurationUnit"?`,
		`{"KEY":"k"}`:                                              `did you mean "key"?`,
		request(`[{"conditons":[]}]`):                              `did you mean "conditions"?`,
		instructions(`{"kind":"updateFallthrough"}`):               `updateFallthroughVariationOrRollout`,
		conditions(`{"kind":"schedul"}`):                           `did you mean "schedule"?`,
		conditions(`{"kind":"ld-approval","\u017fcheduleKind":1}`): `did you mean "scheduleKind"?`,
	} {
		_, problems := flagstage.ReadTemplate([]byte(document))
		require.NotEmpty(t, problems, document)
		require.Contains(t, problems[0].Message, want, document)
	}
}

func TestLimitsPassAndOneMoreFails(t *testing.T) {
	list := func(n int, item string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	for _, c := range []struct {
		name    string
		limit   int
		pointer string
		make    func(n int) string
	}{
		{"stages", 500, "/stages", func(n int) string { return request(list(n, `{}`)) }},
		{"conditions", 50, "/stages/0/conditions", func(n int) string {
			return request(`[{"conditions":` + list(n, `{"kind":"ld-approval"}`) + `}]`)
		}},
		{"instructions", 200, "/stages/0/action/instructions", func(n int) string {
			return request(`[{"action":{"instructions":` + list(n, `{"kind":"turnFlagOn"}`) + `}}]`)
		}},
		{"parameters", 1000, "/stages", func(n int) string {
			var stages []string
			for ; n > 0; n -= 100 {
				stages = append(stages, `{"action":{"instructions":`+list(min(n, 100), `{"kind":"updateOffVariation","variationId":"v"}`)+`}}`)
			}
			return request("[" + strings.Join(stages, ",") + "]")
		}},
		{"depth", 64, firstCondition + "/integrationConfig/a" + strings.Repeat("/0", 58), func(n int) string {
			return conditions(`{"kind":"ld-approval","integrationConfig":{"a":` + strings.Repeat("[", n-6) + strings.Repeat("]", n-6) + `}}`)
		}},
		{"string", 64 << 10, "/name", func(n int) string {
			return strings.Replace(request(`[{}]`), `{`, `{"name":"`+strings.Repeat("n", n)+`",`, 1)
		}},
		{"document", 1 << 20, "", func(n int) string {
			document := request(`[{}]`)
			return document + strings.Repeat(" ", n-len(document))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			input, problems := flagstage.ReadTemplate([]byte(c.make(c.limit)))
			require.Empty(t, found(problems))
			_, problems = flagstage.NewTemplate(input, creation())
			require.Empty(t, found(problems))
			_, problems = flagstage.ReadTemplate([]byte(c.make(c.limit + 1)))
			require.Equal(t, []string{c.pointer + " too_large"}, found(problems))
		})
	}
}

func TestAtMostAHundredProblemsAreTold(t *testing.T) {
	_, problems := flagstage.ReadTemplate([]byte(request(`[` + strings.TrimSuffix(strings.Repeat(`{"x":1},`, 150), ",") + `]`)))
	require.Len(t, problems, 101)
	require.Equal(t, "/stages/99/x unknown_member", found(problems)[99])
	require.Equal(t, 50, problems[100].Omitted)
	require.Contains(t, problems[100].Message, "50 more problems")
	require.Contains(t, problems.Err().Error(), "and 147 more")
}

func TestCostGrowsLinearlyWithTheDocument(t *testing.T) {
	stages := func(n int, stage string) []byte {
		return []byte(request(`[` + strings.TrimSuffix(strings.Repeat(stage+",", n), ",") + `]`))
	}
	for name, stage := range map[string]string{
		"valid":            `{"name":"n","conditions":[{"kind":"ld-approval","notifyMemberIds":["a","b"]}],"action":{"instructions":[{"kind":"addTags","values":["x","y"]}]}}`,
		"unknown members":  `{"x":1,"y":[{}]}`,
		"wrong types":      `{"name":1,"conditions":{},"action":[]}`,
		"bad values":       `{"conditions":[{"kind":"schedule","waitDuration":-1,"waitDurationUnit":"x"}]}`,
		"bad instructions": `{"action":{"instructions":[{},{"kind":"x"},{"kind":"addTags"}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			cost := func(n int) float64 {
				document := stages(n, stage)
				return testing.AllocsPerRun(3, func() {
					input, problems := flagstage.ReadTemplate(document)
					template, _ := flagstage.NewTemplate(input, creation())
					_, _ = template.AppendJSON(nil), problems
				})
			}
			require.LessOrEqual(t, cost(400), 15*cost(40))
		})
	}
}

func TestTheFirstHundredProblemsAreThoseOfTheDocument(t *testing.T) {
	var extra strings.Builder
	for i := range 150 {
		fmt.Fprintf(&extra, `,"zz%d":1`, i)
	}
	_, problems := flagstage.ReadTemplate([]byte(`{"key":"<bad>"` + extra.String() + `,"workflowId":"w"}`))
	require.Len(t, problems, 101)
	require.Equal(t, []string{"/key malformed", "/zz0 unknown_member"}, found(problems)[:2], "what the values are told by is no matter")
	require.Equal(t, 51, problems[100].Omitted)
}

func TestWarningsDoNotHideErrors(t *testing.T) {
	warned := strings.Repeat(`{"conditions":[{"kind":"schedule","executeNow":true,"description":"d"}]},`, 120)
	_, problems := flagstage.ReadTemplate([]byte(request(`[` + warned + `{"conditions":[{"kind":"schedule","waitDuration":-1,"waitDurationUnit":"hour"}]}]`)))
	require.Len(t, problems, 101)
	require.Equal(t, "/stages/120/conditions/0/waitDuration out_of_range", found(problems)[99])
	require.ErrorContains(t, problems.Err(), "/stages/120/conditions/0/waitDuration: is -1")
	require.Equal(t, flagstage.SeverityWarning, problems[100].Severity)
}

func TestPointersToConditionsAreRefused(t *testing.T) {
	_, problems := flagstage.NewTemplate(flagstage.TemplateInput{Key: "k", Origin: origin, Stages: []flagstage.Stage{{Conditions: []flagstage.Condition{
		&flagstage.Approval{}, flagstage.Schedule{When: &flagstage.Immediate{}},
	}}}}, creation())
	require.Equal(t, []string{firstCondition + "/kind wrong_type", "/stages/0/conditions/1/scheduleKind wrong_type"}, found(problems))
}

func TestPrintingStopsAtTheLimit(t *testing.T) {
	tags := make([]string, 10000)
	for i := range tags {
		tags[i] = "eight by"
	}
	many := make([]flags.Instruction, 200)
	for i := range many {
		many[i] = flags.AddTags(tags...)
	}
	input := flagstage.TemplateInput{Key: "k", Origin: origin}
	for range 5 {
		input.Stages = append(input.Stages, flagstage.Stage{Action: flagstage.Patch(many...)})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, problems := flagstage.NewTemplate(input, creation())
	runtime.ReadMemStats(&after)
	require.Equal(t, []string{" too_large"}, found(problems))
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20), "all of it would be 110 MB")
}

func TestNilOptionsAreNone(t *testing.T) {
	_, problems := flagstage.ReadTemplate([]byte(request(`[{}]`)), nil)
	require.Empty(t, problems)
}

func TestHostKindsNeedAProperName(t *testing.T) {
	_, problems := flagstage.ReadTemplate([]byte(request(`[{}]`)), flagstage.WithHostKinds("turnFlagOn"))
	require.Error(t, problems.Err())
}

func TestWhatIsOverruledIsAWarning(t *testing.T) {
	for _, c := range []struct {
		name, condition string
		want            flagstage.Condition
		warnings        []string
	}{
		{"nothing to warn of", `{"kind":"schedule","executeNow":true,"executionDate":0,"description":"","notifyMemberIds":[],"integrationConfig":{},"waitDuration":null}`, flagstage.ScheduleNow(), nil},
		{"executeNow", `{"kind":"schedule","executeNow":true,"scheduleKind":"relative","waitDuration":2,"waitDurationUnit":"nonsense"}`, flagstage.ScheduleNow(), []string{"/scheduleKind", "/waitDuration", "/waitDurationUnit"}},
		{"absolute", `{"kind":"schedule","scheduleKind":"absolute","executionDate":1706810400000,"waitDuration":-2}`, flagstage.ScheduleAt(time.UnixMilli(1706810400000).UTC()), []string{"/waitDuration"}},
		{"relative", `{"kind":"schedule","scheduleKind":"relative","waitDuration":2,"waitDurationUnit":"calendarDay","executionDate":5}`, flagstage.ScheduleAfter(2, calendar.Day), []string{"/executionDate"}},
		{"date alone", `{"kind":"schedule","executionDate":1706810400000}`, flagstage.ScheduleAt(time.UnixMilli(1706810400000).UTC()), nil},
		{"wait alone", `{"kind":"schedule","waitDuration":0,"waitDurationUnit":"minute"}`, flagstage.ScheduleAfter(0, calendar.Minute), nil},
		{"members of an approval", `{"kind":"schedule","executeNow":true,"description":"d","notifyMemberIds":["m"],"notifyTeamKeys":["t"],"integrationConfig":{"a":1}}`, flagstage.ScheduleNow(), []string{"/description", "/notifyMemberIds", "/notifyTeamKeys", "/integrationConfig"}},
		{"members of a schedule", `{"kind":"ld-approval","scheduleKind":"relative","waitDuration":2,"executeNow":true,"executionDate":1}`, flagstage.Approval{}, []string{"/scheduleKind", "/waitDuration", "/executeNow", "/executionDate"}},
		{"members of the response", `{"kind":"ld-approval","_id":5,"id":{},"_execution":"x","allReviews":1,"reviewStatus":[],"appliedDate":"y"}`, flagstage.Approval{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			input, problems := flagstage.ReadTemplate([]byte(conditions(c.condition)))
			want := []string{}
			for _, member := range c.warnings {
				want = append(want, firstCondition+member+" exclusive?")
			}
			require.Equal(t, want, found(problems))
			require.NoError(t, problems.Err())
			require.Equal(t, c.want, input.Stages[0].Conditions[0])
		})
	}
}

func TestNewTemplateJudgesGoValuesTheSameWay(t *testing.T) {
	good := func() flagstage.TemplateInput {
		return flagstage.TemplateInput{Key: "k", Origin: origin, Stages: []flagstage.Stage{{}}}
	}
	for _, c := range []struct {
		name   string
		change func(*flagstage.TemplateInput, *flagstage.Creation)
		want   []string
	}{
		{"nothing", func(*flagstage.TemplateInput, *flagstage.Creation) {}, []string{}},
		{"everything missing", func(in *flagstage.TemplateInput, c *flagstage.Creation) {
			*in, *c = flagstage.TemplateInput{}, flagstage.Creation{}
		}, []string{"/_creationDate required", "/_id required", "/_ownerId required", "/key required", "/stages required"}},
		{"no key", func(in *flagstage.TemplateInput, _ *flagstage.Creation) { in.Key = "" }, []string{"/key required"}},
		{"bad key", func(in *flagstage.TemplateInput, _ *flagstage.Creation) { in.Key = "a b" }, []string{"/key malformed"}},
		{"no origin", func(in *flagstage.TemplateInput, _ *flagstage.Creation) { in.Origin = flagstage.Origin{} }, []string{"/projectKey required", "/environmentKey required", "/flagKey required"}},
		{"name not UTF-8", func(in *flagstage.TemplateInput, _ *flagstage.Creation) { in.Name = "\xff" }, []string{"/name malformed"}},
		{"name with NUL", func(in *flagstage.TemplateInput, _ *flagstage.Creation) { in.Name = "a\x00b" }, []string{"/name malformed"}},
		{"description too long", func(in *flagstage.TemplateInput, _ *flagstage.Creation) {
			in.Description = strings.Repeat("d", 64<<10+1)
		}, []string{"/description too_large"}},
		{"no stage", func(in *flagstage.TemplateInput, _ *flagstage.Creation) { in.Stages = []flagstage.Stage{} }, []string{"/stages required"}},
		{"501 stages", func(in *flagstage.TemplateInput, _ *flagstage.Creation) { in.Stages = make([]flagstage.Stage, 501) }, []string{"/stages too_large"}},
		{"workflow", func(in *flagstage.TemplateInput, _ *flagstage.Creation) {
			*in = flagstage.TemplateInput{Key: "k", WorkflowID: "w"}
		}, []string{"/workflowId not_found"}},
		{"workflow and stages", func(in *flagstage.TemplateInput, _ *flagstage.Creation) { in.WorkflowID = "w" }, []string{"/workflowId exclusive"}},
		{"nil condition", func(in *flagstage.TemplateInput, _ *flagstage.Creation) {
			in.Stages[0].Conditions = []flagstage.Condition{nil}
		}, []string{firstCondition + "/kind required"}},
		{"schedule without time", func(in *flagstage.TemplateInput, _ *flagstage.Creation) {
			in.Stages[0].Conditions = []flagstage.Condition{flagstage.Schedule{}}
		}, []string{firstCondition + "/scheduleKind required"}},
		{"negative wait", func(in *flagstage.TemplateInput, _ *flagstage.Creation) {
			in.Stages[0].Conditions = []flagstage.Condition{flagstage.ScheduleAfter(-1, calendar.Hour)}
		}, []string{firstCondition + "/waitDuration out_of_range"}},
		{"wait without unit", func(in *flagstage.TemplateInput, _ *flagstage.Creation) {
			in.Stages[0].Conditions = []flagstage.Condition{flagstage.ScheduleAfter(1, "")}
		}, []string{firstCondition + "/waitDurationUnit unknown_kind"}},
		{"wait past the year 9999 from now", func(in *flagstage.TemplateInput, c *flagstage.Creation) {
			c.Now = at("9999-12-30T00:00:00Z")
			in.Stages[0].Conditions = []flagstage.Condition{flagstage.ScheduleAfter(1, calendar.Day), flagstage.ScheduleAfter(2, calendar.Day)}
		}, []string{"/stages/0/conditions/1/waitDuration out_of_range"}},
		{"zero date", func(in *flagstage.TemplateInput, _ *flagstage.Creation) {
			in.Stages[0].Conditions = []flagstage.Condition{flagstage.ScheduleAt(time.Time{})}
		}, []string{firstCondition + "/executionDate out_of_range"}},
		{"config is no object", func(in *flagstage.TemplateInput, _ *flagstage.Creation) {
			in.Stages[0].Conditions = []flagstage.Condition{flagstage.Approval{IntegrationConfig: flags.IntValue(1)}}
		}, []string{firstCondition + "/integrationConfig wrong_type"}},
		{"zero instruction", func(in *flagstage.TemplateInput, _ *flagstage.Creation) {
			in.Stages[0].Action = flagstage.Patch(flags.TurnFlagOn(), flags.Instruction{})
		}, []string{"/stages/0/action/instructions/1/kind required"}},
		{"member called like a token", func(_ *flagstage.TemplateInput, c *flagstage.Creation) {
			c.Actor = flagstage.Actor{MemberID: "token:x"}
		}, []string{"/_ownerId required"}},
		{"printed form too large", func(in *flagstage.TemplateInput, _ *flagstage.Creation) {
			for range 20 {
				in.Stages = append(in.Stages, flagstage.Stage{Name: strings.Repeat("n", 60<<10)})
			}
		}, []string{" too_large"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, cr := good(), creation()
			c.change(&in, &cr)
			template, problems := flagstage.NewTemplate(in, cr)
			require.Equal(t, c.want, found(problems))
			require.Equal(t, len(c.want) > 0, template.IsZero())
		})
	}
}

func TestWorkflowIDIsNotFoundWithoutAnEngine(t *testing.T) {
	input, problems := flagstage.ReadTemplate([]byte(`{"key":"k","workflowId":"w"}`))
	require.Empty(t, problems)
	require.Equal(t, flagstage.TemplateInput{Key: "k", WorkflowID: "w"}, input)
	_, problems = flagstage.NewTemplate(input, creation())
	require.ErrorIs(t, problems.Err(), flagstage.ErrNotFound)
	require.NotErrorIs(t, problems.Err(), flagstage.ErrInvalidRequest)
	require.Equal(t, "not_found", flagstage.Code(problems.Err()))
}

func readRollout(t testing.TB) flagstage.TemplateInput {
	document, err := os.ReadFile("testdata/progressive-rollout.json")
	require.NoError(t, err)
	input, problems := flagstage.ReadTemplate(document)
	require.Empty(t, problems)
	return input
}

func create(t require.TestingT, input flagstage.TemplateInput) flagstage.Template {
	template, problems := flagstage.NewTemplate(input, creation())
	require.NoError(t, problems.Err())
	return template
}

func TestCreatedTemplateHasThePublishedShape(t *testing.T) {
	template := create(t, readRollout(t))
	var indented strings.Builder
	encoder := json.NewEncoder(&indented)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(template))
	golden(t, "testdata/progressive-rollout.created.json", indented.String())

	requireMembers(t, template.AppendJSON(nil))
}

// requireMembers checks the members that the published schemas require.
func requireMembers(t *testing.T, document []byte) {
	type object = map[string]json.RawMessage
	has := func(what string, raw json.RawMessage, names ...string) object {
		var o object
		require.NoError(t, json.Unmarshal(raw, &o), what)
		for _, name := range names {
			require.Contains(t, o, name, what)
			require.NotEqual(t, "null", string(o[name]), what+"/"+name)
		}
		return o
	}
	list := func(raw json.RawMessage) (l []json.RawMessage) {
		require.NoError(t, json.Unmarshal(raw, &l))
		return l
	}
	template := has("template", document, "_id", "_key", "_creationDate", "_ownerId", "_maintainerId", "_links")
	for _, s := range list(template["stages"]) {
		stage := has("stage", s, "_id", "conditions", "action", "_execution")
		has("execution", stage["_execution"], "status")
		has("action", stage["action"], "kind", "instructions")
		for _, c := range list(stage["conditions"]) {
			has("condition", c, "_id", "_execution", "description", "notifyMemberIds", "allReviews", "reviewStatus")
		}
	}
}

func TestMarshalAndCanonicalWriterAgree(t *testing.T) {
	input := readRollout(t)
	input.Name = "<a> & \u2028 \"b\" \\ \t é"
	template := create(t, input)
	marshalled, err := json.Marshal(template)
	require.NoError(t, err)
	require.Equal(t, string(marshalled), string(template.AppendJSON(nil)))
}

func TestSameSeedGivesTheSameBytes(t *testing.T) {
	one, two := create(t, readRollout(t)), create(t, readRollout(t))
	require.Equal(t, string(one.AppendJSON(nil)), string(two.AppendJSON(nil)))
	other := creation()
	other.IDs = flagstage.SeededIDs(2)
	three, _ := flagstage.NewTemplate(readRollout(t), other)
	require.NotEqual(t, one.ID(), three.ID())
	require.False(t, one.Equal(three))
}

func TestTemplatesDoNotShareSlicesWithCallers(t *testing.T) {
	members := []string{"m1"}
	list := []flags.Instruction{flags.TurnFlagOn()}
	conditionList := []flagstage.Condition{flagstage.Approval{NotifyMemberIDs: members}}
	template := create(t, flagstage.TemplateInput{Key: "k", Origin: origin, Stages: []flagstage.Stage{
		{Conditions: conditionList, Action: flagstage.Patch(list...)},
	}})
	before := string(template.AppendJSON(nil))
	members[0], list[0], conditionList[0] = "changed", flags.TurnFlagOff(), nil
	got := template.Stages()
	got[0].Conditions[0].(flagstage.Approval).NotifyMemberIDs[0] = "changed"
	got[0].Action.Instructions[0] = flags.TurnFlagOff()
	got[0].Conditions[0] = nil
	plan := template.Plan().Stages()
	plan[0].Conditions[0] = nil
	for _, a := range template.Plan().Approvals() {
		a.NotifyMemberIDs[0] = "changed"
	}
	require.Equal(t, before, string(template.AppendJSON(nil)))
}

// badIDs makes the same identifier over and over.
type badIDs string

func (b badIDs) NewID(time.Time) string { return string(b) }

func TestIdentifiersThatASourceMakesAreJudged(t *testing.T) {
	input := named("k", "")
	input.Stages = append(input.Stages, stage(hours(1)))
	for _, c := range []struct {
		name string
		ids  badIDs
		want []string
	}{
		{"the same again", "x", []string{"/stages/1/_id duplicate", "/stages/1/conditions/0/_id duplicate", "/stages/1/action/instructions/0/_id duplicate"}},
		{"empty", "", []string{"/_id malformed", "/stages/0/_id malformed"}},
		{"too long", badIDs(strings.Repeat("x", 257)), []string{"/_id too_large", "/stages/0/_id too_large"}},
		{"not UTF-8", "\xff", []string{"/_id malformed", "/stages/0/_id malformed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			creation := creation()
			creation.IDs = c.ids
			template, problems := flagstage.NewTemplate(input, creation)
			require.Subset(t, found(problems), c.want)
			require.True(t, template.IsZero())
			template, problems = flagstage.Import([]byte(`{"_key":"k","stages":[{"conditions":[{"kind":"ld-approval"}]},{"conditions":[{"kind":"ld-approval"}]}]}`), origin, creation)
			require.Contains(t, found(problems), c.want[0])
			require.True(t, template.IsZero())
		})
	}
	_, problems := flagstage.Import([]byte(`{"_key":"k","_id":"t","stages":[{"_id":"x"},{}]}`), origin, flagstage.Creation{Now: now, IDs: badIDs("x"), Actor: alice})
	require.Equal(t, []string{"/stages/1/_id duplicate"}, found(problems), "also beside those of the document")
	_, problems = flagstage.Import([]byte(`{"_key":"k","_id":"t","stages":[{},{"_id":"x"}]}`), origin, flagstage.Creation{Now: now, IDs: badIDs("x"), Actor: alice})
	require.Equal(t, []string{"/stages/1/_id duplicate"}, found(problems), "also before those of the document")
	_, problems = flagstage.Import([]byte(`{"_key":"k","_id":"t","stages":[{"_id":"zz"},{}]}`), origin, creation())
	require.Empty(t, problems, "new ones need not sort behind those of the document")
}

func TestZeroTemplateDoesNothing(t *testing.T) {
	var zero flagstage.Template
	require.True(t, zero.IsZero())
	require.True(t, zero.Equal(flagstage.Template{}))
	require.True(t, zero.Plan().IsZero())
	require.Empty(t, zero.Stages())
	require.True(t, json.Valid(zero.AppendJSON(nil)))
}

// exportedTemplate has the shape of the published response, with members of
// both kinds of conditions side by side and the slips of its examples.
const exportedTemplate = `{
	"_id": "0123456789abcdef01234567", "_key": "maintenance", "_creationDate": 1700000000000,
	"_ownerId": "owner", "_maintainerId": "maintainer", "_links": {"any": {"href": "/x", "type": "y"}},
	"name": "Maintenance", "description": "Off, and on again",
	"stages": [
		{
			"_id": "s1", "name": "Off",
			"conditions": [
				{
					"_id": "c1", "id": "ignored", "kind": "schedule", "scheduleKind": "absolute", "executionDate": 1700003600000,
					"_execution": {"status": "completed", "stopDate": 1700003600001},
					"description": "", "notifyMemberIds": [], "allReviews": [], "reviewStatus": ""
				},
				{
					"id": "c2", "kind": "ld-approval", "description": "Go?", "notifyMemberIds": ["m"],
					"allReviews": [{"_id": "r", "kind": "approve", "creationDate": 1, "comment": "c", "memberId": "m"}],
					"reviewStatus": "approved", "appliedDate": 1700003600000, "creationConfig": {"ticket": 12.50, "Area": ["x"]},
					"_execution": {"status": "completed"}
				}
			],
			"action": {"kind": "patch", "instructions": [{"_id": "i1", "kind": "turnFlagOff"}]},
			"_execution": {"status": "completed", "stopDate": 1}
		},
		{
			"conditions": [{"kind": "schedule", "scheduleKind": "relative", "waitDuration": 30, "waitDurationUnit": "minute"}],
			"action": {"kind": "patch", "instructions": [{"kind": "turnFlagOn"}]}
		}
	]
}`

func TestImportKeepsWhatTheDocumentSays(t *testing.T) {
	template, problems := flagstage.Import([]byte(exportedTemplate), origin, creation())
	require.Empty(t, problems)
	require.Equal(t, "0123456789abcdef01234567", template.ID())
	require.Equal(t, "maintenance", template.Key())
	require.Equal(t, time.UnixMilli(1700000000000).UTC(), template.CreatedAt())
	require.Equal(t, "owner", template.OwnerID())
	require.Equal(t, "maintainer", template.MaintainerID())
	require.Equal(t, origin, template.Origin())
	stages := template.Stages()
	require.Equal(t, "s1", stages[0].ID)
	require.Equal(t, "c1", stages[0].Conditions[0].ConditionID())
	require.Equal(t, "c2", stages[0].Conditions[1].ConditionID())
	require.Equal(t, `{"ticket":12.50,"Area":["x"]}`, stages[0].Conditions[1].(flagstage.Approval).IntegrationConfig.String())
	require.Equal(t, "i1", stages[0].Action.Instructions[0].ID())
	require.NotEmpty(t, stages[1].ID)
	require.NotEmpty(t, stages[1].Action.Instructions[0].ID())
	require.NotContains(t, string(template.AppendJSON(nil)), "approved")

	again, problems := flagstage.Import(template.AppendJSON(nil), origin, flagstage.Creation{})
	require.Empty(t, problems)
	require.True(t, template.Equal(again))
	require.Equal(t, template, again)
}

func TestImportRefuses(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		creation       flagstage.Creation
		want           []string
	}{
		{"duplicate condition id", `"id": "c2"`, `"id": "c1"`, creation(), []string{"/stages/0/conditions/1/_id duplicate"}},
		{"duplicate stage id", `"conditions": [{"kind": "schedule", "scheduleKind": "relative"`, `"_id": "s1", "conditions": [{"kind": "schedule", "scheduleKind": "relative"`, creation(), []string{"/stages/1/_id duplicate"}},
		{"long id", `"s1"`, `"` + strings.Repeat("s", 257) + `"`, creation(), []string{"/stages/0/_id too_large"}},
		{"date is no number", `1700000000000`, `"x"`, flagstage.Creation{}, []string{"/_id required", "/_creationDate wrong_type"}},
		{"duplicate instruction id", `"i1"`, `"c1"`, creation(), []string{"/stages/0/action/instructions/0/_id duplicate"}},
		{"empty id", `"i1"`, `""`, creation(), []string{"/stages/0/action/instructions/0/_id malformed"}},
		{"id is no string", `"_id": "s1"`, `"_id": 1`, creation(), []string{"/stages/0/_id wrong_type"}},
		{"no key", `"_key": "maintenance",`, ``, creation(), []string{"/_key required"}},
		{"no stages", `"stages": [`, `"_links2": [`, creation(), []string{"/_links2 unknown_member", "/stages required"}},
		{"date out of range", `1700000000000`, `-5`, creation(), []string{"/_creationDate out_of_range"}},
		{"a request", `"_key"`, `"key"`, creation(), []string{"/key unknown_member", "/_key required"}},
		{"both configs", `"creationConfig": {`, `"integrationConfig": {"a": 1}, "creationConfig": {`, creation(), []string{"/stages/0/conditions/1/creationConfig exclusive"}},
		{"nothing to complete it with", ``, ``, flagstage.Creation{}, []string{"/_id required"}},
		{"no owner and nobody acts", `"_ownerId": "owner",`, ``, flagstage.Creation{IDs: flagstage.SeededIDs(1)}, []string{"/_ownerId required"}},
		{"no date and no clock", `"_creationDate": 1700000000000,`, ``, flagstage.Creation{IDs: flagstage.SeededIDs(1)}, []string{"/_creationDate required"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Contains(t, exportedTemplate, c.old)
			document := strings.Replace(exportedTemplate, c.old, c.new, 1)
			template, problems := flagstage.Import([]byte(document), origin, c.creation)
			require.Equal(t, c.want, found(problems))
			require.True(t, template.IsZero())
		})
	}
	_, problems := flagstage.Import([]byte(exportedTemplate), flagstage.Origin{FlagKey: "/"}, creation())
	require.ElementsMatch(t, []string{"/projectKey required", "/environmentKey required", "/flagKey malformed"}, found(problems))
}

func TestImportTakesThePublishedIDs(t *testing.T) {
	// in the published examples a stage and its condition have the same, the
	// condition under another name
	template, problems := flagstage.Import([]byte(`{"_key":"k","stages":[{"_id":"12ab","conditions":[{"id":"12ab","kind":"ld-approval"}]}]}`), origin, creation())
	require.Empty(t, problems)
	require.Equal(t, "12ab", template.Stages()[0].Conditions[0].ConditionID())
}

func TestWarningsOfAnImportNameTheMember(t *testing.T) {
	_, problems := flagstage.Import([]byte(`{"_key":"k","stages":[{"conditions":[{"kind":"schedule","executeNow":true,"creationConfig":{"a":1}}]}]}`), origin, creation())
	require.Equal(t, []string{firstCondition + "/creationConfig exclusive?"}, found(problems))
}

func TestImportCompletesWhatIsMissing(t *testing.T) {
	document := `{"_key":"k","stages":[{}]}`
	template, problems := flagstage.Import([]byte(document), origin, creation())
	require.Empty(t, problems)
	require.Equal(t, "alice", template.OwnerID())
	require.Equal(t, "alice", template.MaintainerID())
	require.Equal(t, flagstage.Instant(now), template.CreatedAt())
	require.NotEmpty(t, template.ID())
	require.Equal(t, "k", template.Name())
}

func TestHostKindsAreCarriedAsTheyAre(t *testing.T) {
	document := instructions(`{"kind":"acmePage","who":["ops"],"after":1.50,"nested":{"b":1,"a":null}}`)
	_, problems := flagstage.ReadTemplate([]byte(document))
	require.Equal(t, []string{"/stages/0/action/instructions/0/kind unknown_kind"}, found(problems))

	hosts := flagstage.WithHostKinds("acmePage")
	input, problems := flagstage.ReadTemplate([]byte(document), hosts)
	require.Empty(t, problems)
	template := create(t, input)
	require.Contains(t, string(template.AppendJSON(nil)), `"kind":"acmePage","who":["ops"],"after":1.50,"nested":{"b":1,"a":null}}`)
	again, problems := flagstage.Import(template.AppendJSON(nil), origin, flagstage.Creation{}, hosts)
	require.Empty(t, problems)
	require.False(t, template.Equal(again), "the origin differs")
	again, _ = flagstage.Import(template.AppendJSON(nil), template.Origin(), flagstage.Creation{}, hosts)
	require.True(t, template.Equal(again))
}

// anyTemplate draws the input of a valid template.
func anyTemplate(t *rapid.T) flagstage.TemplateInput {
	key := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{0,12}`)
	text := rapid.String().Filter(func(s string) bool { return !strings.Contains(s, "\x00") })
	return flagstage.TemplateInput{
		Key: key.Draw(t, "key"), Name: text.Draw(t, "name"), Description: text.Draw(t, "description"),
		Origin: flagstage.Origin{ProjectKey: key.Draw(t, "project"), EnvironmentKey: key.Draw(t, "environment"), FlagKey: key.Draw(t, "flag")},
		Stages: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) flagstage.Stage {
			return flagstage.Stage{
				Name:                        text.Draw(t, "stage name"),
				ExecuteConditionsInSequence: rapid.Bool().Draw(t, "sequence"),
				Conditions:                  rapid.SliceOfN(rapid.Custom(anyCondition), 0, 4).Draw(t, "conditions"),
				Action:                      flagstage.Patch(rapid.SliceOfN(rapid.Custom(anyInstruction), 0, 3).Draw(t, "instructions")...),
			}
		}), 1, 5).Draw(t, "stages"),
	}
}

func anyCondition(t *rapid.T) flagstage.Condition {
	switch rapid.IntRange(0, 3).Draw(t, "condition") {
	case 0:
		unit := rapid.SampledFrom(calendar.Units()).Draw(t, "unit")
		return flagstage.ScheduleAfter(rapid.Int64Range(0, 90).Draw(t, "count"), unit)
	case 1:
		offset := rapid.Int64Range(-1e9, 1e10).Draw(t, "date")
		return flagstage.ScheduleAt(now.Add(time.Duration(offset) * time.Millisecond))
	case 2:
		return flagstage.ScheduleNow()
	}
	names := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,8}`), 0, 3)
	a := flagstage.Approval{
		Description:     rapid.StringMatching(`[ -~]{0,20}`).Draw(t, "description"),
		NotifyMemberIDs: names.Draw(t, "members"),
		NotifyTeamKeys:  names.Draw(t, "teams"),
	}
	if rapid.Bool().Draw(t, "has config") {
		a.IntegrationConfig, _ = flags.ParseValue(`{"n": 1.50, "l": [null, "<"]}`)
	}
	return a
}

func anyInstruction(t *rapid.T) flags.Instruction {
	switch rapid.IntRange(0, 2).Draw(t, "instruction") {
	case 0:
		return flags.TurnFlagOn()
	case 1:
		return flags.UpdateName(rapid.StringMatching(`[ -~]{1,20}`).Draw(t, "name"))
	}
	share := rapid.IntRange(0, 100000).Draw(t, "share")
	return flags.UpdateFallthroughVariationOrRollout(flags.ServeRollout(flags.Rollout{
		Weights: []flags.Weight{{VariationID: "b", Weight: share}, {VariationID: "a", Weight: 100000 - share}},
	}))
}

func TestEveryTemplatePrintedAndImportedIsEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		template, problems := flagstage.NewTemplate(anyTemplate(t), creation())
		require.Empty(t, problems)
		printed := template.AppendJSON(nil)
		again, problems := flagstage.Import(printed, template.Origin(), flagstage.Creation{})
		require.Empty(t, problems)
		require.True(t, template.Equal(again))
		require.Equal(t, string(printed), string(again.AppendJSON(nil)))
		require.Equal(t, template, again)
	})
}

func TestResponseSentAsRequestMakesTheSameStages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		input := anyTemplate(t)
		template, problems := flagstage.NewTemplate(input, creation())
		require.Empty(t, problems)
		keys := fmt.Sprintf(`{"key":%q,"projectKey":%q,"environmentKey":%q,"flagKey":%q,`,
			input.Key, input.Origin.ProjectKey, input.Origin.EnvironmentKey, input.Origin.FlagKey)
		// requests call the form variables of an approval by another name
		request := strings.ReplaceAll(strings.Replace(string(template.AppendJSON(nil)), `{`, keys, 1), `"creationConfig":`, `"integrationConfig":`)
		read, problems := flagstage.ReadTemplate([]byte(request))
		require.Empty(t, problems)
		again, problems := flagstage.NewTemplate(read, creation())
		require.Empty(t, problems)
		require.True(t, template.Equal(again), "the source of identifiers is the same, too")
	})
}

func FuzzReadTemplate(f *testing.F) {
	for _, c := range badRequests {
		if len(c.document) < 1<<16 {
			f.Add([]byte(c.document))
		}
	}
	for _, file := range []string{"testdata/progressive-rollout.json", "testdata/progressive-rollout.created.json"} {
		document, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(document)
	}
	f.Add([]byte(exportedTemplate))
	f.Fuzz(func(t *testing.T, document []byte) {
		input, problems := flagstage.ReadTemplate(document)
		check := func(template flagstage.Template) {
			again, problems := flagstage.Import(template.AppendJSON(nil), template.Origin(), flagstage.Creation{})
			require.Empty(t, found(problems))
			require.True(t, template.Equal(again))
			requireMembers(t, template.AppendJSON(nil))
		}
		if problems.Err() == nil {
			require.True(t, json.Valid(document), "encoding/json refuses what was accepted")
			if input.WorkflowID == "" {
				template, problems := flagstage.NewTemplate(input, creation())
				if !onlyTooMuch(problems) {
					require.Empty(t, found(problems))
					check(template)
				}
			}
		}
		if template, problems := flagstage.Import(document, origin, creation()); problems.Err() == nil {
			check(template)
		}
	})
}

// onlyTooMuch reports whether all problems are those that reading cannot
// know of: waits beyond the year 9999 from now, and the printed size.
func onlyTooMuch(problems flagstage.Problems) bool {
	for _, p := range problems {
		if p.Code != flags.CodeOutOfRange && (p.Code != flags.CodeTooLarge || p.Pointer != "") {
			return false
		}
	}
	return len(problems) > 0
}

func TestProblemsError(t *testing.T) {
	_, problems := flagstage.ReadTemplate([]byte(`{}`))
	var e *flagstage.ProblemsError
	require.True(t, errors.As(problems.Err(), &e))
	require.Equal(t, problems, e.Problems)
	require.NoError(t, flagstage.Problems(nil).Err())
	require.NoError(t, flagstage.Problems{{Severity: flagstage.SeverityWarning}}.Err())
}
