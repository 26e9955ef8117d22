package flagstage_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/calendar"
	"github.com/flagstage/flagstage/flags"
)

// overrides wraps parameters in a request that is otherwise right.
func overrides(list string) string {
	return `{"name":"n","templateKey":"t","parameters":[` + list + `]}`
}

// overridden wraps the path of a parameter in a request that is otherwise right.
func overridden(path string) string {
	return overrides(`{"_id":"i","path":` + path + `,"default":{"value":"v"}}`)
}

const (
	firstOverride = "/parameters/0"
	firstValue    = firstOverride + "/default/value"
)

// badWorkflows are requests to start a workflow, and all that is wrong with
// each. What is wrong with stages stands in badRequests.
var badWorkflows = []struct {
	name, document string
	want           []string
}{
	{"nothing", ``, []string{" syntax"}},
	{"a space", ` `, []string{" syntax"}},
	{"a byte order mark", "\ufeff{}", []string{" syntax"}},
	{"no object", `[]`, []string{" wrong_type"}},
	{"a string", `"name"`, []string{" wrong_type"}},
	{"a number", `1`, []string{" wrong_type"}},
	{"null", `null`, []string{" wrong_type"}},
	{"true", `true`, []string{" wrong_type"}},
	{"empty object", `{}`, []string{"/name required", "/stages required"}},
	{"cut short", `{"name":"n"`, []string{" syntax"}},
	{"a comma too many", `{"name":"n",}`, []string{" syntax"}},
	{"a comment", `{"name":"n"} // really`, []string{" syntax"}},
	{"two documents", `{"name":"n","templateKey":"t"}{}`, []string{" syntax"}},
	{"single quotes", `{'name':'n'}`, []string{" syntax"}},
	{"not UTF-8", `{"name":"` + "\xff" + `"}`, []string{"/name syntax"}},
	{"lone surrogate", `{"name":"\ud800","templateKey":"t"}`, []string{"/name syntax"}},
	{"NUL", `{"name":"\u0000","templateKey":"t"}`, []string{"/name syntax"}},
	{"brackets up to the limit", strings.Repeat("[", 1<<20), []string{strings.Repeat("/0", 64) + " too_large"}},
	{"ten megabytes of brackets", strings.Repeat("[", 10<<20), []string{" too_large"}},
	{"duplicate name", `{"name":"a","name":"b","templateKey":"t"}`, []string{"/name duplicate"}},
	{"duplicate deep inside", `{"name":"a","templateKey":"t","meta":{"x":{"y":1,"y":2}}}`, []string{"/meta/x/y duplicate"}},

	{"no name", `{"templateKey":"t"}`, []string{"/name required"}},
	{"name is null", `{"name":null,"templateKey":"t"}`, []string{"/name wrong_type"}},
	{"name is empty", `{"name":"","templateKey":"t"}`, []string{"/name required"}},
	{"name is a number", `{"name":1,"templateKey":"t"}`, []string{"/name wrong_type"}},
	{"name is a list", `{"name":["n"],"templateKey":"t"}`, []string{"/name wrong_type"}},
	{"name is too long", `{"name":"` + strings.Repeat("n", 64<<10+1) + `","templateKey":"t"}`, []string{"/name too_large"}},
	{"name in another case", `{"Name":"n","templateKey":"t"}`, []string{"/Name unknown_member", "/name required"}},
	{"description is a number", `{"name":"n","templateKey":"t","description":1}`, []string{"/description wrong_type"}},
	{"description is an object", `{"name":"n","templateKey":"t","description":{}}`, []string{"/description wrong_type"}},
	{"description is too long", `{"name":"n","templateKey":"t","description":"` + strings.Repeat("d", 64<<10+1) + `"}`, []string{"/description too_large"}},
	{"maintainer is a number", `{"name":"n","templateKey":"t","maintainerId":5}`, []string{"/maintainerId wrong_type"}},
	{"maintainer is a list", `{"name":"n","templateKey":"t","maintainerId":["m"]}`, []string{"/maintainerId wrong_type"}},
	{"maintainer is too long", `{"name":"n","templateKey":"t","maintainerId":"` + strings.Repeat("m", 257) + `"}`, []string{"/maintainerId too_large"}},
	{"misspelt maintainer", `{"name":"n","templateKey":"t","maintainerID":"m"}`, []string{"/maintainerID unknown_member"}},
	{"another kind", `{"name":"n","templateKey":"t","kind":"scheduled"}`, []string{"/kind unknown_kind"}},
	{"kind in another case", `{"name":"n","templateKey":"t","kind":"Custom"}`, []string{"/kind unknown_kind"}},
	{"kind of an approval", `{"name":"n","templateKey":"t","kind":"integration-approval"}`, []string{"/kind unknown_kind"}},
	{"kind is empty", `{"name":"n","templateKey":"t","kind":""}`, []string{"/kind unknown_kind"}},
	{"kind is a number", `{"name":"n","templateKey":"t","kind":1}`, []string{"/kind wrong_type"}},

	{"template key is a number", `{"name":"n","templateKey":1}`, []string{"/templateKey wrong_type", "/stages required"}},
	{"template key is empty", `{"name":"n","templateKey":""}`, []string{"/stages required"}},
	{"template key is null", `{"name":"n","templateKey":null}`, []string{"/stages required"}},
	{"template key is malformed", `{"name":"n","templateKey":"a b"}`, []string{"/templateKey malformed"}},
	{"template key with a slash", `{"name":"n","templateKey":"a/b"}`, []string{"/templateKey malformed"}},
	{"template key that begins with a dot", `{"name":"n","templateKey":"..a"}`, []string{"/templateKey malformed"}},
	{"template key that begins with a hyphen", `{"name":"n","templateKey":"-a"}`, []string{"/templateKey malformed"}},
	{"template key with an umlaut", `{"name":"n","templateKey":"ä"}`, []string{"/templateKey malformed"}},
	{"template key with a line break", `{"name":"n","templateKey":"a\nb"}`, []string{"/templateKey malformed"}},
	{"template key is too long", `{"name":"n","templateKey":"` + strings.Repeat("k", 257) + `"}`, []string{"/templateKey too_large"}},
	{"bad template key beside stages", `{"name":"n","stages":[{}],"templateKey":" "}`, []string{"/templateKey malformed"}},

	{"neither stages nor template", `{"name":"n"}`, []string{"/stages required"}},
	{"stages are null", `{"name":"n","stages":null}`, []string{"/stages required"}},
	{"no stage", `{"name":"n","stages":[]}`, []string{"/stages required"}},
	{"no stage beside a template", `{"name":"n","templateKey":"t","stages":[]}`, []string{"/stages required"}},
	{"stages are an object", `{"name":"n","stages":{}}`, []string{"/stages wrong_type"}},
	{"stages are a string", `{"name":"n","stages":"[]"}`, []string{"/stages wrong_type"}},
	{"a stage is null", `{"name":"n","stages":[{},null]}`, []string{"/stages/1 wrong_type"}},
	{"a stage is a list", `{"name":"n","stages":[[]]}`, []string{"/stages/0 wrong_type"}},
	{"misspelt stages", `{"name":"n","stage":[{}]}`, []string{"/stage unknown_member", "/stages required"}},
	{"a key of a template", `{"name":"n","templateKey":"t","key":"k"}`, []string{"/key unknown_member"}},
	{"a project", `{"name":"n","templateKey":"t","projectKey":"p"}`, []string{"/projectKey unknown_member"}},
	{"an environment", `{"name":"n","templateKey":"t","environmentKey":"e"}`, []string{"/environmentKey unknown_member"}},
	{"a flag", `{"name":"n","templateKey":"t","flagKey":"f"}`, []string{"/flagKey unknown_member"}},
	{"a workflow", `{"name":"n","templateKey":"t","workflowId":"w"}`, []string{"/workflowId unknown_member"}},
	{"an identifier without underscore", `{"name":"n","templateKey":"t","id":"w"}`, []string{"/id unknown_member"}},
	{"a dry run", `{"name":"n","templateKey":"t","dryRun":true}`, []string{"/dryRun unknown_member"}},
	{"an owner", `{"name":"n","templateKey":"t","_ownerId":"o"}`, []string{"/_ownerId unknown_member"}},
	{"an empty name of a member", `{"name":"n","templateKey":"t","":1}`, []string{"/ unknown_member"}},
	{"a name of a member that needs escapes", `{"name":"n","templateKey":"t","a/b~c":1}`, []string{"/a~1b~0c unknown_member"}},
	{"conditions without a stage", `{"name":"n","conditions":[],"action":{}}`, []string{"/conditions unknown_member", "/action unknown_member", "/stages required"}},

	{"parameters are an object", `{"name":"n","templateKey":"t","parameters":{}}`, []string{"/parameters wrong_type"}},
	{"parameters are a string", `{"name":"n","templateKey":"t","parameters":"[]"}`, []string{"/parameters wrong_type"}},
	{"parameters are false", `{"name":"n","templateKey":"t","parameters":false}`, []string{"/parameters wrong_type"}},
	{"misspelt parameters", `{"name":"n","templateKey":"t","parameter":[]}`, []string{"/parameter unknown_member"}},
	{"parameters beside stages", `{"name":"n","stages":[{}],"parameters":[{"_id":"i","path":"/p","default":{"value":1}}]}`, []string{"/parameters exclusive"}},
	{"parameters beside stages and a template", `{"name":"n","templateKey":"t","stages":[{}],"parameters":[{"_id":"i","path":"/p","default":{"value":1}}]}`, []string{"/parameters exclusive"}},
	{"parameters without a template", `{"name":"n","parameters":[{"_id":"i","path":"/p","default":{"value":1}}]}`, []string{"/stages required"}},
	{"a parameter is null", overrides(`null`), []string{firstOverride + " wrong_type"}},
	{"a parameter is a string", overrides(`"i"`), []string{firstOverride + " wrong_type"}},
	{"a parameter is a list", overrides(`[]`), []string{firstOverride + " wrong_type"}},
	{"an empty parameter", overrides(`{}`), []string{firstOverride + "/_id required", firstOverride + "/path required", firstOverride + "/default required"}},
	{"two empty parameters", overrides(`{"default":{"value":1}},{"default":{"value":1}}`), []string{
		firstOverride + "/_id required", firstOverride + "/path required", "/parameters/1/_id required", "/parameters/1/path required",
	}},
	{"a parameter without id", overrides(`{"path":"/p","default":{"value":1}}`), []string{firstOverride + "/_id required"}},
	{"a parameter with id", overrides(`{"id":"i","path":"/p","default":{"value":1}}`), []string{firstOverride + "/id unknown_member", firstOverride + "/_id required"}},
	{"id of a parameter is null", overrides(`{"_id":null,"path":"/p","default":{"value":1}}`), []string{firstOverride + "/_id wrong_type"}},
	{"id of a parameter is empty", overrides(`{"_id":"","path":"/p","default":{"value":1}}`), []string{firstOverride + "/_id required"}},
	{"id of a parameter is a number", overrides(`{"_id":7,"path":"/p","default":{"value":1}}`), []string{firstOverride + "/_id wrong_type"}},
	{"id of a parameter is too long", overrides(`{"_id":"` + strings.Repeat("i", 257) + `","path":"/p","default":{"value":1}}`), []string{firstOverride + "/_id too_large"}},
	{"a parameter without path", overrides(`{"_id":"i","default":{"value":1}}`), []string{firstOverride + "/path required"}},
	{"path is null", overridden(`null`), []string{firstOverride + "/path wrong_type"}},
	{"path is a number", overridden(`0`), []string{firstOverride + "/path wrong_type"}},
	{"path is a list", overridden(`["variationId"]`), []string{firstOverride + "/path wrong_type"}},
	{"path is empty", overridden(`""`), []string{firstOverride + "/path required"}},
	{"path without slash", overridden(`"variationId"`), []string{firstOverride + "/path malformed"}},
	{"path with a dot", overridden(`"./variationId"`), []string{firstOverride + "/path malformed"}},
	{"path with a sign", overridden(`"#/variationId"`), []string{firstOverride + "/path malformed"}},
	{"path with a dollar", overridden(`"$.variationId"`), []string{firstOverride + "/path malformed"}},
	{"path that ends in a tilde", overridden(`"/a~"`), []string{firstOverride + "/path malformed"}},
	{"path with an unknown escape", overridden(`"/a~2b"`), []string{firstOverride + "/path malformed"}},
	{"path with two tildes", overridden(`"/a~0~~1"`), []string{firstOverride + "/path malformed"}},
	{"path with a tilde before a slash", overridden(`"/a~/b"`), []string{firstOverride + "/path malformed"}},
	{"path of 65 names", overridden(`"` + strings.Repeat("/a", 65) + `"`), []string{firstOverride + "/path too_large"}},
	{"path of 65 empty names", overridden(`"` + strings.Repeat("/", 65) + `"`), []string{firstOverride + "/path too_large"}},
	{"path that is too long", overridden(`"/` + strings.Repeat("a", 64<<10) + `"`), []string{firstOverride + "/path too_large"}},
	{"a parameter without default", overrides(`{"_id":"i","path":"/p"}`), []string{firstOverride + "/default required"}},
	{"default is null", overrides(`{"_id":"i","path":"/p","default":null}`), []string{firstOverride + "/default wrong_type"}},
	{"default is the value", overrides(`{"_id":"i","path":"/p","default":"v"}`), []string{firstOverride + "/default wrong_type"}},
	{"default is a list", overrides(`{"_id":"i","path":"/p","default":["v"]}`), []string{firstOverride + "/default wrong_type"}},
	{"default is empty", overrides(`{"_id":"i","path":"/p","default":{}}`), []string{firstValue + " required"}},
	{"value without default", overrides(`{"_id":"i","path":"/p","value":1}`), []string{firstOverride + "/value unknown_member", firstOverride + "/default required"}},
	{"value is null", overrides(`{"_id":"i","path":"/p","default":{"value":null}}`), []string{firstValue + " required"}},
	{"value in another case", overrides(`{"_id":"i","path":"/p","default":{"Value":1}}`), []string{firstOverride + "/default/Value unknown_member", firstValue + " required"}},
	{"duplicate in a value", overrides(`{"_id":"i","path":"/p","default":{"value":{"a":{"b":1,"b":2}}}}`), []string{firstValue + "/a/b duplicate"}},
	{"long string in a value", overrides(`{"_id":"i","path":"/p","default":{"value":["` + strings.Repeat("v", 64<<10+1) + `"]}}`), []string{firstValue + "/0 too_large"}},
	{"long number", overrides(`{"_id":"i","path":"/p","default":{"value":` + strings.Repeat("1", 33) + `}}`), []string{firstValue + " too_large"}},
	{"no number", overrides(`{"_id":"i","path":"/p","default":{"value":01}}`), []string{firstValue + " syntax"}},
	{"value that is too deep", overrides(`{"_id":"i","path":"/p","default":{"value":` + strings.Repeat("[", 61) + strings.Repeat("]", 61) + `}}`), []string{firstValue + strings.Repeat("/0", 60) + " too_large"}},
	{"boolean value is a string", overrides(`{"_id":"i","path":"/p","default":{"booleanVariationValue":"true"}}`), []string{firstOverride + "/default/booleanVariationValue wrong_type"}},
	{"boolean value is a number", overrides(`{"_id":"i","path":"/p","default":{"booleanVariationValue":1,"value":1}}`), []string{firstOverride + "/default/booleanVariationValue wrong_type"}},
	{"boolean value is null", overrides(`{"_id":"i","path":"/p","default":{"booleanVariationValue":null}}`), []string{firstValue + " required"}},
	{"misspelt boolean value", overrides(`{"_id":"i","path":"/p","default":{"booleanVariation":true}}`), []string{firstOverride + "/default/booleanVariation unknown_member", firstValue + " required"}},
	{"duplicate inside of what is ignored", overrides(`{"_id":"i","path":"/p","default":{"value":1,"ruleClause":{"op":1,"op":2}}}`), []string{firstOverride + "/default/ruleClause/op duplicate"}},
	{"the same parameter twice", overrides(`{"_id":"i","path":"/p","default":{"value":1}},{"_id":"j","path":"/p","default":{"value":1}},{"_id":"i","path":"/p","default":{"value":2}}`), []string{"/parameters/2 duplicate"}},
	{
		"the same parameter three times", overrides(strings.TrimSuffix(strings.Repeat(`{"_id":"i","path":"/p","default":{"value":1}},`, 3), ",")),
		[]string{"/parameters/1 duplicate", "/parameters/2 duplicate"},
	},
	{"the same parameter spelt otherwise", overrides(`{"_id":"i","path":"/p","default":{"value":1}},{"_id":"\u0069","path":"\/p","default":{"value":2}}`), []string{"/parameters/1 duplicate"}},
	{
		"everything at once, in the order of the document",
		`{"parameters":[{"path":"p","_id":5},{"default":{"value":null},"path":"/p"}],"kind":"x","templateKey":"/","extra":{},"maintainerId":{}}`,
		[]string{
			firstOverride + "/path malformed", firstOverride + "/_id wrong_type", firstOverride + "/default required",
			"/parameters/1/default/value required", "/parameters/1/_id required",
			"/kind unknown_kind", "/templateKey malformed", "/extra unknown_member", "/maintainerId wrong_type", "/name required",
		},
	},
}

