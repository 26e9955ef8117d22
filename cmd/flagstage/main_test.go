package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage"
)

const rollout = "../../testdata/progressive-rollout.json"

// result is what one run of the command printed, and its exit status.
type result struct {
	status         int
	stdout, stderr string
}

func run(stdin string, arguments ...string) result {
	var out bytes.Buffer
	r := runTo(&out, stdin, arguments...)
	r.stdout = out.String()
	return r
}

// runTo runs the command with a standard output of its own.
func runTo(out io.Writer, stdin string, arguments ...string) result {
	var errs bytes.Buffer
	clock := flagstage.NewVirtualClock(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	wait := func(_ context.Context, d time.Duration) error { clock.Advance(d); return nil }
	p := program{ctx: context.Background(), stdin: strings.NewReader(stdin), stdout: out, stderr: &errs, clock: clock, wait: wait}
	status := p.run(arguments)
	return result{status, "", errs.String()}
}

// printed is what a user sees of a run by go run.
func (r result) printed() string {
	if r.status == exitDone {
		return r.stdout + r.stderr
	}
	return fmt.Sprintf("%s%sexit status %d\n", r.stdout, r.stderr, r.status)
}

func TestHelpOnEveryLevel(t *testing.T) {
	for _, arguments := range [][]string{{"--help"}, {"-h"}, {"help"}} {
		r := run("", arguments...)
		require.Equal(t, exitDone, r.status)
		require.Contains(t, r.stdout, "flagstage simulate FILE")
		require.Empty(t, r.stderr)
	}
	for _, c := range commands {
		for _, arguments := range [][]string{{"--help"}, {rollout, "-h"}} {
			r := run("", append(strings.Fields(c.name), arguments...)...)
			require.Equal(t, exitDone, r.status)
			require.True(t, strings.HasPrefix(r.stdout, "Usage: flagstage "+c.name), r.stdout)
			require.Empty(t, r.stderr)
		}
	}
}

// TestArgumentsThatAreEmptyAreRefused since a variable that nobody has set is no
// wish: not for another approval, another zone, or another file.
func TestArgumentsThatAreEmptyAreRefused(t *testing.T) {
	db := filepath.Join(t.TempDir(), "db")
	for _, c := range []struct{ command, arguments, empty string }{
		{"create", careful, "db"},
		{"flag show", checkout, "environment"},
		{"flag list", "--db " + db, "project"},
		{"review", "w approve --db " + db, "at"},
		{"review", "w approve --db " + db, "content"},
		{"start", "k --flag f --db " + db, "file"},
		{"start", "k --flag f --db " + db, "id"},
		{"start", "k --flag f --db " + db, "zone"},
		{"workflows", "--db " + db, "status"},
		{"tick", "--db " + db, "now"},
	} {
		require.Equal(t, result{exitUsage, "", fmt.Sprintf("flagstage: %s: --%s is empty; give it a value, or leave it out; see flagstage %s --help\n", c.command, c.empty, c.command)},
			run("", append(strings.Fields(c.command+" "+c.arguments), "--"+c.empty, "")...))
	}
	for _, arguments := range [][]string{{"show", "", "--db", db}, {"start", "", "--flag", "f", "--db", db}, {"validate", careful, ""}} {
		require.Equal(t, result{exitUsage, "", "flagstage: " + arguments[0] + ": an argument is empty; see flagstage " + arguments[0] + " --help\n"}, run("", arguments...))
	}
	require.NoFileExists(t, db)
	require.Equal(t, exitDone, run("", "create", careful, "--db", db).status)
	require.Equal(t, exitDone, run("", "list", "--db", db, "--search", "").status, "texts may be empty")
}

func TestHelpByTheNameOfACommand(t *testing.T) {
	for _, c := range commands {
		for _, help := range []string{"help", "--help"} {
			require.Equal(t, run("", append(strings.Fields(c.name), "--help")...), run("", append([]string{help}, strings.Fields(c.name)...)...))
		}
	}
	require.Equal(t, run("", "flag", "--help"), run("", "help", "flag"))
	require.Equal(t, run("", "--help"), run("", "help", "--help"))
	require.Equal(t, result{exitUsage, "", "flagstage: there is no command \"creat\"; see flagstage --help\n"}, run("", "help", "creat"))
}

func TestAStoreThatIsNotThereIsNotMade(t *testing.T) {
	db := filepath.Join(t.TempDir(), "none")
	for _, command := range []string{
		"list", "show k", "delete k", "replace " + careful + " --revision 1", "flag list", "workflows", "status w", "tick", "pause w",
		"store verify", "store stats", "store compact", "store backup x", "store salvage x",
	} {
		r := run("", append(strings.Fields(command), "--db", db)...)
		require.Equal(t, exitFailed, r.status, command)
		require.Contains(t, r.stderr, ": there is no store "+db+": no such file; create, import, flag put and segment put make one\n", command)
		require.NoFileExists(t, db)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, arguments := range [][]string{
		{}, {"simulat"}, {"--version"}, {"validate"}, {"create"}, {"create", "a", "b"}, {"create", rollout, "--member"},
		{"create", rollout, "--member", ""},
		{"create", rollout, "--member", "token:x"}, {"validate", "-", rollout, "-"},
		{"simulate", rollout, "--start", "9999-12-31T23:00:00-02:00"}, {"simulate", rollout, "--start", "1970-01-01T00:00:00+02:00"}, {"simulate"}, {"simulate", rollout, "--strat", "x"},
		{"simulate", rollout, "--start", "tomorrow"}, {"simulate", rollout, "--start", "1969-12-31T00:00:00Z"},
		{"simulate", rollout, "--zone", "Europe/Atlantis"}, {"simulate", rollout, "--zone", ""}, {"simulate", rollout, "--zone", "Local"},
		{"simulate", rollout, "--approve-after", "-4h"}, {"simulate", rollout, "--approve-after", "soon"},
		{"store"}, {"store", "repair"}, {"store", "verify"}, {"store", "verify", "x", "--db", "x"}, {"store", "stats", "--db", "x", "--format", "xml"},
		{"store", "backup", "--db", "x"}, {"store", "backup", "x"}, {"store", "salvage", "x"}, {"store", "salvage", "x", "y", "--db", "z"}, {"store", "compact"},
		{"simulate", rollout, "--format", "xml"}, {"simulate", "--", rollout, "--format"},
	} {
		r := run("", arguments...)
		require.Equal(t, exitUsage, r.status, arguments)
		require.Contains(t, r.stderr, "flagstage", arguments)
		require.Contains(t, r.stderr, "--help", "it says where help is: %v", arguments)
		require.Empty(t, r.stdout, arguments)
	}
}

func TestValidate(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	bad := write("bad.json", `{"key":"k","stages":[{"conditions":[{"kind":"schedule"}]}],"projectKey":"p","environmentKey":"e","flagKey":"f"}`)
	warned := write("warned.json", `{"key":"k","stages":[{"conditions":[{"kind":"schedule","executeNow":true,"description":"d"}]}],"projectKey":"p","environmentKey":"e","flagKey":"f"}`)
	hostile := write("a\x1b[31m.json", `{"key":"\u001b[2J","\u202e":1,"workflowId":"w"}`)

	r := run("", "validate", rollout)
	require.Equal(t, result{exitDone, rollout + ": valid, stages: 5\n", ""}, r)

	r = run("", "validate", bad, rollout, warned)
	require.Equal(t, exitFailed, r.status)
	require.Equal(t, rollout+": valid, stages: 5\n"+warned+": valid, stages: 1\n", r.stdout)
	lines := strings.Split(r.stderr, "\n")
	require.Regexp(t, `^`+bad+`:/stages/0/conditions/0/scheduleKind: .+ \[required\]$`, lines[0])
	require.Regexp(t, `^`+warned+`:/stages/0/conditions/0/description: warning: .+ \[exclusive\]$`, lines[1])
	require.Len(t, lines, 3)

	require.Equal(t, exitDone, run("", "validate", warned).status, "warnings alone are no failure")

	r = run("", "validate", hostile)
	require.Equal(t, exitFailed, r.status)
	require.NotContains(t, r.stderr, "\x1b")
	require.NotContains(t, r.stderr, "\u202e")

	r = run("", "validate", filepath.Join(dir, "none.json"), dir)
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.stderr, "none.json: no such file")
	require.Contains(t, r.stderr, "is a directory")

	document, err := os.ReadFile(rollout)
	require.NoError(t, err)
	require.Equal(t, result{exitDone, "-: valid, stages: 5\n", ""}, run(string(document), "validate", "-"))

	r = run(strings.Repeat("[", 10<<20), "validate", "-")
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.stderr, "[too_large]")
}

