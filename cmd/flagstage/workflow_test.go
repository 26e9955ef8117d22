package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
)

// started starts the release of testdata under an id, at nine in Berlin.
func started(t *testing.T, db, id string, more ...string) string {
	return done(t, append([]string{
		"start", "careful-rollout", "--flag", "new-checkout", "--db", db, "--id", id, "--member", "alice",
		"--zone", "Europe/Berlin", "--now", "2026-10-20T09:00:00+02:00",
	}, more...)...)
}

// released makes a store in which the workflow "checkout" has begun.
func released(t *testing.T) string {
	db := stocked(t)
	done(t, "create", careful, "--db", db)
	started(t, db, "checkout")
	return db
}

func TestStartTellsHowFarItComesAtOnce(t *testing.T) {
	db := stocked(t)
	done(t, "create", careful, "--db", db)
	text := started(t, db, "checkout")
	require.Equal(t, `Workflow  checkout
Name      The new checkout, carefully
Flag      new-checkout, environment production, project web-shop
Started   2026-10-20T09:00:00+02:00 by alice
Status    active
Standing  waits for the schedule of stage 2 since Tue 2026-10-20 09:00 +02:00, until Thu 2026-10-22 09:00 +02:00

Stage 1  completed  A quarter of the customers
Stage 2  active     Everyone
         - active   waits 2 calendar days
         - pending  asks for approval: The error rate is no higher than before
Stage 3  pending    Tidy up
         - pending  waits 1 calendar week
`, text)
	require.Equal(t, text, done(t, "status", "checkout", "--db", db))
	require.Contains(t, done(t, "flag", "show", "new-checkout", "--project", "web-shop", "--db", db), "Otherwise    25 % New and 75 % Old\n")

	require.Equal(t, text, started(t, db, "checkout"), "starting it twice starts it once")
	require.Contains(t, done(t, "workflows", "--db", db), "\ncheckout ")
	other := refused(t, exitFailed, "start", "careful-rollout", "--flag", "new-checkout", "--db", db, "--id", "checkout", "--name", "another")
	require.Contains(t, other, "already exists, started by another request; choose another id")

	document := started(t, db, "second", "--format", "json", "--name", "Again", "--description", "why", "--maintainer", "bob")
	var printed struct {
		ID          string `json:"_id"`
		Maintainer  string `json:"_maintainerId"`
		Name        string
		Description string
		Execution   struct{ Status string } `json:"_execution"`
	}
	require.NoError(t, json.Unmarshal([]byte(document), &printed))
	require.Equal(t, "second", printed.ID)
	require.Equal(t, "bob", printed.Maintainer)
	require.Equal(t, "Again", printed.Name)
	require.Equal(t, "why", printed.Description)
	require.Equal(t, "active", printed.Execution.Status)

	made := done(t, "start", "careful-rollout", "--flag", "new-checkout", "--db", db)
	require.Regexp(t, `^Workflow  [0-9a-f]{8}-[0-9a-f]{4}-7`, made, "without --id one is made")
	require.Contains(t, made, "Started   2026-03-02T09:00:00Z by local\n", "without --now it is now, in UTC")
}