// repeated returns what a function makes of 0 to n-1.
func repeated(n int, make func(i int) []string) (list []string) {
	for i := range n {
		list = append(list, make(i)...)
	}
	return list
}

func TestReadWorkflowRefusesBadRequests(t *testing.T) {
	for _, c := range badWorkflows {
		t.Run(c.name, func(t *testing.T) {
			input, problems := flagstage.ReadWorkflow([]byte(c.document))
			require.Equal(t, c.want, found(problems))
			require.Equal(t, flagstage.WorkflowInput{}, input)
			require.ErrorIs(t, problems.Err(), flagstage.ErrInvalidRequest)
			require.Equal(t, "invalid_request", flagstage.Code(problems.Err()))
			for _, p := range problems {
				require.NotEmpty(t, p.Message)
				require.LessOrEqual(t, len(p.String()), 600, "a problem quotes too much")
			}
		})
	}
}

// TestStagesOfWorkflowsAreReadAsThoseOfTemplates holds that a stage that is
// wrong in a template is wrong in a workflow, for the same reasons.
func TestStagesOfWorkflowsAreReadAsThoseOfTemplates(t *testing.T) {
	count := 0
	for _, c := range badRequests {
		rest, isStages := strings.CutPrefix(c.document, strings.TrimSuffix(request(""), "}"))
		if !isStages {
			continue
		}
		count++
		_, problems := flagstage.ReadWorkflow([]byte(`{"name":"n","stages":` + rest))
		require.Equal(t, c.want, found(problems), c.name)
	}
	require.Greater(t, count, 50)
}

