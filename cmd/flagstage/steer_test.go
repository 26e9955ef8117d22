package main

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// on does something to a workflow of a store at an instant.
func on(t *testing.T, db, now string, arguments ...string) string {
	t.Helper()
	return done(t, append(arguments, "--db", db, "--now", now)...)
}

func TestReviews(t *testing.T) {
	db := released(t)
	review := func(now string, arguments ...string) []string {
		return append([]string{"review", "checkout"}, append(arguments, "--db", db, "--now", now)...)
	}
	require.Equal(t, "flagstage: review: the workflow is active, and no approval of it is open\n",
		refused(t, exitFailed, review("2026-10-22T08:59:59+02:00", "approve")...))
	own := refused(t, exitFailed, review("2026-10-22T09:00:00+02:00", "approve", "--member", "alice")...)
	require.Contains(t, own, `forbidden: "alice" started or maintains the workflow; somebody else must review`)
	require.NotContains(t, done(t, "timeline", "checkout", "--db", db), "Asks for approval", "what was refused has changed nothing")

	commented := done(t, review("2026-10-22T09:00:00+02:00", "comment", "--comment", "Looks fine so far", "--member", "bob")...)
	require.Contains(t, commented, "Standing  waits for approval of stage 2 since Thu 2026-10-22 09:00 +02:00\n")
	require.Contains(t, commented, "         - completed  waits 2 calendar days\n         - active     asks for approval: The error rate")
	approved := done(t, review("2026-10-22T10:00:00+02:00", "approve", "--member", "bob", "--at", "/stages/1/conditions/1")...)
	require.Contains(t, approved, "Stage 2  completed  Everyone\n")
	require.Contains(t, done(t, "flag", "show", "new-checkout", "--project", "web-shop", "--db", db), "Otherwise    New\n")
	text := done(t, "timeline", "checkout", "--db", db)
	require.Contains(t, text, "bob comments: Looks fine so far.\n")
	require.Contains(t, text, "bob approves.\n")

	require.Contains(t, refused(t, exitFailed, review("2026-10-22T11:00:00+02:00", "approve", "--at", "/stages/1/conditions/1")...), "invalid_request")
	require.Contains(t, refused(t, exitUsage, review("2026-10-22T11:00:00+02:00", "approve", "--at", "/stages/0")...),
		`there is no approval at "/stages/0"; there are: /stages/1/conditions/1`)

	started(t, db, "second")
	declined := on(t, db, "2026-10-22T09:00:00+02:00", "review", "second", "decline", "--member", "bob", "--format", "json")
	var document struct {
		Execution struct{ Status string } `json:"_execution"`
	}
	require.NoError(t, json.Unmarshal([]byte(declined), &document))
	require.Equal(t, "failed", document.Execution.Status)
	require.Contains(t, done(t, "status", "second", "--db", db), "Standing  failed in stage 2 on Thu 2026-10-22 09:00 +02:00: the approval is declined\n")
	require.Equal(t, "flagstage: review: the workflow is failed, and no approval of it is open\n",
		refused(t, exitFailed, "review", "second", "approve", "--db", db))
}

// TestAReviewIsForTheContentThatWasLookedAt if it says so.
func TestAReviewIsForTheContentThatWasLookedAt(t *testing.T) {
	db := released(t)
	require.NotContains(t, done(t, "status", "checkout", "--db", db), "content", "no approval is open yet")
	on(t, db, "2026-10-22T09:00:00+02:00", "tick")
	shown := done(t, "status", "checkout", "--db", db)
	found := regexp.MustCompile(`\n         - active     asks for approval: .*\n                      content ([0-9a-f]{64})\n`).FindStringSubmatch(shown)
	require.Len(t, found, 2, shown)
	require.Equal(t, 1, strings.Count(shown, "content"))
	review := []string{"review", "checkout", "approve", "--member", "bob", "--db", db, "--now", "2026-10-22T10:00:00+02:00"}
	require.Equal(t, "flagstage: review: optimistic_locking_error: the review is for other content than that of stage /stages/1, which has the hash "+found[1]+"; look at it again\n",
		refused(t, exitFailed, append(review, "--content", strings.Repeat("0", 64))...))
	require.Contains(t, refused(t, exitUsage, append(review, "--content", "")...), "--content is empty; give it a value, or leave it out")
	require.Equal(t, shown, done(t, "status", "checkout", "--db", db), "what was refused has changed nothing")
	paused := on(t, db, "2026-10-22T09:30:00+02:00", "pause", "checkout")
	require.Contains(t, paused, found[1], "a paused workflow takes reviews too")
	approved := done(t, append(review, "--content", found[1])...)
	require.NotContains(t, approved, "content")
	require.Contains(t, done(t, "timeline", "checkout", "--db", db), "bob approves.\n")
}