func TestWorkflowIDNeedsAnEngine(t *testing.T) {
	r := run(`{"key":"k","workflowId":"w"}`, "validate", "-")
	require.Equal(t, result{exitDone, "-: valid, copies the stages of workflow w\n", ""}, r)
	for _, command := range []string{"create", "simulate"} {
		r := run(`{"key":"k","workflowId":"w"}`, command, "-")
		require.Equal(t, exitFailed, r.status)
		require.Contains(t, r.stderr, "-:/workflowId: ")
		require.Contains(t, r.stderr, "[not_found]")
	}
}

func TestCreatePrintsTheTemplate(t *testing.T) {
	for _, arguments := range [][]string{
		{"create", rollout, "--member", "alice"}, {"create", "--member", "alice", rollout}, {"create", "--member=alice", "--", rollout},
	} {
		r := run("", arguments...)
		require.Equal(t, exitDone, r.status, r.stderr)
		var template struct {
			Key        string `json:"_key"`
			Owner      string `json:"_ownerId"`
			Maintainer string `json:"_maintainerId"`
			Created    int64  `json:"_creationDate"`
			Stages     []any
		}
		require.NoError(t, json.Unmarshal([]byte(r.stdout), &template))
		require.Equal(t, "progressive-rollout", template.Key)
		require.Equal(t, "alice", template.Owner)
		require.Equal(t, "alice", template.Maintainer)
		require.Equal(t, int64(1772442000000), template.Created)
		require.Len(t, template.Stages, 5)

		again := run(r.stdout, "validate", "-")
		require.Equal(t, result{exitDone, "-: valid, stages: 5\n", ""}, again, "what create prints can be read again")
	}
	r := run("", "create", rollout)
	require.Contains(t, r.stdout, `"_ownerId": "local"`)

	r = run(`{"key":"k","name":"a\u202eb\u009b31m","projectKey":"p","environmentKey":"e","flagKey":"f","stages":[{}]}`, "create", "-")
	require.Contains(t, r.stdout, `"name": "a\u202eb\u009b31m"`, "a terminal is not steered")

	r = run(`{"key":"k"}`, "create", "-")
	require.Equal(t, exitFailed, r.status)
	require.Empty(t, r.stdout)
	require.Contains(t, r.stderr, "-:/stages: ")
}