func TestUnknownMembersOfWorkflowsNameWhatWasMeant(t *testing.T) {
	for document, want := range map[string]string{
		`{"NAME":"n"}`:                             `did you mean "name"?`,
		`{"maintainer_id":"m"}`:                    `did you mean "maintainerId"?`,
		`{"template":"t"}`:                         `templateKey`,
		`{"\u017ftages":[]}`:                       `did you mean "stages"?`,
		overrides(`{"id":"i"}`):                    `did you mean "_id"?`,
		overrides(`{"default":{"values":[]}}`):     `did you mean "value"?`,
		overrides(`{"Path":"/p"}`):                 `did you mean "path"?`,
		`{"name":"n","stages":[{"action_":[{}]}]}`: `did you mean "action"?`,
	} {
		_, problems := flagstage.ReadWorkflow([]byte(document))
		require.NotEmpty(t, problems, document)
		require.Contains(t, problems.Err().Error(), want, document)
	}
}

func TestWorkflowsAreRead(t *testing.T) {
	yes := true
	clauses, err := flags.ParseValue(`["staff","beta-testers"]`)
	require.NoError(t, err)
	config, err := flags.ParseValue(`{"ticket":4.50,"Area":["shop"]}`)
	require.NoError(t, err)
	const old, new = "b7d34c1c-5a0e-4c0d-9f5e-1f6a3d3f0a02", "5f1b2a9e-0c57-4f3c-8a40-6f0f5b1c7d01"
	for file, want := range map[string]flagstage.WorkflowInput{
		"testdata/canary.workflow.json": {
			Name: "Canary for the new checkout", Description: "A twentieth, then a week later everybody", MaintainerID: "dora",
			Stages: []flagstage.Stage{
				{
					Name: "Canary", ExecuteConditionsInSequence: true,
					Conditions: []flagstage.Condition{
						flagstage.ScheduleAt(at("2026-03-02T09:00:00Z").UTC()),
						flagstage.Approval{
							Description: "Is somebody on call?", NotifyMemberIDs: []string{"bob"}, NotifyTeamKeys: []string{"checkout"}, IntegrationConfig: config,
						},
					},
					Action: flagstage.Patch(flags.TurnFlagOn(), flags.UpdateFallthroughVariationOrRollout(flags.ServeRollout(flags.Rollout{
						Weights: []flags.Weight{{VariationID: new, Weight: 5000}, {VariationID: old, Weight: 95000}},
					}))),
				},
				{
					Name:       "Everybody",
					Conditions: []flagstage.Condition{flagstage.ScheduleAfter(1, calendar.Week)},
					Action:     flagstage.Patch(flags.UpdateFallthroughVariationOrRollout(flags.ServeVariation(new))),
				},
			},
		},
		"testdata/from-template.workflow.json": {
			Name: "New checkout by the house rules", TemplateKey: "house-rules",
			Parameters: []flagstage.Override{
				{ID: "019cadc6-9a80-7000-8000-014f3f78e66a", Path: "/clauses/0/values", Value: clauses},
				{ID: "019cadc6-9a80-7000-8000-014f3f78e66b", Path: "/variationId", BooleanVariationValue: &yes},
			},
		},
	} {
		document, err := os.ReadFile(file)
		require.NoError(t, err)
		input, problems := flagstage.ReadWorkflow(document)
		require.Empty(t, problems)
		require.Equal(t, want, input)
		input.Target = origin
		require.Empty(t, input.Validate())
	}
}