func TestReviewOfSeveralApprovals(t *testing.T) {
	db := stocked(t)
	file := written(t, "two.json", `{"name":"Two","stages":[{"conditions":[{"kind":"ld-approval"},{"kind":"ld-approval"}]}]}`)
	done(t, "start", "--file", file, "--project", "web-shop", "--environment", "production", "--flag", "new-checkout", "--db", db, "--id", "w")
	require.Contains(t, refused(t, exitUsage, "review", "w", "approve", "--db", db, "--member", "bob"),
		"several approvals are open; name one with --at: /stages/0/conditions/0, /stages/0/conditions/1")
	done(t, "review", "w", "approve", "--db", db, "--member", "bob", "--at", "/stages/0/conditions/1")
	require.Contains(t, done(t, "review", "w", "approve", "--db", db, "--member", "bob"), "Status    completed\n", "one is left")
}

func TestWhatIsDueIsDoneFirst(t *testing.T) {
	for _, command := range []string{"review w approve", "review w approve --at /stages/1/conditions/0", "skip w --reason x --bypass-approval"} {
		db := stocked(t)
		file := written(t, "late.json", `{"name":"Late","stages":[
			{"conditions":[{"kind":"schedule","waitDuration":1,"waitDurationUnit":"hour"}],"action":{"instructions":[{"kind":"turnFlagOff"}]}},
			{"conditions":[{"kind":"ld-approval"}]}]}`)
		done(t, "start", "--file", file, "--project", "web-shop", "--environment", "production", "--flag", "new-checkout", "--db", db, "--id", "w", "--now", "2026-10-20T09:00:00Z")
		ended := on(t, db, "2026-10-20T12:00:00Z", append(strings.Fields(command), "--member", "bob")...)
		require.Contains(t, ended, "Status    completed\n", command)
		require.Contains(t, ended, "Stage 1  completed\n", command)
		require.Contains(t, done(t, "flag", "show", "new-checkout", "--project", "web-shop", "--db", db), "Targeting    off\n")
	}
}

func TestPauseAndResume(t *testing.T) {
	db := released(t)
	paused := on(t, db, "2026-10-21T09:00:00+02:00", "pause", "checkout", "--reason", "to look at it", "--member", "bob")
	require.Contains(t, paused, "Status    paused\nStanding  paused by bob since Wed 2026-10-21 09:00 +02:00\n")
	require.Contains(t, refused(t, exitFailed, "pause", "checkout", "--db", db), "flagstage: pause: invalid_request: ")
	require.Equal(t, "Nothing was due. Nothing more is due by itself.\n", on(t, db, "2026-10-23T09:00:00+02:00", "tick"))
	resumed := on(t, db, "2026-10-23T09:00:00+02:00", "resume", "checkout")
	require.Contains(t, resumed, "until Sat 2026-10-24 09:00 +02:00\n", "the wait moves on by the time that it was paused")
	require.Contains(t, refused(t, exitFailed, "resume", "checkout", "--db", db), "flagstage: resume: invalid_request: ")
	require.Contains(t, done(t, "timeline", "checkout", "--db", db), "Paused by bob: to look at it.\n")
}

func TestSkip(t *testing.T) {
	db := released(t)
	skip := []string{"skip", "checkout", "--reason", "tested elsewhere", "--db", db, "--now", "2026-10-22T09:00:00+02:00"}
	why := refused(t, exitFailed, skip...)
	require.Contains(t, why, "flagstage: skip: forbidden: ")
	require.Contains(t, refused(t, exitFailed, append(skip, "--stage", "3")...), "flagstage: skip: invalid_request: ")
	require.Contains(t, done(t, append(skip, "--bypass-approval", "--stage", "2")...), "Stage 2  skipped    Everyone\nStage 3  active     Tidy up\n")
	require.Contains(t, done(t, "flag", "show", "new-checkout", "--project", "web-shop", "--db", db), "25 % New", "its changes are not made")
	ended := done(t, append(skip, "--now", "2026-10-23T09:00:00+02:00")...)
	require.Contains(t, ended, "Status    completed\n")
	require.Contains(t, ended, "; stages 2 and 3 were skipped\n")
	require.Equal(t, "flagstage: skip: the workflow is completed, and has no active stage\n", refused(t, exitFailed, skip...))
	require.Contains(t, done(t, "timeline", "checkout", "--db", db), "local skips the stage without its approval: tested")
}