func TestSimulate(t *testing.T) {
	fixed := []string{"simulate", rollout, "--start", "2026-10-20T09:00:00+02:00", "--zone", "Europe/Berlin"}

	text := run("", fixed...)
	require.Equal(t, exitDone, text.status, text.stderr)
	require.Contains(t, text.stdout, "Assumed: every approval is granted as soon as it is asked for.")
	require.Contains(t, text.stdout, "At the end: complete on Sun 2026-11-01 21:00 +01:00")
	require.Equal(t, text, run("", fixed...), "the same each time")

	later := run("", append(fixed, "--approve-after", "4h")...)
	require.Contains(t, later.stdout, "granted 4h after it is asked")
	require.Contains(t, later.stdout, "At the end: complete on Mon 2026-11-02 01:00 +01:00")

	waits := run("", append(fixed, "--approve-after", "never")...)
	require.Equal(t, exitDone, waits.status)
	require.Contains(t, waits.stdout, "At the end: waits for approval of stage 3 since Sat 2026-10-24 09:00 +02:00.")

	document := run("", append(fixed, "--format", "json")...)
	var timeline struct {
		Zone   string
		Events []struct {
			Number int
			Kind   string
			Local  string
		}
		End struct{ Status string }
	}
	require.NoError(t, json.Unmarshal([]byte(document.stdout), &timeline))
	require.Equal(t, "Europe/Berlin", timeline.Zone)
	require.Equal(t, "completed", timeline.End.Status)
	require.Equal(t, "2026-10-20T09:00:00+02:00", timeline.Events[0].Local)

	now := run("", "simulate", rollout)
	require.Contains(t, now.stdout, "Mon 2026-03-02 09:00 +00:00  The release starts.", "it starts now, in UTC")

	created := run("", "create", rollout)
	exported := run(created.stdout, append([]string{"simulate", "-"}, fixed[2:]...)...)
	require.Equal(t, text.stdout, exported.stdout, "an exported template is simulated too")

	fails := run(`{"key":"k","projectKey":"p","environmentKey":"e","flagKey":"f","stages":[
		{"conditions":[{"kind":"schedule","waitDuration":400000,"waitDurationUnit":"calendarWeek"}]},
		{"conditions":[{"kind":"schedule","waitDuration":400000,"waitDurationUnit":"calendarWeek"}]}]}`, "simulate", "-")
	require.Equal(t, exitDone, fails.status, fails.stderr)
	require.Contains(t, fails.stdout, "At the end: failed in stage 2")
}