func TestStartOfAPublishedRequest(t *testing.T) {
	db := stocked(t)
	stages := `"stages":[{"name":"On","action":{"instructions":[{"kind":"turnFlagOn"}]}},{"conditions":[{"kind":"ld-approval"}]}]`
	file := written(t, "request.json", `{"name":"By hand","description":"d",`+stages+`}`)
	start := []string{"start", "--file", file, "--flag", "new-checkout", "--db", db, "--id", "w"}
	require.Contains(t, refused(t, exitUsage, start...), "--project and --environment are needed where no template says them")
	where := []string{"--project", "web-shop", "--environment", "production"}
	require.Contains(t, done(t, append(start, where...)...), "Name      By hand\n")
	require.Contains(t, done(t, "status", "w", "--db", db), "Standing  waits for approval of stage 2 since Mon 2026-03-02 09:00 +00:00\n")

	bad := written(t, "bad.json", `{"name":"x","stages":[{"condition":[]}]}`)
	require.Regexp(t, `^`+bad+`:/stages/0/condition: .+did you mean "conditions"`, refused(t, exitFailed, append([]string{"start", "--file", bad, "--flag", "new-checkout", "--db", db}, where...)...))
	named := written(t, "named.json", `{"name":"x","templateKey":"a",`+stages+`}`)
	require.Contains(t, refused(t, exitFailed, append([]string{"start", "b", "--file", named, "--flag", "new-checkout", "--db", db}, where...)...), named+":/templateKey: ")

	unfit := written(t, "unfit.json", `{"name":"x","stages":[{"action":{"instructions":[{"kind":"updateOffVariation","variationId":"blue"}]}}]}`)
	require.Equal(t, unfit+`:/stages/0/action/instructions/0/variationId: flag "new-checkout" has no variation "blue" [not_found]`+"\n",
		refused(t, exitFailed, append([]string{"start", "--file", unfit, "--flag", "new-checkout", "--db", db}, where...)...))

	done(t, "create", careful, "--db", db)
	template := written(t, "template.json", `{"name":"By template","templateKey":"careful-rollout"}`)
	require.Contains(t, done(t, "start", "--file", template, "--flag", "new-checkout", "--db", db), "Name      By template\n")
}

// putOtherFlag puts a flag into the store whose variations have other
// identifiers.
func putOtherFlag(t *testing.T, db, kind, first, second string) {
	doneWith(t, `{"key":"banner","kind":"`+kind+`","variations":[{"_id":"v1","value":`+first+`},{"_id":"v2","value":`+second+`}],
		"environments":{"production":{"on":true,"fallthrough":{"variation":1},"offVariation":1}}}`, "flag", "put", "-", "--project", "web-shop", "--db", db)
}

func TestStartForAnotherFlag(t *testing.T) {
	db := stocked(t)
	done(t, "create", careful, "--db", db)
	putOtherFlag(t, db, "boolean", "true", "false")
	done(t, "start", "careful-rollout", "--flag", "banner", "--db", db, "--id", "fits")
	require.Contains(t, done(t, "flag", "show", "banner", "--project", "web-shop", "--db", db), "25 % true and 75 % false", "variations are found by what they serve")

	db = stocked(t)
	done(t, "create", careful, "--db", db)
	putOtherFlag(t, db, "multivariate", `"blue"`, `"red"`)
	start := []string{"start", "careful-rollout", "--flag", "banner", "--db", db, "--id", "w"}
	for _, dry := range [][]string{nil, {"--dry-run"}} {
		why := strings.Split(refused(t, exitFailed, append(start, dry...)...), "\n")
		require.Len(t, why, 3)
		require.Regexp(t, `^flagstage: start: \{.+\} does not fit: .+; give another with --param \S+/rolloutWeights=VALUE$`, why[0])
		require.Regexp(t, `^flagstage: start: "`+newVariation+`" does not fit: .+; give another with --param \S+/variationId=VALUE$`, why[1])
	}
	r := run("", append(start, "--dry-run", "--format", "json")...)
	require.Equal(t, exitFailed, r.status)
	var dry struct {
		Parameters []struct {
			ID    string `json:"_id"`
			Path  string
			Valid bool
		}
		Timeline *struct{}
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &dry))
	require.Nil(t, dry.Timeline)
	require.Len(t, dry.Parameters, 2)
	for i, value := range []string{`{"v1":25000,"v2":75000}`, `v1`} {
		require.False(t, dry.Parameters[i].Valid)
		start = append(start, "--param", dry.Parameters[i].ID+dry.Parameters[i].Path+"="+value)
	}
	require.Contains(t, done(t, start...), "Status    active\n")
	require.Contains(t, done(t, "flag", "show", "banner", "--project", "web-shop", "--db", db), `25 % "blue" and 75 % "red"`)
	require.Contains(t, refused(t, exitFailed, "start", "careful-rollout", "--flag", "banner", "--db", db, "--param", "foo/variationId=v1"),
		`careful-rollout:/parameters/0/_id: "foo" is no instruction of the template`)
}