func TestWhatWorkflowsMayLeaveOutOrSayForNothing(t *testing.T) {
	want := flagstage.WorkflowInput{Name: "n", TemplateKey: "t"}
	for _, document := range []string{
		`{"name":"n","templateKey":"t"}`,
		" \r\n\t{ \"templateKey\" : \"\\u0074\" ,\n\"name\" : \"n\" } ",
		`{"name":"n","templateKey":"t","description":null,"maintainerId":null,"kind":null,"stages":null,"parameters":null}`,
		`{"name":"n","templateKey":"t","description":"","maintainerId":"","kind":"custom"}`,
		`{"name":"n","templateKey":"t","_id":5,"_version":"x","_conflicts":{},"_creationDate":[],"_maintainerId":1,"_links":null,"_execution":[],"meta":"m"}`,
	} {
		input, problems := flagstage.ReadWorkflow([]byte(document))
		require.Empty(t, problems, document)
		require.Equal(t, want, input, document)
	}
	input, problems := flagstage.ReadWorkflow([]byte(overrides(`{"_id":"i","path":"/p","default":{"booleanVariationValue":true,"value":"v"},"valid":false}`)))
	require.Empty(t, problems)
	require.Equal(t, []flagstage.Override{{ID: "i", Path: "/p", Value: flags.StringValue("v")}}, input.Parameters, "the value of a parameter that was printed overrules the other")
	input, problems = flagstage.ReadWorkflow([]byte(`{"name":"n","templateKey":"t","parameters":[]}`))
	require.Empty(t, problems)
	require.Empty(t, input.Parameters)
	input, problems = flagstage.ReadWorkflow([]byte(`{"name":"n","templateKey":"t","stages":[{}],"parameters":[]}`))
	require.Empty(t, problems, "both may be given: the stages run")
	require.Len(t, input.Stages, 1)
	require.Equal(t, "t", input.TemplateKey)
	_, problems = flagstage.ReadWorkflow([]byte(`{"name":"n","stages":[{"conditions":[{"kind":"schedule","executeNow":true,"executionDate":5}]}]}`))
	require.Equal(t, []string{firstCondition + "/executionDate exclusive?"}, found(problems))
}