func TestStoreCommands(t *testing.T) {
	db := filepath.Join(t.TempDir(), "db")
	created := run("", "create", rollout, "--db", db, "--member", "alice")
	require.Equal(t, exitDone, created.status, created.stderr)

	again := run("", "create", rollout, "--db", db)
	require.Equal(t, exitFailed, again.status)
	require.Contains(t, again.stderr, `"progressive-rollout"`)
	require.Empty(t, again.stdout)

	bad := run(`{"key":"k"}`, "create", "-", "--db", db)
	require.Equal(t, exitFailed, bad.status)
	require.Contains(t, bad.stderr, "-:/stages: ")

	listed := run("", "list", "--db", db)
	require.Equal(t, "KEY                  NAME                                     STAGES  CREATED     OWNER  REVISION\n"+
		"progressive-rollout  Progressive rollout of the new checkout  5       2026-03-02  alice  1\n", listed.stdout)
	require.NotContains(t, run("", "list", "--db", db, "--search", "nothing").stdout, "alice")
	listed = run("", "list", "--db", db, "--format", "json")
	var listing struct{ Items []json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(listed.stdout), &listing))
	require.Len(t, listing.Items, 1)

	shown := run("", "show", "progressive-rollout", "--db", db, "--format=json")
	require.Equal(t, created.stdout, shown.stdout)
	words := run("", "show", "--db", db, "progressive-rollout")
	require.Contains(t, words.stdout, "Written for  flag new-checkout, environment production, project web-shop\n")
	require.Contains(t, words.stdout, "             asks for approval: The support team is ready\n")

	deleted := run("", "delete", "progressive-rollout", "--db", db)
	require.Equal(t, result{exitDone, "deleted progressive-rollout\n", ""}, deleted)
	for _, command := range []string{"show", "delete"} {
		r := run("", command, "progressive-rollout", "--db", db)
		require.Equal(t, exitFailed, r.status)
		require.Contains(t, r.stderr, "not_found")
	}

	imported := run(shown.stdout, "import", "-", "--project", "p", "--environment", "e", "--flag", "f", "--db", db)
	require.Equal(t, exitDone, imported.status, imported.stderr)
	require.Equal(t, shown.stdout, imported.stdout, "identifiers, dates and people are kept")
	require.Contains(t, run("", "show", "progressive-rollout", "--db", db).stdout, "flag f, environment e, project p")
}

