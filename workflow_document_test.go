package flagstage_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/flags"
)

// published says which members the published schemas have and of what type
// these are: a JSON type, another schema, or a list of either. Those with a
// star are required.
var published = map[string]map[string]string{
	"CustomWorkflowOutput": {
		"_id": "string*", "_version": "integer*", "_conflicts": "[]ConflictOutput*", "_creationDate": "integer*", "_maintainerId": "string*",
		"_links": "Links*", "name": "string*", "_execution": "ExecutionOutput*",
		"description": "string", "kind": "string", "stages": "[]StageOutput", "meta": "WorkflowTemplateMetadata", "templateKey": "string",
	},
	"CustomWorkflowsListingOutput": {"items": "[]CustomWorkflowOutput*", "totalCount": "integer*", "_links": "Links*"},
	"StageOutput": {
		"_id": "string*", "conditions": "[]ConditionOutput*", "action": "ActionOutput*", "_execution": "ExecutionOutput*", "name": "string",
	},
	"ConditionOutput": {
		"_id": "string*", "_execution": "ExecutionOutput*", "description": "string*", "notifyMemberIds": "[]string*",
		"allReviews": "[]ReviewOutput*", "reviewStatus": "string*",
		"kind": "string", "scheduleKind": "string", "executionDate": "integer", "waitDuration": "integer", "waitDurationUnit": "string",
		"appliedDate": "integer", "creationConfig": "object",
	},
	"ActionOutput":    {"kind": "string*", "instructions": "[]object*"},
	"ExecutionOutput": {"status": "string*", "stopDate": "integer"},
	"ReviewOutput": {
		"_id": "string*", "kind": "string*", "creationDate": "integer", "comment": "string", "memberId": "string", "serviceTokenId": "string",
	},
	"ConflictOutput":            {"stageId": "string*", "message": "string*"},
	"WorkflowTemplateMetadata":  {"parameters": "[]WorkflowTemplateParameter"},
	"WorkflowTemplateParameter": {"_id": "string", "path": "string", "default": "ParameterDefault", "valid": "boolean"},
	"ParameterDefault":          {"value": "any", "booleanVariationValue": "boolean", "ruleClause": "RuleClause"},
	"RuleClause":                {"attribute": "string", "op": "string", "negate": "boolean"},
	"Links":                     {"self": "Link"}, // any names are allowed
	"Link":                      {"href": "string", "type": "string"},
}

// additions are the members that stages and conditions have besides.
var additions = map[string]map[string]string{
	"StageOutput":     {"executeConditionsInSequence": "boolean"},
	"ConditionOutput": {"executeNow": "boolean", "notifyTeamKeys": "[]string"},
}

// words are the values of members that have few.
var words = map[string][]string{
	"CustomWorkflowOutput/kind":        {"custom"},
	"ConditionOutput/kind":             {"schedule", "ld-approval"},
	"ConditionOutput/reviewStatus":     {"", "pending", "approved", "declined"},
	"ConditionOutput/scheduleKind":     {"absolute", "relative"},
	"ConditionOutput/waitDurationUnit": {"minute", "hour", "calendarDay", "calendarWeek"},
	"ActionOutput/kind":                {"patch"},
	"ExecutionOutput/status":           {"pending", "active", "paused", "completed", "failed", "skipped", "cancelled"},
	"ReviewOutput/kind":                {"approve", "decline", "comment"},
	"Link/type":                        {"application/json"},
}

// requireShape checks a document against a published schema.
func requireShape(t require.TestingT, schema string, document []byte) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	require.NoError(t, decoder.Decode(&value), string(document))
	if defect := shapeDefect(schema, "", value); defect != "" {
		require.Fail(t, defect, string(document))
	}
}

// shapeDefect says what is wrong with a value of a published type that stands
// at a pointer, "" if nothing is.
func shapeDefect(kind, pointer string, value any) string {
	fits := false
	switch kind {
	case "any":
		fits = true
	case "string":
		_, fits = value.(string)
	case "boolean":
		_, fits = value.(bool)
	case "object":
		_, fits = value.(map[string]any)
	case "integer":
		number, isNumber := value.(json.Number)
		_, err := number.Int64()
		fits = isNumber && err == nil
	default:
		if of, isList := strings.CutPrefix(kind, "[]"); isList {
			return listDefect(of, pointer, value)
		}
		return objectDefect(kind, pointer, value)
	}
	if !fits {
		return fmt.Sprintf("%s: %v is no %s", pointer, value, kind)
	}
	return ""
}