func TestTheCallMayNameTheTemplate(t *testing.T) {
	for _, c := range []struct {
		name, document, key string
		want                []string
	}{
		{"only the call", `{"name":"n"}`, "t", []string{}},
		{"both the same", `{"name":"n","templateKey":"t"}`, "t", []string{}},
		{"only the document", `{"name":"n","templateKey":"t"}`, "", []string{}},
		{"neither", `{"name":"n"}`, "", []string{"/stages required"}},
		{"two", `{"name":"n","templateKey":"t"}`, "u", []string{"/templateKey exclusive"}},
		{"a bad one", `{"name":"n"}`, "a/b", []string{"/templateKey malformed"}},
		{"two in what is no document", `{"name":"n","templateKey":"t"`, "u", []string{" syntax"}},
		{"one and no document", `[]`, "t", []string{" wrong_type"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			input, problems := flagstage.ReadWorkflow([]byte(c.document), flagstage.WithTemplateKey(c.key))
			require.Equal(t, c.want, found(problems))
			if len(problems) == 0 {
				require.Equal(t, flagstage.WorkflowInput{Name: "n", TemplateKey: "t"}, input)
			}
		})
	}
}

func TestWorkflowsMayHaveHostKinds(t *testing.T) {
	document := []byte(`{"name":"n","stages":[{"action":{"instructions":[{"kind":"acmePage","who":["ops"]}]}}]}`)
	_, problems := flagstage.ReadWorkflow(document)
	require.Equal(t, []string{"/stages/0/action/instructions/0/kind unknown_kind"}, found(problems))
	input, problems := flagstage.ReadWorkflow(document, flagstage.WithHostKinds("acmePage"))
	require.Empty(t, problems)
	input.Target = origin
	require.Empty(t, input.Validate())
}