func TestReplace(t *testing.T) {
	db := filepath.Join(t.TempDir(), "db")
	const document = `{"key":"k","name":"%s","projectKey":"p","environmentKey":"e","flagKey":"f","stages":[{"name":"one"}]}`
	create := run(fmt.Sprintf(document, "First"), "create", "-", "--db", db, "--member", "alice")
	require.Equal(t, exitDone, create.status, create.stderr)
	replace := func(document string, more ...string) result {
		return run(document, append([]string{"replace", "-", "--db", db}, more...)...)
	}
	first := revision(t, run("", "show", "k", "--db", db).stdout)
	r := replace(fmt.Sprintf(document, "Second"), "--revision", first, "--member", "bob")
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Equal(t, run("", "show", "k", "--db", db, "--format", "json").stdout, r.stdout)
	shown := run("", "show", "k", "--db", db).stdout
	require.Contains(t, shown, "Name         Second\n")
	require.Contains(t, shown, " by alice\n", "the owner stays")
	second := revision(t, shown)

	require.Equal(t, result{exitFailed, "", `flagstage: replace: optimistic_locking_error: the template "k" has revision ` + second + " by now, not " + first + "; read it again\n"},
		replace(fmt.Sprintf(document, "Third"), "--revision", first))
	require.Contains(t, replace(strings.Replace(document, `"k"`, `"other"`, 1), "--revision", second).stderr, "not_found: ")
	bad := replace(`{"key":"k","stage":[]}`, "--revision", second)
	require.Equal(t, exitFailed, bad.status)
	require.Contains(t, bad.stderr, `-:/stage: the member "stage" is unknown here; did you mean "stages"?`)
	bad = replace(`{"key":"k","workflowId":"w"}`, "--revision", second)
	require.Equal(t, result{exitFailed, "", "-:/workflowId: there is no such workflow [not_found]\n"}, bad)
	require.Equal(t, shown, run("", "show", "k", "--db", db).stdout)
	warned := replace(strings.Replace(document, `"name":"one"`, `"conditions":[{"kind":"schedule","executeNow":true,"description":"d"}]`, 1), "--revision", second)
	require.Equal(t, exitDone, warned.status)
	require.Contains(t, warned.stderr, "-:/stages/0/conditions/0/description: warning: ")

	third := revision(t, run("", "show", "k", "--db", db).stdout)
	require.Contains(t, run("", "delete", "k", "--db", db, "--revision", second).stderr, `the template "k" has revision `+third+" by now, not "+second+"; read it again")
	require.Contains(t, run("", "list", "--db", db).stdout, "  "+third+"\n", "it is still there")
	require.Equal(t, exitDone, run("", "delete", "k", "--db", db, "--revision", third).status)

	none := filepath.Join(t.TempDir(), "none")
	for _, arguments := range [][]string{
		{"replace"}, {"replace", rollout, "--db", db}, {"replace", rollout, "--revision", "1"}, {"replace", rollout, "--db", db, "--revision", "0"},
		{"replace", rollout, "--db", db, "--revision", "1.0"}, {"replace", rollout, "--db", db, "--revision", "1", "--member", ""}, {"delete", "k", "--db", db, "--revision", ""},
	} {
		r := run("", arguments...)
		require.Equal(t, exitUsage, r.status, arguments)
		require.Contains(t, r.stderr, "--help", arguments)
	}
	require.Equal(t, exitFailed, run("", "replace", rollout, "--db", none, "--revision", "1").status)
	require.NoFileExists(t, none)
}