func TestDryRun(t *testing.T) {
	db := stocked(t)
	done(t, "create", careful, "--db", db)
	dry := []string{
		"start", "careful-rollout", "--flag", "new-checkout", "--db", db, "--dry-run", "--zone", "Europe/Berlin", "--now", "2026-10-20T09:00:00+02:00",
	}
	text := done(t, dry...)
	require.True(t, strings.HasPrefix(text, `Dry run for flag web-shop/production/new-checkout; nothing is started.
Values that depend on the flag: 2, all of them fit.

The new checkout, carefully (careful-rollout)
3 stages; times are those of Europe/Berlin.
Assumed: every approval is granted as soon as it is asked for.
`), text)
	require.True(t, strings.HasSuffix(text, "\nAt the end: complete on Thu 2026-10-29 09:00 +01:00, 9 days 1 hour after its\n  start.\n"), text)
	require.Contains(t, done(t, append(dry, "--approve-after", "4h")...), "At the end: complete on Thu 2026-10-29 13:00 +01:00")
	require.Contains(t, done(t, append(dry, "--approve-after", "never")...), "At the end: waits for approval of stage 2 since Thu 2026-10-22 09:00 +02:00.")
	require.Contains(t, done(t, append(dry, "--approvals", "2")...), "reviewer-2 approves.")
	require.Contains(t, done(t, append(dry, "--approve-after", "never", "--expires-after", "24h")...), "At the end: failed in stage 2 on Fri 2026-10-23 09:00 +02:00: the approval\n  expires")

	require.NotContains(t, done(t, "workflows", "--db", db), "careful", "nothing is stored")
	require.Contains(t, done(t, "flag", "show", "new-checkout", "--project", "web-shop", "--db", db), "5 % New and 95 % Old")

	var document struct {
		Parameters []struct{ Valid bool }
		Conflicts  []struct{ StageID, Message string }
		Timeline   struct {
			Assumptions []string
			End         struct{ Status string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(done(t, append(dry, "--format", "json")...)), &document))
	require.Len(t, document.Parameters, 2)
	require.True(t, document.Parameters[0].Valid)
	require.NotNil(t, document.Conflicts)
	require.Empty(t, document.Conflicts)
	require.Equal(t, "completed", document.Timeline.End.Status)

	started(t, db, "checkout")
	require.Contains(t, done(t, dry...), "\nConflict: stage 2 writes /environments/production/fallthrough, which workflow:checkout is still to write too.\n")
	require.NoError(t, json.Unmarshal([]byte(done(t, append(dry, "--format", "json")...)), &document))
	require.Len(t, document.Conflicts, 2)
	require.NotEmpty(t, document.Conflicts[0].StageID)

	without := written(t, "without.json", `{"name":"x","stages":[{"action":{"instructions":[{"kind":"turnFlagOff"}]}}]}`)
	text = done(t, "start", "--file", without, "--project", "web-shop", "--environment", "production", "--flag", "new-checkout", "--db", db, "--dry-run")
	require.NotContains(t, text, "Values that depend")
	require.NotContains(t, text, "Assumed")
}

// TestADryRunTellsWhatHappens compares a dry run with the workflow that comes of
// the same command.
func TestADryRunTellsWhatHappens(t *testing.T) {
	db := stocked(t)
	done(t, "create", careful, "--db", db)
	start := []string{"start", "careful-rollout", "--flag", "new-checkout", "--db", db, "--id", "w", "--member", "alice", "--now", "2026-10-20T09:00:00Z"}
	_, dry, ok := strings.Cut(done(t, append(start, "--dry-run")...), "granted as soon as it is asked for.\n")
	require.True(t, ok)
	done(t, start...)
	done(t, "review", "w", "approve", "--db", db, "--member", "reviewer-1", "--now", "2026-10-22T09:00:00Z")
	done(t, "tick", "--db", db, "--now", "2026-10-29T09:00:00Z")
	_, happened, ok := strings.Cut(done(t, "timeline", "w", "--db", db), "times are those of UTC.\n")
	require.True(t, ok)
	require.Equal(t, dry, happened)
}

func TestWorkflowsAreListed(t *testing.T) {
	db := released(t)
	started(t, db, "second", "--name", "Second", "--now", "2026-10-21T09:00:00+02:00")
	started(t, db, "third", "--name", "Third", "--now", "2026-10-21T10:00:00+02:00")
	done(t, "pause", "second", "--db", db, "--now", "2026-10-21T11:00:00Z")
	done(t, "cancel", "third", "--reason", "no need", "--db", db, "--now", "2026-10-21T11:00:00Z")
	done(t, "tick", "--db", db, "--now", "2026-10-22T09:00:00Z")
	require.Equal(t, `ID        NAME                         FLAG                              STATUS     STAGE   WAITS FOR  STARTED
checkout  The new checkout, carefully  web-shop/production/new-checkout  active     2 of 3  approval   2026-10-20T09:00:00+02:00
second    Second                       web-shop/production/new-checkout  paused     2 of 3  resume     2026-10-21T09:00:00+02:00
third     Third                        web-shop/production/new-checkout  cancelled  2 of 3  -          2026-10-21T10:00:00+02:00
`, done(t, "workflows", "--db", db))

	ids := func(arguments ...string) (list []string) {
		text := done(t, append([]string{"workflows", "--db", db}, arguments...)...)
		for _, line := range strings.Split(strings.TrimSpace(text), "\n")[1:] {
			list = append(list, strings.Fields(line)[0])
		}
		return list
	}
	require.Equal(t, []string{"checkout", "second"}, ids("--status", "active"), "which includes paused")
	require.Equal(t, []string{"second"}, ids("--status", "paused"))
	require.Equal(t, []string{"third", "second", "checkout"}, ids("--sort", "-creationDate"))
	require.Equal(t, []string{"third", "checkout", "second"}, ids("--sort", "-stopDate"))
	target := []string{"--project", "web-shop", "--environment", "production", "--flag", "new-checkout"}
	require.Len(t, ids(target...), 3)
	require.Empty(t, ids(append(target[:4:4], "--flag", "other")...))

	text := done(t, "workflows", "--db", db, "--limit", "1", "--offset", "1")
	require.Contains(t, text, "\nsecond ")
	require.True(t, strings.HasSuffix(text, "\n\n1 of 3, from number 2 on; see --limit and --offset.\n"), text)

	var listing struct {
		Items      []struct{ Name string }
		TotalCount int
	}
	require.NoError(t, json.Unmarshal([]byte(done(t, "workflows", "--db", db, "--format", "json", "--limit", "2")), &listing))
	require.Len(t, listing.Items, 2)
	require.Equal(t, 3, listing.TotalCount)

	store, err := flagstage.OpenStore(db, flagstage.DurabilityNever)
	require.NoError(t, err)
	_, err = store.Commit(t.Context(), flagstage.Txn{Put: []flagstage.Record{{Key: "workflow/broken", Value: []byte("\x63")}}})
	require.NoError(t, err)
	require.NoError(t, store.Close())
	for _, format := range []string{"text", "json"} {
		r := run("", "workflows", "--db", db, "--format", format)
		require.Equal(t, exitFailed, r.status)
		require.Contains(t, r.stdout, "Third")
		require.Regexp(t, `^flagstage: workflows: .*broken.*\n$`, r.stderr)
	}
	require.Equal(t, exitFailed, run("", "status", "broken", "--db", db).status)
}

func TestTimeline(t *testing.T) {
	db := released(t)
	done(t, "pause", "checkout", "--reason", "to look at it", "--db", db, "--member", "bob", "--now", "2026-10-21T09:00:00+02:00")
	text := done(t, "timeline", "checkout", "--db", db)
	require.Contains(t, text, "Wed 2026-10-21 09:00 +02:00  Paused by bob: to look at it.\n")
	require.Contains(t, text, "At the end: paused by bob since Wed 2026-10-21 09:00 +02:00.")
	var document struct {
		Zone   string
		Events []struct{ Kind, MemberID, Comment string }
		End    struct{ Status string }
	}
	require.NoError(t, json.Unmarshal([]byte(done(t, "timeline", "checkout", "--db", db, "--format", "json")), &document))
	require.Equal(t, "Europe/Berlin", document.Zone)
	require.Equal(t, "paused", document.End.Status)
	last := document.Events[len(document.Events)-1]
	require.Equal(t, "workflowPaused", last.Kind)
	require.Equal(t, "bob", last.MemberID)
	require.Equal(t, "to look at it", last.Comment)
}

func TestWorkflowsAreReadBesideAProgramThatUsesTheStore(t *testing.T) {
	db := released(t)
	held, err := flagstage.OpenStore(db, flagstage.DurabilityAlways)
	require.NoError(t, err)
	defer held.Close()
	for _, command := range []string{"workflows", "status checkout", "timeline checkout", "start careful-rollout --flag new-checkout --dry-run"} {
		done(t, append(strings.Fields(command), "--db", db)...)
	}
	for _, command := range []string{"start careful-rollout --flag new-checkout", "pause checkout", "tick", "workflow delete checkout", "purge --before 2026-01-01T00:00:00Z"} {
		require.Contains(t, refused(t, exitFailed, append(strings.Fields(command), "--db", db)...), "in use by process", command)
	}
}

func TestWorkflowsAreDeletedAndPurged(t *testing.T) {
	db := released(t)
	started(t, db, "second")
	require.Equal(t, "deleted second\n", done(t, "workflow", "delete", "second", "--db", db))
	for _, command := range []string{"workflow delete second", "status second", "timeline second"} {
		require.Contains(t, refused(t, exitFailed, append(strings.Fields(command), "--db", db)...), `not_found: there is no workflow with the id "second"`)
	}
	done(t, "cancel", "checkout", "--reason", "enough", "--db", db, "--now", "2026-10-21T09:00:00Z")
	purge := func(before string) string {
		return done(t, "purge", "--before", before, "--db", db, "--now", "2027-01-01T00:00:00Z")
	}
	require.Equal(t, "deleted workflows: 0, plans: 0, changes of flags: 2\n", purge("2026-10-21T09:00:00Z"))
	require.Equal(t, "deleted workflows: 1, plans: 1, changes of flags: 0\n", purge("2026-10-21T09:00:01Z"))
	require.NotContains(t, done(t, "workflows", "--db", db), "checkout")
}

func TestAPurgeTellsOfWorkflowsThatCannotBeRead(t *testing.T) {
	db := released(t)
	done(t, "cancel", "checkout", "--reason", "enough", "--db", db, "--now", "2026-10-21T09:00:00Z")
	stuck(t, db)
	r := run("", "purge", "--before", "2026-12-01T00:00:00Z", "--db", db, "--now", "2027-01-01T00:00:00Z")
	require.Equal(t, exitFailed, r.status)
	require.Equal(t, "deleted workflows: 1, plans: 0, changes of flags: 0\n", r.stdout, "what they may need is kept")
	lines := strings.Split(r.stderr, "\n")
	require.Len(t, lines, 3, "each in a line")
	require.Contains(t, lines[0], `purge: the stored workflow "broken-1" cannot be read: `)
	require.Contains(t, lines[1], `purge: the stored workflow "broken-2" cannot be read: `)
	done(t, "workflow", "delete", "broken-1", "--db", db)
	done(t, "workflow", "delete", "broken-2", "--db", db)
	require.Equal(t, "deleted workflows: 0, plans: 1, changes of flags: 2\n", done(t, "purge", "--before", "2026-12-01T00:00:00Z", "--db", db, "--now", "2027-01-01T00:00:00Z"))
}

func TestATemplateOfAWorkflowNeedsOneInTheStore(t *testing.T) {
	db := released(t)
	r := run(`{"key":"copied","workflowId":"checkout"}`, "create", "-", "--db", db)
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Contains(t, done(t, "show", "copied", "--db", db), "flag new-checkout, environment production, project web-shop")

	r = run(`{"key":"copied","workflowId":"none"}`, "create", "-", "--db", released(t))
	require.Equal(t, exitFailed, r.status)
	require.Empty(t, r.stdout)
	require.Contains(t, r.stderr, "not_found")
	r = run(`{"key":"copied","workflowId":"none"}`, "create", "-", "--db", filepath.Join(t.TempDir(), "none"))
	require.Contains(t, r.stderr, "no such file", "a store that is made has no workflow")
}

func TestHostileTextOfWorkflowsSteersNoTerminal(t *testing.T) {
	db := stocked(t)
	done(t, "create", careful, "--db", db)
	const hostile = "\x1b[2J\u202e\u009b31m"
	for _, text := range []string{
		started(t, db, "w", "--name", "a"+hostile),
		done(t, "pause", "w", "--reason", "b"+hostile, "--db", db, "--now", "2026-10-20T10:00:00+02:00"),
		done(t, "status", "w", "--db", db), done(t, "status", "w", "--db", db, "--format", "json"),
		done(t, "timeline", "w", "--db", db), done(t, "timeline", "w", "--db", db, "--format", "json"),
		done(t, "workflows", "--db", db), done(t, "workflows", "--db", db, "--format", "json"),
		refused(t, exitFailed, "status", hostile, "--db", db), refused(t, exitFailed, "pause", hostile, "--db", db),
		refused(t, exitFailed, "start", hostile, "--flag", "new-checkout", "--db", db),
	} {
		for _, bad := range []string{"\x1b", "\u202e", "\u009b"} {
			require.NotContains(t, text, bad)
		}
	}
}

func TestWrongUsageOfWorkflows(t *testing.T) {
	db := filepath.Join(t.TempDir(), "none")
	start := []string{"start", "k", "--flag", "f", "--db", db}
	for _, arguments := range [][]string{
		{"start"}, {"start", "k"}, {"start", "k", "--flag", "f"}, {"start", "k", "--db", db}, {"start", "--flag", "f", "--db", db}, {"start", "k", "l", "--flag", "f", "--db", db},
		append(start, "--flag", "a b"), append(start, "--id", "a b"), append(start, "--project", "a b"), append(start, "--environment", "a b"),
		append(start, "--approvals", "0"), append(start, "--approvals", "6"), append(start, "--expires-after", "-1h"), append(start, "--lateness", "-1h"),
		append(start, "--zone", "Europe/Atlantis"), append(start, "--zone", "Local"), append(start, "--param", "x"), append(start, "--param", "/path=1"),
		append(start, "--member", ""), append(start, "--now", "soon"), append(start, "--format", "xml"),
		append(start, "--approve-after", "4h"), append(start, "--dry-run", "--approve-after", "-4h"), append(start, "--dry-run", "--approve-after", "soon"),
		{"workflows"}, {"workflows", "x", "--db", db}, {"workflows", "--db", db, "--status", "pending"}, {"workflows", "--db", db, "--sort", "name"},
		{"workflows", "--db", db, "--limit", "0"}, {"workflows", "--db", db, "--offset", "-1"}, {"workflows", "--db", db, "--flag", "f"},
		{"workflows", "--db", db, "--project", "a b", "--environment", "e", "--flag", "f"}, {"workflows", "--db", db, "--format", "xml"},
		{"status"}, {"status", "w"}, {"status", "w", "x", "--db", db}, {"status", "w", "--db", db, "--format", "xml"}, {"timeline"}, {"timeline", "w"},
		{"workflow"}, {"workflow", "delete"}, {"workflow", "delete", "w"}, {"workflow", "delete", "w", "--db", db, "--member", ""}, {"workflow", "show", "w"},
		{"purge", "--db", db}, {"purge", "--before", "soon", "--db", db}, {"purge", "--before", "2026-01-01T00:00:00Z"}, {"purge", "x", "--db", db},
		{"purge", "--before", "2026-01-01T00:00:00Z", "--db", db, "--member", ""},
	} {
		require.Contains(t, refused(t, exitUsage, arguments...), "--help", arguments)
	}
	for _, arguments := range [][]string{
		start, append(start, "--dry-run"), {"workflows", "--db", db}, {"status", "w", "--db", db}, {"timeline", "w", "--db", db},
		{"workflow", "delete", "w", "--db", db}, {"purge", "--before", "2026-01-01T00:00:00Z", "--db", db},
		append(start, "--file", filepath.Join(t.TempDir(), "none")),
	} {
		require.Contains(t, refused(t, exitFailed, arguments...), "no such file", arguments)
	}
	require.NoFileExists(t, db)
	stock := stocked(t)
	require.Contains(t, refused(t, exitFailed, "start", "none", "--flag", "new-checkout", "--db", stock), `not_found: there is no template with the key "none"`)
	done(t, "create", careful, "--db", stock)
	require.Contains(t, refused(t, exitFailed, "start", "careful-rollout", "--flag", "none", "--db", stock), "not_found: there is no flag web-shop/production/none")
}