func listDefect(of, pointer string, value any) string {
	list, fits := value.([]any)
	if !fits {
		return fmt.Sprintf("%s: %v is no list", pointer, value)
	}
	for i, element := range list {
		if defect := shapeDefect(of, fmt.Sprintf("%s/%d", pointer, i), element); defect != "" {
			return defect
		}
	}
	return ""
}

func objectDefect(schema, pointer string, value any) string {
	object, fits := value.(map[string]any)
	if !fits || published[schema] == nil {
		return fmt.Sprintf("%s: %v is no %s", pointer, value, schema)
	}
	for name, kind := range published[schema] {
		if _, given := object[name]; !given && strings.HasSuffix(kind, "*") {
			return pointer + "/" + name + ": is missing"
		}
	}
	for name, value := range object {
		at := pointer + "/" + name
		kind := strings.TrimSuffix(published[schema][name]+additions[schema][name], "*")
		if kind == "" {
			return at + ": is unknown"
		}
		if defect := shapeDefect(kind, at, value); defect != "" {
			return defect
		}
		if known := words[schema+"/"+name]; known != nil && !slices.Contains(known, value.(string)) {
			return fmt.Sprintf("%s: is %v, not one of %v", at, value, known)
		}
	}
	return ""
}

func TestShapesTellWhatIsWrong(t *testing.T) {
	const right = `{"_id":"c","_execution":{"status":"completed","stopDate":5},"description":"","notifyMemberIds":[],"allReviews":[{"_id":"r","kind":"approve"}],"reviewStatus":"approved"}`
	requireShape(t, "ConditionOutput", []byte(right))
	for old, new := range map[string]string{
		`"_id":"c",`:             ``,
		`"stopDate":5`:           `"stopDate":5.5`,
		`"status":"completed",`:  ``,
		`"completed"`:            `"done"`,
		`"notifyMemberIds":[]`:   `"notifyMemberIds":null`,
		`"description":"",`:      `"description":"","extra":1,`,
		`[{"_id":"r"`:            `[{"_id":null`,
		`"reviewStatus":"appro`:  `"reviewStatus":"disappro`,
		`"allReviews":[{"_id":"`: `"allReviews":[5,{"_id":"`,
	} {
		require.Contains(t, right, old)
		var value any
		decoder := json.NewDecoder(strings.NewReader(strings.Replace(right, old, new, 1)))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(&value))
		require.NotEmpty(t, shapeDefect("ConditionOutput", "", value), new)
	}
}

// stored returns a workflow as an engine keeps it.
func stored(w flagstage.Workflow, events []flagstage.Event, input flagstage.WorkflowInput, id string) flagstage.StoredWorkflow {
	return flagstage.Stored(flagstage.StoredWorkflow{
		Workflow: w, ID: id, Name: input.Name, Description: input.Description, TemplateKey: input.TemplateKey,
		MaintainerID: "dora", Target: w.Plan().Target(), CreatedAt: start, Revision: 7,
	}, events)
}

// printed is what of a printed workflow tests look at.
type printed struct {
	Execution printedExecution `json:"_execution"`
	Stages    []struct {
		Execution  printedExecution `json:"_execution"`
		Conditions []printedCondition
	}
}

type printedExecution struct {
	Status   string
	StopDate int64
}

type printedCondition struct {
	Execution    printedExecution `json:"_execution"`
	ReviewStatus string
	AppliedDate  int64
	AllReviews   []struct{ Kind string }
}

// print prints the workflow, checks its shape, and reads it again.
func (r *run) print() (p printed) {
	document := stored(r.Workflow, r.events, flagstage.WorkflowInput{Name: "n"}, "w").AppendJSON(nil)
	requireShape(r.t, "CustomWorkflowOutput", document)
	require.NoError(r.t, json.Unmarshal(document, &p))
	return p
}

// tell returns an execution in words: the status, and after how many hours it
// stopped.
func (e printedExecution) tell() string {
	if e.StopDate == 0 {
		return e.Status
	}
	return fmt.Sprintf("%s %v", e.Status, time.UnixMilli(e.StopDate).Sub(start).Hours())
}