func TestListNamesWhatCannotBeRead(t *testing.T) {
	ctx := t.Context()
	db := filepath.Join(t.TempDir(), "db")
	require.Equal(t, exitDone, run("", "create", rollout, "--db", db).status)
	engine, err := flagstage.Open(db, flagstage.WithHostKinds("acmePage"))
	require.NoError(t, err)
	_, err = engine.CreateTemplateJSON(ctx, localActor, []byte(`{"key":"hosted","projectKey":"p","environmentKey":"e","flagKey":"f",
		"stages":[{"action":{"instructions":[{"kind":"acmePage","who":"ops"}]}}]}`))
	require.NoError(t, err)
	require.NoError(t, engine.Close())
	r := run("", "list", "--db", db)
	require.Equal(t, exitDone, r.status, r.stderr)
	require.Contains(t, r.stdout, "\nhosted ", "kinds of other hosts are no obstacle")
	require.Contains(t, run("", "show", "hosted", "--db", db).stdout, "do what the host calls acmePage")

	store, err := flagstage.OpenStore(db, flagstage.DurabilityNever)
	require.NoError(t, err)
	_, err = store.Commit(ctx, flagstage.Txn{Put: []flagstage.Record{
		{Key: "template/broken", Value: []byte("\x01")}, {Key: "template/later", Value: []byte("\x63")},
	}})
	require.NoError(t, err)
	require.NoError(t, store.Close())
	for _, format := range []string{"text", "json"} {
		r := run("", "list", "--db", db, "--format", format)
		require.Equal(t, exitFailed, r.status)
		require.Contains(t, r.stdout, "progressive-rollout")
		require.Contains(t, r.stdout, "hosted")
		lines := strings.Split(r.stderr, "\n")
		require.Len(t, lines, 3)
		require.Contains(t, lines[0], `flagstage: list: the stored template "broken" cannot be read: `)
		require.Contains(t, lines[1], `flagstage: list: the stored template "later" cannot be read: `)
	}
	require.Equal(t, exitFailed, run("", "show", "broken", "--db", db).status)
	for _, key := range []string{"broken", "later"} {
		require.Equal(t, exitDone, run("", "delete", key, "--db", db).status)
	}
	require.Equal(t, exitDone, run("", "list", "--db", db).status)
}

func TestStoreCommandsThatFail(t *testing.T) {
	dir := t.TempDir()
	none := filepath.Join(dir, "none")
	for _, arguments := range [][]string{
		{"list"}, {"show", "k"}, {"delete", "k"}, {"show", "--db", none}, {"list", "x", "--db", none},
		{"import", rollout, "--db", none}, {"import", rollout, "--project", "p", "--environment", "e", "--flag", "f"},
		{"list", "--db", none, "--format", "xml"},
	} {
		r := run("", arguments...)
		require.Equal(t, exitUsage, r.status, arguments)
		require.Contains(t, r.stderr, "--help")
	}
	for _, arguments := range [][]string{
		{"list", "--db", none}, {"list", "--db", dir}, {"show", "k", "--db", none}, {"delete", "k", "--db", rollout},
		{"create", rollout, "--db", rollout}, {"create", rollout, "--db", filepath.Join(rollout, "db")},
		{"create", rollout, "--db", filepath.Join(dir, "no", "db")},
	} {
		r := run("", arguments...)
		require.Equal(t, exitFailed, r.status, arguments)
		require.NotEmpty(t, r.stderr)
		require.Empty(t, r.stdout)
	}
	require.NoFileExists(t, none, "looking makes no store")
	document, err := os.ReadFile(rollout)
	require.NoError(t, err)
	require.True(t, json.Valid(document), "a file that is no store is left alone")
}