func TestLimitsOfWorkflowsPassAndOneMoreFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		limit   int
		pointer string
		make    func(n int) string
	}{
		{"stages", 500, "/stages", func(n int) string {
			return `{"name":"n","stages":[` + strings.TrimSuffix(strings.Repeat(`{},`, n), ",") + `]}`
		}},
		{"parameters", 1000, "/parameters", func(n int) string {
			return overrides(strings.Join(repeated(n, func(i int) []string {
				return []string{fmt.Sprintf(`{"_id":"%d","path":"/variationId","default":{"value":"v"}}`, i)}
			}), ","))
		}},
		{"names in a path", 64, firstOverride + "/path", func(n int) string { return overridden(`"` + strings.Repeat("/a", n) + `"`) }},
		{"depth", 64, firstValue + strings.Repeat("/0", 60), func(n int) string {
			return overrides(`{"_id":"i","path":"/p","default":{"value":` + strings.Repeat("[", n-4) + strings.Repeat("]", n-4) + `}}`)
		}},
		{"document", 1 << 20, "", func(n int) string {
			document := `{"name":"n","templateKey":"t"}`
			return document + strings.Repeat(" ", n-len(document))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			input, problems := flagstage.ReadWorkflow([]byte(c.make(c.limit)))
			require.Empty(t, found(problems))
			input.Target = origin
			require.Empty(t, found(input.Validate()))
			_, problems = flagstage.ReadWorkflow([]byte(c.make(c.limit + 1)))
			require.Equal(t, []string{c.pointer + " too_large"}, found(problems))
		})
	}
}