// tell returns what the workflow prints, in words: of itself, each stage and
// each condition; of approvals also the reviewStatus and the kinds of reviews.
func (p printed) tell() (list []string) {
	list = append(list, p.Execution.tell())
	for i, s := range p.Stages {
		list = append(list, fmt.Sprintf("%d: %s", i, s.Execution.tell()))
		for k, c := range s.Conditions {
			text := fmt.Sprintf("%d.%d: %s", i, k, c.Execution.tell())
			if c.ReviewStatus != "" {
				text += ", " + c.ReviewStatus
			}
			for _, review := range c.AllReviews {
				text += ", " + review.Kind
			}
			if c.AppliedDate != 0 {
				text += fmt.Sprintf(", applied %v", time.UnixMilli(c.AppliedDate).Sub(start).Hours())
			}
			list = append(list, text)
		}
	}
	return list
}

func TestPrintedWorkflowsSayHowFarTheyHaveCome(t *testing.T) {
	approval := flagstage.Approval{}
	for _, c := range []struct {
		name   string
		stages []flagstage.Stage
		start  flagstage.Start
		run    func(r *run)
		want   []string
	}{
		{"at the beginning", []flagstage.Stage{stage(hours(2), approval), stage(hours(3))}, flagstage.Start{}, func(*run) {}, []string{
			"active", "0: active", "0.0: active", "0.1: active, pending", "1: pending", "1.0: pending",
		}},
		{"a condition of a sequence", []flagstage.Stage{inSequence(stage(hours(2), approval))}, flagstage.Start{}, func(r *run) {
			r.advance(2)
		}, []string{"active", "0: active", "0.0: completed 2", "0.1: active, pending"}},
		{"at the end", []flagstage.Stage{stage(), stage(hours(2)), stage(hours(3))}, flagstage.Start{}, func(r *run) {
			r.advance(2).advance(5.5)
		}, []string{"completed 5", "0: completed 0", "1: completed 2", "1.0: completed 2", "2: completed 5", "2.0: completed 5"}},
		{"approved", []flagstage.Stage{stage(hours(9), approval)}, flagstage.Start{Approvals: flagstage.ApprovalSettings{MinNumApprovals: 2}}, func(r *run) {
			require.NoError(t, r.review(1, flagstage.ReviewComment, alice, 0, 1))
			r.approve(2, 0, 1)
			require.NoError(t, r.review(3, flagstage.ReviewApprove, carol, 0, 1))
		}, []string{"active", "0: active", "0.0: active", "0.1: completed 3, approved, comment, approve, approve, applied 3"}},
		{"half approved", []flagstage.Stage{stage(approval)}, flagstage.Start{Approvals: flagstage.ApprovalSettings{MinNumApprovals: 2}}, func(r *run) {
			r.approve(2, 0, 0)
		}, []string{"active", "0: active", "0.0: active, pending, approve"}},
		{"declined", []flagstage.Stage{stage(hours(9), approval), stage(hours(1))}, flagstage.Start{}, func(r *run) {
			r.decline(2, 0, 1)
		}, []string{"failed 2", "0: failed 2", "0.0: cancelled 2", "0.1: failed 2, declined, decline", "1: pending", "1.0: pending"}},
		{"declined, which does not matter", []flagstage.Stage{stage(approval)}, flagstage.Start{Approvals: flagstage.ApprovalSettings{CanApplyDeclinedChanges: true}}, func(r *run) {
			r.decline(2, 0, 0)
		}, []string{"active", "0: active", "0.0: active, pending, decline"}},
		{"a sequence that failed", []flagstage.Stage{inSequence(stage(approval, hours(1)))}, flagstage.Start{}, func(r *run) {
			r.decline(2, 0, 0)
		}, []string{"failed 2", "0: failed 2", "0.0: failed 2, declined, decline", "0.1: pending"}},
		{"expired", []flagstage.Stage{stage(approval, hours(1))}, flagstage.Start{Approvals: flagstage.ApprovalSettings{ExpiresAfter: 4 * time.Hour}}, func(r *run) {
			r.advance(1).advance(9)
		}, []string{"failed 4", "0: failed 4", "0.0: failed 4, pending", "0.1: completed 1"}},
		{"retried", []flagstage.Stage{stage(hours(1), approval, hours(9))}, flagstage.Start{}, func(r *run) {
			r.advance(1)
			r.decline(2, 0, 1)
			r.retry(3)
		}, []string{"active", "0: active", "0.0: completed 1", "0.1: active, pending, decline", "0.2: active"}},
		{"retried and approved", []flagstage.Stage{stage(approval)}, flagstage.Start{}, func(r *run) {
			r.decline(2, 0, 0)
			r.retry(3)
			r.approve(4, 0, 0)
		}, []string{"completed 4", "0: completed 4", "0.0: completed 4, approved, decline, approve, applied 4"}},
		{"retried and expired", []flagstage.Stage{stage(approval)}, flagstage.Start{Approvals: flagstage.ApprovalSettings{ExpiresAfter: 4 * time.Hour}}, func(r *run) {
			r.decline(2, 0, 0)
			r.retry(3)
			r.advance(8)
		}, []string{"failed 7", "0: failed 7", "0.0: failed 7, pending, decline"}},
		{"retried and cancelled", []flagstage.Stage{stage(approval)}, flagstage.Start{}, func(r *run) {
			r.decline(2, 0, 0)
			r.retry(3)
			r.cancel(4)
		}, []string{"cancelled 4", "0: cancelled 4", "0.0: cancelled 4, pending, decline"}},
		{"paused", []flagstage.Stage{stage(hours(2))}, flagstage.Start{}, func(r *run) {
			r.pause(1)
		}, []string{"paused", "0: active", "0.0: active"}},
		{"met in a pause", []flagstage.Stage{stage(approval)}, flagstage.Start{}, func(r *run) {
			r.pause(1)
			r.approve(2, 0, 0)
			r.resume(5)
		}, []string{"completed 5", "0: completed 5", "0.0: completed 2, approved, approve, applied 2"}},
		{"skipped", []flagstage.Stage{stage(hours(1), approval, hours(9)), stage(hours(3))}, flagstage.Start{}, func(r *run) {
			r.advance(1)
			require.NoError(r.t, r.take(r.Skip(0, because, true, after(2))))
		}, []string{"active", "0: skipped 2", "0.0: completed 1", "0.1: skipped 2, pending", "0.2: skipped 2", "1: active", "1.0: active"}},
		{"several skipped", []flagstage.Stage{stage(hours(9)), stage(), stage(hours(9)), stage(hours(9)), stage(hours(9))}, flagstage.Start{}, func(r *run) {
			r.skip(1, 0)
			r.skip(2, 2)
			r.skip(3, 3)
		}, []string{
			"active", "0: skipped 1", "0.0: skipped 1", "1: completed 1", "2: skipped 2", "2.0: skipped 2", "3: skipped 3", "3.0: skipped 3",
			"4: active", "4.0: active",
		}},
		{"cancelled", []flagstage.Stage{stage(hours(1)), inSequence(stage(hours(1), approval, hours(9))), stage(approval)}, flagstage.Start{}, func(r *run) {
			r.advance(1).advance(2)
			r.cancel(3)
		}, []string{
			"cancelled 3", "0: completed 1", "0.0: completed 1", "1: cancelled 3", "1.0: completed 2", "1.1: cancelled 3, pending", "1.2: cancelled 3",
			"2: cancelled 3", "2.0: cancelled 3, pending",
		}},
		{"an action that waits", []flagstage.Stage{stage(hours(1)), stage(hours(1))}, flagstage.Start{Deliver: true}, func(r *run) {
			r.advance(2)
		}, []string{"active", "0: active", "0.0: completed 1", "1: pending", "1.0: pending"}},
		{"an action that failed", []flagstage.Stage{stage(hours(1)), stage(hours(1))}, flagstage.Start{Deliver: true}, func(r *run) {
			r.advance(1)
			r.failed(1.5, 0)
		}, []string{"failed 1.5", "0: failed 1.5", "0.0: completed 1", "1: pending", "1.0: pending"}},
		{"an action that is retried", []flagstage.Stage{stage(hours(1))}, flagstage.Start{Deliver: true}, func(r *run) {
			r.advance(1)
			r.failed(1.5, 0)
			r.retry(3)
		}, []string{"active", "0: active", "0.0: completed 1"}},
		{"an action that took effect after all", []flagstage.Stage{stage(hours(1)), stage()}, flagstage.Start{Deliver: true}, func(r *run) {
			r.advance(1)
			r.cancel(2)
			r.applied(3)
		}, []string{"cancelled 2", "0: completed 1", "0.0: completed 1", "1: cancelled 2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, planOf(t, c.stages...), c.start)
			c.run(r)
			require.Equal(t, c.want, r.print().tell())
		})
	}
}