func TestWhatIsRefusedMakesNoStore(t *testing.T) {
	dir := t.TempDir()
	created := run("", "create", rollout).stdout
	require.NoError(t, os.WriteFile(filepath.Join(dir, "exported"), []byte(created), 0o600))
	exported := filepath.Join(dir, "exported")
	origin := []string{"--project", "p", "--environment", "e", "--flag", "f"}
	for _, c := range []struct {
		name, stdin string
		arguments   []string
		status      int
	}{
		{"a bad request", `{"key":"k"}`, []string{"create", "-"}, exitFailed},
		{"a workflow", `{"key":"k","workflowId":"w"}`, []string{"create", "-"}, exitFailed},
		{"nonsense", `nonsense`, []string{"create", "-"}, exitFailed},
		{"a wait beyond all years", `{"key":"k","projectKey":"p","environmentKey":"e","flagKey":"f","stages":[{"conditions":[
			{"kind":"schedule","waitDuration":9999999,"waitDurationUnit":"calendarWeek"}]}]}`, []string{"create", "-"}, exitFailed},
		{"no file", ``, []string{"create", filepath.Join(dir, "none")}, exitFailed},
		{"a bad member", ``, []string{"create", rollout, "--member", ""}, exitUsage},
		{"a bad flag", ``, []string{"create", rollout, "--mebmer", "x"}, exitUsage},
		{"two files", ``, []string{"create", rollout, rollout}, exitUsage},
		{"a bad import", `{"_key":"k"}`, append([]string{"import", "-"}, origin...), exitFailed},
		{"a request as import", `{"key":"k","stages":[{}]}`, append([]string{"import", "-"}, origin...), exitFailed},
		{"no file to import", ``, append([]string{"import", filepath.Join(dir, "none")}, origin...), exitFailed},
		{"a bad origin", ``, []string{"import", exported, "--project", "a b", "--environment", "e", "--flag", "f"}, exitFailed},
		{"no origin", ``, []string{"import", exported}, exitUsage},
		{"a bad member of an import", ``, append([]string{"import", exported, "--member", "token:x"}, origin...), exitUsage},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := filepath.Join(t.TempDir(), "db")
			r := run(c.stdin, append(c.arguments, "--db", db)...)
			require.Equal(t, c.status, r.status, r.stderr)
			require.NotEmpty(t, r.stderr)
			require.Empty(t, r.stdout)
			entries, err := os.ReadDir(filepath.Dir(db))
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
	r := run("", "create", rollout, "--db", "")
	require.Equal(t, exitUsage, r.status)
	require.Empty(t, r.stdout, "nobody is left to believe that it was kept")

	db := filepath.Join(dir, "db")
	r = run(`{"key":"k","projectKey":"p","environmentKey":"e","flagKey":"f","stages":[{"conditions":[
		{"kind":"schedule","executeNow":true,"description":"d"}]}]}`, "create", "-", "--db", db)
	require.Equal(t, exitDone, r.status)
	require.Len(t, strings.Split(r.stderr, "\n"), 2, "a warning is told once")
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestOutputThatCannotBeWrittenFails and tells whether anything was done.
func TestOutputThatCannotBeWrittenFails(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "db")
	for _, arguments := range [][]string{{"--help"}, {"flag", "--help"}, {"create", "--help"}} {
		require.Equal(t, result{exitFailed, "", "flagstage: broken pipe\n"}, runTo(brokenPipe{}, "", arguments...))
	}
	const done = "it is done, but cannot be told: "
	for _, c := range []struct {
		command string
		want    string
	}{
		{"create " + careful + " --db " + db, done},
		{"flag put " + checkout + " --project web-shop --db " + db, done},
		{"start careful-rollout --flag new-checkout --id w --dry-run --db " + db, ""},
		{"start careful-rollout --flag new-checkout --id w --db " + db, done},
		{"status w --db " + db, ""},
		{"pause w --db " + db, done},
		{"tick --db " + db, done},
		{"list --db " + db, ""},
		{"store verify --db " + db, ""},
		{"store compact --db " + db, done},
		{"store backup " + db + ".copy --db " + db, done},
		{"store salvage " + db + ".saved --db " + db, done},
		{"delete careful-rollout --db " + db, done},
		{"create " + careful, ""},
		{"validate " + careful, ""},
		{"simulate " + careful, ""},
		{"simulate --format=json " + careful, ""},
	} {
		r := runTo(brokenPipe{}, "", strings.Fields(c.command)...)
		require.Equal(t, exitFailed, r.status, c.command)
		require.Regexp(t, `^flagstage: [a-z ]+: `+c.want+`broken pipe\n$`, r.stderr, c.command)
	}
	require.NotContains(t, run("", "list", "--db", db).stdout, "careful-rollout")
	require.Contains(t, run("", "workflows", "--db", db).stdout, "paused")
	require.FileExists(t, db+".copy")
	require.FileExists(t, db+".saved")
}