func TestValidateJudgesGoValuesTheSameWay(t *testing.T) {
	deep := "[]"
	for range 60 {
		deep = "[" + deep + "]"
	}
	tooDeep, err := flags.ParseValue(deep)
	require.NoError(t, err)
	null, err := flags.ParseValue("null")
	require.NoError(t, err)
	override := func(change func(*flagstage.Override)) func(*flagstage.WorkflowInput) {
		return func(in *flagstage.WorkflowInput) {
			o := flagstage.Override{ID: "i", Path: "/p", Value: flags.IntValue(1)}
			change(&o)
			in.Stages, in.TemplateKey, in.Parameters = nil, "t", []flagstage.Override{o}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*flagstage.WorkflowInput)
		want   []string
	}{
		{"nothing", func(*flagstage.WorkflowInput) {}, []string{}},
		{"everything missing", func(in *flagstage.WorkflowInput) { *in = flagstage.WorkflowInput{} }, []string{
			"/projectKey required", "/environmentKey required", "/flagKey required", "/name required", "/stages required",
		}},
		{"an id", func(in *flagstage.WorkflowInput) { in.ID = "release-7" }, []string{}},
		{"a bad id", func(in *flagstage.WorkflowInput) { in.ID = "a/b" }, []string{"/_id malformed"}},
		{"a long id", func(in *flagstage.WorkflowInput) { in.ID = strings.Repeat("w", 257) }, []string{"/_id too_large"}},
		{"a bad target", func(in *flagstage.WorkflowInput) { in.Target.FlagKey = "é" }, []string{"/flagKey malformed"}},
		{"no environment", func(in *flagstage.WorkflowInput) { in.Target.EnvironmentKey = "" }, []string{"/environmentKey required"}},
		{"no name", func(in *flagstage.WorkflowInput) { in.Name = "" }, []string{"/name required"}},
		{"name not UTF-8", func(in *flagstage.WorkflowInput) { in.Name = "\xff" }, []string{"/name malformed"}},
		{"description with NUL", func(in *flagstage.WorkflowInput) { in.Description = "\x00" }, []string{"/description malformed"}},
		{"maintainer not UTF-8", func(in *flagstage.WorkflowInput) { in.MaintainerID = "\xff" }, []string{"/maintainerId malformed"}},
		{"a bad template key", func(in *flagstage.WorkflowInput) { in.TemplateKey = "a b" }, []string{"/templateKey malformed"}},
		{"no stage", func(in *flagstage.WorkflowInput) { in.Stages = []flagstage.Stage{} }, []string{"/stages required"}},
		{"501 stages", func(in *flagstage.WorkflowInput) { in.Stages = make([]flagstage.Stage, 501) }, []string{"/stages too_large"}},
		{"neither stages nor template", func(in *flagstage.WorkflowInput) { in.Stages = nil }, []string{"/stages required"}},
		{"a nil condition", func(in *flagstage.WorkflowInput) {
			in.Stages[0].Conditions = []flagstage.Condition{nil}
		}, []string{firstCondition + "/kind required"}},
		{"a zero instruction", func(in *flagstage.WorkflowInput) {
			in.Stages[0].Action = flagstage.Patch(flags.Instruction{})
		}, []string{"/stages/0/action/instructions/0/kind required"}},
		{"a parameter beside stages", func(in *flagstage.WorkflowInput) {
			in.Parameters = []flagstage.Override{{ID: "i", Path: "/p", Value: flags.IntValue(1)}}
		}, []string{"/parameters exclusive"}},
		{"a parameter", override(func(*flagstage.Override) {}), []string{}},
		{"a parameter by the boolean value", override(func(o *flagstage.Override) {
			o.Value, o.BooleanVariationValue = flagstage.Value{}, new(bool)
		}), []string{}},
		{"a parameter by both", override(func(o *flagstage.Override) { o.BooleanVariationValue = new(bool) }), []string{
			firstOverride + "/default/booleanVariationValue exclusive",
		}},
		{"an empty parameter", override(func(o *flagstage.Override) { *o = flagstage.Override{} }), []string{
			firstOverride + "/_id required", firstOverride + "/path required", firstValue + " required",
		}},
		{"id of a parameter not UTF-8", override(func(o *flagstage.Override) { o.ID = "\xff" }), []string{firstOverride + "/_id malformed"}},
		{"path not UTF-8", override(func(o *flagstage.Override) { o.Path = "/\xff" }), []string{firstOverride + "/path malformed"}},
		{"path without slash", override(func(o *flagstage.Override) { o.Path = "p" }), []string{firstOverride + "/path malformed"}},
		{"a null value", override(func(o *flagstage.Override) { o.Value = null }), []string{firstValue + " wrong_type"}},
		{"a deep value", override(func(o *flagstage.Override) { o.Value = tooDeep }), []string{firstValue + " too_large"}},
		{"a long value", override(func(o *flagstage.Override) {
			o.Value = flags.StringValue(strings.Repeat("v", 64<<10+1))
		}), []string{firstValue + " malformed"}},
		{"1,001 parameters", func(in *flagstage.WorkflowInput) {
			in.Stages, in.TemplateKey, in.Parameters = nil, "t", make([]flagstage.Override, 1001)
		}, []string{"/parameters too_large"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := flagstage.WorkflowInput{Name: "n", Target: origin, Stages: []flagstage.Stage{{}}}
			c.change(&in)
			require.Equal(t, c.want, found(in.Validate()))
		})
	}
}

func TestWhatStartsAWorkflowIsJudgedToo(t *testing.T) {
	stages := []flagstage.Stage{stage(flagstage.ScheduleAfter(1, calendar.Day)), stage(flagstage.ScheduleAfter(2, calendar.Day))}
	for _, c := range []struct {
		name   string
		change func(*flagstage.WorkflowInput, *flagstage.Creation)
		want   []string
	}{
		{"nothing", func(*flagstage.WorkflowInput, *flagstage.Creation) {}, []string{}},
		{"a wait past the year 9999", func(_ *flagstage.WorkflowInput, c *flagstage.Creation) { c.Now = at("9999-12-30T00:00:00Z") }, []string{
			"/stages/1/conditions/0/waitDuration out_of_range",
		}},
		{"no clock", func(_ *flagstage.WorkflowInput, c *flagstage.Creation) { c.Now = time.Time{} }, []string{"/_creationDate required"}},
		{"no identifiers", func(_ *flagstage.WorkflowInput, c *flagstage.Creation) { c.IDs = nil }, []string{"/_id required"}},
		{"no identifiers are needed", func(in *flagstage.WorkflowInput, c *flagstage.Creation) {
			in.ID, in.Stages, in.TemplateKey, c.IDs = "release-7", nil, "t", nil
		}, []string{}},
		{"no target", func(in *flagstage.WorkflowInput, _ *flagstage.Creation) { in.Target = flagstage.Origin{} }, []string{
			"/projectKey required", "/environmentKey required", "/flagKey required",
		}},
		{"a stage too many", func(in *flagstage.WorkflowInput, _ *flagstage.Creation) { in.Stages = append(in.Stages, stage()) }, []string{"/stages too_large"}},
		{"a host's kind", func(in *flagstage.WorkflowInput, _ *flagstage.Creation) {
			in.Stages = []flagstage.Stage{{Action: flagstage.Patch(flags.HostInstruction("acmePage", flags.Value{}))}}
		}, []string{"/stages/0/action/instructions/0/kind unknown_kind"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, made := flagstage.WorkflowInput{Name: "n", Target: origin, Stages: stages}, creation()
			c.change(&in, &made)
			require.Equal(t, c.want, found(flagstage.JudgeWorkflow(in, made, 2)))
		})
	}
	require.Empty(t, flagstage.JudgePlanned(flagstage.WorkflowInput{Target: origin}, creation()), "a plan has its stages and its name")
	require.Equal(t, []string{"/_id malformed", "/projectKey required", "/environmentKey required", "/flagKey required", "/maintainerId malformed"},
		found(flagstage.JudgePlanned(flagstage.WorkflowInput{ID: ".", MaintainerID: "\xff"}, creation())))
}