func TestConflictAndRetry(t *testing.T) {
	db := released(t)
	done(t, "flag", "patch", "new-checkout", serve(t, oldVariation), "--project", "web-shop", "--db", db, "--member", "mallory", "--ignore-conflicts")
	failed := on(t, db, "2026-10-22T10:00:00+02:00", "review", "checkout", "approve", "--member", "bob")
	require.Contains(t, failed, "Standing  failed in stage 2 on Thu 2026-10-22 10:00 +02:00: somebody else has changed what the change is about\n"+
		"Because   instruction 0 would change /environments/production/fallthrough from ")
	require.Contains(t, failed, "but mallory has changed it")
	retry := []string{"retry", "checkout", "--reason", "we want New", "--db", db, "--now", "2026-10-22T11:00:00+02:00"}
	again := done(t, retry...)
	require.Contains(t, again, "failed in stage 2 on Thu 2026-10-22 11:00 +02:00", "the flag is still changed")
	retried := done(t, append(retry, "--ignore-conflicts")...)
	require.Contains(t, retried, "Stage 2  completed  Everyone\n")
	require.NotContains(t, retried, "Because")
	require.Contains(t, refused(t, exitFailed, retry...), "flagstage: retry: invalid_request: ")
}

func TestCancel(t *testing.T) {
	db := released(t)
	cancelled := on(t, db, "2026-10-22T09:00:00+02:00", "cancel", "checkout", "--reason", "enough", "--member", "bob")
	require.Contains(t, cancelled, "Status    cancelled\nStanding  cancelled by bob on Thu 2026-10-22 09:00 +02:00\n")
	require.Contains(t, cancelled, "- cancelled  waits 2 calendar days\n", "it comes before what is due then")
	require.Contains(t, refused(t, exitFailed, "cancel", "checkout", "--reason", "enough", "--db", db), "the workflow is cancelled already")
	require.Contains(t, done(t, "flag", "show", "new-checkout", "--project", "web-shop", "--db", db), "25 % New", "what was done stays done")
}

func TestWrongUsageOfSteering(t *testing.T) {
	db := filepath.Join(t.TempDir(), "none")
	for _, name := range []string{"pause", "resume", "skip", "retry", "cancel"} {
		reasoned := []string{name, "w", "--reason", "why", "--db", db}
		wrong := [][]string{
			{name, "--db", db, "--reason", "why"}, {name, "w", "x", "--db", db, "--reason", "why"}, {name, "w", "--reason", "why"},
			append(reasoned, "--member", ""), append(reasoned, "--now", "soon"), append(reasoned, "--format", "xml"), append(reasoned, "--stge", "1"),
		}
		if name != "pause" && name != "resume" {
			wrong = append(wrong, []string{name, "w", "--db", db}, []string{name, "w", "--db", db, "--reason", " "})
		}
		for _, arguments := range wrong {
			require.Contains(t, refused(t, exitUsage, arguments...), "see flagstage "+name+" --help", arguments)
		}
		require.Contains(t, refused(t, exitFailed, reasoned...), "no such file")
		require.NoFileExists(t, db)
	}
	for _, number := range []string{"0", "-3", "two"} {
		require.Contains(t, refused(t, exitUsage, "skip", "w", "--reason", "why", "--db", db, "--stage", number), "a stage has a number from 1 on")
	}
	for _, arguments := range []string{"review", "review w", "review w agree", "review w approve extra", "review w approve --format xml"} {
		require.Contains(t, refused(t, exitUsage, append(strings.Fields(arguments), "--db", db)...), "see flagstage review --help", arguments)
	}
	require.Contains(t, refused(t, exitFailed, "review", "w", "approve", "--db", db), "no such file")
	require.NoFileExists(t, db)
	stock := stocked(t)
	for _, arguments := range []string{"pause none", "resume none", "skip none --reason x", "retry none --reason x", "cancel none --reason x", "review none approve"} {
		require.Contains(t, refused(t, exitFailed, append(strings.Fields(arguments), "--db", stock)...), `not_found: there is no workflow with the id "none"`)
	}
}