func TestReviewsArePrintedAsTheyCame(t *testing.T) {
	r := begin(t, planOf(t, stage(flagstage.Approval{})), flagstage.Start{Approvals: flagstage.ApprovalSettings{MinNumApprovals: 2}})
	review := flagstage.Review{Kind: flagstage.ReviewComment, Actor: alice, Comment: "<why> now?"}
	require.NoError(r.t, r.take(r.Review(review, after(1))))
	review = flagstage.Review{Kind: flagstage.ReviewApprove, Actor: carol}
	require.NoError(r.t, r.take(r.Review(review, after(2))))
	review = flagstage.Review{Kind: flagstage.ReviewApprove, Actor: flagstage.Actor{MemberID: "bob", ServiceTokenID: "of-bob"}}
	require.NoError(r.t, r.take(r.Review(review, after(3))))
	document := string(stored(r.Workflow, r.events, flagstage.WorkflowInput{}, "release-7").AppendJSON(nil))
	require.Contains(t, document, `"allReviews":[`+
		`{"_id":"release-7-4","kind":"comment","creationDate":1772445600000,"comment":"\u003cwhy\u003e now?","memberId":"alice"},`+
		`{"_id":"release-7-5","kind":"approve","creationDate":1772449200000,"serviceTokenId":"carol"},`+
		`{"_id":"release-7-6","kind":"approve","creationDate":1772452800000,"memberId":"bob"}]`)
	require.Contains(t, document, `"_version":10,`)
	require.EqualValues(t, 10, r.Version())
}