func TestStagesOfAWorkflowBecomeATemplateOfItsTarget(t *testing.T) {
	document, err := os.ReadFile("testdata/canary.workflow.json")
	require.NoError(t, err)
	input, problems := flagstage.ReadWorkflow(document)
	require.Empty(t, problems)
	input.Target = origin
	template, problems := flagstage.TemplateOf(input, creation())
	require.Empty(t, problems)
	require.NotEmpty(t, template.ID())
	require.Empty(t, template.Key())
	require.False(t, template.IsZero())
	require.False(t, template.Plan().IsZero())
	require.Equal(t, origin, template.Plan().Target())
	require.Equal(t, input.Name, template.Plan().Name())
	ids := map[string]bool{template.ID(): true}
	for _, s := range template.Stages() {
		ids[s.ID] = true
		for _, c := range s.Conditions {
			ids[c.ConditionID()] = true
		}
		for _, in := range s.Action.Instructions {
			ids[in.ID()] = true
		}
	}
	require.Len(t, ids, 9, "each has its own")
	require.NotContains(t, ids, "")
	require.Empty(t, input.Stages[0].ID, "the request stays as it was")

	input.ID, input.TemplateKey = "release-7", "canary"
	again, problems := flagstage.TemplateOf(input, creation())
	require.Empty(t, problems)
	require.Equal(t, "release-7", again.ID())
	require.Equal(t, "canary", again.Plan().TemplateKey())
	require.Equal(t, template.Stages(), again.Stages())

	c := creation()
	c.IDs = badIDs("x")
	_, problems = flagstage.TemplateOf(input, c)
	require.Contains(t, found(problems), "/stages/1/_id duplicate")
	input.Stages = nil
	for range 20 {
		input.Stages = append(input.Stages, flagstage.Stage{Name: strings.Repeat("n", 60<<10)})
	}
	_, problems = flagstage.TemplateOf(input, creation())
	require.Equal(t, []string{" too_large"}, found(problems))
}

func TestCostOfWorkflowsGrowsLinearlyWithTheDocument(t *testing.T) {
	for name, parameter := range map[string]string{
		"valid":           `{"_id":"%d","path":"/variationId","default":{"value":"v"}}`,
		"the same":        `{"_id":"i","path":"/variationId","default":{"value":"v"},"valid":%d}`,
		"unknown members": `{"x":%d}`,
		"wrong types":     `{"_id":%d,"path":1,"default":[]}`,
		"bad values":      `{"_id":"%d","path":"p","default":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			cost := func(n int) float64 {
				document := []byte(overrides(strings.Join(repeated(n, func(i int) []string { return []string{fmt.Sprintf(parameter, i)} }), ",")))
				return testing.AllocsPerRun(3, func() {
					input, _ := flagstage.ReadWorkflow(document)
					input.Validate()
				})
			}
			require.LessOrEqual(t, cost(1000), 15*cost(100))
		})
	}
}

func FuzzReadWorkflow(f *testing.F) {
	for _, c := range badWorkflows {
		if len(c.document) < 1<<12 {
			f.Add([]byte(c.document))
		}
	}
	for _, file := range []string{"testdata/canary.workflow.json", "testdata/from-template.workflow.json", "testdata/canary.declined.json"} {
		document, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		input, problems := flagstage.ReadWorkflow(document)
		if problems.Err() != nil {
			require.Equal(t, flagstage.WorkflowInput{}, input)
			return
		}
		require.True(t, json.Valid(document), "encoding/json refuses what was accepted")
		input.Target = origin
		require.Empty(t, found(input.Validate()), "Go values are judged by the same rules")
		if input.Stages == nil {
			return
		}
		template, problems := flagstage.TemplateOf(input, creation())
		if onlyTooMuch(problems) {
			return
		}
		require.Empty(t, found(problems))
		w, events, err := flagstage.StartWorkflow(template.Plan(), flagstage.Start{At: start, Actor: alice})
		require.NoError(t, err)
		requireShape(t, "CustomWorkflowOutput", stored(w, events, input, template.ID()).AppendJSON(nil))
	})
}