// canary starts the workflow of the request in testdata, and returns a function
// that makes of it what an engine keeps.
func canary(t *testing.T, how flagstage.Start) (*run, func() flagstage.StoredWorkflow) {
	document, err := os.ReadFile("testdata/canary.workflow.json")
	require.NoError(t, err)
	input, problems := flagstage.ReadWorkflow(document)
	require.Empty(t, problems)
	input.Target = origin
	template, problems := flagstage.TemplateOf(input, creation())
	require.Empty(t, problems)
	how.At = start.Add(-21 * time.Hour)
	r := begin(t, template.Plan(), how)
	return r, func() flagstage.StoredWorkflow {
		return flagstage.Stored(flagstage.StoredWorkflow{
			Workflow: r.Workflow, ID: "release-7", Name: input.Name, Description: input.Description,
			MaintainerID: input.MaintainerID, Target: input.Target, CreatedAt: how.At,
		}, r.events)
	}
}

// indented returns a value as JSON that people can read.
func indented(t *testing.T, value any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(value))
	return b.String()
}

func TestPrintedWorkflowsHaveThePublishedShape(t *testing.T) {
	yes, value := true, flags.StringValue("5f1b2a9e-0c57-4f3c-8a40-6f0f5b1c7d01")
	parameters := []flagstage.Parameter{
		{ID: "i", Path: "/variationId", Default: flagstage.ParameterDefault{Value: value, BooleanVariationValue: &yes}, Valid: true},
		{ID: "k", Path: "/clauses/0/values", Default: flagstage.ParameterDefault{
			Value: flags.IntValue(7), RuleClause: &flagstage.RuleClause{Op: flags.OpSegmentMatch, Negate: true},
		}},
	}
	for _, c := range []struct {
		file string
		how  flagstage.Start
		run  func(r *run)
		with func(w *flagstage.StoredWorkflow)
	}{
		{"testdata/canary.started.json", flagstage.Start{}, func(*run) {}, func(w *flagstage.StoredWorkflow) {
			w.TemplateKey, w.Parameters = "house-rules", parameters
		}},
		{"testdata/canary.declined.json", flagstage.Start{}, func(r *run) {
			r.advance(0)
			require.NoError(r.t, r.take(r.Review(flagstage.Review{Condition: 1, Kind: flagstage.ReviewDecline, Actor: bob, Comment: "nobody is"}, after(1))))
		}, func(w *flagstage.StoredWorkflow) {
			w.Conflicts = []flagstage.WorkflowConflict{{StageID: w.Plan().Stages()[1].ID, Message: "somebody else has changed the rollout"}}
		}},
		{"testdata/canary.completed.json", flagstage.Start{Deliver: true}, func(r *run) {
			r.advance(0)
			require.NoError(r.t, r.take(r.Review(flagstage.Review{Condition: 1, Kind: flagstage.ReviewDecline, Actor: bob, Comment: "nobody is"}, after(1))))
			r.retry(2)
			require.NoError(r.t, r.take(r.Review(flagstage.Review{Condition: 1, Kind: flagstage.ReviewApprove, Actor: carol}, after(3))))
			r.applied(3.5)
			r.advance(7*24 + 3)
			r.applied(7*24 + 3)
		}, func(*flagstage.StoredWorkflow) {}},
		{"testdata/canary.cancelled.json", flagstage.Start{}, func(r *run) {
			r.advance(0)
			require.NoError(r.t, r.take(r.Skip(0, because, true, after(1))))
			r.cancel(2)
		}, func(*flagstage.StoredWorkflow) {}},
	} {
		t.Run(c.file, func(t *testing.T) {
			r, keep := canary(t, c.how)
			c.run(r)
			w := keep()
			c.with(&w)
			requireShape(t, "CustomWorkflowOutput", w.AppendJSON(nil))
			golden(t, c.file, indented(t, w))
		})
	}
}

func TestListsOfWorkflowsHaveThePublishedShape(t *testing.T) {
	r, keep := canary(t, flagstage.Start{})
	first := keep()
	r.advance(0)
	list := flagstage.ListOf(origin, 21, first, keep())
	document, err := json.Marshal(list)
	require.NoError(t, err)
	requireShape(t, "CustomWorkflowsListingOutput", document)
	require.Equal(t, `{"items":[`+string(list.Items[0].AppendJSON(nil))+","+string(list.Items[1].AppendJSON(nil))+`],"totalCount":21,`+
		`"_links":{"self":{"href":"/api/v2/projects/web-shop/flags/new-checkout/environments/production/workflows","type":"application/json"}}}`, string(document))
	document, err = json.Marshal(flagstage.WorkflowList{})
	require.NoError(t, err)
	require.Equal(t, `{"items":[],"totalCount":0,"_links":{}}`, string(document))
}

func TestEveryPrintedWorkflowHasThePublishedShape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyStart(t)
		s.Approvals.CanReviewOwnRequest = rapid.Bool().Draw(t, "own request")
		r := begin(t, anyPlan(t), s)
		input := flagstage.WorkflowInput{Name: "<name>", Description: rapid.SampledFrom([]string{"", "d"}).Draw(t, "description")}
		play(t, r, 16, verbs, func() {
			w := stored(r.Workflow, r.events, input, "w")
			document := w.AppendJSON(nil)
			requireShape(t, "CustomWorkflowOutput", document)
			requireProgress(t, r, document)
			require.Equal(t, "before"+string(document), string(w.AppendJSON([]byte("before"))))
			marshalled, err := json.Marshal(w)
			require.NoError(t, err)
			require.Equal(t, string(marshalled), string(document))
			again, err := flagstage.Replay(r.Plan(), s, w.Events())
			require.NoError(t, err)
			require.Equal(t, string(document), string(stored(again, w.Events(), input, "w").AppendJSON(nil)), "replayed")
		})
	})
}

// requireProgress checks what is printed of a workflow's progress against what
// the workflow says, and that nothing stops before it can or without a date.
func requireProgress(t require.TestingT, r *run, document []byte) {
	var p printed
	require.NoError(t, json.Unmarshal(document, &p))
	check := func(what string, status flagstage.Status, e printedExecution) {
		require.Equal(t, string(status), e.Status, what)
		stopped := !slices.Contains([]flagstage.Status{flagstage.StatusPending, flagstage.StatusActive, flagstage.StatusPaused}, status)
		require.Equal(t, stopped, e.StopDate != 0, "%s is %s and stopped at %d", what, status, e.StopDate)
		if stopped {
			require.GreaterOrEqual(t, e.StopDate, start.UnixMilli(), what)
			require.LessOrEqual(t, e.StopDate, r.events[len(r.events)-1].At.UnixMilli(), what)
		}
	}
	check("the workflow", r.Status(), p.Execution)
	reviews := 0
	for i, s := range p.Stages {
		what := fmt.Sprintf("stage %d", i)
		check(what, r.StageStatus(i), s.Execution)
		for k, c := range s.Conditions {
			check(fmt.Sprintf("%s, condition %d", what, k), r.ConditionStatus(i, k), c.Execution)
			require.Equal(t, c.ReviewStatus == "approved", c.AppliedDate != 0)
			require.Equal(t, c.AppliedDate, map[bool]int64{true: c.Execution.StopDate}[c.AppliedDate != 0])
			reviews += len(c.AllReviews)
			if c.ReviewStatus == "declined" {
				require.Equal(t, "failed", c.Execution.Status)
			}
			if s.Execution.Status == "completed" {
				require.LessOrEqual(t, c.Execution.StopDate, s.Execution.StopDate, "a stage is met after its conditions")
			}
		}
	}
	for _, e := range r.events {
		if e.Kind == flagstage.EventReviewed {
			reviews--
		}
	}
	require.Zero(t, reviews, "all reviews are shown")
}

// TestResponseSentAsRequestAsksForTheSame holds that what a program gets it can
// send again.
func TestResponseSentAsRequestAsksForTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		made := anyTemplate(t)
		input := flagstage.WorkflowInput{
			Name: "n" + made.Name, Description: made.Description, TemplateKey: made.Key, Target: made.Origin, Stages: made.Stages,
		}
		template, problems := flagstage.TemplateOf(input, creation())
		require.Empty(t, problems)
		r := begin(t, template.Plan(), anyStart(t))
		play(t, r, 6, verbs, nil)
		printed := stored(r.Workflow, r.events, input, template.ID()).AppendJSON(nil)
		// requests call the form variables of an approval by another name
		again, problems := flagstage.ReadWorkflow([]byte(strings.ReplaceAll(string(printed), `"creationConfig":`, `"integrationConfig":`)))
		require.Empty(t, problems)
		again.Target = input.Target
		twice, problems := flagstage.TemplateOf(again, creation())
		require.Empty(t, problems)
		require.True(t, template.Equal(twice))
	})
}

func TestEventsOfStoredWorkflowsBelongToTheCaller(t *testing.T) {
	_, keep := canary(t, flagstage.Start{})
	w := keep()
	before := string(w.AppendJSON(nil))
	w.Events()[0].Kind = "changed"
	require.Equal(t, before, string(w.AppendJSON(nil)))
	require.Equal(t, flagstage.EventWorkflowStarted, w.Events()[0].Kind)
}

func TestStoredWorkflowsOfAnySortArePrinted(t *testing.T) {
	_, keep := canary(t, flagstage.Start{})
	w := keep()
	other := begin(t, planOf(t, stage()), flagstage.Start{})
	approved := begin(t, planOf(t, stage(flagstage.Approval{})), flagstage.Start{})
	approved.approve(1, 0, 0)
	hostile := "\"</script>\x00\xff\u2028/../"
	for name, w := range map[string]flagstage.StoredWorkflow{
		"nothing":             {},
		"without events":      {Workflow: approved.Workflow, Name: "n"},
		"without a plan":      flagstage.Stored(flagstage.StoredWorkflow{}, w.Events()),
		"with another's plan": flagstage.Stored(flagstage.StoredWorkflow{Workflow: other.Workflow}, w.Events()),
		"with nonsense in events": flagstage.Stored(w, []flagstage.Event{
			{Kind: flagstage.EventReviewed, Stage: math.MaxInt, Condition: 0}, {Kind: flagstage.EventReviewed, Stage: 0, Condition: -7},
			{Kind: flagstage.EventStageFailed, Stage: -9, Condition: flagstage.NoIndex}, {Kind: "x", Stage: 0, Condition: 99},
		}),
		"hostile": {
			ID: hostile, Name: hostile, Description: hostile, TemplateKey: hostile, MaintainerID: hostile,
			Target:     flagstage.Origin{ProjectKey: hostile, EnvironmentKey: hostile, FlagKey: hostile},
			Conflicts:  []flagstage.WorkflowConflict{{StageID: hostile, Message: hostile}},
			Parameters: []flagstage.Parameter{{ID: hostile, Path: hostile, Default: flagstage.ParameterDefault{RuleClause: &flagstage.RuleClause{Attribute: hostile, Op: flags.Operator(hostile)}}}},
		},
	} {
		document := w.AppendJSON(nil)
		require.True(t, json.Valid(document), name)
		require.NotContains(t, string(document), `"appliedDate":`, "%s: nobody knows when", name)
		marshalled, err := json.Marshal(w)
		require.NoError(t, err, name)
		require.Equal(t, string(marshalled), string(document), name)
	}
}

func TestCostOfPrintingGrowsLinearly(t *testing.T) {
	cost := func(n int, again func(r *run)) float64 {
		stages := make([]flagstage.Stage, n)
		for i := range stages {
			stages[i] = stage(flagstage.Approval{}, hours(1))
		}
		r := begin(t, planOf(t, stages...), flagstage.Start{})
		for range n - 1 {
			again(r)
		}
		w := stored(r.Workflow, r.events, flagstage.WorkflowInput{}, "w")
		var bytes []byte
		allocations := testing.AllocsPerRun(3, func() { bytes = w.AppendJSON(nil) })
		return allocations + float64(len(bytes))/1000
	}
	for name, again := range map[string]func(r *run){
		"skipped": func(r *run) {
			require.NoError(t, r.take(r.Skip(r.Gates()[0].Stage, because, true, start)))
		},
		"commented": func(r *run) { require.NoError(t, r.review(0, flagstage.ReviewComment, bob, 0, 0)) },
		"retried": func(r *run) {
			r.decline(0, 0, 0)
			r.retry(0)
		},
	} {
		require.LessOrEqual(t, cost(400, again), 15*cost(40, again), name)
	}
}

func TestTemplatesAreMadeOfWorkflows(t *testing.T) {
	r, keep := canary(t, flagstage.Start{})
	r.advance(0)
	r.decline(1, 0, 1)
	w := keep()
	for _, c := range []struct {
		name   string
		origin flagstage.Origin
		want   []string
	}{
		{"no key", flagstage.Origin{}, []string{}},
		{"the same keys", origin, []string{}},
		{"one of the keys", flagstage.Origin{EnvironmentKey: origin.EnvironmentKey}, []string{}},
		{"another project", flagstage.Origin{ProjectKey: "other"}, []string{"/projectKey exclusive"}},
		{"another environment", flagstage.Origin{ProjectKey: origin.ProjectKey, EnvironmentKey: "test"}, []string{"/environmentKey exclusive"}},
		{"another flag", flagstage.Origin{FlagKey: "New-Checkout"}, []string{"/flagKey exclusive"}},
		{"all others", flagstage.Origin{ProjectKey: "a", EnvironmentKey: "b", FlagKey: "c"}, []string{
			"/projectKey exclusive", "/environmentKey exclusive", "/flagKey exclusive",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			request := flagstage.TemplateInput{Key: "k", Name: "n", Description: "d", WorkflowID: w.ID, Origin: c.origin}
			input, problems := flagstage.FromWorkflow(request, w)
			require.Equal(t, c.want, found(problems))
			if len(c.want) > 0 {
				require.Equal(t, flagstage.TemplateInput{}, input)
				require.ErrorContains(t, problems.Err(), "leave it out")
				return
			}
			require.Equal(t, flagstage.TemplateInput{Key: "k", Name: "n", Description: "d", Origin: origin, Stages: w.Plan().Stages()}, input)
			made := creation()
			made.IDs = flagstage.SeededIDs(2)
			template, problems := flagstage.NewTemplate(input, made)
			require.Empty(t, problems)
			require.NotEqual(t, w.Plan().Stages()[0].ID, template.Stages()[0].ID, "identifiers are new")
			require.NotContains(t, string(template.AppendJSON(nil)), "declined")
		})
	}
	_, problems := flagstage.FromWorkflow(flagstage.TemplateInput{Key: "k", WorkflowID: "w", Origin: origin}, flagstage.StoredWorkflow{})
	require.Equal(t, []string{"/workflowId not_found"}, found(problems))
	require.ErrorIs(t, problems.Err(), flagstage.ErrNotFound)
}
